"""A pool in parts, and what is counted of it; of no engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Outputs
from skbadge.cluster._columns import Columns
from skbadge.exceptions import InvalidInputError
from skbadge.utils._rows import n_rows
from skbadge.utils._validation import check_integer

__all__ = [
    "ClusterPool",
    "Parts",
    "Traffic",
    "count_rows",
    "listed",
    "n_bytes",
    "without_length",
]


@dataclass
class Traffic:
    """What went over the network since a pass, as the coordinator counts it.

    Parameters
    ----------
    rounds : int
        Round trips: calls that waited for answers, to however many parts they went.
    messages : int
        Calls of single parts, also those that nobody waits for, and values sent out.
    bytes_down, bytes_up : int
        Size of the arrays sent to the parts, and of those that they answered.
    """

    rounds: int = 0
    messages: int = 0
    bytes_down: int = 0
    bytes_up: int = 0


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows in parts that an engine reads when it is asked to; nothing is held for them.

    Parameters
    ----------
    parts : list
        What reads each part.
    lengths : sequence of int or None
        Number of rows of each; None where they are unknown.
    columns : tuple of int, list, or None, default=None
        Shape of a row of an array, or names of the columns of a table; None where only
        reading a part tells.
    dtype : numpy.dtype or None, default=None
        Of an array; None where only reading a part tells.
    expected : Columns or None, default=None
        How each part is read, and what it must have; None where nobody was fitted.
    """

    parts: list[Any]
    lengths: Sequence[int] | None
    columns: tuple[int, ...] | list[Any] | None = None
    dtype: Any = None
    expected: Columns | None = None


@dataclass(frozen=True, eq=False)
class ClusterPool(Parts):
    """A pool in parts of known lengths, and who runs them.

    Parameters
    ----------
    client : object, default=None
        What the engine runs them by; further parameters are those of `Parts`.
    """

    lengths: Sequence[int]
    client: Any = None

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def starts(self) -> np.ndarray:
        """Position of the first row of each part, and the number of all rows."""
        return np.cumsum([0, *self.lengths])

    def split(self, rows: np.ndarray | None) -> list[Any]:
        """Return the positions of some rows within each part.

        Parameters
        ----------
        rows : ndarray of int or None
            Positions in the pool, ascending; None for all.

        Returns
        -------
        list of (ndarray of int or None)
            For each part; None for all of its rows.
        """
        if rows is None:
            return [None] * len(self.lengths)
        starts = self.starts
        cuts = np.searchsorted(rows, starts)
        return [
            rows[low:high] - start
            for low, high, start in zip(cuts[:-1], cuts[1:], starts[:-1], strict=True)
        ]


def listed(X: Sequence[Any], is_part: Callable[[Any], bool]) -> Parts:
    """Return the parts of a list: all with their lengths, or all without.

    Parameters
    ----------
    X : list or tuple
        Parts, or pairs of a part and its length.
    is_part : callable
        Says what an engine takes for a part.

    Raises
    ------
    InvalidInputError
        If something else is among them, or lengths are missing.
    """
    parts, pairs = [without_length(part) for part in X], [_is_pair(part) for part in X]
    for i, part in enumerate(parts):
        if not is_part(part):
            raise InvalidInputError(
                "A pool in a list of parts must have each part delayed, "
                "dask.delayed(read)(...), or as a future, or must have them all in "
                f"pairs (part, length). Got {type(part).__name__} as part {i}."
            )
    if not any(pairs):
        return Parts(parts, None)
    if not all(pairs):
        raise InvalidInputError(
            "A pool in a list of parts must have the lengths of all parts, (part, "
            f"length), or of none. Got no length of part {pairs.index(False)}."
        )
    lengths = [length for _, length in X]
    for length in lengths:
        check_integer(length, "the length of a part", low=0)
    return Parts(parts, lengths)


def without_length(part: Any) -> Any:
    """Return the part of a pair ``(part, length)``, and anything else as it is."""
    return part[0] if _is_pair(part) else part


def _is_pair(part: Any) -> bool:
    return isinstance(part, tuple) and len(part) == 2


def count_rows(X: Any) -> int:
    """Count the rows of a pool, on a cluster or here."""
    return len(X) if isinstance(X, ClusterPool) else n_rows(X)


def n_bytes(value: Any) -> int:
    """Return the size of all arrays in a value, and 8 for each other thing."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.nbytes
    if isinstance(value, Outputs):
        return n_bytes(value.values)
    if isinstance(value, dict):
        return sum(map(n_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(n_bytes, value))
    return 8

"""Rows of a pool in parts, brought to this machine and put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skbadge.cluster._pass import map_rows
from skbadge.cluster._pool import ClusterPool
from skbadge.embeddings._sharded import from_numpy, to_numpy
from skbadge.exceptions import InvalidInputError
from skbadge.utils._kinds import is_hub_dataset
from skbadge.utils._lazy import read_now
from skbadge.utils._rows import (
    RowList,
    column_names,
    is_lazy,
    join,
    several_inputs,
)
from skbadge.utils._torch import preserved_generators
from skbadge.utils._tree import leaves, mapped

__all__ = ["fetch_rows"]


def fetch_rows(pool: ClusterPool, rows: np.ndarray, *, verbose: int = 0) -> Any:
    """Bring some rows of a pool in parts to this machine, as they are.

    Parameters and errors are those of `map_rows`. Items of data sets are read where
    they lie, since a data set itself would come with its whole source.

    Returns
    -------
    rows : of the kind of the parts
        In the order of their positions.

    Raises
    ------
    InvalidInputError
        If parts differ in kind, keys, columns or types.
    """
    answers = map_rows(pool, rows, _packed, verbose=verbose)
    numbers = [i for i, given in enumerate(pool.split(rows)) if len(given)]
    found = [(i, _unpacked(answer)) for i, answer in zip(numbers, answers, strict=True)]
    while len(found) > 1:
        # In pairs: one after another, each would be copied as often as there are parts.
        odd = found[len(found) // 2 * 2 :]
        pairs = zip(found[::2], found[1::2], strict=False)
        found = [*(_joined(first, second) for first, second in pairs), *odd]
    return found[0][1]


@dataclass(frozen=True)
class _Sent:
    """A tensor as it travels: engines know arrays, and not tensors of each type."""

    array: np.ndarray


def _packed(rows: Any) -> Any:
    """Run on a worker: what is sent of some rows."""
    if is_lazy(rows) and not is_hub_dataset(rows):
        # Reading a row may draw from the global generators.
        with preserved_generators():
            return read_now(rows)
    return _with(torch.Tensor, lambda tensor: _Sent(to_numpy(tensor)), rows)


def _unpacked(rows: Any) -> Any:
    return _with(_Sent, lambda sent: from_numpy(sent.array.copy()), rows)


def _with(kind: type, function: Any, rows: Any) -> Any:
    """Apply a function to the leaves of a kind; lists of rows stay such lists."""
    # Records and lists of other things stay what they are.
    if not any(isinstance(leaf, kind) for leaf in leaves(rows)):
        return rows
    found = mapped(
        lambda leaf: function(leaf) if isinstance(leaf, kind) else leaf, rows
    )
    return RowList(found) if isinstance(rows, RowList) else found


def _joined(first: tuple[int, Any], second: tuple[int, Any]) -> tuple[int, Any]:
    """Put the rows of two parts together; they come with the numbers of the parts."""
    (number, above), (other, below) = first, second
    try:
        return number, join(above, below, same_values=False)
    except MemoryError:
        raise
    except Exception as error:
        # Each library that makes tables refuses others in a way of its own.
        raise InvalidInputError(
            "The parts of a pool must hold rows of one kind, with the same keys, "
            f"columns, shapes and types. Part {number} holds {_described(above)}, and "
            f"part {other} {_described(below)}: convert them where they are read."
        ) from error


def _described(rows: Any) -> str:
    """Say what rows are: of which kind, columns and types."""
    if isinstance(rows, Mapping):
        inputs = (f"{key!r}: {_described(value)}" for key, value in rows.items())
        return f"a dict of {', '.join(inputs)}"
    if several_inputs(rows):
        return f"a {type(rows).__name__} of {len(rows)} inputs"
    names = None if isinstance(rows, RowList) else column_names(rows)
    if names is not None:
        types = getattr(rows, "dtypes", None)
        types = getattr(getattr(rows, "schema", None), "types", types)
        columns: Iterable[str] = map(repr, names)
        if types is not None:
            columns = (f"{n!r} ({t})" for n, t in zip(names, types, strict=True))
        return f"a {type(rows).__name__} with the columns {', '.join(columns)}"
    if hasattr(rows, "shape") and hasattr(rows, "dtype"):
        shape = ", ".join(["n", *map(str, rows.shape[1:])])
        return f"a {type(rows).__name__} of shape ({shape}) and {rows.dtype}"
    return "a list of rows" if isinstance(rows, RowList) else f"a {type(rows).__name__}"

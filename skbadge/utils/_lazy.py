"""Rows that are read one by one when they are asked for, and never nested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from skbadge.utils._tree import mapped

__all__ = [
    "PickedRows",
    "ReadItems",
    "as_torch",
    "joined",
    "origins",
    "picked",
    "read_now",
]

# Sources with the positions of their rows, or None for all of them.
_Pieces: TypeAlias = list[tuple[Any, Any]]


class PickedRows:
    """Rows of one or several map-style objects, in any order.

    What ``torch.utils.data.Subset`` and ``ConcatDataset`` are to data sets of pairs,
    for objects whose items are rows without a label.

    Parameters
    ----------
    pieces : list of (source, positions)
        ``positions`` is a sequence of int, or None for all rows of the source.
    """

    def __init__(self, pieces: _Pieces) -> None:
        self.pieces = pieces
        self._ends = np.cumsum([_length(piece) for piece in pieces])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Any:
        index = int(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"There are {len(self)} rows. Got position {index}.")
        index %= len(self)
        number = int(np.searchsorted(self._ends, index, side="right"))
        source, positions = self.pieces[number]
        index -= int(self._ends[number - 1]) if number else 0
        return source[index if positions is None else int(positions[index])]


class ReadItems(Dataset[Any]):
    """Items of a torch data set that were read, without what they were read from.

    Parameters
    ----------
    items : list
    """

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def read_now(X: Any) -> Any:
    """Read all rows of a data set, each once, and return them without their source.

    Parameters
    ----------
    X : map-style object
        ``len`` and items by int.

    Returns
    -------
    ReadItems or PickedRows
        A torch data set of one, and rows of anything else.
    """
    # A tensor of one row would come with the memory of all, of which it is a view.
    items = [mapped(_alone, X[i]) for i in range(len(X))]
    return ReadItems(items) if isinstance(X, Dataset) else PickedRows([(items, None)])


def _alone(leaf: Any) -> Any:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf


def picked(X: Any, rows: Any, build: Callable[[Any], Any]) -> Any:
    """Take rows of a source, or of what `picked` and `joined` gave, without nesting.

    A campaign that takes, joins and corrects rows for a thousand rounds still reads
    each row straight from the data it was given.

    Parameters
    ----------
    X : map-style object
        ``len`` and items by int.
    rows : slice or ndarray of int
        Positions in ``[0, len(X))``.
    build : callable
        Makes the result of pieces: `as_torch` or `PickedRows`.
    """
    pieces = _pieces(X)
    if isinstance(rows, slice):
        rows = range(len(X))[rows]
    if len(pieces) == 1:
        source, positions = pieces[0]
        return build([(source, _composed(positions, rows))])
    rows = np.asarray(rows, dtype=np.intp)
    ends = np.cumsum([_length(piece) for piece in pieces])
    numbers = np.searchsorted(ends, rows, side="right")
    found = []
    # Rows keep their order: one piece for each run of rows of the same source.
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(numbers)) + 1):
        if len(run):
            number = int(numbers[run[0]])
            source, positions = pieces[number]
            inner = rows[run] - (ends[number - 1] if number else 0)
            found.append((source, _composed(positions, inner)))
    return build(_merged(found) or [(pieces[0][0], [])])


def joined(first: Any, second: Any, build: Callable[[Any], Any]) -> Any:
    """Put the rows of two sources one below the other, without nesting."""
    return build(_merged([*_pieces(first), *_pieces(second)]))


def origins(X: Any) -> list[tuple[int, int] | None]:
    """Return where each row was taken from: length of a source, position in it.

    None for the rows of a source that was not picked from.
    """
    if hasattr(X, "indices_") and hasattr(X, "dataset"):  # a SliceDataset of skorch
        if X.indices is None:
            return [None] * len(X)
        return [(len(X.dataset), int(i)) for i in X.indices_]
    found: list[tuple[int, int] | None] = []
    for source, positions in _pieces(X):
        if positions is None:
            found += [None] * len(source)
        else:
            found += [(len(source), int(i)) for i in positions]
    return found


def as_torch(pieces: _Pieces) -> Any:
    """Make a torch data set of pieces."""
    parts = [
        source if positions is None else Subset(source, positions)
        for source, positions in pieces
    ]
    return parts[0] if len(parts) == 1 else ConcatDataset(parts)


def _pieces(X: Any) -> _Pieces:
    # Subclasses may have an order and a meaning of their own: they are sources.
    if type(X) is PickedRows:
        return X.pieces
    if type(X) is ConcatDataset:
        return [piece for part in X.datasets for piece in _pieces(part)]
    if type(X) is Subset:
        inner = _pieces(X.dataset)
        if len(inner) == 1:
            source, positions = inner[0]
            return [(source, _composed(positions, X.indices))]
        return _pieces(picked(X.dataset, np.asarray(X.indices), as_torch))
    return [(X, None)]


def _composed(positions: Any, rows: Any) -> Any:
    """Return positions in the source of rows that are positions in a piece of it."""
    if positions is None:
        return rows if isinstance(rows, (range, list)) else np.asarray(rows).tolist()
    if isinstance(positions, range) and isinstance(rows, range):
        start = positions.start + positions.step * rows.start
        step = positions.step * rows.step
        return range(start, start + step * len(rows), step)
    return np.asarray(positions, dtype=np.intp)[np.asarray(rows, np.intp)].tolist()


def _merged(pieces: _Pieces) -> _Pieces:
    """Make one piece of neighbors that are parts of the same source."""
    merged: _Pieces = []
    for source, positions in pieces:
        if positions is not None and merged:
            before, known = merged[-1]
            if before is source and known is not None:
                merged[-1] = (source, [*known, *positions])
                continue
        if positions is None or len(positions):
            merged.append((source, positions))
    return merged


def _length(piece: tuple[Any, Any]) -> int:
    source, positions = piece
    return len(source if positions is None else positions)

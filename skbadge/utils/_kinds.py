"""The kinds of rows there are: how each is known, counted, taken from and joined."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch.utils.data import Dataset

from skbadge.utils._categories import with_all_categories
from skbadge.utils._lazy import PickedRows, as_torch, joined, picked

__all__ = [
    "Kind",
    "RowList",
    "is_hub_dataset",
    "is_table",
    "kind_of",
    "made_by",
    "numbers_of",
]


# What array-likes raise for a way of indexing that they do not have.
_NOT_READ_SO = (TypeError, IndexError, KeyError, ValueError, NotImplementedError)


class RowList(list):
    """A list whose members are rows, whatever they are: texts, records, images."""


@dataclass(frozen=True)
class Kind:
    """One kind of rows.

    Parameters
    ----------
    name : str
        What messages call it.
    holds : callable
        Says whether something is of this kind; the first kind that says so is it.
    take : callable
        Of the rows and of positions: a slice, or an ndarray of int in range.
    join : callable
        Of two of the kind, and of a name for messages.
    is_lazy : bool, default=False
        Whether rows are read one by one, when they are asked for.
    in_memory : bool, default=True
        Whether looking at all of it costs no reading from a disk.
    """

    name: str
    holds: Callable[[Any], bool]
    take: Callable[[Any, Any], Any]
    join: Callable[[Any, Any, str], Any]
    is_lazy: bool = False
    in_memory: bool = True


def kind_of(X: Any) -> Kind | None:
    """Return the kind of rows that are not several inputs; None where it is unknown."""
    return next((kind for kind in _KINDS if kind.holds(X)), None)


def made_by(X: Any, package: str) -> bool:
    """Say whether the class of an object comes from a package, imported or not."""
    origins = (base.__module__.partition(".")[0] for base in type(X).__mro__)
    return package in origins


def is_table(X: Any) -> bool:
    """Say whether something has rows of its own: it may be one of several inputs."""
    if isinstance(X, Mapping):
        return bool(X) and all(map(is_table, X.values()))
    shape = getattr(X, "shape", None)
    return isinstance(shape, tuple) and len(shape) >= 1


def is_hub_dataset(X: Any) -> bool:
    """Say whether ``X`` is a Hugging Face ``datasets.Dataset``: a table of columns."""
    return made_by(X, "datasets") and hasattr(X, "select") and hasattr(X, "features")


def numbers_of(rows: Any) -> np.ndarray | None:
    """Return a list of numbers, or of rows of numbers, as an array; None for others.

    Nothing else is ever handed to NumPy, which would make words of what is missing and
    give every text the length of the longest.
    """
    if not _all_numbers(rows):
        return None
    try:
        found = np.asarray(rows)
    except ValueError:
        return None  # of several lengths
    return found if found.dtype.kind in "fiub" else None


def _all_numbers(rows: Any) -> bool:
    for kind in set(map(type, rows)):
        if issubclass(kind, (bool, int, float, np.bool_, np.number)):
            continue
        members: list[Any] = [row for row in rows if type(row) is kind]
        if issubclass(kind, (list, tuple)):
            inner = all(map(_all_numbers, members))
        elif issubclass(kind, np.ndarray):
            # Images stay apart: the next may be of another size.
            inner = all(row.ndim <= 1 and row.dtype.kind in "fiub" for row in members)
        else:
            inner = issubclass(kind, torch.Tensor) and not any(
                row.ndim or row.requires_grad for row in members
            )
        if not inner:
            return False
    return True


def _is_array_like(X: Any) -> bool:
    indexable = hasattr(X, "__getitem__") and hasattr(X, "dtype")
    return indexable and is_table(X) and not isinstance(X, Mapping)


def _is_sequence(X: Any) -> bool:
    return isinstance(X, Sequence) and not isinstance(X, (str, bytes, list, tuple))


def _is_map_style(X: Any) -> bool:
    readable = hasattr(X, "__getitem__") and hasattr(X, "__len__")
    known = (str, bytes, list, tuple, Mapping, type)
    return readable and not isinstance(X, known) and not hasattr(X, "shape")


def _is_slice_dataset(X: Any) -> bool:
    parts = ("dataset", "idx", "indices_")
    return _is_sequence(X) and all(hasattr(X, part) for part in parts)


def _from_list(X: Any, rows: Any) -> RowList:
    return RowList(X[rows] if isinstance(rows, slice) else [X[i] for i in rows])


def _from_sequence(X: Any, rows: Any) -> Any:
    # Not all sequences know slices.
    rows = range(len(X))[rows] if isinstance(rows, slice) else rows
    if not len(rows) and len(X):
        # The first says what no rows of it are.
        found = _from_sequence(X, [0])
        return RowList() if isinstance(found, RowList) else found[:0]
    taken = [X[int(i)] for i in rows]
    found = numbers_of(list(taken))
    return RowList(taken) if found is None else found


def _from_tensor(X: Any, rows: Any) -> Any:
    return (
        X[rows] if isinstance(rows, slice) else X[torch.from_numpy(rows).to(X.device)]
    )


def _from_array_like(X: Any, rows: Any) -> np.ndarray:
    """Read rows of a file or of another library, in whichever way it is indexed.

    Files want ascending positions; some libraries know slices alone, or single rows.
    """
    rows = np.arange(X.shape[0])[rows]
    if not len(rows):
        return np.empty(
            (0, *X.shape[1:]),
            dtype=_by_first(X, [slice(0, 1)], [np.arange(1)], [0]).dtype,
        )
    ascending, places = np.unique(rows, return_inverse=True)
    breaks = np.flatnonzero(np.diff(ascending) > 1) + 1
    runs = [slice(int(r[0]), int(r[-1]) + 1) for r in np.split(ascending, breaks)]
    ways: list[list[Any]]
    ways = [runs, [ascending]] if len(runs) == 1 else [[ascending], runs]
    found = _by_first(X, *ways, list(map(int, ascending)))
    in_order = np.array_equal(places, np.arange(len(found)))
    return found if in_order else found[places]


def _by_first(X: Any, *ways: list[Any]) -> np.ndarray:
    """Index by the first of several ways that ``X`` knows."""
    for keys in ways[:-1]:
        with suppress(*_NOT_READ_SO):
            return _read_by(X, keys)
    return _read_by(X, ways[-1])


def _read_by(X: Any, keys: list[Any]) -> np.ndarray:
    parts = [np.asarray(X[key]) for key in keys]
    if isinstance(keys[0], int):
        return np.stack(parts)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _join_array_likes(first: Any, second: Any, _: str) -> np.ndarray:
    parts = [_from_array_like(part, slice(None)) for part in (first, second)]
    return np.concatenate(parts)


def _from_polars(X: Any, rows: Any) -> Any:
    return X[rows] if isinstance(rows, slice) or len(rows) else X[:0]


def _from_arrow(X: Any, rows: Any) -> Any:
    if isinstance(rows, slice):
        rows = np.arange(X.num_rows)[rows]
    return X.take(rows)


def _from_hub(X: Any, rows: Any) -> Any:
    return X.select(range(len(X))[rows] if isinstance(rows, slice) else rows.tolist())


def _join_frames(first: Any, second: Any, name: str) -> Any:
    return pd.concat(with_all_categories(first, second, name))


def _join_slice_datasets(first: Any, second: Any, _: str) -> Any:
    alike = type(first) is type(second) and first.idx == second.idx
    if alike and first.dataset is second.dataset:
        indices = np.concatenate([first.indices_, second.indices_])
        return type(first)(first.dataset, idx=first.idx, indices=indices)
    return joined(first, second, PickedRows)


def _join_by(function: str) -> Callable[[Any, Any, str], Any]:
    """Join by a function of the package that made the rows; it is imported already."""
    package, name = function.split(".")
    return lambda first, second, _: getattr(sys.modules[package], name)([first, second])


def _take_lazily(build: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda X, rows: picked(X, rows, build)


def _join_lazily(build: Callable[[Any], Any]) -> Callable[[Any, Any, str], Any]:
    return lambda first, second, _: joined(first, second, build)


_KINDS = (
    Kind(
        "a list",
        lambda X: isinstance(X, RowList),
        _from_list,
        lambda first, second, _: RowList([*first, *second]),
    ),
    Kind(
        "a NumPy array",
        lambda X: isinstance(X, np.ndarray) and X.ndim >= 1,
        lambda X, rows: X[rows],
        lambda first, second, _: np.concatenate([first, second]),
    ),
    Kind(
        "a torch tensor",
        lambda X: isinstance(X, torch.Tensor) and X.ndim >= 1,
        _from_tensor,
        lambda a, b, _: torch.cat([a.detach(), b.detach().to(a.device)]),
    ),
    Kind(
        "a DataFrame",
        lambda X: isinstance(X, pd.DataFrame),
        lambda X, rows: X.iloc[rows],
        _join_frames,
    ),
    Kind(
        "a Series",
        lambda X: isinstance(X, pd.Series),
        lambda X, rows: X.iloc[rows],
        _join_frames,
    ),
    Kind(
        "a sparse matrix",
        sparse.issparse,
        lambda X, rows: X.tocsr()[rows],
        lambda first, second, _: sparse.vstack([first, second], format="csr"),
    ),
    Kind(
        "a torch Dataset",
        lambda X: isinstance(X, Dataset),
        _take_lazily(as_torch),
        _join_lazily(as_torch),
        is_lazy=True,
    ),
    Kind(
        "a datasets.Dataset",
        is_hub_dataset,
        _from_hub,
        _join_by("datasets.concatenate_datasets"),
        is_lazy=True,
    ),
    Kind(
        "a polars DataFrame",
        lambda X: made_by(X, "polars") and hasattr(X, "vstack"),
        _from_polars,
        lambda first, second, _: first.vstack(second),
    ),
    Kind(
        "a pyarrow Table",
        lambda X: made_by(X, "pyarrow") and hasattr(X, "column_names"),
        _from_arrow,
        _join_by("pyarrow.concat_tables"),
    ),
    Kind(
        "a SliceDataset",
        _is_slice_dataset,
        lambda X, rows: X[rows],
        _join_slice_datasets,
        is_lazy=True,
    ),
    # What follows is read into memory as soon as some of its rows are taken.
    Kind(
        "a NumPy array",
        _is_array_like,
        _from_array_like,
        _join_array_likes,
        in_memory=False,
    ),
    Kind(
        "a list",
        _is_sequence,
        _from_sequence,
        lambda first, second, _: RowList([*first, *second]),
        in_memory=False,
    ),
    Kind(
        "a map-style data set",
        _is_map_style,
        _take_lazily(PickedRows),
        _join_lazily(PickedRows),
        is_lazy=True,
    ),
)

"""Rows of whatever a net takes: counted, taken and joined in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from torch.utils.data import Dataset, IterableDataset

from skbadge.exceptions import InvalidInputError
from skbadge.utils._kinds import Kind, RowList, is_table, kind_of, numbers_of

__all__ = [
    "RowList",
    "as_rows",
    "check_structure",
    "column_names",
    "in_memory",
    "is_dataset",
    "is_lazy",
    "join",
    "n_rows",
    "several_inputs",
    "stacking_hint",
    "take",
]

_KINDS = (
    "a NumPy array, torch tensor, pandas or polars DataFrame or Series, pyarrow Table, "
    "SciPy sparse matrix, what can be indexed like an array, a list of rows, a dict, "
    "list or tuple of these, or a data set with a length and rows to index"
)


def is_dataset(X: Any) -> bool:
    """Say whether ``X`` is a torch ``Dataset``: items are pairs of row and label."""
    return isinstance(X, Dataset)


def is_lazy(X: Any) -> bool:
    """Say whether the rows of ``X`` are read one by one, when they are asked for."""
    if several_inputs(X):
        return False
    kind = kind_of(X)
    return kind is not None and kind.is_lazy


def in_memory(X: Any) -> bool:
    """Say whether looking at all of ``X`` costs no reading from a disk."""
    if several_inputs(X):
        return all(map(in_memory, _parts(X)))
    kind = _known_kind(X)
    return kind.in_memory and not kind.is_lazy


def several_inputs(X: Any) -> bool:
    """Say whether ``X`` holds several inputs, each with all rows, not rows.

    This is the one answer to what a dict, a list or a tuple means. A dict holds inputs
    by name. A tuple of arrays (or of dicts of them) holds inputs. A list of arrays
    does, as in skorch, where all have the same number of rows; then they could be rows
    too, and `as_rows` may say that they are. Everything else is a list of rows: one
    array of one dimension each, numbers, texts, records, images of several sizes.
    """
    if isinstance(X, Mapping):
        return True
    if not isinstance(X, (list, tuple)) or isinstance(X, RowList) or not len(X):
        return False
    vectors = all(isinstance(part, np.ndarray) and part.ndim == 1 for part in X)
    if vectors or not all(map(is_table, X)):
        return False
    return isinstance(X, tuple) or len({n_rows(part) for part in X}) == 1


def as_rows(X: Any, *, lists_hold_rows: bool = False) -> Any:
    """Return ``X`` in a form whose rows can be taken.

    Lists of numbers, or of rows of numbers, become arrays; other lists of rows become
    a list that is known as such. Sparse matrices are compressed by rows.

    Parameters
    ----------
    X : rows of any kind
        As a user gave them.
    lists_hold_rows : bool, default=False
        Whether a list of arrays holds rows, as scikit-learn's transformers read it,
        and not several inputs, as skorch's nets do.

    Raises
    ------
    InvalidInputError
        If ``X`` is of no known kind, a scalar array included.
    """
    if hasattr(X, "__array__") and not hasattr(X, "shape"):
        X = np.asarray(X)
    if isinstance(X, RowList):
        return X
    is_rows = isinstance(X, list) and lists_hold_rows
    if isinstance(X, (list, tuple)) and (is_rows or not several_inputs(X)):
        numbers = numbers_of(X)
        X = RowList(X) if numbers is None else numbers
    if sparse.issparse(X):
        X = X.tocsr()
    if isinstance(X, Mapping):
        if not X:
            raise InvalidInputError(
                "X must hold at least one array. Got an empty dict."
            )
        if any(isinstance(part, list) for part in X.values()):
            X = {key: as_rows(part) for key, part in X.items()}
    n_rows(X)
    return X


def n_rows(X: Any) -> int:
    """Count the rows of ``X``.

    Raises
    ------
    InvalidInputError
        If ``X`` is of no known kind or its parts differ in length.
    """
    if several_inputs(X):
        counts = {n_rows(part) for part in _parts(X)}
        if len(counts) != 1:
            raise InvalidInputError(
                "All parts of X must have the same number of rows. Got "
                f"{sorted(counts)} instead.{stacking_hint(X)}"
            )
        return counts.pop()
    if isinstance(X, IterableDataset):
        raise InvalidInputError(
            "A torch Dataset must have a length and rows to index. Got "
            f"{type(X).__name__}, an IterableDataset, instead: make a map-style one."
        )
    if isinstance(X, (list, tuple)):
        return len(X)
    _known_kind(X)
    return int(X.shape[0]) if is_table(X) else len(X)


def _known_kind(X: Any) -> Kind:
    kind = kind_of(X)
    if kind is None:
        raise InvalidInputError(f"X must be {_KINDS}. Got {type(X).__name__} instead.")
    return kind


def stacking_hint(X: Any) -> str:
    """Return what to say of a list whose arrays may have been meant as rows."""
    if isinstance(X, Mapping) or not several_inputs(X):
        return ""
    return (
        f" A {type(X).__name__} of arrays is read as several inputs: stack rows with "
        "numpy.stack."
    )


def take(X: Any, indices: Any) -> Any:
    """Take rows as :func:`skbadge.take` does, of what this process can read."""
    X = as_rows(X)
    count = n_rows(X)
    if isinstance(indices, slice):
        return _take(X, indices)
    indices = np.asarray(indices)
    if indices.size == 0:
        indices = indices.astype(np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise InvalidInputError(
            "indices must be a 1-D array of int positions. Got "
            f"dtype {indices.dtype} with shape {indices.shape} instead."
        )
    if indices.size and (indices.min() < -count or indices.max() >= count):
        raise InvalidInputError(
            f"indices must be positions in [0, {count}). Got values between "
            f"{indices.min()} and {indices.max()} instead.{stacking_hint(X)}"
        )
    indices = indices.astype(np.intp)
    return _take(X, indices % count if count else indices)


def _take(X: Any, rows: Any) -> Any:
    if isinstance(X, Mapping):
        return {key: _take(part, rows) for key, part in X.items()}
    if several_inputs(X):
        return _rebuilt(X, (_take(part, rows) for part in X))
    return _known_kind(X).take(X, rows)


def _rebuilt(X: Any, parts: Iterable[Any]) -> Any:
    return tuple(parts) if isinstance(X, tuple) else list(parts)


def check_structure(
    first: Any, second: Any, name: str = "X", *, same_shape: bool = True
) -> None:
    """Refuse rows with other keys, parts, columns or row shapes than ``first``.

    What differs in kind, such as an array and a tensor, is compared by its shape.

    Parameters
    ----------
    first, second : rows of any kind
        The rows of `fit`, and those that came now.
    name : str, default="X"
        What messages call ``second``.
    same_shape : bool, default=True
        Whether rows of more than one dimension must have the same shape, as rows that
        are to be joined must; otherwise only the same number of dimensions, since a
        module may read sequences of any length and images of any size.

    Raises
    ------
    InvalidInputError
        If they differ.
    """
    how = {"same_shape": same_shape}
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if set(first) != set(second):
            raise InvalidInputError(
                f"{name} must have the keys {list(first)}, as in fit. Got "
                f"{list(second)} instead."
            )
        for key, part in first.items():
            check_structure(part, second[key], f"{name}[{key!r}]", **how)
    elif several_inputs(first) and several_inputs(second):
        if len(first) != len(second):
            raise InvalidInputError(
                f"{name} must have {len(first)} parts, as in fit. Got {len(second)} "
                f"instead.{stacking_hint(second)}"
            )
        for i, (part, other) in enumerate(zip(first, second, strict=True)):
            check_structure(part, other, f"{name}[{i}]", **how)
    elif is_table(first) and is_table(second):
        _check_columns(first, second, name, same_shape)


def _check_columns(first: Any, second: Any, name: str, same_shape: bool) -> None:
    known, found = column_names(first), column_names(second)
    if known is not None and found is not None and known != found:
        raise InvalidInputError(
            f"{name} must have the columns {known}, as in fit. Got {found} instead."
        )
    expected, got = tuple(first.shape[1:]), tuple(second.shape[1:])
    if not same_shape and len(expected) == len(got) > 1:
        return
    if expected != got:
        row = ", ".join(["n", *map(str, expected)]) if expected else "n,"
        hint = ""
        if len(expected) == len(got) > 1:
            hint = (
                " They are kept together, in one array: bring them to one size, or "
                "give rows of several sizes as a list to a data set of your own "
                "(dataset=... of the net), with a collate_fn that pads them."
            )
        raise InvalidInputError(
            f"{name} must have the shape ({row}), as in fit. Got "
            f"{tuple(second.shape)} instead.{hint}"
        )


def column_names(X: Any) -> list[Any] | None:
    """Return the names of a table's columns in their order, or None."""
    for name in ("column_names", "columns"):
        names = getattr(X, name, None)
        if names is not None:
            return list(names)
    return None


def join(first: Any, second: Any, name: str = "X", *, same_values: bool = True) -> Any:
    """Put the rows of ``second`` below those of ``first``.

    Parameters
    ----------
    first, second : rows of any kind
        The labelled rows, and new ones.
    name : str, default="X"
        What messages call the new ones.
    same_values : bool, default=True
        Whether columns of pandas must hold values of the same family. A column of
        texts of which none is there looks like one of numbers.

    Returns
    -------
    rows : same kind as ``first``
        Categorical columns hold the categories of both. A list of rows that all hold
        as many numbers is an array; beside rows of other lengths it is a list again.

    Raises
    ------
    InvalidInputError
        If the two differ in kind, keys, columns, the shape of a row, the values of a
        column, or in ordered categories.
    """
    first, second = _alike(_read(first), _read(second))
    if _kind(first) != _kind(second):
        raise InvalidInputError(
            f"{name} must be of the same kind as the labelled rows, {_kind(first)}. "
            f"Got {_kind(second)} instead: convert it first."
        )
    check_structure(first, second, name)
    if isinstance(first, Mapping):
        return {
            k: join(v, second[k], f"{name}[{k!r}]", same_values=same_values)
            for k, v in first.items()
        }
    if several_inputs(first):
        parts = enumerate(zip(first, second, strict=True))
        return _rebuilt(
            first,
            (
                join(a, b, f"{name}[{i}]", same_values=same_values)
                for i, (a, b) in parts
            ),
        )
    known, new = _values(first), _values(second)
    is_compared = same_values or not isinstance(first, (pd.DataFrame, pd.Series))
    if is_compared and known and new and known != new:
        raise InvalidInputError(
            f"{name} must hold {known}, as the labelled rows do. Got {new} instead: "
            "convert them first."
        )
    return _known_kind(first).join(first, second, name)


def _read(X: Any) -> Any:
    """Return rows that are only indexed like an array as an array."""
    held = several_inputs(X) or is_lazy(X) or in_memory(X)
    return X if held else _take(X, slice(None))


def _alike(first: Any, second: Any) -> tuple[Any, Any]:
    """Make one kind of a list of rows and an array that was such a list."""
    lists = [isinstance(X, RowList) for X in (first, second)]
    if lists == [True, False] and isinstance(second, np.ndarray):
        return first, _as_list(second, first)
    if lists == [False, True] and isinstance(first, np.ndarray):
        if first.dtype.kind in "fiub":
            return _as_list(first, second), second
        return first, _as_objects(second, first.ndim)
    return first, second


def _as_list(array: Any, rows: Any) -> RowList:
    """Return the rows of an array as those of a list are, arrays or lists."""
    of_arrays = any(isinstance(row, np.ndarray) for row in rows)
    return RowList(array if of_arrays else array.tolist())


def _as_objects(rows: Any, ndim: int) -> Any:
    if ndim == 1:
        array = np.empty(len(rows), dtype=object)
        array[:] = rows
        return array
    found = np.array(rows, dtype=object)
    return found if found.ndim == ndim else rows


def _values(X: Any) -> str | None:
    """Say which kind of values each column (or the whole array) holds, if any."""
    if isinstance(X, pd.DataFrame):
        return ", ".join(f"{_family(t)} in {name!r}" for name, t in X.dtypes.items())
    if isinstance(X, RowList):
        return _of_a_row(X)
    # torch and sparse tables hold numbers only.
    return _family(X.dtype) if isinstance(X, (np.ndarray, pd.Series)) else "numbers"


def _of_a_row(rows: Any) -> str | None:
    """Say what the rows of a list are, by the first that is not missing."""
    row = next((row for row in rows if not _is_missing(row)), None)
    if row is None:
        return None
    if isinstance(row, str):
        return "texts"
    if isinstance(row, Mapping):
        return "records"
    return "rows of numbers or objects"


def _is_missing(row: Any) -> bool:
    return row is None or (isinstance(row, float) and row != row)


def _family(dtype: Any) -> str:
    if isinstance(dtype, pd.CategoricalDtype):
        return "categories"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numbers"
    return "times" if pd.api.types.is_datetime64_any_dtype(dtype) else "text or objects"


def _parts(X: Any) -> Any:
    return X.values() if isinstance(X, Mapping) else X


def _kind(X: Any) -> str:
    if isinstance(X, Mapping):
        return "a dict"
    if several_inputs(X):
        return f"a {type(X).__name__}"
    return _known_kind(X).name

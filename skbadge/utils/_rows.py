"""Rows of whatever a net takes: counted, taken and joined in one place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset

from skbadge.exceptions import InvalidInputError

__all__ = [
    "as_rows",
    "check_structure",
    "is_dataset",
    "join",
    "n_rows",
    "stacking_hint",
    "take",
]

_KINDS = (
    "a NumPy array, torch tensor, pandas DataFrame or Series, SciPy sparse matrix, "
    "a dict, list or tuple of these, or a torch Dataset"
)


def is_dataset(X):
    """Say whether ``X`` is a torch ``Dataset`` (its rows are then read one by one)."""
    return isinstance(X, Dataset)


def as_rows(X):
    """Return ``X`` in a form whose rows can be taken.

    Nested lists become arrays, sparse matrices such that are compressed by rows.

    Raises
    ------
    InvalidInputError
        If ``X`` is of no known kind, a scalar array included.
    """
    if isinstance(X, (list, tuple)) and not _is_sequence_of_arrays(X):
        try:
            X = np.asarray(X)
        except ValueError as error:
            raise InvalidInputError(
                "The rows of a list X must have the same length each. Pad them, or "
                "give a torch Dataset and a collate_fn (iterator_valid__collate_fn)."
            ) from error
    if sparse.issparse(X):
        X = X.tocsr()
    if isinstance(X, Mapping) and not X:
        raise InvalidInputError("X must hold at least one array. Got an empty dict.")
    n_rows(X)
    return X


def n_rows(X):
    """Count the rows of ``X``.

    Raises
    ------
    InvalidInputError
        If ``X`` is of no known kind or its parts differ in length.
    """
    if isinstance(X, Mapping) or _is_sequence_of_arrays(X):
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
    if is_dataset(X):
        return len(X)
    if getattr(X, "ndim", 0) >= 1 and hasattr(X, "shape"):
        return int(X.shape[0])
    raise InvalidInputError(f"X must be {_KINDS}. Got {type(X).__name__} instead.")


def stacking_hint(X):
    """Return what to say of a list whose arrays may have been meant as rows."""
    if not _is_sequence_of_arrays(X):
        return ""
    return (
        f" A {type(X).__name__} of arrays is read as several inputs: stack rows with "
        "numpy.stack."
    )


def take(X, indices):
    """Take rows of anything a learner takes as ``X``.

    Parameters
    ----------
    X : ndarray, Tensor, DataFrame, Series, sparse matrix, Dataset, or dict of these
        The rows, for example a pool. Lists and tuples of arrays work as dicts do.
    indices : array-like of int of shape (n,), or slice
        Positions of the rows, for example the answer of
        :meth:`~skbadge.ActiveLearner.query`.

    Returns
    -------
    rows : same kind as X
        A torch ``Dataset`` gives a ``torch.utils.data.Subset``.

    Raises
    ------
    InvalidInputError
        If ``X`` is of no known kind or a position is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from skbadge import take
    >>> take({"image": np.eye(3), "age": np.array([20, 30, 40])}, [2, 0])["age"]
    array([40, 20])
    """
    X = as_rows(X)
    count = n_rows(X)
    if isinstance(indices, slice):
        return _take(X, indices, count)
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
            f"{indices.min()} and {indices.max()} instead."
        )
    return _take(X, indices.astype(np.intp), count)


def _take(X, rows, count):
    if isinstance(X, Mapping):
        return {key: _take(part, rows, count) for key, part in X.items()}
    if _is_sequence_of_arrays(X):
        return _rebuilt(X, (_take(part, rows, count) for part in X))
    if is_dataset(X):
        every = isinstance(rows, slice)
        return Subset(X, range(count)[rows] if every else (rows % count).tolist())
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.iloc[rows]
    if sparse.issparse(X):
        return X.tocsr()[rows]
    if isinstance(X, torch.Tensor) and not isinstance(rows, slice):
        return X[torch.from_numpy(rows).to(X.device)]
    return X[rows]


def _rebuilt(X, parts):
    return tuple(parts) if isinstance(X, tuple) else list(parts)


def check_structure(first, second, name="X"):
    """Refuse rows with other keys, parts, columns or row shapes than ``first``.

    What differs in kind, such as an array and a tensor, is compared by its shape.

    Parameters
    ----------
    first, second : rows of any kind
        The rows of `fit`, and those that came now.
    name : str, default="X"
        What messages call ``second``.

    Raises
    ------
    InvalidInputError
        If they differ.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if set(first) != set(second):
            raise InvalidInputError(
                f"{name} must have the keys {list(first)}, as in fit. Got "
                f"{list(second)} instead."
            )
        for key, part in first.items():
            check_structure(part, second[key], f"{name}[{key!r}]")
    elif _is_sequence_of_arrays(first) and _is_sequence_of_arrays(second):
        if len(first) != len(second):
            raise InvalidInputError(
                f"{name} must have {len(first)} parts, as in fit. Got {len(second)} "
                f"instead.{stacking_hint(second)}"
            )
        for i, (part, other) in enumerate(zip(first, second, strict=True)):
            check_structure(part, other, f"{name}[{i}]")
    elif hasattr(first, "shape") and hasattr(second, "shape"):
        _check_columns(first, second, name)


def _check_columns(first, second, name):
    frames = isinstance(first, pd.DataFrame) and isinstance(second, pd.DataFrame)
    if frames and list(first.columns) != list(second.columns):
        raise InvalidInputError(
            f"{name} must have the columns {list(first.columns)}, as in fit. Got "
            f"{list(second.columns)} instead."
        )
    expected = tuple(first.shape[1:])
    if expected != tuple(second.shape[1:]):
        row = ", ".join(["n", *map(str, expected)]) if expected else "n,"
        raise InvalidInputError(
            f"{name} must have the shape ({row}), as in fit. Got "
            f"{tuple(second.shape)} instead."
        )


def join(first, second, name="X"):
    """Put the rows of ``second`` below those of ``first``.

    Parameters
    ----------
    first, second : rows of any kind
        The labelled rows, and new ones.
    name : str, default="X"
        What messages call the new ones.

    Returns
    -------
    rows : same kind as ``first``
        Categorical columns hold the categories of both.

    Raises
    ------
    InvalidInputError
        If the two differ in kind, keys, columns, the shape of a row, the values of a
        column, or in ordered categories.
    """
    if _kind(first) != _kind(second):
        raise InvalidInputError(
            f"{name} must be of the same kind as the labelled rows, {_kind(first)}. "
            f"Got {_kind(second)} instead: convert it first."
        )
    check_structure(first, second, name)
    if isinstance(first, Mapping):
        return {k: join(v, second[k], f"{name}[{k!r}]") for k, v in first.items()}
    if _is_sequence_of_arrays(first):
        parts = enumerate(zip(first, second, strict=True))
        return _rebuilt(first, (join(a, b, f"{name}[{i}]") for i, (a, b) in parts))
    if is_dataset(first):
        # Flat, so that a thousand rounds do not nest a thousand deep.
        return ConcatDataset([*_flat(first), *_flat(second)])
    if _values(first) != _values(second):
        raise InvalidInputError(
            f"{name} must hold {_values(first)}, as the labelled rows do. Got "
            f"{_values(second)} instead: convert them first."
        )
    if isinstance(first, (pd.DataFrame, pd.Series)):
        return pd.concat(_with_all_categories(first, second, name))
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    if isinstance(first, torch.Tensor):
        return torch.cat([first.detach(), second.detach().to(first.device)])
    return np.concatenate([first, second])


def _flat(dataset):
    return dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]


def _with_all_categories(first, second, name):
    """Give both tables the categories of both; pandas would turn them into text."""
    if isinstance(first, pd.DataFrame):
        dtypes = zip(first.dtypes.items(), second.dtypes, strict=True)
        shared = {
            column: _all_categories(known, new, f"{name}[{column!r}]")
            for (column, known), new in dtypes
            if _differ(known, new)
        }
    elif _differ(first.dtype, second.dtype):
        shared = _all_categories(first.dtype, second.dtype, name)
    else:
        return first, second
    return first.astype(shared), second.astype(shared)


def _differ(known, new):
    return isinstance(known, pd.CategoricalDtype) and known != new


def _all_categories(known, new, where):
    if known.ordered or new.ordered:
        raise InvalidInputError(
            f"{where} must hold the {_described(known)}, as the labelled rows do. Got "
            f"{_described(new)} instead: only you know the order of all of them, so "
            "give every row the same categories (Series.cat.set_categories)."
        )
    return pd.CategoricalDtype(known.categories.append(new.categories).unique())


def _described(dtype):
    order = "ordered" if dtype.ordered else "unordered"
    return f"{order} categories {dtype.categories.tolist()}"


def _values(X):
    """Say which kind of values each column (or the whole array) holds."""
    if isinstance(X, pd.DataFrame):
        return ", ".join(f"{_family(t)} in {name!r}" for name, t in X.dtypes.items())
    # torch and sparse tables hold numbers only.
    return _family(X.dtype) if isinstance(X, (np.ndarray, pd.Series)) else "numbers"


def _family(dtype):
    if isinstance(dtype, pd.CategoricalDtype):
        return "categories"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numbers"
    return "times" if pd.api.types.is_datetime64_any_dtype(dtype) else "text or objects"


def _is_sequence_of_arrays(X):
    return (
        isinstance(X, (list, tuple))
        and len(X) > 0
        and all(
            (hasattr(part, "shape") and getattr(part, "ndim", 0) >= 1)
            or isinstance(part, Mapping)
            for part in X
        )
        and any(not isinstance(part, np.ndarray) or part.ndim > 1 for part in X)
    )


def _parts(X):
    return X.values() if isinstance(X, Mapping) else X


def _kind(X):
    if isinstance(X, Mapping):
        return "a dict"
    if isinstance(X, (list, tuple)):
        return f"a {type(X).__name__}"
    if is_dataset(X):
        return "a torch Dataset"
    for kind, name in (
        (pd.DataFrame, "a DataFrame"),
        (pd.Series, "a Series"),
        (torch.Tensor, "a torch tensor"),
    ):
        if isinstance(X, kind):
            return name
    return "a sparse matrix" if sparse.issparse(X) else "a NumPy array"

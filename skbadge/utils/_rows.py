"""Rows of whatever a net takes: counted, taken and joined in one place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset

from skbadge.exceptions import InvalidInputError

__all__ = ["as_rows", "is_dataset", "join", "n_rows", "take"]

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
                f"{sorted(counts)} instead."
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


def join(first, second):
    """Put the rows of ``second`` below those of ``first``.

    Raises
    ------
    InvalidInputError
        If the two differ in kind, keys, columns or the shape of a row.
    """
    if _kind(first) != _kind(second):
        raise InvalidInputError(
            "New rows must be of the same kind as the labelled rows, "
            f"{_kind(first)}. Got {_kind(second)} instead: convert them first."
        )
    if isinstance(first, Mapping):
        if set(first) != set(second):
            raise InvalidInputError(
                f"New rows must have the keys {sorted(first)}. Got {sorted(second)} "
                "instead."
            )
        return {key: join(part, second[key]) for key, part in first.items()}
    if _is_sequence_of_arrays(first):
        if len(first) != len(second):
            raise InvalidInputError(
                f"New rows must have {len(first)} parts. Got {len(second)} instead."
            )
        pairs = zip(first, second, strict=True)
        return _rebuilt(first, (join(a, b) for a, b in pairs))
    if is_dataset(first):
        # Flat, so that a thousand rounds do not nest a thousand deep.
        return ConcatDataset([*_flat(first), *_flat(second)])
    _check_same_shape(first, second)
    if isinstance(first, (pd.DataFrame, pd.Series)):
        return pd.concat([first, second])
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    if isinstance(first, torch.Tensor):
        return torch.cat([first.detach(), second.detach().to(first.device)])
    return np.concatenate([first, second])


def _flat(dataset):
    return dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]


def _check_same_shape(first, second):
    if isinstance(first, pd.DataFrame) and list(first.columns) != list(second.columns):
        raise InvalidInputError(
            f"New rows must have the columns {list(first.columns)}. Got "
            f"{list(second.columns)} instead."
        )
    if tuple(first.shape[1:]) != tuple(second.shape[1:]):
        raise InvalidInputError(
            f"New rows must have the shape (n, {', '.join(map(str, first.shape[1:]))}) "
            f"of the labelled rows. Got {tuple(second.shape)} instead."
        )
    if _values(first) != _values(second):
        raise InvalidInputError(
            f"New rows must hold {_values(first)}, as the labelled rows do. Got "
            f"{_values(second)} instead: convert them first."
        )


def _values(X):
    """Say which kind of values each column (or the whole array) holds."""
    if isinstance(X, pd.DataFrame):
        return ", ".join(f"{_family(t)} in {name!r}" for name, t in X.dtypes.items())
    # torch and sparse tables hold numbers only.
    return _family(X.dtype) if isinstance(X, (np.ndarray, pd.Series)) else "numbers"


def _family(dtype):
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

"""The data set that stands in for skorch's default one in a fitted clone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from skorch.dataset import Dataset
from torch.utils.data import Dataset as TorchDataset

from skbadge.exceptions import InvalidInputError
from skbadge.utils._rows import take

__all__ = ["ModuleDataset", "RelabeledDataset"]


class ModuleDataset(Dataset):
    """Rows in the form a module takes: numbers in its dtype, frames as one array.

    scikit-learn users hold float64 arrays, tables of integers and DataFrames; a torch
    module holds float32 weights and refuses them. Rows are converted when they are
    read, so that a memory-mapped ``X`` is never copied whole.

    Parameters
    ----------
    X : array, Tensor, DataFrame, sparse matrix, or dict, list or tuple of these
        The input of the module.
    y : ndarray or None, default=None
        Encoded labels. Where they are given, ``X`` is about to be trained on, and NaN
        or infinity in it is refused.
    length : int or None, default=None
        As in skorch.
    dtype : torch.dtype, default=torch.float32
        Floating type of the module.
    takes_integers : bool, default=False
        Whether integers and booleans stay what they are; otherwise they become floats.
    """

    def __init__(
        self, X, y=None, length=None, *, dtype=torch.float32, takes_integers=False
    ):
        X = _without_frames(X)
        if y is not None:
            _check_finite(X)
        super().__init__(X, y, length)
        self.dtype = dtype
        self.takes_integers = takes_integers

    def transform(self, X, y):
        """Convert one row."""
        y = torch.zeros(1) if y is None else y
        return self._convert(X, _row_of_sparse), y

    def batch(self, rows):
        """Return rows ``rows`` (a slice) at once, as copies a module may write to."""
        return self._convert(take(self.X, rows), _rows_of_sparse, copy=True)

    def as_tensors(self):
        """Return ``(X, y)`` whole, for iterators that hold their data in memory."""
        y = torch.zeros(len(self)) if self.y is None else torch.as_tensor(self.y)
        return self._convert(self.X, _rows_of_sparse), y

    def _convert(self, X, densify, copy=False):
        if isinstance(X, Mapping):
            return {key: self._convert(X[key], densify, copy) for key in X}
        if isinstance(X, (list, tuple)):
            return [self._convert(part, densify, copy) for part in X]
        if sparse.issparse(X):
            X = densify(X)
        if not isinstance(X, torch.Tensor):
            X = _array_to_tensor(np.asarray(X))
        floating = X.is_floating_point() or not self.takes_integers
        return X.detach().to(self.dtype if floating else X.dtype, copy=copy)


class RelabeledDataset(TorchDataset):
    """A user's data set whose labels are replaced by the ones a learner was taught.

    Parameters
    ----------
    dataset : torch Dataset
        Yields ``(X_i, y_i)`` pairs; ``y_i`` is ignored.
    y : ndarray of shape (n,)
        Encoded labels.
    """

    def __init__(self, dataset, y):
        self.dataset = dataset
        self.y = y

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index][0], self.y[index]


def _row_of_sparse(row):
    return row.toarray().reshape(-1)


def _rows_of_sparse(rows):
    return rows.toarray()


def _array_to_tensor(array):
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(
            f"The net takes numbers. Got an array of dtype {array.dtype} instead: "
            "encode it in a pipeline step before the net."
        )
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "f" and dtype.itemsize > 8:
        dtype = np.dtype(np.float64)
    elif dtype.kind == "u" and dtype.itemsize > 1:
        dtype = np.dtype(np.int64)
    array = array.astype(dtype, copy=False)
    # torch warns of memory it may not write to, and knows no negative strides.
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


def _without_frames(X):
    """Return ``X`` with arrays in the place of DataFrames and Series."""
    if isinstance(X, Mapping):
        return {key: _without_frames(X[key]) for key in X}
    if isinstance(X, (list, tuple)):
        return [_without_frames(part) for part in X]
    if isinstance(X, pd.Series):
        return _frame_to_array(X.to_frame())[:, 0]
    return _frame_to_array(X) if isinstance(X, pd.DataFrame) else X


def _frame_to_array(frame):
    strange = [
        str(name)
        for name, dtype in frame.dtypes.items()
        if not pd.api.types.is_numeric_dtype(dtype)
        or pd.api.types.is_complex_dtype(dtype)
    ]
    if strange:
        raise InvalidInputError(
            "The net takes numbers. Got a DataFrame with the non-numeric columns "
            f"{strange} instead: encode them in a pipeline step before the net."
        )
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.to_numpy()
    # pandas' own types mark missing entries by NA, which no array of numbers can hold.
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _check_finite(X):
    if isinstance(X, (Mapping, list, tuple)):
        for part in X.values() if isinstance(X, Mapping) else X:
            _check_finite(part)
        return
    values = X.data if sparse.issparse(X) else X
    if isinstance(values, torch.Tensor):
        bad = ~torch.isfinite(values.detach()).cpu().numpy()
    else:
        values = np.asarray(values)
        bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(1, bool)
    if not bad.any():
        return
    row = int(np.argwhere(bad)[0][0])
    where = "" if sparse.issparse(X) else f" in labelled row {row}"
    raise InvalidInputError(
        f"NaN or infinity reached the net{where} during training. Impute or "
        "remove such values before the net, for example in a pipeline step."
    )

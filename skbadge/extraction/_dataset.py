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
    """Rows in the form a module takes: floats in its dtype, frames as one array.

    scikit-learn users hold float64 arrays and DataFrames; a torch module holds float32
    weights and refuses both. Rows are converted when they are read, so that a
    memory-mapped ``X`` is never copied whole; integers (token ids, images of bytes)
    stay integers.

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
    """

    def __init__(self, X, y=None, length=None, *, dtype=torch.float32):
        if isinstance(X, pd.DataFrame):
            X = _frame_to_array(X)
        if y is not None:
            _check_finite(X)
        super().__init__(X, y, length)
        self.dtype = dtype

    def transform(self, X, y):
        """Convert one row (or, read by slices, one batch of rows)."""
        y = torch.zeros(1) if y is None else y
        return _convert(X, self.dtype), y

    def batch(self, rows):
        """Return rows ``rows`` (a slice) at once, as `transform` would give them."""
        return _convert(take(self.X, rows), self.dtype, keep_rows=True)

    def as_tensors(self):
        """Return ``(X, y)`` whole, for iterators that hold their data in memory."""
        y = torch.zeros(len(self)) if self.y is None else torch.as_tensor(self.y)
        return self.batch(slice(None)), y


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


def _convert(X, dtype, keep_rows=False):
    if isinstance(X, Mapping):
        return {key: _convert(part, dtype, keep_rows) for key, part in X.items()}
    if isinstance(X, (list, tuple)):
        return [_convert(part, dtype, keep_rows) for part in X]
    if isinstance(X, (pd.DataFrame, pd.Series)):
        X = X.to_numpy()
    if sparse.issparse(X):
        X = X.toarray() if keep_rows else X.toarray().squeeze(0)
    if not isinstance(X, torch.Tensor):
        X = np.asarray(X)
        if X.dtype.kind == "f":
            if X.dtype.itemsize > 8:
                X = X.astype(np.float64)
        elif X.dtype.kind not in "iub":
            raise InvalidInputError(
                f"The net takes numbers. Got an array of dtype {X.dtype} instead: "
                "encode it in a pipeline step before the net."
            )
        if X.dtype in (np.uint16, np.uint32, np.uint64):
            X = X.astype(np.int64)
        if not X.dtype.isnative:
            X = X.astype(X.dtype.newbyteorder("="))
        # torch warns of memory it may not write to, and knows no negative strides.
        if not X.flags.writeable or any(stride < 0 for stride in X.strides):
            X = X.copy()
        X = torch.from_numpy(X) if X.ndim else torch.tensor(X.item())
    return X.to(dtype) if X.is_floating_point() else X


def _frame_to_array(frame):
    try:
        return frame.to_numpy(
            dtype=np.result_type(*(_numpy_dtype(t) for t in frame.dtypes))
        )
    except (TypeError, ValueError) as error:
        columns = [
            str(name)
            for name, dtype in frame.dtypes.items()
            if not pd.api.types.is_numeric_dtype(dtype)
        ]
        raise InvalidInputError(
            "The net takes numbers. Got a DataFrame with the non-numeric columns "
            f"{columns} instead: encode them in a pipeline step before the net."
        ) from error


def _numpy_dtype(dtype):
    if isinstance(dtype, np.dtype):
        return dtype
    if not pd.api.types.is_numeric_dtype(dtype):
        raise TypeError(f"not numeric: {dtype}")
    return np.dtype(np.float64)


def _check_finite(X):
    for part in X.values() if isinstance(X, Mapping) else [X]:
        if isinstance(part, (list, tuple)):
            for item in part:
                _check_finite(item)
            continue
        values = part.data if sparse.issparse(part) else part
        if isinstance(values, torch.Tensor):
            good = torch.isfinite(values) if values.is_floating_point() else None
            good = None if good is None else good.cpu().numpy()
        else:
            values = np.asarray(values)
            good = np.isfinite(values) if values.dtype.kind == "f" else None
        if good is None or good.all():
            continue
        row = int(np.argwhere(~good)[0][0])
        where = "" if sparse.issparse(part) else f" in labelled row {row}"
        raise InvalidInputError(
            f"NaN or infinity reached the net{where} during training. Impute or "
            "remove such values before the net, for example in a pipeline step."
        )

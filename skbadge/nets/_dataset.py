"""The data set that stands in for skorch's default one in a fitted clone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from skorch.dataset import Dataset
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import default_collate

from skbadge.exceptions import InvalidInputError, SparseInputError
from skbadge.nets._labels import without_labels
from skbadge.utils._kinds import made_by, numbers_of
from skbadge.utils._rows import (
    RowList,
    as_rows,
    in_memory,
    is_lazy,
    several_inputs,
    take,
)
from skbadge.utils._tree import leaves, mapped

__all__ = [
    "DatasetAround",
    "ModuleDataset",
    "RelabeledDataset",
    "as_numbers",
    "check_bare",
    "nonfinite_row",
]


class ModuleDataset(Dataset):
    """Rows in the form a module takes: numbers in its dtype, frames as one array.

    scikit-learn users hold float64 arrays, tables of integers and DataFrames; a torch
    module holds float32 weights and refuses them. Rows are converted when they are
    read, so that a memory-mapped ``X`` is never copied whole.

    Parameters
    ----------
    X : rows of any kind, but lists of other things than numbers
        The input of the module. Of a Hugging Face data set, each column is an input by
        name, but for the one with the labels.
    y : ndarray or None, default=None
        Encoded labels. Where they are given, ``X`` is about to be trained on, and NaN
        or infinity in it is refused.
    length : int or None, default=None
        As in skorch.
    dtype : torch.dtype, default=torch.float32
        Floating type of the module.
    takes_integers : bool, default=False
        Whether integers (as int64, which embedding layers take) and booleans stay what
        they are; otherwise they become floats. Bytes in three dimensions a row are a
        picture, and become floats in any case.
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray | None = None,
        length: int | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        takes_integers: bool = False,
    ) -> None:
        X = as_rows(X)
        self._is_lazy = is_lazy(X)
        if not self._is_lazy and not several_inputs(X) and not in_memory(X):
            # Labelled rows are few, and not all that has rows has each by itself.
            X = take(X, slice(None))
        X = without_labels(X) if self._is_lazy else as_numbers(X)
        row = None if y is None or self._is_lazy else nonfinite_row(X)
        if row is not None:
            raise InvalidInputError(
                f"NaN or infinity reached the net in labelled row {row} during "
                "training. Impute or remove such values before the net, for example "
                "in a pipeline step."
            )
        super().__init__(X, y, length)
        self.dtype = dtype
        self.takes_integers = takes_integers

    def transform(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Convert one row."""
        y = torch.zeros(1) if y is None else y
        X = _read_row(X) if self._is_lazy else X
        return self._convert(X, _row_of_sparse, n_before=0), y

    def batch(self, rows: slice) -> Any:
        """Return rows ``rows`` (a slice) at once, as copies a module may write to."""
        X = self.X
        is_plain = isinstance(X, (np.ndarray, torch.Tensor))
        part = X[rows] if is_plain else take(X, rows)
        return self._convert(part, _rows_of_sparse, copy=True)

    def as_tensors(self) -> tuple[Any, torch.Tensor]:
        """Return ``(X, y)`` whole, for iterators that hold their data in memory."""
        y = torch.zeros(len(self)) if self.y is None else torch.as_tensor(self.y)
        if self._is_lazy:
            return default_collate([self[i][0] for i in range(len(self))]), y
        return self._convert(self.X, _rows_of_sparse), y

    def _convert(
        self,
        X: Any,
        densify: Callable[[Any], np.ndarray],
        copy: bool = False,
        n_before: int = 1,
    ) -> Any:
        convert = partial(
            self._as_tensor, densify=densify, copy=copy, n_before=n_before
        )
        return mapped(convert, X)

    def _as_tensor(
        self,
        X: Any,
        densify: Callable[[Any], np.ndarray],
        copy: bool,
        n_before: int,
    ) -> torch.Tensor:
        if sparse.issparse(X):
            X = densify(X)
        if not isinstance(X, torch.Tensor):
            X = _array_to_tensor(np.asarray(X))
        dtype = self.dtype
        # A module that looks up positions may read pictures all the same.
        picture = X.dtype == torch.uint8 and X.ndim - n_before == 3
        if self.takes_integers and not X.is_floating_point() and not picture:
            dtype = torch.bool if X.dtype == torch.bool else torch.int64
        return X.detach().to(dtype, copy=copy)


class DatasetAround(TorchDataset):
    """All of a data set, with something done to its items as they are read.

    Whatever else it has, a loader finds here too.

    Parameters
    ----------
    dataset : torch Dataset
        The user's own, which stays as it is.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        return self.changed(index, self.dataset[index])

    def __getattr__(self, name: str) -> Any:
        if name == "__getitems__":
            # By which loaders read a batch at once, where a data set can.
            return partial(self._read, self.dataset.__getitems__)
        if name.startswith("__") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def _read(self, items: Any, indices: Any) -> Any:
        found = zip(indices, items(indices), strict=True)
        return [self.changed(index, item) for index, item in found]

    def changed(self, index: Any, item: Any) -> Any:
        """Return what is handed on for an item."""
        return item


class RelabeledDataset(TorchDataset):
    """A user's data set whose labels are replaced by the ones a learner was taught.

    Parameters
    ----------
    dataset : torch Dataset
        Yields ``(X_i, y_i)`` pairs; ``y_i`` is ignored.
    y : ndarray of shape (n,)
        Encoded labels.
    """

    def __init__(self, dataset: Any, y: np.ndarray) -> None:
        self.dataset = dataset
        self.y = y

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.dataset[index][0], self.y[index]


def _read_row(row: Any) -> Any:
    """Return an item of a data set with arrays in the place of lists of numbers."""
    if isinstance(row, Mapping):
        return {key: _read_row(part) for key, part in row.items()}
    found = numbers_of(row) if isinstance(row, (list, tuple)) else None
    if found is not None:
        return found
    return [_read_row(part) for part in row] if isinstance(row, (list, tuple)) else row


def _row_of_sparse(row: Any) -> np.ndarray:
    return row.toarray().reshape(-1)


def _rows_of_sparse(rows: Any) -> np.ndarray:
    return rows.toarray()


def _array_to_tensor(array: np.ndarray) -> torch.Tensor:
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


def check_bare(X: Any) -> None:
    """Refuse rows that only a step before the net could make into numbers.

    Raises
    ------
    SparseInputError
        If they are sparse.
    InvalidInputError
        If they are a list of anything but rows of numbers of one shape.
    """
    if sparse.issparse(X):
        raise SparseInputError(
            "Sparse data was passed for X, but a bare net takes dense rows. Put a step "
            "before the net in a pipeline: TruncatedSVD for fewer columns, or "
            "FunctionTransformer(accept_sparse=True), which hands the rows on as they "
            "are; they are made dense batch by batch then."
        )
    if not isinstance(X, RowList) or _are_alike(X):
        return
    kinds = sorted({type(row).__name__ for row in X})
    if all(_holds_numbers(row) for row in X):
        raise InvalidInputError(
            "The rows of a list X must have the same shape each. Pad them, or give a "
            "torch Dataset and a collate_fn (iterator_valid__collate_fn)."
        )
    raise InvalidInputError(
        f"The net takes numbers. Got a list whose rows are of type {kinds} instead: "
        "encode them in a pipeline step before the net, or give the net a data set "
        f"that reads them (dataset=...).{_hint_of_items(X)}"
    )


def _hint_of_items(rows: Any) -> str:
    """Return a hint for rows that look like items of a data set, else nothing."""
    if not all(isinstance(row, (tuple, Mapping)) for row in rows):
        return ""
    return (
        " Were they items of a data set, which scikit-learn's splitters and searches "
        "take out one by one? Wrap a torch Dataset as "
        "skorch.helper.SliceDataset(dataset), or split positions, and take rows with "
        "skbadge.take(dataset, positions)."
    )


def _are_alike(rows: RowList) -> bool:
    """Say whether rows are arrays or tensors of one shape, as columns of images are."""
    arrays = all(isinstance(row, (np.ndarray, torch.Tensor)) for row in rows)
    return arrays and len({tuple(row.shape) for row in rows}) == 1


def _holds_numbers(row: Any) -> bool:
    if isinstance(row, (list, tuple)):
        return numbers_of(row) is not None
    return isinstance(row, (np.ndarray, torch.Tensor))


def check_first_row(X: Any) -> None:
    """Look at the first row of what is read row by row, before a training is paid for.

    Raises
    ------
    InvalidInputError
        If a column of it holds no numbers.
    """
    row = _read_row(without_labels(X)[0])
    for name, part in row.items() if isinstance(row, Mapping) else [(None, row)]:
        for leaf in leaves(part):
            if isinstance(leaf, torch.Tensor) or np.asarray(leaf).dtype.kind in "fiub":
                continue
            where = "" if name is None else f" in the column {name!r}"
            kind = "text" if isinstance(leaf, str) else type(leaf).__name__
            raise InvalidInputError(
                f"The net takes numbers. Got {kind}{where} instead: encode it in a "
                "pipeline step before the net, or take it out of the data set."
            )


def as_numbers(X: Any) -> Any:
    """Return ``X`` with arrays of numbers in the place of tables and of objects.

    Raises
    ------
    InvalidInputError
        If a column of a table, or a list, holds no numbers.
    """
    if isinstance(X, Mapping):
        return {key: as_numbers(part) for key, part in X.items()}
    if several_inputs(X):
        # As a loader gives them, which makes lists of tuples.
        return [as_numbers(part) for part in X]
    if isinstance(X, RowList):
        check_bare(X)
        return torch.stack([torch.as_tensor(row) for row in X])
    if made_by(X, "polars") or made_by(X, "pyarrow"):
        names = getattr(X, "column_names", None) or X.columns
        X = pd.DataFrame({name: X[name].to_numpy() for name in names})
    if isinstance(X, pd.Series):
        return _frame_to_array(X.to_frame())[:, 0]
    if isinstance(X, pd.DataFrame):
        return _frame_to_array(X)
    is_object = isinstance(X, np.ndarray) and X.dtype == object
    return _objects_to_numbers(X) if is_object else X


def _frame_to_array(frame: pd.DataFrame) -> np.ndarray:
    frame = frame.infer_objects()
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
    # pandas alone would make objects of booleans beside numbers.
    common = np.result_type(np.bool_, *map(_numpy_type, frame.dtypes))
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.to_numpy(dtype=common)
    # pandas' own types mark missing entries by NA, which only floats can stand for.
    if common.kind != "f" and frame.isna().any(axis=None):
        common = np.dtype(np.float64)
    # pandas 2 refuses NaN for integers even where nothing is missing.
    missing = {"na_value": np.nan} if common.kind == "f" else {}
    return frame.to_numpy(dtype=common, **missing)


def _numpy_type(dtype: Any) -> Any:
    plain = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
    return plain if plain.kind in "fiub" else np.dtype(np.float64)


def _objects_to_numbers(array: np.ndarray) -> np.ndarray:
    """Convert objects that are all numbers; leave others, for the error they get."""
    try:
        found = np.array(array.ravel().tolist())
    except ValueError:
        return array
    are_numbers = found.dtype.kind in "fiub" and found.ndim == 1
    return found.reshape(array.shape) if are_numbers else array


def nonfinite_row(X: Any) -> int | None:
    """Return the position of a row with NaN or infinity, or None where none has.

    Parameters
    ----------
    X : array, Tensor, sparse matrix, or dict, list or tuple of these
        Rows without tables, as `as_numbers` gives them.
    """
    found = map(_nonfinite_row, leaves(X))
    return next((row for row in found if row is not None), None)


def _nonfinite_row(X: Any) -> int | None:
    if sparse.issparse(X):
        X = X.tocoo()
    bad = _nonfinite(X.data if sparse.issparse(X) else X)
    if bad is None or not bad.any():
        return None
    return int(X.row[bad][0] if sparse.issparse(X) else np.argwhere(bad)[0][0])


def _nonfinite(values: Any) -> np.ndarray | None:
    # A sum costs no memory, and where it is finite, so is all that was summed.
    if isinstance(values, torch.Tensor):
        values = values.detach()
        if not values.is_floating_point() or torch.isfinite(values.sum()):
            return None
        return ~torch.isfinite(values).cpu().numpy()
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    return None if np.isfinite(total) else ~np.isfinite(values)

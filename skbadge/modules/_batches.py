"""Mini-batches cut from tensors held in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.dataset import Dataset
from torch.utils import data as torch_data
from torch.utils.data import IterableDataset, Subset, TensorDataset, default_collate

from skbadge.exceptions import InvalidInputError
from skbadge.utils._tree import leaves, mapped
from skbadge.utils._validation import check_integer

__all__ = ["InMemoryBatches"]

_GET_OF_SUBSET = Subset.__getitem__


class InMemoryBatches:
    """Iterate over mini-batches of a data set that is held in memory once.

    Takes the place of :class:`torch.utils.data.DataLoader` in a skorch net
    (``iterator_train=InMemoryBatches``, ``iterator_valid=InMemoryBatches``). A
    ``DataLoader`` reads each row by itself and puts a batch together in Python; here a
    batch is one indexing of a tensor, which for small networks makes an epoch several
    times faster.

    Parameters
    ----------
    dataset : torch Dataset
        With a length and rows ``(X, y)``: skorch's own, a
        :class:`torch.utils.data.TensorDataset`, a :class:`torch.utils.data.Subset` of
        such, or any other whose rows can be collated.
    batch_size : int, default=1
        Rows in a batch, at least 1. skorch passes its own ``batch_size``.
    shuffle : bool, default=False
        Whether each epoch has a new random order.
    drop_last : bool, default=False
        Whether to leave out a last batch with fewer rows than ``batch_size``.
    generator : torch.Generator or None, default=None
        Source of the orders. None reads torch's global generator, as ``DataLoader``
        does, so that ``torch.manual_seed`` fixes them. Without ``shuffle`` no random
        number is drawn.
    device : str, torch.device or None, default=None
        Where to hold the tensors. None leaves them where they are. Set it to the net's
        device to save a copy for each batch, if the memory there suffices.

    Raises
    ------
    InvalidInputError
        If the data set cannot be held: it has no length, or its rows are not
        pairs that fit together.

    Notes
    -----
    How the rows are read, in this order:

    1. the data set's method ``as_tensors()``, which returns all of ``X`` and ``y``,
       where it has one;
    2. arrays and tensors of a ``TensorDataset``, or of skorch's ``Dataset`` where
       ``transform`` and ``__getitem__`` are skorch's own: taken as they are, without a
       copy where possible;
    3. else row by row through ``__getitem__``, once, so that a ``transform`` of yours
       is applied. One that draws random numbers (augmentation) would be frozen: use
       ``DataLoader`` for it. Of a ``Subset`` only its own rows are read.

    The same seed gives another order than with ``DataLoader``. A batch is always a
    copy, so a module may change it in place. Memory: the tensors of the data set (none
    in addition for 1 and 2 as a rule) and one order of 8 bytes a row.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> from skbadge.modules import InMemoryBatches
    >>> data = TensorDataset(torch.arange(5.0)[:, None], torch.arange(5))
    >>> [y.tolist() for X, y in InMemoryBatches(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    # Rows are numbered for loaders that do not say so, to see that they do.
    keeps_order = True

    def __init__(
        self,
        dataset: torch_data.Dataset,
        batch_size: int = 1,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = check_integer(batch_size, "batch_size", low=1)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.device = device
        self._n_rows = _count_rows(dataset)
        data = _read(dataset)
        for leaf in leaves(data):
            if not isinstance(leaf, torch.Tensor):
                raise InvalidInputError(
                    "InMemoryBatches must get rows of numbers. Got "
                    f"{type(leaf).__name__} instead: encode the values first."
                )
            if leaf.ndim == 0 or len(leaf) != self._n_rows:
                raise InvalidInputError(
                    f"The data set must give {self._n_rows} rows in X and y, as its "
                    f"length says. Got a tensor of shape {tuple(leaf.shape)} instead."
                )
        self._data = data if device is None else mapped(lambda x: x.to(device), data)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(self._n_rows, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield ``(X, y)`` batch by batch, for one epoch."""
        if self.shuffle:
            # A generator may live on a GPU, and only there can it be read.
            device = "cpu" if self.generator is None else self.generator.device
            order = torch.randperm(
                self._n_rows, generator=self.generator, device=device
            )
            orders = {x.device: order.to(x.device) for x in leaves(self._data)}
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            stop = min(start + self.batch_size, self._n_rows)
            if self.shuffle:
                yield mapped(
                    lambda x, a=start, b=stop: x.index_select(0, orders[x.device][a:b]),
                    self._data,
                )
            else:
                # A copy: a module that works in place must not change the data.
                yield mapped(lambda x, a=start, b=stop: x[a:b].clone(), self._data)


def _count_rows(dataset: Any) -> int:
    if isinstance(dataset, IterableDataset) or not isinstance(dataset, Sized):
        raise InvalidInputError(
            "InMemoryBatches must get a data set with a length and rows to index. Got "
            f"{type(dataset).__name__} instead: use torch.utils.data.DataLoader for "
            "data that comes as a stream."
        )
    return len(dataset)


def _read(dataset: Any) -> tuple[Any, Any]:
    """Return all rows of a data set as a pair of tensors, or of dicts of tensors."""
    rows = None
    while isinstance(dataset, Subset) and type(dataset).__getitem__ is _GET_OF_SUBSET:
        indices = np.asarray(dataset.indices, dtype=np.int64)
        rows = indices if rows is None else indices[rows]
        dataset = dataset.dataset
    data = _held(dataset)
    if data is None:
        # Only those: the others may be many, and slow to read.
        return _collate(dataset, range(len(dataset)) if rows is None else rows.tolist())
    if rows is None:
        return data
    chosen = torch.as_tensor(rows)
    return mapped(lambda x: x.index_select(0, chosen.to(x.device)), data)


def _held(dataset: Any) -> tuple[Any, ...] | None:
    """Return what a data set holds in memory; None where rows must be asked for."""
    if callable(getattr(dataset, "as_tensors", None)):
        return tuple(dataset.as_tensors())
    if type(dataset) is TensorDataset and len(dataset.tensors) == 2:
        return dataset.tensors
    return _read_skorch(dataset) if isinstance(dataset, Dataset) else None


def _read_skorch(dataset: Any) -> tuple[Any, Any] | None:
    """Return the arrays of skorch's Dataset; None where rows must be asked for."""
    kind = type(dataset)
    if (
        kind.__getitem__ is not Dataset.__getitem__
        or kind.transform is not Dataset.transform
    ):
        return None
    X, y = _as_tensor(dataset.X), _as_tensor(dataset.y)
    if X is None or (y is None and dataset.y is not None):
        return None
    if y is None:
        # skorch's placeholder for a missing target: one zero a row.
        y = torch.zeros(len(dataset), 1)
    return X, y


def _as_tensor(values: Any) -> Any:
    """Return an array, tensor, frame or dict as tensors; None for anything else."""
    if isinstance(values, pd.DataFrame):
        # skorch's reading of a frame: a dict with one column of shape (n, 1) each.
        values = {key: values[key].to_numpy()[:, None] for key in values}
    if isinstance(values, Mapping):
        tensors = {key: _as_tensor(value) for key, value in values.items()}
        return None if any(value is None for value in tensors.values()) else tensors
    if isinstance(values, torch.Tensor):
        return values.detach() if values.layout is torch.strided else None
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        # PyTorch warns about an array that is not writeable, and cannot take one with
        # negative strides or a foreign byte order.
        return torch.as_tensor(
            np.require(
                values, dtype=values.dtype.newbyteorder("="), requirements=["C", "W"]
            )
        )
    return None


def _collate(dataset: Any, positions: Iterable[int]) -> tuple[Any, Any]:
    """Ask for rows and put them together, as a DataLoader would."""
    rows = [dataset[i] for i in positions]
    try:
        data = default_collate(rows)
    except (TypeError, RuntimeError, ValueError) as error:
        raise InvalidInputError(
            "InMemoryBatches must get rows that fit together into one tensor. Got "
            f"rows of {type(dataset).__name__} that do not ({error}): use "
            "torch.utils.data.DataLoader with a collate_fn."
        ) from error
    if not isinstance(data, (list, tuple)) or len(data) != 2:
        raise InvalidInputError(
            "InMemoryBatches must get rows that are pairs (X, y). Got rows of "
            f"{type(dataset).__name__} that are not: return both from __getitem__."
        )
    return tuple(data)

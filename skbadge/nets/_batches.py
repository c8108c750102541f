"""Cut a pool into chunks, and chunks into the batches a net takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from skorch.dataset import Dataset
from torch.utils.data import DataLoader

from skbadge.exceptions import InvalidInputError
from skbadge.nets._dataset import ModuleDataset
from skbadge.nets._estimators import input_format, overrides
from skbadge.nets._order import in_order, numbered
from skbadge.nets._settings import checked_batch_size
from skbadge.nets._steps import Steps
from skbadge.utils._rows import is_lazy, n_rows, take
from skbadge.utils._tree import leaves

__all__ = [
    "batch_size_of",
    "first_batch",
    "iterate_batches",
    "iterate_chunks",
    "iterate_parts",
]

# Rows are taken from the pool, and sent through the transformers, so many bytes at a
# time: large enough that the calls cost nothing, small beside any pool that matters.
_CHUNK_BYTES = 1 << 26
_MOST_ROWS = 1024
_PAIRS = (
    "A data set must yield pairs (X, y), as skorch expects; for rows without a label, "
    "y may be any number."
)


def batch_size_of(net: Any) -> int:
    """Return the batch size of a net's predictions; -1 stands for all rows at once.

    Raises
    ------
    InvalidInputError
        If it is none; a trained net may be given any.
    """
    return checked_batch_size(net, "iterator_valid")


def first_batch(net: Any, n_rows: int) -> slice:
    """Return the slice of the rows that a net's first batch holds."""
    size = batch_size_of(net)
    return slice(0, n_rows if size == -1 else min(size, n_rows))


def iterate_chunks(
    X: Any, positions: np.ndarray, batch_size: int
) -> Iterator[slice | np.ndarray]:
    """Cut positions into runs of about `_CHUNK_BYTES`, as slices if they can be.

    A run is a multiple of the batch size, so that no batch is cut short. A data set
    reads its rows one by one anyway and is not cut.
    """
    count = len(positions)
    if not count:
        return
    size = count
    if not is_lazy(X):
        size = max(1, _CHUNK_BYTES // max(1, _n_bytes(take(X, slice(0, 1)))))
        if batch_size > 0:
            size = max(batch_size, size // batch_size * batch_size)
    cut = _cut(positions)
    for start in range(0, count, size):
        yield cut(start, start + size)


def iterate_parts(
    X: Any, positions: np.ndarray, batch_size: int, steps: Steps | None = None
) -> Iterator[Any]:
    """Yield rows as they reach the net, as many at a time as little memory holds.

    Parameters
    ----------
    X : rows of any kind
        Never read whole.
    positions : ndarray of int
        Which of them, in this order.
    batch_size : int
        Rows that the net takes at once; parts are multiples of it.
    steps : Steps or None, default=None
        What the rows go through. A file name has few bytes and its image has many: a
        part is sized by the largest that any step made of the rows before.

    Yields
    ------
    rows
        What the net's data set gets.
    """
    if steps is None:
        for chunk in iterate_chunks(X, positions, batch_size):
            # A loader may look for what a data set has beside its items.
            is_slice = isinstance(chunk, slice)
            whole = is_slice and is_lazy(X) and chunk == slice(0, n_rows(X))
            yield X if whole else take(X, chunk)
        return
    if not len(positions):
        return
    cut, done, widest, size = _cut(positions), 0, 1, batch_size
    if size == -1:
        # A batch of a few rows, only to see how large they become, would be one too
        # many for a net that takes all at once.
        made = [_n_bytes(made) for made in steps.stages(take(X, positions[:1]))]
        widest = max([1, *made])
        size = _part_size(widest, batch_size)
    while done < len(positions):
        part = take(X, cut(done, done + size))
        count = n_rows(part)
        sizes = [_n_bytes(part)]
        for made in steps.stages(part):
            sizes.append(_n_bytes(made))
            part = made
        yield part
        widest = max(widest, max(sizes) // count)
        done += count
        size = _part_size(widest, batch_size)


def _part_size(n_bytes: int, batch_size: int) -> int:
    """Return how many rows of so many bytes make a part."""
    size = _CHUNK_BYTES // n_bytes
    if batch_size == -1:
        return max(1, size)
    # A step may take long for a row, and someone looks at the progress bar.
    size = min(size, _MOST_ROWS)
    return max(batch_size, size // batch_size * batch_size)


def _cut(positions: np.ndarray) -> Callable[[int, int], slice | np.ndarray]:
    """Return a function that gives positions as slices, if they can be."""
    if (np.diff(positions) == 1).all():
        first, count = int(positions[0]), len(positions)
        return lambda begin, end: slice(first + begin, first + min(end, count))
    return lambda begin, end: positions[begin:end]


def _n_bytes(rows: Any) -> int:
    return sum(map(_bytes_of_leaf, leaves(rows)))


def _bytes_of_leaf(leaf: Any) -> int:
    if isinstance(leaf, np.ndarray) and leaf.dtype == object:
        # What it points to, not the pointers.
        return sum(map(_n_bytes, leaf.ravel().tolist()))
    if isinstance(leaf, torch.Tensor):
        return leaf.numel() * leaf.element_size()
    if hasattr(leaf, "memory_usage"):
        return int(np.sum(leaf.memory_usage(index=False, deep=True)))
    if hasattr(leaf, "nbytes"):
        return leaf.nbytes
    if hasattr(leaf, "estimated_size"):  # of polars
        return int(leaf.estimated_size())
    if hasattr(leaf, "getbands"):  # a picture of Pillow
        return len(leaf.getbands()) * int(np.prod(leaf.size))
    shape = getattr(leaf, "shape", None)
    if shape:
        return 8 * int(np.prod(shape))
    # Of objects of unknown classes, what they hold themselves.
    held = getattr(leaf, "__dict__", {}).values()
    arrays = [part for part in held if isinstance(part, (np.ndarray, torch.Tensor))]
    return sys.getsizeof(leaf) + sum(part.nbytes for part in arrays)


def iterate_batches(net: Any, X: Any) -> Iterator[Any]:
    """Yield the batches that skorch would make of ``X``, by slices where it may.

    Yields
    ------
    X : tensor, or what the net's data set and iterator make of it
        Input of the module; nothing of the pool itself, so that a module may write to
        it.
    y : tensor
        Of no meaning.
    """
    if _may_slice(net, X):
        dataset = net.get_dataset(X)
        if not isinstance(dataset, ModuleDataset):
            dataset = ModuleDataset(X, **vars(input_format(net)))
        count, batch_size = n_rows(X), batch_size_of(net)
        size = max(1, count) if batch_size == -1 else batch_size
        for start in range(0, count, size):
            yield dataset.batch(slice(start, min(start + size, count))), torch.zeros(0)
        return
    check_loader(net)
    dataset = numbered(net, net.get_dataset(X))
    batches = net.get_iterator(dataset, training=False)
    for batch in in_order(net, batches, dataset):
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise InvalidInputError(
                f"{_PAIRS} Got batches of {_described(batch)} instead."
            )
        yield batch


def check_loader(net: Any) -> None:
    """Refuse a loader for predictions that leaves rows out or changes their order.

    Raises
    ------
    InvalidInputError
        With the parameter's name.
    """
    for name in ("shuffle", "sampler", "batch_sampler", "drop_last"):
        if net.get_params_for("iterator_valid").get(name):
            raise InvalidInputError(
                f"iterator_valid__{name} must not be set, since it changes which rows "
                "the net answers for. Set iterator_train__... instead, and leave "
                "iterator_valid in the order of X."
            )


def check_items(dataset: Any, net: Any, *, training: bool) -> None:
    """Look at one item of a torch ``Dataset``, before a training is paid for.

    Parameters
    ----------
    dataset : torch Dataset
        Of a user.
    net : skorch net
        Where it has a ``collate_fn``, that may read other items in a pass.
    training : bool
        Whether the items are to be trained on: their labels are replaced then.

    Raises
    ------
    InvalidInputError
        If it is no pair.
    """
    own = net.get_params_for("iterator_valid").get("collate_fn") is not None
    own = own or overrides(net, "get_dataset") or overrides(net, "get_iterator")
    if not len(dataset) or (own and not training):
        return
    item = dataset[0]
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise InvalidInputError(f"{_PAIRS} Got items of {_described(item)} instead.")


def _described(batch: Any) -> str:
    if isinstance(batch, (tuple, list)):
        return f"{len(batch)} parts"
    return f"type {type(batch).__name__}"


def _may_slice(net: Any, X: Any) -> bool:
    """Say whether batches can be cut from arrays without skorch's loader."""
    kind = getattr(net.dataset, "func", net.dataset)
    plain = {"batch_size", "num_workers", "pin_memory", "shuffle", "drop_last"}
    return (
        not is_lazy(X)
        and kind in (Dataset, ModuleDataset)
        and not net.get_params_for("dataset")
        and net.iterator_valid is DataLoader
        and set(net.get_params_for("iterator_valid")) <= plain
        and not overrides(net, "get_dataset")
        and not overrides(net, "get_iterator")
    )

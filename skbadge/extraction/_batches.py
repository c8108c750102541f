"""Cut a pool into chunks, and chunks into the batches a net takes."""

from __future__ import annotations

import numpy as np
import torch
from skorch import NeuralNet
from skorch.dataset import Dataset
from torch.utils.data import DataLoader

from skbadge.exceptions import InvalidInputError
from skbadge.extraction._dataset import ModuleDataset
from skbadge.extraction._nets import module_dtype
from skbadge.utils._rows import is_dataset, take

__all__ = ["iterate_batches", "iterate_chunks"]

# Rows are taken from the pool, and sent through the transformers, so many bytes at a
# time: large enough that the calls cost nothing, small beside any pool that matters.
_CHUNK_BYTES = 1 << 26


def iterate_chunks(X, positions):
    """Cut positions into runs of at most `_CHUNK_BYTES`, as slices if they can be."""
    count = max(1, len(positions))
    if is_dataset(X):
        size = count
    else:
        one = take(X, slice(0, 1))
        size = max(1024, _CHUNK_BYTES // max(1, _n_bytes(one)))
        # A multiple of every usual batch size, so that chunks cut no batch short.
        size = -(-size // 1024) * 1024
    contiguous = len(positions) and np.array_equal(
        positions, np.arange(positions[0], positions[0] + len(positions))
    )
    for start in range(0, len(positions), size):
        stop = min(start + size, len(positions))
        if contiguous and not is_dataset(X):
            yield slice(int(positions[0]) + start, int(positions[0]) + stop)
        else:
            yield positions[start:stop]


def _n_bytes(one):
    if isinstance(one, dict):
        return sum(_n_bytes(part) for part in one.values())
    if isinstance(one, (list, tuple)):
        return sum(_n_bytes(part) for part in one)
    if isinstance(one, torch.Tensor):
        return one.numel() * one.element_size()
    if hasattr(one, "memory_usage"):
        return int(np.sum(one.memory_usage(index=False)))
    if hasattr(one, "nbytes"):
        return one.nbytes
    return 8 * int(np.prod(one.shape))


def iterate_batches(net, X):
    """Yield the batches that skorch would make of ``X``, by slices where it may."""
    batch_size = net.get_params_for("iterator_valid").get("batch_size", net.batch_size)
    if _may_slice(net, X):
        dataset = net.get_dataset(X)
        if not isinstance(dataset, ModuleDataset):
            dataset = ModuleDataset(X, dtype=module_dtype(net))
        size = len(dataset) if batch_size == -1 else batch_size
        for start in range(0, len(dataset), size):
            batch = dataset.batch(slice(start, min(start + size, len(dataset))))
            yield batch, torch.zeros(0)
        return
    for name in ("shuffle", "sampler", "batch_sampler", "drop_last"):
        if net.get_params_for("iterator_valid").get(name):
            raise InvalidInputError(
                f"iterator_valid__{name} must not be set, since it changes which rows "
                "the net answers for. Set iterator_train__... instead, and leave "
                "iterator_valid in the order of X."
            )
    yield from net.get_iterator(net.get_dataset(X), training=False)


def _may_slice(net, X):
    """Say whether batches can be cut from arrays without skorch's loader."""
    kind = getattr(net.dataset, "func", net.dataset)
    plain = {"batch_size", "num_workers", "pin_memory", "shuffle", "drop_last"}
    return (
        not is_dataset(X)
        and kind in (Dataset, ModuleDataset)
        and not net.get_params_for("dataset")
        and net.iterator_valid is DataLoader
        and set(net.get_params_for("iterator_valid")) <= plain
        and type(net).get_dataset is NeuralNet.get_dataset
        and type(net).get_iterator is NeuralNet.get_iterator
    )

"""Whether rows come out of a loader in the order in which they went in.

An answer belongs to a row by its place alone. A loader class of the user's own, or a
function that makes its batches, may sort rows by their length or deal them out, and
nothing in the batches would say so. Therefore each row carries its number in the place
of the label, which is of no meaning where rows are to be answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from skbadge.exceptions import InvalidInputError
from skbadge.nets._dataset import DatasetAround
from skbadge.nets._estimators import overrides

__all__ = ["in_order", "may_reorder", "numbered", "numbered_loaders"]

# What no label is by chance; float32 holds these and all numbers of some 16 million
# rows, should labels be made floats.
_FIRST = 10_007
_EXACT = (torch.int32, torch.int64, torch.float32, torch.float64)


def may_reorder(net: Any) -> bool:
    """Say whether a net's loader for predictions is not known to keep the order."""
    kind = net.iterator_valid
    keeps = kind is DataLoader or getattr(kind, "keeps_order", False)
    own = net.get_params_for("iterator_valid").get("collate_fn") is not None
    # Whatever an evaluation_step does with labels is not to be disturbed.
    return (not keeps or own or overrides(net, "get_iterator")) and not overrides(
        net, "evaluation_step"
    )


class _Numbered(DatasetAround):
    """The items of a data set, with their numbers in the place of labels."""

    def changed(self, index: int, item: Any) -> Any:
        """Put the number into a pair; what is no pair goes to a collate_fn as it is."""
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            return item
        return item[0], _like(item[1], _FIRST + int(index))


def _like(label: Any, number: int) -> Any:
    """Return a number in the form of a label, or the label where it cannot hold it."""
    if isinstance(label, torch.Tensor):
        return torch.full_like(label, number) if label.dtype in _EXACT else label
    if isinstance(label, (np.ndarray, np.generic)):
        exact = label.dtype.kind in "fiu" and label.dtype.itemsize >= 4
        return np.full_like(label, number)[()] if exact else label
    return type(label)(number) if type(label) in (int, float) else label


def numbered(net: Any, dataset: Any) -> Any:
    """Return a data set whose labels are numbers, where the order may change."""
    return _Numbered(dataset) if may_reorder(net) else dataset


def in_order(net: Any, batches: Iterable[Any], dataset: Any) -> Iterator[Any]:
    """Yield batches, and refuse rows that come in another order than they were given.

    Raises
    ------
    InvalidInputError
        With the setting that changes the order.
    """
    done: int | None = 0 if isinstance(dataset, _Numbered) else None
    for batch in batches:
        found = None if done is None else _numbers(batch, len(dataset))
        if done is None or found is None:
            # A function that makes batches without labels cannot be looked through.
            done = None
        else:
            due = np.arange(done, done + len(found))
            if not np.array_equal(found, due):
                raise _disorder(net, found, due)
            done = int(due[-1]) + 1
        yield batch


def _numbers(batch: Any, count: int) -> np.ndarray | None:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        return None
    y = batch[1]
    if not isinstance(y, (torch.Tensor, np.ndarray)) or not y.ndim or not len(y):
        return None
    found = np.asarray(y.detach().cpu() if isinstance(y, torch.Tensor) else y)
    if found.dtype.kind not in "fiu" or not found.size:
        return None
    # A label may be a vector, all of whose entries hold the number.
    found = found.reshape(len(found), -1).astype(np.float64) - _FIRST
    known = (found >= 0) & (found < count) & (found == np.floor(found))
    alike = (found == found[:, :1]).all()
    return found[:, 0].astype(np.intp) if known.all() and alike else None


def _disorder(net: Any, found: np.ndarray, due: np.ndarray) -> InvalidInputError:
    place = int(np.argmax(found != due))
    if overrides(net, "get_iterator"):
        setting = f"get_iterator of {type(net).__name__}"
    elif net.get_params_for("iterator_valid").get("collate_fn") is not None:
        setting = "iterator_valid__collate_fn of the net"
    else:
        kind = getattr(net.iterator_valid, "__name__", "the loader")
        setting = f"iterator_valid of the net, {kind},"
    return InvalidInputError(
        f"{setting} must keep the order of the rows, since answers are "
        f"read in it. Got row {found[place]} in the place of row {due[place]}. Sort "
        "and shuffle in iterator_train alone; sequences are packed unsorted with "
        "torch.nn.utils.rnn.pack_padded_sequence(..., enforce_sorted=False)."
    )


@contextmanager
def numbered_loaders(net: Any, method: str) -> Iterator[Callable[[Any], Any]]:
    """Have a net's own predictions refuse what changes the order of rows.

    Parameters
    ----------
    net : skorch net
    method : {"predict", "predict_proba"}
        Of skorch; one of the user's own is given the rows as they are.

    Yields
    ------
    callable
        Makes of rows what is to be handed to the method.
    """
    if overrides(net, method) or not may_reorder(net):
        yield lambda X: X
        return
    load = net.get_iterator

    def get_iterator(dataset: Any, training: bool = False) -> Any:
        return in_order(net, load(dataset, training=training), dataset)

    vars(net)["get_iterator"] = get_iterator
    try:
        yield lambda X: _Numbered(net.get_dataset(X))
    finally:
        del vars(net)["get_iterator"]

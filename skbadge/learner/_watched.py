"""What a training saw: its batches and the labelled rows it read are counted.

Settings that were right for the first labelled rows (a sampler, a loader that leaves
rows out) can keep a later training from ever reading the new ones, which only the data
set itself can tell. Rows that were held out for validation are no part of it.
"""

from __future__ import annotations

import copy
import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import hypergeom
from torch.utils.data import Subset

from skbadge.exceptions import InvalidInputError
from skbadge.learner._translated import moved_onto, source_of
from skbadge.nets._dataset import DatasetAround, ModuleDataset, RelabeledDataset
from skbadge.nets._estimators import overrides
from skbadge.utils._rows import is_dataset

__all__ = ["LOOPS", "RowsSeen"]

# Below this probability, rows were not left out by chance.
_CHANCE = 1e-5
# Where a net of the user's own may train in a way of its own.
LOOPS = ("fit", "partial_fit", "fit_loop", "run_single_epoch")


class RowsSeen:
    """Count, in the data set itself, which labelled rows a training reads.

    Parameters
    ----------
    net : skorch net
        About to be trained.
    n : int
        Number of labelled rows that reach it.
    """

    def __init__(self, net: Any, n: int) -> None:
        self.net = net
        self.n = n
        self.n_epochs = len(getattr(net, "history_", None) or ())
        self.rows: torch.Tensor | None = None
        # Positions of the rows that are trained on; None for all.
        self.trained: np.ndarray | None = None
        # What a data set of the user's own makes of the rows, where that is another
        # number.
        self.n_items = n
        self._dataset, self._split = net.dataset, net.train_split

    def data(self, X: Any, y: Any) -> Any:
        """Return rows to hand to ``fit``, such that they are counted.

        Parameters
        ----------
        X : rows of any kind
        y : ndarray of int
            Numbers of columns.
        """
        net, dataset = self.net, self._dataset
        if self._split:
            net.train_split = partial(_unwatched_split, self._split, seen=self)
        if is_dataset(X):
            return _WatchedItems(X, y, self.begun(len(y)))
        if overrides(net, "get_dataset"):
            return X
        if getattr(dataset, "func", None) is ModuleDataset:
            net.dataset = partial(_WatchedRows, seen=self, **dataset.keywords)
        elif callable(dataset):
            net.dataset = partial(_watched, dataset, seen=self)
        return X

    def begun(self, n: int) -> torch.Tensor | None:
        """Return the marks of the rows of a data set, or None for another one."""
        if self.rows is None:
            self.rows = torch.zeros(n, dtype=torch.bool)
            if self.net.get_params_for("iterator_train").get("num_workers"):
                # Read by other processes.
                self.rows.share_memory_()
        return self.rows if len(self.rows) == n else None

    def check(self, n_new: int) -> None:
        """Refuse a training without a batch, and warn of rows that it never read.

        Parameters
        ----------
        n_new : int
            Number of rows, the last ones, that no training has had before.

        Raises
        ------
        InvalidInputError
            If no batch was trained.
        """
        net = self.net
        net.dataset, net.train_split = self._dataset, self._split
        rows = np.zeros(0, dtype=bool) if self.rows is None else self.rows.numpy()
        epochs = net.history[self.n_epochs :]
        counts = [epoch.get("train_batch_count") for epoch in epochs]
        idle = not any(counts)
        if all(count is None for count in counts):
            # A loop of the user's own need not note its epochs.
            own = any(overrides(net, name) for name in LOOPS)
            idle = not own and not rows.any()
        if idle:
            raise InvalidInputError(
                f"The training ended without a batch: none of the {self.n} labelled "
                f"rows was read. {self._settings()}"
            )
        if self.n_items < self.n:
            warnings.warn(
                f"The net's dataset makes {self.n_items} items of the {self.n} "
                "labelled rows: some are never read in the training. It must make one "
                "of each.",
                UserWarning,
                stacklevel=3,
            )
        # Where no row was noted at all, they came by a way that is not seen here.
        if rows.any():
            self._warn(rows, n_new if len(rows) == self.n else 0)

    def _warn(self, rows: np.ndarray, n_new: int) -> None:
        count = len(rows)
        places = np.arange(count) if self.trained is None else np.sort(self.trained)
        new = places >= count - n_new
        held_out = 1 - len(places) / count
        if n_new and not rows[places[new]].any():
            if not new.any() and held_out**n_new > _CHANCE:
                return
            found = f"None of the {n_new} new labelled rows was read in the training"
        elif last := _last_unread(rows[places]):
            found = (
                f"The last {last} of the {len(places)} rows for the training were "
                "never read"
            )
        elif few := _few_read(rows[places], new):
            found = f"Only {few} of the {new.sum()} new rows for the training were read"
        else:
            return
        warnings.warn(
            f"{found}, of {int(rows[places].sum())} that were. {self._settings()}",
            UserWarning,
            stacklevel=3,
        )

    def _settings(self) -> str:
        net = self.net
        found = net.get_params_for("iterator_train")
        odd = ("sampler", "batch_sampler", "drop_last")
        names = [f"iterator_train__{name}" for name in odd if found.get(name)]
        if net.train_split:
            names.append("train_split")
        if len(net.history) == self.n_epochs:
            names = ["max_epochs", "callbacks"]
        names = names or ["iterator_train", "dataset"]
        return (
            f"Look at {' and '.join(names)} of the net: what fits the first labelled "
            "rows may leave out later ones. A sampler must be made anew for the rows "
            "there are."
        )


def _last_unread(read: np.ndarray) -> int:
    """Return how many of the last rows were not read; 0 where that may be chance.

    Were rows left out in any order, the last ones would be among them all with the
    probability of drawing them without replacement.
    """
    last = int(np.argmax(read[::-1]))
    steps = np.arange(last)
    chance = ((~read).sum() - steps) / (len(read) - steps)
    return last if np.prod(chance) < _CHANCE else 0


def _few_read(read: np.ndarray, new: np.ndarray) -> int:
    """Return how many of the new rows were read; 0 where so few may be chance.

    Of as many rows as were read, drawn without replacement, the number of new ones is
    hypergeometric.
    """
    found = int(read[new].sum())
    chance = hypergeom.cdf(found, len(read), int(read.sum()), int(new.sum()))
    return found if chance < _CHANCE else 0


def _unwatched_split(
    split: Any, dataset: Any, y: Any = None, *, seen: RowsSeen, **fit_params: Any
) -> Any:
    """Split, note what is trained on, and let validation rows be read unnoted."""
    given = (dataset,) if y is None else (dataset, y)
    train, valid = split(*given, **fit_params)
    if source_of(train) is dataset:
        seen.trained = _positions(train)
    if valid is not None and source_of(valid) is dataset:
        unwatched = copy.copy(dataset)
        unwatched.rows = None
        valid = moved_onto(valid, unwatched)
    return train, valid


def _positions(part: Any) -> np.ndarray | None:
    if not isinstance(part, Subset):
        return None
    outer, indices = _positions(part.dataset), np.asarray(part.indices, dtype=np.intp)
    return indices if outer is None else outer[indices]


class _WatchedRows(ModuleDataset):
    """Rows that note when they are read."""

    def __init__(
        self,
        X: Any,
        y: Any = None,
        length: int | None = None,
        *,
        seen: RowsSeen,
        **settings: Any,
    ) -> None:
        super().__init__(X, y, length, **settings)
        self.rows = None if y is None else seen.begun(len(self))

    def __getitem__(self, i: Any) -> Any:
        _note(self.rows, i)
        return super().__getitem__(i)

    def as_tensors(self) -> Any:
        """Return all rows, which are read then."""
        _note(self.rows, slice(None))
        return super().as_tensors()


def _note(rows: torch.Tensor | None, index: Any) -> None:
    if rows is not None:
        rows[index] = True


def _watched(
    build: Any, X: Any, y: Any = None, *, seen: RowsSeen, **settings: Any
) -> Any:
    """Make a data set of a class of the user's own that notes which rows are read."""
    dataset = build(X, y, **settings)
    # Of what yields another number of items, none is known to be a row.
    if y is None or not is_dataset(dataset) or len(dataset) != seen.n:
        if y is not None and is_dataset(dataset) and len(y) == seen.n:
            seen.n_items = len(dataset)
        return dataset
    return _WatchedOwn(dataset, seen.begun(seen.n))


class _WatchedOwn(DatasetAround):
    """A user's data set, all of it, that notes when its items are read."""

    def __init__(self, dataset: Any, rows: torch.Tensor | None) -> None:
        super().__init__(dataset)
        self.rows = rows

    def changed(self, index: Any, item: Any) -> Any:
        """Note, and change nothing."""
        _note(self.rows, index)
        return item


class _WatchedItems(RelabeledDataset):
    """Items of a user's data set that note when they are read."""

    def __init__(self, dataset: Any, y: np.ndarray, rows: torch.Tensor | None) -> None:
        super().__init__(dataset, y)
        self.rows = rows

    def __getitem__(self, index: Any) -> Any:
        _note(self.rows, index)
        return super().__getitem__(index)

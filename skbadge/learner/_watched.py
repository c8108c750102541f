"""What a training is given to see, and what it saw: labels translated, rows counted.

A net is trained on numbers of columns, while what its user has put into it speaks of
classes: a validation set of ``predefined_split``, scorers with labels or names. These
are translated by the map that the training labels go through. And settings that were
right for the first labelled rows (a sampler, a loader that leaves rows out) can keep a
later training from ever reading the new ones, which only the data set itself can tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import check_scoring
from skorch.callbacks import BatchScoring, EpochScoring
from skorch.callbacks.scoring import convert_sklearn_metric_function
from skorch.dataset import Dataset, ValidSplit
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Subset

from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import encode, in_order
from skbadge.nets._dataset import ModuleDataset, RelabeledDataset
from skbadge.nets._estimators import is_binary, overrides
from skbadge.nets._labels import labels_of
from skbadge.utils._rows import is_dataset

__all__ = ["RowsSeen", "translate"]


def translate(net: Any, classes: np.ndarray) -> None:
    """Let what a net holds speak of the classes its columns stand for, in place.

    Parameters
    ----------
    net : skorch net
        A clone about to be trained.
    classes : ndarray of shape (n_classes,)
        One for each column.
    """
    # skorch's own splits what it is given.
    if net.train_split and not isinstance(net.train_split, (ValidSplit, _Translated)):
        net.train_split = _Translated(net.train_split, classes, is_binary(net))
    are_columns = classes.dtype.kind in "iu" and np.array_equal(
        classes, np.arange(len(classes))
    )
    if are_columns or not isinstance(net.callbacks, (list, tuple)):
        return
    for callback in net.callbacks:
        callback = callback[1] if isinstance(callback, tuple) else callback
        scores = isinstance(callback, (EpochScoring, BatchScoring))
        if scores and callback.scoring is not None:
            name = clone(callback).initialize().name_
            callback.scoring = _InClasses(callback.scoring, name, classes)


class _Translated:
    """A ``train_split`` whose validation set has numbers of columns for labels.

    What is split off the labelled rows has them already; a set of the user's own has
    classes.
    """

    def __init__(self, split: Any, classes: np.ndarray, binary: bool) -> None:
        self.split = split
        self.classes = classes
        self.binary = binary

    def __call__(self, dataset: Any, y: Any = None, **fit_params: Any) -> Any:
        train, valid = self.split(dataset, y, **fit_params)
        if valid is None or _source(valid) is _source(dataset):
            return train, valid
        return train, self._encoded(valid)

    def _encoded(self, valid: Any) -> Any:
        y = np.asarray(labels_of(valid))
        y = y.reshape(len(y), -1)[:, 0] if y.ndim > 1 else y
        try:
            codes = encode(y, self.classes)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"The validation set of the net's train_split must have the classes of "
                f"the learner as its labels. {error}"
            ) from error
        codes = codes.astype("f4" if self.binary else "i8")
        plain = type(valid) is Dataset
        return Dataset(valid.X, codes) if plain else RelabeledDataset(valid, codes)


def _source(dataset: Any) -> Any:
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


class _InClasses:
    """A scorer that sees classes where the net has numbers of columns."""

    def __init__(self, scoring: Any, name: str, classes: np.ndarray) -> None:
        self.scoring = scoring
        self.classes = classes
        self.__name__ = name

    def __call__(self, net: Any, X: Any, y: Any = None) -> float:
        seen = _Seen(net, self.classes)
        # Without caching, skorch gives no labels of other data sets than its own.
        y = getattr(X, "y", None) if y is None else y
        if y is not None:
            y = self.classes[np.asarray(y).astype(np.intp)]
        scoring = convert_sklearn_metric_function(self.scoring)
        return check_scoring(seen, scoring)(seen, X, y)


class _Seen(ClassifierMixin, BaseEstimator):
    """A net whose predictions are classes, its columns in their order."""

    def __init__(self, net: Any, classes: np.ndarray) -> None:
        self.net = net
        self.classes = classes
        self.classes_ = in_order(classes)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "net":
            raise AttributeError(name)
        return getattr(self.net, name)

    def fit(self, X: Any, y: Any) -> Self:
        """Be taken for a classifier; it is one already."""
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return classes."""
        return self.classes[np.asarray(self.net.predict(X)).astype(np.intp)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, columns in the order of ``classes_``."""
        return self.net.predict_proba(X)[:, encode(self.classes_, self.classes)]


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
        self.n_epochs = len(getattr(net, "history_", None) or ())
        self.rows = torch.zeros(n, dtype=torch.bool)
        if net.get_params_for("iterator_train").get("num_workers"):
            # Read by other processes.
            self.rows.share_memory_()
        self._dataset = net.dataset

    def data(self, X: Any, y: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return what to hand to ``fit``, such that rows are counted."""
        dataset = self._dataset
        if is_dataset(X):
            return _WatchedItems(X, y, self.rows), y
        if overrides(self.net, "get_dataset"):
            return X, y
        if getattr(dataset, "func", None) is ModuleDataset:
            watched = partial(_WatchedRows, rows=self.rows, **dataset.keywords)
            self.net.dataset = watched
        elif callable(dataset):
            self.net.dataset = partial(_watched, dataset, rows=self.rows)
        return X, y

    def check(self, n_new: int) -> None:
        """Refuse a training without a batch, and warn where no new row was read.

        Parameters
        ----------
        n_new : int
            Number of rows, the last ones, that no training has had before.

        Raises
        ------
        InvalidInputError
            If no batch was trained.
        """
        self.net.dataset = self._dataset
        epochs = self.net.history[self.n_epochs :]
        counts = [epoch.get("train_batch_count") for epoch in epochs]
        settings = self._settings()
        if counts and not any(count is None or count for count in counts):
            raise InvalidInputError(
                f"The training ended without a batch: none of the {len(self.rows)} "
                f"labelled rows was read. {settings}"
            )
        # Where no row was noted at all, they came by a way that is not seen here.
        if n_new and self.rows.any() and not self.rows[-n_new:].any():
            warnings.warn(
                f"None of the {n_new} new labelled rows was read in the training, of "
                f"{int(self.rows.sum())} that were. {settings}",
                UserWarning,
                stacklevel=2,
            )

    def _settings(self) -> str:
        found = self.net.get_params_for("iterator_train")
        odd = ("sampler", "batch_sampler", "drop_last")
        names = [f"iterator_train__{name}" for name in odd if found.get(name)]
        if self.net.train_split:
            names.append("train_split")
        names = names or ["iterator_train", "dataset"]
        return (
            f"Look at {' and '.join(names)} of the net: what fits the first labelled "
            "rows may leave out later ones. A sampler must be made anew for the rows "
            "there are."
        )


class _WatchedRows(ModuleDataset):
    """Rows that note when they are read."""

    def __init__(
        self,
        X: Any,
        y: np.ndarray | None = None,
        length: int | None = None,
        *,
        rows: torch.Tensor,
        **settings: Any,
    ) -> None:
        super().__init__(X, y, length, **settings)
        self.rows = None if y is None or len(self) != len(rows) else rows

    def __getitem__(self, i: Any) -> Any:
        if self.rows is not None:
            self.rows[i] = True
        return super().__getitem__(i)

    def as_tensors(self) -> tuple[Any, torch.Tensor]:
        if self.rows is not None:
            self.rows[:] = True
        return super().as_tensors()


def _watched(
    build: Callable[..., Any],
    X: Any,
    y: np.ndarray | None = None,
    *,
    rows: torch.Tensor,
    **settings: Any,
) -> Any:
    """Make a data set of a class of the user's own that notes which rows are read."""
    dataset = build(X, y, **settings)
    # Of what yields another number of items, none is known to be a row.
    if y is None or not is_dataset(dataset) or len(dataset) != len(rows):
        return dataset
    return _WatchedOwn(dataset, rows)


class _WatchedOwn(TorchDataset):
    """A user's data set, all of it, that notes when its items are read."""

    def __init__(self, dataset: Any, rows: torch.Tensor) -> None:
        self.dataset = dataset
        self.rows = rows

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        self.rows[index] = True
        return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        if name == "__getitems__":
            # By which loaders read a batch at once, where a data set can.
            return partial(self._read, self.dataset.__getitems__)
        if name.startswith("__") or name in ("dataset", "rows"):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def _read(self, items: Callable[[Any], Any], indices: Any) -> Any:
        self.rows[indices] = True
        return items(indices)


class _WatchedItems(RelabeledDataset):
    """Items of a user's data set that note when they are read."""

    def __init__(self, dataset: Any, y: np.ndarray, rows: torch.Tensor) -> None:
        super().__init__(dataset, y)
        self.rows = rows

    def __getitem__(self, i: Any) -> tuple[Any, Any]:
        self.rows[i] = True
        return super().__getitem__(i)

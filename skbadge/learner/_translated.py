"""Labels translated: what stands in and before a net speaks of its user's classes.

A net is trained on numbers of columns, while what its user has put around it speaks of
classes: a validation set of ``predefined_split``, a split of the user's own, scorers
with labels or names, samplers and other steps of a pipeline. They see classes, and what
comes of them is translated by the map that the training labels go through.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from skorch.callbacks import BatchScoring, EpochScoring
from skorch.callbacks.scoring import convert_sklearn_metric_function
from skorch.dataset import Dataset, ValidSplit
from torch.utils.data import Subset

from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import encode, in_order
from skbadge.nets._dataset import RelabeledDataset
from skbadge.nets._estimators import converts, is_binary, overrides
from skbadge.nets._labels import labels_of

__all__ = ["moved_onto", "own_splits", "source_of", "taught_in_columns", "translate"]


def translate(net: Any, classes: np.ndarray) -> None:
    """Let what a net holds speak of the classes its columns stand for, in place.

    Parameters
    ----------
    net : skorch net
        A clone about to be trained.
    classes : ndarray of shape (n_classes,)
        One for each column.
    """
    split = net.train_split
    # skorch's own splits what it is given, by folds that other names do not change.
    if split and type(split) is not ValidSplit and not isinstance(split, _Translated):
        build = net.dataset if converts(net) else Dataset
        net.train_split = _Translated(split, classes, is_binary(net), build)
    if _are_columns(classes) or not isinstance(
        net.callbacks, (list, tuple, type(None))
    ):
        return
    for callback in net.callbacks or ():
        _translate_scorer(
            callback[1] if isinstance(callback, tuple) else callback, classes
        )
    # Callbacks that the net makes itself, and what its parameters make of any.
    for name, callback in net.get_default_callbacks():
        key = f"callbacks__{name}__scoring"
        # Accuracy is the same under all names.
        if _scores(callback) and callback.scoring != "accuracy":
            vars(net).setdefault(key, callback.scoring)
    for key, value in list(vars(net).items()):
        if re.fullmatch(r"callbacks__.+__scoring", key):
            setattr(net, key, _in_classes(value, classes))
        elif re.fullmatch(r"callbacks__.+", key):
            _translate_scorer(value, classes)


def _are_columns(classes: np.ndarray) -> bool:
    return classes.dtype.kind in "iu" and np.array_equal(
        classes, np.arange(len(classes))
    )


@contextmanager
def own_splits(net: Any, classes: np.ndarray) -> Iterator[None]:
    """Translate validation sets that a net class of the user's own makes itself.

    Parameters
    ----------
    net : skorch net
        Trained inside, on numbers of columns, which its ``get_split_datasets`` is shown
        as its ``get_loss`` is.
    classes : ndarray of shape (n_classes,)
        One for each column.

    Raises
    ------
    InvalidInputError
        If labels of other rows than those are neither, or might be both.
    """
    if _are_columns(classes) or not overrides(net, "get_split_datasets"):
        yield
        return
    build = net.dataset if converts(net) else Dataset
    known = _Translated(None, classes, is_binary(net), build)
    vars(net)["get_split_datasets"] = _OwnSplits(net, known)
    try:
        yield
    finally:
        del vars(net)["get_split_datasets"]


class _OwnSplits:
    """The ``get_split_datasets`` of a net in training; callbacks may pickle both."""

    def __init__(self, net: Any, known: _Translated) -> None:
        self.net = net
        self.known = known

    def __call__(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        kind = type(self.net)
        train, valid = kind.get_split_datasets(self.net, X, y, **fit_params)
        ours = valid is None or source_of(valid) is source_of(train)
        return train, valid if ours else self.known.in_columns(valid, kind.__name__)


def _scores(callback: Any) -> bool:
    return isinstance(callback, (EpochScoring, BatchScoring))


def _translate_scorer(callback: Any, classes: np.ndarray) -> None:
    if _scores(callback):
        callback.scoring = _in_classes(callback.scoring, classes)


def _in_classes(scoring: Any, classes: np.ndarray) -> Any:
    if scoring is None or isinstance(scoring, _InClasses):
        return scoring
    return _InClasses(scoring, EpochScoring(scoring).initialize().name_, classes)


class _Translated:
    """A ``train_split`` of the user's own, which is shown classes for labels.

    Rows that it takes of those it is shown go on with numbers of columns. Other data
    sets (of ``predefined_split``, or made of the arrays it was shown) have classes for
    labels, and their numbers of columns take the place of these.
    """

    def __init__(
        self, split: Any, classes: np.ndarray, binary: bool, build: Any
    ) -> None:
        self.split = split
        self.classes = classes
        self.binary = binary
        self.build = build

    def __call__(self, dataset: Any, y: Any = None, **fit_params: Any) -> Any:
        shown = dataset
        labels = getattr(dataset, "y", None)
        if labels is not None and len(labels) == len(dataset):
            shown = copy.copy(dataset)
            shown.y = self._named(labels)
        y = None if y is None else self._named(y)
        train, valid = self.split(shown, y, **fit_params)
        return [self._in_columns(part, shown, dataset) for part in (train, valid)]

    def _named(self, codes: Any) -> np.ndarray:
        return self.classes[np.asarray(codes).astype(np.intp)]

    def _in_columns(self, part: Any, shown: Any, dataset: Any) -> Any:
        if part is None:
            return None
        if source_of(part) is shown:
            return moved_onto(part, dataset)
        y = _labels(part)
        dtype = "f4" if self.binary else "i8"
        try:
            codes = encode(y, self.classes).astype(dtype)
            made: Any = RelabeledDataset(part, codes)
            if type(part) is Dataset:
                # Numbers and tables go the way of the labelled rows.
                made = self.build(part.X, codes)
            made.are_columns = True
            return made
        except InvalidInputError as error:
            raise InvalidInputError(
                "The validation set of the net's train_split must have the classes of "
                f"the learner as its labels, and rows as the net takes them. {error}"
            ) from error

    def in_columns(self, valid: Any, name: str) -> Any:
        """Return a validation set with numbers of columns for labels, if it has others.

        Parameters
        ----------
        valid : data set
            With classes for labels, or with numbers of columns.
        name : str
            Of the net class that made it.
        """
        if hasattr(source_of(valid), "are_columns"):
            return valid
        y = _labels(valid)
        columns = np.isin(y, np.arange(len(self.classes))).all()
        if columns and np.isin(y, self.classes).all():
            raise InvalidInputError(
                f"The validation set that get_split_datasets of {name} makes has "
                "labels that may be classes as well as numbers of columns: classes are "
                f"{self.classes.tolist()} in the order of the columns. Give it with "
                "train_split=skorch.helper.predefined_split(valid_set), or let the "
                "method give Subsets of what its super() makes; both are translated."
            )
        return valid if columns else self._in_columns(valid, None, None)


def _labels(part: Any) -> np.ndarray:
    y = np.asarray(labels_of(part))
    return y.reshape(len(y), -1)[:, 0] if y.ndim > 1 else y


def source_of(dataset: Any) -> Any:
    """Return the data set of which another one is a part, or itself."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def moved_onto(part: Any, dataset: Any) -> Any:
    """Return the same part of another data set."""
    if not isinstance(part, Subset):
        return dataset
    moved = copy.copy(part)
    moved.dataset = moved_onto(part.dataset, dataset)
    return moved


class _InClasses:
    """A scorer that sees classes where the net has numbers of columns."""

    def __init__(self, scoring: Any, name: str, classes: np.ndarray) -> None:
        self.scoring = scoring
        self.classes = classes
        self.__name__ = name

    def __call__(self, net: Any, X: Any, y: Any = None) -> Any:
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

    def fit(self, X: Any, y: Any) -> _Seen:
        """Be taken for a classifier; it is one already."""
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return classes."""
        return self.classes[np.asarray(self.net.predict(X)).astype(np.intp)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, columns in the order of ``classes_``."""
        return self.net.predict_proba(X)[:, encode(self.classes_, self.classes)]


@contextmanager
def taught_in_columns(estimator: Any, columns: np.ndarray) -> Iterator[None]:
    """Let the steps of a pipeline see classes, and its net the numbers of columns.

    Parameters
    ----------
    estimator : net or Pipeline
        To be fitted inside, on classes where it is a pipeline.
    columns : ndarray of shape (n_classes,)
        The class of each column.
    """
    if not isinstance(estimator, Pipeline):
        yield
        return
    inner = estimator
    while isinstance(inner.steps[-1][1], Pipeline):
        inner = inner.steps[-1][1]
    name, net = inner.steps[-1]
    inner.steps[-1] = (name, _InColumns(net, columns))
    try:
        yield
    finally:
        inner.steps[-1] = (name, net)


class _InColumns(BaseEstimator):
    """A net that is handed classes, in its place at the end of a pipeline."""

    def __init__(self, net: Any, columns: np.ndarray) -> None:
        self.net = net
        self.columns = columns

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> _InColumns:
        """Fit the net on the numbers of columns."""
        codes = encode(y, self.columns)
        codes = codes.astype(np.float32 if is_binary(self.net) else np.int64)
        self.net.fit(X, codes, **fit_params)
        return self

    def get_metadata_routing(self) -> Any:
        """Ask for the metadata that the net asks for."""
        return self.net.get_metadata_routing()

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.net)

"""Train a fresh clone, or go on with a copy, and leave everything else as it was."""

from __future__ import annotations

import copy

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from skorch.callbacks import Callback

from skbadge.exceptions import InvalidInputError
from skbadge.extraction._layers import check_layer_name, static_width
from skbadge.extraction._pass import output_width
from skbadge.learner._classes import GIVEN, encode, resolve_classes
from skbadge.nets._dataset import RelabeledDataset
from skbadge.nets._estimators import (
    adapt_dataset,
    copy_frozen,
    duplicate,
    find_net,
    input_format,
    is_binary,
    is_frozen,
    split_estimator,
)
from skbadge.nets._predict import predicted
from skbadge.nets._probabilities import explained_bfloat16
from skbadge.utils._interrupt import lasting_interrupts
from skbadge.utils._rows import is_dataset
from skbadge.utils._torch import preserved_generators, seeded_generators

__all__ = ["fit_router", "probe_net", "told_strategy", "train"]

_UNCHANGED = Callback.on_train_begin


def fit_router(owner):
    """Route fit parameters from a wrapper to its estimator.

    The wrapper itself may ask for metadata of its other methods, such as weights of
    rows in ``score``.
    """
    mapping = MethodMapping().add(caller="fit", callee="fit")
    if hasattr(owner, "fit_transform"):
        mapping.add(caller="fit_transform", callee="fit")
    router = MetadataRouter(owner=owner).add_self_request(owner)
    return router.add(estimator=owner.estimator, method_mapping=mapping)


def probe_net(estimator, seed, layer):
    """Initialize a throw-away clone of the net, to see what it is made of.

    Returns
    -------
    format : InputFormat
        Which numbers the module takes.
    width : int or None
        Number of classes by its last linear layer; None where callbacks may still
        resize the net when training begins.
    """
    with seeded_generators(seed):
        net = clone(find_net(estimator)).initialize()
    format = input_format(net)
    if _resized_by_callbacks(net):
        return format, None
    if layer is not None:
        check_layer_name(net.module_, layer)
    return format, 2 if is_binary(net) else static_width(net.module_, layer)


def _resized_by_callbacks(net):
    callbacks = net.callbacks if isinstance(net.callbacks, (list, tuple)) else []
    for callback in callbacks:
        callback = callback[1] if isinstance(callback, tuple) else callback
        kind = callback if isinstance(callback, type) else type(callback)
        # Those of the libraries themselves never change a layer.
        library = kind.__module__.split(".")[0] in ("skorch", "skbadge")
        if not library and getattr(kind, "on_train_begin", None) is not _UNCHANGED:
            return True
    return False


def train(estimator, labeled, classes, *, given, previous, seed, format, fit_params):
    """Train on the labelled rows, and settle which columns the classes have.

    Parameters
    ----------
    estimator : net or pipeline
        As the user gave it; frozen ones are copied, not trained.
    labeled : LabeledSet
        Rows and labels.
    classes : ndarray
        The classes as far as they are known before the net has run.
    given : array-like or None
        Classes that are certain.
    previous : fitted estimator or None
        Where training goes on from; None to begin from scratch.
    seed : int
        Fixes initialization, shuffling and dropout.
    format : InputFormat
        Which numbers the module takes.
    fit_params : dict
        Handed to ``fit``.

    Returns
    -------
    fitted : estimator
    classes : ndarray
        One for each column that the fitted net answers.
    """
    net = find_net(estimator)
    certain = given is not None or getattr(net, "classes", None) is not None
    # The width of the net is known only now; where it says that the labels are numbers
    # of columns, they were encoded wrongly.
    for _ in range(2):
        y = encode(labeled.y, classes)
        if is_frozen(estimator):
            fitted = copy_frozen(estimator)
        elif previous is not None:
            fitted = continue_training(
                previous, labeled.X, y, seed=seed, fit_params=fit_params
            )
        else:
            fitted = train_from_scratch(
                estimator,
                labeled.X,
                y,
                seed=seed,
                format=format,
                n_classes=len(classes) if certain else None,
                fit_params=fit_params,
            )
        width = _width(fitted, labeled.X)
        classes = resolve_classes(labeled.y, given, net, width, X=labeled.X)
        if np.array_equal(y, encode(labeled.y, classes)):
            return fitted, classes
    raise InvalidInputError(
        "The width of the net must not change from one training to the next. Got "
        f"{len(classes)} columns after the labels had been encoded for others: give "
        f"all classes with {GIVEN}."
    )


def told_strategy(strategy, pending, labeled, fitted, classes, *, seed):
    """Return the strategy after it learned how the last batches turned out.

    Parameters
    ----------
    strategy : QueryStrategy
        Stays as it is.
    pending : sequence of Pending
        Batches that were labelled since the last training.
    labeled : LabeledSet
        All labelled rows.
    fitted : estimator
        Trained on them.
    classes : ndarray
        The classes of its columns.
    seed : int
        Fixes what a net draws when it predicts.

    Returns
    -------
    QueryStrategy
        A copy that has observed, or the same where it does not learn.
    """
    if not pending or not hasattr(strategy, "observe"):
        return strategy
    strategy = copy.deepcopy(strategy)
    with seeded_generators(seed), explained_bfloat16():
        columns = predicted(fitted, "predict", labeled.X)
    correct = columns.astype(np.intp) == encode(labeled.y, classes)
    for batch in pending:
        strategy.observe(batch.feedback(labeled, correct))
    return strategy


def _width(fitted, X):
    transformers, net = split_estimator(fitted)
    with preserved_generators():
        return output_width(net, X, transformers)


def train_from_scratch(estimator, X, y, *, seed, format, n_classes=None, fit_params):
    """Fit a clone of an estimator under a seed.

    Parameters
    ----------
    estimator : net or pipeline
        Stays untouched.
    X : rows
        As the learner keeps them.
    y : ndarray of int
        Encoded labels.
    seed : int
        Fixes initialisation, shuffling and dropout.
    format : InputFormat
        Which numbers the module takes.
    n_classes : int or None
        Told to the net where it is certain.
    fit_params : dict
        Handed to ``fit``.

    Returns
    -------
    fitted clone

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C came, which skorch alone would take for the wish to stop early.
    InvalidInputError
        If the labels cannot be split for validation, or do not fit the net's width.
    """
    with lasting_interrupts(), seeded_generators(seed):
        fitted = clone(estimator)
        net = find_net(fitted)
        adapt_dataset(net, format)
        if n_classes is not None and not is_binary(net):
            net.set_params(classes=np.arange(n_classes))
        rows, labels = _training_data(net, X, y)
        try:
            with explained_bfloat16():
                fitted.fit(rows, labels, **fit_params)
        except Exception as error:
            problem = _explanation(error, fitted, X, y)
            if problem is None:
                raise
            raise problem from error
    return fitted


def continue_training(estimator, X, y, *, seed, fit_params):
    """Go on training a copy of a fitted estimator; its transformers stay fitted.

    Returns
    -------
    the copy, trained

    Raises
    ------
    KeyboardInterrupt
        As for `train_from_scratch`.
    """
    with lasting_interrupts(), seeded_generators(seed):
        fitted = duplicate(estimator)
        transformers, net = split_estimator(fitted)
        if transformers is not None:
            fit_params = _params_of_net(fitted, fit_params)
            X, y = transformers.training_data(X, y)
        rows, labels = _training_data(net, X, y)
        net.partial_fit(rows, labels, **fit_params)
    return fitted


def _params_of_net(estimator, fit_params):
    """Return those fit parameters of a pipeline that its net would get."""
    if not isinstance(estimator, Pipeline) or not fit_params:
        return fit_params
    name, last = estimator.steps[-1]
    if sklearn.get_config()["enable_metadata_routing"]:
        fit_params = process_routing(estimator, "fit", **fit_params)[name].fit
    else:
        prefix = f"{name}__"
        fit_params = {
            key.removeprefix(prefix): value
            for key, value in fit_params.items()
            if key.startswith(prefix)
        }
    return _params_of_net(last, fit_params)


def _training_data(net, X, y):
    labels = y.astype(np.float32) if is_binary(net) else y.astype(np.int64)
    return (RelabeledDataset(X, labels), labels) if is_dataset(X) else (X, labels)


def _explanation(error, fitted, X, y):
    """Return a clearer error for the two mistakes everyone makes, or None."""
    net = find_net(fitted)
    text = str(error)
    if net.train_split and ("n_splits" in text or "least populated class" in text):
        return InvalidInputError(
            f"The net's train_split could not split the {len(y)} labelled rows for "
            f"validation ({text}). skorch's default takes a fifth of the labels away "
            "and needs five rows of each class: set train_split=None on the net."
        )
    width = _width_or_none(fitted, X)
    n_classes = int(y.max()) + 1
    if width is not None and n_classes > width:
        return InvalidInputError(
            f"The net answers {width} classes, but the labels need at least "
            f"{n_classes}. Change the width of the last layer, or give the classes in "
            f"the order of its columns with {GIVEN}."
        )
    return None


def _width_or_none(fitted, X):
    if not getattr(find_net(fitted), "initialized_", False):
        return None
    try:
        return _width(fitted, X)
    except Exception:  # noqa: BLE001
        # The fit failed already, and its own error says more than this one would.
        return None

"""Train a fresh clone, or go on with a copy, and leave everything else as it was."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.base import clone
from skorch.callbacks import Callback

from skbadge.exceptions import InvalidInputError
from skbadge.extraction._dataset import RelabeledDataset
from skbadge.extraction._forward import output_width
from skbadge.extraction._layers import check_layer_name, static_width
from skbadge.extraction._nets import (
    adapt_dataset,
    find_net,
    is_binary,
    module_dtype,
    split_estimator,
)
from skbadge.utils._interrupt import noticed_interrupts
from skbadge.utils._rows import is_dataset
from skbadge.utils._torch import preserved_generators, seeded_generators

__all__ = ["continue_training", "probe_net", "train_from_scratch"]


def probe_net(estimator, seed, layer):
    """Initialize a throw-away clone of the net, to see what it is made of.

    Returns
    -------
    dtype : torch.dtype
        Floating type of the module.
    width : int or None
        Number of classes by its last linear layer; None where callbacks may still
        resize the net when training begins.
    """
    with seeded_generators(seed):
        net = clone(find_net(estimator)).initialize()
    dtype = module_dtype(net)
    if _resized_by_callbacks(net):
        return dtype, None
    if layer is not None:
        check_layer_name(net.module_, layer)
    return dtype, 2 if is_binary(net) else static_width(net.module_, layer)


def _resized_by_callbacks(net):
    for callback in net.callbacks or []:
        callback = callback[1] if isinstance(callback, tuple) else callback
        kind = callback if isinstance(callback, type) else type(callback)
        if kind.on_train_begin is not Callback.on_train_begin:
            return True
    return False


def train_from_scratch(estimator, X, y, *, seed, dtype, n_classes=None, fit_params):
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
    dtype : torch.dtype
        Floating type of the module.
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
    with noticed_interrupts() as interrupt, seeded_generators(seed):
        fitted = clone(estimator)
        net = find_net(fitted)
        adapt_dataset(net, dtype)
        if n_classes is not None and not is_binary(net):
            net.set_params(classes=np.arange(n_classes))
        rows, labels = _training_data(net, X, y)
        try:
            fitted.fit(rows, labels, **fit_params)
        except Exception as error:
            problem = _explanation(error, fitted, X, y)
            if problem is None:
                raise
            raise problem from error
    if interrupt.seen:
        raise KeyboardInterrupt
    return fitted


def continue_training(estimator, X, y, *, seed, fit_params):
    """Go on training a copy of a fitted estimator; its transformers stay fitted.

    Returns
    -------
    the copy, trained
    """
    with noticed_interrupts() as interrupt, seeded_generators(seed):
        fitted = copy.deepcopy(estimator)
        transformers, net = split_estimator(fitted)
        if transformers is not None:
            if fit_params:
                raise InvalidInputError(
                    "warm_start=True with a pipeline takes no fit parameters, since "
                    f"its steps are not fitted again. Got {sorted(fit_params)}."
                )
            X = transformers.transform(X)
        rows, labels = _training_data(net, X, y)
        net.partial_fit(rows, labels, **fit_params)
    if interrupt.seen:
        raise KeyboardInterrupt
    return fitted


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
            "the order of its columns with classes=[...]."
        )
    return None


def _width_or_none(fitted, X):
    transformers, net = split_estimator(fitted)
    if not getattr(net, "initialized_", False):
        return None
    try:
        with preserved_generators():
            return output_width(net, X, transformers)
    except Exception:
        # The fit failed already, and its own error says more than this one would.
        return None

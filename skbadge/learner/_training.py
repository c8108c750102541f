"""Train a fresh clone, or go on with a copy, and leave everything else as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from skbadge.exceptions import InvalidInputError
from skbadge.extraction._layers import check_layer_name
from skbadge.extraction._pass import output_width
from skbadge.learner._classes import (
    distinct,
    encode,
    may_be_columns,
    too_narrow,
    unclear_columns,
)
from skbadge.learner._explained import explanation
from skbadge.learner._routing import params_of_net
from skbadge.learner._translated import taught_in_columns, translate
from skbadge.learner._warm_start import shrink_perturb, unspent_rate
from skbadge.learner._watched import RowsSeen
from skbadge.nets._batches import first_batch
from skbadge.nets._estimators import (
    InputFormat,
    adapt_dataset,
    copy_frozen,
    duplicate,
    find_net,
    input_format,
    is_binary,
    is_frozen,
    modules_of,
    overrides,
    split_estimator,
)
from skbadge.nets._probabilities import explained_answers
from skbadge.utils._interrupt import lasting_interrupts
from skbadge.utils._params import flat_params
from skbadge.utils._rows import n_rows, take
from skbadge.utils._torch import preserved_generators, seeded_generators

__all__ = [
    "answered_width",
    "cloned",
    "continue_training",
    "load_parameters",
    "probe_net",
    "resized_by_callbacks",
    "train_from_scratch",
    "untrained",
]

# Where a callback may change a net's layers.
_MOMENTS = ("on_train_begin", "on_epoch_begin")


def probe_net(
    estimator: Any, X: Any, y: np.ndarray, *, seed: int, layer: str | None
) -> tuple[InputFormat, int | None]:
    """Initialize a throw-away clone of the net, to see what it is made of.

    Parameters
    ----------
    estimator : net or pipeline
        Stays untouched.
    X, y : rows, ndarray
        Labelled rows, of which one batch is run.
    seed : int
        Under which the net is initialized.
    layer : str or None
        Name of the classification layer.

    Returns
    -------
    format : InputFormat
        Which numbers the module takes.
    width : int or None
        Number of classes the net answers; None where that cannot be known yet.

    Raises
    ------
    LayerError
        If there is no such layer.
    """
    with seeded_generators(seed):
        net = cloned(find_net(estimator)).initialize()
        format = input_format(net)
        if resized_by_callbacks(net):
            return format, 2 if is_binary(net) else None
        if layer is not None:
            check_layer_name(net.module_, layer)
        adapt_dataset(net, format)
        return format, 2 if is_binary(net) else _width_before(estimator, net, X, y)


def cloned(estimator: Any) -> Any:
    """Clone an estimator, or name the parameter that cannot be copied.

    Raises
    ------
    InvalidInputError
        From the error of the copy.
    """
    try:
        return clone(estimator)
    except Exception as error:
        for name, value in flat_params(estimator, "estimator").items():
            if not _can_be_copied(value):
                raise InvalidInputError(
                    f"The parameter {name} of type {type(value).__name__} cannot be "
                    "copied, as every training from scratch must. Let the net make it "
                    "itself (in initialize() or on_train_begin of a callback), or give "
                    "it a __deepcopy__ that returns itself."
                ) from error
        raise


def _can_be_copied(value: Any) -> bool:
    try:
        copy.deepcopy(value)
    except Exception:  # noqa: BLE001
        # Whatever the reason: it is told with the parameter's name.
        return False
    return True


def _width_before(estimator: Any, net: Any, X: Any, y: np.ndarray) -> int | None:
    """Return the width of a net that is not trained yet, or None.

    The steps before a net are fitted for it only where the meaning of the labels hangs
    on the width.
    """
    transformers, _ = split_estimator(estimator)
    if transformers is None:
        return _width_or_none(net, X)
    if not may_be_columns(distinct(y)):
        return None
    try:
        copied, _ = split_estimator(cloned(estimator))
        if copied is not None:
            X, _ = copied.fit(X, y)
    except Exception:  # noqa: BLE001
        # The training meets the same error, and is where a user expects it.
        return None
    return _width_or_none(net, X)


def resized_by_callbacks(net: Any) -> bool:
    """Say whether a net's callbacks may change its layers when training begins."""
    callbacks = net.callbacks if isinstance(net.callbacks, (list, tuple)) else []
    for callback in callbacks:
        callback = callback[1] if isinstance(callback, tuple) else callback
        kind = callback if isinstance(callback, type) else type(callback)
        # Those of the libraries themselves never change a layer.
        library = kind.__module__.split(".")[0] in ("skorch", "skbadge")
        own = [getattr(kind, m, None) is not getattr(Callback, m) for m in _MOMENTS]
        if not library and any(own):
            return True
    return False


def answered_width(fitted: Any, X: Any) -> int:
    """Return the number of classes an estimator answers, seen on its first batch of X.

    A whole batch: a module that looks at its batch may refuse less.
    """
    steps, net = split_estimator(fitted)
    with preserved_generators():
        if not overrides(net, "predict_proba"):
            return output_width(net, X, steps)
        rows = take(X, first_batch(net, n_rows(X)))
        return np.shape(fitted.predict_proba(rows))[-1]


class _ColumnsCheck(Callback):
    """Ask what integer labels mean, once other callbacks have made the net's layers."""

    def __init__(self, classes: np.ndarray) -> None:
        self.classes = classes

    def on_train_begin(
        self, net: Any, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        width = _width_or_none(net, X)
        if width is not None and len(self.classes) < width > self.classes.max():
            raise unclear_columns(self.classes, width)


def train_from_scratch(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    *,
    seed: int,
    format: InputFormat,
    columns: np.ndarray,
    certain: bool = True,
    n_new: int = 0,
    fit_params: dict[str, Any],
) -> Any:
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
    columns : ndarray
        The classes by which the labels are encoded.
    certain : bool, default=True
        Whether they are all classes there are; the net is told then.
    n_new : int, default=0
        Number of rows, the last ones, that no training has had before.
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
        fitted = cloned(estimator)
        net = find_net(fitted)
        adapt_dataset(net, format)
        if certain and not is_binary(net):
            net.set_params(classes=np.arange(len(columns)))
        translate(net, columns)
        callbacks = net.callbacks
        unclear = not certain and may_be_columns(columns)
        if unclear and resized_by_callbacks(net):
            check = ("columns_check", _ColumnsCheck(columns))
            net.set_params(callbacks=[*callbacks, check])
        _train(fitted.fit, fitted, X, y, columns, n_new, fit_params)
        if net.callbacks is not callbacks:
            net.callbacks = callbacks
            net.callbacks_ = [c for c in net.callbacks_ if c[0] != "columns_check"]
    return fitted


def untrained(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    *,
    seed: int,
    format: InputFormat,
    columns: np.ndarray,
) -> Any:
    """Return a clone with fitted steps and an initialized net, for weights to come.

    Parameters are those of `train_from_scratch`. A frozen estimator is copied.
    """
    if is_frozen(estimator):
        return copy_frozen(estimator)
    with seeded_generators(seed):
        fitted = cloned(estimator)
        net = find_net(fitted)
        adapt_dataset(net, format)
        if not is_binary(net):
            net.set_params(classes=np.arange(len(columns)))
        transformers, _ = split_estimator(fitted)
        if transformers is not None:
            transformers.fit(X, columns[y])
        net.initialize()
    return fitted


def load_parameters(net: Any, parameters: Mapping[str, Any]) -> None:
    """Put weights and buffers in the place of a net's own, in place.

    Raises
    ------
    InvalidInputError
        If their names or shapes are not those of the net.
    """
    modules = modules_of(net)
    for part, module in modules.items():
        prefix = f"{part}."
        found = {
            name.removeprefix(prefix): torch.as_tensor(value)
            for name, value in parameters.items()
            if name.startswith(prefix)
        }
        try:
            module.load_state_dict(found)
        except RuntimeError as error:
            raise InvalidInputError(
                f"parameters must be those of the net's {part}, names and shapes. "
                f"Got others: {error}. Give the estimator they were saved from, or "
                "leave them away, which trains again."
            ) from error


def _train(
    fit: Callable[..., Any],
    fitted: Any,
    X: Any,
    y: np.ndarray,
    columns: np.ndarray,
    n_new: int,
    fit_params: dict[str, Any],
) -> None:
    """Train in place; see that rows were read, and explain what went wrong."""
    net = find_net(fitted)
    seen = RowsSeen(net, len(y))
    labels = y.astype(np.float32) if is_binary(net) else y.astype(np.int64)
    rows = seen.data(X, labels)
    try:
        with explained_answers(), taught_in_columns(fitted, columns):
            fit(rows, labels if fitted is net else columns[y], **fit_params)
    except Exception as error:
        problem = explanation(error, net, len(y)) or _narrow(fitted, X, y)
        if problem is None:
            raise
        raise problem from error
    seen.check(n_new)


def continue_training(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    *,
    seed: int,
    columns: np.ndarray,
    perturb_seed: int | None = None,
    n_new: int = 0,
    fit_params: dict[str, Any],
) -> Any:
    """Go on training a copy of a fitted estimator; its transformers stay fitted.

    Parameters
    ----------
    estimator : fitted net or pipeline
        Stays untouched.
    X, y, seed, columns, n_new, fit_params
        As for `train_from_scratch`.
    perturb_seed : int or None, default=None
        Fixes the noise where the weights are shrunk and perturbed first; None goes on
        from them as they are, with the optimizer as it is.

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
        if perturb_seed is not None:
            shrink_perturb(net, perturb_seed)
        if transformers is not None:
            fit_params = params_of_net(fitted, fit_params)
            n_before = len(y)
            X, y = transformers.training_data(X, columns[y])
            y = encode(y, columns)
            # A sampler may have put the new rows anywhere.
            n_new = n_new if len(y) == n_before else 0
        with unspent_rate(net):
            _train(net.partial_fit, net, X, y, columns, n_new, fit_params)
    return fitted


def _narrow(fitted: Any, X: Any, y: np.ndarray) -> InvalidInputError | None:
    """Return the error of a net with fewer columns than there are classes, or None."""
    width = _width_or_none(fitted, X)
    n_classes = int(y.max()) + 1
    if width is None or n_classes <= width:
        return None
    return too_narrow(width, n_classes)


def _width_or_none(fitted: Any, X: Any) -> int | None:
    if not getattr(find_net(fitted), "initialized_", False):
        return None
    try:
        return answered_width(fitted, X)
    except Exception:  # noqa: BLE001
        # The training fails too, or has failed already, and its error says more.
        return None

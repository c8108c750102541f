"""Train a fresh clone, or go on with a copy, and leave everything else as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.learner._classes import (
    encode,
    may_be_columns,
    too_narrow,
)
from skbadge.learner._probed import FirstLook, was_probed, width_or_none
from skbadge.learner._routing import params_of_net
from skbadge.learner._translated import own_splits, taught_in_columns, translate
from skbadge.learner._updates import Updates, listening
from skbadge.learner._warm_start import shrink_perturb
from skbadge.learner._watched import RowsSeen
from skbadge.nets._estimators import (
    InputFormat,
    adapt_dataset,
    cloned,
    copy_frozen,
    duplicate,
    find_net,
    is_binary,
    is_frozen,
    modules_of,
    split_estimator,
)
from skbadge.nets._explained import explanation
from skbadge.utils._interrupt import lasting_interrupts
from skbadge.utils._torch import seeded_generators

__all__ = [
    "continue_training",
    "load_parameters",
    "train_from_scratch",
    "untrained",
]


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
    with (
        lasting_interrupts() as once_more,
        once_more,
        seeded_generators(seed) as again,
        again,
    ):
        fitted = cloned(estimator)
        net = find_net(fitted)
        adapt_dataset(net, format)
        if certain and not is_binary(net):
            net.set_params(classes=np.arange(len(columns)))
        translate(net, columns)
        listeners: dict[str, Any] = {"updates": Updates(goes_on=False)}
        if not was_probed(fitted):
            unclear = not certain and may_be_columns(columns)
            listeners["first_look"] = FirstLook(columns if unclear else None)
        check = _train(fitted.fit, fitted, X, y, columns, n_new, fit_params, listeners)
    # An interrupted training ends above, with KeyboardInterrupt: nothing is its fault.
    check()
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
    with seeded_generators(seed) as again, again:
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
    listeners: dict[str, Any],
) -> Callable[[], None]:
    """Train in place, and explain what went wrong.

    Returns
    -------
    callable
        Sees that rows were read and weights changed.
    """
    net = find_net(fitted)
    seen = RowsSeen(net, len(y))
    labels = y.astype(np.float32) if is_binary(net) else y.astype(np.int64)
    try:
        with (
            own_splits(net, columns),
            taught_in_columns(fitted, columns),
            listening(net, **listeners),
        ):
            rows = seen.data(X, labels)
            fit(rows, labels if fitted is net else columns[y], **fit_params)
    except SkbadgeError:
        raise
    except Exception as error:
        problem: Exception | None = _narrow(fitted, X, y)
        problem = problem or explanation(error, net, "the training", len(y))
        if problem is None:
            raise
        raise problem from error

    def check() -> None:
        seen.check(n_new)
        listeners["updates"].check(net)

    return check


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
    with (
        lasting_interrupts() as once_more,
        once_more,
        seeded_generators(seed) as again,
        again,
    ):
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
        listeners = {"updates": Updates(goes_on=True)}
        fit = net.partial_fit
        check = _train(fit, net, X, y, columns, n_new, fit_params, listeners)
    check()
    return fitted


def _narrow(fitted: Any, X: Any, y: np.ndarray) -> InvalidInputError | None:
    """Return the error of a net with fewer columns than there are classes, or None."""
    width = width_or_none(fitted, X)
    n_classes = int(y.max()) + 1
    if width is None or n_classes <= width:
        return None
    return too_narrow(width, n_classes)

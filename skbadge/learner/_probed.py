"""A net is looked at before it is trained: which numbers it takes, what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from skorch.callbacks import Callback
from torch.nn.parameter import is_lazy

from skbadge.extraction._layers import check_layer_name
from skbadge.extraction._pass import output_width
from skbadge.learner._classes import distinct, may_be_columns, unclear_columns
from skbadge.learner._watched import LOOPS
from skbadge.nets._batches import first_batch
from skbadge.nets._estimators import (
    InputFormat,
    adapt_dataset,
    cloned,
    find_net,
    input_format,
    is_binary,
    overrides,
    split_estimator,
)
from skbadge.nets._explained import explained
from skbadge.nets._settings import check_settings
from skbadge.utils._rows import n_rows, take
from skbadge.utils._torch import preserved_generators, seeded_generators

__all__ = ["FirstLook", "answered_width", "probe_net", "was_probed", "width_or_none"]

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
    InvalidInputError
        If the net cannot be made of its settings.
    LayerError
        If there is no such layer.
    """
    with seeded_generators(seed) as again, again:
        net = cloned(find_net(estimator))
        with explained(net, "a look at the net"):
            net.initialize()
        check_settings(net)
        format = input_format(net)
        if _resized_by_callbacks(net):
            return format, 2 if is_binary(net) else None
        if layer is not None:
            check_layer_name(net.module_, layer)
        adapt_dataset(net, format)
        return format, 2 if is_binary(net) else _probed_width(estimator, net, X, y)


def _probed_width(estimator: Any, net: Any, X: Any, y: np.ndarray) -> int | None:
    """Return the width of a net that is not trained yet, or None.

    The steps before a net are fitted for it only where the meaning of the labels hangs
    on the width.
    """
    transformers, _ = split_estimator(estimator)
    if transformers is None:
        return _width_before(net, X)
    if not may_be_columns(distinct(y)):
        return None
    try:
        copied, _ = split_estimator(cloned(estimator))
        if copied is not None:
            X, _ = copied.fit(X, y)
    except Exception:  # noqa: BLE001
        # The training meets the same error, and is where a user expects it.
        return None
    return width_or_none(net, X)


def _resized_by_callbacks(net: Any) -> bool:
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
    with preserved_generators() as again, again:
        if not overrides(net, "predict_proba"):
            return output_width(net, X, steps)
        rows = take(X, first_batch(net, n_rows(X)))
        return np.shape(fitted.predict_proba(rows))[-1]


def was_probed(estimator: Any) -> bool:
    """Say whether `probe_net` has seen what the net of an estimator answers.

    What steps make of rows, or callbacks of layers, only a training shows.
    """
    steps, net = split_estimator(estimator)
    return steps is None and not _resized_by_callbacks(net)


class FirstLook(Callback):
    """Have a net answer one batch before it is trained, once all others have begun.

    What it cannot answer then, it could not answer after the training that is paid for.

    Parameters
    ----------
    classes : ndarray or None
        Sorted labels, where it is not known whether they are numbers of columns.
    """

    def __init__(self, classes: np.ndarray | None) -> None:
        self.classes = classes

    def on_train_begin(
        self, net: Any, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        made = not any(map(is_lazy, net.module_.parameters()))
        # Lazy layers draw their weights from the generators of the training.
        width = _width_before(net, X) if made or self.classes is not None else None
        if width is None or self.classes is None:
            return
        if len(self.classes) < width > self.classes.max():
            raise unclear_columns(self.classes, width)


def _width_before(net: Any, X: Any) -> int | None:
    """Return the width of an initialized net before its training.

    None where only a training makes the layers, or a loop of the user's own the rest.
    """
    own = any(overrides(net, name) for name in LOOPS)
    if own or any(map(is_lazy, net.module_.parameters())):
        return width_or_none(net, X)
    return answered_width(net, X)


def width_or_none(fitted: Any, X: Any) -> int | None:
    if not getattr(find_net(fitted), "initialized_", False):
        return None
    try:
        return answered_width(fitted, X)
    except Exception:  # noqa: BLE001
        # The training fails too, or has failed already, and its error says more.
        return None

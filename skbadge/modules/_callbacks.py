"""Callbacks for skorch: when to stop, how far a gradient may go, what to record."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from skorch.history import History
from torch.nn.utils import clip_grad_value_

from skbadge.exceptions import InvalidInputError, ModuleOutputError
from skbadge.utils._validation import check_integer, check_real

__all__ = ["ClampGradients", "LeanHistory", "StopAtTrainAccuracy"]


class StopAtTrainAccuracy(Callback):
    """Stop training after an epoch whose training accuracy is high enough.

    The paper trains until more than 99% of the labeled rows are classified correctly.
    The accuracy is counted as training goes, from the outputs that each mini-batch gave
    in train mode before its own update, so it costs no further pass over the data. It
    is recorded for every epoch as ``net.history[:, "train_acc"]``.

    Parameters
    ----------
    threshold : float in (0, 1], default=0.99
        Training stops after the first epoch with at least this accuracy.
    max_epochs : int or None, default=None
        Training stops after this many epochs in any case. None leaves the cap to the
        net's own ``max_epochs``, which always holds as well.
    max_updates : int or None, default=None
        Training stops after the epoch in which the weights were updated for the
        ``max_updates``-th time: a cap on work, where epochs grow with the labels.
    strict : bool, default=False
        Whether the accuracy has to exceed ``threshold``: the paper's words are "until
        the training accuracy exceeds 99%". Its public code stops at equality, too. With
        a threshold of 1 nothing could.

    Attributes
    ----------
    reached_ : bool
        Whether the threshold was reached.
    stopped_by_ : {"threshold", "max_epochs", "max_updates", "interrupt"} or None
        What ended the last training; None while it runs.
    n_updates_ : int
        Mini-batches of the last training.
    n_epochs_ : int
        Epochs of the last training. With a warm start this is less than
        ``len(net.history)``.

    Raises
    ------
    InvalidInputError
        When training begins: for a threshold outside (0, 1], or (0, 1) with ``strict``,
        or a ``max_epochs`` above the net's own, which would end training first. During
        training: for an epoch without a mini-batch.
    ModuleOutputError
        During training: where the module does not return one column a class, or the
        targets are not class numbers.

    Notes
    -----
    Made for :class:`skorch.NeuralNetClassifier`: the class predicted for a row is the
    column with the largest output, be it a logit, a log-probability or a probability.
    Of a module that returns a tuple the first entry is used, as skorch does. A net with
    one logit for two classes (:class:`skorch.NeuralNetBinaryClassifier`) is refused.

    Training is ended the way skorch's own ``EarlyStopping`` does it, by a
    ``KeyboardInterrupt`` that ``partial_fit`` catches; callbacks that come later in the
    list do not see the end of that last epoch. A user's own interrupt ends training
    too and is recorded as such.

    The counts stay on the net's device and are read once an epoch.

    Deviations from the paper: neither the paper nor its public code has a cap, so
    training there need not end; `stopped_by_` says where one was hit. ``strict`` is
    False by default, as in the public code.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal. *Deep Batch Active Learning by
    Diverse, Uncertain Gradient Lower Bounds.* arXiv:1906.03671.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import make_blobs
    >>> from skorch import NeuralNetClassifier
    >>> from skbadge.modules import MLP, StopAtTrainAccuracy
    >>> X, y = make_blobs(60, random_state=0, cluster_std=0.1)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=2, module__n_classes=3, max_epochs=500,
    ...     criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0,
    ...     callbacks=[("stop", StopAtTrainAccuracy(0.99))],
    ... ).fit(X.astype("float32"), y)
    >>> dict(net.callbacks_)["stop"].stopped_by_
    'threshold'
    >>> net.history[-1, "train_acc"] >= 0.99
    True
    """

    def __init__(
        self,
        threshold: float = 0.99,
        *,
        max_epochs: int | None = None,
        max_updates: int | None = None,
        strict: bool = False,
    ) -> None:
        self.threshold = threshold
        self.max_epochs = max_epochs
        self.max_updates = max_updates
        self.strict = strict

    def on_train_begin(
        self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Check the settings and start counting epochs."""
        check_real(
            self.threshold,
            "threshold",
            low=0,
            high=1,
            include_low=False,
            include_high=not self.strict,
        )
        if self.max_updates is not None:
            check_integer(self.max_updates, "max_updates", low=1)
        if self.max_epochs is not None:
            check_integer(self.max_epochs, "max_epochs", low=1)
            if self.max_epochs > net.max_epochs:
                raise InvalidInputError(
                    "max_epochs of StopAtTrainAccuracy must be at most the net's own "
                    f"max_epochs, which ends training first. Got {self.max_epochs} "
                    f"with max_epochs={net.max_epochs} in the net: raise the net's, or "
                    "leave the callback's at None."
                )
        self.n_epochs_ = self.n_updates_ = 0
        self.reached_ = False
        self.stopped_by_: str | None = None
        self.hits_: list[torch.Tensor] = []

    def on_epoch_begin(
        self,
        net: NeuralNet,
        dataset_train: Any = None,
        dataset_valid: Any = None,
        **kwargs: Any,
    ) -> None:
        """Forget the counts of the epoch before."""
        self.hits_ = []

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any = None,
        training: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep which rows of a training batch were classified correctly."""
        if not training:
            return
        y_pred = kwargs["y_pred"]
        if isinstance(y_pred, tuple):
            y_pred = y_pred[0]
        _, y = unpack_data(batch)
        if y_pred.ndim != 2 or y_pred.shape[1] < 2 or y.ndim != 1:
            raise ModuleOutputError(
                "StopAtTrainAccuracy must get outputs of shape (n_rows, n_classes) "
                "with at least 2 columns, and class numbers of shape (n_rows,). Got "
                f"outputs of shape {tuple(y_pred.shape)} and targets of shape "
                f"{tuple(y.shape)} instead: use NeuralNetClassifier with one output a "
                "class."
            )
        # Whole numbers, that no gradient goes through.
        self.hits_.append(y_pred.argmax(dim=1) == y.to(y_pred.device))

    def on_epoch_end(
        self,
        net: NeuralNet,
        dataset_train: Any = None,
        dataset_valid: Any = None,
        **kwargs: Any,
    ) -> None:
        """Record the epoch's accuracy, and end training where it suffices."""
        if not self.hits_:
            raise InvalidInputError(
                "An epoch must have at least one mini-batch. Got none: give more rows, "
                "a smaller batch_size, or leave drop_last at False."
            )
        self.n_updates_ += len(self.hits_)
        hits = torch.cat(self.hits_)
        self.hits_ = []
        self.n_epochs_ += 1
        accuracy = int(hits.sum()) / len(hits)
        net.history.record("train_acc", accuracy)
        self.reached_ = accuracy > self.threshold or (
            not self.strict and accuracy == self.threshold
        )
        capped = self.max_epochs is not None and self.n_epochs_ >= self.max_epochs
        if self.reached_ or capped or self._is_worked_off():
            # skorch's signal for the end of training; partial_fit catches it.
            raise KeyboardInterrupt

    def on_train_end(
        self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Say what ended the training."""
        self.hits_ = []
        cap = net.max_epochs if self.max_epochs is None else self.max_epochs
        if self.reached_:
            self.stopped_by_ = "threshold"
        elif self._is_worked_off():
            self.stopped_by_ = "max_updates"
        elif self.n_epochs_ >= cap:
            self.stopped_by_ = "max_epochs"
        else:
            self.stopped_by_ = "interrupt"

    def _is_worked_off(self) -> bool:
        return self.max_updates is not None and self.n_updates_ >= self.max_updates


class ClampGradients(Callback):
    """Limit every element of every gradient to ``[-max_abs, max_abs]``.

    Parameters
    ----------
    max_abs : float, default=0.1
        Largest absolute value of an element that reaches the optimizer.

    Notes
    -----
    The public code of the paper's authors does this with 0.1; the paper does not
    mention it. Elements are clamped one by one, so the direction of the gradient can
    change, unlike with a clipped norm. NaN stays NaN.

    Examples
    --------
    >>> from skbadge.modules import ClampGradients
    >>> ClampGradients(0.1).max_abs
    0.1
    """

    def __init__(self, max_abs: float = 0.1) -> None:
        self.max_abs = max_abs

    def on_train_begin(
        self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Check the setting."""
        check_real(self.max_abs, "max_abs", low=0, high=math.inf, include_low=False)
        # Collected once: walking through the module for each batch costs more than
        # the clamping of a small network.
        self.parameters_ = [value for _, value in net.get_all_learnable_params()]

    def on_grad_computed(
        self,
        net: NeuralNet,
        named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
        **kwargs: Any,
    ) -> None:
        """Clamp the gradients in place, before the optimizer reads them."""
        clip_grad_value_(self.parameters_, self.max_abs)

    def on_train_end(
        self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Let go of the parameters."""
        self.parameters_ = []


class LeanHistory(Callback):
    """Keep the history of a long training small, and writing to it fast.

    skorch keeps two records of every mini-batch of every epoch, and each record costs a
    copy of the list of epochs, so that training slows down as it goes. With this
    callback only the epoch under way keeps its batches, and a record takes the same
    time in the last epoch as in the first. What is recorded for epochs (losses,
    accuracies, times) is left as it is; where skorch's own callback ``train_loss`` is
    switched off, the mean training loss of an epoch is recorded here.

    Notes
    -----
    2,000 epochs of 390 mini-batches are 780,000 records, some 200 MB, which a pickled
    net would carry along. ``net.history[:-1, "batches"]`` is a list of empty lists.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import make_blobs
    >>> from skorch import NeuralNetClassifier
    >>> from skbadge.modules import MLP, LeanHistory
    >>> X, y = make_blobs(60, random_state=0)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=2, module__n_classes=3, max_epochs=3, verbose=0,
    ...     criterion=torch.nn.CrossEntropyLoss, train_split=None, batch_size=20,
    ...     callbacks=[LeanHistory()],
    ... ).fit(X.astype("float32"), y)
    >>> [len(batches) for batches in net.history[:, "batches"]]
    [0, 0, 3]
    >>> len(net.history[:, "train_loss"])
    3
    """

    def on_train_begin(
        self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Exchange the net's history for one that forgets batches."""
        if not isinstance(net.history, _EpochHistory):
            net.history = _EpochHistory(net.history)
        self.lowest_ = math.inf

    def on_epoch_end(
        self,
        net: NeuralNet,
        dataset_train: Any = None,
        dataset_valid: Any = None,
        **kwargs: Any,
    ) -> None:
        """Record the mean training loss, if nobody else has."""
        epoch = net.history[-1]
        if "train_loss" in epoch:
            return
        batches = [batch for batch in epoch["batches"] if "train_loss" in batch]
        n_rows = sum(batch["train_batch_size"] for batch in batches)
        if not n_rows:
            return
        loss = sum(b["train_loss"] * b["train_batch_size"] for b in batches) / n_rows
        epoch["train_loss"] = loss
        epoch["train_loss_best"] = loss < self.lowest_
        self.lowest_ = min(loss, self.lowest_)


class _EpochHistory(History):
    """A history whose finished epochs have no batches."""

    def new_epoch(self) -> None:
        if self:
            self[-1]["batches"] = []
        super().new_epoch()

    def __getitem__(self, i: Any) -> Any:
        # The base class copies the list of epochs for each access, four a mini-batch.
        if isinstance(i, int):
            return list.__getitem__(self, i)
        return super().__getitem__(i)

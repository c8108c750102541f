"""A classifier of skorch whose loop does no more than its callbacks ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Self

import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import get_len, unpack_data
from skorch.utils import TeeGenerator

from skbadge.utils._validation import check_option

__all__ = ["PRECISIONS", "LeanClassifier"]

PRECISIONS = ("float32", "bfloat16")
_HOOKS = ("on_batch_begin", "on_grad_computed", "on_batch_end")
# What a subclass may have changed so that a mini-batch means something else than one
# module, one criterion and one optimizer.
_OF_A_STEP = (
    "train_step",
    "get_train_step_accumulator",
    "initialize_module",
    "initialize_criterion",
    "initialize_optimizer",
)


class LeanClassifier(NeuralNetClassifier):
    """Train as :class:`skorch.NeuralNetClassifier` does, with less around each batch.

    For every mini-batch skorch tells each callback three times what happens, walks
    through the module to switch it to train mode, and waits for the loss. For a small
    network that is a tenth of the training; on a GPU the wait leaves the device idle.
    Here only callbacks that listen are told, the mode is set where it is not set yet,
    and losses are read once an epoch. The weights come out the same, bit for bit, and
    so does the history.

    Parameters
    ----------
    *args
        As for :class:`skorch.NeuralNetClassifier`.
    precision : {"float32", "bfloat16"}, default="float32"
        With "bfloat16" the forward pass and the loss of a training step run under
        :class:`torch.autocast`: most products are computed in half the bits, weights
        and updates stay as they are. Predictions are always computed in full.
    **kwargs
        As for :class:`skorch.NeuralNetClassifier`.

    Raises
    ------
    InvalidInputError
        When the net is initialized: for another precision.

    See Also
    --------
    lean_settings : Settings that spare the rest of the overhead.

    Notes
    -----
    A callback that reads the loss of a batch from the history while the epoch runs does
    not find it yet: it gets it as ``loss`` in ``on_batch_end``. An epoch that is broken
    off has none.

    A subclass with a ``train_step`` or ``initialize_module`` of its own, or the like,
    trains by skorch's own steps: correct, and no faster. Validation is skorch's.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import make_blobs
    >>> from skbadge.modules import MLP, LeanClassifier, lean_settings
    >>> X, y = make_blobs(60, random_state=0)
    >>> net = LeanClassifier(
    ...     MLP, module__n_features=2, module__n_classes=3, max_epochs=3,
    ...     criterion=torch.nn.CrossEntropyLoss, **lean_settings(),
    ... ).fit(X.astype("float32"), y)
    >>> len(net.history[:, "train_loss"])
    3
    """

    _has_plain_steps = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._has_plain_steps = all(_is_skorchs(cls, name) for name in _OF_A_STEP)

    def __init__(
        self,
        *args: Any,
        precision: Literal["float32", "bfloat16"] = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.precision = precision

    def initialize(self) -> Self:
        """Check the precision, and make all parts of the net."""
        check_option(self.precision, "precision", PRECISIONS)
        return super().initialize()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Run a batch forward and back.

        Returns
        -------
        dict
            ``loss`` and ``y_pred``.
        """
        if not self._has_plain_steps:
            with self._autocast():
                return super().train_step_single(batch, **fit_params)
        X, y = unpack_data(batch)
        if not self.module_.training:
            # A callback has predicted, or the epoch begins.
            self.module_.train()
        with self._autocast():
            y_pred = self.infer(X, **fit_params)
            loss = self.get_loss(y_pred, y, X=X, training=True)
        loss.backward()
        return {"loss": loss, "y_pred": y_pred}

    def run_single_epoch(
        self,
        iterator: Iterable[Any],
        training: bool,
        prefix: str,
        step_fn: Callable[..., Any],
        **fit_params: Any,
    ) -> None:
        """Train, or validate, on all batches once; see skorch."""
        if not training or not self._has_plain_steps:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            return
        begin, computed, end = map(self._listeners, _HOOKS)
        for part in (self.module_, self.criterion_):
            if isinstance(part, torch.nn.Module):
                part.train()
        optimizer = self.optimizer_
        losses: list[torch.Tensor] = []
        steps: list[dict[str, Any]] = []

        def step() -> torch.Tensor:
            # Some optimizers call it several times; the first one counts, as in skorch.
            optimizer.zero_grad()
            steps.append(self.train_step_single(batch, **fit_params))
            for tell in computed:
                named = TeeGenerator(self.get_all_learnable_params())
                tell(self, named_parameters=named, batch=batch, training=True)
            return steps[-1]["loss"]

        for batch in iterator:
            for tell in begin:
                tell(self, batch=batch, training=True)
            steps = []
            optimizer.step(step)
            losses.append(steps[0]["loss"].detach())
            self.history.record_batch(f"{prefix}_batch_size", _n_rows(batch))
            for tell in end:
                tell(self, batch=batch, training=True, **steps[0])
        self._record_losses(prefix, losses)

    def _record_losses(self, prefix: str, losses: list[torch.Tensor]) -> None:
        if losses:
            values = torch.stack(losses).tolist()
            batches = self.history[-1]["batches"]
            for record, value in zip(batches, values, strict=True):
                record[f"{prefix}_loss"] = value
        self.history.record(f"{prefix}_batch_count", len(losses))

    def _listeners(self, hook: str) -> list[Callable[..., Any]]:
        """Return the methods of the net and its callbacks that do something."""
        # The net's own on_batch_begin opens the record of the batch.
        opens = hook == "on_batch_begin"
        own = [self] if opens or not _is_skorchs(type(self), hook) else []
        others = [
            callback
            for _, callback in self.callbacks_
            if getattr(type(callback), hook) is not getattr(Callback, hook)
        ]
        return [getattr(listener, hook) for listener in own + others]

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return nullcontext()
        device = next(self.module_.parameters()).device
        return torch.autocast(device.type, dtype=torch.bfloat16)


def _n_rows(batch: Any) -> int:
    rows = batch[0] if isinstance(batch, (tuple, list)) else batch
    # The walk through anything that may have rows takes as long as a small product.
    return len(rows) if isinstance(rows, torch.Tensor) else get_len(rows)


def _is_skorchs(kind: type, name: str) -> bool:
    """Say whether a class has a method of skorch's nets as it is there."""
    return getattr(kind, name) is getattr(NeuralNet, name)

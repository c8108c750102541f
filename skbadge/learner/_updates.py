"""The updates of a training: at which rates, and whether they changed or broke it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.nn.parameter import is_lazy

__all__ = ["Updates", "listening"]

# Share of the highest rate below which an update changes next to nothing.
_SPENT = 0.01
# Share of a training that a schedule of its length may spend so: a fourth power that
# falls to zero is below a hundredth for 0.32 of it, a cosine for 0.06.
_TAIL = 1 / 3


class Updates(Callback):
    """Note how a net is trained, and warn of a training that changes next to nothing.

    A schedule that steps with every batch is made for a number of batches, which grows
    with the labels; one that steps with every epoch is not, and may end as it likes.

    Parameters
    ----------
    goes_on : bool
        Whether the training goes on where another one has ended.
    """

    def __init__(self, *, goes_on: bool) -> None:
        self.goes_on = goes_on
        self.rates: list[float] = []
        # How many there were when each epoch began.
        self.begun: list[int] = []
        self.weights: torch.Tensor | None = None
        self.n_epochs = 0

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.weights = _digest(net)
        self.n_epochs = len(net.history)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.begun.append(len(self.rates))

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            groups = getattr(getattr(net, "optimizer_", None), "param_groups", ())
            rates = [float(group["lr"]) for group in groups if "lr" in group]
            self.rates.append(max(rates, default=np.nan))

    def check(self, net: Any) -> None:
        """Warn where a training diverged, or where it, or its end, was in vain.

        Parameters
        ----------
        net : skorch net
            After its training.
        """
        found = _of_losses(net.history[self.n_epochs :])
        if found is None and _rate_of(net) != 0:
            # Of 0 nothing else was to be expected.
            found = self._of_rates(net) or self._of_weights(net)
        if found:
            warnings.warn(found, UserWarning, stacklevel=2)

    def _of_rates(self, net: Any) -> str | None:
        rates = np.asarray(self.rates)
        if not len(rates) or not np.isfinite(rates).all():
            return None
        found = self._of_the_last_training(net, rates) if self.goes_on else None
        return found or self._of_batches(net, rates) or _of_periods(net, len(rates))

    def _of_weights(self, net: Any) -> str | None:
        if len(getattr(net, "classes_", (0, 1))) < 2:
            # Of a single class there is nothing to learn.
            return None
        if self.weights is None:
            return None
        after = _digest(net)
        if after is None or not torch.equal(self.weights, after):
            return None
        return (
            "The training changed no weight of the net. Look at its optimizer (which "
            "must train the weights that it is given), at callbacks that clip "
            "gradients, and at a loss that is 0 whatever the module answers."
        )

    def _of_the_last_training(self, net: Any, rates: np.ndarray) -> str | None:
        rate = _rate_of(net)
        if not isinstance(rate, (int, float)) or rates.max() >= _SPENT * rate:
            return None
        return (
            f"The learning rate of this training was at most {rates.max():.2g}, where "
            f"the net's is {rate:g}: with warm_start=True a schedule among its "
            "callbacks goes on where the last training left it, and new labels change "
            'next to nothing. With warm_start="shrink-perturb" or False it begins '
            "anew; or set the rate, learner.estimator_.set_params(lr=...)."
        )

    def _of_batches(self, net: Any, rates: np.ndarray) -> str | None:
        within = np.ones(len(rates), dtype=bool)
        within[[0, *(begun for begun in self.begun if begun < len(rates))]] = False
        with_batches = (np.diff(rates, prepend=rates[0]) != 0)[within].any()
        alive = rates >= _SPENT * rates.max()
        last = int(np.argmax(alive[::-1]))
        if not with_batches or last <= _TAIL * len(rates):
            return None
        return (
            f"The last {last} of the {len(rates)} batches of this training had a "
            f"learning rate below {_SPENT:.0%} of the highest, {rates.max():.2g}, and "
            f"changed next to nothing. {_too_short(net)}"
        )


def _of_losses(epochs: list[dict]) -> str | None:
    """Speak of the first epoch whose loss is no number, of those that noted one."""
    for number, epoch in enumerate(epochs, start=1):
        for name in ("train_loss", "valid_loss"):
            loss = epoch.get(name)
            if isinstance(loss, float) and not math.isfinite(loss):
                return (
                    f"The training diverged: in epoch {number} of {len(epochs)} the "
                    f"{name} was {loss}. The labels are kept: lower the learning "
                    "rate, scale the inputs (and look for NaN among them), or clip "
                    "the gradients (skorch.callbacks.GradientNormClipping), by "
                    "learner.set_params(estimator__lr=...), then call learner.refit(). "
                    "A warm_start would go on with the weights there are: set it to "
                    "False first."
                )
    return None


def _rate_of(net: Any) -> Any:
    return net.get_params(deep=False).get("optimizer__lr", net.lr)


def _digest(net: Any) -> torch.Tensor | None:
    """Return numbers that change with the weights; None before there are any."""
    weights = [weight for _, weight in net.get_all_learnable_params()]
    if any(map(is_lazy, weights)):
        return None
    found = []
    for weight in weights:
        if weight.requires_grad and weight.layout is torch.strided:
            weight = torch.view_as_real(weight) if weight.is_complex() else weight
            # Both, without a copy: few changes leave the sum and the norm alone.
            found.append(weight.detach().sum(dtype=torch.float64).cpu())
            norm = torch.linalg.vector_norm(weight.detach(), dtype=torch.float64)
            found.append(norm.cpu())
    return torch.stack(found) if found else None


def _of_periods(net: Any, n: int) -> str | None:
    """Speak of a schedule that has reached its end, and rises again."""
    for _, callback in net.callbacks_:
        schedule = getattr(callback, "lr_scheduler_", None)
        length = getattr(schedule, "T_max", None)
        steps = getattr(callback, "step_every", None) == "batch"
        done = getattr(schedule, "last_epoch", 0)
        if steps and isinstance(length, int) and done > length:
            return (
                f"A schedule of {length} batches ran through in a training of {n}, and "
                f"the learning rate has risen again. {_too_short(net)}"
            )
    return None


def _too_short(net: Any) -> str:
    names = [
        f"callbacks__{name}"
        for name, callback in net.callbacks_
        if getattr(callback, "step_every", None) == "batch"
    ]
    return (
        f"Look at {' and '.join(names) or 'the schedules among the callbacks'} of the "
        "net: what steps with every batch was made for fewer rows. Let it step with "
        "every epoch (step_every='epoch'), or set its length anew for the rows there "
        "are."
    )


@contextmanager
def listening(net: Any, **listeners: Callback) -> Iterator[None]:
    """Add callbacks to a net for one training, after its own.

    Parameters
    ----------
    net : skorch net
        About to be trained, initialized or not; afterwards its callbacks are its own.
    **listeners : Callback
        By names that they have among its ``callbacks_``.
    """
    own = net.callbacks
    if own == "disable":
        yield
        return
    net.callbacks = [*(own or ()), *listeners.items()]
    if getattr(net, "initialized_", False):
        net.callbacks_ = [*net.callbacks_, *listeners.items()]
    try:
        yield
    finally:
        net.callbacks = own
        kept = getattr(net, "callbacks_", ())
        net.callbacks_ = [pair for pair in kept if pair[0] not in listeners]

"""Where a training begins: from scratch, from the present weights, or between the two.

Weights that were trained on the first labels, and trained on with more, reach a worse
net than those trained on all labels from scratch. Shrinking them and adding a little
noise first closed that gap in the experiments of [1]_, at fewer epochs than from
scratch: a shrunk net prefers the same classes with less confidence, so that old and new
rows have gradients of a like size.

References
----------
.. [1] Ash and Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020,
   `arXiv:1910.08475 <https://arxiv.org/abs/1910.08475>`_, section 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from skbadge.exceptions import InvalidInputError
from skbadge.nets._estimators import modules_of

__all__ = [
    "NOISE",
    "SHRINK",
    "SHRINK_PERTURB",
    "check_warm_start",
    "shrink_perturb",
    "unspent_rate",
]

SHRINK_PERTURB = "shrink-perturb"
SHRINK = 0.6
# Standard deviation.
NOISE = 0.01
# Share of the net's learning rate below which a training changes next to nothing.
_SPENT = 0.01


def check_warm_start(value: Any) -> bool | str:
    """Return how trainings after the first one begin.

    Raises
    ------
    InvalidInputError
        If it is neither a bool nor ``"shrink-perturb"``.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str) and value == SHRINK_PERTURB:
        return SHRINK_PERTURB
    raise InvalidInputError(
        f'warm_start must be False, True or "{SHRINK_PERTURB}". Got {value!r} instead.'
    )


def shrink_perturb(net: Any, seed: int) -> None:
    """Shrink the weights of a trained net and add noise, in place.

    Each trainable weight ``w`` becomes ``0.6 w + e`` with ``e`` from N(0, 0.01^2).
    Weights that are not trained (``requires_grad=False``, such as a pretrained body)
    stay, and so do buffers: they are no product of the optimizer, and those of a
    BatchNorm follow the training that comes. Optimizer, callbacks and history begin
    anew: momenta and step sizes belong to weights that are no more, and a schedule is
    to run its full length.

    Parameters
    ----------
    net : skorch net
        Fitted.
    seed : int
        Fixes the noise, which is drawn on the CPU and the same on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = modules_of(net).values()
    # Each once: a criterion may hold weights of the module.
    weights = {id(weight): weight for part in parts for weight in part.parameters()}
    with torch.no_grad():
        for weight in weights.values():
            if weight.requires_grad:
                noise = torch.randn(weight.shape, generator=generator)
                weight.mul_(SHRINK).add_(noise.to(weight), alpha=NOISE)
    if net.callbacks != "disable":
        net.initialize_callbacks()
    net.initialize_optimizer()
    net.initialize_history()


@contextmanager
def unspent_rate(net: Any) -> Iterator[None]:
    """Warn after a training whose learning rate was spent by the one before.

    A schedule among the callbacks lowers the rate of the optimizer, and a training that
    goes on begins where it ended.

    Parameters
    ----------
    net : skorch net
        About to go on training; it is looked at as it trains.
    """
    highest = _HighestRate()
    net.callbacks_ = [*net.callbacks_, ("highest_rate", highest)]
    try:
        yield
    finally:
        net.callbacks_ = [pair for pair in net.callbacks_ if pair[1] is not highest]
    rate = net.get_params(deep=False).get("optimizer__lr", net.lr)
    known = isinstance(rate, (int, float)) and highest.rate is not None
    if known and highest.rate < _SPENT * rate:
        warnings.warn(
            f"The learning rate of this training was at most {highest.rate:.2g}, where "
            f"the net's is {rate:g}: with warm_start=True a schedule among its "
            "callbacks goes on where the last training left it, and new labels change "
            f'next to nothing. With warm_start="{SHRINK_PERTURB}" or False it begins '
            "anew; or set the rate, learner.estimator_.set_params(lr=...).",
            UserWarning,
            stacklevel=3,
        )


class _HighestRate(Callback):
    """Note the highest learning rate that an epoch began or ended with."""

    rate: float | None = None

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._note(net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self._note(net)

    def _note(self, net: Any) -> None:
        groups = getattr(getattr(net, "optimizer_", None), "param_groups", [])
        rates = [float(group["lr"]) for group in groups if "lr" in group]
        if self.rate is not None:
            rates.append(self.rate)
        self.rate = max(rates, default=None)

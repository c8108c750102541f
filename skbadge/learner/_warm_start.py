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

from typing import Any

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError
from skbadge.nets._estimators import modules_of

__all__ = [
    "NOISE",
    "SHRINK",
    "SHRINK_PERTURB",
    "check_warm_start",
    "shrink_perturb",
]

SHRINK_PERTURB = "shrink-perturb"
SHRINK = 0.6
# Standard deviation.
NOISE = 0.01


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

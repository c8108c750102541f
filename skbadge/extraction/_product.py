"""The gradient of a row in a layer with steps, as one outer product where it is one.

A linear layer that is called on every step of a sequence, on every pixel, or several
times, has the weight gradient ``sum_t r_t (x) h_t``. Where only one step of a row leads
to its scores (the last token), or all do in the same way (a mean over steps, global
pooling), the ``r_t`` of a row are multiples of one vector, and that is again one
product: ``r (x) h`` with the sum of the residuals and the weighted mean of the inputs.
"""

from __future__ import annotations

import torch
from torch import nn

from skbadge.exceptions import LayerError

__all__ = ["as_steps", "check_product", "step_weights"]

# How far the residuals of one row may be from multiples of one vector, by rounding.
_TOLERANCE = 1e-3


def as_steps(tensor: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """Return what went into a layer, or came out, as (n_rows, n_steps, width).

    Parameters
    ----------
    tensor : tensor of shape (n_rows, ..., width), or (n_rows, width, ...) of images
        Input or output of one call.
    layer : nn.Module
        Linear, or a convolution.
    """
    if not isinstance(layer, nn.Linear):
        tensor = tensor.movedim(1, -1)
    return tensor.reshape(len(tensor), -1, tensor.shape[-1])


def step_weights(gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Return how much each step of a row counts: weights that sum to 1.

    Parameters
    ----------
    gradients : tensor of shape (n_rows, n_steps, n_outputs)
        Derivative of something of each row in what the layer gave for each step.

    Returns
    -------
    total : tensor of shape (n_rows, n_outputs)
        Their sum over the steps.
    weights : tensor of shape (n_rows, n_steps)
        With ``gradients[i, t] = weights[i, t] * total[i]``, where that can be.
    good : bool
        Whether it can: whether the derivatives of each row are multiples of one vector.
    """
    # In units of each row: squares of small derivatives would vanish.
    size = gradients.abs().amax(dim=(1, 2))
    unit = torch.where(size > 0, size, 1.0)[:, None]
    scaled = gradients / unit[:, :, None]
    total = scaled.sum(dim=1)
    square = torch.linalg.vecdot(total, total)[:, None]
    weights = (scaled @ total[:, :, None])[:, :, 0] / torch.where(square > 0, square, 1)
    # A row without any gradient counts all its steps alike; its product is zero.
    weights[size == 0] = 1.0 / gradients.shape[1]
    rest = scaled - weights[:, :, None] * total[:, None, :]
    good = bool((rest.abs() <= _TOLERANCE).all())
    return total * unit, weights, good


def check_product(good: bool, name: str, n_steps: int) -> None:
    """Refuse steps whose derivatives are no multiples of one vector.

    Raises
    ------
    LayerError
        Where ``good`` is false.
    """
    if not good:
        raise LayerError(
            f"The layer {name!r} runs on {n_steps} steps of each row, and the steps "
            "lead to the scores in different ways (as under a maximum, or with a "
            "nonlinearity behind the layer), so the gradient in its weight is a sum of "
            "several products of one residual and one feature vector. Let forward pick "
            "or average the steps before the layer, or use a strategy that needs no "
            "gradient (for example MarginSampling)."
        )

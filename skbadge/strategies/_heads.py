"""Which class a head prefers, whatever the number of its outputs."""

from __future__ import annotations

import torch

from skbadge._contracts import Head

__all__ = ["predicted", "two_or_more"]


def two_or_more(head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight and bias with an output for each class: one logit is two of them.

    Returns
    -------
    weight : torch.Tensor of shape (n_classes, n_features)
    bias : torch.Tensor of shape (n_classes,)
        Zeros for a head without one.
    """
    weight = head.weight
    bias = weight.new_zeros(len(weight)) if head.bias is None else head.bias
    if len(weight) > 1:
        return weight, bias
    pad = torch.nn.functional.pad
    return pad(weight, (0, 0, 1, 0)), pad(bias, (1, 0))


def predicted(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Return the column of the largest output for each row, in float32 at least."""
    dtype = torch.promote_types(features.dtype, torch.float32)
    return (features.to(dtype) @ weight.to(dtype).T + bias.to(dtype)).argmax(dim=1)

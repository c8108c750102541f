"""Hold the gradient that strategies see against autograd, once a pass."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager

import torch
from torch.nn.utils import parametrize

from skbadge.exceptions import LayerError
from skbadge.extraction._hooks import captured_calls
from skbadge.extraction._layers import linear_layers, only_call
from skbadge.extraction._residual import row_losses
from skbadge.utils._torch import preserved_generators

__all__ = ["check_gradient"]


def check_gradient(net, X, rows, n_rows, name, residual_of):
    """Check on two rows that (residual) x (features) is the gradient of the net's loss.

    That product is the gradient in the weight of a layer only where the weight acts
    through that one product: not if ``forward`` uses it a second time, say. No list of
    such cases is complete, autograd's answer is. The difference of two rows' losses is
    compared, so that a penalty on the weights in ``get_loss``, which is the same for
    every row, cancels.

    Parameters
    ----------
    net : skorch net
        In evaluation mode.
    X : what the net's iterator yields
        One batch.
    rows : pair of int
        Two rows of the batch; those far from certain show most.
    n_rows : int
        Number of rows of the batch.
    name : str
        Dotted name of the classification layer.
    residual_of : callable
        Takes a `LayerCall`, what the module answered and the rows it answered for;
        returns their residual and hypothetical labels.

    Raises
    ------
    LayerError
        If autograd finds another gradient.

    Notes
    -----
    A module that runs without gradients (under ``torch.no_grad``) cannot be checked and
    is let pass. Cost: the two rows once forward and backward.
    """
    layer = linear_layers(net.module_)[name]
    part = _cut(X, list(rows), n_rows)
    # What cannot be cut is run whole.
    X, (i, j) = (X, rows) if part is None else (part, (0, 1))
    with (
        preserved_generators(),
        torch.enable_grad(),
        parametrize.cached(),
        _trainable(layer),
        _input_of_its_own(layer),
        captured_calls({name: layer}) as calls,
    ):
        answer = net.infer(X)
        call = only_call(calls.take(), name, net.module_)
        residual, labels = residual_of(call, answer, X)
        losses = row_losses(net, answer, labels, X)
        difference = losses[i] - losses[j]
        if not difference.requires_grad:
            return
        # Read only now: where the weight is computed, the pass has just done so.
        (found,) = torch.autograd.grad(difference, layer.weight, allow_unused=True)
    if found is None:
        return
    features, residual = call.features.to(residual.dtype), residual.detach()
    expected = torch.outer(residual[i], features[i])
    expected -= torch.outer(residual[j], features[j])
    eps = max(torch.finfo(t.dtype).eps for t in (call.logits, call.features, losses))
    unit = float(features.abs().max() * residual.abs().max().clamp_min(1.0))
    if torch.allclose(found.to(expected.dtype), expected, rtol=0, atol=16 * eps * unit):
        return
    raise LayerError(
        f"The gradient in the weight of the layer {name!r} must be residual times "
        "features, but autograd finds another: the difference is up to "
        f"{float((found - expected).abs().max()):.2g}, in gradients up to "
        f"{float(found.abs().max()):.2g}. The module uses that weight elsewhere too, "
        "or get_loss runs the module again. Change that, or use a strategy that needs "
        "no residual (for example MarginSampling)."
    )


def _cut(X, rows, n_rows):
    """Return some rows of a batch, or None where it is of no known form."""
    if isinstance(X, torch.Tensor):
        return X[rows] if X.ndim and len(X) == n_rows else None
    if isinstance(X, Mapping):
        parts = {key: _cut(part, rows, n_rows) for key, part in X.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(X, (list, tuple)):
        parts = [_cut(part, rows, n_rows) for part in X]
        return None if any(part is None for part in parts) else parts
    return None


@contextmanager
def _trainable(layer):
    """Let a frozen layer have gradients for a while."""
    frozen = [weight for weight in layer.parameters() if not weight.requires_grad]
    try:
        for weight in frozen:
            weight.requires_grad_(True)
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)


@contextmanager
def _input_of_its_own(layer):
    """Give a layer copies: modules may overwrite its input later, without gradients."""

    def copied(_, args, kwargs):
        parts = {name: part.clone() for name, part in kwargs.items()}
        return tuple(part.clone() for part in args), parts

    handle = layer.register_forward_pre_hook(copied, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()

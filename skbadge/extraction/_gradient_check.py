"""Hold the gradient that strategies see against autograd, once a pass."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils import parametrize

from skbadge.exceptions import LayerError
from skbadge.extraction._hooks import captured_calls
from skbadge.extraction._layers import linear_layers, only_call
from skbadge.extraction._rerun import Rerun
from skbadge.extraction._residual import row_losses
from skbadge.nets._probabilities import unwrapped_criterion
from skbadge.utils._torch import preserved_generators

__all__ = ["check_gradient"]

# Rows that are run: few beside a batch, enough for a module that looks at its batch.
_N_ROWS = 32


def check_gradient(net, X, sizes, name, residual_of):
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
    sizes : tensor of shape (n_rows,)
        Lengths of the rows' residuals. The two longest are compared.
    name : str
        Dotted name of the classification layer.
    residual_of : callable
        Takes a `LayerCall`, what the module answered, the rows it answered for and
        their `Rerun`; returns their residual and hypothetical labels.

    Raises
    ------
    LayerError
        If autograd finds another gradient.

    Notes
    -----
    A module that runs without gradients (under ``torch.no_grad``) cannot be checked and
    is let pass. Cost: 32 rows once forward, and backward from the last layer.
    """
    layer = linear_layers(net.module_)[name]
    # In the order of the batch, which may mean something to the module.
    rows = sizes.topk(min(_N_ROWS, len(sizes))).indices.sort().values.cpu()
    part = _cut(X, rows, len(sizes))
    if part is not None:
        X, sizes = part, sizes[rows]
    i, j = sizes.topk(2).indices.tolist()
    with (
        preserved_generators(),
        torch.enable_grad(),
        parametrize.cached(),
        _differentiable(layer),
        _input_of_its_own(layer),
        captured_calls({name: layer}) as calls,
    ):
        rerun = Rerun(X)
        answer = net.infer(X)
        call = only_call(calls.take(), name, net.module_)
        residual, labels = residual_of(call, answer, X, rerun)
        losses = row_losses(net, answer, labels, X)
        difference = losses[i] - losses[j]
        if not difference.requires_grad:
            return
        # Read only now: where the weight is computed, the pass has just done so.
        (found,) = torch.autograd.grad(difference, layer.weight, materialize_grads=True)
    features, residual = call.features.to(residual.dtype), residual.detach()
    expected = torch.outer(residual[i], features[i])
    expected -= torch.outer(residual[j], features[j])
    eps = max(torch.finfo(t.dtype).eps for t in (call.logits, call.features, losses))
    allowed = _allowed(net, eps, residual) * float(features.abs().max())
    if torch.allclose(found.to(expected.dtype), expected, rtol=0, atol=allowed):
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
        plain = X.layout is torch.strided and X.ndim and len(X) == n_rows
        return X[rows] if plain else None
    if isinstance(X, Mapping):
        parts = {key: _cut(part, rows, n_rows) for key, part in X.items()}
        return None if any(part is None for part in parts.values()) else parts
    if type(X) in (list, tuple):
        parts = [_cut(part, rows, n_rows) for part in X]
        return None if any(part is None for part in parts) else parts
    return None


def _allowed(net, eps, residual):
    """Return how far off a residual may be, by rounding alone."""
    largest = float(residual.abs().max())
    digits = 16
    if isinstance(unwrapped_criterion(net), nn.NLLLoss):
        # skorch adds a machine epsilon to the probabilities before the logarithm; at
        # the hypothetical label they are 1 / K or more.
        digits = max(digits, 4 * residual.shape[1])
    # Probabilities near 1 are rounded; a GPU may multiply with fewer digits than it
    # stores.
    return digits * eps * max(1.0, largest) + 4e-3 * largest


@contextmanager
def _differentiable(layer):
    """Let autograd see a layer's weight as it is: not frozen, and without its hooks."""
    own = dict(layer.named_parameters(recurse=False)).get("weight")
    if own is not None:
        layer.weight = nn.Parameter(own.detach())
        try:
            yield
        finally:
            layer.weight = own
        return
    # Where the weight is computed from others, those must not be frozen.
    frozen = [part for part in layer.parameters() if not part.requires_grad]
    try:
        for part in frozen:
            part.requires_grad_(True)
        yield
    finally:
        for part in frozen:
            part.requires_grad_(False)


@contextmanager
def _input_of_its_own(layer):
    """Give a layer copies: modules may overwrite its input later, without gradients."""

    def copied(_, args, kwargs):
        kwargs = {name: _own(part) for name, part in kwargs.items()}
        return tuple(_own(part) for part in args), kwargs

    handle = layer.register_forward_pre_hook(copied, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _own(part):
    return part.clone() if isinstance(part, torch.Tensor) else part

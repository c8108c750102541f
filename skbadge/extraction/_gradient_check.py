"""Hold the gradient that strategies see against autograd, once a pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from skbadge.exceptions import LayerError
from skbadge.extraction._batch import answered
from skbadge.extraction._hooks import (
    LayerCall,
    captured_calls,
    kept_state,
    removed_hooks,
)
from skbadge.extraction._product import step_weights
from skbadge.extraction._residual import closed_form, row_losses
from skbadge.nets._probabilities import unwrapped_criterion
from skbadge.utils._interrupt import put_back
from skbadge.utils._torch import noted_generators, preserved_generators
from skbadge.utils._tree import leaves, mapped

__all__ = ["check_gradient", "steps_are_alike"]

# Rows that are run: few beside a batch, enough for a module that looks at its batch.
_N_ROWS = 32
# Logits of a net that is sure: about as far as training takes them.
_FAR = 10.0


def check_gradient(head: Any, X: Any, sizes: torch.Tensor) -> None:
    """Check on two rows that (residual) x (features) is the gradient of the net's loss.

    That product is the gradient in the weight of a layer only where the weight acts
    through that one product: not if ``forward`` uses it a second time, say. No list of
    such cases is complete, autograd's answer is. The difference of two rows' losses is
    compared, so that a penalty on the weights in ``get_loss``, which is the same for
    every row, cancels.

    Parameters
    ----------
    head : HeadReader
        Reads the layer; its net stands in evaluation mode.
    X : what the net's iterator yields
        One batch.
    sizes : tensor of shape (n_rows,)
        Lengths of the rows' residuals. The two longest are compared.

    Raises
    ------
    LayerError
        If autograd finds another gradient.

    Notes
    -----
    A module that runs without gradients (under ``torch.no_grad``) cannot be checked and
    is let pass. Cost: 32 rows twice forward, and backward from the last layer.
    """
    net, layer = head.net, head.layer
    # In the order of the batch, which may mean something to the module.
    rows = sizes.topk(min(_N_ROWS, len(sizes))).indices.sort().values.cpu()
    part = _cut(X, rows, len(sizes))
    if part is not None:
        X, sizes = part, sizes[rows]
    i, j = sizes.topk(2).indices.tolist()
    with preserved_generators() as again, again:
        calls, residual, features, labels = _as_in_the_pass(head, _copied(X))
        with (
            torch.enable_grad(),
            parametrize.cached(),
            _differentiable(net.module_, layer),
            _input_of_its_own(layer),
        ):
            answer = net.infer(_copied(X))
            losses = row_losses(net, answer, labels, X)
            difference = losses[i] - losses[j]
            if not difference.requires_grad:
                return
            # Read only now: where the weight is computed, the pass has just done so.
            (found,) = torch.autograd.grad(
                difference, layer.weight, materialize_grads=True
            )
    found = found.reshape(len(found), -1)
    features = features.to(residual.dtype)
    expected = torch.outer(residual[i], features[i])
    expected -= torch.outer(residual[j], features[j])
    eps = max(torch.finfo(t.dtype).eps for t in (layer.weight, losses))
    allowed = _allowed(net, eps, residual) * float(features.abs().max())
    if torch.allclose(found.to(expected.dtype), expected, rtol=0, atol=allowed):
        return
    raise LayerError(
        f"The gradient in the weight of the layer {head.name!r} must be residual times "
        "features, but autograd finds another: the difference is up to "
        f"{float((found - expected).abs().max()):.2g}, in gradients up to "
        f"{float(found.abs().max()):.2g}. {_reason(net.module_, layer, calls)} Change "
        "that, or use a strategy that needs no residual (for example MarginSampling)."
    )


def steps_are_alike(head: Any, X: Any, n_rows: int) -> bool:
    """Say whether all steps of a row lead to the scores alike, whatever they give.

    A nonlinearity behind each step, such as a ReLU before a mean, may by chance treat
    the steps of a young net alike. What the layer gives is therefore replaced by large
    random numbers: a net that is good today is good in all later rounds.

    Parameters
    ----------
    head : HeadReader
        Reads the layer; its net stands in evaluation mode.
    X : what the net's iterator yields
        One batch.
    n_rows : int
        Its rows.

    Returns
    -------
    bool
        True also for a module that runs without gradients, of which nothing is known.
    """
    part = _cut(X, torch.arange(min(_N_ROWS, n_rows)), n_rows)
    generator = torch.Generator().manual_seed(0)

    def scattered(logits: torch.Tensor) -> torch.Tensor:
        return (_FAR * torch.randn(logits.shape, generator=generator)).to(logits)

    with (
        preserved_generators(),
        kept_state(head.net),
        captured_calls({head.name: head.layer}, cut=True, instead=scattered) as record,
    ):
        X = _copied(X if part is None else part)
        batch = answered(head.net, (X, torch.zeros(0)))
    calls = head.own(record.take(), len(batch))
    if not batch.graph.requires_grad:
        return True
    return step_weights(head.all_steps(head.gradients_of_scores(batch, calls)))[2]


def _as_in_the_pass(
    head: Any, X: Any
) -> tuple[list[LayerCall], torch.Tensor, torch.Tensor, torch.Tensor]:
    """Read rows as the pass does, from the generators' present state."""
    reset = noted_generators()
    # A module may learn in evaluation mode too: both runs begin from the same state.
    with (
        kept_state(head.net),
        captured_calls({head.name: head.layer}, cut=True) as record,
    ):
        batch = answered(head.net, (X, torch.zeros(0)))
        calls = head.own(record.take(), len(batch))
    residual, features, labels = head.product(batch, calls)
    if residual is None:
        residual = closed_form(calls[0].logits.detach(), labels)
    reset()
    return calls, residual, features, labels


def _reason(module: nn.Module, layer: Any, calls: list[LayerCall]) -> str:
    """Say what may be the cause: looked for only once autograd has objected."""
    own = dict(layer.named_parameters(recurse=False)).get("weight")
    owners = [
        f"{part_name}.{name}".lstrip(".")
        for part_name, part in module.named_modules()
        for name, parameter in part.named_parameters(
            recurse=False, remove_duplicate=False
        )
        if parameter is own
    ]
    if len(owners) > 1:
        return f"The weight is shared ({', '.join(owners)}), so it acts twice."
    if isinstance(layer, nn.Linear) and not _multiplies(layer, calls[0]):
        return (
            f"The layer ({type(layer).__name__}) does not answer input times weight "
            "plus bias: its class, a hook or a replaced method changes it."
        )
    return (
        "The module uses that weight elsewhere too, or get_loss runs the module again."
    )


def _multiplies(layer: Any, call: LayerCall) -> bool:
    dtype = torch.promote_types(call.logits.dtype, torch.float32)
    with torch.no_grad():
        bias = None if layer.bias is None else layer.bias.to(dtype)
        expected = functional.linear(
            call.features.to(dtype), layer.weight.to(dtype), bias
        )
    found = call.logits.detach().to(dtype)
    return found.shape == expected.shape and torch.allclose(found, expected, 0.01, 0.01)


def _cut(X: Any, rows: torch.Tensor, n_rows: int) -> Any:
    """Return some rows of a batch, or None where it is of no known form."""
    for leaf in leaves(X):
        plain = isinstance(leaf, torch.Tensor) and leaf.layout is torch.strided
        if not plain or not leaf.ndim or len(leaf) != n_rows:
            return None
    return mapped(lambda leaf: leaf[rows], X)


def _copied(X: Any) -> Any:
    """Return a batch that a module may write to."""
    return mapped(lambda leaf: leaf.clone() if torch.is_tensor(leaf) else leaf, X)


def _allowed(net: Any, eps: float, residual: torch.Tensor) -> float:
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
def _differentiable(module: nn.Module, layer: Any) -> Iterator[None]:
    """Let autograd see a layer's weight as it is: not frozen, and without its hooks."""
    own = dict(layer.named_parameters(recurse=False)).get("weight")
    if own is not None:
        # In all places: a weight that is shared acts in each of them.
        places = [
            (part, name)
            for part in module.modules()
            for name, parameter in part.named_parameters(
                recurse=False, remove_duplicate=False
            )
            if parameter is own
        ]
        twin = nn.Parameter(own.detach())

        def share(weight: nn.Parameter) -> None:
            for part, name in places:
                setattr(part, name, weight)

        with put_back(lambda: share(own)) as again, again:
            share(twin)
            yield
        return
    # Where the weight is computed from others, those must not be frozen.
    frozen = [part for part in layer.parameters() if not part.requires_grad]

    def thaw(thawed: bool) -> None:
        for part in frozen:
            part.requires_grad_(thawed)

    with put_back(lambda: thaw(False)) as again, again:
        thaw(True)
        yield


@contextmanager
def _input_of_its_own(layer: Any) -> Iterator[None]:
    """Give a layer copies: modules may overwrite its input later, without gradients."""

    def copied(_: Any, args: Any, kwargs: Any) -> Any:
        return tuple(_copied(args)), _copied(kwargs)

    with removed_hooks() as (handles, again), again:
        handles.append(layer.register_forward_pre_hook(copied, with_kwargs=True))
        yield

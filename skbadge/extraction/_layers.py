"""Find the classification layer: the last linear map before the class scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from skbadge.exceptions import LayerError
from skbadge.extraction._hooks import LayerCall

__all__ = [
    "candidates",
    "check_layer_name",
    "choose_layer",
    "head_of",
    "is_linear",
    "layer_named",
    "linear_layers",
    "static_width",
    "width_of",
]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_INSTEAD = "use a strategy that needs no gradient (for example MarginSampling)"
_BEFORE_SCRIPT = (
    "Give the net the module as it was before torch.jit compiled it, or use a strategy "
    "that reads no layer (for example MarginSampling)."
)


def linear_layers(module: nn.Module) -> dict[str, nn.Module]:
    """List the linear layers of a module by the dotted names a user knows.

    Parameters
    ----------
    module : nn.Module
        May be wrapped by ``torch.compile`` or ``DataParallel``; the wrappers' parts of
        the names are left out.

    Returns
    -------
    dict of str to nn.Linear, or 1x1 convolution
        In the order in which they were registered.

    Raises
    ------
    LayerError
        If ``DataParallel`` spreads a batch over several devices: each of them would
        run the layer.
    """
    return {name: layer for name, layer in _named(module).items() if is_linear(layer)}


def is_linear(layer: Any) -> bool:
    """Say whether a layer multiplies each of its steps by one matrix."""
    if isinstance(layer, torch.jit.ScriptModule):
        return False
    if isinstance(layer, _CONVOLUTIONS):
        return set(layer.kernel_size) == {1} and layer.groups == 1
    return isinstance(layer, nn.Linear)


def width_of(layer: Any) -> int:
    """Return the number of outputs of a linear layer."""
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def head_of(layer: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return weight and bias of a linear layer, the weight as a matrix, as copies."""
    weight, bias = layer.weight.detach(), layer.bias
    bias = None if bias is None else bias.detach().clone()
    return weight.reshape(len(weight), -1).clone(), bias


def _named(module: nn.Module) -> dict[str, nn.Module]:
    return {
        _user_name(name): layer for name, layer in _unwrapped(module).named_modules()
    }


def _user_name(name: str) -> str:
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    return ".".join(parts) or "(module)"


def _unwrapped(module: nn.Module) -> nn.Module:
    # Both wrappers hold the user's module as a child, under these two names.
    while True:
        children = dict(module.named_children())
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            n_devices = len(module.device_ids or ())
            if n_devices > 1:
                raise LayerError(
                    f"{type(module).__name__} over {n_devices} devices "
                    "runs every layer once on each of them, so a batch has no single "
                    "features. Use one device, or wrap the module only for training "
                    "and give FrozenEstimator a net with the inner module."
                )
            module = children["module"]
        elif list(children) == ["_orig_mod"]:
            module = children["_orig_mod"]
        else:
            return module


def describe(layers: Mapping[str, nn.Module]) -> str:
    """List layers with their widths, for error messages."""
    if not layers:
        return "The module has no nn.Linear layer at all."
    listed = ", ".join(
        f"{name!r} ({_inputs_of(layer)} -> {width_of(layer)})"
        for name, layer in layers.items()
    )
    return f"Linear layers of the module: {listed}."


def _inputs_of(layer: Any) -> int:
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def check_layer_name(module: nn.Module, name: str) -> None:
    """Refuse a name that is no layer of the module.

    Raises
    ------
    LayerError
        With the names that there are.
    """
    layer_named(module, name)


def layer_named(module: nn.Module, name: str) -> nn.Module:
    """Return the layer of a dotted name.

    Raises
    ------
    LayerError
        With the names that there are.
    """
    layers = _named(module)
    if name not in layers:
        raise LayerError(
            f"layer must be the dotted name of a layer. Got {name!r} instead. "
            f"{describe(linear_layers(module))}"
        )
    if isinstance(layers[name], torch.jit.ScriptModule):
        raise LayerError(
            f"layer must name a layer whose calls can be observed. Got {name!r}, which "
            f"is TorchScript. {_BEFORE_SCRIPT}"
        )
    return layers[name]


def static_width(module: nn.Module, name: str | None = None) -> int | None:
    """Guess the number of outputs without running the module.

    Returns
    -------
    int or None
        Width of the named layer, or of the linear layer registered last; None where
        there is none.
    """
    layers = linear_layers(module)
    if name is not None:
        return width_of(layers[name]) if name in layers else None
    widths = [width_of(layer) for layer in layers.values()]
    return widths[-1] if widths else None


def candidates(
    module: nn.Module, name: str | None, widths: set[int | None], *, for_gradient: bool
) -> dict[str, nn.Module]:
    """Return the layers to watch in the first batch, by name.

    Parameters
    ----------
    module : nn.Module
        The net's module.
    name : str or None
        The layer a user named: the only one then.
    widths : set of int
        Widths that the layer most likely has. Where some layer has one of them, others
        are not watched: their copies would be large.
    for_gradient : bool
        Whether the layer must be linear.

    Returns
    -------
    dict of str to nn.Module

    Raises
    ------
    LayerError
        If there is none.
    """
    if name is not None:
        layer = layer_named(module, name)
        if for_gradient and not is_linear(layer):
            raise LayerError(
                f"The gradient is read of an nn.Linear layer or a 1x1 convolution. Got "
                f"{name!r}, a {type(layer).__name__}, instead. "
                f"{describe(linear_layers(module))} Name one of these, or {_INSTEAD}."
            )
        return {name: layer}
    layers = linear_layers(module)
    if not layers and _is_scripted(module):
        raise LayerError(
            "The classification layer was not found: the module, or a part of it, is "
            f"TorchScript, whose layers cannot be observed. {_BEFORE_SCRIPT}"
        )
    if not layers:
        instead = (
            f"or {_INSTEAD}"
            if for_gradient
            else "name the one whose inputs are the features with layer='...', or use "
            "a strategy that reads none (for example MarginSampling)"
        )
        raise LayerError(
            f"The module ({type(module).__name__}) has no nn.Linear layer at all, and "
            "no 1x1 convolution, whose calls could be observed. Let forward call such "
            f"a layer, {instead}."
        )
    fitting = {k: layer for k, layer in layers.items() if width_of(layer) in widths}
    return fitting or layers


def _is_scripted(module: nn.Module) -> bool:
    """Say whether any part is TorchScript."""
    return any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())


def choose_layer(
    module: nn.Module, calls: list[LayerCall], scores: torch.Tensor
) -> str:
    """Choose the classification layer among the calls of the first batch.

    It is one whose output leads to the scores, says autograd. Those that have as many
    outputs as there are scores go first, then those that see one vector a row (several
    steps of it need not have a gradient that is one product), then the last.

    Parameters
    ----------
    module : nn.Module
        The net's module.
    calls : list of LayerCall
        In the order of execution, cut.
    scores : tensor of shape (n_rows, n_outputs)
        What the module answered.

    Returns
    -------
    str
        Dotted name of the layer.

    Raises
    ------
    LayerError
        If no layer ran, or none leads to the scores.
    """
    layers = linear_layers(module)
    if not calls:
        width = scores.shape[1]
        wide = any(width_of(layer) == width for layer in layers.values())
        which = f" with {width} outputs, as many as there are scores," if wide else ""
        raise LayerError(
            f"No classification layer was found: no nn.Linear layer{which} ran in the "
            "forward pass (one whose weight functional.linear reads does not run). "
            f"{describe(layers)} Let forward call it, name one that runs with "
            f"layer='...', or {_INSTEAD}."
        )
    leads = zip(calls, _lead(calls, scores), strict=True)
    leading = [call for call, does in leads if does]
    if not leading:
        raise LayerError(
            "No classification layer was found: the scores do not follow from any "
            "nn.Linear layer by steps that torch can differentiate. "
            f"{describe(layers)} Let forward compute the scores outside of no_grad and "
            f"inference_mode, name a layer with layer='...' for its features, or "
            f"{_INSTEAD}."
        )
    width = scores.shape[1]
    fitting = [call for call in leading if width_of(layers[call.name]) == width]
    fitting = fitting or leading
    plain = [call for call in fitting if call.features.ndim == 2]
    return (plain or fitting)[-1].name


def _lead(calls: list[LayerCall], scores: torch.Tensor) -> list[bool]:
    """Say of each call whether the scores follow from it."""
    if not scores.requires_grad:
        # Run without gradients: they are one layer's answer, or nothing is known.
        return [
            call.logits.shape == scores.shape and torch.equal(call.logits, scores)
            for call in calls
        ]
    leaves = [call.logits for call in calls]
    with torch.enable_grad():
        total = scores.sum()
    found = torch.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
    return [gradient is not None for gradient in found]

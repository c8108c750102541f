"""Find the classification layer: the last linear map before the class scores."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from skbadge.exceptions import LayerError

__all__ = [
    "check_layer_name",
    "choose_layer",
    "linear_layers",
    "only_call",
    "static_width",
]


def linear_layers(module):
    """List the linear layers of a module by the dotted names a user knows.

    Parameters
    ----------
    module : nn.Module
        May be wrapped by ``torch.compile`` or ``DataParallel``; the wrappers' parts of
        the names are left out.

    Returns
    -------
    dict of str to nn.Linear
        In the order in which they were registered.

    Raises
    ------
    LayerError
        If ``DataParallel`` spreads a batch over several devices: each of them would
        run the layer.
    """
    inner = _unwrapped(module)
    return {
        _user_name(name): layer
        for name, layer in inner.named_modules()
        if isinstance(layer, nn.Linear)
    }


def _user_name(name):
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    return ".".join(parts) or "(module)"


def _unwrapped(module):
    # Both wrappers hold the user's module as a child, under these two names.
    while True:
        children = dict(module.named_children())
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            if len(module.device_ids or ()) > 1:
                raise LayerError(
                    f"{type(module).__name__} over {len(module.device_ids)} devices "
                    "runs every layer once on each of them, so a batch has no single "
                    "features. Use one device, or wrap the module only for training "
                    "and give FrozenEstimator a net with the inner module."
                )
            module = children["module"]
        elif list(children) == ["_orig_mod"]:
            module = children["_orig_mod"]
        else:
            return module


def describe(layers):
    """List layers with their widths, for error messages."""
    if not layers:
        return "The module has no nn.Linear layer at all."
    listed = ", ".join(
        f"{name!r} ({layer.in_features} -> {layer.out_features})"
        for name, layer in layers.items()
    )
    return f"Linear layers of the module: {listed}."


def check_layer_name(module, name):
    """Refuse a name that is no linear layer of the module.

    Raises
    ------
    LayerError
        With the names that there are.
    """
    layers = linear_layers(module)
    if name not in layers:
        raise LayerError(
            f"layer must be the dotted name of an nn.Linear layer. Got {name!r} "
            f"instead. {describe(layers)}"
        )


def static_width(module, name=None):
    """Guess the number of outputs without running the module.

    Returns
    -------
    int or None
        Width of the named layer, or of the linear layer registered last; None where
        there is none.
    """
    layers = linear_layers(module)
    if name is not None:
        return layers[name].out_features if name in layers else None
    widths = [layer.out_features for layer in layers.values()]
    return widths[-1] if widths else None


def choose_layer(module, calls, width, name=None, *, for_gradient=False):
    """Choose the classification layer among the layers that one batch executed.

    Parameters
    ----------
    module : nn.Module
        The net's module.
    calls : list of LayerCall
        Calls of its linear layers in one batch, in the order of execution.
    width : int
        Number of columns of the module's output.
    name : str or None, default=None
        The layer a user named.
    for_gradient : bool, default=False
        Refuse a layer in whose weight the gradient is not (residual) x (features): one
        that shares it, or does not multiply by it. Its features are still good.

    Returns
    -------
    str
        Dotted name of the layer.

    Raises
    ------
    LayerError
        If no executed layer has the width, the named layer did not run, ran more than
        once, has another width, or does not suit the gradient.
    """
    layers = linear_layers(module)
    if name is None:
        fitting = [c.name for c in calls if layers[c.name].out_features == width]
        if not fitting:
            raise LayerError(
                "No classification layer was found: the module's output has "
                f"{width} columns, and no executed nn.Linear layer has that width. "
                f"{describe(layers)} Name the right one with layer='...'."
            )
        name = fitting[-1]
    else:
        check_layer_name(module, name)
    call = only_call(calls, name, module)
    if layers[name].out_features != width:
        raise LayerError(
            f"The layer {name!r} has width {layers[name].out_features}, but the "
            f"module's output has {width} columns. {describe(layers)} Name the one "
            "that gives the class scores with layer='...'."
        )
    if for_gradient:
        _check_not_tied(module, layers[name], name)
        _check_linear(layers[name], call)
    return name


def only_call(calls, name, module):
    """Return the one call of a layer in a batch.

    Raises
    ------
    LayerError
        If there is none, or more than one.
    """
    advice = f"{describe(linear_layers(module))} Name another one with layer='...'"
    ran = [call for call in calls if call.name == name]
    if not ran:
        raise LayerError(
            f"The layer {name!r} did not run in the forward pass, so it has no "
            f"features to give. {advice}."
        )
    if len(ran) > 1:
        raise LayerError(
            f"The layer {name!r} ran {len(ran)} times in one batch, so its gradient is "
            "no product of one residual and one feature vector. "
            f"{advice}, or call it once."
        )
    return ran[0]


def _check_not_tied(module, layer, name):
    # By the layers' own lists of parameters: reading `layer.weight` itself would
    # compute it anew where it is parametrized. A layer with two names is one layer.
    weight = dict(layer.named_parameters(recurse=False)).get("weight")
    owners = [
        _user_name(f"{part_name}.{parameter_name}".lstrip("."))
        for part_name, part in _unwrapped(module).named_modules()
        for parameter_name, parameter in part.named_parameters(
            recurse=False, remove_duplicate=False
        )
        if parameter is weight
    ]
    if len(owners) > 1:
        raise LayerError(
            f"The weight of the layer {name!r} is shared ({', '.join(owners)}), so the "
            "gradient of the loss in it is not that of a last layer alone. Untie it, "
            "or use a strategy that needs no residual (for example MarginSampling)."
        )


def _check_linear(layer, call):
    # Checked whatever its type: a hook or a replaced method may change what it answers.
    if call.features is None:
        return
    dtype = torch.promote_types(call.logits.dtype, torch.float32)
    with torch.no_grad():
        bias = None if layer.bias is None else layer.bias.to(dtype)
        expected = functional.linear(
            call.features.to(dtype), layer.weight.to(dtype), bias
        )
    tolerance = max(1e-3, 4 * torch.finfo(call.logits.dtype).eps)
    if not torch.allclose(call.logits.to(dtype), expected, tolerance, tolerance):
        raise LayerError(
            f"The layer {call.name!r} ({type(layer).__name__}) does not answer input "
            "times weight plus bias, so its gradient is no product of one residual and "
            "one feature vector. Use a plain nn.Linear without hooks that change its "
            "answer, or a strategy that needs no residual (for example MarginSampling)."
        )

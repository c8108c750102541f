"""Find the classification layer: the last linear map before the class scores."""

from __future__ import annotations

from torch import nn

from skbadge.exceptions import LayerError

__all__ = ["check_layer_name", "choose_layer", "linear_layers", "static_width"]


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


def choose_layer(module, calls, width, name=None, *, refuse_tied=False):
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
    refuse_tied : bool, default=False
        Refuse a layer that shares its weight: its features are still good, but its
        gradient is not that of a last layer alone.

    Returns
    -------
    str
        Dotted name of the layer.

    Raises
    ------
    LayerError
        If no executed layer has the width, the named layer did not run, ran more than
        once, has another width, or shares its weight.
    """
    layers = linear_layers(module)
    if name is None:
        fitting = [call.name for call in calls if call.logits.shape[-1] == width]
        if not fitting:
            raise LayerError(
                "No classification layer was found: the module's output has "
                f"{width} columns, and no executed nn.Linear layer has that width. "
                f"{describe(layers)} Name the right one with layer='...'."
            )
        name = fitting[-1]
    else:
        check_layer_name(module, name)
    ran = [call for call in calls if call.name == name]
    if not ran:
        raise LayerError(
            f"The layer {name!r} did not run in the forward pass, so it has no "
            f"features to give. {describe(layers)} Name another one with layer='...'."
        )
    if len(ran) > 1:
        raise LayerError(
            f"The layer {name!r} ran {len(ran)} times in one batch, so its gradient is "
            "no product of one residual and one feature vector. "
            f"{describe(layers)} Name another one with layer='...', or call it once."
        )
    if ran[0].logits.shape[-1] != width:
        raise LayerError(
            f"The layer {name!r} has width {ran[0].logits.shape[-1]}, but the module's "
            f"output has {width} columns. {describe(layers)} Name the one that gives "
            "the class scores with layer='...'."
        )
    if refuse_tied:
        _check_not_tied(module, layers[name], name)
    return name


def _check_not_tied(module, layer, name):
    owners = [
        owner
        for owner, parameter in module.named_parameters(remove_duplicate=False)
        if parameter is layer.weight
    ]
    if len(owners) > 1:
        raise LayerError(
            f"The weight of the layer {name!r} is shared ({', '.join(owners)}), so the "
            "gradient of the loss in it is not that of a last layer alone. Untie it, "
            "or use a strategy that needs no residual (for example MarginSampling)."
        )

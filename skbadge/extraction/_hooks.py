"""Forward hooks that are always taken away again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

__all__ = ["LayerCall", "capture_calls", "checked_inputs", "kept_modes"]


@dataclass
class LayerCall:
    """One call of a layer: what went in and what came out, both cloned."""

    name: str
    features: torch.Tensor
    logits: torch.Tensor


@dataclass
class Captured:
    """The calls seen since the last `clear`, in the order of execution."""

    calls: list[LayerCall] = field(default_factory=list)

    def clear(self):
        """Forget the calls of the last batch."""
        self.calls.clear()


@contextmanager
def capture_calls(layers):
    """Record every call of some layers while the context lasts.

    Parameters
    ----------
    layers : dict of str to nn.Module
        The layers to watch, by dotted name.

    Yields
    ------
    Captured
        Tensors are cloned, since an in-place operation after (or, for the input,
        inside) the layer would overwrite them.
    """
    captured = Captured()

    def hook_for(name):
        def hook(layer, args, kwargs, output):
            given = args[0] if args else kwargs["input"]
            captured.calls.append(
                LayerCall(name, given.detach().clone(), output.detach().clone())
            )

        return hook

    handles = []
    try:
        for name, layer in layers.items():
            handles.append(
                layer.register_forward_hook(hook_for(name), with_kwargs=True)
            )
        yield captured
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def checked_inputs(module, check):
    """Call ``check(tensor)`` on every floating tensor that reaches a module.

    Parameters
    ----------
    module : nn.Module
        The whole module of a net.
    check : callable
        Takes one tensor; raises where it is bad.
    """

    def hook(_, args, kwargs):
        for value in (*args, *kwargs.values()):
            for tensor in _tensors(value):
                if tensor.is_floating_point():
                    check(tensor)

    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


@contextmanager
def kept_modes(*modules):
    """Give every submodule its train or evaluation mode back at the end."""
    modes = [
        (part, part.training)
        for module in modules
        if isinstance(module, nn.Module)
        for part in module.modules()
    ]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training

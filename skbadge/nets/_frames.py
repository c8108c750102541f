"""Where an error came from: what its frames know of rows and layers."""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

import torch

from skbadge.utils._tree import leaves

__all__ = ["batch_of", "described", "given_to", "place_of"]


def batch_of(error: Exception) -> tuple[Any, list[FrameType]] | None:
    """Return what a module was given when an error came, and all frames.

    None where it did not come out of a module.
    """
    return given_to(error, "infer", "x")


def given_to(
    error: Exception, method: str, name: str
) -> tuple[Any, list[FrameType]] | None:
    """Return what a method of skorch in which an error came was given, and all frames.

    Parameters
    ----------
    error : Exception
        With its traceback.
    method : str
        Name of the method.
    name : str
        Of its argument.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        if frame.f_code.co_name == method and name in frame.f_locals:
            return frame.f_locals[name], frames
    return None


def described(batch: Any) -> str:
    """Say of which shapes and types the tensors of a batch are."""
    found = [
        f"shape {tuple(leaf.shape)} and type {str(leaf.dtype).removeprefix('torch.')}"
        for leaf in leaves(batch)
        if isinstance(leaf, torch.Tensor)
    ]
    return ", ".join(found[:4]) or type(batch).__name__


def place_of(frames: list[FrameType], net: Any) -> str:
    """Name the innermost layer of the module in which it happened."""
    names = {id(part): name for name, part in net.module_.named_modules()}
    for frame in reversed(frames):
        layer = frame.f_locals.get("self")
        name = names.get(id(layer))
        if name:
            kind = repr(layer)
            kind = kind if "\n" not in kind else type(layer).__name__
            return f", in its layer {name}, {kind}"
    return ""

"""The one walk over nested dicts, lists and tuples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

__all__ = ["leaves", "mapped", "tensors_of"]


def leaves(tree: Any) -> Iterator[Any]:
    """Yield what stands in nested dicts, lists and tuples, in their order.

    Parameters
    ----------
    tree : dict, list or tuple of trees, or anything else
        Anything else is a leaf.

    Yields
    ------
    leaf
    """
    # A tensor or an array, by far the most common, first: an abstract class asks long.
    if isinstance(tree, (torch.Tensor, np.ndarray)):
        yield tree
        return
    if isinstance(tree, Mapping):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        yield tree
        return
    for part in tree:
        yield from leaves(part)


def mapped(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply a function leaf by leaf, and return a tree of the first one's make-up.

    Parameters
    ----------
    function : callable
        Takes one leaf of each tree.
    *trees : trees of the same make-up
        The first decides what counts as a leaf.

    Returns
    -------
    tree
        Dicts become plain dicts, named tuples and lists stay what they are.
    """
    first = trees[0]
    if isinstance(first, (torch.Tensor, np.ndarray)):
        return function(*trees)
    if isinstance(first, Mapping):
        return {key: mapped(function, *(t[key] for t in trees)) for key in first}
    if isinstance(first, (list, tuple)):
        parts = [mapped(function, *group) for group in zip(*trees, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    return function(*trees)


def tensors_of(tree: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a tree."""
    return (leaf for leaf in leaves(tree) if isinstance(leaf, torch.Tensor))

"""Parameters by their full names, to see what ``set_params`` has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.pipeline import Pipeline
from torch import Tensor
from torch.nn import Module

__all__ = ["changed_names", "flat_params"]


def flat_params(value: Any, name: str) -> dict[str, Any]:
    """Return the parameters of an estimator and of all that is nested in it.

    Unlike ``get_params(deep=True)``, it looks into lists (arms of a strategy, callbacks
    of a net), and leaves out the new callbacks that skorch makes at each call.

    Parameters
    ----------
    value : object
        An estimator; anything else stands for itself.
    name : str
        What to call it.

    Returns
    -------
    dict of str to object
        The type of each estimator, the length of each list, and all other values; by
        names such as ``"estimator__callbacks__stopping__patience"``. What holds itself,
        as a callback that knows its learner, is not entered again.
    """
    return dict(_walk(value, name))


def _walk(
    value: Any, name: str, outer: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Any]]:
    if any(value is other for other in outer):
        yield name, type(value)
        return
    if hasattr(value, "get_params") and not isinstance(value, (type, Module)):
        yield name, type(value)
        parts = value.get_params(deep=False)
        if isinstance(value, Pipeline):
            parts = {**parts, **dict(parts.pop("steps"))}
    elif isinstance(value, (list, tuple)):
        yield name, len(value)
        parts = dict(_named(i, part) for i, part in enumerate(value))
    else:
        yield name, value
        return
    for key, part in parts.items():
        yield from _walk(part, f"{name}__{key}", (*outer, value))


def _named(position: int, part: Any) -> tuple[Any, Any]:
    pair = isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str)
    return part if pair else (position, part)


def changed_names(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the names whose values differ between two answers of `flat_params`."""
    missing = object()
    names = {**before, **now}
    return [
        name
        for name in names
        if not _equal(before.get(name, missing), now.get(name, missing))
    ]


def _equal(first: Any, second: Any) -> bool:
    if first is second:
        return True
    if isinstance(first, float) and first != first:
        # A NaN that was pickled is another object.
        return isinstance(second, float) and second != second
    if getattr(first, "shape", None) != getattr(second, "shape", None):
        return False
    if isinstance(first, Tensor) != isinstance(second, Tensor):
        return False
    try:
        same = first == second
        if not hasattr(same, "all"):
            return bool(same)
        return bool((same | ((first != first) & (second != second))).all())
    except (RuntimeError, TypeError, ValueError):
        # Tensors on different devices, and what else cannot be compared.
        return False

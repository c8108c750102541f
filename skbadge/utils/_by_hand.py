"""Tables that a user made by hand: numbers, finite, and of widths that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from skbadge.exceptions import InvalidInputError

__all__ = ["check_widths", "finite_tensor"]


def finite_tensor(values: Any, name: str) -> torch.Tensor:
    """Return a field made by hand, or say that it holds no finite numbers."""
    try:
        table = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(
            f"{name} must be numbers, in rows of one length. Got a "
            f"{type(values).__name__} that is no such table: {error}."
        ) from error
    bad = ~torch.isfinite(table)
    if bool(bad.any()):
        rows = bad.reshape(len(bad), -1).any(dim=1) if bad.ndim else bad[None]
        raise InvalidInputError(
            f"{name} must be finite. Got NaN or infinity in {int(rows.sum())} of "
            f"{len(rows)} rows instead, the first at position "
            f"{int(rows.nonzero()[0])}."
        )
    return table


def check_widths(found: Mapping[str, Any], labeled: Mapping[str, Any]) -> None:
    """Refuse labelled rows, or a layer, of another width than the rows."""
    widths = {k: v.shape[-1] for k, v in found.items() if k != "head" and v.ndim > 1}
    pairs = {
        f"labeled.{name}": (widths.get(name), table.shape[-1])
        for name, table in labeled.items()
        if name != "head" and table.ndim > 1
    }
    if "head" in found and found["head"].weight.ndim > 1:
        pairs["head"] = (widths.get("features"), found["head"].weight.shape[1])
    for name, (width, other) in pairs.items():
        if width not in (None, other):
            raise InvalidInputError(
                f"{name} must be as wide as the rows that it goes with, {width}. Got "
                f"{other} columns instead."
            )

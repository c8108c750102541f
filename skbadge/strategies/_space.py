"""In which space rows are compared: what the net makes of them, or what it is given."""

from __future__ import annotations

from typing import Any

import torch

from skbadge._contracts import Needs, Outputs
from skbadge.utils._validation import check_option

__all__ = ["check_space", "read_space", "space_needs"]


def check_space(features: Any) -> None:
    """Refuse what is neither "net" nor "input"."""
    check_option(features, "features", ("net", "input"))


def space_needs(features: str) -> Needs:
    """Return what must be found of the rows."""
    return Needs(inputs=True) if features == "input" else Needs(features=True)


def read_space(outputs: Outputs, features: str) -> torch.Tensor:
    """Return the table of rows."""
    return outputs.inputs if features == "input" else outputs.features

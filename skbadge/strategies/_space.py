"""In which space rows are compared: what the net makes of them, or what it is given."""

from __future__ import annotations

from skbadge._contracts import Needs
from skbadge.utils._validation import check_option

__all__ = ["check_space", "read_space", "space_needs"]


def check_space(features):
    """Refuse what is neither "net" nor "input"."""
    check_option(features, "features", ("net", "input"))


def space_needs(features):
    """Return what must be found of the rows."""
    return Needs(inputs=True) if features == "input" else Needs(features=True)


def read_space(outputs, features):
    """Return the table of rows."""
    return outputs.inputs if features == "input" else outputs.features

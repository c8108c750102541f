"""Rows of an embedding in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["Rows", "take"]


def take(tensor: torch.Tensor, key: slice | torch.Tensor) -> torch.Tensor:
    """Return some rows of a tensor: a view for a slice, a copy for positions."""
    if isinstance(key, slice) or key.device != tensor.device:
        return tensor[key]
    # Several times as fast as indexing with the positions.
    return tensor.index_select(0, key)


@dataclass(frozen=True, eq=False)
class Rows:
    """A few rows ``g = left (x) (right, constant)``, scaled, with their norms.

    Parameters
    ----------
    left : torch.Tensor of shape (m, K) or None
        First factor; None stands for a column of ones.
    right : torch.Tensor of shape (m, d)
        Second factor.
    constant : float
        A last coordinate that every row of the second factor shares (the bias).
    left_sq, right_sq : torch.Tensor of shape (m,), dtype float64
        Squared norms of the factors, ``constant`` included.
    """

    left: torch.Tensor | None
    right: torch.Tensor
    constant: float
    left_sq: torch.Tensor
    right_sq: torch.Tensor

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, key: slice | torch.Tensor) -> Rows:
        return self.each(lambda tensor: take(tensor, key))

    def each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        """Return rows made of what a function makes of each tensor."""
        return Rows(
            None if self.left is None else function(self.left),
            function(self.right),
            self.constant,
            function(self.left_sq),
            function(self.right_sq),
        )

    @property
    def norm_sq(self) -> torch.Tensor:
        """Squared norm of each row, float64."""
        return self.left_sq * self.right_sq

    def scaled(self, factor: float) -> Rows:
        """Return ``factor`` times the rows; the rows themselves for 1."""
        if factor == 1.0:
            return self
        return Rows(
            self.left,
            self.right * factor,
            self.constant * factor,
            self.left_sq,
            self.right_sq * factor * factor,
        )

    def double(self) -> Rows:
        """Return the same rows in float64, their norms to the last digit."""
        left = None if self.left is None else self.left.double()
        right = self.right.double()
        return Rows(
            left,
            right,
            self.constant,
            self.left_sq if left is None else torch.linalg.vecdot(left, left),
            torch.linalg.vecdot(right, right) + self.constant**2,
        )

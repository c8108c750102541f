"""The rows chosen so far, gathered in one buffer for block products."""

from __future__ import annotations

import torch

from skbadge.embeddings._rows import Rows

__all__ = ["Centers"]


class Centers:
    """Rows in the order of choice; slices of it are views.

    Parameters
    ----------
    capacity : int
        How many rows will be chosen. Memory is touched only as it is filled.
    like : Rows
        Any rows of the embedding, for shapes, dtype and device.
    """

    def __init__(self, capacity: int, like: Rows) -> None:
        def buffer(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.new_empty((capacity, *tensor.shape[1:]))

        self._filled = 0
        self._rows = Rows(
            None if like.left is None else buffer(like.left),
            buffer(like.right),
            like.constant,
            buffer(like.left_sq),
            buffer(like.right_sq),
        )

    def __len__(self) -> int:
        return self._filled

    def __getitem__(self, key: slice) -> Rows:
        return self._rows[: self._filled][key]

    @property
    def room(self) -> int:
        """How many more rows fit."""
        return len(self._rows) - self._filled

    def append(self, rows: Rows) -> None:
        """Add rows at the end."""
        stop = self._filled + len(rows)
        target = self._rows[self._filled : stop]
        if target.left is not None and rows.left is not None:
            target.left.copy_(rows.left)
        target.right.copy_(rows.right)
        target.left_sq.copy_(rows.left_sq)
        target.right_sq.copy_(rows.right_sq)
        self._filled = stop

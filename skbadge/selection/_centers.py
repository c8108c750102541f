"""The rows chosen so far, gathered in one buffer for block products."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from skbadge.embeddings._distances import nearest_sq
from skbadge.embeddings._rows import Rows

__all__ = ["Centers"]

# Rows that are compared with the same new centers at a time; as many more as lack the
# same ones.
_SHARED, _LARGEST_SHARED = 128, 2048


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
        self._filled = 0
        self._rows = like.each(
            lambda tensor: tensor.new_empty((capacity, *tensor.shape[1:]))
        )

    def __len__(self) -> int:
        return self._filled

    def __getitem__(self, key: slice) -> Rows:
        return self._rows[: self._filled][key]

    @property
    def room(self) -> int:
        """How many more rows fit."""
        return len(self._rows) - self._filled

    def clear(self) -> None:
        """Take all rows out, and keep their memory for others."""
        self._filled = 0

    def append(self, rows: Rows) -> None:
        """Add rows at the end, as many as fit."""
        rows = rows[: self.room]
        stop = self._filled + len(rows)
        target = self._rows[self._filled : stop]
        if target.left is not None and rows.left is not None:
            target.left.copy_(rows.left)
        target.right.copy_(rows.right)
        target.left_sq.copy_(rows.left_sq)
        target.right_sq.copy_(rows.right_sq)
        self._filled = stop

    def nearest_sq(
        self,
        rows: Rows,
        distance_sq: np.ndarray,
        seen: np.ndarray,
        stop: int | None = None,
    ) -> np.ndarray:
        """Return squared distances of rows to the nearest of all centers.

        Parameters
        ----------
        rows : Rows
            The rows.
        distance_sq : ndarray of shape (len(rows),)
            What they were with the first ``seen`` centers, or a bound of what they are.
        seen : ndarray of int of shape (len(rows),)
            How many centers each row was compared with.
        stop : int or None, default=None
            How many centers to look at, at least ``seen``; None for all.

        Returns
        -------
        ndarray of shape (len(rows),)
        """
        stop = len(self) if stop is None else stop
        nearest = distance_sq.copy()
        # Rows that have seen about as many share a product.
        order = np.argsort(seen, kind="stable")
        for part in _shares(order, seen[order]):
            first = int(seen[part[0]])
            if first == stop:
                break
            new = self[first:stop]
            found = nearest_sq(rows[torch.from_numpy(part)], new).cpu().numpy()
            nearest[part] = np.minimum(nearest[part], found)
        return nearest


def _shares(order: np.ndarray, seen: np.ndarray) -> list[np.ndarray]:
    """Cut an order in parts, given ascending numbers of centers seen."""
    cuts = [0]
    while cuts[-1] < len(order):
        start = cuts[-1]
        alike = int(np.searchsorted(seen, seen[start], side="right"))
        stop = max(start + _SHARED, min(alike, start + _LARGEST_SHARED))
        cuts.append(min(stop, len(order)))
    return [order[a:b] for a, b in itertools.pairwise(cuts)]

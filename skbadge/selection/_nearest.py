"""Squared distances of all rows to their nearest centers, as the plain loop has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skbadge.embeddings import Embedding
from skbadge.embeddings._sweep import Sweep, can_sweep
from skbadge.selection._centers import Centers

__all__ = ["Nearest"]

# In numbers of the pool, read once: what a sweep costs beside those it reads, how dear
# the bookkeeping of a row is, and how many products cost as much as a number read.
_PER_SWEEP, _PER_ROW, _PRODUCTS = 200_000, 16, 8
# So many centers are taken in one after another.
_FEW = 8


class Nearest:
    """Exact squared distances of all rows, kept by one sweep from each center.

    Parameters
    ----------
    embedding : Embedding
        The pool.
    centers : Centers
        The rows chosen, those of later blocks too.

    Attributes
    ----------
    is_possible : bool
        Whether the rows are where a sweep reaches them.
    sq : ndarray of shape (n_pool,), dtype float64
        Once `catch_up` was called: 0 for what is chosen.
    """

    def __init__(self, embedding: Embedding, centers: Centers) -> None:
        self._embedding = embedding
        self._centers = centers
        self._sweep: Sweep | None = None
        self._n_seen = 0
        self.is_possible = can_sweep(embedding)
        self.sq = np.empty(0)

    @property
    def is_exact(self) -> bool:
        """Whether all centers are in it."""
        return self._n_seen == len(self._centers)

    def cost(self, n_new: float, width: int) -> float:
        """Return what ``n_new`` further centers cost, in numbers of the pool."""
        n, behind = len(self._embedding), len(self._centers) - self._n_seen
        cost = n_new * (n * (width + _PER_ROW) + _PER_SWEEP)
        if behind:
            cost += n * width * (1 + behind / _PRODUCTS) + _PER_SWEEP
        return cost

    def catch_up(self, chosen: Sequence[int]) -> None:
        """Take in what was chosen without it."""
        self._begun()
        if len(self._centers) - self._n_seen <= _FEW:
            for center in chosen[self._n_seen :]:
                self.add(center)
            return
        new = self._centers[self._n_seen :]
        found = self._embedding.nearest_sq(slice(None), new).cpu().numpy()
        np.minimum(self.sq, found, out=self.sq)
        self.sq[list(chosen)] = 0.0
        self._n_seen = len(self._centers)

    def add(self, center: int) -> None:
        """Take in the next center, by its position in the pool."""
        sweep = self._begun()
        self.sq[center] = 0.0
        sweep.lower(self.sq, center)
        self._n_seen += 1

    def _begun(self) -> Sweep:
        if self._sweep is None:
            self._sweep = Sweep(self._embedding, self._embedding.dtype)
            self.sq = np.full(len(self._embedding), np.inf)
        return self._sweep

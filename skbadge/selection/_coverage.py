"""Maximum coverage: always the row whose ball holds most rows that none holds yet."""

from __future__ import annotations

import numpy as np
import torch

from skbadge.embeddings import DenseEmbedding
from skbadge.embeddings._tensors import chunk_length

__all__ = ["Balls", "max_coverage_greedy"]

# Rows whose gain is counted anew at a time.
_BLOCK = 64


class Balls:
    """Which rows lie within a distance of each other, compared by direction.

    Parameters
    ----------
    features : torch.Tensor of shape (n, n_features)
        Rows; those of zeros are at distance 1 of all others. May be a memory map: read
        in blocks, never copied whole.
    """

    def __init__(self, features: torch.Tensor) -> None:
        self._embedding = DenseEmbedding(features)
        self._norms = self._embedding.norms()

    def __len__(self) -> int:
        return len(self._embedding)

    def directions(self, rows: np.ndarray | slice) -> torch.Tensor:
        """Return rows scaled to length 1."""
        index = rows if isinstance(rows, slice) else torch.from_numpy(rows)
        right = self._embedding.rows(index).right
        norms = self._norms[index].to(right)
        return right / torch.where(norms > 0, norms, 1.0)[:, None]

    def distances(self, rows: np.ndarray | slice, to: torch.Tensor) -> torch.Tensor:
        """Return distances of some rows to directions, (n_rows, len(to))."""
        ours = self.directions(rows)
        squares = ours.square().sum(dim=1)[:, None] + to.square().sum(dim=1)
        return (squares - 2 * ours @ to.to(ours).T).clamp_min(0.0).sqrt()

    def counts(
        self, rows: np.ndarray, among: np.ndarray, radius: float
    ) -> torch.Tensor:
        """Return for some rows how many of others their balls hold."""
        centers = self.directions(rows)
        found = centers.new_zeros(len(rows), dtype=torch.int64)
        step = chunk_length(max(centers.shape))
        for start in range(0, len(among), step):
            part = among[start : start + step]
            found += (self.distances(part, centers) <= radius).sum(dim=0)
        return found


def max_coverage_greedy(
    balls: Balls,
    n: int,
    *,
    radius: float,
    covered: np.ndarray,
    priority: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows, each covering most rows that are not covered yet.

    Gains only fall, so that a stale one is an upper bound: only the rows whose bound is
    largest are counted anew.

    Parameters
    ----------
    balls : Balls
        The rows.
    n : int
        In [1, len(balls)].
    radius : float
        Of the balls.
    covered : ndarray of bool of shape (len(balls),)
        Rows that are covered already.
    priority : ndarray of int of shape (len(balls),)
        Order among equal gains, lower first, without repeats.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice; once all is covered, by priority.
    gains : ndarray of shape (n,), dtype float64
        How many rows each covered that were not.
    """
    covered = covered.copy()
    n_pool = len(balls)
    open_ = np.flatnonzero(~covered)
    # A gain and the priority in one number, all different.
    second = 1.0 - (priority + 1.0) / (n_pool + 1.0)
    bound = second.copy()
    step = chunk_length(n_pool)
    for start in range(0, n_pool, step):
        rows = np.arange(start, min(start + step, n_pool))
        bound[rows] += balls.counts(rows, open_, radius).cpu().numpy()
    indices: list[int] = []
    gains: list[float] = []
    fresh = np.ones(n_pool, dtype=bool)
    while len(indices) < n:
        best = int(bound.argmax())
        if not fresh[best]:
            top = np.argpartition(-bound, min(_BLOCK, n_pool) - 1)[:_BLOCK]
            rows = top[~fresh[top] & np.isfinite(bound[top])]
            found = balls.counts(rows, open_, radius).cpu().numpy()
            bound[rows] = found + second[rows]
            fresh[rows] = True
            continue
        gain = np.floor(bound[best])
        indices.append(best)
        gains.append(float(gain))
        bound[best] = -np.inf
        if gain:
            center = balls.directions(np.array([best]))
            step = chunk_length(center.shape[1])
            for start in range(0, len(open_), step):
                part = open_[start : start + step]
                near = balls.distances(part, center)[:, 0] <= radius
                covered[part[near.cpu().numpy()]] = True
            open_ = np.flatnonzero(~covered)
            fresh[:] = False
    return np.array(indices, dtype=np.intp), np.array(gains, dtype=np.float64)

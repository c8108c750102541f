"""Greedy k-center: always the row farthest from everything chosen, by lazy refresh."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skbadge.embeddings import DenseEmbedding, Embedding, as_embedding
from skbadge.embeddings._distances import pairwise_sq
from skbadge.embeddings._offsets import CLOSE
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import chunk_length, times_unit
from skbadge.exceptions import InvalidInputError
from skbadge.selection._centers import Centers
from skbadge.selection._nearest import PlainLoop, lower_all
from skbadge.utils._validation import check_n

__all__ = ["k_center_greedy"]

_BLOCK, _LARGEST_BLOCK = 128, 4096
# A block of more rows for each that is chosen from it is followed by a larger one.
_ROWS_PER_PICK = 32
# Rows of a block that are compared with each other.
_RIVALS = 256


def k_center_greedy(features: Any, n: int, *, labeled_features: Any = None) -> Any:
    """Choose n rows that cover the pool: each time the row farthest from the chosen.

    Parameters
    ----------
    features : tensor or array of shape (n_pool, n_features)
        The rows to choose from and to cover.
    n : int
        Rows to choose, in [1, n_pool].
    labeled_features : tensor or array of shape (n_labeled, n_features), default=None
        Rows that cover already. Without any, every row is infinitely far away at first,
        a tie that the row at position 0 wins. Where one table is float64, so is the
        arithmetic.

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Distinct positions, in the order of choice; the lower one among equal
        distances. The first m of n are the answer for m.

    Raises
    ------
    InvalidInputError
        If a table is not 2-D, finite and real, their widths differ, or ``n`` is out of
        range.

    Notes
    -----
    The picks are those of the plain loop of [1]_ (Algorithm 1): take the largest
    Euclidean distance to the nearest labelled or chosen row, update, repeat. Distances
    only fall as rows are chosen, so a stale one is an upper bound: only a block of the
    farthest is brought up to date, and picks are made from it while none outside can
    be farther. O(n_pool n_labeled d) for the labelled rows, then far less than the
    loop's O(n_pool n d); where bounds save nothing (few rows, or rows alike), the
    loop's own steps.

    References
    ----------
    .. [1] Sener, Savarese: Active Learning for Convolutional Neural Networks: A
       Core-Set Approach. arXiv:1708.00489.

    Examples
    --------
    >>> from skbadge.selection import k_center_greedy
    >>> k_center_greedy([[0.0], [1.0], [9.0], [5.0]], 3, labeled_features=[[0.0]])
    array([2, 3, 1])
    """
    pool = DenseEmbedding(features)
    pool.norms()
    n = check_n(n, len(pool))
    labeled = None
    if labeled_features is not None and len(labeled_features):
        labeled = DenseEmbedding(labeled_features)
        labeled.norms()
        widths = pool.n_features, labeled.n_features
        if widths[0] != widths[1]:
            raise InvalidInputError(
                "labeled_features must have as many columns as features, "
                f"{widths[0]}. Got {widths[1]} instead."
            )
    return _choose(pool, n, labeled, None, None)[0]


def _k_center_greedy(
    features: torch.Tensor,
    n: int,
    *,
    labeled_features: torch.Tensor | None,
    priority: np.ndarray | None = None,
    block_size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows by greedy k-center; no validation.

    Parameters
    ----------
    features : torch.Tensor of shape (n_pool, n_features)
        The pool.
    n : int
        In [1, n_pool].
    labeled_features : torch.Tensor of shape (n_labeled, n_features) or None
        Rows that cover already; None or no rows for none.
    priority : ndarray of int of shape (n_pool,) or None, default=None
        Order among equal distances, lower first, without repeats; None for the lower
        position first.
    block_size : int or None, default=None
        Rows refreshed at a time, at first, whatever that costs; None for as many as is
        best, or none. For tests: the picks do not depend on it.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    scores : ndarray of shape (n,), dtype float64
        Euclidean distance at the choice, the largest float64 where it is larger;
        infinity for the first where nothing is labelled (that row is the first by
        priority).
    """
    labeled = None
    if labeled_features is not None and len(labeled_features):
        labeled = DenseEmbedding(labeled_features)
    return _choose(as_embedding(features), n, labeled, priority, block_size)


def _choose(
    pool: Embedding,
    n: int,
    labeled: DenseEmbedding | None,
    priority: np.ndarray | None,
    block_size: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    greedy = LazyGreedy(pool, n, labeled, priority)
    greedy.run(n, block_size)
    scores = times_unit(
        torch.tensor(greedy.scores, dtype=torch.float64).sqrt(), greedy.unit
    ).numpy()
    if labeled is None:
        scores[0] = np.inf
    return np.array(greedy.chosen, dtype=np.intp), scores


class LazyGreedy:
    """Farthest-first traversal on stale distances.

    ``bound[i]`` is at least the squared distance of row ``i`` to what is chosen, and
    was exact when the row had been compared with the first ``seen[i]`` centers. Chosen
    rows have the bound -inf.

    Where many rows compete for each choice, blocks of them save nothing over the plain
    loop; steps of the loop itself follow then, until a block can be afforded again.

    Parameters
    ----------
    pool : DenseEmbedding
        The rows.
    n : int
        How many will be chosen.
    labeled : DenseEmbedding or None
        Rows that cover already.
    priority : ndarray of int or None
        Order among equal distances.
    """

    def __init__(
        self,
        pool: Embedding,
        n: int,
        labeled: DenseEmbedding | None,
        priority: np.ndarray | None,
    ) -> None:
        self.in_order = priority is None
        self.priority = np.arange(len(pool)) if priority is None else priority
        other = pool if labeled is None else labeled
        self.unit = max(pool.scale, other.scale)
        self.pool = pool.in_units((1.0, self.unit))
        self.dtype = torch.promote_types(pool.dtype, other.dtype)
        self.norm = self.pool.norms().cpu().numpy()
        self.bound = np.full(len(pool), np.inf)
        self.seen = np.zeros(len(pool), dtype=np.int32)
        self.chosen: list[int] = []
        self.scores: list[float] = []
        self.accepted = 1  # from the last block; of a first one, expected
        none = self.rows(np.array([], dtype=np.intp))
        self.centers = Centers(n, none)
        self.plain = PlainLoop(self.pool, self.dtype, self.centers, none.right.shape[1])
        if labeled is None:
            first = int(np.argmin(self.priority))
            self._choose(np.array([first]), [np.inf])
            lower_all(self.pool, self.bound, self.centers[:])
            self.seen[:] = 1
        else:
            known = labeled.in_units((1.0, self.unit))
            step = chunk_length(labeled.n_features)
            for start in range(0, len(labeled), step):
                part = slice(start, min(start + step, len(labeled)))
                lower_all(self.pool, self.bound, self._in_common(known, part))

    def rows(self, indices: np.ndarray) -> Rows:
        """Return some rows of the pool, in the common unit and arithmetic."""
        return self._in_common(self.pool, torch.from_numpy(indices))

    def _in_common(self, table: Embedding, indices: torch.Tensor | slice) -> Rows:
        rows = table.rows(indices)
        return rows if table.dtype == self.dtype else rows.double()

    def run(self, n: int, block_size: int | None = None) -> None:
        """Choose until ``n`` rows are chosen."""
        first = block_size or _BLOCK
        size = first
        while len(self.chosen) < n:
            if not self.bound.max() > 0.0:
                self._choose_copies(n)
                return
            if block_size is None and not self.affords(size):
                self.walk_plainly(n, size)
                continue
            self.accepted = self.walk_block(size, n)
            # Little accepted: many rows compete with stale distances.
            is_enough = self.accepted > size // _ROWS_PER_PICK
            size = first if is_enough else min(2 * size, _LARGEST_BLOCK)

    def affords(self, size: int) -> bool:
        """Say whether a block may be walked, if its rows are new to few centers."""
        cost = self.plain.block_cost(size, 0.0)
        return self.plain.affords(cost, len(self.chosen) + self.accepted)

    def walk_plainly(self, n: int, size: int) -> None:
        """Choose as the plain loop does, until blocks of ``size`` can be afforded."""
        before, bound = len(self.chosen), self.bound
        self.plain.catch_up(bound, self.chosen, int(self.seen[bound > 0.0].min()))
        while len(self.chosen) < n and not self.affords(size):
            best = int(bound.argmax())
            largest = bound[best]
            if not largest > 0.0:
                break
            if not self.in_order:
                ties = np.flatnonzero(bound == largest)
                best = int(ties[np.argmin(self.priority[ties])])
            self.chosen.append(best)
            self.scores.append(float(largest))
            bound[best] = -np.inf
            self.plain.lower(bound, best)
        picked = np.array(self.chosen[before:], dtype=np.intp)
        self.centers.append(self.rows(picked))
        self.seen[:] = len(self.chosen)
        self._note_near(self.bound, np.square(self.norm))

    def walk_block(self, size: int, n: int) -> int:
        """Refresh the farthest rows and choose from them while none outside competes.

        Returns
        -------
        int
            How many were chosen.
        """
        block, rival = self._farthest(size)
        rows, seen = self.rows(block), self.seen[block]
        distance_sq = self.centers.nearest_sq(rows, self.bound[block], seen)
        self._note_near(distance_sq, rows.norm_sq.cpu().numpy())
        pairs = float((len(self.chosen) - seen).sum())
        self.plain.spend(self.plain.block_cost(len(block), pairs))
        self.bound[block] = distance_sq
        self.seen[block] = len(self.chosen)

        # Rows already below the best outside cannot be chosen in this block.
        limit = self.bound[rival].max(initial=-np.inf)
        able = np.flatnonzero(distance_sq >= limit)
        if not len(able):
            return 0
        able = able[np.lexsort((self.priority[block[able]], -distance_sq[able]))]
        if len(able) > _RIVALS:
            # The first of the others is the rival then: all of them are up to date.
            able, rival = able[:_RIVALS], block[able[_RIVALS : _RIVALS + 1]]
            limit = self.bound[rival[0]]
        between = pairwise_sq(rows[torch.from_numpy(able)]).cpu().numpy()
        current, priority = distance_sq[able], self.priority[block[able]]
        accepted: list[int] = []
        scores: list[float] = []
        while len(self.chosen) + len(accepted) < n:
            largest = current.max()
            ties = np.flatnonzero(current == largest)
            best = ties[np.argmin(priority[ties])]
            if largest < limit or (
                largest == limit and priority[best] > self.priority[rival[0]]
            ):
                break
            accepted.append(int(best))
            scores.append(float(largest))
            np.minimum(current, between[best], out=current)
            current[accepted] = -np.inf
        picked = able[accepted]
        self._choose(block[picked], scores, rows[torch.from_numpy(picked)])
        return len(accepted)

    def _note_near(self, distance_sq: np.ndarray, norm_sq: np.ndarray) -> None:
        small = 2 * CLOSE[self.dtype] * norm_sq
        self.plain.near = float(np.mean(distance_sq <= small))

    def _farthest(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first rows by (bound, priority), and the next one if any."""
        place = max(len(self.bound) - size - 1, 0)
        least = np.partition(self.bound, place)[place]
        top = np.flatnonzero(self.bound >= max(least, 0.0))
        top = top[np.lexsort((self.priority[top], -self.bound[top]))]
        return top[:size], top[size : size + 1]

    def _choose_copies(self, n: int) -> None:
        """Choose the rest, by priority, among rows that all coincide with chosen."""
        rest = np.flatnonzero(self.bound == 0.0)
        rest = rest[np.argsort(self.priority[rest])][: n - len(self.chosen)]
        self.chosen.extend(rest.tolist())
        self.scores.extend([0.0] * len(rest))
        self.bound[rest] = -np.inf

    def _choose(
        self, indices: np.ndarray, scores: list[float], rows: Rows | None = None
    ) -> None:
        if not len(indices):
            return
        self.chosen.extend(indices.tolist())
        self.scores.extend(scores)
        self.bound[indices] = -np.inf
        self.centers.append(self.rows(indices) if rows is None else rows)

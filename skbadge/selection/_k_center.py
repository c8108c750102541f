"""Greedy k-center: always the row farthest from everything chosen, by lazy refresh."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skbadge.embeddings import DenseEmbedding, Embedding, as_embedding
from skbadge.embeddings._distances import pairwise_sq
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._sweep import Sweep, can_sweep
from skbadge.embeddings._tensors import chunk_length, times_unit
from skbadge.exceptions import InvalidInputError
from skbadge.selection._centers import Centers
from skbadge.utils._validation import check_n

__all__ = ["k_center_greedy"]

_BLOCK, _LARGEST_BLOCK = 128, 4096
# Rows of a block that are compared with each other.
_RIVALS = 256
# What a step of the plain loop and a block cost beside what they read, how dear a bound
# is, and how dear a row of a block, in numbers and rows that the plain loop reads.
_NUMBERS_PER_STEP, _NUMBERS_PER_BLOCK, _NUMBERS_PER_BOUND = 200_000, 4_000_000, 16
_ROWS_PER_ROW = 8
# Of tables of up to so many numbers no block is worth its calls.
_SMALL = 1 << 20
# Blocks may cost this part of what the plain loop would have cost so far.
_SHARE = 1 / 3


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
    loop's O(n_pool n d).

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
    loop. What blocks have cost is therefore held against what the loop would have cost
    to get as far; where it is too much, steps of the loop itself follow until it is
    not.

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
        self.bound = np.full(len(pool), np.inf)
        self.seen = np.zeros(len(pool), dtype=np.int32)
        self.chosen: list[int] = []
        self.scores: list[float] = []
        self.spent = 0.0  # for blocks, in numbers of the pool
        none = self.rows(np.array([], dtype=np.intp))
        self.width = none.right.shape[1]
        self.step_cost = len(pool) * (self.width + _NUMBERS_PER_BOUND)
        self.step_cost += _NUMBERS_PER_STEP
        self.is_small = len(pool) * self.width <= _SMALL
        self.sweep: Sweep | None = None
        self.centers = Centers(n, none)
        if labeled is None:
            first = int(np.argmin(self.priority))
            self._choose(np.array([first]), [np.inf])
            self._lower_all(self.centers[:])
            self.seen[:] = 1
        else:
            known = labeled.in_units((1.0, self.unit))
            step = chunk_length(labeled.n_features)
            for start in range(0, len(labeled), step):
                part = slice(start, min(start + step, len(labeled)))
                self._lower_all(self._in_common(known, part))

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
        can_choose = block_size is None and can_sweep(self.pool)
        while len(self.chosen) < n:
            if not self.bound.max() > 0.0:
                self._choose_copies(n)
                return
            if can_choose and (self.is_small or self.is_too_dear(size)):
                self.walk_plainly(n, size)
                continue
            accepted = self.walk_block(size, n)
            # Nothing accepted: many rows compete with stale distances.
            size = first if accepted else min(2 * size, _LARGEST_BLOCK)

    def is_too_dear(self, size: int) -> bool:
        """Say whether a further block exceeds its share of the plain loop's cost."""
        plain = self.step_cost * len(self.chosen)
        return self.spent + self._cost(size) > _SHARE * plain

    def _cost(self, size: int) -> float:
        """Return what a block costs where its rows are new to the last centers."""
        numbers = _ROWS_PER_ROW * size * self.width
        return numbers + len(self.bound) * _NUMBERS_PER_BOUND + _NUMBERS_PER_BLOCK

    def walk_plainly(self, n: int, size: int) -> None:
        """Choose as the plain loop does, until blocks of ``size`` can be afforded."""
        first = int(self.seen[self.bound > 0.0].min())
        if first < len(self.centers):
            self._lower_all(self.centers[first:])
        if self.sweep is None:
            self.sweep = Sweep(self.pool, self.dtype)
        before, bound = len(self.chosen), self.bound
        while len(self.chosen) < n and (self.is_small or self.is_too_dear(size)):
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
            self.sweep.lower(bound, best)
        picked = np.array(self.chosen[before:], dtype=np.intp)
        self.centers.append(self.rows(picked))
        self.seen[:] = len(self.chosen)

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
        self.spent += self._cost(size)
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

    def _lower_all(self, centers: Rows) -> None:
        found = self.pool.nearest_sq(slice(None), centers).cpu().numpy()
        np.minimum(self.bound, found, out=self.bound)

    def _choose(
        self, indices: np.ndarray, scores: list[float], rows: Rows | None = None
    ) -> None:
        if not len(indices):
            return
        self.chosen.extend(indices.tolist())
        self.scores.extend(scores)
        self.bound[indices] = -np.inf
        self.centers.append(self.rows(indices) if rows is None else rows)

"""k-means++ seeding: the exact D^2 law, by lazy rejection."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from skbadge.embeddings import Embedding, as_embedding
from skbadge.embeddings._distances import pairwise_sq
from skbadge.embeddings._offsets import CLOSE
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import times_unit
from skbadge.selection._centers import Centers
from skbadge.selection._nearest import PlainLoop, lower_all
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_n, check_option

__all__ = ["kmeans_plusplus"]

_FIRST = ("uniform", "max-norm", "norm")
# Proposals a block. It grows with the centers: a block goes stale by those it adds.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 16, 1024
# A block is walked in parts, each as large as all before; the first has so many
# proposals, or as many as are chosen.
_FIRST_PART = 128
# What fetching a proposal, and reading a row in a refresh, cost beside their products:
# as much as this many pairs of a row and a center.
_PAIRS_PER_PROPOSAL, _PAIRS_PER_ROW = 32, 8


def kmeans_plusplus(
    embedding: Any,
    n: int,
    *,
    first: Literal["uniform", "max-norm", "norm"] = "uniform",
    random_state: Seed = None,
) -> np.ndarray:
    r"""Choose n rows far from each other at random, by k-means++ seeding.

    Row after row is drawn with a probability proportional to its squared distance to
    the nearest row chosen before: long vectors and vectors unlike the chosen ones are
    likely, near-duplicates are not.

    Parameters
    ----------
    embedding : Embedding, tensor or array of shape (n_pool, n_features)
        One vector a row.
    n : int
        Rows to choose, in [1, n_pool].
    first : {"uniform", "max-norm", "norm"}, default="uniform"
        The first row: drawn uniformly (the paper's Algorithm 2), the longest vector
        (the paper's public code; the seed decides among equals), or drawn in
        proportion to the squared norm.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the draws.

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Distinct positions, in the order of choice. For one seed, the first m of n are
        the answer for m.

    Raises
    ------
    InvalidInputError
        If the embedding is not a 2-D table of finite real numbers, ``n`` is out of
        range, or ``first`` is unknown.

    Notes
    -----
    The law is exactly that of k-means++ seeding [1]_, Algorithm 2 of [2]_ (not the
    greedy variant with local trials):

    .. math:: P(c_t = i) = D_i^2 / \sum_j D_j^2, \quad
        D_i = \min_{c \in C_{t-1}} \lVert g_i - c \rVert.

    Where every :math:`D_i` is 0, the rest is drawn uniformly.

    The distances are not kept up to date. A row is proposed by an upper bound of its
    :math:`D_i^2` and accepted with the ratio of the two, which gives the same law and
    touches few pairs of rows and centers. Typical time: O(n_pool (K + d)) once, then
    O(n^2 (K + d)). Where bounds save nothing (few rows, or rows alike), distances are
    found by steps of the plain loop, O(n_pool n (K + d)).

    References
    ----------
    .. [1] Arthur, Vassilvitskii: k-means++: The Advantages of Careful Seeding. SODA
       2007.
    .. [2] Ash, Zhang, Krishnamurthy, Langford, Agarwal: Deep Batch Active Learning by
       Diverse, Uncertain Gradient Lower Bounds. arXiv:1906.03671.

    Examples
    --------
    >>> from skbadge.selection import kmeans_plusplus
    >>> X = [[0.0], [0.0], [5.0], [5.0]]
    >>> sorted(kmeans_plusplus(X, 2, random_state=0) // 2)  # never two duplicates
    [np.int64(0), np.int64(1)]
    """
    embedding = as_embedding(embedding)
    n = check_n(n, len(embedding))
    check_option(first, "first", _FIRST)
    indices, _ = _kmeans_plusplus(
        embedding, n, first=first, generator=as_generator(random_state)
    )
    return indices


def _kmeans_plusplus(
    embedding: Embedding,
    n: int,
    *,
    first: str,
    generator: np.random.Generator,
    block_size: int | None = None,
    flush: str = "auto",
    sweep: bool | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n rows by the exact D^2 law; no validation.

    Parameters
    ----------
    embedding : Embedding
        The pool.
    n : int
        In [1, len(embedding)].
    first : {"uniform", "max-norm", "norm"}
        Law of the first row.
    generator : numpy.random.Generator
        On the host: every device consumes the same draws.
    block_size : int or None, default=None
        Proposals a block; None lets it grow with the number of centers.
    flush : {"auto", "always", "never"}, default="auto"
        When to refresh the bounds of all rows between blocks. For tests: the law does
        not depend on it.
    sweep : bool or None, default=None
        Whether to measure all rows from each center, as the plain loop does, instead of
        only those proposed; None for whichever costs less, block by block. For tests:
        the picks do not depend on it.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    scores : ndarray of shape (n,), dtype float64
        D^2 at the choice; for the first row its squared norm. The largest float64 where
        it is larger.
    """
    sampler = LazySampler(embedding, n, block_size=block_size, flush=flush, sweep=sweep)
    sampler.choose_first(first, generator)
    while len(sampler.chosen) < n and sampler.any_left():
        sampler.refresh_if_due()
        sampler.walk_block(generator)
    if len(sampler.chosen) < n:
        sampler.choose_uniformly(generator)
    return sampler.result(n)


class LazySampler:
    """D^2 sampling from upper bounds of the D^2 (rejection sampling).

    ``bound[i]`` is at least ``D_i^2`` and was exact when row ``i`` had been compared
    with the first ``seen[i]`` centers. Rows are proposed by ``bound``, a block at a
    time, and accepted with probability ``D_i^2 / bound[i]``. The law stays exact only
    if a proposal is judged against the bound it was drawn from: no bound changes
    before its block is walked to the end, and whatever is decided between blocks
    depends on walked proposals alone.

    How the ``D_i^2`` of proposals are found is another matter, on which no pick
    depends: by products of the proposals with the centers they have not seen, or by
    steps of the `PlainLoop`, where bounds are bad or the pool is small.

    Parameters
    ----------
    embedding : Embedding
        The pool.
    n : int
        Rows to choose; what is chosen does not depend on it.
    block_size, flush, sweep
        As in `_kmeans_plusplus`.
    """

    def __init__(
        self,
        embedding: Embedding,
        n: int,
        *,
        block_size: int | None,
        flush: str,
        sweep: bool | None = None,
    ) -> None:
        self.embedding = embedding
        self.n = n
        self.norm = embedding.norms().cpu().numpy()
        self.bound = np.full(len(embedding), np.inf)
        self.seen = np.zeros(len(embedding), dtype=np.int32)
        self.taken = np.zeros(len(embedding), dtype=bool)
        self.chosen: list[int] = []
        self.scores: list[float] = []
        none = self.rows(np.array([], dtype=np.intp))
        width = none.right.shape[1]
        width += 0 if none.left is None else none.left.shape[1]
        self.centers = Centers(n, none)
        self.block_size = block_size
        self.flush = flush
        self.sweep = sweep
        self.plain = PlainLoop(embedding, embedding.dtype, self.centers, width)
        # D^2 of all rows to the first so many centers, once anything asked for it.
        self.exact, self.n_exact = np.empty(0), 0
        self.rate = 0.5  # share of the last proposals that was accepted
        self.next_size = _SMALLEST_BLOCK
        self.flushed = 0  # centers at the last refresh of all rows
        self.wasted = 0  # work for rejected proposals since then, in pairs
        self.smallest = np.inf  # norm of the shortest center

    def rows(self, indices: np.ndarray) -> Rows:
        """Return some rows of the pool."""
        return self.embedding.rows(torch.from_numpy(indices))

    def choose_first(self, first: str, generator: np.random.Generator) -> None:
        """Choose the first center; bound every distance by the triangle inequality."""
        if first == "max-norm":
            longest = np.flatnonzero(self.norm == self.norm.max())
            index = int(longest[generator.integers(len(longest))])
        elif first == "norm" and self.norm.any():
            law = np.cumsum(np.square(self.norm))
            index = int(_inverse(law, generator.random(1))[0])
        else:
            index = int(generator.integers(len(self.norm)))
        self.centers.append(self.rows(np.array([index])))
        self._choose(np.array([index]), [self.norm[index] ** 2])
        self._bound_by_norms()

    def any_left(self) -> bool:
        """Say whether some row may still be away from all centers."""
        return bool(self.bound.any())

    def choose_uniformly(self, generator: np.random.Generator) -> None:
        """Choose the rest among rows that all coincide with centers."""
        rest = generator.permutation(np.flatnonzero(~self.taken))
        self.chosen.extend(rest.tolist())
        self.scores.extend([0.0] * len(rest))

    def walk_block(self, generator: np.random.Generator) -> None:
        """Draw a block of proposals and judge them in their order."""
        size = self.block_size or self.next_size
        proposals = _inverse(np.cumsum(self.bound), generator.random(size))
        uniform = generator.random(size)
        distinct = np.unique(proposals)
        before = len(self.chosen)
        if self._takes_steps(size, distinct):
            accepted, accepted_sq, distance_sq = self._walk_plainly(
                proposals, distinct, uniform
            )
            self.centers.append(self.rows(proposals[accepted]))
        else:
            pairs = float((before - self.seen[distinct]).sum())
            accepted, accepted_sq, distance_sq = self._walk_in_parts(
                proposals, distinct, uniform
            )
            pairs += len(distinct) * len(accepted)
            self.plain.spend(self.plain.block_cost(len(distinct), pairs))

        # The block is walked: bounds may fall now, its outcome may steer what comes.
        self._count_waste(np.delete(proposals, accepted), size)
        self.rate = len(accepted) / size
        small = 2 * CLOSE[self.embedding.dtype] * np.square(self.norm[distinct])
        self.plain.near = float(np.mean(distance_sq <= small))
        self.bound[distinct] = distance_sq
        self.seen[distinct] = before
        self._choose(proposals[accepted], accepted_sq)
        grown = 2 * size if len(accepted) < size // 8 else len(self.chosen)
        self.next_size = min(max(grown, _SMALLEST_BLOCK), _LARGEST_BLOCK)

    def _takes_steps(self, size: int, distinct: np.ndarray) -> bool:
        """Say whether steps of the plain loop are to take the place of products."""
        if self.sweep is not None:
            return self.sweep
        contenders = min(2 * self.rate, 1) * len(distinct)
        pairs = float((len(self.chosen) - self.seen[distinct]).sum()) + contenders**2
        cost = self.plain.block_cost(len(distinct), pairs)
        # Whatever number is wanted: the first m are those of m to the last bit.
        return not self.plain.affords(cost, len(self.chosen) + self.rate * size)

    def _catch_up(self) -> None:
        """Take all centers into the exact distances of all rows."""
        if not self.n_exact:
            self.exact = np.full(len(self.bound), np.inf)
        self.exact[self.chosen] = 0.0
        if self.sweep is False:
            lower_all(self.embedding, self.exact, self.centers[self.n_exact :])
        else:
            self.plain.catch_up(self.exact, self.chosen, self.n_exact)
        self.exact[self.chosen] = 0.0
        self.n_exact = len(self.chosen)

    def _walk_plainly(
        self, proposals: np.ndarray, distinct: np.ndarray, uniform: np.ndarray
    ) -> tuple[np.ndarray, list[float], np.ndarray]:
        """Accept proposals as `walk` does, by the distances of all rows.

        Returns
        -------
        accepted, accepted_sq
            As in `walk`, but none after all that are wanted.
        distance_sq : ndarray of shape (len(distinct),)
            D^2 of the distinct rows to the centers of earlier blocks.
        """
        self._catch_up()
        nearest_sq = self.exact
        distance_sq = np.minimum(self.bound[distinct], nearest_sq[distinct])
        level = uniform * self.bound[proposals]
        accepted: list[int] = []
        accepted_sq: list[float] = []
        position, room = 0, self.n - len(self.chosen)
        while len(accepted) < room:
            ahead = np.flatnonzero(level[position:] < nearest_sq[proposals[position:]])
            if not len(ahead):
                break
            position += int(ahead[0])
            chosen = int(proposals[position])
            accepted.append(position)
            accepted_sq.append(float(nearest_sq[chosen]))
            nearest_sq[chosen] = 0.0
            self.plain.lower(nearest_sq, chosen)
            position += 1
        self.n_exact += len(accepted)
        return np.array(accepted, dtype=np.intp), accepted_sq, distance_sq

    def _walk_in_parts(
        self, proposals: np.ndarray, distinct: np.ndarray, uniform: np.ndarray
    ) -> tuple[np.ndarray, list[float], np.ndarray]:
        """Accept proposals by products, until as many are chosen as are wanted.

        Returns
        -------
        As `_walk_plainly`.
        """
        before = len(self.chosen)
        nearest_sq = self.bound[distinct]
        accepted: list[np.ndarray] = [np.empty(0, dtype=np.intp)]
        accepted_sq: list[float] = []
        start, stop = 0, max(_FIRST_PART, before)
        if not self.plain.is_possible:
            # A call costs more there than what it answers: all at once.
            stop = len(proposals)
        while start < len(proposals) and self.centers.room:
            # A long row fills a block with copies of itself: measure it once.
            part, which = np.unique(proposals[start:stop], return_inverse=True)
            rows, bound, seen = self.rows(part), self.bound[part], self.seen[part]
            distance_sq = self.centers.nearest_sq(rows, bound, seen, before)
            nearest_sq[np.searchsorted(distinct, part)] = distance_sq
            if len(self.centers) > before:
                of_block = np.full(len(part), before, dtype=np.int32)
                distance_sq = self.centers.nearest_sq(rows, distance_sq, of_block)
            found, found_sq = self.walk(
                rows, bound, distance_sq, which, uniform[start:stop]
            )
            self.centers.append(rows[torch.from_numpy(which[found])])
            accepted.append(start + found)
            accepted_sq.extend(found_sq)
            start, stop = stop, 2 * stop
        return np.concatenate(accepted), accepted_sq, nearest_sq

    def walk(
        self,
        rows: Rows,
        bound: np.ndarray,
        distance_sq: np.ndarray,
        which: np.ndarray,
        uniform: np.ndarray,
    ) -> tuple[np.ndarray, list[float]]:
        """Accept proposals in their order, each judged with those accepted before.

        Parameters
        ----------
        rows : Rows
            The distinct rows proposed.
        bound : ndarray
            What each was drawn by.
        distance_sq : ndarray
            D^2 of each to the centers of earlier blocks.
        which : ndarray of int
            The proposals, as positions among the rows.
        uniform : ndarray
            Numbers in [0, 1) that decide, one a proposal.

        Returns
        -------
        accepted : ndarray of int
            Positions among the proposals.
        accepted_sq : list of float
            Their D^2 at the choice.
        """
        level = uniform * bound[which]
        # What the earlier centers reject stays rejected: leave it out of the products.
        open_ = np.flatnonzero(level < distance_sq[which])
        level = level[open_]
        contenders, which = np.unique(which[open_], return_inverse=True)
        between = pairwise_sq(rows[torch.from_numpy(contenders)]).cpu().numpy()
        current = distance_sq[contenders]
        accepted: list[int] = []
        accepted_sq: list[float] = []
        position = 0
        while True:
            ahead = np.flatnonzero(level[position:] < current[which[position:]])
            if not len(ahead):
                return open_[accepted], accepted_sq
            position += int(ahead[0])
            accepted.append(position)
            accepted_sq.append(float(current[which[position]]))
            np.minimum(current, between[which[position]], out=current)
            position += 1

    def _count_waste(self, rejected: np.ndarray, size: int) -> None:
        pairs = int((len(self.chosen) - self.seen[rejected]).sum())
        # To draw a block, the bounds of all rows are read.
        pairs += len(self.bound) * len(rejected) // size
        self.wasted += pairs + _PAIRS_PER_PROPOSAL * len(rejected)

    def refresh_if_due(self) -> None:
        """Refresh all bounds where rejected proposals have cost as much as that.

        Or where a block had no other: each center is in one refresh, so that all of
        them form no more products than the plain loop.
        """
        new = len(self.chosen) - self.flushed
        if not new:
            return
        due = self.wasted >= len(self.bound) * (new + _PAIRS_PER_ROW)
        due = due or not self.rate
        if self.flush == "always" or (self.flush == "auto" and due):
            self.refresh()

    def refresh(self) -> None:
        """Make every bound exact."""
        self._catch_up()
        np.minimum(self.bound, self.exact, out=self.bound)
        self.rate = 0.5
        self.seen[:] = self.flushed = len(self.chosen)
        self.wasted = 0

    def _bound_by_norms(self) -> None:
        """Lower every bound to (|g_i| + shortest center)^2, which no D_i^2 exceeds."""
        reach = np.square(self.norm + self.smallest)
        np.minimum(self.bound, reach, out=self.bound)
        self.bound[self.taken] = 0.0

    def _choose(self, indices: np.ndarray, scores: list[float]) -> None:
        if not len(indices):
            return
        self.chosen.extend(indices.tolist())
        self.scores.extend(scores)
        self.taken[indices] = True
        self.bound[indices] = 0.0
        smallest = float(self.norm[indices].min())
        if smallest < self.smallest:
            self.smallest = smallest
            self._bound_by_norms()

    def result(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and D^2 of the first n chosen, in the embedding's units."""
        unit = self.embedding.scale
        scores = torch.tensor(self.scores[:n], dtype=torch.float64)
        return (
            np.array(self.chosen[:n], dtype=np.intp),
            times_unit(scores, unit, unit).numpy(),
        )


def _inverse(law: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Return draws from an unnormalised cumulative law; rows of weight 0 never."""
    found = np.searchsorted(law, uniform * law[-1], side="right")
    # uniform * total may round up to the total: the last row of any weight.
    last = np.searchsorted(law, law[-1], side="left")
    return np.minimum(found, last)

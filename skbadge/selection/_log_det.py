"""Greedy log-determinants: always the row farthest from the span of the chosen ones.

Beside the length and the norms of an embedding only ``rows`` is asked for, a block at a
time: rows that lie on several machines are sent as they are refreshed, and nothing else
of them is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from skbadge.embeddings import Embedding, as_embedding
from skbadge.embeddings._distances import inner
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import times_unit
from skbadge.selection._bounds import first_by_bound
from skbadge.selection._centers import Centers
from skbadge.selection._coordinates import Coordinates, fill_coordinates
from skbadge.selection._k_dpp import SPANNED
from skbadge.utils._validation import check_n

__all__ = ["log_det_greedy"]

_BLOCK, _LARGEST_BLOCK = 512, 4096
# Numbers of the products of a block with the chosen rows, at most.
_BLOCK_NUMBERS = 1 << 22
# Rows of a block that are compared with each other.
_RIVALS = 512
# The first bounds come from norms in float32 and are no bounds before they are longer.
_SLACK = 1.0 + 1e-5


def log_det_greedy(embedding: Any, n: int) -> np.ndarray:
    r"""Choose n rows that are long and point different ways: the mode of a k-DPP.

    Each pick is the row of which most is left once its parts along the rows chosen
    before are taken away. What :func:`k_dpp_sample` draws often, this looks for
    directly: a set whose products have a large determinant.

    Parameters
    ----------
    embedding : Embedding, tensor or array of shape (n_pool, n_features)
        One vector a row.
    n : int
        Rows to choose, in [1, n_pool].

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Distinct positions, in the order of choice; the lower one among rows that tie.
        The first m of n are the answer for m.

    Raises
    ------
    InvalidInputError
        If the embedding is not a 2-D table of finite real numbers or ``n`` is out of
        range.

    See Also
    --------
    k_dpp_sample : Draws a set instead.
    kmeans_plusplus : Draws in proportion to squared distances from rows, not from what
        they span; has no limit at the rank.

    Notes
    -----
    Greedy maximization of :math:`\log\det(G_S G_S^T)` ([1]_, Algorithm 1): a pick
    multiplies the determinant by its squared distance to the span of the rows chosen,

    .. math:: |g_i|^2 - b_i^T (G_S G_S^T)^{-1} b_i, \quad b_i = G_S g_i,

    from a Cholesky factor that grows by one row a pick. Finding the best set is
    NP-hard; the greedy one has at least a share 1/(n!)^2 of its determinant, and most
    often nearly all of it.

    Distances to a growing span only fall, so an old one is an upper bound: only a block
    of the largest is brought up to date, and picks are made from it while none outside
    can be larger. Each row brought up to date takes O(n (n + K + d)) time; memory holds
    n^2 / 2 numbers, some of each row, and a block. The picks are those of the plain
    loop, which reads the pool for each of them and keeps n numbers of each row. Where
    many rows compete for each pick (few rows, or rows alike) its own steps follow, if
    what they keep, 8 n n_pool bytes, fits into scikit-learn's ``working_memory``.

    The arithmetic is float64. Rows tie where they differ by less than rounding of a
    float32 leaves, 4e-12 of their squared length; a row within an angle of 2e-6 of the
    span counts as spanned. At most as many rows as the rank of the embedding have a
    determinant above 0. **Beyond the rank, which the paper leaves open, the choice
    starts over** among the rows that are left, as if nothing had been chosen: the batch
    is then made of several sets, each as wide as the rest allows. Rows of zeros come
    last, the lower position first.

    References
    ----------
    .. [1] Chen, Zhang and Zhou, "Fast Greedy MAP Inference for Determinantal Point
       Process to Improve Recommendation Diversity",
       `arXiv:1709.05135 <https://arxiv.org/abs/1709.05135>`_.

    Examples
    --------
    >>> from skbadge.selection import log_det_greedy
    >>> log_det_greedy([[0.0, 1.0], [3.0, 0.0], [2.9, 0.5], [0.0, 0.9]], 3)
    array([1, 0, 2])
    """
    embedding = as_embedding(embedding)
    n = check_n(n, len(embedding))
    return _log_det_greedy(embedding, n)[0]


def _log_det_greedy(
    embedding: Embedding,
    n: int,
    *,
    priority: np.ndarray | None = None,
    block_size: int | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Choose n rows by greedy log-determinants; no validation.

    Parameters
    ----------
    embedding : Embedding
        The pool.
    n : int
        In [1, len(embedding)].
    priority : ndarray of int of shape (n_pool,) or None, default=None
        Order among rows that tie, lower first, without repeats; None for the lower
        position first.
    block_size : int or None, default=None
        Rows refreshed at a time, at first, whatever that costs; None for as many as is
        best, or none. For tests: the picks do not depend on it.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    scores : ndarray of shape (n,), dtype float64
        Squared distance to the span of those chosen since the choice last started.
    rank : int
        How many rows were chosen before all others were in their span; ``n`` if that
        never was so.
    """
    if priority is None:
        priority = np.arange(len(embedding))
    greedy = LazySpan(embedding, n, priority)
    greedy.run(block_size)
    scores = times_unit(
        torch.tensor(greedy.scores, dtype=torch.float64),
        embedding.scale,
        embedding.scale,
    )
    return np.array(greedy.chosen, dtype=np.intp), scores.numpy(), greedy.rank


class _Rival(NamedTuple):
    """The best row outside of a block: its bound, and its priority among equal ones."""

    bound: float
    priority: int

    def is_before(self, bound: float, priority: int) -> bool:
        """Say whether it may have to be chosen before a row of the block."""
        return bound < self.bound or (bound == self.bound and priority > self.priority)


class LazySpan:
    """Rows chosen one after another by stale squared distances to their span.

    ``bound[i]`` is at least the squared distance of row ``i`` to the span of the rows
    chosen since the last start. Chosen rows have the bound -inf.

    Where many rows compete for each choice, blocks of them save nothing over the plain
    loop; steps of the loop itself follow then, until a block can be afforded again.

    Parameters
    ----------
    pool : Embedding
        The rows.
    n : int
        How many will be chosen.
    priority : ndarray of int
        Order among rows that tie.
    """

    def __init__(self, pool: Embedding, n: int, priority: np.ndarray) -> None:
        self.pool, self.n, self.priority = pool, n, priority
        self.chosen: list[int] = []
        self.scores: list[float] = []
        self.rank = n
        none = self._rows(np.array([], dtype=np.intp))
        width = none.right.shape[1]
        width += 0 if none.left is None else none.left.shape[1]
        self.reach = np.square(pool.norms().cpu().numpy()) * _SLACK
        # Lower triangle of the Cholesky factor; memory is touched only as it is filled.
        self.factor = torch.empty((n, n), dtype=torch.float64, device=pool.device)
        self.span = Centers(n, none)
        self.all = Coordinates(pool, self.span, width, n)
        self.start()

    def start(self) -> None:
        """Take all rows not chosen as they are, as at the beginning."""
        self.bound = self.reach.copy()
        self.bound[self.chosen] = -np.inf
        self.span.clear()
        self.all.restart()

    def run(self, block_size: int | None = None) -> None:
        """Choose until ``n`` rows are chosen."""
        first = block_size or _BLOCK
        size = first
        while len(self.chosen) < self.n:
            if not self.bound.max() > 0.0:
                self.rank = min(self.rank, len(self.chosen))
                if not len(self.span):
                    self._choose_zeros()
                    return
                self.start()
            if block_size is None and not self.all.affords(size, len(self.span)):
                self.walk_plainly(size)
                continue
            largest = self._largest_block(first)
            accepted = self.walk_block(size, grow=size < largest)
            # Nothing accepted: rows compete with stale distances, or tie.
            size = first if accepted else min(2 * size, largest)

    def walk_plainly(self, size: int) -> None:
        """Choose as the plain loop does, until blocks of ``size`` can be afforded."""
        left_over = self.all.catch_up(self.span, self.factor)
        left_over[self.chosen] = -np.inf
        before = len(self.chosen)
        while len(self.chosen) < self.n:
            n_span = len(self.span) + len(self.chosen) - before
            if self.all.affords(size, n_span):
                break
            best = self._best(left_over, self.all.rounding)
            if not left_over[best] > 0.0:
                break
            self.scores.append(float(left_over[best]))
            self.all.add(best, self.factor)
            self.all.count_picks(n_span, 1)
            self.chosen.append(best)
        left_over[self.chosen] = -np.inf
        self.span.append(self._rows(np.array(self.chosen[before:], dtype=np.intp)))
        self.bound = left_over.copy()

    def _best(self, left_over: np.ndarray, rounding: np.ndarray) -> int:
        """Return the first by priority of the rows that tie for the most left."""
        top = int(left_over.argmax())
        ties = np.flatnonzero(left_over >= left_over[top] - rounding[top])
        return int(ties[np.argmin(self.priority[ties])])

    def walk_block(self, size: int, *, grow: bool = False) -> int:
        """Refresh the farthest rows and choose from them while none outside competes.

        Parameters
        ----------
        size : int
            How many to refresh.
        grow : bool, default=False
            Whether to leave the choice to a larger block where rows outside may tie.

        Returns
        -------
        int
            How many were chosen.
        """
        top = first_by_bound(self.bound, self.priority, size + 1)
        block, outside = top[:size], top[size:]
        rows = self._rows(block)
        along = self._along_span(rows)
        distance_sq = (rows.norm_sq - along.square().sum(dim=0)).cpu().numpy()
        distance_sq[distance_sq <= SPANNED * rows.norm_sq.cpu().numpy()] = 0.0
        self.bound[block] = np.minimum(self.bound[block], distance_sq)

        # Rows already below the best outside cannot be chosen in this block.
        rival = self._rival(outside)
        able = np.flatnonzero(self.bound[block] >= rival.bound)
        able = able[np.lexsort((self.priority[block[able]], -self.bound[block[able]]))]
        if len(able) > _RIVALS:
            # The first of the others is the rival then; a larger block has no use.
            able, outside = able[:_RIVALS], block[able[_RIVALS : _RIVALS + 1]]
            rival, grow = self._rival(outside), False
        self.all.spend(len(block), len(self.span), len(able))
        if not len(able):
            return 0
        place = torch.from_numpy(able).to(along.device)
        return self._choose_among(
            block[able], rows[place], along[:, place], rival, grow
        )

    def _choose_among(
        self,
        block: np.ndarray,
        rows: Rows,
        along: torch.Tensor,
        rival: _Rival,
        grow: bool,
    ) -> int:
        """Choose from rows that are up to date, by a Cholesky factor among them."""
        products = (inner(rows, rows) - along.T @ along).cpu().numpy()
        rounding = SPANNED * rows.norm_sq.cpu().numpy()
        current, priority = self.bound[block], self.priority[block]
        within = np.zeros((len(block), min(len(block), self.n - len(self.chosen))))
        picks: list[int] = []
        for m in range(within.shape[1]):
            top = int(current.argmax())
            largest, lowest = current[top], current[top] - rounding[top]
            ties = np.flatnonzero(current >= lowest)
            best = int(ties[np.argmin(priority[ties])])
            if largest <= 0.0 or rival.is_before(largest, priority[best]):
                break
            if grow and lowest <= rival.bound:
                break
            pivot = np.sqrt(current[best])
            within[:, m] = (
                products[:, best] - within[:, :m] @ within[best, :m]
            ) / pivot
            within[best, m] = pivot
            picks.append(best)
            self.scores.append(float(current[best]))
            current -= np.square(within[:, m])
            current[current <= rounding] = 0.0
            current[picks] = -np.inf
        self.bound[block] = current
        if picks:
            self._append(block, rows, along, within, picks)
        return len(picks)

    def _append(
        self,
        block: np.ndarray,
        rows: Rows,
        along: torch.Tensor,
        within: np.ndarray,
        picks: list[int],
    ) -> None:
        """Let the span and its factor grow by some rows of a block."""
        place = torch.tensor(picks, device=along.device)
        start, stop = len(self.span), len(self.span) + len(picks)
        self.factor[start:stop, :start] = along[:, place].T
        self.factor[start:stop, start:stop] = torch.from_numpy(
            np.tril(within[picks, : len(picks)])
        )
        self.all.count_picks(start, len(picks))
        self.span.append(rows[place])
        self.chosen.extend(block[picks].tolist())

    def _along_span(self, rows: Rows) -> torch.Tensor:
        """Return the coordinates of rows in the span, (len(span), len(rows)).

        In the orthonormal basis that the chosen rows become one after another.
        """
        along = rows.norm_sq.new_empty((len(self.span), len(rows)))
        fill_coordinates(along, 0, self.span, self.factor, rows)
        return along

    def _rows(self, indices: np.ndarray) -> Rows:
        return self.pool.rows(torch.from_numpy(indices)).double()

    def _rival(self, outside: np.ndarray) -> _Rival:
        if not len(outside):
            return _Rival(0.0, len(self.priority))
        bound = max(float(self.bound[outside[0]]), 0.0)
        return _Rival(bound, int(self.priority[outside[0]]))

    def _largest_block(self, block_size: int) -> int:
        fits = _BLOCK_NUMBERS // max(1, len(self.span))
        return max(block_size, min(_LARGEST_BLOCK, fits))

    def _choose_zeros(self) -> None:
        """Choose the rest, by priority, among rows of zeros."""
        rest = np.flatnonzero(self.bound == 0.0)
        rest = rest[np.argsort(self.priority[rest])][: self.n - len(self.chosen)]
        self.chosen.extend(rest.tolist())
        self.scores.extend([0.0] * len(rest))

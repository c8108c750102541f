"""k-DPP sampling: sets of rows in proportion to the determinant of their products."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from skbadge.embeddings import Embedding, as_embedding
from skbadge.exceptions import RankError
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_integer, check_n

__all__ = ["SPANNED", "k_dpp_sample"]

# Squared sine of the angle up to which a row counts as spanned by others: 16 times the
# rounding of a float32, which is more than the updates of an inverse lose.
SPANNED = 2.0**-38
# Accepted below this, a row is judged again by an inverse free of earlier rounding.
_DOUBTFUL = 2.0**-13
# Steps whose candidates are gathered, and their products formed, at a time.
_STEPS = 256


def k_dpp_sample(
    embedding: Any, n: int, *, n_steps: int | None = None, random_state: Seed = None
) -> np.ndarray:
    r"""Draw n rows as a set, likely when they are long and point different ways.

    Parameters
    ----------
    embedding : Embedding, tensor or array of shape (n_pool, n_features)
        One vector a row.
    n : int
        Rows to draw, in [1, n_pool] and at most the rank of the embedding.
    n_steps : int or None, default=None
        Swaps that the Markov chain proposes; None means floor(5 n ln n).
    random_state : int, Generator, RandomState or None, default=None
        Seed of the draws.

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Distinct positions. A set drawn for its size: a smaller n gives another set,
        not a part of this one.

    Raises
    ------
    InvalidInputError
        If the embedding is not a 2-D table of finite real numbers or a number is out
        of range.
    RankError
        If n is above the rank of the embedding, where every determinant is 0. A row
        counts as spanned by others within an angle of 2e-6, whatever its length.

    Notes
    -----
    The chain of [1]_ on :math:`L = G G^T`: from a uniform set, propose to replace a
    uniform member u by a uniform row v outside, and accept with probability

    .. math:: \min\Bigl(1, \frac{c_v - b_v^T L_Y^{-1} b_v}
        {c_u - b_u^T L_Y^{-1} b_u}\Bigr), \quad Y = S \setminus \{u\},
        \; b_z = L_{Y z}, \; c_z = \lVert g_z \rVert^2.

    A singular start is replaced by picks of a pivoted Cholesky factorisation. After
    the default number of steps the law is still an approximation; it is approached as
    the steps grow. For n = 1 the row is drawn from the exact law, in proportion to its
    squared norm. O(n (n + K + d)) time a step.

    References
    ----------
    .. [1] Kang: Fast Determinantal Point Process Sampling with Application to
       Clustering. NeurIPS 2013.

    Examples
    --------
    >>> from skbadge.selection import k_dpp_sample
    >>> X = [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
    >>> 2 in k_dpp_sample(X, 2, random_state=0)  # rows 0 and 1 are parallel
    True
    """
    embedding = as_embedding(embedding)
    n = check_n(n, len(embedding))
    if n_steps is not None:
        check_integer(n_steps, "n_steps", low=0)
    generator = as_generator(random_state)
    return _k_dpp(embedding, n, n_steps=n_steps, generator=generator)


def _k_dpp(
    embedding: Embedding,
    n: int,
    *,
    n_steps: int | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Run the chain; no validation but that of the rank.

    Parameters
    ----------
    embedding : Embedding
        The pool.
    n : int
        In [1, len(embedding)].
    n_steps : int or None
        Proposals; None means floor(5 n ln n).
    generator : numpy.random.Generator
        On the host.

    Returns
    -------
    ndarray of shape (n,), dtype intp
    """
    norms = embedding.norms().cpu().numpy()
    if n == 1:
        return _draw_one(norms, generator)
    chain = SwapChain(embedding, norms, n, generator)
    steps = int(5 * n * np.log(n)) if n_steps is None else n_steps
    if n < len(norms):
        chain.run(steps, generator)
    return chain.members


def _draw_one(norms: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    law = np.square(norms)
    if not law.any():
        raise _rank_error(1, 0)
    return generator.choice(len(norms), size=1, p=law / law.sum()).astype(np.intp)


def _rank_error(n: int, rank: int) -> RankError:
    return RankError(
        f"A k-DPP can draw at most as many rows as the rank of the embedding, {rank} "
        f"here. Got n={n} instead: ask for at most {rank} rows, or use k-means++, "
        "which has no such limit."
    )


class SwapChain:
    """The chain's state: members, and the inverse of their products.

    All products are of rows scaled to length 1 (cosines), which keeps the inverse well
    conditioned whatever the lengths; those enter the ratio alone.

    Parameters
    ----------
    embedding : Embedding
        The pool.
    norms : ndarray of shape (n_pool,)
        Lengths of its rows.
    n : int
        Rows to draw, at least 2.
    generator : numpy.random.Generator
        Draws the start.
    """

    def __init__(
        self,
        embedding: Embedding,
        norms: np.ndarray,
        n: int,
        generator: np.random.Generator,
    ) -> None:
        self.embedding = embedding
        self.weight = np.square(norms)
        start = generator.permutation(len(norms)).astype(np.intp)
        if len(_independent(self.cosines(start[:n], start[:n]))) < n:
            start = self._independent_first(start, n)
        self.members, self.outside = start[:n].copy(), start[n:].copy()
        self.gram = self.cosines(self.members, self.members)
        self._invert()

    def cosines(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the cosines between rows and others, float64."""
        return self.embedding.cosines(rows, others).cpu().numpy()

    def _independent_first(self, order: np.ndarray, n: int) -> np.ndarray:
        """Return the rows with n independent ones in front, or say what the rank is.

        The pool is read in chunks; of each, pivoted Cholesky on what the rows found so
        far do not span picks further ones.
        """
        found = np.empty(0, dtype=np.intp)
        step = max(4 * n, 256)
        for start in range(0, len(order), step):
            chunk = order[start : start + step]
            rest = self.cosines(chunk, chunk)
            if len(found):
                across = self.cosines(found, chunk)
                basis = np.linalg.cholesky(self.cosines(found, found))
                spanned = np.linalg.solve(basis, across)
                rest -= spanned.T @ spanned
            found = np.concatenate([found, chunk[_independent(rest)]])
            if len(found) >= n:
                found = found[:n]
                break
        if len(found) < n:
            raise _rank_error(n, len(found))
        return np.concatenate([found, order[~np.isin(order, found)]])

    def run(self, n_steps: int, generator: np.random.Generator) -> None:
        """Propose ``n_steps`` swaps."""
        done = 0
        while done < n_steps:
            count = min(_STEPS, n_steps - done)
            slots = generator.integers(len(self.members), size=count)
            places = generator.integers(len(self.outside), size=count)
            levels = generator.random(count)
            walked = 0
            while walked < count:
                walked += self._walk(slots[walked:], places[walked:], levels[walked:])
            done += count

    def _walk(self, slots: np.ndarray, places: np.ndarray, levels: np.ndarray) -> int:
        """Judge proposals until one's row is not among those gathered.

        Returns
        -------
        int
            How many were judged, at least 1.
        """
        rows = self.outside[places]
        products = self.cosines(np.concatenate([self.members, rows]), rows)
        with_members, with_rows = np.split(products, [len(self.members)])
        for step, (slot, place) in enumerate(zip(slots, places, strict=True)):
            if self.outside[place] != rows[step]:
                return step  # a row that left the members in the meantime
            if self._swap(slot, place, with_members[:, step], levels[step]):
                with_members[slot] = with_rows[step]
        return len(slots)

    def _swap(self, slot: int, place: int, column: np.ndarray, level: float) -> bool:
        """Replace a member by the row at ``place`` outside, if the level allows it."""
        u, v = self.members[slot], self.outside[place]
        # The inverse without u, in place: its row and column become 0.
        pivot = self.inverse[slot, slot]
        without = self.inverse[slot] / pivot
        projected = self.inverse @ column - without * (self.inverse[slot] @ column)
        projected[slot] = 0.0  # the products with u itself play no part
        left_over = 1.0 - column @ projected
        if left_over <= SPANNED:
            return False
        if level * self.weight[u] / pivot >= self.weight[v] * left_over:
            return False
        if left_over < _DOUBTFUL and self.updates:
            self._invert()
            return self._swap(slot, place, column, level)
        self.inverse -= np.outer(without, self.inverse[slot])
        projected /= -left_over
        self.inverse += np.outer(projected, projected) * left_over
        self.inverse[slot], self.inverse[:, slot] = projected, projected
        self.inverse[slot, slot] = 1.0 / left_over
        self.gram[slot], self.gram[:, slot] = column, column
        self.gram[slot, slot] = 1.0
        self.members[slot], self.outside[place] = v, u
        self.updates += 1
        if self.updates == max(len(self.members), 32):
            self._invert()
        return True

    def _invert(self) -> None:
        """Start over from the products: rounding adds up over updates."""
        self.inverse = np.linalg.inv(self.gram)
        self.updates = 0


def _independent(gram: np.ndarray) -> np.ndarray:
    """Return the pivots, in order, of a Cholesky factorisation up to the rank."""
    _, pivots, rank, _ = lapack.dpstrf(gram, tol=SPANNED)
    # It takes the first pivot whatever its size.
    if np.diagonal(gram).max() <= SPANNED:
        return np.empty(0, dtype=np.intp)
    return pivots[:rank].astype(np.intp) - 1

"""Coordinates of rows in the span of the chosen ones: of a block, or of the whole pool.

The chosen rows become an orthonormal basis one after another. What is left of a row
beside them is its squared length less the squares of its coordinates.
"""

from __future__ import annotations

import numpy as np
import sklearn
import torch

from skbadge.embeddings import Embedding
from skbadge.embeddings._distances import inner
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import chunk_length
from skbadge.selection._centers import Centers
from skbadge.selection._k_dpp import SPANNED
from skbadge.selection._nearest import PlainLoop

__all__ = ["Coordinates", "fill_coordinates"]

# Chosen rows whose coordinates are found at a time.
_PANEL = 256
# Tables of up to so many numbers are kept in float64; larger ones are read by chunks.
_KEPT = 1 << 22
# What a block costs in numbers that the plain loop reads, as in `PlainLoop`: the calls;
# a row of it and how often its numbers are read; how many terms of its coordinates, and
# of products between rivals, cost as much as a number read.
_PER_BLOCK, _PER_BLOCK_ROW, _READINGS = 2_000_000, 2_000, 16
_TERMS, _PRODUCTS, _PER_ROW = 3.0, 2.0, 30


def fill_coordinates(
    along: torch.Tensor, first: int, span: Centers, factor: torch.Tensor, rows: Rows
) -> None:
    """Find coordinates of rows by forward substitution, a panel of them at a time.

    Parameters
    ----------
    along : torch.Tensor of shape (len(span), len(rows)), dtype float64
        Filled from row ``first`` on.
    first : int
        How many coordinates are known.
    span : Centers
        The chosen rows.
    factor : torch.Tensor
        Lower triangle of the Cholesky factor of their products.
    rows : Rows
        In float64.
    """
    for start in range(first, len(span), _PANEL):
        part = slice(start, min(start + _PANEL, len(span)))
        products = inner(span[part], rows)
        products -= factor[part, :start] @ along[:start]
        along[part] = torch.linalg.solve_triangular(
            factor[part, part], products, upper=False
        )


class Coordinates:
    """Those of all rows, and the account that says when they are to be kept.

    The plain loop keeps n numbers of each row of the pool, and reads the pool for each
    pick. Lazy blocks are cheaper, unless many rows compete for each pick. Both are
    counted, as in `PlainLoop`: where a further block would cost more than a share of
    what the loop would have cost to get as far, the loop's own steps take its place.

    Parameters
    ----------
    pool : Embedding
        The rows.
    span : Centers
        The chosen rows.
    width : int
        Numbers a row.
    capacity : int
        How many rows will be chosen.
    """

    def __init__(
        self, pool: Embedding, span: Centers, width: int, capacity: int
    ) -> None:
        self._pool, self._capacity = pool, capacity
        self._plain = PlainLoop(pool, torch.float64, span, width)
        self._width = width
        limit = sklearn.get_config()["working_memory"] * 2**20
        fits = 8 * capacity * len(pool) <= limit
        self.is_possible = self._plain.is_possible and fits
        self._n_rivals = 0
        self._steps = 0.0  # of the plain loop so far, in those it begins with
        self._along = torch.empty(0)
        self._chunks: list[slice] = []
        self._kept: Rows | None = None
        self.restart()

    def restart(self) -> None:
        """Forget all coordinates."""
        self._count = 0
        self._is_begun = False

    # --- the account -----------------------------------------------------------------

    def count_picks(self, n_span: int, n_picks: int) -> None:
        """Note that rows were chosen when so many spanned."""
        self._steps += n_picks * (1.0 + n_span / self._width)

    def affords(self, size: int, n_span: int) -> bool:
        """Say whether a block of ``size`` rows may be brought up to date.

        After which as many rivals are expected as in the last one.
        """
        cost = self._cost(size, n_span, self._n_rivals)
        steps = self._steps + 1.0 + n_span / self._width
        return not self.is_possible or self._plain.affords(cost, steps)

    def spend(self, size: int, n_span: int, n_rivals: int) -> None:
        """Put a block on the account, so many rows of which were compared."""
        self._n_rivals = n_rivals
        self._plain.spend(self._cost(size, n_span, n_rivals))

    def _cost(self, size: int, n_span: int, n_rivals: int) -> float:
        terms = size * n_span * (self._width + n_span / 2.0) / _TERMS
        terms += n_rivals**2 * self._width / _PRODUCTS
        terms += size * (_PER_BLOCK_ROW + _READINGS * self._width)
        return _PER_BLOCK + _PER_ROW * len(self._pool) + terms

    # --- steps of the plain loop -----------------------------------------------------

    def catch_up(self, span: Centers, factor: torch.Tensor) -> np.ndarray:
        """Take the chosen rows in; return what is left of each row of the pool.

        Returns
        -------
        ndarray of shape (n,), dtype float64
            Kept up to date, in place, by `add`; 0 for rows in the span.
        """
        if not self._chunks:
            self._begin()
        if not self._is_begun:
            self.left_over = self._norm_sq.copy()
            self._is_begun = True
        new = slice(self._count, len(span))
        if new.start < new.stop:
            for chunk in self._chunks:
                along = self._along[: len(span), chunk]
                fill_coordinates(along, new.start, span, factor, self._read(chunk))
                self.left_over[chunk] -= along[new].square().sum(dim=0).numpy()
            self.left_over[self.left_over <= self.rounding] = 0.0
            self._count = len(span)
        return self.left_over

    def add(self, best: int, factor: torch.Tensor) -> None:
        """Choose a row: fill its row of the factor, and lower what is left of all."""
        count, pivot = self._count, float(np.sqrt(self.left_over[best]))
        before = self._along[:count, best].contiguous()
        factor[count, :count] = before
        factor[count, count] = pivot
        row = self._read(slice(best, best + 1))
        new = self._along[count]
        for chunk in self._chunks:
            new[chunk] = inner(self._read(chunk), row)[:, 0]
        if count:
            new -= torch.mv(self._along[:count].T, before)
        new /= pivot
        self.left_over -= new.square().numpy()
        self.left_over[self.left_over <= self.rounding] = 0.0
        self._count += 1

    def _begin(self) -> None:
        """Look at all rows once; memory is touched only as it is filled."""
        n = len(self._pool)
        self._along = torch.empty((self._capacity, n), dtype=torch.float64)
        # Chunks are read in float64.
        step = n if n * self._width <= _KEPT else chunk_length(2 * self._width)
        self._chunks = [slice(a, min(a + step, n)) for a in range(0, n, step)]
        if step == n:
            self._kept = self._read(slice(None))
        # In one place: between freed blocks, small results would keep holes open.
        self._norm_sq = np.empty(n)
        for chunk in self._chunks:
            self._norm_sq[chunk] = self._read(chunk).double().norm_sq.numpy()
        self.rounding = SPANNED * self._norm_sq

    def _read(self, part: slice) -> Rows:
        """Return rows in float64; their norms are not made anew."""
        if self._kept is not None:
            return self._kept[part]
        return self._pool.rows(part).each(torch.Tensor.double)

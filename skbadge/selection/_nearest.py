"""Steps of the plain loop, and an account of what is spent to avoid them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from skbadge.embeddings import Embedding
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._sweep import Sweep, can_sweep
from skbadge.selection._centers import Centers

__all__ = ["PlainLoop", "lower_all"]

# What work costs, in numbers of the pool that a product reads: of a step of the loop
# the bookkeeping of a row, and the calls; of a block the calls, a row, how often its
# numbers are read, and a pair beside its products; how many products cost as much as a
# number read; how many times more all costs where distances have lost their digits.
_PER_ROW, _PER_STEP = 30, 300_000
_PER_BLOCK, _PER_BLOCK_ROW, _READINGS, _PER_PAIR = 16_000_000, 3_000, 20, 16
_PRODUCTS, _PER_NEAR = 8, 32
# Blocks may cost this part of what the plain loop would have cost so far.
_SHARE = 1 / 3
# So many centers are taken in one after another.
_FEW = 8


class PlainLoop:
    """Steps of the plain loop, and an account of what laziness costs beside them.

    Lazy samplers choose from blocks of rows. Where many rows compete for each choice,
    or the pool is small, blocks save nothing. **All blocks together cost at most a
    share of what the plain loop would have cost to get as far**: where a further one
    would exceed it, steps of the loop take its place. Each center is taken in by a
    step, or by a product that costs less. So all work is at most that of the loop's own
    steps and the share, whatever the pool and however bad its bounds.

    Work is counted in numbers that are read, never in seconds.

    Parameters
    ----------
    pool : Embedding
        The rows.
    dtype : torch.dtype
        Arithmetic, that of the pool or float64.
    centers : Centers
        The rows chosen.
    width : int
        Numbers a row.

    Attributes
    ----------
    is_possible : bool
        Whether the rows are where a step reaches them. If not, all are blocks.
    near : float
        Share of rows whose distances have lost their digits, as last seen.
    """

    def __init__(
        self, pool: Embedding, dtype: torch.dtype, centers: Centers, width: int
    ) -> None:
        self._pool, self._dtype = pool, dtype
        self._centers, self._width = centers, width
        self._sweep: Sweep | None = None
        self._spent = 0.0
        self._step = len(pool) * (width + _PER_ROW) + _PER_STEP
        self.is_possible = can_sweep(pool)
        self.near = 0.0

    def block_cost(self, n_rows: int, n_pairs: float) -> float:
        """Return what a block costs of so many rows, and pairs with others."""
        numbers: float = n_rows * (_PER_BLOCK_ROW + _READINGS * self._width)
        numbers += n_pairs * (_PER_PAIR + self._width / _PRODUCTS)
        numbers *= 1 + _PER_NEAR * self.near
        return _PER_BLOCK + _PER_ROW * len(self._pool) + numbers

    def affords(self, cost: float, n_chosen: float) -> bool:
        """Say whether a block may be walked after which ``n_chosen`` rows are chosen.

        So many are expected. Always where no step of the loop could take its place.
        """
        allowed = _SHARE * self._step * n_chosen
        return not self.is_possible or self._spent + cost <= allowed

    def spend(self, cost: float) -> None:
        """Put a block on the account."""
        self._spent += cost

    def lower(self, bound: np.ndarray, center: int) -> None:
        """Lower squared distances of all rows by one center, given by its position.

        In place, in units of the pool's ``scale ** 2``; those at or below 0 stay.
        """
        if self._sweep is None:
            self._sweep = Sweep(self._pool, self._dtype)
        self._sweep.lower(bound, center)

    def catch_up(self, bound: np.ndarray, chosen: Sequence[int], since: int) -> None:
        """Lower squared distances of all rows by all centers from ``since`` on."""
        new = len(chosen) - since
        product: float = self._width + new * (_PER_PAIR + self._width / _PRODUCTS)
        product *= len(self._pool) * (1 + _PER_NEAR * self.near)
        steps = new <= _FEW or new * self._step <= product
        if self.is_possible and steps:
            for center in chosen[since:]:
                self.lower(bound, center)
        elif new:
            lower_all(self._pool, bound, self._centers[since:])


def lower_all(pool: Embedding, bound: np.ndarray, centers: Rows) -> None:
    """Lower squared distances of all rows by some centers, in place."""
    found = pool.nearest_sq(slice(None), centers).cpu().numpy()
    np.minimum(bound, found, out=bound)

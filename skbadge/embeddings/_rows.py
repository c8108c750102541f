"""Rows of an embedding in memory, and exact distances between them.

All formulas are those of a product ``g = a (x) h`` of two short vectors, which is never
written out: ``g . g' = (a . a') (h . h')``. A plain vector is the case without ``a``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["Rows", "distances_sq", "inner", "nearest_sq", "pairwise_sq"]

# Below this part of |g|^2 + |c|^2 the digits of |g|^2 + |c|^2 - 2 g.c are lost to
# cancellation (by arithmetic), and a distance is computed from differences instead.
_CLOSE = {torch.float32: 1e-3, torch.float64: 1e-9}
# Sums of squares below this may have lost their products to underflow.
_VANISHING = {torch.float32: 1e-30, torch.float64: 1e-280}
# Pairs whose difference is written out at a time, in numbers.
_PAIR_NUMBERS = 1 << 20
# Columns of a block of distances formed at a time.
_COLUMNS = 2048


@dataclass(frozen=True, eq=False)
class Rows:
    """A few rows ``g = left (x) (right, constant)``, scaled, with their norms.

    Parameters
    ----------
    left : torch.Tensor of shape (m, K) or None
        First factor; None stands for a column of ones.
    right : torch.Tensor of shape (m, d)
        Second factor.
    constant : float
        A last coordinate that every row of the second factor shares (the bias).
    left_sq, right_sq : torch.Tensor of shape (m,), dtype float64
        Squared norms of the factors, ``constant`` included.
    """

    left: torch.Tensor | None
    right: torch.Tensor
    constant: float
    left_sq: torch.Tensor
    right_sq: torch.Tensor

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, key: slice | torch.Tensor) -> Rows:
        return self.each(lambda tensor: tensor[key])

    def each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        """Return rows made of what a function makes of each tensor."""
        return Rows(
            None if self.left is None else function(self.left),
            function(self.right),
            self.constant,
            function(self.left_sq),
            function(self.right_sq),
        )

    @property
    def norm_sq(self) -> torch.Tensor:
        """Squared norm of each row, float64."""
        return self.left_sq * self.right_sq

    def scaled(self, factor: float) -> Rows:
        """Return ``factor`` times the rows; the rows themselves for 1."""
        if factor == 1.0:
            return self
        return Rows(
            self.left,
            self.right * factor,
            self.constant * factor,
            self.left_sq,
            self.right_sq * factor * factor,
        )

    def double(self) -> Rows:
        """Return the same rows in float64, their norms to the last digit."""
        left = None if self.left is None else self.left.double()
        right = self.right.double()
        return Rows(
            left,
            right,
            self.constant,
            self.left_sq if left is None else left.square().sum(dim=1),
            right.square().sum(dim=1) + self.constant**2,
        )


def inner(x: Rows, y: Rows) -> torch.Tensor:
    """Return the inner products ``x_i . y_j``, shape (len(x), len(y))."""
    products = x.right @ y.right.T
    if x.constant:
        products += x.constant * y.constant
    if x.left is not None and y.left is not None:
        products *= x.left @ y.left.T
    return products


def distances_sq(x: Rows, y: Rows) -> torch.Tensor:
    """Return squared distances free of cancellation, float64 (len(x), len(y)).

    Identical rows are exactly 0 apart.
    """
    found = x.left_sq.new_empty((len(x), len(y)))
    for start in range(0, len(y), _COLUMNS):
        part = y[start : start + _COLUMNS]
        distance_sq, close = _gram_distances_sq(x, part)
        block = found[:, start : start + _COLUMNS].copy_(distance_sq)
        if len(close):
            i, j = close.unbind(1)
            block[i, j] = _pair_distances_sq(x, i, part, j)
    return found


def pairwise_sq(x: Rows) -> torch.Tensor:
    """Return squared distances within a block, as `distances_sq`, float64 (m, m)."""
    distance_sq, close = _gram_distances_sq(x, x)
    distance_sq = distance_sq.double()
    i, j = close[close[:, 0] != close[:, 1]].unbind(1)
    if len(i):
        distance_sq[i, j] = _pair_distances_sq(x, i, x, j)
    return distance_sq.fill_diagonal_(0.0)


def nearest_sq(x: Rows, y: Rows) -> torch.Tensor:
    """Return for each of ``x`` the squared distance to its nearest of ``y``, float64.

    As `distances_sq` with a minimum over columns, without the block in float64.
    Infinity where ``y`` is empty.
    """
    nearest = torch.full_like(x.left_sq, torch.inf)
    for start in range(0, len(y), _COLUMNS):
        part = y[start : start + _COLUMNS]
        torch.minimum(nearest, _nearest_in_block(x, part), out=nearest)
    return nearest


def _nearest_in_block(x: Rows, y: Rows) -> torch.Tensor:
    products = inner(x, y)
    dtype = products.dtype
    y_sq = y.norm_sq
    # |y|^2 - 2 x.y in place: few passes over a block that stays in the cache.
    torch.add(y_sq.to(dtype), products, alpha=-2.0, out=products)
    nearest = products.amin(dim=1).double() + x.norm_sq
    # No pair of a row is closer than its nearest, so no pair needs a second look where
    # the nearest is far on the scale of the largest sum of squares.
    limit = (_CLOSE[dtype] * (x.norm_sq + y_sq.max())).clamp_min_(_VANISHING[dtype])
    again = torch.nonzero(nearest <= limit)[:, 0]
    if len(again):
        nearest[again] = _nearest_with_care(x[again], y)
    return nearest


def _nearest_with_care(x: Rows, y: Rows) -> torch.Tensor:
    distance_sq, close = _gram_distances_sq(x, y)
    if len(close):
        i, j = close.unbind(1)
        distance_sq[i, j] = torch.inf
        nearest = distance_sq.amin(dim=1).double()
        return nearest.scatter_reduce_(0, i, _pair_distances_sq(x, i, y, j), "amin")
    return distance_sq.amin(dim=1).double()


def _gram_distances_sq(x: Rows, y: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``|x|^2 + |y|^2 - 2 x.y`` and the pairs (i, j) it is not exact for."""
    distance_sq, sums = _gram_form(x, y)
    close = _close_pairs(distance_sq, sums)
    if len(close) > 4 * (len(x) + len(y)) and distance_sq.dtype == torch.float32:
        # Rows far from the origin but near each other: double digits are cheaper than
        # writing out every difference.
        distance_sq, sums = _gram_form(x.double(), y.double())
        close = _close_pairs(distance_sq, sums)
    return distance_sq, close


def _gram_form(x: Rows, y: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    products = inner(x, y)
    sums = x.norm_sq[:, None].to(products.dtype) + y.norm_sq.to(products.dtype)
    return torch.add(sums, products, alpha=-2.0), sums


def _close_pairs(distance_sq: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    dtype = distance_sq.dtype
    # distance_sq <= max(close * sums, vanishing), without further blocks.
    limit = sums.mul_(_CLOSE[dtype]).clamp_min_(_VANISHING[dtype])
    return torch.nonzero(distance_sq <= limit)


def _pair_distances_sq(
    x: Rows, i: torch.Tensor, y: Rows, j: torch.Tensor
) -> torch.Tensor:
    """Return squared distances of the pairs (x_i, y_j) from differences, float64.

    With ``da = a_x - a_y`` and ``dh = h_x - h_y`` the difference of the products is
    ``a_x (x) dh + da (x) h_y``, so its squared norm is
    ``|a_x|^2 |dh|^2 + |da|^2 |h_y|^2 + 2 (a_x . da) (dh . h_y)``:
    no large terms cancel, and identical rows give exactly 0.
    """
    step = max(1, _PAIR_NUMBERS // x.right.shape[1])
    parts = [
        _pair_chunk(x[i[start : start + step]], y[j[start : start + step]])
        for start in range(0, len(i), step)
    ]
    return torch.cat(parts)


def _pair_chunk(x: Rows, y: Rows) -> torch.Tensor:
    h = y.right.double()
    dh = x.right.double() - h
    dh_sq = torch.linalg.vecdot(dh, dh)
    if x.left is None or y.left is None:
        return dh_sq
    a = x.left.double()
    da = a - y.left.double()
    cross = torch.linalg.vecdot(a, da) * torch.linalg.vecdot(dh, h)
    distance_sq = (
        x.left_sq * dh_sq + torch.linalg.vecdot(da, da) * y.right_sq + 2.0 * cross
    )
    return distance_sq.clamp_min_(0.0)

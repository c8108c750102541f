"""Exact distances between rows of an embedding in memory.

All formulas are those of a product ``g = a (x) h`` of two short vectors, which is never
written out: ``g . g' = (a . a') (h . h')``. A plain vector is the case without ``a``.

``|g|^2 + |c|^2 - 2 g.c`` is one matrix product, and loses its digits where g and c are
near each other on the scale of their lengths. Such pairs get a second look: a few are
written out, difference by difference; of many, rows near one reference are measured
from it, which is one matrix product again.
"""

from __future__ import annotations

import torch

from skbadge.embeddings._offsets import CLOSE, VANISHING, Offsets, too_small
from skbadge.embeddings._rows import Rows, take
from skbadge.embeddings._tensors import directions

__all__ = [
    "cosines",
    "distances_sq",
    "inner",
    "nearest_sq",
    "pairwise_sq",
    "row_distances_sq",
]

# Pairs whose difference is written out at a time, in numbers.
_PAIR_NUMBERS = 1 << 16
# Numbers of a block of distances formed at a time, and its columns at most.
_BLOCK_NUMBERS, _COLUMNS = 1 << 23, 2048
# Of two rows whose distance is lost to cancellation, the longer is at most this much
# longer, in squares: (|x| - |y|)^2 <= 1e-3 (|x|^2 + |y|^2) makes 1.094.
_AS_LONG = 1.1
# Rows and columns looked at a second time together.
_SECOND_ROWS, _SECOND_COLUMNS = 1024, 128
# A pair written out costs as much as this many pairs of a product; a product of its own
# is not worth its calls below so many pairs.
_PAIRS_PER_DIFFERENCE, _FEW_PAIRS = 256, 256
# Rows of so many numbers are compared with one in float64, and rows with so many one
# after another; from this share of near rows on, all are measured by differences.
_FEW_NUMBERS, _FEW_COLUMNS, _MANY = 1 << 14, 4, 0.25


# Times this, the square of the smallest difference is above 0.
_LARGE = 2.0**100


def inner(x: Rows, y: Rows) -> torch.Tensor:
    """Return the inner products ``x_i . y_j``, shape (len(x), len(y))."""
    products = x.right @ y.right.T
    if x.constant:
        products += x.constant * y.constant
    if x.left is not None and y.left is not None:
        products *= x.left @ y.left.T
    return products


def cosines(x: Rows, y: Rows) -> torch.Tensor:
    """Return the cosines of the angles between rows, float64 (len(x), len(y)).

    Whatever their lengths; 0 for a row of zeros.
    """
    found = _directions(x.right, x.constant) @ _directions(y.right, y.constant).T
    if x.left is not None and y.left is not None:
        found *= _directions(x.left) @ _directions(y.left).T
    return found


def _directions(rows: torch.Tensor, constant: float = 0.0) -> torch.Tensor:
    rows = rows.double()
    if constant:
        rows = torch.cat([rows, torch.full_like(rows[:, :1], constant)], dim=1)
    return directions(rows)


def distances_sq(x: Rows, y: Rows) -> torch.Tensor:
    """Return squared distances free of cancellation, float64 (len(x), len(y)).

    Identical rows are exactly 0 apart.
    """
    found = x.left_sq.new_empty((len(x), len(y)))
    step = _columns(x)
    for start in range(0, len(y), step):
        part = y[start : start + step]
        distance_sq = _gram_form(x, part)
        close = too_small(distance_sq, x.norm_sq, part.norm_sq)
        block = found[:, start : start + step].copy_(distance_sq)
        _look_again(x, part, block, close)
    return found


def pairwise_sq(x: Rows) -> torch.Tensor:
    """Return squared distances within a block, as `distances_sq`, float64 (m, m)."""
    distance_sq = _gram_form(x, x)
    close = too_small(distance_sq, x.norm_sq, x.norm_sq).fill_diagonal_(False)
    distance_sq = distance_sq.double()
    _look_again(x, x, distance_sq, close)
    return distance_sq.fill_diagonal_(0.0)


def nearest_sq(x: Rows, y: Rows) -> torch.Tensor:
    """Return for each of ``x`` the squared distance to its nearest of ``y``, float64.

    As `distances_sq` with a minimum over columns, without the block in float64.
    Infinity where ``y`` is empty.
    """
    nearest = torch.full_like(x.left_sq, torch.inf)
    if len(y) <= _FEW_COLUMNS:
        for i in range(len(y)):
            torch.minimum(nearest, _row_nearest_sq(x, y[i : i + 1]), out=nearest)
        return nearest
    step = _columns(x)
    for start in range(0, len(y), step):
        part = y[start : start + step]
        torch.minimum(nearest, _nearest_in_block(x, part), out=nearest)
    return nearest


def _row_nearest_sq(x: Rows, center: Rows) -> torch.Tensor:
    """Return what `distances_sq` does for one column, in fewer and cheaper calls."""
    distance_sq = _gram_form(x, center)
    near = torch.nonzero(too_small(distance_sq, x.norm_sq, center.norm_sq))[:, 0]
    if len(near) > _MANY * len(x):
        return row_distances_sq(x, center)
    found = distance_sq[:, 0].double()
    if len(near):
        found[near] = row_distances_sq(x, center, near)
    return found


def _columns(x: Rows) -> int:
    return max(1, min(_COLUMNS, _BLOCK_NUMBERS // max(1, len(x))))


def _nearest_in_block(x: Rows, y: Rows) -> torch.Tensor:
    products = inner(x, y)
    dtype = products.dtype
    x_sq, y_sq = x.norm_sq, y.norm_sq
    # |y|^2 - 2 x.y in place: few passes over a block that stays in the cache.
    torch.add(y_sq.to(dtype), products, alpha=-2.0, out=products)
    nearest = products.amin(dim=1).double() + x_sq
    # No pair of a row is closer than its nearest, so no pair needs a second look where
    # the nearest is far on the scale of the largest sum of squares. Rows near each
    # other are about as long: the longest of all, maybe far longer, decides nothing.
    longest = torch.minimum(_AS_LONG * x_sq, y_sq.max())
    limit = (CLOSE[dtype] * (x_sq + longest)).clamp_min_(VANISHING[dtype])
    again = torch.nonzero(nearest <= limit)[:, 0]
    # Each pair by its own sum of squares, a few rows at a time.
    for part in again.split(_SECOND_ROWS):
        nearest[part] = _nearest_with_care(x, y, part, products[part])
    return nearest


def _nearest_with_care(
    x: Rows, y: Rows, again: torch.Tensor, distance_sq: torch.Tensor
) -> torch.Tensor:
    """Return the nearest of some rows; ``distance_sq`` lacks their own squares."""
    x_sq = x.norm_sq[again]
    distance_sq += x_sq[:, None].to(distance_sq.dtype)
    close = too_small(distance_sq, x_sq, y.norm_sq)
    nearest = distance_sq.amin(dim=1).double()
    touched = torch.nonzero(close.any(dim=1))[:, 0]
    if len(touched):
        looked = distance_sq[touched].double()
        _look_again(x[again[touched]], y, looked, close[touched])
        nearest[touched] = looked.amin(dim=1)
    return nearest


def _gram_form(x: Rows, y: Rows) -> torch.Tensor:
    """Return ``|x|^2 + |y|^2 - 2 x.y``, in the arithmetic of the rows."""
    products = inner(x, y)
    sums = x.norm_sq[:, None].to(products.dtype) + y.norm_sq.to(products.dtype)
    return torch.add(sums, products, alpha=-2.0, out=sums)


# --- the second look -----------------------------------------------------------------


def _look_again(
    x: Rows, y: Rows, distance_sq: torch.Tensor, close: torch.Tensor
) -> None:
    """Write the close pairs' distances into ``distance_sq``, free of cancellation.

    Parameters
    ----------
    x, y : Rows
        Of which ``distance_sq`` holds what the Gram form gives.
    distance_sq : torch.Tensor of shape (len(x), len(y)), dtype float64
        Changed in place.
    close : torch.Tensor of shape (len(x), len(y)), dtype bool
        The pairs to measure anew; nothing of it is left afterwards.
    """
    if _are_few(close):
        _write_out(x, y, distance_sq, close)
        return
    for start in range(0, len(y), _SECOND_COLUMNS):
        part = slice(start, start + _SECOND_COLUMNS)
        _measure_from_references(x, y[part], distance_sq[:, part], close[:, part])


def _are_few(close: torch.Tensor) -> bool:
    few = max(_FEW_PAIRS, close.numel() // _PAIRS_PER_DIFFERENCE)
    return int(close.count_nonzero()) <= few


def _write_out(
    x: Rows, y: Rows, distance_sq: torch.Tensor, close: torch.Tensor
) -> None:
    i, j = torch.nonzero(close, as_tuple=True)
    if len(i):
        distance_sq[i, j] = _pair_distances_sq(x, i, y, j)


def _measure_from_references(
    x: Rows, y: Rows, distance_sq: torch.Tensor, close: torch.Tensor
) -> None:
    """Measure groups of close rows from one of them, until few pairs are left.

    Of the rows alike to 1e-5, or of those far from the origin, the differences to one
    reference have nothing in common any more. Each turn settles at least one column of
    a group, at the price of reading it: no pool costs more than one row after another.
    """
    left_over = torch.zeros_like(close)
    while not _are_few(close):
        column = int(close.sum(dim=0).argmax())
        i = torch.nonzero(close[:, column])[:, 0]
        j = torch.nonzero(close[i[0]])[:, 0]
        j = j[j != column]
        if len(i) * (1 + len(j)) < _FEW_PAIRS:
            break
        group, reference = x[i], y[column : column + 1]
        from_x = Offsets(group, reference)
        distance_sq[i, column], close[i, column] = from_x.norm_sq, False
        left_over[i, column] = from_x.is_doubtful()
        if len(j):
            place = i[:, None], j
            found, still = from_x.distances_sq(Offsets(y[j], reference))
            mine = close[place]
            distance_sq[place] = torch.where(mine, found, distance_sq[place])
            close[place] = still & mine
    _write_out(x, y, distance_sq, close | left_over)


def row_distances_sq(
    x: Rows, center: Rows, among: torch.Tensor | None = None
) -> torch.Tensor:
    """Return squared distances to one row from differences, float64.

    In the arithmetic of the rows, where the difference of two numbers near each other
    is exact; what vanishes in it, or cancels in the formula of `_pair_distances_sq`, is
    computed again in float64.

    Parameters
    ----------
    x : Rows
        The rows.
    center : Rows
        One row.
    among : torch.Tensor of positions or None, default=None
        Which of the rows to measure; None for all.

    Returns
    -------
    torch.Tensor of shape (len(among),) or (len(x),)
    """
    count = len(x) if among is None else len(among)
    width = x.right.shape[1] + (0 if x.left is None else x.left.shape[1])
    few = count * width <= _FEW_NUMBERS
    if few and x.left is not None:
        # Exact at once, and no more calls than a look at what is doubtful.
        return _pair_chunk(x if among is None else x[among], center)
    if few:
        right = x.right if among is None else take(x.right, among)
        dh = right.double() - center.right[0].double()
        return torch.linalg.vecdot(dh, dh)
    h, dtype = center.right[0], x.right.dtype
    distance_sq, along_h = x.left_sq.new_empty((2, count)).unbind()
    again = torch.zeros(count, dtype=torch.bool, device=h.device)
    vanishing = VANISHING[dtype]
    step = max(1, 4 * _PAIR_NUMBERS // x.right.shape[1])
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        dh = take(x.right, part if among is None else among[part]) - h
        found = torch.linalg.vecdot(dh, dh)
        distance_sq[part] = found
        if found.min() <= vanishing:
            # Vanished, if not 0 as of identical rows.
            again[part] = (found <= vanishing) & _differ(dh)
        if x.left is not None:
            along_h[part] = torch.mv(dh, h)
    if x.left is not None and center.left is not None:
        left = x.left if among is None else take(x.left, among)
        left_sq = x.left_sq if among is None else take(x.left_sq, among)
        da = left - center.left[0]
        along_h *= torch.linalg.vecdot(left, da)
        size = torch.linalg.vecdot(da, da).double() * center.right_sq
        again |= (size <= vanishing) & _differ(da)
        size += left_sq * distance_sq
        distance_sq = torch.add(size, along_h, alpha=2.0).clamp_min_(0.0)
        # Terms that cancel.
        again |= (distance_sq <= CLOSE[dtype] * size) & (size > 0.0)
    again = torch.nonzero(again)[:, 0]
    if dtype != torch.float64 and len(again):
        which = again if among is None else among[again]
        same = torch.zeros_like(which)
        distance_sq[again] = _pair_distances_sq(x, which, center, same)
    return distance_sq


def _differ(differences: torch.Tensor) -> torch.Tensor:
    """Say of which rows any number is not 0, where all squares are tiny or 0."""
    scaled = differences * _LARGE
    return torch.linalg.vecdot(scaled, scaled) > 0.0


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

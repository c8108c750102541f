"""All rows of an embedding against one center after another, as the plain loop does it.

Where bounds save nothing, samplers fall back on this: one matrix-vector product a
center, and a second look at the rows that are near it.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch

from skbadge.embeddings._base import Embedding
from skbadge.embeddings._distances import row_distances_sq
from skbadge.embeddings._factored import FactoredEmbedding
from skbadge.embeddings._offsets import CLOSE, VANISHING, Offsets
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import chunk_length

__all__ = ["Sweep", "can_sweep"]

# Rows of up to so many numbers are measured by differences, all of them.
_NARROW = 4
# Tables of up to so many numbers are copied in float64: a product of them costs no
# more than the calls around it. Up to the second number they are once measuring near
# rows by differences has become dearer than that.
_COPIED, _WIDENED = 1 << 16, 1 << 20
# Tables of up to so many numbers stay in the processor's cache, where differences cost
# several times as much as products: those that are needed again and again are kept.
# Larger ones are read chunk by chunk, from memory that is as slow as either.
_KEPT = 1 << 22
# What measuring near rows costs in numbers read, the calls and how often each is; and
# how often each number is until another form of the table is ready.
_PER_LOOK, _READINGS, _PRICE = 200_000, 4, 6
# Below this part of the terms' sizes a difference of float32 rows has lost, in float64,
# as many digits as below `CLOSE` in float32.
_CLOSE_OF_COPIES = 5e-13
# Of two rows that are near, the longer has at most this much the other's square.
_AS_LONG = 1.1
# From this share of near rows on, the rows of a chunk are not gathered first.
_MANY = 0.25
# Near rows of a kept table are a group if they are such a share of it, and so many
# numbers.
_SOME, _GROUPED = 1 / 32, 1 << 16
# Lengths up to this power of two do not overflow in products; rows are read as they are
# where the longest is no longer, and many are no shorter than the second.
_LONGEST, _SHORTEST = 30, -20
# Rows whose lengths stand for those of all.
_SAMPLE = 1_000


def can_sweep(embedding: Embedding) -> bool:
    """Say whether a `Sweep` reaches the rows: they must be here, on the processor."""
    return isinstance(embedding, FactoredEmbedding) and embedding.device.type == "cpu"


class Sweep:
    """Lowers distances of all rows to their nearest center, one center at a time.

    Parameters
    ----------
    embedding : Embedding
        The pool, one of which `can_sweep` says yes.
    dtype : torch.dtype
        Arithmetic, that of the embedding or float64.
    """

    def __init__(self, embedding: Embedding, dtype: torch.dtype) -> None:
        self._embedding, self._unit_sq = _in_modest_units(
            cast(FactoredEmbedding, embedding)
        )
        self._dtype = dtype
        width = self._embedding.width
        numbers = len(embedding) * width
        self._kept: _Frame | _Narrow | None = None
        if numbers <= _KEPT:
            self._kept = _keep(self._read(slice(None)))
            return
        step = chunk_length(width)
        self._chunks = [
            slice(start, min(start + step, len(embedding)))
            for start in range(0, len(embedding), step)
        ]
        self._norm_sq = [self._read(chunk).norm_sq.to(dtype) for chunk in self._chunks]
        self._all_near = [False] * len(self._chunks)

    def lower(self, bound: np.ndarray, center: int) -> None:
        """Lower squared distances to what they are with one center more, in place.

        Parameters
        ----------
        bound : ndarray of shape (n,), dtype float64
            In units of the embedding's ``scale ** 2``. Rows at or below 0 stay.
        center : int
            Position of the center.
        """
        if self._kept is not None:
            self._kept = self._kept.best_form()
            found = self._kept.measure(center, bound)
            np.minimum(bound, self._in_unit(found), out=bound)
            return
        row = self._read(slice(center, center + 1))
        for i, chunk in enumerate(self._chunks):
            rows, open_ = self._read(chunk), bound[chunk]
            found = self._measure(rows, row, open_, i)
            np.minimum(open_, self._in_unit(found), out=open_)

    def _in_unit(self, found: np.ndarray) -> np.ndarray:
        return found if self._unit_sq == 1.0 else found * self._unit_sq

    def _read(self, part: slice) -> Rows:
        rows = self._embedding.rows(part)
        return rows if rows.right.dtype == self._dtype else rows.double()

    def _measure(
        self, rows: Rows, center: Rows, open_: np.ndarray, i: int
    ) -> np.ndarray:
        """Return squared distances of a chunk; infinity for near rows at or below 0."""
        size = (1.0 + _AS_LONG) * float(center.norm_sq)
        limit = max(CLOSE[self._dtype] * size, VANISHING[self._dtype])
        if self._all_near[i]:
            found = row_distances_sq(rows, center).numpy()
            n_near = np.count_nonzero(found <= limit)
            self._all_near[i] = bool(n_near > _MANY * len(rows))
            return found
        products = _products(rows, center)
        products = torch.add(self._norm_sq[i], products, alpha=-2.0)
        found = products.add_(float(center.norm_sq)).double().numpy()
        near = np.flatnonzero(found <= limit)
        found[near] = np.inf
        near = near[open_[near] > 0.0]
        if len(near) > _MANY * len(rows):
            self._all_near[i] = True
            return row_distances_sq(rows, center).numpy()
        if len(near):
            found[near] = row_distances_sq(rows, center, torch.from_numpy(near))
        return found


def _in_modest_units(
    embedding: FactoredEmbedding,
) -> tuple[FactoredEmbedding, float]:
    """Return an embedding in units that suit most of its rows, and what squares are.

    Not those of the longest row, beside which all others may be nothing in float32.
    Where it is possible factors are read as they are, which costs no copy.
    """
    own, squares = embedding.measured
    units = tuple(map(_modest_unit, own, squares))
    unit_sq = (units[0] / own[0] * (units[1] / own[1])) ** 2
    return embedding.in_units((units[0], units[1])), unit_sq


def _modest_unit(own: float, squares: torch.Tensor) -> float:
    """Return a unit for rows of given squared lengths, in their own unit so far."""
    some = squares[:: max(1, len(squares) // _SAMPLE)]
    some = some[some > 0.0]
    if not len(some):
        return own
    # As powers of two: lengths themselves may lie beyond a float64.
    longest = math.log2(own) + math.log2(float(squares.max())) / 2
    typical = math.log2(own) + math.log2(float(some.median())) / 2
    if longest <= _LONGEST and typical >= _SHORTEST:
        return 1.0
    unit = max(math.ceil(typical), math.ceil(longest) - _LONGEST)
    return 2.0 ** min(max(unit, -1021), 1023)


def _products(rows: Rows, center: Rows) -> torch.Tensor:
    products = torch.mv(rows.right, center.right[0])
    if rows.constant:
        products += rows.constant**2
    if rows.left is not None and center.left is not None:
        products *= torch.mv(rows.left, center.left[0])
    return products


def _keep(rows: Rows) -> _Frame | _Narrow:
    """Return a table in the form in which it is measured fastest."""
    dtype, width = rows.right.dtype, rows.right.shape[1]
    if rows.left is None and width <= _NARROW:
        return _Narrow(rows.right.double().numpy())
    frame = _Frame(rows, CLOSE[dtype])
    return frame.widened() if len(rows) * width <= _COPIED else frame


class _Narrow:
    """Vectors of few numbers: their differences cost no more than products.

    Parameters
    ----------
    table : ndarray of shape (n, width), dtype float64
        The vectors.
    """

    def __init__(self, table: np.ndarray) -> None:
        self._columns = np.ascontiguousarray(table.T)

    def best_form(self) -> _Narrow:
        """Return itself: nothing is faster."""
        return self

    def measure(self, center: int, _: np.ndarray) -> np.ndarray:
        """Return squared distances of all rows to one of them."""
        found = np.square(self._columns[0] - self._columns[0, center])
        for column in self._columns[1:]:
            difference = column - column[center]
            difference *= difference
            found += difference
        return found


class _Frame:
    """Rows that are kept, and measured by products as they are seen from one place.

    That is the origin, or for members of a group a row near all of them. Rows near a
    center on that scale have lost their digits and are measured by differences. Where
    that is frequent they get a frame of their own, seen from that center: of rows far
    from the origin, or in tight groups, differences are taken once for all.

    Parameters
    ----------
    rows : Rows
        The whole table.
    close : float
        Share of the terms' sizes up to which a distance has lost its digits.
    members : ndarray of int or None, default=None
        Which of the rows, ascending; None for all, seen from the origin.
    center : int, default=0
        From which the members are seen.
    """

    def __init__(
        self,
        rows: Rows,
        close: float,
        members: np.ndarray | None = None,
        center: int = 0,
    ) -> None:
        self._rows, self._close, self._members = rows, close, members
        self._offsets: Offsets | None = None
        dtype = rows.right.dtype
        if members is None:
            self._norm_sq = size = rows.norm_sq.to(dtype)
        else:
            is_whole = len(members) == len(rows)
            mine = rows if is_whole else rows[torch.from_numpy(members)]
            self._offsets = Offsets(mine, rows[center : center + 1], dtype)
            size = self._offsets.size
        self._limit = (close * size).clamp_min_(VANISHING[dtype] / 2).numpy()
        self._groups: list[tuple[np.ndarray, _Frame]] = []
        self._group_of = np.full(len(size), -1, dtype=np.int16)
        self._numbers = len(size) * rows.right.shape[1]
        self._may_widen = dtype != torch.float64 and self._numbers <= _WIDENED
        self._spent = 0  # for measuring near rows

    def best_form(self) -> _Frame:
        """Return the form of a whole table by which steps go on."""
        if not self._may_widen:
            return self
        # A small table has one group, if any, of all rows.
        frames = [frame for _, frame in self._groups] or [self]
        return self.widened() if frames[0]._is_dear() else self

    def widened(self) -> _Frame:
        """Return the table in float64, where far fewer rows are near."""
        if self._rows.right.dtype == torch.float64:
            return self
        return _Frame(self._rows.double(), _CLOSE_OF_COPIES)

    def _is_dear(self) -> bool:
        return self._spent >= _PER_LOOK + _PRICE * self._numbers

    def measure(self, center: int, bound: np.ndarray) -> np.ndarray:
        """Return squared distances of the members to one of them.

        Parameters
        ----------
        center : int
            Position in the table.
        bound : ndarray of shape (len(table),)
            Near rows where it is at or below 0 are not measured, but infinitely far.

        Returns
        -------
        ndarray of shape (len(members),)
        """
        members = self._members
        place = center if members is None else int(np.searchsorted(members, center))
        group = int(self._group_of[place])
        if group >= 0:
            places, frame = self._groups[group]
            in_group = frame.measure(center, bound)
            if len(places) == len(self._limit):
                return in_group
        found = self._by_products(place)
        near = np.flatnonzero(found <= self._limit + self._limit[place])
        # Differences may be below what a float32 can be.
        found = found.astype(np.float64, copy=False)
        found[near] = np.inf
        if group >= 0:
            found[places] = in_group
            near = near[self._group_of[near] != group]
        which = near if members is None else members[near]
        is_open = bound[which] > 0.0
        if not is_open.any():
            return found
        row, among = self._rows[center : center + 1], torch.from_numpy(which[is_open])
        measured = row_distances_sq(self._rows, row, among).numpy()
        found[near[is_open]] = measured
        self._spent += _PER_LOOK
        self._spent += _READINGS * len(measured) * self._rows.right.shape[1]
        if self._is_dear() and (len(near) == len(found) or not self._may_widen):
            self._form_group(near, which, center, measured)
        return found

    def _form_group(
        self, near: np.ndarray, which: np.ndarray, center: int, measured: np.ndarray
    ) -> None:
        """See near rows from a center from now on, if they are many.

        Those that are identical to it will not be measured again. A row is in one group
        at most: no more is kept than the table once again, beside groups in groups.
        """
        new = self._group_of[near] < 0
        near, which = near[new], which[new]
        count = min(len(near), int(np.count_nonzero(measured)))
        width = self._rows.right.shape[1]
        if count >= _SOME * len(self._limit) and count * width >= _GROUPED:
            frame = _Frame(self._rows, self._close, which, center)
            self._group_of[near] = len(self._groups)
            self._groups.append((near, frame))

    def _by_products(self, place: int) -> np.ndarray:
        if self._offsets is not None:
            return self._offsets.to_member(place).numpy()
        left, right = self._rows.left, self._rows.right
        products = torch.mv(right, right[place])
        if self._rows.constant:
            products += self._rows.constant**2
        if left is not None:
            products *= torch.mv(left, left[place])
        products = torch.add(self._norm_sq, products, alpha=-2.0)
        return products.add_(self._norm_sq[place]).numpy()

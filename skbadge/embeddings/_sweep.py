"""All rows of an embedding against one center after another, as the plain loop does it.

Where bounds save nothing, samplers fall back on this: one matrix-vector product a
center, and differences only for the rows that are near it.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from skbadge.embeddings._base import Embedding
from skbadge.embeddings._distances import row_distances_sq
from skbadge.embeddings._factored import FactoredEmbedding
from skbadge.embeddings._offsets import CLOSE, VANISHING
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import chunk_length

__all__ = ["Sweep", "can_sweep"]

# Tables of up to so many numbers are copied in float64: a product of them costs no
# more than the calls around it. Up to the second number they are brought into their
# unit once for all, and in float64 near the origin where they are far from it; larger
# ones are read chunk by chunk.
_COPIED, _KEPT = 1 << 18, 1 << 20
# Below this part of the terms' sizes a difference of float32 rows has lost, in float64,
# as many digits as below `CLOSE` in float32.
_CLOSE_OF_COPIES = 5e-13
# Of two rows that are near, the longer has at most this much the other's square.
_AS_LONG = 1.1
# From this share of near rows on, the rows of a chunk are not gathered first.
_MANY = 0.25
# A pool is far from the origin if its mean is so much longer than its spread, squared.
_FAR = 1e3


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
        self.embedding = cast(FactoredEmbedding, embedding)
        self.dtype = dtype
        width = self.embedding.width
        numbers = len(embedding) * width
        self.is_copied = numbers <= _COPIED
        self._table: Rows | None = None
        if numbers <= _KEPT:
            rows = self._in_dtype(embedding.rows(slice(None)))
            wide = rows.double()
            self._table = _near_origin(wide)
            # What is far from the origin has no digits to spare for float32.
            self.is_copied = self.is_copied or self._table is not wide
            if not self.is_copied:
                self._table = rows
        if self._table is not None and self.is_copied:
            self._lengths_sq = self._table.norm_sq.tolist()
            self._norm_sq = [self._table.norm_sq]
            self._close = CLOSE[torch.float64]
            if dtype != torch.float64:
                self._close = _CLOSE_OF_COPIES
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
        if self._table is not None and self.is_copied:
            self._lower_copied(self._table, bound, center)
            return
        row = self._read(slice(center, center + 1))
        for i, chunk in enumerate(self._chunks):
            rows, open_ = self._read(chunk), bound[chunk]
            if self._all_near[i]:
                found = row_distances_sq(rows, row).numpy()
                near = np.count_nonzero(found <= self._limit(row))
                self._all_near[i] = bool(near > _MANY * len(rows))
            else:
                found = self._measure(rows, row, open_, i)
            np.minimum(open_, found, out=open_)

    def _read(self, part: slice) -> Rows:
        if self._table is not None:
            return self._table[part]
        return self._in_dtype(self.embedding.rows(part))

    def _lower_copied(self, rows: Rows, bound: np.ndarray, center: int) -> None:
        length_sq = self._lengths_sq[center]
        products = torch.mv(rows.right, rows.right[center])
        if rows.constant:
            products += rows.constant**2
        if rows.left is not None:
            products *= torch.mv(rows.left, rows.left[center])
        products = torch.add(self._norm_sq[0], products, alpha=-2.0).add_(length_sq)
        found = products.numpy()
        limit = max(2 * _AS_LONG * self._close * length_sq, VANISHING[torch.float64])
        near = np.flatnonzero(found <= limit)
        found[near] = np.inf
        near = near[bound[near] > 0.0]
        if len(near):
            which = torch.from_numpy(near)
            measured = row_distances_sq(rows[which], rows[center : center + 1])
            found[near] = measured.numpy()
        np.minimum(bound, found, out=bound)

    def _measure(
        self, rows: Rows, center: Rows, open_: np.ndarray, i: int
    ) -> np.ndarray:
        """Return squared distances of a chunk; infinity for near rows at or below 0."""
        products = rows.right @ center.right[0]
        if rows.constant:
            products += rows.constant**2
        if rows.left is not None and center.left is not None:
            products *= rows.left @ center.left[0]
        products = torch.add(self._norm_sq[i], products, alpha=-2.0)
        found = products.add_(float(center.norm_sq)).double().numpy()
        near = np.flatnonzero(found <= self._limit(center))
        found[near] = np.inf
        near = near[open_[near] > 0.0]
        if len(near) > _MANY * len(rows):
            self._all_near[i] = True
            found = row_distances_sq(rows, center).numpy()
        elif len(near):
            which = torch.from_numpy(near)
            found[near] = row_distances_sq(rows[which], center).numpy()
        return found

    def _limit(self, center: Rows) -> float:
        """Return the distance below which digits were lost to cancellation."""
        size = (1.0 + _AS_LONG) * float(center.norm_sq)
        return max(CLOSE[self.dtype] * size, VANISHING[self.dtype])

    def _in_dtype(self, rows: Rows) -> Rows:
        return rows if rows.right.dtype == self.dtype else rows.double()


def _near_origin(rows: Rows) -> Rows:
    """Return vectors from near their mean, where all are far from the origin."""
    if rows.left is not None:
        return rows
    # In few digits, so that differences of whole numbers stay whole, and those of
    # others that are much alike exact.
    origin = rows.right.mean(dim=0).bfloat16().to(rows.right.dtype)
    moved = rows.right - origin
    moved_sq = moved.double().square().sum(dim=1)
    if not _FAR * moved_sq.mean() < rows.right_sq.mean():
        return rows
    return Rows(None, moved, 0.0, rows.left_sq, moved_sq)

"""Embeddings stored as two factors; the plain vector is the case of one."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch

from skbadge.embeddings import _distances
from skbadge.embeddings._rows import Rows, take
from skbadge.embeddings._tensors import (
    LARGEST_UNIT,
    arithmetic_dtype,
    chunk_length,
    directions,
    in_unit,
    measure_rows,
    times_unit,
    unit_for,
)

__all__ = ["FactoredEmbedding"]


class FactoredEmbedding:
    """Rows ``g = left (x) (right, constant)``, stored as factors and read in chunks.

    Parameters
    ----------
    left : torch.Tensor of shape (n, K) or None
        First factor; None stands for a column of ones.
    right : torch.Tensor of shape (n, d)
        Second factor; may be a memory map larger than memory.
    constant : float
        Last coordinate of every row of the second factor; 0 for none.
    names : tuple of str
        What to call the two factors in an error.
    """

    def __init__(
        self,
        left: torch.Tensor | None,
        right: torch.Tensor,
        constant: float,
        names: tuple[str, str],
    ) -> None:
        self._left = left
        self._right = right
        self._constant = constant
        self._names = names

    @property
    def dtype(self) -> torch.dtype:
        """Arithmetic of products and distances, torch.float32 or torch.float64."""
        if self._left is None:
            return arithmetic_dtype(self._right)
        return arithmetic_dtype(self._left, self._right)

    @property
    def device(self) -> torch.device:
        """Where the factors live."""
        return self._right.device

    @property
    def width(self) -> int:
        """Numbers a row, of both factors."""
        return self._right.shape[1] + (0 if self._left is None else self._left.shape[1])

    @property
    def scale(self) -> float:
        """Length of the unit in which `rows` and `norms` speak, a power of two.

        Lengths beyond the range of a float64 are given in the largest such unit.
        """
        left_unit, right_unit = self.measured[0]
        return min(left_unit * right_unit, LARGEST_UNIT)

    @property
    def units(self) -> tuple[float, float]:
        """Lengths of the units of the two factors, powers of two."""
        return self.measured[0]

    def in_units(self, units: tuple[float, float]) -> FactoredEmbedding:
        """Return the same embedding, its factors measured in other units.

        Parts of one pool are compared in the units of the whole.

        Parameters
        ----------
        units : tuple of two float
            Powers of two, none shorter than the embedding's own.

        Returns
        -------
        FactoredEmbedding
        """
        (left_unit, right_unit), (left_sq, right_sq) = self.measured
        if units == self.units:
            return self
        twin = FactoredEmbedding(self._left, self._right, self._constant, self._names)
        left_sq = left_sq * (left_unit / units[0]) ** 2
        right_sq = right_sq * (right_unit / units[1]) ** 2
        twin.measured = (units, (left_sq, right_sq))
        return twin

    def __len__(self) -> int:
        return len(self._right)

    def squared_norms(self) -> torch.Tensor:
        """Return the squared norm of every row.

        Returns
        -------
        torch.Tensor of shape (n,), dtype float64
            The largest float64 where it is larger.
        """
        left, right = self.measured[1]
        return times_unit(left * right, self.scale, self.scale)

    def norms(self) -> torch.Tensor:
        """Return the norm of every row in units of `scale`.

        Returns
        -------
        torch.Tensor of shape (n,), dtype float64
        """
        left, right = self.measured[1]
        return (left * right).sqrt()

    def rows(self, indices: torch.Tensor | slice) -> Rows:
        """Return some rows in memory, in units of `scale`.

        Parameters
        ----------
        indices : torch.Tensor of positions, or slice
            Which rows.

        Returns
        -------
        Rows
        """
        (left_unit, right_unit), (left_sq, right_sq) = self.measured
        left = None
        if self._left is not None:
            left = in_unit(take(self._left, indices), left_unit, self.dtype)
        return Rows(
            left,
            in_unit(take(self._right, indices), right_unit, self.dtype),
            self._constant / right_unit,
            take(left_sq, indices),
            take(right_sq, indices),
        )

    def nearest_sq(self, part: slice, centers: Rows) -> torch.Tensor:
        """Return squared distances of some rows to their nearest centers.

        Parameters
        ----------
        part : slice
            Which rows; read in chunks.
        centers : Rows
            In units of `scale`.

        Returns
        -------
        torch.Tensor of shape (n_part,), dtype float64
            In units of ``scale ** 2``; infinity where there is no center.
        """
        start, stop, _ = part.indices(len(self))
        step = chunk_length(self._right.shape[1])
        count = max(stop - start, 0)
        found = torch.empty(count, dtype=torch.float64, device=self.device)
        for low in range(start, stop, step):
            high = min(low + step, stop)
            rows = self.rows(slice(low, high))
            if rows.right.dtype != centers.right.dtype:
                rows = rows.double()
            found[low - start : high - start] = _distances.nearest_sq(rows, centers)
        return found

    def inner(self, rows: Any, others: Any) -> torch.Tensor:
        """Return inner products between some rows and others.

        Parameters
        ----------
        rows, others : array-like of int
            Positions of rows.

        Returns
        -------
        torch.Tensor of shape (len(rows), len(others)), dtype float64
            The largest float64, with its sign, where it is larger.
        """
        x, y = self.rows(self._positions(rows)), self.rows(self._positions(others))
        return times_unit(_distances.inner(x, y), self.scale, self.scale)

    def cosines(self, rows: Any, others: Any) -> torch.Tensor:
        """Return the cosines of the angles between some rows and others.

        Parameters
        ----------
        rows, others : array-like of int
            Positions of rows.

        Returns
        -------
        torch.Tensor of shape (len(rows), len(others)), dtype float64
            Whatever the lengths of the rows; 0 for a row of zeros.
        """
        pairs = zip(self._directions(rows), self._directions(others), strict=True)
        return torch.stack([x @ y.T for x, y in pairs]).prod(dim=0)

    def distances_sq(self, rows: Any, others: Any) -> torch.Tensor:
        """Return squared Euclidean distances between some rows and others.

        Parameters
        ----------
        rows, others : array-like of int
            Positions of rows.

        Returns
        -------
        torch.Tensor of shape (len(rows), len(others)), dtype float64
            Exactly 0 between identical rows; the largest float64 where it is larger.
        """
        x, y = self.rows(self._positions(rows)), self.rows(self._positions(others))
        return times_unit(_distances.distances_sq(x, y), self.scale, self.scale)

    def _positions(self, indices: Any) -> torch.Tensor:
        return torch.as_tensor(np.asarray(indices)).long()

    def _directions(self, indices: Any) -> list[torch.Tensor]:
        """Return the factors of some rows, each scaled to length 1."""
        positions = self._positions(indices)
        right = self._right[positions].double()
        if self._constant:
            last = torch.full_like(right[:, :1], self._constant)
            right = torch.cat([right, last], dim=1)
        if self._left is None:
            return [directions(right)]
        return [directions(self._left[positions].double()), directions(right)]

    @cached_property
    def measured(self) -> tuple[tuple[float, float], tuple[torch.Tensor, ...]]:
        """Units and squared norms of the two factors, from one pass over them."""
        right_unit, right = measure_rows(self._right, self._names[1], self.dtype)
        if self._constant:
            # The constant is a coordinate as well: the unit must suit it too.
            unit = max(right_unit, unit_for(self._constant))
            right = right * (right_unit / unit) ** 2 + (self._constant / unit) ** 2
            right_unit = unit
        left_unit, left = 1.0, torch.ones_like(right)
        if self._left is not None:
            left_unit, left = measure_rows(self._left, self._names[0], self.dtype)
        return (left_unit, right_unit), (left, right)

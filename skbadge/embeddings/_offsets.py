"""Rows measured from one reference, near which nothing cancels any more."""

from __future__ import annotations

import torch

from skbadge.embeddings._rows import Rows

__all__ = ["CLOSE", "VANISHING", "Offsets", "too_small"]

# Below this part of the terms' sizes the digits of their difference are lost to
# cancellation (by arithmetic), and a distance is computed in another way.
CLOSE = {torch.float32: 1e-3, torch.float64: 1e-9}
# Sums of squares below this may have lost their products to underflow.
VANISHING = {torch.float32: 1e-30, torch.float64: 1e-280}


def too_small(
    distance_sq: torch.Tensor, x_size: torch.Tensor, y_size: torch.Tensor
) -> torch.Tensor:
    """Say which distances are too small beside the terms they are made of.

    Parameters
    ----------
    distance_sq : torch.Tensor of shape (m, k)
    x_size, y_size : torch.Tensor of shape (m,), (k,)
        Sizes of the terms.

    Returns
    -------
    torch.Tensor of shape (m, k), dtype bool
    """
    dtype = distance_sq.dtype
    limit = x_size[:, None].to(dtype) + y_size.to(dtype)
    limit.mul_(CLOSE[dtype]).clamp_min_(VANISHING[dtype])
    return distance_sq <= limit


class Offsets:
    """Differences ``g - g_0`` of rows to a reference ``g_0 = a_0 (x) h_0``.

    With ``a = a_0 + alpha`` and ``h = h_0 + eta`` they are
    ``a_0 (x) eta + alpha (x) h``. Their products are made of those of alpha, of eta,
    and of both with the reference: one matrix product, as between rows.

    Parameters
    ----------
    rows : Rows
        The rows.
    reference : Rows
        One row.
    dtype : torch.dtype, default=torch.float64
        Arithmetic. In float64 a difference of rows that are near each other has all its
        digits; in float32 it is as good as one of float32 can be.

    Attributes
    ----------
    norm_sq : torch.Tensor of shape (len(rows),)
        Squared distance of each row to the reference; 0 for a row identical to it.
    size : torch.Tensor of shape (len(rows),)
        How large the terms are that it is made of.
    """

    def __init__(
        self, rows: Rows, reference: Rows, dtype: torch.dtype = torch.float64
    ) -> None:
        h_0 = reference.right[0].to(dtype)
        self._eta = rows.right.to(dtype) - h_0
        eta_sq = _squares(self._eta)
        self._alpha = None
        if rows.left is None or reference.left is None:
            self.norm_sq = self.size = eta_sq
            return
        a_0 = reference.left[0].to(dtype)
        self._alpha = rows.left.to(dtype) - a_0
        alpha_sq = _squares(self._alpha)
        self._along_left, self._along_right = self._alpha @ a_0, self._eta @ h_0
        self._left_sq = float(reference.left_sq[0])
        self._right_sq = float(reference.right_sq[0])
        self.size = self._left_sq * eta_sq + alpha_sq * rows.right_sq.to(dtype)
        self.norm_sq = self._combined(
            eta_sq,
            alpha_sq,
            2.0 * self._along_left,
            2.0 * self._along_right,
            2.0 * self._along_left * self._along_right,
        ).clamp_min_(0.0)

    def _combined(
        self,
        eta: torch.Tensor,
        alpha: torch.Tensor,
        along_left: torch.Tensor,
        along_right: torch.Tensor,
        mixed: torch.Tensor,
    ) -> torch.Tensor:
        """Return products of offsets, from products of their parts."""
        return (
            eta * (self._left_sq + along_left + alpha)
            + alpha * (self._right_sq + along_right)
            + mixed
        )

    def is_doubtful(self) -> torch.Tensor:
        """Say which ``norm_sq`` are sums of terms that cancel, or underflow."""
        doubtful = self.size > 0.0
        limit = VANISHING[torch.float64]
        if self._alpha is None:
            # One square for each number: nothing cancels.
            return doubtful & (self.size <= limit)
        close = CLOSE[torch.float64] * self.size
        return doubtful & (self.norm_sq <= close.clamp_min(limit))

    def to_member(self, i: int) -> torch.Tensor:
        """Return squared distances of all rows to one of them, by products with it."""
        products = torch.mv(self._eta, self._eta[i])
        if self._alpha is not None:
            left, right = self._along_left, self._along_right
            products = self._combined(
                products,
                torch.mv(self._alpha, self._alpha[i]),
                left + left[i],
                right + right[i],
                left * right[i] + right * left[i],
            )
        return torch.add(self.norm_sq, products, alpha=-2.0).add_(self.norm_sq[i])

    def distances_sq(self, other: Offsets) -> tuple[torch.Tensor, torch.Tensor]:
        """Return squared distances to others of the same reference.

        Returns
        -------
        distances_sq : torch.Tensor of shape (len(self), len(other)), dtype float64
        doubtful : torch.Tensor of the same shape, dtype bool
            Where they are too near each other even beside their offsets.
        """
        products = self._eta @ other._eta.T
        if self._alpha is not None and other._alpha is not None:
            left, right = self._along_left[:, None], self._along_right[:, None]
            products = self._combined(
                products,
                self._alpha @ other._alpha.T,
                left + other._along_left,
                right + other._along_right,
                left * other._along_right + right * other._along_left,
            )
        sums = self.norm_sq[:, None] + other.norm_sq
        distance_sq = torch.add(sums, products, alpha=-2.0)
        doubtful = too_small(distance_sq, self.size, other.size)
        # Both identical to the reference: 0 is exact.
        same = self.size == 0.0, other.size == 0.0
        if same[0].any() and same[1].any():
            doubtful &= ~(same[0][:, None] & same[1])
        return distance_sq, doubtful


def _squares(rows: torch.Tensor) -> torch.Tensor:
    """Return the sum of squares of each row; 0 for rows of zeros only."""
    squares = torch.linalg.vecdot(rows, rows)
    vanished = torch.nonzero(squares == 0.0)[:, 0]
    if len(vanished):
        tiny = torch.finfo(rows.dtype).tiny
        squares[vanished] = rows[vanished].any(dim=1).to(rows.dtype) * tiny
    return squares

"""Fisher information of rows in a last layer, kept up to date as rows are added."""

from __future__ import annotations

import numpy as np
import torch

from skbadge.embeddings._tensors import arithmetic_dtype, chunk_length
from skbadge.exceptions import InvalidInputError

__all__ = ["Information", "fisher_columns", "fisher_mean", "required_bytes"]


def fisher_columns(proba: torch.Tensor, fisher: str, n_top: int | None) -> torch.Tensor:
    """Return S with ``S S'`` the information of each row in its logits.

    Parameters
    ----------
    proba : torch.Tensor of shape (n, n_classes)
    fisher : {"binary", "top", "full"}
    n_top : int or None
        Classes of "top"; None means 2, more than there are all.

    Returns
    -------
    torch.Tensor of shape (n, K, r), dtype float64
        K is 1 for "binary", else the number of classes.
    """
    p = proba.double()
    if fisher == "binary" or p.shape[1] == 1:
        top = p.argmax(dim=1, keepdim=True)
        # By a sum: the difference to 1 would be 0 where the net is sure.
        others = p.scatter(1, top, 0.0).sum(dim=1, keepdim=True)
        return (p.gather(1, top) * others).sqrt()[:, :, None]
    if fisher == "top":
        count = min(n_top or 2, p.shape[1])
        values, place = p.topk(count, dim=1)
        unit = torch.zeros(len(p), p.shape[1], count, dtype=p.dtype, device=p.device)
        unit.scatter_(1, place[:, None, :], 1.0)
        return (unit - p[:, :, None]) * values.sqrt()[:, None, :]
    # diag p - p p' = diag(s) (I - s s') diag(s) with s = sqrt(p) of length 1. What a
    # reflection takes s to the first axis with has I - s s' in its other columns.
    s = (p / p.sum(dim=1, keepdim=True)).sqrt()
    v = s.clone()
    v[:, 0] += 1.0
    v = v / torch.linalg.vector_norm(v, dim=1, keepdim=True)
    eye = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    reflection = eye - 2.0 * v[:, :, None] * v[:, None, :]
    return s[:, :, None] * reflection[:, :, 1:]


def required_bytes(
    proba: torch.Tensor, features: torch.Tensor, fisher: str, n_top: int | None
) -> int:
    """Return the bytes that choosing by this information would take."""
    n_classes = 1 if fisher == "binary" else proba.shape[1]
    some = min(n_top or 2, n_classes) if fisher == "top" else n_classes - 1
    r = max(1, some)
    side = n_classes * features.shape[1]
    return 8 * (len(features) * (2 * r * r + n_classes * r) + 6 * side * side)


def fisher_mean(columns: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Return the mean information of rows, float64 (K d, K d)."""
    n_classes, width = columns.shape[1], features.shape[1]
    found = torch.zeros(
        n_classes, width, n_classes, width, dtype=torch.float64, device=features.device
    )
    dtype = arithmetic_dtype(features)
    step = chunk_length(width)
    for start in range(0, len(features), step):
        rows = features[start : start + step].to(dtype)
        part = columns[start : start + step]
        between = part @ part.transpose(1, 2)
        for i in range(n_classes):
            for j in range(i + 1):
                weight = between[:, i, j, None].to(dtype)
                block = ((weight * rows).T @ rows).double()
                found[i, :, j] += block
                if i != j:
                    found[j, :, i] += block
    return found.reshape(n_classes * width, -1) / len(features)


class Information:
    """What each row would add to the information M, by small matrices for each.

    With ``V_x = S_x' (x) h_x``, Q is ``V_x M^-1 V_x'`` and R is
    ``V_x M^-1 F M^-1 V_x'``. A change of M by one row's ``V_c' V_c`` changes them by
    products of all rows with ``M^-1 V_c'`` and ``M^-1 F M^-1 V_c'`` (Woodbury).

    Parameters
    ----------
    columns : torch.Tensor of shape (n, K, r), dtype float64
        S of each row.
    features : torch.Tensor of shape (n, d)
        Input of the layer.
    matrix : torch.Tensor of shape (K d, K d), dtype float64
        M; positive definite.
    mean : torch.Tensor of shape (K d, K d), dtype float64
        F.
    """

    def __init__(
        self,
        columns: torch.Tensor,
        features: torch.Tensor,
        matrix: torch.Tensor,
        mean: torch.Tensor,
    ) -> None:
        self.matrix = matrix.clone()
        self._columns, self._features, self._mean = columns, features, mean
        self._dtype = arithmetic_dtype(features)
        self._step = chunk_length(features.shape[1] * columns.shape[1])
        self._start_over()

    def _start_over(self) -> None:
        """Compute everything from M: rounding adds up over updates."""
        factor, failed = torch.linalg.cholesky_ex(self.matrix)
        if int(failed) or not bool(factor.isfinite().all()):
            raise _unusable()
        inverse = torch.cholesky_inverse(factor)
        self._inverse = inverse
        self._middle = inverse @ self._mean @ inverse
        self._q, self._r = (self._forms(m) for m in (inverse, self._middle))

    def _forms(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return ``V_x matrix V_x'`` of every row, (n, r, r)."""
        n, n_classes, r = self._columns.shape
        width = self._features.shape[1]
        blocks = matrix.reshape(n_classes, width, n_classes, width).to(self._dtype)
        found = matrix.new_empty(n, r, r)
        for start in range(0, n, self._step):
            part = slice(start, start + self._step)
            rows, columns = self._features[part].to(self._dtype), self._columns[part]
            between = matrix.new_empty(len(rows), n_classes, n_classes)
            for i in range(n_classes):
                for j in range(n_classes):
                    product = rows @ blocks[i, :, j]
                    between[:, i, j] = (product * rows).sum(dim=1)
            found[part] = columns.transpose(1, 2) @ between @ columns
        return found

    def changes(self, sign: float) -> np.ndarray:
        """Return how far each row would lower (1), or raise (-1), the trace.

        Parameters
        ----------
        sign : {1.0, -1.0}
            Whether the row would be added, or taken back.

        Returns
        -------
        ndarray of shape (n,), dtype float64
        """
        if self._q.shape[1] == 1:
            found = (self._r / (1.0 + sign * self._q))[:, 0, 0]
        else:
            eye = torch.eye(
                self._q.shape[1], dtype=self._q.dtype, device=self._q.device
            )
            solved = torch.linalg.solve(eye + sign * self._q, self._r)
            found = solved.diagonal(dim1=1, dim2=2).sum(dim=1)
        if not bool(found.isfinite().all()):
            raise _unusable()
        return found.cpu().numpy()

    def update(self, index: int, sign: float, *, fresh: bool) -> None:
        """Add a row to M, or take it back.

        Parameters
        ----------
        index : int
            Position of the row.
        sign : {1.0, -1.0}
            Whether it is added.
        fresh : bool
            Whether to compute everything anew.
        """
        n, n_classes, r = self._columns.shape
        row = self._features[index].double()
        vector = (self._columns[index][:, None, :] * row[:, None]).reshape(-1, r)
        self.matrix.addmm_(vector, vector.T, alpha=sign)
        if fresh:
            self._start_over()
            return
        u, g = self._inverse @ vector, self._middle @ vector
        eye = torch.eye(r, dtype=u.dtype, device=u.device)
        w = torch.linalg.inv(sign * eye + vector.T @ u)
        twice = w @ (vector.T @ g) @ w
        both = torch.cat([u, g], dim=1).reshape(n_classes, -1, 2 * r)
        both = both.transpose(0, 1).reshape(-1, n_classes * 2 * r).to(self._dtype)
        for start in range(0, n, self._step):
            part = slice(start, start + self._step)
            products = (self._features[part].to(self._dtype) @ both).double()
            products = products.reshape(-1, n_classes, 2 * r)
            a, c = _times(self._columns[part], products).split(r, dim=2)
            aw = _last(a, w)
            mixed = _outer(aw, c)
            self._q[part] -= _outer(aw, a)
            self._r[part] += _outer(_last(a, twice), a) - mixed - mixed.transpose(1, 2)
        uw = u @ w
        mixed = uw @ g.T
        self._middle += u @ twice @ u.T - mixed - mixed.T
        self._inverse -= uw @ u.T


def _unusable() -> InvalidInputError:
    return InvalidInputError(
        "features must be of sizes whose squares can be compared with regularization. "
        "Got features that are too large or too different instead: scale them, or "
        "raise regularization."
    )


def _times(columns: torch.Tensor, products: torch.Tensor) -> torch.Tensor:
    """Return ``S_x' Z_x`` of every row; without calls for each where S is a number."""
    if columns.shape[1] == columns.shape[2] == 1:
        return columns * products
    return columns.transpose(1, 2) @ products


def _last(a: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return a * w if a.shape[2] == 1 else a @ w


def _outer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a * b if a.shape[2] == 1 else a @ b.transpose(1, 2)

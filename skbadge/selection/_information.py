"""Fisher information of rows in a last layer, kept up to date as rows are added."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from skbadge.embeddings._tensors import arithmetic_dtype, chunk_length
from skbadge.exceptions import InvalidInputError

__all__ = [
    "Forms",
    "Information",
    "Metric",
    "Step",
    "fisher_columns",
    "fisher_mean",
    "follow_all",
    "required_bytes",
]


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
    n_rows: int, n_classes: int, width: int, fisher: str, n_top: int | None
) -> int:
    """Return the bytes that choosing by this information would take."""
    if fisher == "binary":
        n_classes = 1
    some = min(n_top or 2, n_classes) if fisher == "top" else n_classes - 1
    r = max(1, some)
    side = n_classes * width
    return 8 * (n_rows * (2 * r * r + n_classes * r) + 6 * side * side)


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
    return found.reshape(n_classes * width, -1).div_(len(features))


class Step(NamedTuple):
    """What a change of M by one row means for all others.

    Parameters
    ----------
    vectors : torch.Tensor of shape (d, K * 2 r), dtype float64
        ``M^-1 V_c'`` and ``M^-1 F M^-1 V_c'``, to be multiplied with the features.
    weight, twice : torch.Tensor of shape (r, r), dtype float64
        How the products change Q and R.
    """

    vectors: torch.Tensor
    weight: torch.Tensor
    twice: torch.Tensor


class Metric:
    """The information M, with ``M^-1`` and ``M^-1 F M^-1``.

    Parameters
    ----------
    matrix : torch.Tensor of shape (K d, K d), dtype float64
        M; positive definite. It is changed in place, as it is.
    mean : torch.Tensor of shape (K d, K d), dtype float64
        F.
    """

    def __init__(self, matrix: torch.Tensor, mean: torch.Tensor) -> None:
        self.matrix = matrix
        self._mean = mean
        self.inverse, self.middle = torch.empty_like(mean), torch.empty_like(mean)
        self.start_over()

    def start_over(self) -> None:
        """Compute both anew from M: rounding adds up over changes."""
        # In the memory of the old ones: with many classes each is larger than the pool.
        factor, failed = torch.linalg.cholesky_ex(self.matrix)
        # What is not finite makes the end of its row so.
        if int(failed) or not bool(factor.diagonal().isfinite().all()):
            raise _unusable()
        # By columns, as LAPACK writes it: symmetric, so the same.
        torch.cholesky_inverse(factor, out=self.inverse.mT)
        torch.mm(self.inverse, self._mean, out=factor)
        torch.mm(factor, self.inverse, out=self.middle)

    def copy(self) -> Metric:
        """Return one that changes by itself."""
        twin = copy.copy(self)
        twin.matrix, twin.inverse, twin.middle = (
            m.clone() for m in (self.matrix, self.inverse, self.middle)
        )
        return twin

    def change(self, columns: torch.Tensor, row: torch.Tensor, sign: float) -> Step:
        """Add a row to M, or take it back.

        Parameters
        ----------
        columns : torch.Tensor of shape (K, r), dtype float64
            S of the row.
        row : torch.Tensor of shape (d,)
            Its features.
        sign : {1.0, -1.0}
            Whether it is added.

        Returns
        -------
        Step
            For `Forms` of other rows.
        """
        n_classes, r = columns.shape
        vector = (columns[:, None, :] * row.double()[:, None]).reshape(-1, r)
        self.matrix.addmm_(vector, vector.T, alpha=sign)
        u, g = self.inverse @ vector, self.middle @ vector
        eye = torch.eye(r, dtype=u.dtype, device=u.device)
        w, failed = torch.linalg.inv_ex(sign * eye + vector.T @ u)
        if int(failed):
            raise _unusable()
        twice = w @ (vector.T @ g) @ w
        uw = u @ w
        self.middle.addmm_(u @ twice, u.T)
        self.middle.addmm_(uw, g.T, alpha=-1.0).addmm_(g, uw.T, alpha=-1.0)
        self.inverse.addmm_(uw, u.T, alpha=-1.0)
        both = torch.cat([u, g], dim=1).reshape(n_classes, -1, 2 * r)
        return Step(both.transpose(0, 1).reshape(-1, n_classes * 2 * r), w, twice)


class Forms:
    """Q and R of some rows: what each would add to the information.

    Parameters
    ----------
    q, r : torch.Tensor of shape (n, r, r), dtype float64
        Changed in place.
    """

    def __init__(self, q: torch.Tensor, r: torch.Tensor) -> None:
        self.q, self.r = q, r

    @classmethod
    def of(
        cls,
        columns: torch.Tensor,
        features: torch.Tensor,
        inverse: torch.Tensor,
        middle: torch.Tensor,
    ) -> Forms:
        """Compute them from the matrices of a `Metric`."""
        return cls(*(_forms(columns, features, m) for m in (inverse, middle)))

    def __getitem__(self, part: slice) -> Forms:
        return Forms(self.q[part], self.r[part])

    def changes(self, sign: float) -> torch.Tensor:
        """Return how far each row would lower (1), or raise (-1), the trace."""
        if self.q.shape[1] == 1:
            found = (self.r / (1.0 + sign * self.q))[:, 0, 0]
        else:
            eye = torch.eye(self.q.shape[1], dtype=self.q.dtype, device=self.q.device)
            solved, failed = torch.linalg.solve_ex(eye + sign * self.q, self.r)
            if bool(failed.any()):
                raise _unusable()
            found = solved.diagonal(dim1=1, dim2=2).sum(dim=1)
        if not bool(found.isfinite().all()):
            raise _unusable()
        return found

    def follow(self, columns: torch.Tensor, products: torch.Tensor, step: Step) -> None:
        """Change them as M was changed.

        Parameters
        ----------
        columns : torch.Tensor of shape (n, K, r), dtype float64
        products : torch.Tensor of shape (n, K * 2 r), dtype float64
            Of the features and ``step.vectors``.
        step : Step
        """
        n_classes, r = columns.shape[1:]
        a, c = _times(columns, products.reshape(-1, n_classes, 2 * r)).split(r, dim=2)
        aw = _last(a, step.weight)
        mixed = _outer(aw, c)
        self.q -= _outer(aw, a)
        self.r += _outer(_last(a, step.twice), a) - mixed - mixed.transpose(1, 2)


def _forms(
    columns: torch.Tensor, features: torch.Tensor, matrix: torch.Tensor
) -> torch.Tensor:
    """Return ``V_x matrix V_x'`` of every row, (n, r, r)."""
    n, n_classes, r = columns.shape
    width = features.shape[1]
    dtype = arithmetic_dtype(features)
    blocks = matrix.reshape(n_classes, width, n_classes, width).to(dtype)
    found = matrix.new_empty(n, r, r)
    step = chunk_length(width * n_classes)
    for start in range(0, n, step):
        part = slice(start, start + step)
        rows, of_rows = features[part].to(dtype), columns[part]
        between = matrix.new_empty(len(rows), n_classes, n_classes)
        for i in range(n_classes):
            for j in range(n_classes):
                product = rows @ blocks[i, :, j]
                between[:, i, j] = (product * rows).sum(dim=1)
        found[part] = of_rows.transpose(1, 2) @ between @ of_rows
    return found


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
    metric : Metric
        M and F; changed with the rows that are added.
    """

    def __init__(
        self, columns: torch.Tensor, features: torch.Tensor, metric: Metric
    ) -> None:
        self.metric = metric
        self._columns, self._features = columns, features
        self._forms = Forms.of(columns, features, metric.inverse, metric.middle)

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
        return self._forms.changes(sign).cpu().numpy()

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
        step = self.metric.change(self._columns[index], self._features[index], sign)
        if fresh:
            self.metric.start_over()
            self._forms = Forms.of(
                self._columns,
                self._features,
                self.metric.inverse,
                self.metric.middle,
            )
        else:
            follow_all(self._forms, self._columns, self._features, [step])


def follow_all(
    forms: Forms,
    columns: torch.Tensor,
    features: torch.Tensor,
    steps: Sequence[Step],
    after: Callable[[int, slice, Forms], None] | None = None,
) -> None:
    """Change the forms of all rows as M was changed, a chunk of rows at a time.

    Parameters
    ----------
    forms : Forms
        Of the rows.
    columns, features : torch.Tensor
        Of the rows.
    steps : sequence of Step
        In their order; the features are read once for all of them.
    after : callable or None, default=None
        Called after each step, for each chunk, with the number of the step, the chunk
        and its forms.
    """
    if not steps:
        return
    dtype = arithmetic_dtype(features)
    vectors = torch.cat([step.vectors for step in steps], dim=1).to(dtype)
    length = chunk_length(features.shape[1] * columns.shape[1])
    for start in range(0, len(features), length):
        part = slice(start, start + length)
        products = (features[part].to(dtype) @ vectors).double()
        chunk = forms[part]
        for i, (step, of_step) in enumerate(
            zip(steps, products.chunk(len(steps), dim=1), strict=True)
        ):
            chunk.follow(columns[part], of_step, step)
            if after is not None:
                after(i, part, chunk)


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

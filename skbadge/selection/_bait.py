"""BAIT: rows whose labels say most about the last layer, exactly and incrementally."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch

from skbadge.embeddings._tensors import arithmetic_dtype, as_tensor
from skbadge.exceptions import InvalidInputError
from skbadge.selection._information import (
    Information,
    Metric,
    fisher_columns,
    fisher_mean,
    required_bytes,
)
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_integer, check_n, check_option, check_real

__all__ = [
    "FRESH",
    "TIE",
    "bait_greedy",
    "best",
    "check_memory",
    "first_metric",
    "take_back",
]

_FISHER = ("binary", "top", "full")
# Gains within this part of the best are equal (by arithmetic): the seed decides.
TIE = {torch.float32: 1e-6, torch.float64: 1e-9}
# Picks after which everything is computed anew: rounding adds up over updates.
FRESH = 256
# How far from 1 probabilities may sum: those of half precision do by rounding.
_SUM = 0.02
# Memory that the exact forms may take, beside what is there.
_MOST_BYTES = 8 << 30


def bait_greedy(
    proba: Any,
    features: Any,
    n: int,
    *,
    labeled_proba: Any = None,
    labeled_features: Any = None,
    fisher: Literal["binary", "top", "full"] = "binary",
    n_top: int | None = None,
    regularization: float = 1.0,
    oversample: float = 2.0,
    random_state: Seed = None,
) -> np.ndarray:
    r"""Choose n rows whose labels leave least to learn of the last layer.

    A label tells something about the weights of the last layer, in some directions: its
    Fisher information. A batch is good when what it tells, with what is known already,
    is large in the directions that the whole pool depends on.

    Parameters
    ----------
    proba : tensor or array of shape (n_pool, n_classes)
        Class probabilities.
    features : tensor or array of shape (n_pool, n_features)
        Input of the last layer.
    n : int
        Rows to choose, in [1, n_pool].
    labeled_proba, labeled_features : tensor or array or None, default=None
        The same of the labelled rows.
    fisher : {"binary", "top", "full"}, default="binary"
        Information of a row: of "the predicted class or not" (n_features numbers a
        side), of its ``n_top`` most probable classes, or of all (both n_classes times
        n_features a side).
    n_top : int or None, default=None
        For "top", in [1, n_classes]; None means 2.
    regularization : float in (0, inf), default=1.0
        Information that is there before any label, in every direction.
    oversample : float in [1, inf), default=2.0
        So many times n rows are chosen first, and all but n taken back.
    random_state : int, Generator, RandomState or None, default=None
        Seed that breaks ties.

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Distinct positions, in the order of choice. A batch made for its size: a smaller
        n gives other rows.

    Raises
    ------
    InvalidInputError
        If tables do not fit each other, a number is out of range, or the form of
        information would take too much memory.

    Notes
    -----
    Greedy minimization of :math:`\mathrm{tr}(M^{-1} F)` [1]_, with F the mean
    information of all rows, labelled ones included, and
    :math:`M = \lambda I + \frac{L}{L + n} F_L + \frac{n}{L + n} \sum_c V_c^T V_c`
    of the mean :math:`F_L` of L labelled rows and of the rows chosen, each of which
    counts as the published code has it, like a whole batch; then the rows whose loss
    costs least are taken back, one by one. With :math:`Q_x = V_x M^{-1} V_x^T` and
    :math:`R_x = V_x M^{-1} F M^{-1} V_x^T` a row lowers the trace by
    :math:`\mathrm{tr}((I + Q_x)^{-1} R_x)`. Q and R of all rows are kept, and a pick
    changes them by products of the features with a few vectors: the picks of the
    direct form, without its :math:`n_{pool} (K d)^2` numbers a pick.

    Information of a row: :math:`p (1 - p) h h^T` with the largest probability p
    ("binary", [2]_), :math:`\sum_y p_y (e_y - p)(e_y - p)^T \otimes h h^T` over the
    most probable classes ("top") or all ("full"), which has rank n_classes - 1.

    Cost: O(n_pool d) a pick and O(n_pool d^2) once for "binary"; K r and K^2 times as
    much for the others, where r is ``n_top`` or K - 1, and
    8 (2 n_pool r^2 + 6 (K d)^2) bytes.

    References
    ----------
    .. [1] Ash, Goel, Krishnamurthy and Kakade, "Gone Fishing: Neural Active Learning
       with Fisher Embeddings", `arXiv:2106.09675 <https://arxiv.org/abs/2106.09675>`_.
    .. [2] Huseljic et al., "Fast Fishing: Approximating BAIT for Efficient and Scalable
       Deep Active Image Classification",
       `arXiv:2404.08981 <https://arxiv.org/abs/2404.08981>`_.

    Examples
    --------
    Two rows say the same, one something else; the net is sure of the last:

    >>> from skbadge.selection import bait_greedy
    >>> proba = [[0.5, 0.5], [0.5, 0.5], [0.6, 0.4], [1.0, 0.0]]
    >>> features = [[2.0, 0.0], [2.0, 0.0], [0.0, 3.0], [2.0, 2.0]]
    >>> sorted(bait_greedy(proba, features, 2, random_state=0) // 2)
    [np.int64(0), np.int64(1)]
    """
    check_option(fisher, "fisher", _FISHER)
    check_bait_numbers(n_top, regularization, oversample)
    left, right = _pair(proba, features, "")
    n = check_n(n, len(right))
    known = None
    if (labeled_proba is None) != (labeled_features is None):
        given = "labeled_features" if labeled_proba is None else "labeled_proba"
        raise InvalidInputError(
            "labeled_proba and labeled_features must be given together, or neither. "
            f"Got {given} alone."
        )
    if labeled_features is not None and len(labeled_features) + len(labeled_proba):
        known = _pair(labeled_proba, labeled_features, "labeled_")
        if (known[0].shape[1], known[1].shape[1]) != (left.shape[1], right.shape[1]):
            raise InvalidInputError(
                "labelled rows must have as many classes and features as the pool, "
                f"{(left.shape[1], right.shape[1])}. Got "
                f"{(known[0].shape[1], known[1].shape[1])} instead."
            )
    return _bait_greedy(
        left,
        right,
        n,
        labeled=known,
        fisher=fisher,
        n_top=n_top,
        regularization=regularization,
        oversample=oversample,
        priority=as_generator(random_state).permutation(len(right)),
    )[0]


def check_bait_numbers(
    n_top: int | None, regularization: float, oversample: float
) -> None:
    """Refuse numbers out of range."""
    if n_top is not None:
        check_integer(n_top, "n_top", low=1)
    limits: dict[str, Any] = {"high": np.inf, "include_high": False}
    check_real(regularization, "regularization", low=0, include_low=False, **limits)
    check_real(oversample, "oversample", low=1, **limits)


def _pair(proba: Any, features: Any, prefix: str) -> tuple[torch.Tensor, torch.Tensor]:
    left, right = (
        as_tensor(proba, f"{prefix}proba"),
        as_tensor(features, f"{prefix}features"),
    )
    if len(left) != len(right):
        raise InvalidInputError(
            f"{prefix}proba and {prefix}features must have as many rows each. Got "
            f"{len(left)} and {len(right)} instead."
        )
    for name, table in (("proba", left), ("features", right)):
        if not bool(table.isfinite().all()):
            raise InvalidInputError(
                f"{prefix}{name} must be finite. Got NaN or infinity instead."
            )
    sums = left.double().sum(dim=1)
    if bool((left < 0).any()) or bool(((sums - 1).abs() > _SUM).any()):
        raise InvalidInputError(
            f"{prefix}proba must hold class probabilities: numbers of at least 0, of "
            f"which each row sums to 1. Got rows with sums of {sums.min():g} to "
            f"{sums.max():g}, and {left.min():g} as the smallest number: give what "
            "predict_proba answers, no logits."
        )
    return left, right


def _bait_greedy(
    proba: torch.Tensor,
    features: torch.Tensor,
    n: int,
    *,
    labeled: tuple[torch.Tensor, torch.Tensor] | None,
    fisher: str,
    n_top: int | None,
    regularization: float,
    oversample: float,
    priority: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows; no validation but that of the memory.

    Parameters
    ----------
    proba, features : torch.Tensor
        Of the pool.
    n : int
        In [1, n_pool].
    labeled : tuple of torch.Tensor or None
        The same of the labelled rows.
    fisher, n_top, regularization, oversample
        As in `bait_greedy`.
    priority : ndarray of int of shape (n_pool,)
        Order among equal gains, lower first.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    gains : ndarray of shape (n,), dtype float64
        How far each lowered the trace when it was chosen.
    """
    check_memory(len(features), proba.shape[1], features.shape[1], fisher, n_top)
    columns = fisher_columns(proba, fisher, n_top)
    metric, scale = first_metric(
        fisher_mean(columns, features),
        len(features),
        n,
        labeled=labeled,
        fisher=fisher,
        n_top=n_top,
        regularization=regularization,
    )
    scaled = columns * scale
    many = math.ceil(min(len(features), oversample * n))
    tie = TIE[arithmetic_dtype(features)]
    forward = Information(scaled, features, metric)
    chosen, gains = _add(forward, many, priority, tie)
    rows = torch.from_numpy(chosen)
    kept = take_back(scaled[rows], features[rows], metric, n, priority[chosen], tie)
    return chosen[kept], gains[kept]


def check_memory(
    n_rows: int, n_classes: int, width: int, fisher: str, n_top: int | None
) -> None:
    """Refuse a form of information that would take too much."""
    needed = required_bytes(n_rows, n_classes, width, fisher, n_top)
    if needed > _MOST_BYTES:
        raise InvalidInputError(
            f'fisher="{fisher}" would take {needed / 2**30:.1f} GiB for '
            f"{n_rows} rows, {n_classes} classes and {width} "
            f"features; at most {_MOST_BYTES / 2**30:.0f} GiB are allowed. Take "
            '"binary", or fewer rows, query(..., subsample=...).'
        )


def first_metric(
    mean: torch.Tensor,
    n_pool: int,
    n: int,
    *,
    labeled: tuple[torch.Tensor, torch.Tensor] | None,
    fisher: str,
    n_top: int | None,
    regularization: float,
) -> tuple[Metric, float]:
    """Return what is known before any row is chosen.

    Parameters
    ----------
    mean : torch.Tensor of shape (K d, K d), dtype float64
        Mean information of the pool; becomes that of all rows.
    n_pool, n : int
        Rows of the pool, and to choose.
    labeled, fisher, n_top, regularization
        As in `_bait_greedy`.

    Returns
    -------
    metric : Metric
    scale : float
        By which S of every row is multiplied: it counts as a batch beside the labels.
    """
    n_labeled = 0
    start = torch.zeros_like(mean)
    if labeled is not None and len(labeled[1]):
        n_labeled = len(labeled[1])
        start = fisher_mean(fisher_columns(labeled[0], fisher, n_top), labeled[1])
        start = start.to(mean.device)
    n_rows = n_pool + n_labeled
    mean.mul_(n_pool / n_rows).add_(start, alpha=n_labeled / n_rows)
    start.mul_(n_labeled / (n_labeled + n)).diagonal().add_(regularization)
    return Metric(start, mean), math.sqrt(n / (n_labeled + n))


def _add(
    state: Information, count: int, priority: np.ndarray, tie: float
) -> tuple[np.ndarray, np.ndarray]:
    indices: list[int] = []
    gains: list[float] = []
    while len(indices) < count:
        gain = state.changes(1.0)
        gain[indices] = -np.inf
        pick = best(gain, priority, tie)
        indices.append(pick)
        gains.append(float(gain[pick]))
        state.update(pick, 1.0, fresh=len(indices) % FRESH == 0)
    return np.array(indices, dtype=np.intp), np.array(gains)


def take_back(
    columns: torch.Tensor,
    features: torch.Tensor,
    metric: Metric,
    n: int,
    priority: np.ndarray,
    tie: float,
) -> np.ndarray:
    """Return which n of the rows chosen are kept, as ascending positions."""
    if len(priority) == n:
        return np.arange(n)
    metric.start_over()
    state = Information(columns, features, metric)
    gone: list[int] = []
    while len(gone) < len(priority) - n:
        loss = state.changes(-1.0)
        loss[gone] = np.inf
        # The one chosen first among equals is taken back last.
        gone.append(best(-loss, -priority, tie))
        state.update(gone[-1], -1.0, fresh=len(gone) % FRESH == 0)
    return np.delete(np.arange(len(priority)), gone)


def best(gain: np.ndarray, priority: np.ndarray, tie: float) -> int:
    """Return the largest; among those within ``tie`` of it, the first by priority."""
    largest = gain.max()
    ties = np.flatnonzero(gain >= largest - tie * abs(largest))
    return int(ties[np.argmin(priority[ties])])

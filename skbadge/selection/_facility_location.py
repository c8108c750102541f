"""Greedy generalized coverage: rows near much that nothing chosen is near, lazily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from skbadge.embeddings._tensors import (
    arithmetic_dtype,
    as_tensor,
    directions,
    in_chunks,
    measure_rows,
)
from skbadge.exceptions import InvalidInputError
from skbadge.selection._bounds import first_by_bound
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_n, check_real

__all__ = ["facility_location_greedy"]

# Stale gains measured anew at a time: at first, and at most.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 4, 256
# Similarities held at a time.
_BLOCK_NUMBERS = 1 << 19
# Lengths above this overflow when they are squared in float32.
_LONGEST = 1e15
# Lengths from this to its reciprocal can be squared in float32.
_SHORTEST = 1e-15
# Squared distances below this part of the squared lengths need double digits.
_FINE = 1e-3


def facility_location_greedy(
    features: Any,
    n: int,
    *,
    weight: Any = None,
    labeled_features: Any = None,
    targets: Any = None,
    length_scale: float = 1.0,
    random_state: Seed = None,
) -> np.ndarray:
    r"""Choose n rows that are, together, similar to as much of the pool as possible.

    A row covers its surroundings: itself wholly, others the less the farther away they
    are. Each pick is the row that adds most to what is covered.

    Parameters
    ----------
    features : tensor or array of shape (n_pool, n_features)
        The rows to choose from.
    n : int
        Rows to choose, in [1, n_pool].
    weight : array-like of shape (n_targets,) or None, default=None
        How much each target counts, at least 0; None for all alike.
    labeled_features : tensor or array of shape (n_labeled, n_features), default=None
        Rows that cover already.
    targets : tensor or array of shape (n_targets, n_features), default=None
        What is to be covered; None for the pool itself.
    length_scale : float in [1e-100, 1e100], default=1.0
        Distance at which a row covers 1/e of another.
    random_state : int, Generator, RandomState or None, default=None
        Seed that breaks ties.

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Distinct positions, in the order of choice. For one seed, the first m of n are
        the answer for m.

    Raises
    ------
    InvalidInputError
        If a table is not 2-D, finite and real, widths or lengths do not fit, or a
        number is out of range.

    Notes
    -----
    Greedy maximization of :math:`\sum_t w_t \max_{c} k(x_t, x_c)` with
    :math:`k(x, x') = \exp(-\lVert x - x' \rVert^2 / \sigma^2)` (generalized coverage,
    [1]_). Gains only fall as rows are chosen, so an old one is an upper bound: only
    rows whose bound is above the best gain are measured anew (lazy greedy [2]_); the
    picks are those of the plain loop, rounding aside. The first gains take
    O(n_pool n_targets d) time, later picks a few rows' share of it. Memory: a few
    numbers a row and one block; never an array of all pairs.

    References
    ----------
    .. [1] Bae, Noh and Sutherland, "Generalized Coverage for More Robust Low-Budget
       Active Learning", `arXiv:2407.12212 <https://arxiv.org/abs/2407.12212>`_.
    .. [2] Minoux, "Accelerated greedy algorithms for maximizing submodular set
       functions", 1978.

    Examples
    --------
    >>> from skbadge.selection import facility_location_greedy
    >>> facility_location_greedy([[0.0], [0.1], [-0.1], [5.0]], 2, random_state=0)
    array([0, 3])
    """
    table = _finite(features, "features")
    n = check_n(n, len(table))
    check_length_scale(length_scale)
    goal = table if targets is None else _finite(targets, "targets")
    known = None if labeled_features is None else _finite(labeled_features, "labeled")
    for name, other in (("targets", goal), ("labeled_features", known)):
        if other is not None and other.shape[1] != table.shape[1]:
            raise InvalidInputError(
                f"{name} must have as many columns as features, {table.shape[1]}. Got "
                f"{other.shape[1]} instead."
            )
    weights = np.ones(len(goal)) if weight is None else np.asarray(weight)
    numbers = weights.dtype.kind in "fiub"
    if weights.shape != (len(goal),) or not (numbers and np.isfinite(weights).all()):
        raise InvalidInputError(
            f"weight must hold a finite number for each of {len(goal)} targets. Got "
            f"shape {weights.shape} and dtype {weights.dtype} instead, or NaN or "
            "infinity."
        )
    weights = weights.astype(np.float64)
    if (weights < 0).any():
        raise InvalidInputError(
            f"weight must be at least 0. Got {weights.min()} instead."
        )
    coverage = Coverage(table, goal, weights, length_scale=length_scale)
    if known is not None:
        coverage.cover(known)
    priority = as_generator(random_state).permutation(len(table))
    return _facility_location_greedy(coverage, n, priority=priority)[0]


def _finite(table: Any, name: str) -> torch.Tensor:
    tensor = as_tensor(table, name)
    unit, length_sq = measure_rows(tensor, name, arithmetic_dtype(tensor))
    largest = unit * float(length_sq.max().sqrt()) if len(tensor) else 0.0
    if largest > _LONGEST:
        raise InvalidInputError(
            f"{name} must be rows of a length of at most {_LONGEST:g}, so that squares "
            f"do not overflow. Got {largest:g} instead: measure them in another unit."
        )
    return tensor


def _facility_location_greedy(
    coverage: Coverage, n: int, *, priority: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows by lazy greedy coverage; no validation.

    Parameters
    ----------
    coverage : Coverage
        Changed: what the rows cover is covered afterwards.
    n : int
        In [1, n_pool].
    priority : ndarray of int of shape (n_pool,)
        Order among equal gains, lower first.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    gains : ndarray of shape (n,), dtype float64
        What each pick added to the weighted sum of covered shares.
    """
    n_pool = len(priority)
    bound = coverage.gains(np.arange(n_pool))
    fresh = np.zeros(n_pool, dtype=np.intp)  # picks that the gain knows of
    indices: list[int] = []
    gains: list[float] = []
    while len(indices) < n:
        if not bound.max() > 0.0:
            # Nothing is left to cover: the seed chooses.
            rest = np.flatnonzero(bound > -np.inf)
            rest = rest[np.argsort(priority[rest])][: n - len(indices)]
            indices.extend(rest.tolist())
            gains.extend([0.0] * len(rest))
            break
        size = _SMALLEST_BLOCK
        while True:
            top = first_by_bound(bound, priority, size)
            stale = top[fresh[top] < len(indices)]
            if fresh[top[0]] == len(indices):
                break
            bound[stale] = np.minimum(bound[stale], coverage.gains(stale))
            fresh[stale] = len(indices)
            size = min(2 * size, _LARGEST_BLOCK)
        best = int(top[0])
        indices.append(best)
        gains.append(float(bound[best]))
        bound[best] = -np.inf
        coverage.cover(coverage.features[best : best + 1])
    return np.array(indices, dtype=np.intp), np.array(gains)


class Coverage:
    """How much of the targets is covered, and what each row would add.

    Parameters
    ----------
    features : torch.Tensor of shape (n_pool, n_features)
        The rows to choose from.
    targets : torch.Tensor of shape (n_targets, n_features)
        What is to be covered.
    weight : ndarray of shape (n_targets,)
        How much each target counts.
    length_scale : float
        Of the kernel.
    normalize : bool, default=False
        Whether rows are scaled to length 1, on the fly; rows of zeros stay.

    Attributes
    ----------
    covered : torch.Tensor
        For each target that has a weight, the share that is covered.
    n_measured : int
        How many gains were measured so far.
    """

    def __init__(
        self,
        features: torch.Tensor,
        targets: torch.Tensor,
        weight: np.ndarray,
        *,
        length_scale: float,
        normalize: bool = False,
    ) -> None:
        self.features = features
        self.normalize = normalize
        # A target without weight adds nothing.
        counted = np.flatnonzero(weight)
        self._targets = targets
        if len(counted) < len(targets):
            self._targets = targets[torch.from_numpy(counted)]
        self._weight = torch.from_numpy(weight[counted]).to(targets.device)
        self._sharpness = 1.0 / length_scale**2
        self._dtype = arithmetic_dtype(features, targets)
        self._unit, self._target_sq = self._measure(self._targets)
        largest = float(self._target_sq.max()) if len(counted) else 0.0
        if length_scale**2 < _FINE * largest:
            self._dtype = torch.float64
            self._unit, self._target_sq = self._measure(self._targets)
        self.covered = torch.zeros(
            len(counted), dtype=self._dtype, device=targets.device
        )
        self.n_measured = 0
        self._rooms: dict[str, torch.Tensor] = {}

    def _room(self, name: str, n_rows: int, n_columns: int) -> torch.Tensor:
        """Return a block to write in, the same memory each time.

        Freed and asked for anew, blocks of some megabytes leave holes that small
        results keep from being used again: a process was seen to grow by a gigabyte.
        """
        held = self._rooms.get(name)
        if held is None or held.numel() < n_rows * n_columns:
            held = self.covered.new_empty(n_rows * n_columns)
            self._rooms[name] = held
        return held[: n_rows * n_columns].view(n_rows, n_columns)

    def _measure(self, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what to multiply each row by, and its squared length then."""
        length_sq = in_chunks(table, self._squares).to(self._dtype)
        if not self.normalize:
            return torch.ones_like(length_sq), length_sq
        some = length_sq > 0.0
        unit = torch.where(some, length_sq, 1.0).rsqrt()
        return unit, some.to(self._dtype)

    def _squares(self, rows: torch.Tensor) -> torch.Tensor:
        rows = rows.to(self._dtype)
        return torch.linalg.vecdot(rows, rows)

    def _similar(self, rows: torch.Tensor, part: slice) -> torch.Tensor:
        """Return the kernel between rows and a slice of the targets, until the next."""
        unit, length_sq = self._measure(rows)
        targets = self._targets[part].to(self._dtype)
        found = self._room("similar", len(rows), len(targets))
        torch.mm(rows.to(self._dtype), targets.T, out=found)
        found *= -2.0 * unit[:, None]
        found *= self._unit[part]
        found += length_sq[:, None]
        found += self._target_sq[part]
        return found.clamp_min_(0.0).mul_(-self._sharpness).exp_()

    def _parts(self, n_rows: int) -> list[slice]:
        n_targets = len(self._targets)
        step = max(1, min(_BLOCK_NUMBERS // max(1, n_rows), 1 << 14))
        return [slice(a, min(a + step, n_targets)) for a in range(0, n_targets, step)]

    def gains(self, indices: np.ndarray) -> np.ndarray:
        """Return how much each row would add.

        Parameters
        ----------
        indices : ndarray of int of shape (m,)
            Positions among the features.

        Returns
        -------
        ndarray of shape (m,), dtype float64
        """
        self.n_measured += len(indices)
        found = np.empty(len(indices))
        for start in range(0, len(indices), _LARGEST_BLOCK):
            part = slice(start, start + _LARGEST_BLOCK)
            block = self.features[torch.from_numpy(indices[part])]
            found[part] = self.gains_after(block, [])[0].cpu().numpy()
        return found

    def gains_after(self, block: torch.Tensor, sequence: Sequence[int]) -> torch.Tensor:
        """Return how much each row of a block would add, now and as others are chosen.

        Parameters
        ----------
        block : torch.Tensor of shape (m, n_features)
            A block of rows.
        sequence : sequence of int
            Positions in the block, as they are chosen one after another; nothing is
            covered by that.

        Returns
        -------
        torch.Tensor of shape (len(sequence) + 1, m), dtype float64
            Row ``j`` is what the rows add once the first ``j`` of the sequence are
            chosen.
        """
        gains = torch.zeros(
            len(sequence) + 1, len(block), dtype=torch.float64, device=block.device
        )
        for part in self._parts(len(block)):
            similar = self._similar(block, part)
            weight = self._weight[part].to(similar.dtype)
            covered = self.covered[part]
            for j, gain in enumerate(gains):
                if j:
                    covered = torch.maximum(covered, similar[sequence[j - 1]])
                added = self._room("added", *similar.shape)
                torch.sub(similar, covered, out=added)
                gain += (added.clamp_min_(0.0) @ weight).double()
        return gains

    def cover(self, rows: torch.Tensor) -> None:
        """Count what some rows cover as covered.

        Parameters
        ----------
        rows : torch.Tensor of shape (m, n_features)
        """
        for block in rows.split(_LARGEST_BLOCK) if len(rows) else ():
            for part in self._parts(len(block)):
                reached = self._similar(block, part).amax(dim=0)
                covered = self.covered[part]
                torch.maximum(covered, reached, out=covered)


def check_length_scale(length_scale: float) -> None:
    """Refuse what is no length, and what has no square."""
    check_real(length_scale, "length_scale", low=1e-100, high=1e100)


def lengths_of(features: torch.Tensor) -> tuple[float, float]:
    """Return the smallest length above 0 of rows and the largest; (inf, 0) for none."""
    unit, length_sq = measure_rows(features, "features", arithmetic_dtype(features))
    some = length_sq[length_sq > 0.0].sqrt() * unit
    return (float(some.min()), float(some.max())) if len(some) else (np.inf, 0.0)


def fit_to_square(
    features: torch.Tensor, lengths: tuple[float, float] | None = None
) -> torch.Tensor:
    """Return rows of the same directions whose squares are safe: mostly themselves.

    Parameters
    ----------
    features : torch.Tensor of shape (n, n_features)
        The rows.
    lengths : tuple of float or None, default=None
        `lengths_of` all rows that are compared with these; None for their own.
    """
    shortest, longest = lengths_of(features) if lengths is None else lengths
    if shortest > longest or (_SHORTEST < shortest and longest < 1 / _SHORTEST):
        return features
    return directions(features.double()).to(arithmetic_dtype(features))

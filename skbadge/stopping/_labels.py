"""Criteria on labels: how many there are, and what a test says."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import beta

from skbadge.exceptions import InvalidInputError
from skbadge.stopping._base import Observation, StoppingCriterion, check_window
from skbadge.utils._validation import check_integer, check_real

__all__ = ["LabelBudget", "TestPlateau", "exact_interval"]


class LabelBudget(StoppingCriterion):
    """Stop when a number of labels is reached.

    Parameters
    ----------
    n : int
        Number of labelled rows.

    Examples
    --------
    >>> from skbadge.stopping import LabelBudget, Observation
    >>> LabelBudget(100).update(Observation(99)).should_stop
    False
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def _update(self, observation: Observation, memory: dict[str, Any]) -> None:
        memory.setdefault("values", []).append(int(observation.n_labeled))

    def _threshold(self, memory: dict[str, Any]) -> int:
        return check_integer(self.n, "n", low=1)

    def _fires(self, memory: dict[str, Any]) -> bool:
        values = memory.get("values", [])
        return bool(values) and values[-1] >= self._threshold(memory)


class TestPlateau(StoppingCriterion):
    """Stop when a test says that accuracy no longer rises, or may be high enough.

    The test is what the loop has: a test set, or the share of a campaign's batches that
    is drawn at random and scored before the model learns from it.

    Parameters
    ----------
    target : float in [0, 1] or None, default=None
        Accuracy wanted. Stop when the last ``window`` tests together reach it. None for
        a rule on the slope instead.
    window : int, default=5
        Number of tests. Without a target the slope over them is fitted, by least
        squares weighted with the precision of each; stop when it is below its standard
        error.

    Notes
    -----
    The rule is this library's. A small share makes large standard errors, and a slope
    that cannot be told from zero stops as a flat one does: with few rows a test, take a
    longer window or a target. A test of no rows is left out. That a target lies inside
    the interval of the tests is no reason to stop: with few rows, any does.

    Examples
    --------
    >>> from skbadge.stopping import Observation, TestPlateau
    >>> stop = TestPlateau(window=3)
    >>> for correct in (700, 800, 900):
    ...     stop = stop.update(Observation(50, tested=(correct, 1000)))
    >>> stop.should_stop
    False
    >>> for correct in (901, 900):
    ...     stop = stop.update(Observation(50, tested=(correct, 1000)))
    >>> stop.should_stop
    True
    """

    # Not a class of tests, whatever its name.
    __test__ = False
    reads = ("tested",)

    def __init__(self, target: float | None = None, *, window: int = 5) -> None:
        self.target = target
        self.window = window

    def _update(self, observation: Observation, memory: dict[str, Any]) -> None:
        for correct, n in _tests(observation.tested):
            if n:
                memory.setdefault("values", []).append(correct / n)
                memory.setdefault("sizes", []).append(n)

    def _threshold(self, memory: dict[str, Any]) -> float | None:
        return self.target

    def _fires(self, memory: dict[str, Any]) -> bool:
        window = check_window(self.window, low=1 if self.target is not None else 3)
        values = np.array(memory.get("values", [])[-window:])
        sizes = np.array(memory.get("sizes", [])[-window:])
        if len(values) < window:
            return False
        if self.target is not None:
            target = check_real(self.target, "target", low=0, high=1)
            return float(values @ sizes) / sizes.sum() >= target
        slope, error = _slope(values, sizes)
        return slope < error


def _tests(tested: Any) -> list[list[int]]:
    """Return the tests of an observation, as pairs of ints."""
    counts = np.asarray(tested)
    if counts.ndim == 1 and counts.size:
        counts = counts[None]
    if not counts.size:
        return []
    good = counts.ndim == 2 and counts.shape[1] == 2 and counts.dtype.kind in "iu"
    if not good or not ((counts[:, 0] >= 0) & (counts[:, 0] <= counts[:, 1])).all():
        raise InvalidInputError(
            "tested must be (number predicted rightly, number of rows), or a list of "
            f"such pairs. Got {tested} instead."
        )
    return counts.tolist()


def _slope(values: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Return the slope over equally spaced points, and its standard error.

    Each point is a share of ``sizes`` rows; one success and one failure more keep a
    share of 0 or 1 from counting as certain.
    """
    shares = (values * sizes + 1) / (sizes + 2)
    precision = sizes / (shares * (1 - shares))
    times = np.arange(len(values), dtype=np.float64)
    times -= precision @ times / precision.sum()
    spread = float(precision @ times**2)
    return float(precision @ (times * values)) / spread, spread**-0.5


def exact_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact binomial (Clopper-Pearson) interval of a share.

    Covers the true share with at least the probability ``level``.

    Parameters
    ----------
    correct : int
        Number of successes.
    n : int
        Number of trials; none gives (0, 1).
    level : float in (0, 1), default=0.95
        Its confidence.

    Returns
    -------
    low, high : float in [0, 1]
    """
    tail = (1 - level) / 2
    low = beta.ppf(tail, correct, n - correct + 1) if correct > 0 else 0.0
    high = beta.ppf(1 - tail, correct + 1, n - correct) if correct < n else 1.0
    return float(low), float(high)

"""Criteria on what the model itself expects of its errors."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from skbadge.stopping._base import (
    Observation,
    StoppingCriterion,
    check_window,
    checked_proba,
)
from skbadge.utils._validation import check_option, check_real

__all__ = ["ExpectedError", "PredictedF"]


class ExpectedError(StoppingCriterion):
    """Stop when the model expects few errors, or no longer expects fewer.

    The mean of ``1 - max p`` over the stop set; stop when it is at most ``threshold``,
    or fell by less than ``gain`` over the last ``window`` trainings.

    Parameters
    ----------
    threshold : float in [0, 1], default=0.01
        Expected share of errors.
    gain : float in [0, 1] or None, default=0.001
        Least fall over the window; None for no such rule.
    window : int, default=3
        Number of trainings over which the fall is measured.

    Notes
    -----
    A weak rule, offered because it is cheap to show: nets are overconfident, so the
    expectation is too low unless the probabilities are calibrated. Zhu, Wang, Hovy
    (COLING 2008) take the mean over the pool that is left, which falls by itself as
    hard rows leave it; here it is taken over a fixed stop set.

    Examples
    --------
    >>> from skbadge.stopping import ExpectedError, Observation
    >>> stop = ExpectedError(0.2)
    >>> stop.update(Observation(50, proba=[[0.9, 0.1], [0.2, 0.8]])).should_stop
    True
    """

    reads = ("proba",)

    def __init__(
        self,
        threshold: float = 0.01,
        *,
        gain: float | None = 0.001,
        window: int = 3,
    ) -> None:
        self.threshold = threshold
        self.gain = gain
        self.window = window

    def _update(self, observation: Observation, memory: dict[str, Any]) -> None:
        expected = 1 - checked_proba(observation.proba).max(axis=1)
        memory.setdefault("values", []).append(float(expected.mean()))

    def _fires(self, memory: dict[str, Any]) -> bool:
        threshold = check_real(self.threshold, "threshold", low=0, high=1)
        window = check_window(self.window)
        values = memory.get("values", [])
        if not values:
            return False
        if values[-1] <= threshold:
            return True
        if self.gain is None or len(values) <= window:
            return False
        gain = check_real(self.gain, "gain", low=0, high=1)
        return values[-1 - window] - values[-1] < gain


class PredictedF(StoppingCriterion):
    """Stop when the F measure that the model predicts for itself no longer moves.

    Parameters
    ----------
    method : {"convergence", "difference"}, default="convergence"
        "convergence": F = 2 TP / (2 TP + FP + FN), with the counts that the
        probabilities for the stop set let one expect, the mean over the classes. Stop
        when the mean of the last ``window`` rises by less than ``threshold`` from one
        training to the next.
        "difference": 1 - 2 a / (2 a + b + c) between the predictions of one model and
        the next, where a rows are given to a class by both, b and c by one of them
        alone, the mean over the classes that either predicts. Stop when it was below
        ``threshold`` for ``window`` trainings on end.
    threshold : float in [0, 1] or None, default=None
        None for 5e-5 and 0.05.
    window : int or None, default=None
        None for 10 and 3.

    Notes
    -----
    The sources speak of two classes and of the F measure of the positive one
    ("performance convergence" [1]_, "delta F" [2]_); the mean over the classes is this
    library's extension, and for two classes differs from them. A model that gives no
    row to a class, and expects none there, has nothing to be measured by in it: the
    class is left out.

    References
    ----------
    .. [1] Laws, Schuetze, "Stopping criteria for active learning of named entity
       recognition", COLING 2008.
    .. [2] Altschuler, Bloodgood, "Stopping active learning based on predicted change of
       F measure for text classification",
       `arXiv:1901.09118 <https://arxiv.org/abs/1901.09118>`_.

    Examples
    --------
    >>> from skbadge.stopping import Observation, PredictedF
    >>> stop = PredictedF("difference", window=1)
    >>> for proba in ([[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.3, 0.7]]):
    ...     stop = stop.update(Observation(50, proba=proba))
    >>> stop.signs()[0]["values"], stop.should_stop
    ([0.0], True)
    """

    reads = ("proba",)

    def __init__(
        self,
        method: Literal["convergence", "difference"] = "convergence",
        *,
        threshold: float | None = None,
        window: int | None = None,
    ) -> None:
        self.method = method
        self.threshold = threshold
        self.window = window

    def _update(self, observation: Observation, memory: dict[str, Any]) -> None:
        check_option(self.method, "method", ("convergence", "difference"))
        proba = checked_proba(observation.proba)
        values = memory.setdefault("values", [])
        if self.method == "convergence":
            values.append(expected_f(proba))
            return
        predicted, previous = proba.argmax(axis=1), memory.get("previous")
        if previous is not None and len(previous) == len(predicted):
            values.append(f_difference(np.array(previous), predicted))
        memory["previous"] = predicted.tolist()

    def _threshold(self, memory: dict[str, Any]) -> float:
        if self.threshold is None:
            return 5e-5 if self.method == "convergence" else 0.05
        return check_real(self.threshold, "threshold", low=0, high=1)

    def _fires(self, memory: dict[str, Any]) -> bool:
        method = check_option(self.method, "method", ("convergence", "difference"))
        default = 10 if method == "convergence" else 3
        window = check_window(default if self.window is None else self.window)
        values = memory.get("values", [])
        if method == "difference":
            last = values[-window:]
            return len(last) == window and max(last) < self._threshold(memory)
        if len(values) <= window:
            return False
        # The windows differ in their first and last value alone.
        return (values[-1] - values[-1 - window]) / window < self._threshold(memory)


def expected_f(proba: np.ndarray) -> float:
    """Return the F measure that probabilities let one expect, the mean over classes."""
    chosen = proba.argmax(axis=1)[:, None] == np.arange(proba.shape[1])
    true = (proba * chosen).sum(axis=0)
    false = ((1 - proba) * chosen).sum(axis=0)
    missed = (proba * ~chosen).sum(axis=0)
    counted = 2 * true + false + missed
    return float((2 * true[counted > 0] / counted[counted > 0]).mean())


def f_difference(previous: np.ndarray, predicted: np.ndarray) -> float:
    """Return 1 minus the F measure of two predictions, the mean over their classes."""
    differences = []
    for name in np.union1d(previous, predicted):
        first, second = previous == name, predicted == name
        both = (first & second).sum()
        differences.append(1 - 2 * both / (first.sum() + second.sum()))
    return float(np.mean(differences))

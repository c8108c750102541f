"""Criteria on how far the predictions of one model and the next agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadge.stopping._base import (
    Observation,
    SeedFloor,
    StoppingCriterion,
    check_window,
    checked_proba,
    cohen_kappa,
)
from skbadge.utils._validation import check_real

__all__ = ["PredictionChange", "StablePredictions"]


class _Agreement(StoppingCriterion):
    """Compares the predictions for the stop set with those of the training before."""

    reads = ("proba",)
    window: int
    floor: bool

    def _update(self, observation: Observation, memory: dict[str, Any]) -> None:
        predicted = checked_proba(observation.proba).argmax(axis=1)
        previous = memory.get("previous")
        values = memory.setdefault("values", [])
        if previous is not None and len(previous) == len(predicted):
            values.append(self._compared(np.array(previous), predicted))
        memory["previous"] = predicted.tolist()
        if observation.floor is not None:
            memory["floor"] = self._of_floor(observation.floor)
            memory["floor_at"] = observation.n_labeled

    def wants_floor(self, n_labeled: int) -> bool:
        """Say whether the next `update` should come with the seed floor."""
        memory = self._remembered()
        if not self.floor or len(memory.get("values", [])) + 1 < self.window:
            return False
        return memory.get("floor") is None or n_labeled >= 1.25 * memory["floor_at"]

    def _compared(self, previous: np.ndarray, predicted: np.ndarray) -> float:
        raise NotImplementedError

    def _of_floor(self, floor: SeedFloor) -> float:
        raise NotImplementedError


class StablePredictions(_Agreement):
    """Stop when predictions no longer change from training to training.

    Cohen's kappa between the predictions of successive models for the stop set; stop
    when the mean of the last ``window`` is at least ``threshold`` [1]_. Of thirteen
    criteria its signal follows the true accuracy best [2]_.

    Parameters
    ----------
    threshold : float in [0, 1], default=0.99
        Kappa to be reached.
    window : int, default=3
        Number of comparisons to average. 2 where batches are large.
    floor : bool, default=True
        Whether to stop at the *seed floor* where that is below the threshold: a net
        trained from scratch does not, on average, agree better with the one before than
        with itself under another seed. Costs a training now and then. Not for a learner
        with ``warm_start``.

    Notes
    -----
    The paper's threshold and window; the floor is an addition of this library. A stop
    set of another size than before begins the comparison anew.

    The floor is one kappa of two seeds, and noisy. On few labels it is low, and the
    criterion can stop early: combine it, ``StablePredictions() & LabelBudget(500)``, or
    turn it off. A learner with ``warm_start`` has none: its net goes on from the one
    before and agrees with it far better than two seeds do, so that stability is a
    weaker sign there.

    References
    ----------
    .. [1] Bloodgood, Vijay-Shanker, "A method for stopping active learning based on
       stabilizing predictions and the need for user-adjustable stopping",
       `arXiv:1409.5165 <https://arxiv.org/abs/1409.5165>`_.
    .. [2] Pullar-Strecker, Dost, Frank, Wicker, "Hitting the target: stopping active
       learning at the cost-based optimum", Machine Learning, 2022.

    Examples
    --------
    >>> from skbadge.stopping import Observation, StablePredictions
    >>> stop = StablePredictions(window=2, floor=False)
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    >>> for n_labeled in (50, 100, 150):
    ...     stop = stop.update(Observation(n_labeled, proba=proba))
    >>> stop.should_stop
    True
    """

    def __init__(
        self, threshold: float = 0.99, *, window: int = 3, floor: bool = True
    ) -> None:
        self.threshold = threshold
        self.window = window
        self.floor = floor

    def _compared(self, previous: np.ndarray, predicted: np.ndarray) -> float:
        return cohen_kappa(previous, predicted)

    def _of_floor(self, floor: SeedFloor) -> float:
        return floor.kappa

    def _threshold(self, memory: dict[str, Any]) -> float:
        threshold = check_real(self.threshold, "threshold", low=0, high=1)
        floor = memory.get("floor")
        return threshold if floor is None else min(threshold, floor)

    def _fires(self, memory: dict[str, Any]) -> bool:
        window = check_window(self.window)
        last = memory.get("values", [])[-window:]
        return len(last) == window and float(np.mean(last)) >= self._threshold(memory)


class PredictionChange(_Agreement):
    """Stop when next to no prediction changes from training to training.

    The share of the stop set whose predicted class changed; stop when it was at most
    ``threshold`` for ``window`` trainings on end.

    Parameters
    ----------
    threshold : float in [0, 1], default=0.005
        Share that may change.
    window : int, default=2
        Number of trainings on end.
    floor : bool, default=True
        Whether a share as large as that between two seeds is allowed; see
        `StablePredictions`.

    Notes
    -----
    "Classification change" of Zhu, Wang, Hovy [1]_ demands that nothing changes at all,
    which a net trained from scratch never meets.

    References
    ----------
    .. [1] Zhu, Wang, Hovy, "Multi-criteria-based strategy to stop active learning for
       data annotation", COLING 2008.

    Examples
    --------
    >>> from skbadge.stopping import Observation, PredictionChange
    >>> stop = PredictionChange(window=1, floor=False)
    >>> for proba in ([[0.9, 0.1], [0.2, 0.8]], [[0.4, 0.6], [0.2, 0.8]]):
    ...     stop = stop.update(Observation(50, proba=proba))
    >>> stop.signs()[0]["values"], stop.should_stop
    ([0.5], False)
    """

    def __init__(
        self, threshold: float = 0.005, *, window: int = 2, floor: bool = True
    ) -> None:
        self.threshold = threshold
        self.window = window
        self.floor = floor

    def _compared(self, previous: np.ndarray, predicted: np.ndarray) -> float:
        return float((previous != predicted).mean())

    def _of_floor(self, floor: SeedFloor) -> float:
        return floor.changed

    def _threshold(self, memory: dict[str, Any]) -> float:
        threshold = check_real(self.threshold, "threshold", low=0, high=1)
        return max(threshold, memory.get("floor") or 0.0)

    def _fires(self, memory: dict[str, Any]) -> bool:
        window = check_window(self.window)
        last = memory.get("values", [])[-window:]
        return len(last) == window and max(last) <= self._threshold(memory)

"""ALBL: a bandit that learns which strategy to trust."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from skbadge._contracts import Feedback, Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError
from skbadge.selection._exp4p import (
    arm_probabilities,
    confidence,
    exploration_floor,
    importance_weighted_accuracy,
    inclusion_probability,
    self_normalized_accuracy,
    shares,
    updated_log_weights,
)
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._core_set import CoreSet
from skbadge.strategies._least_confidence import LeastConfidence
from skbadge.strategies._random import RandomSampling
from skbadge.utils._validation import (
    check_flag,
    check_integer,
    check_option,
    check_real,
)

__all__ = ["ALBL"]


class ALBL(QueryStrategy):
    r"""Draw one of several strategies for each batch, and learn which ones pay.

    Active learning by learning: every strategy is an arm of a bandit. After a batch is
    labelled and the net trained again, the arms that would have asked for the same rows
    share a reward, the accuracy of the net on all rows asked for so far, each counted
    by the inverse of the probability with which it was chosen.

    Parameters
    ----------
    arms : list of QueryStrategy or None, default=None
        The strategies; None means ``[LeastConfidence(), CoreSet()]``, as in the BADGE
        paper.
    n_rounds : int, default=100
        Number of batches that are planned (T): sets how much is explored.
    delta : float in (0, 1), default=0.1
        Probability with which the regret bound of EXP4.P may fail.
    update : {"all", "hsu-lin", "chosen"}, default="all"
        How arms learn. "all": all of them, by how likely they were to ask for the
        batch, from the accuracy on the rows asked for. "hsu-lin": the same, from the
        reward as it was first defined, too small for arms that leave nothing to chance.
        "chosen": only the arm that was drawn, as in the public code of the BADGE paper
        (see Notes).
    uniform_arm : bool, default=False
        Whether to add an arm that chooses at random, as libact does.

    Attributes
    ----------
    log_weights_ : ndarray of shape (n_arms,)
        Logarithms of the arms' weights, the largest 0. There after the first feedback.

    Notes
    -----
    EXP4.P with :math:`p_{min} = \min(1/N, \sqrt{\ln N / (N T)})`,
    :math:`p_k = (1 - N p_{min}) w_k / \sum w + p_{min}` and
    :math:`q(x) = \sum_k p_k\, 1[x \in \text{batch of arm } k]`; a random arm counts
    with :math:`n / n_{pool}`. Update :math:`w_k \leftarrow w_k \exp(\frac{p_{min}}{2}
    (r\, \overline{q_k / q} + \frac{1}{p_k} \sqrt{\ln(N / \delta) / (N T)}))`, the bar
    being the mean over the batch. One arm is drawn for a whole batch, the BADGE paper's
    "at every round" [1]_; the original [2]_ asks for one row at a time.

    The reward is :math:`r = \sum 1[\text{correct}] / q(x)` over :math:`\sum 1 / q(x)`,
    both over all rows asked for since `fit` and both with the net trained on the last
    batch: an estimate of its accuracy, in [0, 1]. In [2]_ ("hsu-lin") the divisor is
    (labelled and unlabelled rows) times T. That presumes that every row of the pool
    could have been asked for; with arms that choose without chance the reward is then
    at most about twice the batch over the pool, and no arm is ever told from another.
    What is rewarded is the net that a batch leads to, not the rows of the batch: arms
    that differ only in how hard their own rows are earn the same.

    ``update="chosen"`` is the public code of [1]_: :math:`p_{min} = 1 / (10 N)`; the
    reward is the mean over *all* labelled rows of 1[correct] / (probability of the arm
    that chose the row), with 1 for rows that no arm chose; the drawn arm alone is
    updated, by :math:`\frac{p_{min}}{2} (r + \frac{1}{p_k} \sqrt{\ln(N / \delta) /
    N})`, without T.

    Scores are those of the drawn arm. Cost: that of all arms together.

    References
    ----------
    .. [1] Ash et al., `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.
    .. [2] Hsu and Lin, "Active Learning by Learning", AAAI 2015,
       doi:10.1609/aaai.v29i1.9597.
    .. [3] Beygelzimer et al., "Contextual Bandit Algorithms with Supervised Learning
       Guarantees", `arXiv:1002.4058 <https://arxiv.org/abs/1002.4058>`_.

    Examples
    --------
    >>> from skbadge import ALBL, EntropySampling, MarginSampling
    >>> ALBL(arms=[EntropySampling(), MarginSampling()]).needs
    Needs(proba=True)
    """

    def __init__(
        self,
        *,
        arms: Sequence[QueryStrategy] | None = None,
        n_rounds: int = 100,
        delta: float = 0.1,
        update: Literal["all", "hsu-lin", "chosen"] = "all",
        uniform_arm: bool = False,
    ) -> None:
        self.arms = arms
        self.n_rounds = n_rounds
        self.delta = delta
        self.update = update
        self.uniform_arm = uniform_arm

    @property
    def needs(self) -> Needs:
        """What all arms read together."""
        needs = Needs()
        for arm in self._all_arms():
            needs = needs | arm.needs
        return needs

    @property
    def traits(self) -> Traits:
        """What all arms promise."""
        traits = Traits(on_cluster=True)
        for arm in self._all_arms():
            traits = traits & arm.traits
        return traits

    @property
    def arm_names(self) -> list[str]:
        """Names of the arms, of their classes; with a number where two have the same.

        ``arm_names[selection.arm]`` says which one chose a batch.
        """
        names = [type(arm).__name__ for arm in self._all_arms()]
        return [
            name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
            for i, name in enumerate(names)
        ]

    def observe(self, feedback: Feedback) -> None:
        """Learn from how a batch turned out.

        Parameters
        ----------
        feedback : Feedback
            Told by the learner once, after the training that followed the batch.
        """
        selection = feedback.selection
        if selection.arm_probability is None or selection.arm_inclusion is None:
            raise InvalidInputError(
                "feedback must be of a selection that ALBL made and that says how "
                "probable each arm was. Got one without arm_probability instead."
            )
        self.log_weights_ = updated_log_weights(
            self._log_weights(),
            self._gains(feedback, selection.arm_probability, selection.arm_inclusion),
            arm_probability=selection.arm_probability,
            bonus=confidence(
                len(selection.arm_probability),
                self.delta,
                1 if self.update == "chosen" else self.n_rounds,
            ),
            p_min=self._floor(),
        )

    def _gains(
        self, feedback: Feedback, p: np.ndarray, inclusion: np.ndarray
    ) -> np.ndarray:
        """Return the reward as far as it is due to each arm, NaN for no part in it."""
        correct, probability = feedback.correct, feedback.inclusion_probability
        if self.update == "chosen":
            others = feedback.others_correct
            reward = importance_weighted_accuracy(
                np.concatenate([correct, others]),
                np.concatenate([probability, np.ones(len(others))]),
                n_rows=len(correct) + len(others),
                n_rounds=1,
            )
            is_drawn = np.arange(len(p)) == feedback.selection.arm
            return np.where(is_drawn, reward, np.nan)
        if self.update == "hsu-lin":
            reward = importance_weighted_accuracy(
                correct,
                probability,
                n_rows=feedback.n_labeled + feedback.n_unlabeled,
                n_rounds=self.n_rounds,
            )
        else:
            reward = self_normalized_accuracy(correct, probability)
        return reward * shares(p, inclusion[:, feedback.taught])

    def check_parameters(self) -> None:
        """Refuse arms that cannot be used and numbers out of range."""
        check_integer(self.n_rounds, "n_rounds", low=1)
        check_real(
            self.delta, "delta", low=0, high=1, include_low=False, include_high=False
        )
        check_option(self.update, "update", ("all", "hsu-lin", "chosen"))
        check_flag(self.uniform_arm, "uniform_arm")
        given: Any = [] if self.arms is None else self.arms
        wanted = (
            "arms must be a list of query strategies that do not learn themselves, for "
            "example [LeastConfidence(), CoreSet()]. "
        )
        if not isinstance(given, (list, tuple)):
            raise InvalidInputError(f"{wanted}Got {given!r} instead.")
        for arm in given:
            if not isinstance(arm, QueryStrategy) or hasattr(arm, "observe"):
                raise InvalidInputError(f"{wanted}Got {arm!r} in it.")
            arm.check_parameters()
        if not self._all_arms():
            raise InvalidInputError("arms must hold at least one strategy. Got none.")

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        arms = self._all_arms()
        probability = arm_probabilities(self._log_weights(), self._floor())
        # Drawn before the arms draw, from a stream of its own: neither n nor the arms'
        # own draws can change it.
        draw, *streams = generator.spawn(len(arms) + 1)
        drawn = int(draw.choice(len(arms), p=probability))
        batches = [
            arm.select(outputs, n, stream)
            for arm, stream in zip(arms, streams, strict=True)
        ]
        chosen = batches[drawn].indices
        inclusion = np.array(
            [
                _inclusion(arm, batch, chosen, outputs.n_pool)
                for arm, batch in zip(arms, batches, strict=True)
            ]
        )
        if self.update == "chosen":
            row_probability = np.full(n, probability[drawn])
        else:
            row_probability = inclusion_probability(probability, inclusion)
        return Selection(
            chosen,
            scores=batches[drawn].scores,
            inclusion_probability=row_probability,
            arm=drawn,
            arm_probability=probability,
            arm_inclusion=inclusion,
        )

    def _all_arms(self) -> list[QueryStrategy]:
        arms = [LeastConfidence(), CoreSet()] if self.arms is None else list(self.arms)
        return [*arms, RandomSampling()] if self.uniform_arm else arms

    def _floor(self) -> float:
        n_arms = len(self._all_arms())
        if self.update == "chosen":
            return 1.0 / (10 * n_arms)
        return exploration_floor(n_arms, self.n_rounds)

    def _log_weights(self) -> np.ndarray:
        if hasattr(self, "log_weights_"):
            return self.log_weights_
        return np.zeros(len(self._all_arms()))


def _inclusion(
    arm: QueryStrategy, batch: Selection, chosen: np.ndarray, n_pool: int
) -> np.ndarray:
    """Return the probability with which an arm would have chosen each row."""
    if isinstance(arm, RandomSampling):
        return np.full(len(chosen), len(chosen) / n_pool)
    return np.isin(chosen, batch.indices).astype(np.float64)

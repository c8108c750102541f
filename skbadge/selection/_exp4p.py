"""EXP4.P: the mathematics of choosing among strategies by their rewards.

Pure functions on small arrays, in the notation of active learning by learning: N arms
(strategies), T rounds (batches), one arm drawn a round. Weights are kept as logarithms:
after hundreds of rounds they themselves overflow.

References
----------
Beygelzimer, Langford, Li, Reyzin, Schapire: Contextual Bandit Algorithms with
Supervised Learning Guarantees. arXiv:1002.4058.
Hsu, Lin: Active Learning by Learning. AAAI 2015.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

__all__ = [
    "arm_probabilities",
    "confidence",
    "exploration_floor",
    "importance_weighted_accuracy",
    "inclusion_probability",
    "self_normalized_accuracy",
    "shares",
    "updated_log_weights",
]


def exploration_floor(n_arms: int, n_rounds: int) -> float:
    r"""Return the probability below which no arm falls.

    Parameters
    ----------
    n_arms : int
        N, at least 1.
    n_rounds : int
        T, at least 1.

    Returns
    -------
    float
        :math:`\min(1/N, \sqrt{\ln N / (N T)})`.
    """
    return min(1.0 / n_arms, float(np.sqrt(np.log(n_arms) / (n_arms * n_rounds))))


def arm_probabilities(log_weights: np.ndarray, p_min: float) -> np.ndarray:
    r"""Return the probability of each arm.

    Parameters
    ----------
    log_weights : ndarray of shape (n_arms,)
        Logarithms of the weights; only differences matter.
    p_min : float
        Floor, in [0, 1 / n_arms].

    Returns
    -------
    ndarray of shape (n_arms,)
        :math:`(1 - N p_{min}) w_k / \sum w + p_{min}`; sums to 1.
    """
    weights = softmax(log_weights)
    return (1.0 - len(weights) * p_min) * weights + p_min


def inclusion_probability(
    arm_probability: np.ndarray, arm_inclusion: np.ndarray
) -> np.ndarray:
    r"""Return the probability with which each row was to be chosen by any arm.

    Parameters
    ----------
    arm_probability : ndarray of shape (n_arms,)
        Probability of each arm.
    arm_inclusion : ndarray of shape (n_arms, n)
        Probability with which each arm would choose each row (0 or 1 where the arm
        leaves nothing to chance).

    Returns
    -------
    ndarray of shape (n,)
        :math:`q(x) = \sum_k p_k q_k(x)`.
    """
    return arm_probability @ arm_inclusion


def importance_weighted_accuracy(
    correct: np.ndarray, probability: np.ndarray, *, n_rows: int, n_rounds: int
) -> float:
    r"""Return the reward of a round as it was first defined.

    A row that was unlikely to be asked for stands for many like it: its correctness
    counts by the inverse of that probability.

    Parameters
    ----------
    correct : ndarray of bool of shape (n_queried,)
        Whether the refitted net predicts the label of each row queried so far.
    probability : ndarray of shape (n_queried,)
        Probability with which each had been chosen, in (0, 1].
    n_rows : int
        Labelled and unlabelled rows together.
    n_rounds : int
        T.

    Returns
    -------
    float
        :math:`\sum_x 1[\mathrm{correct}] / q(x) / (n_{rows} T)`; 0 without rows.
    """
    return float((correct / probability).sum() / (n_rows * n_rounds))


def self_normalized_accuracy(correct: np.ndarray, probability: np.ndarray) -> float:
    r"""Return the accuracy on the rows queried, each standing for many like it.

    Parameters
    ----------
    correct : ndarray of bool of shape (n_queried,)
        Whether the refitted net predicts the label of each row queried so far.
    probability : ndarray of shape (n_queried,)
        Probability with which each had been chosen, in (0, 1].

    Returns
    -------
    float
        :math:`\sum_x 1[\mathrm{correct}] / q(x)` over :math:`\sum_x 1 / q(x)`, in
        [0, 1]; 0 without rows.
    """
    weight = 1.0 / probability
    return float(weight[correct].sum() / weight.sum()) if len(weight) else 0.0


def shares(arm_probability: np.ndarray, arm_inclusion: np.ndarray) -> np.ndarray:
    r"""Return how much of a reward is due to each arm.

    Parameters
    ----------
    arm_probability : ndarray of shape (n_arms,)
        Probability of each arm at the time of the draw, positive.
    arm_inclusion : ndarray of shape (n_arms, n)
        Probability with which each arm would have chosen each row of the batch.

    Returns
    -------
    ndarray of shape (n_arms,)
        :math:`q_k(x) / q(x)`, the mean over the rows of the batch.
    """
    q = inclusion_probability(arm_probability, arm_inclusion)
    return (arm_inclusion / q).mean(axis=1)


def confidence(n_arms: int, delta: float, n_rounds: int) -> float:
    r"""Return :math:`\sqrt{\ln(N / \delta) / (N T)}`, the bonus of an arm times p_k.

    Parameters
    ----------
    n_arms : int
        N.
    delta : float
        Probability with which the regret bound may fail, in (0, 1).
    n_rounds : int
        T; 1 leaves it out.

    Returns
    -------
    float
    """
    return float(np.sqrt(np.log(n_arms / delta) / (n_arms * n_rounds)))


def updated_log_weights(
    log_weights: np.ndarray,
    gains: np.ndarray,
    *,
    arm_probability: np.ndarray,
    bonus: float,
    p_min: float,
) -> np.ndarray:
    r"""Return the logarithms of the weights after a round.

    Parameters
    ----------
    log_weights : ndarray of shape (n_arms,)
        Before the round.
    gains : ndarray of shape (n_arms,)
        The reward as far as it is due to each arm; NaN for arms that learn nothing.
    arm_probability : ndarray of shape (n_arms,)
        Probability of each arm at the time of the draw, positive.
    bonus : float
        As `confidence` gives it.
    p_min : float
        Floor of the arms' probabilities.

    Returns
    -------
    ndarray of shape (n_arms,)
        Shifted so that the largest is 0.

    Notes
    -----
    .. math:: \ln w_k \leftarrow \ln w_k + \frac{p_{min}}{2} \Bigl( g_k +
        \frac{1}{p_k} \mathrm{bonus} \Bigr).
    """
    step = 0.5 * p_min * (gains + bonus / arm_probability)
    updated = log_weights + np.where(np.isnan(gains), 0.0, step)
    return updated - updated.max()

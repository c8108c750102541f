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
    "exploration_floor",
    "importance_weighted_accuracy",
    "inclusion_probability",
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
    r"""Return the reward of a round.

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


def updated_log_weights(
    log_weights: np.ndarray,
    *,
    reward: float,
    arm_probability: np.ndarray,
    arm_inclusion: np.ndarray,
    n_rounds: int,
    delta: float,
    p_min: float,
    update: str = "all",
    arm: int | None = None,
) -> np.ndarray:
    r"""Return the logarithms of the weights after a round.

    Parameters
    ----------
    log_weights : ndarray of shape (n_arms,)
        Before the round.
    reward : float
        Of the round.
    arm_probability : ndarray of shape (n_arms,)
        Probability of each arm at the time of the draw, positive.
    arm_inclusion : ndarray of shape (n_arms, n)
        Probability with which each arm would have chosen each row of the batch.
    n_rounds : int
        T.
    delta : float
        Probability with which the regret bound may fail, in (0, 1).
    p_min : float
        Floor of the arms' probabilities.
    update : {"all", "chosen"}, default="all"
        Which arms learn: all of them by how likely they were to choose the batch, or
        the drawn one only.
    arm : int or None
        The arm that was drawn; needed for ``update="chosen"``.

    Returns
    -------
    ndarray of shape (n_arms,)
        Shifted so that the largest is 0.

    Notes
    -----
    .. math:: \ln w_k \leftarrow \ln w_k + \frac{p_{min}}{2} \Bigl( r \,
        \overline{q_k(x) / q(x)} + \frac{1}{p_k} \sqrt{\frac{\ln(N/\delta)}{N T}}
        \Bigr),

    the bar being the mean over the rows of the batch.
    """
    n_arms = len(arm_probability)
    share = arm_inclusion / inclusion_probability(arm_probability, arm_inclusion)
    confidence = np.sqrt(np.log(n_arms / delta) / (n_arms * n_rounds))
    step = 0.5 * p_min * (reward * share.mean(axis=1) + confidence / arm_probability)
    if update == "chosen":
        step = np.where(np.arange(n_arms) == arm, step, 0.0)
    updated = log_weights + step
    return updated - updated.max()

"""Score strategies made stochastic: draws in proportion to a power of the score."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.stats import rankdata

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._scores import DrawnScores
from skbadge.utils._validation import check_option, check_real

__all__ = ["StochasticTopK"]


class StochasticTopK(QueryStrategy):
    r"""Draw rows by their scores instead of taking the largest.

    The rows at the top of a ranking are often near-copies of each other, and taking all
    of them wastes labels. Drawing in proportion to the scores breaks them up, at no
    cost: the cheapest serious batch strategy there is, and one whose draws have known
    probabilities.

    Parameters
    ----------
    scores : ScoreSampling
        What scores the rows: `MarginSampling`, `EntropySampling`, `BALD` or one of your
        own.
    law : {"power", "softmax", "softrank"}, default="power"
        Weight of a row with score s and rank r (1 for the largest score):
        :math:`s^\beta`, :math:`e^{\beta s}` or :math:`r^{-\beta}`. "power" needs scores
        of at least 0; those of 0 are drawn last. The negative margin counts by its
        distance from -1, the margin of a row that is sure.
    beta : float in [0, inf), default=1.0
        How strongly the scores count: 0 draws uniformly, large values take the largest.
    random_share : float in [0, 1], default=0.0
        Probability with which a pick is uniform among the rows left, whatever their
        scores: a floor under the probability of every row.

    See Also
    --------
    skbadge.strategies.ScoreSampling : Takes the largest.

    Notes
    -----
    Draws one row after another without replacement, each with probability
    :math:`(1 - \rho)\, w_i / \sum_{j\ \mathrm{left}} w_j + \rho / n_{\mathrm{left}}`,
    :math:`\rho` being ``random_share``; this is ``draw_probability``, exact for every
    pick. One vector of Gumbel noise does it: the largest of :math:`\ln w_i + G_i` are
    such a sample [1]_. For one seed, the first rows of a larger batch are the smaller
    batch. Rows of equal score share the mean of their ranks, where [1]_ leaves the
    order to chance. Cost beside the scores: O(n_pool + n log n).

    References
    ----------
    .. [1] Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal,
       "Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning",
       `arXiv:2106.12059 <https://arxiv.org/abs/2106.12059>`_.

    Examples
    --------
    >>> from skbadge import MarginSampling, StochasticTopK
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(proba=[[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]])
    >>> chosen = StochasticTopK(MarginSampling()).select(outputs, n=3, random_state=1)
    >>> chosen.indices, chosen.draw_probability.round(3)
    (array([2, 0, 1]), array([0.333, 1.   , 1.   ]))
    """

    def __init__(
        self,
        scores: DrawnScores,
        *,
        law: Literal["power", "softmax", "softrank"] = "power",
        beta: float = 1.0,
        random_share: float = 0.0,
    ) -> None:
        self.scores = scores
        self.law = law
        self.beta = beta
        self.random_share = random_share

    @property
    def needs(self) -> Needs:
        """What the scores read."""
        return self.scores.needs

    @property
    def traits(self) -> Traits:
        """What the scores promise."""
        return self.scores.traits

    def check_parameters(self) -> None:
        """Refuse what has no scores, and numbers out of range."""
        if not isinstance(self.scores, DrawnScores):
            raise InvalidInputError(
                "scores must be a strategy that scores each row, for example "
                f"MarginSampling(). Got {self.scores!r} instead."
            )
        self.scores.check_parameters()
        check_option(self.law, "law", ("power", "softmax", "softrank"))
        check_real(self.beta, "beta", low=0, high=np.inf, include_high=False)
        check_real(self.random_share, "random_share", low=0, high=1)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        # Streams of their own: the draws do not depend on those of the scores.
        of_scores, noise, coins, uniform = generator.spawn(4)
        scores = self.scores.ranked(outputs, of_scores)
        log_weight = self._log_weights(scores)
        indices = _order(log_weight, n, noise)
        is_random = coins.random(len(scores))[:n] < self.random_share
        if is_random.any():
            at_random = uniform.permutation(len(scores))
            indices = _merged(indices, at_random, is_random)
        return Selection(
            indices,
            scores=self.scores.shown(scores[indices]),
            draw_probability=_draw_probability(log_weight, indices, self.random_share),
        )

    def _log_weights(self, scores: np.ndarray) -> np.ndarray:
        if not np.isfinite(scores).all():
            raise InvalidInputError(
                f"{type(self.scores).__name__} must give finite scores to be drawn by. "
                f"Got {scores[~np.isfinite(scores)][0]} at row "
                f"{int(np.isfinite(scores).argmin())} instead."
            )
        if self.law == "softmax":
            return self.beta * scores
        if self.law == "softrank":
            return -self.beta * np.log(rankdata(-scores))
        if (scores < 0).any():
            raise InvalidInputError(
                'law="power" needs scores of at least 0. Got '
                f"{scores.min():g} of {type(self.scores).__name__} instead: take "
                'law="softmax" or law="softrank".'
            )
        if self.beta == 0:
            return np.zeros(len(scores))
        with np.errstate(divide="ignore"):
            return self.beta * np.log(scores)


def _order(
    log_weight: np.ndarray, n: int, generator: np.random.Generator
) -> np.ndarray:
    """Return the first n rows drawn one after another, by weights that may be 0."""
    noise = generator.gumbel(size=len(log_weight))
    keys = log_weight + noise
    # Not the whole pool is sorted; equals of the last one are.
    first = np.flatnonzero(keys >= np.partition(keys, len(keys) - n)[len(keys) - n])
    # Where no weight is left, the noise alone is a uniform order.
    return first[np.lexsort((-noise[first], -keys[first]))[:n]]


def _merged(
    by_law: np.ndarray, at_random: np.ndarray, is_random: np.ndarray
) -> np.ndarray:
    """Take from one order or the other, as the coins say, what is not taken yet."""
    taken = np.zeros(len(at_random), dtype=bool)
    queues = iter(by_law.tolist()), iter(at_random.tolist())
    chosen = []
    for coin in is_random.tolist():
        row = next(row for row in queues[coin] if not taken[row])
        taken[row] = True
        chosen.append(row)
    return np.array(chosen, dtype=np.intp)


def _draw_probability(
    log_weight: np.ndarray, indices: np.ndarray, random_share: float
) -> np.ndarray:
    """Return the probability of each pick given those before it."""
    picked = log_weight[indices]
    rest = np.delete(log_weight, indices)
    # From the last pick back to the first, so that nothing is ever subtracted.
    tail = np.logaddexp.reduce(rest) if len(rest) else -np.inf
    left = np.logaddexp.accumulate(np.append(tail, picked[::-1]))[:0:-1]
    n_left = len(log_weight) - np.arange(len(indices))
    some = np.isfinite(left)
    by_law = np.where(some, np.exp(picked - np.where(some, left, 0.0)), 1.0 / n_left)
    probability = (1.0 - random_share) * by_law + random_share / n_left
    return np.clip(probability, np.finfo(np.float64).tiny, 1.0)

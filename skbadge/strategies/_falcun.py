"""FALCUN: unsure rows whose predictions differ, from probabilities alone."""

from __future__ import annotations

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._scores import margin_uncertainty
from skbadge.utils._validation import check_real

__all__ = ["FALCUN"]


class FALCUN(QueryStrategy):
    r"""Draw unsure rows whose predicted probabilities differ from those drawn before.

    Fast active learning by contrastive uncertainty: diversity is measured in the
    predicted probabilities, so that nothing but ``predict_proba`` is needed.

    Parameters
    ----------
    gamma : float in [0, inf), default=10.0
        How strongly the weights count: 0 draws uniformly, large values take the
        largest.

    See Also
    --------
    BADGE : Measures diversity by gradients.

    Notes
    -----
    With :math:`u_i = 1 - (p_{(1)} - p_{(2)})` and :math:`D_i = u_i` at first, rows are
    drawn one after another in proportion to :math:`(\bar D_i + u_i)^\gamma`, where
    :math:`\bar D` is D scaled to [0, 1] over the rows left (0 where all are alike), and
    after each draw :math:`D_i \leftarrow \min(D_i, \lVert p_i - p_{drawn} \rVert_1)`
    [1]_. This is the law that the paper's experiments use; a default in its public code
    leaves u out of the weights. ``draw_probability`` is exact; scores are
    :math:`\bar D_i + u_i` at the draw. For one seed, the first rows of a larger batch
    are the smaller batch. Cost: O(n_pool n K).

    References
    ----------
    .. [1] Gilhuber, Beer, Ma and Seidl, "FALCUN: A Simple and Efficient Deep Active
       Learning Strategy", ECML PKDD 2024, doi:10.1007/978-3-031-70352-2_25.

    Examples
    --------
    Two equal unsure rows, and one that is less unsure but of another kind:

    >>> from skbadge import FALCUN
    >>> from skbadge.strategies import Outputs
    >>> proba = [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
    >>> chosen = FALCUN().select(Outputs.of(proba=proba), n=2, random_state=0)
    >>> chosen.scores.round(3)
    array([2., 2.])
    """

    needs = Needs(proba=True)

    def __init__(self, *, gamma: float = 10.0) -> None:
        self.gamma = gamma

    def check_parameters(self) -> None:
        """Refuse a negative exponent."""
        check_real(self.gamma, "gamma", low=0, high=np.inf, include_high=False)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        proba = outputs.proba.double().cpu().numpy().copy()
        unsure = outputs.by_rows(lambda part: margin_uncertainty(part.proba))
        distance, rows = unsure.copy(), np.arange(len(proba))
        indices, scores, probability = [], [], []
        for n_left in range(len(rows), len(rows) - n, -1):
            # Those left stand before the others in all four arrays.
            near, left = distance[:n_left], proba[:n_left]
            low, high = near.min(), near.max()
            spread = (near - low) / (high - low) if high > low else 0.0
            value = spread + unsure[:n_left]
            largest = value.max()
            weight = np.ones(n_left)
            if largest > 0:
                # Relative to the largest, so that no power overflows.
                weight = (value / largest) ** self.gamma
            steps = np.cumsum(weight)
            place = int(np.searchsorted(steps, generator.random() * steps[-1], "right"))
            indices.append(rows[place])
            scores.append(value[place])
            probability.append(weight[place] / steps[-1])
            np.minimum(near, np.abs(left - left[place]).sum(axis=1), out=near)
            for table in (proba, unsure, distance, rows):
                table[place] = table[n_left - 1]
        return Selection(
            np.array(indices, dtype=np.intp),
            scores=np.array(scores),
            draw_probability=np.array(probability),
        )

"""The baseline: rows at random."""

from __future__ import annotations

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.strategies._base import QueryStrategy

__all__ = ["RandomSampling"]


class RandomSampling(QueryStrategy):
    """Choose rows uniformly at random, without replacement.

    The baseline every other strategy has to beat, and the cold start: it needs no
    fitted net.

    Notes
    -----
    For one seed, the first rows of a larger batch are the smaller batch. Scores are
    None. Cost: O(n_pool) time and memory. "RAND" in the BADGE paper, section 4 [1]_.

    References
    ----------
    .. [1] Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
       Bounds", `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.

    Examples
    --------
    >>> from skbadge.strategies import Outputs, RandomSampling
    >>> len(RandomSampling().select(Outputs.of(100), n=5, random_state=0).indices)
    5
    """

    needs = Needs()
    traits = Traits(on_cluster=True)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        indices = generator.permutation(outputs.n_pool)[:n]
        probability = np.full(n, n / outputs.n_pool)
        return Selection(indices.astype(np.intp), inclusion_probability=probability)

"""Least confidence: rows whose favorite class is least probable."""

from __future__ import annotations

import torch

from skbadge._contracts import Needs, Outputs, Traits
from skbadge.strategies._scores import ScoreSampling, sum_of_others

__all__ = ["LeastConfidence"]


class LeastConfidence(ScoreSampling):
    r"""Choose the rows whose most probable class is least probable.

    Notes
    -----
    Score: :math:`1 - \max_i p_i`, in :math:`[0, 1 - 1/K]` for :math:`K` classes. "CONF"
    in the BADGE paper, section 4 [1]_, after [2]_. Blind to diversity: near-duplicates
    are chosen together. Cost: O(n_pool K).

    References
    ----------
    .. [1] Ash et al., `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.
    .. [2] Wang and Shang, "A new active labeling method for deep learning", IJCNN 2014,
       doi:10.1109/IJCNN.2014.6889457.

    Examples
    --------
    >>> from skbadge import LeastConfidence
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(proba=[[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]])
    >>> LeastConfidence().select(outputs, n=2).indices
    array([1, 2])
    """

    needs = Needs(proba=True)
    traits = Traits(on_cluster=True)

    def _score(self, outputs: Outputs) -> torch.Tensor:
        return sum_of_others(outputs.proba)

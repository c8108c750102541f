"""Entropy sampling: rows whose predicted distribution is widest."""

from __future__ import annotations

import torch

from skbadge._contracts import Needs, Outputs, Traits
from skbadge.strategies._scores import ScoreSampling

__all__ = ["EntropySampling"]


class EntropySampling(ScoreSampling):
    r"""Choose the rows whose predicted distribution has the largest entropy.

    Notes
    -----
    Score: :math:`-\sum_i p_i \ln p_i` in nats, in :math:`[0, \ln K]`, with
    :math:`0 \ln 0 = 0`. "ENTROPY" in the BADGE paper, section 4 [1]_. Cost:
    O(n_pool K).

    References
    ----------
    .. [1] Ash et al., `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.

    Examples
    --------
    >>> from skbadge import EntropySampling
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(proba=[[1.0, 0.0], [0.5, 0.5], [0.7, 0.3]])
    >>> EntropySampling().select(outputs, n=2).scores.round(3)
    array([0.693, 0.611])
    """

    needs = Needs(proba=True)
    traits = Traits(on_cluster=True)

    def _score(self, outputs: Outputs) -> torch.Tensor:
        return torch.special.entr(outputs.proba.clamp_min(0.0)).sum(dim=1)

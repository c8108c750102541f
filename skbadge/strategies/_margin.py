"""Margin sampling: rows whose two favorite classes are closest."""

from __future__ import annotations

import torch

from skbadge._contracts import Needs, Outputs, Traits
from skbadge.strategies._scores import ScoreSampling, margin_uncertainty

__all__ = ["MarginSampling"]


class MarginSampling(ScoreSampling):
    r"""Choose the rows whose two most probable classes are closest.

    Notes
    -----
    Score: :math:`p_{(2)} - p_{(1)}`, the negative margin, in :math:`[-1, 0]`. "MARG" in
    the BADGE paper, section 4 [1]_: close to BADGE for small batches, weaker for large
    ones, since it is blind to diversity. Cost: O(n_pool K).

    References
    ----------
    .. [1] Ash et al., `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.

    Examples
    --------
    >>> from skbadge import MarginSampling
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(proba=[[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.9, 0.1, 0.0]])
    >>> MarginSampling().select(outputs, n=2).indices
    array([1, 0])
    """

    needs = Needs(proba=True)
    traits = Traits(on_cluster=True)
    _offset = -1.0

    def _score(self, outputs: Outputs) -> torch.Tensor:
        return margin_uncertainty(outputs.proba)

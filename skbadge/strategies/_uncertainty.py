"""Three scores of one row's uncertainty, and the rows where they are largest."""

from __future__ import annotations

from abc import abstractmethod

import torch

from skbadge._contracts import Needs, Selection
from skbadge.selection._top_k import _top_k
from skbadge.strategies._base import QueryStrategy

__all__ = ["EntropySampling", "LeastConfidence", "MarginSampling"]


class _UncertaintySampling(QueryStrategy):
    """Choose the rows with the largest score, ties broken by the seed."""

    needs = Needs(proba=True)
    # Added to the scores once the rows are ranked: beside it small ones would vanish.
    _offset = 0.0

    def _select(self, outputs, n, generator):
        scores = self._score(outputs.proba).to(torch.float64).cpu().numpy()
        indices = _top_k(scores, n, generator=generator)
        return Selection(indices, scores=scores[indices] + self._offset)

    @staticmethod
    @abstractmethod
    def _score(proba):
        """Return one value a row, higher = more uncertain; 0 where the net is sure."""


def _sum_of_others(proba):
    # Not 1 - max: that is 0 in float32 for all confident rows.
    top = proba.argmax(dim=1, keepdim=True)
    return proba.scatter(1, top, 0.0).to(torch.float64).sum(dim=1)


class LeastConfidence(_UncertaintySampling):
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
    >>> import torch
    >>> from skbadge import LeastConfidence
    >>> from skbadge.strategies import Needs, PoolOutputs
    >>> proba = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]])
    >>> outputs = PoolOutputs(3, Needs(proba=True), {"proba": proba})
    >>> LeastConfidence().select(outputs, n=2).indices
    array([1, 2])
    """

    @staticmethod
    def _score(proba):
        return _sum_of_others(proba)


class MarginSampling(_UncertaintySampling):
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
    >>> import torch
    >>> from skbadge import MarginSampling
    >>> from skbadge.strategies import Needs, PoolOutputs
    >>> proba = torch.tensor([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.9, 0.1, 0.0]])
    >>> outputs = PoolOutputs(3, Needs(proba=True), {"proba": proba})
    >>> MarginSampling().select(outputs, n=2).indices
    array([1, 0])
    """

    _offset = -1.0

    @staticmethod
    def _score(proba):
        second = proba.topk(min(2, proba.shape[1]), dim=1).values[:, 1:].sum(dim=1)
        return second + _sum_of_others(proba)


class EntropySampling(_UncertaintySampling):
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
    >>> import torch
    >>> from skbadge import EntropySampling
    >>> from skbadge.strategies import Needs, PoolOutputs
    >>> proba = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.7, 0.3]])
    >>> outputs = PoolOutputs(3, Needs(proba=True), {"proba": proba})
    >>> EntropySampling().select(outputs, n=2).scores.round(3)
    array([0.693, 0.611])
    """

    @staticmethod
    def _score(proba):
        return torch.special.entr(proba.clamp_min(0.0)).sum(dim=1)

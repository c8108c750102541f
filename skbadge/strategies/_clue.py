"""CLUE: clusters in which unsure rows count more."""

from __future__ import annotations

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.selection._kmeans import _nearest_members
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._validation import check_real

__all__ = ["CLUE"]


class CLUE(QueryStrategy):
    r"""Choose the middle row of each of n clusters, unsure rows counting more.

    Clustering uncertainty-weighted embeddings: k-means on the net's features, in which
    each row pulls its center by the entropy of its prediction. Made for a net that was
    trained on other data than the pool.

    Parameters
    ----------
    temperature : float in (0, inf), default=1.0
        Divides the logits before the entropy: small values make the weights differ
        more. The paper takes 1 on digits and 0.1 on DomainNet.

    See Also
    --------
    KMeansSampling : The same without weights.

    Notes
    -----
    Weighted k-means with n clusters; of each the member nearest to its center, the
    largest cluster first [1]_. The tempered probabilities are
    :math:`p_k^{1/T} / \sum_j p_j^{1/T}`, which for a softmax are those of the logits
    over T. Where clusters stay empty the rest is drawn at random, where the public code
    loses rows that are nearest to two centers. Scores: the size of the cluster. A batch
    is made for its size: smaller batches are not its beginning. Cost: that of k-means;
    see :func:`skbadge.selection.weighted_kmeans`.

    References
    ----------
    .. [1] Prabhu, Chandrasekaran, Saenko and Hoffman, "Active Domain Adaptation via
       Clustering Uncertainty-weighted Embeddings",
       `arXiv:2010.08666 <https://arxiv.org/abs/2010.08666>`_.

    Examples
    --------
    >>> from skbadge import CLUE
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(
    ...     features=[[0.0], [1.0], [2.0], [50.0], [51.0]],
    ...     proba=[[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]],
    ... )
    >>> CLUE().select(outputs, n=2, random_state=0).indices
    array([2, 3])
    """

    needs = Needs(proba=True, features=True)
    traits = Traits(nested=False)

    def __init__(self, *, temperature: float = 1.0) -> None:
        self.temperature = temperature

    def check_parameters(self) -> None:
        """Refuse a temperature that is not positive."""
        check_real(
            self.temperature,
            "temperature",
            low=0,
            high=np.inf,
            include_low=False,
            include_high=False,
        )

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        indices, sizes = _nearest_members(
            outputs.features,
            n,
            weight=outputs.by_rows(self._weight),
            generator=generator,
        )
        return Selection(indices, scores=sizes)

    def _weight(self, outputs: Outputs) -> torch.Tensor:
        log_proba = outputs.proba.double().log() / float(self.temperature)
        return torch.special.entr(log_proba.softmax(dim=1)).sum(dim=1)

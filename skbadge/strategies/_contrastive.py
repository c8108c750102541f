"""Contrastive active learning: rows predicted unlike their labelled neighbors."""

from __future__ import annotations

import torch

from skbadge._contracts import Needs, Outputs, Traits
from skbadge.selection._neighbors import iterate_neighbors
from skbadge.strategies._scores import ScoreSampling
from skbadge.utils._validation import check_integer

__all__ = ["ContrastiveAL"]

# Probabilities below it count as it, so that no divergence is infinite.
_LEAST = 1e-12


class ContrastiveAL(ScoreSampling):
    r"""Choose the rows that the net predicts unlike their nearest labelled rows.

    Two rows that look alike to the net, and of which it thinks differently, lie on
    either side of a boundary that is worth knowing better.

    Parameters
    ----------
    n_neighbors : int, default=10
        Labelled rows that each row is compared with; all where there are fewer.

    Notes
    -----
    Score: the mean over the nearest labelled rows l of
    :math:`KL(p_l \Vert p) = \sum_k p_{l,k} \ln (p_{l,k} / p_k)` in nats [1]_, p below
    :math:`10^{-12}` counting as that. Neighbors by Euclidean distance of the features.
    Cost: O(n_pool n_labeled d), in blocks.

    References
    ----------
    .. [1] Margatina, Vernikos, Barrault and Aletras, "Active Learning by Acquiring
       Contrastive Examples", `arXiv:2109.03764 <https://arxiv.org/abs/2109.03764>`_.

    Examples
    --------
    >>> from skbadge import ContrastiveAL
    >>> from skbadge.strategies import Outputs
    >>> labeled = Outputs.of(
    ...     features=[[0.0], [9.0]], proba=[[0.9, 0.1], [0.1, 0.9]], y=[0, 1]
    ... )
    >>> outputs = Outputs.of(
    ...     features=[[0.1], [0.2], [8.9]],
    ...     proba=[[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]],
    ...     labeled=labeled,
    ... )
    >>> ContrastiveAL(n_neighbors=1).select(outputs, n=1).indices
    array([1])
    """

    needs = Needs(proba=True, features=True, labeled=Needs(proba=True, features=True))
    traits = Traits(needs_labels=True, on_cluster=True)

    def __init__(self, *, n_neighbors: int = 10) -> None:
        self.n_neighbors = n_neighbors

    def check_parameters(self) -> None:
        """Refuse a number of neighbors that is no positive int."""
        check_integer(self.n_neighbors, "n_neighbors", low=1)

    def _score(self, outputs: Outputs) -> torch.Tensor:
        labeled = outputs.labeled
        known = labeled.proba.double().clamp_min(0.0)
        surprise = torch.special.entr(known).sum(dim=1)
        log_proba = outputs.proba.double().clamp_min(_LEAST).log()
        n_neighbors = min(self.n_neighbors, labeled.n_pool)
        score = log_proba.new_empty(outputs.n_pool)
        blocks = iterate_neighbors(outputs.features, labeled.features, n_neighbors)
        for part, nearest in blocks:
            crossed = known[nearest].mean(dim=1) * log_proba[part]
            score[part] = -crossed.sum(dim=1) - surprise[nearest].mean(dim=1)
        return score

"""Core-set selection: the rows farthest from all that is labelled."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.selection._k_center import _k_center_greedy
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._validation import check_option

__all__ = ["CoreSet"]


class CoreSet(QueryStrategy):
    r"""Choose rows that cover the pool: each is farthest from all chosen before it.

    The pool should have no row far from a labelled one, measured by the features that
    the net itself has learned. Pure diversity: the labels it asks for need not be hard.

    Parameters
    ----------
    space : {"features", "proba"}, default="features"
        What is compared: the input of the classification layer, or the class
        probabilities, for nets known by nothing else, and features that are too many or
        mean too little. Rows of which the net is sure are then alike within a class.

    Notes
    -----
    Greedy k-center in the input of the classification layer, with the labelled rows as
    first centers: :math:`\arg\max_i \min_{c} \lVert h_i - h_c \rVert_2`, n times. The
    first step of [2]_; its mixed-integer refinement is left out, as in the BADGE paper
    ("CORESET", section 4 [1]_). With ``space="proba"``, which neither paper has, p
    stands for h. Scores: the Euclidean distance at the time of choice,
    never increasing. Ties are broken by the seed. Cost: O(n_pool n_labeled d) for the
    labelled rows, then far below O(n_pool n d); see
    :func:`skbadge.selection.k_center_greedy`.

    References
    ----------
    .. [1] Ash et al., `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.
    .. [2] Sener and Savarese, "Active Learning for Convolutional Neural Networks: A
       Core-Set Approach", `arXiv:1708.00489 <https://arxiv.org/abs/1708.00489>`_.

    Examples
    --------
    >>> from skbadge import CoreSet
    >>> from skbadge.strategies import Outputs
    >>> labeled = Outputs.of(features=[[0.0]], y=[0])
    >>> outputs = Outputs.of(features=[[0.0], [1.0], [5.5], [6.0]], labeled=labeled)
    >>> CoreSet().select(outputs, n=2).indices
    array([3, 1])
    """

    traits = Traits(needs_labels=True, on_cluster=True)

    def __init__(self, *, space: Literal["features", "proba"] = "features") -> None:
        self.space = space

    @property
    def needs(self) -> Needs:
        """The table that is compared, of the pool and of the labelled rows."""
        of_proba = self.space == "proba"
        table = Needs(proba=of_proba, features=not of_proba)
        return replace(table, labeled=table)

    def check_parameters(self) -> None:
        """Refuse a space that does not exist."""
        check_option(self.space, "space", ("features", "proba"))

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        indices, distances = _k_center_greedy(
            getattr(outputs, self.space),
            n,
            labeled_features=getattr(outputs.labeled, self.space),
            priority=generator.permutation(outputs.n_pool),
        )
        return Selection(indices, scores=distances)

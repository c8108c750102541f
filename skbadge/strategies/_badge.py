"""BADGE: rows whose loss gradients are large and point in different directions."""

from __future__ import annotations

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.embeddings import GradientEmbedding
from skbadge.selection._k_dpp import _k_dpp
from skbadge.selection._kmeans_plusplus import _kmeans_plusplus
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._validation import check_option

__all__ = ["BADGE"]

_ALL_ZERO = (
    "The gradients of all rows are 0: the net is so sure of each that they vanish, and "
    "BADGE has drawn uniformly. A net trained less, or in float64, tells rows apart."
)


class BADGE(QueryStrategy):
    r"""Choose rows whose loss gradients are large and point in different directions.

    If the net's own favorite label were right, how much would one training step on this
    row move the last layer? Not at all where the net is sure; far where it is not. A
    batch drawn by k-means++ seeding on these gradients is uncertain (long gradients are
    likely) and diverse (a gradient close to one already chosen is not), with nothing to
    tune.

    Parameters
    ----------
    sampler : {"k-means++", "k-dpp"}, default="k-means++"
        How a batch is drawn from the gradient embeddings. "k-dpp" draws sets in
        proportion to the determinant of their Gram matrix, by a Markov chain: as
        accurate in the paper, and far slower for large batches.
    first : {"uniform", "max-norm", "norm"}, default="uniform"
        How k-means++ draws its first center. "uniform" is Algorithm 2 of the paper;
        "max-norm", the longest gradient, is its public code; "norm" draws in proportion
        to the squared norm. Ignored by "k-dpp".

    See Also
    --------
    skbadge.selection.kmeans_plusplus : The sampler, for any embedding.
    skbadge.selection.k_dpp_sample : The other one.
    skbadge.embeddings.GradientEmbedding : The gradients, never written out.

    Notes
    -----
    The embedding of a row is :math:`g = a \otimes h`, with :math:`h` the input of the
    classification layer and :math:`a` the derivative of the loss in the logits at the
    hypothetical label :math:`\hat y = \arg\max_i p_i`; for softmax and cross-entropy
    :math:`a_i = p_i - I(\hat y = i)` (Equation 1 of [1]_). The bias of the layer is
    left out, as in the paper. k-means++ is the exact :math:`D^2` law of Algorithm 2,
    not scikit-learn's greedy variant; labelled rows are no centers.

    Scores (k-means++): the squared distance to the nearest center at the time of
    choice, for the first center its squared norm; None for "k-dpp". For one seed, the
    first rows of a larger batch are the smaller batch, except with "k-dpp", which draws
    a set for its size. Where the gradients of all rows are 0, too small for a float,
    rows are drawn uniformly and ``Selection.notes`` says so.

    Cost: O(n_pool (K + d)) memory for K outputs and d features; time far below the
    O(n_pool n (K + d)) of the plain loop.

    References
    ----------
    .. [1] Ash, Zhang, Krishnamurthy, Langford and Agarwal, "Deep Batch Active Learning
       by Diverse, Uncertain Gradient Lower Bounds",
       `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.

    Examples
    --------
    A confident row, and two unsure ones that differ:

    >>> from skbadge import BADGE
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(
    ...     residual=[[-1e-6, 1e-6], [-0.5, 0.5], [0.4, -0.4]],
    ...     features=[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
    ... )
    >>> chosen = BADGE(first="max-norm").select(outputs, n=1, random_state=0)
    >>> chosen.indices, chosen.scores.round(3)
    (array([1]), array([0.5]))
    """

    needs = Needs(residual=True, features=True)

    def __init__(self, *, sampler: str = "k-means++", first: str = "uniform") -> None:
        self.sampler = sampler
        self.first = first

    @property
    def traits(self) -> Traits:
        """A k-DPP draws a set for its size."""
        draws_rows = self.sampler != "k-dpp"
        return Traits(nested=draws_rows, on_cluster=draws_rows)

    def check_parameters(self) -> None:
        """Refuse options that do not exist."""
        check_option(self.sampler, "sampler", ("k-means++", "k-dpp"))
        check_option(self.first, "first", ("uniform", "max-norm", "norm"))

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        embedding = GradientEmbedding.from_outputs(outputs)
        if self.sampler == "k-dpp":
            return Selection(_k_dpp(embedding, n, n_steps=None, generator=generator))
        indices, scores = _kmeans_plusplus(
            embedding, n, first=self.first, generator=generator
        )
        notes = () if bool(embedding.norms().any()) else (_ALL_ZERO,)
        return Selection(indices, scores=scores, notes=notes)

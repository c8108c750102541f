"""BADGE: rows whose loss gradients are large and point in different directions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.embeddings import Embedding, GradientEmbedding
from skbadge.embeddings._tensors import arithmetic_dtype
from skbadge.selection._k_dpp import _k_dpp
from skbadge.selection._kmeans_plusplus import _kmeans_plusplus
from skbadge.selection._log_det import _log_det_greedy
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._class_quota import ClassQuota, check_quota
from skbadge.strategies._scores import margin_uncertainty
from skbadge.utils._validation import check_option

__all__ = ["BADGE"]

_ALL_ZERO = (
    "The {embedding} of all rows are 0: the net is so sure of each that they vanish, "
    "and BADGE has drawn uniformly. A net trained less, or in float64, tells rows "
    "apart."
)
_NO_RANK = (
    "The {embedding} have rank {rank}: no more rows than that point in different ways, "
    "and {n} were asked for. After {rank} rows BADGE has started over among the others."
)
_ALIKE = (
    "{rest} of the {n} rows were drawn uniformly: no row was left whose {embedding} "
    "are neither 0 nor those of a row chosen before."
)
_NAMES = {"gradient": "gradients", "uncertainty": "weighted features"}


class BADGE(QueryStrategy):
    r"""Choose rows whose loss gradients are large and point in different directions.

    If the net's own favorite label were right, how much would one training step on this
    row move the last layer? Not at all where the net is sure; far where it is not. A
    batch drawn by k-means++ seeding on these gradients is uncertain (long gradients are
    likely) and diverse (a gradient close to one already chosen is not), with nothing to
    tune.

    Parameters
    ----------
    sampler : {"k-means++", "k-dpp", "log-det"}, default="k-means++"
        How a batch is drawn from the gradient embeddings. "k-dpp" draws sets in
        proportion to the determinant of their Gram matrix, by a Markov chain: as
        accurate in the paper, and far slower for large batches. "log-det" draws
        nothing: row by row it takes the one that makes that determinant largest.
    first : {"uniform", "max-norm", "norm"}, default="uniform"
        How k-means++ draws its first center. "uniform" is Algorithm 2 of the paper;
        "max-norm", the longest gradient, is its public code; "norm" draws in proportion
        to the squared norm. Ignored by the other samplers.
    embedding : {"gradient", "uncertainty"}, default="gradient"
        What stands for a row. "uncertainty" is the input of the last layer, as long as
        the net is unsure: for losses that have no gradient in the logits, and for nets
        known by their probabilities and features only. It says how unsure the net is,
        and no longer between which classes.
    per_class : "balanced", mapping of class to float, or None, default=None
        Shares of the predicted classes in a batch, as ``quota`` of
        :class:`~skbadge.ClassQuota`, which then chooses with this strategy in each
        class; None for none.

    See Also
    --------
    skbadge.selection.kmeans_plusplus : The sampler, for any embedding.
    skbadge.selection.k_dpp_sample : Another one.
    skbadge.selection.log_det_greedy : The choice by "log-det".
    skbadge.embeddings.GradientEmbedding : The gradients, never written out.
    skbadge.ClassQuota : Quotas around any strategy.

    Notes
    -----
    The embedding of a row is :math:`g = a \otimes h`, with :math:`h` the input of the
    classification layer and :math:`a` the derivative of the loss in the logits at the
    hypothetical label :math:`\hat y = \arg\max_i p_i`; for softmax and cross-entropy
    :math:`a_i = p_i - I(\hat y = i)` (Equation 1 of [1]_). The bias of the layer is
    left out, as in the paper. k-means++ is the exact :math:`D^2` law of Algorithm 2,
    not scikit-learn's greedy variant; labelled rows are no centers.

    With ``embedding="uncertainty"`` it is :math:`g = u(p) h` with
    :math:`u = 1 - (p_{(1)} - p_{(2)})`, by the margin of the two largest probabilities.
    [2]_ takes any measure of uncertainty for u; this one is 1 between two classes,
    however many others there are.

    Scores: with "k-means++", the squared distance to the nearest center at the time of
    choice, for the first center its squared norm; with "log-det", that to the span of
    the rows chosen before; None for "k-dpp". For one seed, the first rows of a larger
    batch are the smaller batch, except with "k-dpp", which draws a set for its size,
    and with quotas. Of "log-det" the seed decides only ties. Where the
    gradients of all rows are 0, too small for a float, all are drawn uniformly, with a
    warning. ``Selection.notes`` says that too; and where the rest of a batch is drawn
    uniformly, since no row is left that differs from those chosen; and where "log-det"
    is asked for more rows than there are dimensions and has started over
    (:func:`~skbadge.selection.log_det_greedy`).

    Cost: O(n_pool (K + d)) memory for K outputs and d features; time far below the
    O(n_pool n (K + d)) of the plain loop. "log-det": the same memory and n^2 numbers,
    time far below the O(n_pool n (n + K + d)) of its loop.

    References
    ----------
    .. [1] Ash, Zhang, Krishnamurthy, Langford and Agarwal, "Deep Batch Active Learning
       by Diverse, Uncertain Gradient Lower Bounds",
       `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.
    .. [2] He et al., "Hybrid Active Learning with Uncertainty-Weighted Embeddings",
       TMLR 2024, `openreview:jD761b5OaE
       <https://openreview.net/forum?id=jD761b5OaE>`_.

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

    def __init__(
        self,
        *,
        sampler: Literal["k-means++", "k-dpp", "log-det"] = "k-means++",
        first: Literal["uniform", "max-norm", "norm"] = "uniform",
        embedding: Literal["gradient", "uncertainty"] = "gradient",
        per_class: Literal["balanced"] | Mapping[Any, float] | None = None,
    ) -> None:
        self.sampler = sampler
        self.first = first
        self.embedding = embedding
        self.per_class = per_class

    @property
    def needs(self) -> Needs:
        """What the embedding is made of; for quotas, the predicted class too."""
        if self.per_class is not None:
            return self._quota().needs
        if self.embedding == "uncertainty":
            return Needs(proba=True, features=True)
        return Needs(residual=True, features=True)

    @property
    def traits(self) -> Traits:
        """A k-DPP draws a set for its size; weights are made on one machine."""
        if self.per_class is not None:
            return self._quota().traits
        draws_rows = self.sampler != "k-dpp"
        on_cluster = draws_rows and self.embedding == "gradient"
        return Traits(nested=draws_rows, on_cluster=on_cluster)

    def check_parameters(self) -> None:
        """Refuse options that do not exist."""
        check_option(self.sampler, "sampler", ("k-means++", "k-dpp", "log-det"))
        check_option(self.first, "first", ("uniform", "max-norm", "norm"))
        check_option(self.embedding, "embedding", ("gradient", "uncertainty"))
        if self.per_class is not None:
            check_quota(self.per_class, "per_class")

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        if self.per_class is not None:
            return self._quota()._select(outputs, n, generator)
        embedding, name = self._embedding(outputs), _NAMES[self.embedding]
        if self.sampler == "k-dpp":
            return Selection(_k_dpp(embedding, n, n_steps=None, generator=generator))
        notes = []
        all_zero = not bool(embedding.norms().any())
        if all_zero:
            notes.append(_ALL_ZERO.format(embedding=name))
            warnings.warn(notes[0], UserWarning, stacklevel=3)
        if self.sampler == "log-det":
            priority = generator.permutation(len(embedding))
            indices, scores, rank = _log_det_greedy(embedding, n, priority=priority)
            if 0 < rank < n:
                notes.append(_NO_RANK.format(embedding=name, rank=rank, n=n))
        else:
            indices, scores = _kmeans_plusplus(
                embedding, n, first=self.first, generator=generator
            )
            rest = int((scores[1:] == 0).sum())
            if rest and not all_zero:
                notes.append(_ALIKE.format(embedding=name, rest=rest, n=n))
        return Selection(indices, scores=scores, notes=tuple(notes))

    def _embedding(self, outputs: Outputs) -> Embedding:
        if self.embedding == "gradient":
            return GradientEmbedding.from_outputs(outputs)
        features = outputs.features
        weight = margin_uncertainty(outputs.proba).to(arithmetic_dtype(features))
        return GradientEmbedding(weight[:, None], features)

    def _quota(self) -> ClassQuota:
        """Return this strategy with its quotas around it."""
        within = BADGE(sampler=self.sampler, first=self.first, embedding=self.embedding)
        quota: Any = self.per_class
        return ClassQuota(within, quota=quota)

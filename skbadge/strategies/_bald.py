"""BALD: rows on which draws of the net disagree."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Traits
from skbadge.strategies._posterior import (
    check_source,
    drawn_heads,
    iterate_samples,
    source_needs,
)
from skbadge.strategies._scores import DrawnScores

__all__ = ["BALD"]


class BALD(DrawnScores):
    r"""Choose the rows on which different draws of the net disagree most.

    A row can be uncertain because its class is a toss-up, or because the net has not
    seen enough: only in the second case a label teaches something. Where draws of the
    net are each sure of themselves, and of different classes, it is the second.

    Parameters
    ----------
    source : {"dropout", "laplace"}, default="dropout"
        Where the draws come from. "dropout" leaves the net's dropout on, and needs a
        net that has some; "laplace" draws the weights of the classification layer, for
        any trained net whose probabilities are the softmax of that layer.
    n_samples : int, default=20
        Number of draws, 2 to 10,000; the same ones for all rows.
    prior_precision : float, default=1.0
        Of the Laplace approximation: how narrow the weights are where the labelled
        rows say nothing. Ignored for dropout.

    See Also
    --------
    BatchBALD : Counts what the rows of a batch tell together.
    StochasticTopK : ``StochasticTopK(BALD())`` is PowerBALD, for large batches.

    Notes
    -----
    Score: the mutual information of the label and the weights,
    :math:`H(\bar p) - \overline{H(p)}` in nats, in :math:`[0, \ln K]`, the bars being
    means over the draws [1]_; below 0 by rounding counts as 0.

    The Laplace approximation is that of the last layer, around the trained weights and
    without training again [2]_: Gaussian, its precision the Kronecker-factored
    generalized Gauss-Newton matrix of the labelled rows,
    :math:`\overline{\operatorname{diag} p - p p^T} \otimes \sum h h^T`, plus
    ``prior_precision``, added to the eigenvalues (exact in that basis); the bias
    belongs to the weights. The loss is taken to be cross-entropy. Draws pass through
    the softmax, not through a probit approximation.

    Cost beside the pass: O(n_pool S K) for S draws; "laplace" adds
    O(n_pool S K d + n_labeled d^2 + d^3) for d features. No array of all rows and
    draws is made for "laplace".

    References
    ----------
    .. [1] Gal, Islam and Ghahramani, "Deep Bayesian Active Learning with Image Data",
       `arXiv:1703.02910 <https://arxiv.org/abs/1703.02910>`_.
    .. [2] Daxberger et al., "Laplace Redux: Effortless Bayesian Deep Learning",
       `arXiv:2106.14806 <https://arxiv.org/abs/2106.14806>`_.

    Examples
    --------
    A row whose class is a toss-up in each draw, and one on which two draws disagree:

    >>> from skbadge import BALD
    >>> from skbadge.strategies import Outputs
    >>> samples = [[[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]]
    >>> selection = BALD(n_samples=2).select(Outputs.of(samples=samples), n=2)
    >>> selection.indices, selection.scores.round(3)
    (array([1, 0]), array([0.693, 0.   ]))
    """

    def __init__(
        self,
        *,
        source: Literal["dropout", "laplace"] = "dropout",
        n_samples: int = 20,
        prior_precision: float = 1.0,
    ) -> None:
        self.source = source
        self.n_samples = n_samples
        self.prior_precision = prior_precision

    @property
    def needs(self) -> Needs:
        """Draws, or what they are made of."""
        return source_needs(self.source, self.n_samples)

    @property
    def traits(self) -> Traits:
        """Laplace is that of labelled rows; the same draws serve every row."""
        return Traits(needs_labels=self.source == "laplace", on_cluster=True)

    def check_parameters(self) -> None:
        """Refuse a source that does not exist, and numbers out of range."""
        check_source(self.source, self.n_samples, self.prior_precision)

    def ranked(self, outputs: Outputs, generator: np.random.Generator) -> np.ndarray:
        """Return the mutual information of each row.

        Parameters
        ----------
        outputs : Outputs
            With what `needs` declares.
        generator : numpy.random.Generator
            Fixes the draws of the Laplace approximation.

        Returns
        -------
        ndarray of shape (n_pool,), dtype float64
            Higher = more wanted, in nats.
        """
        heads = drawn_heads(
            outputs, self.source, self.n_samples, self.prior_precision, generator
        )

        def score(part: Outputs) -> torch.Tensor:
            blocks = iterate_samples(part, heads)
            return torch.cat([_mutual_information(block) for block in blocks])

        return outputs.by_rows(score)


def _mutual_information(samples: torch.Tensor) -> torch.Tensor:
    """Return H(mean p) - mean H(p) of each row, at least 0."""
    of_mean = torch.special.entr(samples.mean(dim=1)).sum(dim=1)
    return (of_mean - torch.special.entr(samples).sum(dim=2).mean(dim=1)).clamp_min(0.0)

"""BatchBALD: rows whose labels tell most together."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.selection._batch_bald import batch_bald_greedy
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._posterior import (
    check_source,
    drawn_heads,
    iterate_samples,
    source_needs,
)
from skbadge.utils._validation import check_integer

__all__ = ["BatchBALD"]


class BatchBALD(QueryStrategy):
    r"""Choose the rows whose labels together tell most about the net.

    `BALD` scores each row for itself, so that copies of one good row fill a batch. Here
    what a row adds is counted given the rows before it: a copy adds nothing. For small
    batches: the cost grows with the batch times the pool.

    Parameters
    ----------
    source : {"dropout", "laplace"}, default="dropout"
        Where draws of the net come from, as for `BALD`.
    n_samples : int, default=20
        Number of draws, 2 to 10,000; the same ones for all rows.
    prior_precision : float, default=1.0
        Of the Laplace approximation, as for `BALD`.
    most_configurations : int, default=2000
        Joint outcomes of the labels of a batch that are kept. While all of them are
        fewer the result is exact, later they are drawn.

    See Also
    --------
    BALD : Each row for itself.
    StochasticTopK : ``StochasticTopK(BALD())`` is as good for larger batches, and
        costs no more than BALD.

    Notes
    -----
    Greedy in :math:`I(y_1, \ldots, y_n; w) = H(y_1, \ldots, y_n) - \sum_i
    \overline{H(y_i \mid w)}`, with all :math:`K^m` outcomes for m rows, or with
    outcomes drawn from each draw of the net and weighted by the inverse of their
    probability (Equation 13 of [1]_). The first row is that of `BALD`. Scores: what
    each row adds, in nats; where outcomes are drawn, an estimate that may fall below 0.
    For one seed, the first rows of a larger batch are the smaller batch.

    Cost: at most O(n n_pool M S K) time for M outcomes, S draws and K classes. What a
    row adds only falls, so rows that added little are not looked at again. The draws of
    all rows are held, O(n_pool S K).

    References
    ----------
    .. [1] Kirsch, van Amersfoort and Gal, "BatchBALD: Efficient and Diverse Batch
       Acquisition for Deep Bayesian Active Learning",
       `arXiv:1906.08158 <https://arxiv.org/abs/1906.08158>`_.

    Examples
    --------
    The second row is a copy of the first and adds nothing; the third tells another
    thing:

    >>> from skbadge import BatchBALD
    >>> from skbadge.strategies import Outputs
    >>> sure, other = [1.0, 0.0], [0.0, 1.0]
    >>> samples = [[sure, sure, other, other]] * 2 + [[sure, other, sure, other]]
    >>> outputs = Outputs.of(samples=samples)
    >>> BatchBALD(n_samples=4).select(outputs, n=3, random_state=0).scores.round(3)
    array([0.693, 0.693, 0.   ])
    """

    def __init__(
        self,
        *,
        source: Literal["dropout", "laplace"] = "dropout",
        n_samples: int = 20,
        prior_precision: float = 1.0,
        most_configurations: int = 2000,
    ) -> None:
        self.source = source
        self.n_samples = n_samples
        self.prior_precision = prior_precision
        self.most_configurations = most_configurations

    @property
    def needs(self) -> Needs:
        """Draws, or what they are made of."""
        return source_needs(self.source, self.n_samples)

    @property
    def traits(self) -> Traits:
        """The Laplace approximation is that of labelled rows."""
        return Traits(needs_labels=self.source == "laplace")

    def check_parameters(self) -> None:
        """Refuse a source that does not exist, and numbers out of range."""
        check_source(self.source, self.n_samples, self.prior_precision)
        check_integer(
            self.most_configurations, "most_configurations", low=self.n_samples
        )

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        heads = drawn_heads(
            outputs, self.source, self.n_samples, self.prior_precision, generator
        )
        samples = outputs.samples if heads is None else _drawn(outputs, heads)
        indices, gains = batch_bald_greedy(
            samples.cpu(),
            n,
            most_configurations=self.most_configurations,
            generator=generator,
        )
        return Selection(indices, scores=gains)


def _drawn(outputs: Outputs, heads: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return what some heads say of all rows, (n_pool, n_samples, n_classes)."""
    n_samples, n_outputs = heads[0].shape[:2]
    # One output is two classes.
    samples = heads[0].new_empty(outputs.n_pool, n_samples, max(2, n_outputs))
    start = 0
    for block in iterate_samples(outputs, heads):
        samples[start : start + len(block)] = block
        start += len(block)
    return samples

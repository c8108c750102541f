"""BAIT: rows whose labels leave least to learn of the last layer."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.selection._bait import _FISHER, _bait_greedy, check_bait_numbers
from skbadge.selection._bait_shards import bait_on_shards
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._validation import check_option

__all__ = ["BAIT"]


class BAIT(QueryStrategy):
    r"""Choose rows whose labels, together, leave least to learn of the last layer.

    A label tells something about the weights of the last layer, in some directions. A
    batch is good when what it tells, with what the labelled rows have told, is large in
    the directions that predictions for the pool depend on. With features of a
    pretrained encoder and a linear head it was the best single strategy of recent
    comparisons, at all budgets.

    Parameters
    ----------
    fisher : {"binary", "top", "full"}, default="binary"
        Information of a row: of "the predicted class or not", of its ``n_top`` most
        probable classes, or of all, which is the paper's, and for small nets only.
    n_top : int or None, default=None
        For "top"; None means 2.
    regularization : float in (0, inf), default=1.0
        Information that is there before any label, in every direction. 1 is the public
        code's.
    oversample : float in [1, inf), default=2.0
        So many times n rows are chosen first, and all but n taken back. 1 takes none
        back.

    See Also
    --------
    skbadge.selection.bait_greedy : The algorithm, with its formulas and its cost.

    Notes
    -----
    [1]_; "binary" and "top" are those of [2]_. The pool's information is the mean over
    all rows, labelled ones included; the bias of the layer is left out. A row that is
    chosen counts n / (L + n) beside L labelled ones, as in the public code: as much as
    a whole batch of its kind; a mean over labels and batch would have 1 / (L + n). So
    a few rows are not lost beside ``regularization``. The public code takes the number
    of classes from the true labels of the pool, and compares a sample of it where it is
    large: here the number of columns, and all rows. Scores: how far each row lowered
    the trace when it was chosen. A batch is made for its size: smaller batches are not
    its beginning. "full" refuses a pool for which it would take more than 8 GiB.

    On a cluster the next picks are guessed by the best rows of each part, some dozens
    at a time, and all rows judge the guesses in one round trip. (d K)^2 numbers a part
    go up once, and down once in 256 picks, where K counts as 1 for "binary".

    References
    ----------
    .. [1] Ash, Goel, Krishnamurthy and Kakade, "Gone Fishing: Neural Active Learning
       with Fisher Embeddings", `arXiv:2106.09675 <https://arxiv.org/abs/2106.09675>`_.
    .. [2] Huseljic et al., "Fast Fishing: Approximating BAIT for Efficient and Scalable
       Deep Active Image Classification",
       `arXiv:2404.08981 <https://arxiv.org/abs/2404.08981>`_.

    Examples
    --------
    The first direction is known from a labelled row:

    >>> from skbadge import BAIT
    >>> from skbadge.strategies import Outputs
    >>> known = Outputs.of(features=[[9.0, 0.0]], proba=[[0.5, 0.5]], y=[0])
    >>> outputs = Outputs.of(
    ...     features=[[2.0, 0.0], [0.0, 2.0]], proba=[[0.5, 0.5]] * 2, labeled=known
    ... )
    >>> BAIT(oversample=1.0).select(outputs, n=1, random_state=0).indices
    array([1])
    """

    needs = Needs(proba=True, features=True, labeled=Needs(proba=True, features=True))
    traits = Traits(nested=False, on_cluster=True)

    def __init__(
        self,
        fisher: Literal["binary", "top", "full"] = "binary",
        *,
        n_top: int | None = None,
        regularization: float = 1.0,
        oversample: float = 2.0,
    ) -> None:
        self.fisher = fisher
        self.n_top = n_top
        self.regularization = regularization
        self.oversample = oversample

    def check_parameters(self) -> None:
        """Refuse a form that does not exist, and numbers out of range."""
        check_option(self.fisher, "fisher", _FISHER)
        check_bait_numbers(self.n_top, self.regularization, self.oversample)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        known = outputs.labeled
        choose: Any = bait_on_shards if outputs.on_cluster else _bait_greedy
        indices, gains = choose(
            outputs.proba,
            outputs.features,
            n,
            labeled=(known.proba, known.features),
            fisher=self.fisher,
            n_top=self.n_top,
            regularization=float(self.regularization),
            oversample=self.oversample,
            priority=generator.permutation(outputs.n_pool),
        )
        return Selection(indices, scores=gains)

"""DropQuery: rows whose class hangs on a few features."""

from __future__ import annotations

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.embeddings._tensors import in_chunks
from skbadge.selection._kmeans import _nearest_members
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._heads import predicted, two_or_more
from skbadge.utils._validation import check_integer, check_real

__all__ = ["DropQuery"]

# Each is a copy of the head; more say nothing new.
_MOST_MASKS = 10_000


class DropQuery(QueryStrategy):
    r"""Choose different rows whose predicted class changes when features are dropped.

    Leave out three quarters of the features, at random: does the head still prefer the
    same class? Rows for which it does not are candidates, and k-means picks among them.
    Made for good fixed features, as those of a pretrained encoder, and few labels.

    Parameters
    ----------
    n_masks : int, default=3
        How often features are dropped, 1 to 10,000 times, each time the same ones for
        all rows.
    p : float in (0, 1), default=0.75
        Probability with which a feature is dropped.
    n_candidates : int, default=25
        Candidates wanted for each row asked for: while there are fewer, fewer changes
        suffice.

    See Also
    --------
    KMeansSampling : k-means without the test.

    Notes
    -----
    The head sees :math:`m \odot h / (1 - p)`, its weights unchanged. A candidate
    changes its class for more than half of the masks; where there are fewer than
    ``n_candidates`` times n, for fewer masks, down to one. Of n clusters of the
    candidates' features, scaled to length 1, the member nearest to each center is
    chosen, the largest cluster first. Fewer candidates than rows asked for: all of
    them, and others at random. Scores: the size of the cluster. This is a test of
    single features, not dropout as the net was trained with it: large features are
    scaled up, and sure rows change too. A batch is made for its size: smaller batches
    are not its beginning. Cost: one product with the head a mask, O(n_pool K d), and
    k-means among the candidates.

    References
    ----------
    .. [1] Gupte, Aklilu, Nirschl and Yeung-Levy, "Revisiting Active Learning in the Era
       of Vision Foundation Models",
       `arXiv:2401.14555 <https://arxiv.org/abs/2401.14555>`_.

    Examples
    --------
    The first rows have a class that one feature alone decides:

    >>> from skbadge import DropQuery
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(
    ...     features=[[0.0, 1.0], [0.0, 2.0], [9.0, 0.1], [8.0, 0.1]],
    ...     head=([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.0]),
    ... )
    >>> DropQuery(n_masks=20).select(outputs, n=2, random_state=0).indices.shape
    (2,)
    """

    needs = Needs(features=True, head=True)
    traits = Traits(nested=False)

    def __init__(
        self, *, n_masks: int = 3, p: float = 0.75, n_candidates: int = 25
    ) -> None:
        self.n_masks = n_masks
        self.p = p
        self.n_candidates = n_candidates

    def check_parameters(self) -> None:
        """Refuse numbers out of range."""
        check_integer(self.n_masks, "n_masks", low=1, high=_MOST_MASKS)
        check_integer(self.n_candidates, "n_candidates", low=1)
        check_real(self.p, "p", low=0, high=1, include_low=False, include_high=False)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        width = outputs.head.weight.shape[1]
        kept = generator.random((self.n_masks, width)) >= self.p
        scale = torch.from_numpy(kept / (1.0 - self.p))
        changes = outputs.by_rows(lambda part: _n_changes(part, scale))
        least = self.n_masks // 2 + 1
        while least > 1 and (changes >= least).sum() < self.n_candidates * n:
            least -= 1
        indices, sizes = _nearest_members(
            outputs.features,
            n,
            among=np.flatnonzero(changes >= least),
            normalize=True,
            generator=generator,
        )
        return Selection(indices, scores=sizes)


def _n_changes(outputs: Outputs, scale: torch.Tensor) -> torch.Tensor:
    """Return for each row how many masks change its class."""
    weight, bias = two_or_more(outputs.head)
    masked = [weight * row.to(weight) for row in scale]

    def count(block: torch.Tensor) -> torch.Tensor:
        plain = predicted(block, weight, bias)
        changed = [predicted(block, rows, bias) != plain for rows in masked]
        return torch.stack(changed).sum(dim=0)

    return in_chunks(outputs.features, count)

"""ProbCover: balls of one radius that cover the pool."""

from __future__ import annotations

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection
from skbadge.embeddings._tensors import chunk_length
from skbadge.selection._coverage import Balls, max_coverage_greedy
from skbadge.selection._kmeans import _weighted_kmeans
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._validation import check_real

__all__ = ["ProbCover"]

# The radius is that of balls around so many rows, of which so many may be impure, among
# clusters fitted to so many rows for each.
_MOST_COMPARED, _IMPURE, _MOST_FITTED = 1000, 0.05, 256


class ProbCover(QueryStrategy):
    r"""Choose rows whose neighborhoods hold most of the pool that none holds yet.

    If rows close to a labelled one have its label, a good batch is one whose
    neighborhoods cover the pool. Made for features of a pretrained encoder and few
    labels.

    Parameters
    ----------
    delta : float in (0, 2] or None, default=None
        Radius of a neighborhood, between features scaled to length 1. None takes the
        largest at which 95 of 100 neighborhoods are pure, each holding rows of one
        cluster only.

    See Also
    --------
    TypiClust : Needs no radius.

    Notes
    -----
    Greedy maximum coverage [1]_: rows within ``delta`` of a labelled row are covered;
    each pick is the row with most uncovered rows within ``delta``, itself included.
    Once all is covered, rows at random. Scores: how many rows each covers anew. For one
    seed, the first rows of a larger batch are the smaller batch.

    The radius is the 5 % quantile, over at most 1,000 rows drawn, of the distance to
    the nearest row of another cluster, of as many k-means clusters as there are
    classes, whose centers are fitted to at most 256 rows a class, drawn: the paper
    tries radii one by one. Its public code leaves up to 499 rows out of the graph, and
    chooses row 0 once all is covered.

    Cost: O(n_pool^2 d) time for the first counts, in blocks; later only the rows that
    could be chosen are counted anew. No array of all pairs is made.

    References
    ----------
    .. [1] Yehuda, Dekel, Hacohen and Weinshall, "Active Learning Through a Covering
       Lens", `arXiv:2205.11320 <https://arxiv.org/abs/2205.11320>`_.

    Examples
    --------
    Two directions, one with three rows and one with two:

    >>> from skbadge import ProbCover
    >>> from skbadge.strategies import Outputs
    >>> none = Outputs.of(features=[[1.0, -1.0]], y=[0])
    >>> rows = [[1.0, 0.0], [2.0, 0.1], [3.0, 0.0], [0.0, 1.0], [0.0, 2.0]]
    >>> outputs = Outputs.of(features=rows, labeled=none)
    >>> ProbCover(delta=0.3).select(outputs, n=2, random_state=0).scores
    array([3., 2.])
    """

    def __init__(self, *, delta: float | None = None) -> None:
        self.delta = delta

    @property
    def needs(self) -> Needs:
        """Features, and for the radius the number of classes."""
        return Needs(
            features=True, proba=self.delta is None, labeled=Needs(features=True)
        )

    def check_parameters(self) -> None:
        """Refuse a radius out of range."""
        if self.delta is not None:
            check_real(self.delta, "delta", low=0, high=2, include_low=False)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        balls = Balls(outputs.features)
        radius = self.delta
        if radius is None:
            radius = _pure_radius(outputs, balls, generator)
        covered = np.zeros(len(balls), dtype=bool)
        known = Balls(outputs.labeled.features)
        size = chunk_length(max(outputs.features.shape[1], len(balls)))
        for start in range(0, len(known), size):
            centers = known.directions(slice(start, min(start + size, len(known))))
            step = chunk_length(max(centers.shape))
            for begin in range(0, len(balls), step):
                part = slice(begin, min(begin + step, len(balls)))
                near = (balls.distances(part, centers) <= radius).any(dim=1)
                covered[part] |= near.cpu().numpy()
        indices, gains = max_coverage_greedy(
            balls,
            n,
            radius=radius,
            covered=covered,
            priority=generator.permutation(len(balls)),
        )
        return Selection(indices, scores=gains)


def _pure_radius(
    outputs: Outputs, balls: Balls, generator: np.random.Generator
) -> float:
    """Return the largest radius at which most balls hold rows of one cluster only."""
    n_clusters = min(outputs.proba.shape[1], len(balls))
    drawn = generator.permutation(len(balls))
    labels = _weighted_kmeans(
        outputs.features,
        n_clusters,
        normalize=True,
        fitted=np.sort(drawn[: _MOST_FITTED * n_clusters]),
        generator=generator,
    ).labels
    drawn = drawn[:_MOST_COMPARED]
    centers = balls.directions(drawn)
    nearest = np.full(len(drawn), 2.0)
    step = chunk_length(max(centers.shape))
    for start in range(0, len(balls), step):
        part = slice(start, min(start + step, len(balls)))
        found = balls.distances(part, centers).double().cpu().numpy()
        found[labels[part][:, None] == labels[drawn]] = 2.0
        np.minimum(nearest, found.min(axis=0), out=nearest)
    # The ball must not reach the other cluster's row itself.
    return float(np.nextafter(np.quantile(nearest, _IMPURE, method="lower"), 0.0))

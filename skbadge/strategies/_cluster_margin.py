"""Cluster-Margin: small margins from all clusters, for very large batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError
from skbadge.selection._kmeans import _weighted_kmeans
from skbadge.selection._top_k import _top_k
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._margin import MarginSampling
from skbadge.utils._validation import check_integer, check_real

__all__ = ["ClusterMargin"]

_MOST_CLUSTERS = 500


class ClusterMargin(QueryStrategy):
    r"""Choose rows of small margin, taken in turn from as many clusters as there are.

    For batches of a hundred thousand rows and more, where anything that compares rows
    with each other takes too long: after the clusters are known, a batch costs a sort.

    Parameters
    ----------
    clusters : array-like of int of shape (n_rows,) or None, default=None
        The cluster of each row of ``X_pool``, found once for all rounds (the paper uses
        features of the first net). None makes clusters of the features in each query.
    n_clusters : int or None, default=None
        How many to make; None for one of every two rows, at most 500. Ignored where
        clusters are given.
    oversample : float of at least 1, default=1.25
        Rows of small margin that are looked at, for each row asked for. The paper takes
        more where clusters are large.

    See Also
    --------
    MarginSampling : Without clusters.
    skbadge.selection.weighted_kmeans : Makes the clusters, and can make those to give.

    Notes
    -----
    Of the ``oversample`` times n rows with the smallest margins, one of each cluster is
    taken in turn, at random within it, from the cluster with fewest of them to that
    with most, until n are chosen (Algorithm 1 of [1]_). Scores: minus the margin. A
    batch is made for its size: smaller batches are not its beginning.

    Differences: the paper clusters by agglomeration with average linkage, O(n_pool^2);
    here k-means does. Its code is closed. Cost after the clusters:
    O(n_pool K + n log n).

    References
    ----------
    .. [1] Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh and Kumar,
       "Batch Active Learning at Scale",
       `arXiv:2107.14263 <https://arxiv.org/abs/2107.14263>`_.

    Examples
    --------
    Three rows of small margin in one cluster, and one in another:

    >>> from skbadge import ClusterMargin
    >>> from skbadge.strategies import Outputs
    >>> proba = [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.6, 0.4], [1.0, 0.0]]
    >>> strategy = ClusterMargin(clusters=[0, 0, 0, 1, 1], oversample=2.0)
    >>> strategy.select(Outputs.of(proba=proba), n=2, random_state=0).indices[:1]
    array([3])
    """

    traits = Traits(nested=False)

    def __init__(
        self,
        *,
        clusters: Any = None,
        n_clusters: int | None = None,
        oversample: float = 1.25,
    ) -> None:
        self.clusters = clusters
        self.n_clusters = n_clusters
        self.oversample = oversample

    @property
    def needs(self) -> Needs:
        """Probabilities, and features where clusters must be made."""
        return Needs(proba=True, features=self.clusters is None)

    def check_parameters(self) -> None:
        """Refuse clusters that are no numbers, and numbers out of range."""
        if self.clusters is not None:
            clusters = np.asarray(self.clusters)
            if clusters.ndim != 1 or clusters.dtype.kind not in "iu":
                raise InvalidInputError(
                    "clusters must be one int for each row of X_pool. Got dtype "
                    f"{clusters.dtype} and shape {clusters.shape} instead."
                )
        if self.n_clusters is not None:
            check_integer(self.n_clusters, "n_clusters", low=1)
        check_real(
            self.oversample, "oversample", low=1, high=math.inf, include_high=False
        )

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        margins = MarginSampling()
        scores = margins.ranked(outputs, generator)
        n_looked_at = math.ceil(min(outputs.n_pool, self.oversample * n))
        small = _top_k(scores, n_looked_at, generator=generator)
        _, labels = np.unique(
            self._labels(outputs, generator)[small], return_inverse=True
        )
        chosen = small[_in_turn(labels, n, generator)]
        return Selection(chosen, scores=margins.shown(scores[chosen]))

    def _labels(self, outputs: Outputs, generator: np.random.Generator) -> np.ndarray:
        """Return the cluster of each candidate."""
        n_pool = outputs.n_pool
        if self.clusters is None:
            n_clusters = min(_MOST_CLUSTERS, max(1, n_pool // 2))
            if self.n_clusters is not None:
                n_clusters = check_integer(self.n_clusters, "n_clusters", high=n_pool)
            found = _weighted_kmeans(outputs.features, n_clusters, generator=generator)
            return found.labels
        clusters, rows = np.asarray(self.clusters), outputs.positions
        n_rows = n_pool if rows is None else int(rows.max()) + 1
        if len(clusters) < n_rows or (rows is None and len(clusters) != n_pool):
            # Of a part of the pool only the last position is known.
            least = "" if rows is None else "at least "
            raise InvalidInputError(
                "clusters must have one entry for each row of X_pool, "
                f"{least}{n_rows}. Got {len(clusters)} instead."
            )
        return clusters if rows is None else clusters[rows]


def _in_turn(labels: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """Return n positions, one of each label in turn, the rarest label first."""
    shuffled = generator.permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sizes = np.bincount(labels)
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_label] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    among_equals = generator.permutation(len(sizes))
    return np.lexsort((among_equals[labels], sizes[labels], turn))[:n]

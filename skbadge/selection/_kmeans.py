"""k-means on features of any size, and the rows that stand for the clusters."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn import get_config
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skbadge.embeddings import DenseEmbedding
from skbadge.embeddings._tensors import as_tensor, chunk_length, directions
from skbadge.exceptions import InvalidInputError
from skbadge.selection._kmeans_plusplus import _kmeans_plusplus
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_integer

__all__ = ["Clusters", "weighted_kmeans"]

# Up to here all rows move the centers at each step, above 5,000 drawn rows do.
_FEW_CLUSTERS, _BATCH_SIZE, _MOST_STEPS = 50, 5000, 100
# Of the largest weight. In float32 a mean over still smaller ones divides by what is no
# normal number any more; beside a row of weight 1 both count for nothing.
_LEAST_WEIGHT = 1e-20


class Clusters(NamedTuple):
    """What k-means found.

    Parameters
    ----------
    labels : ndarray of shape (n,), dtype int64
        The cluster of each row, that of the nearest center.
    distances_sq : ndarray of shape (n,), dtype float64
        Squared Euclidean distance to it, in units of ``scale``.
    centers : ndarray of shape (n_clusters, n_features)
        In units of ``scale``.
    scale : float
        A power of two: the length that counts as 1, so that nothing overflows; 1 for
        ordinary numbers.
    """

    labels: np.ndarray
    distances_sq: np.ndarray
    centers: np.ndarray
    scale: float


def weighted_kmeans(
    features: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    normalize: bool = False,
    random_state: Seed = None,
) -> Clusters:
    """Divide rows into clusters around centers, rows of large weight counting more.

    Parameters
    ----------
    features : tensor or array of shape (n, n_features)
        The rows; may be a memory map larger than memory.
    n_clusters : int
        In [1, n].
    sample_weight : array-like of shape (n,) or None, default=None
        Non-negative; None, or zeros only, for the same weight everywhere. A positive
        one below 1e-20 of the largest counts as that.
    normalize : bool, default=False
        Whether each row is scaled to length 1 first; rows of zeros stay.
    random_state : int, Generator, RandomState or None, default=None
        Fixes the first centers and what is drawn later.

    Returns
    -------
    Clusters
        Some may be empty where rows are alike.

    Raises
    ------
    InvalidInputError
        If features are not a finite 2-D table of real numbers, weights are not one
        non-negative number a row, or ``n_clusters`` is out of range.

    Notes
    -----
    First centers by :func:`kmeans_plusplus`, unweighted; then scikit-learn's ``KMeans``
    for up to 50 clusters, its ``MiniBatchKMeans`` (batches of 5,000) for more, in one
    thread: with several its sums, and so the centers, would differ from run to run. A
    table larger than scikit-learn's ``working_memory`` is not read as a whole: centers
    are then fitted to as many rows, drawn at random, as fit in it. Every row is
    assigned at the end, in chunks. O(n n_clusters n_features) a step.

    Examples
    --------
    >>> from skbadge.selection import weighted_kmeans
    >>> rows = [[0.0], [1.0], [10.0], [11.0]]
    >>> clusters = weighted_kmeans(rows, 2, random_state=0)
    >>> sorted(clusters.centers.ravel().tolist())
    [0.5, 10.5]
    """
    table = as_tensor(features, "features")
    n_clusters = check_integer(n_clusters, "n_clusters", low=1, high=len(table))
    weight = None
    if sample_weight is not None:
        try:
            weight = np.asarray(sample_weight, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"sample_weight must be {len(table)} non-negative numbers, one a row. "
                f"Got {sample_weight!r:.60} instead."
            ) from error
        good = weight.shape == (len(table),) and np.isfinite(weight).all()
        if not good or (weight < 0).any():
            raise InvalidInputError(
                f"sample_weight must be {len(table)} non-negative numbers, one a row. "
                f"Got an array of shape {weight.shape} instead."
                if not good
                else "sample_weight must not be negative. Got "
                f"{weight.min():g} for row {int(weight.argmin())} instead."
            )
    return _weighted_kmeans(
        table,
        n_clusters,
        weight=weight,
        normalize=normalize,
        generator=as_generator(random_state),
    )


def _weighted_kmeans(
    features: torch.Tensor,
    n_clusters: int,
    *,
    generator: np.random.Generator,
    weight: np.ndarray | None = None,
    normalize: bool = False,
    among: np.ndarray | None = None,
    fitted: np.ndarray | None = None,
) -> Clusters:
    """Divide rows into clusters; no validation beyond finite numbers.

    ``among`` are the rows that there are, ``fitted`` those that centers are fitted to;
    None for all.
    """
    table = _Table(features, normalize, among=among)
    part = table if fitted is None else _Table(features, normalize, among=fitted)
    centers = _fitted_centers(part, n_clusters, weight, generator)
    return Clusters(*table.nearest(centers), centers, table.scale)


def _fitted_centers(
    table: _Table,
    n_clusters: int,
    weight: np.ndarray | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the centers; the copy of the rows that they were fitted to is gone."""
    rows = table.sample(generator, n_clusters)
    X = table.read(rows)
    if weight is not None:
        weight = _in_range(weight[rows])
    first, _ = _kmeans_plusplus(
        DenseEmbedding(X), n_clusters, first="uniform", generator=generator
    )
    settings: dict[str, Any] = {
        "n_clusters": n_clusters,
        "init": X[first],
        "n_init": 1,
        "max_iter": _MOST_STEPS,
        "random_state": int(generator.integers(2**31)),
    }
    if n_clusters <= _FEW_CLUSTERS:
        model = KMeans(**settings, copy_x=not table.copies)
    else:
        # The rows to compare several starts by are copied; there is but one start.
        model = MiniBatchKMeans(
            **settings, batch_size=_BATCH_SIZE, init_size=n_clusters
        )
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        # Fewer distinct rows than clusters: some stay empty, as documented.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, sample_weight=weight).cluster_centers_


def _in_range(weight: np.ndarray) -> np.ndarray | None:
    """Return weights of which the largest is 1, or None where all are 0."""
    if not weight.any():
        return None
    weight = weight / weight.max()
    return np.where(weight > 0, np.maximum(weight, _LEAST_WEIGHT), 0.0)


def _nearest_members(
    features: torch.Tensor,
    n: int,
    *,
    generator: np.random.Generator,
    weight: np.ndarray | None = None,
    normalize: bool = False,
    among: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return n distinct rows: of each of n clusters the member nearest to its center.

    Parameters
    ----------
    features : torch.Tensor of shape (n_pool, n_features)
        The pool.
    n : int
        In [1, n_pool].
    generator : numpy.random.Generator
        Fixes the clusters and breaks ties.
    weight : ndarray of shape (n_pool,) or None
        Of the rows, in k-means.
    normalize : bool
        Whether rows are scaled to length 1 first.
    among : ndarray of int or None
        Rows that count; where there are fewer than ``n``, the rest is drawn at random.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Largest cluster first; where clusters are empty, the rest at random.
    sizes : ndarray of shape (n,), dtype float64
        Rows of the cluster that each stands for; 0 for those at random.
    """
    rows = np.arange(len(features)) if among is None else among
    if len(rows) <= n:
        rest = np.setdiff1d(np.arange(len(features)), rows, assume_unique=True)
        rest = generator.permutation(rest)[: n - len(rows)]
        indices = np.concatenate([generator.permutation(rows), rest])
        return indices.astype(np.intp), (np.arange(n) < len(rows)).astype(np.float64)
    clusters = _weighted_kmeans(
        features,
        n,
        weight=weight,
        normalize=normalize,
        among=among,
        generator=generator,
    )
    order = generator.permutation(len(rows))
    labels = clusters.labels[order]
    ranked = np.lexsort((clusters.distances_sq[order], labels))
    # The first of each run of equal labels.
    nearest = order[ranked[np.flatnonzero(np.diff(labels[ranked], prepend=-1))]]
    counts = np.bincount(labels, minlength=n)[clusters.labels[nearest]]
    largest_first = np.argsort(-counts, kind="stable")
    rest = np.setdiff1d(order, nearest, assume_unique=True)
    rest = generator.permutation(rest)[: n - len(nearest)]
    indices = rows[np.concatenate([nearest[largest_first], rest])].astype(np.intp)
    sizes = np.concatenate([counts[largest_first], np.zeros(len(rest))])
    return indices, sizes.astype(np.float64)


def _assigned(clusters: Clusters, features: torch.Tensor) -> np.ndarray:
    """Return the nearest cluster of other rows, which are not normalized."""
    table = _Table(features, False, least_scale=clusters.scale)
    return table.nearest(clusters.centers * (clusters.scale / table.scale))[0]


class _Table:
    """Reads rows of features as k-means takes them: in a safe unit, on the CPU.

    Parameters
    ----------
    features : torch.Tensor of shape (n, n_features)
        Never copied whole.
    normalize : bool
        Whether rows are scaled to length 1.
    least_scale : float
        The unit is at least this.
    among : ndarray of int or None
        The rows there are; None for all.
    """

    def __init__(
        self,
        features: torch.Tensor,
        normalize: bool,
        *,
        least_scale: float = 0.0,
        among: np.ndarray | None = None,
    ) -> None:
        self._among = among
        self._embedding = DenseEmbedding(features)
        self._embedding.norms()  # refuses NaN and infinity
        self._normalize = normalize
        scale = 1.0 if normalize else self._embedding.scale
        self.scale = max(scale, least_scale)

    def __len__(self) -> int:
        return len(self._embedding if self._among is None else self._among)

    @property
    def copies(self) -> bool:
        """Whether `read` returns rows of its own, never the table itself."""
        return self._normalize or self._among is not None

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return some rows, float32 or float64; no copy if that is what they are."""
        if self._among is not None:
            rows = self._among[rows]
        if not self._normalize:
            right = self._right(rows)
            if self.scale != self._embedding.scale:
                right = right * (self._embedding.scale / self.scale)
            return right.cpu().numpy()
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self._embedding)))
        width = self._embedding.n_features
        # In parts: lengths are those of float64, of which no whole table is made, and
        # of a part several stand beside each other.
        scaled = torch.empty((len(rows), width), dtype=self._embedding.dtype)
        step = chunk_length(4 * width)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            scaled[part] = directions(self._right(rows[part]).double())
        return scaled.numpy()

    def _right(self, rows: np.ndarray | slice) -> torch.Tensor:
        index = rows if isinstance(rows, slice) else torch.from_numpy(rows)
        return self._embedding.rows(index).right

    def sample(self, generator: np.random.Generator, least: int) -> np.ndarray | slice:
        """Return all rows that fit in the working memory, drawn if not all do."""
        itemsize = torch.finfo(self._embedding.dtype).bits // 8
        room = int(get_config()["working_memory"] * 2**20)
        room = max(room // (itemsize * self._embedding.n_features), least)
        if room >= len(self):
            return slice(0, len(self))
        return np.sort(generator.choice(len(self), room, replace=False))

    def nearest(self, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for each row its nearest center, and the squared distance."""
        labels = np.empty(len(self), dtype=np.int64)
        distances_sq = np.empty(len(self))
        step = chunk_length(max(centers.shape))
        # Seen from their middle, so that few digits are lost to what all share.
        middle = centers.mean(axis=0, dtype=np.float64)
        around = centers - middle
        offset = np.square(around).sum(axis=1) / 2
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            rows = self.read(part) - middle
            # |x - c|^2 is smallest where x.c - |c|^2 / 2 is largest.
            products = rows.astype(centers.dtype) @ around.T.astype(centers.dtype)
            labels[part] = (products - offset).argmax(axis=1)
            rows -= around[labels[part]]
            distances_sq[part] = np.square(rows, out=rows).sum(axis=1)
        return labels, distances_sq

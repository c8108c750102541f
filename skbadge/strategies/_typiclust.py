"""TypiClust: the most typical row of each cluster that has no label yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.embeddings import DenseEmbedding
from skbadge.embeddings._distances import distances_sq
from skbadge.embeddings._tensors import chunk_length, times_unit
from skbadge.selection._kmeans import _assigned, _weighted_kmeans
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._space import check_space, read_space, space_needs

__all__ = ["TypiClust"]

_MOST_CLUSTERS, _MOST_NEIGHBORS = 500, 20
# Clusters of so few rows are skipped while there are others.
_SMALL = 5
# In a larger cluster, neighbors are looked for among so many rows drawn from it.
_MOST_COMPARED = 5000


class TypiClust(QueryStrategy):
    r"""Choose the most typical row of each cluster, those without a label first.

    While there are few labels, uncertainty means little, and the best rows to know are
    those in the middle of what there is much of. Made for the first rounds.

    Parameters
    ----------
    features : {"net", "input"}, default="net"
        What is compared: what the net makes of a row before its classification layer,
        or what reaches the net. With "input" a learner can query before `fit`.

    See Also
    --------
    KMeansSampling : The same idea without typicality.

    Notes
    -----
    The pool is divided by k-means into :math:`\min(n_{labeled} + n, 500)` clusters.
    Those of at most 5 rows come last; the others in the order of (fewest labelled rows,
    most rows), one row of each in turn. Within a cluster, the row of largest typicality
    comes first, the inverse of :math:`10^{-5}` plus its mean Euclidean distance to its
    :math:`\min(20, \lfloor m / 2 \rfloor)` nearest neighbors among the m rows of the
    cluster that may be chosen. Scores: the typicality. An exhausted cluster is passed
    over, so that there are always n rows.

    Differences: the paper [1]_ clusters labelled rows too, where here they only count
    for the cluster whose center is nearest; its public code uses squared distances, and
    computes typicality anew after each pick. In clusters of more than 5,000 rows,
    neighbors are sought among 5,000 drawn. A batch is made for its size: smaller
    batches are not its beginning. Cost: that of k-means
    (:func:`skbadge.selection.weighted_kmeans`) and, for each cluster that is drawn
    from, its rows by at most 5,000 of them; no array of all pairs.

    References
    ----------
    .. [1] Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite
       Strategies Suit High and Low Budgets",
       `arXiv:2202.02794 <https://arxiv.org/abs/2202.02794>`_.

    Examples
    --------
    >>> from skbadge import TypiClust
    >>> from skbadge.strategies import Outputs
    >>> rows = [[0.0], [1.0], [1.1], [1.2], [2.0], [2.5], [9.0]]
    >>> none = Outputs.of(inputs=[[0.0]], y=[0])
    >>> outputs = Outputs.of(inputs=rows, labeled=none)
    >>> strategy = TypiClust(features="input")
    >>> strategy.select(outputs, n=1, random_state=0).scores.shape
    (1,)
    """

    traits = Traits(nested=False)

    def __init__(self, *, features: Literal["net", "input"] = "net") -> None:
        self.features = features

    @property
    def needs(self) -> Needs:
        """Inputs or features, of the labelled rows too."""
        needs = space_needs(self.features)
        return replace(needs, labeled=needs)

    def check_parameters(self) -> None:
        """Refuse a space that does not exist."""
        check_space(self.features)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        table = read_space(outputs, self.features)
        known = read_space(outputs.labeled, self.features)
        n_clusters = min(len(known) + n, _MOST_CLUSTERS, len(table))
        clusters = _weighted_kmeans(table, n_clusters, generator=generator)
        labels = clusters.labels
        n_known = np.zeros(n_clusters, dtype=int)
        if len(known):
            n_known = np.bincount(_assigned(clusters, known), minlength=n_clusters)
        sizes = np.bincount(labels, minlength=n_clusters)
        turns = np.lexsort((-sizes, n_known, sizes <= _SMALL))
        turns = turns[sizes[turns] > 0]
        if (sizes > _SMALL).sum() >= n:
            turns = turns[:n]

        # Its unit of length is found in a pass over the table: once, not for each.
        embedding = DenseEmbedding(table)
        priority = generator.permutation(len(table))
        members = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
        ranked = [
            _ranked_members(embedding, members[c], priority, generator) for c in turns
        ]
        indices = np.concatenate([rows for rows, _ in ranked])
        scores = np.concatenate([typicality for _, typicality in ranked])
        counts = sizes[turns]
        round_ = np.concatenate([np.arange(count) for count in counts])
        place = np.repeat(np.arange(len(turns)), counts)
        order = np.lexsort((place, round_, np.repeat(counts <= _SMALL, counts)))[:n]
        return Selection(indices[order].astype(np.intp), scores=scores[order])


def _ranked_members(
    embedding: DenseEmbedding,
    rows: np.ndarray,
    priority: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a cluster and their typicality, the most typical first."""
    compared = rows
    if len(rows) > _MOST_COMPARED:
        compared = generator.choice(rows, _MOST_COMPARED, replace=False)
    others = embedding.rows(torch.from_numpy(compared))
    n_neighbors = min(_MOST_NEIGHBORS, len(rows) // 2)
    typicality = np.empty(len(rows))
    step = chunk_length(max(len(compared), embedding.n_features))
    for start in range(0, len(rows), step):
        part = torch.from_numpy(rows[start : start + step])
        found = distances_sq(embedding.rows(part), others).cpu()
        found[part[:, None] == torch.from_numpy(compared)] = torch.inf
        nearest = found.topk(n_neighbors, dim=1, largest=False).values.sqrt()
        mean = times_unit(nearest.sum(dim=1) / max(n_neighbors, 1), embedding.scale)
        typicality[start : start + step] = 1.0 / (mean + 1e-5)
    order = np.lexsort((priority[rows], -typicality))
    return rows[order], typicality[order]

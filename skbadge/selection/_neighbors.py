"""The nearest rows of another table."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from skbadge.embeddings import DenseEmbedding
from skbadge.embeddings._distances import distances_sq
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import chunk_length

__all__ = ["iterate_neighbors"]


def iterate_neighbors(
    features: torch.Tensor, others: torch.Tensor, n_neighbors: int
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield the nearest rows of another table, block by block.

    Parameters
    ----------
    features : torch.Tensor of shape (n, n_features)
        May be a memory map.
    others : torch.Tensor of shape (m, n_features)
        Whose rows are looked for.
    n_neighbors : int
        In [1, m].

    Yields
    ------
    part : slice
        The rows of the block.
    indices : torch.Tensor of shape (n_block, n_neighbors)
        Positions in ``others``, by Euclidean distance.
    """
    pool, known = DenseEmbedding(features), DenseEmbedding(others)
    unit = max(pool.scale, known.scale)
    dtype = torch.promote_types(pool.dtype, known.dtype)

    def rows(table: DenseEmbedding, part: slice) -> Rows:
        found = table.rows(part).scaled(table.scale / unit)
        return found.double() if dtype == torch.float64 else found

    centers = rows(known, slice(None))
    step = chunk_length(max(pool.n_features, len(known)))
    for start in range(0, len(pool), step):
        part = slice(start, min(start + step, len(pool)))
        gaps = distances_sq(rows(pool, part), centers)
        yield part, gaps.topk(n_neighbors, dim=1, largest=False).indices

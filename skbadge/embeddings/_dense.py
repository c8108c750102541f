"""Embeddings that are plain vectors."""

from __future__ import annotations

from typing import Any

import torch

from skbadge.embeddings._base import Embedding
from skbadge.embeddings._factored import FactoredEmbedding
from skbadge.embeddings._sharded import ShardedEmbedding, ShardedTable
from skbadge.embeddings._tensors import as_tensor

__all__ = ["DenseEmbedding", "as_embedding"]


class DenseEmbedding(FactoredEmbedding):
    """A table of vectors, one a row.

    Parameters
    ----------
    X : tensor, array or list of shape (n, n_features)
        May be a memory map larger than memory, on any device. float64 stays float64;
        half precision is storage only, the arithmetic is float32.

    Raises
    ------
    InvalidInputError
        If ``X`` is not a 2-D table of real numbers. NaN and infinity are refused at the
        first use of the norms.

    Examples
    --------
    >>> from skbadge.embeddings import DenseEmbedding
    >>> embedding = DenseEmbedding([[0.0, 0.0], [3.0, 4.0]])
    >>> embedding.distances_sq([0], [0, 1])
    tensor([[ 0., 25.]], dtype=torch.float64)
    """

    def __init__(self, X: Any) -> None:
        super().__init__(None, as_tensor(X, "X"), 0.0, ("", "X"))

    @property
    def n_features(self) -> int:
        """Length of a vector."""
        return self._right.shape[1]

    def take(self, indices: Any) -> DenseEmbedding:
        """Return the embedding of some rows, in the order given.

        Parameters
        ----------
        indices : array-like of int
            Positions of rows.

        Returns
        -------
        DenseEmbedding
        """
        return DenseEmbedding(self._right[self._positions(indices)])

    def to_dense(self) -> torch.Tensor:
        """Return the table itself, in the arithmetic's dtype.

        Returns
        -------
        torch.Tensor of shape (n, n_features)
        """
        return self._right.to(self.dtype)


def as_embedding(X: Any) -> Embedding:
    """Return ``X`` if it is an embedding, else wrap the table in one.

    Parameters
    ----------
    X : Embedding, tensor, array or list of shape (n, n_features)
        Vectors, one a row.

    Returns
    -------
    Embedding

    Raises
    ------
    InvalidInputError
        If ``X`` is not a 2-D table of finite real numbers.

    Examples
    --------
    >>> from skbadge.embeddings import as_embedding
    >>> as_embedding([[3.0, 4.0], [0.0, 0.0]]).squared_norms()
    tensor([25.,  0.], dtype=torch.float64)
    """
    if isinstance(X, ShardedTable):
        X = ShardedEmbedding(None, X)
    embedding = X if isinstance(X, Embedding) else DenseEmbedding(X)
    embedding.norms()  # one pass; refuses NaN and infinity
    return embedding

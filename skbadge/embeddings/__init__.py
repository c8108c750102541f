"""Embeddings of pool rows, as the selection algorithms see them."""

from skbadge.embeddings._base import Embedding
from skbadge.embeddings._dense import DenseEmbedding, as_embedding
from skbadge.embeddings._gradient import GradientEmbedding

__all__ = ["DenseEmbedding", "Embedding", "GradientEmbedding", "as_embedding"]

"""The protocol by which selection algorithms know an embedding."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch

from skbadge.embeddings._rows import Rows

__all__ = ["Embedding"]


@runtime_checkable
class Embedding(Protocol):
    """One vector for each pool row, known by norms, products and distances.

    The algorithms of :mod:`skbadge.selection` use nothing else, so that a vector may be
    far too long to write out. Everything is a torch tensor on the embedding's device.
    """

    @property
    def dtype(self) -> torch.dtype:
        """Arithmetic of products and distances: torch.float32 or torch.float64."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        ...

    @property
    def scale(self) -> float:
        """Length of the unit in which `rows` gives the vectors."""
        ...

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def squared_norms(self) -> torch.Tensor:
        """Return the squared norm of every row, float64 (n,)."""
        ...

    def norms(self) -> torch.Tensor:
        """Return the norm of every row in units of `scale`, float64 (n,)."""
        ...

    def rows(self, indices: torch.Tensor | slice) -> Rows:
        """Return some rows in memory, in units of `scale`."""
        ...

    def take(self, indices: Any) -> Embedding:
        """Return the embedding of some rows, in the order given."""
        ...

    def inner(self, rows: Any, others: Any) -> torch.Tensor:
        """Return inner products, float64 (len(rows), len(others))."""
        ...

    def cosines(self, rows: Any, others: Any) -> torch.Tensor:
        """Return cosines of angles, float64 (len(rows), len(others))."""
        ...

    def distances_sq(self, rows: Any, others: Any) -> torch.Tensor:
        """Return squared Euclidean distances, float64 (len(rows), len(others))."""
        ...

    def to_dense(self) -> torch.Tensor:
        """Write the vectors out, shape (n, length)."""
        ...

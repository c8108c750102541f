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

    def norms(self) -> torch.Tensor:
        """Return the norm of every row in units of `scale`, float64 (n,)."""
        ...

    def rows(self, indices: torch.Tensor | slice) -> Rows:
        """Return some rows in memory, in units of `scale`."""
        ...

    def nearest_sq(self, part: slice, centers: Rows) -> torch.Tensor:
        """Return squared distances of a slice of rows to their nearest centers.

        In units of ``scale ** 2``, float64 (n_part,). The one call that reads all rows:
        an embedding may answer it where they lie.
        """
        ...

    def cosines(self, rows: Any, others: Any) -> torch.Tensor:
        """Return the cosines of the angles between rows at some positions and others.

        float64 (len(rows), len(others)), 0 for a row of zeros.
        """
        ...

    def in_units(self, units: tuple[float, float]) -> Embedding:
        """Return the same embedding with its two factors measured in other units."""
        ...

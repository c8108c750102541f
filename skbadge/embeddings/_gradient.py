"""Gradient embeddings, kept as the two factors they are made of."""

from __future__ import annotations

from typing import Any

import torch

from skbadge._contracts import Outputs
from skbadge.embeddings._factored import FactoredEmbedding
from skbadge.embeddings._sharded import ShardedEmbedding, ShardedTable
from skbadge.embeddings._tensors import as_tensor
from skbadge.exceptions import InvalidInputError

__all__ = ["GradientEmbedding"]


class GradientEmbedding(FactoredEmbedding):
    r"""Loss gradients in the weights of the last layer, never written out.

    The gradient for one row is an outer product: how wrong each logit is (the residual)
    times what the layer saw (the features). Norms, inner products and distances follow
    from the two short factors, so that K x d numbers a row are never formed.

    Parameters
    ----------
    residual : tensor or array of shape (n, K)
        Gradient of the loss in the logits at the hypothetical label,
        :math:`p - \mathrm{onehot}(\arg\max p)` for softmax losses.
    features : tensor or array of shape (n, d)
        Input of the last layer. Both may be memory maps larger than memory, on any one
        device, in float64, float32, float16 or bfloat16; half precision is storage
        only, the arithmetic is float32.
    bias : bool, default=False
        Whether the gradient in the layer's bias counts as well. The features then act
        as (features, 1), without a copy.

    Raises
    ------
    InvalidInputError
        If the factors are no 2-D tables of real numbers with as many rows each on one
        device. NaN and infinity are refused at the first use of the norms.

    Notes
    -----
    With :math:`g = a \otimes h`, :math:`g \cdot g' = (a \cdot a')(h \cdot h')`: a block
    of m by m' products takes O(m m' (K + d)) time. Memory is that of the factors and
    two norms a row.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal: Deep Batch Active Learning by Diverse,
    Uncertain Gradient Lower Bounds. arXiv:1906.03671. Equation 1.

    Examples
    --------
    >>> from skbadge.embeddings import GradientEmbedding
    >>> embedding = GradientEmbedding([[0.5, -0.5]], [[3.0, 4.0]])
    >>> embedding.squared_norms()
    tensor([12.5000], dtype=torch.float64)
    >>> embedding.to_dense()
    tensor([[ 1.5000,  2.0000, -1.5000, -2.0000]], dtype=torch.float64)
    """

    def __init__(self, residual: Any, features: Any, *, bias: bool = False) -> None:
        left = as_tensor(residual, "residual")
        right = as_tensor(features, "features")
        if len(left) != len(right):
            raise InvalidInputError(
                "residual and features must have as many rows each. Got "
                f"{len(left)} and {len(right)} instead."
            )
        if left.device != right.device:
            raise InvalidInputError(
                "residual and features must be on one device. Got "
                f"{left.device} and {right.device} instead."
            )
        super().__init__(left, right, 1.0 if bias else 0.0, ("residual", "features"))
        self.bias = bool(bias)
        self._residual = left

    @classmethod
    def from_outputs(cls, outputs: Outputs, *, bias: bool = False) -> GradientEmbedding:
        """Make the embedding of a pool from what one pass over it found.

        Parameters
        ----------
        outputs : Outputs
            With ``residual`` and ``features``.
        bias : bool, default=False
            As in the class.

        Returns
        -------
        GradientEmbedding, or ShardedEmbedding
            The latter where the rows lie on several machines.
        """
        residual, features = outputs.residual, outputs.features
        if isinstance(features, ShardedTable):
            return ShardedEmbedding(residual, features, bias=bias)
        return cls(residual, features, bias=bias)

    def take(self, indices: Any) -> GradientEmbedding:
        """Return the embedding of some rows, in the order given.

        Parameters
        ----------
        indices : array-like of int
            Positions of rows.

        Returns
        -------
        GradientEmbedding
        """
        positions = self._positions(indices)
        return GradientEmbedding(
            self._residual[positions], self._right[positions], bias=self.bias
        )

    def to_dense(self) -> torch.Tensor:
        """Write the gradients out, in the layout autograd gives them.

        Returns
        -------
        torch.Tensor of shape (n, K * d), or (n, K * d + K) with the bias
            The weight's gradient flattened row by row (class by class), then the bias's
            gradient. n x K x d numbers: for small pools only.
        """
        left, right = self._residual.to(self.dtype), self._right.to(self.dtype)
        weight = (left[:, :, None] * right[:, None, :]).flatten(1)
        return torch.cat([weight, left], dim=1) if self.bias else weight

"""From a user's table to a tensor, and robust row norms of tables of any size."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError

# Bytes of a table that are read at a time: a chunk and its products stay in the cache.
CHUNK_BYTES = 1 << 22
# Norms in between are safe to square and multiply in float32; others are rescaled.
_SAFE_LOW, _SAFE_HIGH = 2.0**-16, 2.0**16
# float32 squares neither vanish nor overflow beside norms in between.
_EXACT_LOW, _EXACT_HIGH = 1e-12, 1e15


def as_tensor(table: Any, name: str) -> torch.Tensor:
    """Return a 2-D floating tensor over ``table``, without a copy where possible.

    Parameters
    ----------
    table : tensor, array, memmap or list of shape (n, width)
        Integers and booleans become float64.
    name : str
        What to call it in an error.

    Returns
    -------
    torch.Tensor
        On the device of ``table``; without gradient.

    Raises
    ------
    InvalidInputError
        If it is not a 2-D table of real numbers with at least one column.
    """
    tensor = table.detach() if isinstance(table, torch.Tensor) else _wrap(table, name)
    if tensor.ndim != 2 or tensor.shape[1] == 0:
        raise InvalidInputError(
            f"{name} must be a 2-D table of shape (n, width) with width of at least "
            f"1. Got shape {tuple(tensor.shape)} instead."
        )
    if tensor.is_complex():
        raise InvalidInputError(
            f"{name} must hold real numbers. Got dtype {tensor.dtype} instead."
        )
    return tensor if tensor.is_floating_point() else tensor.double()


def _wrap(table: Any, name: str) -> torch.Tensor:
    try:
        array = np.asanyarray(table)
    except ValueError as error:
        raise InvalidInputError(
            f"{name} must be a 2-D table of numbers; its rows have different lengths."
        ) from error
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(
            f"{name} must hold real numbers. Got dtype {array.dtype} instead."
        )
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array)
    with warnings.catch_warnings():
        # Read-only memory (a memmap of mode "r") is fine: nothing here writes to it.
        warnings.filterwarnings("ignore", message="The given NumPy array is not wri")
        return torch.from_numpy(array)


def arithmetic_dtype(*tables: torch.Tensor) -> torch.dtype:
    """Return float64 if any table is stored in it, else float32."""
    if any(table.dtype == torch.float64 for table in tables):
        return torch.float64
    return torch.float32


def chunk_length(width: int) -> int:
    """Return how many rows of ``width`` numbers to read at a time.

    It depends on the shape alone, never on the machine: results do not either.
    """
    return max(64, min(1 << 16, CHUNK_BYTES // (4 * width)))


def row_norms(table: torch.Tensor, name: str) -> torch.Tensor:
    """Return the Euclidean norm of each row, whatever its magnitude.

    Parameters
    ----------
    table : torch.Tensor of shape (n, width)
        May be larger than memory; it is read once, in chunks.
    name : str
        What to call it in an error.

    Returns
    -------
    torch.Tensor of shape (n,), dtype float64

    Raises
    ------
    InvalidInputError
        If a row holds NaN or infinity.
    """
    norms = torch.empty(len(table), dtype=torch.float64, device=table.device)
    step = chunk_length(table.shape[1])
    for start in range(0, len(table), step):
        norms[start : start + step] = _chunk_norms(table[start : start + step])
    bad = torch.nonzero(~torch.isfinite(norms))
    if len(bad):
        raise InvalidInputError(
            f"{name} must be finite. Got NaN or infinity in {len(bad)} of "
            f"{len(norms)} rows instead, the first at position {int(bad[0])}."
        )
    return norms


def _chunk_norms(chunk: torch.Tensor) -> torch.Tensor:
    if chunk.dtype != torch.float64:
        norms = torch.linalg.vector_norm(chunk, dim=1, dtype=torch.float32)
        low, high = torch.aminmax(norms)
        if low > _EXACT_LOW and high < _EXACT_HIGH:
            return norms.double()
        return torch.linalg.vector_norm(chunk.double(), dim=1)
    # In float64 the squares themselves may vanish or overflow: divide first. A power of
    # two would do as well; only the range matters here.
    largest = chunk.abs().amax(dim=1)
    divisor = torch.where(largest > 0, largest, 1.0)
    return largest * torch.linalg.vector_norm(chunk / divisor[:, None], dim=1)


def scale_for(norms: torch.Tensor) -> float:
    """Return a power of two to divide rows by, 1 where their range is safe already.

    Division by a power of two rounds nothing, so whole numbers stay exact.
    """
    largest = float(norms.max()) if len(norms) else 0.0
    if largest == 0.0 or _SAFE_LOW <= largest <= _SAFE_HIGH:
        return 1.0
    # Smaller than the smallest normal float64: its reciprocal would overflow.
    return float(2.0 ** max(np.floor(np.log2(largest)), -1021.0))


def rescaled(chunk: torch.Tensor, scale: float, dtype: torch.dtype) -> torch.Tensor:
    """Return ``chunk / scale`` in ``dtype``; the chunk itself where nothing changes."""
    if scale == 1.0:
        return chunk.to(dtype)
    # Through float64: the scale of a float32 table may lie outside float32.
    return (chunk.double() / scale).to(dtype)

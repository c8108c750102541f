"""From a user's table to a tensor, and row norms of tables of any size and range."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError

# Bytes of a table that are read at a time: a chunk and its products stay in the cache.
CHUNK_BYTES = 1 << 21
# Norms in between are safe to square and multiply in float32; others are rescaled.
_SAFE_LOW, _SAFE_HIGH = 2.0**-16, 2.0**16
# The largest power of two among the float64.
LARGEST_UNIT = 2.0**1023
# Between these, squares neither vanish nor overflow beside each other.
_FLOAT32_NORMS = (1e-12, 1e15)
_FLOAT64_SQUARES = (1e-200, 1e300)


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
        # Of memory that is read-only (a memmap of mode "r"); nothing here writes to it.
        warnings.simplefilter("ignore")
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


def measure_rows(
    table: torch.Tensor, name: str, dtype: torch.dtype
) -> tuple[float, torch.Tensor]:
    """Return a unit of length, and the squared norm of each row in it.

    Parameters
    ----------
    table : torch.Tensor of shape (n, width)
        May be larger than memory; it is read in chunks, once unless its numbers are
        extreme.
    name : str
        What to call it in an error.
    dtype : torch.dtype
        Arithmetic whose products the norms will stand beside.

    Returns
    -------
    unit : float
        A power of two, so that dividing by it rounds nothing; 1 where the norms are
        safe to multiply in float32 as they are.
    squared_norms : torch.Tensor of shape (n,), dtype float64
        Exact for whole numbers in float64.

    Raises
    ------
    InvalidInputError
        If a row holds NaN or infinity.
    """
    squared = in_chunks(table, lambda chunk: _squared_norms(chunk, dtype))
    if dtype == torch.float64 and not _between(squared, *_FLOAT64_SQUARES):
        # The squares themselves have vanished or overflown: first find the unit.
        largest = in_chunks(table, lambda chunk: chunk.abs().amax(dim=1))
        _check_finite(largest, name)
        unit = unit_for(float(largest.max()))
        return unit, in_chunks(
            table, lambda chunk: _squared_norms(chunk.double() / unit, dtype)
        )
    _check_finite(squared, name)
    unit = unit_for(float(squared.max().sqrt()) if len(squared) else 0.0)
    return unit, squared / unit / unit


def in_chunks(
    table: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Return one number a row, float64, by a function of some rows at a time.

    Written in one place: kept one by one, small results lie between the blocks that are
    freed, which then are not used again.
    """
    found = table.new_empty(len(table), dtype=torch.float64)
    step = chunk_length(math.prod(table.shape[1:]))
    for start in range(0, len(table), step):
        found[start : start + step] = function(table[start : start + step])
    return found


def _squared_norms(chunk: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if dtype == torch.float64:
        return chunk.double().square().sum(dim=1)
    norms = torch.linalg.vector_norm(chunk, dim=1, dtype=torch.float32)
    if _between(norms, *_FLOAT32_NORMS):
        return norms.double().square()
    return chunk.double().square().sum(dim=1)


def _between(values: torch.Tensor, low: float, high: float) -> bool:
    """Say whether all values are within the limits, and none is NaN."""
    return not len(values) or bool(low < values.min() and values.max() < high)


def _check_finite(values: torch.Tensor, name: str) -> None:
    bad = torch.nonzero(~torch.isfinite(values))
    if len(bad):
        raise InvalidInputError(
            f"{name} must be finite. Got NaN or infinity in {len(bad)} of "
            f"{len(values)} rows instead, the first at position {int(bad[0])}."
        )


def unit_for(largest: float) -> float:
    """Return the unit of length for rows whose largest norm is given."""
    if _SAFE_LOW <= largest <= _SAFE_HIGH:
        return 1.0
    # Zeros fit any unit: in the smallest they decide nothing where tables meet.
    exponent = math.frexp(largest)[1] - 1 if largest else -1021
    # The reciprocal of a smaller one would overflow.
    return 2.0 ** max(exponent, -1021)


def in_unit(chunk: torch.Tensor, unit: float, dtype: torch.dtype) -> torch.Tensor:
    """Return ``chunk / unit`` in ``dtype``; the chunk itself where nothing changes."""
    if unit == 1.0:
        return chunk.to(dtype)
    if chunk.dtype == dtype and 2.0**-126 <= unit <= 2.0**126:
        return chunk * (1.0 / unit)
    # Through float64: the unit of a float32 table may lie outside float32.
    return (chunk.double() / unit).to(dtype)


def times_unit(values: torch.Tensor, *units: float) -> torch.Tensor:
    """Return ``values`` times the units in float64, at most the largest float64."""
    product = values.double()
    for unit in units:
        product = product * unit
    largest = torch.finfo(torch.float64).max
    return product.clamp(-largest, largest)


def directions(rows: torch.Tensor) -> torch.Tensor:
    """Return float64 rows scaled to length 1; rows of zeros stay as they are."""
    # Each in a unit of its own first: squares of the numbers could vanish or overflow.
    largest = rows.abs().amax(dim=1, keepdim=True)
    rows = rows / torch.where(largest > 0.0, largest, 1.0)
    return torch.nn.functional.normalize(rows)

"""What it looks like when memory runs out."""

from __future__ import annotations

import torch

__all__ = ["ran_out_of_memory"]

# What torch says in a plain RuntimeError: of main memory on Linux and on Windows, of
# the memory of a GPU, and of what the libraries below it want for themselves.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Say whether an error tells that memory ran out, here or on a GPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    known = any(text in str(error) for text in _OUT_OF_MEMORY)
    return known and isinstance(error, RuntimeError)

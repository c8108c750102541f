"""Tables for a whole pool: in memory, or in a file without a name."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import sklearn
import torch

from skbadge.exceptions import PoolPassError
from skbadge.utils._memory import ran_out_of_memory

__all__ = ["empty_tables", "table_on_disk"]

_GIB = 2**30


def empty_tables(
    n_rows: int, found: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Make one table for each output of a net, of the width its first batch has.

    Parameters
    ----------
    n_rows : int
        Number of rows of the tables.
    found : dict of str to tensor of shape (n_batch, ...)
        Outputs of the first batch.

    Returns
    -------
    dict of str to tensor of shape (n_rows, ...)
        Uninitialized, half precision widened to float32. On the outputs' device where
        each table fits into scikit-learn's ``working_memory``; otherwise all are in
        main memory, and those that do not fit in temporary files.

    Raises
    ------
    PoolPassError
        If memory or disk have no room, with the amount needed.
    """
    limit = sklearn.get_config()["working_memory"] * 2**20
    plans = {
        name: (
            (n_rows, *part.shape[1:]),
            torch.promote_types(part.dtype, torch.float32),
        )
        for name, part in found.items()
    }
    sizes = {
        name: math.prod(shape) * dtype.itemsize
        for name, (shape, dtype) in plans.items()
    }
    on_disk = sum(size for size in sizes.values() if size > limit)
    if on_disk:
        _check_disk(on_disk, limit)
    tables = {}
    for name, (shape, dtype) in plans.items():
        if sizes[name] > limit:
            tables[name] = table_on_disk(shape, dtype, sizes[name], limit)
        else:
            device = "cpu" if on_disk else found[name].device
            tables[name] = _in_memory(shape, dtype, device, sizes[name])
    return tables


def _in_memory(
    shape: Any, dtype: torch.dtype, device: torch.device | str, n_bytes: int
) -> torch.Tensor:
    try:
        return torch.empty(shape, dtype=dtype, device=device)
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        raise PoolPassError(
            f"Memory ran out for {n_bytes / _GIB:.2f} GiB of what the net answers for "
            "the pool. Lower scikit-learn's limit with "
            "sklearn.config_context(working_memory=...) (in MiB), so that they go to a "
            "temporary file, or query fewer candidates, for example with subsample=..."
        ) from error


def table_on_disk(
    shape: Any, dtype: torch.dtype, n_bytes: int, limit: float
) -> torch.Tensor:
    # Nameless from the start: nothing is left behind, not even by a killed process.
    with tempfile.TemporaryFile() as file:
        try:
            _reserve(file, n_bytes)
        except OSError as error:
            raise PoolPassError(_advice(n_bytes, limit)) from error
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        return torch.from_numpy(np.memmap(file, dtype=kind, mode="r+", shape=shape))


def _reserve(file: Any, n_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            # Without it a full disk shows as a bus error in the middle of the pass.
            os.posix_fallocate(file.fileno(), 0, n_bytes)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
    # The file system cannot reserve room; the check of the free space must do.
    file.truncate(n_bytes)


def _check_disk(n_bytes: int, limit: float) -> None:
    if n_bytes > shutil.disk_usage(tempfile.gettempdir()).free:
        raise PoolPassError(_advice(n_bytes, limit))


def _advice(n_bytes: int, limit: float) -> str:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    return (
        f"{n_bytes / _GIB:.2f} GiB of what the net answers for the pool are above "
        f"scikit-learn's working_memory ({limit / _GIB:.2f} GiB), so they go to a "
        f"temporary file in {folder}, which has {free / _GIB:.2f} GiB free. Free some "
        "disk, point the environment variable TMPDIR to a larger one, query fewer "
        "candidates, or raise the limit with "
        "sklearn.config_context(working_memory=...) (in MiB)."
    )

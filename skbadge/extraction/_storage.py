"""Arrays for a whole pool: in memory, or in a file without a name."""

from __future__ import annotations

import os
import shutil
import tempfile

import numpy as np
import sklearn
import torch

from skbadge.exceptions import PoolPassError

__all__ = ["empty_rows"]


def empty_rows(shape, dtype, device):
    """Make an array for a whole pool, on disk where it is above ``working_memory``."""
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    limit = sklearn.get_config()["working_memory"] * 2**20
    if n_bytes <= limit:
        return torch.empty(shape, dtype=dtype, device=device)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    advice = (
        f"{n_bytes / 2**30:.2f} GiB of features are above scikit-learn's "
        f"working_memory ({limit / 2**30:.2f} GiB), so they go to a temporary file in "
        f"{folder}, which has {free / 2**30:.2f} GiB free. Free some disk, point the "
        "environment variable TMPDIR to a larger one, query fewer candidates, or raise "
        "the limit with sklearn.config_context(working_memory=...) (in MiB)."
    )
    if n_bytes > free:
        raise PoolPassError(advice)
    # Nameless from the start: nothing is left behind, not even by a killed process.
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):
                # Without it a full disk shows as a bus error in the middle of the pass.
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            else:
                file.truncate(n_bytes)
        except OSError as error:
            raise PoolPassError(advice) from error
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        return torch.from_numpy(np.memmap(file, dtype=kind, mode="r+", shape=shape))

"""Several GPUs: each worker process of a grid sees one of them."""

from __future__ import annotations

import os
import re
from functools import cache
from multiprocessing import current_process

import torch

__all__ = ["count_gpus", "use_one_of", "visible_gpus"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus(cells):
    """Return what to call the GPUs that cells may share out among them.

    Parameters
    ----------
    cells : iterable of Cell
        Those with ``device="cuda"`` take any GPU; one that names its own, such as
        "cuda:1", must find all of them.

    Returns
    -------
    tuple of str
        Names as ``CUDA_VISIBLE_DEVICES`` takes them; empty where there is nothing to
        share out.
    """
    devices = {cell.device for cell in cells}
    if "cuda" not in devices or any(name.startswith("cuda:") for name in devices):
        return ()
    named = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",")]
    named = [name for name in named if name] or [str(i) for i in range(count_gpus())]
    return tuple(named) if len(named) > 1 else ()


def count_gpus():
    """Return how many GPUs torch sees here."""
    return torch.cuda.device_count()


@cache
def use_one_of(gpus):
    """Hide all GPUs from this process but one, by the number of the process.

    Must come before anything is computed on a GPU. Later calls change nothing: a worker
    keeps its own.
    """
    if gpus:
        os.environ[_VISIBLE] = gpus[_number() % len(gpus)]


def _number():
    """Return the number of this worker among its kind, from 0."""
    try:
        from distributed import get_worker

        name = str(get_worker().name)
    except (ImportError, ValueError):
        # joblib's own: LokyProcess-1, LokyProcess-2 ...
        name = current_process().name
    digits = re.findall(r"\d+", name)
    return int(digits[-1]) if digits else 0

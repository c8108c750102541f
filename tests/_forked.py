"""Dask workers that start in no time: forked from a process that has imported.

A worker that Dask starts anew imports for seconds, four of them on two cores for ten.
To Dask a forked one is a process like any other.
"""

import multiprocessing
from contextlib import contextmanager

import dask
import pytest

_IMPORTED = ["distributed", "skbadge.cluster", "tests._first_optimizer"]


@contextmanager
def forked_workers():
    """Fork the workers of clusters that are made meanwhile."""
    # Its defaults must be there before a setting of ours.
    pytest.importorskip("distributed")
    context = multiprocessing.get_context("forkserver")
    # The process to fork from imports what is named as it starts. It is started here,
    # since Dask would name modules of its own.
    context.set_forkserver_preload(_IMPORTED)
    process = context.Process(target=int)
    process.start()
    process.join()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield

"""Where joblib runs the cells: processes here, or a Dask cluster."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager

from joblib import effective_n_jobs, parallel_config

from skbadge.benchmarks.run._parent import end_with
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_integer, check_option

__all__ = ["BACKENDS", "parallel_backend"]

BACKENDS = ("loky", "dask")


@contextmanager
def parallel_backend(name, n_jobs, *, scheduler=None):
    """Choose a joblib backend with processes for a while.

    Parameters
    ----------
    name : {"loky", "dask"}
        The backend.
    n_jobs : int
        Processes; -1 for one a core.
    scheduler : str or None, default=None
        Address of a running Dask cluster. None starts one on this machine.

    Yields
    ------
    int
        ``n_jobs`` for `run_grid`.

    Raises
    ------
    InvalidInputError
        If the number of jobs is 0, or the cluster cannot be had or has several threads
        a worker.
    """
    check_option(name, "backend", BACKENDS)
    if check_integer(n_jobs, "jobs") == 0:
        raise InvalidInputError(
            "jobs must be an int other than 0: a number of processes, or -1 for one a "
            "core. Got 0 instead."
        )
    if name == "loky":
        with _watched_loky():
            yield n_jobs
        return
    with ExitStack() as stack:
        _enter_cluster(stack, effective_n_jobs(n_jobs), scheduler)
        with parallel_config(backend="dask"):
            # The cluster alone decides how many run at a time.
            yield -1


def _watched_loky():
    """Return the backend whose workers end with this process from their start on."""
    threads = {"inner_max_num_threads": 1}
    try:
        return parallel_config(
            backend="loky", **threads, initializer=end_with, initargs=(os.getpid(),)
        )
    except TypeError:
        # Of an older joblib: they watch from their first cell on.
        return parallel_config(backend="loky", **threads)


def _enter_cluster(stack, n_workers, scheduler):
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise InvalidInputError(
            "The backend 'dask' needs the package distributed: pip install "
            "'skbadge[benchmark]'."
        ) from error
    if scheduler is None:
        cluster = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,
            dashboard_address=None,
        )
        stack.enter_context(cluster)
        stack.enter_context(Client(cluster))
        return
    try:
        client = stack.enter_context(Client(scheduler, timeout="30s"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            "scheduler must be the address of a running Dask cluster. Got "
            f"{scheduler!r} instead: {error}"
        ) from error
    threads = set(client.nthreads().values())
    if threads != {1}:
        found = f"workers with {sorted(threads)} threads" if threads else "no workers"
        raise InvalidInputError(
            "The Dask cluster must have workers of one thread each, since each cell "
            f"has a process of its own. Got {found} instead: start them with "
            "'dask worker --nthreads 1 --nworkers N ADDRESS'."
        )

"""Worker processes of the grid: what they run, what becomes of them, progress."""

from __future__ import annotations

import os
import sys
import threading
from functools import cache
from time import sleep

from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from skbadge.benchmarks.run._cell import attempt_cell, describe_failure
from skbadge.exceptions import InvalidInputError, SkbadgeError

__all__ = ["ProgressBar", "check_processes", "completed"]

_DIED = (
    "Worker processes die again and again{when}. Finished cells are kept: the same "
    "command goes on; give it fewer --jobs, or more memory."
)
_MOST_CRASHES = 2


def check_processes(n_jobs):
    """Refuse backends that would run cells in threads of this process.

    Raises
    ------
    InvalidInputError
        If it is one.
    SkbadgeError
        If processes cannot even be started.
    """
    for last in (False, True):
        try:
            (pid, thread), *_ = Parallel(n_jobs=n_jobs)([delayed(_whereabouts)()])
            break
        # joblib's backends have no error in common for a process that was killed.
        except Exception as error:
            if last:
                raise SkbadgeError(_DIED.format(when=" as they start")) from error
    if pid == os.getpid() and thread != threading.get_ident():
        raise InvalidInputError(
            "The joblib backend must run cells in processes: torch has one random "
            "generator and one number of threads for a whole process. Got one with "
            'threads instead: use joblib.parallel_config(backend="loky"), or '
            'backend="dask" with worker processes of one thread each.'
        )


def _whereabouts():
    return os.getpid(), threading.get_ident()


def completed(store, todo, n_jobs):
    """Yield (cell, content) as cells finish, whatever becomes of the processes."""
    pending = dict.fromkeys(todo)
    crashes = 0
    while pending:
        try:
            for cell, content in _parallel(store, pending, n_jobs):
                crashes = 0
                del pending[cell]
                yield cell, content
        except Exception as error:
            # A cell's own errors do not come this way: a process has died. One of the
            # cells under way is to blame, so each of them gets another try, alone.
            crashes += 1
            if crashes > _MOST_CRASHES:
                raise SkbadgeError(_DIED.format(when="")) from error
            for cell in list(pending)[: effective_n_jobs(n_jobs)]:
                del pending[cell]
                try:
                    content = next(_parallel(store, [cell], n_jobs))[1]
                    crashes = 0
                except Exception as lone_error:
                    content = describe_failure(cell, lone_error)
                yield cell, content


def _parallel(store, cells, n_jobs):
    """Yield (cell, content) as cells finish."""
    jobs = (
        delayed(_as_child)(
            os.getpid(),
            attempt_cell,
            cell,
            str(store.path(cell, ".partial")),
            store.read(cell, ".partial"),
        )
        for cell in list(cells)
    )
    # One cell a task: each must come back, and be written, when it is done.
    return Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)(jobs)


def _as_child(parent, function, *arguments):
    """Call a function in a process that must not outlive the one it works for."""
    if parent == os.getppid():
        _end_with(parent)
    return function(*arguments)


@cache
def _end_with(parent):
    """End this process soon after its parent, which, once killed, cannot tell it."""

    def watch():
        while os.getppid() == parent:
            sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class ProgressBar:
    """Count cells, and the time left by what cells cost.

    Parameters
    ----------
    n_cells, n_done : int
        Cells in all, and those that are there already.
    costs : dict
        What each cell left costs beside others.
    shown : bool
        Whether to show anything, on the standard error.
    """

    def __init__(self, n_cells, n_done, costs, *, shown):
        self._n_cells, self._n_done, self._n_failed = n_cells, n_done, 0
        self._costs = costs
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=sum(costs.values()),
            desc=self._count(),
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} gone, "
            "{remaining} left",
            ncols=None if terminal else 80,
            mininterval=0.1 if terminal else 10,
            smoothing=0,
            file=sys.stderr,
            disable=not shown,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def advance(self, cell, failed):
        """Count one more cell."""
        self._n_done += 1
        self._n_failed += failed
        self._bar.set_description_str(self._count(), refresh=False)
        self._bar.update(self._costs[cell])

    def _count(self):
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        return f"{self._n_done} of {self._n_cells} cells{failed}"

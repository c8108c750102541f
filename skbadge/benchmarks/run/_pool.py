"""Worker processes of the grid: what they run, where, and what becomes of them."""

from __future__ import annotations

import os
import threading

from joblib import Parallel, delayed, effective_n_jobs

from skbadge.benchmarks.run._cell import attempt_cell, describe_failure
from skbadge.benchmarks.run._gpus import use_one_of, visible_gpus
from skbadge.benchmarks.run._parent import end_with
from skbadge.exceptions import InvalidInputError, SkbadgeError

__all__ = ["check_processes", "completed"]

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
    gpus = visible_gpus(cells)
    jobs = (
        delayed(_as_child)(
            os.getpid(),
            gpus,
            attempt_cell,
            cell,
            str(store.path(cell, ".partial")),
            store.read(cell, ".partial"),
        )
        for cell in list(cells)
    )
    # One cell a task: each must come back, and be written, when it is done.
    return Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)(jobs)


def _as_child(parent, gpus, function, *arguments):
    """Call a function in a process that must not outlive the one it works for."""
    if parent == os.getppid():
        end_with(parent)
        # Workers on other machines see what they were started with.
        use_one_of(gpus)
    return function(*arguments)

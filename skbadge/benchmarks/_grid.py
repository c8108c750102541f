"""Run many cells in parallel, each stored when it is done."""

from __future__ import annotations

import json
import os
import sys
import threading
import warnings
from collections import Counter
from dataclasses import asdict, dataclass

import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from skbadge.benchmarks._cell import attempt_cell, describe_failure, environment
from skbadge.benchmarks._settings import Cell
from skbadge.benchmarks._store import RUN_AGAIN, CellStore, write_atomically
from skbadge.benchmarks._tasks import check_task, load_task
from skbadge.exceptions import InvalidInputError, SkbadgeError

__all__ = ["GridResults", "load_grid", "run_grid"]

_SETTINGS = "settings.json"


@dataclass(frozen=True, eq=False)
class GridResults:
    """What there is of a grid, finished or not.

    Attributes
    ----------
    results : DataFrame
        One row a cell and round: dataset, model, batch_size, strategy, repeat, round,
        n_labeled, accuracy (on the test set), train_accuracy, epochs, hit_max_epochs,
        and positions (of the rows added, in the pool of the repeat, joined by spaces).
        The same for every number of jobs, on every backend, interrupted or not.
    costs : DataFrame
        The same keys; fit_seconds, embed_seconds and select_seconds (NaN in round 0,
        which has no query), peak_memory_mb of the process.
    failures : DataFrame
        One row a failed cell, with its error and traceback.
    missing : DataFrame
        One row a cell that is neither finished nor failed.
    settings : dict
        What ``settings.json`` says.
    """

    results: pd.DataFrame
    costs: pd.DataFrame
    failures: pd.DataFrame
    missing: pd.DataFrame
    settings: dict


def run_grid(cells, out, *, n_jobs=None, resume=False, progress=False, about=None):
    """Run the cells of an experiment in parallel processes.

    Each finished cell is written at once, and each long one after every round, so that
    an experiment that was killed goes on where it was.

    Parameters
    ----------
    cells : sequence of Cell
        What to run; see `make_cells` and `preset_cells`.
    out : str or Path
        Folder of the experiment. Gets ``results.csv``, ``costs.csv``,
        ``settings.json``, ``failures.csv`` if there are any, and the folder ``cells``.
    n_jobs : int or None, default=None
        Processes, as for :class:`joblib.Parallel`: -1 for all cores, None for what
        :func:`joblib.parallel_config` says, else 1, which runs in this process.
    resume : bool, default=False
        Keep finished cells with the same settings, and go on with interrupted ones.
        Failed cells are run again. False runs every cell again.
    progress : bool, default=False
        Show a progress bar with the time left, on the standard error.
    about : dict or None, default=None
        Anything worth knowing of the experiment, written to ``settings.json``.

    Returns
    -------
    GridResults

    Raises
    ------
    InvalidInputError
        If cells cannot be run together or with their data, or the joblib backend
        computes in threads.
    DataUnavailableError
        If data cannot be had. Both are noticed before the first cell is run.

    Warns
    -----
    UserWarning
        For a damaged file, which is not used, and for finished cells of other versions
        of the libraries.

    Notes
    -----
    A cell that fails is recorded with its traceback and does not stop the others. So is
    one whose process dies, for example for want of memory.

    Any joblib backend with processes serves: loky, joblib's own, or Dask for many
    machines, with one thread a worker::

        client = dask.distributed.Client("tcp://scheduler:8786")
        with joblib.parallel_config(backend="dask"):
            run_grid(cells, "results")

    With Dask the results come back to this machine and are written here; checkpoints
    are written by the workers, so continuing inside a cell needs a shared folder.

    Examples
    --------
    >>> import tempfile
    >>> from skbadge.benchmarks import make_cells, run_grid
    >>> cells = make_cells(
    ...     ["digits"], batch_sizes=[50], strategies=["marg", "rand"], repeats=1,
    ...     n_rounds=1, n_hidden=8, max_epochs=3)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     grid = run_grid(cells, out)
    >>> grid.results[["strategy", "n_labeled"]].values.tolist()
    [['marg', 100], ['marg', 150], ['rand', 100], ['rand', 150]]
    """
    cells = _check_cells(cells)
    store = CellStore(out)
    todo = _unfinished(store, cells) if resume else cells
    costs = _check_data(todo)
    if todo:
        _check_processes(n_jobs)
    store.make()
    if not resume:
        for cell in cells:
            store.forget(cell)
    _write_settings(store, cells, about)
    # Long ones first, so that no core waits for a long one at the end.
    todo = sorted(todo, key=costs.get, reverse=True)
    done = len(cells) - len(todo)
    bar = _Bar(len(cells), done, costs, shown=progress and bool(todo))
    try:
        with bar:
            for cell, content in _completed(store, todo, n_jobs):
                failed = "error" in content
                (store.write_failure if failed else store.write)(cell, content)
                bar.advance(cell, failed)
    finally:
        grid = _collect(store, cells, about)
    return grid


def load_grid(out):
    """Read a folder written by `run_grid`, however far it got, and refresh its tables.

    Parameters
    ----------
    out : str or Path
        The folder.

    Returns
    -------
    GridResults

    Raises
    ------
    InvalidInputError
        If it is no such folder.
    """
    store = CellStore(out)
    path = store.directory / _SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        shared = settings["shared"]
        cells = _check_cells(Cell(**shared, **other) for other in settings["cells"])
    except OSError as error:
        raise InvalidInputError(
            f"The folder must hold the results of a benchmark. Got {str(out)!r}, which "
            f"has no readable {_SETTINGS}."
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError(
            f"{path} must list the cells of a benchmark. Got something else ({error}): "
            "run the benchmark again with --resume to write it anew."
        ) from error
    about = settings.get("about")
    return _collect(store, cells, about, damaged="It counts as missing.")


def _check_cells(cells):
    cells = list(cells)
    if not cells or not all(isinstance(cell, Cell) for cell in cells):
        raise InvalidInputError(
            f"cells must be a sequence of at least one Cell. Got {cells[:3]!r} instead."
        )
    counts = Counter(tuple(cell.key.values()) for cell in cells)
    key, count = counts.most_common(1)[0]
    if count > 1:
        raise InvalidInputError(
            "Each cell of an experiment must have its own dataset, model, batch_size, "
            f"strategy and repeat. Got {key} {count} times: use one folder for each "
            "setting."
        )
    return cells


def _unfinished(store, cells):
    """Return the cells without a usable file, and warn of other versions."""
    now, others, todo = environment(), set(), []
    for cell in cells:
        content = store.read(cell)
        if content is None:
            todo.append(cell)
            continue
        there = content["environment"]
        others |= {
            f"{name} {there[name]}" for name in there if there[name] != now[name]
        }
    if others:
        warnings.warn(
            "Finished cells are kept that were run with other versions, "
            f"{', '.join(sorted(others))}: results may differ from those of a grid run "
            "in one go. Without resuming, all cells are run again.",
            UserWarning,
            stacklevel=3,
        )
    return todo


def _check_data(cells):
    """Load each data set once, check all cells against it, and estimate their costs.

    A download happens here, once, and not in every worker.
    """
    groups = {}
    for cell in cells:
        groups.setdefault((cell.dataset, cell.path), []).append(cell)
    costs = {}
    for group in groups.values():
        task = load_task(group[0])
        for cell in group:
            check_task(cell, task)
            costs[cell] = _cost(cell, len(task.X))
    return costs


def _cost(cell, n_pool):
    """Estimate what a cell costs beside others, in whole units of no meaning."""
    n_rounds = cell.count_rounds(n_pool)
    labels = [cell.n_initial + i * cell.batch_size for i in range(n_rounds + 1)]
    training = sum(labels) * (50 if cell.model == "resnet" else 1)
    choosing = n_rounds * n_pool * cell.batch_size / 1_000
    swaps = 0.01 * n_rounds * cell.batch_size**2
    factors = {"badge": (0.2, 0), "badge-kdpp": (0.2, 1), "coreset": (0.05, 0)}
    by_pool, by_swap = factors.get(cell.strategy, (0.0, 0))
    return int(training + by_pool * choosing + by_swap * swaps) + 1


def _check_processes(n_jobs):
    """Refuse backends that would run cells in threads of this process."""
    (pid, thread), *_ = Parallel(n_jobs=n_jobs)([delayed(_whereabouts)()])
    if pid == os.getpid() and thread != threading.get_ident():
        raise InvalidInputError(
            "The joblib backend must run cells in processes: torch has one random "
            "generator and one number of threads for a whole process. Got one with "
            'threads instead: use joblib.parallel_config(backend="loky"), or '
            'backend="dask" with worker processes of one thread each.'
        )


def _whereabouts():
    return os.getpid(), threading.get_ident()


def _completed(store, todo, n_jobs):
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
            if crashes > 2:
                raise SkbadgeError(
                    "Worker processes die again and again. Finished cells are kept: go "
                    "on with --resume and fewer --jobs, or more memory."
                ) from error
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
        delayed(attempt_cell)(
            cell, str(store.path(cell, ".partial")), store.read(cell, ".partial")
        )
        for cell in list(cells)
    )
    # One cell a task: each must come back, and be written, when it is done.
    return Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)(jobs)


class _Bar:
    """A progress bar that counts cells, and the time left by what cells cost."""

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


def _collect(store, cells, about, *, damaged=RUN_AGAIN):
    """Write the tables and the settings anew, and return all that there is."""
    results, costs, failures, missing, environments = store.tables(
        cells, damaged=damaged
    )
    store.write_tables(results, costs, failures)
    summary = {
        "cells": len(cells),
        "finished": len(cells) - len(failures) - len(missing),
        "failed": len(failures),
        "missing": len(missing),
        "trainings_stopped_by_max_epochs": _cap_hits(results),
        "environments": environments,
    }
    settings = _write_settings(store, cells, about, summary)
    missing = pd.DataFrame([cell.key for cell in missing], columns=list(cells[0].key))
    return GridResults(results, costs, failures, missing, settings)


def _cap_hits(results):
    """Return, for each setting, how many trainings ended without 99% accuracy."""
    counts = results.groupby(["dataset", "model", "batch_size"])["hit_max_epochs"]
    return [
        dict(zip(("dataset", "model", "batch_size"), setting, strict=True))
        | {"hits": int(hits.sum()), "trainings": len(hits)}
        for setting, hits in counts
    ]


def _write_settings(store, cells, about, summary=None):
    everything = [asdict(cell) for cell in cells]
    shared = {
        name: value
        for name, value in everything[0].items()
        if all(settings[name] == value for settings in everything)
    }
    settings = {
        "about": about or {},
        "summary": summary or {},
        "shared": shared,
        "cells": [
            {name: value for name, value in cell.items() if name not in shared}
            for cell in everything
        ],
    }
    text = json.dumps(settings, indent=1)
    write_atomically(store.directory / _SETTINGS, text + "\n")
    return settings

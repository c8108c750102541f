"""Run many cells in parallel, each stored when it is done."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from skbadge.benchmarks._methods import (
    load_object,
    make_strategy,
)
from skbadge.benchmarks.run._cell import environment, made_of, scorers_of
from skbadge.benchmarks.run._csv import read_csv
from skbadge.benchmarks.run._deviations import read_off, without_read_off
from skbadge.benchmarks.run._listing import (
    NO_LIST,
    about_all,
    cells_of,
    check_cells,
    earlier,
    joined,
    read_listing,
    what_is_there,
    write_listing,
)
from skbadge.benchmarks.run._pool import check_processes, completed
from skbadge.benchmarks.run._progress import ProgressBar
from skbadge.benchmarks.run._settings import Cell
from skbadge.benchmarks.run._store import KEY, RUN_AGAIN, SETTINGS, TABLES, CellStore
from skbadge.benchmarks.run._together import check_paired
from skbadge.benchmarks.run._work import load_all, task_of, weigh, without_missing
from skbadge.exceptions import InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.nets._estimators import check_estimator_kind

__all__ = ["GridResults", "load_grid", "run_grid"]

_WORDS = {
    "data": "other data",
    "skbadge": "another version of skbadge",
    "code": "other code of your own",
}


@dataclass(frozen=True, eq=False)
class GridResults:
    """What there is of a grid, finished or not.

    Attributes
    ----------
    results : DataFrame
        One row a cell and round: dataset, model, batch_size, strategy, repeat, round,
        n_labeled, accuracy (on the test set), any other metrics, train_accuracy,
        epochs, hit_max_epochs (also for a cap on updates), and positions (of the rows
        added, in the pool of the repeat, joined by spaces).
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

    def cells(self) -> list[Cell]:
        """Return the cells that the settings list (list of Cell)."""
        return cells_of(self.settings)


def run_grid(
    cells: Sequence[Cell],
    out: str | Path,
    *,
    n_jobs: int | None = None,
    resume: bool = True,
    progress: bool = False,
    about: dict[str, Any] | None = None,
    skip_missing: bool = False,
) -> GridResults:
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
    resume : bool, default=True
        Keep finished cells with the same settings, data and code, and go on with
        interrupted ones; failed cells are run again. Other cells of the folder stay in
        its tables, so that one folder can be filled by several calls. False gives the
        folder of old cells another name and runs every cell anew.
    progress : bool, default=False
        Show a progress bar with the time left, on the standard error.
    about : dict or None, default=None
        Anything worth knowing of the experiment, written to ``settings.json``, beside
        what was said there of other cells that stay.
    skip_missing : bool, default=False
        Run the cells whose data can be had, where others cannot; which ones are left
        out is written to ``settings.json`` and told in the report.

    Returns
    -------
    GridResults
        Of all cells of the folder.

    Raises
    ------
    InvalidInputError
        If cells cannot be run together or with their data, if cells of one data set,
        net and batch size differ in more than the strategy, those that are in the
        folder included, or if the joblib backend computes in threads.
    DataUnavailableError
        If data cannot be had. Both are noticed before the first cell is run.
    SkbadgeError
        If a file cannot be written, as on a full disk. Finished cells are kept, and a
        further call goes on.

    Warns
    -----
    UserWarning
        For a damaged file, which is not used; for finished cells of other versions of
        the libraries; and for finished cells that have other settings, or were made of
        other data or by other code: these are run anew, and leave the tables, and their
        files stay in the folder, as do the tables and pages that were made of them.

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
    cells = check_cells(cells)
    _check_own(cells)
    store = CellStore(out)
    data = load_all(cells, must=skip_missing is False)
    if skip_missing:
        cells, skipped = without_missing(cells, data)
        about = (about or {}) | {"data_that_could_not_be_had": skipped}
    said, there = what_is_there(store) if resume else ({}, [])
    before, leaving = earlier(store, there, cells) if resume else ([], True)
    everything = [*before, *cells]
    check_paired(everything, store.directory)
    about = about_all(said, about or {}, everything) if before else about
    todo, changed = _unfinished(store, cells, data) if resume else (cells, True)
    work = weigh(todo, data)
    if todo:
        check_processes(n_jobs)
    aside = None if resume else store.set_aside()
    tables_aside = store.set_tables_aside() if leaving or changed else None
    _tell_aside(aside, tables_aside)
    store.make()
    with store.alone():
        write_listing(store, *joined(store, everything, about))
    # Long ones first, so that no core waits for a long one at the end.
    todo = sorted(todo, key=work.get, reverse=True)
    done = len(cells) - len(todo)
    shown = progress and bool(todo)
    bar = ProgressBar(store, len(cells), done, work, shown=shown)
    try:
        with bar, warnings.catch_warnings():
            # loky ends a worker that has grown, as by what CUDA loads, and starts a new
            # one in its place: no cell is lost, and nothing is to be done.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were")
            for cell, content in completed(store, todo, n_jobs):
                failed = "error" in content
                (store.write_failure if failed else store.write)(cell, content)
                bar.advance(cell, failed)
    finally:
        with store.alone():
            grid = _collect(store, *joined(store, everything, about))
    return grid


def load_grid(out: str | Path) -> GridResults:
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
    with store.alone():
        settings, cells = _listing_of(store)
        if not store.cells.is_dir():
            return _tables_only(store, cells, settings)
        about = settings.get("about")
        return _collect(store, cells, about, damaged="It counts as missing.")


def _listing_of(store):
    try:
        return read_listing(store)
    except OSError as error:
        raise InvalidInputError(
            f"The folder must hold the results of a benchmark. Got "
            f"{str(store.directory)!r}, which has no readable {SETTINGS}."
        ) from error
    except NO_LIST as error:
        raise InvalidInputError(
            f"{store.directory / SETTINGS} must list the cells of a benchmark. Got "
            f"something else ({error}): run the benchmark again to write it anew."
        ) from error


def _check_own(cells):
    """Import what cells name of a user's own, before anything is paid for."""
    for name in dict.fromkeys(cell.strategy for cell in cells):
        make_strategy(name, n_rounds=1)
    for name in dict.fromkeys(cell.model for cell in cells if cell.has_own_learner):
        made = load_object(name)
        check_estimator_kind(
            made.estimator if isinstance(made, ActiveLearner) else made
        )
    for metrics in dict.fromkeys(cell.metrics for cell in cells):
        scorers_of(metrics)


def _tell_aside(everything, tables):
    told = ""
    if everything is not None:
        told = (
            f"What was there is now in {everything}, as a whole: it can be read and "
            "reported as before."
        )
    elif tables is not None:
        told = f"Tables, pictures and pages of the cells that left are now in {tables}."
    if told:
        warnings.warn(f"{told} Delete what nobody needs.", UserWarning, stacklevel=3)


def _unfinished(store, cells, data):
    """Return the cells without a usable file, and if finished ones leave the tables.

    Those were made of something else, of which warnings tell, and of other versions of
    libraries. What an interrupted cell has so far counts like a finished cell: it must
    be of the same data and code to be gone on with.
    """
    now, others, changed, todo = environment(), set(), Counter(), []
    leaving = False
    for cell in cells:
        kind, content = "", store.read(cell)
        if content is None:
            todo.append(cell)
            kind, content = ".partial", store.read(cell, ".partial")
        if content is None:
            # A damaged one, of which was told, is out of the way.
            store.set_cell_aside(cell, ".partial")
            continue
        made = content.get("made_of") or {}
        wanted = made_of(cell, task_of(cell, data).sha256)
        new = [name for name, value in wanted.items() if made.get(name) != value]
        if new:
            store.set_cell_aside(cell, kind)
            if not kind:
                todo.append(cell)
                leaving = True
            changed.update(_WORDS[name] for name in new)
            continue
        if not kind:
            # A kill between the two leaves the checkpoint of a finished cell.
            store.tidy(cell)
        there = content.get("environment") or {}
        others |= {
            f"{name} {there[name]}" for name in there if there[name] != now.get(name)
        }
    if changed:
        listed = ", ".join(f"{what} ({n} cells)" for what, n in changed.items())
        warnings.warn(
            f"Cells were made of something else than now: {listed}. They are run "
            "anew; their files stay in the folder, with names that end in .other.",
            UserWarning,
            stacklevel=3,
        )
    if others:
        warnings.warn(
            "What cells have so far is kept, though it was run with other versions, "
            f"{', '.join(sorted(others))}: results may differ from those of a grid run "
            "in one go. Without resuming, all cells are run again.",
            UserWarning,
            stacklevel=3,
        )
    return todo, leaving


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
        **read_off(cells),
    }
    settings = write_listing(store, cells, about, summary)
    missing = pd.DataFrame([cell.key for cell in missing], columns=list(cells[0].key))
    return GridResults(results, costs, failures, missing, settings)


def _tables_only(store, cells, settings):
    """Return what the tables say where the files of the cells are not there.

    Nothing is written: the tables could not be made again. Deviations are those that
    the settings have by what is known of the paper today.
    """
    settings = settings | {
        "about": without_read_off(settings["about"]),
        "summary": settings["summary"] | read_off(cells),
    }
    tables = [read_csv(store.directory / name) for name in TABLES[:2]]
    there = set(tables[0][list(KEY)].itertuples(index=False, name=None))
    missing = [cell for cell in cells if tuple(cell.key.values()) not in there]
    keys = pd.DataFrame([cell.key for cell in missing], columns=list(KEY))
    none = pd.DataFrame(columns=[*KEY, "error", "traceback"])
    return GridResults(*tables, none, keys, settings)


def _cap_hits(results):
    """Return, for each setting, how many trainings ended without 99% accuracy."""
    counts = results.groupby(["dataset", "model", "batch_size"])["hit_max_epochs"]
    return [
        dict(zip(("dataset", "model", "batch_size"), setting, strict=True))
        | {"hits": int(hits.sum()), "trainings": len(hits)}
        for setting, hits in counts
    ]

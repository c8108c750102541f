"""One run of active learning, from data to its table: the unit of parallel work."""

from __future__ import annotations

import math
import platform
import threading
import traceback
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from time import perf_counter

import torch
from threadpoolctl import threadpool_limits

from skbadge._simulate import Simulation
from skbadge.benchmarks._memory import peak_memory_mb, reset_peak_memory
from skbadge.benchmarks._nets import make_paper_net
from skbadge.benchmarks._settings import make_strategy
from skbadge.benchmarks._store import write_json
from skbadge.benchmarks._tasks import load_task
from skbadge.learner._learner import ActiveLearner

__all__ = ["attempt_cell", "describe_failure", "environment", "run_cell"]

_LIBRARIES = (
    "joblib",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "skorch",
    "torch",
)
_FORWARD_ROWS = {"mlp": 8_192, "resnet": 512}
# Cells of one process wait for each other: the number of threads, and the peak of the
# memory, are the process's own.
_ONE_CELL = threading.Lock()


def run_cell(cell, *, checkpoint=None, state=None):
    """Run one cell of the grid.

    Parameters
    ----------
    cell : Cell
        What to run.
    checkpoint : str, Path or None, default=None
        File that is written after each round, so that the run can be continued.
    state : dict or None, default=None
        Content of a checkpoint of the same cell, to go on from.

    Returns
    -------
    dict
        ``settings`` of the cell, ``records`` (one dict a round: round, n_labeled,
        accuracy, train_accuracy, epochs, hit_max_epochs, positions in the pool, and
        fit_seconds, embed_seconds, select_seconds, peak_memory_mb), ``seconds``, what
        it took in all, and ``environment``, the versions it was run with.

    Notes
    -----
    Runs on one thread, so that the result does not depend on how many cores there are
    and how many cells share them. The number of threads is afterwards as it was.
    Identical results need the same versions of the libraries and the same kind of
    processor; on a GPU, torch does not promise them for convolutions.

    Cost of going on from a checkpoint: one training, that of its last round.
    """
    started = perf_counter()
    with _ONE_CELL, _one_thread():
        seconds = 0.0 if state is None else state["seconds"]
        records = [] if state is None else list(state["records"])
        simulation, n_rounds = _prepare(cell)
        if records and len(records) <= n_rounds:
            simulation.resume(state["simulation"])
        while len(records) <= n_rounds:
            reset_peak_memory()
            records.append(_record(simulation, records))
            if checkpoint is not None and len(records) <= n_rounds:
                _write_checkpoint(
                    checkpoint, cell, records, simulation, seconds, started
                )
    return {
        "settings": cell.settings(),
        "records": records,
        "seconds": seconds + perf_counter() - started,
        "environment": environment(),
    }


def attempt_cell(cell, checkpoint=None, state=None):
    """Run a cell; say what stopped it instead of raising.

    Returns
    -------
    cell : Cell
        The same.
    content : dict
        As of `run_cell`; for a failure ``settings``, ``error`` and ``traceback``.
    """
    try:
        return cell, run_cell(cell, checkpoint=checkpoint, state=state)
    except Exception as error:
        return cell, describe_failure(cell, error)


def describe_failure(cell, error):
    """Return what is written of a cell that an error has stopped (dict)."""
    return {
        "settings": cell.settings(),
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }


@cache
def environment():
    """Return what results may depend on beside the settings: versions, machine."""
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _LIBRARIES},
        "system": platform.system(),
        "processor": platform.machine(),
    }


def _prepare(cell):
    """Return the simulation of a cell, and its number of queries."""
    task = load_task(cell)
    n_rounds = cell.count_rounds(len(task.X))
    _, seed = cell.seeds()
    learner = ActiveLearner(
        _make_net(cell, task),
        strategy=make_strategy(cell.strategy, n_rounds=n_rounds),
        random_state=seed,
    )
    simulation = Simulation(
        learner,
        task.X,
        task.y,
        n_initial=cell.n_initial,
        n=cell.batch_size,
        X_test=task.X_test,
        y_test=task.y_test,
    )
    return simulation, n_rounds


def _make_net(cell, task):
    net = make_paper_net(
        task,
        cell.model,
        device=cell.device,
        lr=cell.learning_rate,
        max_epochs=cell.max_epochs,
        n_hidden=cell.n_hidden,
        width=cell.width,
        clamp_gradients=cell.clamp_gradients,
    )
    # Rows of the pool and of the test set are only run forward, many at once.
    return net.set_params(iterator_valid__batch_size=_FORWARD_ROWS[cell.model])


def _record(simulation, records):
    """Run one round and return what there is to know of it, fit for JSON."""
    found = simulation.step() if records else simulation.start()
    net = simulation.learner.estimator_
    stop = dict(net.callbacks_)["stop"]
    record = {
        "round": found["round"],
        "n_labeled": found["n_labeled"],
        "accuracy": float(found["accuracy"]),
        "train_accuracy": float(net.history[-1, "train_acc"]),
        "epochs": len(net.history),
        "hit_max_epochs": stop.stopped_by_ == "max_epochs",
        "positions": found["positions"].tolist(),
        "peak_memory_mb": _or_none(peak_memory_mb()),
    }
    for name in ("fit_seconds", "embed_seconds", "select_seconds"):
        # The timings of the learner include the query's only once there was one.
        record[name] = _or_none(found[name])
    return record


def _write_checkpoint(path, cell, records, simulation, seconds, started):
    path = Path(path)
    # On another machine of a cluster the folder may not be there.
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "settings": cell.settings(),
        "records": records,
        "simulation": simulation.state(),
        "seconds": seconds + perf_counter() - started,
    }
    # After a power cut the checksum tells; waiting for the disk would cost more.
    write_json(path, content, durable=False)


def _or_none(value):
    value = float(value)
    return None if math.isnan(value) else value


@contextmanager
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)

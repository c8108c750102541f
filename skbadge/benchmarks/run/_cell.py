"""One run of active learning, from data to its table: the unit of parallel work."""

from __future__ import annotations

import math
import platform
import threading
import traceback
import warnings
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from skbadge import __version__
from skbadge._simulate import Simulation, all_classes
from skbadge.benchmarks._methods import (
    code_checksum,
    cold_start,
    is_reference,
    load_object,
    make_strategy,
)
from skbadge.benchmarks.run._json import write_json
from skbadge.benchmarks.run._memory import peak_memory_mb, reset_peak_memory
from skbadge.benchmarks.run._nets import make_cell_net
from skbadge.benchmarks.run._settings import Cell
from skbadge.benchmarks.run._tasks import load_task
from skbadge.learner._classes import given_classes
from skbadge.learner._learner import ActiveLearner
from skbadge.nets._estimators import find_net
from skbadge.utils._scoring import make_scorers, score_all

__all__ = [
    "attempt_cell",
    "describe_failure",
    "environment",
    "made_of",
    "run_cell",
    "scorers_of",
]

_LIBRARIES = (
    "joblib",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "skorch",
    "torch",
)
_FORWARD_ROWS = {
    "mlp": 8_192,
    "linear": 8_192,
    "resnet": 512,
    "vgg": 512,
    "convnet": 1_024,
}
# Cells of one process wait for each other: the number of threads, and the peak of the
# memory, are the process's own.
_ONE_CELL = threading.Lock()


def run_cell(
    cell: Cell,
    *,
    checkpoint: str | Path | None = None,
    state: dict[str, Any] | None = None,
) -> dict[str, Any]:
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
        accuracy and the cell's metrics, train_accuracy, epochs, hit_max_epochs (also
        for a cap on updates), positions in the pool, the arm that chose them (of a
        strategy that has several, such as ALBL), fit_seconds, embed_seconds,
        select_seconds, peak_memory_mb), ``seconds``, what it took in all,
        ``environment``, the versions it was run with, and ``made_of``: a checksum of
        the data, the version of skbadge, a checksum of code of your own.

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
        run_with = _joint((state or {}).get("environment") or {}, environment())
        simulation, n_rounds, checksum = _prepare(cell)
        if state is not None and records and len(records) <= n_rounds:
            simulation.resume(state["simulation"])
        while len(records) <= n_rounds:
            reset_peak_memory()
            records.append(_record(simulation, records, cell.metrics))
            if checkpoint is not None and len(records) <= n_rounds:
                so_far = seconds + perf_counter() - started
                content = {
                    "settings": cell.settings(),
                    "records": records,
                    "simulation": simulation.state(),
                    "made_of": made_of(cell, checksum),
                    "environment": run_with,
                    "seconds": so_far,
                }
                _write_checkpoint(checkpoint, content)
    return {
        "settings": cell.settings(),
        "records": records,
        "seconds": seconds + perf_counter() - started,
        "environment": run_with,
        "made_of": made_of(cell, checksum),
    }


def made_of(cell, data_sha256):
    """Return what decides a result beside the settings: data, versions of the code.

    A finished cell that was made of something else is not the one that is asked for.
    """
    return {
        "data": data_sha256,
        "skbadge": __version__,
        "code": code_checksum([cell.model, cell.strategy, *cell.metrics]),
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


def _joint(before, now):
    """Return what a cell was run with that went on under other versions."""
    return {
        name: value
        if before.get(name, value) == value
        else f"{before[name]}, then {value}"
        for name, value in now.items()
    }


def _prepare(cell):
    """Return the simulation of a cell, its number of queries, and its data's checksum.

    A learner of a user's own keeps its settings; strategy and seed are the cell's.
    """
    task = load_task(cell)
    n_rounds = cell.count_rounds(len(task.X))
    _, seed = cell.seeds()
    strategy = make_strategy(
        cell.strategy,
        n_rounds=n_rounds,
        first=cell.first,
        albl_update=cell.albl_update,
    )
    learner = load_object(cell.model) if cell.has_own_learner else _make_net(cell, task)
    if not isinstance(learner, ActiveLearner):
        learner = ActiveLearner(learner)
    learner.set_params(strategy=strategy, random_state=seed)
    if given_classes(learner.classes, find_net(learner.estimator)) is None:
        # A rare class may be in none of the rows that are left for the pool.
        learner.set_params(classes=all_classes(task.classes))
    simulation = Simulation(
        learner,
        task.X,
        task.y,
        initial=cold_start(cell.strategy),
        n_initial=cell.n_initial,
        n=cell.batch_size,
        X_test=task.X_test,
        y_test=task.y_test,
    )
    return simulation, n_rounds, task.sha256


def _make_net(cell, task):
    net = make_cell_net(cell, task)
    # Rows of the pool and of the test set are only run forward, many at once.
    return net.set_params(
        iterator_valid__batch_size=_FORWARD_ROWS[cell.model],
        classes=task.classes.tolist(),
    )


def _record(simulation, records, metrics):
    """Run one round and return what there is to know of it, fit for JSON."""
    found = simulation.step() if records else simulation.start()
    record = {
        "round": found["round"],
        "n_labeled": found["n_labeled"],
        "accuracy": float(found["accuracy"]),
        **_scores(simulation, metrics),
        **_training(simulation.learner),
        "arm": _arm(simulation.learner) if records else None,
        "positions": found["positions"].tolist(),
        "peak_memory_mb": _or_none(peak_memory_mb()),
    }
    for name in ("fit_seconds", "embed_seconds", "select_seconds"):
        # The timings of the learner include the query's only once there was one.
        record[name] = _or_none(found[name])
    return record


def _arm(learner):
    """Name the arm that chose the last batch; None for strategies without arms.

    A strategy of a user's own may number its arms and not name them.
    """
    arm = learner.last_selection_.arm
    names = getattr(learner.strategy, "arm_names", None)
    if arm is None:
        return None
    return f"arm {arm}" if names is None else names[arm]


def scorers_of(metrics, task=None):
    """Return {name: scorer} of a cell's metrics.

    Parameters
    ----------
    metrics : sequence of str
        As of `Cell`.
    task : Task or None, default=None
        Its labels; named scores that these do not have are refused.
    """
    named = [name for name in metrics if not is_reference(name)]
    labels = None if task is None else (task.y, task.y_test)
    found = make_scorers(named, labels=labels, what="--metric")
    own = set(metrics) - set(named)
    return {
        name: load_object(name, call=False) if name in own else found[name]
        for name in metrics
    }


def _scores(simulation, metrics):
    """Return the scores on the test set by name; NaN becomes None."""
    learner, X, y = simulation.learner, simulation.X_test, simulation.y_test
    found = score_all(scorers_of(metrics), learner, X, y)
    return {name: _or_none(score) for name, score in found.items()}


def _training(learner):
    """Return what the net's history says of the last training.

    A net of a user's own may keep no training accuracy and know no cap.
    """
    net = find_net(learner.estimator_)
    history = getattr(net, "history", None) or []
    stop = dict(getattr(net, "callbacks_", [])).get("stop")
    known = bool(history) and "train_acc" in history[-1]
    return {
        "train_accuracy": float(history[-1]["train_acc"]) if known else None,
        "epochs": len(history),
        "hit_max_epochs": getattr(stop, "stopped_by_", None)
        in ("max_epochs", "max_updates"),
    }


def _write_checkpoint(path, content):
    path = Path(path)
    try:
        # On another machine of a cluster the folder may not be there.
        path.parent.mkdir(parents=True, exist_ok=True)
        # After a power cut the checksum tells; waiting for the disk would cost more.
        write_json(path, content, durable=False)
    except OSError as error:
        # The cell itself needs no checkpoint.
        warnings.warn(
            f"A checkpoint cannot be written ({error}): the cell goes on, but could "
            "not be continued.",
            UserWarning,
            stacklevel=2,
        )


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

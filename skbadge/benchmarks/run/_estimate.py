"""What an experiment would take, from a short calibration on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np
import pandas as pd
import torch

from skbadge.benchmarks._methods import KDPP, SEVEN, is_reference
from skbadge.benchmarks.run._nets import make_cell_net
from skbadge.benchmarks.run._tasks import load_task
from skbadge.datasets import DATASETS, datasets_table
from skbadge.datasets._load import pool_size

__all__ = ["Plan", "estimate"]

# Epochs that a training takes until it is above 99%, where it gets there. Measured:
# 22 to 32 on digits with learning rate 1e-3; 2,910 to 8,402 on kropt with 1e-4.
_EPOCHS = {"image": 30, "tabular": 5_000}
_EPOCHS_FAST = 300
_SECONDS_TO_CALIBRATE = 0.3
_BYTES_A_LABEL, _BYTES_A_ROUND = 14, 600


@dataclass(frozen=True)
class _Data:
    """What is known of data before they are used; see `make_paper_net`."""

    kind: str
    shape: tuple
    n_classes: int
    batch_size: int
    n_pool: int
    n_test: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What a dry run finds.

    Attributes
    ----------
    table : DataFrame
        One row a setting: dataset, model, B, cells, trainings, ``data`` (at hand or
        not), and the estimated ``hours`` and ``hours at the cap`` of one device (NaN
        for nets of one's own, which are not timed).
    device : str
        What was calibrated.
    disk_mb : float
        Size of the results.
    notes : list of str
        What was assumed.
    """

    table: pd.DataFrame
    device: str
    disk_mb: float
    notes: list


def estimate(cells, *, data_dir=None):
    """Estimate what cells take, without loading registered data.

    Parameters
    ----------
    cells : sequence of Cell
        The experiment.
    data_dir : str or None, default=None
        Folder with original files of data sets.

    Returns
    -------
    Plan

    Notes
    -----
    Two numbers are measured for each net and shape of input, on random data and on one
    thread: the seconds of an update and those of a row in the pass over the pool. On
    the CPU they are seconds of this process, so that what else runs there is not
    counted; on other devices, seconds of the clock. How many epochs a training takes is
    assumed, and stated. The choosing itself is not counted; that of the paper's
    strategies is small beside the training but for very large batches.
    """
    at_hand = datasets_table(data_dir=data_dir)["availability"]
    groups, disk = {}, 0
    for cell in cells:
        setting = (cell.dataset, cell.model, cell.batch_size)
        groups.setdefault(setting, []).append(cell)
    rows, speeds, assumed = [], {}, set()
    for setting, group in groups.items():
        first = group[0]
        data = _describe(first)
        labels = first.n_initial + first.batch_size * np.arange(
            first.count_rounds(data.n_pool) + 1
        )
        row = dict(zip(("dataset", "model", "B"), setting, strict=True))
        row |= {"cells": len(group), "trainings": len(group) * len(labels)}
        row["data"] = "file" if first.path else at_hand[first.dataset]
        disk += len(group) * _BYTES_A_LABEL * labels[-1]
        disk += len(group) * _BYTES_A_ROUND * len(labels)
        hours = {"hours": np.nan, "hours at the cap": np.nan}
        if not is_reference(first.model):
            hours, epochs = _hours(first, data, labels, speeds)
            hours = {name: len(group) * value for name, value in hours.items()}
            assumed.add((data.kind, epochs))
        rows.append(row | hours)
    table = pd.DataFrame(rows)
    device = cells[0].device
    notes = _notes(assumed, rows, {cell.strategy for cell in cells}, device)
    return Plan(table, _device_name(device), disk / 1e6, notes)


def _describe(cell):
    """Return what is known of a cell's data; a file is small enough to be read."""
    if cell.path:
        task = load_task(cell)
        sizes = len(task.X), len(task.X_test)
        return _Data(task.kind, task.shape, task.n_classes, task.batch_size, *sizes)
    info = DATASETS[cell.dataset]
    sizes = pool_size(info, cell.max_pool), info.n_test
    return _Data(info.kind, info.shape, info.n_classes, info.batch_size, *sizes)


def _hours(cell, info, labels, speeds):
    """Return the hours of one cell, and the epochs assumed."""
    key = (cell.model, info.shape, info.n_classes, cell.n_hidden, cell.width)
    key += (cell.precision,)
    if key not in speeds:
        speeds[key] = _calibrate(cell, info)
    update, forward = speeds[key]
    rate = cell.learning_rate or (1e-3 if info.kind == "image" else 1e-4)
    usual = _EPOCHS["image"] if info.kind == "image" else _EPOCHS["tabular"]
    if info.kind == "tabular" and rate > 1e-4:
        usual = _EPOCHS_FAST
    steps = np.ceil(labels / info.batch_size)
    most = cell.max_epochs * steps
    if cell.max_updates is not None:
        most = np.minimum(most, np.ceil(cell.max_updates / steps) * steps)
    passes = forward * (info.n_pool + info.n_test) * len(labels)
    seconds = {
        "hours": update * np.minimum(usual * steps, most).sum() + passes,
        "hours at the cap": update * most.sum() + passes,
    }
    return {name: value / 3_600 for name, value in seconds.items()}, usual


def _calibrate(cell, info):
    """Return the seconds of one update, and of one row run forward."""
    net = make_cell_net(cell, info).initialize()
    X = torch.randn(info.batch_size, *info.shape)
    y = torch.randint(info.n_classes, (info.batch_size,))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    # What callbacks prepare for a training, such as the parameters to clamp.
    net.notify("on_train_begin", X=X, y=y)
    try:
        update = _seconds(lambda: net.train_step((X, y)), cell.device)
        forward = _seconds(lambda: net.evaluation_step((X, y)), cell.device)
    finally:
        torch.set_num_threads(before)
    return update, forward / info.batch_size


def _seconds(step, device):
    """Return the seconds of one call, after the first ones that set things up."""
    kind = torch.device(device).type
    clock = process_time if kind == "cpu" else perf_counter

    def wait():
        if kind == "cuda":
            torch.cuda.synchronize()

    step(), step(), wait()
    started, calls = clock(), 0
    while clock() - started < _SECONDS_TO_CALIBRATE:
        step()
        calls += 1
    wait()
    return (clock() - started) / calls


def _device_name(device):
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return "core" if device == "cpu" else device


def _notes(assumed, rows, strategies, device):
    kinds = {"image": "images", "tabular": "tables"}
    listed = ", ".join(
        f"{epochs:,} on {kinds[kind]}" for kind, epochs in sorted(assumed)
    )
    notes = []
    if assumed:
        notes.append(
            f"Epochs assumed for a training: {listed}; what a net really needs to get "
            "above 99% shows only when it is run."
        )
        notes.append("Measured here: an update and a forward pass of each net.")
        if torch.device(device).type == "cpu":
            notes.append(
                "Hours on a GPU are not known: --device cuda measures them, where "
                "there is one."
            )
    if not strategies <= {*SEVEN, KDPP}:
        notes.append(
            "The choosing is not counted: with strategies beyond the paper's it can "
            "take as long as the training of small nets, or longer."
        )
    scripts = sorted({row["dataset"] for row in rows if row["data"] == "script"})
    for name in scripts:
        notes.append(
            f"Not at hand: {name}, to be made by {DATASETS[name].source}; --data-dir "
            "names the folder, --skip-missing leaves it out."
        )
    gone = sorted({row["dataset"] for row in rows if row["data"] == "network"})
    if gone:
        notes.append(
            f"Not at hand, to be downloaded from OpenML: {', '.join(gone)}. --data-dir "
            "names a folder that has them, --skip-missing leaves them out."
        )
    if any(is_reference(row["model"]) for row in rows):
        notes.append("Nets of your own were not timed: their hours are not counted.")
    return notes

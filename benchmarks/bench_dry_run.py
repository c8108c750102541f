"""Hold what a dry run estimates against what some of its cells really take.

The cells are the cheap ones of ``--preset paper-small``, on data that need no network:
Fashion-MNIST stands for the paper's pictures. Where a cell is cut, it is cut in rounds
alone, and so is its estimate. Beside them stand the estimates of the whole presets, by
net; nothing of those was run.

Times are CPU seconds of one process on one thread, in which other work of the machine
does not count. What was assumed of a training's epochs stands beside what it took.

    python benchmarks/bench_dry_run.py --out results.json
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch

from skbadge.benchmarks import preset_cells
from skbadge.benchmarks.run._cell import run_cell
from skbadge.benchmarks.run._estimate import estimate

# Data set, the paper's in whose place it stands, net, batch size, rounds (None: all).
CELLS = (
    ("random_rbf", "random_rbf", "mlp", 1_000, None),
    ("random_rbf", "random_rbf", "mlp", 10_000, None),
    ("fashion_mnist", "cifar10", "mlp", 1_000, None),
    ("fashion_mnist", "cifar10", "resnet", 1_000, 1),
)
PRESETS = ("paper-small", "paper")
STRATEGY = "badge"


def find_cell(dataset, instead_of, model, batch_size, n_rounds):
    """Return a cell of the preset, on data that are at hand."""
    (cell,) = (
        cell
        for cell in preset_cells("paper-small", repeats=1)
        if (cell.dataset, cell.model) == (instead_of, model)
        and (cell.batch_size, cell.strategy) == (batch_size, STRATEGY)
    )
    return replace(cell, dataset=dataset, n_rounds=n_rounds)


def measure(cell):
    """Estimate a cell, run it, and say what either has found."""
    ((_, planned),) = estimate([cell]).table.iterrows()
    start = time.process_time()
    records = run_cell(cell)["records"]
    taken = time.process_time() - start
    result = {
        "data": cell.dataset,
        "net": cell.model,
        "batch": cell.batch_size,
        "labels": [record["n_labeled"] for record in records],
        "estimated_seconds": round(3_600 * planned["hours"], 1),
        "estimated_seconds_at_the_cap": round(3_600 * planned["hours at the cap"], 1),
        "measured_seconds": round(taken, 1),
        "epochs": [record["epochs"] for record in records],
        "train_accuracy": [round(record["train_accuracy"], 3) for record in records],
        "ended_at_the_cap": [record["hit_max_epochs"] for record in records],
    }
    print(json.dumps(result))
    return result


def plan(preset, device="cpu", unit="core"):
    """Return the estimated hours of a whole preset, by net, on one core or device."""
    found = estimate(preset_cells(preset, device=device)).table.groupby("model")
    sums = found[["cells", "trainings", "hours", "hours at the cap"]].sum()
    results = [
        {
            "preset": preset,
            "net": model,
            "cells": int(row["cells"]),
            "trainings": int(row["trainings"]),
            f"{unit}_hours": round(row["hours"], 1),
            f"{unit}_hours_at_the_cap": round(row["hours at the cap"], 1),
        }
        for model, row in sums.iterrows()
    ]
    print(json.dumps(results))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent / "results" / "dry_run.json",
        help="where to write the figures as JSON",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    document = {
        "benchmark": "dry_run",
        "torch": torch.__version__,
        "times": "CPU seconds of one process on one thread",
        "plans": [row for preset in PRESETS for row in plan(preset)],
        "cells": [measure(find_cell(*which)) for which in CELLS],
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

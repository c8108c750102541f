"""Time the grid itself: its overhead, and the gain of two jobs over one.

Runs some cells of the ``quick`` preset, cut short, with one job and with two, and
compares the time of the whole with the time inside the cells. Writes JSON.

    python benchmarks/bench_grid.py --out benchmarks/results/grid.json
"""

import argparse
import json
import platform
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from joblib import cpu_count

from skbadge.benchmarks import make_cells, run_grid
from skbadge.benchmarks.run._backends import parallel_backend
from skbadge.benchmarks.run._store import CellStore

STRATEGIES = ("badge", "coreset", "marg", "rand")


def experiment(rounds, repeats):
    return make_cells(
        ["kropt"],
        batch_sizes=[100],
        strategies=STRATEGIES,
        repeats=repeats,
        n_rounds=rounds,
        standardize=True,
        learning_rate=1e-3,
        max_epochs=300,
    )


def run(cells, n_jobs):
    """Return the seconds of a grid, and those inside its cells."""
    with tempfile.TemporaryDirectory() as out:
        started = perf_counter()
        run_grid(cells, out, n_jobs=n_jobs)
        wall = perf_counter() - started
        store = CellStore(out)
        inside = sum(store.read(cell)["seconds"] for cell in cells)
        started = perf_counter()
        run_grid(cells, out, n_jobs=n_jobs)
        return wall, inside, perf_counter() - started


def measure(rounds, repeats):
    cells = experiment(rounds, repeats)
    with parallel_backend("loky", 2) as n_jobs:
        started = perf_counter()
        run_grid(experiment(0, 1), tempfile.mkdtemp(), n_jobs=n_jobs)
        start = perf_counter() - started
        wall_2, inside_2, _ = run(cells, n_jobs)
        wall_1, inside_1, read = run(cells, 1)
    return {
        "cells": len(cells),
        "rounds": rounds,
        "seconds_to_start_two_workers": start,
        "seconds_to_read_a_finished_grid": read,
        "one_job": {
            "seconds": wall_1,
            "inside_cells": inside_1,
            "overhead": 1 - inside_1 / wall_1,
        },
        "two_jobs": {
            "seconds": wall_2,
            "inside_cells": inside_2,
            "overhead_and_idle": 1 - inside_2 / (2 * wall_2),
        },
        "speedup_of_two_jobs": wall_1 / wall_2,
        "cores": cpu_count(),
        "torch": torch.__version__,
        "processor": platform.machine(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    default = Path(__file__).parent / "results" / "grid.json"
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args()
    found = measure(options.rounds, options.repeats)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

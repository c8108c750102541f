"""Run on a GPU what the grid runs there, and name the card.

    python benchmarks/bench_gpu.py

Four parts: the hours that whole presets are estimated to take on this card; one cell of
``--preset paper``, ResNet-18 with BADGE and batches of 1,000, for some rounds, in both
precisions; selection on the card beside the same on the processor; and whether both
choose the same rows. The cell's pictures are a file of the shape of CIFAR-10's, made
here: what is measured are times and whether it works, not what the paper's data give.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _selection_pools import make_factors
from bench_dry_run import PRESETS, plan

from skbadge.benchmarks import preset_cells
from skbadge.benchmarks.run._cell import run_cell
from skbadge.benchmarks.run._files import describe_file
from skbadge.embeddings import GradientEmbedding
from skbadge.selection import kmeans_plusplus

N_POOL, N_TEST, N_CLASSES = 50_000, 10_000, 10
# Pool, classes, features, batch; training rows and epochs of the net.
SELECTIONS = (
    (50_000, 10, 512, 1_000, 1_000, 18),
    (50_000, 10, 512, 10_000, 1_000, 18),
    (200_000, 1_000, 2_048, 1_000, 20_000, 1),
)
RUNS = 5


def write_pictures(path, n_pool=N_POOL, n_test=N_TEST, seed=0):
    """Write pictures of 3 x 32 x 32 bytes: coarse patterns, four a class, in noise."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (N_CLASSES, 4, 3, 8, 8)).repeat(4, 3).repeat(4, 4)
    arrays = {}
    for part, n in (("", n_pool), ("_test", n_test)):
        y = rng.integers(0, N_CLASSES, n)
        X = np.empty((n, 3, 32, 32), np.uint8)
        for start in range(0, n, 5_000):
            rows = slice(start, start + 5_000)
            own = patterns[y[rows], rng.integers(0, 4, len(y[rows]))]
            noise = rng.integers(0, 256, own.shape)
            X[rows] = (own + 3 * noise) // 4
        arrays |= {f"X{part}": X, f"y{part}": y}
    np.savez(path, **arrays)


def run_paper_cell(path, device, precision, n_rounds, **others):
    """Run the first rounds of a cell of the paper's preset, and say what they took."""
    (cell,) = (
        cell
        for cell in preset_cells("paper", repeats=1, device=device, precision=precision)
        if (cell.dataset, cell.model) == ("cifar10", "resnet")
        and (cell.batch_size, cell.strategy) == (1_000, "badge")
    )
    cell = replace(cell, **describe_file(str(path), ""), n_rounds=n_rounds, **others)
    found = run_cell(cell)
    kept = ("n_labeled", "accuracy", "train_accuracy", "epochs", "hit_max_epochs")
    times = ("fit_seconds", "embed_seconds", "select_seconds")
    result = {
        "precision": precision,
        "seconds": round(found["seconds"], 1),
        "rounds": [
            {name: record[name] for name in kept}
            | {name: record[name] and round(record[name], 3) for name in times}
            for record in found["records"]
        ],
    }
    print(json.dumps(result))
    return result


def compare_selections(device, sizes=SELECTIONS):
    """Time k-means++ on the same factors there and on the processor."""
    results = []
    for n_pool, n_classes, n_features, batch, n_train, n_epochs in sizes:
        *factors, _ = make_factors(
            n_pool, n_classes, n_features, n_train=n_train, n_epochs=n_epochs
        )
        seconds, picks = {}, {}
        for where in (device, "cpu"):
            embedding = GradientEmbedding(*(part.to(where) for part in factors))
            taken = []
            # The first one also sets things up.
            for _ in range(RUNS + 1):
                start = time.perf_counter()
                # What is returned lies on the processor: nothing is left to wait for.
                picks[where] = kmeans_plusplus(embedding, batch, random_state=0)
                taken.append(time.perf_counter() - start)
            seconds[where] = round(statistics.median(taken[1:]), 4)
        results.append(
            {
                "n_pool": n_pool,
                "K": n_classes,
                "d": n_features,
                "B": batch,
                "runs": RUNS,
                "seconds_on_the_device": seconds[device],
                "seconds_on_the_processor": seconds["cpu"],
                "share_of_same_picks": float(np.mean(picks[device] == picks["cpu"])),
            }
        )
        print(json.dumps(results[-1]))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="small, to try the script")
    results = Path(__file__).parent / "results"
    parser.add_argument("--out", type=Path, default=results / "gpu.json")
    options = parser.parse_args()
    is_cuda = torch.device(options.device).type == "cuda"
    card = torch.cuda.get_device_name(options.device) if is_cuda else options.device
    document = {
        "benchmark": "gpu",
        "card": card,
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }

    def add(name, found):
        """Keep what is there so far: a lent machine may be taken away."""
        document[name] = found
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    sizes = ((2_000, 10, 32, 50, 500, 2),) if options.quick else SELECTIONS
    narrow = {"width": 4, "max_epochs": 3} if options.quick else {}
    add("selection", compare_selections(options.device, sizes))
    presets = PRESETS[:1] if options.quick else PRESETS
    plans = [row for name in presets for row in plan(name, options.device, "device")]
    add("plans", plans)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pictures.npz")
        write_pictures(path, *((1_500, 200) if options.quick else ()))
        cells = []
        for precision in ("float32", "bfloat16"):
            cells.append(
                run_paper_cell(
                    path, options.device, precision, options.rounds, **narrow
                )
            )
            add("cell", cells)


if __name__ == "__main__":
    main()

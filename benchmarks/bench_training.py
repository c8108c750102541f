"""Time an epoch of a skorch net with skbadge's parts against a bare torch loop.

Both sides train the paper's 16-1024-26 network (OpenML 6, "letter") on made-up rows of
that shape with Adam and mini-batches of 128, clamp every gradient element, count the
training accuracy of each batch before its update and shuffle anew each epoch. The bare
loop does nothing else. Runs alternate; printed is the ratio of the medians and, for a
machine that does other work as well, the median of the ratios of neighboring runs and
the ratio of the fastest runs.

    python benchmarks/bench_training.py --threads 1 2 --out results.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_classification
from skorch import NeuralNetClassifier

from skbadge.modules import MLP, ClampGradients, StopAtTrainAccuracy, lean_settings

N_FEATURES, N_CLASSES, N_HIDDEN, BATCH_SIZE = 16, 26, 1024, 128
LEARNING_RATE, MAX_ABS = 1e-4, 0.1
TARGET = 1.15


def make_data(n_rows):
    X, y = make_classification(
        n_rows,
        n_features=N_FEATURES,
        n_informative=10,
        n_classes=N_CLASSES,
        n_clusters_per_class=1,
        random_state=0,
    )
    return X.astype(np.float32), y.astype(np.int64)


def time_bare_loop(X, y, n_epochs, seed):
    """Return the seconds of an epoch and the last training accuracy."""
    torch.manual_seed(seed)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    module = MLP(N_FEATURES, N_CLASSES, n_hidden=N_HIDDEN)
    parameters = list(module.parameters())
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    criterion = torch.nn.CrossEntropyLoss()
    start = time.perf_counter()
    module.train()
    for _ in range(n_epochs):
        order = torch.randperm(len(X))
        n_correct = 0
        for rows in order.split(BATCH_SIZE):
            y_batch = y[rows]
            logits = module(X[rows])
            loss = criterion(logits, y_batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(parameters, MAX_ABS)
            n_correct += int((logits.argmax(1) == y_batch).sum())
            optimizer.step()
    return (time.perf_counter() - start) / n_epochs, n_correct / len(X)


def time_net(X, y, n_epochs, seed):
    """Return the seconds of an epoch and the last training accuracy."""
    torch.manual_seed(seed)
    callbacks = [("stop", StopAtTrainAccuracy(1.0)), ("clamp", ClampGradients(MAX_ABS))]
    net = NeuralNetClassifier(
        MLP,
        module__n_features=N_FEATURES,
        module__n_classes=N_CLASSES,
        module__n_hidden=N_HIDDEN,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        lr=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        max_epochs=n_epochs,
        **lean_settings(callbacks=callbacks),
    )
    start = time.perf_counter()
    net.fit(X, y)
    seconds = time.perf_counter() - start
    assert len(net.history) == n_epochs, "the net stopped early"
    return seconds / n_epochs, net.history[-1, "train_acc"]


def compare(n_rows, n_epochs, n_runs, n_threads):
    torch.set_num_threads(n_threads)
    X, y = make_data(n_rows)
    time_bare_loop(X, y, 1, seed=0)
    time_net(X, y, 1, seed=0)
    bare, net = [], []
    for run in range(n_runs):
        pair = [(time_bare_loop, bare), (time_net, net)]
        # Whichever goes first, its turn comes second in the next run.
        for function, times in pair if run % 2 else reversed(pair):
            seconds, accuracy = function(X, y, n_epochs, seed=run)
            times.append(seconds)
    return {
        "threads": n_threads,
        "rows": n_rows,
        "epochs": n_epochs,
        "runs": n_runs,
        "bare_seconds_per_epoch": statistics.median(bare),
        "skbadge_seconds_per_epoch": statistics.median(net),
        "ratio_of_medians": statistics.median(net) / statistics.median(bare),
        "ratio_of_fastest": min(net) / min(bare),
        "median_of_ratios": statistics.median(
            b / a for a, b in zip(bare, net, strict=True)
        ),
        "last_train_accuracy": accuracy,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent / "results" / "training.json",
        help="where to write the figures as JSON",
    )
    arguments = parser.parse_args()
    results = []
    for n_threads in arguments.threads:
        result = compare(arguments.rows, arguments.epochs, arguments.runs, n_threads)
        results.append(result)
        print(
            f"{n_threads} thread(s): bare {result['bare_seconds_per_epoch']:.3f} s, "
            f"skbadge {result['skbadge_seconds_per_epoch']:.3f} s an epoch, ratio "
            f"{result['ratio_of_medians']:.3f} (of neighbors "
            f"{result['median_of_ratios']:.3f}, of the fastest "
            f"{result['ratio_of_fastest']:.3f}); target {TARGET}"
        )
    document = {
        "benchmark": "training",
        "target_ratio": TARGET,
        "torch": torch.__version__,
        "results": results,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

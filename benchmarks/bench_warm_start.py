"""Measure what trainings cost, and what they reach, by where they begin.

Ten rounds of active learning with BADGE on three data sets, five seeds, three ways to
begin a training: from scratch (``warm_start=False``), from the present weights (True),
and from weights that were shrunk and perturbed. All else is the same: the first rows of
a seed, the net (one hidden layer), Adam, and when a training ends (99% of the labelled
rows predicted correctly, or 600 epochs). Written are the seconds of the ten trainings
after the first one, by the clock and of the processor, their epochs, and the test
accuracy after the last.

    python benchmarks/bench_warm_start.py --out benchmarks/results/warm_start.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits

from skbadge import BADGE, ActiveLearner
from skbadge.datasets import load_dataset
from skbadge.modules import MLP, StopAtTrainAccuracy, lean_settings

BEGINNINGS = (False, True, "shrink-perturb")
SIZES = {"n_initial": 100, "n": 50, "n_rounds": 10}
N_HIDDEN, LEARNING_RATE, MAX_EPOCHS, BATCH_SIZE = 256, 3e-3, 600, 64
N_POOL = 5000


def make_net(n_features, n_classes):
    return NeuralNetClassifier(
        MLP,
        module__n_features=n_features,
        module__n_classes=n_classes,
        module__n_hidden=N_HIDDEN,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        max_epochs=MAX_EPOCHS,
        batch_size=BATCH_SIZE,
        **lean_settings(callbacks=[("stop", StopAtTrainAccuracy(0.99))]),
    )


def run(name, beginning, seed):
    data = load_dataset(name, random_state=seed, max_pool=N_POOL, standardize="feature")
    X, X_test = (rows.reshape(len(rows), -1) for rows in (data.X_pool, data.X_test))
    y = data.y_pool
    learner = ActiveLearner(
        make_net(X.shape[1], data.n_classes),
        strategy=BADGE(),
        classes=np.arange(data.n_classes),
        warm_start=beginning,
        random_state=seed,
    )
    first = np.random.default_rng(seed).permutation(len(X))[: SIZES["n_initial"]]
    is_open = np.ones(len(X), dtype=bool)
    is_open[first] = False
    learner.fit(X[first], y[first])
    seconds = cpu_seconds = n_epochs = 0
    for _ in range(SIZES["n_rounds"]):
        chosen = learner.query(X, n=SIZES["n"], candidates=is_open)
        is_open[chosen] = False
        started = time.process_time()
        learner.teach(X[chosen], y[chosen], indices=chosen)
        cpu_seconds += time.process_time() - started
        seconds += learner.timings_["fit"]
        n_epochs += dict(learner.estimator_.callbacks_)["stop"].n_epochs_
    return {
        "dataset": name,
        "warm_start": beginning,
        "seed": seed,
        "n_labeled": learner.n_labeled_,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "epochs": n_epochs,
        "accuracy": learner.score(X_test, data.y_test),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--datasets", nargs="+", default=["digits", "kropt", "random_rbf"]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = []
    with threadpool_limits(1):
        for name in args.datasets:
            for seed in range(args.seeds):
                for beginning in BEGINNINGS:
                    records.append(run(name, beginning, seed))
                    print(records[-1], flush=True)
    content = {
        "benchmark": "warm_start",
        "torch": torch.__version__,
        "sizes": SIZES,
        "n_pool": N_POOL,
        "n_hidden": N_HIDDEN,
        "max_epochs": MAX_EPOCHS,
        "learning_rate": LEARNING_RATE,
        "batch_size": BATCH_SIZE,
        "results": records,
    }
    if args.out is not None:
        args.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

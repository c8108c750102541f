"""Time a whole query against a bare torch loop over the same pool.

The pool has 50,000 rows of 784 numbers in memory; the net is a 784-512-10 perceptron
with batches of 512. The bare loop runs the module in evaluation mode, keeps what the
strategy reads (probabilities; for BADGE residuals by the paper's formula and features)
and then calls the same selection. The query does all that a learner does besides:
checks, hooks, modes, seeds. Runs alternate; printed is the ratio of the medians and,
less sensitive to a busy machine, the median of the ratios of neighboring runs.

    python benchmarks/bench_query.py --threads 2 --out benchmarks/results/query.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skbadge import BADGE, ActiveLearner, LeastConfidence
from skbadge.strategies import Needs, Outputs

N_FEATURES, N_HIDDEN, N_CLASSES, BATCH_SIZE = 784, 512, 10, 512
TARGET = 1.15


class Perceptron(nn.Module):
    """The 784-512-10 network."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(N_FEATURES, N_HIDDEN)
        self.head = nn.Linear(N_HIDDEN, N_CLASSES)

    def forward(self, X):
        """Return logits."""
        return self.head(torch.relu(self.hidden(X)))


def make_learner(X, strategy):
    net = NeuralNetClassifier(
        Perceptron,
        criterion=nn.CrossEntropyLoss,
        train_split=None,
        max_epochs=3,
        batch_size=BATCH_SIZE,
        verbose=0,
    )
    learner = ActiveLearner(net, strategy=strategy, random_state=0)
    return learner.fit(X[:1000], np.arange(1000) % N_CLASSES)


def bare_query(module, X, strategy, n):
    """Choose rows by a plain loop; return the seconds and the positions."""
    start = time.perf_counter()
    X = torch.from_numpy(X)
    needs_features = strategy.needs.features
    probas, features = [], []
    module.eval()
    with torch.no_grad():
        for batch in X.split(BATCH_SIZE):
            hidden = torch.relu(module.hidden(batch))
            probas.append(torch.softmax(module.head(hidden), dim=1))
            if needs_features:
                features.append(hidden)
    proba = torch.cat(probas)
    if needs_features:
        residual = proba - nn.functional.one_hot(proba.argmax(1), N_CLASSES)
        values = {"residual": residual, "features": torch.cat(features)}
        outputs = Outputs(len(X), Needs(residual=True, features=True), values)
    else:
        outputs = Outputs(len(X), Needs(proba=True), {"proba": proba})
    chosen = strategy.select(outputs, n, random_state=0).indices
    return time.perf_counter() - start, chosen


def library_query(learner, X, n):
    start = time.perf_counter()
    chosen = learner.query(X, n=n)
    return time.perf_counter() - start, chosen


def compare(X, strategy, n, n_runs):
    """Alternate both sides; return medians and ratios."""
    learner = make_learner(X, strategy)
    module = learner.estimator_.module_
    seconds = {"bare": [], "library": []}
    parts = {"embed": [], "select": []}
    for run in range(n_runs + 1):
        bare, chosen = bare_query(module, X, strategy, n)
        whole, found = library_query(learner, X, n)
        if len(set(found)) != n or len(set(chosen)) != n:
            raise RuntimeError("A query must give n distinct rows.")
        if run == 0:
            continue  # warm up
        seconds["bare"].append(bare)
        seconds["library"].append(whole)
        for name in parts:
            parts[name].append(learner.timings_[name])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    pairs = zip(seconds["library"], seconds["bare"], strict=True)
    return {
        **medians,
        **{name: statistics.median(values) for name, values in parts.items()},
        "ratio": medians["library"] / medians["bare"],
        "ratio_of_neighbors": statistics.median(a / b for a, b in pairs),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results/query.json"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((arguments.rows, N_FEATURES), dtype=np.float32)
    results = {"target": TARGET, "threads": arguments.threads, "rows": arguments.rows}
    for strategy in (LeastConfidence(), BADGE()):
        name = type(strategy).__name__
        found = compare(X, strategy, arguments.n, arguments.runs)
        results[name] = found
        print(
            f"{name}: bare {found['bare']:.3f} s, query {found['library']:.3f} s "
            f"(pass {found['embed']:.3f}, choice {found['select']:.3f}), ratio "
            f"{found['ratio']:.3f}, of neighbors {found['ratio_of_neighbors']:.3f} "
            f"(target {TARGET})"
        )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Time the training of small nets against a bare torch loop, and what could be faster.

Three questions, each with its own part:

``loop``
    What skorch and skbadge add to a hand-written loop. All sides train the same network
    on made-up rows with Adam and mini-batches, clamp every gradient element, count the
    training accuracy of each batch before its update and shuffle anew each epoch. The
    bare loop does nothing else.
``stacked``
    What five repeats of a cell would gain by being trained together, as one network
    with stacked weights (torch.func, and by hand with batched products), against one
    after another on the same core. A grid uses all cores anyway, so this is what a
    core does more.
``compiled``
    What ``torch.compile`` makes of the module.

Times are CPU seconds of one thread; sides take turns, and the ratios are of medians, of
lower quartiles and of the fastest runs, since a machine may do other work as well.

    python benchmarks/bench_training.py --parts loop stacked --out results.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_classification
from skorch import NeuralNetClassifier

from skbadge.modules import (
    MLP,
    ClampGradients,
    LeanClassifier,
    ResNet18,
    StopAtTrainAccuracy,
    lean_settings,
)

LEARNING_RATE, MAX_ABS, N_REPEATS = 1e-4, 0.1, 5
TARGET = 1.05
# Rows, epochs a run, shape of a row, classes, hidden units or width, mini-batch.
LOOPS = {
    "letter, MLP 1024, 5000 labels": (5_000, 2, (16,), 26, 1024, 128),
    "kropt, MLP 1024, 1000 labels": (1_000, 10, (6,), 18, 1024, 128),
    "kropt, MLP 1024, 100 labels": (100, 60, (6,), 18, 1024, 128),
    "pictures, ResNet-18 of width 16, 128 labels": (128, 1, (3, 32, 32), 10, 16, 64),
}
STACKS = {
    "field: digits, MLP 128, 500 labels": (500, 10, (64,), 10, 128, 64),
    "field: kropt, MLP 128, 900 labels": (900, 10, (6,), 18, 128, 128),
    "quick: kropt, MLP 1024, 1000 labels": (1_000, 4, (6,), 18, 1024, 128),
    "quick: random_rbf, MLP 1024, 4000 labels": (4_000, 1, (10,), 5, 1024, 128),
}
COMPILED = ("kropt, MLP 1024, 1000 labels",)


def make_data(setting, seed=0):
    n_rows, _, shape, n_classes, *_ = setting
    if len(shape) == 3:
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n_rows, *shape))
        return X.astype(np.float32), rng.integers(n_classes, size=n_rows)
    X, y = make_classification(
        n_rows,
        n_features=shape[0],
        n_informative=shape[0],
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        random_state=seed,
    )
    return X.astype(np.float32), y.astype(np.int64)


def make_module(setting):
    _, _, shape, n_classes, size, _ = setting
    if len(shape) == 3:
        return ResNet18(n_classes, n_channels=shape[0], width=size)
    return MLP(shape[0], n_classes, n_hidden=size)


def train_bare(setting, X, y, seed, *, compiled=False):
    """Train by hand; return the last training accuracy."""
    _, n_epochs, *_, batch_size = setting
    torch.manual_seed(seed)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    module = make_module(setting)
    parameters = list(module.parameters())
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    criterion = torch.nn.CrossEntropyLoss()
    forward = torch.compile(module) if compiled else module
    for _ in range(n_epochs):
        order = torch.randperm(len(X))
        n_correct = 0
        for rows in order.split(batch_size):
            y_batch = y[rows]
            logits = forward(X[rows])
            loss = criterion(logits, y_batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(parameters, MAX_ABS)
            n_correct += int((logits.argmax(1) == y_batch).sum())
            optimizer.step()
    return n_correct / len(X)


def train_net(kind, setting, X, y, seed):
    """Train a skorch net; return the last training accuracy."""
    _, n_epochs, *_, batch_size = setting
    torch.manual_seed(seed)
    callbacks = [("stop", StopAtTrainAccuracy(1.0)), ("clamp", ClampGradients(MAX_ABS))]
    net = kind(
        make_module,
        module__setting=setting,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        lr=LEARNING_RATE,
        batch_size=batch_size,
        max_epochs=n_epochs,
        **lean_settings(callbacks=callbacks),
    ).fit(X, y)
    if len(net.history) != n_epochs:
        raise RuntimeError("The net stopped before the last epoch: nothing to compare.")
    return net.history[-1, "train_acc"]


def train_in_turn(setting, data, seed):
    """Train one net a repeat, one after another."""
    return [train_bare(setting, X, y, seed) for X, y in data]


def train_by_func(setting, data, seed):
    """Train one net a repeat together, vectorized by torch.func."""
    _, n_epochs, *_, batch_size = setting
    torch.manual_seed(seed)
    modules = [make_module(setting) for _ in data]
    values, _ = torch.func.stack_module_state(modules)
    values = {
        name: torch.nn.Parameter(value.detach()) for name, value in values.items()
    }

    def loss(values, X, y):
        logits = torch.func.functional_call(modules[0], values, (X,))
        return torch.nn.functional.cross_entropy(logits, y), logits

    step = torch.func.vmap(torch.func.grad(loss, has_aux=True))

    def run(X, y):
        grads, logits = step({k: v.detach() for k, v in values.items()}, X, y)
        for name, value in values.items():
            value.grad = grads[name]
        return logits

    return _train_stack(list(values.values()), run, data, n_epochs, batch_size)


def train_by_products(setting, data, seed):
    """Train one net a repeat together, with batched matrix products."""
    _, n_epochs, *_, batch_size = setting
    torch.manual_seed(seed)
    states = [make_module(setting).state_dict() for _ in data]
    w1, b1, w2, b2 = (
        torch.nn.Parameter(torch.stack([state[name] for state in states]).contiguous())
        for name in ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
    )

    def run(X, y):
        hidden = torch.baddbmm(b1[:, None], X, w1.transpose(1, 2)).relu()
        logits = torch.baddbmm(b2[:, None], hidden, w2.transpose(1, 2))
        # The sum over nets of the mean over rows: each net has its own loss.
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        (loss * len(X)).backward()
        return logits.detach()

    return _train_stack([w1, b1, w2, b2], run, data, n_epochs, batch_size)


def _train_stack(parameters, run, data, n_epochs, batch_size):
    X = torch.stack([torch.from_numpy(X) for X, _ in data])
    y = torch.stack([torch.from_numpy(y) for _, y in data])
    nets = torch.arange(len(data))[:, None]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    for _ in range(n_epochs):
        orders = torch.stack([torch.randperm(X.shape[1]) for _ in data])
        n_correct = torch.zeros(len(data), dtype=torch.int64)
        for rows in orders.split(batch_size, dim=1):
            y_batch = y[nets, rows]
            optimizer.zero_grad()
            logits = run(X[nets, rows], y_batch)
            torch.nn.utils.clip_grad_value_(parameters, MAX_ABS)
            n_correct += (logits.argmax(2) == y_batch).sum(1)
            optimizer.step()
    return (n_correct / X.shape[1]).tolist()


def take_turns(sides, n_runs):
    """Return, for each side, its CPU seconds in each run, and its last answer."""
    times, answers = {name: [] for name in sides}, {}
    for side in sides.values():
        side(0)
    for run in range(n_runs):
        # Whichever goes first, its turn comes last in the next run.
        for name in list(sides)[:: -1 if run % 2 else 1]:
            start = time.process_time()
            answers[name] = sides[name](run)
            times[name].append(time.process_time() - start)
    return times, answers


def ratios(times, other):
    """Return a side's times relative to another's."""
    quartiles = [statistics.quantiles(values, n=4)[0] for values in (times, other)]
    return {
        "of_medians": round(statistics.median(times) / statistics.median(other), 3),
        "of_lower_quartiles": round(quartiles[0] / quartiles[1], 3),
        "of_fastest": round(min(times) / min(other), 3),
    }


def compare_loops(n_runs):
    results = []
    for name, setting in LOOPS.items():
        X, y = make_data(setting)
        sides = {
            "bare": partial(train_bare, setting, X, y),
            "skorch": partial(train_net, NeuralNetClassifier, setting, X, y),
            "skbadge": partial(train_net, LeanClassifier, setting, X, y),
        }
        times, answers = take_turns(sides, n_runs)
        result = {
            "setting": name,
            "runs": n_runs,
            "bare_milliseconds_per_epoch": _milliseconds(times["bare"], setting),
            "same_accuracy": len(set(answers.values())) == 1,
            **{
                side: ratios(times[side], times["bare"])
                for side in sides
                if side != "bare"
            },
        }
        results.append(result)
        print(json.dumps(result))
    return results


def compare_stacks(n_runs):
    results = []
    for name, setting in STACKS.items():
        data = [make_data(setting, seed) for seed in range(N_REPEATS)]
        sides = {
            "in_turn": partial(train_in_turn, setting, data),
            "torch_func": partial(train_by_func, setting, data),
            "batched_products": partial(train_by_products, setting, data),
        }
        times, answers = take_turns(sides, n_runs)
        result = {
            "setting": name,
            "repeats": N_REPEATS,
            "runs": n_runs,
            "in_turn_milliseconds_per_epoch": _milliseconds(times["in_turn"], setting),
            "mean_accuracies": {
                side: round(statistics.mean(found), 3)
                for side, found in answers.items()
            },
            "times_faster": {
                side: ratios(times["in_turn"], times[side])
                for side in sides
                if side != "in_turn"
            },
        }
        results.append(result)
        print(json.dumps(result))
    return results


def compare_compiled(n_runs):
    results = []
    for name in COMPILED:
        setting = LOOPS[name]
        X, y = make_data(setting)
        start = time.process_time()
        try:
            train_bare(setting, X, y, 0, compiled=True)
        except Exception as error:  # noqa: BLE001
            # Whatever a machine lacks: that is the finding.
            results.append({"setting": name, "failed": str(error).splitlines()[0]})
            print(json.dumps(results[-1]))
            continue
        first = time.process_time() - start
        sides = {
            "bare": partial(train_bare, setting, X, y),
            "compiled": partial(train_bare, setting, X, y, compiled=True),
        }
        times, _ = take_turns(sides, n_runs)
        results.append(
            {
                "setting": name,
                "runs": n_runs,
                "first_training_seconds": round(first, 2),
                "bare_milliseconds_per_epoch": _milliseconds(times["bare"], setting),
                "compiled": ratios(times["compiled"], times["bare"]),
            }
        )
        print(json.dumps(results[-1]))
    return results


def _milliseconds(times, setting):
    return round(1e3 * statistics.median(times) / setting[1], 2)


PARTS = {
    "loop": compare_loops,
    "stacked": compare_stacks,
    "compiled": compare_compiled,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent / "results" / "training.json",
        help="where to write the figures as JSON",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    document = {
        "benchmark": "training",
        "target_ratio": TARGET,
        "torch": torch.__version__,
        "threads": 1,
        "times": "CPU seconds of one thread, in turn",
    }
    if arguments.out.exists():
        # Parts that are not measured now stay, if they were measured in the same way.
        before = json.loads(arguments.out.read_text(encoding="utf-8"))
        if all(before.get(name) == value for name, value in document.items()):
            document = before
    for part in arguments.parts:
        document[part] = PARTS[part](arguments.runs)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

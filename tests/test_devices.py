"""What is computed on a GPU is what is computed on the processor, but for rounding."""

import os

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.utils.data import TensorDataset

from skbadge import BADGE, CoreSet, MarginSampling
from skbadge.benchmarks import make_cells
from skbadge.benchmarks.run._cell import run_cell
from skbadge.embeddings import GradientEmbedding
from skbadge.modules import (
    MLP,
    InMemoryBatches,
    LeanClassifier,
    StopAtTrainAccuracy,
    lean_settings,
)
from skbadge.selection import kmeans_plusplus
from tests._learning import make_accurate_net, make_data, make_learner

# With another value the tests can be tried on the processor.
DEVICE = os.environ.get("SKBADGE_TESTS_DEVICE", "cuda")
pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no GPU here"
)


def test_kmeans_plusplus_chooses_the_same():
    """In float64, where rounding decides nothing."""
    generator = torch.Generator().manual_seed(0)
    factors = [
        torch.randn(2_000, width, generator=generator, dtype=torch.float64)
        for width in (5, 16)
    ]
    chosen = [
        kmeans_plusplus(
            GradientEmbedding(*(part.to(device) for part in factors)),
            200,
            random_state=0,
        )
        for device in ("cpu", DEVICE)
    ]
    assert chosen[0].tolist() == chosen[1].tolist()


@pytest.mark.parametrize("strategy", [BADGE(), CoreSet(), MarginSampling()])
def test_a_net_there_asks_for_the_same_rows(strategy):
    """One pass, the choosing, and the gradient check, with the same weights."""
    X, y = (part[:200] for part in make_data(200))
    X = X.astype(np.float32)
    asked, proba = [], []
    for device in ("cpu", DEVICE):
        net = make_accurate_net(device=device)
        learner = make_learner(strategy, net=net).fit(X[:60], y[:60])
        proba.append(learner.predict_proba(X))
        asked.append(learner.query(X[60:], 10).tolist())
        assert next(learner.estimator_.module_.parameters()).device.type == (
            torch.device(device).type
        )
    assert_allclose(*proba, atol=1e-4)
    assert asked[0] == asked[1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rows_that_stay_there_are_learned(precision):
    X, y = make_data(300)
    settings = lean_settings(callbacks=[("stop", StopAtTrainAccuracy(0.85))])
    settings["iterator_train__device"] = DEVICE
    net = LeanClassifier(
        MLP,
        module__n_features=3,
        module__n_classes=3,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-2,
        max_epochs=100,
        device=DEVICE,
        precision=precision,
        **settings,
    ).fit(X.astype(np.float32), y)
    assert net.history[-1]["train_acc"] > 0.85
    assert np.mean(net.predict(X.astype(np.float32)) == y) > 0.8


def test_mini_batches_are_cut_there():
    rows = TensorDataset(torch.arange(5.0)[:, None], torch.arange(5))
    batches = list(InMemoryBatches(rows, batch_size=2, shuffle=True, device=DEVICE))
    assert {part.device.type for batch in batches for part in batch} == {DEVICE}
    assert sorted(y.item() for _, part in batches for y in part) == list(range(5))


@pytest.mark.parametrize("model", ["mlp", "convnet"])
def test_a_cell_of_the_grid(model):
    """The same rows at the start, and about the same accuracy from the same weights."""
    found = []
    for device in ("cpu", DEVICE):
        (cell,) = make_cells(
            ["digits"],
            models=[model],
            batch_sizes=[20],
            strategies=["badge"],
            repeats=1,
            n_rounds=1,
            n_hidden=32,
            width=4,
            learning_rate=3e-3,
            max_epochs=5,
            device=device,
        )
        found.append(run_cell(cell)["records"])
    for before, there in zip(*found, strict=True):
        assert before["n_labeled"] == there["n_labeled"]
        assert abs(before["accuracy"] - there["accuracy"]) < 0.1
    assert found[0][0]["positions"] == found[1][0]["positions"]
    assert len(set(found[1][1]["positions"])) == 20

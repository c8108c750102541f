"""What is computed on a GPU is what is computed on the processor, but for rounding."""

import copy
import os
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from torch import nn
from torch.utils.data import TensorDataset

from skbadge import (
    ALBL,
    BADGE,
    ActiveLearner,
    CoreSet,
    MarginSampling,
    PenultimateFeatures,
    simulate,
)
from skbadge.benchmarks import make_cells
from skbadge.benchmarks.run._cell import run_cell
from skbadge.embeddings import GradientEmbedding
from skbadge.exceptions import SkbadgeError
from skbadge.modules import (
    MLP,
    InMemoryBatches,
    LeanClassifier,
    StopAtTrainAccuracy,
    lean_settings,
)
from skbadge.nets._estimators import find_net
from skbadge.selection import (
    bait_greedy,
    facility_location_greedy,
    k_center_greedy,
    k_dpp_sample,
    kmeans_plusplus,
    log_det_greedy,
    top_k,
    weighted_kmeans,
)
from tests._any_heads import HEADS
from tests._any_nets import CASES, build
from tests._learning import (
    Double,
    make_accurate_net,
    make_data,
    make_learner,
    make_net,
)
from tests._real_nets import REAL_NETS
from tests._strategies import all_strategies

# With another value the tests can be tried on the processor.
DEVICE = os.environ.get("SKBADGE_TESTS_DEVICE", "cuda")
pytestmark = [
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(),
        reason="torch sees no GPU here",
    ),
    # torch's own, and transformers' when peft wraps a model.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor"),
    pytest.mark.filterwarnings("ignore:Lazy modules are a new feature"),
    pytest.mark.filterwarnings("ignore:.*`isinstance.treespec, LeafSpec.`"),
    pytest.mark.filterwarnings(
        "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
    ),
]


def random_table(width, n_rows=600, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_rows, width, generator=generator, dtype=torch.float64)


FACTORS = random_table(5), random_table(16, seed=1)
PROBA = FACTORS[0].softmax(dim=1)
ALGORITHMS = {
    "k-means++": lambda proba, left, right: kmeans_plusplus(
        GradientEmbedding(left, right), 200, random_state=0
    ),
    "k-DPP": lambda proba, left, right: k_dpp_sample(
        GradientEmbedding(left, right), 20, random_state=0
    ),
    "log-det": lambda proba, left, right: log_det_greedy(
        GradientEmbedding(left, right), 60
    ),
    "k-center": lambda proba, left, right: k_center_greedy(
        right, 100, labeled_features=right[:7]
    ),
    "facility location": lambda proba, left, right: facility_location_greedy(
        right, 40, length_scale=3.0
    ),
    "BAIT": lambda proba, left, right: bait_greedy(proba, right, 20),
    "BAIT, full": lambda proba, left, right: bait_greedy(
        proba, right, 10, fisher="full", regularization=0.1
    ),
    "top": lambda proba, left, right: top_k(proba[:, 0], 30),
    "k-means": lambda proba, left, right: (
        weighted_kmeans(right, 20, random_state=0).labels
    ),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_choose_the_same(name):
    """In float64, where rounding decides nothing."""
    chosen = [
        ALGORITHMS[name](*(part.to(device) for part in (PROBA, *FACTORS)))
        for device in ("cpu", DEVICE)
    ]
    assert np.asarray(chosen[0]).tolist() == np.asarray(chosen[1]).tolist()


def hard_pool(kind, n_rows=3_000, width=64):
    """Return rows whose distances cancel, tie or vanish, in float32."""
    table = random_table(width, n_rows).float()
    if kind == "alike":
        return table[:1] + 1e-5 * table
    if kind == "far":
        return 1e4 + table
    return table[torch.arange(n_rows) % 8]


@pytest.mark.parametrize("kind", ["alike", "far", "eight"])
def test_hard_pools(kind):
    pool = hard_pool(kind).to(DEVICE)
    residual = random_table(5, len(pool)).float().to(DEVICE)
    for chosen in (
        kmeans_plusplus(pool, 50, random_state=0),
        kmeans_plusplus(GradientEmbedding(residual, pool), 50, random_state=0),
        k_center_greedy(pool, 50),
        log_det_greedy(GradientEmbedding(residual, pool), 50),
    ):
        assert len(set(chosen.tolist())) == 50
    if kind == "eight":
        first = kmeans_plusplus(pool, 8, random_state=0)
        assert len(set((first % 8).tolist())) == 8


@pytest.mark.parametrize(
    "strategy",
    [s for s in all_strategies() if not np.size(getattr(s, "clusters", None)) > 1],
    ids=lambda strategy: " ".join(repr(strategy).split()),
)
def test_every_strategy_asks_there(strategy):
    """Of the same net in float64, and for the same rows.

    But for those that draw dropout, and the k-DPP, of which rounding orders the start.
    """
    X, y = make_data(80)
    pool, _ = make_data(60, seed=1)
    draws = strategy.needs.samples > 0
    may_differ = draws or "k-dpp" in repr(strategy)
    asked = []
    for device in ("cpu", DEVICE):
        net = make_net(Double, module__dropout=0.2 if draws else 0.0, device=device)
        learner = make_learner(clone(strategy), net=net).fit(X[:20], y[:20])
        asked.append(learner.query(pool, n=8).tolist())
        learner.teach(pool[asked[-1]], np.arange(8) % 3)
        assert len(set(learner.query(pool, n=3))) == 3
    assert len(set(asked[1])) == 8
    assert may_differ or asked[0] == asked[1]


@pytest.mark.parametrize(
    "case",
    [c for c in [*CASES, *HEADS] if not c.frozen and "compile" not in c.id],
    ids=lambda case: case.id,
)
def test_odd_nets_are_read_there(case):
    """Each query holds gradients against autograd's, on the device too."""
    net = build(case)
    find_net(net).set_params(device=DEVICE)
    learner = ActiveLearner(net, layer=case.layer, random_state=0).fit(case.X, case.y)
    assert len(set(learner.query(case.X, n=5).tolist())) == 5
    proba = learner.predict_proba(case.X)
    assert_allclose(proba.sum(axis=1), 1, atol=max(case.tolerance, 1e-4))


@pytest.mark.parametrize("case", REAL_NETS, ids=lambda case: case.id)
def test_real_nets_are_read_there(case):
    X, y = case.data()
    net = case.net().set_params(device=DEVICE)
    learner = ActiveLearner(net, layer=case.layer, random_state=0).fit(X, y)
    assert len(set(learner.query(X, n=2).tolist())) == 2


def test_a_learner_comes_back_from_there(tmp_path):
    X, y = make_data(80)
    pool, _ = make_data(60, seed=1)

    def learner_there():
        net = make_net(Double, module__dropout=0.0, device=DEVICE)
        return make_learner(ALBL(), net=net)

    learner = learner_there().fit(X[:20], y[:20])
    learner.save(tmp_path / "learner.safetensors")
    expected = learner.query(pool, n=6).tolist()
    # What was asked stays open: each twin is asked anew.
    twins = [ActiveLearner.load(tmp_path / "learner.safetensors", learner_there())]
    twins += [copy.deepcopy(twins[0]), pickle.loads(pickle.dumps(twins[0]))]
    assert [twin.query(pool, n=6).tolist() for twin in twins] == [expected] * 3
    features = PenultimateFeatures(make_net(device=DEVICE)).fit(X, y).transform(pool)
    assert features.shape == (60, 6)


@pytest.mark.parametrize("warm_start", [False, True, "shrink-perturb"])
def test_rounds_of_a_simulation(warm_start):
    X, y = make_data(120)
    learner = make_learner(
        BADGE(), net=make_net(Double, device=DEVICE), warm_start=warm_start
    )
    found = simulate(
        learner,
        X[:100],
        y[:100],
        n_initial=10,
        n=5,
        n_rounds=3,
        X_test=X[100:],
        y_test=y[100:],
    )
    assert found["n_labeled"].tolist() == [10, 15, 20, 25]


class Wide(nn.Module):
    """A net whose batches take much room."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 60_000), nn.Linear(60_000, 3)

    def forward(self, X):
        return self.head(torch.relu(self.body(X)))


@pytest.mark.skipif(DEVICE != "cuda", reason="memory of a GPU")
def test_memory_that_runs_out_there_names_the_batch_size():
    X = np.zeros((200_000, 3), dtype=np.float32)
    net = make_net(Wide, device=DEVICE, iterator_valid__batch_size=200_000)
    learner = make_learner(MarginSampling(), net=net).fit(X[:6], np.arange(6) % 3)
    torch.cuda.set_per_process_memory_fraction(0.05)
    try:
        with pytest.raises(SkbadgeError, match="iterator_valid__batch_size"):
            learner.query(X, n=3)
        learner.set_params(estimator__iterator_valid__batch_size=1_000)
        assert len(learner.query(X[:5_000], n=3)) == 3
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.slow
def test_workers_of_a_cluster_run_their_parts_there():
    da = pytest.importorskip("dask.array")
    from tests.cluster._cluster import local_client

    X, y = make_data(80)
    pool, _ = make_data(600, seed=1)
    # A process that has looked for GPUs must not be forked.
    with local_client(2, forked=False):
        for strategy in (BADGE(), MarginSampling()):
            net = make_net(Double, module__dropout=0.0, device=DEVICE)
            learner = make_learner(strategy, net=net).fit(X[:20], y[:20])
            found = learner.query(da.from_array(pool, chunks=(150, 3)), n=20)
            np.testing.assert_array_equal(found, learner.query(pool, n=20))


@pytest.mark.parametrize("strategy", [BADGE(), CoreSet(), MarginSampling()])
def test_a_net_there_asks_for_the_same_rows(strategy):
    """One pass, the choosing, and the gradient check, with the same weights."""
    X, y = (part[:200] for part in make_data(200))
    X = X.astype(np.float32)
    asked, proba = [], []
    for device in ("cpu", DEVICE):
        net = make_accurate_net(device=device, module__dropout=0.0)
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

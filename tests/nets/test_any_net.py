"""Every kind of net works unmodified, or is refused with a clear error."""

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.dataset import ValidSplit
from torch import nn

from skbadge import ALBL, BADGE, ActiveLearner, CoreSet, MarginSampling, exceptions
from skbadge.embeddings import GradientEmbedding
from skbadge.extraction._pass import collect_outputs
from skbadge.nets._estimators import find_net
from skbadge.strategies import Needs
from skbadge.utils._rows import n_rows, take
from tests._any_heads import HEADS, NO_PRODUCT
from tests._any_modules import FeaturesOverwritten, Focal, Net
from tests._any_nets import CASES, REFUSED, build, case, instance, make_rows
from tests._net_states import assert_same_state, fitted_learner, state_of, user_module
from tests._oracles import last_layer_gradients

pytestmark = [
    # torch's own, when it compiles a criterion.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor"),
    # torch announces that lazy modules may change.
    pytest.mark.filterwarnings("ignore:Lazy modules are a new feature"),
    pytest.mark.filterwarnings("ignore:.*`isinstance.treespec, LeafSpec.`"),
]
ALL = Needs(proba=True, residual=True, features=True)


def module_rows(X, dtype):
    """Return the rows one by one, as tensors the module takes."""
    if isinstance(X, dict):
        parts = {key: module_rows(part, dtype) for key, part in X.items()}
        return [{key: part[i] for key, part in parts.items()} for i in range(n_rows(X))]
    rows = torch.as_tensor(np.array(X))
    rows = rows.to(dtype) if rows.is_floating_point() else rows
    return [rows[i : i + 1] for i in range(len(rows))]


@pytest.mark.parametrize("case", [*CASES, *HEADS], ids=lambda case: case.id)
def test_gradient_equals_autograd_and_query_leaves_no_trace(case):
    learner = fitted_learner(case)
    net = find_net(learner.estimator_)
    # Half of the modules in the other mode: each must come back as it was.
    for i, part in enumerate(net.module_.modules()):
        part.training = bool(i % 2)
    before = state_of(net)
    indices = learner.query(case.X, n=5)
    assert_same_state(before, state_of(net))
    assert len(set(indices.tolist())) == 5

    outputs = collect_outputs(net, case.X, ALL, layer=case.layer)
    assert_same_state(before, state_of(net))
    layer = user_module(net).get_submodule(case.head)
    rows = module_rows(case.X, layer.weight.dtype)
    for bias in {False, layer.bias is not None}:
        expected = last_layer_gradients(net, layer, rows, bias=bias)
        found = GradientEmbedding.from_outputs(outputs, bias=bias).to_dense()
        scale = float(expected.abs().max())
        assert scale > 1e-3
        torch.testing.assert_close(
            found.double(), expected, rtol=0, atol=case.tolerance * max(1.0, scale)
        )
    proba = np.concatenate([net.predict_proba(row) for row in rows])
    np.testing.assert_allclose(outputs.proba.numpy(), proba, atol=case.tolerance)


@pytest.mark.parametrize("case", [*CASES, *HEADS], ids=lambda case: case.id)
def test_the_learner_goes_on(case):
    learner = fitted_learner(case)
    X, y = case.X, case.y
    kept = {name: np.copy(part) for name, part in _named_parts(X)}
    first = learner.query(X, n=4)
    np.testing.assert_array_equal(first, learner.query(X, n=4))
    if not case.frozen:
        learner.teach(take(X, first), y[first])
        assert learner.n_labeled_ == len(y) + 4
    assert set(learner.predict(X)) <= set(case.labels)
    for name, part in _named_parts(X):
        np.testing.assert_array_equal(part, kept[name], err_msg="the pool was changed")


def _named_parts(X):
    return X.items() if isinstance(X, dict) else [("X", X)]


@pytest.mark.parametrize("case", [*REFUSED, *NO_PRODUCT], ids=lambda case: case.id)
def test_refused_with_a_clear_error_and_no_trace(case):
    error = getattr(exceptions, case.error[0])
    with pytest.raises(error, match=case.error[1]):
        # A wrong name shows in fit already.
        fitted_learner(case).query(case.X, n=3)
    if case.layer is None:
        learner = fitted_learner(case)
        net = find_net(learner.estimator_)
        before = state_of(net)
        with pytest.raises(error, match=case.error[1]):
            learner.query(case.X, n=3)
        assert_same_state(before, state_of(net))


@pytest.mark.parametrize("id", ["tied", "twice", "cosine", "maximum-over-steps"])
def test_features_alone_need_no_gradient(id):
    (case,) = [case for case in [*REFUSED, *NO_PRODUCT] if case.id == id]
    learner = fitted_learner(case, strategy=CoreSet())
    # The labelled rows are the pool: all but duplicates of them are as near as can be.
    assert len(learner.query(case.X, n=3)) == 3


def test_overwritten_features_are_seen_as_the_layer_saw_them():
    here = case("overwritten", FeaturesOverwritten)
    learner = fitted_learner(here)
    net = find_net(learner.estimator_)
    outputs = collect_outputs(net, here.X, ALL)
    with torch.no_grad():
        expected = net.module_.body(torch.as_tensor(here.X))
    torch.testing.assert_close(outputs.features, expected)
    assert outputs.features.abs().max() > 0


def test_data_parallel_over_devices_is_refused():
    here = next(case for case in CASES if case.id == "data-parallel")
    learner = fitted_learner(here)
    find_net(learner.estimator_).module_.device_ids = [0, 1]
    with pytest.raises(exceptions.LayerError, match="over 2 devices"):
        learner.query(here.X, n=2)


class RunningMean(Net):
    """A module that goes on learning in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, X):
        features = self.body(X)
        with torch.no_grad():
            self.mean.lerp_(features.mean(dim=0), 0.3)
        return self.head(features - self.mean)


class KeepsState(Net):
    """A module that keeps what came out of its last pass."""

    def forward(self, X):
        features = self.body(X)
        self.last = features, 2 * features
        return self.head(features)


class NormalizesByBatch(Net):
    """A module that normalizes by its batch, whatever its mode."""

    def __init__(self):
        super().__init__(body=nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)))

    def forward(self, X):
        self.body.train()
        return super().forward(X)


class Calibrated(NeuralNetClassifier):
    def predict_proba(self, X):
        proba = super().predict_proba(X) ** 0.2
        return proba / proba.sum(axis=1, keepdims=True)


def test_a_pass_does_not_teach_the_module():
    learner = fitted_learner(case("running-mean", RunningMean))
    module = find_net(learner.estimator_).module_
    mean, X = module.mean.clone(), make_rows("table") + 5
    first = learner.query(X, n=4)
    assert torch.equal(module.mean, mean)
    np.testing.assert_array_equal(learner.query(X, n=4), first)


def test_a_module_that_keeps_results_can_be_frozen_and_warm_started():
    here = case("keeps-state", KeepsState)
    net = build(here).fit(here.X, here.y)
    kept = net.module_.last[0]
    assert kept.grad_fn is not None
    learner = ActiveLearner(FrozenEstimator(net)).fit(here.X, here.y)
    assert len(learner.query(here.X, n=2)) == 2
    assert net.module_.last[0] is kept
    warm = ActiveLearner(build(here), warm_start=True, random_state=0)
    assert warm.fit(here.X, here.y).teach(here.X, here.y).n_labeled_ == 2 * len(here.y)


def test_a_module_that_needs_two_rows():
    here = case("normalizes-by-batch", NormalizesByBatch, batch_size=6)
    assert len(fitted_learner(here).query(here.X, n=3)) == 3


@pytest.mark.parametrize(
    "here, error, text",
    [
        (
            case(
                "binary-cross-entropy-of-classes",
                Net,
                labels=(0, 1),
                module__width=1,
                kind=NeuralNetBinaryClassifier,
            ),
            exceptions.ModuleOutputError,
            "with the criterion CrossEntropyLoss they do not",
        ),
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_other_answers_are_refused(here, error, text):
    with pytest.raises(error, match=text):
        fitted_learner(here).query(here.X, n=3)


def test_own_probabilities_are_refused_where_they_matter():
    here = case("calibrated", Net, kind=Calibrated)
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        fitted_learner(here, strategy=MarginSampling()).query(here.X, n=3)
    assert str(caught.value) == (
        "The strategy reads probabilities, and Calibrated has a predict_proba of its "
        "own, which a pass over the pool does not call: the two could differ. Put what "
        "it does to the module's outputs into predict_nonlinearity, which both follow."
    )
    assert len(fitted_learner(here).query(here.X, n=3)) == 3


@pytest.mark.parametrize("strategy", [BADGE(), ALBL()], ids=["badge", "albl"])
def test_bfloat16_that_skorch_cannot_hand_on(strategy):
    here = case("bfloat16", instance(lambda: Net().bfloat16()))
    learner = fitted_learner(here, strategy=strategy)
    chosen = learner.query(here.X, n=3)
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        learner.predict(here.X)
    assert str(caught.value) == (
        "The net answers bfloat16, which NumPy lacks, so that skorch cannot give its "
        "probabilities. Let the module's forward return scores.float(), or set a "
        "predict_nonlinearity that widens, for example "
        "lambda scores: torch.softmax(scores.float(), dim=-1)."
    )
    if isinstance(strategy, ALBL):
        with pytest.raises(exceptions.RefitError, match="NumPy lacks"):
            learner.teach(here.X[chosen], here.y[chosen])
    else:
        learner.teach(here.X[chosen], here.y[chosen])
    assert learner.n_labeled_ == len(here.y) + 3


def test_bfloat16_in_the_scoring_of_a_training():
    here = case("scored", instance(lambda: Net().bfloat16()), train_split=ValidSplit(3))
    with pytest.raises(exceptions.ModuleOutputError, match="NumPy lacks"):
        fitted_learner(here)


def test_what_is_no_distribution_is_not_given_for_one():
    here = case("focal-as-it-is", Net, criterion=Focal)
    learner = fitted_learner(here)
    with pytest.raises(exceptions.ModuleOutputError, match="predict_nonlinearity"):
        learner.predict_proba(here.X)
    # The largest score is the class all the same.
    net = find_net(learner.estimator_)
    expected = net.forward(here.X).argmax(dim=1).numpy()
    np.testing.assert_array_equal(learner.predict(here.X), expected)


def test_the_check_on_two_rows_leaves_the_pass_as_it_was():
    """The features of the first batch stand, and a frozen head stays frozen."""
    here = next(case for case in CASES if case.id == "head-frozen")
    net = find_net(fitted_learner(here).estimator_)
    outputs = collect_outputs(net, here.X, ALL)
    with torch.no_grad():
        expected = net.module_.body(torch.as_tensor(here.X))
    torch.testing.assert_close(outputs.features, expected)
    assert not any(p.requires_grad for p in net.module_.head.parameters())

"""Nets that do in a pass what few nets do: each is queried like any other."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skbadge import (
    BADGE,
    ActiveLearner,
    CoreSet,
    MarginSampling,
    PenultimateFeatures,
    exceptions,
)
from skbadge.embeddings import GradientEmbedding
from skbadge.extraction._pass import collect_outputs
from skbadge.nets._estimators import find_net
from skbadge.strategies import Needs
from tests._any_modules import FirstOfTuple, Net, PenaltyInEvaluation
from tests._any_nets import case, make_rows
from tests._net_states import fitted_learner

N_CLASSES = 40


class KeepsMaps(Net):
    """Keeps what it computed, in a list and a dict."""

    def forward(self, X):
        features = self.body(X)
        self.maps = [{"features": features}]
        return self.head(features)


class SparseBuffer(Net):
    """Has a buffer that is no dense table, as nets on graphs do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("graph", torch.eye(5).to_sparse())

    def forward(self, X):
        return super().forward(torch.sparse.mm(self.graph, X.T).T)


class ResizedBuffer(Net):
    """Has a buffer as long as the last batch."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, X):
        self.seen.resize_(len(X)).fill_(1.0)
        return super().forward(X)


class KeepsGradients(Net):
    """Computes with gradients whatever it is asked."""

    def forward(self, X):
        with torch.enable_grad():
            return super().forward(X)


class WithoutGradients(Net):
    """Computes without gradients in evaluation mode."""

    def forward(self, X):
        with torch.set_grad_enabled(self.training):
            return super().forward(X)


class ComputedWeight(Net):
    """Has a head whose weight is computed from others, which are frozen."""

    def __init__(self):
        super().__init__()
        self.head = nn.utils.parametrizations.weight_norm(self.head)
        self.head.requires_grad_(False)


class ClippedGradients(Net):
    """Has every weight's gradient clipped on its way, by hooks."""

    def __init__(self):
        super().__init__()
        for weight in self.parameters():
            weight.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))


class Random(Net):
    """Draws its features, and answers their mean as well."""

    def forward(self, X):
        mean = self.body(X)
        return self.head(mean + torch.randn_like(mean)), mean


class WritesToInput(Net):
    """Normalizes its input in place."""

    def forward(self, X):
        X.sub_(0.5).div_(2.0)
        features = self.body(X)
        return self.head(features), features


class Packed(nn.Module):
    """Takes sequences that are sorted by their lengths, the longest first."""

    def __init__(self):
        super().__init__()
        self.cells = nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, X, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(X, lengths.long(), batch_first=True)
        return self.head(self.cells(packed)[1][-1])


class Neighbors(Net):
    """Looks at the nearest rows of its batch, of which it needs some."""

    def forward(self, X):
        nearest = torch.cdist(X, X).topk(5, largest=False).indices
        return super().forward(X[nearest].mean(dim=1))


class TakesMore(nn.Linear):
    """A layer with a second argument, which may be None."""

    def forward(self, X, scale=None):
        return super().forward(X if scale is None else X * scale)


class SecondArgument(Net):
    def __init__(self):
        super().__init__()
        self.head = TakesMore(4, 3)

    def forward(self, X):
        return self.head(self.body(X), None)


class AnswersDict(Net):
    def forward(self, X):
        return {"logits": super().forward(X)}


class Unwraps(NeuralNetClassifier):
    """Hands dicts to the loss and scores to everyone else."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred["logits"], y_true, *args, **kwargs)

    def evaluation_step(self, batch, training=False):
        return super().evaluation_step(batch, training)["logits"]


CASES = [
    case("sparse-buffer", SparseBuffer),
    case("resized-buffer", ResizedBuffer),
    case("keeps-gradients", KeepsGradients),
    case("without-gradients", WithoutGradients),
    case("computed-weight", ComputedWeight),
    case("clipped-gradients", ClippedGradients),
    case("random", Random, kind=FirstOfTuple),
    case("writes-to-input", WritesToInput, kind=FirstOfTuple),
    case("neighbors", Neighbors, batch_size=-1),
    case("second-argument", SecondArgument),
    case("penalty-in-evaluation", Net, kind=PenaltyInEvaluation),
    case("unwraps", AnswersDict, kind=Unwraps),
]


@pytest.mark.parametrize("strategy", [BADGE(), MarginSampling()], ids=["badge", "marg"])
@pytest.mark.parametrize("here", CASES, ids=lambda case: case.id)
def test_is_queried_like_any_other(here, strategy):
    learner = fitted_learner(here, strategy=strategy)
    first = learner.query(here.X, n=4)
    np.testing.assert_array_equal(learner.query(here.X, n=4), first)
    learner.teach(here.X[first], here.y[first])
    assert learner.predict(here.X).shape == here.y.shape


@pytest.mark.parametrize("here", CASES, ids=lambda case: case.id)
def test_gives_its_features(here):
    features = PenultimateFeatures(here.make(), random_state=0).fit(here.X, here.y)
    assert features.transform(here.X).shape == (len(here.y), 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_classes_behind_a_softmax(dtype):
    """skorch adds a machine epsilon to each probability, more the more there are."""

    class Softmax(Net):
        def __init__(self):
            super().__init__(width=N_CLASSES, after=nn.Softmax(dim=1))
            self.to(dtype)

    here = case("many", Softmax, criterion=nn.NLLLoss, labels=range(N_CLASSES), lr=0.01)
    X = np.random.default_rng(0).normal(size=(4 * N_CLASSES, 5))
    learner = ActiveLearner(here.make(), random_state=0)
    learner.fit(X, np.arange(len(X)) % N_CLASSES)
    assert len(learner.query(X, n=3)) == 3


def test_what_a_module_keeps_does_not_hinder_the_next_training():
    here = case("keeps-maps", KeepsMaps, batch_size=64)
    learner = fitted_learner(here, warm_start=True)
    chosen = learner.query(here.X, n=3)
    learner.teach(here.X[chosen], here.y[chosen]).refit()
    assert learner.n_labeled_ == len(here.y) + 3


def test_batches_keep_their_order():
    lengths = np.arange(18, 0, -1) // 5 + 1
    X = {"X": make_rows("sequences"), "lengths": lengths.astype(np.float32)}
    net = case("packed", Packed).make()
    learner = ActiveLearner(net, random_state=0).fit(X, np.arange(18) % 3)
    assert len(learner.query(X, n=3)) == 3


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_inputs_in_a_list(kind):
    class Two(Net):
        def forward(self, pair):
            return super().forward(pair[0] + pair[1])

    X = kind([make_rows("table"), make_rows("table")[::-1].copy()])
    learner = ActiveLearner(case("two", Two).make(), random_state=0)
    learner.fit(X, np.arange(18) % 3)
    assert len(learner.query(X, n=3)) == 3


def test_batches_that_cannot_be_cut():
    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return 18

        def __getitem__(self, index):
            return torch.from_numpy(make_rows("table")[index]), 0

    class TakesSparse(Net):
        def forward(self, X):
            return super().forward(torch.sparse.mm(X, torch.eye(5)))

    def collate(pairs):
        rows, labels = zip(*pairs, strict=True)
        return torch.stack(rows).to_sparse(), torch.tensor(labels)

    settings = {f"iterator_{part}__collate_fn": collate for part in ("train", "valid")}
    net = case("sparse", TakesSparse, **settings).make()
    learner = ActiveLearner(net, random_state=0).fit(Rows(), np.arange(18) % 3)
    assert len(learner.query(Rows(), n=3)) == 3


def test_a_second_run_starts_where_the_first_did():
    """The residual belongs to the features, where both are drawn or overwritten."""
    for here in CASES:
        if here.id not in ("random", "writes-to-input"):
            continue
        net = find_net(fitted_learner(here).estimator_)
        needs = Needs(residual=True, features=True)
        torch.manual_seed(5)
        outputs = collect_outputs(net, here.X, needs)
        gradient = GradientEmbedding.from_outputs(outputs).to_dense()
        head = net.module_.head
        logits = head(outputs.features)
        loss = nn.functional.cross_entropy(logits, logits.argmax(1), reduction="none")
        for i in range(len(here.X)):
            (expected,) = torch.autograd.grad(loss[i], head.weight, retain_graph=True)
            torch.testing.assert_close(
                gradient[i], expected.flatten().double(), atol=1e-5, rtol=0,
                check_dtype=False,
            )  # fmt: skip


class AllKinds(nn.Module):
    """Layers of several kinds and widths, one of which answers a tuple."""

    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(3, 4, batch_first=True)
        self.filter = nn.Conv1d(4, 2, 3)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 3)

    def forward(self, X):
        steps, _ = self.cells(X)
        maps = self.filter(steps.transpose(1, 2))
        return self.head(self.norm(maps.flatten(1)))


@pytest.mark.parametrize("layer", ["cells", "filter", "norm", "head"])
def test_the_input_of_any_layer_is_read(layer):
    here = case("kinds", AllKinds, rows="sequences")
    features = PenultimateFeatures(here.make(), layer=layer, random_state=0)
    found = features.fit(here.X, here.y).transform(here.X)
    seen = []
    module = features.estimator_.module_
    module.get_submodule(layer).register_forward_hook(
        lambda layer, args, output: seen.append(args[0].flatten(1))
    )
    with torch.no_grad():
        module(torch.as_tensor(here.X))
    np.testing.assert_allclose(found, seen[0].numpy(), atol=1e-6)
    learner = ActiveLearner(here.make(), strategy=CoreSet(), layer=layer)
    assert len(learner.fit(here.X, here.y).query(here.X, n=2)) == 2
    if layer != "head":
        learner = ActiveLearner(here.make(), layer=layer).fit(here.X, here.y)
        with pytest.raises(exceptions.LayerError, match="read of an nn.Linear layer"):
            learner.query(here.X, n=2)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_a_module_that_takes_no_hooks_gives_probabilities():
    here = case("scripted", lambda: torch.jit.script(Net()))
    fitted_learner(here, strategy=MarginSampling()).query(here.X, n=2)
    with pytest.raises(exceptions.LayerError) as caught:
        fitted_learner(here).query(here.X, n=2)
    assert "TorchScript" in str(caught.value)
    assert "MarginSampling" in str(caught.value)
    assert "layer='...'" not in str(caught.value)
    # Known before the training, where it is named.
    with pytest.raises(exceptions.LayerError, match="Got 'head', which is TorchScript"):
        ActiveLearner(here.make(), strategy=CoreSet(), layer="head").fit(here.X, here.y)


class OfNoLayer(nn.Module):
    """Multiplies by the weight of its head, which does not run; the body does."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, X):
        return nn.functional.linear(self.body(X), self.head.weight)


class OfMatrix(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(5)
        self.matrix = nn.Parameter(torch.randn(5, 3))

    def forward(self, X):
        return self.norm(X) @ self.matrix


def test_a_layer_is_advised_where_it_can_help():
    here = case("functional", OfNoLayer)
    with pytest.raises(exceptions.LayerError) as caught:
        fitted_learner(here).query(here.X, n=2)
    text = "no nn.Linear layer with 3 outputs, as many as there are scores, ran"
    assert text in str(caught.value)
    assert "name one that runs with layer='...'" in str(caught.value)
    here = case("matrix", OfMatrix)
    learner = fitted_learner(here, strategy=CoreSet())
    with pytest.raises(exceptions.LayerError, match="inputs are the features with lay"):
        learner.query(here.X, n=2)
    assert len(learner.set_params(layer="norm").query(here.X, n=2)) == 2

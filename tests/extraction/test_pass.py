import os
import tempfile
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset as SkorchDataset
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skbadge import ActiveLearner, LeastConfidence, exceptions
from skbadge.extraction._pass import collect_inputs, output_width
from skbadge.modules import InMemoryBatches
from skbadge.nets import _batches
from skbadge.nets._estimators import find_net
from skbadge.nets._steps import Steps
from skbadge.strategies import Needs
from tests._any_modules import Net
from tests._any_nets import make_net, make_rows
from tests._net_states import assert_same_state, state_of
from tests._passes import X, Y, collect


@pytest.fixture
def net():
    torch.manual_seed(0)
    return make_net(Net).fit(X, Y)


def assert_equal(a, b, atol=1e-6):
    for name in ("proba", "residual", "features"):
        torch.testing.assert_close(
            getattr(a, name), getattr(b, name), atol=atol, rtol=0
        )


def test_only_what_is_needed_is_kept(net):
    outputs = collect(net, needs=Needs(proba=True))
    assert set(outputs.values) == {"proba"}
    with pytest.raises(exceptions.UndeclaredNeedError):
        _ = outputs.features


class Fickle(Net):
    """Answers the last batch in another width."""

    def forward(self, X):
        answer = super().forward(X)
        return answer if len(X) == 7 else answer[:, :1]


def test_another_width_in_a_later_batch_is_refused():
    fickle = make_net(Fickle, iterator_valid__batch_size=7).initialize()
    message = "Got proba of 1 columns in the pool from row 14 on, and of 3 columns"
    with pytest.raises(exceptions.ModuleOutputError, match=message):
        collect(fickle, needs=Needs(proba=True))


class Overwrites(Net):
    """Writes to its features after the classification layer has read them."""

    def forward(self, X):
        features = self.body(X)
        scores = self.head(features)
        features.zero_()
        return scores


@pytest.mark.parametrize("batch_size", [1, 7, 18])
def test_features_are_those_that_the_layer_read(net, batch_size):
    other = make_net(Overwrites, iterator_valid__batch_size=batch_size).initialize()
    other.module_.load_state_dict(net.module_.state_dict())
    assert_equal(collect(other), collect(net))


def test_rows_answer_for_themselves(net):
    whole = collect(net)
    rows = np.array([11, 3, 4, 17])
    some = collect(net, rows=rows)
    for name in ("proba", "residual", "features"):
        torch.testing.assert_close(getattr(some, name), getattr(whole, name)[rows])
    assert some.n_pool == 4


def test_labelled_rows_in_a_second_pass(net):
    labeled = Needs(features=True)
    known = {"labeled": X[:4], "labels": [2, 0, 1, 1]}
    outputs = collect(net, needs=Needs(features=True, labeled=labeled), **known)
    torch.testing.assert_close(outputs.labeled.features, outputs.features[:4])
    assert outputs.labeled.y.tolist() == [2, 0, 1, 1]
    outputs = collect(net, needs=Needs(labeled=labeled), **known)
    assert set(outputs.values) == set()
    assert set(outputs.labeled.values) == {"features"}
    # Their labels alone cost no second pass.
    outputs = collect(net, needs=Needs(labeled=Needs()), **known)
    assert outputs.labeled.y.tolist() == [2, 0, 1, 1]
    assert set(outputs.labeled.values) == set()


@pytest.mark.parametrize(
    "settings",
    [
        {"dataset": type("Mine", (SkorchDataset,), {})},
        {"iterator_valid": type("MyLoader", (DataLoader,), {})},
        {"iterator_valid": InMemoryBatches},
        {"iterator_valid__num_workers": 0},
        {"iterator_valid__collate_fn": torch.utils.data.default_collate},
        {"batch_size": -1},
        {"iterator_valid__batch_size": 1},
        {"callbacks": "disable"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_users_own_data_sets_and_loaders(net, settings):
    other = make_net(Net, **settings).initialize()
    other.module_.load_state_dict(net.module_.state_dict())
    assert_equal(collect(other), collect(net))


def test_transformers_work_chunk_by_chunk(net, monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 6 * X[0].nbytes)
    lengths = []

    def double(rows):
        lengths.append(len(rows))
        return 2 * rows

    step = make_pipeline(FunctionTransformer(double))
    assert_equal(collect(net, transformers=step), collect(net, (2 * X)))
    assert lengths == [5, 5, 5, 3]


def test_a_memory_map_is_never_read_whole(net, monkeypatch, tmp_path):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 6 * X[0].nbytes)
    X.tofile(tmp_path / "X")
    pool = np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=X.shape)
    sizes = []
    original = np.memmap.__getitem__

    def spy(self, index):
        found = original(self, index)
        sizes.append(getattr(found, "nbytes", 0))
        return found

    monkeypatch.setattr(np.memmap, "__getitem__", spy)
    found = [collect(net, pool), collect(net, pool, rows=np.arange(18)[::-1].copy())]
    assert max(sizes) <= 6 * X[0].nbytes
    assert_equal(found[0], collect(net))
    torch.testing.assert_close(found[1].proba.flip(0), found[0].proba)


@pytest.mark.parametrize(
    "step, count",
    [(lambda rows: rows[::2], 3), (lambda rows: np.repeat(rows, 2, axis=0), 10)],
)
def test_steps_that_change_the_number_of_rows(net, step, count):
    with pytest.raises(exceptions.InvalidInputError) as caught:
        collect(net, transformers=FunctionTransformer(step))
    assert str(caught.value) == (
        "The step 'step' of the pipeline must answer one row for each row it is given. "
        f"Got {count} rows for 5: leave rows out before the pipeline, or in a sampler "
        "of imbalanced-learn, which only trainings heed."
    )


class Rows(torch.utils.data.Dataset):
    """A data set of the user's own, which reads some rows only, or some twice."""

    def __init__(self, X, y=None, *, share):
        self.X, self.share = X, share

    def __len__(self):
        return int(self.share * len(self.X))

    def __getitem__(self, i):
        return self.X[i % len(self.X)], 0


def test_half_of_the_rows_missing():
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        collect(make_net(Net, dataset=partial(Rows, share=0.5)).initialize())
    assert str(caught.value) == (
        "The net answered for 9 of the 18 rows of the pool. Its dataset and "
        "iterator_valid must yield every row once, in order, and its module answer "
        "each of them."
    )


def test_rows_doubled():
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        collect(make_net(Net, dataset=partial(Rows, share=2)).initialize())
    assert str(caught.value) == (
        "The net answered for more than the 18 rows of the pool. Its dataset and "
        "iterator_valid must yield every row once, in order, and its module answer "
        "each of them once."
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("settings", [{}, {"iterator_valid": InMemoryBatches}])
def test_nan_in_the_pool_is_named_by_position(bad, settings):
    net = make_net(Net, **settings).initialize()
    pool = X.copy()
    pool[13, 2] = bad
    with pytest.raises(exceptions.InvalidInputError) as caught:
        collect(net, pool)
    assert str(caught.value) == (
        "NaN or infinity reached the net in row 13 of the pool. Impute or remove such "
        "values before the net, for example in a pipeline step."
    )
    collect(net, pool, rows=np.arange(13))
    with pytest.raises(exceptions.InvalidInputError, match="in row 13 of the pool"):
        collect(net, pool, rows=np.array([17, 2, 3, 4, 5, 6, 13]))


def test_huge_but_finite_inputs_pass(net):
    pool = np.full_like(X, 3e38)
    assert collect(net, pool).n_pool == 18


def test_tensors_that_are_no_rows_are_checked_too():
    class Scaled(Net):
        def forward(self, X, factor):
            return super().forward(X * factor.mean())

    net = make_net(Scaled).initialize()
    pool = {"X": X, "factor": np.ones(18, dtype=np.float32)}
    assert collect(net, pool).n_pool == 18
    net = make_net(
        Scaled,
        iterator_valid__collate_fn=lambda rows: (
            {"X": torch.ones(len(rows), 5), "factor": torch.tensor(np.nan)},
            torch.zeros(1),
        ),
    ).initialize()
    with pytest.raises(exceptions.InvalidInputError, match="the net in the pool"):
        collect(net, pool)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_training(net, value):
    with torch.no_grad():
        net.module_.head.bias[0] = value
    with pytest.raises(exceptions.DivergedTrainingError) as caught:
        collect(net, rows=np.array([4, 5]))
    assert str(caught.value) == (
        "The net answers NaN or infinity in row 4 of the pool: its training diverged. "
        "Lower the learning rate, scale the inputs, or clip the gradients, then call "
        "refit()."
    )


def test_the_logarithm_of_zero_is_no_divergence():
    net = make_net(Net, module__after=nn.LogSoftmax(1)).initialize()
    with torch.no_grad():
        net.module_.head.bias[0] = -np.inf
    outputs = collect(net)
    assert torch.equal(outputs.proba[:, 0], torch.zeros(18))
    assert torch.isfinite(outputs.residual).all()


@pytest.mark.parametrize(
    "settings, criterion",
    [
        ({"criterion": nn.NLLLoss}, "NLLLoss"),
        ({"criterion": nn.MultiMarginLoss}, "MultiMarginLoss"),
        ({"predict_nonlinearity": None}, "CrossEntropyLoss"),
    ],
)
def test_probabilities_that_are_no_distribution(settings, criterion):
    net = make_net(Net, **settings).initialize()
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        collect(net)
    assert str(caught.value) == (
        "The net's probabilities must be non-negative and sum to 1 in each row, but "
        f"with the criterion {criterion} they do not. skorch takes the module's output "
        "for probabilities unless it knows the criterion: NLLLoss expects a softmax "
        "inside the module, CrossEntropyLoss expects logits. Change one of the two, or "
        "set predict_nonlinearity on the net."
    )


@pytest.mark.parametrize(
    ("nonlinearity", "name"),
    [
        (torch.sigmoid, "sigmoid"),
        (partial(torch.softmax, dim=0), "functools.partial"),
        (lambda z: z.softmax(1)[:1], "<lambda>"),
        (lambda z: z.sum(1), "<lambda>"),
    ],
)
def test_a_nonlinearity_that_gives_no_distribution(nonlinearity, name):
    net = make_net(Net, predict_nonlinearity=nonlinearity).initialize()
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        collect(net)
    before = f"in each row, but what its predict_nonlinearity, {name}"
    assert before in str(caught.value)
    assert str(caught.value).endswith(
        "makes of the module's output does not: let it answer such a row of one column "
        'a class for each row, or leave it "auto" (a softmax for CrossEntropyLoss, '
        "both classes for BCEWithLogitsLoss)."
    )


class Answers(nn.Module):
    """Answers what it is told to."""

    def __init__(self, change):
        super().__init__()
        self.head = nn.Linear(5, 3)
        self.change = change

    def forward(self, X):
        return self.change(self.head(X))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda z: {"logits": "none"}, "Got str instead"),
        (lambda z: z.sum(), "Got Tensor instead"),
        (lambda z: z[:, :, None], r"shape \(5, 3, 1\) and dtype torch.float32"),
        (lambda z: z.argmax(1), r"shape \(5, 1\) and dtype torch.int64"),
        (lambda z: z[:, :2], "answers 2 classes, but the learner has 3"),
        (lambda z: z[:4], "see one row of features for each of the 4 rows of a batch"),
    ],
)
def test_answers_that_are_no_scores(change, message):
    net = make_net(Answers, module__change=change).initialize()
    with pytest.raises(exceptions.ModuleOutputError, match=message):
        collect(net, n_classes=3)


class PerStep(nn.Module):
    """Averages the scores of the steps; rows may come in the second dimension."""

    def __init__(self, rows_first=True):
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 3)
        self.rows_first = rows_first

    def forward(self, X):
        X = X if self.rows_first else X.transpose(0, 1)
        return self.head(self.body(X)).mean(dim=1 if self.rows_first else 0)


def test_features_of_steps_are_the_mean_that_counts():
    net = make_net(PerStep).initialize()
    rows = make_rows("sequences")
    outputs = collect(net, rows)
    with torch.no_grad():
        expected = net.module_.body(torch.as_tensor(rows)).mean(dim=1)
    torch.testing.assert_close(outputs.features, expected)
    # Whether the gradient is read as well makes no difference.
    alone = collect(net, rows, needs=Needs(features=True))
    torch.testing.assert_close(alone.features, outputs.features)


def test_rows_in_another_dimension_are_refused():
    net = make_net(PerStep, module__rows_first=False).initialize()
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        collect(net, make_rows("sequences"))
    assert str(caught.value) == (
        "The layer 'head' must see one row of features for each of the 5 rows of a "
        "batch. Got the shape (4, 5, 4) instead. Let forward keep the rows in the "
        "first dimension, name another layer with layer='...', or use a strategy that "
        "needs no gradient (for example MarginSampling)."
    )


@pytest.mark.parametrize("layer, width", [("body", 16), ("head", 4), ("", None)])
def test_features_of_any_layer(layer, width):
    net = make_net(PerStep).initialize()
    if width is None:
        with pytest.raises(exceptions.LayerError, match="dotted name of a layer"):
            collect(net, make_rows("sequences"), Needs(features=True), layer=layer)
        return
    outputs = collect(net, make_rows("sequences"), Needs(features=True), layer=layer)
    # A layer that is no head gives all that it read.
    assert outputs.features.shape == (18, 12 if layer == "body" else width)


def test_the_head_is_a_record():
    net = make_net(Net).initialize()
    head = collect(net, needs=Needs(head=True)).head
    assert torch.equal(head.weight, net.module_.head.weight)
    assert torch.equal(head.bias, net.module_.head.bias)
    assert not head.weight.requires_grad
    head.weight.zero_()
    assert net.module_.head.weight.any()


def test_inputs_are_what_reaches_the_net(net):
    outputs = collect(net, needs=Needs(inputs=True))
    assert torch.equal(outputs.inputs, torch.as_tensor(X))
    many = make_net(Net, module__body=nn.Flatten(), module__d=36).initialize()
    images = make_rows("images")
    flat = collect(many, images, needs=Needs(inputs=True)).inputs
    assert torch.equal(flat, torch.as_tensor(images).flatten(1))


def test_inputs_of_a_net_that_has_never_run():
    net = make_net(Net).initialize()
    net.module_.forward = None
    outputs = collect_inputs(net, X)
    assert torch.equal(outputs.inputs, torch.as_tensor(X))
    rows = np.array([4, 11])
    outputs = collect_inputs(net, X, rows=rows)
    assert torch.equal(outputs.inputs, torch.as_tensor(X[rows]))
    assert outputs.positions.tolist() == [4, 11]
    step = Steps([("double", FunctionTransformer(lambda rows: 2 * rows))])
    doubled = collect_inputs(net, X, transformers=step)
    assert torch.equal(doubled.inputs, torch.as_tensor(2 * X))


class Dropping(Net):
    def __init__(self, p=0.5):
        super().__init__(
            body=nn.Sequential(nn.Linear(5, 40), nn.Tanh(), nn.Dropout(p)), d=40
        )


def test_draws_are_functions_of_the_input():
    """One mask a draw for all rows: no row knows its batch or its place in it."""
    torch.manual_seed(3)
    net = make_net(Dropping).initialize()
    needs = Needs(samples=6, proba=True, labeled=Needs(samples=6))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        outputs = collect(net, needs=needs, labeled=X[3:9], labels=Y[3:9])
        torch.manual_seed(1)
        some = collect(net, needs=Needs(samples=6), rows=np.array([11, 2]))
        torch.manual_seed(2)
        other = collect(net, needs=Needs(samples=6))
    assert outputs.samples.shape == (18, 6, 3)
    torch.testing.assert_close(some.samples, outputs.samples[[11, 2]])
    torch.testing.assert_close(outputs.labeled.samples, outputs.samples[3:9])
    torch.testing.assert_close(outputs.samples.sum(dim=2), torch.ones(18, 6))
    assert outputs.samples.std(dim=1).min() > 0
    assert not torch.allclose(other.samples, outputs.samples)
    # The pass itself drops nothing.
    torch.testing.assert_close(outputs.proba, collect(net).proba)


def test_draws_follow_the_law_of_the_dropout():
    net = make_net(Dropping, module__p=0.25).initialize()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = collect(net, needs=Needs(samples=400)).samples
    module, rows = net.module_, torch.as_tensor(X)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(5)
        module.train()
        expected = torch.stack([module(rows).softmax(1) for _ in range(400)], dim=1)
        module.eval()
    torch.testing.assert_close(draws.mean(1), expected.mean(1), atol=0.02, rtol=0)
    torch.testing.assert_close(draws.std(1), expected.std(1), atol=0.02, rtol=0)


@pytest.mark.parametrize("module", [Net, partial(Dropping, p=0.0)])
def test_draws_need_a_dropout_layer(module):
    with pytest.raises(exceptions.InvalidInputError, match="no dropout layer that cou"):
        collect(make_net(module).initialize(), needs=Needs(samples=3))


class DroppedTwice(nn.Module):
    """One dropout layer in two places; the answer is in which they differ."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.unused = nn.Linear(4, 2)

    def forward(self, X):
        ones = torch.ones(len(X), 30)
        differ = (self.dropout(ones) - self.dropout(ones)).abs().mean(dim=1) / 2
        return torch.stack([differ, 1 - differ], dim=1)


def test_a_dropout_layer_in_two_places_has_two_masks():
    net = make_net(DroppedTwice, predict_nonlinearity=None).initialize()
    differ = collect(net, needs=Needs(samples=40)).samples[..., 0]
    assert (differ == differ[0]).all()
    # The two masks differ at about one half of their thirty numbers.
    assert 0.4 < differ[0].mean() < 0.6


def test_a_layer_that_runs_in_the_first_batch_only(net):
    module = net.module_
    head, plain = module.head, nn.Linear(4, 3)
    calls = []

    def forward(X):
        calls.append(1)
        return (head if len(calls) == 1 else plain)(module.body(X))

    module.forward = forward
    with pytest.raises(exceptions.LayerError, match="'head' did not run"):
        collect(net)


@pytest.mark.parametrize("strategy", [None, LeastConfidence()])
def test_on_disk_as_in_memory(strategy, tmp_path, monkeypatch):
    learner = ActiveLearner(make_net(Net), strategy=strategy, random_state=0).fit(X, Y)
    in_memory = learner.query(X, n=9)
    net = find_net(learner.estimator_)
    outputs = collect(net)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with sklearn.config_context(working_memory=0):
        on_disk = collect(net)
        np.testing.assert_array_equal(learner.query(X, n=9), in_memory)
    for name in ("proba", "residual", "features"):
        assert torch.equal(getattr(on_disk, name), getattr(outputs, name))
    assert os.listdir(tmp_path) == []


def test_a_data_set_as_pool(net):
    pool = TensorDataset(torch.as_tensor(X), torch.full((18,), -1))
    assert_equal(collect(net, pool), collect(net))
    rows = np.array([5, 2, 9])
    assert_equal(collect(net, pool, rows=rows), collect(net, rows=rows))


def test_frames_through_a_pipeline(net):
    frame = pd.DataFrame(X, columns=list("abcde")).astype("Float64")
    step = make_pipeline(StandardScaler().set_output(transform="pandas")).fit(frame)
    pool = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    assert_equal(collect(net, frame, transformers=step), collect(net, pool), atol=1e-5)


def test_a_progress_bar_on_demand(net, capsys):
    collect(net)
    assert capsys.readouterr().err == ""
    collect(net, verbose=1)
    assert "the pool" in capsys.readouterr().err


def test_output_width(net):
    before = state_of(net)
    assert output_width(net, X) == 3
    step = FunctionTransformer(lambda rows: rows)
    assert output_width(net, X, step) == 3
    assert_same_state(before, state_of(net))
    pair = make_net(Answers, module__change=lambda z: (z, z)).initialize()
    assert output_width(pair, X) == 3


def test_other_modules_of_the_net_keep_their_mode():
    class WithEncoder(NeuralNetClassifier):
        def initialize_module(self):
            super().initialize_module()
            self.encoder_ = nn.Dropout()
            return self

    net = make_net(Net, kind=WithEncoder).initialize()
    net.encoder_.train()
    collect(net)
    assert net.encoder_.training


def test_one_row_and_no_row(net):
    assert_equal(collect(net, X[:1]), collect(net, rows=np.array([0])))
    assert collect(net, rows=np.array([], dtype=int)).n_pool == 0


def test_a_partial_softmax_as_nonlinearity():
    net = make_net(
        Net,
        criterion=nn.MultiMarginLoss,
        predict_nonlinearity=partial(torch.softmax, dim=1),
    ).initialize()
    assert collect(net).residual.abs().sum() > 0

"""LeanClassifier against skorch's own loop, which it must not be told from."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import BatchScoring, Callback, GradientNormClipping
from skorch.dataset import ValidSplit
from torch import nn

from skbadge.exceptions import InvalidInputError
from skbadge.modules import (
    MLP,
    ClampGradients,
    InMemoryBatches,
    LeanClassifier,
    StopAtTrainAccuracy,
    lean_settings,
)


class Dropout(nn.Module):
    """An MLP that differs between train mode and evaluation."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), MLP(4, 3))

    def forward(self, X, scale=1.0):
        return self.body(X) * scale


class Predicting(Callback):
    """Predict during training, which leaves the module in evaluation mode."""

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if training:
            net.predict(batch[0])


class Listening(Callback):
    """Write down all that is told."""

    def on_train_begin(self, net, **kwargs):
        self.told_ = []

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.told_.append(("begin", training, len(batch[0])))

    def on_grad_computed(self, net, named_parameters, batch=None, **kwargs):
        norms = [float(p.grad.norm()) for _, p in named_parameters]
        # Twice: skorch's generator can be read again, too.
        names = [name for name, _ in named_parameters]
        self.told_.append(("gradient", names, norms))

    def on_batch_end(self, net, loss=None, y_pred=None, **kwargs):
        self.told_.append(("end", float(loss.detach()), y_pred.shape))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.arange(50) % 3
    X = rng.normal(size=(50, 4)) + 1.2 * np.eye(4)[y]
    return X.astype(np.float32), y


def fitted(kind, data, *, seed=3, callbacks=(), **settings):
    settings = {
        "module": Dropout,
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.Adam,
        "lr": 0.01,
        "batch_size": 16,
        "max_epochs": 5,
        "verbose": 0,
        "train_split": None,
        "iterator_train__shuffle": True,
        "callbacks": list(callbacks),
        **settings,
    }
    torch.manual_seed(seed)
    return kind(**settings).fit(*data)


def records(net):
    """Return the history without times."""
    return [{k: v for k, v in epoch.items() if k != "dur"} for epoch in net.history]


def check_same(data, **settings):
    expected = fitted(NeuralNetClassifier, data, **settings)
    net = fitted(LeanClassifier, data, **settings)
    assert records(net) == records(expected)
    assert len(net.history) > 0
    for (name, found), value in zip(
        net.module_.state_dict().items(),
        expected.module_.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(found, value), name
    return net, expected


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"train_split": ValidSplit(5)},
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9},
        {
            "module": nn.Linear,
            "module__in_features": 4,
            "module__out_features": 3,
            "optimizer": torch.optim.LBFGS,
            "optimizer__max_iter": 3,
        },
        {"callbacks": [Predicting()]},
        {"callbacks": [GradientNormClipping(0.01)]},
        {"callbacks": [ClampGradients(0.01), StopAtTrainAccuracy(0.7)]},
        {"callbacks": [("b", BatchScoring("accuracy", name="a", on_train=True))]},
        {"iterator_train": InMemoryBatches, "callbacks__train_loss": None},
        lean_settings(),
    ],
)
def test_weights_and_history_are_skorchs(data, settings):
    check_same(data, **settings)


def test_fit_parameters_reach_the_module(data):
    nets = []
    for kind in (NeuralNetClassifier, LeanClassifier):
        net = fitted(kind, data, max_epochs=1)
        torch.manual_seed(0)
        nets.append(net.partial_fit(*data, scale=3.0))
    assert records(nets[0]) == records(nets[1])


def test_callbacks_are_told_the_same(data):
    net, expected = check_same(data, callbacks=[("l", Listening())])
    told = dict(net.callbacks_)["l"].told_
    assert told == dict(expected.callbacks_)["l"].told_
    assert {kind for kind, *_ in told} == {"begin", "gradient", "end"}


def test_hooks_of_a_subclass_are_called(data):
    class Own(LeanClassifier):
        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            self.n_told = getattr(self, "n_told", 0) + 1

        def infer(self, x, **kwargs):
            self.n_run = getattr(self, "n_run", 0) + 1
            return super().infer(x, **kwargs)

    net = fitted(Own, data)
    assert net.n_told == net.n_run == 5 * 4


def test_steps_of_a_subclass_are_its_own(data):
    class Counting(NeuralNetClassifier):
        def train_step(self, batch, **fit_params):
            self.n_steps = getattr(self, "n_steps", 0) + 1
            return super().train_step(batch, **fit_params)

    class Both(Counting, LeanClassifier):
        pass

    net, expected = fitted(Both, data), fitted(Counting, data)
    assert net.n_steps == expected.n_steps == 5 * 4
    assert records(net) == records(expected)


def test_half_of_the_bits(data):
    kinds = []

    class Watched(Dropout):
        def forward(self, X):
            out = super().forward(X)
            kinds.append((self.training, out.dtype))
            return out

    net = fitted(LeanClassifier, data, module=Watched, precision="bfloat16")
    full = fitted(LeanClassifier, data, module=Watched)
    assert kinds[0] == (True, torch.bfloat16) and kinds[-1] == (True, torch.float32)
    assert {p.dtype for p in net.module_.parameters()} == {torch.float32}
    losses = np.array([net.history[:, "train_loss"], full.history[:, "train_loss"]])
    assert not np.array_equal(*losses)
    np.testing.assert_allclose(*losses, rtol=0.1)
    kinds.clear()
    assert net.predict_proba(data[0]).dtype == np.float32
    assert set(kinds) == {(False, torch.float32)}


def test_a_step_alone_has_the_precision(data):
    X, y = map(torch.from_numpy, data)
    net = fitted(LeanClassifier, data, precision="bfloat16")
    assert net.train_step((X, y))["y_pred"].dtype == torch.bfloat16


@pytest.mark.parametrize("precision", ["float16", None, 32])
def test_precision_is_checked(data, precision):
    with pytest.raises(InvalidInputError, match="precision must be one of 'float32'"):
        fitted(LeanClassifier, data, precision=precision)


def test_no_batch_waits_for_the_device(data):
    # On torch's "meta" device there are shapes and no values: whatever would wait for
    # a GPU fails there. All batches get through, and the end of the epoch reads.
    told = []

    class Told(Callback):
        def on_batch_end(self, net, batch=None, y_pred=None, **kwargs):
            told.append((batch[0].device.type, y_pred.device.type))

    callbacks = [("stop", StopAtTrainAccuracy(1.0)), ("clamp", ClampGradients(0.1))]
    settings = lean_settings(callbacks=[*callbacks, ("told", Told())])
    settings["iterator_train__device"] = "meta"
    with pytest.raises((RuntimeError, NotImplementedError), match="(?i)meta"):
        fitted(LeanClassifier, data, module=MLP, module__n_features=4,
               module__n_classes=3, device="meta", **settings)  # fmt: skip
    assert told == [("meta", "meta")] * 4


def test_clone_parameters_and_pickle(data):
    net = fitted(LeanClassifier, data, precision="bfloat16")
    assert net.get_params()["precision"] == "bfloat16"
    assert clone(net).set_params(precision="float32").precision == "float32"
    assert pickle.loads(pickle.dumps(net)).predict(data[0]).tolist() == (
        net.predict(data[0]).tolist()
    )

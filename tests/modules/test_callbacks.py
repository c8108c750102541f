"""Callbacks: accuracy as training counts it, clamped gradients, a short history."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import EarlyStopping, PassthroughScoring

from skbadge.exceptions import InvalidInputError, ModuleOutputError
from skbadge.modules import (
    MLP,
    ClampGradients,
    InMemoryBatches,
    LeanHistory,
    StopAtTrainAccuracy,
    lean_settings,
)


def make_net(*callbacks, **settings):
    settings = {
        "module__n_features": 4,
        "module__n_classes": 3,
        "module__n_hidden": 16,
        "criterion": torch.nn.CrossEntropyLoss,
        "optimizer": torch.optim.Adam,
        "lr": 0.01,
        "batch_size": 16,
        "max_epochs": 60,
        **lean_settings(callbacks=callbacks),
        **settings,
    }
    return NeuralNetClassifier(MLP, **settings)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.arange(50) % 3
    X = rng.normal(size=(50, 4)) + 1.2 * np.eye(4)[y]
    return X.astype(np.float32), y


def get_stop(net):
    return dict(net.callbacks_)["stop"]


def reference_loop(X, y, n_epochs, *, max_abs=None):
    """Train by hand; return the module and the accuracy of each epoch."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    module = MLP(4, 3, n_hidden=16)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    accuracies = []
    for _ in range(n_epochs):
        order = torch.randperm(len(X))
        n_correct = 0
        for start in range(0, len(X), 16):
            rows = order[start : start + 16]
            logits = module(X[rows])
            for row, label in zip(logits, y[rows], strict=True):
                n_correct += int(row.argmax()) == int(label)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, y[rows]).backward()
            if max_abs is not None:
                for parameter in module.parameters():
                    values = parameter.grad.clip(-max_abs, max_abs)
                    parameter.grad.copy_(values)
            optimizer.step()
        accuracies.append(n_correct / len(X))
    return module, accuracies


@pytest.mark.parametrize("max_abs", [None, 0.01])
def test_training_is_the_hand_written_loop(data, max_abs):
    callbacks = [("stop", StopAtTrainAccuracy(1.0))]
    if max_abs is not None:
        callbacks.append(("clamp", ClampGradients(max_abs)))
    torch.manual_seed(3)
    net = make_net(*callbacks, max_epochs=8).fit(*data)
    torch.manual_seed(3)
    module, accuracies = reference_loop(*data, n_epochs=8, max_abs=max_abs)
    assert net.history[:, "train_acc"] == accuracies
    assert len(set(accuracies)) > 3 and max(accuracies) < 1, (
        "the accuracy must move for this test to tell"
    )
    for name, value in module.state_dict().items():
        torch.testing.assert_close(net.module_.state_dict()[name], value)


def test_clamping_matters(data):
    weights = []
    for max_abs in (0.001, 100.0):
        torch.manual_seed(0)
        net = make_net(ClampGradients(max_abs), optimizer=torch.optim.SGD).fit(*data)
        weights.append(net.module_.output.weight)
    assert not torch.allclose(*weights)


def test_stops_at_the_first_epoch_over_the_threshold(data):
    torch.manual_seed(0)
    net = make_net(("stop", StopAtTrainAccuracy(0.9))).fit(*data)
    accuracies = net.history[:, "train_acc"]
    stop = get_stop(net)
    assert accuracies[-1] >= 0.9 > max(accuracies[:-1])
    assert (stop.stopped_by_, stop.reached_) == ("threshold", True)
    assert stop.n_epochs_ == len(net.history) < 60


@pytest.mark.parametrize("own, net_cap", [(5, 60), (None, 5), (5, 5)])
def test_cap_is_recorded(data, own, net_cap):
    stop = StopAtTrainAccuracy(1.0, max_epochs=own)
    net = make_net(("stop", stop), max_epochs=net_cap, lr=1e-6).fit(*data)
    stop = get_stop(net)
    assert (stop.stopped_by_, stop.reached_) == ("max_epochs", False)
    assert stop.n_epochs_ == len(net.history) == 5


def test_interrupt_is_no_cap(data):
    class Interrupted(MLP):
        n_calls = 0

        def forward(self, X):
            Interrupted.n_calls += 1
            if Interrupted.n_calls == 9:
                raise KeyboardInterrupt
            return super().forward(X)

    net = make_net(("stop", StopAtTrainAccuracy(1.0)))
    net.set_params(module=Interrupted).fit(*data)
    assert get_stop(net).stopped_by_ == "interrupt"
    assert get_stop(net).n_epochs_ == 2


def test_warm_start_counts_its_own_epochs(data):
    net = make_net(("stop", StopAtTrainAccuracy(1.0)), max_epochs=3, lr=1e-6)
    net.fit(*data).partial_fit(*data)
    assert len(net.history) == 6
    assert get_stop(net).n_epochs_ == 3
    assert get_stop(net).stopped_by_ == "max_epochs"


def test_validation_rows_are_not_counted(data):
    from skorch.dataset import ValidSplit

    net = make_net(("stop", StopAtTrainAccuracy(1.0)), max_epochs=2, lr=1e-6)
    net.set_params(train_split=ValidSplit(2)).fit(*data)
    # 25 of the 50 rows are trained on, so the accuracy is a multiple of 1/25.
    scaled = 25 * net.history[-1, "train_acc"]
    assert scaled == pytest.approx(round(scaled))


def test_first_entry_of_a_tuple_is_used(data):
    class TwoOutputs(MLP):
        def forward(self, X):
            return super().forward(X), X

    class Net(NeuralNetClassifier):
        def get_loss(self, y_pred, *args, **kwargs):
            return super().get_loss(y_pred[0], *args, **kwargs)

    settings = make_net(("stop", StopAtTrainAccuracy(0.9))).get_params(deep=False)
    torch.manual_seed(0)
    net = Net(**{**settings, "module": TwoOutputs}).fit(*data)
    assert get_stop(net).reached_


def test_one_logit_nets_are_refused(data):
    X, y = data
    net = NeuralNetBinaryClassifier(
        torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Flatten(0)),
        train_split=None,
        verbose=0,
        callbacks=[StopAtTrainAccuracy()],
    )
    with pytest.raises(ModuleOutputError) as caught:
        net.fit(X, (y > 0).astype(np.float32))
    assert str(caught.value) == (
        "StopAtTrainAccuracy must get outputs of shape (n_rows, n_classes) with at "
        "least 2 columns, and class numbers of shape (n_rows,). Got outputs of shape "
        "(50,) and targets of shape (50,) instead: use NeuralNetClassifier with one "
        "output a class."
    )


def test_a_cap_above_the_net_is_refused(data):
    net = make_net(StopAtTrainAccuracy(max_epochs=500), max_epochs=10)
    with pytest.raises(InvalidInputError) as caught:
        net.fit(*data)
    assert str(caught.value) == (
        "max_epochs of StopAtTrainAccuracy must be at most the net's own max_epochs, "
        "which ends training first. Got 500 with max_epochs=10 in the net: raise the "
        "net's, or leave the callback's at None."
    )


@pytest.mark.parametrize(
    "callback, name",
    [
        (StopAtTrainAccuracy(0), "threshold"),
        (StopAtTrainAccuracy(1.01), "threshold"),
        (StopAtTrainAccuracy(max_epochs=0), "max_epochs"),
        (ClampGradients(0), "max_abs"),
        (ClampGradients(None), "max_abs"),
    ],
)
def test_settings_are_checked(data, callback, name):
    with pytest.raises(InvalidInputError, match=f"^{name} must be"):
        make_net(callback).fit(*data)


def test_an_epoch_without_batches_is_refused(data):
    net = make_net(StopAtTrainAccuracy(), batch_size=64, iterator_train__drop_last=True)
    with pytest.raises(InvalidInputError, match="^An epoch must have at least one"):
        net.fit(*data)


def test_clone_parameters_and_pickle(data):
    net = make_net(
        ("stop", StopAtTrainAccuracy(0.9)), ("clamp", ClampGradients(0.2))
    ).fit(*data)
    copy = clone(net)
    copy.set_params(callbacks__stop__threshold=0.5, callbacks__clamp__max_abs=0.3)
    copy.fit(*data)
    assert copy.history[-1, "train_acc"] >= 0.5
    assert clone(StopAtTrainAccuracy(0.7, max_epochs=4)).get_params() == {
        "threshold": 0.7,
        "max_epochs": 4,
        "max_updates": None,
        "strict": False,
    }
    restored = pickle.loads(pickle.dumps(net))
    assert get_stop(restored).stopped_by_ == get_stop(net).stopped_by_
    np.testing.assert_array_equal(restored.predict(data[0]), net.predict(data[0]))


def test_lean_history_keeps_epochs_and_drops_batches(data):
    settings = {"max_epochs": 4, "batch_size": 25, "iterator_train": InMemoryBatches}
    plain, lean, both = {}, {}, {}
    skorchs = PassthroughScoring("train_loss", on_train=True)
    for callbacks, train_loss, result in (
        ([], skorchs, plain),
        ([LeanHistory()], None, lean),
        ([LeanHistory()], skorchs, both),
    ):
        torch.manual_seed(0)
        net = make_net(
            **settings,
            callbacks=callbacks,
            callbacks__train_loss=train_loss,
            iterator_train__shuffle=False,
        )
        net.fit(*data).partial_fit(*data)
        result["loss"] = net.history[:, "train_loss"]
        result["best"] = net.history[:, "train_loss_best"]
        result["epochs"] = net.history[:, "epoch"]
        result["batches"] = [len(batches) for batches in net.history[:, "batches"]]
        result["last"] = net.history[-1, "batches", :, "train_batch_size"]
    assert plain["batches"] == [2] * 8
    assert lean["batches"] == both["batches"] == [0] * 7 + [2]
    for key in ("epochs", "best", "last"):
        assert lean[key] == plain[key]
    assert both["loss"] == plain["loss"]
    assert lean["loss"] == pytest.approx(plain["loss"], rel=1e-12)


def test_the_last_epoch_has_its_loss_whatever_ends_the_training(data):
    net = make_net(("stop", StopAtTrainAccuracy(0.5))).fit(*data)
    assert get_stop(net).stopped_by_ == "threshold"
    assert len(net.history[:, "train_loss"]) == len(net.history)
    watched = EarlyStopping(monitor="train_loss", patience=2, threshold=1.0)
    assert len(make_net(watched).fit(*data).history) < 60


def test_lean_settings_train_on_every_row_without_printing(data, capsys):
    net = make_net(max_epochs=1).fit(*data)
    sizes = net.history[-1, "batches", :, "train_batch_size"]
    assert sum(sizes) == 50
    assert capsys.readouterr().out == ""
    assert isinstance(net.history[-1, "train_loss"], float)


@pytest.mark.parametrize(
    ("strict", "threshold", "stopped_by"),
    [(False, 0.5, "threshold"), (True, 0.5, "max_epochs"), (True, 0.49, "threshold")],
)
def test_to_exceed_is_more_than_to_reach(strict, threshold, stopped_by):
    """Two rows of one input and two classes: the accuracy is one half for ever."""
    net = NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=1,
        module__out_features=2,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=3,
        train_split=None,
        verbose=0,
        callbacks=[("stop", StopAtTrainAccuracy(threshold, strict=strict))],
    ).fit(np.ones((2, 1), dtype="float32"), np.array([0, 1]))
    assert dict(net.callbacks_)["stop"].stopped_by_ == stopped_by


@pytest.mark.parametrize(("max_updates", "epochs"), [(1, 1), (4, 1), (5, 2), (8, 2)])
def test_a_cap_on_updates_counts_mini_batches(max_updates, epochs):
    rng = np.random.default_rng(0)
    net = NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=1,
        module__out_features=2,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=9,
        batch_size=5,
        train_split=None,
        verbose=0,
        callbacks=[("stop", StopAtTrainAccuracy(max_updates=max_updates))],
    ).fit(rng.normal(size=(20, 1)).astype("float32"), rng.integers(2, size=20))
    stop = dict(net.callbacks_)["stop"]
    assert stop.stopped_by_ == "max_updates"
    assert (stop.n_epochs_, stop.n_updates_) == (epochs, 4 * epochs)


def test_nothing_exceeds_one():
    net = NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=1,
        module__out_features=2,
        train_split=None,
        callbacks=[StopAtTrainAccuracy(1.0, strict=True)],
    )
    with pytest.raises(InvalidInputError, match=r"threshold must be a num.* \(0, 1\)"):
        net.fit(np.ones((2, 1), dtype="float32"), np.array([0, 1]))

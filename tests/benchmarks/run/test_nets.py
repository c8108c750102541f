"""make_paper_net has the paper's settings, and the public code's on request."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from skbadge.benchmarks.run._nets import make_paper_net
from skbadge.datasets import DATASETS, load_dataset
from skbadge.exceptions import InvalidInputError
from skbadge.modules import MLP, ConvNet, InMemoryBatches, LinearHead, ResNet18


@pytest.mark.parametrize(
    "name, n_features, n_classes, n_hidden, lr, batch_size",
    [
        ("letter", 16, 26, 1024, 1e-4, 128),
        ("pokerhand", 10, 10, 1024, 1e-4, 128),
        ("random_rbf", 10, 5, 1024, 1e-4, 128),
        ("kropt", 6, 18, 1024, 1e-4, 128),
        ("mnist", 784, 10, 256, 1e-3, 64),
        ("svhn", 3072, 10, 256, 1e-3, 64),
        ("cifar10", 3072, 10, 256, 1e-3, 128),
    ],
)
def test_mlp_settings(name, n_features, n_classes, n_hidden, lr, batch_size):
    net = make_paper_net(name)
    assert net.module is MLP
    assert (net.module__n_features, net.module__n_classes) == (n_features, n_classes)
    assert (net.module__n_hidden, net.lr) == (n_hidden, lr)
    assert net.batch_size == batch_size
    assert net.optimizer is torch.optim.Adam
    assert net.criterion is torch.nn.CrossEntropyLoss
    assert net.train_split is None
    assert net.iterator_train is InMemoryBatches
    assert net.iterator_train__shuffle
    assert net.max_epochs == 20_000
    callbacks = dict(net.callbacks)
    assert set(callbacks) == {"stop", "lean_history"}
    # The paper: until the training accuracy exceeds 99%.
    assert callbacks["stop"].threshold == 0.99 and callbacks["stop"].strict
    net.initialize()
    assert net.optimizer_.defaults["weight_decay"] == 0


@pytest.mark.parametrize("width, n_features", [(64, 512), (16, 128)])
def test_resnet_settings(width, n_features):
    net = make_paper_net("svhn", "resnet", width=width).initialize()
    assert isinstance(net.module_, ResNet18)
    assert net.module_.output.in_features == n_features
    assert (net.lr, net.batch_size) == (1e-3, 64)


def test_small_nets():
    linear = make_paper_net("kropt", "linear").initialize()
    assert isinstance(linear.module_, LinearHead)
    assert linear.module_.output.in_features == 6
    small = make_paper_net("svhn", "convnet", width=4).initialize()
    assert isinstance(small.module_, ConvNet)
    assert small.module_.first.weight.shape == (4, 3, 3, 3)


def test_the_public_code_is_one_argument_away():
    net = make_paper_net("kropt", clamp_gradients=True, stop="reaches", max_updates=9)
    assert dict(net.callbacks)["clamp"].max_abs == 0.1
    stop = dict(net.callbacks)["stop"]
    assert not stop.strict and stop.max_updates == 9


def test_batches_of_a_net_elsewhere_are_cut_there():
    assert make_paper_net("svhn", device="cuda").iterator_train__device == "cuda"
    assert "iterator_train__device" not in make_paper_net("svhn").get_params()


@pytest.mark.parametrize("model", ["mlp", "linear", "resnet", "convnet"])
@pytest.mark.parametrize("clamp", [False, True])
def test_a_net_elsewhere_trains_there_to_the_end_of_an_epoch(model, clamp):
    # On torch's "meta" device there are shapes and no values: it stands in for a GPU
    # where there is none. Reading the epoch's accuracy is the first that fails there.
    told = []

    class Told(Callback):
        def on_batch_end(self, net, batch=None, y_pred=None, **kwargs):
            told.append({x.device.type for x in (*batch, y_pred)})

    net = make_paper_net(
        "digits", model, device="meta", n_hidden=4, width=2, batch_size=10,
        clamp_gradients=clamp,
    )  # fmt: skip
    net.set_params(callbacks=[*net.callbacks, ("told", Told())])
    X, y = np.zeros((25, 1, 8, 8), dtype=np.float32), np.zeros(25, dtype=np.int64)
    with pytest.raises((RuntimeError, NotImplementedError), match="(?i)meta"):
        net.fit(X, y)
    assert told == [{"meta"}] * 3


def test_arguments_are_taken():
    net = make_paper_net(
        "kropt", lr=0.01, n_hidden=7, max_epochs=3, batch_size=5, threshold=0.5
    )
    assert (net.lr, net.module__n_hidden, net.batch_size) == (0.01, 7, 5)
    net.fit(
        np.random.default_rng(0).normal(size=(40, 6)).astype("f4"), np.arange(40) % 18
    )
    assert len(net.history) == 3
    assert dict(net.callbacks_)["stop"].stopped_by_ == "max_epochs"
    assert net.predict_proba(np.zeros((1, 6), dtype="f4")).shape == (1, 18)


def test_classes_are_those_of_the_data_set():
    net = make_paper_net("kropt", max_epochs=1, n_hidden=4)
    X = np.zeros((6, 6), dtype=np.float32)
    net.fit(X, np.array([0, 5, 5, 5, 0, 0]))
    assert net.classes_.tolist() == list(range(18))


def test_anything_with_the_four_facts_will_do():
    spec = SimpleNamespace(shape=(4,), n_classes=3, kind="tabular", batch_size=16)
    net = make_paper_net(spec)
    assert (net.module__n_features, net.module__n_classes) == (4, 3)
    assert make_paper_net(DATASETS["kropt"]).module__n_features == 6


def test_clone_gives_the_same_settings():
    net = make_paper_net("kropt", clamp_gradients=True)
    copy = clone(net)
    assert copy.get_params(deep=False).keys() == net.get_params(deep=False).keys()
    assert dict(copy.callbacks)["stop"].threshold == 0.99


def test_learns_digits():
    data = load_dataset("digits", random_state=0)
    torch.manual_seed(0)
    net = make_paper_net("digits").fit(data.X_pool, data.y_pool)
    stop = dict(net.callbacks_)["stop"]
    assert stop.stopped_by_ == "threshold"
    assert net.score(data.X_test, data.y_test) > 0.95


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"dataset": "kropt", "model": "resnet"},
            'model="resnet" must have rows of shape (channels, height, width). Got '
            'rows of shape (6,) instead: use model="mlp".',
        ),
        (
            {"dataset": "kropt", "model": "cnn"},
            "model must be one of 'mlp', 'resnet', 'vgg', 'linear', 'convnet'. Got "
            "'cnn' instead.",
        ),
        (
            {"dataset": "kropt", "lr": 0},
            "lr must be a number in (0, 1]. Got 0 instead.",
        ),
        (
            {"dataset": "kropt", "clamp_gradients": 0.1},
            "clamp_gradients must be True or False. Got 0.1 instead.",
        ),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InvalidInputError) as caught:
        make_paper_net(**arguments)
    assert str(caught.value) == message

"""What a training changed, at which rates, and callbacks added for one training."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Freezer, GradientNormClipping, LRScheduler
from skorch.helper import predefined_split
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)
from torch.utils.data import TensorDataset

from skbadge.exceptions import DivergedTrainingError
from skbadge.learner._updates import Updates, listening
from skbadge.modules import LeanClassifier
from tests._learning import make_data, make_learner, make_net

X, Y = make_data(400)
# Of 60 rows in batches of 16, and two epochs.
N_BATCHES = 8


def scheduled(policy, step_every="batch", kind=None, **settings):
    schedule = LRScheduler(policy, step_every=step_every, **settings)
    kind = {} if kind is None else {"kind": kind}
    return make_learner(net=make_net(callbacks=[schedule], **kind))


def fall(power):
    """Make a rate that falls to zero over as many batches as the first rows make."""
    return {"lr_lambda": lambda i: max(0.0, 1 - i / N_BATCHES) ** power}


SPENT = {
    "steps": (StepLR, {"step_size": 2, "gamma": 0.2}),
    "exponential": (ExponentialLR, {"gamma": 0.6}),
    "linear": (LinearLR, {"start_factor": 1, "end_factor": 0, "total_iters": 8}),
    "polynomial": (PolynomialLR, {"total_iters": N_BATCHES}),
    "function": (LambdaLR, fall(1)),
}


@pytest.mark.parametrize("name", SPENT)
@pytest.mark.parametrize("kind", [None, LeanClassifier])
def test_a_rate_that_was_spent_before_the_end_is_told(name, kind):
    policy, settings = SPENT[name]
    learner = scheduled(policy, kind=kind, **settings).fit(X[:60], Y[:60])
    with pytest.warns(
        UserWarning, match="batches of this training had a learn"
    ) as caught:
        learner.teach(X[60:], Y[60:])
    assert "Look at callbacks__LRScheduler of the net" in str(caught[0].message)


def test_the_batches_are_counted():
    learner = scheduled(LambdaLR, **fall(1)).fit(X[:60], Y[:60])
    with pytest.warns(UserWarning) as caught:
        learner.teach(X[60:200], Y[60:200])
    assert str(caught[0].message) == (
        "The last 18 of the 26 batches of this training had a learning rate below 1% "
        "of the highest, 0.1, and changed next to nothing. Look at "
        "callbacks__LRScheduler of the net: what steps with every batch was made for "
        "fewer rows. Let it step with every epoch (step_every='epoch'), or set its "
        "length anew for the rows there are."
    )


@pytest.mark.parametrize(
    ("policy", "step_every", "settings"),
    [
        (CosineAnnealingLR, "batch", {"T_max": N_BATCHES}),
        (OneCycleLR, "batch", {"max_lr": 0.1, "total_steps": N_BATCHES + 1}),
        (LambdaLR, "batch", fall(4)),
        (CosineAnnealingWarmRestarts, "batch", {"T_0": 3}),
        # However many rows there are, epochs are what they were.
        (StepLR, "epoch", {"step_size": 1, "gamma": 1e-4}),
    ],
    ids=["cosine", "one-cycle", "fourth-power", "restarts", "epochs"],
)
def test_schedules_of_the_length_of_the_training_may_end_at_zero(
    policy, step_every, settings
):
    scheduled(policy, step_every, **settings).fit(X[:60], Y[:60])


def test_a_schedule_that_rises_again_is_told():
    learner = scheduled(CosineAnnealingLR, T_max=N_BATCHES).fit(X[:60], Y[:60])
    with pytest.warns(UserWarning, match="A schedule of 8 batches ran through in a tr"):
        learner.teach(X[60:100], Y[60:100])


class ByHand(Callback):
    """Sets the rate itself, batch by batch."""

    def on_batch_end(self, net, training, **kwargs):
        if training:
            net.optimizer_.param_groups[0]["lr"] *= 0.5


def test_a_callback_of_ones_own_is_told_too():
    learner = make_learner(net=make_net(callbacks=[ByHand()]))
    with pytest.warns(UserWarning, match="Look at the schedules among the callbacks"):
        learner.fit(X, Y)


class Elsewhere(torch.optim.SGD):
    """Is given the weights of a module and trains others."""

    def __init__(self, params, lr):
        super().__init__([torch.nn.Parameter(torch.ones(2))], lr=lr)


class ForNothing(NeuralNetClassifier):
    def get_loss(self, *args, **kwargs):
        return 0 * super().get_loss(*args, **kwargs)


IDLE = {
    "optimizer": {"optimizer": Elsewhere},
    "clipped": {"callbacks": [GradientNormClipping(0.0)]},
    "loss": {"kind": ForNothing},
    "lean": {"kind": LeanClassifier, "optimizer": Elsewhere},
}


@pytest.mark.parametrize("name", IDLE)
@pytest.mark.parametrize("piped", [False, True], ids=["bare", "piped"])
def test_a_training_that_changes_no_weight_is_told(name, piped):
    net = make_net(**IDLE[name])
    net = make_pipeline(StandardScaler(), net) if piped else net
    with pytest.warns(UserWarning, match="The training changed no weight of the net"):
        make_learner(net=net).fit(X[:60], Y[:60])


def test_one_weight_that_changes_is_enough():
    make_learner(net=make_net(callbacks=[Freezer(["body*", "head.weight"])])).fit(X, Y)
    make_learner(net=make_net(lr=1e-6)).fit(X, Y)


def test_a_single_class_leaves_nothing_to_learn():
    make_learner(net=make_net(module__n_classes=1)).fit(X, np.zeros(len(X), dtype=int))


def test_a_rate_of_zero_is_as_was_asked_for():
    make_learner(net=make_net(lr=0.0)).fit(X, Y)


def test_a_warm_start_is_held_against_where_it_began():
    net = make_net(optimizer=Elsewhere)
    with pytest.warns(UserWarning, match="The training changed no weight of the net"):
        learner = make_learner(net=net, warm_start=True).fit(X[:60], Y[:60])
    with pytest.warns(UserWarning, match="The training changed no weight of the net"):
        learner.teach(X[60:70], Y[60:70])


@pytest.mark.parametrize("callbacks", [None, [], [("own", ByHand())], [ByHand]])
def test_callbacks_are_afterwards_those_of_the_net(callbacks):
    net = make_net(callbacks=callbacks)
    expected = [
        name for name, _ in make_net(callbacks=callbacks).initialize().callbacks_
    ]
    with listening(net, updates=Updates(goes_on=False)):
        net.initialize()
        assert [name for name, _ in net.callbacks_][:-2] == expected[:-1]
        assert "updates" in dict(net.callbacks_)
    assert net.callbacks is callbacks
    assert [name for name, _ in net.callbacks_] == expected
    with listening(net, updates=Updates(goes_on=True)):
        assert [name for name, _ in net.callbacks_] == [*expected, "updates"]
    assert [name for name, _ in net.callbacks_] == expected


def test_a_net_without_callbacks_stays_so():
    net = make_net(callbacks="disable").initialize()
    with listening(net, updates=Updates(goes_on=False)):
        assert net.callbacks == "disable" and not net.callbacks_


def test_rates_that_are_not_known_say_nothing():
    rates = Updates(goes_on=True)
    net = make_net().fit(X[:20].astype(np.float32), Y[:20])
    rates.check(net)
    rates.on_batch_begin(object(), training=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates.check(net)


class Broken(Callback):
    """Makes the weights infinite at the end of one epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            net.module_.head.weight.data.fill_(np.inf)


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_training_that_diverged_is_told_with_its_epoch(epoch):
    net = make_net(max_epochs=5, callbacks=[Broken(epoch)])
    learner = make_learner(net=net)
    text = f"diverged: in epoch {epoch + 1} of 5 the train_loss was nan. The labels are"
    with pytest.warns(UserWarning, match=text) as caught:
        learner.fit(X[:60], Y[:60])
    assert len(caught) == 1
    learner.set_params(estimator__callbacks=None).refit()
    assert learner.n_labeled_ == 60


def test_labels_taught_to_a_training_that_diverges_are_kept():
    net = make_net(max_epochs=3, callbacks=[Broken(4)])
    learner = make_learner(net=net, warm_start=True).fit(X[:60], Y[:60])
    with pytest.warns(UserWarning, match="in epoch 2 of 3 the train_loss was nan"):
        learner.teach(X[60:90], Y[60:90])
    assert learner.n_labeled_ == 90
    assert learner.set_params(warm_start=False).refit().n_labeled_ == 90


def test_a_loss_of_validation_rows_that_is_infinite_is_told():
    far = TensorDataset(torch.full((9, 3), 3e38), torch.zeros(9).long())
    net = make_net(train_split=predefined_split(far))
    with pytest.warns(UserWarning, match="in epoch 1 of 2 the valid_loss was"):
        make_learner(net=net).fit(X[:60], Y[:60])


class NoLosses(NeuralNetClassifier):
    """Notes no loss of an epoch."""

    def get_default_callbacks(self):
        return []


def test_a_history_without_losses_tells_nothing():
    net = make_net(kind=NoLosses, lr=1e30, max_epochs=3)
    learner = make_learner(net=net).fit(X[:60], Y[:60])
    with pytest.raises(DivergedTrainingError):
        learner.predict(X)

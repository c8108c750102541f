"""Training: from scratch, going on, frozen; what is kept and what stays untouched."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping

from skbadge import CoreSet, RandomSampling
from skbadge.exceptions import InvalidInputError
from skbadge.modules import lean_settings
from skbadge.nets._estimators import find_net
from tests._learning import (
    Normed,
    Tiny,
    make_binary_net,
    make_data,
    make_learner,
    make_net,
    same_weights,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)


def test_attributes_after_fit():
    learner = make_learner().fit(X, Y)
    assert_array_equal(learner.X_, X)
    assert_array_equal(learner.y_, Y)
    assert learner.n_labeled_ == 60
    assert learner.n_features_in_ == 3
    assert_array_equal(learner.classes_, [0, 1, 2])
    assert learner.timings_.keys() == {"fit"}
    indices = learner.query(POOL, n=3)
    assert indices.dtype == np.intp
    assert learner.timings_.keys() == {"fit", "embed", "select"}
    assert_array_equal(learner.last_selection_.indices, indices)
    assert learner.last_selection_.scores.shape == (3,)


def test_attributes_are_not_there_before_fit():
    learner = make_learner()
    for name in ("X_", "y_", "n_labeled_", "classes_", "estimator_", "last_selection_"):
        assert not hasattr(learner, name)


def test_the_users_own_objects_are_untouched():
    module = Normed()
    net = make_net(module)
    strategy = CoreSet()
    given = copy.deepcopy(module.state_dict())
    settings = dict(vars(net))
    learner = make_learner(strategy, net=net).fit(X, Y)
    learner.query(POOL, n=2)
    assert vars(net) == settings
    assert not net.initialized_
    assert all(torch.equal(given[k], v) for k, v in module.state_dict().items())
    assert module.training
    assert learner.strategy is strategy
    assert learner.strategy_ is not strategy


def test_a_net_that_is_fitted_already_starts_anew_and_stays_as_it_is():
    net = make_net().fit(X.astype(np.float32), Y)
    before = copy.deepcopy(net.module_.state_dict())
    fresh = make_learner().fit(X, Y)
    learner = make_learner(net=net).fit(X, Y)
    assert same_weights(weights(learner), weights(fresh))
    after = net.module_.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_x_and_y_are_safe_from_later_changes_by_the_caller():
    mine, labels, classes = X[:30].copy(), Y[:30].copy(), np.array([0, 1, 2])
    learner = make_learner(classes=classes).fit(mine, labels)
    chosen, new = POOL[:5].copy(), POOL_Y[:5].copy()
    learner.teach(chosen, new)
    for array in (mine, labels, chosen, new, classes):
        array[:] = 1
    assert_array_equal(learner.X_, np.concatenate([X[:30], POOL[:5]]))
    assert_array_equal(learner.y_, np.concatenate([Y[:30], POOL_Y[:5]]))
    assert_array_equal(learner.classes_, [0, 1, 2])


@pytest.mark.parametrize("kind", ["frame", "tensor", "dict"])
def test_other_kinds_of_x_are_copied_too(kind):
    import pandas as pd

    rows = X[:30].astype(np.float32)
    if kind == "frame":
        mine = pd.DataFrame(rows.copy(), columns=["a", "b", "c"])
    elif kind == "tensor":
        mine = torch.from_numpy(rows.copy())
    else:
        mine = {"X": rows.copy()}
    learner = make_learner().fit(mine, Y[:30])
    if kind == "frame":
        mine.loc[:, :] = 7
        kept = learner.X_.to_numpy()
    elif kind == "tensor":
        mine[:] = 7
        kept = learner.X_.numpy()
    else:
        mine["X"][:] = 7
        kept = learner.X_["X"]
    assert_array_equal(kept, rows)


def test_from_scratch_means_that_earlier_rounds_leave_no_trace():
    # Two histories that end with the same rows in the same round.
    first = make_learner(net=make_net(Normed)).fit(X[:20], Y[:20])
    second = make_learner(net=make_net(Normed)).fit(X[:20][::-1] * 3, Y[:20][::-1])
    first.teach(POOL[:5], POOL_Y[:5])
    second._state = replace(second._state, labeled=first._state.labeled)
    second.refit()
    for learner in (first, second):
        model = replace(learner._state.model, n_trainings=7)
        learner._state = replace(learner._state, model=model)
    assert same_weights(weights(first.refit()), weights(second.refit()))


def test_batchnorm_buffers_start_anew():
    learner = make_learner(net=make_net(Normed)).fit(X[:32], Y[:32])
    assert weights(learner)["norm.num_batches_tracked"] == 4
    learner.teach(POOL[:16], POOL_Y[:16])
    assert weights(learner)["norm.num_batches_tracked"] == 6


def test_module_instance_goes_back_to_its_given_weights():
    torch.manual_seed(0)
    module = Normed()
    module.norm.running_mean += 5
    given = copy.deepcopy(module.state_dict())
    learner = make_learner(net=make_net(module, lr=0.0)).fit(X, Y)
    for _ in range(2):
        now = weights(learner)
        assert all(torch.equal(now[k], v) for k, v in given.items() if "norm." not in k)
        learner.teach(POOL[:4], POOL_Y[:4])
    moving = make_learner(net=make_net(module)).fit(X, Y)
    assert not same_weights(weights(moving), given)
    assert all(torch.equal(given[k], v) for k, v in module.state_dict().items())


def test_warm_start_goes_on_from_weights_and_optimizer_state():
    net = make_net(Normed, optimizer=torch.optim.SGD, optimizer__momentum=0.9)
    learner = make_learner(net=net, warm_start=True).fit(X, Y)
    first = weights(learner)
    before = learner.estimator_
    state = copy.deepcopy(before.optimizer_.state_dict())
    learner.teach(POOL[:4], POOL_Y[:4])
    # The previous model was left as it was, the new one continued from it.
    assert same_weights(
        {k: v.clone() for k, v in before.module_.state_dict().items()}, first
    )
    assert weights(learner)["norm.num_batches_tracked"] == 8 + 8
    assert len(learner.estimator_.history) == 4
    momentum = state["state"][0]["momentum_buffer"]
    now = learner.estimator_.optimizer_.state_dict()["state"][0]["momentum_buffer"]
    assert not torch.equal(momentum, now)


def test_warm_start_equals_partial_fit_by_hand():
    net = make_net(
        Tiny,
        module__dropout=0.0,
        iterator_train__shuffle=False,
        optimizer=torch.optim.Adam,
        lr=0.01,
    )
    learner = make_learner(net=net, warm_start=True).fit(X, Y)
    by_hand = copy.deepcopy(learner.estimator_)
    learner.teach(POOL[:4], POOL_Y[:4])
    by_hand.partial_fit(
        np.concatenate([X, POOL[:4]]), np.concatenate([Y, POOL_Y[:4]]).astype(np.int64)
    )
    assert_allclose(learner.predict_proba(POOL), by_hand.predict_proba(POOL), rtol=1e-6)


def test_warm_start_keeps_transformers_fitted_and_fit_starts_anew():
    pipeline = make_pipeline(StandardScaler(), make_net())
    learner = make_learner(net=pipeline, warm_start=True).fit(X, Y)
    mean = learner.estimator_[0].mean_.copy()
    learner.teach(POOL[:10] + 100, POOL_Y[:10])
    assert_array_equal(learner.estimator_[0].mean_, mean)
    assert len(learner.estimator_[-1].history) == 4
    learner.fit(X, Y)
    assert len(learner.estimator_[-1].history) == 2
    cold = make_learner(net=pipeline).fit(X, Y)
    assert same_weights(weights(learner), weights(cold))
    cold.teach(POOL[:10] + 100, POOL_Y[:10])
    assert (cold.estimator_[0].mean_ > mean + 1).all()


def test_frozen_net_is_not_trained_and_stays_the_users():
    net = make_net().fit(X.astype(np.float32), Y)
    settings = dict(vars(net))
    before = copy.deepcopy(net.module_.state_dict())
    learner = make_learner(net=FrozenEstimator(net)).fit(X[:10], Y[:10])
    for _ in range(2):
        assert all(torch.equal(before[k], v) for k, v in weights(learner).items())
        chosen = learner.query(POOL, n=3)
        learner.teach(POOL[chosen], POOL_Y[chosen])
    assert learner.n_labeled_ == 16
    assert vars(net) == settings
    assert all(torch.equal(before[k], v) for k, v in net.module_.state_dict().items())
    assert_array_equal(
        learner.predict_proba(POOL), net.predict_proba(POOL.astype(np.float32))
    )


def test_frozen_net_with_few_labels_keeps_its_columns():
    net = make_net().fit(X.astype(np.float32), Y)
    settings = dict(vars(net))
    learner = make_learner(net=FrozenEstimator(net)).fit(X[[2, 5]], [2, 2])
    assert_array_equal(learner.classes_, [0, 1, 2])
    assert_array_equal(learner.predict(POOL), net.predict(POOL.astype(np.float32)))
    assert vars(net) == settings


def test_frozen_pipeline():
    pipeline = make_pipeline(StandardScaler(), make_net()).fit(X.astype("float32"), Y)
    learner = make_learner(net=FrozenEstimator(pipeline)).fit(X[:10] * 50, Y[:10])
    assert_allclose(
        learner.predict_proba(POOL),
        pipeline.predict_proba(POOL.astype("float32")),
        rtol=1e-5,
    )
    steps = [(name, FrozenEstimator(step)) for name, step in pipeline.steps]
    stepwise = make_learner(net=Pipeline(steps)).fit(X[:10], Y[:10])
    assert_array_equal(learner.predict_proba(POOL), stepwise.predict_proba(POOL))
    assert_array_equal(learner.query(POOL, n=4), stepwise.query(POOL, n=4))


def test_half_frozen_pipeline_is_refused():
    net = make_net().fit(X.astype(np.float32), Y)
    learner = make_learner(net=make_pipeline(StandardScaler(), FrozenEstimator(net)))
    with pytest.raises(InvalidInputError) as caught:
        learner.fit(X, Y)
    assert str(caught.value) == (
        "A pipeline with a frozen net must be frozen whole: its steps "
        "['standardscaler'] would be refitted and give the net another input than it "
        "was trained on. Use FrozenEstimator(pipeline)."
    )


def test_frozen_net_that_was_never_fitted_is_refused():
    with pytest.raises(InvalidInputError, match="FrozenEstimator must hold a fitted"):
        make_learner(net=FrozenEstimator(make_net())).fit(X, Y)


@pytest.mark.parametrize("n", [4, 12])
def test_train_split_errors_name_it(n):
    net = NeuralNetClassifier(
        Tiny, criterion=torch.nn.CrossEntropyLoss, verbose=0, max_epochs=1
    )
    with pytest.raises(InvalidInputError) as caught:
        make_learner(net=net).fit(X[:n], Y[:n])
    message = str(caught.value)
    assert f"The net's train_split could not split the {n} labelled rows" in message
    assert "set train_split=None on the net." in message
    assert caught.value.__cause__ is not None


def test_train_split_is_respected_where_it_works():
    net = NeuralNetClassifier(
        Tiny,
        criterion=torch.nn.CrossEntropyLoss,
        verbose=0,
        max_epochs=1,
        callbacks=[EarlyStopping()],
    )
    learner = make_learner(net=net).fit(X, Y)
    assert "valid_loss" in learner.estimator_.history[-1]


class CounterOfTrainings(Callback):
    """Counts the trainings of all its copies."""

    seen = 0

    def on_train_end(self, net, X=None, y=None, **kwargs):
        type(self).seen += 1


@pytest.mark.parametrize("kind", ["none", "skorch", "lean"])
def test_a_missing_class_costs_no_second_training(kind):
    early = ("early_stopping", EarlyStopping(monitor="train_loss"))
    settings = {
        "none": {"callbacks": [CounterOfTrainings]},
        "skorch": {"callbacks": [CounterOfTrainings(), early]},
        "lean": lean_settings(callbacks=[CounterOfTrainings()]),
    }
    learner = make_learner(net=make_net(**settings[kind]))
    CounterOfTrainings.seen = 0
    learner.fit(X[Y != 1], Y[Y != 1])
    assert_array_equal(learner.classes_, [0, 1, 2])
    assert CounterOfTrainings.seen == 1


def test_callbacks_may_be_disabled():
    learner = make_learner(net=make_net(callbacks="disable")).fit(X, Y)
    assert len(learner.query(POOL, n=2)) == 2


def test_binary_net():
    y = (Y > 0).astype(int)
    learner = make_learner(net=make_binary_net(max_epochs=10)).fit(X, y)
    proba = learner.predict_proba(POOL)
    assert proba.shape == (40, 2)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    assert_array_equal(learner.predict(POOL), proba.argmax(axis=1))
    assert len(learner.query(POOL, n=4)) == 4
    # Its own threshold is respected.
    learner.estimator_.set_params(threshold=0.999)
    assert not learner.predict(POOL).any()


@pytest.mark.parametrize("net", [make_net(), make_binary_net()], ids=["many", "one"])
def test_a_prediction_runs_the_net_once(net):
    learner = make_learner(net=net).fit(X, Y % 2)
    rows = []
    module = find_net(learner.estimator_).module_
    with module.register_forward_hook(lambda *call: rows.append(len(call[2]))):
        learner.predict(X)
    assert sum(rows) == len(X)


def test_timings_and_selection_of_an_earlier_fit_do_not_stay():
    learner = make_learner(RandomSampling()).fit(X, Y)
    learner.query(POOL, n=2)
    learner.fit(X, Y)
    assert not hasattr(learner, "last_selection_")
    assert "select" not in learner.timings_


def test_fit_with_another_kind_of_rows_forgets_the_number_of_features():
    learner = make_learner().fit(X, Y)
    learner.fit({"X": X}, Y)
    assert not hasattr(learner, "n_features_in_")
    learner.fit(torch.from_numpy(X), Y)
    assert learner.n_features_in_ == 3


@pytest.mark.parametrize("how", ["warm", "frozen"])
def test_modules_that_cannot_be_pickled_are_copied(how):
    class Local(Tiny):
        def __init__(self):
            super().__init__()
            self.twice = lambda X: 2 * X

        def forward(self, X):
            return super().forward(self.twice(X))

    net = make_net(Local, optimizer=torch.optim.Adam)
    if how == "frozen":
        net = FrozenEstimator(net.fit(X.astype(np.float32), Y))
    learner = make_learner(net=net, warm_start=how == "warm").fit(X, Y)
    first, model = weights(learner), learner.estimator_
    learner.teach(POOL[:4], POOL_Y[:4])
    now = {k: v.clone() for k, v in model.module_.state_dict().items()}
    assert same_weights(now, first)
    assert learner.estimator_ is not model
    assert same_weights(weights(learner), first) is (how == "frozen")
    # The copy of the optimizer steers the copy of the weights.
    fitted = learner.estimator_
    steered = fitted.optimizer_.param_groups[0]["params"]
    assert {id(p) for p in steered} == {id(p) for p in fitted.module_.parameters()}

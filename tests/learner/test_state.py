"""A learner's state: whole at any moment, written down, brought back."""

import copy
import json
import os
import pickle
import signal
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback

import skbadge._version
from skbadge import ALBL, BADGE, ActiveLearner, CoreSet, RandomSampling
from skbadge.exceptions import InvalidInputError, LearnerNotFittedError, RefitError
from skbadge.learner import _state
from skbadge.utils._locks import process_lock
from tests._learning import (
    Normed,
    make_data,
    make_learner,
    make_net,
    make_strategies,
    same_weights,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)


class Hook(Callback):
    """Does once, in a training, what a test has planned."""

    planned = None

    def on_epoch_end(self, net, **kwargs):
        planned, Hook.planned = Hook.planned, None
        if planned:
            planned()


@pytest.fixture
def plan():
    yield Hook
    Hook.planned = None


def hooked(**settings):
    return make_learner(net=make_net(callbacks=[Hook]), **settings)


def in_a_thread(call):
    def run():
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()

    return run


@pytest.mark.parametrize("elsewhere", [lambda call: call, in_a_thread])
def test_corrections_made_while_a_training_runs_stay(plan, elsewhere):
    learner = hooked().fit(X, Y)
    other = (Y[0] + 1) % 3
    plan.planned = elsewhere(lambda: learner.relabel(0, other).forget([5, 6]))
    learner.teach(POOL[:3], POOL_Y[:3])
    assert learner.n_labeled_ == 61
    assert learner.y_[0] == other
    assert_array_equal(learner.X_[58:], POOL[:3])
    learner.refit()
    assert learner.n_labeled_ == 61


def test_what_is_taught_and_asked_while_a_training_runs_stays(plan):
    learner = hooked(strategy=RandomSampling()).fit(X, Y)
    plan.planned = lambda: learner.teach(POOL[3:7], POOL_Y[3:7])
    learner.teach(POOL[:3], POOL_Y[:3])
    assert learner.n_labeled_ == 67
    # The inner training saw all rows; the outer one, of fewer, gives way.
    assert learner._state.model.n_trainings == 2
    plan.planned = lambda: learner.query(POOL, n=4)
    learner.refit()
    assert len(learner.open_) == 4


def test_fit_refuses_to_replace_labels_that_came_meanwhile(plan):
    learner = hooked().fit(X, Y)
    plan.planned = lambda: learner.relabel(0, (Y[0] + 1) % 3)
    with pytest.raises(InvalidInputError, match="corrected while fit was training"):
        learner.fit(X[:30], Y[:30])
    assert learner.n_labeled_ == 60
    assert learner.y_[0] == (Y[0] + 1) % 3
    assert learner.fit(X[:30], Y[:30]).n_labeled_ == 30


def test_two_interrupts_in_a_row_leave_a_whole_learner(plan, default_sigint):
    learner = hooked().fit(X, Y)
    before = weights(learner)

    def twice():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)

    for call in (lambda: learner.fit(X[:30], Y[:30]), learner.refit):
        plan.planned = twice
        with pytest.raises(KeyboardInterrupt):
            call()
        assert learner.n_labeled_ == 60
        assert same_weights(weights(learner), before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_locks_of_its_own():
    held, done = threading.Event(), threading.Event()

    def hold():
        with process_lock("generators"):
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    with warnings.catch_warnings():
        # Newer Pythons warn of what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(7 if process_lock("generators").acquire(timeout=5) else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 7


def test_labels_of_few_bits_are_not_wrapped_around():
    wide = make_net(module__n_classes=300)
    learner = make_learner(net=wide).fit(X, Y.astype(np.uint8))
    learner.relabel([0, 1], [290, 256]).teach(POOL[:1], [299]).refit()
    assert learner.y_[[0, 1, 60]].tolist() == [290, 256, 299]


def test_rows_and_labels_are_read_only():
    learner = make_learner().fit(X, Y)
    for array in (learner.X_, learner.y_):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError, match="y_ is read-only: fit and teach set it"):
        learner.y_ = Y
    assert learner.refit().n_labeled_ == 60


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        (torch.tensor, lambda rows: rows.fill_(99)),
        (pd.DataFrame, lambda rows: rows.iloc.__setitem__((0, 0), 99)),
        (
            lambda rows: {"X": torch.tensor(rows)},
            lambda rows: rows["X"].fill_(99),
        ),
        (sparse.csr_array, lambda rows: rows.data.fill(99)),
    ],
    ids=["tensor", "frame", "dict", "sparse"],
)
def test_what_is_done_to_rows_that_were_shown_changes_none(kind, write):
    rows, net = kind(X.astype("f4")), make_net()
    if sparse.issparse(rows):
        densify = FunctionTransformer(lambda rows: rows.toarray(), accept_sparse=True)
        net = make_pipeline(densify, net)
    learner = make_learner(net=net).fit(rows, Y)
    before = learner.predict_proba(learner.X_)
    write(learner.X_)
    assert_array_equal(learner.predict_proba(learner.X_), before)
    assert_array_equal(learner.refit().predict(learner.X_).shape, Y.shape)


def test_open_rows():
    learner = make_learner(RandomSampling()).fit(X, Y)
    with pytest.raises(AttributeError, match=r"open_ is there after query\(X_pool\)"):
        _ = learner.open_
    chosen = learner.query(POOL, n=4)
    assert_array_equal(learner.open_, chosen)
    back = chosen[[2, 0]]
    learner.teach(POOL[back], POOL_Y[back], indices=back)
    assert_array_equal(learner.open_, chosen[[1, 3]])


def test_answers_given_twice_and_rows_never_asked_for_are_told():
    learner = make_learner(RandomSampling()).fit(X, Y)
    chosen = learner.query(POOL, n=4)
    learner.teach(POOL[chosen], POOL_Y[chosen], indices=chosen)
    with pytest.warns(UserWarning, match=r"labelled a second time.*call relabel\("):
        learner.teach(POOL[chosen[:2]], POOL_Y[chosen[:2]], indices=chosen[:2])
    others = np.setdiff1d(np.arange(40), chosen)[:2]
    with pytest.warns(UserWarning, match=r"None of the rows .* was asked for"):
        learner.teach(POOL[others], POOL_Y[others], indices=others)


@pytest.mark.parametrize("name", make_strategies())
def test_a_state_written_down_brings_back_model_queries_and_feedback(name):
    learner = make_learner(make_strategies()[name]).fit(X, Y)
    for _ in range(2):
        chosen = learner.query(POOL, n=4)
        learner.teach(POOL[chosen], POOL_Y[chosen])
    chosen = learner.query(POOL, n=5)
    state = json.loads(json.dumps(learner.state()))
    twin = clone(learner).restore(learner.X_, learner.y_, state)
    assert same_weights(weights(twin), weights(learner))
    assert_array_equal(twin.open_, chosen)
    for one in (learner, twin):
        one.teach(POOL[chosen[:3]], POOL_Y[chosen[:3]], indices=chosen[:3])
    assert same_weights(weights(twin), weights(learner))
    first, second = (dict(one.state(), history=None) for one in (twin, learner))
    assert first == second
    assert_array_equal(twin.query(POOL, n=6), learner.query(POOL, n=6))


@pytest.mark.parametrize("piped", [False, True])
def test_parameters_take_the_place_of_the_last_training(piped):
    net = make_net(Normed)
    net = make_pipeline(StandardScaler(), net) if piped else net
    learner = make_learner(net=net, warm_start=not piped).fit(X, Y)
    learner.teach(POOL[:4], POOL_Y[:4])
    state = learner.state(parameters=True)
    twin = clone(learner).restore(learner.X_, learner.y_, state)
    assert same_weights(weights(twin), weights(learner))
    assert_array_equal(twin.predict_proba(POOL), learner.predict_proba(POOL))
    assert_array_equal(twin.query(POOL, n=5), learner.query(POOL, n=5))
    state["parameters"]["module_.head.weight"] = torch.zeros(2, 2)
    with pytest.raises(InvalidInputError, match="parameters must be those of the net"):
        clone(learner).restore(learner.X_, learner.y_, state)


def test_a_learner_without_a_training_comes_back_too(monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("broken")

    learner = make_learner()
    with monkeypatch.context() as broken:
        broken.setattr(_state.Model, "trained", fails)
        with pytest.raises(RefitError, match="broken"):
            learner.teach(X, Y)
    twin = clone(learner).restore(X, Y, learner.state())
    assert not hasattr(twin, "estimator_")
    assert same_weights(weights(twin.refit()), weights(learner.refit()))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"rounds": 3},
            r"state must be an answer of learner.state\(\).*Got \['rounds'",
        ),
        ({"n_trainings": -1}, "n_trainings must be an int of at least 0"),
        ({"inclusion_probability": [0.5]}, "one number .* for each of the 60"),
        ({"entropy": "x"}, "entropy must be an int"),
    ],
)
def test_states_that_do_not_fit_change_nothing(state, message):
    learner = make_learner().fit(X, Y)
    before = learner._state
    with pytest.raises(InvalidInputError, match=message):
        learner.restore(X, Y, state)
    assert learner._state is before


def test_what_cannot_be_written_down():
    with pytest.raises(LearnerNotFittedError, match=r"state\(\) needs labelled rows"):
        make_learner().state()
    learner = make_learner(RandomSampling()).fit(X, Y)
    learner.strategy_.seen_ = {1, 2}
    with pytest.raises(InvalidInputError, match="seen_ of type set: pickle"):
        learner.state()


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_copies_know_all(copied):
    learner = make_learner().fit(X, Y)
    chosen = learner.query(POOL, n=4)
    twin = copied(learner)
    for one in (learner, twin):
        one.teach(POOL[chosen], POOL_Y[chosen])
    assert same_weights(weights(twin), weights(learner))
    assert not hasattr(clone(twin), "X_")


def test_pickles_of_another_version_say_so(monkeypatch):
    learner = make_learner().fit(X, Y)
    monkeypatch.setattr(_state, "__version__", "0.0.7")
    old = pickle.dumps(learner)
    monkeypatch.undo()
    with pytest.raises(InvalidInputError) as caught:
        pickle.loads(old)
    assert str(caught.value).startswith(
        "This learner was pickled by skbadge 0.0.7, and is read by "
        f"{skbadge._version.__version__}: pickles do not outlive a version."
    )


def test_a_frozen_pipeline_is_restored_by_its_own_weights():
    pipeline = make_pipeline(StandardScaler(), make_net()).fit(X.astype("f4"), Y)
    learner = ActiveLearner(FrozenEstimator(pipeline), random_state=0).fit(X, Y)
    twin = clone(learner).restore(X, Y, learner.state())
    assert_array_equal(twin.query(POOL, n=5), learner.query(POOL, n=5))


def test_a_fitted_net_can_be_asked_without_a_label():
    net = make_net().fit(X.astype("f4"), Y)
    learner = ActiveLearner(FrozenEstimator(net), strategy=BADGE(), random_state=0)
    chosen = learner.query(POOL, n=5)
    assert_array_equal(learner.query(POOL, n=5), chosen)
    assert not hasattr(learner, "X_")
    learner.teach(POOL[chosen], POOL_Y[chosen], indices=chosen)
    assert learner.n_labeled_ == 5
    # What reads labels, or has a net to train, still needs them first.
    for other in (
        ActiveLearner(FrozenEstimator(net), strategy=CoreSet()),
        make_learner(BADGE()),
    ):
        with pytest.raises(LearnerNotFittedError, match="not fitted yet"):
            other.query(POOL, n=5)


def test_a_trained_learner_recalls_what_its_strategy_had_learned():
    """Asked a batch and trained: the other way to labels, model and a batch out."""
    learner = make_learner(ALBL(n_rounds=5)).fit(X, Y)
    rows = learner.query(POOL, n=6)
    state = learner.state()
    twin = make_learner(ALBL(n_rounds=5)).fit(X, Y).recall(state)
    assert twin.state()["strategy"] == state["strategy"]
    assert_array_equal(twin.open_, learner.open_)
    for one in (learner, twin):
        one.teach(POOL[rows], POOL_Y[rows], indices=rows)
    assert twin.state()["strategy"] == learner.state()["strategy"] != state["strategy"]
    with pytest.raises(InvalidInputError, match="one number \\(or None\\) for each"):
        twin.recall({"inclusion_probability": [0.5]})
    with pytest.raises(LearnerNotFittedError):
        make_learner().recall(state)

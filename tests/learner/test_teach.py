"""Teaching: labels are safe, whatever happens; which rows answer the last query."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from skbadge import ALBL, RandomSampling
from skbadge.exceptions import InvalidInputError, LearnerNotFittedError, RefitError
from skbadge.strategies import Needs, QueryStrategy, Selection
from tests._learning import (
    assert_unchanged,
    make_data,
    make_learner,
    make_net,
    same_weights,
    snapshot,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(50, seed=1)


class Switch(Callback):
    """Raises in training while its class says so."""

    on = False

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if self.on:
            raise OSError("no disk")


@pytest.fixture
def failing():
    Switch.on = False
    yield Switch
    Switch.on = False


def switched(**settings):
    return make_learner(net=make_net(callbacks=[Switch]), **settings)


def test_teach_before_fit_is_fit():
    taught = make_learner().teach(X, Y)
    fitted = make_learner().fit(X, Y)
    assert same_weights(weights(taught), weights(fitted))
    assert_array_equal(taught.query(POOL, n=5), fitted.query(POOL, n=5))


def test_teach_appends_in_order():
    learner = make_learner().fit(X, Y).teach(POOL[[3, 1]], POOL_Y[[3, 1]])
    assert_array_equal(learner.X_[60:], POOL[[3, 1]])
    assert_array_equal(learner.y_[60:], POOL_Y[[3, 1]])


def test_failing_refit_keeps_labels_and_model(failing):
    learner = switched().fit(X, Y)
    before, proba = weights(learner), learner.predict_proba(POOL)
    chosen = learner.query(POOL, n=4)
    failing.on = True
    with pytest.raises(RefitError) as caught:
        learner.teach(POOL[chosen], POOL_Y[chosen])
    assert str(caught.value) == (
        "Training failed: OSError: no disk. The 4 new labels are kept (n_labeled_ = "
        "64), the previous model still predicts, and refit() trains again."
    )
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.__traceback__ is not None
    assert learner.n_labeled_ == 64
    assert same_weights(weights(learner), before)
    assert_array_equal(learner.predict_proba(POOL), proba)
    assert_array_equal(learner.query(POOL, n=4), chosen)
    with pytest.raises(RefitError, match="All labels are kept \\(n_labeled_ = 64\\), "):
        learner.refit()

    failing.on = False
    learner.refit()
    # As if nothing had happened in between.
    smooth = switched().fit(X, Y).teach(POOL[chosen], POOL_Y[chosen])
    assert same_weights(weights(learner), weights(smooth))


def test_failing_first_training_keeps_labels(failing):
    failing.on = True
    learner = switched()
    with pytest.raises(OSError, match="no disk"):
        learner.fit(X, Y)
    assert learner.n_labeled_ == 60
    with pytest.raises(LearnerNotFittedError):
        learner.predict(POOL)
    with pytest.raises(RefitError) as caught:
        learner.teach(POOL[:2], POOL_Y[:2])
    assert str(caught.value) == (
        "Training failed: OSError: no disk. The 2 new labels are kept (n_labeled_ = "
        "62), and refit() trains again."
    )
    failing.on = False
    learner.refit()
    assert len(learner.query(POOL, n=3)) == 3
    whole = switched().fit(
        np.concatenate([X, POOL[:2]]), np.concatenate([Y, POOL_Y[:2]])
    )
    assert same_weights(weights(learner), weights(whole))


def test_failing_first_teach_keeps_labels(failing):
    failing.on = True
    learner = switched()
    with pytest.raises(RefitError, match="The 60 new labels are kept"):
        learner.teach(X, Y)
    failing.on = False
    assert same_weights(weights(learner.refit()), weights(switched().fit(X, Y)))


def test_failing_second_fit_leaves_the_first(failing):
    learner = switched(strategy=RandomSampling()).fit(X, Y)
    learner.query(POOL, n=2)
    before = snapshot(learner)
    failing.on = True
    with pytest.raises(OSError, match="no disk"):
        learner.fit(POOL[:, :3], POOL_Y)
    assert_unchanged(learner, before)
    failing.on = False
    learner.teach(POOL[:2], POOL_Y[:2])
    assert learner.n_labeled_ == 62


@pytest.mark.parametrize("where", ["forward", "criterion", "dataset"])
def test_errors_of_user_code_show_their_own_traceback(where):
    class Module(nn.Linear):
        def forward(self, X):
            if where == "forward" and Broken.on:
                raise KeyError("in user code")
            return super().forward(X)

    class Criterion(nn.CrossEntropyLoss):
        def forward(self, *args):
            if where == "criterion" and Broken.on:
                raise KeyError("in user code")
            return super().forward(*args)

    class Data(torch.utils.data.Dataset):
        def __init__(self, X, y=None):
            self.X, self.y = X.astype(np.float32), y

        def __len__(self):
            return len(self.X)

        def __getitem__(self, i):
            if where == "dataset" and Broken.on:
                raise KeyError("in user code")
            return self.X[i], 0 if self.y is None else self.y[i]

    class Broken:
        on = False

    net = make_net(
        Module,
        module__in_features=3,
        module__out_features=3,
        criterion=Criterion,
        dataset=Data,
    )
    learner = make_learner(net=net).fit(X, Y)
    proba = learner.predict_proba(POOL)
    module = learner.estimator_.module_
    Broken.on = True
    with pytest.raises(RefitError, match="KeyError: 'in user code'") as caught:
        learner.teach(POOL[:2], POOL_Y[:2])
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    frames = [entry.name for entry in _entries(cause)]
    assert frames[-1] in {"forward", "__getitem__"}
    if where != "criterion":
        with pytest.raises(KeyError, match="in user code"):
            learner.query(POOL, n=2)
    Broken.on = False
    assert learner.estimator_.module_ is module
    assert not module._forward_hooks and not module._forward_pre_hooks
    assert_array_equal(learner.predict_proba(POOL), proba)
    assert learner.refit().n_labeled_ == 62
    assert len(learner.query(POOL, n=2)) == 2


def _entries(error):
    import traceback

    return traceback.extract_tb(error.__traceback__)


def test_labels_keep_their_type_and_width():
    names = np.array(["a", "bb", "c"])
    learner = make_learner(classes=["a", "bb", "longest"]).fit(
        X[Y < 2], names[Y[Y < 2]]
    )
    learner.teach(POOL[:1], ["longest"])
    assert learner.y_[-1] == "longest"
    learner.relabel(0, "longest")
    assert learner.y_[0] == "longest"
    assert set(learner.predict(POOL)) <= {"a", "bb", "longest"}


def test_integer_labels_stay_integers_whatever_comes():
    learner = make_learner().fit(X, Y)
    learner.teach(POOL[:2], [1.0, 2.0])
    learner.teach(POOL[:1], torch.tensor([2]))
    learner.teach(POOL[:1], pd.Series([0], dtype="Int64"))
    assert learner.y_.dtype == Y.dtype
    assert learner.y_[60:].tolist() == [1, 2, 2, 0]


def asked(learner):
    return learner._state.asked.open.tolist()


def test_whole_batch_answers_the_query_without_indices():
    learner = make_learner(RandomSampling()).fit(X, Y)
    chosen = learner.query(POOL, n=4)
    learner.teach(POOL[chosen], POOL_Y[chosen])
    assert asked(learner) == [False] * 4
    assert np.isfinite(learner._state.labeled.probability[60:]).all()
    # The same number again is no second answer.
    learner.teach(POOL[:4], POOL_Y[:4])
    assert np.isnan(learner._state.labeled.probability[64:]).all()


def test_fewer_rows_without_indices_answer_nothing():
    learner = make_learner(RandomSampling()).fit(X, Y)
    chosen = learner.query(POOL, n=4)
    learner.teach(POOL[chosen[:3]], POOL_Y[chosen[:3]])
    assert asked(learner) == [True] * 4
    assert np.isnan(learner._state.labeled.probability).all()


def test_indices_match_fewer_other_and_shuffled_rows():
    learner = make_learner(RandomSampling()).fit(X, Y)
    candidates = np.arange(20, 50)
    chosen = learner.query(POOL, n=4, candidates=candidates)
    other = next(i for i in range(20, 50) if i not in chosen)
    back = np.array([chosen[2], other, chosen[0]])
    learner.teach(POOL[back], POOL_Y[back], indices=back)
    assert asked(learner) == [False, True, False, True]
    assert np.isfinite(learner._state.labeled.probability[60:]).tolist() == [
        True,
        False,
        True,
    ]
    # The rest later; a row that came already counts once.
    rest = [chosen[3], chosen[2]]
    with pytest.warns(UserWarning, match="labelled a second time"):
        learner.teach(POOL[rest], POOL_Y[rest], indices=rest)
    assert asked(learner) == [False, True, False, False]
    assert np.isfinite(learner._state.labeled.probability[63:]).tolist() == [
        True,
        False,
    ]


class Listener(QueryStrategy):
    """Learns by writing down what it is told."""

    needs = Needs()

    def observe(self, feedback):
        self.told_ = [*getattr(self, "told_", []), feedback]

    def _select(self, outputs, n, generator):
        return Selection(np.arange(n), inclusion_probability=np.linspace(0.1, 0.9, n))


def test_feedback_is_told_once_after_a_successful_training(failing):
    learner = switched(strategy=Listener()).fit(X, Y)
    assert not hasattr(learner.strategy_, "told_")
    learner.query(POOL, n=4)
    failing.on = True
    with pytest.raises(RefitError):
        learner.teach(POOL[:4], POOL_Y[:4])
    assert not hasattr(learner.strategy_, "told_")
    failing.on = False
    learner.refit()
    (feedback,) = learner.strategy_.told_
    assert feedback.taught.tolist() == [0, 1, 2, 3]
    assert feedback.n_labeled == 64
    assert feedback.n_unlabeled == 46
    assert_array_equal(feedback.inclusion_probability, np.linspace(0.1, 0.9, 4))
    assert_array_equal(feedback.correct, learner.predict(POOL[:4]) == POOL_Y[:4])
    learner.refit()
    learner.teach(POOL[9:11], POOL_Y[9:11])
    assert len(learner.strategy_.told_) == 1


def test_feedback_counts_all_rows_ever_queried():
    learner = make_learner(Listener()).fit(X, Y)
    for start in (0, 10):
        candidates = np.arange(start, start + 10)
        chosen = learner.query(POOL, n=3, candidates=candidates)
        learner.teach(POOL[chosen[:2]], POOL_Y[chosen[:2]], indices=chosen[:2])
    first, second = learner.strategy_.told_
    assert (len(first.correct), len(second.correct)) == (2, 4)
    assert first.n_unlabeled == second.n_unlabeled == 8
    assert second.taught.tolist() == [0, 1]
    known = learner.X_[60:]
    assert_array_equal(second.correct, learner.predict(known) == learner.y_[60:])


def test_forgotten_rows_are_not_counted():
    learner = make_learner(Listener()).fit(X, Y)
    learner.query(POOL, n=3)
    learner.teach(POOL[:3], POOL_Y[:3])
    learner.forget([60, 61])
    learner.query(POOL, n=2)
    learner.teach(POOL[:2], POOL_Y[:2])
    assert len(learner.strategy_.told_[1].correct) == 3


class Deaf(Listener):
    """Fails to listen."""

    def observe(self, feedback):
        self.told_ = "half"
        raise RuntimeError("deaf")


def test_failing_observe_leaves_model_strategy_and_feedback():
    learner = make_learner(Deaf()).fit(X, Y)
    learner.query(POOL, n=3)
    model = learner.estimator_
    with pytest.raises(RefitError, match="RuntimeError: deaf"):
        learner.teach(POOL[:3], POOL_Y[:3])
    assert learner.estimator_ is model
    assert not hasattr(learner.strategy_, "told_")
    assert learner.n_labeled_ == 63
    with pytest.raises(RefitError, match="deaf"):
        learner.refit()


def test_albl_learns_only_from_its_own_batch():
    learner = make_learner(ALBL()).fit(X, Y)
    learner.teach(POOL[:3], POOL_Y[:3])
    assert not hasattr(learner.strategy_, "log_weights_")
    chosen = learner.query(POOL, n=3)
    learner.teach(POOL[chosen], POOL_Y[chosen])
    assert learner.strategy_.log_weights_.shape == (2,)
    assert not hasattr(learner.strategy, "log_weights_")


@pytest.mark.parametrize("positions", [[3], 3, np.array([3])])
def test_forget(positions):
    learner = make_learner().fit(X, Y)
    before = weights(learner)
    assert learner.forget(positions) is learner
    assert_array_equal(learner.X_, np.delete(X, 3, axis=0))
    assert_array_equal(learner.y_, np.delete(Y, 3))
    assert same_weights(weights(learner), before)
    learner.refit()
    assert not same_weights(weights(learner), before)


def test_relabel():
    learner = make_learner().fit(X, Y)
    before = weights(learner)
    learner.relabel([0, 5], [2, 1]).relabel(7, 0)
    expected = Y.copy()
    expected[[0, 5, 7]] = [2, 1, 0]
    assert_array_equal(learner.y_, expected)
    assert same_weights(weights(learner), before)
    assert Y[0] == 0


def test_nothing_to_forget_or_relabel():
    learner = make_learner().fit(X, Y)
    learner.forget([]).relabel([], [])
    assert learner.n_labeled_ == 60


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("forget", [60]), r"positions must be distinct and in \[0, 60\)"),
        (("forget", [-1]), r"positions must be distinct and in \[0, 60\)"),
        (("forget", [1, 1]), r"positions must be distinct and in \[0, 60\)"),
        (("forget", [0.5]), "positions must be int positions in X_"),
        (("forget", [True] * 60), "positions must be int positions in X_"),
        (("forget", range(60)), "forget must leave at least one labelled row"),
        (("relabel", [1], [9]), r"y must hold known classes \(0, 1, 2\). Got 9"),
        (("relabel", [1], [0, 1]), "positions and y must have the same number"),
        (("relabel", 77, 0), "positions must be distinct"),
        (("relabel", 0, None), "y must not hold missing labels"),
    ],
)
def test_bad_corrections_change_nothing(call, message):
    learner = make_learner().fit(X, Y)
    before = snapshot(learner)
    name, *arguments = call
    with pytest.raises(InvalidInputError, match=message):
        getattr(learner, name)(*arguments)
    assert_unchanged(learner, before)


@pytest.mark.parametrize("call", [("forget", 0), ("relabel", 0, 0), ("refit",)])
def test_corrections_need_labelled_rows(call):
    name, *arguments = call
    with pytest.raises(LearnerNotFittedError) as caught:
        getattr(make_learner(), name)(*arguments)
    assert str(caught.value) == f"{name}() needs labelled rows. Call fit(X, y) first."


def test_a_forgotten_class_keeps_its_column():
    learner = make_learner().fit(X, Y)
    learner.forget(np.flatnonzero(Y == 1)).refit()
    assert learner.predict_proba(POOL).shape == (50, 3)
    assert_array_equal(learner.classes_, [0, 1, 2])


def test_warm_start_after_corrections():
    learner = make_learner(warm_start=True).fit(X, Y)
    learner.forget([0]).relabel(0, 2).refit()
    assert len(learner.estimator_.history) == 4


def test_kinds_of_rows_must_not_be_mixed():
    learner = make_learner(net=make_pipeline(StandardScaler(), make_net())).fit(X, Y)
    before = snapshot(learner)
    with pytest.raises(InvalidInputError, match="X must be of the same kind"):
        learner.teach(torch.from_numpy(POOL[:2]), POOL_Y[:2])
    assert_unchanged(learner, before)

"""What a learner notes of each training."""

import json
import math
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skbadge import MarginSampling, RandomSampling
from skbadge.exceptions import InvalidInputError, RefitError
from skbadge.utils._scoring import make_scorers, score_all
from tests._learning import make_data, make_learner, make_net

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)
TEST = make_data(30, seed=2)
COLUMNS = [
    *("round", "n_labeled", "n_new", "time"),
    *("fit_seconds", "embed_seconds", "select_seconds"),
    *("score_min", "score_mean", "score_max", "test_accuracy"),
]


def after_two_rounds(**settings):
    learner = make_learner(MarginSampling(), **settings).fit(X, Y)
    chosen = learner.query(POOL, n=4)
    scores = learner.last_selection_.scores
    learner.teach(POOL[chosen], POOL_Y[chosen])
    return learner, scores


def test_one_row_a_training():
    learner, scores = after_two_rounds(test_set=TEST)
    table = pd.DataFrame(learner.history_)
    assert table.columns.tolist() == COLUMNS
    assert table[["round", "n_labeled", "n_new"]].to_numpy().tolist() == [
        [1, 60, 60],
        [2, 64, 4],
    ]
    assert math.isnan(table["score_mean"][0]) and math.isnan(table["embed_seconds"][0])
    assert table["score_min"][1] == scores.min()
    assert table["score_mean"][1] == pytest.approx(scores.mean())
    assert table["score_max"][1] == scores.max()
    assert table["test_accuracy"][1] == learner.score(*TEST)
    for name in ("fit", "embed", "select"):
        assert table[f"{name}_seconds"][1] == learner.timings_[name]
    times = [datetime.fromisoformat(time) for time in table["time"]]
    assert times[0] <= times[1] and times[0].utcoffset().total_seconds() == 0


def test_a_training_without_a_query_has_no_scores():
    learner, _ = after_two_rounds()
    learner.forget(0).refit()
    last = learner.history_[-1]
    assert (last["round"], last["n_labeled"], last["n_new"]) == (3, 63, 0)
    assert all(math.isnan(last[name]) for name in COLUMNS[5:])


def test_a_query_before_the_first_label_belongs_to_the_first_training():
    learner = make_learner(RandomSampling())
    chosen = learner.query(POOL, n=30)
    learner.teach(POOL[chosen], POOL_Y[chosen])
    (row,) = learner.history_
    assert row["select_seconds"] == learner.timings_["select"]
    assert row["n_new"] == 30


def test_a_history_cannot_be_edited_and_fit_begins_a_new_one():
    learner, _ = after_two_rounds()
    learner.history_[0]["round"] = 7
    assert learner.history_[0]["round"] == 1
    assert len(learner.fit(X, Y).history_) == 1
    with pytest.raises(AttributeError, match="history_ is there after fit"):
        _ = make_learner().history_


def test_a_failed_training_leaves_no_row(monkeypatch):
    learner, _ = after_two_rounds()
    learner.set_params(estimator__criterion=lambda: 1 / 0)
    with pytest.raises(RefitError):
        learner.teach(POOL[:2], POOL_Y[:2])
    assert len(learner.history_) == 2
    learner.set_params(estimator=make_net()).refit()
    assert learner.history_[-1]["n_new"] == 2


def test_it_outlives_a_restart():
    learner, _ = after_two_rounds(test_set=TEST)
    state = json.loads(json.dumps(learner.state(), allow_nan=False))
    twin = clone(learner).restore(learner.X_, learner.y_, state)
    assert repr(twin.history_) == repr(learner.history_)
    twin.refit()
    assert [row["round"] for row in twin.history_] == [1, 2, 3]


@pytest.mark.parametrize(
    ("test_set", "message"),
    [
        (TEST[0], "must be a pair .* Got ndarray"),
        ((TEST[0][:, :2], TEST[1]), "test_set must hold rows .* 2 features"),
        ((TEST[0], TEST[1][:3]), "test_set must hold rows .* same number of rows"),
        ((TEST[0], np.full(30, 9)), r"test_set .* known classes \(0, 1, 2\). Got 9"),
    ],
)
def test_wrong_test_sets_are_refused_before_a_training(test_set, message):
    with pytest.raises(InvalidInputError, match=message):
        make_learner(test_set=test_set).fit(X, Y)
    learner = make_learner().fit(X, Y).set_params(test_set=test_set)
    with pytest.raises(InvalidInputError, match=message):
        learner.teach(POOL[:4], POOL_Y[:4])
    assert learner.n_labeled_ == 60


def above_half(classifier, X, y):
    return np.mean(classifier.predict_proba(X).max(axis=1) > 0.5)


def test_further_scores_are_those_of_the_learner():
    names = np.array(["b", "a", "c"])
    scoring = ["balanced_accuracy", "recall=c", "neg_log_loss", above_half]
    tested = TEST[0], names[TEST[1]]
    learner = make_learner(test_set=tested, scoring=scoring).fit(X, names[Y])
    (row,) = learner.history_
    scorers = make_scorers(scoring)
    expected = score_all(scorers, learner, *tested)
    assert list(row)[-4:] == [f"test_{name}" for name in scorers]
    for name, score in expected.items():
        assert row[f"test_{name}"] == pytest.approx(score, abs=1e-12)
    answers = learner.predict(tested[0])[tested[1] == "c"]
    assert row["test_recall=c"] == np.mean(answers == "c")
    # JSON and back, and in a clone that never trained there are none.
    state = json.loads(json.dumps(learner.state()))
    twin = clone(learner).restore(X, names[Y], state)
    assert twin.history_[0] == row


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scoring": "accuracy", "test_set": None}, "must come with a test_set"),
        ({"scoring": "recal"}, r"scoring must hold names .* Got 'recal'"),
        ({"scoring": "recall"}, "cannot be had of these labels"),
        ({"scoring": "accuracy"}, "must not name columns that the table has"),
    ],
)
def test_wrong_scores_are_refused_before_a_training(settings, message):
    settings = {"test_set": TEST} | settings
    with pytest.raises(InvalidInputError, match=message):
        make_learner(**settings).fit(X, Y)
    learner = make_learner().fit(X, Y).set_params(**settings)
    with pytest.raises(InvalidInputError, match=message):
        learner.teach(POOL[:4], POOL_Y[:4])
    assert learner.n_labeled_ == 60


def test_names_and_their_accuracy():
    names = np.array(["b", "a", "c"])
    learner = make_learner(test_set=(TEST[0], names[TEST[1]])).fit(X, names[Y])
    expected = np.mean(learner.predict(TEST[0]) == names[TEST[1]])
    assert learner.history_[0]["test_accuracy"] == expected

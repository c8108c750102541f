"""Scores by name, of one class, and by functions."""

import math

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import average_precision_score, f1_score, make_scorer

from skbadge.exceptions import InvalidInputError
from skbadge.utils._scoring import ONE_CLASS, make_scorers, score_all

Y = np.array(["ash", "oak", "oak", "yew", "oak", "ash", "oak", "yew"])
CODES = np.unique(Y, return_inverse=True)[1]
# Answers and probabilities that are fixed, one row of each kind of mistake.
ANSWERS = np.array(["oak", "oak", "ash", "yew", "oak", "ash", "oak", "ash"])
PROBA = np.random.default_rng(0).dirichlet(np.ones(3), size=len(Y))


class Fixed(DummyClassifier):
    """Answers what stands above, whatever the rows are."""

    def predict(self, X):
        return ANSWERS

    def predict_proba(self, X):
        return PROBA


@pytest.fixture
def fixed():
    return Fixed().fit(np.zeros((len(Y), 1)), Y)


def test_scores_of_one_class_by_hand(fixed):
    scorers = make_scorers(["recall=oak", "precision=oak", "jaccard=oak", "f1=oak"])
    found = score_all(scorers, fixed, None, Y)
    # Three of four oaks are found, and one ash is taken for one.
    assert found == {
        "recall=oak": 3 / 4,
        "precision=oak": 3 / 4,
        "jaccard=oak": 3 / 5,
        "f1=oak": 3 / 4,
    }


def test_ranks_of_one_class_against_all_pairs(fixed):
    scorers = make_scorers(["roc_auc=yew", "average_precision=yew"])
    found = score_all(scorers, fixed, None, Y)
    p, is_yew = PROBA[:, 2], Y == "yew"
    pairs = [a > b for a in p[is_yew] for b in p[~is_yew]]
    assert found["roc_auc=yew"] == pytest.approx(np.mean(pairs))
    expected = average_precision_score(is_yew, p)
    assert found["average_precision=yew"] == pytest.approx(expected)


def test_numbers_are_classes_too():
    fixed = DummyClassifier(strategy="constant", constant=7).fit([[0], [0]], [3, 7])
    scorers = make_scorers(["recall=7", "recall=3"], labels=([3, 7], [3, 7]))
    assert score_all(scorers, fixed, [[0], [0]], np.array([3, 7])) == {
        "recall=7": 1.0,
        "recall=3": 0.0,
    }


@pytest.mark.parametrize("metric", ONE_CLASS)
def test_a_test_set_of_others_alone_has_no_score(fixed, metric):
    scorers = make_scorers(f"{metric}=yew")
    found = score_all(scorers, fixed, None, np.where(Y == "yew", "oak", Y))
    assert math.isnan(found[f"{metric}=yew"])


def test_a_precision_without_a_positive_is_zero(fixed):
    fixed.predict = lambda X: np.full(len(Y), "ash")
    assert score_all(make_scorers("precision=oak"), fixed, None, Y) == {
        "precision=oak": 0.0
    }


def test_names_functions_and_scorers(fixed):
    of_ash = make_scorer(f1_score, labels=["ash"], average="macro")

    def constant(learner, X, y):
        return 2

    named = make_scorers({"a": "accuracy", "c": constant, "ash": of_ash})
    found = score_all(named, fixed, np.zeros((len(Y), 1)), Y)
    assert found == {
        "a": np.mean(ANSWERS == Y),
        "c": 2.0,
        "ash": make_scorers("f1=ash")["f1=ash"](fixed, None, Y),
    }
    assert list(make_scorers(constant)) == ["constant"]
    assert make_scorers(None) == {} == make_scorers([])


@pytest.mark.parametrize(
    ("scoring", "labels", "message"),
    [
        ("recal", None, r"scorers \(such as .*recall.* Got 'recal' instead"),
        ("accuracy=oak", None, "Got 'accuracy=oak' instead"),
        (3, None, "Got 3 of type int"),
        ([len, len], None, "Got 'len' twice in scoring: give a dict"),
        ("recall", Y, "say which, as recall=yew, or take recall_macro"),
        ("roc_auc", Y, "say which, as roc_auc=yew, or take roc_auc_ovr"),
        ("recall=elm", Y, r"recall=CLASS must name one of the classes ash, oak, yew"),
        ("recall", Y[[0, 1]], "it cannot be known of which class.*as recall=oak"),
        # The class 1 would be taken, in silence, whichever of them is rare.
        ("recall", [1, 2], "it cannot be known of which class.*as recall=2"),
        ("average_precision", [1, 2], r"as average_precision=2\.$"),
        ("r2", Y, "The score 'r2' cannot be had of these labels"),
    ],
)
def test_what_cannot_be_had_is_refused(scoring, labels, message):
    pair = None if labels is None else (labels, labels)
    with pytest.raises(InvalidInputError, match=message):
        make_scorers(scoring, labels=pair)


def test_a_class_that_the_test_set_lacks():
    with pytest.raises(InvalidInputError, match="'yew' and of others. Got 0 of 2"):
        make_scorers("recall=yew", labels=(Y, ["ash", "oak"]))


@pytest.mark.parametrize("labels", [[0, 1], [False, True], [-1, 1]])
def test_of_two_classes_the_one_called_1_counts(labels):
    assert list(make_scorers("recall", labels=(labels, labels))) == ["recall"]
    with pytest.raises(InvalidInputError, match=r"must not name columns .*\['recall'"):
        make_scorers("recall", taken=("recall",))

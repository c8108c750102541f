"""Shares of predicted classes."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skbadge import ALBL, BADGE, ClassQuota, MarginSampling, RandomSampling
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import Needs, Outputs, Traits
from skbadge.strategies._class_quota import _rows_by_share
from skbadge.strategies.checks import make_outputs
from tests._learning import make_accurate_net, make_data, make_learner


def proba_of(guesses, seed=0):
    rng = np.random.default_rng(seed)
    table = rng.uniform(0, 0.2, size=(len(guesses), 3))
    table[np.arange(len(guesses)), guesses] += 1.0
    return table / table.sum(axis=1, keepdims=True)


def test_by_hand():
    guesses = np.array([0] * 6 + [1] * 3 + [2] * 2)
    outputs = Outputs.of(proba=proba_of(guesses))
    selection = ClassQuota(MarginSampling()).select(outputs, 7, random_state=0)
    # 7 / 3: two each, and one for the rarest class, which has no third row.
    counts = np.bincount(guesses[selection.indices], minlength=3)
    assert counts.sum() == 7 and counts[2] == 2 and counts.min() == 2
    assert selection.notes[0].startswith("Column 2: the pool has 2 rows predicted to")
    # Within a class, the strategy's own order; classes take turns, the rarest first.
    first = guesses[selection.indices[:6]]
    assert_array_equal(first, [2, 1, 0, 2, 1, 0])
    for k in range(3):
        rows = np.flatnonzero(guesses == k)
        own = MarginSampling().select(outputs.take(rows), 2, 0).indices
        mine = selection.indices[:6][first == k]
        assert_array_equal(mine, rows[own])


def test_a_class_of_one_percent_gets_its_quota():
    guesses = np.array([0] * 600 + [1] * 390 + [2] * 10)
    outputs = Outputs.of(proba=proba_of(guesses))
    selection = ClassQuota(MarginSampling()).select(outputs, 30, random_state=0)
    assert_array_equal(np.bincount(guesses[selection.indices]), [10, 10, 10])
    assert selection.notes == ()


def test_shares_and_what_is_left():
    guesses = np.array([0] * 40 + [1] * 30 + [2] * 30)
    outputs = Outputs.of(proba=proba_of(guesses))
    strategy = ClassQuota(MarginSampling(), quota={2: 0.5})
    selection = strategy.select(outputs, 10, random_state=0)
    assert (guesses[selection.indices[:5]] == 2).all()
    # The rest is what the strategy likes best among all others.
    others = np.setdiff1d(np.arange(100), selection.indices[:5])
    best = MarginSampling().select(outputs.take(others), 5, 0).indices
    assert_array_equal(selection.indices[5:], others[best])
    assert selection.notes == ()


@pytest.mark.parametrize(
    ("shares", "n", "counts", "expected"),
    [
        ([1 / 3, 1 / 3, 1 / 3], 7, [5, 9, 2], [2, 2, 3]),
        ([1 / 3, 1 / 3, 1 / 3], 8, [5, 9, 2], [3, 2, 3]),
        ([0.5, 0.29, 0.21], 100, [1, 1, 1], [50, 29, 21]),
        ([0.5, 0.25, 0.0], 10, [9, 9, 9], [5, 3, 0]),
        ([0.0, 0.04, 0.0], 10, [9, 9, 9], [0, 0, 0]),
        ([1.0, 0.0, 0.0], 3, [9, 9, 9], [3, 0, 0]),
    ],
)
def test_largest_remainder(shares, n, counts, expected):
    found = _rows_by_share(np.array(shares), n, np.array(counts))
    assert_array_equal(found, expected)


def test_scores_of_strategies_that_have_none():
    outputs = make_outputs(Needs(proba=True))
    assert ClassQuota(RandomSampling()).select(outputs, 5, 0).scores is None
    assert ClassQuota(MarginSampling()).select(outputs, 5, 0).scores.shape == (5,)


def test_needs_and_traits():
    strategy = ClassQuota(BADGE())
    assert strategy.needs == Needs(proba=True, residual=True, features=True)
    assert strategy.traits == Traits(nested=False)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (ClassQuota(ALBL()), "does not learn itself"),
        (ClassQuota(BADGE), "must be a query strategy"),
        (ClassQuota(BADGE(first="last")), "first must be one of"),
        (ClassQuota(BADGE(), quota="equal"), 'quota must be "balanced" or a mapping'),
        (ClassQuota(BADGE(), quota={"a": "b"}), "quota of class 'a' must be a number"),
        (ClassQuota(BADGE(), quota={0: 1.5}), r"quota of class 0 must be a number in"),
        (ClassQuota(BADGE(), quota={0: 0.7, 1: 0.7}), "at most 1. Got 1.4 instead"),
    ],
)
def test_wrong_parameters(strategy, message):
    with pytest.raises(InvalidInputError, match=message):
        strategy.check_parameters()


@pytest.mark.parametrize(
    ("classes", "quota", "message"),
    [
        (None, {7: 0.5}, "the 3 classes: 0, 1, 2. Got 7 instead."),
        (
            ["a", "b", "c"],
            {"b": 0.2, 1: 0.5},
            "the 3 classes: 'a', 'b', 'c'. Got 1 instead.",
        ),
        ([3, 5, 9], {0: 0.5}, "the 3 classes: 3, 5, 9. Got 0 instead."),
    ],
)
def test_a_class_that_does_not_exist(classes, quota, message):
    outputs = Outputs.of(proba=torch.eye(3), classes=classes)
    with pytest.raises(InvalidInputError) as caught:
        ClassQuota(MarginSampling(), quota=quota).select(outputs, 1)
    assert str(caught.value) == f"Shares must be of some of {message}"


def test_of_many_classes_the_first_are_listed():
    outputs = Outputs.of(proba=torch.eye(12))
    with pytest.raises(InvalidInputError, match=r"8, 9, \.\.\.\. Got 12"):
        ClassQuota(MarginSampling(), quota={12: 0.5}).select(outputs, 1)


@pytest.mark.parametrize(
    "classes", [["cat", "dog", "eel"], [9, 3, 5], [np.int64(7), np.int64(8), 1]]
)
def test_quotas_are_of_the_users_classes(classes):
    """Whatever they are called, and whatever their order is."""
    guesses = np.array([0] * 40 + [1] * 30 + [2] * 30)
    proba = proba_of(guesses)
    plain = ClassQuota(MarginSampling(), quota={2: 0.5, 0: 0.1})
    expected = plain.select(Outputs.of(proba=proba), 10, random_state=0)
    named = ClassQuota(MarginSampling(), quota={classes[2]: 0.5, classes[0]: 0.1})
    outputs = Outputs.of(proba=proba, classes=classes)
    found = named.select(outputs, 10, random_state=0)
    assert_array_equal(found.indices, expected.indices)
    whole = ClassQuota(MarginSampling(), quota={classes[2]: 1.0})
    (note,) = whole.select(outputs, 40, random_state=0).notes
    assert note.startswith(f"Class {np.asarray(classes)[2].item()!r}: the pool has 30")


def test_quotas_through_a_learner_of_named_classes():
    X, y = make_data(60)
    names = np.array(["cat", "dog", "eel"])
    for strategy in (
        ClassQuota(MarginSampling(), quota={"eel": 1.0}),
        BADGE(per_class={"eel": 1.0}),
    ):
        learner = make_learner(strategy, net=make_accurate_net()).fit(X, names[y])
        pool, _ = make_data(60, seed=1)
        guessed = learner.predict(pool)
        n = int((guessed == "eel").sum())
        assert 5 < n < 40
        assert_array_equal(guessed[learner.query(pool, n=n)], ["eel"] * n)
        assert learner.last_selection_.notes == ()
    wrong = make_learner(ClassQuota(MarginSampling(), quota={"cow": 1.0}))
    wrong.fit(X, names[y])
    with pytest.raises(InvalidInputError, match="'cat', 'dog', 'eel'. Got 'cow'"):
        wrong.query(pool, n=2)


def test_notes_of_the_strategy_inside_are_passed_on():
    guesses = np.array([0] * 9 + [1] * 9 + [2])
    outputs = Outputs.of(
        proba=proba_of(guesses), residual=np.zeros((19, 3)), features=np.ones((19, 2))
    )
    with pytest.warns(UserWarning, match="BADGE has drawn uniformly"):
        notes = ClassQuota(BADGE()).select(outputs, 9, random_state=0).notes
    assert [note.split()[0] for note in notes] == ["Column", "The"]
    assert "BADGE has drawn uniformly" in notes[1]

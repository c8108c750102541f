"""Which class belongs to which column."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import DataConversionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skbadge.exceptions import InvalidInputError, RefitError
from tests._learning import make_binary_net, make_data, make_learner, make_net

X, Y = make_data()
POOL, POOL_Y = make_data(30, seed=1)
NAMES = np.array(["ant", "bee", "crow"])


def wide(n_classes, **settings):
    return make_net(module__n_classes=n_classes, **settings)


def accurate(**settings):
    settings = {"module__dropout": 0.0, "max_epochs": 30, "lr": 0.5, **settings}
    return make_net(**settings)


def test_order_of_the_parameter_comes_first():
    order = ["crow", "ant", "bee"]
    learner = make_learner(net=accurate(classes=["bee", "ant", "crow"]), classes=order)
    learner.fit(X, NAMES[Y])
    assert learner.classes_.tolist() == order
    proba = learner.predict_proba(X)
    assert_array_equal(learner.predict(X), np.array(order)[proba.argmax(axis=1)])
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7


def test_order_of_the_net_comes_second():
    learner = make_learner(net=accurate(classes=["bee", "crow", "ant"]))
    learner.fit(X, NAMES[Y])
    assert learner.classes_.tolist() == ["bee", "crow", "ant"]
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7
    # Inside, labels are numbers of columns.
    assert_array_equal(learner.estimator_.classes_, [0, 1, 2])


def test_sorted_labels_come_third():
    learner = make_learner(net=accurate()).fit(X, NAMES[Y])
    assert learner.classes_.tolist() == ["ant", "bee", "crow"]
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7


@pytest.mark.parametrize("labels", [[0, 1, 2], [10, 20, 30], [-1, 0, 1], [1, 2, 3]])
def test_integers_that_fill_the_width_are_names(labels):
    labels = np.array(labels)
    learner = make_learner(net=accurate()).fit(X, labels[Y])
    assert_array_equal(learner.classes_, labels)
    assert learner.score(POOL, labels[POOL_Y]) > 0.7


@pytest.mark.parametrize("seen", [[0, 2], [3], [1, 2], [0]])
@pytest.mark.parametrize("piped", [False, True])
def test_integers_below_a_wider_layer_are_columns(seen, piped):
    net = wide(4)
    net = make_pipeline(StandardScaler(), net) if piped else net
    seen = np.array(seen)
    learner = make_learner(net=net).fit(X, seen[Y % len(seen)])
    assert_array_equal(learner.classes_, np.arange(4))
    assert learner.predict_proba(POOL).shape == (30, 4)
    learner.teach(POOL[:2], [3, 0])
    assert_array_equal(learner.classes_, np.arange(4))


def test_missing_class_keeps_its_column_and_can_come_later():
    learner = make_learner(net=accurate(), classes=NAMES)
    learner.fit(X[Y != 1], NAMES[Y[Y != 1]])
    assert learner.predict_proba(POOL).shape == (30, 3)
    assert learner.predict_proba(POOL)[:, 1].max() < 0.5
    learner.teach(POOL[POOL_Y == 1], NAMES[POOL_Y[POOL_Y == 1]])
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7


@pytest.mark.parametrize("settings", [{}, {"module__n_classes": 5}])
def test_names_that_do_not_fill_the_width(settings):
    width = settings.get("module__n_classes", 3)
    learner = make_learner(net=make_net(**settings))
    with pytest.raises(InvalidInputError) as caught:
        learner.fit(X[Y < 2], NAMES[Y[Y < 2]])
    assert str(caught.value) == (
        f"The net answers {width} classes, but there are 2 classes ('ant', 'bee'). "
        "Give all classes, in the order of the net's columns, with classes=[...], or "
        "change the width of the last layer."
    )


def test_labels_beyond_the_width():
    learner = make_learner(net=wide(2))
    with pytest.raises(InvalidInputError) as caught:
        learner.fit(X, Y)
    assert str(caught.value) == (
        "The net answers 2 classes, but the labels need at least 3. Change the width "
        "of the last layer, or give the classes in the order of its columns with "
        "classes=[...]."
    )
    with pytest.raises(InvalidInputError, match=r"answers 4 classes, .* 2 classes"):
        make_learner(net=wide(4)).fit(X, np.where(Y > 0, 4, 0))


def test_too_many_classes_given():
    with pytest.raises(InvalidInputError, match=r"answers 3 classes, .* 4 classes"):
        make_learner(classes=[0, 1, 2, 3]).fit(X, Y)


def test_frozen_nets_have_a_width_too():
    net = make_net().fit(X.astype(np.float32), Y)
    with pytest.raises(InvalidInputError, match=r"answers 3 classes, .* 2 classes"):
        make_learner(net=FrozenEstimator(net)).fit(X[Y < 2], NAMES[Y[Y < 2]])


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, 1, 2], "classes must list each class once. Got 1 more than once."),
        (["a", "b", "a"], "classes must list each class once. Got 'a' more than once."),
        ([], "classes must list at least one class. Got none."),
        ([0, 1, None], "classes must not hold missing values"),
        ([0.0, 1.0, np.nan], "classes must not hold missing values"),
        ([[0, 1], [2, 3]], "y must be a 1-D array"),
        ([0, 1], r"y must hold known classes \(0, 1\). Got 2 instead"),
        (["0", "1", "2"], r"y must hold known classes \('0', '1', '2'\). Got 0, 1, 2"),
    ],
)
def test_bad_classes(classes, message):
    learner = make_learner(classes=classes)
    with pytest.raises(InvalidInputError, match=message):
        learner.fit(X, Y)
    assert not hasattr(learner, "X_")


def test_repeated_class_of_the_net():
    with pytest.raises(InvalidInputError, match="the net's classes must list each"):
        make_learner(net=make_net(classes=[0, 1, 1])).fit(X, Y)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["x", "yy", "zzz"]),
        np.array(["x", "yy", "zzz"], dtype=object),
        np.array([b"x", b"y", b"z"]),
        np.array([False, True, True]),
        np.array([1.0, 2.0, 3.0]),
        np.array([1, 2, 3], dtype=np.uint8),
        np.array([1, 2, 3], dtype=np.int32),
        np.array([2**62, 2**62 + 1, 2**62 + 2]),
        np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="M8[D]"),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_any_type(labels):
    y = labels[Y]
    net = make_net(module__n_classes=len(np.unique(labels)))
    learner = make_learner(net=net).fit(X, y)
    assert_array_equal(learner.classes_, np.unique(labels))
    assert_array_equal(learner.y_, y)
    learner.teach(POOL, labels[POOL_Y])
    assert_array_equal(learner.y_[60:], labels[POOL_Y])
    assert learner.y_.dtype == learner.classes_.dtype
    assert set(learner.predict(POOL)) <= set(labels)


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        pd.Series,
        torch.from_numpy,
        pd.Categorical,
        pd.Index,
        lambda y: pd.Series(y, dtype="Int64"),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
        lambda y: y.astype(object),
    ],
    ids=["list", "series", "tensor", "categorical", "index"]
    + ["nullable", "category", "shuffled", "object"],
)
def test_labels_in_any_container(wrap):
    plain = make_learner().fit(X, Y)
    learner = make_learner().fit(X, wrap(Y))
    assert_array_equal(learner.classes_, [0, 1, 2])
    assert learner.classes_.dtype == np.int64
    assert_array_equal(learner.y_, Y)
    assert_array_equal(learner.predict_proba(POOL), plain.predict_proba(POOL))


def test_a_column_is_flattened_with_a_warning():
    for y in (Y[:, None], pd.DataFrame({"y": Y})):
        learner = make_learner()
        with pytest.warns(DataConversionWarning, match="column-vector"):
            learner.fit(X, y)
        assert_array_equal(learner.y_, Y)


def test_many_classes_raise_no_warning():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3))
    learner = make_learner(net=wide(30)).fit(rows, np.arange(40) % 30)
    learner.teach(rows[:25], np.arange(25))
    assert learner.n_labeled_ == 65


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0, 1, 60), "Unknown label type: continuous"),
        (np.linspace(0, 1, 60).astype(object), "Unknown label type: continuous"),
        (Y + 0.5j, "Complex data not supported"),
        (np.where(Y, Y, np.nan), "y must not hold missing labels"),
        ([None, *Y[1:]], "missing labels .NaN or None.. Got one at position 0"),
        (Y[:, None] * [1, 1], "y must be a 1-D array"),
        (np.array([1, "a"] * 30, dtype=object), "y must hold labels of one type"),
        (3, "y must be a 1-D array"),
        (None, "requires y to be passed, but the target y is None"),
        (Y[:-1], "X and y must have the same number of rows. Got 60 rows of X and 59"),
    ],
)
def test_bad_labels(y, message):
    learner = make_learner()
    with pytest.raises(InvalidInputError, match=message):
        learner.fit(X, y)
    assert not hasattr(learner, "X_")


def test_mixed_types_work_with_their_order_given():
    names = np.array(["a", 1, 2.5], dtype=object)
    learner = make_learner(classes=names).fit(X, names[Y])
    assert_array_equal(learner.y_, names[Y])


def test_binary_nets_have_two_classes():
    learner = make_learner(net=make_binary_net()).fit(X, np.array(["no", "yes"])[Y % 2])
    assert learner.classes_.tolist() == ["no", "yes"]
    assert learner.predict_proba(POOL).shape == (30, 2)
    with pytest.raises(InvalidInputError, match=r"answers 2 classes, .* 3 classes"):
        make_learner(net=make_binary_net()).fit(X, Y)
    one = make_learner(net=make_binary_net()).fit(X, np.zeros(60, dtype=int))
    assert_array_equal(one.classes_, [0, 1])
    with pytest.raises(InvalidInputError, match=r"answers 2 classes, .* 1 classes"):
        make_learner(net=make_binary_net()).fit(X, ["yes"] * 60)


class Sizer(Callback):
    """Makes the net as wide as the labels need."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        net.set_params(module__n_classes=len(np.unique(y)))


class Widener(Callback):
    """Makes the net four classes wide."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        net.set_params(module__n_classes=4)


def test_nets_sized_by_a_callback():
    learner = make_learner(net=make_net(callbacks=[Sizer]))
    learner.fit(X, Y + 5)
    assert_array_equal(learner.classes_, [5, 6, 7])
    learner.fit(X[Y != 1], Y[Y != 1])
    assert_array_equal(learner.classes_, [0, 2])
    assert learner.predict_proba(POOL).shape == (30, 2)
    wider = make_learner(net=accurate(callbacks=[Widener]))
    wider.fit(X[Y != 1], Y[Y != 1])
    assert_array_equal(wider.classes_, [0, 1, 2, 3])
    assert wider.score(POOL[POOL_Y != 1], POOL_Y[POOL_Y != 1]) > 0.7


def test_a_net_that_shrinks_is_refused():
    learner = make_learner(net=make_net(callbacks=[Sizer])).fit(X, Y)
    learner.forget(np.flatnonzero(Y == 2))
    with pytest.raises(RefitError, match=r"answers 2 classes, .* 3 classes"):
        learner.refit()
    assert learner.predict_proba(POOL).shape == (30, 3)


class Flipper(Callback):
    """Is wider the first time than the second."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        net.set_params(module__n_classes=4 if np.max(y) == 1 else 3)


def test_a_net_that_changes_its_mind_is_refused():
    net = make_net(callbacks=[Flipper])
    learner = make_learner(net=net)
    learner.fit(X[Y != 1], Y[Y != 1])
    assert_array_equal(learner.classes_, [0, 1, 2])


def test_unknown_labels_are_refused_before_anything_is_stored():
    learner = make_learner().fit(X, NAMES[Y])
    with pytest.raises(InvalidInputError) as caught:
        learner.teach(POOL[:3], ["ant", "dog", "emu"])
    assert str(caught.value) == (
        "y must hold known classes ('ant', 'bee', 'crow'). Got 'dog', 'emu' instead: "
        "correct the labels, or give all classes with classes=[...] and fit again."
    )
    assert learner.n_labeled_ == 60

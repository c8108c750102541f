"""Which class belongs to which column."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from skbadge import ALBL
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
    assert learner.classes_.tolist() == ["ant", "bee", "crow"]
    columns = learner.estimator_.predict_proba(X).argmax(axis=1)
    assert_array_equal(learner.predict(X), np.array(order)[columns])
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7


def test_order_of_the_net_comes_second():
    learner = make_learner(net=accurate(classes=["bee", "crow", "ant"]))
    learner.fit(X, NAMES[Y])
    assert learner.classes_.tolist() == ["ant", "bee", "crow"]
    columns = learner.estimator_.predict_proba(X).argmax(axis=1)
    assert_array_equal(learner.predict(X), np.array(["bee", "crow", "ant"])[columns])
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7
    # Inside, labels are numbers of columns.
    assert_array_equal(learner.estimator_.classes_, [0, 1, 2])


def test_sorted_labels_come_third():
    learner = make_learner(net=accurate()).fit(X, NAMES[Y])
    assert learner.classes_.tolist() == ["ant", "bee", "crow"]
    assert learner.score(POOL, NAMES[POOL_Y]) > 0.7


def class_scores(learner, columns):
    """Score by the net's own columns: log loss, and the mean area of one class each."""
    proba = learner.estimator_.predict_proba(POOL.astype(np.float32))
    position = {name: column for column, name in enumerate(columns)}
    y = np.array(sorted(columns))[POOL_Y % len(columns)]
    own = proba[np.arange(len(y)), [position[name] for name in y]]
    areas = [roc_auc_score(y == name, proba[:, position[name]]) for name in columns]
    return y, -np.log(own).mean(), np.mean(areas)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
@pytest.mark.parametrize("source", ["learner", "net", "frozen"])
def test_probability_scorers_do_not_mind_the_order(source, order):
    columns = NAMES[order].tolist()
    net = accurate(classes=columns if source == "net" else None)
    if source == "frozen":
        own = np.argsort(order)[Y]
        net = FrozenEstimator(net.fit(X.astype(np.float32), own))
    learner = make_learner(net=net, classes=None if source == "net" else columns)
    learner.fit(X, NAMES[Y])

    def check(learner):
        y, loss, area = class_scores(learner, columns)
        fitted = FrozenEstimator(learner)
        assert get_scorer("neg_log_loss")(fitted, POOL, y) == pytest.approx(-loss)
        assert get_scorer("roc_auc_ovr")(fitted, POOL, y) == pytest.approx(area)
        assert learner.score(POOL, y) > 0.7 and area > 0.8

    check(learner)
    chosen = learner.query(POOL, n=5)
    learner.teach(POOL[chosen], NAMES[POOL_Y[chosen]]).relabel(0, NAMES[Y[0]]).refit()
    check(learner)
    check(pickle.loads(pickle.dumps(learner)))


@pytest.mark.parametrize("columns", [["ill", "well"], ["well", "ill"]])
@pytest.mark.parametrize("kind", ["two", "one", "own"])
def test_two_classes_in_any_order(kind, columns):
    if kind == "one":
        net = make_binary_net(max_epochs=30, lr=0.5)
    else:
        net = accurate(module__n_classes=2, classes=columns if kind == "own" else None)
    learner = make_learner(net=net, classes=None if kind == "own" else columns)
    names = np.array(["ill", "well"])
    learner.fit(X, names[Y % 2]).teach(POOL[:3], names[POOL_Y[:3] % 2])
    learner = pickle.loads(pickle.dumps(learner))
    assert learner.classes_.tolist() == ["ill", "well"]
    y, loss, _ = class_scores(learner, columns)
    column = columns.index("well")
    proba = learner.estimator_.predict_proba(POOL.astype(np.float32))[:, column]
    area = roc_auc_score(y == "well", proba)
    assert get_scorer("roc_auc")(learner, POOL, y) == pytest.approx(area)
    assert get_scorer("neg_log_loss")(learner, POOL, y) == pytest.approx(-loss)
    assert_array_equal(learner.predict(POOL) == "well", proba > 0.5)


class Swapped(NeuralNetClassifier):
    """Predicts the first column where the second is likelier, and so on."""

    def predict(self, X):
        return (super().predict(X) + 1) % 3


def test_a_net_that_predicts_in_its_own_way_in_any_order():
    for order in (["ant", "bee", "crow"], ["crow", "ant", "bee"]):
        learner = make_learner(net=accurate(kind=Swapped), classes=order)
        learner.fit(X, NAMES[Y])
        columns = learner.estimator_.predict_proba(POOL).argmax(axis=1)
        expected = np.array(order)[(columns + 1) % 3]
        assert_array_equal(learner.predict(POOL), expected)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_a_strategy_that_learns_hears_the_right_answers_in_any_order(order):
    learner = make_learner(ALBL(), net=accurate(), classes=NAMES[order])
    learner.fit(X, NAMES[Y])
    told = []
    learner.strategy_.observe = lambda feedback: told.append(feedback.correct)
    chosen = learner.query(POOL, n=6)
    learner.teach(POOL[chosen], NAMES[POOL_Y[chosen]])
    (correct,) = told
    assert_array_equal(correct, learner.predict(POOL[chosen]) == NAMES[POOL_Y[chosen]])


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
        "Give all classes, in the order of the net's columns, with classes=[...] of "
        "the ActiveLearner or of the net, or change the width of the last layer."
    )


def test_labels_beyond_the_width():
    learner = make_learner(net=wide(2))
    with pytest.raises(InvalidInputError) as caught:
        learner.fit(X, Y)
    assert str(caught.value) == (
        "The net answers 2 classes, but the labels need at least 3. Change the width "
        "of the last layer, or give the classes in the order of its columns with "
        "classes=[...] of the ActiveLearner or of the net."
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
        lambda y: pd.array(y, dtype="Int64"),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
        lambda y: y.astype(object),
    ],
    ids=[
        *("list", "series", "tensor", "categorical", "index"),
        *("nullable", "extension", "category", "shuffled", "object"),
    ],
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


@pytest.mark.parametrize("half", [np.float16, torch.float16, torch.bfloat16])
def test_half_numbers_are_labels_like_others(half):
    y = torch.tensor(Y).to(half) if isinstance(half, torch.dtype) else Y.astype(half)
    learner = make_learner().fit(X, y).teach(POOL[:2], y[:2])
    assert learner.classes_.tolist() == [0, 1, 2]


def test_an_array_that_masks_nothing_is_an_array():
    assert_array_equal(make_learner().fit(X, np.ma.array(Y)).y_, Y)


def test_masked_labels_are_refused_wherever_labels_come():
    learner = make_learner().fit(X, Y)
    masked = np.ma.array([0, 1], mask=[False, True])
    for call in (
        lambda: learner.teach(POOL[:2], masked),
        lambda: learner.relabel([0, 1], masked),
        lambda: make_learner(test_set=(POOL[:2], masked)).fit(X, Y),
    ):
        with pytest.raises(InvalidInputError, match="y must not be masked"):
            call()
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
        (np.ma.array(Y, mask=Y == 1), "y must not be masked: .* Got one at position 1"),
        (np.ma.array(Y[:, None], mask=Y[:, None] == 2), "masked: .* at position 2"),
        (Y[:, None] * [1, 1], "y must be a 1-D array"),
        (np.array([1, "a"] * 30, dtype=object), "y must hold labels of one type"),
        ([0, "1", "x"] * 20, "y must hold labels of one type"),
        (["a", "b", float("nan")] * 20, "missing labels .* at position 2"),
        (["a", None, "b"] * 20, "missing labels .* at position 1"),
        (["a", "b", ""] * 20, "y must not hold empty texts.* Got one at position 2"),
        (np.array(["a", "", "b"] * 20), "y must not hold empty texts"),
        (["a", "b", " \t"] * 20, "y must not hold empty texts.* Got one at position 2"),
        (np.array(["a", " "] * 30, dtype=object), "must not hold empty texts"),
        (pd.array([1, None] * 30, dtype="Int64"), "missing labels .* at position 1"),
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


def test_a_message_does_not_list_all_labels():
    with pytest.raises(InvalidInputError) as caught:
        make_learner().fit(X, Y + 0.5j)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("y", "name"),
    [
        (np.array(["a", "b", np.nan] * 20), "'nan'"),
        (np.array(["a", "b", "<NA>"] * 20, dtype=object), "'<NA>'"),
    ],
)
def test_missing_labels_that_became_texts_are_told(y, name):
    with pytest.warns(UserWarning, match=f"y holds the class .*{name}.*, a text"):
        make_learner().fit(X, y)


def test_mixed_types_work_with_their_order_given():
    names = np.array(["a", 1, 2.5], dtype=object)
    learner = make_learner(net=accurate(), classes=names).fit(X, names[Y])
    assert_array_equal(learner.y_, names[Y])
    # What cannot be sorted stays in the order given.
    assert learner.classes_.tolist() == ["a", 1, 2.5]
    assert (learner.predict(POOL) == names[POOL_Y]).mean() > 0.7


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
    assert learner.estimator_.callbacks == [Sizer]
    assert not {"first_look", "updates"} & {*dict(learner.estimator_.callbacks_)}
    wider = make_learner(net=accurate(callbacks=[Widener]), classes=range(4))
    wider.fit(X[Y != 1], Y[Y != 1])
    assert_array_equal(wider.classes_, [0, 1, 2, 3])
    assert wider.score(POOL[POOL_Y != 1], POOL_Y[POOL_Y != 1]) > 0.7
    # Without a gap the labels mean the same for any width.
    wider.set_params(classes=None).fit(X, Y)
    assert_array_equal(wider.classes_, [0, 1, 2, 3])


def test_columns_that_are_seen_too_late_are_asked_for_before_the_first_batch():
    class Watched(Callback):
        def on_batch_begin(self, net, **kwargs):
            raise AssertionError("trained")

    learner = make_learner(net=make_net(callbacks=[Widener, Watched]))
    with pytest.raises(InvalidInputError) as caught:
        learner.fit(X[Y != 1], Y[Y != 1])
    assert str(caught.value) == (
        "The net is 4 columns wide, which was not to be seen before its training "
        "began, and the labels are the integers 0, 2: are they names of 2 classes, or "
        "numbers of columns? Give all classes, in the order of the net's columns, with "
        "classes=[...] of the ActiveLearner or of the net."
    )


def test_a_net_that_shrinks_is_refused():
    learner = make_learner(net=make_net(callbacks=[Sizer])).fit(X, Y)
    learner.forget(np.flatnonzero(Y == 2))
    with pytest.raises(RefitError, match=r"answers 2 classes, .* 3 classes"):
        learner.refit()
    assert learner.predict_proba(POOL).shape == (30, 3)


class HeadFirst(nn.Module):
    """Registers its head before other linear layers."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 4)
        self.rotation = nn.Linear(3, 2)

    def forward(self, X):
        return self.head(X)


class Counted(NeuralNetClassifier):
    """Counts the calls of fit."""

    fits = 0

    def fit(self, *args, **kwargs):
        Counted.fits += 1
        return super().fit(*args, **kwargs)


@pytest.mark.parametrize("labels", [[0, 2, 3], [0, 1, 3], [1, 2, 3], [0, 1, 2]])
@pytest.mark.parametrize("kind", ["bare", "piped", "frozen"])
def test_one_training_a_fit(labels, kind, monkeypatch):
    net = make_net(HeadFirst, kind=Counted)
    if kind == "piped":
        net = make_pipeline(StandardScaler(), net)
    if kind == "frozen":
        net = FrozenEstimator(net.fit(X.astype(np.float32), Y))
    monkeypatch.setattr(Counted, "fits", 0)
    learner = make_learner(net=net).fit(X, np.array(labels)[Y])
    assert Counted.fits == (kind != "frozen")
    assert_array_equal(learner.classes_, np.arange(4))


class Grower(Callback):
    """Makes the net wider, in a way that is not seen before."""

    def on_epoch_begin(self, net, **kwargs):
        if net.module_.head.out_features == 3:
            net.set_params(module__n_classes=4)


def test_a_net_that_grows_unforeseen_asks_for_the_classes():
    learner = make_learner(net=make_net(callbacks=[Grower]))
    with pytest.raises(InvalidInputError, match="is 4 columns wide, which was not"):
        learner.fit(X, np.array([0, 1, 3])[Y])
    learner.set_params(classes=range(4)).refit()
    assert_array_equal(learner.classes_, range(4))


def test_unknown_labels_are_refused_before_anything_is_stored():
    learner = make_learner().fit(X, NAMES[Y])
    with pytest.raises(InvalidInputError) as caught:
        learner.teach(POOL[:3], ["ant", "dog", "emu"])
    assert str(caught.value) == (
        "y must hold known classes ('ant', 'bee', 'crow'). Got 'dog', 'emu' instead: "
        "correct the labels, or give all classes with classes=[...] of the "
        "ActiveLearner or of the net and fit again."
    )
    assert learner.n_labeled_ == 60


def test_numbers_in_the_place_of_names_are_explained():
    hint = "Where these are numbers of classes, as most data sets hold, teach names"
    voting = VotingClassifier([("net", make_learner(classes=NAMES))])
    with pytest.raises(InvalidInputError, match=hint):
        voting.fit(X, NAMES[Y])
    VotingClassifier([("net", make_learner())]).fit(X, NAMES[Y])
    for classes, labels in [
        (NAMES, [0, 1, 3]),
        ([4, 5, 6], Y),
        (NAMES, NAMES[Y] + "s"),
    ]:
        with pytest.raises(InvalidInputError) as caught:
            make_learner(classes=classes).fit(X[: len(labels)], labels)
        assert hint not in str(caught.value)


BIG = 2**53


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, object])
def test_integers_beyond_floats_are_told_apart(dtype):
    classes = np.array([BIG, BIG + 1], dtype=dtype)
    net = make_net(module__n_classes=2)
    for labels in ([BIG + 1, BIG], np.array([BIG + 1, BIG], dtype=np.uint64)):
        learner = make_learner(net=net, classes=classes).fit(X[:2], labels)
        assert learner.y_.tolist() == [BIG + 1, BIG]
        assert learner.relabel(0, BIG).y_.tolist() == [BIG, BIG]


@pytest.mark.parametrize(
    ("y", "classes", "name"),
    [
        (np.array([BIG + 1.0, 0.0]), None, "y"),
        ([0, 1], np.array([-(2.0**60), 0.0]), "classes"),
    ],
)
def test_floats_that_cannot_tell_neighbors_apart_are_refused(y, classes, name):
    learner = make_learner(net=make_net(module__n_classes=2), classes=classes)
    with pytest.raises(InvalidInputError, match=rf"^{name} must not .* 2\*\*53"):
        learner.fit(X[:2], y)

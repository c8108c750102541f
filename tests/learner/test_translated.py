"""Classes where a user's own things look, numbers of columns where the net does."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.metrics import accuracy_score, make_scorer, recall_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, TargetEncoder
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EpochScoring
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch.utils.data import Subset, TensorDataset

from skbadge import ActiveLearner
from skbadge.exceptions import InvalidInputError
from tests._learning import (
    last_epoch,
    make_accurate_net,
    make_binary_net,
    make_data,
    make_learner,
    make_net,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)
NAMES = np.array(["ant", "bee", "crow"])


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1, 2], [2, 0, 1]),
        ([1, 2, 3], None),
        (NAMES, None),
        (NAMES, ["crow", "ant", "bee"]),
        ([0, 1, 2], None),
    ],
)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_validation_set_of_the_users_own_is_translated(labels, classes, warm_start):
    labels = np.asarray(labels)
    valid = Dataset(POOL.astype("f4"), labels[POOL_Y])
    net = make_accurate_net(train_split=predefined_split(valid))
    learner = make_learner(net=net, classes=classes, warm_start=warm_start)
    learner.fit(X, labels[Y])
    for _ in range(2):
        score = learner.score(POOL, labels[POOL_Y])
        assert score > 0.7
        assert last_epoch(learner)["valid_acc"] == pytest.approx(score)
        learner = pickle.loads(pickle.dumps(learner))
        learner.teach(POOL[:2], labels[POOL_Y[:2]])


def test_a_validation_set_of_tensors_for_one_logit():
    valid = TensorDataset(torch.tensor(POOL).float(), torch.tensor(POOL_Y % 2 + 1))
    net = make_binary_net(max_epochs=20, train_split=predefined_split(valid))
    learner = make_learner(net=net).fit(X, Y % 2 + 1)
    score = learner.score(POOL, POOL_Y % 2 + 1)
    assert last_epoch(learner)["valid_acc"] == pytest.approx(score)


def test_unknown_labels_of_a_validation_set_are_refused_before_the_first_batch():
    class Trained(Callback):
        def on_batch_end(self, net, **kwargs):
            raise AssertionError("trained")

    valid = Dataset(POOL.astype("f4"), POOL_Y + 1)
    net = make_net(train_split=predefined_split(valid), callbacks=[Trained])
    with pytest.raises(InvalidInputError, match="The validation set of .*Got 3 inst"):
        make_learner(net=net).fit(X, Y)


def same_as_accuracy(net, X, y):
    assert set(np.unique(y)) <= set(NAMES)
    assert net.module_ is not None
    return float((net.predict(X) == y).mean())


@pytest.mark.parametrize("classes", [None, ["crow", "ant", "bee"]])
def test_scorers_see_classes(classes):
    # Up to 1.8, scikit-learn wants a pos_label that is a class, or none.
    settings = {"labels": ["bee"], "average": "macro", "pos_label": None}
    recall = make_scorer(recall_score, **settings)
    names = {
        "recall": recall,
        "function": accuracy_score,
        "area": "roc_auc_ovr",
        "own": same_as_accuracy,
    }
    scorers = [
        EpochScoring(scoring, name=name, lower_is_better=False, use_caching=False)
        for name, scoring in names.items()
    ]
    valid = Dataset(POOL.astype("f4"), NAMES[POOL_Y])
    net = make_accurate_net(train_split=predefined_split(valid), callbacks=scorers)
    learner = make_learner(net=net, classes=classes).fit(X, NAMES[Y])
    found, y = last_epoch(learner), NAMES[POOL_Y]
    assert found["recall"] == pytest.approx(recall(learner, POOL, y))
    accuracy = learner.score(POOL, y)
    assert found["function"] == found["own"] == pytest.approx(accuracy)
    assert found["area"] > 0.8
    # The user's own callbacks stay as they were.
    assert scorers[0].scoring is recall


@pytest.mark.parametrize("on_train", [False, True])
@pytest.mark.parametrize("use_caching", [False, True])
def test_scorers_see_classes_wherever_their_rows_come_from(on_train, use_caching):
    settings = {"on_train": on_train, "use_caching": use_caching, "name": "own"}

    class Mine(EpochScoring):
        pass

    scorer = Mine(same_as_accuracy, lower_is_better=False, **settings)
    net = make_accurate_net(
        train_split=ValidSplit(3, stratified=True), callbacks=[scorer]
    )
    learner = make_learner(net=net, classes=["crow", "ant", "bee"]).fit(X, NAMES[Y])
    assert last_epoch(learner)["own"] > 0.5


def test_a_callback_finds_the_classes_by_the_columns():
    """As the guide has it: the net itself, whose columns are those of ``classes``."""
    classes, found = np.array(["crow", "ant", "bee"]), []

    class Own(Callback):
        def on_train_end(self, net, **kwargs):
            right = classes[net.predict(POOL.astype("f4"))] == NAMES[POOL_Y]
            found.append(right.mean())

    net = make_accurate_net(train_split=None, callbacks=[Own])
    learner = make_learner(net=net, classes=classes).fit(X, NAMES[Y])
    assert found == [learner.score(POOL, NAMES[POOL_Y])] and found[0] > 0.5


def test_a_scorer_keeps_its_name():
    scorers = [EpochScoring("balanced_accuracy"), EpochScoring(same_as_accuracy)]
    net = make_net(
        callbacks=scorers,
        train_split=predefined_split(Dataset(POOL.astype("f4"), NAMES[POOL_Y])),
    )
    learner = make_learner(net=net).fit(X, NAMES[Y])
    assert {"balanced_accuracy", "same_as_accuracy"} <= set(last_epoch(learner))


@pytest.mark.parametrize(
    "rows",
    [POOL.astype("f8"), pd.DataFrame(POOL), np.round(POOL).astype(int)],
    ids=["float64", "frame", "integers"],
)
def test_rows_of_a_validation_set_are_converted_as_the_labelled_ones(rows):
    net = make_accurate_net(train_split=predefined_split(Dataset(rows, NAMES[POOL_Y])))
    learner = make_learner(net=net, warm_start=True).fit(X, NAMES[Y])
    learner.teach(POOL[:5], NAMES[POOL_Y[:5]])
    score = learner.score(np.asarray(rows), NAMES[POOL_Y])
    assert last_epoch(learner)["valid_acc"] == pytest.approx(score)


def test_missing_values_of_a_validation_set_are_told_from_those_of_labelled_rows():
    rows = np.where(np.arange(40)[:, None] == 3, np.nan, POOL)
    net = make_net(train_split=predefined_split(Dataset(rows, POOL_Y)))
    with pytest.raises(InvalidInputError, match="The validation set .*NaN or infin"):
        make_learner(net=net).fit(X, Y)


def test_rows_of_a_validation_set_of_the_users_own_kind_are_explained():
    valid = TensorDataset(torch.tensor(POOL, dtype=torch.float64), torch.tensor(POOL_Y))
    net = make_net(train_split=predefined_split(valid))
    with pytest.raises(InvalidInputError, match="rows of the validation set are not"):
        make_learner(net=net).fit(X, Y)


def in_arrays(dataset, y=None):
    assert set(y) <= set(dataset.y)
    first, rest = np.arange(40), np.arange(40, len(y))
    return [Dataset(dataset.X[i], dataset.y[i]) for i in (first, rest)]


def in_subsets(dataset, y=None):
    order = np.argsort(y, kind="stable")
    part = Subset(dataset, order[::2]), Subset(Subset(dataset, order[1::2]), range(9))
    assert part[1][0][1] == y[order[1]]
    return part


@pytest.mark.parametrize("split", [in_arrays, in_subsets])
@pytest.mark.parametrize("classes", [[2, 0, 1], [1, 2, 3], NAMES])
def test_splits_of_the_users_own_are_shown_classes(split, classes):
    net = make_accurate_net(train_split=split, iterator_train__shuffle=True)
    labels = np.sort(classes)[Y]
    learner = make_learner(net=net, classes=classes).fit(X, labels)
    assert learner.score(POOL, np.sort(classes)[POOL_Y]) > 0.7
    assert last_epoch(learner)["valid_acc"] > 0.7


class SplitsItself(NeuralNetClassifier):
    """Makes its validation set as ``make`` does, of what skorch would give."""

    make = None

    def get_split_datasets(self, X, y=None, **fit_params):
        train, valid = super().get_split_datasets(X, y, **fit_params)
        return SplitsItself.make(train, valid, y)


def make_splitting_net(make, **settings):
    SplitsItself.make = staticmethod(make)
    net = make_accurate_net(**settings)
    return SplitsItself(**net.get_params(deep=False))


SPLITS = {
    "classes": lambda labels: (
        lambda train, _, y: (
            train,
            Dataset(POOL.astype("f4"), labels[POOL_Y]),
        )
    ),
    "columns": lambda labels: (
        lambda train, _, y: (
            train,
            Dataset(X[:40].astype("f4"), np.array(y[:40])),
        )
    ),
    "parts": lambda labels: (
        lambda train, _, y: (
            Subset(train, range(20, len(train))),
            Subset(train, range(20)),
        )
    ),
}


@pytest.mark.parametrize("make", SPLITS)
@pytest.mark.parametrize("classes", [NAMES, np.array([8, 7, 9])])
def test_validation_sets_that_a_net_makes_itself_are_translated(make, classes):
    net = make_splitting_net(SPLITS[make](classes))
    learner = make_learner(net=net, classes=classes).fit(X, classes[Y])
    learner = pickle.loads(pickle.dumps(learner))
    for _ in range(2):
        assert learner.score(POOL, classes[POOL_Y]) > 0.7
        assert last_epoch(learner)["valid_acc"] > 0.7
        learner.teach(POOL[:2], classes[POOL_Y[:2]])


class Pickles(Callback):
    def on_epoch_end(self, net, **kwargs):
        copied = pickle.loads(pickle.dumps(net))
        assert len(copied.history) == len(net.history)


def test_a_net_that_makes_its_validation_set_can_be_pickled_while_it_trains():
    net = make_splitting_net(SPLITS["classes"](NAMES), callbacks=[Pickles()])
    learner = make_learner(net=net, classes=NAMES).fit(X, NAMES[Y])
    assert last_epoch(learner)["valid_acc"] > 0.7


def test_validation_sets_that_a_net_makes_itself_and_may_mean_both():
    classes = np.array([2, 0, 1])
    net = make_splitting_net(SPLITS["classes"](classes))
    with pytest.raises(
        InvalidInputError, match="SplitsItself makes has labels that ma"
    ):
        make_learner(net=net, classes=classes).fit(X, classes[Y])
    valid = predefined_split(Dataset(POOL.astype("f4"), classes[POOL_Y]))
    net = make_splitting_net(lambda train, valid, y: (train, valid), train_split=valid)
    learner = make_learner(net=net, classes=classes).fit(X, classes[Y])
    assert last_epoch(learner)["valid_acc"] > 0.7
    wrong = Dataset(POOL.astype("f4"), POOL_Y + 30)
    net = make_splitting_net(lambda train, valid, y: (train, wrong))
    with pytest.raises(InvalidInputError, match="must have the classes of the learner"):
        make_learner(net=net, classes=classes).fit(X, classes[Y])


class Remembers(ValidSplit):
    seen = ()

    def __call__(self, dataset, y=None, groups=None):
        Remembers.seen = np.unique(y).tolist()
        return super().__call__(dataset, y, groups)


def test_a_split_derived_from_that_of_skorch_is_shown_classes():
    net = make_accurate_net(train_split=Remembers(5, stratified=True))
    learner = make_learner(net=net).fit(X, NAMES[Y])
    assert Remembers.seen == NAMES.tolist()
    assert last_epoch(learner)["valid_acc"] > 0.6


def recall_of(name):
    # Scorers of scikit-learn 1.6 look for a positive class among more than two as well.
    options = {"labels": [name], "average": "macro", "pos_label": None}
    return make_scorer(recall_score, **options)


class WithScores(NeuralNetClassifier):
    @property
    def _default_callbacks(self):
        scoring = recall_of("crow")
        return [*super()._default_callbacks, ("crows", EpochScoring(scoring))]


def test_scorers_of_parameters_and_of_the_nets_own_see_classes():
    net = make_net(
        kind=WithScores,
        train_split=predefined_split(Dataset(POOL, NAMES[POOL_Y])),
        callbacks=[("own", EpochScoring(recall_of("ant"), name="own"))],
        callbacks__own__scoring=recall_of("bee"),
        callbacks__valid_acc__scoring=recall_of("crow"),
    )
    learner = make_learner(net=net).fit(X, NAMES[Y])
    found, y = last_epoch(learner), NAMES[POOL_Y]
    assert found["own"] == pytest.approx(recall_of("bee")(learner, POOL, y))
    crows = recall_of("crow")(learner, POOL, y)
    assert found["valid_acc"] == found["recall_score"] == pytest.approx(crows)


@pytest.mark.parametrize("classes", [[2, 0, 1], [1, 2, 3], NAMES])
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_samplers_and_other_steps_see_classes(classes, warm_start, nested):
    imblearn = pytest.importorskip("imblearn")
    from imblearn.pipeline import Pipeline as SamplerPipeline
    from imblearn.under_sampling import RandomUnderSampler

    seen, classes = [], np.asarray(classes)

    def look(X, y):
        seen.append(y)
        return X, y

    rare = np.sort(classes)[2]
    steps = [
        ("fewer", RandomUnderSampler(sampling_strategy={rare: 5}, random_state=0)),
        ("look", imblearn.FunctionSampler(func=look, validate=False)),
        ("net", make_accurate_net()),
    ]
    estimator = SamplerPipeline(steps)
    if nested:
        estimator = Pipeline([("same", FunctionTransformer()), ("rest", estimator)])
    learner = make_learner(net=estimator, classes=classes, warm_start=warm_start)
    learner.fit(X, np.sort(classes)[Y]).teach(POOL[:9], np.sort(classes)[POOL_Y[:9]])
    for y in seen:
        assert (y == rare).sum() == 5
        assert set(y) == set(classes.tolist())
    assert learner.score(POOL, np.sort(classes)[POOL_Y]) > 0.5
    assert isinstance(learner.estimator_[-1], (NeuralNetClassifier, SamplerPipeline))


class Weighed(NeuralNetClassifier):
    seen = ()

    def fit(self, X, y, sample_weight=None):
        Weighed.seen += ((len(sample_weight), y.dtype),)
        return super().fit(X, y)


def test_fit_parameters_reach_a_net_behind_steps_that_see_classes():
    net, weights = make_net(kind=Weighed), np.ones(len(X))
    learner = make_learner(net=make_pipeline(FunctionTransformer(), net))
    learner.fit(X, NAMES[Y], weighed__sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        net.set_fit_request(sample_weight=True)
        learner = make_learner(net=make_pipeline(FunctionTransformer(), net))
        learner.fit(X, NAMES[Y], sample_weight=weights)
    assert Weighed.seen == ((60, np.int64),) * 2


def test_a_step_that_fits_in_another_way_than_it_transforms_comes_back(tmp_path):
    words = np.array(["v", "w", "x", "y"])[(X[:, 0] > 0) + 2 * (X[:, 1] > 0)]
    rows = pd.DataFrame({"word": words})
    encoder, scaler = TargetEncoder(), StandardScaler()
    learner = make_learner(net=make_pipeline(encoder, scaler, make_net()))
    learner.fit(rows, NAMES[Y]).save(tmp_path / "learner")
    twin = ActiveLearner.load(tmp_path / "learner", learner, rows)
    expected, found = (fitted.estimator_[1].mean_ for fitted in (learner, twin))
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(twin.predict_proba(rows), learner.predict_proba(rows))

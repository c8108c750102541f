"""scikit-learn's own checks, and its tools on top of a learner."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch import NeuralNetClassifier

from skbadge import (
    ALBL,
    BADGE,
    ActiveLearner,
    CoreSet,
    MarginSampling,
    PenultimateFeatures,
    RandomSampling,
)
from skbadge.exceptions import InvalidInputError, RefitError
from tests._learning import (
    Double,
    Tiny,
    assert_unchanged,
    make_data,
    make_learner,
    make_net,
    make_strategies,
    same_weights,
    snapshot,
    weights,
)
from tests._steps import Sizer, Step, lean_settings_of_batches

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)


def learner_for_checks(strategy):
    net = make_net(
        # The checks compare to 1e-9; float32 rounds by the place of a row in its batch.
        Double,
        max_epochs=25,
        batch_size=64,
        optimizer=torch.optim.Adam,
        lr=0.05,
        module__dropout=0.0,
        module__n_hidden=16,
        callbacks=[Sizer],
        **lean_settings_of_batches(),
    )
    return ActiveLearner(net, strategy=strategy, random_state=0)


def all_checks():
    """Make the cases of ``parametrize_with_checks``, with ids that can be read."""
    for name, strategy in make_strategies().items():
        # What conf and entropy read of a net, marg reads.
        if "-" in name or name in ("conf", "entropy"):
            continue
        for learner, check in estimator_checks_generator(learner_for_checks(strategy)):
            settings = [f"{k}={v}" for k, v in check.keywords.items()]
            check_id = "-".join([name, check.func.__name__, *settings])
            yield pytest.param(learner, check, id=check_id)


@pytest.mark.parametrize(("learner", "check"), list(all_checks()))
def test_scikit_learn_checks(learner, check):
    check(learner)


def test_parameters_at_all_levels():
    learner = make_learner(
        BADGE(first="norm"), net=make_pipeline(StandardScaler(), make_net())
    )
    parameters = learner.get_params()
    assert parameters["strategy__first"] == "norm"
    assert parameters["estimator__neuralnetclassifier__lr"] == 0.1
    learner.set_params(
        estimator__neuralnetclassifier__module__n_hidden=4, strategy__first="max-norm"
    )
    learner.fit(X, Y)
    assert learner.estimator_[-1].module_.head.in_features == 4
    assert learner.strategy_.first == "max-norm"
    assert learner.estimator[-1].get_params()["module__n_hidden"] == 4
    twin = clone(learner)
    assert not hasattr(twin, "estimator_")
    assert same_weights(weights(twin.fit(X, Y)), weights(learner))


def test_albl_is_cloned_with_its_arms():
    arms = [MarginSampling(), BADGE(first="norm")]
    twin = clone(make_learner(ALBL(arms=arms, n_rounds=7)))
    assert twin.strategy.n_rounds == 7
    assert twin.strategy.arms is not arms
    assert twin.strategy.arms[1].first == "norm"


GRIDS = {
    "net": {"estimator__lr": [0.0, 0.1]},
    "module": {"estimator__module__n_hidden": [2, 5]},
    "strategy": {"strategy": [RandomSampling(), CoreSet()]},
    "option": {"strategy__first": ["uniform", "norm"]},
    "learner": {"warm_start": [False, True]},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(
    "search",
    [GridSearchCV, lambda e, g, **k: RandomizedSearchCV(e, g, n_iter=2, **k)],
    ids=["grid", "randomized"],
)
def test_searches(search, grid):
    found = search(make_learner(BADGE()), grid, cv=2, error_score="raise").fit(X, Y)
    assert len(found.cv_results_["mean_test_score"]) == 2
    best = found.best_estimator_
    assert len(best.query(POOL, n=3)) == 3
    assert best.teach(POOL[:2], POOL_Y[:2]).n_labeled_ == 62


def test_cross_validation():
    net = make_net(max_epochs=20, module__dropout=0.0, lr=0.5)
    assert cross_val_score(make_learner(net=net), X, Y, cv=3).mean() > 0.6


def test_learner_as_the_last_step_of_a_pipeline():
    outside = make_pipeline(StandardScaler(), make_learner()).fit(X, Y)
    inside = make_learner(net=make_pipeline(StandardScaler(), make_net())).fit(X, Y)
    assert_array_equal(outside.predict_proba(POOL), inside.predict_proba(POOL))
    indices = outside[-1].query(outside[:-1].transform(POOL), n=5)
    assert_array_equal(indices, inside.query(POOL, n=5))
    outside[-1].teach(outside[:-1].transform(POOL[indices]), POOL_Y[indices])
    assert outside[-1].n_labeled_ == 65


def test_pipeline_may_impute_encode_and_name_its_columns():
    frame = pd.DataFrame(X.copy(), columns=["a", "b", "c"])
    frame.loc[::7, "a"] = np.nan
    frame["kind"] = np.where(Y > 0, "left", "right")
    steps = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c"]),
        (OneHotEncoder(sparse_output=False), ["kind"]),
    ).set_output(transform="pandas")
    net = make_net(module__n_features=5)
    learner = make_learner(net=make_pipeline(steps, net)).fit(frame, Y)
    assert learner.feature_names_in_.tolist() == ["a", "b", "c", "kind"]
    assert learner.n_features_in_ == 4
    indices = learner.query(frame, n=3)
    learner.teach(frame.iloc[indices], Y[indices])
    assert learner.X_.columns.tolist() == ["a", "b", "c", "kind"]
    with pytest.raises(ValueError, match="feature names should match"):
        learner.query(frame[["b", "a", "c", "kind"]], n=1)
    with pytest.raises(ValueError, match="feature names should match"):
        learner.predict(frame.rename(columns={"a": "z"}))


def test_pipeline_with_a_passthrough_and_bare_pipeline():
    for steps in ([("no", "passthrough")], [("none", None)], []):
        learner = make_learner(net=Pipeline([*steps, ("net", make_net())])).fit(X, Y)
        plain = make_learner().fit(X, Y)
        assert_array_equal(learner.predict_proba(POOL), plain.predict_proba(POOL))
        assert_array_equal(learner.query(POOL, n=4), plain.query(POOL, n=4))


def test_feature_names_of_a_bare_net():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    learner = make_learner().fit(frame, Y)
    assert learner.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        learner.predict(POOL)
    learner.fit(X, Y)
    assert not hasattr(learner, "feature_names_in_")


def test_tags():
    bare = get_tags(make_learner())
    assert bare.estimator_type == "classifier"
    assert bare.target_tags.required
    assert not bare.input_tags.allow_nan
    imputing = get_tags(make_learner(net=make_pipeline(SimpleImputer(), make_net())))
    assert imputing.input_tags.allow_nan
    pipeline = make_pipeline(MaxAbsScaler(), make_net())
    sparse = get_tags(make_learner(net=pipeline)).input_tags.sparse
    # Not true in scikit-learn's oldest version that is taken.
    assert sparse == get_tags(MaxAbsScaler()).input_tags.sparse
    skipping = Pipeline([("no", "passthrough"), ("net", make_net())])
    assert not get_tags(make_learner(net=skipping)).input_tags.sparse


def test_html_and_text():
    learner = make_learner(BADGE(first="norm"))
    for _ in range(2):
        assert "ActiveLearner" in estimator_html_repr(learner)
        assert "first='norm'" in repr(learner)
        learner.fit(X, Y)


ROUND_TRIPS = {
    "pickle": lambda learner: pickle.loads(pickle.dumps(learner)),
    "deepcopy": copy.deepcopy,
}


def joblib_round_trip(learner):
    file = io.BytesIO()
    joblib.dump(learner, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize(
    "trip", [*ROUND_TRIPS.values(), joblib_round_trip], ids=[*ROUND_TRIPS, "joblib"]
)
@pytest.mark.parametrize("name", make_strategies())
@pytest.mark.parametrize("warm_start", [False, True])
def test_round_trip_goes_on_as_before(name, trip, warm_start):
    learner = make_learner(
        make_strategies()[name], random_state=None, warm_start=warm_start
    ).fit(X[:20], Y[:20])
    chosen = learner.query(POOL, n=4)
    twin = trip(learner)
    for each in (learner, twin):
        each.teach(POOL[chosen], POOL_Y[chosen])
    again = learner.query(POOL, n=4)
    assert_array_equal(twin.query(POOL, n=4), again)
    for each in (learner, twin):
        each.teach(POOL[again], POOL_Y[again])
    assert same_weights(weights(twin), weights(learner))
    assert_array_equal(twin.predict_proba(POOL), learner.predict_proba(POOL))
    assert_array_equal(twin.y_, learner.y_)


class Weighted(NeuralNetClassifier):
    """Takes weights of rows, and keeps them for the test."""

    seen = None

    def fit(self, X, y, sample_weight=None):
        type(self).seen = sample_weight
        return super().fit(X, y)

    def partial_fit(self, X, y=None, classes=None, sample_weight=None, **kwargs):
        if sample_weight is not None:
            type(self).seen = sample_weight
        return super().partial_fit(X, y, classes=classes, **kwargs)


@pytest.fixture
def weighted():
    Weighted.seen = None
    return make_net(kind=Weighted)


W = np.linspace(1, 2, 60)


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("routing", [False, True])
def test_weights_of_rows_stay_with_the_rows(routing, piped, warm_start, weighted):
    name = "sample_weight"
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            weighted.set_fit_request(sample_weight=True)
        if piped:
            name = "sample_weight" if routing else "net__sample_weight"
            weighted = Pipeline([("step", Step()), ("net", weighted)])
        learner = make_learner(net=weighted, warm_start=warm_start)
        learner.fit(X, Y, **{name: W})
        assert_array_equal(Weighted.seen, W)
        learner.teach(POOL[:2], POOL_Y[:2], **{name: [7.0, 8.0]})
        assert_array_equal(Weighted.seen, [*W, 7, 8])
        learner.forget([0, 1]).refit()
        assert_array_equal(Weighted.seen, [*W[2:], 7, 8])
        with pytest.raises(InvalidInputError) as caught:
            learner.teach(POOL[:2], POOL_Y[:2])
    assert str(caught.value) == (
        f"The labelled rows carry the fit parameters ['{name}'], one value a row, so "
        "new rows must carry the same. Got none for 2 new rows."
    )
    assert learner.n_labeled_ == 60


def test_weights_are_kept_apart_from_the_callers_array(weighted):
    mine = W.copy()
    learner = make_learner(net=weighted).fit(X, Y, sample_weight=mine)
    mine[:] = 0
    learner.refit()
    assert_array_equal(Weighted.seen, W)


def test_weights_that_come_later_or_in_the_wrong_number(weighted):
    learner = make_learner(net=weighted).fit(X, Y, sample_weight=None)
    assert Weighted.seen is None
    with pytest.raises(InvalidInputError, match="Got \\['sample_weight'\\] for 2"):
        learner.teach(POOL[:2], POOL_Y[:2], sample_weight=[1, 2])
    learner.fit(X, Y, sample_weight=W)
    with pytest.raises(InvalidInputError) as caught:
        learner.teach(POOL[:2], POOL_Y[:2], sample_weight=[1, 2, 3])
    assert str(caught.value) == (
        "sample_weight must hold one value for each of the 2 rows of X. Got 3 values "
        "instead."
    )
    assert learner.n_labeled_ == 60
    # One weight for all rows is no weight for each of them.
    learner.fit(X, Y, sample_weight=2.0)
    with pytest.raises(InvalidInputError, match="carry the fit parameters none, one"):
        learner.teach(POOL[:2], POOL_Y[:2], sample_weight=[1, 2])
    assert learner.teach(POOL[:2], POOL_Y[:2]).n_labeled_ == 62


@pytest.mark.parametrize(
    "make",
    [list, tuple, np.array, torch.tensor, pd.Series, lambda values: range(len(values))],
)
@pytest.mark.parametrize("name", ["sample_weight", "net__sample_weight"])
def test_weights_that_are_not_one_for_each_row(name, make, weighted):
    net = Pipeline([("net", weighted)]) if name.startswith("net") else weighted
    learner = make_learner(net=net)
    with pytest.raises(InvalidInputError) as caught:
        learner.fit(X, Y, **{name: make([1.0] * 59)})
    assert str(caught.value) == (
        f"{name} must hold one value for each of the 60 rows of X. Got 59 values "
        "instead."
    )
    assert not hasattr(learner, "X_")


@pytest.mark.parametrize("make", [range, lambda n: np.arange(n), torch.arange])
def test_weights_of_every_kind_grow_with_the_rows(make, weighted):
    learner = make_learner(net=weighted).fit(X, Y, sample_weight=make(60))
    learner.teach(POOL[:2], POOL_Y[:2], sample_weight=make(2)).forget([0]).refit()
    kind = torch.Tensor if make is torch.arange else np.ndarray
    assert type(Weighted.seen) is kind
    assert Weighted.seen.tolist() == [*range(1, 60), 0, 1]


def test_weights_of_another_shape_are_refused(weighted):
    learner = make_learner(net=weighted).fit(X, Y, sample_weight=torch.ones(60))
    for new, message in [
        (
            torch.ones(2, 1),
            "sample_weight must have the shape (n,), as in fit. Got (2, 1)",
        ),
        (
            [1.0, 1.0],
            "sample_weight must be of the same kind as the labelled rows, a to",
        ),
    ]:
        with pytest.raises(InvalidInputError) as caught:
            learner.teach(POOL[:2], POOL_Y[:2], sample_weight=new)
        assert message in str(caught.value)
    assert learner.n_labeled_ == 60


def test_fit_parameters_that_are_no_rows():
    class Noted(NeuralNetClassifier):
        def fit(self, X, y, note=None):
            self.note_ = note
            return super().fit(X, y)

    learner = make_learner(net=make_net(kind=Noted)).fit(X, Y, note=["a", "b"])
    assert learner.estimator_.note_ == ["a", "b"]
    learner.teach(POOL[:2], POOL_Y[:2])
    assert learner.estimator_.note_ == ["a", "b"]
    learner.teach(POOL[:2], POOL_Y[:2], note=["c", "d"])
    assert learner.estimator_.note_ == ["c", "d"]
    learner.teach(POOL[:1], POOL_Y[:1], note="text")
    assert learner.estimator_.note_ == "text"


def test_unrequested_metadata_is_refused_before_anything_is_stored(weighted):
    with sklearn.config_context(enable_metadata_routing=True):
        learner = make_learner(net=weighted)
        with pytest.raises(ValueError, match="sample_weight"):
            learner.fit(X, Y, sample_weight=W)
    assert not hasattr(learner, "X_")


def test_searches_route_weights(weighted):
    with sklearn.config_context(enable_metadata_routing=True):
        weighted.set_fit_request(sample_weight=True)
        learner = make_learner(net=weighted)
        learner.set_score_request(sample_weight=False)
        GridSearchCV(learner, {"estimator__lr": [0.1]}, cv=2).fit(X, Y, sample_weight=W)
    assert_array_equal(Weighted.seen, W)


def test_scores_are_weighted_where_asked_for(weighted):
    weights_of_rows = np.where(Y == 0, 1.0, 0.0)

    def by_hand(learner, rows):
        right = learner.predict(X[rows]) == Y[rows]
        return np.average(right, weights=weights_of_rows[rows])

    with sklearn.config_context(enable_metadata_routing=True):
        weighted.set_fit_request(sample_weight=True)
        learner = make_learner(net=weighted).set_score_request(sample_weight=True)
        params = {"sample_weight": weights_of_rows}
        folds = KFold(2)
        found = cross_val_score(learner, X, Y, cv=folds, params=params)
        search = GridSearchCV(learner, {"estimator__lr": [0.1]}, cv=folds)
        search.fit(X, Y, **params)
        expected = []
        for train, test in folds.split(X):
            twin = clone(learner)
            twin.fit(X[train], Y[train], sample_weight=weights_of_rows[train])
            expected.append(by_hand(twin, test))
        pipe = make_pipeline(Step(), learner).fit(X, Y, **params)
        assert pipe.score(X, Y, **params) == by_hand(pipe[-1], np.arange(60))
    assert found.tolist() == expected
    assert search.cv_results_["mean_test_score"][0] == np.mean(expected)


def test_features_in_a_pipeline_hand_weights_to_their_net(weighted):
    with sklearn.config_context(enable_metadata_routing=True):
        weighted.set_fit_request(sample_weight=True)
        features = PenultimateFeatures(weighted, random_state=0)
        last = LogisticRegression().set_fit_request(sample_weight=False)
        make_pipeline(features, last).fit(X, Y, sample_weight=W)
        assert_array_equal(Weighted.seen, W)
        Weighted.seen = None
        clone(features).fit_transform(X, Y, sample_weight=W)
        assert_array_equal(Weighted.seen, W)


def test_parameters_a_net_does_not_take():
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        make_learner(net=make_net(module=Tiny)).fit(X, Y, nonsense=3)
    learner = make_learner()
    for n in (2, 4):  # the first of these calls is a fit
        with pytest.raises(RefitError, match=f"nonsense'. The 2 new labels .* = {n}.,"):
            learner.teach(POOL[:2], POOL_Y[:2], nonsense=3)
    # The labels stay, the word does not.
    assert learner.refit().n_labeled_ == 4
    assert learner.teach(X, Y).n_labeled_ == 64


def test_parameters_nobody_asked_for_are_refused_before_anything_is_stored(weighted):
    with sklearn.config_context(enable_metadata_routing=True):
        weighted.set_fit_request(sample_weight=True)
        learner = make_learner(net=weighted).fit(X, Y, sample_weight=W)
        before = snapshot(learner)
        with pytest.raises(TypeError, match="nonsense"):
            learner.teach(POOL[:2], POOL_Y[:2], sample_weight=[1, 1], nonsense=3)
        assert_unchanged(learner, before)
        learner.teach(POOL[:2], POOL_Y[:2], sample_weight=[1, 1])

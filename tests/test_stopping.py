"""Stopping criteria: signals against slow oracles, states as JSON, combinations."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.metrics import cohen_kappa_score

import skbadge.stopping as stopping
from skbadge.exceptions import InvalidInputError
from skbadge.stopping import (
    ExpectedError,
    LabelBudget,
    Observation,
    PredictedF,
    PredictionChange,
    SeedFloor,
    StablePredictions,
    StoppingCriterion,
    TestPlateau,
    seed_floor,
)
from skbadge.stopping._base import cohen_kappa
from skbadge.stopping._estimates import expected_f, f_difference
from skbadge.stopping._labels import _slope, exact_interval
from tests._learning import make_data, make_learner, make_net
from tests._oracles import expected_f_by_loop, kappa_by_loop

CRITERIA = [
    StablePredictions(floor=False),
    PredictionChange(),
    ExpectedError(),
    PredictedF(),
    PredictedF("difference"),
    TestPlateau(),
    TestPlateau(0.9),
    LabelBudget(100),
    StablePredictions() | LabelBudget(100),
    (ExpectedError() | TestPlateau()) & LabelBudget(100),
]


def random_proba(rng, n=40, n_classes=3):
    return rng.dirichlet(np.full(n_classes, 0.5), size=n)


def shown(rng, n_labeled=50):
    return Observation(
        n_labeled, random_proba(rng), (int(rng.integers(20)), 20), SeedFloor(0.9, 0.1)
    )


def after(criterion, *predictions, **known):
    """Show a criterion predictions of two classes, one a training."""
    for predicted in predictions:
        proba = np.eye(2)[np.asarray(predicted)]
        criterion.update(Observation(50, proba=proba, **known))
    return criterion


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_the_oracles(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(4, size=(2, 50))
    assert cohen_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
    assert cohen_kappa(first, second) == pytest.approx(kappa_by_loop(first, second))


def test_kappa_of_constant_predictions():
    assert cohen_kappa([1, 1], [1, 1]) == 1
    assert cohen_kappa([1, 1], [0, 0]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_expected_f_is_that_of_the_oracle(seed):
    proba = random_proba(np.random.default_rng(seed))
    assert expected_f(proba) == pytest.approx(expected_f_by_loop(proba.tolist()))


def test_expected_f_leaves_out_a_class_of_which_nothing_is_expected():
    assert expected_f(np.array([[1.0, 0.0], [1.0, 0.0]])) == 1


def test_f_difference_by_hand():
    # Class 0: both 2, alone 0 + 1. Class 1: both 1, alone 1 + 0.
    previous, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    expected = ((1 - 4 / 5) + (1 - 2 / 3)) / 2
    assert f_difference(previous, predicted) == pytest.approx(expected)
    assert f_difference(previous, previous) == 0


@pytest.mark.parametrize(("correct", "n"), [(0, 5), (5, 5), (3, 10), (160, 200)])
def test_the_interval_is_the_exact_one(correct, n):
    found = binomtest(correct, n).proportion_ci(0.95, method="exact")
    assert exact_interval(correct, n) == pytest.approx((found.low, found.high))


def test_the_interval_of_no_trial_says_nothing():
    assert exact_interval(0, 0) == (0, 1)


def test_the_slope_is_that_of_a_weighted_line():
    rng = np.random.default_rng(0)
    values, sizes = rng.uniform(0.3, 0.9, size=6), rng.integers(20, 200, size=6)
    shares = (values * sizes + 1) / (sizes + 2)
    weight = np.sqrt(sizes / (shares * (1 - shares)))
    (slope, _), covariance = np.polyfit(
        np.arange(6), values, 1, w=weight, cov="unscaled"
    )
    assert _slope(values, sizes) == pytest.approx((slope, covariance[0, 0] ** 0.5))


class TestStablePredictions:
    def test_fires_when_the_mean_of_the_window_reaches_the_threshold(self):
        same = [0, 1, 0, 1]
        stop = StablePredictions(window=2, floor=False)
        assert not after(stop, same, same).should_stop
        assert after(stop, same).should_stop
        assert not after(stop, [1, 1, 0, 1]).should_stop

    def test_stops_at_the_floor(self):
        stop = StablePredictions(window=1)
        known = {"floor": SeedFloor(0.5, 0.2)}
        assert after(stop, [0, 1, 0, 1], [0, 1, 0, 0], **known).should_stop
        assert stop.signs()[0]["values"] == [0.5]
        assert stop.signs()[0]["threshold"] == stop.signs()[0]["floor"] == 0.5

    def test_a_stop_set_of_another_size_begins_anew(self):
        stop = after(StablePredictions(window=1, floor=False), [0, 1], [0, 1, 1])
        assert stop.signs()[0]["values"] == [] and not stop.should_stop

    def test_wants_the_floor_when_it_could_stop_and_when_labels_have_grown(self):
        stop = StablePredictions(window=2)
        assert not stop.wants_floor(50)
        after(stop, [0, 1], [0, 1])
        assert stop.wants_floor(50)
        after(stop, [0, 1], floor=SeedFloor(0.8, 0.1))
        assert not stop.wants_floor(62) and stop.wants_floor(63)
        assert not clone(stop).set_params(floor=False).wants_floor(50)


def test_prediction_change_allows_what_two_seeds_differ_by():
    stop = after(PredictionChange(window=1), [0, 1, 0, 1], [0, 1, 0, 0])
    assert not stop.should_stop
    after(stop, [0, 1, 0, 1], floor=SeedFloor(0.5, 0.25))
    assert stop.should_stop


def test_expected_error_fires_at_the_threshold_and_without_gain():
    def sure(p):
        return Observation(50, proba=[[p, 1 - p]])

    assert ExpectedError(0.25).update(sure(0.75)).should_stop
    stop = ExpectedError(0.0, gain=0.05, window=1)
    assert not stop.update(sure(0.6)).update(sure(0.7)).should_stop
    assert stop.update(sure(0.72)).should_stop
    never = ExpectedError(0.0, gain=None, window=1)
    assert not never.update(sure(0.6)).update(sure(0.6)).should_stop


def test_predicted_f_converges():
    rng = np.random.default_rng(0)
    proba = random_proba(rng)
    stop = PredictedF(window=2)
    for _ in range(3):
        assert not stop.should_stop
        stop.update(Observation(50, proba=proba))
    assert stop.should_stop
    sharper = proba**2 / (proba**2).sum(axis=1, keepdims=True)
    assert not stop.update(Observation(50, proba=sharper)).should_stop


def test_predicted_f_differs():
    stop = PredictedF("difference", window=1)
    assert not after(stop, [0, 0, 1, 1], [0, 0, 0, 1]).should_stop
    assert after(stop, [0, 0, 0, 1]).should_stop


def test_a_target_is_reached_by_the_tests_together():
    stop = TestPlateau(0.8, window=2)
    stop.update(Observation(50, tested=(9, 10)))
    assert not stop.should_stop
    assert stop.update(Observation(50, tested=(7, 10))).should_stop
    assert not stop.update(Observation(50, tested=(5, 10))).should_stop


def test_a_test_without_rows_is_left_out():
    stop = TestPlateau(0.8, window=1).update(Observation(50, tested=(0, 0)))
    assert stop.signs()[0]["values"] == []


@pytest.mark.parametrize("criterion", CRITERIA, ids=repr)
class TestEveryCriterion:
    def test_its_state_is_json_and_leads_back(self, criterion):
        first, second = clone(criterion), clone(criterion)
        rng = np.random.default_rng(0)
        for _ in range(4):
            first.update(shown(rng))
        second.restore(json.loads(json.dumps(first.state())))
        assert second.state() == first.state()
        for _ in range(8):
            observation = shown(rng, 100)
            assert first.update(observation).should_stop is (
                second.update(observation).should_stop
            )
            assert first.signs() == second.signs()

    def test_nothing_seen_is_no_reason_to_stop(self, criterion):
        assert clone(criterion).should_stop is False

    def test_a_state_can_be_changed_without_harm(self, criterion):
        stop = clone(criterion).update(shown(np.random.default_rng(0)))
        before = stop.signs()
        stop.state().clear()
        for sign in stop.signs():
            sign["values"].append(7)
        assert stop.signs() == before

    def test_refuses_the_state_of_another(self, criterion):
        state = LabelBudget(7).state()
        with pytest.raises(InvalidInputError, match=r"Got one of 'LabelBudget\(n=7\)'"):
            clone(criterion).restore(state)


def test_an_observation_must_hold_what_is_read():
    with pytest.raises(InvalidInputError, match="needs an Observation with proba"):
        StablePredictions().update(Observation(50))
    with pytest.raises(InvalidInputError, match=r"Got shape \(0,\)"):
        StablePredictions().update(Observation(50, proba=[]))


@pytest.mark.parametrize(
    "tested", [(3, 2), (-1, 2), (1, 2, 3), (0.5, 2), [(1, 2), (3, 2)]]
)
def test_a_test_is_counts_of_rows(tested):
    with pytest.raises(InvalidInputError, match="number predicted rightly"):
        TestPlateau().update(Observation(50, tested=tested))


def test_several_tests_at_once_are_seen_one_by_one():
    one, all_at_once = TestPlateau(window=3), TestPlateau(window=3)
    tests = [(3, 10), (5, 10), (0, 0), (4, 8)]
    for tested in tests:
        one.update(Observation(50, tested=tested))
    all_at_once.update(Observation(50, tested=[])).update(Observation(50, tested=tests))
    assert one.signs() == all_at_once.signs()
    assert one.signs()[0]["values"] == [0.3, 0.5, 0.5]


def test_combinations():
    few, many = LabelBudget(10), LabelBudget(20)
    either, both = clone(few) | clone(many), clone(few) & clone(many)
    for stop in (either, both):
        stop.update(Observation(15))
    assert either.should_stop and not both.should_stop
    assert repr(either) == "(LabelBudget(n=10) | LabelBudget(n=20))"
    with pytest.raises(TypeError):
        few | 3
    with pytest.raises(TypeError):
        few & 3


def test_a_refused_observation_is_seen_by_no_part():
    stop = LabelBudget(10) | StablePredictions()
    with pytest.raises(InvalidInputError):
        stop.update(Observation(15))
    assert stop.first.signs()[0]["values"] == []


def test_the_seed_floor_is_between_two_seeds():
    X, y = make_data(200)
    learner = make_learner(random_state=3).fit(X[:60], y[:60])
    before = learner.predict_proba(X)
    floor = seed_floor(learner, X[60:])
    twin = make_learner(random_state=4).fit(X[:60], y[:60])
    assert floor.changed == (learner.predict(X[60:]) != twin.predict(X[60:])).mean()
    assert 0 < floor.changed < 1
    np.testing.assert_array_equal(learner.predict_proba(X), before)


def test_a_loop_observes_what_the_criterion_reads():
    X, y = make_data(120)
    learner = make_learner().fit(X[:20], y[:20])
    stop = StablePredictions(window=1) | LabelBudget(60)
    for first in (20, 40):
        stop.observe(learner, X)
        learner.teach(X[first : first + 20], y[first : first + 20])
    stop.observe(learner, X)
    assert stop.should_stop
    stable, budget = stop.signs()
    assert budget["values"] == [20, 40, 60] and len(stable["values"]) == 2
    assert stable["floor"] is not None


def test_nets_that_go_on_from_one_another_have_no_floor():
    """They agree far better than two seeds: the floor would stop at once."""
    X, y = make_data(120)
    found = {}
    for beginning in (False, True, "shrink-perturb"):
        learner = make_learner(warm_start=beginning).fit(X[:20], y[:20])
        stop = StablePredictions(window=1) | PredictionChange(window=1)
        for first in (20, 30):
            stop.observe(learner, X)
            learner.teach(X[first : first + 10], y[first : first + 10])
        stop.observe(learner, X)
        found[beginning] = [sign["floor"] is None for sign in stop.signs()]
        assert [sign["threshold"] for sign in stop.signs()] == (
            [0.99, 0.005] if beginning else [s["floor"] for s in stop.signs()]
        )
    assert found == {False: [False] * 2, True: [True] * 2, "shrink-perturb": [True] * 2}


@pytest.mark.parametrize("of_net", [None, [2, 0, 1]])
@pytest.mark.parametrize("classes", [None, [2, 0, 1]])
def test_the_twin_has_the_same_columns(of_net, classes):
    X, y = make_data(90)
    # Weights go by column: other columns make another net.
    weight = torch.tensor([5.0, 1.0, 0.2])
    net = make_net(classes=of_net, criterion__weight=weight)
    settings = {"net": net, "classes": classes}
    learner = make_learner(**settings).fit(X[:60], y[:60])
    floor = seed_floor(learner, X)
    twin = make_learner(**settings, random_state=1).fit(X[:60], y[:60])
    assert floor.changed == (learner.predict(X) != twin.predict(X)).mean()


def test_the_twin_knows_classes_that_have_no_label_any_more():
    X, y = make_data(90)
    names = np.array(["a", "b", "c"])[y]
    learner = make_learner().fit(X[:60], names[:60])
    learner.forget(np.flatnonzero(names[:60] == "c")).refit()
    assert 0 <= seed_floor(learner, X).changed <= 1


def test_every_criterion_is_exported_and_tested():
    exported = {
        value
        for name in stopping.__all__
        if isinstance(value := getattr(stopping, name), type)
        and issubclass(value, StoppingCriterion)
    }
    assert exported - {StoppingCriterion} <= {type(c) for c in CRITERIA}

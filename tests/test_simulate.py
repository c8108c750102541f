"""Algorithm 1 as a call."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadge import (
    ALBL,
    BADGE,
    ActiveLearner,
    KMeansSampling,
    RandomSampling,
    simulate,
)
from skbadge._simulate import Simulation
from skbadge.exceptions import InvalidInputError, LearnerNotFittedError
from skbadge.stopping import LabelBudget, StablePredictions
from tests._learning import (
    make_data,
    make_learner,
    make_net,
    make_strategies,
    same_weights,
    weights,
)

X, Y = make_data(90)
X_TEST, Y_TEST = make_data(30, seed=1)
SIZES = {"n_initial": 20, "n": 10, "X_test": X_TEST, "y_test": Y_TEST}


def run(learner, n_rounds=3, **settings):
    return simulate(learner, X, Y, n_rounds=n_rounds, **{**SIZES, **settings})


def test_the_table():
    learner = make_learner(BADGE())
    table = run(learner)
    assert table.columns.tolist() == [
        "round",
        "n_labeled",
        "accuracy",
        "fit_seconds",
        "embed_seconds",
        "select_seconds",
        "positions",
    ]
    assert table["round"].tolist() == [0, 1, 2, 3]
    assert table["n_labeled"].tolist() == [20, 30, 40, 50]
    assert table["accuracy"].between(0, 1).all()
    assert (table["fit_seconds"] > 0).all()
    assert table["embed_seconds"].isna().tolist() == [True, False, False, False]
    positions = np.concatenate(table["positions"].tolist())
    assert len(set(positions.tolist())) == 50
    assert not hasattr(learner, "estimator_")


def test_it_is_the_loop_written_out():
    table = run(make_learner(BADGE()))
    learner = make_learner(BADGE())
    first, *rest = table["positions"]
    learner.fit(X[first], Y[first])
    is_open = np.ones(90, dtype=bool)
    is_open[first] = False
    for row, positions in enumerate(rest, start=1):
        chosen = learner.query(X, n=10, candidates=is_open)
        assert_array_equal(chosen, positions)
        learner.teach(X[chosen], Y[chosen])
        is_open[chosen] = False
        assert learner.score(X_TEST, Y_TEST) == table["accuracy"][row]


def test_one_seed_one_table_and_the_same_start_for_all():
    tables = [
        run(make_learner(strategy), n_rounds=1)
        for strategy in (BADGE(), BADGE(), RandomSampling())
    ]
    for column in ("accuracy", "n_labeled"):
        assert_array_equal(tables[0][column], tables[1][column])
    assert_array_equal(tables[0]["positions"][1], tables[1]["positions"][1])
    assert_array_equal(tables[0]["positions"][0], tables[2]["positions"][0])
    assert tables[0]["accuracy"][0] == tables[2]["accuracy"][0]
    other = run(make_learner(BADGE(), random_state=1), n_rounds=0)
    assert not np.array_equal(other["positions"][0], tables[0]["positions"][0])


def test_it_ends_where_too_few_rows_are_left():
    table = run(make_learner(RandomSampling()), n_rounds=99, n=30)
    assert table["n_labeled"].tolist() == [20, 50, 80]
    assert run(make_learner(RandomSampling()), n_rounds=0)["round"].tolist() == [0]


def test_classes_that_come_later_have_their_column():
    rows = np.argsort(Y, kind="stable")
    names = np.array(["a", "bb", "ccc"])[Y]
    table = simulate(
        make_learner(RandomSampling()),
        X[rows],
        names[rows],
        n_rounds=2,
        n_initial=2,
        n=30,
        X_test=X_TEST,
        y_test=np.array(["a", "bb", "ccc"])[Y_TEST],
    )
    assert table["n_labeled"].tolist() == [2, 32, 62]


@pytest.mark.parametrize("piped", [False, True])
def test_classes_of_the_net_are_respected(piped):
    net = make_net(classes=["ccc", "a", "bb"])
    net = make_pipeline(StandardScaler(), net) if piped else net
    names = np.array(["a", "bb", "ccc"])
    simulation = Simulation(
        make_learner(net=net),
        X,
        names[Y],
        n_initial=20,
        n=10,
        X_test=X_TEST,
        y_test=names[Y_TEST],
    )
    simulation.start()
    learner = simulation.learner
    columns = learner.estimator_.predict_proba(X_TEST).argmax(axis=1)
    assert (learner.predict(X_TEST) == np.array(["ccc", "a", "bb"])[columns]).all()


def test_wider_nets_take_integers_as_columns():
    net = make_net(module__n_classes=5)
    simulation = Simulation(make_learner(net=net), X, Y, **SIZES)
    simulation.start()
    assert_array_equal(simulation.learner.classes_, np.arange(5))


def test_frames_and_series():
    frame, series = (
        pd.DataFrame(X, columns=list("abc")),
        pd.Series(Y, index=range(5, 95)),
    )
    plain = run(make_learner(BADGE()))
    table = simulate(
        make_learner(BADGE()),
        frame,
        series,
        n_rounds=3,
        n_initial=20,
        n=10,
        X_test=pd.DataFrame(X_TEST, columns=list("abc")),
        y_test=pd.Series(Y_TEST),
    )
    assert table["accuracy"].tolist() == plain["accuracy"].tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, r"n must be an int in \[1, 90\]. Got 0 instead."),
        ({"n": 91}, r"n must be an int in \[1, 90\]. Got 91 instead."),
        ({"n_initial": 0}, r"n_initial must be an int in \[1, 90\]. Got 0"),
        ({"n_initial": 2.0}, r"n_initial must be an int in \[1, 90\]. Got 2.0 of type"),
        ({"n_rounds": -1}, "n_rounds must be an int of at least 0. Got -1 instead."),
        ({"y_test": Y_TEST[:3]}, "X_test and y must have the same number of rows. Got"),
        ({"X_test": 3}, "X must be a NumPy array"),
    ],
)
def test_wrong_input_is_refused_before_any_training(settings, message, monkeypatch):
    learner = make_learner(net=make_net(module=None))
    with pytest.raises(InvalidInputError, match=message):
        run(learner, **settings)


def test_x_and_y_of_different_length():
    with pytest.raises(InvalidInputError, match="X and y must have the same number"):
        simulate(make_learner(), X, Y[:-1], n_rounds=1, **SIZES)


@pytest.mark.parametrize("name", make_strategies())
def test_a_state_written_down_goes_on_as_before(name):
    def make():
        return Simulation(make_learner(make_strategies()[name]), X, Y, **SIZES)

    whole = make()
    whole.start()
    whole.step()
    whole.step()
    state = json.loads(json.dumps(whole.state()))
    resumed = make()
    resumed.resume(state)
    assert same_weights(weights(resumed.learner), weights(whole.learner))
    for _ in range(2):
        first, second = whole.step(), resumed.step()
        assert_array_equal(first["positions"], second["positions"])
        assert first["accuracy"] == second["accuracy"]
    assert whole.state() == resumed.state()


def test_a_warm_start_cannot_be_resumed():
    simulation = Simulation(make_learner(ALBL(), warm_start=True), X, Y, **SIZES)
    simulation.start()
    simulation.resume(simulation.state())
    simulation.step()
    with pytest.raises(InvalidInputError, match="With warm_start=True the weights"):
        simulation.resume(simulation.state())


def test_first_rows_of_ones_own():
    table = run(make_learner(RandomSampling()), n_rounds=1, initial=[5, 1, 2, 3])
    assert_array_equal(table["positions"][0], [5, 1, 2, 3])
    assert table["n_labeled"].tolist() == [4, 14]
    for initial in ([], [1, 1], [90], [-1], [0.5]):
        with pytest.raises(InvalidInputError, match="initial must hold distinct"):
            run(make_learner(), initial=initial)


def test_first_rows_of_a_cold_start():
    first = KMeansSampling(features="input")
    table = run(make_learner(RandomSampling()), n_rounds=1, initial=first)
    chosen = make_learner(first).query(X, n=20)
    assert_array_equal(table["positions"][0], np.sort(chosen))
    with pytest.raises(LearnerNotFittedError, match="is not fitted yet"):
        run(make_learner(RandomSampling()), n_rounds=1, initial=BADGE())


def constant(learner, X, y):
    return len(learner.X_)


def test_scores_of_ones_own_are_columns():
    table = run(make_learner(), n_rounds=1, scoring=["balanced_accuracy", constant])
    assert table.columns.tolist()[2:6] == [
        "accuracy",
        "balanced_accuracy",
        "constant",
        "fit_seconds",
    ]
    assert table["constant"].tolist() == [20, 30]
    assert table["balanced_accuracy"].between(0, 1).all()
    named = run(make_learner(), n_rounds=0, scoring={"loss": "neg_log_loss"})
    assert (named["loss"] < 0).all()
    for scoring, message in [
        ("no such", "scoring must hold names of scikit-learn's scorers"),
        ({"round": "accuracy"}, r"must not name columns .* Got \['round'\]"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            run(make_learner(), scoring=scoring)


def test_scores_are_refused_before_the_first_training(monkeypatch):
    monkeypatch.setattr(ActiveLearner, "fit", lambda *_: pytest.fail("trained"))
    with pytest.raises(InvalidInputError, match="cannot be had of these labels"):
        run(make_learner(), n_rounds=0, scoring="recall")


def test_it_ends_where_a_criterion_says_so():
    stop = LabelBudget(40)
    table = run(make_learner(RandomSampling()), n_rounds=6, stop=stop)
    assert table["n_labeled"].tolist() == [20, 30, 40]
    assert not stop.should_stop
    table = run(
        make_learner(RandomSampling()),
        n_rounds=6,
        stop=lambda learner, record: record["round"] == 1,
    )
    assert table["round"].tolist() == [0, 1]
    stable = run(make_learner(RandomSampling()), n_rounds=2, stop=StablePredictions())
    assert len(stable) <= 3
    with pytest.raises(InvalidInputError, match="stop must be a criterion of"):
        run(make_learner(), stop=3)

"""Curves, budgets, areas and running times on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks.analysis._curves import (
    area_under_budget_curve,
    label_budgets,
    learning_curves,
    running_times,
)
from skbadge.exceptions import InvalidInputError
from tests import _oracles
from tests.benchmarks._tables import costs_of, curves, random_results


def budgets_of(curve, *, rule="paper", batch_size=100, n_repeats=2):
    results = curves({"rand": [curve] * n_repeats}, batch_size=batch_size)
    return label_budgets(results, rule=rule).iloc[0]


def rising(n0_round, n_rounds=20):
    """A curve that first reaches 99% of its final value in round ``n0_round``."""
    return np.where(np.arange(n_rounds) >= n0_round, 0.8, 0.5)


def test_learning_curves_by_hand():
    results = curves({"badge": [[0.1, 0.5], [0.3, 0.5], [0.2, 0.8]], "rand": [[0.1]]})
    table = learning_curves(results)
    assert list(table.columns) == [
        "dataset",
        "model",
        "batch_size",
        "strategy",
        "n_labeled",
        "mean",
        "standard_error",
        "n_repeats",
    ]
    assert table["strategy"].tolist() == ["badge", "badge", "rand"]
    assert table["n_labeled"].tolist() == [100, 200, 100]
    np.testing.assert_allclose(table["mean"], [0.2, 0.6, 0.1])
    # sd of (.1, .3, .2) is .1, of (.5, .5, .8) is sqrt(.03); both over sqrt(3).
    np.testing.assert_allclose(table["standard_error"], [0.1 / np.sqrt(3), 0.1, np.nan])
    assert table["n_repeats"].tolist() == [3, 3, 1]


@pytest.mark.parametrize(
    ("n0_round", "paper", "code"),
    [
        # By hand, for the code: 100, 200, 300, 500, 900, 1700 are looked at in turn,
        # and the first at which rand is done ends the list without joining it.
        (0, (), ()),
        (1, (), (100,)),
        (2, (200,), (100, 200)),
        (3, (200,), (100, 200, 300)),
        (4, (200, 300), (100, 200, 300)),
        (7, (200, 300), (100, 200, 300, 500)),
        (8, (200, 300, 500), (100, 200, 300, 500)),
        (16, (200, 300, 500, 900), (100, 200, 300, 500, 900)),
    ],
)
def test_budgets_of_both_rules(n0_round, paper, code):
    row = budgets_of(rising(n0_round))
    assert row["n0"] == 100 + 100 * n0_round
    assert row["budgets"] == paper
    assert row["n_budgets"] == len(paper)
    assert row["used"] == bool(paper)
    assert budgets_of(rising(n0_round), rule="code")["budgets"] == code


def test_budgets_follow_the_formula_with_the_logarithm():
    for n0_round in range(1, 20):
        top = int(np.floor(np.log2(n0_round)))
        expected = tuple(100 + 2 ** (i - 1) * 100 for i in range(1, top + 1))
        assert budgets_of(rising(n0_round))["budgets"] == expected


def test_n0_is_the_first_crossing_of_the_mean_over_repeats():
    # Means .1, .5, .8, .6, .8: crosses in round 2 although it falls back later.
    results = curves({"rand": [[0.1, 0.4, 0.9, 0.6, 0.8], [0.1, 0.6, 0.7, 0.6, 0.8]]})
    row = label_budgets(results).iloc[0]
    assert row["n0"] == 300
    assert row["n_initial"] == 100
    assert row["n_final"] == 500
    assert row["final_accuracy"] == pytest.approx(0.8)


def test_exactly_99_percent_counts_in_spite_of_rounding():
    # The mean of these is 0.9207 = 0.99 * 0.93, but for rounding of the product.
    reached = [0.9207, 0.9218, 0.9196]
    results = curves({"rand": [[0.1, 0.1, value, 0.93] for value in reached]})
    assert learning_curves(results)["mean"][2] < 0.99 * 0.93
    assert label_budgets(results).iloc[0]["n0"] == 300


def test_other_fraction():
    results = curves({"rand": [[0.1, 0.41, 0.6, 0.7, 0.8]]})
    assert label_budgets(results, fraction=0.5).iloc[0]["n0"] == 200


def test_setting_without_budget_says_why():
    row = budgets_of(rising(1))
    assert row["reason"] == (
        "'rand' reaches 99% of its final accuracy at 200 labels, fewer than 300 (two "
        "batches after the initial set)"
    )
    assert budgets_of(rising(4))["reason"] == ""


def test_setting_without_rand_drops_out():
    row = label_budgets(curves({"badge": [rising(8)] * 2})).iloc[0]
    assert not row["used"]
    assert pd.isna(row["n0"])
    assert row["reason"] == (
        "no results of 'rand' at all: no label count to measure its progress by"
    )


def test_only_counts_that_every_repeat_of_rand_reached():
    long, short = rising(8), rising(8)[:9]
    row = label_budgets(curves({"rand": [long, short]})).iloc[0]
    assert row["n_final"] == 900
    disjoint = curves({"rand": [long, short]})
    disjoint = disjoint[(disjoint["repeat"] == 0) ^ (disjoint["round"] < 9)]
    assert "reached by all its repeats" in label_budgets(disjoint).iloc[0]["reason"]


def test_budget_off_the_curve_is_left_out_and_named():
    results = curves({"rand": [rising(8)] * 2})
    row = label_budgets(results[results["n_labeled"] != 300]).iloc[0]
    assert row["budgets"] == (200, 500)
    assert row["n_budgets"] == 2
    assert row["used"]
    assert row["reason"] == "not a label count of 'rand', left out: 300"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rule", ["paper", "code"])
def test_budgets_against_the_oracle(seed, rule):
    results = random_results(seed)
    table = label_budgets(results, rule=rule)
    tree = _oracles.exact_accuracies(results.to_dict("records"))
    assert len(table) == len(tree)
    for row in table.to_dict("records"):
        setting = (row["dataset"], row["model"], row["batch_size"])
        expected = _oracles.exact_budgets(tree[setting], setting[2], rule)
        assert row["budgets"] == expected
    assert table["n_budgets"].max() > 1


def test_area_by_hand():
    results = curves({"badge": [[0.0, 1.0, 1.0], [0.0, 0.5, 1.0]]}, batch_size=50)
    row = area_under_budget_curve(results).iloc[0]
    # (0 + 1)/2 and (1 + 1)/2 over two equal steps: .75; (.25 + .75)/2: .5.
    assert row["mean"] == pytest.approx(0.625)
    assert row["standard_error"] == pytest.approx(0.125)
    assert (row["n_initial"], row["n_final"], row["n_repeats"]) == (100, 200, 2)


def test_area_uses_the_counts_that_all_cells_share():
    whole = {"rand": [[0.2, 0.4, 0.6]], "badge": [[0.2, 0.6, 0.9], [0.4, 0.4]]}
    table = area_under_budget_curve(curves(whole)).set_index("strategy")
    assert table.loc["rand", "mean"] == pytest.approx(0.3)
    assert table.loc["badge", "mean"] == pytest.approx(0.4)
    assert (table["n_final"] == 200).all()


def test_area_of_one_count_is_nan():
    row = area_under_budget_curve(curves({"rand": [[0.5]]})).iloc[0]
    assert np.isnan(row["mean"])
    disjoint = curves({"rand": [[0.5, 0.6], [0.5, 0.6]]})
    disjoint = disjoint[disjoint["repeat"] == disjoint["round"]]
    assert pd.isna(area_under_budget_curve(disjoint).iloc[0]["n_final"])


def test_running_times_by_round():
    results = curves({"badge": [[0.1, 0.2], [0.1, 0.2]]})
    table = running_times(costs_of(results))
    assert table["round"].tolist() == [0, 1]
    assert "n_labeled" not in table
    np.testing.assert_allclose(table["fit_seconds"], [2.05, 3.05])
    np.testing.assert_allclose(table["fit_seconds_se"], [0.05, 0.05])
    np.testing.assert_allclose(table["query_seconds"], [np.nan, 0.75])
    assert table["peak_memory_mb"].tolist() == [301, 301]
    assert table["n_repeats"].tolist() == [2, 2]


def test_running_times_carry_the_label_counts():
    results = curves({"badge": [[0.1, 0.2]]})
    costs = costs_of(results).assign(n_labeled=results["n_labeled"])
    assert running_times(costs)["n_labeled"].tolist() == [100, 200]


def test_total_running_times_sum_rounds_that_all_repeats_have():
    results = curves({"badge": [[0.1, 0.2, 0.3], [0.1, 0.2]], "badge-kdpp": [[0.1]]})
    table = running_times(costs_of(results), total=True).set_index("strategy")
    badge = table.loc["badge"]
    assert badge["n_rounds"] == 2
    # Repeat 0: 2 + 3 seconds; repeat 1: 2.1 + 3.1.
    assert badge["fit_seconds"] == pytest.approx(5.1)
    assert badge["fit_seconds_se"] == pytest.approx(0.1)
    assert badge["select_seconds"] == pytest.approx(0.5)
    assert np.isnan(table.loc["badge-kdpp", "select_seconds"])
    assert table.loc["badge-kdpp", "n_repeats"] == 1


@pytest.mark.parametrize(
    "function", [learning_curves, label_budgets, area_under_budget_curve]
)
def test_empty_table_gives_empty_table(function):
    empty = curves({"rand": [[0.1]]}).iloc[:0]
    assert len(function(empty)) == 0


def test_empty_costs():
    empty = costs_of(curves({"rand": [[0.1]]})).iloc[:0]
    assert len(running_times(empty)) == 0
    assert len(running_times(empty, total=True)) == 0


def test_input_is_not_changed():
    results = random_results(0)
    before = results.copy()
    learning_curves(results), label_budgets(results), area_under_budget_curve(results)
    pd.testing.assert_frame_equal(results, before)


def test_no_table():
    with pytest.raises(InvalidInputError) as error:
        learning_curves([1, 2])
    assert str(error.value) == "results must be a pandas DataFrame. Got list instead."


def test_missing_columns_are_named():
    results = curves({"rand": [[0.1]]}).drop(columns=["model", "accuracy"])
    with pytest.raises(InvalidInputError) as error:
        label_budgets(results)
    assert str(error.value) == (
        "results must have the columns dataset, model, batch_size, strategy, repeat, "
        "n_labeled, accuracy. Missing: model, accuracy."
    )


def test_repeated_rows_are_refused():
    results = curves({"rand": [[0.1]]})
    with pytest.raises(InvalidInputError, match=r"Got 1 more, the first for .*digits"):
        learning_curves(pd.concat([results, results]))


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_accuracy_outside_the_range(value):
    results = curves({"rand": [[0.1, 0.2]]})
    results.loc[1, "accuracy"] = value
    with pytest.raises(InvalidInputError) as error:
        learning_curves(results)
    assert str(error.value) == (
        "The column 'accuracy' must hold fractions in [0, 1]. Got "
        f"{value} in row 1 instead."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "Paper"}, "rule must be one of 'paper', 'code'. Got 'Paper'"),
        ({"fraction": 0}, r"fraction must be a number in \(0, 1\]. Got 0 instead"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(InvalidInputError, match=message):
        label_budgets(curves({"rand": [[0.1]]}), **options)

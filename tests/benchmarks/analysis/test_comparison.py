"""Penalty matrix and normalized errors: by hand, and against exact fractions."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks.analysis._comparison import (
    normalized_error_cdf,
    penalty_matrix,
    strategy_order,
)
from skbadge.exceptions import InvalidInputError
from tests import _oracles
from tests.benchmarks._tables import STRATEGIES, curves, random_results

# With these curves of rand, n0 is 300 and the only budget is 200 labels (round 1).
ROUNDS = 3


def one_budget(**accuracies):
    """Results whose only budget holds the given accuracies, one a repeat.

    The mean of ``rand`` must be below 0.89, so that it is not yet done there.
    """
    table = {}
    for strategy, values in accuracies.items():
        table[strategy.replace("_", "-")] = [[0.1, value, 0.9] for value in values]
    return curves(table)


def two_settings():
    first = one_budget(rand=[0.5] * 5, badge=[0.6] * 5, marg=[0.5] * 5)
    second = one_budget(rand=[0.5] * 5, badge=[0.5] * 5, marg=[0.4] * 5)
    return pd.concat([first, second.assign(dataset="svhn", model="resnet")])


def test_penalties_of_two_settings_by_hand():
    outcome = penalty_matrix(two_settings())
    expected = pd.DataFrame(
        [[0.0, 2.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        index=["badge", "marg", "rand"],
        columns=["badge", "marg", "rand"],
    )
    pd.testing.assert_frame_equal(outcome.matrix, expected)
    # Over all three rows, the zero of the diagonal included.
    assert outcome.column_mean.tolist() == pytest.approx([0, 1, 1 / 3])
    assert outcome.n_settings == 2
    assert outcome.to_frame().index.tolist() == ["badge", "marg", "rand", "mean"]
    assert len(outcome.comparisons) == 6
    assert outcome.left_out.empty
    assert outcome.dropped.empty


def test_row_beats_column_when_its_error_is_lower():
    matrix = penalty_matrix(one_budget(rand=[0.5] * 5, conf=[0.4] * 5)).matrix
    assert matrix.loc["rand", "conf"] == 1
    assert matrix.loc["conf", "rand"] == 0


def test_win_is_shared_among_the_budgets():
    # rand is done in round 8, so that the budgets are rounds 1, 2 and 4.
    rand = np.where(np.arange(10) >= 8, 0.9, 0.5)
    badge = rand.copy()
    badge[[2, 3]] += 0.1
    outcome = penalty_matrix(curves({"rand": [rand] * 3, "badge": [badge] * 3}))
    assert outcome.matrix.loc["badge", "rand"] == pytest.approx(1 / 3)
    assert outcome.comparisons["n_labeled"].tolist() == [200, 300, 500]
    assert outcome.comparisons["winner"].tolist() == ["", "badge", ""]
    assert outcome.n_settings == 1
    assert outcome.n_compared.loc["rand", "badge"] == pytest.approx(1)


def test_identical_errors_are_no_win():
    same = [0.3, 0.4, 0.5, 0.6, 0.7]
    outcome = penalty_matrix(one_budget(rand=same, badge=same))
    assert outcome.matrix.to_numpy().sum() == 0
    assert outcome.comparisons["statistic"].tolist() == [0.0]


def test_differences_that_cancel_are_no_win():
    outcome = penalty_matrix(one_budget(rand=[0.3, 0.4], badge=[0.4, 0.3]))
    assert outcome.matrix.to_numpy().sum() == 0


def test_zero_variance_with_a_difference_is_a_win():
    # The differences are 0.1 but for rounding.
    outcome = penalty_matrix(one_budget(rand=[0.2, 0.5, 0.7], badge=[0.3, 0.6, 0.8]))
    assert outcome.matrix.loc["badge", "rand"] == 1
    assert outcome.comparisons["statistic"].tolist() == [-np.inf]


@pytest.mark.parametrize(
    ("offset", "by_z", "by_t"), [(0.019, 0, 0), (0.021, 1, 0), (0.0310, 1, 1)]
)
def test_thresholds_for_five_repeats(offset, by_z, by_t):
    # Differences offset + (-.02, -.01, 0, .01, .02) * sqrt(2): sd = .02236, so that the
    # statistic is offset * 100: 1.9, 2.1 and 3.1 against 1.96 and 2.776.
    spread = np.array([-2, -1, 0, 1, 2]) * 0.01 * np.sqrt(2)
    results = one_budget(rand=[0.5] * 5, badge=0.5 + offset + spread)
    outcome = penalty_matrix(results, test="z")
    assert outcome.comparisons["statistic"].iloc[0] == pytest.approx(-100 * offset)
    assert outcome.matrix.loc["badge", "rand"] == by_z
    assert penalty_matrix(results, test="t").matrix.loc["badge", "rand"] == by_t


@pytest.mark.parametrize(("n", "quantile"), [(2, 12.706), (3, 4.303), (10, 2.262)])
def test_t_threshold_for_other_numbers_of_repeats(n, quantile):
    spread = np.linspace(-1, 1, n)
    spread *= 0.01 / spread.std(ddof=1)
    for factor, wins in ((0.999, 0), (1.001, 1)):
        offset = factor * quantile * 0.01 / np.sqrt(n)
        results = one_budget(rand=[0.5] * n, badge=0.5 + offset + spread)
        assert penalty_matrix(results, test="t").matrix.loc["badge", "rand"] == wins


def test_repeats_are_paired_by_number_not_by_position():
    results = one_budget(rand=[0.3, 0.5, 0.7], badge=[0.31, 0.51, 0.71])
    results.loc[results["strategy"] == "rand", "repeat"] += 1
    row = penalty_matrix(results).comparisons.iloc[0]
    # Repeats 1 and 2 are common: badge .51, .71 against rand .3, .5.
    assert row["n_repeats"] == 2
    assert row["mean_difference"] == pytest.approx(-0.21)


def test_missing_cells_are_left_out_and_listed():
    complete = one_budget(rand=[0.5] * 3, badge=[0.6] * 3, marg=[0.5] * 3)
    partial = one_budget(rand=[0.5] * 3, badge=[0.6]).assign(dataset="svhn")
    outcome = penalty_matrix(pd.concat([complete, partial]))
    assert outcome.n_settings == 2
    assert outcome.matrix.loc["badge", "rand"] == 1
    assert outcome.n_compared.loc["badge", "rand"] == 1
    assert outcome.n_compared.loc["badge", "marg"] == 1
    left_out = outcome.left_out[["dataset", "strategy", "versus", "reason"]]
    assert left_out.to_numpy().tolist() == [
        ["svhn", "badge", "marg", "0 common repeats, fewer than 2"],
        ["svhn", "badge", "rand", "1 common repeats, fewer than 2"],
        ["svhn", "marg", "rand", "0 common repeats, fewer than 2"],
    ]


def test_pair_never_compared_is_nan_and_not_a_zero():
    outcome = penalty_matrix(one_budget(rand=[0.5] * 3, badge=[0.6] * 3, conf=[0.7]))
    assert np.isnan(outcome.matrix.loc["conf", "rand"])
    assert np.isnan(outcome.column_mean["conf"])
    assert outcome.column_mean["rand"] == pytest.approx(0.5)


def test_kdpp_stays_out():
    kdpp = [0.8] * 3
    results = one_budget(rand=[0.5] * 3, badge=[0.6] * 3, badge_kdpp=kdpp)
    assert "badge-kdpp" in set(results["strategy"])
    assert penalty_matrix(results).matrix.columns.tolist() == ["badge", "rand"]
    assert set(normalized_error_cdf(results).curves["strategy"]) == {"badge", "rand"}


def test_dropped_settings_are_listed():
    quick = curves({"rand": [[0.5, 0.5, 0.5]] * 2}, dataset="easy")
    outcome = penalty_matrix(pd.concat([two_settings(), quick]))
    assert outcome.dropped["dataset"].tolist() == ["easy"]
    assert outcome.n_settings == 2


def test_by_splits_into_independent_matrices():
    results = two_settings()
    by_model = penalty_matrix(results, by="model")
    assert list(by_model) == ["mlp", "resnet"]
    assert by_model["mlp"].matrix.loc["badge", "rand"] == 1
    assert by_model["resnet"].matrix.loc["badge", "rand"] == 0
    assert list(penalty_matrix(results, by="batch_size")) == [100]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("test", ["z", "t"])
@pytest.mark.parametrize("rule", ["paper", "code"])
def test_penalties_against_the_oracle(seed, test, rule):
    results = random_results(seed)
    quantiles = {2: "12.7062", 3: "4.3027", 4: "3.1824", 5: "2.7764"}
    expected = _oracles.exact_penalty_matrix(
        results.to_dict("records"),
        threshold=lambda n: Fraction("1.96" if test == "z" else quantiles[n]),
        rule=rule,
    )
    matrix = penalty_matrix(results, test=test, rule=rule).matrix
    assert set(matrix.index) == set(STRATEGIES)
    assert sum(expected.values()) > 3
    for i in STRATEGIES:
        for j in STRATEGIES:
            assert matrix.loc[i, j] == pytest.approx(float(expected.get((i, j), 0)))


@pytest.mark.parametrize("seed", range(3))
def test_groups_add_up_to_the_whole(seed):
    results = random_results(seed, missing=0)
    whole = penalty_matrix(results)
    for by in ("batch_size", "model"):
        parts = penalty_matrix(results, by=by).values()
        total = sum(part.matrix.fillna(0) for part in parts)
        pd.testing.assert_frame_equal(total, whole.matrix)
        assert sum(part.n_settings for part in parts) == whole.n_settings


def test_cdf_by_hand():
    # Errors at the budget: rand .5, badge .4 and .25 (mean over the two settings' own).
    first = one_budget(rand=[0.4, 0.6], badge=[0.5, 0.7])
    second = one_budget(rand=[0.5, 0.5], badge=[0.75, 0.75]).assign(dataset="svhn")
    outcome = normalized_error_cdf(pd.concat([first, second]))
    badge = outcome.curves[outcome.curves["strategy"] == "badge"]
    np.testing.assert_allclose(badge["normalized_error"], [0.5, 0.8])
    np.testing.assert_allclose(badge["cumulative_weight"], [1, 2])
    np.testing.assert_allclose(badge["fraction"], [0.5, 1])
    rand = outcome.curves[outcome.curves["strategy"] == "rand"]
    assert rand.iloc[:, 1:].to_numpy().tolist() == [[1.0, 2.0, 1.0]]
    assert outcome.n_settings == 2


def test_cdf_weights_budgets_within_a_setting():
    rand = np.where(np.arange(10) >= 8, 0.9, 0.5)
    badge = rand.copy()
    badge[2] = 0.75
    outcome = normalized_error_cdf(curves({"rand": [rand] * 2, "badge": [badge] * 2}))
    mine = outcome.curves[outcome.curves["strategy"] == "badge"]
    np.testing.assert_allclose(mine["normalized_error"], [0.5, 1.0])
    np.testing.assert_allclose(mine["cumulative_weight"], [1 / 3, 1.0])


def test_cdf_averages_the_repeats_shared_with_rand():
    results = one_budget(rand=[0.2, 0.5, 0.5], badge=[0.75, 0.75, 0.75])
    gone = (results["strategy"] == "badge") & (results["repeat"] == 0)
    points = normalized_error_cdf(results[~gone]).points.set_index("strategy")
    assert points.loc["badge", "normalized_error"] == pytest.approx(0.5)
    assert points["n_repeats"].to_dict() == {"badge": 2, "rand": 3}


def test_cdf_leaves_out_and_says_so():
    # At 200 labels rand makes no errors in the two repeats that badge has as well.
    perfect = [[0.1, 1.0, 1.0]] * 2
    perfect = curves(
        {"rand": [*perfect, [0.1, 0.1, 1.0]], "badge": perfect}, dataset="easy"
    )
    perfect = perfect[(perfect["strategy"] == "rand") | (perfect["n_labeled"] > 100)]
    partial = one_budget(rand=[0.5] * 2, badge=[0.6])
    outcome = normalized_error_cdf(pd.concat([perfect, partial]), rule="code")
    reasons = outcome.left_out.groupby("dataset")["reason"].unique()
    assert "1 common repeats, fewer than 2" in reasons["digits"]
    assert "'rand' makes no errors to divide by" in reasons["easy"]
    assert "badge" not in set(outcome.curves["strategy"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rule", ["paper", "code"])
def test_cdf_against_the_oracle(seed, rule):
    results = random_results(seed)
    expected = _oracles.exact_normalized_errors(results.to_dict("records"), rule=rule)
    curves_ = normalized_error_cdf(results, rule=rule).curves
    assert set(curves_["strategy"]) == set(expected)
    for name, pairs in expected.items():
        mine = curves_[curves_["strategy"] == name]
        steps = sorted({float(ratio) for ratio, _ in pairs})
        np.testing.assert_allclose(mine["normalized_error"], steps)
        for step, cumulative in zip(steps, mine["cumulative_weight"], strict=True):
            weight = sum(w for ratio, w in pairs if float(ratio) <= step)
            assert cumulative == pytest.approx(float(weight))
        total = float(sum(w for _, w in pairs))
        np.testing.assert_allclose(mine["fraction"], mine["cumulative_weight"] / total)


def test_cdf_by_batch_size():
    parts = normalized_error_cdf(random_results(1), by="batch_size")
    assert sorted(parts) == [100, 1000, 10000]


@pytest.mark.parametrize("function", [penalty_matrix, normalized_error_cdf])
def test_without_rand_or_without_rows(function):
    results = curves({"badge": [[0.1, 0.5]] * 2, "marg": [[0.1, 0.5]] * 2})
    outcome = function(results)
    assert outcome.n_settings == 0
    assert len(outcome.dropped) == 1
    assert outcome.left_out.empty
    assert function(results.iloc[:0]).n_settings == 0
    assert function(results.iloc[:0], by="model") == {}


def test_single_strategy():
    outcome = penalty_matrix(one_budget(rand=[0.5] * 3))
    assert outcome.matrix.shape == (1, 1)
    assert np.isnan(outcome.column_mean["rand"])


def test_order_of_the_paper_then_by_name():
    names = ["rand", "mine", "badge-kdpp", "albl", "badge", "another"]
    assert strategy_order(names) == [
        "badge",
        "badge-kdpp",
        "albl",
        "rand",
        "another",
        "mine",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": "wilcoxon"}, "test must be one of 'z', 't'. Got 'wilcoxon' instead."),
        (
            {"by": "dataset"},
            "by must be one of 'batch_size', 'model' or None. Got 'dataset' instead.",
        ),
        ({"rule": "mine"}, "rule must be one of 'paper', 'code'. Got 'mine' instead."),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(InvalidInputError) as error:
        penalty_matrix(two_settings(), **options)
    assert str(error.value) == message


def test_another_score_takes_the_place_of_the_accuracy():
    results = one_budget(rand=[0.5] * 3, badge=[0.6] * 3)
    other = results.rename(columns={"accuracy": "f1"}).assign(accuracy=0.5)
    pd.testing.assert_frame_equal(
        penalty_matrix(other, metric="f1").matrix, penalty_matrix(results).matrix
    )
    pd.testing.assert_frame_equal(
        normalized_error_cdf(other, metric="f1").curves,
        normalized_error_cdf(results).curves,
    )


def test_a_negative_loss_is_its_own_error():
    loss = one_budget(rand=[0.5] * 3, badge=[0.6] * 3)
    loss = loss.assign(neg_log_loss=loss["accuracy"] - 1).drop(columns="accuracy")
    points = normalized_error_cdf(loss, metric="neg_log_loss").points
    errors = points.set_index("strategy")["error"]
    assert errors.to_dict() == pytest.approx({"badge": 0.4, "rand": 0.5})
    assert penalty_matrix(loss, metric="neg_log_loss").matrix.loc["badge", "rand"] == 1

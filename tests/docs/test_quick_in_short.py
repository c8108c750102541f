"""The sentences "In short" of the quick study, held against the committed files."""

from pathlib import Path

import pandas as pd
import pytest

from skbadge.benchmarks import (
    area_under_budget_curve,
    label_budgets,
    penalty_matrix,
    preset_cells,
)
from skbadge.benchmarks.run._grid import load_grid

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "results" / "quick"
SETTING = ["dataset", "batch_size"]
HARDER = ("kropt", "random_rbf")


@pytest.fixture(scope="module")
def page():
    path = ROOT / "docs" / "user_guide" / "quick_study.rst"
    return " ".join(path.read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def results():
    return pd.read_csv(FOLDER / "results.csv")


@pytest.fixture(scope="module")
def areas(results):
    """Mean accuracy over all label counts: settings in rows, strategies in columns."""
    table = area_under_budget_curve(results)
    return table.pivot(index=SETTING, columns="strategy", values="mean")


@pytest.fixture(scope="module")
def places(areas):
    """The place of each of the seven, 1 for the best."""
    return areas.drop(columns="badge-kdpp").rank(axis=1, ascending=False)


def test_what_was_run_is_the_preset(page):
    assert "benchmark --preset quick --out benchmarks/results/quick" in page
    there, planned = load_grid(FOLDER).cells(), preset_cells("quick")
    by_key = {tuple(cell.key.values()): cell.settings() for cell in there}
    assert by_key == {tuple(cell.key.values()): cell.settings() for cell in planned}


def test_badge_is_beaten_least(page, results, places):
    assert "it has the lowest column mean of the penalty matrix, by either test" in page
    for test in ("z", "t"):
        assert penalty_matrix(results, test=test).column_mean.idxmin() == "badge"
    assert "among the first three of the seven in every setting, which no other" in page
    assert places.columns[(places <= 3).all()].tolist() == ["badge"]
    assert "No strategy is beaten less often than BADGE at either size" in page
    for matrix in penalty_matrix(results, by="batch_size").values():
        assert matrix.column_mean["badge"] == matrix.column_mean.min()


def test_margin_sampling(page, results):
    assert "in batches of 100 margin sampling is as good as BADGE" in page
    small, large = penalty_matrix(results, by="batch_size").values()
    assert small.column_mean["marg"] == small.column_mean["badge"]
    assert "random sampling beats it at every label count that is compared" in page
    assert large.matrix.loc["rand", "marg"] == large.n_settings == 2
    assert large.matrix.loc["marg", "rand"] == 0
    assert "of batches of 1,000 rests on three label counts in two settings" in page
    budgets = label_budgets(results).query("batch_size == 1_000")
    assert budgets["n_budgets"].sum() == 3 and len(budgets) == 2


def test_core_set(page, areas, places):
    assert "On kropt it is the best of all at either batch size" in page
    assert set(places.loc["kropt", "coreset"]) == {1}
    assert "on RandomRBF it is the worst at either" in page
    assert set(places.loc["random_rbf", "coreset"]) == {7}
    gains = areas.sub(areas["rand"], axis=0)
    assert "so do both of our settings there" in page
    assert (gains.loc["random_rbf", "coreset"] < 0).all()
    assert "no strategy but core-set gains much over random sampling" in page
    others = gains.loc["kropt"].drop(columns="coreset")
    assert (others.max(axis=1) < 0.5 * gains.loc["kropt", "coreset"]).all()


def test_uncertainty_alone(page, areas):
    assert "are below random sampling on both harder data sets, at either batch" in page
    for name in HARDER:
        for strategy in ("conf", "entropy"):
            assert (areas.loc[name, strategy] < areas.loc[name, "rand"]).all()


def test_the_k_dpp(page, results):
    wide = results[results["strategy"].isin(["badge", "badge-kdpp"])].pivot(
        index=[*SETTING, "repeat", "n_labeled"], columns="strategy", values="accuracy"
    )
    gaps = (wide["badge"] - wide["badge-kdpp"]).dropna().groupby([*SETTING, "repeat"])
    runs = gaps.mean().groupby(SETTING).agg(["mean", "sem", "size"]).reset_index()
    assert "to within the noise of five repeats in batches of 100" in page
    small = runs.query("batch_size == 100")
    assert set(small["size"]) == {5} and (small["mean"].abs() < small["sem"]).all()
    assert "in batches of 1,000 the k-DPP ran once" in page
    assert set(runs.query("batch_size == 1_000")["size"]) == {1}
    costs = pd.read_csv(FOLDER / "costs.csv")
    seconds = costs.groupby([*SETTING, "strategy"])["select_seconds"].median()
    ratio = seconds.unstack().eval("`badge-kdpp` / badge").unstack()
    assert "several times as long in batches of 100, and dozens to hundreds" in page
    assert ratio[100].between(3, 15).all()
    assert ratio[1_000].dropna().between(24, 900).all()


def test_trainings_at_the_cap(page, results):
    assert "on kropt four of five trainings end at the cap of 300 epochs" in page
    assert results.query("dataset == 'kropt'")["hit_max_epochs"].mean().round(1) == 0.8
    assert results["epochs"].max() == 300

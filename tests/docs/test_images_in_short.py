"""What the page of the image study judges is what the committed files say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skbadge.benchmarks import chance_matrix, label_budgets, penalty_matrix

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "user_guide" / "images_study.rst"
RESULTS = ROOT / "benchmarks" / "results" / "images" / "results.csv"


class TestInShort:
    """Each sentence is on the page, and holds of the committed files."""

    SIZES = (100, 1_000, 10_000)

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls):
        return pd.read_csv(RESULTS, usecols=lambda name: name != "positions")

    @pytest.fixture(scope="class")
    @classmethod
    def areas(cls, results):
        """Mean accuracy over label counts, by the trapezoids, in points."""
        keys = ["model", "batch_size", "strategy", "repeat"]
        return (
            results.sort_values("n_labeled")
            .groupby(keys)
            .apply(
                lambda cell: (
                    100
                    * np.trapezoid(cell["accuracy"], cell["n_labeled"])
                    / np.ptp(cell["n_labeled"])
                ),
                include_groups=False,
            )
            .unstack("strategy")
        )

    @pytest.fixture(scope="class")
    @classmethod
    def places(cls, areas):
        means = areas.groupby(level=["model", "batch_size"]).mean()
        return means.rank(axis=1, ascending=False)

    @pytest.fixture(scope="class")
    @classmethod
    def errors_ahead(cls, areas):
        """Say by how many standard errors one is ahead of another in a setting."""

        def compute(first, second, model, size):
            gap = (areas[first] - areas[second]).loc[model, size]
            return gap.mean() / gap.sem()

        return compute

    def holds(self, facts):
        page = " ".join(PAGE.read_text(encoding="utf-8").split())
        for sentence, fact in facts.items():
            assert sentence in page
            assert fact, sentence

    def test_the_penalty_matrix(self, results):
        means = penalty_matrix(results).column_mean
        beyond = means > chance_matrix(results).high
        mlp = results[results["model"] == "mlp"]
        strict = penalty_matrix(mlp, test="t").column_mean
        budgets = label_budgets(results).set_index(["model", "batch_size"])["budgets"]
        first = ["badge", "marg", "rand"]
        self.holds(
            {
                "it has the lowest column mean": means.idxmin() == "badge",
                "BADGE, margin sampling and random sampling are all in the range that "
                "chance gives": not beyond[first].any(),
                "only those of the other four are above it": (
                    beyond.drop(first).all() and len(beyond) == 7
                ),
                "neither loses to any strategy by the stricter test": (
                    (strict[["badge", "marg"]] == 0).all()
                ),
                "have one label count each at which the strategies are compared, or "
                "none": [len(found) for found in budgets["resnet"]] == [1, 1, 0],
            }
        )
        # What 1.96 is worth with the three repeats that all have.
        assert set(results.groupby("strategy")["repeat"].nunique()) == {3}
        assert 2 * stats.t.sf(1.96, 2) == pytest.approx(0.19, abs=0.005)

    def test_the_mlp(self, results, places, errors_ahead):
        mlp = places.loc["mlp"]
        curves = results[(results["model"] == "mlp") & (results["round"] > 0)]
        means = curves.pivot_table("accuracy", ["batch_size", "n_labeled"], "strategy")
        large = means.loc[10_000]
        behind = means["marg"] - means["badge"]
        pair = curves[curves["n_labeled"] == 1_100].pivot(
            index=["batch_size", "repeat"], columns="strategy", values="accuracy"
        )
        gaps = (pair["marg"] - pair["badge"]).groupby(level=0)
        shared = behind.xs(1_100, level="n_labeled")
        self.holds(
            {
                "they are the first two of the seven in batches of every size": (
                    (mlp[["badge", "marg"]].max(axis=1) == 2).all()
                ),
                "it is the last of the seven in batches of every size": (
                    (mlp["coreset"] == 7).all()
                ),
                "BADGE is, but ALBL and core-set are below random sampling at both "
                "label counts": (
                    len(large) == 2
                    and mlp.loc[10_000, "badge"] == 1
                    and (large[["albl", "coreset"]].max(axis=1) < large["rand"]).all()
                ),
                "margin sampling is second": mlp.loc[10_000, "marg"] == 2,
                "BADGE is behind it in batches of 100 and ahead of it in batches of "
                "10,000": errors_ahead("badge", "marg", "mlp", 100)
                < 0
                < errors_ahead("badge", "marg", "mlp", 10_000),
                "BADGE is behind by the same, to within one standard error": (
                    list(shared.index) == [100, 1_000]
                    and (shared > 0).all()
                    and abs(shared.diff().iloc[1]) < gaps.sem().min()
                ),
            }
        )

    def test_the_residual_network(self, results, areas, places, errors_ahead):
        resnet = areas.loc["resnet"]
        means = resnet.groupby(level=0).mean()
        ahead = means.sub(means["rand"], axis=0)
        by = {
            size: {
                name: errors_ahead(name, "rand", "resnet", size)
                for name in ("badge", "coreset", "albl")
            }
            for size in self.SIZES
        }
        first = places.loc["resnet"]
        start = results.query("model == 'resnet' and round == 0")["accuracy"]
        self.holds(
            {
                "it is below random sampling in batches of every size, in each of the "
                "repeats": (resnet["marg"] < resnet["rand"]).all(),
                "It is ahead of margin sampling in batches of every size": (
                    (means["coreset"] > means["marg"]).all()
                ),
                "it is below it in batches of 1,000 and level with it in batches of "
                "10,000": by[1_000]["coreset"] < -2 and abs(by[10_000]["coreset"]) < 1,
                "the lead is within the noise": 0 < by[100]["coreset"] < 2,
                "BADGE is first and core-set second there, and ALBL is below": (
                    list(first.loc[10_000, ["badge", "coreset"]]) == [1, 2]
                    and ahead.loc[10_000, "albl"] < 0
                ),
                "none of them by as much as two standard errors": (
                    max(map(abs, by[10_000].values())) < 2
                ),
                "it is the best of all in batches of 1,000 and of 10,000, by less than "
                "two standard errors, and below random sampling in batches of 100": (
                    (first.loc[[1_000, 10_000], "badge"] == 1).all()
                    and max(by[size]["badge"] for size in self.SIZES) < 2
                    and by[100]["badge"] < 0
                ),
                "hardly better than guessing": start.max() < 0.15,
            }
        )

    def test_gains_on_margin_sampling(self, areas):
        gaps = areas[["badge", "coreset"]].sub(areas["marg"], axis=0)
        gaps = gaps.groupby(level=["model", "batch_size"]).mean()
        coreset = gaps.loc["mlp", "coreset"]
        self.holds(
            {
                "core-set loses less to it the larger the batch": (
                    coreset.is_monotonic_increasing and coreset.max() < 0
                ),
                "neither of them gains steadily": not any(
                    gaps.loc["resnet", name].is_monotonic_increasing for name in gaps
                ),
            }
        )

    def test_trainings_at_the_cap(self, results):
        settings = results.groupby(["model", "batch_size"])
        later = results[results["round"] > 0].groupby(["model", "batch_size"])
        capped = later["hit_max_epochs"].mean()
        rounds = settings["round"].max()
        first = results[results["round"] == 0]["hit_max_epochs"]
        self.holds(
            {
                "in batches of 10,000 every training but the first ended at the cap": (
                    capped["resnet", 10_000] == 1 and (capped.sum() == 1)
                ),
                "which was trained to the end": not first.any(),
                "where two batches were asked for": rounds["resnet", 100] == 2,
                "it was asked once": rounds["resnet", 10_000] == 1,
            }
        )

    def test_beside_what_was_published(self, areas):
        mlp = areas.loc["mlp", 1_000]
        gains = mlp.sub(mlp["rand"], axis=0)
        published = {"marg": 87.2 - 85.5, "coreset": 86.9 - 85.5, "badge": 87.1 - 85.5}
        alike = [
            abs(gains[name].mean() - published[name]) < 2 * gains[name].sem() + 0.1
            for name in ("badge", "marg")
        ]
        self.holds(
            {
                "BADGE and margin sampling gain as much over random sampling here as "
                "there": all(alike),
                "with our MLP it loses": gains["coreset"].max() < 0,
            }
        )

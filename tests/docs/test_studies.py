"""Pages about studies say what the studies' files say."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks import preset_cells

DOCS = Path(__file__).resolve().parents[2] / "docs"


class TestStudyPages:
    """Every table and picture of the quick study, from made-up results."""

    @pytest.fixture
    def folder(self, tmp_path):
        generator = np.random.default_rng(0)
        rows = []
        strategies = ("badge", "marg", "coreset", "rand", "badge-kdpp")
        for dataset, size in (("digits", 100), ("kropt", 100), ("kropt", 1000)):
            for strategy in strategies:
                for repeat in range(
                    3 if (strategy, size) != ("badge-kdpp", 1000) else 1
                ):
                    for turn in range(6):
                        accuracy = 0.4 + 0.1 * turn - 0.02 * (strategy == "rand")
                        rows.append(
                            {
                                "dataset": dataset,
                                "model": "mlp",
                                "batch_size": size,
                                "strategy": strategy,
                                "repeat": repeat,
                                "round": turn,
                                "n_labeled": 100 + size * turn,
                                "accuracy": accuracy - 0.01 * generator.random(),
                                "hit_max_epochs": turn > 3,
                            }
                        )
        results = pd.DataFrame(rows)
        results.to_csv(tmp_path / "results.csv", index=False)
        costs = results.drop(columns=["accuracy"])
        for name in ("fit_seconds", "embed_seconds", "select_seconds"):
            costs[name] = generator.random(len(costs))
        costs.assign(peak_memory_mb=100.0).to_csv(tmp_path / "costs.csv", index=False)
        return tmp_path

    @pytest.fixture
    def study(self, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("study")
        for name in ("study", "speed"):
            sys.modules.pop(name, None)

    @pytest.mark.parametrize("name", ["curves", "penalty", "chance", "cdf"])
    def test_pictures(self, study, folder, name, tmp_path):
        getattr(study, name)(folder).savefig(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000

    @pytest.mark.parametrize(
        ("name", "n_rows"),
        [
            ("scope", 3),
            ("areas", 3),
            ("budgets", 3),
            ("penalty_means", 2),
            ("kdpp", 3),
            ("kdpp_times", 3),
            ("times", 3),
            ("claims", 6),
            ("capped", 3),
            ("published", 8 + 3),
        ],
    )
    def test_tables(self, study, folder, name, n_rows):
        assert len(getattr(study, name)(folder)) == n_rows

    def test_a_comparison_of_samplers_uses_the_repeats_of_both(self, study, folder):
        assert study.kdpp(folder)["repeats"].tolist() == [3, 3, 1]

    def test_the_first_training_does_not_hide_the_cap(self, study, folder):
        table = study.capped(folder)
        assert set(table["ended at the cap"]) == {"33%"}
        assert set(table["after round 0"]) == {"40%"}

    def test_the_page_says_which_trainings_the_committed_files_saw_capped(self, study):
        table = study.capped(DOCS.parent / "benchmarks" / "results" / "quick")
        after = table.set_index(["data", "batch"])["after round 0"]
        page = (DOCS / "user_guide" / "quick_study.rst").read_text(encoding="utf-8")
        assert "On kropt in batches of 1,000 every training but the first" in page
        assert after["kropt", 1_000] == "100%"

    def test_deviations_are_those_of_the_preset(self, study):
        assert "k-DPP" in study.deviations()


class TestFieldPages:
    """Every table and picture of the field study, from made-up results."""

    # Strategies by how many points they are above random sampling.
    LEVELS = {  # noqa: RUF012
        **dict.fromkeys(("badge", "marg", "dropquery", "coreset", "typiclust"), 2.0),
        **{"uherding": 9.0, "bait": 5.0, "alphamix": 3.0, "maxherding": 1.0},
        **{"rand": 0.0, "entropy": -3.0},
    }

    @pytest.fixture
    def folder(self, tmp_path):
        generator = np.random.default_rng(0)
        settings = [
            ("features", "linear", 10),
            ("features", "linear", 100),
            ("digits", "mlp", 10),
            ("digits", "mlp", 100),
            ("pictures", "convnet", 100),
        ]
        rows = [
            {
                "dataset": dataset,
                "model": model,
                "batch_size": size,
                "strategy": strategy,
                "repeat": repeat,
                "round": turn,
                "n_labeled": 100 + size * turn,
                "accuracy": 0.4
                + 0.03 * turn
                + 0.01 * (level if turn else 0)
                + 0.001 * generator.random(),
                "hit_max_epochs": turn > 3,
            }
            for dataset, model, size in settings
            for strategy, level in self.LEVELS.items()
            if (model, strategy) != ("convnet", "bait")
            for repeat in range(3)
            for turn in range(7)
        ]
        results = pd.DataFrame(rows)
        results.to_csv(tmp_path / "results.csv", index=False)
        costs = results.drop(columns=["accuracy"])
        for name in ("fit_seconds", "embed_seconds", "select_seconds"):
            costs[name] = 2.0
            if name != "fit_seconds":
                costs.loc[costs["round"] == 0, name] = np.nan
        costs.assign(peak_memory_mb=100.0).to_csv(tmp_path / "costs.csv", index=False)
        return tmp_path

    @pytest.fixture
    def field(self, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("field")
        for name in ("field", "study", "speed"):
            sys.modules.pop(name, None)

    @pytest.fixture
    def published(self, field):
        yield importlib.import_module("published")
        sys.modules.pop("published", None)

    @pytest.mark.parametrize("name", ["front", "curves", "penalty", "chance"])
    def test_pictures(self, field, folder, name, tmp_path):
        getattr(field, name)(folder).savefig(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000

    @pytest.mark.parametrize(
        ("name", "n_rows"),
        [
            ("scope", 5),
            ("capped", 5),
            ("ranks_low", 11),
            ("ranks_high", 11),
            ("ranks_convnet", 10),
            ("gains", 11),
            ("best", 4),
            ("times", 11),
        ],
    )
    def test_tables(self, field, folder, name, n_rows):
        assert len(getattr(field, name)(folder)) == n_rows

    @pytest.mark.parametrize(
        ("name", "n_rows"), [("boss", 8), ("refine", 14), ("claims", 10)]
    )
    def test_tables_beside_papers(self, published, folder, name, n_rows):
        assert len(getattr(published, name)(folder)) == n_rows

    def test_the_best_is_named_and_what_is_below_random_sampling(self, field, folder):
        table = field.best(folder)
        assert (table["below random sampling"] == "ENTROPY").all()
        first = [text.split(" ")[0] for text in table.iloc[:, 2]]
        assert first == ["UHerding"] * 4
        assert "**UHerding, BAIT, AlphaMix**" in field.advice(folder)
        assert "(rank 1.0 of 11 there)" in field.advice(folder)

    def test_numbers_of_the_tables(self, field, published, folder):
        ranks = field.ranks_low(folder)
        assert ranks["strategy"].tolist()[:2] == ["UHerding", "BAIT"]
        assert ranks["last"].tolist()[0] == "1.0 / +9.0"
        refine = published.refine(folder)
        assert (refine.iloc[0, 2:] == "1.00").all()
        # Refine is none of the strategies made up here.
        assert (refine.iloc[-3:, 2:] == "not run").all(axis=None)
        assert published.pairs(folder, "refine")[0] == "not run"
        # Two seconds to embed and two to select in each query.
        assert set(field.times(folder).iloc[:, 1]) == {"4"}
        assert "Training took 38 minutes, choosing 65" in field.total_time(folder)

    def test_the_guide_says_what_the_committed_files_say(self, field):
        folder = DOCS.parent / "benchmarks" / "results" / "field"
        guide = (DOCS / "user_guide" / "strategies.rst").read_text(encoding="utf-8")
        situations = list(field.situations(folder))
        ranks = [field.means_of(here, 1).droplevel("part") for _, _, here in situations]
        mean = sum(found["rank"] for found in ranks) / len(ranks)
        assert mean.idxmin() == "uherding"
        assert "take :class:`~skbadge.UHerding`" in guide
        # Of what costs no more than a sort, margin sampling is best.
        assert mean[["marg", "conf", "entropy", "power-marg"]].idxmin() == "marg"
        first = [set(found["rank"].sort_values().index[:5]) for found in ranks]
        assert set.intersection(*first) == {"uherding", "refine"}
        assert "first five in each of the four, and so is :class:`~skbadge.Ref" in guide
        # BAIT is the best on frozen features with more labels, and far from it on
        # trained nets.
        bait = [found["rank"].rank()["bait"] for found in ranks]
        assert bait[1] == 1 and 8 < bait[0] < 12 < min(bait[2:])
        assert "it is the first there in batches of ten labels a class, and in" in guide
        # What falls furthest below random sampling asks for the longest rows.
        table = field.outliers(folder)
        shares = table.iloc[:, 1].str.rstrip("%").astype(int)
        gains = table.iloc[:, 2].astype(float)
        assert shares[gains.nsmallest(4).index].min() > 90
        text = (folder / "settings.json").read_text(encoding="utf-8")
        assert json.loads(text)["shared"]["data_dir"] == ""

    def test_arms_are_counted_third_by_third(self, field, folder):
        results = pd.read_csv(folder / "results.csv")
        here = (results["strategy"] == "badge") & (results["round"] > 0)
        late = np.where(results["round"] > 4, "CoreSet", "LeastConfidence")
        results.assign(arm=np.where(here, late, None)).to_csv(
            folder / "results.csv", index=False
        )
        table = field.arms(folder)
        assert len(table) == 5 and set(table["CoreSet"]) == {"0% / 0% / 100%"}
        assert set(table["LeastConfidence"]) == {"100% / 100% / 0%"}

    def test_papers_are_judged_by_what_they_looked_at(self, published, folder):
        """On trained nets the made-up BAIT is behind all: that counts for no paper."""
        results = pd.read_csv(folder / "results.csv")
        here = (results["model"] != "linear") & (results["strategy"] == "bait")
        results.loc[here, "accuracy"] = 0.1
        results.to_csv(folder / "results.csv", index=False)
        verdict, text = published.pairs(folder, "bait")
        assert verdict == "agrees"
        frozen, other = text.split("; not counted, since it had none such: ")
        assert frozen.count("4 of 4") == 2 and other.count("0 of 4") == 2
        results.loc[results["strategy"] == "coreset", "accuracy"] = 0.1
        high = (results["model"] != "linear") & (results["strategy"] == "coreset")
        results.loc[high, "accuracy"] = 0.99
        results.to_csv(folder / "results.csv", index=False)
        assert published.gain_of(folder, "coreset")[0] == "agrees"

    def test_what_was_not_run_is_named(self, field, folder):
        text = field.missing(folder)
        assert "ProbCover (digits at 10, digits at 100)" in text
        assert text.endswith(" Of digits with the mlp 3 of 5 repeats were run.")
        committed = DOCS.parent / "benchmarks" / "results" / "field"
        everything = "Each strategy of the experiment was run in all of its settings."
        assert field.missing(committed) == everything

    def test_all_of_it_takes_less_than_three_hours_on_two_cores(self, field):
        results = DOCS.parent / "benchmarks" / "results"
        costs = pd.read_csv(results / "field" / "costs.csv")
        seconds = costs[["fit_seconds", "embed_seconds", "select_seconds"]]
        assert seconds.sum().sum() / 2 < 3 * 3600

    def test_deviations_are_those_of_the_preset(self, field):
        assert "ProbCover was run on digits alone" in field.deviations()


class TestColdPages:
    """The field without a label at the start, from made-up results."""

    @pytest.fixture
    def folder(self, tmp_path):
        first = {"": 0.0, "kmeans+": 0.05, "typiclust+": 0.1}
        rows = [
            {
                "dataset": dataset,
                "model": "mlp",
                "batch_size": size,
                "strategy": start + then,
                "repeat": repeat,
                "round": turn,
                "n_labeled": size * (turn + 1),
                # A start by k-means is worth something at once, and nothing later.
                "accuracy": 0.5
                + 0.1 * repeat
                + (gain if turn == 0 or start == "typiclust+" else 0.0),
            }
            for dataset in ("digits", "fashion_mnist_features")
            for size in (10, 100)
            for start, gain in first.items()
            for then in ("rand", "marg", "badge", "typiclust", "uherding")
            for repeat in range(3)
            for turn in range(4)
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "results.csv", index=False)
        return tmp_path

    @pytest.fixture
    def cold(self, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("cold")
        for name in ("cold", "field", "study", "speed"):
            sys.modules.pop(name, None)

    def test_first_batches(self, cold, folder):
        table = cold.first_batches(folder)
        assert table["dataset"].tolist() == ["digits"] * 2 + ["features"] * 2
        assert set(table["at random"]) == {"60.0 ± 5.8"}
        assert set(table["TypiClust"]) == {"70.0 ± 5.8"}

    def test_gains_are_paired_by_repeat(self, cold, folder):
        table = cold.gains(folder)
        assert len(table) == 2 * 2 * 2
        by_start = table.groupby("first batch")["BADGE"]
        assert by_start.unique().explode().to_dict() == {
            "TypiClust": "+10.0 ± 0.0",
            "k-means": "+0.0 ± 0.0",
        }

    def test_the_summary_counts_settings(self, cold, folder):
        text = cold.summary(folder)
        assert "by k-means is better than one at random in 4 of 4 settings" in text
        assert "by +5.0 points on average (+5.0 to +5.0)" in text
        assert "it is ahead in 0 of 4, by +0.0 points" in text
        assert "it is ahead in 4 of 4, by +10.0 points" in text
        assert "chosen at random, by k-means" in cold.deviations()


class TestImagesPages:
    """Tables and pictures of the image study, of what is complete alone."""

    @pytest.fixture
    def folder(self, tmp_path):
        rows = [
            {
                **cell.key,
                "round": turn,
                "n_labeled": 100 + cell.batch_size * turn,
                "accuracy": 0.5
                + 0.05 * turn
                + 0.01 * (cell.strategy == "badge") * turn
                + 0.001 * cell.repeat,
                "train_accuracy": 1.0,
                "epochs": 8,
                "hit_max_epochs": turn == 2,
            }
            for cell in preset_cells("images")
            if (cell.model, cell.batch_size) in (("mlp", 100), ("mlp", 1_000))
            for turn in range(7)
        ]
        results = pd.DataFrame(rows)
        # The second setting lacks a cell, so that one of its repeats is not shown.
        short = (results["batch_size"] == 1_000) & (results["strategy"] == "conf")
        results = results[~(short & (results["repeat"] == 2))]
        results.to_csv(tmp_path / "results.csv", index=False)
        seconds = {f"{name}_seconds": 1.0 for name in ("fit", "embed", "select")}
        costs = results.drop(columns="accuracy").assign(**seconds, peak_memory_mb=9.0)
        costs.to_csv(tmp_path / "costs.csv", index=False)
        return tmp_path

    @pytest.fixture
    def images(self, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("images")
        for name in ("images", "study", "speed"):
            sys.modules.pop(name, None)

    def test_only_complete_repeats_are_shown(self, images, folder):
        scope = images.scope(folder)
        assert scope["repeats"].tolist() == ["3 of 3", "2 of 3"] + ["not run"] * 4
        assert scope["labels"][0] == "100 to 700"
        for name in ("capped", "areas", "times"):
            assert len(getattr(images, name)(folder)) == 2
        assert images.areas(folder)["best first"][0].startswith("BADGE 6")
        assert images.areas(folder)["best first"].str.contains(" ± ").all()
        assert images.capped(folder)["trainings"].tolist() == [7 * 7 * 3, 7 * 7 * 2]
        assert images.capped(folder)["ended at the cap"][0] == "14%"
        # One of seven trainings, one of the six that come after the first.
        assert images.capped(folder)["after round 0"][0] == "17%"

    def test_a_single_repeat_has_no_error_and_no_test(self, images, folder):
        results = pd.read_csv(folder / "results.csv")
        results = results[results["repeat"] == 0]
        results.assign(model="resnet").to_csv(folder / "results.csv", index=False)
        assert images.scope(folder)["repeats"].tolist() == (
            ["not run"] * 3 + ["1 of 3", "1 of 3", "not run"]
        )
        assert not images.areas(folder)["best first"].str.contains("±|nan").any()
        texts = images.claims(folder)["In these tables"]
        assert texts[0].startswith("One repeat allows no test. Points of accuracy")
        assert texts[1] == "Nothing."
        assert "(resnet, batches of 100, one repeat)" in texts[2]

    def test_gains_are_paired_by_repeat(self, images, folder):
        # BADGE is ahead by 0, 1, ..., 6 points, in every repeat alike.
        table = images.gains(folder)
        assert table["batch"].tolist() == ["100", "1,000"]
        assert set(table["BADGE"]) == {"+3.00 ± 0.00"}
        assert set(table["MARG"]) == {"+0.00 ± 0.00"}

    def test_where_strategies_are_compared(self, images, folder):
        assert images.budgets(folder)["compared at"].tolist() == [
            "200, 300",
            "1,100, 2,100",
        ]
        results = pd.read_csv(folder / "results.csv").query("round < 2")
        results.to_csv(folder / "results.csv", index=False)
        table = images.budgets(folder)
        assert set(table["compared at"]) == {"nowhere"}
        assert table["why not"].str.contains("two batches after the initial set").all()

    def test_what_was_published_stands_beside_ours(self, images, folder):
        table = images.published(folder)
        assert table["source"].tolist() == ["CDALBench", "this study"]
        assert table["MARG"].tolist() == ["87.2 (+1.7)", "65.05 (+0.00 ± 0.00)"]
        assert table["BADGE"][1].endswith("(+3.00 ± 0.00)")

    def test_what_few_repeats_can_tell(self, images, folder):
        text = images.noise(folder)
        assert "a p of 0.30 with 2 repeats, 0.19 with 3 repeats" in text
        # Two settings, in which BADGE beats six strategies that are all alike.
        by_test = "RAND 0.286"
        assert "By the t test at 5% the column means are: BADGE 0," in text
        assert text.count(by_test) == 2
        results = pd.read_csv(folder / "results.csv").query("repeat == 0")
        results.to_csv(folder / "results.csv", index=False)
        assert images.noise(folder) == "One repeat allows no test."

    def test_claims_say_what_was_not_run(self, images, folder):
        text = images.claims(folder)["In these tables"].str.cat()
        assert "best first: BADGE 0" in text
        assert "no setting of the residual network was run" in text
        assert "8 to 64 channels" in images.deviations()
        text = "the mlp is right on 50% of the test set and on 100% of what it was"
        assert text in images.start(folder)

    @pytest.mark.parametrize("name", ["curves", "penalty", "chance"])
    def test_pictures(self, images, folder, name, tmp_path):
        getattr(images, name)(folder).savefig(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000

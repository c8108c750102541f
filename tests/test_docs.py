"""The documentation is complete, agrees with the library, and its examples run."""

import ast
import doctest
import importlib
import json
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import skbadge
from skbadge.benchmarks import preset_cells
from tests._strategies import all_strategies

ROOT = Path(__file__).resolve().parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.rst")
    if not {"_build", "generated", "auto_examples", "_templates"} & set(path.parts)
    and path.name != "sg_execution_times.rst"
)
SCRIPTS = sorted(EXAMPLES.rglob("*.py"))
MODULES = (
    "skbadge",
    "skbadge.benchmarks",
    "skbadge.campaign",
    "skbadge.datasets",
    "skbadge.embeddings",
    "skbadge.exceptions",
    "skbadge.modules",
    "skbadge.plotting",
    "skbadge.selection",
    "skbadge.stopping",
    "skbadge.strategies",
    "skbadge.strategies.checks",
)


def page_name(path):
    return path.relative_to(DOCS).as_posix()


def script_name(path):
    return path.relative_to(EXAMPLES).as_posix()


def listed_names(text):
    """Return the qualified names that an API page lists."""
    module, names = None, []
    in_summary = False
    for line in text.splitlines():
        current = re.match(r"\.\. currentmodule:: (\S+)", line)
        data = re.match(r"\.\. py:data:: (\w+)", line)
        if current:
            module = current.group(1)
        if data:
            names.append(f"{module}.{data.group(1)}")
        if line.startswith(".. autosummary::"):
            in_summary = True
        elif in_summary and line and not line.startswith(" "):
            in_summary = False
        elif in_summary and re.fullmatch(r"   \w+", line):
            names.append(f"{module}.{line.strip()}")
    return names


def resolve(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def missing_names(listed, modules=MODULES):
    """Return public names of which no listed name is the same object."""
    ids = {id(resolve(name)) for name in listed}
    return [
        f"{module}.{name}"
        for module in modules
        for name in importlib.import_module(module).__all__
        if id(resolve(f"{module}.{name}")) not in ids
    ]


def test_api_reference_lists_every_public_name():
    listed = listed_names((DOCS / "api.rst").read_text(encoding="utf-8"))
    assert missing_names(listed) == []
    assert len(set(listed)) == len(listed)


def test_api_reference_lists_public_names_only():
    for name in listed_names((DOCS / "api.rst").read_text(encoding="utf-8")):
        module, _, attribute = name.rpartition(".")
        assert attribute in importlib.import_module(module).__all__, name


def test_a_name_left_out_is_noticed():
    listed = listed_names((DOCS / "api.rst").read_text(encoding="utf-8"))
    listed.remove("skbadge.selection.top_k")
    assert missing_names(listed) == ["skbadge.selection.top_k"]


def test_whats_new_begins_with_the_version():
    text = (DOCS / "whats_new.rst").read_text(encoding="utf-8")
    assert re.findall(r"^Version (\S+)$", text, re.M)[0] == skbadge.__version__


def test_whats_new_has_the_four_kinds_of_change():
    text = (DOCS / "whats_new.rst").read_text(encoding="utf-8")
    newest = re.split(r"^Version \S+$", text, flags=re.M)[1]
    headings = re.findall(r"^(\w+)\n-+$", newest, re.M)
    assert headings == ["New", "Changed", "Fixed", "Efficiency"]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_examples_on_a_page_run(path):
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testfile(str(path), module_relative=False, optionflags=options)
    assert found.failed == 0


def test_some_pages_have_examples_that_run():
    having = [page_name(p) for p in PAGES if ">>> " in p.read_text(encoding="utf-8")]
    assert {"user_guide/loop.rst", "user_guide/writing_a_strategy.rst"} <= set(having)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_to_documents_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text):
        target = target.strip()
        base = DOCS if target.startswith("/") else path.parent
        page = (base / target.lstrip("/")).resolve()
        gallery = DOCS / "auto_examples"
        if gallery in page.parents:
            source = EXAMPLES / page.relative_to(gallery)
            assert source.name == "index" or source.with_suffix(".py").exists(), target
        else:
            assert page.with_suffix(".rst").exists(), target


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_pages_are_in_a_table_of_contents(path):
    if path.name == "index.rst" and path.parent == DOCS:
        return
    entry = path.stem if path.stem != "index" else f"{path.parent.name}/index"
    folder = path.parent if path.stem != "index" else path.parent.parent
    index = (folder / "index.rst").read_text(encoding="utf-8")
    assert re.search(rf"^   {re.escape(entry)}$", index, re.M)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_what_is_measured_on_a_page_is_known(path):
    text = path.read_text(encoding="utf-8")
    names = re.findall(r"^\.\. measured:: (\S+)", text, re.M)
    source = (DOCS / "_ext" / "measured.py").read_text(encoding="utf-8")
    known = re.findall(r'^    "([\w-]+)": Item\(', source, re.M)
    assert set(names) <= set(known)


class TestMethodsOfAPage:
    @pytest.fixture
    def shown(self, monkeypatch):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("members").shown_methods
        sys.modules.pop("members")

    def test_those_of_a_base_without_a_page_are_there(self, shown):
        learner = shown("skbadge", "ActiveLearner")
        assert {"fit", "query", "predict", "save", "load"} < set(learner)
        # scikit-learn's own, and what is private, are not.
        assert not {"score", "get_params", "_change"} & set(learner)
        campaign = shown("skbadge.campaign", "Campaign")
        assert {"ask", "tell", "skip", "undo", "accuracy"} < set(campaign)

    def test_those_of_a_base_with_a_page_are_not(self, shown):
        assert "state" in shown("skbadge.stopping", "StoppingCriterion")
        assert "state" not in shown("skbadge.stopping", "LabelBudget")
        assert "select" in shown("skbadge", "RandomSampling")


def test_there_are_at_least_ten_examples():
    assert len(SCRIPTS) >= 10
    assert all(path.name.startswith("plot_") for path in SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=script_name)
def test_an_example_has_a_title_prose_and_one_question(path):
    text = path.read_text(encoding="utf-8")
    compile(text, str(path), "exec")
    lines = ast.get_docstring(ast.parse(text)).splitlines()
    assert set(lines[1]) == {"="} and len(lines[1]) >= len(lines[0])
    assert "?" in "".join(lines[2:])
    assert text.count("# %%") >= 3
    assert "plt.show()" in text


@pytest.mark.parametrize("path", SCRIPTS, ids=script_name)
def test_an_example_imports_public_names_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "skbadge":
            assert node.module in MODULES
            for alias in node.names:
                assert alias.name in importlib.import_module(node.module).__all__


@pytest.mark.parametrize(
    "folder",
    [EXAMPLES, *sorted({path.parent for path in SCRIPTS})],
    ids=lambda p: p.name,
)
def test_a_folder_of_examples_has_a_header(folder):
    header = (folder / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
    assert re.search(r"^.+\n=+$", header, re.M)


def test_the_gallery_lists_every_folder_of_examples():
    text = (DOCS / "conf.py").read_text(encoding="utf-8")
    listed = re.findall(r'"\.\./examples/(\w+)"', text)
    assert set(listed) == {path.parent.name for path in SCRIPTS}


class TestSpeedTables:
    """The readers of timing files take what the scripts write, and slight changes."""

    @pytest.fixture
    def speed(self, monkeypatch):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("speed")
        sys.modules.pop("speed")

    def test_records_anywhere_in_the_document_become_rows(self, speed, tmp_path):
        path = tmp_path / "some.json"
        path.write_text(
            '{"benchmark": "x", "results": [{"n_pool": 50000, "ratio": 123.456, '
            '"runs": [1, 2], "lazy": {"peak_mb": 0.01234}}]}',
            encoding="utf-8",
        )
        frame = speed.records(path)
        assert frame.to_dict("records") == [
            {"pool": "50,000", "ratio": "123", "lazy peak mb": "0.0123"}
        ]

    def test_a_mapping_of_cases_becomes_rows(self, speed):
        document = {"small": {"seconds": 1.5}, "large": {"seconds": 2.5}}
        assert [row["case"] for row in speed.find_records(document)] == [
            "small",
            "large",
        ]

    @pytest.mark.parametrize(
        ("value", "text"),
        [(1.0, "1"), (0.098765, "0.0988"), (1234.5, "1,234"), (None, ""), ("a", "a")],
    )
    def test_numbers_have_three_digits_that_count(self, speed, value, text):
        assert speed.written(value) == text

    def test_a_comparison_has_a_row_for_every_other_way(self, speed, tmp_path):
        path = tmp_path / "selection.json"
        path.write_text(
            '{"machine": {"threads": 2}, "records": [{"case": "small", "sizes": '
            '{"n_pool": 1000, "K": 3, "d": 5, "labelled": 20, "B": 10}, '
            '"seconds": {"lazy": [2, 2], "sequential": '
            '[50, 50]}, "median_seconds": {"lazy": 2.0, "sequential": 50.0, '
            '"other 1.0": 60.0}, "sequential_centers_timed": 4}, '
            '{"case": "memory", "sizes": {"n_pool": 1000}, "peak_mib": 12.5}]}',
            encoding="utf-8",
        )
        case = {
            "case": "small",
            "pool": "1,000 and 20 labelled",
            "vectors": "3 × 5",
            "batch": "10",
            "this library (s)": "2",
        }
        assert speed.selection(path).to_dict("records") == [
            {
                **case,
                "compared with": "sequential, timed for 4 centers",
                "the other (s)": "50",
                "times as fast": "25",
            },
            {
                **case,
                "compared with": "other 1.0",
                "the other (s)": "60",
                "times as fast": "30",
            },
        ]
        assert speed.memory(path).to_dict("records") == [
            {
                "case": "memory",
                "pool": "1,000",
                "peak above the factors (MiB)": "12.5",
            }
        ]

    def test_a_grid_has_a_row_for_each_number_of_jobs(self, speed, tmp_path):
        path = tmp_path / "grid.json"
        path.write_text(
            '{"cells": 4, "one_job": {"seconds": 10, "inside_cells": 9}, '
            '"two_jobs": {"seconds": 5, "inside_cells": 9.5}}',
            encoding="utf-8",
        )
        frame = speed.grid(path)
        assert frame["jobs"].tolist() == [1, 2]
        assert frame["all else, idle time included"].tolist() == ["10.0%", "5.0%"]
        assert frame["times as fast as one job"].tolist() == ["1", "2"]

    def test_a_cluster_beside_one_process_and_a_model(self, speed, tmp_path):
        sent = {"bytes_down": 2**20, "bytes_up": 2**21, "rounds": 14, "messages": 99}
        held = {"coordinator_bytes": 2**20, "worker_bytes": 3 * 2**20}
        times = {"embed_seconds": 2.0, "select_seconds": 1.5}
        law = {
            "pool": [0.0, 1.0, 3.0],
            "draws": 200,
            "total_variation_of_kmeans_plusplus": 0.05,
            "total_variation_of_nearest_rows": 0.7,
            "centers_that_are_no_rows": 0.875,
        }
        document = {
            "pool": {"rows": 1000},
            "workers": 2,
            "parts": 8,
            "cluster": sent | held | times,
            "one_process": {**times, "bytes": 5 * 2**20},
            "same_picks": 30,
            "model": {
                **{"rows": 10**8, "workers": 100, **sent, **held, **times},
                **{"latency_seconds": 0.004, "bandwidth_bytes_per_second": 2e9},
            },
            "k_means_parallel": {
                "rows": 500,
                "centers": 30,
                "seconds": 9.0,
                "kmeans_plusplus_seconds": 0.1,
                "law": law,
            },
            "machine": {
                "cpus": 2,
                "load_before": 0.04,
                "processor": "x",
                "torch": "2",
                "dask": "3",
            },
        }
        path = tmp_path / "cluster.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        frame = speed.cluster(path).set_index("")
        assert frame.columns[-1].endswith("(a model)")
        assert frame.loc["sent to the coordinator"].tolist() == ["2 MiB", "", "2 MiB"]
        assert frame.loc["memory of a worker"].tolist() == ["3 MiB", "", "3 MiB"]
        laws = speed.seeding(path)
        assert laws["centers that are no rows"].tolist() == [
            "none: they are rows",
            "88%",
        ]
        by_row = frame.loc["the same, bytes a row"].tolist()
        assert by_row == [1049, 5243, 0]
        # Of two rows of three that are drawn 200 times: pairs 01, 02 and 12.
        exact = speed.distance_by_chance(np.array([0.0, 1.0, 3.0]), 200)
        law = np.array([1 / 10 + 1 / 5, 9 / 10 + 9 / 13, 4 / 5 + 4 / 13]) / 3
        draws = np.random.default_rng(1).choice(3, size=(2_000, 200), p=law)
        counts = np.stack([(draws == pair).sum(axis=1) for pair in range(3)], axis=1)
        below = np.abs(counts / 200 - law).sum(axis=1) / 2 <= exact
        assert 0.97 < below.mean() < 1.0
        assert "4 ms for a round trip of the network and 2 GB/s" in (
            speed.cluster_machine(path)
        )
        assert "0.0 processes of others" in speed.cluster_machine(path)
        path.write_text('{"k_means_parallel": null}', encoding="utf-8")
        assert "not installed" in speed.seeding(path)

    def test_strategies_beside_others(self, speed, tmp_path):
        def record(name, n_pool, ratio, other, peak=3.2, **more):
            return {
                "strategy": name,
                "sizes": {"n_pool": n_pool, "K": 10, "d": 512, "B": 100},
                "factors_mib": 40.0,
                "ours": {"seconds": [0.1, 0.3, 0.2], "peak_mib": peak},
                "ratio": ratio,
                "ratio_is_bound": "over_s" in other,
                "other": other,
                "other_name": "scikit-activeml 1.0.1",
                **more,
            }

        stopped = {"stopped": "over 10 s", "over_s": 10, "peak_mib": 9.0}
        full = {"stopped": "over 6 GiB", "peak_mib": 9.0}
        document = {
            "limit_s": 10,
            "records": [
                record("BADGE", 20_000, 50.0, stopped),
                record("BADGE", 50_000, None, full, peak=41.0),
                record("CLUE", 20_000, 0.5, {"seconds": [0.1]}),
                record("BAIT", 20_000, 8.0, {}, other_name="plain form"),
            ],
        }
        path = tmp_path / "strategies.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        badge, clue, bait = speed.strategies(path).to_dict("records")
        assert badge["20,000 / 100: times as fast"] == ">50"
        assert badge["50,000 / 100: times as fast"] == "over 6 GiB"
        assert badge["largest size"] == "50,000 / 100" and badge["seconds"] == "0.2"
        assert (
            clue["50,000 / 100: times as fast"] == "" and bait["beside"] == "plain form"
        )
        first, second, third = speed.strategies_summary(path).split("\n\n")
        assert "in 2 cases: the median of the ratios is 25.2; 1 calls" in first
        assert first.endswith("Slower than the other: CLUE at 20,000 / 100.")
        assert "in 1 cases: the median of the ratios is 8;" in second
        assert third.endswith("in 1 of 4 cases: BADGE at 50,000 / 100.")
        # A size that was timed without the other.
        alone = record("BAIT", 50_000, None, {})
        for name in ("other", "other_name", "ratio", "ratio_is_bound"):
            del alone[name]
        document["records"].append(alone)
        path.write_text(json.dumps(document), encoding="utf-8")
        assert speed.strategies(path)["beside"].iloc[-1] == "plain form"

    def test_parts_of_a_document_are_records_where_it_has_no_list(self, speed):
        document = {"threads": 2, "BADGE": {"ratio": 1.1}}
        assert speed.find_records(document) == [{"case": "BADGE", "ratio": 1.1}]


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
        folder = ROOT / "benchmarks" / "results" / "field"
        guide = (DOCS / "user_guide" / "strategies.rst").read_text(encoding="utf-8")
        situations = list(field.situations(folder))
        ranks = [field.means_of(here, 1).droplevel("part") for _, _, here in situations]
        mean = sum(found["rank"] for found in ranks) / len(ranks)
        assert mean.idxmin() == "uherding"
        assert "take :class:`~skbadge.UHerding`" in guide
        # Of what costs no more than a sort, margin sampling is best.
        assert mean[["marg", "conf", "entropy", "power-marg"]].idxmin() == "marg"
        first = [set(found["rank"].sort_values().index[:5]) for found in ranks]
        assert {"alphamix", "uherding"} <= first[0] & first[1] and "marg" in first[1]
        assert {"maxherding", "uherding"} <= first[2]
        assert {"uherding", "alphamix", "badge"} <= first[3]
        # BAIT is not the best on frozen features, and far from it on trained nets.
        assert all(found["rank"].rank()["bait"] > 5 for found in ranks)
        # What falls furthest below random sampling asks for the longest rows.
        table = field.outliers(folder)
        shares = table.iloc[:, 1].str.rstrip("%").astype(int)
        gains = table.iloc[:, 2].astype(float)
        assert shares[gains.nsmallest(4).index].min() > 90
        text = (folder / "settings.json").read_text(encoding="utf-8")
        assert json.loads(text)["shared"]["data_dir"] == ""

    def test_what_was_not_run_is_named(self, field, folder):
        text = field.missing(folder)
        assert "ProbCover (digits at 10, digits at 100)" in text

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

    def test_claims_say_what_was_not_run(self, images, folder):
        text = images.claims(folder)["In these tables"].str.cat()
        assert "best first: BADGE 0" in text
        assert "no setting of the residual network was run" in text
        assert "8 to 64 channels" in images.deviations()
        text = "the mlp is right on 50% of the test set and on 100% of what it was"
        assert text in images.start(folder)

    @pytest.mark.parametrize("name", ["curves", "penalty"])
    def test_pictures(self, images, folder, name, tmp_path):
        getattr(images, name)(folder).savefig(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000


class TestHouse:
    """The picture of the package, from a package of four parts made up here."""

    @pytest.fixture
    def plan(self, monkeypatch):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("floor_plan")
        sys.modules.pop("floor_plan")

    @pytest.fixture
    def found(self, plan, tmp_path):
        package = tmp_path / "made"
        (package / "roof").mkdir(parents=True)
        for name, text in {
            "ground": '"""All stand on it."""',
            "walls": '"""Walls.\n\nOf stone."""\nimport os\nimport made.ground',
            "floor": '"""Floor."""\nfrom made.ground import x\nfrom made import walls',
            "roof/__init__": '"""Roof."""',
            "roof/_tile": "from made.walls import x\nfrom made import ground, floor",
        }.items():
            (package / f"{name}.py").write_text(text, encoding="utf-8")
        return plan.read(package)

    def test_imports_are_read_from_the_sources(self, found):
        graph, about = found
        assert graph == {
            "ground": set(),
            "walls": {"ground"},
            "floor": {"ground", "walls"},
            "roof": {"floor", "ground", "walls"},
        }
        assert about["roof"] == "Roof." and about["walls"] == "Walls."

    def test_what_follows_from_others_is_left_out(self, plan, found):
        assert plan.essential(found[0]) == {
            "ground": set(),
            "walls": {"ground"},
            "floor": {"walls"},
            "roof": {"floor"},
        }

    def test_rows_hang_below_their_users(self, plan, found):
        arrows, rows, middle, ground = plan.plan(found[0])
        assert ground == ["ground", "walls"]
        assert arrows == {"floor": set(), "roof": {"floor"}}
        assert rows == [["roof"], ["floor"]]
        assert set(middle.values()) == {plan.WIDTH / 2}

    def test_every_part_is_in_the_picture_and_in_the_list(self, plan):
        graph, about = plan.read(plan.PACKAGE)
        picture, lines = plan.draw(graph, about), plan.listed(graph, about)
        assert all(about.values())
        assert len(lines) == len(graph)
        for name in graph:
            assert re.search(rf">[^<]*\b{name}\b[^<]*</text>", picture)
            assert f"- ``{name}``: {about[name]}" in lines
        _, rows, middle, _ = plan.plan(graph)
        for row in rows:
            half = plan.width(row[-1]) / 2
            assert middle[row[-1]] + half <= plan.WIDTH, "too wide for a phone"


class TestPictures:
    """Figures of the gallery: one for each theme, and a card for both."""

    @pytest.fixture
    def pictures(self, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("pictures")
        sys.modules.pop("pictures")
        plt.close("all")

    @staticmethod
    def two_panels(n=2):
        figure, axes = plt.subplots(1, n, figsize=(8, 3), layout="constrained")
        axes[0].plot([0, 1], [0, 1], color="black")
        axes[0].plot([0, 1], [1, 0], color="#0072B2")
        axes[0].set(xlabel="Labels", ylabel="Accuracy")
        return figure

    def test_ink_changes_and_colors_stay(self, pictures):
        ax = self.two_panels().axes[0]
        note = ax.text(0, 0, "0.5", color="#000000")  # a number on a colored cell
        pictures.draw_in(ax.figure, pictures.LIGHT)
        assert [line.get_color() for line in ax.lines] == [pictures.LIGHT, "#0072B2"]
        assert ax.xaxis.label.get_color() == pictures.LIGHT
        assert note.get_color() == "#000000"

    @pytest.mark.parametrize(("n", "width"), [(2, 4), (1, 8)])
    def test_a_card_shows_the_first_panel(self, pictures, n, width):
        figure, _ = plt.subplots(1, n, figsize=(8, 3), layout="constrained")
        pictures.simplify(figure)
        assert pictures.panel(figure).width == pytest.approx(width, rel=0.05)

    def test_every_figure_is_saved_for_both_themes(self, pictures, tmp_path):
        class Paths:
            def __init__(self):
                self.paths = []

            def __len__(self):
                return len(self.paths)

            def next(self):
                self.paths.append(str(tmp_path / f"image_{len(self.paths) + 1}.png"))
                return self.paths[-1]

        self.two_panels()
        self.two_panels()
        lines = pictures.scrape(
            None, {"image_path_iterator": Paths()}, {"src_dir": str(tmp_path)}
        )
        shown = re.findall(r"image:: /(\S+)", lines)
        assert shown == [
            "image_2.png",
            "image_2_dark.png",
            "image_3.png",
            "image_3_dark.png",
        ]
        assert all((tmp_path / name).exists() for name in [*shown, "image_1.png"])
        assert ":alt: Accuracy against Labels\n" in lines
        assert not plt.get_fignums()


def cluster_sections():
    """Return what the guide says of strategies on a cluster: who runs, who does not."""
    page = (DOCS / "user_guide" / "cluster_pools.rst").read_text("utf-8")
    section = page.split("\nWhich strategies\n")[1].split("\nSettings\n")[0]
    return section.split("refuse a pool on a cluster")


def named_strategies(text):
    return set(re.findall(r":class:`~skbadge\.(\w+)`", text))


def disagreements(runs, refused):
    """Return strategies of which the two texts say something else than their traits."""
    options = dict(re.findall(r"``BADGE\((\w+)=\"([\w-]+)\"\)``", refused))
    wrong = []
    for strategy in all_strategies():
        name, params = type(strategy).__name__, strategy.get_params(deep=False)
        is_refused = name in named_strategies(refused) or (
            name == "BADGE" and any(params[k] == v for k, v in options.items())
        )
        is_named = name in named_strategies(runs) or is_refused
        if not is_named or is_refused == strategy.traits.on_cluster:
            wrong.append(repr(strategy))
    return wrong


def test_strategies_that_the_guide_lets_run_on_a_cluster_are_those_that_do():
    runs, refused = cluster_sections()
    assert disagreements(runs, refused) == []
    assert not named_strategies(runs) & named_strategies(refused)
    # What is left out, or stands on the wrong side, is noticed.
    found = disagreements(runs, refused.replace("ClassQuota", "Quota"))
    assert len(found) == 2 and all(name.startswith("ClassQuota") for name in found)
    found = disagreements(runs, refused.replace('embedding="', 'first="'))
    assert found == ["BADGE(embedding='uncertainty')"]
    assert "BALD()" in disagreements(runs, f"{refused} :class:`~skbadge.BALD`")

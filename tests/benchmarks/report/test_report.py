"""The report: complete, self-contained, escaped, and not stopped by what is missing."""

import base64
import html
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks.analysis._comparison import penalty_matrix
from skbadge.benchmarks.analysis._curves import learning_curves
from skbadge.benchmarks.report import _figures, _report
from skbadge.benchmarks.report import _page as _report_page
from skbadge.benchmarks.report._report import write_report
from skbadge.benchmarks.report._tables import incomplete
from skbadge.exceptions import InvalidInputError
from tests.benchmarks._tables import STRATEGIES, costs_of, curves, random_results

RESULT_FILES = {
    "area_under_budget_curve.csv",
    "ranks_by_part.csv",
    "win_shares.csv",
    "chance_matrix.csv",
    "label_budgets.csv",
    "learning_curves.csv",
    "normalized_error_cdf.csv",
    "normalized_errors.csv",
    "penalty_comparisons.csv",
    "penalty_matrix.csv",
}
COST_FILES = {"running_times.csv", "running_times_total.csv"}
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects text, headings, links and pictures, and checks that tags close."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open, self.text, self.headings, self.images = [], [], [], []
        self.links, self.anchors, self.outside, self.tables = [], [], [], 0
        self.feed(self.source)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.tables += tag == "table"
        self.images += [attrs] if tag == "img" else []
        self.links += [attrs["href"]] if "href" in attrs else []
        self.anchors += [attrs["id"]] if "id" in attrs else []
        if tag in ("script", "link", "iframe", "object"):
            self.outside.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text.append(data)
        if self.open and self.open[-1] in ("h2", "h3", "h4"):
            self.headings.append(data)

    def svgs(self):
        start = "data:image/svg+xml;base64,"
        for image in self.images:
            assert image["src"].startswith(start)
            yield base64.b64decode(image["src"][len(start) :]).decode()


def small_results(strategies=("badge", "rand"), **options):
    rand = np.where(np.arange(6) >= 4, 0.9, np.linspace(0.2, 0.7, 6))
    table = {}
    for i, name in enumerate(strategies):
        lift = np.r_[0, np.full(5, 0.005 * (len(strategies) - i))]
        table[name] = [rand + lift, rand + 1.5 * lift]
    return curves(table, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A report of two settings with all strategies."""
    names = (*STRATEGIES, "badge-kdpp")
    results = pd.concat(
        [
            small_results(names),
            small_results(names, dataset="svhn", model="resnet", batch_size=1000),
        ],
        ignore_index=True,
    )
    settings = {"preset": "quick", "seed": 7, "net": {"max_hidden": [1024, None]}}
    folder = tmp_path_factory.mktemp("whole") / "new" / "folder"
    path = write_report(results, costs_of(results), folder, settings=settings)
    return results, path


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the pictures blank where a test reads words and tables alone."""

    def blank(draw, alt, *, size=(1, 1), title="", caption="", below=()):
        block = {"kind": "picture", "is_wide": False, "src": "data:,", "alt": alt}
        block |= {"title": title, "caption": caption, "below": list(below)}
        return block | {"width": size[0], "height": size[1]}

    monkeypatch.setattr(_figures, "picture", blank)


def test_files_and_sections(whole):
    _, path = whole
    assert path.name == "report.html"
    assert {file.name for file in path.parent.iterdir()} == {
        "report.html",
        *RESULT_FILES,
        *COST_FILES,
    }
    page = Page(path)
    assert [link[1:] for link in page.links] == page.anchors
    for heading in (
        "Who beats whom",
        "Errors relative to random sampling",
        "Learning curves",
        "Area under the budget curve",
        "Ranks by part of the campaign",
        "k-means++ against the k-DPP",
        "Running times",
        "Label budgets",
        "Settings and versions",
        "By batch size",
        "By model",
        "digits, mlp",
        "svhn, resnet",
    ):
        assert heading in page.headings


def test_page_refers_to_nothing_outside_itself(whole):
    page = Page(whole[1])
    assert page.outside == []
    assert all(link.startswith("#") for link in page.links)
    assert "http" not in page.source
    assert not re.search(r"url\(|@import", page.source)


def test_every_picture_is_whole_and_described(whole):
    page = Page(whole[1])
    # Matrices, each with that of chance: 2 overall, 2 by batch size, 2 by model; CDFs:
    # 1 + 2 + 2; a curve and a pair for k-DPP for each of the two settings.
    assert len(page.images) == 2 * 6 + 5 + 2 + 4
    assert all(image["alt"] for image in page.images)
    for svg in page.svgs():
        ElementTree.fromstring(svg)
        assert "prefers-color-scheme: dark" in svg
    assert len({image["alt"] for image in page.images}) == len(page.images)


def test_page_shows_the_numbers(whole):
    results, path = whole
    page = Page(path)
    mean = learning_curves(results).set_index(
        ["dataset", "model", "batch_size", "strategy", "n_labeled"]
    )
    cell = mean.loc[("digits", "mlp", 100, "badge", 300)]
    assert f"{100 * cell['mean']:.2f} ± {100 * cell['standard_error']:.2f}" in page.text
    assert "8 strategies (BADGE, k-DPP, ALBL, CORESET, CONF, MARG, ENTROPY, RAND)" in (
        page.text
    )
    assert "in 2 settings of data set, model and batch size, up to 2 repeats" in (
        page.text
    )
    column_mean = penalty_matrix(results).column_mean
    assert f"BADGE {column_mean['badge']:.2f}" in page.text
    assert "Missing and failed cells" not in page.headings
    assert "net max hidden 1,024, not set" in page.text
    assert f"numpy {np.__version__}" in page.text


def test_tables_can_be_read_again(whole):
    results, path = whole
    curves_ = pd.read_csv(path.parent / "learning_curves.csv")
    pd.testing.assert_frame_equal(curves_, learning_curves(results))
    matrices = pd.read_csv(path.parent / "penalty_matrix.csv", keep_default_na=False)
    overall = matrices[(matrices["test"] == "z") & (matrices["by"] == "")]
    expected = penalty_matrix(results).to_frame()
    assert overall["strategy"].tolist() == expected.index.tolist()
    np.testing.assert_allclose(overall[list(STRATEGIES)].astype(float), expected)
    assert set(matrices["value"]) == {"", "100", "1000", "mlp", "resnet"}
    budgets = pd.read_csv(path.parent / "label_budgets.csv")
    assert budgets["budgets"].tolist() == ["200 300", "1100 2100"]
    assert len(pd.read_csv(path.parent / "running_times_total.csv")) == 16


def test_the_level_of_the_test_is_that_of_the_repeats(whole):
    results, path = whole
    assert results["repeat"].nunique() == 2
    # Student's t with one degree of freedom is the Cauchy distribution.
    level = f"{1 - 2 * np.arctan(1.96) / np.pi:.0%}"
    assert level == "30%"
    said = f"1.96 is a level of {level} with 2 repeats, not of 5%."
    assert said in html.unescape(path.read_text())


def test_same_tables_give_the_same_files(tmp_path):
    results = small_results()
    for name in ("a", "b"):
        write_report(results, costs_of(results), tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_text_is_escaped(tmp_path):
    nasty = "<script>alert('&')</script>"
    results = small_results(("badge", "rand", nasty), dataset=nasty, model=nasty)
    path = write_report(
        results,
        None,
        tmp_path,
        settings={nasty: nasty},
        missing=[{"dataset": nasty, nasty: nasty}],
        failures=[{"error": nasty, "traceback": nasty}],
    )
    page = Page(path)
    assert page.outside == []
    assert "<script" not in page.source
    assert page.text.count(nasty) > 8
    for svg in page.svgs():
        ElementTree.fromstring(svg)


@pytest.mark.usefixtures("undrawn")
def test_what_is_obeyed_and_not_seen_is_written_out(tmp_path):
    nasty = "a\u202eb\x1b[2J\x00"
    results = small_results(("badge", "rand", nasty), dataset=nasty, model="mlp")
    more = {nasty: nasty, "half": "\udc80"}
    path = write_report(
        results, None, tmp_path, settings=more, failures=[{"error": nasty}]
    )
    page = Page(path)
    assert not set("\u202e\x1b\x00\udc80") & set(page.source)
    assert "a\\u202eb\\u001b[2J\\u0000" in page.text and "\\udc80" in page.text
    for file in tmp_path.glob("*.csv"):
        assert not set("\u202e\x1b\x00") & set(file.read_text("utf-8"))


@pytest.mark.usefixtures("undrawn")
def test_missing_and_failed_cells_are_listed(tmp_path):
    results = small_results(("badge", "marg", "rand"))
    gone = (results["strategy"] == "marg") & (results["repeat"] == 1)
    cut = (results["strategy"] == "badge") & (results["round"] > 3)
    missing = pd.DataFrame([{"dataset": "digits", "strategy": "marg", "repeat": 1}])
    failures = [
        {"dataset": "digits", "error": "no luck", "traceback": "line 1\nline 2"}
    ]
    path = write_report(
        results[~gone & ~cut], None, tmp_path, missing=missing, failures=failures
    )
    page = Page(path)
    assert "1 cell not run, 1 failed, 2 curves shorter or with fewer repeats" in (
        page.text
    )
    assert "1 of 2 repeats" in page.text
    assert "repeat 0 stops at 400 of 600 labels" in page.text
    assert "dataset: digits, error: no luck" in page.text
    assert "<pre>line 1\nline 2</pre>" in page.source
    # At both budgets there is one repeat of marg: too few to compare with two others.
    assert "4 comparisons left out" in page.text
    assert "2 values left out" in page.text


@pytest.mark.usefixtures("undrawn")
def test_trainings_at_the_cap_are_counted(tmp_path):
    results = small_results()
    results.loc[[0, 5], "hit_max_epochs"] = True
    page = Page(write_report(results, None, tmp_path))
    assert page.text.count("2 of 24 trainings ended at the cap on epochs") == 1
    assert "Raise --max-epochs" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_many_trainings_at_the_cap_are_a_warning_with_advice_once(tmp_path):
    page = Page(write_report(small_results(), None, tmp_path / "none"))
    assert "at the cap on epochs" not in page.text
    results = small_results()
    results["hit_max_epochs"] = results["round"] > 2
    page = Page(write_report(results, None, tmp_path / "many"))
    assert page.text.count("at the cap on epochs") == 1
    assert page.text.count("Raise --max-epochs, or the learning rate") == 1
    assert "of all trainings ended" not in page.text


def test_kdpp_run_less_often_is_no_gap():
    results = small_results(("badge", "badge-kdpp", "rand"))
    once = (results["strategy"] == "badge-kdpp") & (results["repeat"] > 0)
    assert incomplete(results[~once]) == []
    cut = (results["strategy"] == "badge-kdpp") & (results["round"] > 2)
    rows = incomplete(results[~once & ~cut])
    assert [row[3:] for row in rows] == [
        ["badge-kdpp", "repeat 0 stops at 300 of 600 labels"]
    ]


@pytest.mark.parametrize(
    ("strategies", "says"),
    [
        (["badge"], "There are no results of random sampling ('rand')"),
        (["rand"], "1 strategy (RAND) in 1 setting"),
        (["badge", "marg"], "no results of 'rand' at all"),
        (["badge-kdpp"], "1 strategy (k-DPP) in 1 setting"),
        (["badge", "badge-kdpp"], "No times were recorded."),
    ],
)
def test_few_strategies_without_costs(tmp_path, strategies, says):
    path = write_report(small_results(strategies), None, tmp_path)
    assert says in Page(path).text
    assert {file.name for file in tmp_path.iterdir()} == {"report.html", *RESULT_FILES}


def test_no_results_at_all(tmp_path):
    results = small_results().iloc[:0]
    page = Page(write_report(results, costs_of(results), tmp_path))
    assert "There are no results yet." in page.text
    assert page.images == []


@pytest.mark.usefixtures("undrawn")
def test_one_repeat(tmp_path):
    results = small_results()
    results = results[results["repeat"] == 0]
    page = Page(write_report(results, costs_of(results), tmp_path))
    assert "1 common repeats, fewer than 2" in page.text
    assert page.text.count("no two strategies have two repeats in common.") == 2
    # What is left to draw are the learning curves.
    assert len(page.images) == 1


@pytest.mark.usefixtures("undrawn")
def test_arms_are_shown_where_they_were_recorded(tmp_path):
    results = small_results(("albl", "rand"))
    assert "Arms of" not in Page(write_report(results, None, tmp_path / "a")).text
    first = results["round"] <= 2
    chosen = np.where(first, "CoreSet", "LeastConfidence").astype(object)
    chosen[(results["round"] == 0) | (results["strategy"] == "rand")] = None
    page = Page(write_report(results.assign(arm=chosen), None, tmp_path / "b"))
    assert "Arms of strategies that learn" in page.headings
    # Rounds 1 and 2, 3 and 4, 5.
    for row in ("ALBL CoreSet 100% 0% 0%", "ALBL LeastConfidence 0% 100% 100%"):
        assert row in page.text
    shares = pd.read_csv(tmp_path / "b" / "arm_shares.csv")
    assert shares["share"].tolist() == [1, 0, 0, 1, 0, 1]


def test_ragged_grid_with_the_other_rule_and_scale(tmp_path):
    results = random_results(1, missing=0.4)
    results = results[results["model"] == "resnet"]
    path = write_report(results, costs_of(results), tmp_path, rule="code", scale="log2")
    assert "as in its authors' code" in Page(path).text


@pytest.mark.usefixtures("undrawn")
def test_costs_with_their_own_label_counts(tmp_path):
    results = small_results(("badge", "badge-kdpp", "rand"))
    costs = costs_of(results).assign(n_labeled=results["n_labeled"])
    page = Page(write_report(results.drop(columns="round"), costs, tmp_path))
    assert any("Running times" in image["alt"] for image in page.images)


def test_wrong_input(tmp_path):
    results = small_results()
    for options, message in (
        ({"scale": "log"}, "scale must be one of 'linear', 'log2'. Got 'log' instead."),
        ({"rule": "x"}, "rule must be one of 'paper', 'code'. Got 'x' instead."),
        (
            {"missing": ["digits"]},
            "missing must be a DataFrame or a list of mappings, one for each cell. Got "
            "a list with 'digits' instead.",
        ),
    ):
        with pytest.raises(InvalidInputError) as error:
            write_report(results, None, tmp_path / "out", **options)
        assert str(error.value) == message
    with pytest.raises(InvalidInputError, match="costs must have the columns"):
        write_report(results, results, tmp_path / "out")
    # Nothing is written before everything has been checked.
    assert not (tmp_path / "out").exists()


def test_table_emphasizes_and_aligns():
    block = _report_page.table(
        ["name", "value"], [["a", "1.5"], ["b", "–"]], bold={(0, 1)}
    )
    html = _report_page.page("t", [block], {})
    assert '<td class="number"><strong>1.5</strong></td>' in html
    assert '<th scope="row">a</th>' in html
    assert '<th scope="col" class="number">value</th>' in html


@pytest.mark.usefixtures("undrawn")
def test_figures_are_numbered_in_the_papers_own_settings(tmp_path, monkeypatch):
    names = ("badge", "rand")
    papers = {("digits", "mlp", 100), ("svhn", "resnet", 1000)}
    monkeypatch.setattr(_report, "PAPER_SETTINGS", papers)
    results = pd.concat(
        [
            small_results(names),
            small_results(names, dataset="svhn", model="resnet", batch_size=1000),
        ]
    )
    about = {"preset": "paper", "data_that_could_not_be_had": ["letter"]}
    page = Page(write_report(results, None, tmp_path, settings=about))
    for heading in (
        "Overall (paper's Figure 4)",
        "By batch size (paper's Figure 13)",
        "By model (paper's Figure 16)",
    ):
        assert heading in page.headings
    assert "Left out, since their data could not be had: letter." in page.text
    # A part of them is not what the paper shows.
    some = small_results(names)
    page = Page(write_report(some, None, tmp_path, settings=about))
    assert "Overall" in page.headings and "paper's Figure" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_data_that_one_folder_lacked_and_another_has_are_not_left_out(tmp_path):
    about = {"data_that_could_not_be_had": ["digits", "letter"]}
    page = Page(write_report(small_results(), None, tmp_path, settings=about))
    assert "Left out, since their data could not be had: letter." in page.text


@pytest.mark.usefixtures("undrawn")
def test_the_share_of_capped_trainings_stands_beside_curves_and_matrices(tmp_path):
    results = small_results()
    results.loc[results["round"] > 3, "hit_max_epochs"] = True
    page = Page(write_report(results, None, tmp_path))
    capped = "8 of 24 trainings ended at the cap"
    assert page.text.count(capped) >= 5
    assert f"each with the same weight. {capped}." in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_column_of_scores_takes_the_place_of_the_accuracy(tmp_path):
    results = small_results().assign(f1_macro=lambda frame: frame["accuracy"] / 2)
    page = Page(write_report(results, None, tmp_path, metric="f1_macro"))
    assert "The mean f1_macro over all label counts" in page.text
    curves_ = pd.read_csv(tmp_path / "learning_curves.csv")
    np.testing.assert_allclose(
        curves_["mean"], learning_curves(results)["mean"] / 2, rtol=1e-12
    )

"""What the first pages advise is what the committed files of the studies say."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

from skbadge.benchmarks import area_under_budget_curve

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def words(path):
    """Return the text of a page without its line breaks."""
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def extensions():
    """The modules that make the tables of the guide."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MPLBACKEND", "Agg")
    patch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    yield {name: importlib.import_module(name) for name in ("field", "cold")}
    patch.undo()
    for name in ("field", "cold", "study", "speed"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def ranks(extensions):
    """Mean ranks by strategy, one column for each situation of the field study."""
    field = extensions["field"]
    return pd.DataFrame(
        {
            (kind, budget): field.means_of(results, 1).droplevel("part")["rank"]
            for kind, budget, results in field.situations(RESULTS / "field")
        }
    )


def test_the_default_is_the_best_by_mean_rank(ranks):
    assert ranks.shape[1] == 4
    assert ranks.mean(axis=1, skipna=False).idxmin() == "uherding"
    assert "if in doubt ``UHerding``, the best by mean rank" in words("README.rst")
    for page in ("README.rst", "docs/index.rst"):
        assert "strategy=UHerding()" in words(page)
    assert ".. measured:: field-advice" in words("docs/index.rst")


def test_what_else_to_take(ranks, extensions):
    field = extensions["field"]
    readme = words("README.rst")
    assert ranks.dropna().max(axis=1).idxmin() == "refine"
    costs = pd.read_csv(RESULTS / "field" / "costs.csv")
    costs = costs[costs["model"] != "convnet"]
    choosing = costs.groupby("strategy")["select_seconds"].sum()
    assert 2.5 < choosing["refine"] / choosing["uherding"] < 3
    assert "``Refine``, the least bad in its worst case" in readme
    assert "nearly three times as long as with ``UHerding``" in readme
    assert "took nearly three times as long" in words("docs/user_guide/strategies.rst")
    means = {
        (kind, budget): field.means_of(results, 1).droplevel("part")
        for kind, budget, results in field.situations(RESULTS / "field")
    }
    few = means[field.TRAINED, field.LOW]
    assert few["rank"].idxmin() == few["gain"].idxmax() == "maxherding"
    assert (
        "scratch on few labels ``MaxHerding``, there the first by mean rank" in readme
    )
    assert means[field.FROZEN, field.HIGH]["rank"].idxmin() == "bait"
    assert "batches of ten labels a class, ``BAIT``, there the first by" in readme


def test_what_is_said_of_the_picture(ranks, extensions):
    results = pd.read_csv(RESULTS / "field" / "results.csv")
    frozen = results[results["model"] == "linear"]
    repeats = {3: "three", 4: "four", 5: "five"}[frozen["repeat"].nunique()]
    readme = words("README.rst")
    assert f"one standard error of {repeats} repeats" in readme
    assert f"best of {len(ranks.dropna()) - 1} query strategies" in readme


def test_margin_is_the_best_of_what_costs_nothing(ranks):
    free = ["marg", "conf", "entropy", "power-marg", "rand"]
    assert ranks.loc[free].mean(axis=1).idxmin() == "marg"
    assert "cost nothing ``MarginSampling``" in words("README.rst")


def test_a_first_batch_by_clusters_is_better_everywhere(extensions):
    table = extensions["cold"].first_batches(RESULTS / "field-cold")
    means = table.set_index(["dataset", "labels"]).map(lambda v: float(v.split()[0]))
    for start in ("k-means", "TypiClust"):
        assert (means[start] > means["at random"]).all()
    assert "than random ones in every setting" in words("README.rst")


def test_badge_in_batches_of_thousands():
    results = pd.read_csv(RESULTS / "images" / "results.csv")
    found = area_under_budget_curve(results[results["batch_size"] >= 1_000])
    settings = found.groupby(["model", "batch_size"])
    assert set(settings.groups) == {
        (model, size) for model in ("mlp", "resnet") for size in (1_000, 10_000)
    }
    for (_, size), table in settings:
        table = table.set_index("strategy")
        best = table.loc[table["mean"].idxmax()]
        behind = best["mean"] - table.loc["badge", "mean"]
        # Level: by less than one standard error of the better one.
        assert behind < best["standard_error"]
        assert size == 1_000 or behind == 0
    assert "in batches of 10,000 ``BADGE``, the best of its" in words("README.rst")
    guide = words("docs/user_guide/strategies.rst")
    assert "BADGE is the best of them or level with it" in guide

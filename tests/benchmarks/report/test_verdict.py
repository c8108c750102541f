"""The verdict: what is named, how sure, and what else would have to be known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skbadge.benchmarks.report._report import ReportTables
from skbadge.benchmarks.report._verdict import _as_good, _repeats_needed, verdict
from skbadge.benchmarks.report._words import in_words
from tests.benchmarks._tables import curves


def texts(results, **options):
    blocks = verdict(ReportTables(results, None, "paper", **options))
    return [
        text for block in blocks for text in block.get("items_", [block.get("text")])
    ]


def noisy(levels, *, n_repeats=5, spread=0.01, seed=0, **options):
    generator = np.random.default_rng(seed)
    shape = np.linspace(0, 0.2, 6)
    return curves(
        {
            name: [
                level + shape + spread * generator.random() for _ in range(n_repeats)
            ]
            for name, level in levels.items()
        },
        **options,
    )


def test_one_that_is_better_beyond_chance():
    found = texts(noisy({"rand": 0.4, "badge": 0.6, "marg": 0.6}, seed=1))
    best, other = ("BADGE", "MARG") if "take BADGE" in found[0] else ("MARG", "BADGE")
    assert found[0] == f"Here, take {best}; {other} cannot be told from it."
    assert "RAND (in 1 of 1 setting)" in found[1]
    assert f"It cannot be told from {other} in any setting." in found
    assert any(text.startswith("Repeats that would tell") for text in found)
    assert any(text.startswith("One setting says what holds in it") for text in found)


def test_many_that_may_be_as_good_are_counted():
    assert _as_good([]) == ""
    assert _as_good(["badge", "conf", "marg"]) == (
        "; BADGE, CONF and MARG cannot be told from it"
    )
    many = ["badge", "conf", "marg", "albl"]
    assert _as_good(many) == "; 4 others cannot be told from it, see below"


def test_nothing_to_tell():
    found = texts(noisy({"rand": 0.5, "badge": 0.5}, spread=0.2, seed=3))
    assert found[0].startswith("No strategy can be told from ")


def test_random_sampling_may_be_the_answer():
    found = texts(noisy({"rand": 0.6, "badge": 0.4}))
    assert found[0] == "Here, ask at random: no strategy did better in the mean."


def test_one_setting_for_and_one_against():
    results = pd.concat(
        [
            noisy({"rand": 0.4, "badge": 0.7}),
            noisy({"rand": 0.6, "badge": 0.5}, dataset="svhn"),
        ]
    )
    found = texts(results)
    assert found[0] == "Here, take BADGE."
    assert "It has the lower one than RAND (in 1 of 2 settings)." in found


@pytest.mark.parametrize("names", [["badge"], ["badge", "badge-kdpp"]])
def test_nothing_to_compare(names):
    assert verdict(ReportTables(noisy(dict.fromkeys(names, 0.5)), None, "paper")) == []


def test_one_repeat_says_nothing():
    results = noisy({"rand": 0.4, "badge": 0.6}, n_repeats=1)
    assert verdict(ReportTables(results, None, "paper")) == []


def test_repeats_needed_have_the_power_promised():
    """A gap of one deviation: simulated, four of five experiments notice it."""
    generator = np.random.default_rng(0)
    gap = np.array([0.0, 2.0])  # mean 1, sample deviation sqrt(2)
    n = _repeats_needed(gap)
    sample = generator.normal(1, np.sqrt(2), size=(4_000, n))
    statistic = np.sqrt(n) * sample.mean(axis=1) / sample.std(axis=1, ddof=1)
    power = (np.abs(statistic) > stats.t.ppf(0.975, n - 1)).mean()
    assert 0.76 < power < 0.9
    assert _repeats_needed(np.zeros(3)) == float("inf")


def test_values_in_words():
    assert (
        in_words({"max_epochs": 1200, "clamp": False}) == "max epochs 1,200, clamp no"
    )
    assert in_words([{"a": 1}, {"b": None}]) == "a 1; b not set"
    assert in_words(["One.", "Two."]) == "One. Two."
    assert in_words([]) == "none"

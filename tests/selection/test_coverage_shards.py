"""Herding over parts of a pool: the picks of one machine, in few round trips."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge.selection import _coverage_shards as module
from skbadge.selection._coverage_shards import herd_on_shards
from skbadge.selection._facility_location import (
    Coverage,
    _facility_location_greedy,
    fit_to_square,
)
from tests.embeddings._shards import sharded

LENGTHS = (50, 0, 1, 69)


def pool(n=120, width=5, seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(9, width))[rng.integers(9, size=n)]
    rows = (centers + 0.5 * rng.normal(size=(n, width))) * rng.lognormal(size=(n, 1))
    return torch.from_numpy(rows).to(dtype)


def both(rows, n, *, lengths=LENGTHS, weight=None, drawn=None, length_scale=1.0):
    """Return the answers of parts and of one machine, and the round trips."""
    rng = np.random.default_rng(1)
    priority = rng.permutation(len(rows))
    weight = rng.uniform(size=len(rows)) if weight is None else weight
    known = fit_to_square(rows[:2])
    table = sharded({"features": rows}, lengths, twice=len(rows) <= 120)["features"]
    found = herd_on_shards(
        table,
        n,
        weight,
        drawn,
        labeled=known,
        length_scale=length_scale,
        priority=priority,
    )
    rows = fit_to_square(rows)
    targets = rows
    if drawn is not None:
        targets, weight = rows[torch.from_numpy(drawn)], weight[drawn]
    coverage = Coverage(
        rows, targets, weight, length_scale=length_scale, normalize=True
    )
    coverage.cover(known)
    expected = _facility_location_greedy(coverage, n, priority=priority)
    return found, expected, table.shards.rounds


@pytest.fixture
def small(monkeypatch):
    """Let small pools take every path."""
    sizes = {"_GROUP": 60, "_BLOCK": 16, "_NARROW": 6, "_FETCHED": 20, "_FOLDED": 5}
    for name, size in sizes.items():
        monkeypatch.setattr(module, name, size)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length_scale", [1.0, 0.3])
@pytest.mark.usefixtures("small")
def test_picks_are_those_of_one_machine(length_scale, dtype):
    found, expected, _ = both(pool(dtype=dtype), 40, length_scale=length_scale)
    assert_array_equal(found[0], expected[0])
    assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("small")
def test_some_targets_and_weights_of_zero():
    weight = np.random.default_rng(2).uniform(size=120)
    weight[51:90] = 0.0
    drawn = np.flatnonzero(np.arange(120) % 3)
    found, expected, _ = both(pool(), 40, weight=weight, drawn=drawn)
    assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.usefixtures("small")
def test_lengths_whose_squares_vanish_or_overflow(size):
    """One part alone would look harmless: all are treated alike."""
    rows = pool(dtype=torch.float32)
    rows[60] = 0.0
    rows[70:] *= size
    found, expected, _ = both(rows, 30)
    assert_array_equal(found[0], expected[0])


def test_what_nothing_is_left_to_cover_of_falls_to_the_priority():
    rows, lengths = torch.eye(3, dtype=torch.float64)[torch.arange(12) % 3], (5, 7)
    found, expected, _ = both(rows, 12, lengths=lengths, length_scale=0.1)
    assert_array_equal(found[0], expected[0])
    found, expected, _ = both(rows, 4, lengths=lengths, weight=np.zeros(12))
    assert_array_equal(found[0], expected[0])
    assert not found[1].any()


@pytest.mark.usefixtures("small")
def test_the_whole_pool():
    found, expected, _ = both(pool(), 120)
    # Of the two that are labelled, what is left to add is rounding.
    assert_array_equal(found[0][:118], expected[0][:118])
    assert sorted(found[0]) == list(range(120))


@pytest.mark.parametrize("group", [50_000, 400])
def test_few_round_trips(group, monkeypatch):
    monkeypatch.setattr(module, "_GROUP", group)
    rows = pool(1600, width=16, dtype=torch.float32)
    found, expected, rounds = both(rows, 100, lengths=(400,) * 4)
    assert_array_equal(found[0], expected[0])
    assert rounds <= 40


def test_wrong_guesses_are_put_right(monkeypatch):
    def worst(_, kernel, group, covered, sent, priority, count, *looks):
        narrow = np.argsort(-np.sum(looks, axis=0))[: module._NARROW]
        return narrow, np.arange(len(narrow))[::-1][:count]

    monkeypatch.setattr(module, "_guessed", worst)
    found, expected, rounds = both(pool(), 12)
    assert_array_equal(found[0], expected[0])
    # A pick each.
    assert rounds > 12

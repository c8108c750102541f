"""Greedy coverage: the plain loop's picks, few gains measured."""

import numpy as np
import pytest
import torch

from skbadge.exceptions import InvalidInputError
from skbadge.selection import _facility_location as module
from skbadge.selection import facility_location_greedy
from skbadge.selection._facility_location import Coverage, _facility_location_greedy
from tests._oracles import coverage_loop


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length_scale", [0.3, 1.0, 5.0])
def test_picks_are_those_of_the_plain_loop(seed, length_scale, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 100)  # several blocks of targets
    rng = np.random.default_rng(seed)
    X, weight = rng.normal(size=(50, 3)), rng.uniform(size=50)
    weight[rng.random(50) < 0.2] = 0.0
    labeled = rng.normal(size=(4, 3)) if seed % 2 else None
    found = facility_location_greedy(
        X, 20, weight=weight, labeled_features=labeled, length_scale=length_scale
    )
    expected, _ = coverage_loop(X, 20, weight, length_scale, labeled=labeled)
    np.testing.assert_array_equal(found, expected)


def test_gains_are_those_of_the_plain_loop():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(40, 2)), rng.uniform(size=40)
    coverage = Coverage(
        torch.from_numpy(X), torch.from_numpy(X), weight, length_scale=0.7
    )
    indices, gains = _facility_location_greedy(coverage, 15, priority=np.arange(40))
    expected = coverage_loop(X, 15, weight, 0.7)
    np.testing.assert_array_equal(indices, expected[0])
    np.testing.assert_allclose(gains, expected[1], rtol=1e-9)


def test_without_the_minimum_other_rows_are_chosen():
    """The oracle notices a gain that forgets what is covered."""
    X = np.array([[0.0], [0.1], [-0.1], [3.0]])
    assert coverage_loop(X, 2, np.ones(4), 1.0)[0] == [0, 3]
    kernel = np.exp(-((X - X.T) ** 2))
    assert np.argsort(-kernel.sum(axis=1))[1] != 3


@pytest.mark.parametrize("length_scale", [1.0, 1e-3])
def test_rows_scaled_to_length_one_on_the_fly(length_scale):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 4)) * rng.lognormal(size=(60, 1))
    X[7] = 0.0
    X[40:] = X[:20] * (1 + 1e-3 * rng.normal(size=(20, 4)))
    unit = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-300)
    table, weight = torch.from_numpy(X), rng.uniform(size=60)
    coverage = Coverage(table, table, weight, length_scale=length_scale, normalize=True)
    found, _ = _facility_location_greedy(coverage, 20, priority=np.arange(60))
    expected, _ = coverage_loop(unit, 20, weight, length_scale)
    np.testing.assert_array_equal(found, expected)


def test_few_gains_are_measured():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 8))[rng.integers(12, size=1500)]
    X = torch.from_numpy((X + 0.5 * rng.normal(size=X.shape)).astype(np.float32))
    coverage = Coverage(X, X, np.ones(1500), length_scale=1.0, normalize=True)
    _facility_location_greedy(coverage, 100, priority=np.arange(1500))
    assert coverage.n_measured < 0.1 * 1500 * 100


@pytest.mark.parametrize(("n_clouds", "length_scale"), [(10, 1.0), (100, 0.5)])
def test_below_five_percent_of_the_gains_of_6_000_rows(n_clouds, length_scale):
    """A plain loop measures n times B gains: here 6,000 times 200.

    How many are needed is up to the data. A gain is measured anew where what it was
    some picks ago is still above the best: rows that lie in clouds lose much of theirs
    once one of the cloud is chosen, and are left alone for long. Where all rows are in
    one cloud of few dimensions their gains are nearly alike, fall together, and most of
    the front must be measured again for each pick: there the share is higher.
    """
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(n_clouds, 32))
    X = centers[rng.integers(n_clouds, size=6_000)] + 0.5 * rng.normal(size=(6_000, 32))
    X = torch.from_numpy(X.astype(np.float32))
    coverage = Coverage(X, X, np.ones(6_000), length_scale=length_scale, normalize=True)
    _facility_location_greedy(coverage, 200, priority=np.arange(6_000))
    # All of them once, which is 0.5%, and some again.
    assert 6_000 < coverage.n_measured < 0.05 * 6_000 * 200


def test_blocks_of_gains_are_written_in_the_same_memory():
    """Asked for anew they leave holes, and a process grows by all of them."""
    X = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    coverage = Coverage(X, X, np.ones(400), length_scale=1.0)
    found = [coverage._similar(X[a:b], slice(None)) for a, b in ((0, 256), (7, 20))]
    assert len({block.data_ptr() for block in found}) == 1
    assert torch.equal(found[1], coverage._similar(X[7:20], slice(None)))
    before = {name: room.data_ptr() for name, room in coverage._rooms.items()}
    coverage.gains(np.arange(400))
    coverage.cover(X[:3])
    after = {name: room.data_ptr() for name, room in coverage._rooms.items()}
    assert before["similar"] == after["similar"] and set(after) == {"similar", "added"}


def test_prefixes_and_ties():
    X = np.repeat(np.eye(3), 4, axis=0)
    everything = facility_location_greedy(X, 12, random_state=3)
    assert sorted(everything) == list(range(12))
    assert sorted(everything[:3] // 4) == [0, 1, 2]
    for m in (1, 3, 7):
        found = facility_location_greedy(X, m, random_state=3)
        np.testing.assert_array_equal(found, everything[:m])
    firsts = {facility_location_greedy(X, 1, random_state=s)[0] for s in range(40)}
    assert len(firsts) > 6


def test_targets_of_their_own():
    X, targets = [[0.0], [5.0], [9.0]], [[4.9], [5.2]]
    assert facility_location_greedy(X, 1, targets=targets).tolist() == [1]
    found = facility_location_greedy(X, 1, targets=[[0.1], [9.0]], weight=[1.0, 0.5])
    assert found.tolist() == [0]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n": 5}, "n must be at most"),
        ({"length_scale": 0.0}, "length_scale must be"),
        ({"length_scale": 1e-200}, "length_scale must be"),
        ({"length_scale": 1e200}, "length_scale must be"),
        ({"weight": [1.0, -1.0, 0.0]}, "weight must be at least 0. Got -1.0 instead."),
        ({"weight": [1.0]}, "weight must hold a finite number for each of 3 targets"),
        ({"labeled_features": [[1.0]]}, "labeled_features must have as many columns"),
        ({"features": [[np.nan, 1.0]] * 3}, "features must be finite"),
        ({"features": [[1e200, 1.0]] * 3}, "features must be rows of a length of at"),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(InvalidInputError, match="^" + message):
        facility_location_greedy(**{"features": np.eye(3)[:, :2], "n": 1} | kwargs)

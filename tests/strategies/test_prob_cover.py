"""Greedy coverage by balls of one radius."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skbadge import ProbCover
from skbadge.exceptions import InvalidInputError
from skbadge.selection import _coverage
from skbadge.selection._coverage import Balls
from skbadge.strategies import Needs, Outputs, _prob_cover
from skbadge.strategies._prob_cover import _pure_radius
from tests._oracles import max_coverage_loop


def outputs_of(X, known, n_classes=3):
    labeled = Outputs.of(features=known, y=np.zeros(len(known)))
    proba = np.full((len(X), n_classes), 1 / n_classes)
    return Outputs.of(features=X, proba=proba, labeled=labeled)


@pytest.mark.parametrize("block", [1, 64])
@pytest.mark.parametrize("radius", [0.05, 0.4, 1.2])
def test_picks_against_the_loop(radius, block, monkeypatch, global_random_seed):
    monkeypatch.setattr(_coverage, "_BLOCK", block)
    rng = np.random.default_rng(global_random_seed)
    X, known = rng.normal(size=(50, 3)), rng.normal(size=(4, 3))
    selection = ProbCover(delta=radius).select(outputs_of(X, known), 50, 7)
    priority = np.random.default_rng(7).permutation(50)
    indices, gains = max_coverage_loop(X, 50, radius, known, priority)
    assert_array_equal(selection.indices, indices)
    assert_array_equal(selection.scores, gains)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [2.0**90, 2.0**-90])
def test_lengths_decide_nothing(scale, dtype):
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(dtype)
    known = X[:3] + dtype(0.5)
    expected = ProbCover().select(outputs_of(X, known), 8, 0)
    scale = dtype(scale)
    found = ProbCover().select(outputs_of(X * scale, known * scale), 8, 0)
    assert_array_equal(found.indices, expected.indices)
    assert_array_equal(found.scores, expected.scores)
    assert expected.scores[0] > 1


@pytest.mark.parametrize("most", [10, _prob_cover._MOST_FITTED])
def test_the_radius_is_the_largest_with_pure_balls(most, monkeypatch):
    # Three clouds of directions.
    monkeypatch.setattr(_prob_cover, "_MOST_FITTED", most)
    rng = np.random.default_rng(0)
    cloud = np.arange(90) % 3
    X = 5 * np.eye(3)[cloud] + rng.normal(size=(90, 3))
    features = torch.from_numpy(X)
    radius = _pure_radius(outputs_of(X, X[:1]), Balls(features), rng)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    distance = np.linalg.norm(unit[:, None] - unit[None], axis=2)
    other = cloud[:, None] != cloud[None]

    def share_of_impure(r):
        return ((distance <= r) & other).any(axis=1).mean()

    assert share_of_impure(radius) <= 0.05
    assert share_of_impure(radius + 0.02) > 0.05


def test_without_a_radius_classes_are_counted():
    assert ProbCover().needs == Needs(
        proba=True, features=True, labeled=Needs(features=True)
    )
    assert not ProbCover(delta=0.5).needs.proba
    X = np.random.default_rng(0).normal(size=(30, 4))
    selection = ProbCover().select(outputs_of(X, X[:2]), 4, 0)
    assert (np.diff(selection.scores) <= 0).all()


@pytest.mark.parametrize("delta", [0.0, -1.0, 2.5, "large"])
def test_a_radius_out_of_range(delta):
    with pytest.raises(InvalidInputError, match=r"delta must be a number in \(0, 2\]"):
        ProbCover(delta=delta).check_parameters()

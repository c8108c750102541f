"""Thresholds a class."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skbadge import DIRECT
from skbadge.strategies import Outputs
from skbadge.strategies._direct import _around, _open_interval, _preferences
from tests._oracles import direct_loop


@pytest.mark.parametrize("n", [1, 2, 7, 25, 40])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_picks_against_the_loop(n, n_classes, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    proba = rng.dirichlet(np.ones(n_classes), size=40)
    known = rng.dirichlet(np.ones(n_classes), size=15)
    # The last class has no label yet, and every fifth label is wrong.
    y = np.where(np.arange(15) % 5 == 0, 0, known.argmax(axis=1)) % (n_classes - 1 or 1)
    labeled = Outputs.of(proba=known, y=y)
    outputs = Outputs.of(proba=proba, labeled=labeled)
    selection = DIRECT().select(outputs, n, random_state=0)
    assert_array_equal(selection.indices, direct_loop(proba, known, y, n))


def test_intervals_by_hand():
    def interval(scores, is_class):
        return _open_interval(np.array(scores), np.array(is_class))

    # Above .1 two of the class; below it none: the threshold is between .1 and -.3.
    assert interval([0.5, 0.1, -0.3], [True, True, False]) == (-0.3, 0.1)
    # After .5 (+1) and after .1 (+1): as good as each other, with -.2 between.
    assert interval([0.5, 0.3, 0.1, -0.3], [1, 0, 1, 0]) == (-0.3, 0.5)
    # Equal scores are on one side of any threshold.
    assert interval([0.5, 0.5, 0.1], [True, False, True]) == (-np.inf, 0.1)
    assert interval([0.5, 0.1], [False, False]) == (0.5, np.inf)


def test_preferences():
    table = torch.tensor([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]], dtype=torch.float64)
    expected = [[0.2, -0.2, -0.3], [0.0, 0.0, -0.2]]
    np.testing.assert_allclose(_preferences(table), expected, atol=1e-12)
    np.testing.assert_allclose(_preferences(torch.ones(2, 1)), 1.0)


def test_ranks_around():
    assert list(_around(2, 6)) == [2, 3, 1, 4, 0, 5]
    assert list(_around(9, 3)) == [2, 1, 0]


def test_a_rare_class_has_its_share():
    rng = np.random.default_rng(0)
    second = np.concatenate([rng.uniform(0, 0.3, 990), rng.uniform(0.4, 0.9, 10)])
    proba = np.column_stack([1 - second, second])
    known = np.array([[0.9, 0.1], [0.7, 0.3], [0.8, 0.2], [0.3, 0.7]])
    labeled = Outputs.of(proba=known, y=[0, 0, 0, 1])
    outputs = Outputs.of(proba=proba, labeled=labeled)
    chosen = DIRECT().select(outputs, 10, random_state=0).indices
    assert (chosen >= 990).sum() >= 4

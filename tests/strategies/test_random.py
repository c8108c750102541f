"""Rows at random."""

import numpy as np
import pytest
from scipy.stats import chisquare

from skbadge import RandomSampling
from skbadge.strategies import Outputs


def counts_of_pairs(select):
    """Count ordered pairs of 4 rows over many seeds."""
    counts = np.zeros((4, 4), dtype=int)
    for seed in range(1200):
        first, second = select(seed)
        counts[first, second] += 1
    return counts[~np.eye(4, dtype=bool)]


def test_every_ordered_pair_is_equally_likely():
    def select(seed):
        return RandomSampling().select(Outputs(4), 2, seed).indices

    assert chisquare(counts_of_pairs(select)).pvalue > 1e-4


def test_the_same_test_rejects_a_wrong_law():
    def neighbors(seed):
        first = np.random.default_rng(seed).integers(4)
        return first, (first + 1) % 4

    assert chisquare(counts_of_pairs(neighbors)).pvalue < 1e-4


@pytest.mark.parametrize("n", [1, 3, 10])
def test_probability_is_the_share_of_the_pool(n):
    selection = RandomSampling().select(Outputs(10), n, 0)
    np.testing.assert_allclose(selection.inclusion_probability, n / 10)
    assert selection.scores is None

"""One row of each cluster."""

import numpy as np
import pytest
import torch

from skbadge import KMeansSampling
from skbadge.exceptions import InvalidInputError
from skbadge.selection import kmeans_plusplus
from skbadge.strategies import Needs, Outputs
from tests._oracles import rows_nearest_to_centers


def test_by_hand():
    # Two heaps: the means are 1 and 10.5.
    rows = torch.tensor([[0.0], [1.1], [1.9], [10.0], [10.4], [11.1]])
    outputs = Outputs.of(inputs=rows[[0, 1, 2, 3, 4, 5, 1]], features=rows[[5] * 7])
    selection = KMeansSampling(features="input").select(outputs, 2, random_state=0)
    assert selection.indices[0] in (1, 6)
    assert selection.indices[1] == 4
    np.testing.assert_array_equal(selection.scores, [4, 3])


def test_needs_nothing_trained_for_inputs():
    assert KMeansSampling(features="input").needs == Needs(inputs=True)
    assert not KMeansSampling(features="input").needs.trained
    assert KMeansSampling().needs == Needs(features=True)


@pytest.mark.parametrize("normalize", [False, True])
def test_picks_against_the_oracle(normalize, global_random_seed):
    rows = np.random.default_rng(global_random_seed).normal(size=(60, 3))
    selection = KMeansSampling(normalize=normalize).select(
        Outputs.of(features=rows), 5, random_state=2
    )
    expected, sizes = rows_nearest_to_centers(
        rows,
        lambda table: kmeans_plusplus(table, 5, random_state=2),
        normalize=normalize,
    )
    pairs = zip(selection.indices.tolist(), expected, strict=True)
    assert all(row in nearest for row, nearest in pairs)
    np.testing.assert_array_equal(selection.scores, sizes)


def test_directions():
    # By distance the second row is a cluster of its own.
    rows = [[1.0, 0.0], [100.0, 1.0], [1.1, 0.0], [0.0, 1.0], [0.0, 1.1]]
    outputs = Outputs.of(features=rows)
    for normalize, sizes in ((True, [3, 2]), (False, [4, 1])):
        strategy = KMeansSampling(normalize=normalize)
        selection = strategy.select(outputs, 2, random_state=0)
        np.testing.assert_array_equal(selection.scores, sizes)


def test_a_space_that_does_not_exist():
    with pytest.raises(InvalidInputError, match="must be one of 'net', 'input'"):
        KMeansSampling(features="pixels").check_parameters()

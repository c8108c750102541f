"""One row of each cluster."""

import numpy as np
import pytest
import torch

from skbadge import KMeansSampling
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import Needs, Outputs


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


def test_directions():
    rows = [[1.0, 0.0], [9.0, 0.1], [0.0, 1.0], [0.1, 9.0], [1.1, 0.0]]
    outputs = Outputs.of(features=rows)
    chosen = KMeansSampling(normalize=True).select(outputs, 2, random_state=0).indices
    assert {0, 1, 4} & set(chosen.tolist())
    assert {2, 3} & set(chosen.tolist())


def test_a_space_that_does_not_exist():
    with pytest.raises(InvalidInputError, match="must be one of 'net', 'input'"):
        KMeansSampling(features="pixels").check_parameters()

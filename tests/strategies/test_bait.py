"""BAIT by hand, and that the options reach the algorithm."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import BAIT
from skbadge.exceptions import InvalidInputError
from skbadge.selection import bait_greedy
from skbadge.strategies import Outputs


def test_one_pick_by_hand():
    # One feature: M = 1 + 0 (no label, n = 1), F the mean of p (1 - p) h^2.
    proba = [[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]]
    none = Outputs.of(features=torch.empty(0, 1), proba=torch.empty(0, 2), y=[])
    outputs = Outputs.of(features=[[2.0], [4.0], [9.0]], proba=proba, labeled=none)
    chosen = BAIT(oversample=1.0).select(outputs, 1, random_state=0)
    information = np.array([0.25 * 4, 0.09 * 16, 0.0])
    mean = information.mean()
    assert_array_equal(chosen.indices, [1])
    assert_allclose(chosen.scores, [mean - mean / (1 + 1.44)], rtol=1e-6)


def test_a_chosen_row_counts_as_a_batch_by_hand():
    # One label of information 4, n = 2: M = 1 + 4 / 3, and a row adds 2 / 3 of its own.
    known = Outputs.of(features=[[4.0]], proba=[[0.5, 0.5]], y=[0])
    outputs = Outputs.of(
        features=[[2.0], [4.0]], proba=[[0.5, 0.5], [0.9, 0.1]], labeled=known
    )
    chosen = BAIT(oversample=1.0).select(outputs, 2, random_state=0)
    mean = (1.0 + 1.44 + 4.0) / 3
    sizes = 1 + 4 / 3 + np.cumsum([0.0, 1.44 * 2 / 3, 1.0 * 2 / 3])
    assert_array_equal(chosen.indices, [1, 0])
    assert_allclose(chosen.scores, -np.diff(mean / sizes), rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"fisher": "top", "n_top": 3}, {"fisher": "full", "regularization": 0.1}],
)
def test_the_strategy_is_the_algorithm_on_the_outputs(options):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    proba = torch.randn(50, 4, generator=generator, dtype=torch.float64).softmax(1)
    labeled = Outputs.of(features=features[:6], proba=proba[:6], y=[0] * 6)
    outputs = Outputs.of(features=features[6:], proba=proba[6:], labeled=labeled)
    found = BAIT(**options, oversample=1.5).select(outputs, 7, random_state=0).indices
    expected = bait_greedy(
        proba[6:],
        features[6:],
        7,
        labeled_proba=proba[:6],
        labeled_features=features[:6],
        oversample=1.5,
        random_state=0,
        **options,
    )
    assert_array_equal(found, expected)


def test_parameters_out_of_range():
    with pytest.raises(InvalidInputError, match="^fisher must be one of"):
        BAIT("diagonal").check_parameters()
    with pytest.raises(InvalidInputError, match="^oversample must be"):
        BAIT(oversample=0.0).check_parameters()

"""Scores of one row, by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import EntropySampling, LeastConfidence, MarginSampling
from skbadge.strategies import Outputs

PROBA = [[0.7, 0.2, 0.1], [0.5, 0.48, 0.02], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]]


def select(strategy, proba, n, seed=0):
    return strategy.select(Outputs.of(proba=proba), n, random_state=seed)


@pytest.mark.parametrize(
    ("strategy", "order", "scores"),
    [
        (LeastConfidence(), [2, 1, 0, 3], [0.6, 0.5, 0.3, 0.0]),
        (MarginSampling(), [1, 2, 0, 3], [-0.02, -0.1, -0.5, -1.0]),
        # -sum p ln p, with 0 ln 0 = 0.
        (EntropySampling(), [2, 0, 1, 3], [1.0889, 0.80182, 0.77711, 0.0]),
    ],
)
def test_by_hand(strategy, order, scores):
    selection = select(strategy, torch.tensor(PROBA, dtype=torch.float64), 4)
    assert_array_equal(selection.indices, order)
    assert_allclose(selection.scores, scores, atol=1e-4)


@pytest.mark.parametrize(
    "strategy", [LeastConfidence(), MarginSampling(), EntropySampling()]
)
def test_confident_rows_rank_by_uncertainty(strategy):
    # In float32 the largest probability of all of these is 1 to the last bit.
    logits = torch.tensor([[z, 0.0, 0.0] for z in (40.0, 20.0, 50.0, 30.0)])
    proba = torch.softmax(logits, dim=1)
    assert (proba[:, 0] == 1).all()
    assert_array_equal(select(strategy, proba, 4).indices, [1, 3, 0, 2])


@pytest.mark.parametrize(
    "strategy", [LeastConfidence(), MarginSampling(), EntropySampling()]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_column_is_a_tie(strategy, dtype):
    selection = select(strategy, torch.ones(5, 1, dtype=dtype), 5)
    assert sorted(selection.indices) == list(range(5))


def test_ties_between_equal_rows_only():
    proba = torch.tensor([[0.6, 0.4]] * 3 + [[0.5, 0.5]] + [[0.9, 0.1]] * 2)
    seen = set()
    for seed in range(30):
        order = select(MarginSampling(), proba, 6, seed).indices
        assert order[0] == 3
        assert set(order[1:4]) == {0, 1, 2}
        seen.add(tuple(order[1:4]))
    assert len(seen) == 6


def test_scores_at_the_ends_of_their_ranges():
    even = torch.full((1, 4), 0.25, dtype=torch.float64)
    assert_allclose(select(LeastConfidence(), even, 1).scores, 0.75)
    assert_allclose(select(MarginSampling(), even, 1).scores, 0.0)
    assert_allclose(select(EntropySampling(), even, 1).scores, np.log(4))

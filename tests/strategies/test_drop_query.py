"""Rows whose class changes when features are dropped."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skbadge import DropQuery
from skbadge.exceptions import InvalidInputError
from skbadge.selection import kmeans_plusplus
from skbadge.strategies import Outputs
from tests._oracles import flips_by_masks, rows_nearest_to_centers


def outputs_of(n=60, d=8, n_outputs=4, bias=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64)
    weight = torch.randn(n_outputs, d, generator=generator, dtype=torch.float64)
    offset = torch.randn(n_outputs, generator=generator, dtype=torch.float64)
    return Outputs.of(features=features, head=(weight, offset if bias else None))


@pytest.mark.parametrize("n_candidates", [1, 10])
@pytest.mark.parametrize("n_outputs", [4, 1])
@pytest.mark.parametrize("bias", [True, False])
def test_picks_against_the_loop(n_candidates, n_outputs, bias):
    outputs = outputs_of(n_outputs=n_outputs, bias=bias)
    strategy = DropQuery(n_masks=5, p=0.5, n_candidates=n_candidates)
    selection = strategy.select(outputs, 4, random_state=1)

    generator = np.random.default_rng(1)
    masks = generator.random((5, 8)) >= 0.5
    weight = outputs.head.weight.numpy()
    offset = outputs.head.bias.numpy() if bias else np.zeros(n_outputs)
    if n_outputs == 1:
        weight, offset = np.vstack([0 * weight, weight]), np.append(0.0, offset)
    flips = flips_by_masks(outputs.features, weight, offset, masks, 0.5)
    least = 3
    while (flips >= least).sum() < 4 * n_candidates and least > 1:
        least -= 1
    among = np.flatnonzero(flips >= least)
    expected, sizes = rows_nearest_to_centers(
        outputs.features,
        lambda rows: kmeans_plusplus(rows, 4, random_state=generator),
        normalize=True,
        among=among,
    )
    pairs = zip(selection.indices.tolist(), expected, strict=True)
    assert all(row in nearest for row, nearest in pairs)
    assert any(len(nearest) == 1 for nearest in expected)
    assert_array_equal(selection.scores, sizes)
    assert set(selection.indices) <= set(among)


def test_too_few_candidates_are_all_taken():
    # One feature decides where it is there; only row 2 has two that compete.
    features = torch.tensor([[9.0, 0.0], [8.0, 0.0], [1.0, 1.1], [7.0, 0.0]])
    head = (torch.eye(2), torch.tensor([-0.1, -9.0]))
    outputs = Outputs.of(features=features, head=(head[0], torch.zeros(2)))
    strategy = DropQuery(n_masks=50, p=0.5)
    selection = strategy.select(outputs, 3, random_state=0)
    assert selection.indices[0] == 2
    assert_array_equal(selection.scores, [1, 0, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_masks": 0}, r"n_masks must be an int in \[1, 10000\]"),
        ({"n_masks": 10**30}, r"n_masks must be an int in \[1, 10000\]"),
        ({"p": 0.0}, r"p must be a number in \(0, 1\)"),
        ({"p": 1.0}, r"p must be a number in \(0, 1\)"),
        ({"n_candidates": 0}, "n_candidates must be an int of at least 1"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InvalidInputError, match=message):
        DropQuery(**options).check_parameters()

"""Rows whose class changes when their features move."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skbadge import AlphaMix
from skbadge.extraction._residual import closed_form
from skbadge.selection import kmeans_plusplus
from skbadge.strategies import Outputs
from skbadge.strategies._alpha_mix import _class_means, _least_reach
from tests._oracles import mixed_candidates, rows_nearest_to_centers


def outputs_of(n=60, d=5, n_classes=4, spread=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weight, bias, features = (
        normal(n_classes, d),
        normal(n_classes),
        spread * normal(n, d),
    )
    # Class 3 has no label.
    labeled = Outputs.of(features=normal(9, d), y=torch.arange(9) % (n_classes - 1))
    residual = closed_form(features @ weight.T + bias)
    return Outputs.of(
        features=features, residual=residual, head=(weight, bias), labeled=labeled
    )


def arrays(outputs):
    known, y = outputs.labeled.features.numpy(), outputs.labeled.y.numpy()
    anchors = [
        known[y == c].mean(axis=0) if (y == c).any() else known.mean(axis=0)
        for c in range(4)
    ]
    tables = outputs.features, outputs.residual, *outputs.head
    return [*(table.numpy() for table in tables), anchors]


@pytest.mark.parametrize("epsilon", [0.05, 0.2, 0.6, 1.0])
def test_candidates_against_mixing_feature_by_feature(epsilon):
    outputs = outputs_of()
    anchors = _class_means(outputs.labeled, 4)
    reach = _least_reach(outputs, anchors).numpy()
    expected = mixed_candidates(*arrays(outputs), epsilon)
    assert 0 < len(expected) < 60
    assert_array_equal(np.flatnonzero(reach < epsilon), expected)


@pytest.mark.parametrize(("spread", "n"), [(1.0, 4), (4.0, 10), (40.0, 30)])
def test_picks_follow_from_the_first_limit_with_enough(spread, n):
    outputs = outputs_of(spread=spread)
    selection = AlphaMix().select(outputs, n, random_state=3)
    for epsilon in (0.2, 0.4, 0.6, 0.8, 1.0):
        among = mixed_candidates(*arrays(outputs), epsilon)
        if len(among) >= n:
            break
    expected, sizes = rows_nearest_to_centers(
        outputs.features,
        lambda rows: kmeans_plusplus(rows, n, random_state=3),
        normalize=True,
        among=among,
    )
    assert_array_equal(selection.scores, sizes)
    pairs = zip(selection.indices.tolist(), expected, strict=True)
    assert all(row in nearest for row, nearest in pairs)
    assert any(len(nearest) == 1 for nearest in expected)


def test_as_many_candidates_as_asked_for_are_all_taken():
    outputs = outputs_of(spread=4.0)
    selection = AlphaMix().select(outputs, 12, random_state=3)
    among = next(
        found
        for epsilon in (0.2, 0.4, 0.6, 0.8, 1.0)
        if len(found := mixed_candidates(*arrays(outputs), epsilon)) >= 12
    )
    assert len(among) == 12 and set(selection.indices) == set(among)


def test_one_logit():
    features = torch.tensor([[3.0], [0.01], [-3.0], [-0.02]], dtype=torch.float64)
    labeled = Outputs.of(features=torch.tensor([[1.0], [-1.0]]), y=[1, 0])
    outputs = Outputs.of(
        features=features,
        residual=closed_form(features),
        head=(torch.ones(1, 1), None),
        labeled=labeled,
    )
    assert sorted(AlphaMix().select(outputs, 2, random_state=0).indices) == [1, 3]


def test_rows_without_a_gradient_are_no_candidates():
    outputs = outputs_of()
    still = Outputs.of(
        features=outputs.features,
        residual=torch.zeros_like(outputs.residual),
        head=outputs.head,
        labeled=outputs.labeled,
    )
    selection = AlphaMix().select(still, 5, random_state=0)
    assert_array_equal(selection.scores, 0.0)

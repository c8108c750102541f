"""Clusters weighted by entropy."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skbadge import CLUE
from skbadge.exceptions import InvalidInputError
from skbadge.selection import kmeans_plusplus
from skbadge.strategies import Outputs
from tests._oracles import rows_nearest_to_centers


def outputs_of(n=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    features = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return logits, Outputs.of(proba=logits.softmax(dim=1), features=features)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 5.0])
def test_weights_are_entropies_of_tempered_logits(temperature):
    logits, outputs = outputs_of()
    selection = CLUE(temperature=temperature).select(outputs, 5, random_state=2)
    table = np.exp(logits.numpy() / temperature)
    table /= table.sum(axis=1, keepdims=True)
    weight = np.array([-sum(p * np.log(p) for p in row if p > 0) for row in table])
    expected, sizes = rows_nearest_to_centers(
        outputs.features,
        lambda rows: kmeans_plusplus(rows, 5, random_state=2),
        weight=weight,
    )
    pairs = zip(selection.indices.tolist(), expected, strict=True)
    assert all(row in nearest for row, nearest in pairs)
    assert any(len(nearest) == 1 for nearest in expected)
    assert_array_equal(selection.scores, sizes)


def test_unsure_rows_pull_the_center():
    features = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]])
    sure, unsure = [1.0, 0.0], [0.5, 0.5]
    for column in (0, 4):
        proba = [unsure if i == column else sure for i in range(5)]
        outputs = Outputs.of(features=features, proba=proba)
        assert CLUE().select(outputs, 1, random_state=0).indices[0] == column


def test_a_net_that_is_sure_of_all_gives_plain_clusters():
    features = torch.tensor([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0]])
    outputs = Outputs.of(features=features, proba=[[1.0, 0.0]] * 6)
    chosen = CLUE().select(outputs, 2, random_state=0).indices
    assert sorted(chosen) == [1, 4]


def test_a_temperature_that_is_not_positive():
    with pytest.raises(InvalidInputError, match=r"temperature must be a number in \(0"):
        CLUE(temperature=0.0).check_parameters()

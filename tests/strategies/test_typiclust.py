"""Typical rows of clusters without a label."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import TypiClust
from skbadge.exceptions import InvalidInputError
from skbadge.selection import kmeans_plusplus
from skbadge.strategies import Needs, Outputs, _typiclust
from tests._oracles import lloyd, nearest_center, typiclust_loop


def outputs_of(features, known):
    known = torch.as_tensor(known, dtype=torch.float64).reshape(-1, features.shape[1])
    labeled = Outputs.of(features=known, y=torch.zeros(len(known)))
    return Outputs.of(features=features, labeled=labeled)


def test_by_hand():
    # Three heaps of 7, 6 and 6 rows; the first two have a label.
    heap = torch.tensor([0.0, 0.9, 1.0, 1.1, 2.0, 3.0, 4.0], dtype=torch.float64)
    rows = torch.cat([heap, heap[:6] + 100, heap[:6] + 200])[:, None]
    outputs = outputs_of(rows, [[2.0], [103.0]])
    selection = TypiClust().select(outputs, 1, random_state=0)
    # In the third heap, 3 neighbors: 1.0 has them at 0.1, 0.1 and 1.0.
    assert selection.indices.tolist() == [15]
    assert_allclose(selection.scores, 1 / (1.2 / 3 + 1e-5))


@pytest.mark.parametrize("n", [1, 5, 12, 40])
@pytest.mark.parametrize("n_known", [0, 4])
def test_picks_against_the_loop(n, n_known, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(40, 3)) + 4 * rng.integers(3, size=(40, 1))
    known = X[rng.integers(40, size=n_known)] + 0.01
    features = torch.from_numpy(X)
    outputs = outputs_of(features, known)
    selection = TypiClust().select(outputs, n, random_state=5)

    k = min(n_known + n, 40)
    labels, centers = lloyd(X, X[kmeans_plusplus(X, k, random_state=5)])
    counts = np.bincount(np.array(nearest_center(known, centers), int), minlength=k)
    indices, typicality = typiclust_loop(X, labels.tolist(), counts, n)
    assert_allclose(selection.scores, typicality, rtol=1e-9)
    assert_array_equal(labels[selection.indices], labels[indices])
    # Two rows that are each other's only neighbor are equally typical.
    _, of_all = typiclust_loop(X, labels.tolist(), counts, 40)
    distinct = [np.sum(np.isclose(of_all, t)) == 1 for t in typicality]
    assert_array_equal(selection.indices[distinct], indices[distinct])


def test_small_clusters_with_labels_are_not_forgotten():
    # One distinct row: all clusters but one are empty, and that one has the label.
    outputs = outputs_of(torch.zeros(4, 2, dtype=torch.float64), [[0.0, 0.0]])
    selection = TypiClust().select(outputs, 3, random_state=0)
    assert len(set(selection.indices.tolist())) == 3


def test_large_clusters_compare_with_a_part(monkeypatch):
    monkeypatch.setattr(_typiclust, "_MOST_COMPARED", 30)
    features = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    selection = TypiClust().select(outputs_of(features, []), 1, random_state=0)
    # The middle of one cloud is still found.
    middle = features - features.mean(dim=0)
    rank = middle.norm(dim=1).argsort().argsort()[selection.indices]
    assert rank.item() < 60


def test_needs():
    inputs = Needs(inputs=True)
    assert TypiClust(features="input").needs == Needs(inputs=True, labeled=inputs)
    assert not TypiClust(features="input").needs.trained
    assert TypiClust().needs.trained


def test_a_space_that_does_not_exist():
    with pytest.raises(InvalidInputError, match="must be one of 'net', 'input'"):
        TypiClust(features="pixels").check_parameters()

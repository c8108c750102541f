"""Divergence from labelled neighbors."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import ContrastiveAL, StochasticTopK
from skbadge.exceptions import InvalidInputError
from skbadge.selection._neighbors import iterate_neighbors
from skbadge.strategies import Outputs
from tests._oracles import contrastive_scores


def tables(n=30, m=12, seed=0):
    rng = np.random.default_rng(seed)

    def proba(rows):
        table = rng.dirichlet(0.3 * np.ones(3), size=rows)
        table[0] = [1.0, 0.0, 0.0]
        return table

    return rng.normal(size=(n, 4)), proba(n), rng.normal(size=(m, 4)), proba(m)


@pytest.mark.parametrize("k", [1, 5, 12, 40])
def test_scores_against_the_loop(k):
    features, proba, known, known_proba = tables()
    labeled = Outputs.of(features=known, proba=known_proba, y=np.zeros(len(known)))
    outputs = Outputs.of(features=features, proba=proba, labeled=labeled)
    strategy = ContrastiveAL(n_neighbors=k)
    expected = contrastive_scores(features, proba, known, known_proba, k)
    assert_allclose(strategy.scores(outputs), expected, atol=1e-12)
    best = strategy.select(outputs, 30, random_state=0)
    assert_array_equal(best.indices, np.argsort(-expected, kind="stable"))
    assert np.isfinite(best.scores).all()
    StochasticTopK(strategy, law="softmax").select(outputs, 3, random_state=0)


@pytest.mark.parametrize("size", [1.0, 1e-200, 1e200])
def test_neighbors_in_tables_of_any_size(size):
    features, _, known, _ = tables(300)
    found = torch.empty(300, 3, dtype=torch.int64)
    pair = torch.from_numpy(features * size), torch.from_numpy(known * size)
    for part, nearest in iterate_neighbors(*pair, 3):
        found[part] = nearest
    gaps = ((features[:, None] - known[None]) ** 2).sum(axis=2)
    assert_array_equal(found, np.argsort(gaps, axis=1)[:, :3])


def test_no_neighbors():
    with pytest.raises(
        InvalidInputError, match="n_neighbors must be an int of at least"
    ):
        ContrastiveAL(n_neighbors=0).check_parameters()

"""k-DPP: the exact law at many steps, the chain's own law at few."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbadge.embeddings import DenseEmbedding, GradientEmbedding
from skbadge.exceptions import InvalidInputError, RankError
from skbadge.selection import k_dpp_sample
from skbadge.selection._k_dpp import SwapChain, _k_dpp
from tests._oracles import (
    chi_square_p_value,
    k_dpp_chain_law,
    k_dpp_chain_loop,
    k_dpp_law,
    rank_by_elimination,
)
from tests.selection._pools import hostile_embeddings


def rows():
    rng = np.random.default_rng(1)
    return rng.normal(size=(6, 4)) * rng.uniform(0.5, 2, size=(6, 1))


def draw_sets(embedding, n, n_steps, n_draws, seed=0):
    generator = np.random.default_rng(seed)
    sets = []
    for _ in range(n_draws):
        found = _k_dpp(embedding, n, n_steps=n_steps, generator=generator)
        sets.append(tuple(sorted(found.tolist())))
    return sets


def test_exact_law_at_many_steps():
    sets = draw_sets(DenseEmbedding(rows()), 3, 60, 600)
    assert chi_square_p_value(sets, k_dpp_law(rows(), 3)) > 1e-3
    assert chi_square_p_value(sets, k_dpp_law(rows() ** 2, 3)) < 1e-6


def test_exact_law_on_factors():
    rng = np.random.default_rng(2)
    embedding = GradientEmbedding(
        rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), bias=True
    )
    sets = draw_sets(embedding, 2, 40, 400)
    assert chi_square_p_value(sets, k_dpp_law(embedding.to_dense(), 2)) > 1e-3


@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_chain_follows_its_transition_matrix(n_steps):
    sets = draw_sets(DenseEmbedding(rows()), 2, n_steps, 1500)
    assert chi_square_p_value(sets, k_dpp_chain_law(rows(), 2, n_steps)) > 1e-3
    assert chi_square_p_value(sets, k_dpp_law(rows(), 2)) < 1e-6


def test_one_row_is_drawn_by_its_squared_norm():
    sets = draw_sets(DenseEmbedding(rows()), 1, None, 1500)
    norm_sq = (rows() ** 2).sum(axis=1)
    law = {(i,): p for i, p in enumerate(norm_sq / norm_sq.sum())}
    assert chi_square_p_value(sets, law) > 1e-3
    assert chi_square_p_value(sets, dict.fromkeys(law, 1 / 6)) < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_independent_rows_are_found_wherever_they_are(seed):
    """The pool is searched in pieces; two rows in two thousand complete a basis."""
    rng = np.random.default_rng(seed)
    table = np.zeros((2000, 3))
    table[:, 0] = rng.uniform(1, 2, size=2000)
    rare = rng.choice(2000, size=2, replace=False)
    table[rare] = [[0, 1, 0], [0, 0, 1]]
    found = k_dpp_sample(DenseEmbedding(table), 3, random_state=seed)
    assert len(set(found.tolist())) == 3
    assert set(rare) < set(found.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_swaps_of_a_seed_are_those_of_determinants(seed):
    """With a copy, a row of zeros and very different lengths in the pool."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(14, 6)) * 10.0 ** rng.uniform(-1, 1, size=(14, 1))
    X[3], X[5] = X[8], 0.0
    generator, twin = np.random.default_rng(seed), np.random.default_rng(seed)
    start = twin.permutation(14)
    while np.linalg.matrix_rank(X[start[:4]]) < 4:  # a start that needs no repair
        generator.permutation(14)
        start = twin.permutation(14)
    members, outside = start[:4], start[4:]
    for count in (256, 256, 88):
        slots, places = (twin.integers(size, size=count) for size in (4, 10))
        levels = twin.random(count)
        members, outside = k_dpp_chain_loop(X, members, outside, slots, places, levels)
    found = k_dpp_sample(X, 4, n_steps=600, random_state=generator)
    np.testing.assert_array_equal(found, members)
    assert generator.random() == twin.random()


@pytest.mark.parametrize(("n", "restart"), [(8, 32), (40, 40)])
def test_the_inverse_starts_over_before_rounding_adds_up(n, restart):
    rng = np.random.default_rng(0)
    embedding = DenseEmbedding(rng.normal(size=(90, 80)))
    chain = SwapChain(embedding, embedding.norms().numpy(), n, rng)
    for swap in range(1, 2 * restart + 1):
        place = rng.integers(len(chain.outside))
        column = chain.cosines(chain.members, chain.outside[[place]])[:, 0]
        assert chain._swap(rng.integers(n), place, column, 0.0)
        gram = chain.cosines(chain.members, chain.members)
        np.testing.assert_allclose(chain.gram, gram, atol=1e-14)
        inverse = np.linalg.inv(chain.gram)
        np.testing.assert_allclose(chain.inverse, inverse, atol=1e-12)
        assert np.array_equal(chain.inverse, inverse) == (swap % restart == 0)


@pytest.mark.parametrize(("apart", "level"), [(0.0, 0.0), (1e-3, 0.0), (1e-3, 5e-6)])
def test_a_doubtful_row_is_judged_by_an_inverse_without_rounding(apart, level):
    """By the inverse as it is, rounded, the row is 1e-5 away from what members span."""
    X = np.eye(4)
    X[3, :] = [0.0, 1.0, 0.0, apart]
    chain = SwapChain(DenseEmbedding(X), np.ones(4), 3, np.random.default_rng(0))
    chain.members, chain.outside = np.arange(3), np.array([3])
    chain.gram, chain.inverse, chain.updates = np.eye(3), np.eye(3) * (1 - 1e-5), 1
    column = chain.cosines(chain.members, chain.outside)[:, 0]
    accepted = chain._swap(0, 0, column, level)
    # Alone among the rows it differs from row 1, by a squared sine of apart^2.
    assert accepted == (level < apart**2)
    assert chain.members.tolist() == ([3, 1, 2] if accepted else [0, 1, 2])
    expected = np.linalg.inv(chain.cosines(chain.members, chain.members))
    np.testing.assert_allclose(chain.inverse, expected, rtol=1e-9, atol=1e-9)
    assert chain.updates == int(accepted)


def test_inverse_stays_right_over_many_swaps():
    rng = np.random.default_rng(0)
    embedding = DenseEmbedding(rng.normal(size=(200, 40)).astype(np.float32))
    generator = np.random.default_rng(0)
    chain = SwapChain(embedding, embedding.norms().numpy(), 30, generator)
    chain.run(3000, generator)
    gram = chain.cosines(chain.members, chain.members)
    np.testing.assert_allclose(chain.inverse @ gram, np.eye(30), atol=1e-5)
    together = np.concatenate([chain.members, chain.outside])
    assert sorted(together) == list(range(200))


def test_singular_start_is_replaced():
    X = np.zeros((300, 5))
    X[:, 0] = 1.0  # nearly every random start is singular
    X[[7, 80, 150, 299]] = np.eye(5)[1:] * 3
    for seed in range(5):
        found = k_dpp_sample(X, 5, random_state=seed)
        assert {7, 80, 150, 299} < set(found)
        norms = np.linalg.norm(X, axis=1)
        chain = SwapChain(DenseEmbedding(X), norms, 5, np.random.default_rng(seed))
        assert {7, 80, 150, 299} < set(chain.members)
        assert sorted([*chain.members, *chain.outside]) == list(range(300))


@pytest.mark.parametrize("unit", [1e-30, 1e25])
def test_extreme_lengths(unit):
    X = (rows() * unit).astype(np.float32)
    X[0] *= np.float32(1e-8)
    found = k_dpp_sample(X, 3, random_state=0)
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("dtype", "lengths"), [("f4", [1e30, 1e-20, 1]), ("f8", [1e300, 1e-300, 1e-320])]
)
def test_rank_does_not_depend_on_lengths(dtype, lengths):
    directions = np.array([[3.0, 4, 0], [4, -3, 0], [5, 5, 0]])
    X = (directions * np.array(lengths)[:, None]).astype(dtype)
    for embedding in (DenseEmbedding(X), GradientEmbedding(X, np.ones((3, 1)))):
        for pair in ([0, 1], [1, 2], [0, 2]):
            found = k_dpp_sample(embedding.take(pair), 2, random_state=0)
            assert sorted(found) == [0, 1]
        zeros = DenseEmbedding(np.concatenate([X[:2], np.zeros((5, 3), dtype)]))
        assert sorted(k_dpp_sample(zeros, 2, n_steps=50, random_state=0)) == [0, 1]
        with pytest.raises(RankError, match="rank of the embedding, 2 here. Got n=3"):
            k_dpp_sample(embedding, 3, random_state=0)


def test_rows_within_a_small_angle_are_one_direction():
    for angle, spanned in ((1e-6, True), (4e-6, False)):
        X = [[1.0, 0.0], [1.0, angle]]
        if spanned:
            with pytest.raises(RankError, match="rank of the embedding, 1 here"):
                k_dpp_sample(X, 2, random_state=0)
        else:
            assert sorted(k_dpp_sample(X, 2, random_state=0)) == [0, 1]


def test_rank_is_stated():
    rng = np.random.default_rng(0)
    residual = rng.dirichlet(np.ones(3), size=50)
    residual -= np.eye(3)[residual.argmax(axis=1)]  # rows sum to 0: K - 1 dimensions
    embedding = GradientEmbedding(
        residual.astype(np.float32), rng.normal(size=(50, 4)).astype(np.float32)
    )
    message = (
        "^A k-DPP can draw at most as many rows as the rank of the embedding, 8 here. "
        "Got n=9 instead: ask for at most 8 rows, or use k-means\\+\\+, which has no "
        "such limit.$"
    )
    with pytest.raises(RankError, match=message):
        k_dpp_sample(embedding, 9, random_state=0)
    assert len(set(k_dpp_sample(embedding, 8, random_state=0))) == 8


@pytest.mark.parametrize("n", [1, 2])
def test_no_row_of_any_length(n):
    with pytest.raises(RankError, match=f"embedding, 0 here. Got n={n} instead"):
        k_dpp_sample(np.zeros((4, 3)), n)


@settings(max_examples=40, deadline=None)
@given(hostile_embeddings(), st.integers(0, 99), st.data())
def test_any_pool_gives_distinct_rows_or_its_rank(embedding, seed, data):
    n = data.draw(st.integers(1, len(embedding)))
    try:
        found = k_dpp_sample(embedding, n, n_steps=20, random_state=seed)
    except RankError as error:
        rank = int(re.search("embedding, ([0-9]+) here", str(error))[1])
        assert 0 <= rank < n
        if embedding.norms().any():  # in float64, their squares may all vanish
            found = k_dpp_sample(embedding, rank, n_steps=5, random_state=seed)
            assert len(set(found)) == rank
    else:
        assert len(set(found)) == n and 0 <= min(found) and max(found) < len(embedding)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(0, 4),
    st.sampled_from(["f4", "f8"]),
    st.booleans(),
    st.integers(0, 999),
)
def test_the_rank_is_that_of_elimination(n_pool, rank, dtype, factored, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, size=(n_pool, rank)) @ rng.integers(-2, 3, size=(rank, 5))
    # Lengths within a type's range leave the rank alone.
    lengths = 2.0 ** rng.integers(-60, 60, size=(n_pool, 1))
    if factored:
        residual = rng.integers(-1, 2, size=(n_pool, 2)) * lengths
        factors = residual.astype(dtype), X.astype(dtype)
        embedding = GradientEmbedding(*factors, bias=bool(seed % 2))
    else:
        embedding = DenseEmbedding((X * lengths).astype(dtype))
    table = embedding.to_dense().double().numpy()
    rank = rank_by_elimination(table)
    if rank < n_pool:
        with pytest.raises(RankError, match=f"embedding, {rank} here"):
            k_dpp_sample(embedding, rank + 1, random_state=seed)
    if rank:
        found = k_dpp_sample(embedding, rank, random_state=seed)
        assert rank_by_elimination(table[found]) == rank


@pytest.mark.parametrize("seed", range(10))
def test_a_row_spanned_by_members_is_refused_however_long(seed):
    """Rounding makes its determinant a little more than 0; its length is huge."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 4))
    X[4:] = rng.normal(size=(8, 3)) @ X[:3] * 1e150
    found = k_dpp_sample(X, 4, n_steps=200, random_state=seed)
    assert np.linalg.matrix_rank(X[found] / abs(X[found]).max(axis=1)[:, None]) == 4


def test_whole_pool():
    found = k_dpp_sample(np.eye(4), 4, random_state=0)
    assert sorted(found) == [0, 1, 2, 3]
    assert found.dtype == np.intp


def test_one_row_outside():
    sets = draw_sets(DenseEmbedding(rows()[:4]), 3, 30, 300)
    assert chi_square_p_value(sets, k_dpp_law(rows()[:4], 3)) > 1e-3


def test_default_number_of_steps(monkeypatch):
    seen = []
    monkeypatch.setattr(SwapChain, "run", lambda self, steps, rng: seen.append(steps))
    k_dpp_sample(torch.eye(12), 10)
    assert seen == [115]  # floor(5 * 10 * ln 10)


def test_wrong_arguments():
    with pytest.raises(InvalidInputError, match="n_steps must be an int of at least 0"):
        k_dpp_sample(np.eye(3), 2, n_steps=-1)
    with pytest.raises(InvalidInputError, match="n must be at most the number of"):
        k_dpp_sample(np.eye(3), 4)

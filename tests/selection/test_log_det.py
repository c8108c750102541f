"""Greedy log-determinants: the plain loop's picks, at any block size."""

import itertools
from contextlib import contextmanager

import numpy as np
import pytest
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skbadge.embeddings import DenseEmbedding, GradientEmbedding
from skbadge.embeddings._sharded import ShardedEmbedding
from skbadge.exceptions import InvalidInputError
from skbadge.selection import _coordinates, log_det_greedy
from skbadge.selection import _log_det as module
from skbadge.selection._coordinates import Coordinates
from skbadge.selection._log_det import LazySpan, _log_det_greedy
from tests._oracles import k_dpp_law, log_det_loop
from tests.embeddings._shards import sharded
from tests.selection._pools import hostile_embeddings


def gradients(n, n_classes, n_features, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    residual = rng.normal(size=(n, n_classes)).astype(dtype)
    return GradientEmbedding(residual, rng.normal(size=(n, n_features)).astype(dtype))


@contextmanager
def by_course(block_size):
    """Let the choice take steps only, or steps and blocks in turn, or as it likes."""
    if block_size not in ("steps", "in turn"):
        yield block_size
        return
    asked = itertools.count()

    def affords(self, size, n_span):
        return block_size == "in turn" and next(asked) // 3 % 2 == 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Coordinates, "affords", affords)
        yield None


def test_by_hand():
    X = [[0.0, 0.0, 2.0], [3.0, 0.0, 0.0], [2.9, 1.0, 0.0], [1.0, 0.0, 2.1]]
    indices, scores, rank = _log_det_greedy(DenseEmbedding(X), 4)
    # Lengths 4, 9, 9.41, 5.41; then what is left beside row 2, and so on.
    assert indices[0] == 2
    assert_allclose(scores[0], 9.41)
    assert_allclose(scores[1], 5.41 - 2.9**2 / 9.41)
    determinant = np.linalg.det(np.array(X)[indices[:3]]) ** 2
    assert_allclose(scores[:3].prod(), determinant)
    # Three dimensions: the fourth row is the first of a choice that starts over.
    assert rank == 3
    assert_allclose(scores[3], (np.array(X)[indices[3]] ** 2).sum())


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 50),
    st.integers(1, 6),
    st.sampled_from([1, 2, 7, 512, None, "steps", "in turn"]),
    st.booleans(),
    st.integers(0, 999),
)
def test_whole_numbers_give_the_loops_picks(n_pool, width, block_size, shuffled, seed):
    """Many rows tie, are copies, are zero, or lie in the span of others."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, size=(n_pool, width)).astype(np.float64)
    priority = rng.permutation(n_pool) if shuffled else None
    n = int(rng.integers(1, n_pool + 1))
    with by_course(block_size) as size:
        indices, scores, rank = _log_det_greedy(
            DenseEmbedding(X), n, priority=priority, block_size=size
        )
    picks, distances, expected = log_det_loop(X, n, priority)
    assert_array_equal(indices, picks)
    assert_allclose(scores, distances, rtol=1e-8, atol=1e-12)
    assert rank == expected


@pytest.mark.parametrize("block_size", [1, 16, 512, None, "steps", "in turn"])
@pytest.mark.parametrize(("panel", "kept"), [(3, 0), (256, 1 << 20)])
def test_the_loops_picks_on_gradients(block_size, panel, kept, monkeypatch):
    monkeypatch.setattr(_coordinates, "_PANEL", panel)
    monkeypatch.setattr(_coordinates, "_KEPT", kept)
    monkeypatch.setattr(_coordinates, "chunk_length", lambda width: 150)
    embedding = gradients(400, 4, 6)
    with by_course(block_size) as size:
        indices, scores, rank = _log_det_greedy(embedding, 60, block_size=size)
    picks, distances, expected = log_det_loop(embedding.to_dense().numpy(), 60)
    assert_array_equal(indices, picks)
    assert_allclose(scores, distances, rtol=1e-9)
    assert rank == expected == 24


def test_another_rule_is_told_apart():
    """Neither the longest rows nor the farthest ones are these picks."""
    X = gradients(400, 4, 6).to_dense().numpy()
    picks = log_det_greedy(X, 20)
    longest = np.argsort(-(X**2).sum(axis=1))[:20]
    assert set(picks) != set(longest)
    gram = X @ X.T

    def log_det(rows):
        return np.linalg.slogdet(gram[np.ix_(rows, rows)])[1]

    rng = np.random.default_rng(0)
    others = [rng.choice(400, 20, replace=False) for _ in range(50)]
    assert log_det(picks) > max(log_det(rows) for rows in [longest, *others])


def test_the_best_set_is_nearly_found():
    X = np.random.default_rng(1).normal(size=(12, 5))
    law = k_dpp_law(X, 3)
    found = law[tuple(sorted(log_det_greedy(X, 3).tolist()))]
    assert found >= 0.5 * max(law.values()) > np.median(list(law.values()))


def test_few_rows_are_brought_up_to_date(monkeypatch):
    refreshed, along_span = [], LazySpan._along_span

    def counted(self, rows):
        refreshed.append(len(rows))
        return along_span(self, rows)

    monkeypatch.setattr(LazySpan, "_along_span", counted)
    rng = np.random.default_rng(0)
    lengths = rng.pareto(2.0, size=(20_000, 1)) + 0.1
    embedding = DenseEmbedding(rng.normal(size=(20_000, 40)) * lengths)
    indices, _, _ = _log_det_greedy(embedding, 30, block_size=64)
    assert sum(refreshed) < 0.01 * 20_000 * 30
    assert_array_equal(indices[:12], log_det_loop(embedding.to_dense(), 12)[0])


@pytest.mark.parametrize("size", [1, 4, 80])
def test_bounds_hold_after_every_block(size):
    X = np.random.default_rng(0).integers(-9, 10, size=(60, 8)).astype(float)
    greedy = LazySpan(DenseEmbedding(X), 8, np.arange(60))
    while len(greedy.chosen) < 8:
        before = len(greedy.chosen)
        accepted = greedy.walk_block(size)
        assert accepted == len(greedy.chosen) - before
        basis = np.linalg.qr(X[greedy.chosen].T)[0]
        exact = ((X - X @ basis @ basis.T) ** 2).sum(axis=1)
        open_ = np.setdiff1d(np.arange(60), greedy.chosen)
        assert (greedy.bound[open_] >= exact[open_] * (1 - 1e-9) - 1e-12).all()
        assert (greedy.bound[greedy.chosen] == -np.inf).all()


def test_blocks_grow_up_to_their_limit(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_BLOCK", 8)
    blocks, walk_block = [], LazySpan.walk_block

    def recorded(self, size, *, grow=False):
        blocks.append((size, walk_block(self, size, grow=grow)))
        return blocks[-1][1]

    monkeypatch.setattr(LazySpan, "walk_block", recorded)
    # Thirty rows that tie: six copies of each of five.
    X = np.tile(10.0 * np.eye(5), (6, 1))
    indices, _, _ = _log_det_greedy(DenseEmbedding(X), 7, block_size=2)
    assert blocks[0] == (2, 0) and (4, 0) in blocks
    for (size, accepted), (following, _) in itertools.pairwise(blocks):
        assert following == (2 if accepted else min(2 * size, 8))
    assert len(set((indices % 5)[:5])) == 5


def test_many_rows_of_a_block_compete(monkeypatch):
    monkeypatch.setattr(module, "_RIVALS", 3)
    X = np.random.default_rng(0).integers(-3, 4, size=(80, 9)).astype(float)
    assert_array_equal(log_det_greedy(X, 30), log_det_loop(X, 30)[0])


def test_prefixes():
    embedding = gradients(300, 3, 5, dtype=np.float32)
    everything = log_det_greedy(embedding, 300)
    assert sorted(everything) == list(range(300))
    for m in (1, 2, 15, 16, 77, 299):
        assert_array_equal(log_det_greedy(embedding, m), everything[:m])


def test_beyond_the_rank_the_choice_starts_over():
    X = np.concatenate([3.0 * np.eye(2), 2.0 * np.eye(2), np.eye(2), np.zeros((2, 2))])
    indices, scores, rank = _log_det_greedy(DenseEmbedding(X), 8)
    assert_array_equal(indices, np.arange(8))
    assert_allclose(scores, [9, 9, 4, 4, 1, 1, 0, 0])
    assert rank == 2


def test_rows_of_zeros_by_priority():
    priority = np.array([2, 0, 3, 1])
    found = _log_det_greedy(DenseEmbedding(np.zeros((4, 3))), 3, priority=priority)
    assert_array_equal(found[0], [1, 3, 0])
    assert_array_equal(found[1], np.zeros(3))
    assert found[2] == 0


def test_rows_near_the_span_count_as_in_it():
    """What float32 leaves of dependent rows is no direction of its own."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(50, 3)) @ rng.normal(size=(3, 40))).astype(np.float32)
    assert _log_det_greedy(DenseEmbedding(X), 10)[2] == 3
    X[7, 5] += 1.0
    assert _log_det_greedy(DenseEmbedding(X), 10)[2] == 4


@settings(max_examples=60, deadline=None)
@given(hostile_embeddings(), st.sampled_from([1, 5, 512, "steps"]), st.data())
def test_any_pool_is_chosen_from(embedding, block_size, data):
    n = data.draw(st.integers(1, len(embedding)))
    with by_course(block_size) as size:
        indices, scores, rank = _log_det_greedy(embedding, n, block_size=size)
    assert len(set(indices.tolist())) == n == len(scores)
    assert np.isfinite(scores).all() and (scores >= 0.0).all() and 0 <= rank <= n
    # Within the first set, distances to a growing span only fall.
    first = scores[:rank]
    assert (np.diff(first) <= 1e-4 * first[:-1]).all()
    # The first row is the longest, if its square can be told from 0 beside the largest
    # numbers there are, which may stand in factors of other rows.
    lengths = embedding.norms().numpy()
    if lengths.max() > (1e-150 if embedding.dtype == torch.float64 else 1e-37):
        assert lengths[indices[0]] >= lengths.max() * (1 - 1e-4)


@pytest.mark.parametrize("unit", [2.0**-500, 2.0**-30, 2.0**300])
def test_units_play_no_part(unit):
    X = np.random.default_rng(0).integers(-9, 10, size=(40, 6)).astype(float)
    indices, scores, _ = _log_det_greedy(DenseEmbedding(X), 20)
    scaled, larger, _ = _log_det_greedy(DenseEmbedding(X * unit), 20)
    assert_array_equal(indices, scaled)
    assert_allclose(larger / unit / unit, scores, rtol=1e-9)


def test_on_several_machines_as_on_one():
    rng = np.random.default_rng(0)
    tables = {
        "residual": torch.from_numpy(rng.normal(size=(300, 3)).astype(np.float32)),
        "features": torch.from_numpy(rng.normal(size=(300, 8)).astype(np.float32)),
    }
    parts = sharded(tables, [120, 0, 180])
    there = ShardedEmbedding(parts["residual"], parts["features"])
    here = GradientEmbedding(tables["residual"], tables["features"])
    found, expected = _log_det_greedy(there, 40), _log_det_greedy(here, 40)
    assert_array_equal(found[0], expected[0])
    assert_allclose(found[1], expected[1], rtol=1e-12)


def test_coordinates_that_do_not_fit_are_not_kept(monkeypatch):
    """Blocks go on then, whatever they cost."""
    embedding = DenseEmbedding(np.ones((2000, 3)))
    stepped, walk_plainly = [], LazySpan.walk_plainly

    def recorded(self, size):
        stepped.append(size)
        walk_plainly(self, size)

    monkeypatch.setattr(LazySpan, "walk_plainly", recorded)
    expected = _log_det_greedy(embedding, 70)[0]
    assert stepped
    stepped.clear()
    with sklearn.config_context(working_memory=1):
        found = _log_det_greedy(embedding, 70)[0]
    assert not stepped
    assert_array_equal(found, expected)


def test_bad_values_are_refused():
    X = np.ones((4, 3))
    with pytest.raises(InvalidInputError, match="n must be at most the number of"):
        log_det_greedy(X, 5)
    X[2, 1] = np.nan
    with pytest.raises(InvalidInputError, match="^X must be finite. Got NaN or"):
        log_det_greedy(X, 1)

"""k-center: the plain loop's picks, at any block size."""

import itertools
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbadge.embeddings import DenseEmbedding, _distances, _factored
from skbadge.embeddings._distances import pairwise_sq
from skbadge.exceptions import InvalidInputError
from skbadge.selection import _k_center as module
from skbadge.selection import _nearest, k_center_greedy
from skbadge.selection._k_center import LazyGreedy, _k_center_greedy
from tests._oracles import k_center_loop, squared_distances
from tests.embeddings._courses import force_course
from tests.selection._pools import hostile_tables


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 3),
    st.integers(0, 3),
    st.sampled_from([None, 1, 2, 7, 128]),
    st.sampled_from(["plain", "kept", "in groups", "in chunks", "in turn"]),
    st.booleans(),
    st.integers(0, 999),
)
def test_whole_numbers_give_the_loops_picks(
    n_pool, width, n_labeled, block_size, course, shuffled, seed
):
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, size=(n_pool, width)).astype(np.float64)
    labeled = rng.integers(-3, 4, size=(n_labeled, width)).astype(np.float64)
    priority = rng.permutation(n_pool) if shuffled else None
    n = int(rng.integers(1, n_pool + 1))
    with pytest.MonkeyPatch.context() as patch:
        force_course(patch, course)
        if course == "in turn":
            patch.setattr(_nearest, "_PER_BLOCK", 50_000)
        indices, scores = _k_center_greedy(
            torch.from_numpy(X),
            n,
            labeled_features=torch.from_numpy(labeled),
            priority=priority,
            block_size=block_size,
        )
    expected, radii = k_center_loop(X, n, labeled if n_labeled else None, priority)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(scores, radii, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.booleans(), st.sampled_from([1, 5, 128]), st.data())
def test_any_pool_is_covered_greedily(width, covered, block_size, data):
    X = data.draw(hostile_tables(width=width))
    labeled = data.draw(hostile_tables(width=width)) if covered else X[:0]
    n = data.draw(st.integers(1, len(X)))
    indices, scores = _k_center_greedy(
        X, n, labeled_features=labeled, block_size=block_size
    )
    assert len(set(indices.tolist())) == n == len(scores)
    # In a unit in which no square overflows; its 1e15th part may vanish.
    unit = float(torch.cat([X.double(), labeled.double()]).abs().max()) or 1.0
    longest = sys.float_info.max / unit
    rows, nearest = X.double().numpy() / unit, np.full(len(X), np.inf)
    for row in labeled.double().numpy() / unit:
        nearest = np.minimum(nearest, np.sqrt(((rows - row) ** 2).sum(axis=1)))
    for index, score in zip(indices, scores, strict=True):
        top = nearest[index] if np.isinf(score) else min(nearest[index], longest)
        np.testing.assert_allclose(score / unit, top, rtol=1e-4, atol=1e-15)
        assert nearest[index] >= nearest.max() * (1 - 1e-4) - 1e-15
        nearest = np.minimum(nearest, np.sqrt(((rows - rows[index]) ** 2).sum(axis=1)))


def test_the_loop_itself_depends_on_the_tie_break():
    X = np.array([[0.0], [1.0], [-1.0]])
    assert k_center_loop(X, 2, X[:1])[0][0] == 1
    assert k_center_loop(X, 2, X[:1], priority=[0, 2, 1])[0][0] == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_radii_agree_on_real_data(dtype, offset):
    rng = np.random.default_rng(0)
    X = torch.from_numpy(rng.normal(size=(500, 8)) + offset).to(dtype)
    labeled = X[:20] + 1
    _, scores = _k_center_greedy(X, 120, labeled_features=labeled)
    _, radii = k_center_loop(X.double(), 120, labeled.double())
    np.testing.assert_allclose(scores, radii, rtol=1e-6)


@pytest.mark.parametrize(("size", "n_labeled"), [(1, 1), (4, 1), (9, 0), (80, 5)])
def test_bounds_hold_after_every_block(size, n_labeled):
    rng = np.random.default_rng(0)
    X = rng.integers(-9, 10, size=(60, 2)).astype(float)
    labeled = rng.integers(-9, 10, size=(n_labeled, 2)).astype(float)
    covering = DenseEmbedding(labeled) if n_labeled else None
    greedy = LazyGreedy(DenseEmbedding(X), 60, covering, None)
    distance_sq = squared_distances(np.concatenate([X, labeled]))[:60]
    while len(greedy.chosen) < 60:
        before, seen = len(greedy.chosen), greedy.seen.copy()
        accepted = greedy.walk_block(size, 60)
        assert accepted == len(greedy.chosen) - before
        read = np.flatnonzero(greedy.seen != seen)
        assert len(read) <= size and set(greedy.seen[read]) <= {before}
        covers = [*range(60, 60 + n_labeled), *greedy.chosen]
        for row in range(60):
            exact = distance_sq[row, covers[: n_labeled + greedy.seen[row]]].min()
            chosen = row in greedy.chosen
            assert greedy.bound[row] == (-np.inf if chosen else exact)
    assert greedy.seen.dtype == np.int32


def test_blocks_grow_while_stale_rows_compete(monkeypatch):
    """A far cluster is in the way with stale distances once one of it is chosen."""
    X = np.concatenate([np.full(100, 1000.0), np.arange(100)])[:, None]
    X[:100, 0] += np.arange(100) * 1e-3
    blocks, walk_block = [], LazyGreedy.walk_block

    def recorded(self, size, n):
        blocks.append((size, walk_block(self, size, n)))
        return blocks[-1][1]

    monkeypatch.setattr(LazyGreedy, "walk_block", recorded)
    monkeypatch.setattr(module, "_LARGEST_BLOCK", 8)
    labeled = torch.zeros(1, 1, dtype=torch.float64)
    _k_center_greedy(torch.from_numpy(X), 9, labeled_features=labeled, block_size=2)
    assert blocks[0][0] == 2 and (8, 0) in blocks
    for (size, accepted), (following, _) in itertools.pairwise(blocks):
        assert following == (2 if accepted else min(2 * size, 8))


@pytest.mark.parametrize("spread", [0.0, 1e-5])
def test_copies_and_near_rows_cost_no_more_than_others(spread, monkeypatch):
    """Thousands of rows tie: neither all their pairs nor all differences are formed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 5))[rng.integers(8, size=3000)].astype(np.float32)
    X += (spread * rng.normal(size=X.shape)).astype(np.float32)
    compared, written = [], []
    pair_distances_sq = _distances._pair_distances_sq

    def pairwise(rows):
        compared.append(len(rows))
        return pairwise_sq(rows)

    def pairs(x, i, y, j):
        written.append(len(i))
        return pair_distances_sq(x, i, y, j)

    monkeypatch.setattr(module, "pairwise_sq", pairwise)
    monkeypatch.setattr(_distances, "_pair_distances_sq", pairs)
    X = torch.from_numpy(X)
    for block_size in (module._BLOCK, None):
        found, _ = _k_center_greedy(
            X, 40, labeled_features=X[:1], block_size=block_size
        )
        assert len(set(found.tolist())) == 40
        assert max(compared) <= module._RIVALS
        # The plain loop looks again at an eighth of the rows from each center.
        assert sum(written) <= 3000 * 40 * (1 / 16 if block_size else 1 / 4)
        written.clear()


def test_blocks_and_steps_of_the_plain_loop_follow_each_other(monkeypatch):
    """In turn, by tens of rows chosen: each goes on from what the other has left."""
    rng = np.random.default_rng(0)
    X = rng.integers(-99, 100, size=(500, 3)).astype(np.float64)

    def affords(self, cost, n_chosen):
        return n_chosen // 10 % 2 == 1

    monkeypatch.setattr(_nearest.PlainLoop, "affords", affords)
    blocks, steps = [], []
    walk_block, walk_plainly = LazyGreedy.walk_block, LazyGreedy.walk_plainly

    def block(self, size, n):
        blocks.append(len(self.chosen))
        return walk_block(self, size, n)

    def plainly(self, n, size):
        walk_plainly(self, n, size)
        steps.append(len(self.chosen))

    monkeypatch.setattr(LazyGreedy, "walk_block", block)
    monkeypatch.setattr(LazyGreedy, "walk_plainly", plainly)
    found, radii = _k_center_greedy(
        torch.from_numpy(X), 300, labeled_features=torch.zeros(1, 3).double()
    )
    expected, loop_radii = k_center_loop(X, 300, np.zeros((1, 3)))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(radii, loop_radii, rtol=1e-12)
    assert len(blocks) > 2 and len(steps) > 2
    assert set(steps[:-1]) <= set(blocks)


def test_tables_are_read_once_in_pieces(monkeypatch):
    for place in (module, _factored):
        monkeypatch.setattr(place, "chunk_length", lambda width: 3)
    X, labeled = DenseEmbedding(np.eye(4)), DenseEmbedding(2 * np.eye(4)[:, ::-1])
    read = []

    def reading(table, name):
        rows = table.rows

        def read_rows(key):
            if isinstance(key, slice):
                read.append((name, key.start, key.stop))
            return rows(key)

        return read_rows

    monkeypatch.setattr(X, "rows", reading(X, "X"))
    monkeypatch.setattr(labeled, "rows", reading(labeled, "labeled"))
    pieces = [("X", 0, 3), ("X", 3, 4)]
    LazyGreedy(X, 2, None, None)
    assert read == pieces
    read.clear()
    LazyGreedy(X, 2, labeled, None)
    assert read == [("labeled", 0, 3), *pieces, ("labeled", 3, 4), *pieces]


def test_results_are_positions_and_distances():
    indices, scores = _k_center_greedy(torch.eye(3), 2, labeled_features=None)
    assert indices.dtype == np.intp and scores.dtype == np.float64
    greedy = LazyGreedy(DenseEmbedding(torch.eye(3)), 2, None, None)
    assert greedy.centers[:].right.dtype == torch.float32  # no wider than the tables


def test_prefixes():
    X = np.random.default_rng(0).normal(size=(300, 4))
    everything = k_center_greedy(X, 300)
    assert sorted(everything) == list(range(300))
    for m in (1, 2, 77, 299):
        np.testing.assert_array_equal(k_center_greedy(X, m), everything[:m])


def test_nothing_labeled_starts_at_the_first_by_priority():
    X = torch.tensor([[0.0], [5.0], [1.0]])
    indices, scores = _k_center_greedy(
        X, 2, labeled_features=None, priority=np.array([2, 1, 0])
    )
    np.testing.assert_array_equal(indices, [2, 1])
    np.testing.assert_array_equal(scores, [np.inf, 4.0])


def test_identical_rows_are_chosen_once_each_in_order():
    X = np.ones((6, 2))
    np.testing.assert_array_equal(k_center_greedy(X, 6), np.arange(6))
    np.testing.assert_array_equal(
        k_center_greedy(X, 6, labeled_features=X), np.arange(6)
    )


@pytest.mark.parametrize(
    ("unit", "dtype"),
    [
        *[(2.0**power, torch.float32) for power in (-149, -100, 84, 124)],
        *[(2.0**power, torch.float64) for power in (-1074, -550, 550, 1020)],
    ],
)
def test_extreme_units(unit, dtype):
    X = (torch.tensor([[1.0], [3.0], [-4.0], [2.0]]).double() * unit).to(dtype)
    indices, scores = _k_center_greedy(
        X, 4, labeled_features=torch.zeros(1, 1, dtype=dtype)
    )
    np.testing.assert_array_equal(indices, [2, 1, 0, 3])
    np.testing.assert_allclose(scores / unit, [4, 3, 1, 1], rtol=1e-6)


def test_labeled_rows_of_another_magnitude():
    X = np.array([[1.0], [2.0]])
    far = np.array([[1e30]])
    np.testing.assert_array_equal(k_center_greedy(X, 1, labeled_features=far), [0])
    np.testing.assert_array_equal(
        k_center_greedy(X, 1, labeled_features=[[1.0], [1e9]]), [1]
    )


def test_distances_beyond_float64_are_the_largest_one():
    X = torch.tensor([[1.7e308], [-1.7e308], [0.0]], dtype=torch.float64)
    indices, scores = _k_center_greedy(X, 3, labeled_features=None)
    np.testing.assert_array_equal(indices, [0, 1, 2])
    np.testing.assert_array_equal(scores, [np.inf, np.finfo(float).max, 1.7e308])
    indices, scores = _k_center_greedy(X, 2, labeled_features=X[:1])
    np.testing.assert_array_equal(indices, [1, 2])
    np.testing.assert_array_equal(scores, [np.finfo(float).max, 1.7e308])


@pytest.mark.parametrize("dtypes", [("f4", "f8"), ("f8", "f4"), ("f2", "f8")])
@pytest.mark.parametrize("unit", [1.0, 2.0**-200])
def test_tables_of_two_types_meet_in_the_wider(dtypes, unit):
    rng = np.random.default_rng(0)
    tables = [
        (rng.integers(-9, 9, size=(n, 2)) * (unit if dtype == "f8" else 1)).astype(
            dtype
        )
        for n, dtype in zip((20, 4), dtypes, strict=True)
    ]
    expected, _ = k_center_loop(tables[0], 20, tables[1])
    found = k_center_greedy(tables[0], 20, labeled_features=tables[1])
    np.testing.assert_array_equal(found, expected)


def test_widths_must_agree():
    message = (
        "^labeled_features must have as many columns as features, 3. Got 2 instead.$"
    )
    with pytest.raises(InvalidInputError, match=message):
        k_center_greedy(np.ones((4, 3)), 1, labeled_features=np.ones((4, 2)))


def test_bad_values_are_refused():
    X = np.ones((4, 3))
    X[2, 1] = np.nan
    message = "^X must be finite. Got NaN or infinity in 1 of 4 rows instead, the first"
    with pytest.raises(InvalidInputError, match=message):
        k_center_greedy(X, 1)
    with pytest.raises(InvalidInputError, match="n must be at most the number of"):
        k_center_greedy(np.ones((4, 3)), 5)

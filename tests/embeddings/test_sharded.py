"""Factors on several machines against the same factors on one."""

import numpy as np
import pytest
import torch

from skbadge.embeddings import DenseEmbedding, Embedding, GradientEmbedding
from skbadge.embeddings._sharded import ShardedEmbedding, from_numpy, to_numpy
from skbadge.exceptions import InvalidInputError
from skbadge.extraction._residual import closed_form
from skbadge.selection import k_dpp_sample, kmeans_plusplus, log_det_greedy
from skbadge.selection._kmeans_plusplus import LazySampler
from tests._oracles import chi_square_p_value, kmeans_plusplus_law
from tests.embeddings._shards import sharded

LENGTHS = (7, 0, 1, 12)
KINDS = {
    "float32": (torch.float32, 1.0),
    "float64": (torch.float64, 1.0),
    "bfloat16": (torch.bfloat16, 1.0),
    "tiny": (torch.float32, 1e-20),
    "huge": (torch.float64, 1e200),
}


def factors(kind, seed=0):
    dtype, size = KINDS[kind]
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    right = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    # One part alone would be measured in another unit.
    left[:7] *= 1e-6
    return (left * size).to(dtype), (right * size).to(dtype)


def both(kind, bias=False):
    left, right = factors(kind)
    tables = sharded({"residual": left, "features": right}, LENGTHS)
    whole = GradientEmbedding(left, right, bias=bias)
    return ShardedEmbedding(*tables.values(), bias=bias), whole


def same_rows(found, expected):
    for name in ("left", "right", "left_sq", "right_sq"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert found.constant == expected.constant


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_norms_and_rows_are_those_of_one_machine(kind, bias):
    parts, whole = both(kind, bias)
    assert isinstance(parts, Embedding)
    assert len(parts) == 20
    assert (parts.scale, parts.dtype) == (whole.scale, whole.dtype)
    torch.testing.assert_close(parts.norms(), whole.norms(), rtol=1e-15, atol=0)
    order = np.array([19, 3, 3, 8, 0, 7, 12])
    same_rows(parts.rows(order), whole.rows(torch.from_numpy(order)))
    none = parts.rows(np.array([], dtype=np.intp))
    assert none.right.shape == (0, 5) and none.left.shape == (0, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_nearest_distances_are_those_of_one_machine(kind):
    parts, whole = both(kind)
    centers = torch.tensor([2, 9, 15])
    for part in (slice(None), slice(3, 9), slice(8, 8)):
        found = parts.nearest_sq(part, parts.rows(centers))
        expected = whole.nearest_sq(part, whole.rows(centers))
        assert torch.equal(found, expected)
    assert (parts.nearest_sq(slice(None), parts.rows(centers))[centers] == 0).all()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_cosines_and_so_the_k_dpp_are_those_of_one_machine(kind, bias):
    parts, whole = both(kind, bias)
    torch.testing.assert_close(
        parts.cosines([19, 0, 8], range(20)),
        whole.cosines([19, 0, 8], range(20)),
        rtol=0,
        atol=1e-6,
    )
    np.testing.assert_array_equal(
        k_dpp_sample(parts, 3, random_state=0), k_dpp_sample(whole, 3, random_state=0)
    )


def test_plain_vectors():
    right = factors("float32")[1]
    parts = ShardedEmbedding(None, sharded({"features": right}, LENGTHS)["features"])
    whole = DenseEmbedding(right)
    assert torch.equal(parts.norms(), whole.norms())
    rows = parts.rows([4, 18])
    assert rows.left is None
    assert torch.equal(rows.right, whole.rows(torch.tensor([4, 18])).right)


def test_round_trips_are_few():
    parts, _ = both("float32")
    shards = parts.shards
    parts.norms()
    parts.norms()
    assert shards.rounds == 1
    parts.rows([1, 8, 19])
    assert shards.rounds == 2
    parts.nearest_sq(slice(None), parts.rows([0]))
    assert shards.rounds == 4


@pytest.mark.parametrize(
    "use",
    [
        lambda table: table.float(),
        lambda table: table[0],
        np.asarray,
        len,
    ],
)
def test_a_table_in_parts_is_not_read_whole(use):
    table = sharded({"features": torch.ones(5, 2)}, (2, 3))["features"]
    if use is len:
        assert len(table) == 5
        return
    with pytest.raises(InvalidInputError, match="reads the pool's features whole"):
        use(table)


def test_nan_in_a_part_is_refused():
    right = torch.ones(5, 2)
    right[3, 1] = torch.nan
    table = sharded({"features": right}, (2, 3))["features"]
    with pytest.raises(InvalidInputError, match="must be finite"):
        ShardedEmbedding(None, table).norms()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_arrays_that_travel_come_back_as_they_were(dtype):
    tensor = torch.randn(4, 3).to(dtype)
    array = to_numpy(tensor)
    assert isinstance(array, np.ndarray)
    again = from_numpy(array)
    assert again.dtype == dtype
    assert torch.equal(again, tensor)


def softmax_factors(n, width=64, n_classes=10):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(n, n_classes, generator=generator)
    return closed_form(logits), torch.randn(n, width, generator=generator).relu()


@pytest.mark.parametrize("n, most", [(1_000, 15), (10_000, 40)])
def test_a_batch_takes_few_round_trips(n, most):
    residual, features = softmax_factors(50_000)
    tables = sharded({"residual": residual, "features": features}, (12_500,) * 4)
    parts = ShardedEmbedding(*tables.values())
    found = kmeans_plusplus(parts, n, random_state=0)
    assert parts.shards.rounds <= most
    # Up: a norm of every row, and at most two rows for each that is chosen: factors
    # and their squared norms. Down: positions, here of no more rows than that.
    row = 4 * (10 + 64) + 16
    assert parts.shards.bytes_up <= 8 * 50_000 + 2 * n * row
    assert parts.shards.bytes_down <= 2 * n * 16
    whole = GradientEmbedding(residual, features)
    np.testing.assert_array_equal(found, kmeans_plusplus(whole, n, random_state=0))


@pytest.mark.parametrize("lengths", [(500,), (200, 0, 300)])
def test_bounds_of_all_rows_are_refreshed_where_they_lie(monkeypatch, lengths):
    residual, features = softmax_factors(500)
    tables = sharded({"residual": residual, "features": features}, lengths)
    parts = ShardedEmbedding(*tables.values())
    plain, refreshed = ShardedEmbedding.nearest_sq, []

    def watched(embedding, part, centers):
        refreshed.append(len(centers.right))
        return plain(embedding, part, centers)

    monkeypatch.setattr(ShardedEmbedding, "nearest_sq", watched)

    def draw(embedding):
        sampler = LazySampler(embedding, 40, block_size=8, flush="always", sweep=False)
        generator = np.random.default_rng(0)
        sampler.choose_first("uniform", generator)
        while len(sampler.chosen) < 40:
            sampler.refresh_if_due()
            assert sampler.flushed == len(sampler.chosen)
            sampler.walk_block(generator)
        return *sampler.result(40), sampler.bound

    found = draw(parts)
    # The first center, and then those that each block has added.
    assert len(refreshed) > 3 and refreshed[0] == 1 and sum(refreshed) < 40
    for value, expected in zip(
        found, draw(GradientEmbedding(residual, features)), strict=True
    ):
        np.testing.assert_array_equal(value, expected)


def test_log_determinants_over_shards():
    residual, features = softmax_factors(4_000)
    tables = sharded({"residual": residual, "features": features}, (1_000,) * 4)
    parts = ShardedEmbedding(*tables.values())
    found = log_det_greedy(parts, 100)
    assert parts.shards.rounds <= 15
    whole = GradientEmbedding(residual, features)
    np.testing.assert_array_equal(found, log_det_greedy(whole, 100))


def test_the_law_over_shards():
    """Ordered triples of k-means++ by chi-square, which rejects two wrong laws."""
    X = torch.tensor([[0.5], [1.0], [3.0], [3.5], [7.0]], dtype=torch.float64)
    embedding = ShardedEmbedding(None, sharded({"X": X}, (2, 0, 1, 2))["X"])
    triples = [
        tuple(kmeans_plusplus(embedding, 3, random_state=seed).tolist())
        for seed in range(700)
    ]
    assert chi_square_p_value(triples, kmeans_plusplus_law(X, 3)) > 1e-3
    # Another power, and the origin as a center that is always there.
    assert chi_square_p_value(triples, kmeans_plusplus_law(X, 3, power=1)) < 1e-6
    assert chi_square_p_value(triples, kmeans_plusplus_law(X, 3, origin=True)) < 1e-6

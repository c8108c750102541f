"""DenseEmbedding and as_embedding."""

import numpy as np
import pytest
import torch

from skbadge.embeddings import (
    DenseEmbedding,
    Embedding,
    GradientEmbedding,
    as_embedding,
)
from skbadge.exceptions import InvalidInputError
from skbadge.selection import k_center_greedy, kmeans_plusplus


def test_norms_products_and_distances():
    X = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    embedding = DenseEmbedding(X)
    assert embedding.squared_norms().tolist() == [0.0, 25.0, 100.0]
    assert embedding.norms().tolist() == [0.0, 5.0, 10.0]
    assert embedding.inner([1], [0, 1, 2]).tolist() == [[0.0, 25.0, 50.0]]
    assert embedding.distances_sq([2], [0, 1, 2]).tolist() == [[100.0, 25.0, 0.0]]
    assert embedding.take([2, 1]).to_dense().tolist() == [[6.0, 8.0], [3.0, 4.0]]
    assert embedding.distances_sq([0], []).shape == (1, 0)


def test_both_kinds_keep_the_protocol():
    assert isinstance(DenseEmbedding([[1.0]]), Embedding)
    assert isinstance(GradientEmbedding([[1.0]], [[1.0]]), Embedding)
    assert not isinstance(np.ones((2, 2)), Embedding)


def test_embeddings_pass_through():
    embedding = GradientEmbedding([[1.0]], [[1.0]])
    assert as_embedding(embedding) is embedding


@pytest.mark.parametrize(
    ("X", "dtype"),
    [
        ([[1, 2], [3, 4]], torch.float64),
        (np.ones((2, 2), dtype=np.float32), torch.float32),
        (np.ones((2, 2), dtype=np.float16), torch.float32),
        (np.ones((2, 2), dtype=">f4"), torch.float32),
        (np.ones((4, 4))[::-1], torch.float64),
        (torch.ones(2, 2, requires_grad=True), torch.float32),
        (np.ones((2, 2), dtype=bool), torch.float64),
    ],
)
def test_tables_of_any_kind(X, dtype):
    embedding = as_embedding(X)
    assert embedding.dtype == embedding.to_dense().dtype == dtype
    assert not embedding.to_dense().requires_grad


def test_no_copy_of_a_floating_array():
    X = np.ones((3, 2))
    embedding = DenseEmbedding(X)
    X[0, 0] = 7.0
    assert embedding.to_dense()[0, 0] == 7.0


def test_read_only_memory_map(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 9)).astype(np.float32)
    X.tofile(tmp_path / "features")
    mapped = np.memmap(tmp_path / "features", np.float32, mode="r", shape=X.shape)
    np.testing.assert_array_equal(
        kmeans_plusplus(mapped, 60, random_state=0),
        kmeans_plusplus(X, 60, random_state=0),
    )
    np.testing.assert_array_equal(k_center_greedy(mapped, 60), k_center_greedy(X, 60))


def test_whole_numbers_are_exact():
    X = np.random.default_rng(0).integers(-50, 50, size=(40, 7))
    found = DenseEmbedding(X).distances_sq(range(40), range(40)).numpy()
    expected = ((X[:, None] - X[None]) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(found, expected)


def test_rows_far_from_the_origin_but_near_each_other():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60, 8)) + 500).astype(np.float32)
    found = DenseEmbedding(X).distances_sq(range(60), range(60)).numpy()
    wide = X.astype(float)
    expected = ((wide[:, None] - wide[None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones(3), r"^X must be a 2-D table of shape \(n, width\) with width of at "),
        (np.ones((2, 2, 2)), r"Got shape \(2, 2, 2\) instead"),
        ("abc", "^X must hold real numbers. Got dtype <U3 instead."),
        ([[1.0, np.nan]], "^X must be finite. Got NaN or infinity in 1 of 1 rows"),
        (torch.ones(2, 2) * 1j, "^X must hold real numbers. Got dtype torch.complex64"),
    ],
)
def test_wrong_tables(X, message):
    with pytest.raises(InvalidInputError, match=message):
        as_embedding(X)

"""Rows in memory: what is made of them, and which distances are written out."""

import numpy as np
import pytest
import torch

from skbadge.embeddings import DenseEmbedding, GradientEmbedding, _rows

EVERY = torch.arange(6)


@pytest.fixture(params=["dense", "factors", "factors and bias"])
def embedding(request):
    rng = np.random.default_rng(0)
    X, residual = (rng.integers(-9, 10, size=(6, d)).astype(np.float32) for d in (3, 2))
    if request.param == "dense":
        return DenseEmbedding(X)
    if request.param == "factors":
        return GradientEmbedding(residual, X)
    return GradientEmbedding(residual, X * 2.0**20, bias=True)  # in a unit of its own


def test_scaled_and_double(embedding):
    rows, dense = embedding.rows(EVERY), embedding.to_dense().double() / embedding.scale
    expected = (dense[:, None] - dense).square().sum(dim=-1)
    assert rows.scaled(1.0) is rows
    for made, factor in ((rows.scaled(2.0), 2.0), (rows.scaled(0.5), 0.5)):
        found = _rows.distances_sq(made, made)
        torch.testing.assert_close(found, factor**2 * expected, rtol=1e-5, atol=0)
        norm_sq = factor**2 * dense.square().sum(dim=1)
        torch.testing.assert_close(made.norm_sq, norm_sq, rtol=1e-5, atol=0)
        torch.testing.assert_close(
            _rows.inner(made, rows).double(),
            factor * dense @ dense.T,
            rtol=1e-4,
            atol=1e-5,
        )
    wide = rows.double()
    assert wide.right.dtype == torch.float64
    torch.testing.assert_close(
        wide.norm_sq, dense.square().sum(dim=1), rtol=1e-14, atol=0
    )
    torch.testing.assert_close(
        _rows.inner(wide, wide), dense @ dense.T, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("numbers", [1, 7, 1 << 20])
def test_the_three_ways_to_distances_agree(embedding, numbers, monkeypatch):
    """Copies and near rows included, with differences written out a few at a time."""
    monkeypatch.setattr(_rows, "_PAIR_NUMBERS", numbers)
    rows = embedding.rows(torch.tensor([0, 1, 2, 3, 0, 1]))
    dense = embedding.to_dense().double()[[0, 1, 2, 3, 0, 1]] / embedding.scale
    expected = (dense[:, None] - dense).square().sum(dim=-1)
    found = _rows.distances_sq(rows, rows)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert (found[expected == 0] == 0).all()
    torch.testing.assert_close(_rows.pairwise_sq(rows), found)
    rest = rows[torch.tensor([2, 3])]
    nearest = _rows.nearest_sq(rows, rest)
    torch.testing.assert_close(nearest, expected[:, 2:4].amin(dim=1), rtol=1e-5, atol=0)
    assert nearest.dtype == torch.float64
    assert _rows.nearest_sq(rows, rows[:0]).tolist() == [np.inf] * 6


@pytest.mark.parametrize(("offset", "dtype"), [(0.0, "f4"), (500.0, "f4"), (0.0, "f8")])
def test_few_differences_are_written_out(offset, dtype, monkeypatch):
    """Far from the origin, double digits take their place."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(40, 4)) + offset).astype(dtype)
    X[1] = X[0]
    pairs, arithmetic = [], []
    pair_distances_sq, gram_form = _rows._pair_distances_sq, _rows._gram_form

    def counted(x, i, y, j):
        pairs.append(len(i))
        return pair_distances_sq(x, i, y, j)

    def watched(x, y):
        arithmetic.append(x.right.dtype)
        return gram_form(x, y)

    monkeypatch.setattr(_rows, "_pair_distances_sq", counted)
    monkeypatch.setattr(_rows, "_gram_form", watched)
    DenseEmbedding(X).distances_sq(range(40), range(40))
    assert sum(pairs) <= 60
    single, double = torch.float32, torch.float64
    expected = {0.0: [single if dtype == "f4" else double], 500.0: [single, double]}
    assert arithmetic == expected[offset]

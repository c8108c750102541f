"""Rows in memory: what is made of them, and which distances are written out."""

import numpy as np
import pytest
import torch

from skbadge.embeddings import DenseEmbedding, GradientEmbedding, _distances
from tests._oracles import squared_distances

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
        found = _distances.distances_sq(made, made)
        torch.testing.assert_close(found, factor**2 * expected, rtol=1e-5, atol=0)
        norm_sq = factor**2 * dense.square().sum(dim=1)
        torch.testing.assert_close(made.norm_sq, norm_sq, rtol=1e-5, atol=0)
        torch.testing.assert_close(
            _distances.inner(made, rows).double(),
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
        _distances.inner(wide, wide), dense @ dense.T, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("numbers", [1, 7, 1 << 20])
def test_the_three_ways_to_distances_agree(embedding, numbers, monkeypatch):
    """Copies and near rows included, with differences written out a few at a time."""
    monkeypatch.setattr(_distances, "_PAIR_NUMBERS", numbers)
    rows = embedding.rows(torch.tensor([0, 1, 2, 3, 0, 1]))
    dense = embedding.to_dense().double()[[0, 1, 2, 3, 0, 1]] / embedding.scale
    expected = (dense[:, None] - dense).square().sum(dim=-1)
    found = _distances.distances_sq(rows, rows)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert (found[expected == 0] == 0).all()
    torch.testing.assert_close(_distances.pairwise_sq(rows), found)
    rest = rows[torch.tensor([2, 3])]
    nearest = _distances.nearest_sq(rows, rest)
    torch.testing.assert_close(nearest, expected[:, 2:4].amin(dim=1), rtol=1e-5, atol=0)
    assert nearest.dtype == torch.float64
    assert _distances.nearest_sq(rows, rows[:0]).tolist() == [np.inf] * 6


@pytest.mark.parametrize(("offset", "dtype"), [(0.0, "f4"), (500.0, "f4"), (0.0, "f8")])
def test_few_differences_are_written_out(offset, dtype, monkeypatch):
    """Far from the origin, rows are measured from one of them instead."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(40, 4)) + offset).astype(dtype)
    X[1] = X[0]
    pairs, groups = [], []
    pair_distances_sq, offsets = _distances._pair_distances_sq, _distances.Offsets

    def counted(x, i, y, j):
        pairs.append(len(i))
        return pair_distances_sq(x, i, y, j)

    def watched(rows, reference):
        groups.append(len(rows))
        return offsets(rows, reference)

    monkeypatch.setattr(_distances, "_pair_distances_sq", counted)
    monkeypatch.setattr(_distances, "Offsets", watched)
    found = DenseEmbedding(X).distances_sq(range(40), range(40)).numpy()
    assert sum(pairs) <= 60
    assert groups == ([] if offset == 0.0 else [40, 39])
    np.testing.assert_allclose(found, squared_distances(X), rtol=1e-3)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("spread", [1e-5, 1e-3, 0.0])
@pytest.mark.parametrize("factored", [False, True])
def test_groups_of_near_rows_are_measured_from_references(
    spread, factored, dtype, monkeypatch
):
    """Several groups, copies among them, products that hardly differ."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(4, 9)) * [[1], [1e-3], [30], [1]]
    X = kinds[rng.integers(4, size=90)] * (1 + spread * rng.normal(size=(90, 9)))
    X[50:60] = X[3]
    X[60:65, :3], X[60:65, 3:] = X[60, :3] * 1.0001, X[60, 3:] / 1.0001
    X = X.astype(dtype)
    embedding = DenseEmbedding(X)
    if factored:
        embedding = GradientEmbedding(X[:, :3], X[:, 3:], bias=True)
    wide = X.astype(float)
    if factored:
        wide = GradientEmbedding(wide[:, :3], wide[:, 3:], bias=True).to_dense()
    exact = squared_distances(wide)
    rows = embedding.rows(slice(0, 90))
    monkeypatch.setattr(_distances, "_SECOND_COLUMNS", 32)
    monkeypatch.setattr(_distances, "_FEW_PAIRS", 4)
    written = []
    monkeypatch.setattr(
        _distances, "_write_out", counting(_distances._write_out, written)
    )
    scale_sq = embedding.scale**2
    # What is no near pair has the digits of a float32.
    for found in (_distances.distances_sq(rows, rows), _distances.pairwise_sq(rows)):
        np.testing.assert_allclose(found * scale_sq, exact, rtol=1e-3, atol=0)
    nearest = _distances.nearest_sq(rows[:70], rows[70:])
    np.testing.assert_allclose(
        nearest * scale_sq, exact[:70, 70:].min(axis=1), rtol=1e-3, atol=0
    )
    assert sum(written) < 90 * 90 / 8


def counting(write_out, written):
    def counted(x, y, distance_sq, close):
        written.append(int(close.sum()))
        write_out(x, y, distance_sq, close)

    return counted

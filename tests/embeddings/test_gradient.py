"""GradientEmbedding against autograd, and Proposition 1."""

import numpy as np
import pytest
import torch
from torch import nn

from skbadge._contracts import Needs, Outputs
from skbadge.embeddings import GradientEmbedding, _distances
from skbadge.exceptions import InvalidInputError

N_ROWS, N_CLASSES = 12, 4


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, N_CLASSES)).double()


@pytest.fixture
def X():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(N_ROWS, 5, generator=generator, dtype=torch.float64) * 2


def factors(net, X):
    with torch.no_grad():
        features = net[:2](X)
        proba = net[2](features).softmax(dim=1)
    residual = proba - nn.functional.one_hot(proba.argmax(dim=1), N_CLASSES)
    return residual, features, proba


def autograd_rows(net, X, labels, bias):
    rows = []
    for x, label in zip(X, labels, strict=True):
        net.zero_grad()
        nn.functional.cross_entropy(net(x[None]), label[None]).backward()
        row = net[2].weight.grad.flatten()
        rows.append(torch.cat([row, net[2].bias.grad]) if bias else row.clone())
    return torch.stack(rows)


@pytest.mark.parametrize("bias", [False, True])
def test_equal_to_autograd_at_the_hypothetical_label(net, X, bias):
    residual, features, proba = factors(net, X)
    embedding = GradientEmbedding(residual, features, bias=bias)
    oracle = autograd_rows(net, X, proba.argmax(dim=1), bias)
    every = range(N_ROWS)
    torch.testing.assert_close(embedding.to_dense(), oracle)
    torch.testing.assert_close(embedding.squared_norms(), (oracle**2).sum(dim=1))
    torch.testing.assert_close(embedding.inner(every, every), oracle @ oracle.T)
    length = oracle.square().sum(dim=1).sqrt()
    cosines = oracle @ oracle.T / length[:, None] / length
    torch.testing.assert_close(embedding.cosines(every, every), cosines)
    expected = torch.cdist(oracle, oracle) ** 2
    torch.testing.assert_close(embedding.distances_sq(every, every), expected)
    # The same oracle at another label must differ.
    other = autograd_rows(net, X, proba.argmin(dim=1), bias)
    assert not torch.allclose(embedding.to_dense(), other)


def test_proposition_1(net, X):
    residual, features, proba = factors(net, X)
    features_sq = (features**2).sum(dim=1)
    norms = []
    for label in range(N_CLASSES):
        labels = torch.full((N_ROWS,), label)
        oracle_sq = (autograd_rows(net, X, labels, bias=False) ** 2).sum(dim=1)
        formula = ((proba**2).sum(dim=1) + 1 - 2 * proba[:, label]) * features_sq
        torch.testing.assert_close(oracle_sq, formula)
        norms.append(oracle_sq)
    smallest, best = torch.stack(norms, dim=1).min(dim=1)
    assert (best == proba.argmax(dim=1)).all()
    torch.testing.assert_close(
        GradientEmbedding(residual, features).squared_norms(), smallest
    )


def test_norms_rank_with_uncertainty(net, X):
    residual, features, proba = factors(net, X)
    ones = torch.ones_like(features)
    norms = GradientEmbedding(residual, ones).squared_norms()
    assert norms.argmin() == proba.amax(dim=1).argmax()


def test_take_keeps_order_and_bias(net, X):
    residual, features, _ = factors(net, X)
    embedding = GradientEmbedding(residual, features, bias=True)
    taken = embedding.take([5, 0, 5])
    assert len(taken) == 3
    torch.testing.assert_close(taken.to_dense(), embedding.to_dense()[[5, 0, 5]])


def test_from_outputs(net, X):
    residual, features, _ = factors(net, X)
    needs = Needs(residual=True, features=True)
    values = {"residual": residual, "features": features}
    outputs = Outputs(N_ROWS, needs, values)
    for settings in ({}, {"bias": True}):
        found = GradientEmbedding.from_outputs(outputs, **settings)
        expected = GradientEmbedding(residual, features, **settings)
        assert found.to_dense().equal(expected.to_dense())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_computes_in_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    residual = torch.randn(20, 3, generator=generator).to(dtype)
    features = torch.randn(20, 40, generator=generator).to(dtype) * 300
    embedding = GradientEmbedding(residual, features)
    oracle = GradientEmbedding(residual.double(), features.double())
    assert embedding.dtype == embedding.to_dense().dtype == torch.float32
    assert embedding.to_dense().equal(oracle.to_dense().float())
    torch.testing.assert_close(
        embedding.distances_sq(range(20), range(20)),
        oracle.distances_sq(range(20), range(20)),
        rtol=1e-5,
        atol=0,
    )


def test_factors_of_two_types_meet_in_the_wider():
    rng = np.random.default_rng(0)
    residual, features = rng.normal(size=(30, 3)).astype("f4"), rng.normal(size=(30, 5))
    for factors in ((residual, features), (features, residual)):
        found = GradientEmbedding(*factors)
        wide = GradientEmbedding(*(table.astype("f8") for table in factors))
        assert found.dtype == torch.float64
        assert found.squared_norms().equal(wide.squared_norms())
        between = found.distances_sq(range(30), range(30))
        assert between.equal(wide.distances_sq(range(30), range(30)))
        assert (between.diagonal() == 0).all()


@pytest.mark.parametrize("bias", [False, True])
def test_distances_of_near_rows_do_not_cancel(bias):
    rng = np.random.default_rng(0)
    residual = np.repeat(rng.normal(size=(1, 6)), 30, axis=0)
    features = np.repeat(rng.normal(size=(1, 50)), 30, axis=0)
    residual[1::2] += rng.normal(size=(15, 6)) * 1e-4
    features[2::3] += rng.normal(size=(10, 50)) * 1e-4
    residual, features = residual.astype(np.float32), features.astype(np.float32)
    embedding = GradientEmbedding(residual, features, bias=bias)
    dense = GradientEmbedding(
        residual.astype(float), features.astype(float), bias=bias
    ).to_dense()
    expected = ((dense[:, None] - dense[None]) ** 2).sum(dim=-1)
    found = embedding.distances_sq(range(30), range(30))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert found[0, 4] == 0  # identical rows, exactly
    naive = embedding.squared_norms()[:, None] + embedding.squared_norms()
    naive = naive - 2 * embedding.inner(range(30), range(30)).double()
    assert not torch.allclose(naive, expected, rtol=1e-2, atol=0)


@pytest.mark.parametrize("unit", [1e-150, 1e-30, 1.0, 1e30, 1e60])
def test_any_magnitude(unit):
    rng = np.random.default_rng(0)
    residual, features = rng.normal(size=(6, 2)), rng.normal(size=(6, 3))
    plain = GradientEmbedding(residual, features)
    scaled = GradientEmbedding(residual * unit, features)
    every = range(6)
    for name in ("distances_sq", "inner"):
        torch.testing.assert_close(
            getattr(scaled, name)(every, every) / unit / unit,
            getattr(plain, name)(every, every),
        )
    torch.testing.assert_close(
        scaled.squared_norms() / unit / unit, plain.squared_norms()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_beyond_float64_are_the_largest_one(dtype):
    size = torch.finfo(dtype).max ** 0.75
    table = torch.tensor([[size], [0.0], [-size]], dtype=dtype)
    embedding = GradientEmbedding(table, table.abs())
    # 2^768 squared is beyond any float64, 2^96 squared within it.
    largest = torch.finfo(torch.float64).max
    square = size**4 if dtype == torch.float32 else largest
    twice = min(4 * square, largest)
    every = range(3)
    expected = {
        "squared_norms": [square, 0.0, square],
        "inner": [[square, 0.0, -square], [0.0] * 3, [-square, 0.0, square]],
        "distances_sq": [
            [0.0, square, twice],
            [square, 0.0, square],
            [twice, square, 0.0],
        ],
    }
    for name, values in expected.items():
        found = getattr(embedding, name)(
            *[every, every][: 2 * (name != "squared_norms")]
        )
        torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize("unit", [1e-30, 1e-6, 1.0, 2e5, 1e30])
def test_bias_keeps_its_size_beside_any_other(unit):
    rng = np.random.default_rng(0)
    residual, features = rng.normal(size=(6, 2)), rng.normal(size=(6, 3)) * unit
    embedding = GradientEmbedding(residual, features, bias=True)
    longest = max(unit, 1.0)
    dense = embedding.to_dense() / longest
    expected = (dense[:, None] - dense[None]).square().sum(dim=-1)
    found = embedding.distances_sq(range(6), range(6)) / longest / longest
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        embedding.inner(range(6), range(6)) / longest / longest, dense @ dense.T
    )
    length = dense.square().sum(dim=1).sqrt()
    torch.testing.assert_close(
        embedding.cosines(range(6), range(6)),
        dense @ dense.T / length[:, None] / length,
    )
    norm_sq = embedding.squared_norms() / longest / longest
    torch.testing.assert_close(norm_sq, dense.square().sum(dim=1), rtol=1e-14, atol=0)


@pytest.mark.parametrize("n_columns", [1, 2, 5])
def test_distances_in_blocks_of_columns(n_columns, monkeypatch):
    rng = np.random.default_rng(0)
    embedding = GradientEmbedding(rng.normal(size=(7, 2)), rng.normal(size=(7, 3)))
    expected = embedding.distances_sq(range(7), range(5))
    monkeypatch.setattr(_distances, "_COLUMNS", n_columns)
    torch.testing.assert_close(embedding.distances_sq(range(7), range(5)), expected)
    none = embedding.distances_sq(range(7), [])
    assert none.shape == (7, 0) and none.dtype == expected.dtype


@pytest.mark.parametrize(
    ("residual", "features", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "must have as many rows each. Got 3 and 4"),
        (np.ones(3), np.ones((3, 2)), "^residual must be a 2-D table of shape"),
        (np.ones((3, 2)), np.ones((3, 0)), "^features must be a 2-D table of shape"),
        (np.ones((3, 2)), [["a"], ["b"], ["c"]], "^features must hold real numbers"),
        (np.ones((2, 2)), [[1.0], [1.0, 2.0]], "rows have different lengths"),
        (np.ones((2, 2)) * 1j, np.ones((2, 2)), "residual must hold real numbers"),
    ],
)
def test_wrong_factors(residual, features, message):
    with pytest.raises(InvalidInputError, match=message):
        GradientEmbedding(residual, features)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_values_are_found_at_first_use(bad):
    features = np.ones((5, 2), dtype=np.float32)
    features[3, 1] = bad
    message = (
        "^features must be finite. Got NaN or infinity in 1 of 5 rows instead, the "
        "first at position 3.$"
    )
    with pytest.raises(InvalidInputError, match=message):
        GradientEmbedding(np.ones((5, 2)), features).norms()

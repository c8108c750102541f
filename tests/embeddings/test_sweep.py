"""Steps of the plain loop: as good as differences in float64, whatever the pool."""

import numpy as np
import pytest
import torch

from skbadge.embeddings import DenseEmbedding, GradientEmbedding, _sweep
from skbadge.embeddings._sweep import Sweep
from tests.embeddings._courses import force_course

N, WIDTH = 150, 12


def pools():
    rng = np.random.default_rng(0)

    def normal(n=N):
        return rng.standard_normal((n, WIDTH))

    groups = 10 * normal(3)[rng.integers(3, size=N)]
    stamps = normal()
    stamps[:, 5] = 1.7e9 + 1e6 * stamps[:, 5]
    return {
        "random": normal(),
        "heavy tails": normal() * rng.lognormal(sigma=3, size=(N, 1)),
        "8 kinds": normal(8)[rng.integers(8, size=N)],
        "one kind": np.ones((N, WIDTH)),
        "alike": 1.0 + 1e-5 * normal(),
        "time stamps": stamps,
        "tight groups": groups + 1e-5 * normal(),
        "groups within groups": groups + 1e-2 * normal(3)[rng.integers(3, size=N)],
        "tiny": 1e-24 * normal(),
        "long and tiny": np.concatenate([normal(1), 1e-22 * normal(N - 1)]),
        "long and small": np.concatenate([normal(1), 1e-9 * normal(N - 1)]),
        "tiny, beside zeros": 1e-18 * normal() * rng.integers(2, size=(N, 1)),
    }


POOLS = pools()
COURSES = ["plain", "kept", "widened", "in groups", "in chunks"]


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize("factored", [False, True])
@pytest.mark.parametrize("kind", POOLS)
def test_bounds_are_distances_to_the_nearest_center(
    kind, factored, course, monkeypatch
):
    dtype = torch.float64 if kind == "groups within groups" else torch.float32
    force_course(monkeypatch, course)
    X = torch.from_numpy(POOLS[kind]).to(dtype)
    embedding = DenseEmbedding(X)
    if factored:
        left, right = X[:, :4].contiguous(), X[:, 4:].contiguous()
        embedding = GradientEmbedding(left, right, bias=kind == "heavy tails")
    exact = embedding.to_dense() if not factored else None
    sweep = Sweep(embedding, dtype)
    bound = np.full(N, np.inf)
    expected = np.full(N, np.inf)
    center = 0
    for _ in range(20):
        bound[center] = 0.0
        sweep.lower(bound, center)
        if factored:
            found = embedding.distances_sq([center], range(N))[0].numpy()
            found = found / embedding.scale**2
        else:
            found = (exact.double() - exact[center].double()).square().sum(dim=1)
            found = found.numpy() / embedding.scale**2
        expected = np.minimum(expected, found)
        np.testing.assert_allclose(bound, expected, rtol=2e-3, atol=0)
        center = int(bound.argmax())
        if not bound[center] > 0.0:
            break


@pytest.mark.parametrize(("kind", "most"), [("alike", 3), ("tight groups", 30)])
def test_frequent_differences_are_kept(kind, most, monkeypatch):
    """Near rows are measured by differences until that has cost as much as a group."""
    force_course(monkeypatch, "in groups")
    measured = []
    row_distances_sq = _sweep.row_distances_sq

    def counted(x, center, among=None):
        measured.append(len(x) if among is None else len(among))
        return row_distances_sq(x, center, among)

    monkeypatch.setattr(_sweep, "row_distances_sq", counted)
    X = torch.from_numpy(POOLS[kind]).float()
    embedding = DenseEmbedding(X)
    sweep = Sweep(embedding, torch.float32)
    bound, center = np.full(N, np.inf), 0
    for _ in range(60):
        bound[center] = 0.0
        sweep.lower(bound, center)
        center = int(bound.argmax())
    assert sum(measured) <= 3 * N

"""No pool costs much more work than the plain loop, as counted, not timed."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from skbadge.embeddings import DenseEmbedding, GradientEmbedding
from skbadge.selection import log_det_greedy
from skbadge.selection._k_center import _k_center_greedy
from skbadge.selection._kmeans_plusplus import _kmeans_plusplus

N, WIDTH, BATCH = 3000, 96, 60


class Work(TorchDispatchMode):
    """Counts the numbers that torch forms or reads in products; views cost nothing."""

    def __init__(self):
        super().__init__()
        self.numbers = 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm", "mv"):
            left, right = args[-2:]
            columns = right.shape[1] if right.ndim == 2 else 1
            # A matrix product forms many numbers from each that it reads.
            self.numbers += left.numel() * max(1.0, columns / 8)
        elif isinstance(found, torch.Tensor) and not func.is_view:
            inputs = [x.numel() for x in args if isinstance(x, torch.Tensor)]
            is_gather = name in ("index", "index_select")
            self.numbers += max([found.numel(), *([] if is_gather else inputs)])
        return found


def pools():
    rng = np.random.default_rng(0)

    def normal(n=N):
        return rng.standard_normal((n, WIDTH))

    stamps = normal()
    stamps[:, 8] = 1.7e9 + 1e6 * stamps[:, 8]
    return {
        "random": normal(),
        "heavy tails": normal() * rng.lognormal(sigma=3, size=(N, 1)),
        "8 kinds": normal(8)[rng.integers(8, size=N)],
        "ties": rng.integers(2, size=(N, WIDTH)).astype(float),
        "one kind": np.ones((N, WIDTH)),
        "time stamps": stamps,
        "alike": 1.0 + 1e-5 * normal(),
        "far": 1e3 + normal(),
        "near copies": normal(30)[rng.integers(30, size=N)] + 1e-5 * normal(),
        "10 tight groups": 10 * normal(10)[rng.integers(10, size=N)] + 1e-5 * normal(),
    }


POOLS = {kind: torch.from_numpy(X).float() for kind, X in pools().items()}


def plain_kmeans(left, right):
    """The public form: one product of each factor with the pool, and a draw."""
    generator = torch.Generator().manual_seed(0)
    size_sq = left.square().sum(dim=1) * right.square().sum(dim=1)
    nearest, center = torch.full((N,), torch.inf), 0
    for _ in range(BATCH):
        products = torch.mv(right, right[center]) * torch.mv(left, left[center])
        distance_sq = size_sq - 2.0 * products + size_sq[center]
        nearest = torch.minimum(nearest, distance_sq.clamp_min(0.0))
        law = nearest.double().cumsum(0)
        level = torch.rand(1, generator=generator, dtype=torch.float64) * law[-1]
        center = min(int(torch.searchsorted(law, level)), N - 1)


def plain_k_center(right):
    size_sq = right.square().sum(dim=1)
    nearest, center = torch.full((N,), torch.inf), 0
    for _ in range(BATCH):
        distance_sq = size_sq - 2.0 * torch.mv(right, right[center]) + size_sq[center]
        nearest = torch.minimum(nearest, distance_sq)
        nearest[center] = -1.0
        center = int(nearest.argmax())


def plain_log_det(left, right):
    """One row of a growing Cholesky factor a pick; right in float64 only."""
    left, right = left.double(), right.double()
    left_over = left.square().sum(dim=1) * right.square().sum(dim=1)
    along = torch.empty(BATCH, N, dtype=torch.float64)
    for m in range(BATCH):
        best = int(left_over.argmax())
        row = torch.mv(right, right[best]) * torch.mv(left, left[best])
        row = row - torch.mv(along[:m].T, along[:m, best].contiguous())
        along[m] = row / left_over[best].clamp_min(1e-9).sqrt()
        left_over = left_over - along[m].square()
        left_over[best] = -1.0


def lazy_kmeans(embedding):
    generator = np.random.default_rng(0)
    _kmeans_plusplus(embedding, BATCH, first="uniform", generator=generator)


def work_of(function, *arguments):
    # What is measured of an embedding is kept with it: each call has a new one.
    with Work() as work:
        function(*arguments)
    return work.numbers


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize(
    "sampler",
    ["k-means++", "k-means++ of vectors", "k-center", "log-det", "log-det of vectors"],
)
def test_at_most_twice_the_work_of_the_plain_loop(kind, sampler):
    X = POOLS[kind]
    left, right = X[:, :8].contiguous(), X[:, 8:].contiguous()
    if sampler == "k-center":
        plain = work_of(plain_k_center, X)
        found = work_of(lambda: _k_center_greedy(X, BATCH, labeled_features=X[:1]))
    elif sampler == "log-det":
        plain = work_of(plain_log_det, left, right)
        found = work_of(lambda: log_det_greedy(GradientEmbedding(left, right), BATCH))
    elif sampler == "log-det of vectors":
        plain = work_of(plain_log_det, torch.ones(N, 1), X)
        found = work_of(lambda: log_det_greedy(DenseEmbedding(X), BATCH))
    elif sampler == "k-means++":
        plain = work_of(plain_kmeans, left, right)
        found = work_of(lambda: lazy_kmeans(GradientEmbedding(left, right)))
    else:
        plain = work_of(plain_kmeans, torch.ones(N, 1), X)
        found = work_of(lambda: lazy_kmeans(DenseEmbedding(X)))
    assert found <= 2.0 * plain, found / plain


def test_the_count_sees_work_that_is_done_in_vain():
    """Distances of every row from differences, center after center, are too much."""
    X = POOLS["alike"]

    def by_differences():
        for center in range(BATCH):
            (X - X[center]).square().sum(dim=1)

    assert work_of(by_differences) > 2.0 * work_of(plain_k_center, X)

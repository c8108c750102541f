"""Pools on which laziness saves nothing, and plain loops to hold it against there.

Rows alike, copies, ties, rows far from the origin: what nets in a first round, tables
of categories and time stamps really give.
"""

import numpy as np
import torch
from _selection_baselines import (
    SequentialSampler,
    plain_swap_chain,
    sequential_k_center,
    sequential_log_det,
)

from skbadge.embeddings import DenseEmbedding, GradientEmbedding
from skbadge.selection._k_center import _k_center_greedy
from skbadge.selection._k_dpp import _k_dpp
from skbadge.selection._kmeans_plusplus import _kmeans_plusplus
from skbadge.selection._log_det import _log_det_greedy


def _normal(rng, n, width):
    return rng.standard_normal((n, width), dtype=np.float32)


def _alike(rng, n, width):
    return np.float32(1.0) + np.float32(1e-5) * _normal(rng, n, width)


def _copies(rng, n, width):
    return _normal(rng, 8, width)[rng.integers(8, size=n)]


def _near_copies(rng, n, width):
    kinds = _normal(rng, max(n // 100, 1), width)
    near = kinds[rng.integers(len(kinds), size=n)]
    return near + np.float32(1e-5) * _normal(rng, n, width)


def _tight_groups(rng, n, width):
    near = 10 * _normal(rng, 10, width)[rng.integers(10, size=n)]
    return near + np.float32(1e-5) * _normal(rng, n, width)


def _time_stamps(rng, n, width):
    table = _normal(rng, n, width)
    table[:, 0] = 1.7e9 + 1e6 * table[:, 0]
    return table


def _far(rng, n, width):
    return 1e3 + _normal(rng, n, width)


def _one_kind(rng, n, width):
    return np.ones((n, width), np.float32)


def _ties(rng, n, width):
    return np.eye(width, dtype=np.float32)[rng.integers(width, size=n)]


def _heavy_tails(rng, n, width):
    return _normal(rng, n, width) * rng.lognormal(sigma=3, size=(n, 1)).astype("f4")


def _one_long(rng, n, width):
    table = np.float32(1e-9) * _normal(rng, n, width)
    table[0] = 1.0
    return table


def _whole_numbers(rng, n, width):
    table = np.zeros((n, width), np.float32)
    table[:, :3] = rng.integers(4, size=(n, 3))
    return table


POOLS = {
    "ordinary": _normal,
    "alike to 1e-5": _alike,
    "8 kinds": _copies,
    "near copies": _near_copies,
    "10 tight groups": _tight_groups,
    "time stamps": _time_stamps,
    "far from the origin": _far,
    "one kind": _one_kind,
    "ties everywhere": _ties,
    "heavy tails": _heavy_tails,
    "one long row": _one_long,
    "64 kinds of whole numbers": _whole_numbers,
}


def hostile_factors(kind, n_pool, n_classes, n_features, seed=0):
    """Return (residual, features) of a pool of that kind."""
    rng = np.random.default_rng(seed)
    both = POOLS[kind](rng, n_pool, n_classes + n_features)
    if kind == "time stamps":  # of the features, as a table's first column is
        both = np.roll(both, n_classes, axis=1)
    left, right = both[:, :n_classes], both[:, n_classes:]
    return torch.from_numpy(left.copy()), torch.from_numpy(right.copy())


def methods(residual, features, n):
    """Return {algorithm: {way: call}}; each call chooses ``n`` rows.

    The plain loops are those of `_selection_baselines`: one center at a time, by matrix
    products, with no care for lost digits. In float32 most of these pools lose them,
    and what the loop chooses is not what it should; in float64 it is right.
    """
    # A chain of a few thousand steps.
    few = min(n, 50)

    def gradients():
        return GradientEmbedding(residual, features)

    def vectors():
        return DenseEmbedding(features)

    def kmeans(embedding):
        generator = np.random.default_rng(0)
        return _kmeans_plusplus(embedding, n, first="uniform", generator=generator)

    def plain_kmeans(left, right):
        SequentialSampler(left, right).add_centers(n)

    def plain_k_center(left, right):
        norm_sq = right.square().sum(dim=1)
        nearest = norm_sq + norm_sq[0] - 2.0 * (right @ right[0])
        sequential_k_center(right, norm_sq, nearest, n)

    def plain_log_det(left, right):
        sequential_log_det(left, right, n)

    def both(lazy, plain, left):
        return {
            "lazy": lazy,
            "plain loop": lambda: plain(left, features),
            "plain loop in float64": lambda: plain(left.double(), features.double()),
        }

    ones = torch.ones(len(features), 1)
    found = {
        "k-means++": both(lambda: kmeans(gradients()), plain_kmeans, residual),
        "k-means++ of vectors": both(lambda: kmeans(vectors()), plain_kmeans, ones),
        "k-center": both(
            lambda: _k_center_greedy(features, n, labeled_features=features[:1]),
            plain_k_center,
            ones,
        ),
        "log-det": both(
            lambda: _log_det_greedy(gradients(), n), plain_log_det, residual
        ),
        "log-det of vectors": both(
            lambda: _log_det_greedy(vectors(), n), plain_log_det, ones
        ),
        "k-DPP": {
            "lazy": lambda: _k_dpp(
                gradients(), few, n_steps=None, generator=np.random.default_rng(0)
            ),
            "plain loop": lambda: plain_swap_chain(residual, features, few),
        },
    }
    # What float32 leaves of rows near the span is nothing: no loop to hold against.
    for name in ("log-det", "log-det of vectors"):
        del found[name]["plain loop"]
    return found

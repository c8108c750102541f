"""Strategies without an installable peer, each in a plain form that is vectorized.

Plain torch and scikit-learn in float32: what a good programmer writes from the paper.
ALBL asks both of its arms, as its weights need what each would have chosen.
"""

import math
import time

import numpy as np
import torch
from _selection_baselines import (
    SequentialSampler,
    nearest_labeled_sq,
    sequential_k_center,
)
from _strategies_steps import (
    bait_loop,
    bait_wide_loop,
    margin_weight,
    uherding_cross_fitted,
    uherding_loop,
)
from sklearn.cluster import KMeans


def uncertainty_loop(data, batch):
    """k-means++ on weighted features, one center at a time."""

    def query():
        weight = margin_weight(data.pool.proba)[:, None]
        SequentialSampler(weight, data.pool.features).add_centers(batch)

    return query


def log_det_loop(data, batch):
    """Greedy log-determinants by a Cholesky factor with a row for each pick."""
    left, right = data.pool.residual, data.pool.features

    def query():
        distance_sq = left.square().sum(dim=1) * right.square().sum(dim=1)
        along = torch.zeros(batch, len(left))
        for i in range(batch):
            best = int(distance_sq.argmax())
            row = (left @ left[best]) * (right @ right[best])
            row -= along[:i, best] @ along[:i]
            along[i] = row / distance_sq[best].sqrt()
            distance_sq -= along[i].square()
            distance_sq[best] = -torch.inf

    return query


def kmeans_query(features, batch):
    """scikit-learn's k-means, and the nearest row of each center."""
    found = KMeans(batch, n_init=1, random_state=0).fit(features.numpy())
    centers = torch.from_numpy(found.cluster_centers_)
    return np.unique([int(part.argmin(0)) for part in torch.cdist(centers, features)])


def kmeans_plain(data, batch):
    return lambda: kmeans_query(data.pool.features, batch)


def alpha_mix_plain(data, batch):
    """Mix rows with each class in closed form, then k-means."""

    def query():
        pool, known = data.pool, data.labeled
        slope = torch.nn.functional.normalize(pool.residual @ data.weight)
        guess, changed = pool.proba.argmax(dim=1), torch.zeros(len(pool.y), dtype=bool)
        for y in known.y.unique():
            anchor = known.features[known.y == y].mean(dim=0)
            length = (anchor - pool.features).norm(dim=1, keepdim=True)
            mixed = pool.features + 0.2 / slope.shape[1] ** 0.5 * length * slope
            changed |= (mixed @ data.weight.T + data.bias).argmax(dim=1) != guess
        rows = torch.nn.functional.normalize(pool.features[changed])
        return kmeans_query(rows if len(rows) >= batch else pool.features, batch)

    return query


def stochastic_plain(data, batch):
    """Take the largest logarithms of the margin's uncertainty plus Gumbel noise."""

    def query():
        weight = margin_weight(data.pool.proba)
        noise = -torch.empty(len(weight)).exponential_().log_()
        return (weight.log() + noise).topk(batch).indices

    return query


def cluster_margin_plain(data, batch):
    """scikit-learn's k-means, and small margins from its clusters in turn."""

    def query():
        n_clusters = min(500, len(data.pool.y) // 2)
        k_means = KMeans(n_clusters, n_init=1, random_state=0)
        labels = k_means.fit_predict(data.pool.features.numpy())
        return _margins_in_turn(data.pool.proba, labels, batch)

    return query


def cluster_margin_known(data, batch):
    """Small margins in turn from clusters that are known."""
    labels = data.clusters
    return lambda: _margins_in_turn(data.pool.proba, labels, batch)


def _margins_in_turn(proba, labels, batch):
    n_looked_at = min(len(labels), int(1.25 * batch))
    small = margin_weight(proba).topk(n_looked_at).indices.numpy()
    order = np.argsort(labels[small], kind="stable")
    _, starts = np.unique(labels[small][order], return_index=True)
    parts = [part.tolist() for part in np.split(small[order], starts[1:])]
    parts.sort(key=len)
    chosen = []
    while len(chosen) < batch:
        chosen += [part.pop() for part in parts if part]
    return chosen[:batch]


def laplace_plain(data, batch):
    """BALD from draws of the last layer, the logits of all rows at once."""

    def query():
        known, p = data.labeled, data.labeled.proba
        inputs = torch.nn.functional.pad(known.features, (0, 1), value=1.0)
        center = torch.cat([data.weight, data.bias[:, None]], dim=1)
        of_outputs, left = torch.linalg.eigh(p.mean(dim=0).diag() - p.T @ p / len(p))
        of_inputs, right = torch.linalg.eigh(inputs.T @ inputs)
        precision = torch.outer(of_outputs.clamp_min(0), of_inputs.clamp_min(0)) + 1.0
        noise = torch.randn(20, *center.shape) / precision.sqrt()
        heads = center + left @ noise @ right.T
        logits = data.pool.features @ heads[..., :-1].flatten(0, 1).T
        proba = (logits.unflatten(1, heads.shape[:2]) + heads[..., -1]).softmax(dim=2)
        of_mean = torch.special.entr(proba.mean(dim=1)).sum(dim=1)
        mean_of = torch.special.entr(proba).sum(dim=2).mean(dim=1)
        return (of_mean - mean_of).topk(batch).indices

    return query


def class_quota_loop(data, batch):
    """k-means++ one center at a time; rows of a class that has its share count 0."""

    def query():
        guess, n_classes = data.pool.proba.argmax(dim=1), data.pool.proba.shape[1]
        left = torch.full((n_classes,), math.ceil(batch / n_classes))
        sampler = SequentialSampler(data.pool.residual, data.pool.features)
        for _ in range(batch - 1):
            found = guess[sampler.chosen[-1]]
            left[found] -= 1
            if left[found] == 0:
                sampler.nearest[guess == found] = 0.0
            sampler.add_centers(1)
        return sampler.chosen

    return query


def refine_plain(data, batch):
    """Loops of BADGE and margins on random parts, and UHerding on what is left."""

    def badge(part):
        sampler = SequentialSampler(part.residual, part.features)
        sampler.add_centers(batch - 1)
        return sampler.chosen

    def margin(part):
        return margin_weight(part.proba).topk(batch).indices.numpy()

    def query():
        start, generator = time.process_time(), np.random.default_rng(0)
        n_pool, size = len(data.pool.y), 5_000
        kept = np.arange(n_pool)
        for _ in range(5):
            size, asked = min(max(size, batch), len(kept)), np.zeros(n_pool, bool)
            for i in range(100):
                rows = generator.choice(kept, size, replace=False)
                chosen = (badge, margin)[i % 2](data.pool.rows(rows))
                asked[rows[chosen]] = True
            kept = np.flatnonzero(asked)
            size = min(10_000, math.ceil(0.4 * len(kept)))
        took = time.process_time() - start
        return took + uherding_cross_fitted(data.part(kept), batch)()

    return query


def albl_plain(data, batch):
    """Least confidence and greedy k-center, both asked, one drawn."""

    def query():
        pool, generator = data.pool, np.random.default_rng(0)
        unsure = (1.0 - pool.proba.amax(dim=1)).topk(batch).indices.numpy()
        nearest_sq = nearest_labeled_sq(pool.features, data.labeled.features)
        norm_sq = pool.features.square().sum(dim=1)
        far = sequential_k_center(pool.features, norm_sq, nearest_sq, batch)
        drawn = (unsure, far)[generator.integers(2)]
        return drawn, [np.isin(drawn, chosen).mean() for chosen in (unsure, far)]

    return query


def direct_plain(data, batch):
    """Sort once a class, find its threshold by a running sum, take rows around it."""

    def preference(proba, k):
        others = np.delete(proba, k, axis=1).max(axis=1)
        return proba[:, k] - others

    def query():
        proba, known = data.pool.proba.numpy(), data.labeled.proba.numpy()
        y, lists = data.labeled.y.numpy(), []
        n_classes = proba.shape[1]
        for k in np.argsort(np.bincount(y, minlength=n_classes)):
            labeled = np.sort(preference(known, k))[::-1]
            order = np.argsort(-preference(known, k))
            balance = np.cumsum(np.where(y[order] == k, 1, -1))
            best = np.flatnonzero(balance == balance.max())
            scores = preference(proba, k)
            ranked = np.argsort(-scores)
            ends = labeled[best[0]], labeled[min(best[-1] + 1, len(labeled) - 1)]
            start, stop = np.searchsorted(-scores[ranked], [-ends[0], -ends[1]])
            spread = np.linspace(start, max(stop - 1, start), batch // n_classes // 2)
            near = np.argsort(abs(np.arange(len(ranked)) - (start + stop) // 2))
            wanted = [*ranked[spread.astype(int)], *ranked[near[: 2 * batch]]]
            lists.append(iter(wanted))
        chosen = dict.fromkeys(())
        while len(chosen) < batch:
            for wanted in lists:
                chosen[next(row for row in wanted if row not in chosen)] = None
        return list(chosen)[:batch]

    return query


PLAIN = {
    "BADGE, uncertainty": uncertainty_loop,
    "BADGE, log-det": log_det_loop,
    "BAIT": bait_loop,
    "BAIT, top": lambda data, batch: bait_wide_loop(data, batch, 2),
    "BAIT, full": lambda data, batch: bait_wide_loop(data, batch, None),
    "UHerding": uherding_cross_fitted,
    "UHerding, temperature 1": uherding_loop,
    "UHerding, 2,000 targets": lambda data, batch: uherding_cross_fitted(
        data, batch, 2_000
    ),
    "KMeansSampling": kmeans_plain,
    "AlphaMix": alpha_mix_plain,
    "ClusterMargin": cluster_margin_plain,
    "ClusterMargin, clusters known": cluster_margin_known,
    "DIRECT": direct_plain,
    "BALD, Laplace": laplace_plain,
    "StochasticTopK": stochastic_plain,
    "StochasticTopK, large": stochastic_plain,
    "ClassQuota(BADGE)": class_quota_loop,
    "Refine(BADGE, margin)": refine_plain,
    "ALBL": albl_plain,
}

"""Strategies without an installable peer, each in a plain form that is vectorized.

Plain torch and scikit-learn in float32: what a good programmer writes from the paper.
Where a loop would run for hours, a few of its steps are timed; the call then returns
the seconds that all of them would take.
"""

import time

import numpy as np
import torch
from _selection_baselines import SequentialSampler
from sklearn.cluster import KMeans

STEPS = 3


def _weight(proba):
    top = proba.topk(2, dim=1).values
    return 1.0 - (top[:, 0] - top[:, 1])


def _first_steps(setup, step, n_steps):
    """Run the first steps of a loop; return the CPU seconds that all would take."""
    start = time.process_time()
    setup()
    ready = time.process_time()
    timed = min(n_steps, STEPS)
    for _ in range(timed):
        step()
    return (ready - start) + (time.process_time() - ready) * n_steps / timed


def uncertainty_loop(data, batch):
    """k-means++ on weighted features, one center at a time."""

    def query():
        weight = _weight(data.pool.proba)[:, None]
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


def bait_loop(data, batch):
    """BAIT with binary information, the gain of all rows anew for each pick."""

    def query():
        state = {}

        def setup():
            top = data.pool.proba.amax(dim=1, keepdim=True)
            rows = (top * (1 - top)).sqrt() * data.pool.features
            state.update(
                rows=rows,
                mean=rows.T @ rows / len(rows),
                inverse=torch.eye(rows.shape[1]),
            )

        def step():
            rows, inverse = state["rows"], state["inverse"]
            across = rows @ inverse
            gain = ((across @ state["mean"]) * across).sum(dim=1)
            gain /= 1 + (across * rows).sum(dim=1)
            pick = across[int(gain.argmax())]
            inverse -= torch.outer(pick, pick) / (1 + rows[int(gain.argmax())] @ pick)

        # Twice the batch is chosen; dropping half of it is not counted.
        return _first_steps(setup, step, 2 * batch)

    return query


def uherding_loop(data, batch):
    """Greedy coverage from the kernel of all pairs, held in memory."""

    def query():
        state = {}

        def setup():
            rows = torch.nn.functional.normalize(data.pool.features)
            kernel = (2 * (rows @ rows.T) - 2).exp_()
            known = torch.nn.functional.normalize(data.labeled.features)
            covered = (2 * (rows @ known.T) - 2).exp_().amax(dim=1)
            state.update(
                kernel=kernel, covered=covered, weight=_weight(data.pool.proba)
            )

        def step():
            kernel, covered = state["kernel"], state["covered"]
            gain = torch.cat(
                [
                    (part - covered).clamp_min_(0) @ state["weight"]
                    for part in kernel.split(2048)
                ]
            )
            state["covered"] = torch.maximum(covered, kernel[int(gain.argmax())])

        return _first_steps(setup, step, batch)

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
    """NumPy's draw without replacement in proportion to the margin's uncertainty."""

    def query():
        weight = _weight(data.pool.proba).double().numpy()
        law, generator = weight / weight.sum(), np.random.default_rng(0)
        for _ in range(batch):
            row = generator.choice(len(law), p=law)
            law[row] = 0.0
            law /= law.sum()

    return query


def cluster_margin_plain(data, batch):
    """scikit-learn's k-means, and small margins from its clusters in turn."""

    def query():
        n_clusters = min(500, len(data.pool.y) // 2)
        k_means = KMeans(n_clusters, n_init=1, random_state=0)
        labels = k_means.fit_predict(data.pool.features.numpy())
        small = _weight(data.pool.proba).topk(int(1.25 * batch)).indices.numpy()
        parts = [small[labels[small] == k] for k in np.unique(labels[small])]
        parts = [part.tolist() for part in sorted(parts, key=len)]
        chosen = []
        while len(chosen) < batch:
            chosen += [part.pop() for part in parts if part]
        return chosen[:batch]

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
    "UHerding, temperature 1": uherding_loop,
    "KMeansSampling": kmeans_plain,
    "AlphaMix": alpha_mix_plain,
    "ClusterMargin": cluster_margin_plain,
    "DIRECT": direct_plain,
    "StochasticTopK": stochastic_plain,
}

"""What lazy selection is measured against, each as fast as its idea allows.

Plain torch on all cores, no Python loop over rows: not the slow reference
code of the tests.
"""

import numpy as np
import torch


class SequentialSampler:
    """k-means++ seeding one center at a time on the two factors.

    A center costs two matrix-vector products over the whole pool, one minimum in place
    and one draw.
    """

    def __init__(self, residual, features, seed=0):
        self.residual, self.features = residual, features
        self.norm_sq = (
            torch.linalg.vector_norm(residual, dim=1)
            * torch.linalg.vector_norm(features, dim=1)
        ).square_()
        self.nearest = torch.full_like(self.norm_sq, torch.inf)
        self.generator = torch.Generator().manual_seed(seed)
        self.chosen = [
            int(torch.randint(len(residual), (1,), generator=self.generator))
        ]

    def add_centers(self, n):
        for _ in range(n):
            center = self.chosen[-1]
            products = self.features @ self.features[center]
            products *= self.residual @ self.residual[center]
            products *= -2.0
            products += self.norm_sq
            products += self.norm_sq[center]
            torch.minimum(self.nearest, products.clamp_min_(0.0), out=self.nearest)
            self.nearest[center] = 0.0
            law = self.nearest.cumsum(0, dtype=torch.float64)
            level = torch.rand(1, generator=self.generator, dtype=torch.float64)
            drawn = int(torch.searchsorted(law, level * law[-1]))
            self.chosen.append(min(drawn, len(law) - 1))


def dense_products(residual, features, centers, chunk=4096):
    """Form every inner product of the pool with the centers: what no bound saves."""
    largest = -torch.inf
    left, right = residual[centers].T, features[centers].T
    for start in range(0, len(features), chunk):
        products = features[start : start + chunk] @ right
        products *= residual[start : start + chunk] @ left
        largest = max(largest, float(products[0, 0]))
    return largest


def nearest_labeled_sq(features, labeled, chunk=4096):
    """Squared distance of each row to its nearest labelled one, by matrix products."""
    labeled_sq = labeled.square().sum(dim=1)
    nearest = []
    for start in range(0, len(features), chunk):
        part = features[start : start + chunk]
        distance_sq = labeled_sq - 2.0 * (part @ labeled.T)
        nearest.append(distance_sq.amin(dim=1) + part.square().sum(dim=1))
    return torch.cat(nearest).clamp_min_(0.0)


def sequential_k_center(features, norm_sq, nearest_sq, n):
    """Farthest-first traversal, one matrix-vector product over the pool a center."""
    chosen = []
    for _ in range(n):
        center = int(nearest_sq.argmax())
        chosen.append(center)
        distance_sq = features @ features[center]
        distance_sq *= -2.0
        distance_sq += norm_sq
        distance_sq += norm_sq[center]
        torch.minimum(nearest_sq, distance_sq, out=nearest_sq)
        nearest_sq[center] = -1.0
    return chosen


def sequential_log_det(residual, features, n):
    """Greedy log-determinants, one row of a growing Cholesky factor a pick.

    Keeps n numbers of each row of the pool. No care for rows in the span of the chosen
    ones: what rounding leaves of them is chosen from as well.
    """
    left_over = (residual.norm(dim=1) * features.norm(dim=1)).square_()
    along = features.new_empty(n, len(features))
    chosen = []
    for m in range(n):
        best = int(left_over.argmax())
        chosen.append(best)
        pivot = float(left_over[best].clamp_min(1e-30)) ** 0.5
        row = features @ features[best]
        row *= residual @ residual[best]
        if m:
            row -= along[:m].T @ along[:m, best].contiguous()
        row /= pivot
        along[m] = row
        left_over -= row.square()
        left_over[best] = -1.0
    return chosen


def plain_swap_chain(residual, features, n, seed=0):
    """Run floor(5 n ln n) steps of a k-DPP's swap chain; return the members.

    One row after another: its products with the members, one look at the inverse of
    theirs, and an update of that inverse by two outer products where it is taken. No
    care for rows that depend on each other, nor for what rounding adds up to.
    """
    rng = np.random.default_rng(seed)
    length = residual.norm(dim=1) * features.norm(dim=1)
    weight = length.double().square().numpy()

    def cosines(rows, others):
        found = (features[rows] @ features[others].T).double()
        found *= residual[rows] @ residual[others].T
        return (found / length[rows][:, None] / length[others]).numpy()

    members, rest = np.split(rng.permutation(len(features)), [n])
    inverse = np.linalg.pinv(cosines(members, members))
    for _ in range(int(5 * n * np.log(n))):
        slot, place = rng.integers(n), rng.integers(len(rest))
        u, v = members[slot], rest[place]
        column = cosines(members, rest[place : place + 1])[:, 0]
        pivot = inverse[slot, slot]
        without = inverse[slot] / pivot
        projected = inverse @ column - without * (inverse[slot] @ column)
        projected[slot] = 0.0
        left_over = 1.0 - column @ projected
        if rng.random() * weight[u] / pivot < weight[v] * left_over:
            inverse -= np.outer(without, inverse[slot])
            projected /= -left_over
            inverse += np.outer(projected, projected) * left_over
            inverse[slot], inverse[:, slot] = projected, projected
            inverse[slot, slot] = 1.0 / left_over
            members[slot], rest[place] = v, u
    return members

"""Outputs of a trained net for a pool and its labelled rows, to time strategies on."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from _selection_pools import TrainedPool

from skbadge.strategies import Outputs

N_LABELED, N_SAMPLES, DROPOUT = 1_000, 20, 0.5
N_CLUSTERS = 500


@dataclass
class Known:
    """What is known of some rows, as tensors."""

    proba: torch.Tensor
    residual: torch.Tensor
    features: torch.Tensor
    y: torch.Tensor

    def rows(self, index):
        """Return what is known of some of the rows."""
        return Known(*(table[index] for table in vars(self).values()))


@dataclass
class Data:
    """A pool, the labelled rows and the net's last layer."""

    pool: Known
    labeled: Known
    weight: torch.Tensor
    bias: torch.Tensor
    accuracy: float

    @property
    def factors_mib(self):
        """Size of the residuals and features of the pool."""
        tables = self.pool.residual, self.pool.features
        return sum(table.numel() * 4 for table in tables) / 2**20

    def part(self, index):
        """Return the same of some rows of the pool only."""
        return replace(self, pool=self.pool.rows(index))

    @cached_property
    def samples(self):
        """Draws of the probabilities with dropout before the last layer."""
        generator = torch.Generator().manual_seed(0)
        shape = N_SAMPLES, self.weight.shape[1]
        # One mask of a draw for all rows, as a consistent draw has.
        masks = (torch.rand(shape, generator=generator) > DROPOUT) / (1 - DROPOUT)
        logits = [self.pool.features @ (self.weight * mask).T for mask in masks]
        return (torch.stack(logits, dim=1) + self.bias).softmax(dim=2)

    @cached_property
    def clusters(self):
        """Which of some rows is nearest to each, for clusters of an earlier round."""
        rows = self.pool.features
        parts = rows.split(10_000)
        found = [torch.cdist(part, rows[:N_CLUSTERS]).argmin(dim=1) for part in parts]
        return torch.cat(found).numpy()

    def outputs(self, needs):
        """Return what a strategy may read."""

        def of(known, wanted, **more):
            names = ("proba", "residual", "features")
            tables = {k: getattr(known, k) for k in names if getattr(wanted, k)}
            return Outputs.of(len(known.y), **tables, **more)

        more = {}
        if needs.labeled is not None:
            more["labeled"] = of(self.labeled, needs.labeled, y=self.labeled.y)
        if needs.head:
            more["head"] = (self.weight, self.bias)
        if needs.samples:
            more["samples"] = self.samples[:, : needs.samples]
        return of(self.pool, needs, **more)


def make_data(n_pool, n_classes=10, n_features=512, *, n_train=1_000, n_epochs=18):
    """Train a net and run it over a pool and 1,000 labelled rows."""
    net = TrainedPool(n_classes, n_features, n_train=n_train, n_epochs=n_epochs)

    @torch.no_grad()
    def known(n):
        X, y = net.sample(n)
        features = net.body(X)
        proba = net.head(features).softmax(dim=1)
        best = proba.argmax(dim=1, keepdim=True)
        residual = proba.scatter(1, best, 0.0)
        residual.scatter_(1, best, -residual.sum(dim=1, keepdim=True))
        return Known(proba, residual, features, y)

    labeled, pool = known(N_LABELED), known(n_pool)
    weight, bias = net.head.weight.detach(), net.head.bias.detach()
    return Data(pool, labeled, weight, bias, net.accuracy)

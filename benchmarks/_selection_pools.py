"""Pools for timing selection: the outputs of a net really trained."""

import numpy as np
import torch
from torch import nn

N_INPUTS, N_MODES, NOISE = 64, 8, 1.2
BATCH = 128


class TrainedPool:
    """Rows of clustered classes, seen through a ReLU MLP trained on some of them.

    Parameters
    ----------
    n_classes, n_features : int
        Width of the net's output, and of the layer before it.
    n_train, n_epochs : int
        Labelled rows and passes of the training; fewer leave an unsure net.
    """

    def __init__(self, n_classes, n_features, *, n_train, n_epochs, seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        self.n_classes, self.n_features = n_classes, n_features
        self.modes = torch.randn(n_classes, N_MODES, N_INPUTS, generator=self.generator)
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Linear(N_INPUTS, n_features), nn.ReLU())
        self.head = nn.Linear(n_features, n_classes)
        self.accuracy = self._train(n_train, n_epochs)

    def sample(self, n):
        label = torch.randint(self.n_classes, (n,), generator=self.generator)
        mode = torch.randint(N_MODES, (n,), generator=self.generator)
        noise = torch.randn(n, N_INPUTS, generator=self.generator)
        return self.modes[label, mode] + NOISE * noise, label

    def _train(self, n_train, n_epochs):
        X, y = self.sample(n_train)
        parameters = [*self.body.parameters(), *self.head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=1e-3)
        for _ in range(n_epochs):
            for rows in torch.randperm(n_train, generator=self.generator).split(BATCH):
                optimizer.zero_grad()
                logits = self.head(self.body(X[rows]))
                nn.functional.cross_entropy(logits, y[rows]).backward()
                optimizer.step()
        with torch.no_grad():
            X, y = self.sample(2000)
            right = self.head(self.body(X)).argmax(dim=1) == y
        return float(right.float().mean())

    @torch.no_grad()
    def fill(self, residual, features, chunk=10_000):
        """Write the pool's factors into two preallocated tensors."""
        for start in range(0, len(features), chunk):
            stop = min(start + chunk, len(features))
            inputs, _ = self.sample(stop - start)
            hidden = self.body(inputs)
            proba = self.head(hidden).softmax(dim=1)
            best = proba.argmax(dim=1, keepdim=True)
            # Minus the sum of the others, not p - 1: exact for confident rows too.
            proba.scatter_(1, best, 0.0)
            proba.scatter_(1, best, -proba.sum(dim=1, keepdim=True))
            residual[start:stop], features[start:stop] = proba, hidden


def make_factors(n_pool, n_classes, n_features, *, n_train, n_epochs):
    """Return (residual, features, accuracy of the net) of a pool in memory."""
    pool = TrainedPool(n_classes, n_features, n_train=n_train, n_epochs=n_epochs)
    residual = torch.empty(n_pool, n_classes)
    features = torch.empty(n_pool, n_features)
    pool.fill(residual, features)
    return residual, features, pool.accuracy


def write_factors(folder, n_pool, n_classes, n_features, *, n_train, n_epochs):
    """Write a pool's features to a memory map; return (residual, path, accuracy)."""
    pool = TrainedPool(n_classes, n_features, n_train=n_train, n_epochs=n_epochs)
    path = folder / "features"
    shape = (n_pool, n_features)
    mapped = np.memmap(path, np.float32, mode="w+", shape=shape)
    residual = torch.empty(n_pool, n_classes)
    pool.fill(residual, torch.from_numpy(mapped))
    mapped.flush()
    return residual, path, pool.accuracy

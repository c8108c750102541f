"""The joint mutual information of a batch, greedily, from draws of probabilities."""

from __future__ import annotations

import numpy as np
import torch

from skbadge.embeddings._tensors import in_chunks

__all__ = ["Configurations", "batch_bald_greedy"]

# Rows that are looked at again at a time, at first.
_BLOCK = 256
# Probabilities of outcomes and labels that are held at a time.
_NUMBERS = 1 << 18


class Configurations:
    """Joint outcomes of the labels of the rows chosen so far.

    All of them while there are few; above a limit as many as the limit, each drawn from
    one of the draws of the net, with the inverse of its probability as its weight.

    Parameters
    ----------
    n_samples : int
        Number of draws of the net, S.
    most : int
        Largest number of outcomes to keep, at least S.
    generator : numpy.random.Generator
        Draws outcomes.
    """

    def __init__(
        self, n_samples: int, most: int, generator: np.random.Generator
    ) -> None:
        # Row c, column s: probability of outcome c given draw s, over exp(log_unit[c]).
        self.given = torch.ones(1, n_samples, dtype=torch.float64)
        self.log_unit = torch.zeros(1, dtype=torch.float64)
        self._chosen: list[torch.Tensor] = []
        self._owner: torch.Tensor | None = None
        self._most = most
        self._generator = generator

    def entropies(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the entropy of the outcomes together with one more row's label.

        Parameters
        ----------
        samples : torch.Tensor of shape (m, n_samples, n_classes), float64
            Candidates for the next row.

        Returns
        -------
        torch.Tensor of shape (m,)
            In nats; an estimate where outcomes are drawn.
        """
        m, n_samples, n_classes = samples.shape
        columns = samples.permute(1, 0, 2).reshape(n_samples, m * n_classes)
        surprise = self._surprise(self.given @ (columns / n_samples))
        return surprise.reshape(m, n_classes).sum(dim=1)

    def entropy(self) -> float:
        """Return the entropy of the outcomes, by the same outcomes."""
        return float(self._surprise(self.given.mean(dim=1, keepdim=True)))

    def _surprise(self, joint: torch.Tensor) -> torch.Tensor:
        """Return the sum of -p ln p over outcomes, for each column; p is used up."""
        if self._owner is None:
            weight = self.log_unit.exp()
        else:
            weight = 1.0 / (self.given.mean(dim=1) * len(self.given))
        # ln of the unit belongs to every p.
        of_unit = (weight * self.log_unit) @ joint
        return weight @ torch.special.entr(joint, out=joint) - of_unit

    def add(self, samples: torch.Tensor) -> None:
        """Take a row into the batch; ``samples`` is its (n_samples, n_classes)."""
        self._chosen.append(samples)
        n_samples, n_classes = samples.shape
        if self._owner is None and len(self.given) * n_classes <= self._most:
            self.given = self.given[:, None] * samples.T
            self.given = self.given.reshape(-1, n_samples)
            self.log_unit = self.log_unit.repeat_interleave(n_classes)
        elif self._owner is None:
            repeats = max(1, self._most // n_samples)
            self._owner = torch.arange(n_samples).repeat_interleave(repeats)
            self.given = torch.ones(len(self._owner), n_samples, dtype=torch.float64)
            self.log_unit = torch.zeros(len(self._owner), dtype=torch.float64)
            for earlier in self._chosen:
                self._draw(earlier)
        else:
            self._draw(samples)

    def _draw(self, samples: torch.Tensor) -> None:
        """Draw the label of one more row for each outcome, from the draw it is of."""
        steps = samples[self._owner].cumsum(dim=1)
        levels = torch.from_numpy(self._generator.random(len(steps)))[:, None]
        labels = (levels * steps[:, -1:] >= steps).sum(dim=1)
        self.given = self.given * samples.T[labels.clamp_max(samples.shape[1] - 1)]
        # The products of many probabilities would vanish.
        largest = self.given.amax(dim=1)
        self.given = self.given / largest[:, None]
        self.log_unit = self.log_unit + largest.log()


def batch_bald_greedy(
    samples: torch.Tensor,
    n: int,
    *,
    most_configurations: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows, each adding most to what all labels tell together.

    What a row adds only falls as others are chosen, so what it added when it was last
    looked at is an upper bound: only rows whose bound is largest are looked at again.

    Parameters
    ----------
    samples : torch.Tensor of shape (n_pool, n_samples, n_classes)
        Draws of the class probabilities, the same draws for all rows. Read in float64,
        some rows at a time.
    n : int
        In [1, n_pool].
    most_configurations : int
        Joint outcomes of the labels that are kept.
    generator : numpy.random.Generator
        Breaks ties, and draws outcomes where they are too many.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    gains : ndarray of shape (n,), dtype float64
        By how much each raised the mutual information, in nats.
    """
    n_pool, n_samples = samples.shape[:2]
    priority = torch.from_numpy(generator.permutation(n_pool))
    conditional = in_chunks(
        samples, lambda part: torch.special.entr(part.double()).sum(dim=2).mean(dim=1)
    )
    outcomes = Configurations(n_samples, most_configurations, generator)
    bound = torch.full((n_pool,), torch.inf, dtype=torch.float64)
    indices, gains = [], []
    for _ in range(n):
        best = _largest_gain(samples, conditional, outcomes, bound, priority)
        indices.append(best)
        gains.append(float(bound[best]))
        bound[best] = -torch.inf
        outcomes.add(samples[best].double())
    return np.array(indices, dtype=np.intp), np.array(gains)


def _largest_gain(
    samples: torch.Tensor,
    conditional: torch.Tensor,
    outcomes: Configurations,
    bound: torch.Tensor,
    priority: torch.Tensor,
) -> int:
    """Return the row that adds most, and lower the bounds of those looked at."""
    before = outcomes.entropy()
    is_stale = bound > -torch.inf
    size = _BLOCK
    width = max(len(outcomes.given), samples.shape[1]) * samples.shape[2]
    while True:
        stale = torch.where(is_stale, bound, -torch.inf)
        rows = stale.topk(min(size, int(is_stale.sum()))).indices
        for part in rows.split(max(1, _NUMBERS // width)):
            joint = outcomes.entropies(samples[part].double())
            bound[part] = joint - before - conditional[part]
        is_stale[rows] = False
        fresh = torch.where(is_stale, -torch.inf, bound)
        largest = fresh.max()
        rest = bound[is_stale]
        if not len(rest) or largest > rest.max():
            ties = torch.nonzero(fresh == largest)[:, 0]
            return int(ties[priority[ties].argmin()])
        size *= 2

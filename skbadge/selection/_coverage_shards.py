"""Greedy coverage of rows on several machines: blocks go out, partial sums come back.

What a row adds is a sum over all targets, and every pick changes it, which is a round
trip a pick. Here a block of the best rows goes to all targets; what they add is summed
up where some of the targets are, and the next picks are guessed there; back comes what
the best of the block add after each of the guesses. As far as these were right they
stand, and the first that was wrong is put right: the picks are those of one machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from skbadge.embeddings._sharded import ShardedTable, from_numpy, to_numpy
from skbadge.selection._bounds import first_by_bound
from skbadge.selection._facility_location import (
    Coverage,
    fit_to_square,
    lengths_of,
)

__all__ = ["herd_on_shards"]

_State = Mapping[str, np.ndarray]

# Targets of small parts are gathered up to so many.
_GROUP = 50_000
# Rows of a block, the best of them that are followed through the guesses, and rows that
# are fetched where one is missing.
_BLOCK, _NARROW, _FETCHED = 512, 64, 1024
# Picks guessed at a time.
_FEWEST, _MOST = 4, 32
# Similarities by which they are guessed.
_GUESS_NUMBERS = 1 << 21
# Picks after which the groups keep what is covered, so as not to cover it again.
_FOLDED = 32


class _Kernel(NamedTuple):
    """What similarity is: the same for all targets."""

    table: str
    lengths: tuple[float, float]
    length_scale: float


def herd_on_shards(
    features: ShardedTable,
    n: int,
    weight: np.ndarray,
    drawn: np.ndarray | None,
    *,
    labeled: torch.Tensor,
    length_scale: float,
    priority: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows by coverage of features scaled to length 1.

    Parameters
    ----------
    features : ShardedTable of shape (n_pool, n_features)
        The rows.
    n : int
        In [1, n_pool].
    weight : ndarray of shape (n_pool,)
        How much each counts as a target.
    drawn : ndarray of int or None
        Which of them are targets, ascending; None for all.
    labeled : torch.Tensor of shape (n_labeled, n_features)
        Rows that cover already.
    length_scale : float
        Of the kernel.
    priority : ndarray of int of shape (n_pool,)
        Order among equal gains, lower first.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        In the order of choice.
    gains : ndarray of shape (n,), dtype float64
        What each pick added to the weighted sum of covered shares.
    """
    counted = weight
    if drawn is not None:
        counted = np.zeros(len(features))
        counted[drawn] = weight[drawn]
    search = _Search(features, n, priority, length_scale)
    search.gather_targets(counted)
    search.start(labeled)
    while len(search.chosen) < n and search.bound.max() > 0.0:
        search.choose_some()
    if len(search.chosen) < n:
        # Nothing is left to cover: the seed chooses.
        rest = np.flatnonzero(search.bound > -np.inf)
        rest = rest[np.argsort(priority[rest])][: n - len(search.chosen)]
        search.chosen.extend(rest.tolist())
        search.gains.extend([0.0] * len(rest))
    return np.array(search.chosen, dtype=np.intp), np.array(search.gains)


class _Search:
    """Picks over the parts; the coordinator's side.

    Parameters
    ----------
    features : ShardedTable
        The rows.
    n : int
        How many will be chosen.
    priority : ndarray of int
        Order among equal gains.
    length_scale : float
        Of the kernel.

    Attributes
    ----------
    bound : ndarray of shape (n_pool,)
        What each row adds at most; -inf once it is chosen.
    chosen : list of int
        Positions in the pool, in the order of choice.
    gains : list of float
        What each added.
    """

    def __init__(
        self,
        features: ShardedTable,
        n: int,
        priority: np.ndarray,
        length_scale: float,
    ) -> None:
        self.features, self.shards = features, features.shards
        self.n, self.priority = n, priority
        self.bound = np.zeros(len(features))
        self.starts = np.cumsum([0, *self.shards.lengths])
        # A part without rows has no tables.
        self.parts = [i for i, length in enumerate(self.shards.lengths) if length]
        found = self.shards.run(
            _part_lengths, dict.fromkeys(self.parts, (features.name,))
        )
        shortest, longest = zip(*found.values(), strict=True)
        lengths = (min(shortest), max(longest))
        self.kernel = _Kernel(features.name, lengths, length_scale)
        self.chosen: list[int] = []
        self.gains: list[float] = []
        self.pending: list[int] = []  # chosen, and not yet kept as covered
        self.rows: dict[int, torch.Tensor] = {}
        self.size = _FEWEST

    def gather_targets(self, weight: np.ndarray) -> None:
        """Put the targets together in groups, each where one of its parts lies."""
        counts = {
            i: int(np.count_nonzero(weight[self.starts[i] : self.starts[i + 1]]))
            for i in self.parts
        }
        gathered: list[list[int]] = []
        size = _GROUP
        for part, count in counts.items():
            if not count:
                continue
            if size + count > _GROUP:
                gathered.append([])
                size = 0
            gathered[-1].append(part)
            size += count
        targets = self.shards.keep(
            _targets,
            {
                i: (self.kernel, weight[self.starts[i] : self.starts[i + 1]])
                for i in itertools.chain(*gathered)
            },
        )
        self.groups = self.shards.keep(
            _together,
            {group[0]: tuple(targets[i] for i in group) for group in gathered},
        )

    def start(self, labeled: torch.Tensor) -> None:
        """Measure all rows: one round trip for each group of targets."""
        known = self.shards.send(to_numpy(labeled))
        self.covered = self.shards.keep(
            _covered,
            {i: (self.kernel, g, None, known) for i, g in self.groups.items()},
        )
        for i, group in self.groups.items():
            found = self.shards.run(
                _all_gains,
                dict.fromkeys(self.parts, (self.kernel, group, self.covered[i])),
            )
            self.bound += np.concatenate([found[part] for part in self.parts])

    def choose_some(self) -> None:
        """Refresh a block of the best rows and choose among them: a round trip."""
        top = first_by_bound(self.bound, self.priority, _BLOCK + 1)
        block, outside = top[:_BLOCK], top[_BLOCK:]
        block = block[self.bound[block] > 0.0]
        first, narrow, sequence, later = self._measure(
            block, min(self.size, self.n - len(self.chosen))
        )
        self.bound[block] = np.minimum(self.bound[block], first)
        # The next row by bound outside of those whose gains are known.
        others = np.concatenate([np.delete(block, narrow), outside])
        block, right = block[narrow], 0
        for j in range(len(later) + 1):
            if j:
                self.bound[block] = np.minimum(self.bound[block], later[j - 1])
            place = self._first_of(block)
            index = int(block[place])
            gain = float(self.bound[index])
            if not gain > 0.0 or self._first_of(np.append(others, index)) < len(others):
                break
            self.chosen.append(index)
            self.pending.append(index)
            self.gains.append(gain)
            self.bound[index] = -np.inf
            if len(self.chosen) == self.n or place != sequence[j]:
                break
            right += 1
        grown = 2 * self.size if right == len(sequence) else 2 * right
        self.size = min(max(grown, _FEWEST), _MOST)

    def _first_of(self, rows: np.ndarray) -> int:
        """Return the place of the first of some rows by (bound, priority)."""
        return int(first_by_bound(self.bound[rows], self.priority[rows], 1)[0])

    def _measure(
        self, block: np.ndarray, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what the rows of a block add now, and the best of them later on.

        Returns
        -------
        first : ndarray of shape (m,)
            What each row adds.
        narrow : ndarray of int
            The best of them, as positions in the block.
        sequence : ndarray of int
            Guessed picks, as positions in ``narrow``.
        later : ndarray of shape (len(sequence) - 1, len(narrow))
            What the best add after the first, the first two and more of the guesses.
        """
        rows = self._rows(block)
        pending = self._rows(np.array(self.pending, dtype=np.intp))
        if len(self.pending) >= _FOLDED:
            sent = self.shards.send(to_numpy(pending))
            self.covered = self._everywhere(_followed, sent)
            self.pending, pending = [], pending[:0]
        sent = self.shards.send((to_numpy(rows), to_numpy(pending)))
        looks = self._everywhere(_look, sent)
        place = next(iter(self.groups))
        guess = self.shards.keep(
            _guessed,
            {
                place: (
                    self.kernel,
                    self.groups[place],
                    self.covered[place],
                    sent,
                    self.priority[block],
                    count,
                    *looks.values(),
                )
            },
        )[place]
        found = self.shards.run(
            _judged,
            {
                i: (self.kernel, group, self.covered[i], sent, looks[i], guess)
                for i, group in self.groups.items()
            },
        )
        looked, later, guessed = zip(*found.values(), strict=True)
        return np.sum(looked, axis=0), *guessed[0], np.sum(later, axis=0)

    def _everywhere(self, function: Any, sent: Any) -> dict[int, Any]:
        return self.shards.keep(
            function,
            {
                i: (self.kernel, group, self.covered[i], sent)
                for i, group in self.groups.items()
            },
        )

    def _rows(self, indices: np.ndarray) -> torch.Tensor:
        """Return some rows; where one is missing, fetch what may be asked for next."""
        if any(int(i) not in self.rows for i in indices):
            likely = first_by_bound(self.bound, self.priority, _FETCHED)
            wanted = np.union1d(indices, likely)
            wanted = np.array([i for i in wanted if int(i) not in self.rows])
            self.rows |= dict(
                zip(wanted.tolist(), self.features.fetch(wanted), strict=True)
            )
        if not len(indices):
            return self.features.fetch(indices)
        return torch.stack([self.rows[int(i)] for i in indices])


# --- what runs where the rows are: pure functions of a state --------------------------


def _part_lengths(state: _State, name: str) -> tuple[float, float]:
    return lengths_of(from_numpy(state[name]))


def _targets(state: _State, kernel: _Kernel, weight: np.ndarray) -> Any:
    """Return those rows of a part that count as targets, with their weights."""
    counted = np.flatnonzero(weight)
    rows = state[kernel.table]
    return rows if len(counted) == len(rows) else rows[counted], weight[counted]


def _together(_: _State, *targets: Any) -> Any:
    if len(targets) == 1:
        return targets[0]
    rows, weights = zip(*targets, strict=True)
    return np.concatenate(rows), np.concatenate(weights)


def _coverage(kernel: _Kernel, group: Any, covered: np.ndarray | None) -> Coverage:
    rows, weight = group
    targets = fit_to_square(from_numpy(rows), kernel.lengths)
    coverage = Coverage(
        targets[:0], targets, weight, length_scale=kernel.length_scale, normalize=True
    )
    if covered is not None:
        # A copy: what a cluster holds must not change, since a task may run twice.
        coverage.covered = torch.tensor(covered)
    return coverage


def _fit(rows: np.ndarray, kernel: _Kernel) -> torch.Tensor:
    return fit_to_square(from_numpy(rows), kernel.lengths)


def _covered(
    _: _State, kernel: _Kernel, group: Any, covered: Any, rows: np.ndarray
) -> np.ndarray:
    coverage = _coverage(kernel, group, covered)
    coverage.cover(from_numpy(rows))
    return coverage.covered.numpy()


def _followed(
    state: _State, kernel: _Kernel, group: Any, covered: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    return _covered(state, kernel, group, covered, to_numpy(_fit(rows, kernel)))


def _all_gains(
    state: _State, kernel: _Kernel, group: Any, covered: np.ndarray
) -> np.ndarray:
    coverage = _coverage(kernel, group, covered)
    coverage.features = _fit(state[kernel.table], kernel)
    return coverage.gains(np.arange(len(coverage.features)))


def _now(
    kernel: _Kernel, group: Any, covered: np.ndarray, sent: Any
) -> tuple[Coverage, torch.Tensor]:
    """Return what is covered with the pending picks, and the block."""
    coverage = _coverage(kernel, group, covered)
    coverage.cover(_fit(sent[1], kernel))
    return coverage, _fit(sent[0], kernel)


def _look(
    _: _State, kernel: _Kernel, group: Any, covered: np.ndarray, sent: Any
) -> np.ndarray:
    coverage, block = _now(kernel, group, covered, sent)
    return coverage.gains_after(block, [])[0].numpy()


def _guessed(
    _: _State,
    kernel: _Kernel,
    group: Any,
    covered: np.ndarray,
    sent: Any,
    priority: np.ndarray,
    count: int,
    *looks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Guess the next picks: what rows add to all, falling as it falls for some."""
    now = np.sum(looks, axis=0)
    narrow = np.lexsort((priority, -now))[:_NARROW]
    rows, weight = group
    step = -(-len(rows) * len(narrow) // _GUESS_NUMBERS)
    few = (rows[::step], weight[::step])
    coverage, block = _now(kernel, few, covered[::step], sent)
    block, total = block[torch.from_numpy(narrow)], now[narrow]
    own = coverage.gains_after(block, [])[0].numpy()
    share = np.divide(total, own, out=np.zeros_like(total), where=own > 0.0)
    sequence: list[int] = []
    while True:
        total[sequence] = -np.inf
        sequence.append(int(total.argmax()))
        if len(sequence) == min(count, len(narrow)):
            return narrow, np.array(sequence, dtype=np.intp)
        coverage.cover(block[sequence[-1] :][:1])
        total = share * coverage.gains_after(block, [])[0].numpy()


def _judged(
    _: _State,
    kernel: _Kernel,
    group: Any,
    covered: np.ndarray,
    sent: Any,
    look: np.ndarray,
    guess: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    coverage, block = _now(kernel, group, covered, sent)
    narrow, sequence = guess
    block = block[torch.from_numpy(narrow)]
    # After the last guess nothing is chosen.
    later = coverage.gains_after(block, sequence[:-1].tolist())[1:]
    return look, later.numpy(), guess

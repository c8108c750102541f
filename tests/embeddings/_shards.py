"""Shards of this process, to test embeddings without a cluster."""

import pickle
from dataclasses import dataclass
from typing import Any

from skbadge.cluster._pool import n_bytes
from skbadge.embeddings._sharded import ShardedTable, to_numpy


class LocalShards:
    """States in a list, and calls that a cluster could run twice, or elsewhere.

    Parameters
    ----------
    states : list of dict
    lengths : list of int
    twice : bool, default=False
        Whether each call is run twice, as it may happen on a cluster.
    """

    def __init__(self, states, lengths, twice=False):
        self.states = states
        self.lengths = lengths
        self.twice = twice
        self.rounds = 0
        self.bytes_down = self.bytes_up = 0

    def run(self, function, calls):
        self.rounds += 1
        found = self._called(function, calls)
        self.bytes_up += n_bytes(found)
        return found

    def send(self, value):
        self.bytes_down += n_bytes(value)
        return Kept(pickle.loads(pickle.dumps(value)))

    def keep(self, function, calls):
        found = self._called(function, calls)
        return {part: Kept(answer) for part, answer in found.items()}

    def _called(self, function, calls):
        self.bytes_down += n_bytes(calls)
        return {part: self._call(function, part, calls[part]) for part in calls}

    def _call(self, function, part, arguments):
        given = (
            self.states[part],
            *(a.value if isinstance(a, Kept) else a for a in arguments),
        )
        before = pickle.dumps(given)
        answer = pickle.dumps(function(*given))
        if self.twice:
            assert pickle.dumps(function(*given)) == answer, function
        assert pickle.dumps(given) == before, f"{function} changes what it is given"
        return pickle.loads(answer)


@dataclass(frozen=True)
class Kept:
    """What lies where the parts are: only its name travels."""

    value: Any


def sharded(tables, lengths, twice=False):
    """Cut tables of equal length into parts; return a `ShardedTable` for each."""
    first = next(iter(tables.values()))
    assert sum(lengths) == len(first)
    states, start = [], 0
    for length in lengths:
        part = slice(start, start + length)
        states.append({k: to_numpy(v[part]).copy() for k, v in tables.items()})
        start += length
    shards = LocalShards(states, list(lengths), twice)
    return {
        name: ShardedTable(shards, name, tuple(table.shape[1:]), table.dtype)
        for name, table in tables.items()
    }

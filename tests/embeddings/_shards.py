"""Shards of this process, to test embeddings without a cluster."""

import copy

from skbadge.embeddings._sharded import ShardedTable, to_numpy


class LocalShards:
    """States in a list; every call is counted and gets copies, as over a network."""

    def __init__(self, states, lengths):
        self.states = states
        self.lengths = lengths
        self.rounds = 0

    def run(self, function, calls):
        self.rounds += 1
        return self.keep(function, calls)

    def send(self, value):
        return copy.deepcopy(value)

    def keep(self, function, calls):
        found = {}
        for part, arguments in calls.items():
            state = copy.deepcopy(self.states[part])
            for array in state.values():
                array.flags.writeable = False
            found[part] = copy.deepcopy(function(state, *copy.deepcopy(arguments)))
        return found


def sharded(tables, lengths):
    """Cut tables of equal length into parts; return a `ShardedTable` for each."""
    first = next(iter(tables.values()))
    assert sum(lengths) == len(first)
    states, start = [], 0
    for length in lengths:
        part = slice(start, start + length)
        states.append({k: to_numpy(v[part]).copy() for k, v in tables.items()})
        start += length
    shards = LocalShards(states, list(lengths))
    return {
        name: ShardedTable(shards, name, tuple(table.shape[1:]), table.dtype)
        for name, table in tables.items()
    }

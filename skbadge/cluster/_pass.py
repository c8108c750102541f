"""The pass over a pool in parts: the net goes to the rows, its answers stay there."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Head, Needs, Outputs
from skbadge.cluster._columns import Columns, part_rows
from skbadge.cluster._engine import DaskShards, lazily, n_cores, run_pass
from skbadge.cluster._errors import explained_part, released_on_error
from skbadge.cluster._pool import ClusterPool, Traffic
from skbadge.embeddings._sharded import (
    ShardedTable,
    from_numpy,
    place_rows,
    to_numpy,
)
from skbadge.exceptions import PoolPassError
from skbadge.extraction._pass import collect_outputs
from skbadge.nets._estimators import duplicate
from skbadge.utils._identity import mark_of, row_digests
from skbadge.utils._rows import n_rows, take
from skbadge.utils._torch import seeded_generators

# A worker of several threads runs one part at a time, with all of them: generators and
# the number of torch's threads belong to the process.
_ONE_AT_A_TIME = threading.Lock()
# What a part keeps beside the tables: digests of its rows.
_DIGESTS = "digests of rows"

__all__ = [
    "PartReader",
    "ShardedOutputs",
    "collect_sharded",
    "map_rows",
    "predict_sharded",
    "released",
]


@dataclass(frozen=True)
class PartReader:
    """What a worker needs to run a net over a part: sent once a query.

    Parameters
    ----------
    net : skorch net
        Fitted.
    transformers : estimator or None
        The fitted steps before it.
    layer : str or None
        Dotted name of the classification layer.
    n_classes : int
        Number of classes it must answer.
    seed : int
        Fixes what the net draws; the same for every part.
    needs : Needs
        What to keep of each row.
    expected : Columns or None, default=None
        How each part is read, and what it must have.
    """

    net: Any
    transformers: Any
    layer: str | None
    n_classes: int | None
    seed: int
    needs: Needs
    expected: Columns | None = None

    def read(self, part: Any, rows: np.ndarray | None, start: int) -> Outputs:
        """Return the `Outputs` of some rows of a part that begins at a row of the pool.

        Parameters
        ----------
        part : rows
        rows : ndarray of int or None
            Positions in the part; None for all.
        start : int
            Position of its first row in the pool, for messages.
        """
        if self.expected is not None:
            self.expected.check_part(part)
        # A copy: a pass hangs hooks on the net, and the engine may be sending this one
        # on to another worker at the same time.
        net = duplicate(self.net)
        with _alone(), seeded_generators(self.seed) as again, again:
            return collect_outputs(
                net,
                part,
                self.needs,
                rows=rows,
                transformers=self.transformers,
                layer=self.layer,
                n_classes=self.n_classes,
                first_row=start,
            )


@dataclass(frozen=True)
class ShardedOutputs(Outputs):
    """Outputs whose tables lie part by part where the pool was read.

    Parameters
    ----------
    shards : DaskShards
        Where they lie; further parameters are those of `Outputs`.
    """

    shards: DaskShards = field(kw_only=True)

    @property
    def traffic(self) -> Traffic:
        """What went over the network for them so far."""
        return self.shards.traffic

    @property
    def on_cluster(self) -> bool:
        """Whether the rows lie on several machines."""
        return True

    def here(self) -> Outputs:
        """Return the same `Outputs` with all tables on this machine: a round trip each.

        For a share of a pool that one machine holds.
        """
        values = {
            name: value.fetch(np.arange(len(value)))
            if isinstance(value, ShardedTable)
            else value
            for name, value in self.values.items()
        }
        return Outputs(
            self.n_pool,
            self.needs,
            values,
            self.labeled_rows,
            self.positions,
            classes=self.classes,
        )

    def marks(self, indices: np.ndarray) -> tuple[str | None, ...]:
        """Return what tells some rows from others, see `row_marks`: one round trip.

        Of the rows that the net has seen: a part may be read anew and answer others.

        Parameters
        ----------
        indices : ndarray of int of shape (n,)
            Positions among the candidates.

        Returns
        -------
        tuple of (str or None)
        """
        placed, back = place_rows(indices, self.shards.lengths)
        calls = {part: (positions,) for part, positions in placed.items()}
        found = self.shards.run(_digests, calls)
        digests = np.concatenate([found[part] for part in placed])[back.numpy()]
        return tuple(mark_of(digest) for digest in digests)

    def release(self) -> None:
        """Free what the workers hold for them; they cannot be used after that."""
        self.shards.release()

    def by_rows(self, function: Callable[[Outputs], Any]) -> np.ndarray:
        """Return one value a row, computed where the rows are: one round trip.

        The function goes out once, with labelled rows, head and names of classes.
        """
        head = {k: v for k, v in self.values.items() if not isinstance(v, ShardedTable)}
        known = self.needs, self.labeled_rows, head, self.classes
        shared = self.shards.send((function, *known))
        calls, start = {}, 0
        for i, length in enumerate(self.shards.lengths):
            positions = None
            if self.positions is not None:
                positions = self.positions[start : start + length]
            if length:
                calls[i] = (shared, length, positions)
            start += length
        found = self.shards.run(_by_rows, calls)
        return np.concatenate([found[i] for i in sorted(found)])


def _digests(state: Mapping[str, np.ndarray], positions: np.ndarray) -> np.ndarray:
    return state[_DIGESTS][positions]


def _by_rows(
    state: Mapping[str, np.ndarray],
    shared: tuple[Any, ...],
    length: int,
    positions: np.ndarray | None,
) -> Any:
    function, needs, labeled, head, classes = shared
    tables = (name for name in state if name != _DIGESTS)
    values = {name: from_numpy(state[name]) for name in tables}
    values.update(head)
    outputs = Outputs(length, needs, values, labeled, positions, classes=classes)
    return outputs.by_rows(function)


@contextmanager
def released(outputs: Any) -> Iterator[None]:
    """Free what workers hold for outputs once they were used, or an error came.

    Its traceback holds them, in a notebook until the next error.
    """
    try:
        yield
    finally:
        if outputs.on_cluster:
            outputs.release()


def collect_sharded(
    reader: PartReader,
    pool: ClusterPool,
    rows: np.ndarray | None,
    labeled: Outputs | None,
    *,
    verbose: int = 0,
) -> ShardedOutputs:
    """Run a net over a pool in parts, where they lie.

    Parameters
    ----------
    reader : PartReader
        The net, and what to keep.
    pool : ClusterPool
        The parts.
    rows : ndarray of int or None
        Positions of the candidates, ascending; None for all.
    labeled : Outputs or None
        What is known of the labelled rows, which are here.
    verbose : int, default=0
        Above 0, show rows done over all workers.

    Returns
    -------
    ShardedOutputs
        Its tables are `ShardedTable`; ``head`` is here.

    Raises
    ------
    PoolPassError
        If the cluster failed.
    SkbadgeError
        If a part cannot be read or run, with its number and its rows.
    """
    needs = replace(reader.needs, labeled=labeled.needs if labeled else None)
    reader = replace(reader, expected=pool.expected)
    shards, facts = run_pass(
        pool, _read_part, reader, _each(pool, rows), verbose=verbose
    )
    with released_on_error([shards]):
        _check_lengths(facts, pool.lengths)
    told = list(facts.values())
    shards.lengths = [fact["length"] for fact in told]
    widths = {name: table for fact in told for name, table in fact["tables"].items()}
    values: dict[str, Any] = {
        name: ShardedTable(shards, name, shape, dtype)
        for name, (shape, dtype) in widths.items()
    }
    for fact in told:
        values.update(fact["head"])
    n_candidates = len(pool) if rows is None else len(rows)
    if labeled is not None:
        # Rows that are fetched come to the host: what is compared with them is there.
        labeled = replace(
            labeled,
            values={name: _on_host(table) for name, table in labeled.values.items()},
            labels=None if labeled.labels is None else labeled.labels.cpu(),
        )
    return ShardedOutputs(n_candidates, needs, values, labeled, rows, shards=shards)


def map_rows(
    pool: ClusterPool,
    rows: np.ndarray,
    function: Callable[[Any], Any],
    *,
    verbose: int = 0,
) -> list[Any]:
    """Call a function of some rows of a pool in parts, where they lie.

    Parameters
    ----------
    pool : ClusterPool
        The parts; each that has some of the rows is read once.
    rows : ndarray of int
        Positions, ascending and not empty.
    function : callable
        Takes the rows that a part has of them; its answers are brought here.
    verbose : int, default=0
        Above 0, show rows done over all workers.

    Returns
    -------
    list
        Its answers, in the order of the parts.

    Raises
    ------
    PoolPassError
        If the cluster failed.
    SkbadgeError
        If a part cannot be read, with its number.
    """
    each = {i: given for i, given in _each(pool, rows).items() if len(given[0])}
    shared = function, pool.expected
    shards, facts = run_pass(pool, _taken, shared, each, verbose=verbose)
    shards.release()
    _check_lengths(facts, pool.lengths)
    return [fact["answer"] for fact in facts.values()]


def _each(pool: ClusterPool, rows: np.ndarray | None) -> dict[int, tuple[Any, ...]]:
    """Return what the pass over each part is told: its rows, number, start, length."""
    starts = pool.starts
    return {
        i: (part, i, int(starts[i]), pool.lengths[i])
        for i, part in enumerate(pool.split(rows))
    }


def _taken(
    shared: tuple[Callable[[Any], Any], Columns | None],
    part: Any,
    rows: np.ndarray,
    number: int,
    start: int,
    n_given: int,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Run on a worker: what a function makes of some rows of a part, which is told."""
    function, expected = shared
    where = f"part {number} of the pool (rows from {start} on)"
    with explained_part(where, "Rows could not be taken from"):
        part = part_rows(part, expected)
        if expected is not None:
            expected.check_part(part)
        n_read = n_rows(part)
        answer = function(take(part, rows)) if n_read == n_given else None
        return {}, {"rows": n_read, "answer": answer}


def _check_lengths(facts: Mapping[int, dict[str, Any]], given: Sequence[int]) -> None:
    """Refuse parts that had another number of rows than before, or than was given."""
    for i, fact in facts.items():
        if fact["rows"] != given[i]:
            raise PoolPassError(
                f"Part {i} of the pool must have the {given[i]} rows that were counted "
                f"or given, each time it is read. Got {fact['rows']} instead."
            )


def _on_host(value: Any) -> Any:
    """Return a tensor, or a `Head`, in the memory of the processor."""
    if isinstance(value, Head):
        bias = None if value.bias is None else value.bias.cpu()
        return Head(value.weight.cpu(), bias)
    return value.cpu()


def _read_part(
    reader: PartReader,
    part: Any,
    rows: np.ndarray | None,
    number: int,
    start: int,
    n_given: int,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Run on a worker: the arrays that stay there, and what is told of them."""
    with explained_part(f"part {number} of the pool (rows from {start} on)"):
        part = part_rows(part, reader.expected)
        n_read = n_rows(part)
        length = n_read if rows is None else len(rows)
        facts: dict[str, Any] = {
            "rows": n_read,
            "length": length,
            "tables": {},
            "head": {},
        }
        if length == 0 or n_read != n_given:
            # Positions in other rows: that is said where all parts are known.
            return {}, facts
        outputs = reader.read(part, rows, start)
        digests = row_digests(part if rows is None else take(part, rows))
    head = {k: v for k, v in outputs.values.items() if not isinstance(v, torch.Tensor)}
    tables = {k: v for k, v in outputs.values.items() if k not in head}
    facts["tables"] = {k: (tuple(v.shape[1:]), v.dtype) for k, v in tables.items()}
    # The coordinator need not have the GPU of this worker.
    facts["head"] = {k: _on_host(v) for k, v in head.items()}
    # Arrays, since an engine may take a tensor of any size for 80 bytes.
    state = {name: to_numpy(table) for name, table in tables.items()}
    return {**state, _DIGESTS: digests}, facts


@contextmanager
def _alone() -> Iterator[None]:
    """Be the one task that runs a net in this worker, with all cores it has."""
    with _ONE_AT_A_TIME:
        before = torch.get_num_threads()
        torch.set_num_threads(n_cores() or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _answer(
    function: Callable[[Any], Any],
    part: Any,
    number: int,
    start: int | None,
    expected: Columns | None,
) -> Any:
    """Run on a worker: what a function makes of a part."""
    first = "" if start is None else f", the first of them row {start} of all"
    where = f"part {number} of X (rows are counted within it{first})"
    with explained_part(where):
        part = part_rows(part, expected)
        if expected is not None:
            expected.check_part(part)
        # A pass hangs hooks on a net, and the engine may be sending it on meanwhile.
        function = copy.deepcopy(function)
        with _alone():
            return function(part)


def predict_sharded(
    function: Callable[[Any], Any], X: Any, shape: tuple[int, ...], dtype: Any
) -> Any:
    """Apply a function of rows to a pool in parts, when its answer is asked for.

    Parameters
    ----------
    function : callable
        Takes one part; returns an array of shape (n_rows, *shape). It must go on to
        answer the same, whatever is fitted until then.
    X : rows on a cluster
        For which `is_sharded` is true.
    shape : tuple of int
        Shape of its answer for one row.
    dtype : numpy.dtype
        Of its answer.

    Returns
    -------
    lazy array of shape (n_rows, *shape)
        Of the engine, and of unknown length where that of ``X`` is.
    """
    return lazily(_answer, function, X, shape, dtype)

"""Parts of a pool on Dask workers: the one module that knows which engine runs them.

Another engine needs the same names: `is_sharded`, `expecting` and `as_pool` say what a
pool on it is, `run_pass` runs the net over the parts, `lazily` makes answers that are
computed when they are asked for, `n_cores` tells a worker what it may use, and a
`DaskShards` calls pure functions where the parts lie.
"""

from __future__ import annotations

import itertools
import sys
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from tqdm.auto import tqdm

from skbadge.cluster._columns import Columns, part_rows
from skbadge.cluster._errors import (
    explained_part,
    naming_part,
    no_worker_left,
    out_of_reach,
    released_on_error,
    workers_died,
)
from skbadge.cluster._pool import (
    ClusterPool,
    Parts,
    Traffic,
    listed,
    n_bytes,
    without_length,
)
from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.utils._rows import n_rows

__all__ = [
    "DaskShards",
    "as_pool",
    "expecting",
    "is_sharded",
    "lazily",
    "n_cores",
    "run_pass",
]

# What runs on workers, and its arguments for each part, by the part's number.
_Function: TypeAlias = Callable[..., Any]
_Calls: TypeAlias = Mapping[int, tuple[Any, ...]]


def is_sharded(X: Any) -> bool:
    """Say whether rows are a Dask collection, or a list of delayed parts or futures.

    A part may stand with its length, ``(part, length)``. Several inputs of which one is
    a collection count too: `as_pool` says what to make of them.

    Dask is looked at only where it was imported: without it nothing is of its kinds.
    """
    if isinstance(X, Parts):
        return True
    if "dask" not in sys.modules:
        return False
    if isinstance(X, Mapping):
        X = list(X.values())
    if isinstance(X, (list, tuple)):
        # Not each: a pool may be a long list of texts. `listed` looks at all.
        ends = [X[0], X[-1]] if len(X) else []
        return any(_is_of_dask(without_length(part)) for part in ends)
    return _is_of_dask(X)


def as_pool(X: Any) -> Any:
    """Return rows on a cluster as a `ClusterPool`, and others as they are.

    Unknown lengths are computed, which reads each part once more; a list may hold pairs
    of a part and its length instead.

    Raises
    ------
    InvalidInputError
        If there is no Dask client, or ``X`` is another collection.
    """
    if isinstance(X, ClusterPool) or not is_sharded(X):
        return X
    client, found = _client(), _split_up(X)
    lengths: Iterable[int] | None = found.lengths
    if lengths is None:
        lengths = _counted(client, found)
    known = {**vars(found), "lengths": tuple(map(int, lengths))}
    return ClusterPool(**known, client=client)


def expecting(X: Any, expected: Columns) -> Parts:
    """Return rows on a cluster of which each part must have certain columns.

    Parameters
    ----------
    X : dask array, dask DataFrame, list of delayed parts, or ClusterPool
    expected : Columns

    Raises
    ------
    InvalidInputError
        If it is known already that they have others.
    """
    pool = _split_up(X)
    expected.check(pool.columns, pool.dtype)
    return replace(pool, expected=expected)


def n_cores() -> int | None:
    """Return the cores that the worker of this task has; None outside of a worker."""
    from dask.distributed import get_worker

    try:
        return get_worker().state.nthreads
    except ValueError:
        # Dask's schedulers without processes of their own compute lazy answers too.
        return None


def _counted(client: Any, found: Parts) -> np.ndarray:
    """Count the rows of each part where it is read."""
    counts: list[Any] = []
    starts = [0]
    with released_on_error(counts), _explained(client, counts):
        with _reads_of(client, found.parts) as reads:
            for i, read in enumerate(reads):
                told = (i, found.expected)
                counts.append(client.submit(_length, read, *told, pure=False))
        _check_open(client)
        for i, count in enumerate(counts):
            with naming_part({i: count}, starts):
                starts.append(starts[-1] + count.result())
    return np.diff(starts)


def _length(part: Any, number: int, expected: Columns | None) -> int:
    with explained_part(f"part {number} of the pool", "Nobody could count the rows of"):
        return n_rows(part_rows(part, expected))


def _is_future(X: Any) -> bool:
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(X, distributed.Future)


def _is_of_dask(X: Any) -> bool:
    return _is_future(X) or sys.modules["dask"].is_dask_collection(X)


def _client() -> Any:
    from dask.distributed import get_client

    try:
        return get_client()
    except ValueError as error:
        raise InvalidInputError(
            "A pool on a cluster needs a Dask client. Got none: make one first, "
            'client = dask.distributed.Client("tcp://scheduler:8786"), or Client() '
            "for worker processes on this machine."
        ) from error


def _split_up(X: Any) -> Parts:
    """Return what a pool consists of; nothing is computed."""
    from dask.delayed import Delayed, delayed

    if isinstance(X, Parts):
        return X
    if isinstance(X, Delayed) or _is_future(X):
        X = [X]
    if isinstance(X, (list, tuple)):
        found = listed(X, lambda part: isinstance(part, Delayed) or _is_future(part))
        return replace(found, parts=[delayed(part) for part in found.parts])
    if hasattr(X, "to_delayed") and hasattr(X, "chunks"):
        # A row lies in one piece: it is not cut along its other dimensions.
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1)) if X.ndim > 1 else X
        known = X.ndim > 0 and not np.isnan(X.chunks[0]).any()
        lengths = X.chunks[0] if known else None
        return Parts(X.to_delayed().ravel().tolist(), lengths, X.shape[1:], X.dtype)
    if hasattr(X, "to_delayed") and hasattr(X, "columns"):
        return Parts(list(X.to_delayed()), None, list(X.columns))
    raise InvalidInputError(
        "A pool on a cluster must be a dask array, a dask DataFrame, or a list of "
        "delayed parts, of which each may hold several inputs. Got "
        f"{type(X).__name__} instead."
    )


def run_pass(
    pool: ClusterPool,
    function: _Function,
    shared: Any,
    each: _Calls,
    *,
    verbose: int = 0,
) -> tuple[DaskShards, dict[int, Any]]:
    """Run a function over every part where it is read, and leave its answer there.

    Parameters
    ----------
    pool : ClusterPool
        The parts.
    function : callable
        Called as ``function(shared, part, *each[i])`` on a worker; returns
        ``(state, facts)``: arrays that stay there, and what is told of them.
    shared : object
        Sent once, and again from the scheduler where a part is computed anew.
    each : dict of int to tuple
        Further arguments for each part, by its number; parts without are not read.
    verbose : int, default=0
        Above 0, show a progress bar of rows over all workers.

    Returns
    -------
    shards : DaskShards
        The parts that were read.
    facts : dict of int to object
        What was told of each of them.

    Raises
    ------
    PoolPassError
        If the scheduler is gone, a part killed one worker after another, or Dask gave
        up waiting for workers.
    SkbadgeError, or whatever a part raised
        With the part and its rows.
    """
    from dask.distributed import as_completed

    client, starts = pool.client, pool.starts
    facts: dict[int, Any] = {}
    held: list[Any] = []
    with released_on_error(held), _explained(client, held):
        futures, told = _submitted(pool, function, shared, each, held)
        places = {future.key: i for i, future in told.items()}
        bar = tqdm(
            total=sum(pool.lengths[i] for i in each),
            desc="the pool",
            unit="row",
            disable=not verbose,
            leave=False,
        )
        with bar:
            for future in as_completed(told.values()):
                place = places[future.key]
                with naming_part({place: future}, starts):
                    facts[place] = future.result()
                bar.update(pool.lengths[place])
        states = {
            i: client.submit(itemgetter(0), future, key=f"{future.key}-state")
            for i, future in futures.items()
        }
    return DaskShards(client, states, starts), {i: facts[i] for i in each}


def _submitted(
    pool: ClusterPool,
    function: _Function,
    shared: Any,
    each: _Calls,
    held: list[Any],
) -> tuple[dict[int, Any], dict[int, Any]]:
    """Start a pass; return its futures, and those of what is told of each part.

    All are put into the list ``held``, one by one: an interrupt may come at any time.
    """
    client = pool.client
    # A name of its own: another query of the same net is another pass.
    token = uuid.uuid4().hex
    held.append(_sent(client, shared))
    futures: dict[int, Any] = {}
    told: dict[int, Any] = {}
    with _reads_of(client, [pool.parts[i] for i in each]) as reads:
        for (i, arguments), read in zip(each.items(), reads, strict=True):
            key = f"skbadge-pass-{token}-{i}"
            futures[i] = client.submit(function, held[0], read, *arguments, key=key)
            held.append(futures[i])
            told[i] = client.submit(itemgetter(1), futures[i], key=f"{key}-facts")
            held.append(told[i])
    _check_open(client)
    return futures, told


@contextmanager
def _reads_of(client: Any, parts: list[Any]) -> Iterator[list[Any]]:
    """Give a future for the rows of each part, and let them go afterwards.

    What was made of them by then keeps them until it has them: a pool need not fit
    memory.
    """
    reads = client.compute(parts)
    try:
        yield reads
    finally:
        for read in reads:
            read.release()


def lazily(
    function: _Function, shared: Any, X: Any, shape: tuple[int, ...], dtype: Any
) -> Any:
    """Call a function of each part when its answer is asked for.

    Parameters
    ----------
    function : callable
        Called as ``function(shared, part, number, start, expected)`` with the number of
        the part, the position of its first row (None where that is unknown) and the
        `Columns` that it must have, or None; returns an array of shape
        (n_rows, *shape).
    shared : object
        Sent once.
    X : dask array, dask DataFrame, list of delayed parts, or ClusterPool
        The rows.
    shape : tuple of int
        Shape of its answer for one row.
    dtype : numpy.dtype
        Of its answer.

    Returns
    -------
    dask.array.Array of shape (n_rows, *shape)
        Of unknown length where that of ``X`` is.
    """
    import dask
    from dask import array

    found = _split_up(X)
    lengths: Sequence[Any] = [np.nan] * len(found.parts)
    starts: Sequence[Any] = [None] * len(found.parts)
    if found.lengths is not None:
        lengths, starts = found.lengths, [0, *itertools.accumulate(found.lengths)]
    call = dask.delayed(function, pure=False)
    sent = dask.delayed(shared, pure=False)
    answers = [
        array.from_delayed(
            call(sent, part, i, start, found.expected), (length, *shape), dtype
        )
        for i, (part, start, length) in enumerate(
            zip(found.parts, starts, lengths, strict=False)
        )
    ]
    return array.concatenate(answers, allow_unknown_chunksizes=True)


def _itself(value: Any) -> Any:
    return value


class DaskShards:
    """States of the parts of a pool, as futures that Dask computes anew when lost.

    Parameters
    ----------
    client : distributed.Client
        Where they are.
    states : dict of int to Future
        One for each part, by its number: a dict of arrays.
    starts : sequence of int
        Position of the first row of each part in the pool.

    Attributes
    ----------
    lengths : list of int
        Number of rows of each that were run, once the pass has told them.
    traffic : Traffic
        What went over the network since the pass.
    """

    def __init__(
        self, client: Any, states: Mapping[int, Any], starts: np.ndarray
    ) -> None:
        self.client = client
        self.states = states
        self.starts = starts
        self.lengths: list[int] = []
        self.traffic = Traffic()
        # What lies on workers for as long as somebody here holds it.
        self._held: weakref.WeakSet[Any] = weakref.WeakSet(states.values())

    def run(self, function: _Function, calls: _Calls) -> dict[int, Any]:
        """Call ``function(state, *arguments)`` where some parts lie.

        As :class:`~skbadge.embeddings.Shards` asks. A worker that dies costs the pass
        over its parts, not the call.
        """
        futures = self.keep(function, calls)
        with (
            _explained(self.client, futures.values()),
            naming_part(futures, self.starts),
        ):
            found = self.client.gather(futures)
        self.traffic.rounds += 1
        self.traffic.bytes_up += n_bytes(found)
        return found

    def keep(self, function: _Function, calls: _Calls) -> dict[int, Any]:
        """Call ``function(state, *arguments)``, and leave the answers there."""
        self.traffic.messages += len(calls)
        self.traffic.bytes_down += n_bytes(calls)
        kept = {}
        with _explained(self.client):
            for part, arguments in calls.items():
                kept[part] = self.client.submit(
                    function, self.states[part], *arguments, pure=False
                )
                self._held.add(kept[part])
            _check_open(self.client)
        return kept

    def send(self, value: Any) -> Any:
        """Send a value once; return what stands for it as an argument of any call."""
        self.traffic.messages += 1
        self.traffic.bytes_down += n_bytes(value)
        with _explained(self.client):
            sent = _sent(self.client, value)
        self._held.add(sent)
        return sent

    def release(self) -> None:
        """Free what the workers hold for these parts; they cannot be used after that.

        Where nobody holds this object any more it is freed by itself; a traceback may
        hold it.
        """
        for future in list(self._held):
            future.release()


def _sent(client: Any, value: Any) -> Any:
    """Hold a value on a worker, made anew from the scheduler where that worker dies."""
    with warnings.catch_warnings():
        # It is large, it goes out once, and data that is scattered dies with a worker.
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_itself, value, pure=False)


@contextmanager
def _explained(client: Any, futures: Iterable[Any] = ()) -> Iterator[None]:
    """Say what to do where the cluster itself failed.

    Parameters
    ----------
    client : distributed.Client
    futures : iterable of Future
        What is waited for: what one of them raised comes as it is.
    """
    from dask.distributed import CancelledError, KilledWorker
    from distributed import scheduler
    from distributed.comm import CommClosedError

    # Of recent versions, where distributed.scheduler.no-workers-timeout is set.
    names = ("NoWorkerError", "NoValidWorkerError")
    no_workers = tuple(getattr(scheduler, n) for n in names if hasattr(scheduler, n))

    try:
        yield
    except SkbadgeError:
        raise
    except KilledWorker as error:
        raise workers_died(error) from error
    except no_workers as error:
        raise no_worker_left(error) from error
    except Exception as error:
        # A reader of files on a network raises the same kinds of errors.
        is_own = any(future.status == "error" for future in futures)
        is_lost = isinstance(error, (CancelledError, CommClosedError, TimeoutError))
        # Versions differ in what they raise for a client whose scheduler has left.
        is_lost = is_lost or client.status != "running"
        if is_own or not is_lost:
            raise
        raise out_of_reach(f"{type(error).__name__}: {error}") from error


def _check_open(client: Any) -> None:
    """Refuse to wait for tasks of a client that closes: nobody would cancel them.

    To be called once they were submitted: it cancels those that it knows when it begins
    to close.
    """
    if client.status in ("closing", "closed"):
        raise out_of_reach(f"the client is {client.status}")

"""Parts of a pool on Dask workers: the one module that knows which engine runs them.

Another engine needs the same four names: `is_sharded` and `ClusterPool.of` say what a
pool on it is, `run_pass` runs the net over the parts, and `DaskShards.run` calls a pure
function where they lie.
"""

from __future__ import annotations

import sys
import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from skbadge.exceptions import InvalidInputError, PoolPassError, SkbadgeError
from skbadge.utils._rows import n_rows
from skbadge.utils._validation import check_integer

__all__ = [
    "ClusterPool",
    "DaskShards",
    "Traffic",
    "as_pool",
    "columns_of",
    "count_rows",
    "is_sharded",
    "run_pass",
]


@dataclass
class Traffic:
    """What went over the network since a pass, as the coordinator counts it.

    Parameters
    ----------
    rounds : int
        Round trips: calls that waited for answers, to however many parts they went.
    messages : int
        Calls of single parts, also those that nobody waits for, and values sent out.
    bytes_down, bytes_up : int
        Size of the arrays sent to the parts, and of those that they answered.
    """

    rounds: int = 0
    messages: int = 0
    bytes_down: int = 0
    bytes_up: int = 0


def is_sharded(X):
    """Say whether rows are a Dask collection, or a list of delayed parts.

    A part may stand with its length, ``(part, length)``.

    Dask is looked at only where it was imported: without it nothing is of its kinds.
    """
    dask = sys.modules.get("dask")
    if dask is None or isinstance(X, ClusterPool):
        return isinstance(X, ClusterPool)
    if isinstance(X, (list, tuple)):
        # It ends with the first that is none: a pool may be a long list of texts.
        parts = (part[0] if _is_pair(part) else part for part in X)
        return len(X) > 0 and all(map(dask.is_dask_collection, parts))
    return dask.is_dask_collection(X)


@dataclass(frozen=True, eq=False)
class ClusterPool:
    """A pool in parts, of known lengths, on the workers of one client.

    Parameters
    ----------
    client : distributed.Client
        Whose workers read the parts.
    parts : list of Future
        What the parts are read from; nothing is held for them.
    lengths : tuple of int
        Number of rows of each.
    columns : tuple of int, list, or None
        Shape of a row of an array, or names of the columns of a table; None where only
        reading a part tells.
    """

    client: object
    parts: list
    lengths: tuple
    columns: object = None

    @classmethod
    def of(cls, X):
        """Make one of a dask array, a dask DataFrame, or a list of delayed parts.

        Unknown lengths are computed, which reads each part once more; a list may hold
        pairs of a part and its length instead.

        Raises
        ------
        InvalidInputError
            If there is no Dask client, or ``X`` is another collection.
        """
        if isinstance(X, cls):
            return X
        client = _client()
        delayed, lengths, columns = _split_up(X)
        with _explained():
            if lengths is None:
                # Each read goes once its rows are counted: a pool need not fit memory.
                counts = [client.submit(len, part) for part in client.compute(delayed)]
                lengths = []
                for count in counts:
                    with _naming_part(len(lengths), sum(lengths)):
                        lengths.append(count.result())
        return cls(client, delayed, tuple(int(n) for n in lengths), columns)

    @classmethod
    def delayed_parts(cls, X):
        """Return delayed parts and their lengths, NaN where they are unknown."""
        if isinstance(X, cls):
            return X.parts, X.lengths
        parts, lengths, _ = _split_up(X)
        return parts, lengths or [np.nan] * len(parts)

    def __len__(self):
        return sum(self.lengths)

    def split(self, rows):
        """Return the positions of some rows within each part.

        Parameters
        ----------
        rows : ndarray of int or None
            Positions in the pool, ascending; None for all.

        Returns
        -------
        list of (ndarray of int or None)
            For each part; None for all of its rows.
        """
        if rows is None:
            return [None] * len(self.lengths)
        starts = np.cumsum([0, *self.lengths])
        cuts = np.searchsorted(rows, starts)
        return [
            rows[low:high] - start
            for low, high, start in zip(cuts[:-1], cuts[1:], starts[:-1], strict=True)
        ]


def as_pool(X):
    """Return rows on a cluster as a `ClusterPool`, and others as they are."""
    return ClusterPool.of(X) if is_sharded(X) else X


def count_rows(X):
    """Count the rows of a pool, on a cluster or here."""
    return len(X) if isinstance(X, ClusterPool) else n_rows(X)


def columns_of(X):
    """Return shape or names of a row's columns; None where only reading it tells."""
    return X.columns if isinstance(X, ClusterPool) else _split_up(X)[2]


def _is_pair(part):
    return isinstance(part, tuple) and len(part) == 2


@contextmanager
def _naming_part(part, start):
    """Say of an error which part of the pool raised it, and where its rows begin."""
    try:
        yield
    except SkbadgeError:
        # It names the part itself.
        raise
    except Exception as error:
        error.add_note(f"Part {part} of the pool, rows from {start} on, was read.")
        raise


def _client():
    from dask.distributed import get_client

    try:
        return get_client()
    except ValueError as error:
        raise InvalidInputError(
            "A pool on a cluster needs a Dask client. Got none: make one first, "
            'client = dask.distributed.Client("tcp://scheduler:8786"), or Client() '
            "for worker processes on this machine."
        ) from error


def _split_up(X):
    from dask.delayed import Delayed

    if isinstance(X, Delayed):
        X = [X]
    if isinstance(X, (list, tuple)) and all(map(_is_pair, X)):
        parts, lengths = zip(*X, strict=True)
        for length in lengths:
            check_integer(length, "the length of a part", low=0)
        return list(parts), list(lengths), None
    if isinstance(X, (list, tuple)):
        return list(X), None, None
    if hasattr(X, "to_delayed") and hasattr(X, "chunks"):
        # A row lies in one piece: it is not cut along its other dimensions.
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1)) if X.ndim > 1 else X
        known = X.ndim > 0 and not np.isnan(X.chunks[0]).any()
        lengths = list(X.chunks[0]) if known else None
        return list(X.to_delayed().ravel()), lengths, tuple(X.shape[1:])
    if hasattr(X, "to_delayed") and hasattr(X, "columns"):
        return list(X.to_delayed()), None, list(X.columns)
    raise InvalidInputError(
        "A pool on a cluster must be a dask array, a dask DataFrame, or a list of "
        f"delayed parts. Got {type(X).__name__} instead."
    )


def run_pass(pool, function, shared, each, *, verbose=0):
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
    each : list of tuple
        Further arguments for each part.
    verbose : int, default=0
        Above 0, show a progress bar of rows over all workers.

    Returns
    -------
    shards : DaskShards
        The parts that have rows to run.
    facts : list
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

    client = pool.client
    # A name of its own: another query of the same net is another pass.
    token = uuid.uuid4().hex
    futures, told = [], []
    try:
        with _explained():
            sent = _sent(client, shared)
            for i, (part, arguments) in enumerate(
                zip(client.compute(pool.parts), each, strict=True)
            ):
                key = f"skbadge-pass-{token}-{i}"
                futures.append(client.submit(function, sent, part, *arguments, key=key))
                told.append(client.submit(_facts, futures[-1], key=f"{key}-facts"))
            places = {future.key: i for i, future in enumerate(told)}
            starts = np.cumsum([0, *pool.lengths])
            facts = [None] * len(told)
            bar = tqdm(
                total=len(pool),
                desc="the pool",
                unit="row",
                disable=not verbose,
                leave=False,
            )
            with bar:
                for future in as_completed(told):
                    place = places[future.key]
                    with _naming_part(place, starts[place]):
                        facts[place] = future.result()
                    bar.update(pool.lengths[place])
            states = [client.submit(_state, f, key=f"{f.key}-state") for f in futures]
        return DaskShards(client, states), facts
    except BaseException:
        if client.status == "running":
            # What is still running would go on, and hold what it made.
            client.cancel([*futures, *told], force=True)
        raise


def _itself(value):
    return value


def _state(answer):
    return answer[0]


def _facts(answer):
    return answer[1]


class DaskShards:
    """States of the parts of a pool, as futures that Dask computes anew when lost.

    Parameters
    ----------
    client : distributed.Client
        Where they are.
    states : list of Future
        One for each part: a dict of arrays.
    lengths : list of int
        Number of rows of each.
    """

    def __init__(self, client, states, lengths=()):
        self.client = client
        self.states = states
        self.lengths = list(lengths)
        self.traffic = Traffic()

    def run(self, function, calls):
        """Call ``function(state, *arguments)`` where some parts lie.

        As :class:`~skbadge.embeddings.Shards` asks. A worker that dies costs the pass
        over its parts, not the call.
        """
        with _explained():
            found = self.client.gather(self.keep(function, calls))
        self.traffic.rounds += 1
        self.traffic.bytes_up += _n_bytes(found)
        return found

    def keep(self, function, calls):
        """Call ``function(state, *arguments)``, and leave the answers there."""
        self.traffic.messages += len(calls)
        self.traffic.bytes_down += _n_bytes(calls)
        with _explained():
            return {
                part: self.client.submit(
                    function, self.states[part], *arguments, pure=False
                )
                for part, arguments in calls.items()
            }

    def send(self, value):
        """Send a value once; return what stands for it as an argument of any call."""
        self.traffic.messages += 1
        self.traffic.bytes_down += _n_bytes(value)
        with _explained():
            return _sent(self.client, value)


def _sent(client, value, **settings):
    """Hold a value on a worker, made anew from the scheduler where that worker dies."""
    with warnings.catch_warnings():
        # It is large, it goes out once, and data that is scattered dies with a worker.
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_itself, value, pure=False, **settings)


def _n_bytes(value):
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(_n_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(_n_bytes, value))
    return 8


@contextmanager
def _explained():
    """Say what to do where the cluster itself failed."""
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
        raise PoolPassError(
            "Workers died again and again on one part of the pool, most often for want "
            "of memory. Make the parts smaller, give the workers more memory, or lower "
            f"iterator_valid__batch_size of the net. Dask said: {error}"
        ) from error
    except no_workers as error:
        raise PoolPassError(
            "No worker is left for the parts of the pool, so the query was given up; "
            "labels and model are as they were. Start workers and query again. "
            f"Dask said: {error}"
        ) from error
    except (CancelledError, CommClosedError, TimeoutError) as error:
        raise PoolPassError(
            "The Dask scheduler cannot be reached any more, so the query was given up; "
            "labels and model are as they were. Make a new Client and query again. "
            f"Dask said: {type(error).__name__}: {error}"
        ) from error

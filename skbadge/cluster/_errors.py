"""What is said where a call over parts fails, and what is let go; of no engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from skbadge.exceptions import PoolPassError, SkbadgeError

__all__ = [
    "explained_part",
    "naming_part",
    "no_worker_left",
    "out_of_reach",
    "released_on_error",
    "workers_died",
]


@contextmanager
def released_on_error(held: Iterable[Any]) -> Iterator[None]:
    """Let go of what workers hold where an error, or an interrupt, ends its use.

    The traceback would keep it, in a notebook until the next error; and what is still
    to be run would go on.

    Parameters
    ----------
    held : iterable
        Things with a ``release()``; looked at when the error comes.
    """
    try:
        yield
    except BaseException:
        for thing in list(held):
            thing.release()
        raise


@contextmanager
def naming_part(futures: Mapping[int, Any], starts: Any) -> Iterator[None]:
    """Say of an error which part of the pool raised it, and where its rows begin.

    Parameters
    ----------
    futures : dict of int to Future
        What is waited for, by the numbers of the parts.
    starts : sequence of int
        Position of the first row of each part in the pool.
    """
    try:
        yield
    except SkbadgeError:
        # It names the part itself.
        raise
    except Exception as error:
        failed = [part for part, future in futures.items() if future.status == "error"]
        if failed:
            error.add_note(
                f"While part {failed[0]} of the pool, rows from {starts[failed[0]]} "
                "on, was read."
            )
        raise


@contextmanager
def explained_part(
    where: str, failed: str = "A net could not be run over"
) -> Iterator[None]:
    """Say of an error of a worker which part it is about, and what failed."""
    try:
        yield
    except SkbadgeError as error:
        raise type(error)(f"In {where}: {error}") from error
    except Exception as error:
        raise PoolPassError(
            f"{failed} {where}: {type(error).__name__}: {error}"
        ) from error


def workers_died(said: object) -> PoolPassError:
    """Return the error of a part that no worker survives."""
    return PoolPassError(
        "Workers died again and again on one part of the pool, most often for want of "
        "memory. Make the parts smaller, give the workers more memory, or lower "
        f"iterator_valid__batch_size of the net. Dask said: {said}"
    )


def no_worker_left(said: object) -> PoolPassError:
    """Return the error of a cluster without workers."""
    return PoolPassError(
        "No worker is left for the parts of the pool, so what was asked was given "
        "up; labels and model are as they were. Start workers and ask again. "
        f"Dask said: {said}"
    )


def out_of_reach(said: object) -> PoolPassError:
    """Return the error of a scheduler that has gone away."""
    return PoolPassError(
        "The Dask scheduler cannot be reached any more, so what was asked was given "
        "up; labels and model are as they were. Make a new Client and ask again. "
        f"Dask said: {said}"
    )

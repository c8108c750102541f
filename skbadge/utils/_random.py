"""Randomness as an argument: generators from seeds, never the global ones."""

from __future__ import annotations

import secrets
from enum import IntEnum
from typing import TypeAlias

import numpy as np

from skbadge.exceptions import InvalidInputError

__all__ = [
    "Purpose",
    "Seed",
    "as_generator",
    "draw_entropy",
    "seed_for",
    "spawn_generator",
]

# What scikit-learn takes as ``random_state``, and NumPy's generators.
Seed: TypeAlias = "int | np.random.Generator | np.random.RandomState | None"


class Purpose(IntEnum):
    """What a stream of random numbers is for; part of its key."""

    FIT = 0
    QUERY = 1
    POOL_PASS = 2
    SUBSAMPLE = 3
    SIMULATION = 4
    PREDICTION = 5
    CAMPAIGN_SHARE = 6
    STOP_SET = 7
    PERTURBATION = 8


def as_generator(random_state: Seed = None) -> np.random.Generator:
    """Turn scikit-learn's kinds of seed into a NumPy ``Generator``.

    Parameters
    ----------
    random_state : int, Generator, RandomState or None, default=None
        An int gives the same numbers each time; a ``Generator`` is used as it is; a
        ``RandomState`` seeds a new one and moves on; None draws fresh entropy. NumPy's
        global generator is never read or moved.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    InvalidInputError
        For anything else, a negative int included.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(draw_entropy(random_state))


def draw_entropy(random_state: Seed = None) -> int:
    """Turn a seed into one int that fixes every later stream (see `as_generator`).

    Parameters
    ----------
    random_state : int, Generator, RandomState or None, default=None
        The seed.

    Returns
    -------
    int
        Non-negative.
    """
    if random_state is None:
        return secrets.randbits(128)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int64).max))
    if (
        isinstance(random_state, (int, np.integer))
        and not isinstance(random_state, bool)
        and random_state >= 0
    ):
        return int(random_state)
    raise InvalidInputError(
        "random_state must be a non-negative int, a numpy Generator, a numpy "
        f"RandomState or None. Got {random_state!r} instead."
    )


def _sequence(entropy: int, purpose: int, counter: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(entropy, spawn_key=(int(purpose), int(counter)))


def spawn_generator(entropy: int, purpose: int, counter: int) -> np.random.Generator:
    """Return the generator that belongs to (seed, purpose, counter).

    The same three always give the same numbers, whatever was drawn before: that is what
    makes a query idempotent.
    """
    return np.random.default_rng(_sequence(entropy, purpose, counter))


def seed_for(entropy: int, purpose: int, counter: int) -> int:
    """Return the 63-bit seed that belongs to (seed, purpose, counter)."""
    state = _sequence(entropy, purpose, counter).generate_state(1, np.uint64)
    return int(state[0]) >> 1

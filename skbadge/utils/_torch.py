"""Context managers that leave the process-wide generators as they were.

Torch, NumPy and ``random`` each have one generator for the whole process. A fit has to
use them (initialisation, shuffling, dropout), so it seeds them, works, and puts the old
states back, under one lock: two threads that train would otherwise disturb each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import numpy as np
import torch

from skbadge.utils._interrupt import put_back, surely
from skbadge.utils._locks import process_lock

__all__ = [
    "noted_generators",
    "one_at_a_time",
    "preserved_generators",
    "seeded_generators",
]


def one_at_a_time() -> Any:
    """Return the lock under which nets are trained and run.

    Reentrant: a net that is trained inside another learner's fit must not block itself.
    """
    return process_lock("generators")


def noted_generators() -> Callable[[], None]:
    """Return a function that puts the global generators back as they are now."""
    python_state = random.getstate()
    # The object too: a user may have set a bit generator of another kind.
    numpy_bits = np.random.get_bit_generator()  # type: ignore[attr-defined]
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    cpu_seed, cpu_state = torch.initial_seed(), torch.get_rng_state()
    # Asking an unused GPU for its state would start it, at a cost of seconds.
    cuda_states = (
        torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    )

    def reset() -> None:
        random.setstate(python_state)
        # In this order: setting the object forgets a normal draw kept for later.
        np.random.set_bit_generator(numpy_bits)  # type: ignore[attr-defined]
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(cpu_state)
        if cuda_states is not None:
            torch.cuda.set_rng_state_all(cuda_states)
        else:
            # A GPU takes the last seed given before it starts. Torch does not tell
            # which one waits: the CPU's, unless torch.cuda.manual_seed came after.
            # This call lets it wait again, or seeds a GPU that started meanwhile.
            torch.cuda.manual_seed_all(cpu_seed)

    return reset


class preserved_generators:
    """Put torch's, NumPy's and ``random``'s global generators back at the end.

    The mode of gradients too, which a Ctrl-C in torch's own ``no_grad`` may leave off.
    A context manager, for one thread at a time. What it gives is entered in the same
    statement, see `put_back`::

        with preserved_generators() as again, again:
            ...
    """

    def __init__(self) -> None:
        self._lock = one_at_a_time()
        self._gradients = torch.is_grad_enabled()
        # Made beforehand: nothing may be called once the lock is taken.
        self._again = put_back(self._leave)
        # Filled by one call below, so that no Ctrl-C comes between taking the lock and
        # knowing that it is taken.
        self._held: list[bool | None] = []
        self._put_back: Callable[[], None] | None = None

    def __enter__(self) -> put_back:
        try:
            self._held.extend(map(self._lock.acquire, (True,)))
            self._put_back = noted_generators()
            self._begin()
        except BaseException:
            surely(self._leave)
            raise
        return self._again

    def __exit__(self, *error: object) -> None:
        surely(self._leave)

    def _begin(self) -> None:
        """Change the generators, for a subclass to say how."""

    def _leave(self) -> None:
        if self._held != [True]:
            return
        try:
            torch.set_grad_enabled(self._gradients)
            if self._put_back is not None:
                self._put_back()
        except Exception:
            self._release()
            raise
        self._release()

    def _release(self) -> None:
        # One step too: releases, and forgets that it is held.
        self._held[:] = map(methodcaller("release"), (self._lock,))


class seeded_generators(preserved_generators):
    """Seed the global generators for a while, then put them back as they were.

    Parameters
    ----------
    seed : int
        Non-negative, below 2**63.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def _begin(self) -> None:
        random.setstate(random.Random(self._seed).getstate())
        state = np.random.RandomState(self._seed % 2**32).get_state()
        np.random.set_bit_generator(  # type: ignore[attr-defined]
            np.random.MT19937()
        )
        np.random.set_state(state)  # noqa: NPY002
        torch.manual_seed(self._seed)

"""Context managers that leave the process-wide generators as they were.

Torch, NumPy and ``random`` each have one generator for the whole process. A fit has to
use them (initialisation, shuffling, dropout), so it seeds them, works, and puts the old
states back, under one lock: two threads that train would otherwise disturb each other.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["noted_generators", "preserved_generators", "seeded_generators"]

# Reentrant: a net that is trained inside another learner's fit must not block itself.
_GENERATOR_LOCK = threading.RLock()


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

    def put_back() -> None:
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

    return put_back


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Put torch's, NumPy's and ``random``'s global generators back at the end."""
    with _GENERATOR_LOCK:
        put_back = noted_generators()
        try:
            yield
        finally:
            put_back()


@contextmanager
def seeded_generators(seed: int) -> Iterator[None]:
    """Seed the global generators for a while, then put them back as they were.

    Parameters
    ----------
    seed : int
        Non-negative, below 2**63.
    """
    with preserved_generators():
        random.setstate(random.Random(seed).getstate())
        state = np.random.RandomState(seed % 2**32).get_state()
        np.random.set_bit_generator(  # type: ignore[attr-defined]
            np.random.MT19937()
        )
        np.random.set_state(state)  # noqa: NPY002
        torch.manual_seed(seed)
        yield

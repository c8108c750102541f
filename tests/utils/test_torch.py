import random
import threading

import numpy as np
import pytest
import torch

from skbadge.utils._torch import preserved_generators, seeded_generators


def states():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2:],
        torch.get_rng_state().tolist(),
    )


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.mark.parametrize(
    "context", [preserved_generators, lambda: seeded_generators(3)]
)
def test_generators_come_back(context):
    before = states()
    with context():
        draw()
    assert states() == before
    with pytest.raises(KeyError), context():
        draw()
        raise KeyError
    assert states() == before


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937])
@pytest.mark.parametrize(
    "context", [preserved_generators, lambda: seeded_generators(3)]
)
def test_a_bit_generator_of_the_users_own_comes_back(context, kind):
    before = np.random.get_bit_generator()
    own = kind(0)
    with seeded_generators(3):
        expected = draw()
    try:
        np.random.set_bit_generator(own)
        # NumPy draws normal numbers in pairs and keeps the second for later.
        np.random.standard_normal()
        state = repr(np.random.get_state(legacy=False))
        with context():
            if context is not preserved_generators:
                assert draw() == expected
            np.random.standard_normal(size=3)
        assert np.random.get_bit_generator() is own
        assert repr(np.random.get_state(legacy=False)) == state
    finally:
        np.random.set_bit_generator(before)


@pytest.fixture
def cuda_seeds(monkeypatch):
    """Return the list of the seeds that torch is told for its GPUs, there or not."""
    told = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", told.append)
    return told


def test_the_seed_that_waits_for_an_unused_gpu_comes_back(cuda_seeds, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    before = torch.get_rng_state()
    torch.manual_seed(41)
    with seeded_generators(3):
        assert cuda_seeds == [41, 3]
        with preserved_generators():
            torch.manual_seed(5)
        assert cuda_seeds == [41, 3, 5, 3]
    assert cuda_seeds[-1] == torch.initial_seed() == 41
    torch.set_rng_state(before)


def test_a_gpu_in_use_gets_its_states_back(cuda_seeds, monkeypatch):
    states, given = [torch.arange(16)], []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", given.append)
    with seeded_generators(3):
        assert cuda_seeds == [3]
    assert given == [states] and cuda_seeds == [3]


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 1, 2**63 - 1])
def test_a_seed_fixes_all_three(seed):
    with seeded_generators(seed):
        first = draw()
    draw()
    with seeded_generators(seed):
        assert draw() == first
    with seeded_generators(seed ^ 4):
        other = draw()
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_contexts_nest():
    with seeded_generators(1):
        expected = [draw(), draw()]
    with seeded_generators(1):
        first = draw()
        with seeded_generators(2):
            draw()
        assert [first, draw()] == expected


def test_threads_do_not_disturb_each_other():
    with seeded_generators(5):
        expected = [draw() for _ in range(50)]
    found = {}

    def work(name):
        with seeded_generators(5):
            found[name] = [draw() for _ in range(50)]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(drawn == expected for drawn in found.values())
    assert len(found) == 4

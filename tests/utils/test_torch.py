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

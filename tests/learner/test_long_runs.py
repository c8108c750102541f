"""Hundreds of rounds, with a net trained in each: memory stays flat."""

import gc
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from skbadge import ALBL, BADGE, ActiveLearner
from skbadge.nets._estimators import find_net
from tests._learning import Tiny, make_data, make_net

X, Y = make_data(30)
BALLAST = 200_000
# What a round may add. The least leak, an array in a list, is three blocks and more;
# one state of the net is ten times the bytes. The blocks that the libraries below hold
# for themselves go up and down by some 400 over a thousand rounds: a lower limit,
# or fewer rounds, would see leaks where none is.
LIMITS = {"objects": 1, "bytes": BALLAST / 10}
STATM = Path("/proc/self/statm")


class Heavy(Tiny):
    """Trains in milliseconds, but is seen in the memory wherever it is kept."""

    def __init__(self):
        super().__init__()
        self.register_buffer("ballast", torch.zeros(BALLAST // 4))


def make_learner(strategy, kind=ActiveLearner, frozen=False):
    net = make_net(Heavy, batch_size=128, max_epochs=1, callbacks="disable")
    if frozen:
        net = FrozenEstimator(net.fit(X[:20].astype(np.float32), Y[:20]))
    return kind(net, strategy=strategy, random_state=0).fit(X[:20], Y[:20])


def run(learner, rounds):
    """Query and teach, from scratch and from the present weights in turn.

    The labelled set, which must grow, is cut back to its first rows now and then and at
    the end; and so is the history, of one row a training.
    """
    for i in range(rounds):
        learner.warm_start = i % 2 == 1
        chosen = 20 + learner.query(X[20:], n=1)
        learner.teach(X[chosen], Y[chosen])
        if learner.n_labeled_ == 30 or i == rounds - 1:
            learner.forget(np.arange(20, learner.n_labeled_))
    assert len(learner.history_) > rounds
    learner._state = replace(learner._state, history=learner._state.history[:1])


def held():
    """Count what lives.

    Objects are the blocks that Python has given out: an array, a tensor, a list is at
    least one each, unlike in the lists of the garbage collector, which has no arrays.
    Bytes are those of the whole process, for what no object tells of; 0 where the
    system does not say.
    """
    gc.collect()
    pages = int(STATM.read_text().split()[1]) if STATM.exists() else 0
    n_bytes = pages * os.sysconf("SC_PAGESIZE") if pages else 0
    return {"objects": sys.getallocatedblocks(), "bytes": n_bytes}


def leaks(learner, rounds, warm_up):
    """Return what grows by more than its limit a round, after a warm-up."""
    run(learner, warm_up)
    before = held()
    run(learner, rounds)
    after = held()
    growth = {name: (after[name] - before[name]) / rounds for name in LIMITS}
    return {name: value for name, value in growth.items() if value > LIMITS[name]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "frozen"),
    [(BADGE(), False), (ALBL(), True)],
    ids=["trained", "frozen"],
)
def test_many_rounds(strategy, frozen):
    learner = make_learner(strategy, frozen=frozen)
    assert leaks(learner, 600, warm_up=60) == {}


def keeping(keep):
    """Return a learner class that keeps something of every round."""
    kept = []

    class Leaking(ActiveLearner):
        def teach(self, *args, **settings):
            super().teach(*args, **settings)
            keep(kept, self)
            return self

    return Leaking


def keep_an_array(kept, learner):
    kept.append(np.ones(50_000))


def keep_a_state(kept, learner):
    kept.append(find_net(learner.estimator_).module_.state_dict())


def keep_a_record(kept, learner):
    kept.append({"labels": learner.y_.copy()})


def keep_bytes_in_one_object(kept, learner):
    kept[:] = kept or [bytearray()]
    kept[0].extend(bytes(10 * BALLAST))


@pytest.mark.parametrize(
    ("keep", "seen"),
    [
        (keep_an_array, "objects"),
        (keep_a_state, "objects"),
        (keep_a_record, "objects"),
        pytest.param(
            keep_bytes_in_one_object,
            "bytes",
            marks=pytest.mark.skipif(not STATM.exists(), reason="the system is silent"),
        ),
    ],
)
def test_a_leak_is_seen(keep, seen):
    learner = make_learner(BADGE(), keeping(keep))
    assert seen in leaks(learner, 40, warm_up=10)

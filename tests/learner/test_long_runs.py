"""A thousand rounds: memory stays flat."""

import gc
import pickle

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skbadge import ALBL, MarginSampling
from tests._learning import make_data, make_learner, make_net

X, Y = make_data(1100)


def held(learner):
    """Return the objects that live, and the bytes that the learner holds."""
    gc.collect()
    return len(gc.get_objects()), len(pickle.dumps(learner))


def run(learner, rounds):
    """Refill a pool of twenty rows; forget what was taught now and then."""
    pool = np.arange(60, 80)
    found = []
    for i in range(rounds):
        chosen = pool[learner.query(X[pool], n=1)]
        learner.teach(X[chosen], Y[chosen])
        pool = np.append(np.setdiff1d(pool, chosen), 80 + i)
        if learner.n_labeled_ == 80:
            learner.forget(np.arange(60, 80))
            found.append(held(learner))
    return found


@pytest.mark.parametrize(
    ("strategy", "rounds"), [(MarginSampling(), 1000), (ALBL(n_rounds=200), 200)]
)
def test_many_rounds(strategy, rounds):
    net = make_net(batch_size=128).fit(X[:60].astype(np.float32), Y[:60])
    learner = make_learner(strategy, net=FrozenEstimator(net)).fit(X[:60], Y[:60])
    found = run(learner, rounds)
    (objects, size), (last_objects, last_size) = found[1], found[-1]
    assert len(found) == rounds // 20
    assert last_objects - objects < 200
    assert abs(last_size - size) < 200


def test_trained_nets_are_let_go():
    learner = make_learner(net=make_net(batch_size=128, max_epochs=1))
    found = run(learner.fit(X[:60], Y[:60]), 60)
    assert found[-1][0] - found[1][0] < 200
    assert abs(found[-1][1] - found[1][1]) < 200

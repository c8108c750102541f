"""Every strategy asks through a learner, of nets with several classes and of two."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests._learning import make_binary_net, make_data, make_learner, make_net
from tests._strategies import all_strategies

X, Y = make_data(80)
POOL, POOL_Y = make_data(60, seed=1)
ALL = [s for s in all_strategies() if not np.size(getattr(s, "clusters", None)) > 1]


def rounds(learner, y, pool_y):
    learner.fit(X[:20], y[:20])
    chosen = learner.query(POOL, n=4)
    assert len(set(chosen.tolist())) == 4
    learner.teach(POOL[chosen], pool_y[chosen])
    some = np.arange(5, 40, 3)
    chosen = learner.query(POOL, n=3, candidates=some)
    assert set(chosen) <= set(some)


@pytest.mark.parametrize("strategy", ALL, ids=lambda s: " ".join(repr(s).split()))
def test_rounds_with_a_learner(strategy):
    rounds(make_learner(clone(strategy)), Y, POOL_Y)


def reads_dropout(strategy):
    return strategy.needs.samples > 0


@pytest.mark.parametrize(
    "strategy",
    [s for s in ALL if not reads_dropout(s)],
    ids=lambda s: " ".join(repr(s).split()),
)
def test_nets_of_one_logit(strategy):
    # The columns of such a net are two, and quotas may name more.
    if isinstance(getattr(strategy, "quota", None), dict):
        strategy = clone(strategy).set_params(quota={1: 0.5})
    learner = make_learner(clone(strategy), net=make_binary_net())
    rounds(learner, Y > 0, POOL_Y > 0)


def test_a_net_without_dropout_is_told_of_the_other_source():
    strategy = next(s for s in ALL if reads_dropout(s))
    learner = make_learner(strategy, net=make_net(module__dropout=0.0)).fit(X, Y)
    with pytest.raises(ValueError, match=r'BALD\(source="laplace"\)'):
        learner.query(POOL, n=2)


@pytest.mark.parametrize(
    "strategy",
    [s for s in ALL if not s.needs.trained and s.needs],
    ids=lambda s: " ".join(repr(s).split()),
)
@pytest.mark.parametrize("steps", [False, True])
def test_cold_start(strategy, steps):
    net = make_pipeline(StandardScaler(), make_net()) if steps else make_net()
    learner = make_learner(clone(strategy), net=net)
    chosen = learner.query(POOL, n=6)
    assert len(set(chosen.tolist())) == 6
    np.testing.assert_array_equal(learner.query(POOL, n=6), chosen)
    learner.teach(POOL[chosen], POOL_Y[chosen])
    again = learner.query(POOL, n=3)
    assert learner.n_labeled_ == 6 and len(again) == 3


def test_some_strategies_can_start():
    able = {type(s).__name__ for s in ALL if not s.needs.trained and s.needs}
    assert able == {"KMeansSampling", "TypiClust"}

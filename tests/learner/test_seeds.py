"""One seed fixes everything, and nothing global is moved."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadge import BADGE, RandomSampling
from tests._learning import (
    PREFIX_STRATEGIES,
    global_states,
    make_data,
    make_learner,
    make_net,
    make_strategies,
    same_weights,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(80, seed=1)


def campaign(learner):
    """Return all that three rounds answer."""
    learner.fit(X[:20], Y[:20])
    answers = []
    for _ in range(3):
        chosen = learner.query(POOL, n=6)
        learner.teach(POOL[chosen], POOL_Y[chosen])
        answers += [chosen, learner.predict_proba(POOL)]
    return answers


@pytest.mark.parametrize("name", make_strategies())
def test_two_learners_with_one_seed_agree(name, global_random_seed):
    first, second = (
        campaign(make_learner(make_strategies()[name], global_random_seed))
        for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a, b)


def test_another_seed_gives_another_net_and_other_rows():
    first, second = (make_learner(RandomSampling(), seed).fit(X, Y) for seed in (0, 1))
    assert not same_weights(weights(first), weights(second))
    assert not np.array_equal(first.query(POOL, n=20), second.query(POOL, n=20))


def test_global_state_does_not_matter_and_is_not_moved():
    import torch

    learner = make_learner()
    before = global_states()
    first = campaign(learner)
    assert global_states() == before
    torch.manual_seed(99)
    np.random.seed(99)
    second = campaign(clone(learner))
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a, b)


def test_predictions_and_scores_move_no_generator():
    learner = make_learner().fit(X, Y)
    before = global_states()
    learner.predict(POOL)
    learner.predict_proba(POOL)
    learner.score(POOL, POOL_Y)
    learner.query(POOL, n=3, subsample=0.5)
    assert global_states() == before


def test_failing_fit_puts_the_generators_back():
    learner = make_learner(net=make_net(criterion=BrokenLoss))
    before = global_states()
    with pytest.raises(RuntimeError, match="broken loss"):
        learner.fit(X, Y)
    assert global_states() == before


class BrokenLoss:
    """A criterion that draws before it fails."""

    def __call__(self, *_):
        np.random.random()
        raise RuntimeError("broken loss")


@pytest.mark.parametrize("name", make_strategies())
def test_query_is_idempotent_and_changes_no_training(name):
    quiet, curious = (
        make_learner(make_strategies()[name]).fit(X[:20], Y[:20]) for _ in range(2)
    )
    first = curious.query(POOL, n=5)
    curious.query(POOL[:40], n=3)
    assert_array_equal(curious.query(POOL, n=5), first)
    # `indices` keep what a bandit is told about the two alike.
    indices = quiet.query(POOL, n=5)
    for learner in (quiet, curious):
        learner.teach(POOL[indices], POOL_Y[indices])
    assert same_weights(weights(quiet), weights(curious))
    assert_array_equal(quiet.query(POOL, n=9), curious.query(POOL, n=9))


def test_rounds_draw_different_rows():
    learner = make_learner(RandomSampling()).fit(X, Y)
    first = learner.query(POOL, n=10)
    learner.teach(POOL[first], POOL_Y[first])
    assert not np.array_equal(learner.query(POOL, n=10), first)


def test_refits_draw_new_numbers():
    learner = make_learner().fit(X, Y)
    before = weights(learner)
    learner.refit()
    assert not same_weights(weights(learner), before)


def test_none_draws_once_in_fit():
    learner = make_learner(random_state=None).fit(X, Y)
    assert_array_equal(learner.query(POOL, n=9), learner.query(POOL, n=9))
    other = make_learner(random_state=None).fit(X, Y)
    assert not same_weights(weights(learner), weights(other))
    first = weights(learner)
    learner.fit(X, Y)
    assert not same_weights(weights(learner), first)


@pytest.mark.parametrize(
    "make", [np.random.RandomState, np.random.default_rng], ids=["legacy", "generator"]
)
def test_random_states_and_generators_are_taken(make):
    first = campaign(make_learner(random_state=make(3)))
    second = campaign(make_learner(random_state=make(3)))
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a, b)


def test_random_state_moves_once_a_fit_and_never_in_a_query():
    state = np.random.RandomState(0)
    learner = make_learner(random_state=state).fit(X, Y)
    position = state.get_state()[2]
    chosen = learner.query(POOL, n=2)
    learner.teach(POOL[chosen], POOL_Y[chosen])
    learner.refit()
    assert state.get_state()[2] == position
    learner.fit(X, Y)
    assert state.get_state()[2] == position + 1


@pytest.mark.parametrize(
    "make", [np.random.RandomState, np.random.default_rng], ids=["legacy", "generator"]
)
def test_cold_start_does_not_move_the_seed(make):
    cold = make_learner(RandomSampling(), random_state=make(0))
    first = cold.query(POOL, n=5)
    assert_array_equal(cold.query(POOL, n=5), first)
    warm = make_learner(RandomSampling(), random_state=make(0))
    assert same_weights(weights(cold.fit(X, Y)), weights(warm.fit(X, Y)))


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, [0]])
def test_bad_seed_is_refused(seed):
    message = "random_state must be a non-negative int, a numpy Generator"
    with pytest.raises(ValueError, match=message):
        make_learner(random_state=seed).fit(X, Y)


@pytest.mark.parametrize("name", PREFIX_STRATEGIES)
def test_prefixes(name, global_random_seed):
    learner = make_learner(make_strategies()[name], global_random_seed).fit(X, Y)
    many = learner.query(POOL, n=40)
    for n in (1, 2, 13):
        assert_array_equal(learner.query(POOL, n=n), many[:n])


@pytest.mark.parametrize("name", PREFIX_STRATEGIES)
def test_prefixes_hold_with_ties_candidates_and_subsamples(name):
    learner = make_learner(make_strategies()[name]).fit(X, Y)
    pool = np.repeat(POOL[:8], 6, axis=0)
    settings = {"candidates": np.arange(48) % 7 != 0, "subsample": 0.9}
    many = learner.query(pool, n=30, **settings)
    for n in (1, 5, 17):
        assert_array_equal(learner.query(pool, n=n, **settings), many[:n])


def test_kdpp_gives_distinct_rows_for_each_size():
    learner = make_learner(BADGE(sampler="k-dpp")).fit(X, Y)
    for n in (1, 3, 6):
        assert len(set(learner.query(POOL, n=n).tolist())) == n


def test_pipeline_has_the_same_manners():
    net = make_pipeline(StandardScaler(), make_net())
    before = global_states()
    first, second = (campaign(make_learner(net=net)) for _ in range(2))
    assert global_states() == before
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a, b)

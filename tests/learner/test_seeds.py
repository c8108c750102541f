"""One seed fixes everything, and nothing global is moved."""

import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadge import ALBL, BADGE, PenultimateFeatures, RandomSampling
from skbadge.utils._torch import seeded_generators
from tests._learning import (
    PREFIX_STRATEGIES,
    Tiny,
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


class DrawsToPredict(Tiny):
    """Dropout that stays on, and numbers of the two other generators."""

    def forward(self, X):
        noise = random.random() + np.random.random()
        return self.head(torch.dropout(self.body(X) + noise, 0.5, True))


class Remembers(ALBL):
    """Keeps which of the rows asked for were predicted right."""

    def observe(self, feedback):
        super().observe(feedback)
        self.correct_ = feedback.correct


def drawing_learner(strategy=None, warm_start=False):
    return make_learner(
        strategy, net=make_net(DrawsToPredict), warm_start=warm_start
    ).fit(X[:20], Y[:20])


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("strategy", [BADGE(), ALBL(), RandomSampling()])
def test_a_net_that_draws_to_predict_moves_no_generator(strategy, warm_start):
    before = global_states()
    learner = drawing_learner(strategy, warm_start)
    assert global_states() == before
    chosen = learner.query(POOL, n=6)
    assert global_states() == before
    learner.teach(POOL[chosen], POOL_Y[chosen])
    assert global_states() == before
    learner.refit()
    assert global_states() == before
    learner.score(POOL, POOL_Y)
    assert global_states() == before


def test_one_seed_fixes_what_a_net_draws_to_predict():
    """Whatever states the global generators are in at each step."""

    def answers(*states):
        states = iter(states)
        with seeded_generators(next(states)):
            learner = drawing_learner(Remembers())
        with seeded_generators(next(states)):
            chosen = learner.query(POOL, n=40)
        with seeded_generators(next(states)):
            proba = learner.predict_proba(POOL)
            labels = learner.predict(POOL)
        with seeded_generators(next(states)):
            learner.teach(POOL[chosen], POOL_Y[chosen])
        return chosen, proba, labels, learner.strategy_.correct_

    first = answers(0, 1, 2, 3)
    for states in ((9, 1, 2, 3), (0, 9, 2, 3), (0, 1, 9, 3), (0, 1, 2, 9)):
        for a, b in zip(first, answers(*states), strict=True):
            assert_array_equal(a, b)


@pytest.mark.parametrize("strategy", [BADGE(), ALBL()])
def test_the_same_query_twice_where_a_net_draws_to_predict(strategy):
    learner = drawing_learner(strategy)
    first = learner.query(POOL, n=6)
    scores = learner.last_selection_.scores
    for state in range(5):
        with seeded_generators(state):
            assert_array_equal(learner.query(POOL, n=6), first)
        assert_array_equal(learner.last_selection_.scores, scores)


def test_features_of_a_net_that_draws_to_predict():
    features = PenultimateFeatures(make_net(DrawsToPredict), random_state=0)
    first = features.fit_transform(X, Y)
    before = global_states()
    with seeded_generators(9):
        assert_array_equal(features.transform(X), first)
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

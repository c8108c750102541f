"""The bandit against EXP4.P written out slowly."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import ALBL, CoreSet, LeastConfidence, MarginSampling, RandomSampling
from skbadge._contracts import Feedback, Needs, Outputs, Selection, Traits
from skbadge.strategies import QueryStrategy
from tests._oracles import exp4p_chosen, exp4p_probabilities, exp4p_weights

NEEDS = Needs(proba=True, features=True, labeled=Needs(features=True))
# Least confidence asks for rows 0, 1, 2; core-set for rows 3, 2, 1 and then others.
PROBA = [[0.5, 0.5], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1]]
FEATURES = [[0.1], [2.5], [5.0], [10.0], [0.0]]


def outputs():
    return Outputs.of(
        proba=torch.tensor(PROBA, dtype=torch.float64),
        features=torch.tensor(FEATURES, dtype=torch.float64),
        labeled=Outputs.of(features=torch.zeros(1, 1, dtype=torch.float64), y=[0]),
    )


def drawn(strategy, arm, n=3):
    """Select with a seed that draws an arm."""
    for seed in range(100):
        selection = strategy.select(outputs(), n, random_state=seed)
        if selection.arm == arm:
            return selection
    raise AssertionError(f"arm {arm} was never drawn")


def test_batches_and_inclusion_by_hand():
    strategy = ALBL()
    first, second = drawn(strategy, 0), drawn(strategy, 1)
    assert_array_equal(first.indices, [0, 1, 2])
    assert_array_equal(second.indices, [3, 2, 1])
    assert_array_equal(first.arm_inclusion, [[1, 1, 1], [0, 1, 1]])
    assert_array_equal(second.arm_inclusion, [[0, 1, 1], [1, 1, 1]])
    assert_allclose(first.arm_probability, [0.5, 0.5])
    # Row 0 is in one batch only, the others in both.
    assert_allclose(first.inclusion_probability, [0.5, 1.0, 1.0])
    assert_allclose(second.inclusion_probability, [0.5, 1.0, 1.0])


def test_scores_are_those_of_the_drawn_arm():
    assert_allclose(drawn(ALBL(), 0).scores, [0.5, 0.4, 0.3])
    assert_allclose(drawn(ALBL(), 1).scores, [10.0, 5.0, 2.5])


def test_arms_have_names():
    assert ALBL().arm_names == ["LeastConfidence", "CoreSet"]
    twice = ALBL(arms=[CoreSet(), MarginSampling(), CoreSet(space="proba")])
    assert twice.arm_names == ["CoreSet 1", "MarginSampling", "CoreSet 2"]
    assert ALBL(uniform_arm=True).arm_names[2] == "RandomSampling"


def test_a_random_arm_counts_with_its_share():
    selection = drawn(ALBL(uniform_arm=True), 0)
    assert_allclose(selection.arm_inclusion[2], [0.6, 0.6, 0.6])
    third = (1 / 3) * np.array([1 + 0.6, 2 + 0.6, 2 + 0.6])
    assert_allclose(selection.inclusion_probability, third)
    assert drawn(ALBL(uniform_arm=True), 2).scores is None
    given = drawn(ALBL(arms=[LeastConfidence(), CoreSet(), RandomSampling()]), 0)
    assert_allclose(given.inclusion_probability, third)


def test_arms_are_drawn_by_their_probability():
    strategy = ALBL(n_rounds=100)
    strategy.log_weights_ = np.log([1.0, 3.0])
    p_min = math.sqrt(math.log(2) / 200)
    p = exp4p_probabilities([1.0, 3.0], p_min)
    arms = [strategy.select(outputs(), 1, seed).arm for seed in range(400)]
    expected, deviation = 400 * p[1], math.sqrt(400 * p[0] * p[1])
    assert abs(sum(arms) - expected) < 4.5 * deviation
    assert abs(sum(arms) - 200) > 4.5 * deviation


@pytest.mark.parametrize("update", ["all", "hsu-lin", "chosen"])
@pytest.mark.parametrize("uniform_arm", [False, True])
def test_rounds_against_the_oracle(update, uniform_arm):
    strategy = ALBL(update=update, uniform_arm=uniform_arm, n_rounds=10, delta=0.2)
    N = 3 if uniform_arm else 2
    p_min = min(1 / N, math.sqrt(math.log(N) / (N * 10)))
    if update == "chosen":
        p_min = 1 / (10 * N)
    weights, correct, q_all = [1.0] * N, [], []
    others = [True, False, True, True]
    answers = [[1, 0, 1], [1, 1, 1], [0, 0, 1]]
    for round_, arm in enumerate([0, 1, 0]):
        p = exp4p_probabilities(weights, p_min)
        selection = drawn(strategy, arm)
        assert_allclose(selection.arm_probability, p, rtol=1e-12)
        batch = selection.arm_inclusion.T.tolist()
        q = [sum(a * b for a, b in zip(p, row, strict=True)) for row in batch]
        if update == "chosen":
            q = [p[arm]] * 3
        assert_allclose(selection.inclusion_probability, q, rtol=1e-12)
        # The net is new each round, so earlier rows are judged again.
        q_all += q
        correct = [1 - c for c in correct] + answers[round_]
        n_labeled, n_unlabeled = 7 + 3 * round_, 50 - 3 * round_
        strategy.observe(
            Feedback(
                selection=selection,
                taught=np.arange(3),
                correct=np.array(correct, dtype=bool),
                inclusion_probability=np.array(q_all),
                n_labeled=n_labeled,
                n_unlabeled=n_unlabeled,
                others_correct=np.array(others),
            )
        )
        if update == "chosen":
            weights = exp4p_chosen(
                weights, p, arm, correct, q_all, others, delta=0.2, p_min=p_min
            )
        else:
            divisor = 57 * 10 if update == "hsu-lin" else sum(1 / q for q in q_all)
            weights = exp4p_weights(
                weights,
                p,
                batch,
                correct,
                q_all,
                divisor=divisor,
                T=10,
                delta=0.2,
                p_min=p_min,
            )
        got = np.exp(strategy.log_weights_)
        assert_allclose(got / got.sum(), np.array(weights) / sum(weights), rtol=1e-10)
    assert not np.allclose(got, got[0])


def test_one_round_in_numbers():
    def step(update):
        strategy = ALBL(n_rounds=4, delta=0.1, update=update)
        selection = drawn(strategy, 0, n=1)
        assert_array_equal(selection.indices, [0])
        correct, probability = np.array([True, False]), np.array([0.5, 0.25])
        others = np.array([True, True, False])
        strategy.observe(
            Feedback(selection, np.arange(1), correct, probability, 5, 5, others)
        )
        assert strategy.log_weights_.max() == 0
        return strategy.log_weights_[0] - strategy.log_weights_[1]

    # p_min = sqrt(ln 2 / 8); arm 0 asked for the row, so q_0 / q = 2, arm 1 did not;
    # the bonus is the same for both. Reward 2 / (2 + 4), and 2 / (10 * 4).
    p_min = math.sqrt(math.log(2) / 8)
    assert_allclose(step("all"), p_min / 2 * (1 / 3) * 2, rtol=1e-12)
    assert_allclose(step("hsu-lin"), p_min / 2 * (1 / 20) * 2, rtol=1e-12)
    # p_min = 1 / 20; reward (2 + 1 + 1) / 5; bonus 2 sqrt(ln 20 / 2), arm 0 alone.
    bonus = 2 * math.sqrt(math.log(20) / 2)
    assert_allclose(step("chosen"), 1 / 40 * (4 / 5 + bonus), rtol=1e-12)


def test_the_first_steps_of_the_public_code():
    # 100 rows at first, 10 a batch, all right, the same arm twice.
    strategy, q, steps = ALBL(update="chosen"), [], [0.0]
    for _ in range(2):
        selection = drawn(strategy, 0, n=3)
        q += [selection.arm_probability[0]] * 10
        right, q_all = np.ones(len(q), bool), np.array(q)
        n_labeled, others = 100 + len(q), np.ones(100, bool)
        strategy.observe(
            Feedback(selection, np.arange(3), right, q_all, n_labeled, 0, others)
        )
        steps.append(strategy.log_weights_[0] - strategy.log_weights_[1])
    # 1/40 (120 / 110 + 2 sqrt(ln 20 / 2)), then with p = 0.51991.
    assert_allclose(np.diff(steps), [0.088466, 0.087860], atol=1e-6)


class OneRow(QueryStrategy):
    """Asks for a given row, at no cost."""

    traits = Traits(nested=False, breaks_ties=False)

    def __init__(self, row):
        self.row = row

    def _select(self, outputs, n, generator):
        return Selection(np.array([self.row]))


def chosen_after(update, accuracy, seed, n_rounds=50):
    """Return the probability of arm 0 after rounds with nets of given accuracies."""
    strategy = ALBL(arms=[OneRow(0), OneRow(1)], update=update, n_rounds=n_rounds)
    rng, q = np.random.default_rng(seed), []
    for round_ in range(n_rounds):
        selection = strategy.select(outputs(), 1, random_state=1000 * seed + round_)
        q += [selection.inclusion_probability[0]] * 10
        correct = rng.random(len(q)) < accuracy[selection.arm]
        strategy.observe(
            Feedback(selection, np.arange(1), correct, np.array(q), len(q), 1000)
        )
    return strategy.select(outputs(), 1, random_state=0).arm_probability[0]


def test_a_better_arm_is_told_from_a_worse_one_within_50_rounds():
    better = [chosen_after("all", (0.95, 0.5), seed) for seed in range(30)]
    swapped = [chosen_after("all", (0.5, 0.95), seed) for seed in range(30)]
    assert np.mean(np.array(better) > 0.5) > 0.85
    assert np.mean(better) > 0.58 and np.mean(swapped) < 0.42
    # With the reward as it was first defined, a fair coin for ever.
    coin = [chosen_after("hsu-lin", (0.95, 0.5), seed) for seed in range(10)]
    assert_allclose(coin, 0.5, atol=0.01)


def test_equal_arms_are_not():
    equal = np.array([chosen_after("all", (0.7, 0.7), seed) for seed in range(30)])
    assert abs(equal.mean() - 0.5) < 4.5 * equal.std() / np.sqrt(30)
    assert abs(equal.mean() - 0.5) < 0.05
    # Nor is one of them by chance: those of unequal arms lie farther off.
    better = np.array([chosen_after("all", (0.95, 0.5), seed) for seed in range(30)])
    assert equal.std() < 0.08 < np.sqrt(np.square(better - 0.5).mean())


def test_only_the_rows_that_came_back_count():
    def learned(taught):
        strategy = ALBL()
        selection = drawn(strategy, 0)
        n = len(taught)
        strategy.observe(
            Feedback(selection, np.array(taught), np.ones(n, bool), np.ones(n), 5, 5)
        )
        return strategy.log_weights_

    # Row 0 is the only one that tells the arms apart.
    assert learned([0])[0] > learned([0])[1]
    assert_allclose(*learned([1, 2]))


def test_499_rounds_stay_finite_and_above_the_floor():
    strategy = ALBL(n_rounds=499)
    rng = np.random.default_rng(0)
    for i in range(499):
        selection = strategy.select(outputs(), 3, random_state=i)
        good = selection.arm == 0
        strategy.observe(
            Feedback(
                selection,
                np.arange(3),
                np.full(3 * (i + 1), good) & (rng.random(3 * (i + 1)) < 0.9),
                np.full(3 * (i + 1), 1e-3),
                10,
                3,
            )
        )
        assert np.isfinite(strategy.log_weights_).all()
    p = selection.arm_probability
    assert (p >= math.sqrt(math.log(2) / (2 * 499)) - 1e-12).all()
    assert_allclose(p.sum(), 1)


def test_one_arm_is_that_arm():
    selection = ALBL(arms=[MarginSampling()]).select(outputs(), 2, 0)
    assert_array_equal(selection.indices, [0, 1])
    assert_allclose(selection.inclusion_probability, 1.0)


def test_needs_are_those_of_all_arms():
    assert ALBL().needs == NEEDS
    assert ALBL(arms=[RandomSampling()]).needs == Needs()
    assert ALBL(uniform_arm=True).needs == NEEDS

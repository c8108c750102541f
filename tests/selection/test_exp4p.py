"""EXP4.P: numbers computed by hand."""

import numpy as np
import pytest

from skbadge.selection._exp4p import (
    arm_probabilities,
    exploration_floor,
    importance_weighted_accuracy,
    inclusion_probability,
    updated_log_weights,
)


def test_exploration_floor():
    assert exploration_floor(2, 100) == pytest.approx(0.0588705)  # sqrt(ln 2 / 200)
    assert exploration_floor(2, 1) == 0.5  # sqrt(ln 2 / 2) = 0.589 is above 1 / N
    assert exploration_floor(1, 10) == 0.0


def test_arm_probabilities():
    # weights 3 : 1, floor 0.1: 0.8 * (0.75, 0.25) + 0.1
    found = arm_probabilities(np.log([3.0, 1.0]), 0.1)
    np.testing.assert_allclose(found, [0.7, 0.3])
    np.testing.assert_allclose(
        arm_probabilities(np.array([900.0, 0.0]), 0.1), [0.9, 0.1]
    )
    np.testing.assert_allclose(arm_probabilities(np.zeros(4), 0.25), 0.25)


def test_inclusion_probability():
    inclusion = [[1.0, 0.0, 1.0], [1.0, 1.0, 0.2]]
    found = inclusion_probability(np.array([0.75, 0.25]), np.array(inclusion))
    np.testing.assert_allclose(found, [1.0, 0.25, 0.8])


def test_importance_weighted_accuracy():
    # (1 / 0.5 + 0 + 1 / 0.25) / (20 rows * 3 rounds)
    found = importance_weighted_accuracy(
        np.array([True, False, True]), np.array([0.5, 1.0, 0.25]), n_rows=20, n_rounds=3
    )
    assert found == pytest.approx(6 / 60)
    empty = np.empty(0)
    assert importance_weighted_accuracy(empty, empty, n_rows=20, n_rounds=3) == 0.0


def update(**changes):
    arguments = {
        "reward": 0.5,
        "arm_probability": np.array([0.8, 0.2]),
        "arm_inclusion": np.array([[1.0, 1.0], [1.0, 0.0]]),
        "n_rounds": 10,
        "delta": 0.1,
        "p_min": 0.1,
        **changes,
    }
    return updated_log_weights(np.zeros(2), **arguments)


def test_all_arms_learn():
    # q = (1, 0.8); q_k / q: arm 0 (1, 1.25) mean 1.125, arm 1 (1, 0) mean 0.5.
    # confidence sqrt(ln(2 / 0.1) / (2 * 10)) = sqrt(2.995732 / 20) = 0.387023
    # arm 0: 0.05 * (0.5625 + 0.387023 / 0.8) = 0.0523139
    # arm 1: 0.05 * (0.25 + 0.387023 / 0.2) = 0.1092558
    np.testing.assert_allclose(update(), [0.0523139 - 0.1092558, 0.0], atol=1e-6)


def test_all_arms_learn_unless_told_otherwise():
    np.testing.assert_array_equal(update(), update(update="all"))


def test_only_the_chosen_arm_learns():
    found = update(update="chosen", arm=0)
    np.testing.assert_allclose(found, [0.0, -0.0523139], atol=1e-6)


def test_many_rounds_do_not_overflow():
    log_weights = np.zeros(2)
    for _ in range(499):
        probability = arm_probabilities(log_weights, 0.05)
        log_weights = updated_log_weights(
            log_weights,
            reward=200.0,
            arm_probability=probability,
            arm_inclusion=np.array([[1.0], [0.0]]),
            n_rounds=499,
            delta=0.1,
            p_min=0.05,
        )
    assert np.isfinite(log_weights).all()
    np.testing.assert_allclose(arm_probabilities(log_weights, 0.05), [0.95, 0.05])

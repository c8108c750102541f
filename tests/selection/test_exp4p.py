"""EXP4.P: numbers computed by hand."""

import numpy as np
import pytest

from skbadge.selection._exp4p import (
    arm_probabilities,
    confidence,
    exploration_floor,
    importance_weighted_accuracy,
    inclusion_probability,
    self_normalized_accuracy,
    shares,
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


def test_self_normalized_accuracy():
    # The weights are 2, 1 and 4.
    correct, probability = np.array([True, False, True]), np.array([0.5, 1.0, 0.25])
    assert self_normalized_accuracy(correct, probability) == pytest.approx(6 / 7)
    assert self_normalized_accuracy(~correct, probability) == pytest.approx(1 / 7)
    assert self_normalized_accuracy(np.zeros(0, bool), np.zeros(0)) == 0.0


def test_shares():
    # q = (1, 0.8); q_k / q: arm 0 (1, 1.25) mean 1.125, arm 1 (1, 0) mean 0.5.
    found = shares(np.array([0.8, 0.2]), np.array([[1.0, 1.0], [1.0, 0.0]]))
    np.testing.assert_allclose(found, [1.125, 0.5])


def test_confidence():
    # sqrt(ln(2 / 0.1) / (2 * 10)) = sqrt(2.995732 / 20)
    assert confidence(2, 0.1, 10) == pytest.approx(0.387023, abs=1e-6)


def test_updated_weights():
    # arm 0: 0.05 * (0.5625 + 0.387023 / 0.8) = 0.0523139
    # arm 1: 0.05 * (0.25 + 0.387023 / 0.2) = 0.1092558
    settings = {
        "arm_probability": np.array([0.8, 0.2]),
        "bonus": confidence(2, 0.1, 10),
        "p_min": 0.1,
    }
    found = updated_log_weights(np.zeros(2), np.array([0.5625, 0.25]), **settings)
    np.testing.assert_allclose(found, [0.0523139 - 0.1092558, 0.0], atol=1e-6)
    found = updated_log_weights(np.zeros(2), np.array([0.5625, np.nan]), **settings)
    np.testing.assert_allclose(found, [0.0, -0.0523139], atol=1e-6)


def test_many_rounds_do_not_overflow():
    log_weights = np.zeros(2)
    for _ in range(499):
        probability = arm_probabilities(log_weights, 0.05)
        log_weights = updated_log_weights(
            log_weights,
            np.array([400.0, 0.0]),
            arm_probability=probability,
            bonus=confidence(2, 0.1, 499),
            p_min=0.05,
        )
    assert np.isfinite(log_weights).all()
    np.testing.assert_allclose(arm_probabilities(log_weights, 0.05), [0.95, 0.05])

"""Coverage by hand; uncertainty, temperature and length scale."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import MaxHerding, UHerding
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import Outputs, _temperature, _uherding
from skbadge.strategies._temperature import calibration_error, cross_fitted_temperature
from tests._oracles import coverage_loop


def outputs_of(n=60, n_labeled=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features, known = (
        torch.randn(m, 4, generator=generator, dtype=torch.float64)
        for m in (n, n_labeled)
    )
    proba = (3 * features[:, :3]).softmax(dim=1)
    labeled = Outputs.of(features=known, y=known[:, :3].argmax(dim=1))
    return Outputs.of(features=features, proba=proba, labeled=labeled)


def unit(table):
    table = table.numpy()
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def test_max_herding_by_hand():
    # Directions 0, 90 and 180 degrees; squared distances 2 and 4.
    features = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    labeled = Outputs.of(features=torch.tensor([[-5.0, 0.0]]), y=[0])
    outputs = Outputs.of(features=features, labeled=labeled)
    chosen = MaxHerding().select(outputs, 2, random_state=0)
    near, far = np.exp(-2.0), np.exp(-4.0)
    assert chosen.indices[0] in (0, 1) and chosen.indices[1] == 2
    gains = [2 * (1 - far), 1 - near]
    assert_allclose(chosen.scores, np.array(gains) / 4, rtol=1e-5)


@pytest.mark.parametrize("uncertainty", ["margin", "entropy", "confidence"])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_uherding_is_weighted_coverage(uncertainty, temperature):
    outputs = outputs_of()
    chosen = UHerding(uncertainty, temperature=temperature).select(outputs, 12, 0)
    known, table = unit(outputs.labeled.features), unit(outputs.features)
    scale = min(np.linalg.norm(a - b) for i, a in enumerate(known) for b in known[:i])
    power = outputs.proba.numpy() ** (1 / temperature)
    proba = np.sort(power / power.sum(axis=1, keepdims=True), axis=1)
    weight = {
        "margin": 1 - (proba[:, -1] - proba[:, -2]),
        "entropy": -(proba * np.log(proba)).sum(axis=1) / np.log(3),
        "confidence": 1 - proba[:, -1],
    }[uncertainty]
    expected, gains = coverage_loop(table, 12, weight, scale, labeled=known)
    assert_array_equal(chosen.indices, expected)
    assert_allclose(chosen.scores, np.array(gains) / 60, rtol=1e-9)


def test_labeled_copies_do_not_close_the_kernel():
    rows = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert _uherding._smallest_distance(rows) == pytest.approx(2**0.5)
    assert _uherding._smallest_distance(rows[:2]) == 1.0
    assert _uherding._smallest_distance(rows[:0]) == 1.0


def test_some_targets_only():
    outputs = outputs_of()
    few = UHerding(temperature=1.0, n_targets=20).select(outputs, 5, 0)
    again = UHerding(temperature=1.0, n_targets=20).select(outputs, 5, 0)
    assert_array_equal(few.indices, again.indices)
    every = UHerding(temperature=1.0, n_targets=60).select(outputs, 5, 0)
    none = UHerding(temperature=1.0).select(outputs, 5, 0)
    assert_array_equal(every.indices, none.indices)


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.5, 1.0])
    right = np.array([True, False, True, True])
    # Bins of a 15th: .95 and 1 share the last one, .5 is alone.
    expected = abs(0.95 + 0.95 + 1.0 - 2) / 4 + 0.5 / 4
    assert calibration_error(confidence, right) == pytest.approx(expected)


def test_noisy_labels_raise_the_temperature():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 40, generator=generator)
    noise = torch.randint(3, (60,), generator=generator)
    draw = np.random.default_rng(0)
    assert cross_fitted_temperature(features, noise, draw) > 2.0
    clean = features[:, :3].argmax(dim=1)
    easy = torch.nn.functional.one_hot(clean, 3).float() * 9 + 0.1 * features[:, :3]
    assert cross_fitted_temperature(easy, clean, draw) < 1.5


@pytest.mark.parametrize("y", [[], [0], [0, 1], [1, 1, 1]])
def test_without_two_classes_to_learn_the_temperature_is_one(y):
    features = torch.arange(len(y), dtype=torch.float32)[:, None]
    labels = torch.tensor(y, dtype=torch.long)
    found = cross_fitted_temperature(features, labels, np.random.default_rng(0))
    assert found == 1.0


def test_the_cross_fitted_temperature_is_used(monkeypatch):
    outputs = outputs_of()
    monkeypatch.setattr(_uherding, "cross_fitted_temperature", lambda *_: 7.0)
    found = UHerding().select(outputs, 9, 0).indices
    expected = UHerding(temperature=7.0).select(outputs, 9, 0).indices
    assert_array_equal(found, expected)
    assert _temperature._TEMPERATURES[[0, 1, -1]].tolist() == [1.0, 1.1, 19.9]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (UHerding("variance"), "uncertainty must be one of"),
        (UHerding(temperature="warm"), "temperature must be"),
        (UHerding(temperature=0.0), "temperature must be"),
        (UHerding(length_scale=0.0), "length_scale must be"),
        (MaxHerding(n_targets=0), "n_targets must be"),
    ],
)
def test_parameters_out_of_range(strategy, message):
    with pytest.raises(InvalidInputError, match="^" + message):
        strategy.check_parameters()


def test_a_model_that_is_sure_has_a_temperature():
    """Of a row far beyond all others a probability is 0, in every digit there is."""
    features = torch.linspace(-1.0, 1.0, 20, dtype=torch.float64)[:, None]
    features[7] = 1e6
    y = (features[:, 0] > 0).long()
    found = cross_fitted_temperature(features, y, np.random.default_rng(0))
    assert found in _temperature._TEMPERATURES

"""FALCUN's law by enumeration."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skbadge import FALCUN
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import Outputs
from tests._oracles import chi_square_p_value, falcun_law

PROBA = [[0.5, 0.4, 0.1], [0.45, 0.45, 0.1], [0.1, 0.5, 0.4], [0.7, 0.2, 0.1]]


def draws(gamma, n):
    outputs, strategy = Outputs.of(proba=np.array(PROBA)), FALCUN(gamma=gamma)
    return [
        tuple(strategy.select(outputs, n, random_state=seed).indices.tolist())
        for seed in range(2500)
    ]


def law_of(gamma, n):
    return {k: float(np.prod(v)) for k, v in falcun_law(PROBA, n, gamma).items()}


def test_law_of_ordered_batches():
    found = draws(3.0, 3)
    assert chi_square_p_value(found, law_of(3.0, 3)) > 1e-4
    assert chi_square_p_value(found, law_of(4.0, 3)) < 1e-4


def test_the_probability_of_each_draw():
    law = falcun_law(PROBA, 4, 10.0)
    for seed in range(30):
        selection = FALCUN().select(Outputs.of(proba=np.array(PROBA)), 4, seed)
        expected = law[tuple(selection.indices.tolist())]
        assert_allclose(selection.draw_probability, expected, rtol=1e-9)


def test_by_hand():
    # Margins .1, 0, .1, .5, so that u = .9, 1, .9, .5; scaled to .8, 1, .8, 0.
    first = FALCUN(gamma=1.0).select(Outputs.of(proba=np.array(PROBA)), 1, 0)
    weight = np.array([1.7, 2.0, 1.7, 0.5])
    assert_allclose(first.scores, weight[first.indices])
    assert_allclose(first.draw_probability, weight[first.indices] / weight.sum())


def test_rows_that_are_sure_and_alike_are_drawn_uniformly():
    outputs = Outputs.of(proba=[[1.0, 0.0]] * 5)
    selection = FALCUN().select(outputs, 5, random_state=0)
    assert_allclose(selection.draw_probability, [1 / 5, 1 / 4, 1 / 3, 1 / 2, 1])


def test_a_negative_exponent():
    with pytest.raises(
        InvalidInputError, match=r"gamma must be a number in \[0, inf\)"
    ):
        FALCUN(gamma=-1).check_parameters()

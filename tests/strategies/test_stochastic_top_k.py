"""Draws by scores: the law of ordered batches, and the probability of each pick."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skbadge import CoreSet, EntropySampling, MarginSampling, StochasticTopK
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import Needs, Outputs, ScoreSampling
from tests._oracles import chi_square_p_value, sequential_law

N_DRAWS = 2500
SCORES = [0.1, 0.4, 0.2, 0.4]


class Given(ScoreSampling):
    """Scores that stand in the features."""

    needs = Needs(features=True)

    def _score(self, outputs):
        return outputs.features[:, 0]


def outputs(scores):
    return Outputs.of(features=torch.tensor(scores, dtype=torch.float64)[:, None])


def draws(scores, n, **options):
    strategy, rows = StochasticTopK(Given(), **options), outputs(scores)
    return [
        tuple(strategy.select(rows, n, random_state=seed).indices.tolist())
        for seed in range(N_DRAWS)
    ]


def law_of(weights, n, share=0.0):
    steps = sequential_law(weights, n, share)
    return {order: float(np.prod(p)) for order, p in steps.items() if np.prod(p)}


# Of equal scores, ranks are shared: 1.5 for both of 0.4.
WEIGHTS = {
    "power": [s**2 for s in SCORES],
    "softmax": [np.exp(2 * s) for s in SCORES],
    "softrank": [r**-2.0 for r in (4, 1.5, 3, 1.5)],
}


@pytest.mark.parametrize("law", WEIGHTS)
def test_law_of_ordered_batches(law):
    found = draws(SCORES, 2, law=law, beta=2.0)
    assert chi_square_p_value(found, law_of(WEIGHTS[law], 2)) > 1e-4
    for other in set(WEIGHTS) - {law}:
        assert chi_square_p_value(found, law_of(WEIGHTS[other], 2)) < 1e-4


def test_law_with_a_random_share():
    found = draws(SCORES, 3, random_share=0.4)
    assert chi_square_p_value(found, law_of(SCORES, 3, share=0.4)) > 1e-4
    assert chi_square_p_value(found, law_of(SCORES, 3)) < 1e-4


def test_rows_of_score_zero_fill_up_uniformly():
    scores = [0.0, 0.5, 0.0, 0.0]
    found = draws(scores, 3)
    assert {order[0] for order in found} == {1}
    assert chi_square_p_value(found, law_of(scores, 3)) > 1e-4


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_batch_is_the_beginning_of_that_of_the_whole_pool(share):
    # Only as much of the pool is sorted as is asked for, also among rows of weight 0.
    scores = [0.5, 0.0, 0.5, 0.0, 0.25, 0.0, 0.25, 1.0]
    strategy = StochasticTopK(Given(), random_share=share)
    for seed in range(20):
        whole = strategy.select(outputs(scores), 8, random_state=seed).indices
        assert sorted(whole) == list(range(8))
        for n in range(1, 8):
            part = strategy.select(outputs(scores), n, random_state=seed).indices
            assert part.tolist() == whole[:n].tolist()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("law", WEIGHTS)
def test_the_probability_of_each_pick_is_exact(law, share):
    steps = sequential_law(WEIGHTS[law], 4, share)
    strategy = StochasticTopK(Given(), law=law, beta=2.0, random_share=share)
    for seed in range(20):
        selection = strategy.select(outputs(SCORES), 4, random_state=seed)
        expected = steps[tuple(selection.indices.tolist())]
        assert_allclose(selection.draw_probability, expected, rtol=1e-12)


def test_by_hand():
    # 1 - margin: 1, 0 and 0.5. Weights 2 : 0 : 1, then what is left.
    rows = Outputs.of(proba=[[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]])
    probability = {}
    for seed in range(10):
        selection = StochasticTopK(MarginSampling()).select(rows, 3, seed)
        probability[selection.indices[0]] = selection.draw_probability[0]
        assert selection.indices[2] == 1
        assert_allclose(selection.draw_probability[1:], 1.0)
        expected = np.array([0.0, -1.0, -0.5])[selection.indices]
        assert_allclose(selection.scores, expected)
    assert probability == {0: pytest.approx(2 / 3), 2: pytest.approx(1 / 3)}


def test_large_and_small_beta():
    spread = [1e-300, 1.0, 0.5, 1e-8]
    best = StochasticTopK(Given(), beta=200.0).select(outputs(spread), 4, 0)
    assert best.indices.tolist() == [1, 2, 3, 0]
    assert_allclose(best.draw_probability, 1.0)
    even = StochasticTopK(Given(), beta=0.0).select(outputs([0.0, 1.0, 5.0, 2.0]), 2, 0)
    assert_allclose(even.draw_probability, [1 / 4, 1 / 3])
    far = StochasticTopK(Given(), law="softmax", beta=1e3)
    assert far.select(outputs([-1e5, 1e5, 0.0]), 3, 0).indices.tolist() == [1, 2, 0]


@pytest.mark.parametrize("scores", [CoreSet(), EntropySampling, None, 3])
def test_only_what_scores_is_wrapped(scores):
    strategy = StochasticTopK(scores)
    with pytest.raises(InvalidInputError, match="must be a strategy that scores"):
        strategy.check_parameters()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"law": "top"}, "law must be one of 'power', 'softmax', 'softrank'"),
        ({"beta": -1.0}, r"beta must be a number in \[0, inf\)"),
        ({"random_share": 1.5}, r"random_share must be a number in \[0, 1\]"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InvalidInputError, match=message):
        StochasticTopK(Given(), **options).select(outputs(SCORES), 1)


def test_scores_that_no_power_can_be_taken_of():
    with pytest.raises(InvalidInputError, match="at least 0. Got -1 of Given instead"):
        StochasticTopK(Given()).select(outputs([0.5, -1.0]), 1)

    class Inverse(Given):
        def _score(self, outputs):
            return 1.0 / super()._score(outputs)

    message = "Inverse must give finite scores to be drawn by. Got inf at row 1"
    with pytest.raises(InvalidInputError, match=message):
        StochasticTopK(Inverse()).select(outputs([0.5, 0.0]), 1)

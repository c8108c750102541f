"""BADGE and core-set by hand; that the options reach the algorithms."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import BADGE, ClassQuota, CoreSet
from skbadge.exceptions import InvalidInputError
from skbadge.selection import k_center_greedy, kmeans_plusplus
from skbadge.strategies import Needs, Outputs
from skbadge.strategies.checks import make_outputs
from tests._oracles import log_det_loop

NEEDS = Needs(residual=True, features=True)


def outputs(residual, features):
    values = {"residual": torch.tensor(residual), "features": torch.tensor(features)}
    return Outputs(len(residual), NEEDS, values)


# Gradients (outer products): lengths 3, 2, 2 and 0; rows 1 and 2 are the same.
HAND = outputs(
    [[-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]],
    [[3.0, 0.0], [0.0, 2.0], [0.0, 2.0], [1.0, 1.0]],
)


def test_scores_by_hand():
    selection = BADGE(first="max-norm").select(HAND, 2, random_state=0)
    assert selection.indices[0] == 0
    # |g_0|^2 = 2 * 9; then 18 + 8 to rows 1 and 2, 18 to the origin, row 3.
    expected = {1: 26.0, 2: 26.0, 3: 18.0}
    assert_allclose(selection.scores, [18.0, expected[int(selection.indices[1])]])


def test_the_law_of_the_second_row():
    counts = np.zeros(4)
    for seed in range(600):
        _, second = BADGE(first="max-norm").select(HAND, 2, seed).indices
        counts[second] += 1
    law = np.array([0, 26, 26, 18]) / 70
    deviation = np.sqrt(600 * law * (1 - law))
    assert (np.abs(counts - 600 * law) <= 4 * deviation).all()
    # Neither the norms nor scikit-learn's greedy choice would give that.
    assert abs(counts[3] - 0) > 4 * deviation[3]


def test_first_rows():
    firsts = {
        first: [BADGE(first=first).select(HAND, 1, s).indices[0] for s in range(400)]
        for first in ("uniform", "norm", "max-norm")
    }
    assert set(firsts["max-norm"]) == {0}
    share = np.bincount(firsts["uniform"], minlength=4) / 400
    assert_allclose(share, 0.25, atol=0.1)
    share = np.bincount(firsts["norm"], minlength=4) / 400
    assert_allclose(share, [18 / 34, 8 / 34, 8 / 34, 0], atol=0.1)
    assert share[3] == 0


@pytest.mark.parametrize("first", ["uniform", "norm", "max-norm"])
def test_the_strategy_is_the_algorithm_on_the_gradients(first):
    generator = torch.Generator().manual_seed(0)
    residual = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    features = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    dense = torch.einsum("ni,nj->nij", residual, features).reshape(30, 12)
    pool = Outputs(30, NEEDS, {"residual": residual, "features": features})
    for seed in range(5):
        chosen = BADGE(first=first).select(pool, 8, seed).indices
        expected = kmeans_plusplus(dense, 8, first=first, random_state=seed)
        assert_array_equal(chosen, expected)


def test_confident_float32_rows_rank_by_uncertainty():
    # The residual at the hypothetical label is minus the sum of the others, so that
    # rows whose largest probability is 1 in float32 still have their gradients.
    from skbadge.extraction._residual import closed_form

    logits = torch.tensor([[z, 0.0, 0.0] for z in (40.0, 20.0, 50.0, 30.0)])
    residual = closed_form(logits)
    pool = Outputs(4, NEEDS, {"residual": residual, "features": torch.ones(4, 2)})
    order = [
        BADGE(first="max-norm").select(_part(pool, rows), 1).indices[0]
        for rows in ([0, 1, 2, 3], [0, 3, 2], [0, 2])
    ]
    assert order == [1, 1, 0]
    assert (residual[:, 0] < 0).all()


def _part(pool, rows):
    values = {k: v[rows] for k, v in pool.values.items()}
    return Outputs(len(rows), NEEDS, values)


def test_gradients_that_all_vanish_are_told():
    none = outputs([[0.0, 0.0]] * 30, [[1.0, 2.0]] * 30)
    for first in ("uniform", "norm", "max-norm"):
        for n in (1, 3):
            with pytest.warns(UserWarning) as caught:
                selection = BADGE(first=first).select(none, n, random_state=0)
            assert "BADGE has drawn uniformly" in selection.notes[0]
            assert [str(w.message) for w in caught] == list(selection.notes)
            assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="drawn uniformly"):
        firsts = {BADGE(first="norm").select(none, 1, s).indices[0] for s in range(60)}
    assert len(firsts) > 15
    assert BADGE().select(HAND, 2, random_state=0).notes == ()


def test_rows_that_do_not_differ_any_more_are_told():
    """Rows 1 and 2 of the pool are the same, and row 3 is zero."""
    assert BADGE(first="max-norm").select(HAND, 3, random_state=0).notes == ()
    (note,) = BADGE(first="max-norm").select(HAND, 4, random_state=0).notes
    assert note.startswith("1 of the 4 rows were drawn uniformly: no row was left")
    # However small they are, as long as a float holds them.
    tiny = outputs((HAND.residual * 1e-30).tolist(), HAND.features.tolist())
    assert BADGE(first="max-norm").select(tiny, 3, random_state=0).notes == ()


def test_kdpp_prefers_rows_that_differ():
    pairs = [
        frozenset(BADGE(sampler="k-dpp").select(HAND, 2, s).indices.tolist())
        for s in range(60)
    ]
    # Rows 1 and 2 are the same, row 3 is zero: neither pair has a determinant.
    assert set(pairs) == {frozenset({0, 1}), frozenset({0, 2})}


def test_core_set_by_hand():
    features = torch.tensor([[1.0, 0.0], [0.0, 4.0], [3.0, 0.0], [0.0, 4.5]])
    known = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    pool = Outputs.of(features=features, labeled=Outputs.of(features=known, y=[0, 1]))
    selection = CoreSet().select(pool, 4, random_state=0)
    assert_array_equal(selection.indices, [3, 2, 0, 1])
    assert_allclose(selection.scores, [3.5, 3.0, 1.0, 0.5])
    expected = k_center_greedy(features, 4, labeled_features=known)
    assert_array_equal(selection.indices, expected)


def test_core_set_among_probabilities():
    proba = [[1.0, 0.0], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]
    known = Outputs.of(proba=[[1.0, 0.0]], y=[0])
    selection = CoreSet(space="proba").select(Outputs.of(proba=proba, labeled=known), 3)
    assert_array_equal(selection.indices, [3, 1, 2])
    assert_allclose(selection.scores, np.sqrt(2) * np.array([0.8, 0.3, 0.1]), 1e-6)
    with pytest.raises(InvalidInputError, match="space must be one of"):
        CoreSet(space="logits").check_parameters()


def test_log_det_takes_what_the_others_do_not_span():
    selection = BADGE(sampler="log-det").select(HAND, 2, random_state=0)
    # The longest; then all of row 1 or 2 is orthogonal to it, as nothing else is left.
    assert selection.indices[0] == 0 and selection.indices[1] in (1, 2)
    assert_allclose(selection.scores, [18.0, 8.0])
    assert selection.notes == ()
    seconds = {BADGE(sampler="log-det").select(HAND, 2, s).indices[1] for s in range(9)}
    assert seconds == {1, 2}


def test_log_det_says_where_it_has_started_over():
    selection = BADGE(sampler="log-det").select(HAND, 4, random_state=0)
    assert set(selection.indices[1:3]) == {1, 2} and selection.indices[3] == 3
    assert_allclose(selection.scores, [18.0, 8.0, 8.0, 0.0])
    (note,) = selection.notes
    assert note.startswith("The gradients have rank 2: no more rows than that point")
    assert "4 were asked for. After 2 rows BADGE has started over" in note
    none = outputs([[0.0, 0.0]] * 5, [[1.0, 2.0]] * 5)
    with pytest.warns(UserWarning, match="BADGE has drawn uniformly"):
        (note,) = BADGE(sampler="log-det").select(none, 3, random_state=0).notes
    assert "BADGE has drawn uniformly" in note


def test_log_det_of_the_gradients():
    generator = torch.Generator().manual_seed(0)
    residual = torch.randn(60, 3, generator=generator, dtype=torch.float64)
    features = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    pool = Outputs(60, NEEDS, {"residual": residual, "features": features})
    dense = torch.einsum("ni,nj->nij", residual, features).reshape(60, 12)
    chosen = BADGE(sampler="log-det").select(pool, 20, random_state=0).indices
    assert_array_equal(chosen, log_det_loop(dense, 20)[0])


def test_uncertainty_weights_the_features():
    proba = torch.tensor([[0.6, 0.4, 0.0], [0.4, 0.35, 0.25], [0.98, 0.01, 0.01]])
    features = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 9.0]])
    pool = Outputs.of(proba=proba, features=features)
    assert BADGE(embedding="uncertainty").needs == pool.needs
    dense = torch.tensor([[0.8], [0.95], [0.03]]) * features
    for seed in range(6):
        found = BADGE(embedding="uncertainty", first="norm").select(pool, 3, seed)
        expected = kmeans_plusplus(dense, 3, first="norm", random_state=seed)
        assert_array_equal(found.indices, expected)
    first = BADGE(embedding="uncertainty", first="max-norm").select(pool, 1)
    assert_allclose(first.scores, (0.95 * 3.0) ** 2, rtol=1e-6)


def test_weights_of_rows_the_net_is_sure_of_are_not_lost():
    proba = torch.tensor([[30.0, 0.0], [40.0, 0.0], [20.0, 0.0]]).softmax(dim=1)
    assert (proba[:, 0] == 1.0).all()
    pool = Outputs.of(proba=proba, features=torch.ones(3, 2))
    strategy = BADGE(embedding="uncertainty", sampler="log-det")
    assert strategy.select(pool, 1).indices[0] == 2


def test_quotas_are_those_of_class_quota():
    pool = make_outputs(Needs(proba=True, residual=True, features=True), 200)
    for quota in ("balanced", {1: 0.5, 2: 0.25}):
        strategy = BADGE(first="norm", per_class=quota)
        around = ClassQuota(BADGE(first="norm"), quota=quota)
        found, expected = (
            s.select(pool, 8, random_state=0) for s in (strategy, around)
        )
        assert_array_equal(found.indices, expected.indices)
        assert_array_equal(found.scores, expected.scores)
        assert (strategy.needs, strategy.traits) == (around.needs, around.traits)
    guess = pool.proba.argmax(dim=1).numpy()
    chosen = BADGE(per_class="balanced").select(pool, 8, random_state=0).indices
    assert_array_equal(np.bincount(guess[chosen]), [2, 2, 2, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "greedy"}, "sampler must be one of"),
        ({"embedding": "margin"}, "embedding must be one of"),
        (
            {"per_class": "equal"},
            'per_class must be "balanced" or a mapping of classes',
        ),
        ({"per_class": {0: 1.5}}, "per_class of class 0 must be"),
        ({"per_class": {0: 0.6, 1: 0.6}}, "per_class must hold shares of a batch that"),
        (
            {"per_class": {"a": 0.6}},
            "Shares must be of some of the 4 classes: 0, .* Got 'a'",
        ),
    ],
)
def test_options_that_do_not_exist(options, message):
    pool = make_outputs(Needs(proba=True, residual=True, features=True))
    with pytest.raises(InvalidInputError, match=message):
        BADGE(**options).select(pool, 2)

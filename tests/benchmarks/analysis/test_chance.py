"""The chance matrix: against all deals by enumeration, and what must not move it."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks import chance_matrix, penalty_matrix
from skbadge.exceptions import InvalidInputError
from tests.benchmarks._tables import curves, random_results


def small(seed=0, n_repeats=3):
    """Three strategies, one budget (200 labels), scores without ties."""
    generator = np.random.default_rng(seed)
    table = {
        name: [
            [0.1, 0.4 + lift + 0.2 * generator.random(), 0.9] for _ in range(n_repeats)
        ]
        for name, lift in (("rand", 0.0), ("badge", 0.15), ("marg", 0.05))
    }
    return curves(table)


def every_deal(results):
    """Return the mean penalty matrix over all deals of names within repeats."""
    names = ["badge", "marg", "rand"]
    scores = results[results["n_labeled"] == 200].pivot(
        index="repeat", columns="strategy", values="accuracy"
    )[names]
    total, count = 0, 0
    for deal in product(permutations(range(3)), repeat=len(scores)):
        dealt = np.array(
            [
                row[list(order)]
                for row, order in zip(scores.to_numpy(), deal, strict=True)
            ]
        )
        wins = np.zeros((3, 3))
        for i, j in permutations(range(3), 2):
            gap = dealt[:, i] - dealt[:, j]
            wins[i, j] = np.sqrt(len(gap)) * gap.mean() > 1.96 * gap.std(ddof=1)
        total, count = total + wins, count + 1
    return total / count


def test_against_all_deals():
    results = small()
    found = chance_matrix(results, n_permutations=4_000, random_state=1)
    expected = every_deal(results)
    np.testing.assert_allclose(found.matrix, expected, atol=0.03)
    # By symmetry all pairs are alike, whatever the true differences are.
    np.testing.assert_allclose(expected[expected > 0], expected[0, 1])
    assert penalty_matrix(results).matrix.loc["badge", "rand"] == 1
    np.testing.assert_allclose(found.column_mean, found.matrix.mean(axis=0))
    assert (found.low <= found.column_mean).all()
    assert (found.column_mean <= found.high).all()
    assert (found.n_settings, found.n_permutations) == (1, 4_000)


def test_a_curve_keeps_its_name_at_all_budgets():
    # With whole curves dealt out, two that are equal at every budget never win.
    rand = np.where(np.arange(10) >= 8, 0.9, 0.5)
    results = curves({"rand": [rand] * 3, "badge": [rand] * 3})
    assert (chance_matrix(results).matrix.to_numpy() == 0).all()


def test_dealing_out_the_same_names_again_changes_nothing():
    results = random_results(0)
    swapped = results.assign(
        strategy=results["strategy"].replace({"badge": "marg", "marg": "badge"})
    )
    first, second = (
        chance_matrix(r, n_permutations=400, test="t") for r in (results, swapped)
    )
    assert abs(first.column_mean.mean() - second.column_mean.mean()) < 0.1


def test_a_strategy_that_is_never_compared():
    results = pd.concat([small(), curves({"conf": [[0.1, 0.5]]})])
    matrix = chance_matrix(results).matrix
    assert matrix.loc["conf", ["badge", "marg", "rand"]].isna().all()
    assert matrix.loc["badge", "rand"] > 0


def test_groups_and_options():
    results = random_results(1)
    assert set(chance_matrix(results, by="model", n_permutations=2)) == {
        "mlp", "resnet",
    }  # fmt: skip
    again = [chance_matrix(results, n_permutations=3).matrix for _ in range(2)]
    pd.testing.assert_frame_equal(*again)
    for options, message in (
        ({"test": "x"}, "test must be one of 'z', 't'"),
        ({"rule": "x"}, "rule must be one of 'paper', 'code'"),
        ({"n_permutations": 0}, "n_permutations must be an int of at least 1"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            chance_matrix(results, **options)

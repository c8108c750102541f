"""Shares of arms: by hand, against counting one by one, and what is not recorded."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks import arm_shares
from skbadge.exceptions import InvalidInputError
from tests.benchmarks._tables import curves

SETTING = ["dataset", "model", "batch_size"]


def with_arms(arms, **options):
    """Return results of strategies from {name: arms of the rounds of each repeat}."""
    n_rounds = {name: len(repeats[0]) for name, repeats in arms.items()}
    results = curves(
        {name: [[0.5] * n_rounds[name]] * len(arms[name]) for name in arms}, **options
    )
    results["arm"] = [arm for repeats in arms.values() for r in repeats for arm in r]
    return results


HAND = {
    "albl": [[None, "a", "b", "b"], [None, "a", "a", "b"]],
    "rand": [[None, None, None, None]],
}


def test_by_hand():
    found = arm_shares(with_arms(HAND), n_parts=2)
    assert found["strategy"].unique().tolist() == ["albl"]
    columns = ["part", "first", "last", "arm", "share", "n_batches"]
    assert found[columns].to_numpy().tolist() == [
        [1, 200, 300, "a", 0.75, 4],
        [1, 200, 300, "b", 0.25, 4],
        [2, 400, 400, "a", 0.0, 2],
        [2, 400, 400, "b", 1.0, 2],
    ]
    assert arm_shares(with_arms(HAND), n_parts=4).empty


@pytest.mark.parametrize("seed", range(3))
def test_against_counting_one_by_one(seed):
    generator = np.random.default_rng(seed)
    drawn = [
        with_arms(
            {
                name: [
                    [None, *generator.choice(["a", "b", "c"], size=9)] for _ in range(4)
                ]
                for name in ("albl", "mine")
            },
            dataset=dataset,
        )
        for dataset in ("digits", "svhn")
    ]
    results = pd.concat(drawn).sample(frac=0.8, random_state=seed)
    for row in arm_shares(results).itertuples():
        taken = [
            record["arm"]
            for record in results.to_dict("records")
            if (record["dataset"], record["strategy"]) == (row.dataset, row.strategy)
            and row.first <= record["n_labeled"] <= row.last
            and record["round"] > 0
        ]
        assert row.n_batches == len(taken)
        assert row.share == float(Fraction(taken.count(row.arm), len(taken)))


def test_rounds_without_a_record_count_nowhere():
    """A campaign that an earlier version began has no arms in its first rounds."""
    begun = {"albl": [[None, None, None, "a", "b", "b"]]}
    found = arm_shares(with_arms(begun))
    assert found["first"].unique().tolist() == [400, 500, 600]
    assert (found.groupby("part")["share"].sum() == 1).all()


def test_bad_input():
    with pytest.raises(InvalidInputError) as caught:
        arm_shares(curves({"albl": [[0.1, 0.2]]}))
    assert str(caught.value) == (
        "results must have the columns dataset, model, batch_size, strategy, "
        "n_labeled, arm. Missing: arm."
    )
    with pytest.raises(InvalidInputError, match="n_parts must be an int of at least 1"):
        arm_shares(with_arms(HAND), n_parts=0)

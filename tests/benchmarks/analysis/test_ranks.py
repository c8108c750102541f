"""Ranks by part and shares of wins: by hand, against exact fractions, and by chance."""

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks import ranks_by_part, win_shares
from skbadge.exceptions import InvalidInputError
from tests._oracles import exact_ranks, exact_win_share
from tests.benchmarks._tables import STRATEGIES, curves, random_results

SETTING = ["dataset", "model", "batch_size"]
HAND = {
    "rand": [[0.1, 0.4, 0.5, 0.6], [0.2, 0.4, 0.5, 0.6]],
    "badge": [[0.1, 0.6, 0.5, 0.8], [0.2, 0.4, 0.7, 0.8]],
    "marg": [[0.1, 0.5, 0.5, 0.9], [0.2, 0.3, 0.5, 0.7]],
}


def test_by_hand():
    found = ranks_by_part(curves(HAND), n_parts=2).set_index(["part", "strategy"])
    # First part, means of two counts: .45 .55 .50 and .45 .55 .40.
    assert found.loc[1, "rank"].to_dict() == {"badge": 1, "marg": 2.5, "rand": 2.5}
    assert found.loc[2, "rank"].to_dict() == {"badge": 1.5, "marg": 1.5, "rand": 3}
    assert found.loc[(1, "marg"), "gain"] == pytest.approx((0.05 - 0.05) / 2)
    assert found.loc[(2, "badge"), "gain"] == pytest.approx(0.2)
    assert found.loc[(1, "marg"), "gain_se"] == pytest.approx(0.05)
    assert found.loc[1, ["first", "last"]].to_numpy().tolist() == [[200, 300]] * 3
    assert found.loc[2, ["first", "last"]].to_numpy().tolist() == [[400, 400]] * 3
    shares = win_shares(curves(HAND))
    # Ahead, level, level; level, ahead, ahead ... of six.
    assert shares.loc["badge", "rand"] == pytest.approx(5 / 6)
    assert shares.loc["rand", "badge"] == pytest.approx(1 / 6)
    assert shares.loc["badge", "marg"] == pytest.approx(4.5 / 6)
    assert np.isnan(np.diag(shares)).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_parts", [1, 3])
def test_against_exact_fractions(seed, n_parts):
    results = random_results(seed, missing=0.03)
    found = ranks_by_part(results, n_parts=n_parts)
    expected = exact_ranks(results.to_dict("records"), n_parts)
    assert len(found) == len(expected) > 0
    for row in found.itertuples():
        key = (row.dataset, row.model, row.batch_size)
        rank, gain, first, last = expected[key, row.part, row.strategy]
        assert row.rank == pytest.approx(float(rank))
        assert (row.first, row.last) == (first, last)
        if gain is None:
            assert np.isnan(row.gain)
        else:
            assert row.gain == pytest.approx(float(gain), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_shares_against_exact_fractions(seed):
    results = random_results(seed, missing=0.03)
    found = win_shares(results)
    assert set(found.index) == set(STRATEGIES)
    records = results.to_dict("records")
    for first in STRATEGIES:
        for second in STRATEGIES:
            share = exact_win_share(records, first, second)
            if first == second or share is None:
                assert np.isnan(found.loc[first, second])
            else:
                assert found.loc[first, second] == pytest.approx(float(share))


def test_strategies_that_are_alike_share_ranks_and_wins():
    same = [[0.1, 0.3, 0.6]] * 3
    results = curves({"rand": same, "badge": same, "conf": same})
    assert (ranks_by_part(results, n_parts=2)["rank"] == 2).all()
    shares = win_shares(results).to_numpy()
    assert (shares[~np.eye(3, dtype=bool)] == 0.5).all()


def test_what_cannot_be_ranked_is_left_out():
    short = curves({"rand": [[0.1, 0.2]], "badge": [[0.1, 0.3]]})
    assert ranks_by_part(short).empty
    assert len(ranks_by_part(short, n_parts=1)) == 2
    apart = pd.concat(
        [short, curves({"rand": [[0.1, 0.2]], "marg": [[0.1, 0.3]]}, dataset="kropt")]
    )
    shares = win_shares(apart)
    assert shares.loc["marg", "rand"] == 1
    assert np.isnan(shares.loc["marg", "badge"])
    # A repeat that lacks a strategy says nothing.
    half = pd.concat([short, curves({"rand": [[0.1, 0.2]] * 2}).query("repeat == 1")])
    assert ranks_by_part(half, n_parts=1)["n_repeats"].tolist() == [1, 1]


def test_without_random_sampling_there_are_ranks_and_no_gains():
    found = ranks_by_part(curves({k: v for k, v in HAND.items() if k != "rand"}))
    assert found["gain"].isna().all()
    # Of two: 1 and 2, or 1.5 each, so that they sum up to 3 in every part.
    assert (found.groupby("part")["rank"].sum() == 3).all()


def test_bad_input():
    with pytest.raises(InvalidInputError, match="n_parts must be an int of at least 1"):
        ranks_by_part(curves(HAND), n_parts=0)
    with pytest.raises(InvalidInputError, match="results"):
        win_shares(curves(HAND).drop(columns="repeat"))

"""Many batches of several strategies narrow the pool down."""

import numpy as np
import pytest
import torch

from skbadge import (
    ALBL,
    BADGE,
    CoreSet,
    EntropySampling,
    MarginSampling,
    RandomSampling,
    Refine,
    UHerding,
)
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import Needs, Outputs, QueryStrategy, Selection, Traits
from tests._learning import Tiny, make_data, make_learner, make_net


class Recorder(QueryStrategy):
    """Takes the first rows it sees, and notes which it saw."""

    seen = []  # noqa: RUF012

    def __init__(self, name="a"):
        self.name = name

    def _select(self, outputs, n, generator):
        self.seen.append((self.name, n, outputs.positions.tolist()))
        return Selection(np.arange(n))


@pytest.fixture
def seen():
    Recorder.seen.clear()
    return Recorder.seen


def test_who_is_asked_about_what(seen):
    strategy = Refine(
        [Recorder("a"), Recorder("b")],
        final=Recorder("z"),
        n_rounds=3,
        n_batches=6,
        first_subset=20,
        share=0.5,
        most=8,
    )
    selection = strategy.select(Outputs(100), 4, random_state=0)
    names = [name for name, _, _ in seen]
    assert names == ["a", "b"] * 9 + ["z"]
    assert {n for _, n, _ in seen} == {4}
    kept = set(range(100))
    for start in (0, 6, 12):
        rounds = seen[start : start + 6]
        size = 20 if start == 0 else max(4, min(8, int(np.ceil(len(kept) / 2))))
        assert all(len(rows) == size and set(rows) <= kept for _, _, rows in rounds)
        assert len({tuple(rows) for _, _, rows in rounds}) > 1
        # Each batch was the first four rows of its part.
        kept = {row for _, _, rows in rounds for row in rows[:4]}
    assert set(seen[-1][2]) == kept
    assert selection.indices.tolist() == sorted(kept)[:4]


def test_a_batch_larger_than_the_parts(seen):
    strategy = Refine([Recorder()], final=Recorder(), n_rounds=2, first_subset=3)
    selection = strategy.select(Outputs(30), 10, random_state=0)
    assert len(set(selection.indices.tolist())) == 10
    assert all(len(rows) >= 10 for _, _, rows in seen)


def test_positions_stay_those_of_the_pool(seen):
    outputs = Outputs.of(50, positions=100 + np.arange(50))
    Refine([Recorder()], final=Recorder(), n_rounds=1).select(outputs, 2, 0)
    assert all(min(rows) >= 100 for _, _, rows in seen)


def test_one_pass_over_the_pool_serves_all():
    rows_seen = []

    class Counting(Tiny):
        def forward(self, X):
            if not self.training:
                rows_seen.append(len(X))
            return super().forward(X)

    X, y = make_data()
    strategies = [MarginSampling(), EntropySampling(), BADGE(), CoreSet()]
    learner = make_learner(BADGE(), net=make_net(Counting)).fit(X[:20], y[:20])
    rows_seen.clear()
    learner.query(X, n=3)
    alone = sum(rows_seen)
    learner.set_params(strategy=Refine(strategies, n_rounds=2, n_batches=20))
    learner.refit()
    rows_seen.clear()
    learner.query(X, n=3)
    # The labelled rows too, for CoreSet.
    assert sum(rows_seen) == alone + 20
    assert learner.last_selection_.scores.shape == (3,)


def test_uherding_has_the_last_word_unless_told_otherwise():
    strategy = Refine([MarginSampling()])
    assert strategy.needs == MarginSampling().needs | UHerding().needs
    outputs = Outputs.of(
        features=torch.randn(60, 3, generator=torch.Generator().manual_seed(0)),
        proba=torch.full((60, 2), 0.5),
        labeled=Outputs.of(features=[[1.0, 0.0, 0.0]], y=[0]),
    )
    told = Refine([MarginSampling()], final=UHerding(), n_rounds=1, n_batches=3)
    told.first_subset = 20
    untold = Refine([MarginSampling()], n_rounds=1, n_batches=3, first_subset=20)
    expected = told.select(outputs, 5, random_state=1)
    found = untold.select(outputs, 5, random_state=1)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_needs_and_traits():
    strategy = Refine([MarginSampling(), CoreSet()], final=RandomSampling())
    assert strategy.needs == Needs(
        proba=True, features=True, labeled=Needs(features=True)
    )
    assert strategy.traits == Traits(nested=False, needs_labels=True)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Refine([]), "list of at least one query strategy"),
        (Refine(BADGE()), "list of at least one query strategy"),
        (Refine([ALBL()]), "that do not learn themselves"),
        (Refine([BADGE()], final=BADGE), "that do not learn themselves"),
        (Refine([BADGE()], n_rounds=0), "n_rounds must be an int of at least 1"),
        (Refine([BADGE()], share=0.0), r"share must be a number in \(0, 1\]"),
        (Refine([BADGE(first="last")]), "first must be one of"),
    ],
)
def test_wrong_parameters(strategy, message):
    with pytest.raises(InvalidInputError, match=message):
        strategy.check_parameters()


def test_rows_that_nobody_asks_for_are_dropped():
    # Margins are small in the first ten rows only.
    proba = torch.tensor([[0.5, 0.5]] * 10 + [[0.99, 0.01]] * 90)
    strategy = Refine([MarginSampling()], final=RandomSampling(), n_rounds=3)
    for seed in range(5):
        chosen = strategy.select(Outputs.of(proba=proba), 3, seed).indices
        assert chosen.max() < 10

"""BAIT over parts of a pool: the picks of one machine, in few round trips."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge.exceptions import InvalidInputError
from skbadge.selection import _bait, _bait_shards
from skbadge.selection._bait import _bait_greedy
from skbadge.selection._bait_shards import _front, bait_on_shards
from tests.embeddings._shards import sharded

LENGTHS = (70, 0, 1, 49)


def pool(n=120, n_classes=4, width=5, seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.7), size=n)
    features = rng.normal(size=(n, width)) * rng.lognormal(size=(n, 1))
    return torch.from_numpy(proba).to(dtype), torch.from_numpy(features).to(dtype)


def both(proba, features, n, *, lengths=LENGTHS, seed=0, **settings):
    """Return the answers of parts and of one machine, and the round trips."""
    settings = {
        "labeled": None,
        "fisher": "binary",
        "n_top": None,
        "regularization": 1.0,
        "oversample": 2.0,
        "priority": np.random.default_rng(seed).permutation(len(proba)),
    } | settings
    tables = sharded(
        {"proba": proba, "features": features}, lengths, twice=len(proba) <= 120
    )
    found = bait_on_shards(tables["proba"], tables["features"], n, **settings)
    rounds = tables["proba"].shards.rounds
    return found, _bait_greedy(proba, features, n, **settings), rounds


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "form", [("binary", None), ("top", 2), ("full", None)], ids=str
)
def test_picks_are_those_of_one_machine(form, dtype, monkeypatch):
    # Every path is taken: parts keep up with few picks, and start over.
    monkeypatch.setattr(_bait_shards, "_FOLDED", 3)
    monkeypatch.setattr(_bait_shards, "FRESH", 9)
    monkeypatch.setattr(_bait_shards, "_TOLD", 2)
    fisher, n_top = form
    found, expected, rounds = both(
        *pool(dtype=dtype), 25, fisher=fisher, n_top=n_top, labeled=pool(7, seed=1)
    )
    assert_array_equal(found[0], expected[0])
    # Later rows add little of what there was, and sums keep the digits of the whole.
    rough = 1e-9 if dtype == torch.float64 else 1e-5
    assert_allclose(found[1], expected[1], rtol=10 * rough, atol=rough * found[1].max())
    assert rounds < 50


def test_wrong_guesses_are_put_right():
    """Each part tells one row at a time: most of the best are not known in advance."""
    proba, features = pool(400, width=12)
    calls = []
    guess = _bait_shards._Told.guess

    def watched(self, *arguments):
        calls.append(guess(self, *arguments)[0])
        return guess(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bait_shards, "_TOLD", 1)
        patch.setattr(_bait_shards._Told, "guess", watched)
        # Told at first: two rows a part for each pick, of which there are few.
        found, expected, rounds = both(
            proba, features, 10, lengths=(20,) * 20, oversample=4.0
        )
    assert_array_equal(found[0], expected[0])
    assert sum(map(len, calls)) > 40 and 4 < rounds < 40


def test_ties_over_parts_fall_to_the_priority():
    proba, features = torch.full((12, 3), 1 / 3), torch.ones(12, 4)
    for seed in range(5):
        found, expected, _ = both(
            proba, features, 3, lengths=(5, 3, 4), seed=seed, oversample=1.0
        )
        assert_array_equal(found[0], expected[0])
        first = np.argmin(np.random.default_rng(seed).permutation(12))
        assert found[0][0] == first


def test_a_front_holds_what_may_be_best_among_all():
    gain = np.array([1.0, 1.0 - 1e-8, 1.0 - 2e-8, 0.5, 1.0 - 3e-8])
    priority = np.array([4, 1, 2, 0, 3])
    assert _front(gain, priority, 1e-7).tolist() == [0, 1]
    assert _front(gain, priority, 1e-9).tolist() == [0]
    assert _front(np.full(5, -np.inf), priority, 1e-9).tolist() == []


def test_the_whole_pool():
    proba, features = pool(9)
    found, expected, _ = both(proba, features, 9, lengths=(4, 5))
    assert_array_equal(found[0], expected[0])


def test_few_round_trips():
    # In float32 the last of so many picks from so narrow rows differ in rounding.
    proba, features = pool(4000, width=16)
    found, expected, rounds = both(proba, features, 60, lengths=(1000,) * 4)
    assert_array_equal(found[0], expected[0])
    # 120 picks, of which half are taken back.
    assert rounds <= 25


def test_a_form_that_takes_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(_bait, "_MOST_BYTES", 1000)
    with pytest.raises(InvalidInputError, match=r"fewer rows, query\(.* subsample="):
        both(*pool(), 5, fisher="full")


def test_features_without_bounds_are_refused():
    proba, features = pool()
    with pytest.raises(InvalidInputError, match="sizes whose squares can be compared"):
        both(proba, features * 1e160, 5)

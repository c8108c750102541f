"""One batch: its random share is a simple random sample, and lies at random places."""

from itertools import combinations

import numpy as np
import pytest

from skbadge.exceptions import CampaignError
from tests._oracles import chi_square_p_value
from tests.campaign._drawing import Drawing

N_DRAWS = 2000
# Row 0 is wanted most.
SCORES = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
ROWS = "012345"
PAIRS = [frozenset(pair) for pair in combinations(ROWS, 2)]
UNIFORM = dict.fromkeys(PAIRS, 1 / len(PAIRS))


def batches(by):
    """Return batches of four rows, two at random: over seeds, or one after another."""
    if by == "seed":
        for entropy in range(N_DRAWS):
            drawing = Drawing(SCORES, random_share=0.5, entropy=entropy)
            drawing.ask(4)
            yield drawing.batch
    else:
        drawing = Drawing(SCORES, random_share=0.5, entropy=7)
        for _ in range(N_DRAWS):
            drawing.ask(4)
            yield drawing.batch
            drawing.close()


@pytest.fixture(scope="module", params=["seed", "number"])
def found(request):
    return list(batches(request.param))


def test_the_share_is_a_simple_random_sample(found):
    assert all(len(batch.items) == 4 for batch in found)
    shares = [frozenset(batch.random) for batch in found]
    assert chi_square_p_value(shares, UNIFORM) > 1e-3


def test_it_lies_at_random_places_of_the_batch(found):
    places = [
        frozenset(str(item["rank"]) for item in batch.items.values() if item["random"])
        for batch in found
    ]
    law = {frozenset(pair): 1 / 6 for pair in combinations("1234", 2)}
    assert chi_square_p_value(places, law) > 1e-3


def test_the_same_test_rejects_draws_that_follow_the_scores(found):
    rng = np.random.default_rng(0)
    # A tenth of the draws is the strategy's choice.
    mixed = [frozenset(batch.random if rng.random() > 0.1 else "01") for batch in found]
    assert chi_square_p_value(mixed, UNIFORM) < 1e-9
    # Rows that the strategy has not chosen itself.
    disjoint = [frozenset(batch.items) - frozenset("01") for batch in found]
    disjoint = [share for share in disjoint if len(share) == 2]
    assert chi_square_p_value(disjoint, UNIFORM) < 1e-9


def test_shares_of_one_campaign_are_independent():
    """The row that each of two batches on end draws, over many seeds."""
    found = []
    for entropy in range(N_DRAWS):
        drawing = Drawing(SCORES, random_share=0.5, entropy=entropy)
        (first,) = drawing.share(2)
        drawing.close()
        (second,) = drawing.share(2)
        found.append((first, second))
    law = {(a, b): 1 / 36 for a in ROWS for b in ROWS}
    assert chi_square_p_value(found, law) > 1e-3
    again = [(first, first) for first, _ in found]
    assert chi_square_p_value(again, law) < 1e-9


def test_a_batch_made_longer_is_a_simple_random_sample_too():
    """Of which the share of the shorter one is a part."""
    found = []
    for entropy in range(N_DRAWS):
        drawing = Drawing(SCORES, random_share=0.5, entropy=entropy)
        short = drawing.share(2)
        long = drawing.share(None, more=2)
        assert len(drawing.batch.items) == 4 and set(short) < set(long)
        found.append(frozenset(long))
    assert chi_square_p_value(found, UNIFORM) > 1e-3


def test_a_longer_share_without_the_rows_labelled_unasked_is_no_sample():
    found = []
    for entropy in range(60):
        drawing = Drawing(SCORES, random_share=0.5, entropy=entropy)
        drawing.ask(2)
        unasked = [id for id in ROWS if id not in drawing.batch.items][:2]
        drawing.answer(unasked)
        drawing.ask(more=2)
        drawing.answer(drawing.batch.items)
        # The very share that the longer batch has without labels in between.
        other = Drawing(SCORES, random_share=0.5, entropy=entropy)
        drawn = set(other.share(4))
        (row,) = drawing.accuracy().to_dict("records")
        n_missed = len(drawn & set(unasked))
        assert (row["n_random"], row["n_missed"]) == (2, n_missed)
        assert row["n_scored"] == (0 if n_missed else 2)
        found.append(n_missed)
    assert set(found) == {0, 1}


def test_a_label_taken_back_before_the_batch_is_made_longer_does_no_harm():
    drawing = Drawing(SCORES, random_share=1.0, entropy=0)
    drawing.ask(2)
    open_rows = list(drawing.batch.items)
    drawing.answer([id for id in ROWS if id not in open_rows][:3])
    drawing.ask(more=1)
    assert drawing.batch.n_unasked == 1
    drawing.undo()
    drawing.ask(more=3)
    drawing.answer(drawing.batch.items)
    (row,) = drawing.accuracy().to_dict("records")
    assert (row["n_random"], row["n_missed"], row["n_scored"]) == (6, 0, 6)


def test_a_batch_is_not_made_longer_without_a_row_that_is_left():
    drawing = Drawing(SCORES, random_share=0.5, entropy=0)
    drawing.ask(2)
    drawing.answer([id for id in ROWS if id not in drawing.batch.items])
    with pytest.raises(CampaignError, match="No row is left to ask for"):
        drawing.ask(more=1)

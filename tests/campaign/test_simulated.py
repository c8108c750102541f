"""Thousands of batches through a campaign's own drawing: unbiased, and covered.

The strategy asks for what the model gets wrong, and the people do not make it easy. Of
each batch the truth is known: how many of the rows that could be asked for the model
predicts rightly.
"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import hypergeom

from skbadge.stopping._labels import exact_interval
from tests.campaign._drawing import Drawing

N_ROWS, N, SHARE = 3000, 150, 0.8
N_CAMPAIGNS, N_BATCHES = 100, 3
_rng = np.random.default_rng(0)
HARDNESS = _rng.random(N_ROWS)
# The models change with every training, and are wrong on fewer and fewer hard rows.
WRONG = [
    HARDNESS + 0.2 * _rng.random(N_ROWS) > 0.75 + 0.02 * number for number in range(12)
]
SCORES = HARDNESS + 0.2 * _rng.random(N_ROWS)
UNREADABLE = _rng.random(N_ROWS) < 0.2 * HARDNESS


def numbers(ids):
    return np.array(ids, dtype=np.intp)


def hardest(ids, n):
    return sorted(ids, key=lambda id: -HARDNESS[int(id)])[:n]


def at_once(campaign, rng):
    campaign.answer(campaign.batch.items)


def between_trainings(campaign, rng):
    """A third, a training, the next third: the hardest rows first."""
    ids = hardest(campaign.batch.items, N)
    for part in np.array_split(ids, 3):
        campaign.answer(part.tolist())
        campaign.train()


def late(campaign, rng):
    """Some batches are given up, and rows of them are labelled afterwards.

    Where they stop does not hang on the rows, and what they label unasked does: it is
    what looks hard.
    """
    ids = rng.permutation(list(campaign.batch.items)).tolist()
    others = map(str, rng.choice(N_ROWS, 60, replace=False))
    campaign.answer(hardest([id for id in others if id not in ids], 20))
    if rng.random() < 0.5:
        campaign.answer(ids)
        return
    n = int(rng.integers(N - 20))
    campaign.answer(ids[:n])
    campaign.close()
    campaign.answer(hardest(ids[n:], 40))


def skipping(campaign, rng):
    """What cannot be read is skipped, and it tends to be hard."""
    ids = np.array(list(campaign.batch.items))
    unreadable = UNREADABLE[numbers(ids)]
    campaign.skip(ids[unreadable].tolist())
    campaign.answer(ids[~unreadable].tolist())


def longer(campaign, rng):
    """Some answers, some of rows nobody asked for, and the batch is made longer."""
    ids = rng.permutation(list(campaign.batch.items)).tolist()
    campaign.answer(ids[:40])
    others = map(str, rng.choice(N_ROWS, 40, replace=False))
    campaign.answer(hardest([id for id in others if id not in ids], 8))
    campaign.ask(more=N)
    campaign.answer(campaign._record.state.open_rows())


MANNERS = (at_once, between_trainings, late, skipping, longer)


class Simulated:
    """Batches of many campaigns whose people work in one manner.

    For each there is the error of the campaign's estimate, whether its interval holds
    the truth, and how often that of a simple random sample does. The same for estimates
    that are none: from all rows of the batch, and from its share whenever labelled.
    """

    def __init__(self, manner):
        self.errors = {"campaign": [], "batch": [], "whenever": []}
        self.holds = {"campaign": [], "batch": [], "whenever": []}
        self.law = []
        for entropy in range(N_CAMPAIGNS):
            self._run(manner, entropy)

    def _run(self, manner, entropy):
        rng = np.random.default_rng(entropy)
        wrong = WRONG.__getitem__
        campaign = Drawing(SCORES, wrong, random_share=SHARE, entropy=entropy)
        populations = []
        for _ in range(N_BATCHES):
            populations.append(campaign.candidates())
            campaign.ask(N)
            manner(campaign, rng)
        state = campaign._record.state
        table = campaign.accuracy().to_dict("records")
        for batch, rows, row in zip(state.batches, populations, table, strict=True):
            if manner is skipping:
                rows = rows[~UNREADABLE[rows]]
            right = ~WRONG[batch.training]
            truth = right[rows].mean()
            labeled = [id for id in batch.items if id in state.answers]
            share = [id for id in batch.random if id in state.answers]
            self._note("batch", right[numbers(labeled)], truth)
            self._note("whenever", right[numbers(share)], truth)
            if row["n_scored"]:
                self.errors["campaign"].append(row["accuracy"] - truth)
                self.holds["campaign"].append(row["low"] <= truth <= row["high"])
                self.law.append(coverage(len(rows), right[rows].sum(), row["n_scored"]))

    def _note(self, name, right, truth):
        low, high = intervals(len(right))[right.sum()]
        self.errors[name].append(right.mean() - truth)
        self.holds[name].append(low <= truth <= high)

    def z(self, name):
        """Return the mean error in standard errors, and one of these."""
        errors = np.array(self.errors[name])
        standard = errors.std(ddof=1) / np.sqrt(len(errors))
        return errors.mean() / standard, standard


@cache
def intervals(n):
    return np.array([exact_interval(correct, n) for correct in range(n + 1)])


def coverage(n_rows, n_right, n):
    """Return how often the interval of a simple random sample holds the truth."""
    low, high = intervals(n).T
    holds = (low <= n_right / n_rows) & (n_right / n_rows <= high)
    return hypergeom(n_rows, n_right, n).pmf(np.arange(n + 1))[holds].sum()


@pytest.fixture(scope="module")
def simulated():
    return {manner: Simulated(manner) for manner in MANNERS}


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_the_accuracy_is_unbiased_and_that_of_the_batch_is_not(simulated, manner):
    z, error = simulated[manner].z("campaign")
    assert abs(z) < 4 and error < 0.004
    assert simulated[manner].z("batch")[0] < -10


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_the_interval_holds_the_truth_as_often_as_it_should(simulated, manner):
    holds, law = simulated[manner].holds["campaign"], np.array(simulated[manner].law)
    error = np.sqrt((law * (1 - law)).sum()) / len(law)
    assert abs(np.mean(holds) - law.mean()) < 4 * error
    assert np.mean(simulated[manner].holds["batch"]) < 0.85


def test_all_intervals_together(simulated):
    holds = np.concatenate([found.holds["campaign"] for found in simulated.values()])
    assert len(holds) > 1000
    assert 0.93 < holds.mean() < 0.97


def test_labels_that_come_late_would_make_it_wrong(simulated):
    # Where nothing is late, they are the campaign's own.
    assert (
        simulated[at_once].errors["whenever"] == simulated[at_once].errors["campaign"]
    )
    assert simulated[late].z("whenever")[0] < -10
    assert np.mean(simulated[late].holds["whenever"]) < 0.85

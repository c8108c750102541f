"""The accuracy without a test set: unbiased, with an interval that holds."""

import numpy as np
import pytest
from scipy.stats import hypergeom

from skbadge import ActiveLearner, Campaign, MarginSampling, StochasticTopK
from skbadge.campaign import lure
from skbadge.campaign._accuracy import share_size, windowed
from skbadge.exceptions import InvalidInputError
from skbadge.stopping._labels import exact_interval
from tests._learning import make_net
from tests._oracles import lure_by_loop, lure_by_parts, sequential_law
from tests.campaign._campaigns import (
    IDS,
    LABELS,
    N_POOL,
    NAMES,
    X,
    Y,
    answer,
    open_campaign,
)

N, M, ERROR = 200, 40, 0.22


def population(rng):
    """Return losses of a pool and scores that prefer the wrong rows."""
    loss = np.zeros(N)
    loss[: round(N * ERROR)] = 1
    return loss, 0.2 + 0.4 * loss + 0.3 * rng.random(N)


def draw(rng, weight):
    """Draw M rows one by one; return them and the probability of each draw."""
    left, rows, q = weight.copy(), [], []
    for _ in range(M):
        p = left / left.sum()
        row = rng.choice(N, p=p)
        rows.append(row)
        q.append(p[row])
        left[row] = 0
    return np.array(rows), np.array(q)


def mean_over(law, loss):
    """Return the mean of the estimate over all outcomes of a law of draws."""
    return sum(
        np.prod(q) * lure(loss[list(rows)], q, len(loss))[0]
        for rows, q in law.items()
        if np.prod(q) > 0
    )


@pytest.mark.parametrize("n_population", [4, 5, 50])
def test_lure_is_its_formula(n_population):
    rng = np.random.default_rng(n_population)
    loss, q = rng.random(4), rng.uniform(0.02, 1, size=4)
    expected = lure_by_loop(loss, q, n_population)
    assert lure(loss, q, n_population)[0] == pytest.approx(expected)


@pytest.mark.parametrize("n_population", [5, 50])
def test_lure_is_a_mean_of_estimates_each_unbiased(n_population):
    rng = np.random.default_rng(n_population)
    loss, q = rng.random(4), rng.uniform(0.02, 1, size=4)
    expected = lure_by_parts(loss, q, n_population)
    assert lure(loss, q, n_population)[0] == pytest.approx(expected)


@pytest.mark.parametrize("n_drawn", [1, 3, 5])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_mean_of_lure_over_all_outcomes_is_that_of_the_population(n_drawn, share):
    loss, weights = np.array([1.0, 0.0, 0.5, 1.0, 0.0]), [5.0, 3.0, 1.0, 0.1, 2.0]
    law = sequential_law(weights, n_drawn, share)
    assert mean_over(law, loss) == pytest.approx(loss.mean())


def test_rows_that_cannot_be_drawn_count_as_right():
    loss, weights = np.array([1.0, 0.0, 0.5, 1.0, 0.0]), [5.0, 3.0, 1.0, 0.0, 2.0]
    law = sequential_law(weights, 3)
    assert mean_over(law, loss) == pytest.approx((1 + 0.5) / 5)
    # A share that is drawn uniformly is the way out.
    law = sequential_law(weights, 3, share=0.1)
    assert mean_over(law, loss) == pytest.approx(loss.mean())


def test_lure_of_uniform_draws_is_the_mean():
    loss = np.array([1.0, 0.0, 0.5])
    q = 1 / np.array([10, 9, 8])
    assert lure(loss, q, 10)[0] == pytest.approx(0.5)
    assert np.isnan(lure([1.0], [0.1], 10)[1])


def test_lure_is_unbiased_and_the_naive_mean_is_not():
    rng = np.random.default_rng(0)
    loss, score = population(rng)
    found, naive = [], []
    for _ in range(2000):
        rows, q = draw(rng, score)
        found.append(lure(loss[rows], q, N)[0])
        naive.append(loss[rows].mean())
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - ERROR) < 4 * error < 0.02
    # The same check rejects the mean of the chosen rows, by far.
    assert abs(np.mean(naive) - ERROR) > 50 * np.std(naive) / np.sqrt(len(naive))


def test_the_error_of_lure_is_a_guide_for_mild_weights_and_too_small_for_steep_ones():
    rng = np.random.default_rng(0)
    loss, _ = population(rng)
    score = 0.1 + 0.15 * loss + 0.75 * rng.random(N)
    held = {}
    for power in (1, 8):
        found = []
        for _ in range(600):
            rows, q = draw(rng, score**power)
            estimate, error = lure(loss[rows], q, N)
            found.append(abs(estimate - ERROR) <= 2 * error)
        held[power] = np.mean(found)
    assert held[1] > 0.92 and held[8] < 0.75


@pytest.mark.parametrize(
    ("loss", "q", "n"),
    [([], [], 5), ([1], [0.0], 5), ([1], [1.1], 5), ([1, 0], [0.5], 5), ([1], [1], 0)],
)
def test_lure_refuses_what_is_no_draw(loss, q, n):
    with pytest.raises(InvalidInputError):
        lure(loss, q, n)


def test_the_share_has_its_size_on_average_and_never_shrinks():
    rng = np.random.default_rng(0)
    sizes = [share_size(7, 0.1, u) for u in rng.random(20_000)]
    assert np.mean(sizes) == pytest.approx(0.7, abs=0.02)
    for u in (0.0, 0.3, 0.999):
        found = [share_size(n, 0.37, u) for n in range(50)]
        assert set(np.diff(found)) <= {0, 1}
    assert share_size(5, 1.0, 0.9) == 5 and share_size(5, 0.0, 0.99) == 0


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """2,000 campaigns: of 4,000 rows 22% are wrong, and 300 are drawn."""
    n_campaigns, n_pool, n_drawn = 2000, 4000, 300
    wrong = np.arange(n_pool) < n_pool * ERROR
    rng = np.random.default_rng(0)
    covered = {"random": 0, "chosen": 0}
    for _ in range(n_campaigns):
        random = rng.permutation(n_pool)[:n_drawn]
        # As a strategy does that prefers rows the model is unsure of.
        weight = np.where(wrong, 2.0, 1.0)
        chosen = np.argsort(rng.exponential(size=n_pool) / weight)[:n_drawn]
        for name, rows in (("random", random), ("chosen", chosen)):
            low, high = exact_interval(int((~wrong[rows]).sum()), n_drawn)
            covered[name] += low <= 1 - ERROR <= high
    # Summed over all outcomes by the law of the draw, it is known exactly.
    counts = np.arange(n_drawn + 1)
    bounds = np.array([exact_interval(int(k), n_drawn) for k in counts])
    inside = (bounds[:, 0] <= 1 - ERROR) & (1 - ERROR <= bounds[:, 1])
    law = hypergeom(n_pool, int((~wrong).sum()), n_drawn)
    coverage = law.pmf(counts)[inside].sum()
    assert 0.93 <= coverage <= 0.97
    found = covered["random"] / n_campaigns
    assert abs(found - coverage) < 4 * np.sqrt(coverage * (1 - coverage) / n_campaigns)
    assert 0.93 <= found <= 0.97
    assert covered["chosen"] / n_campaigns < 0.05


def test_a_batch_is_scored_by_the_model_that_chose_it(tmp_path):
    campaign = open_campaign(tmp_path, random_share=0.5)
    answer(campaign, 20)
    ids = campaign.ask(20)["id"].tolist()
    model = campaign.learner
    batch = campaign._record.state.batches[-1]
    campaign.tell({id: LABELS[id] for id in ids})
    campaign.train()
    (row,) = campaign.accuracy().to_dict("records")
    random = batch.random
    rows = [IDS.index(id) for id in random]
    right = model.predict(X[rows]) == [LABELS[id] for id in random]
    assert row["n_random"] == row["n_scored"] == 10
    assert row["n_correct"] == right.sum() and row["accuracy"] == right.mean()
    assert (row["low"], row["high"]) == exact_interval(int(right.sum()), 10)
    assert (row["n_labeled"], row["n_population"], row["n_lure"]) == (20, 100, 0)


def test_the_first_batch_has_no_model_to_be_scored(tmp_path):
    campaign = open_campaign(tmp_path)
    answer(campaign, 20)
    assert campaign.accuracy().empty and campaign.accuracy(3).empty


def test_what_was_skipped_or_not_answered_is_told(tmp_path):
    campaign = open_campaign(tmp_path, random_share=1.0)
    answer(campaign, 20)
    ids = campaign.ask(10)["id"].tolist()
    campaign.skip(ids[:2])
    campaign.tell({id: LABELS[id] for id in ids[2:7]})
    (row,) = campaign.accuracy().to_dict("records")
    assert (row["n_random"], row["n_scored"], row["n_skipped"]) == (10, 5, 2)


def second_round(campaign):
    """Return what is said of the first batch that a trained model chose."""
    return campaign.accuracy().to_dict("records")[0]


def share_of(campaign):
    return campaign._record.state.batches[-1].random


def right(ids):
    return {id: LABELS[id] for id in ids}


class TestAnswersThatCount:
    """Those that come while the batch is out; later ones have other reasons."""

    @pytest.fixture
    def campaign(self, tmp_path):
        campaign = open_campaign(tmp_path, MarginSampling(), random_share=0.5)
        answer(campaign, 20)
        campaign.ask(30)
        return campaign

    def test_rows_of_a_batch_given_up_are_not_scored_when_asked_again(self, campaign):
        share = share_of(campaign)
        campaign.close()
        for _ in range(2):
            answer(campaign, 40)
        # The strategy has chosen some of them since.
        assert set(share) & set(campaign.labels()["id"])
        row = second_round(campaign)
        assert (row["n_random"], row["n_scored"], row["n_missed"]) == (15, 0, 15)
        assert np.isnan(row["accuracy"]) and (row["low"], row["high"]) == (0, 1)
        assert campaign.accuracy()["n_scored"].tolist()[1:] == [20, 20]

    def test_rows_told_unasked_after_the_batch_are_not_scored(self, campaign):
        share = share_of(campaign)
        campaign.close()
        campaign.tell(right(share))
        assert second_round(campaign)["n_scored"] == 0

    def test_a_share_answered_in_part_says_nothing_once_the_batch_is_over(
        self, campaign
    ):
        share = share_of(campaign)
        campaign.tell(right(share[:9]))
        row = second_round(campaign)
        assert (row["n_scored"], row["n_missed"]) == (9, 6)
        campaign.close()
        row = second_round(campaign)
        assert (row["n_scored"], row["n_missed"]) == (0, 6)
        assert "not known" in str(campaign.status())
        answer(campaign, 80)
        assert second_round(campaign)["n_scored"] == 0

    def test_a_share_answered_whole_counts_though_the_rest_was_given_up(self, campaign):
        share = share_of(campaign)
        campaign.skip(share[:1])
        campaign.tell(right(share[1:]))
        campaign.close()
        answer(campaign, 20)
        row = second_round(campaign)
        assert (row["n_scored"], row["n_skipped"], row["n_missed"]) == (14, 1, 0)
        # A label for the skipped row comes too late.
        campaign.tell(right(share[:1]))
        assert second_round(campaign)["n_scored"] == 14

    def test_answers_taken_back_and_given_later_do_not_count(self, campaign):
        share = share_of(campaign)
        campaign.tell(right(id for id in campaign.ask()["id"] if id not in share))
        campaign.tell(right(share))
        assert second_round(campaign)["n_scored"] == 15
        campaign.undo()
        assert second_round(campaign)["n_missed"] == 15
        campaign.tell(right(share))
        assert second_round(campaign)["n_scored"] == 15
        campaign.undo()
        campaign.close()
        answer(campaign, 10)
        campaign.tell(right(share))
        assert second_round(campaign)["n_scored"] == 0

    def test_a_correction_counts_whenever_it_comes(self, campaign):
        share = share_of(campaign)
        answer(campaign)
        before = second_round(campaign)
        answer(campaign, 20)
        predicted = campaign._record.state.batches[1].items[share[0]]["predicted"]
        other = next(name for name in NAMES.tolist() if name != predicted)
        was_right = LABELS[share[0]] == predicted
        campaign.relabel({share[0]: other if was_right else predicted})
        after = second_round(campaign)
        assert after["n_scored"] == before["n_scored"] == 15
        assert after["n_correct"] == before["n_correct"] + (-1 if was_right else 1)

    def test_it_is_the_same_when_opened_anew(self, campaign):
        campaign.tell(right(share_of(campaign)[:3]))
        campaign.undo()
        campaign.tell(right(share_of(campaign)[:5]))
        campaign.close()
        answer(campaign, 10)
        again = Campaign(campaign.folder)
        assert again.accuracy().equals(campaign.accuracy())

    def test_draws_that_were_labelled_too_late_are_no_draws(self, tmp_path):
        strategy = StochasticTopK(MarginSampling())
        campaign = open_campaign(tmp_path / "draws", strategy, random_share=0.0)
        answer(campaign, 20)
        ids = campaign.ask(10)["id"].tolist()
        campaign.tell(right(ids[:9]))
        campaign.close()
        campaign.tell(right(ids[9:]))
        assert second_round(campaign)["n_lure"] == 0


def test_rounds_are_pooled_in_a_window(tmp_path):
    campaign = open_campaign(tmp_path, random_share=0.5)
    for _ in range(4):
        answer(campaign, 20)
    single, pooled = campaign.accuracy(), campaign.accuracy(2)
    correct, n = single["n_correct"].tolist(), single["n_scored"].tolist()
    assert pooled["n_scored"].tolist() == [n[0], n[0] + n[1], n[1] + n[2]]
    share = (correct[1] + correct[2]) / (n[1] + n[2])
    assert pooled["accuracy"].iloc[-1] == pytest.approx(share)
    widths = [(table["high"] - table["low"]).iloc[-1] for table in (pooled, single)]
    assert widths[0] < widths[1]
    with pytest.raises(InvalidInputError):
        windowed(single, 0)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_stochastic_strategy_is_scored_on_all_its_draws(tmp_path, share):
    campaign = open_campaign(
        tmp_path, StochasticTopK(MarginSampling()), random_share=share
    )
    answer(campaign, 20)
    ids = campaign.ask(20)["id"].tolist()
    assert campaign.accuracy()["n_lure"].tolist() == [0]
    campaign.tell({id: LABELS[id] for id in ids})
    batch = campaign._record.state.batches[-1]
    (row,) = campaign.accuracy().to_dict("records")
    assert row["n_lure"] == len(batch.draws) == 20 - len(batch.random)
    loss = [batch.items[id]["predicted"] != LABELS[id] for id, _ in batch.draws]
    q = [p for _, p in batch.draws]
    estimate, error = lure(loss, q, 100)
    assert (row["lure"], row["lure_error"]) == (1 - estimate, error)


def test_the_estimate_of_whole_campaigns_is_unbiased(tmp_path):
    """The share of many batches of one model, against what it predicts on all rows."""
    net = make_net(max_epochs=1)
    errors = []
    for seed in range(8):
        learner = ActiveLearner(net, classes=NAMES, random_state=seed)
        campaign = Campaign(tmp_path / f"{seed}", learner, X, ids=IDS, random_share=0.5)
        answer(campaign, 20)
        answer(campaign, 60)
        (row,) = campaign.accuracy().to_dict("records")
        model = campaign._rounds.model.learner
        left = [i for i in range(N_POOL) if IDS[i] not in campaign._record.state.taught]
        truth = (model.predict(X[left]) == NAMES[Y[left]]).mean()
        errors.append((row["accuracy"] - truth) / np.sqrt(0.25 / row["n_scored"]))
    assert abs(np.mean(errors)) < 4 / np.sqrt(len(errors))

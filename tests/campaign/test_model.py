"""The learner of a campaign: the same one, wherever the process was ended."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadge import ALBL, EntropySampling
from skbadge.exceptions import RefitError
from tests._learning import Normed, make_learner, make_net, same_weights, weights
from tests.campaign._campaigns import (
    IDS,
    LABELS,
    NAMES,
    answer,
    open_campaign,
)

# What happens in two rounds: the second batch is answered in three parts, and the model
# trained in between, on rows that nobody asked for too.
STEPS = [
    lambda c: answer(c, 12),
    lambda c: c.ask(16),
    lambda c: _tell(c, 7),
    lambda c: c.train(),
    lambda c: _tell(c, 4),
    lambda c: c.tell({id: LABELS[id] for id in _strangers(c, 3)}),
    lambda c: c.train(),
    lambda c: c.undo(),
    lambda c: c.train(),
    lambda c: _tell(c, 5),
    lambda c: c.train(),
    lambda c: answer(c, 10),
    lambda c: c.ask(6),
]


def _tell(campaign, n):
    """Label the first open rows of the batch."""
    ids = campaign.ask()["id"].tolist()[:n]
    campaign.tell({id: LABELS[id] for id in ids})


def _strangers(campaign, n):
    """Return rows that were not asked for."""
    state = campaign._record.state
    return [id for id in IDS if state.batch_of(id) is None][:n]


def _went(folder, learner, ended_after=()):
    """Take all steps; return what is then known of the model."""
    campaign = open_campaign(folder, learner=learner, random_share=0.25)
    for number, step in enumerate(STEPS):
        step(campaign)
        if number in ended_after:
            campaign = open_campaign(folder, learner=learner)
    state = campaign._record.state
    learned = [
        {name: np.array(value["array"]) for name, value in t["strategy"].items()}
        for t in state.trainings
    ]
    batches = [list(batch.items) for batch in state.batches]
    return learned, batches, weights(campaign.learner), campaign.learner.state()


def _assert_same(one, other):
    assert one[1] == other[1] and same_weights(one[2], other[2])
    np.testing.assert_equal(one[0], other[0])
    for name in ("strategy", "inclusion_probability"):
        assert one[3][name] == other[3][name]


@pytest.mark.parametrize("warm_start", [False, True, "shrink-perturb"])
def test_it_knows_the_same_wherever_it_was_ended(tmp_path, warm_start):
    learner = make_learner(ALBL(), warm_start=warm_start, classes=NAMES)
    staying = _went(tmp_path / "staying", learner)
    # Each of the three parts of the batch has taught the strategy something.
    memory = [known["log_weights_"] for known in staying[0] if known]
    assert len({tuple(values) for values in memory}) >= 4
    for number in (2, 4, 6, 9):
        other = _went(tmp_path / str(number), learner, [number])
        _assert_same(staying, other)
    _assert_same(staying, _went(tmp_path / "all", learner, range(len(STEPS))))


def test_a_strategy_that_learns_has_its_choice_in_the_journal(tmp_path):
    for name, strategy in (("a", ALBL()), ("e", EntropySampling())):
        campaign = open_campaign(tmp_path / name, strategy, random_share=0.5)
        answer(campaign, 12)
        campaign.ask(8)
        batch = campaign._record.state.batches[-1]
        if name == "e":
            assert batch.selection is None
            continue
        # The rows whose places the random share has taken are of the choice too.
        chosen = campaign.learner.last_selection_.indices
        assert batch.selection["ids"] == [IDS[i] for i in chosen]
        assert batch.selection["arm"] == campaign.learner.last_selection_.arm


def test_labels_that_came_after_a_batch_was_given_up_are_no_answers(tmp_path):
    learned = []
    for name, n_late in (("a", 0), ("b", 4)):
        campaign = open_campaign(tmp_path / name, ALBL())
        answer(campaign, 12)
        ids = campaign.ask(8)["id"].tolist()
        campaign.tell({id: LABELS[id] for id in ids[n_late:]})
        if n_late:
            campaign.close()
            campaign.tell({id: LABELS[id] for id in ids[:n_late]})
        learner = campaign.train()
        known = learner.state()["inclusion_probability"][12:]
        assert sum(p is not None for p in known) <= 8 - n_late
        learned.append(learner.strategy_.log_weights_)
    assert not np.array_equal(*learned)


def test_a_row_that_left_the_pool_is_no_answer(tmp_path):
    campaign = open_campaign(tmp_path, ALBL())
    answer(campaign, 12)
    ids = campaign.ask(8)["id"].tolist()
    order = [i for i in range(len(IDS)) if IDS[i] != ids[0]]
    with pytest.warns(UserWarning, match="no longer in the pool"):
        campaign = open_campaign(tmp_path, ALBL(), order=order)
    campaign.tell({id: LABELS[id] for id in ids[1:]})
    learner = campaign.train()
    assert learner.n_labeled_ == 19 and hasattr(learner.strategy_, "log_weights_")


def test_labels_of_a_training_that_failed_come_once(tmp_path, monkeypatch):
    learner = make_learner(warm_start=True, classes=NAMES)
    campaign = open_campaign(tmp_path / "a", learner=learner)
    answer(campaign, 12)
    campaign.train()
    answer(campaign, 10)
    with monkeypatch.context() as patch, pytest.raises(RefitError):
        patch.setattr(torch.optim.SGD, "step", lambda *args, **kwargs: 1 / 0)
        campaign.train()
    assert campaign.learner.n_labeled_ == 12
    assert campaign.train().n_labeled_ == 22
    other = open_campaign(tmp_path / "b", learner=learner)
    answer(other, 12)
    other.train()
    answer(other, 10)
    assert same_weights(weights(other.train()), weights(campaign.learner))


class TestShrinkPerturb:
    """Parameters are all that such a training needs of the one before."""

    def opened(self, folder, *steps):
        net = make_net(Normed, module__n_classes=3, optimizer=torch.optim.Adam, lr=0.01)
        learner = make_learner(
            net=make_pipeline(*steps, net) if steps else net,
            warm_start="shrink-perturb",
            classes=NAMES,
        )
        return open_campaign(folder, learner=learner)

    def test_opening_again_trains_nothing_and_goes_on_the_same(self, tmp_path, fits):
        staying, before = self.opened(tmp_path / "a"), self.opened(tmp_path / "b")
        for _ in range(3):
            assert answer(staying, 12) == answer(before, 12)
        staying.train(), before.train()
        fits.clear()
        anew = self.opened(tmp_path / "b")
        assert same_weights(weights(anew.learner), weights(staying.learner))
        assert answer(anew, 12) == answer(staying, 12) and not fits
        assert same_weights(weights(anew.train()), weights(staying.train()))

    def test_without_the_cache_it_is_the_same_and_kept_again(self, tmp_path, fits):
        campaign = self.opened(tmp_path)
        answer(campaign, 12), answer(campaign, 12)
        before = weights(campaign.train())
        for path in (tmp_path / "cache").iterdir():
            path.unlink()
        fits.clear()
        assert same_weights(weights(self.opened(tmp_path).learner), before) and fits
        fits.clear()
        assert same_weights(weights(self.opened(tmp_path).learner), before)
        assert not fits

    def test_other_trainings_before_are_not_taken_for_the_same(self, tmp_path):
        """The last labels alone do not tell what the weights have come from."""
        kept = []
        for name, first in (("a", 4), ("b", 8)):
            campaign = self.opened(tmp_path / name)
            for part in (IDS[:first], IDS[first:12]):
                campaign.tell({id: LABELS[id] for id in part})
                campaign.train()
            kept += [path.name for path in (tmp_path / name / "cache").iterdir()]
        assert len(set(kept)) == 2

    def test_steps_stay_as_they_were_first_fitted(self, tmp_path):
        staying = self.opened(tmp_path / "a", StandardScaler())
        for _ in range(3):
            ids = answer(staying, 12)
            assert answer(self.opened(tmp_path / "b", StandardScaler()), 12) == ids
        found = self.opened(tmp_path / "b", StandardScaler()).train()
        mean = staying.train().estimator_[0].mean_
        np.testing.assert_array_equal(found.estimator_[0].mean_, mean)

"""The stopping criteria of a campaign: what they are shown, and what is said of it."""

import pytest

from skbadge import Campaign
from skbadge.stopping import LabelBudget, StablePredictions, TestPlateau
from tests.campaign._campaigns import LABELS, NAMES, answer, open_campaign


def test_signs_are_in_the_journal(tmp_path):
    def opened():
        stop = StablePredictions(window=1, floor=False) | LabelBudget(30)
        return open_campaign(tmp_path, stop=stop, n_stop=50)

    for _ in range(3):
        answer(opened(), 10)
        opened().train()
    status = Campaign(tmp_path).status()
    stable, budget = status.signs
    assert budget["values"] == [10, 20, 30] and len(stable["values"]) == 2
    assert status.should_stop and "stop here" in status.next
    assert "LabelBudget(n=30): 30, stops at 30 -> stop" in str(status)


def test_the_random_share_is_the_test(tmp_path):
    stop = TestPlateau(0.1, window=2)
    campaign = open_campaign(tmp_path, stop=stop, random_share=0.5)
    for _ in range(4):
        answer(campaign, 16)
    campaign.train()
    (sign,) = campaign.status().signs
    assert sign["values"] == campaign.accuracy()["accuracy"].tolist()


def test_each_share_is_tested_once_and_when_it_is_whole(tmp_path):
    stop = TestPlateau(0.1, window=2)
    campaign = open_campaign(tmp_path, stop=stop, random_share=0.5)
    answer(campaign, 20)
    values = []
    for _ in range(2):
        ids = campaign.ask(20)["id"].tolist()
        for first in range(0, 20, 5):
            campaign.tell({id: LABELS[id] for id in ids[first : first + 5]})
            campaign.train()
            values.append(len(campaign.status().signs[0]["values"]))
    # A correction is one training more, and no test.
    other = next(name for name in NAMES.tolist() if name != LABELS[ids[0]])
    campaign.relabel({ids[0]: other})
    campaign.train()
    assert values == [0, 0, 0, 1, 1, 1, 1, 2]
    assert len(campaign.status().signs[0]["values"]) == 2


def test_a_batch_given_up_is_no_test(tmp_path):
    stop = TestPlateau(0.1, window=2)
    campaign = open_campaign(tmp_path, stop=stop, random_share=0.5)
    answer(campaign, 20)
    answer_some = campaign.ask(20)["id"].tolist()[:10]
    campaign.tell({id: LABELS[id] for id in answer_some})
    campaign.close()
    campaign.train()
    assert campaign.status().signs[0]["values"] == []


def test_what_was_seen_of_another_training_is_said_to_be(tmp_path):
    answer(open_campaign(tmp_path, stop=LabelBudget(10)), 10)
    open_campaign(tmp_path, stop=LabelBudget(10)).train()
    campaign = open_campaign(tmp_path)
    assert "as of" not in str(campaign.status()) and campaign.status().should_stop
    answer(campaign, 10)
    campaign.train()
    status = campaign.status()
    assert "stops at 10 -> stop, as of training 1 / 10 labels" in str(status)
    assert not status.should_stop and "stop here" not in status.next
    assert "as of training 1 / 10 labels" in campaign.report().read_text()


def test_another_criterion_begins_anew(tmp_path):
    answer(open_campaign(tmp_path, stop=LabelBudget(30)), 10)
    open_campaign(tmp_path, stop=LabelBudget(30)).train()
    other = open_campaign(tmp_path, stop=LabelBudget(20))
    answer(other, 10)
    with pytest.warns(UserWarning, match="criterion begins anew"):
        other.train()
    assert other.status().signs[0]["values"] == [20]

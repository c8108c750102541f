"""What a campaign does with its model: it shows it to criteria, and begins without."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skbadge import Campaign, FeatureCache, KMeansSampling, TypiClust
from skbadge.stopping import LabelBudget, StablePredictions, TestPlateau
from tests._learning import make_learner, make_net
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


def test_shares_of_rounds_without_the_criterion_are_shown_when_it_is_there(tmp_path):
    for stop in (None, None, None, TestPlateau(0.1, window=2), None, None):
        answer(open_campaign(tmp_path, stop=stop, random_share=0.5), 16)
    campaign = open_campaign(tmp_path, stop=TestPlateau(0.1, window=2))
    campaign.train()
    (sign,) = campaign.status().signs
    assert len(sign["values"]) == 5
    assert sign["values"] == campaign.accuracy()["accuracy"].tolist()


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


def test_campaigns_that_share_a_criterion_share_nothing_it_has_seen(tmp_path):
    stop = StablePredictions() | LabelBudget(100)
    for name, n in (("a", 30), ("a", 10), ("b", 10)):
        campaign = open_campaign(tmp_path / name, stop=stop, n_stop=50)
        answer(campaign, n)
        campaign.train()
    stable, budget = (sign["values"] for sign in campaign.status().signs)
    assert (stable, budget) == ([], [10])


def test_another_criterion_begins_anew(tmp_path):
    answer(open_campaign(tmp_path, stop=LabelBudget(30)), 10)
    open_campaign(tmp_path, stop=LabelBudget(30)).train()
    other = open_campaign(tmp_path, stop=LabelBudget(20))
    answer(other, 10)
    with pytest.warns(UserWarning, match="criterion begins anew"):
        other.train()
    assert other.status().signs[0]["values"] == [20]


class TestColdStart:
    """The first batch, where the net does not get the rows as they are."""

    LANGUAGES = ("eins zwei drei", "one two three", "un deux trois", "uno due tre")

    def asked(self, folder, encoder, **settings):
        words = [f"{self.LANGUAGES[i % 4]} w{i}" for i in range(60)]
        table = pd.DataFrame({"id": range(60), "text": words})
        learner = make_learner(
            net=make_pipeline(encoder, make_net(module__n_features=4)),
            classes=["a", "b"],
        )
        campaign = Campaign(folder, learner, table, ids="id", inputs="text", **settings)
        return campaign.ask(4)["id"].tolist()

    @pytest.mark.parametrize("kind", [KMeansSampling, TypiClust])
    def test_texts_are_spread_by_their_words(self, tmp_path, kind):
        words = " ".join(self.LANGUAGES).split()
        encoder = make_pipeline(
            TfidfVectorizer(vocabulary=words), TruncatedSVD(4, random_state=0)
        )
        ids = self.asked(tmp_path, encoder, cold_start=kind(features="input"))
        assert sorted(i % 4 for i in ids) == [0, 1, 2, 3]

    def test_a_frozen_encoder_is_run_once(self, tmp_path):
        n_encoded = []

        def encode(texts):
            n_encoded.append(len(texts))
            languages = [self.LANGUAGES.index(t.rpartition(" ")[0]) for t in texts]
            return np.eye(4, dtype=np.float32)[languages]

        encoder = FeatureCache(FunctionTransformer(encode))
        strategy = TypiClust(features="input")
        ids = self.asked(tmp_path, encoder, cold_start=strategy)
        assert sorted(i % 4 for i in ids) == [0, 1, 2, 3] and sum(n_encoded) == 60

    def test_nothing_is_fitted_unless_it_is_asked_for(self, tmp_path):
        """Steps may need labels, or take long."""
        ids = self.asked(tmp_path, SelectKBest())
        assert len(ids) == 4

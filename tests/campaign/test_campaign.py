"""A campaign: what is asked and told, and that it comes back the same."""

from time import process_time

import numpy as np
import pandas as pd
import pytest

from skbadge import ALBL, BADGE, Campaign, EntropySampling, RandomSampling
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.stopping import StablePredictions
from tests._learning import make_learner, same_weights, weights
from tests.campaign._campaigns import (
    IDS,
    LABELS,
    N_POOL,
    NAMES,
    X,
    answer,
    asked,
    long,
    open_campaign,
)


class TestAsking:
    def test_a_batch_is_a_table(self, tmp_path):
        batch = open_campaign(tmp_path).ask(5)
        assert batch.columns.tolist() == ["id", "rank", "score"]
        assert batch["rank"].tolist() == [1, 2, 3, 4, 5]
        assert set(batch["id"]) < set(IDS)

    def test_an_unfinished_batch_comes_again(self, tmp_path):
        campaign = open_campaign(tmp_path)
        first = campaign.ask(6)["id"].tolist()
        assert campaign.ask(3)["id"].tolist() == first
        campaign.tell({first[1]: "ham"})
        campaign.skip(first[3])
        rest = campaign.ask(3)
        assert rest["id"].tolist() == [first[i] for i in (0, 2, 4, 5)]
        assert rest["rank"].tolist() == [1, 3, 5, 6]
        assert open_campaign(tmp_path).ask()["id"].tolist() == rest["id"].tolist()

    def test_a_batch_given_up_may_come_again(self, tmp_path):
        campaign = open_campaign(tmp_path)
        first = campaign.ask(N_POOL)["id"].tolist()
        campaign.tell({first[0]: "ham"})
        campaign.close()
        assert set(campaign.ask(N_POOL)["id"]) == set(first[1:])
        campaign.close()
        with pytest.raises(CampaignError, match="There is none open"):
            campaign.close()

    def test_nothing_is_asked_twice(self, tmp_path):
        campaign = open_campaign(tmp_path)
        seen = [answer(campaign, 25) for _ in range(5)]
        assert [len(ids) for ids in seen] == [25, 25, 25, 25, 20]
        assert sorted(id for ids in seen for id in ids) == sorted(IDS)
        with pytest.raises(CampaignError, match="No row is left to ask for: of 120"):
            campaign.ask(1)

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
    def test_more_gives_exactly_the_longer_batch(self, tmp_path, share):
        short = open_campaign(tmp_path / "short", BADGE(), random_share=share)
        long = open_campaign(tmp_path / "long", BADGE(), random_share=share)
        for campaign in (short, long):
            answer(campaign, 20)
        first = short.ask(7)["id"].tolist()
        short.tell({first[2]: LABELS[first[2]]})
        short.ask(more=6)
        long.ask(13)
        mine, theirs = (c._record.state.batches[-1] for c in (short, long))
        assert set(mine.items) == set(theirs.items)
        assert list(mine.items)[:7] == first
        assert set(mine.random) == set(theirs.random)
        assert [item["rank"] for item in mine.items.values()] == list(range(1, 14))

    def test_more_also_after_the_campaign_was_opened_anew(self, tmp_path):
        for name in ("a", "b"):
            answer(open_campaign(tmp_path / name), 20)
        one = open_campaign(tmp_path / "a")
        one.ask(7)
        one.ask(more=6)
        open_campaign(tmp_path / "b").ask(7)
        open_campaign(tmp_path / "b").ask(more=6)
        assert asked(tmp_path / "a") == asked(tmp_path / "b")

    def test_more_leaves_out_what_was_labelled_unasked(self, tmp_path):
        campaign = open_campaign(tmp_path)
        answer(campaign, 20)
        first = set(campaign.ask(7)["id"])
        others = [id for id in campaign._record.state.candidates() if id not in first]
        campaign.tell({id: LABELS[id] for id in others[:50]})
        assert not set(campaign.ask(more=20)["id"]) & set(others[:50])

    def test_more_is_by_the_same_model_or_refused(self, tmp_path):
        campaign = open_campaign(tmp_path)
        with pytest.raises(CampaignError, match="There is none yet"):
            campaign.ask(more=3)
        answer(campaign, 20)
        campaign.train()
        with pytest.raises(CampaignError, match="there was a training since"):
            campaign.ask(more=3)

    def test_more_does_not_bring_rows_back_that_were_given_up(self, tmp_path):
        campaign, other = open_campaign(tmp_path), open_campaign(tmp_path)
        first = campaign.ask(7)["id"].tolist()
        campaign.tell({first[0]: LABELS[first[0]]})
        campaign.close()
        with pytest.raises(CampaignError, match="was given up by close()"):
            campaign.ask(more=3)
        # Nor where it is given up while another process makes it longer.
        campaign.ask(5)
        rounds = other._rounds
        other._record.refresh()
        drawn = rounds.model.query

        def given_up(*arguments):
            campaign.close()
            return drawn(*arguments)

        rounds.model.query = given_up
        other.ask(more=3)
        assert campaign.status().n_open == 0

    def test_more_is_from_the_same_pool_or_refused(self, tmp_path):
        fewer = open_campaign(tmp_path, order=range(100))
        answer(fewer, 20)
        fewer.ask(5)
        # Sorted anew, it is the same pool.
        open_campaign(tmp_path, order=range(99, -1, -1)).ask(more=5)
        campaign = open_campaign(tmp_path)
        with pytest.raises(CampaignError, match="joined the pool or left it since"):
            campaign.ask(more=5)
        answer(campaign)
        assert len(campaign.ask(5)) == 5

    def test_suggestions_only_on_wish(self, tmp_path):
        campaign = open_campaign(tmp_path)
        answer(campaign, 20)
        assert "suggestion" not in campaign.ask(5)
        batch = campaign.ask(suggestions=True)
        at = [IDS.index(id) for id in batch["id"]]
        assert batch["suggestion"].tolist() == campaign.learner.predict(X[at]).tolist()
        best = campaign.learner.predict_proba(X[at]).max(axis=1)
        np.testing.assert_allclose(batch["suggestion_probability"], best)

    def test_scores_are_those_of_the_strategy(self, tmp_path):
        campaign = open_campaign(tmp_path, EntropySampling(), random_share=0.2)
        answer(campaign, 20)
        batch = campaign.ask(10).set_index("id")["score"]
        random = campaign._record.state.batches[-1].random
        assert 0 < len(random) < 5
        assert batch.drop(random).notna().all()
        assert batch.drop(random).is_monotonic_decreasing

    def test_n_must_be_a_number_of_rows(self, tmp_path):
        campaign = open_campaign(tmp_path)
        for wrong in ({}, {"n": 1, "more": 1}, {"n": 0}, {"n": "x"}):
            with pytest.raises(InvalidInputError):
                campaign.ask(**wrong)

    def test_asking_needs_learner_and_pool(self, tmp_path):
        open_campaign(tmp_path)
        campaign = Campaign(tmp_path)
        for call in (lambda: campaign.ask(1), campaign.train, lambda: campaign.learner):
            with pytest.raises(CampaignError, match="with a learner and a pool"):
                call()
        assert campaign.tell({"T-1": "spam"}).stored == 1


class TestTelling:
    def test_each_refusal_names_the_id_and_the_others_are_kept(self, tmp_path):
        campaign = open_campaign(tmp_path)
        campaign.tell({"T-1": "spam"})
        given = {"T-1": "ham", "T-2": "ham", "T-3": "spma", "X": "ham", 1.5: "ham"}
        with pytest.warns(
            UserWarning, match="4 of 5 answers were refused.*'T-1': it is"
        ):
            told = campaign.tell(given)
        assert told.stored == 1 and list(told.refused) == ["T-1", "T-3", "X", 1.5]
        assert "use relabel to correct" in told.refused["T-1"]
        assert "'spma' is none of the classes 'ham', 'spam'" in told.refused["T-3"]
        assert "no row of the pool has this id" in told.refused["X"]
        assert "Got 1.5 of type float" in told.refused[1.5]
        assert campaign.labels()["id"].tolist() == ["T-1", "T-2"]
        assert str(told) == "1 labels stored, 4 refused"

    def test_the_same_again_is_no_news(self, tmp_path):
        campaign = open_campaign(tmp_path)
        campaign.tell({"T-1": "spam"}, annotator="a")
        told = campaign.tell({"T-1": "spam"}, annotator="a")
        assert (told.stored, told.unchanged) == (0, 1)

    def test_several_annotators(self, tmp_path):
        campaign = open_campaign(tmp_path)
        for who, label in (("a", "spam"), ("b", "spam"), ("c", "ham")):
            campaign.tell({"T-1": label}, annotator=who)
        campaign.tell({"T-2": "ham"}, annotator="a")
        assert campaign.labels()["label"].tolist() == ["ham", "ham"]
        assert campaign.disagreements()["label"].tolist() == ["spam", "spam", "ham"]
        assert campaign.status().n_disputed == 1
        assert campaign.status().annotators == {"a": 2, "b": 1, "c": 1}

    def test_the_majority_counts_on_wish(self, tmp_path):
        campaign = open_campaign(tmp_path, count="majority")
        for who, label in (("a", "spam"), ("b", "spam"), ("c", "ham")):
            campaign.tell({"T-1": label}, annotator=who)
        assert campaign.labels()["label"].tolist() == ["spam"]
        campaign.tell({"T-1": "ham"}, annotator="d")
        assert campaign.labels()["label"].tolist() == ["ham"]

    def test_corrections(self, tmp_path):
        campaign = open_campaign(tmp_path)
        campaign.tell({"T-1": "spam", "T-2": "ham"})
        assert campaign.relabel({"T-1": "ham"}).stored == 1
        assert campaign.labels()["label"].tolist() == ["ham", "ham"]
        assert campaign.undo() == ["T-1"]
        assert campaign.labels()["label"].tolist() == ["spam", "ham"]

    def test_undo_goes_back_call_by_call(self, tmp_path):
        campaign = open_campaign(tmp_path)
        campaign.tell({"T-1": "spam"})
        campaign.skip(["T-2", "T-3"], reason="blurred", annotator="a")
        assert campaign.skipped()["reason"].tolist() == ["blurred", "blurred"]
        assert campaign.undo() == ["T-2", "T-3"]
        assert campaign.undo() == ["T-1"]
        assert campaign.labels().empty and campaign.skipped().empty
        with pytest.raises(CampaignError, match="There are none"):
            campaign.undo()
        campaign.tell({"T-1": "ham"})
        assert Campaign(tmp_path).labels()["label"].tolist() == ["ham"]

    def test_skips(self, tmp_path):
        campaign = open_campaign(tmp_path)
        first = campaign.ask(5)["id"].tolist()
        assert campaign.skip(first[:2]).skipped == 2
        assert campaign.skip(first[0]).unchanged == 1
        campaign.tell({first[1]: "ham"})
        with pytest.warns(UserWarning, match="it has a label, so it is not skipped"):
            campaign.skip(first[1])
        assert campaign.status().n_skipped == 1
        assert campaign.skip(first[1], annotator="b").unchanged == 1

    def test_labels_say_where_they_come_from(self, tmp_path):
        campaign = open_campaign(tmp_path, random_share=0.5)
        campaign.tell({"T-1": "spam"}, annotator="mk", seconds={"T-1": 2.5})
        answer(campaign, 8)
        answer(campaign, 8)
        labels = campaign.labels().set_index("id")
        assert pd.isna(labels.loc["T-1", "round"]) and len(labels) == 17
        assert labels["round"].value_counts().to_dict() == {1: 8, 2: 8}
        random = labels[labels["random"]]
        assert set(random["round"]) <= {1, 2} and len(random) >= 4
        assert campaign.answers().loc[0, "seconds"] == 2.5
        assert campaign.status().seconds == 2.5
        campaign.tell({"T-2": "spam"}, annotator="mk", seconds={"T-2": 7.5})
        assert campaign.status().seconds == 5.0

    def test_integers_stay_integers(self, tmp_path):
        campaign = Campaign(
            tmp_path, make_learner(), X, ids=np.arange(N_POOL), classes=range(3)
        )
        campaign.tell({np.int64(7): np.int64(2), "8": "1"})
        labels = campaign.labels()
        assert labels["id"].tolist() == [7, 8] and labels["label"].tolist() == [2, 1]
        with pytest.warns(UserWarning, match="True is none of the classes"):
            campaign.tell({9: True})

    def test_labels_must_be_pairs(self, tmp_path):
        campaign = open_campaign(tmp_path)
        with pytest.raises(InvalidInputError, match="mapping of id to label"):
            campaign.tell(3)
        assert campaign.tell(pd.Series({"T-1": "ham"})).stored == 1
        assert campaign.tell([("T-2", "ham")]).stored == 1


class TestOpenedAnew:
    @pytest.mark.parametrize(
        "strategy", [BADGE(), ALBL(), RandomSampling()], ids=lambda s: type(s).__name__
    )
    def test_it_goes_on_as_if_it_had_stayed_open(self, tmp_path, strategy):
        staying = open_campaign(tmp_path / "a", strategy)
        for _ in range(4):
            ids = answer(staying, 10)
            staying.relabel({ids[0]: "other"})
            assert answer(open_campaign(tmp_path / "b", strategy), 10) == ids
            open_campaign(tmp_path / "b", strategy).relabel({ids[0]: "other"})
        anew = open_campaign(tmp_path / "b", strategy)
        assert same_weights(weights(staying.train()), weights(anew.train()))
        state = staying.learner.strategy_, anew.learner.strategy_
        assert str(vars(state[0])) == str(vars(state[1]))

    def test_a_warm_start_is_repeated_training_by_training(self, tmp_path):
        def opened(name):
            learner = make_learner(warm_start=True, classes=NAMES)
            return open_campaign(tmp_path / name, learner=learner)

        staying = opened("a")
        for _ in range(3):
            ids = answer(staying, 10)
            assert answer(opened("b"), 10) == ids
        assert same_weights(weights(staying.train()), weights(opened("b").train()))

    def test_reading_trains_nothing(self, tmp_path, monkeypatch):
        answer(open_campaign(tmp_path))
        campaign = open_campaign(tmp_path)
        campaign.train()
        monkeypatch.setattr("skbadge.campaign._model.Model.restore", None)
        again = open_campaign(tmp_path)
        again.tell({"T-1": LABELS["T-1"]})
        assert again.status().trainings == 1

    def test_labels_taken_back_are_forgotten(self, tmp_path):
        campaign = open_campaign(tmp_path)
        answer(campaign, 20)
        campaign.train()
        campaign.tell({id: LABELS[id] for id in campaign.ask(5)["id"]})
        assert campaign.train().n_labeled_ == 25
        campaign.undo()
        assert campaign.train().n_labeled_ == 20
        assert open_campaign(tmp_path).learner.n_labeled_ == 20
        campaign.undo()
        with pytest.raises(CampaignError, match="Every label was taken back"):
            campaign.train()

    def test_nothing_is_trained_twice(self, tmp_path):
        campaign = open_campaign(tmp_path)
        answer(campaign)
        first = campaign.train()
        assert campaign.train() is first and campaign.status().trainings == 1

    @pytest.mark.parametrize("strategy", [BADGE(), ALBL()], ids=["BADGE", "ALBL"])
    @pytest.mark.parametrize("warm", [False, True])
    def test_a_refit_is_one_training_more(self, tmp_path, strategy, warm):
        def opened(name):
            learner = make_learner(strategy, warm_start=warm, classes=NAMES)
            return open_campaign(tmp_path / name, learner=learner)

        campaign = opened("a")
        with pytest.raises(CampaignError, match="There is no label to train on"):
            campaign.refit()
        for name in "ab":
            answer(opened(name), 20)
        first = weights(campaign.train())
        assert not same_weights(first, weights(campaign.refit()))
        opened("b").refit()
        opened("b").refit()
        assert campaign.status().trainings == 2 == opened("b").status().trainings
        assert same_weights(weights(campaign.learner), weights(opened("b").learner))
        assert answer(campaign, 10) == answer(opened("b"), 10)
        assert same_weights(weights(campaign.train()), weights(opened("b").train()))

    def test_a_refit_is_not_shown_to_the_stopping_criterion(self, tmp_path):
        stop = StablePredictions(window=2, floor=False)
        campaign = open_campaign(tmp_path, stop=stop)
        answer(campaign, 20)
        campaign.train()
        (before,) = campaign.status().signs
        for _ in range(3):
            campaign.refit()
        (sign,) = campaign.status().signs
        assert sign == before and not campaign.status().should_stop

    def test_settings_are_those_of_the_beginning(self, tmp_path):
        open_campaign(tmp_path, random_share=0.3, count="majority", n_stop=7)
        open_campaign(tmp_path)
        for wrong in (
            {"random_share": 0.2},
            {"count": "last"},
            {"n_stop": 8},
            {"classes": ["ham", "spam"]},
        ):
            with pytest.raises(InvalidInputError, match="The campaign was begun with"):
                open_campaign(tmp_path, **wrong)
        for wrong in ({"random_share": 2}, {"count": "first"}, {"n_stop": 0}):
            with pytest.raises(InvalidInputError):
                open_campaign(tmp_path / "new", **wrong)
        with pytest.raises(InvalidInputError, match="criterion of skbadge.stopping"):
            open_campaign(tmp_path, stop=0.9)
        with pytest.raises(InvalidInputError, match="cold_start must be a strategy"):
            open_campaign(tmp_path, cold_start="random")
        campaign = open_campaign(tmp_path, cold_start=BADGE())
        with pytest.raises(InvalidInputError, match=r"no trained net. Got BADGE\(\)"):
            campaign.ask(3)
        for classes in (["a", "b"], NAMES[::-1], NAMES[:2]):
            learner = make_learner(classes=classes)
            with pytest.raises(InvalidInputError, match="must have the classes of the"):
                open_campaign(tmp_path, learner=learner)
        with pytest.raises(InvalidInputError, match="must have the classes of the"):
            open_campaign(tmp_path / "new", classes=["a", "b"])
        assert not (tmp_path / "new").exists()

    def test_a_class_that_no_file_holds_is_refused_at_once(self, tmp_path):
        with pytest.raises(InvalidInputError, match="A class must be text that UTF-8"):
            Campaign(tmp_path, make_learner(classes=["a", "\udc80"]), X, ids=IDS)
        assert not list(tmp_path.iterdir())

    def test_classes_must_be_known(self, tmp_path):
        with pytest.raises(InvalidInputError, match="known before the first label"):
            open_campaign(tmp_path, learner=make_learner())
        for wrong in ([1, "1"], [0.5, 1.5], ["a", "a"], [True, False], ["", "a"]):
            with pytest.raises(InvalidInputError, match="distinct texts"):
                open_campaign(tmp_path, learner=make_learner(), classes=wrong)
        with pytest.raises(InvalidInputError, match="classes must be two at least"):
            open_campaign(tmp_path, learner=make_learner(), classes=["ham;spam"])
        with pytest.raises(InvalidInputError, match="must be an ActiveLearner"):
            open_campaign(tmp_path, learner=3)

    def test_two_processes_that_ask_or_train(self, tmp_path):
        first, second = open_campaign(tmp_path), open_campaign(tmp_path)
        ids = answer(first, 20)
        first.train()
        second.relabel({ids[0]: "other"})
        assert same_weights(weights(first.train()), weights(second.train()))
        assert first.status().trainings == 2


def test_status_is_a_page_of_text(tmp_path):
    campaign = open_campaign(tmp_path)
    assert "ask for a batch" in str(campaign.status())
    answer(campaign, 20)
    answer(campaign, 20)
    campaign.ask(20)
    text = str(campaign.status())
    assert "120 rows: 40 labelled, 0 skipped, 20 open, 60 more to ask for" in text
    assert "2 trainings" in text and "drawn at random" in text
    assert "label the 20 open rows" in text


def test_there_is_no_model_before_the_first_training(tmp_path):
    campaign = open_campaign(tmp_path)
    with pytest.raises(CampaignError, match="There is no model yet"):
        _ = campaign.learner


@long
def test_a_large_pool_costs_little_beside_the_query(tmp_path):
    n = 100_000
    rng = np.random.default_rng(0)
    pool, y = rng.normal(size=(n, 3)), rng.integers(3, size=n)
    learner = make_learner(RandomSampling(), classes=[0, 1, 2])
    campaign = Campaign(tmp_path, learner, pool, ids=range(n))
    overhead = []
    for _ in range(50):
        campaign.train() if campaign.status().n_labeled else None
        started = process_time()
        batch = campaign.ask(100)
        whole = process_time() - started
        trained = campaign._rounds.model.learner
        if trained is not None:
            rows = np.flatnonzero(np.isin(np.arange(n), batch["id"], invert=True))
            started = process_time()
            trained.query(pool, n=100, candidates=rows)
            overhead.append(whole - (process_time() - started))
        campaign.tell({i: int(y[i]) for i in batch["id"]})
    assert np.median(overhead) < 0.2

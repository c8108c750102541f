"""A campaign whose pool is sorted anew, grows, shrinks, or is another one."""

import numpy as np
import pandas as pd
import pytest

from skbadge import Campaign
from skbadge.exceptions import CampaignError
from tests._learning import make_data, make_learner, same_weights, weights
from tests.campaign._campaigns import (
    IDS,
    LABELS,
    N_POOL,
    NAMES,
    X,
    answer,
    open_campaign,
)


def test_sorted_anew_the_same_rows_are_asked_and_taught(tmp_path):
    shuffled = np.random.default_rng(0).permutation(N_POOL)
    staying = open_campaign(tmp_path / "a")
    for i in range(3):
        order = shuffled if i % 2 else None
        assert answer(open_campaign(tmp_path / "b", order=order)) == answer(staying)
    found = open_campaign(tmp_path / "b", order=shuffled).train()
    assert same_weights(weights(found), weights(staying.train()))


def test_new_rows_join_the_candidates(tmp_path):
    few = open_campaign(tmp_path, order=range(40))
    answer(few, 30)
    grown = open_campaign(tmp_path)
    assert grown.status().n_candidates == 90
    assert len(answer(grown, 90)) == 90
    with pytest.raises(CampaignError, match="with another pool"):
        few.ask(1)
    assert few.tell({"T-100": LABELS["T-100"]}).unchanged == 1


def test_rows_that_are_gone_are_told_and_not_trained_on(tmp_path):
    ids = answer(open_campaign(tmp_path), 20)
    open_campaign(tmp_path).train()
    gone = [IDS.index(id) for id in ids[:10]]
    order = [i for i in range(N_POOL) if i not in gone]
    with pytest.warns(UserWarning, match="10 rows are no longer in the pool"):
        campaign = open_campaign(tmp_path, order=order)
    assert campaign.train().n_labeled_ == 10
    status = campaign.status()
    assert (status.n_lost, status.n_labeled, status.n_pool) == (10, 20, 110)
    assert len(campaign.ask(N_POOL)) == 100
    back = open_campaign(tmp_path)
    assert back.status().n_lost == 0 and back.train().n_labeled_ == 20


def test_changed_contents_are_told(tmp_path):
    open_campaign(tmp_path)
    other = X.copy()
    other[[3, 8]] += 1
    text = "other contents than before: of 120 compared, 2: 'T-3', 'T-8'"
    with pytest.warns(UserWarning, match=text):
        Campaign(tmp_path, make_learner(classes=NAMES), other, ids=IDS)


def test_a_warm_start_cannot_do_without_a_row(tmp_path):
    learner = make_learner(warm_start=True, classes=NAMES)
    ids = answer(open_campaign(tmp_path, learner=learner), 20)
    open_campaign(tmp_path, learner=learner).train()
    order = [i for i in range(N_POOL) if IDS[i] != ids[0]]
    with pytest.warns(UserWarning, match="no longer in the pool"):
        campaign = open_campaign(tmp_path, learner=learner, order=order)
    with pytest.raises(CampaignError, match="goes on from every training before"):
        campaign.train()


def test_a_file_that_is_sorted_anew_grown_and_short_of_ten_rows(tmp_path):
    """All at once: each id keeps its row, in what is asked and in what is taught."""
    path = tmp_path / "pool.csv"
    rows, y = make_data(1200)
    frame = pd.DataFrame(rows, columns=list("abc"))
    frame.insert(0, "key", [f"R-{i}" for i in range(1200)])
    right = dict(zip(frame["key"], NAMES[y].tolist(), strict=True))
    content = frame.set_index("key")

    def opened():
        learner = make_learner(classes=NAMES)
        return Campaign(tmp_path / "c", learner, path, ids="key")

    frame[:200].to_csv(path, index=False)
    campaign = opened()
    first = campaign.ask(40)["id"].tolist()
    campaign.tell({id: right[id] for id in first})
    campaign.train()

    gone = [*first[:5], *[id for id in frame["key"][:200] if id not in first][:5]]
    changed = frame[~frame["key"].isin(gone)].sample(frac=1, random_state=0)
    changed.to_csv(path, index=False)
    with pytest.warns(UserWarning, match="10 rows are no longer in the pool"):
        campaign = opened()
    assert campaign.status().n_pool == 1190
    batch = campaign.ask(60)
    assert not set(batch["id"]) & {*gone, *first}
    np.testing.assert_allclose(batch[list("abc")], content.loc[batch["id"]])
    campaign.tell({id: right[id] for id in batch["id"]})
    learner = campaign.train()
    taught = [*first[5:], *batch["id"]]
    assert learner.n_labeled_ == len(taught) == 95
    found = np.column_stack([learner.X_, learner.y_ == "ham"]).tolist()
    wanted = [[*content.loc[id], right[id] == "ham"] for id in taught]
    np.testing.assert_allclose(sorted(found), sorted(wanted), rtol=1e-6)

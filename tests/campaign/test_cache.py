"""Parameters on disk: opening without them costs one training, with them none."""

import numpy as np
import pytest
import torch

from skbadge import BADGE, Campaign
from skbadge.campaign._cache import Cache
from skbadge.learner._learner import ActiveLearner
from tests._learning import Normed, make_learner, make_net, same_weights, weights
from tests.campaign._campaigns import IDS, NAMES, X, answer, open_campaign


def normed():
    net = make_net(Normed, module__n_classes=3)
    return ActiveLearner(net, strategy=BADGE(), classes=NAMES, random_state=0)


def test_what_is_stored_comes_back_and_the_rest_goes(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert cache.load("a") is None
    tied = torch.arange(3.0)
    turned = torch.arange(6.0).reshape(2, 3).T
    cache.store("a", {"x": tied, "y": tied, "n": torch.tensor(7), "t": turned})
    found = cache.load("a")
    assert torch.equal(found["t"], turned)
    assert torch.equal(found["x"], tied) and found["n"].item() == 7
    cache.store("b", {"x": tied})
    assert cache.load("a") is None
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["b.safetensors"]


def test_a_damaged_file_is_told_and_not_used(tmp_path):
    cache = Cache(tmp_path)
    (tmp_path / "a.safetensors").write_bytes(b"\xff" * 100)
    with pytest.warns(UserWarning, match="is trained again"):
        assert cache.load("a") is None


def test_a_model_that_cannot_be_kept_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="could not be kept"):
        Cache(tmp_path / "file").store("a", {"x": torch.zeros(1)})


def test_opening_again_trains_nothing(tmp_path, fits):
    first = open_campaign(tmp_path, learner=normed())
    answer(first, 20)
    before = weights(first.train())
    fits.clear()
    again = open_campaign(tmp_path, learner=normed())
    assert same_weights(weights(again.learner), before) and not fits
    # Statistics of batch normalization come along.
    assert any("running_mean" in name for name in before)
    ids = again.ask(10)["id"].tolist()
    assert not fits and first.ask(10)["id"].tolist() == ids


def test_without_the_cache_it_is_the_same_model(tmp_path, fits):
    first = open_campaign(tmp_path, learner=normed())
    answer(first, 20)
    first.train()
    answer(first, 20)
    fits.clear()
    before, one_training = weights(first.train()), len(fits)
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    fits.clear()
    again = open_campaign(tmp_path, learner=normed())
    assert same_weights(weights(again.learner), before)
    # The last training, not the two.
    assert len(fits) == one_training > 0


def test_other_settings_or_contents_are_not_taken_for_the_same(tmp_path, fits):
    campaign = open_campaign(tmp_path)
    answer(campaign, 20)
    campaign.train()
    fits.clear()
    open_campaign(tmp_path, learner=make_learner(classes=NAMES, net=make_net(lr=0.2)))
    other = make_learner(classes=NAMES, net=make_net(lr=0.2))
    assert open_campaign(tmp_path, learner=other).learner and fits
    open_campaign(tmp_path).train()
    fits.clear()
    moved = X + 1e-3
    with pytest.warns(UserWarning, match="other contents"):
        changed = Campaign(tmp_path, make_learner(classes=NAMES), moved, ids=IDS)
    assert changed.learner and fits
    assert np.isfinite(changed.learner.predict_proba(moved)).all()


def test_a_warm_start_does_without(tmp_path):
    learner = make_learner(warm_start=True, classes=NAMES)
    answer(open_campaign(tmp_path, learner=learner), 20)
    open_campaign(tmp_path, learner=learner).train()
    assert not (tmp_path / "cache").exists()

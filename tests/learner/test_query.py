"""Asking: positions, candidates, shares of a pool, scores, the cold start."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadge import (
    ALBL,
    BADGE,
    CoreSet,
    EntropySampling,
    KMeansSampling,
    LeastConfidence,
    MarginSampling,
    RandomSampling,
)
from skbadge.exceptions import InvalidInputError, LearnerNotFittedError
from tests._learning import (
    Tiny,
    make_data,
    make_learner,
    make_net,
    make_strategies,
)

X, Y = make_data()
POOL, POOL_Y = make_data(50, seed=1)


@pytest.fixture(scope="module")
def fitted():
    return {
        name: make_learner(strategy).fit(X, Y)
        for name, strategy in make_strategies().items()
    }


@pytest.mark.parametrize("name", make_strategies())
def test_answers_are_distinct_positions(name, fitted):
    for n in (1, 7):
        indices = fitted[name].query(POOL, n=n)
        assert indices.shape == (n,)
        assert indices.dtype == np.intp
        assert len(set(indices.tolist())) == n
        assert 0 <= indices.min() and indices.max() < 50


@pytest.mark.parametrize("name", [n for n in make_strategies() if n != "badge-kdpp"])
def test_the_whole_pool_and_a_pool_of_copies(name, fitted):
    assert sorted(fitted[name].query(POOL, n=50)) == list(range(50))
    copies = np.zeros((12, 3))
    assert sorted(fitted[name].query(copies, n=12)) == list(range(12))


@pytest.mark.parametrize("quota", [None, "balanced"])
def test_a_net_that_is_too_sure_of_each_row_is_told(quota):
    learner = make_learner(BADGE(per_class=quota)).fit(X, Y)
    with torch.no_grad():
        for parameter in learner.estimator_.module_.parameters():
            parameter.mul_(1e4)
    with pytest.warns(UserWarning, match="of all rows are 0: the net is so sure of"):
        learner.query(POOL, n=3)


def test_default_is_one_row(fitted):
    assert fitted["badge"].query(POOL).shape == (1,)
    assert fitted["badge"].query(POOL, np.int64(2)).shape == (2,)


@pytest.mark.parametrize("name", make_strategies())
def test_mask_positions_and_shuffled_positions_are_the_same_candidates(name, fitted):
    mask = np.arange(50) % 3 == 1
    positions = np.flatnonzero(mask)
    learner = fitted[name]
    first = learner.query(POOL, n=5, candidates=mask)
    assert mask[first].all()
    assert_array_equal(learner.query(POOL, n=5, candidates=positions), first)
    assert_array_equal(learner.query(POOL, n=5, candidates=positions[::-1]), first)
    assert_array_equal(learner.query(POOL, n=5, candidates=mask.tolist()), first)
    # The same rows as a pool of their own: the same choice, other numbers.
    assert_array_equal(positions[learner.query(POOL[mask], n=5)], first)
    assert_array_equal(learner.last_selection_.indices, learner.query(POOL[mask], n=5))


def test_last_selection_speaks_of_the_pool(fitted):
    learner = fitted["marg"]
    indices = learner.query(POOL, n=4, candidates=np.arange(30, 50))
    assert (indices >= 30).all()
    assert_array_equal(learner.last_selection_.indices, indices)
    indices[:] = -1
    assert (learner.last_selection_.indices >= 30).all()


def test_all_candidates_are_no_candidates(fitted):
    everything = np.ones(50, dtype=bool)
    for learner in fitted.values():
        assert_array_equal(
            learner.query(POOL, n=4, candidates=everything), learner.query(POOL, n=4)
        )


def test_only_candidates_reach_the_net(fitted):
    pool = POOL.copy()
    pool[:40] = np.nan
    indices = fitted["badge"].query(pool, n=3, candidates=np.arange(40, 50))
    assert (indices >= 40).all()


def test_subsample(fitted):
    learner = fitted["rand"]
    seen = learner.query(POOL, n=5, subsample=5)
    assert sorted(seen) == sorted(learner.query(POOL, n=5, subsample=0.1))
    mask = np.arange(50) < 20
    assert sorted(learner.query(POOL, n=20, candidates=mask, subsample=1.0)) == list(
        range(20)
    )
    assert (learner.query(POOL, n=9, candidates=mask, subsample=0.5) < 20).all()
    # The best of the share, not of the pool.
    best = fitted["marg"].query(POOL, n=1, subsample=10)
    scores = _margins(fitted["marg"], POOL)
    share = fitted["marg"].query(POOL, n=10, subsample=10)
    assert best[0] == share[np.argmax(scores[share])]


@pytest.mark.parametrize("subsample", [0, 51, -1, 0.0, 1.5, True, "half", np.nan])
def test_bad_subsample(subsample, fitted):
    with pytest.raises(InvalidInputError, match="subsample must be a"):
        fitted["badge"].query(POOL, n=2, subsample=subsample)


def _margins(learner, pool):
    top = np.sort(learner.predict_proba(pool), axis=1)
    return top[:, -2] - top[:, -1]


def test_scores_of_uncertainty(fitted):
    proba = fitted["conf"].predict_proba(POOL).astype(np.float64)
    expected = {
        "conf": 1 - proba.max(axis=1),
        "marg": _margins(fitted["conf"], POOL),
        "entropy": -(proba * np.log(proba)).sum(axis=1),
    }
    for name, scores in expected.items():
        indices = fitted[name].query(POOL, n=10)
        assert_allclose(
            fitted[name].last_selection_.scores, scores[indices], rtol=1e-4, atol=1e-6
        )
        assert_allclose(
            np.sort(scores)[::-1][:10], scores[indices], rtol=1e-4, atol=1e-6
        )


def test_scores_of_core_set_are_distances_at_choice(fitted):
    learner = fitted["coreset"]
    features, known = _features(learner, POOL), _features(learner, X)
    indices = learner.query(POOL, n=6)
    for i, score in zip(indices, learner.last_selection_.scores, strict=True):
        distances = np.linalg.norm(features[:, None] - known[None], axis=2).min(axis=1)
        assert_allclose(score, distances[i], rtol=1e-4)
        assert_allclose(score, distances.max(), rtol=1e-4)
        known = np.concatenate([known, features[i : i + 1]])


def _features(learner, rows):
    module = learner.estimator_.module_.eval()
    with torch.no_grad():
        return module.body(torch.from_numpy(rows).float()).numpy().astype(np.float64)


@pytest.mark.parametrize("name", ["badge", "badge-max-norm", "badge-norm"])
def test_scores_of_badge_are_squared_distances_at_choice(name, fitted):
    learner = fitted[name]
    proba = learner.predict_proba(POOL).astype(np.float64)
    residual = proba - np.eye(3)[proba.argmax(axis=1)]
    features = _features(learner, POOL)
    g = (residual[:, :, None] * features[:, None, :]).reshape(len(POOL), -1)
    indices = learner.query(POOL, n=6)
    scores = learner.last_selection_.scores
    assert_allclose(scores[0], (g[indices[0]] ** 2).sum(), rtol=1e-4)
    if name == "badge-max-norm":
        assert_allclose(scores[0], (g**2).sum(axis=1).max(), rtol=1e-4)
    for j in range(1, 6):
        d2 = ((g[indices[j]] - g[indices[:j]]) ** 2).sum(axis=1).min()
        assert_allclose(scores[j], d2, rtol=1e-3, atol=1e-7)


def test_scores_that_are_not_there(fitted):
    for name in ("rand", "badge-kdpp"):
        fitted[name].query(POOL, n=3)
        assert fitted[name].last_selection_.scores is None


def test_albl_shows_the_scores_of_the_arm_it_drew(fitted):
    learner = fitted["albl"]
    indices = learner.query(POOL, n=3)
    selection = learner.last_selection_
    arm = ["conf", "coreset"][selection.arm]
    scores = fitted[arm]
    scores.query(POOL, n=3)
    assert_allclose(selection.scores, scores.last_selection_.scores)
    assert_array_equal(indices, scores.last_selection_.indices)


def test_cold_start_with_a_strategy_that_needs_no_model():
    learner = make_learner(RandomSampling())
    first = learner.query(POOL, n=10)
    assert len(set(first.tolist())) == 10
    assert_array_equal(learner.query(POOL, n=10), first)
    assert not hasattr(learner, "estimator_")
    assert not hasattr(learner, "n_features_in_")
    learner.teach(POOL[first], POOL_Y[first], indices=first)
    assert learner.n_labeled_ == 10


def test_cold_start_checks_what_it_is_given():
    learner = make_learner(RandomSampling())
    with pytest.raises(InvalidInputError, match="n must be at most"):
        learner.query(POOL, n=51)
    with pytest.raises(InvalidInputError, match="X must be a NumPy array"):
        learner.query(3)
    first = learner.query(POOL, n=2)
    with pytest.raises(InvalidInputError, match="indices must hold 2 int positions"):
        learner.teach(POOL[first], POOL_Y[first], indices=first[:1])
    assert not hasattr(learner, "X_")


def test_cold_start_behind_a_step_that_needs_labels():
    pipeline = make_pipeline(SelectKBest(k=3), make_net())
    learner = make_learner(KMeansSampling(features="input"), net=pipeline)
    with pytest.raises(
        InvalidInputError, match="without labels. Got ValueError: .* RandomSampling"
    ):
        learner.query(POOL, n=2)


@pytest.mark.parametrize(
    "strategy", [None, BADGE(), CoreSet(), LeastConfidence(), ALBL()]
)
def test_others_need_a_fit_first(strategy):
    with pytest.raises(LearnerNotFittedError, match="Call fit\\(X, y\\) with some"):
        make_learner(strategy).query(POOL, n=2)


def test_query_of_rows_that_cannot_be_written():
    pool = POOL.copy()
    pool.flags.writeable = False
    learner = make_learner().fit(X, Y)
    assert len(learner.query(pool, n=3)) == 3


def test_frames_keep_their_index_to_themselves():
    frame = pd.DataFrame(POOL, columns=["a", "b", "c"], index=np.arange(50)[::-1] + 7)
    learner = make_learner(net=make_pipeline(StandardScaler(), make_net()))
    learner.fit(frame.iloc[:20], POOL_Y[:20])
    plain = make_learner(net=make_pipeline(StandardScaler(), make_net()))
    plain.fit(POOL[:20], POOL_Y[:20])
    indices = learner.query(frame, n=4)
    assert_array_equal(indices, plain.query(POOL, n=4))
    learner.teach(frame.iloc[indices], POOL_Y[indices])
    assert learner.X_.index[20:].tolist() == frame.index[indices].tolist()


def test_layer_can_be_named_after_the_fit():
    learner = make_learner(net=make_net(Tiny)).fit(X, Y)
    first = learner.query(POOL, n=3)
    assert_array_equal(learner.set_params(layer="head").query(POOL, n=3), first)


@pytest.mark.parametrize("strategy", [MarginSampling(), EntropySampling()])
def test_strategies_without_features_need_no_layer(strategy):
    net = make_net(NoLinear)
    learner = make_learner(strategy, net=net).fit(X, Y)
    assert len(learner.query(POOL, n=2)) == 2


class NoLinear(torch.nn.Module):
    """Ends in a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(1, 3, 3)

    def forward(self, X):
        return self.conv(X[:, None]).squeeze(2)

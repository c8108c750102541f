"""Pools on worker processes give the picks of one machine, whatever happens there."""

import threading
import time

import dask
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadge import (
    ALBL,
    BADGE,
    BAIT,
    BALD,
    ActiveLearner,
    ContrastiveAL,
    CoreSet,
    EntropySampling,
    KMeansSampling,
    MarginSampling,
    MaxHerding,
    PenultimateFeatures,
    RandomSampling,
    StochasticTopK,
    TypiClust,
    UHerding,
)
from skbadge.cluster._engine import as_pool
from skbadge.exceptions import InvalidInputError, PoolPassError
from tests.cluster._cluster import (
    KNOWN,
    X,
    Y,
    in_parts,
    local_client,
    make_learner,
    make_net,
)

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
STRATEGIES = [
    BADGE(),
    BADGE(first="max-norm"),
    BADGE(sampler="log-det"),
    CoreSet(),
    MarginSampling(),
    EntropySampling(),
    RandomSampling(),
    StochasticTopK(MarginSampling()),
    ContrastiveAL(),
    BALD(source="laplace"),
    ALBL(),
]
# Their sums over all rows are added up in another order, part by part.
SUMMED = [
    BAIT(),
    BAIT("top", oversample=1.0),
    MaxHerding(length_scale=0.5),
    UHerding(n_targets=400),
]


@pytest.fixture(scope="module")
def client():
    with local_client() as client:
        yield client


@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
def test_picks_are_those_of_one_machine(client, strategy):
    learner = make_learner(strategy)
    expected = learner.query(X, n=40)
    scores = learner.last_selection_.scores
    for lengths in ((384, 128, 640, 48), (1200,), (128,) * 9 + (48,)):
        found = learner.query(in_parts(lengths), n=40)
        np.testing.assert_array_equal(found, expected)
        if scores is not None:
            # One machine sweeps a small pool whole, where parts answer for some rows:
            # the same distances, rounded in another place of a float32.
            found = learner.last_selection_.scores
            np.testing.assert_allclose(found, scores, rtol=1e-5)
    assert learner.query(in_parts((1200,)), n=3).tolist() == expected[:3].tolist()


@pytest.mark.parametrize("strategy", SUMMED, ids=repr)
def test_picks_by_sums_over_rows_are_those_of_one_machine(client, strategy):
    learner = make_learner(strategy)
    expected = learner.query(X, n=30)
    scores = learner.last_selection_.scores
    found = learner.query(in_parts((384, 128, 640, 48)), n=30)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(learner.last_selection_.scores, scores, rtol=1e-5)
    assert learner.traffic_.rounds < 30


def test_more_rows_to_take_back_than_there_are(client):
    """What is chosen at first is no more than the pool, and needs no more memory."""
    learner = make_learner(BAIT("top", oversample=1e9))
    expected = learner.query(X[:24], n=6)
    found = learner.query(in_parts((14, 10), X[:24]), n=6)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "strategy",
    [
        BADGE(),
        BADGE(sampler="log-det"),
        CoreSet(),
        EntropySampling(),
        BAIT(),
        MaxHerding(length_scale=0.5),
    ],
    ids=repr,
)
def test_parts_that_end_within_batches(client, strategy):
    """The net answers with other last digits: picks stay where no rows tie to them."""
    learner = make_learner(strategy)
    expected = learner.query(X, n=30)
    scores = learner.last_selection_.scores
    np.testing.assert_array_equal(learner.query(in_parts((317, 883)), n=30), expected)
    if scores is not None:
        found = learner.last_selection_.scores
        np.testing.assert_allclose(found, scores, rtol=1e-5)


def test_uherding_over_parts_that_end_within_batches(client):
    """Its picks may be others, which add as much, as the guide says."""
    learner = make_learner(UHerding(n_targets=400))
    learner.query(X, n=30)
    expected = learner.last_selection_.scores.sum()
    learner.query(in_parts((317, 883)), n=30)
    assert learner.last_selection_.scores.sum() == pytest.approx(expected, rel=1e-3)
    # Rows that add less are told apart.
    learner.query(X, n=30, candidates=np.arange(600))
    assert learner.last_selection_.scores.sum() != pytest.approx(expected, rel=1e-3)


def test_candidates_and_shares(client):
    learner = make_learner()
    pool = in_parts((512, 512, 176))
    mask = np.zeros(len(X), dtype=bool)
    mask[100:700:3] = True
    expected = learner.query(X, n=20, candidates=mask)
    found = learner.query(pool, n=20, candidates=mask)
    assert mask[found].all()
    np.testing.assert_array_equal(found, expected)
    found = learner.query(pool, n=20, subsample=0.3)
    np.testing.assert_array_equal(found, learner.query(X, n=20, subsample=0.3))


def test_frames_through_a_pipeline_and_files(client, tmp_path):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pipe = make_pipeline(StandardScaler(), make_net())
    learner = ActiveLearner(pipe, random_state=0).fit(frame[:KNOWN], Y[:KNOWN])
    frame.iloc[:512].to_parquet(tmp_path / "0.parquet")
    frame.iloc[512:].to_parquet(tmp_path / "1.parquet")
    pool = dd.read_parquet([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    expected = learner.query(frame, n=15)
    np.testing.assert_array_equal(learner.query(pool, n=15), expected)
    with pytest.raises(InvalidInputError, match="must have the columns"):
        learner.query(pool[["b", "a", "c", "d", "e", "f"]], n=2)


def test_lists_of_delayed_parts(client, tmp_path):
    learner = make_learner()
    names = []
    for i, part in enumerate((X[:256], X[256:1024], X[1024:])):
        names.append(str(tmp_path / f"{i}.npy"))
        np.save(names[-1], part)
    pool = [dask.delayed(np.load)(name) for name in names]
    np.testing.assert_array_equal(learner.query(pool, n=15), learner.query(X, n=15))
    wrong = [dask.delayed(np.load)(names[0]), dask.delayed(np.load)("nowhere.npy")]
    with pytest.raises(FileNotFoundError):
        learner.query(wrong, n=2)


def test_predictions_are_dask_arrays(client):
    learner = make_learner()
    pool = in_parts((384, 816))
    proba = learner.predict_proba(pool)
    assert proba.shape == (1200, 3) and proba.chunks[0] == (384, 816)
    np.testing.assert_allclose(proba.compute(), learner.predict_proba(X), atol=1e-6)
    labels = learner.predict(pool).compute()
    np.testing.assert_array_equal(labels, learner.predict(X))
    frames = dd.from_pandas(pd.DataFrame(X), npartitions=2)
    unknown = learner.predict([part.to_numpy() for part in frames.to_delayed()])
    np.testing.assert_array_equal(unknown.compute(), labels)


def test_features_are_dask_arrays(client):
    features = PenultimateFeatures(make_net(), random_state=0).fit(X, Y)
    found = features.transform(in_parts((384, 816)))
    assert found.shape == (1200, 8) and found.dtype == np.float32
    np.testing.assert_allclose(found.compute(), features.transform(X), atol=1e-6)


def test_traffic_is_counted(client):
    learner = make_learner()
    learner.query(in_parts((600, 600)), n=30)
    traffic = learner.traffic_
    row = 4 * (3 + 8) + 16  # factors and their squared norms
    assert 2 < traffic.rounds < 12
    # What the parts keep of measuring their rows is not waited for.
    assert traffic.messages <= 2 * traffic.rounds + 2
    assert 8 * len(X) < traffic.bytes_up < 8 * len(X) + traffic.rounds * 64 * row


def test_strategies_that_read_tables_whole_are_refused(client):
    learner = make_learner(BADGE(sampler="k-dpp"))
    with pytest.raises(InvalidInputError, match="lies on several machines: it reads"):
        learner.query(in_parts((600, 600)), n=3)
    # Said before the net is run.
    assert learner.timings_.keys() == {"fit"}


@pytest.mark.parametrize(
    ("strategy", "width"),
    [(BADGE(sampler="k-dpp"), 3 + 8), (KMeansSampling(), 8), (TypiClust(), 8)],
    ids=repr,
)
def test_they_choose_from_a_share_that_one_machine_holds(client, strategy, width):
    learner = make_learner(strategy)
    expected = learner.query(X, n=12, subsample=300)
    found = learner.query(in_parts((500, 700)), n=12, subsample=300)
    np.testing.assert_array_equal(found, expected)
    # The tables of the share, and nothing else.
    # The tables, and the marks of the chosen.
    assert learner.traffic_.bytes_up == 300 * 4 * width + 8 * 12


def test_wrong_pools(client):
    learner = make_learner()
    with pytest.raises(InvalidInputError, match="X has 5 features, but ActiveLearner"):
        learner.query(in_parts((600, 600))[:, :5], n=3)
    with pytest.raises(InvalidInputError, match="must be a dask array, a dask DataFra"):
        learner.query(dask.bag.from_sequence([1, 2]), n=1)
    with pytest.raises(InvalidInputError, match="labelled rows must be on this machi"):
        make_learner().fit(in_parts((600, 600)), Y)
    with pytest.raises(InvalidInputError, match="n must be"):
        learner.query(in_parts((600, 600)), n=1201)


def held(client):
    return {key for keys in client.has_what().values() for key in keys}


def test_what_the_workers_hold_is_freed(client):
    learner = make_learner()
    before = held(client)
    learner.query(in_parts((600, 600)), n=5)
    deadline = time.monotonic() + 10
    while held(client) - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert held(client) <= before


def test_a_scheduler_that_goes_away():
    learner = make_learner(seconds=0.2)
    with local_client(1) as client:
        pool = as_pool(in_parts((128,) * 9 + (48,)))
        timer = threading.Timer(0.8, client.cluster.close)
        timer.start()
        with pytest.raises(PoolPassError, match="scheduler cannot be reached any more"):
            learner.query(pool, n=5)
        timer.join()
    assert len(learner.query(X, n=5)) == 5


def test_without_a_client(monkeypatch):
    monkeypatch.setattr("dask.distributed.get_client", _no_client)
    with pytest.raises(InvalidInputError, match="needs a Dask client. Got none"):
        make_learner().query(in_parts((600, 600)), n=2)


def _no_client():
    raise ValueError("no global client")

"""What needs a client but no processes of its own: readers, errors, progress."""

import threading
import time

import dask
import numpy as np
import pytest
import torch
from dask.distributed import Client
from sklearn.frozen import FrozenEstimator

from skbadge import CoreSet, PenultimateFeatures
from skbadge._contracts import Head
from skbadge.cluster import _engine, _pass
from skbadge.cluster._engine import DaskShards
from skbadge.exceptions import InvalidInputError, PoolPassError
from tests.cluster._cluster import X, Y, in_parts, make_learner, make_net

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
LENGTHS = (384, 128, 640, 48)
READS = []


def read_rows(start, stop):
    READS.append(start)
    return X[start:stop]


@pytest.fixture(scope="module")
def client():
    settings = {"logging.distributed": "error"}
    with (
        dask.config.set(settings),
        Client(
            processes=False,
            n_workers=1,
            threads_per_worker=2,
            dashboard_address=":0",
            silence_logs=50,
        ) as client,
    ):
        yield client


@pytest.mark.usefixtures("client")
def test_readers_with_known_lengths_read_once():
    READS.clear()
    ends = np.cumsum(LENGTHS)
    starts = ends - LENGTHS
    parts = [
        (dask.delayed(read_rows)(int(low), int(high)), int(high - low))
        for low, high in zip(starts, ends, strict=True)
    ]
    learner = make_learner()
    np.testing.assert_array_equal(learner.query(parts, n=20), learner.query(X, n=20))
    assert sorted(READS) == starts.tolist()
    proba = learner.predict_proba(parts)
    assert proba.chunks[0] == LENGTHS
    wrong = [parts[0], (parts[1][0], 100)]
    with pytest.raises(PoolPassError, match="Part 1 of the pool must have the 100 row"):
        learner.query(wrong, n=2)
    with pytest.raises(InvalidInputError, match="length of a part must be an int"):
        learner.query([(parts[0][0], 2.5)], n=2)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.usefixtures("client")
def test_a_part_that_cannot_be_read_is_named(known):
    parts = [dask.delayed(X[:300]), dask.delayed(np.load)("nowhere.npy")]
    if known:
        parts = [(part, 300) for part in parts]
    with pytest.raises(FileNotFoundError) as caught:
        make_learner().query(parts, n=2)
    assert caught.value.__notes__ == ["Part 1 of the pool, rows from 300 on, was read."]


@pytest.mark.usefixtures("client")
def test_rows_done_are_shown(monkeypatch):
    class Bar(_engine.tqdm):
        def close(self):
            seen.append((self.n, self.total))
            super().close()

    seen = []
    monkeypatch.setattr(_engine, "tqdm", Bar)
    learner = make_learner()
    learner.set_params(verbose=1)
    learner.query(in_parts(LENGTHS), n=5)
    assert seen[0] == (1200, 1200)


def test_no_worker_is_left():
    settings = {"distributed.scheduler.no-workers-timeout": "1s"}
    with (
        dask.config.set(settings),
        Client(processes=False, n_workers=0, dashboard_address=":0", silence_logs=50),
        pytest.raises(PoolPassError, match="No worker is left for the parts"),
    ):
        make_learner().query(in_parts(LENGTHS), n=5)


def test_an_interrupt_of_the_choice_frees_the_workers(client, monkeypatch):
    before = {key for keys in client.has_what().values() for key in keys}
    plain, calls = DaskShards.run, []

    def interrupted(shards, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(shards, *arguments)

    monkeypatch.setattr(DaskShards, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_learner().query(in_parts(LENGTHS), n=5)
    calls.clear()
    deadline = time.monotonic() + 20
    held = before | {None}
    while not held <= before and time.monotonic() < deadline:
        time.sleep(0.05)
        held = {key for keys in client.has_what().values() for key in keys}
    assert held <= before


@pytest.mark.usefixtures("client")
def test_a_worker_of_two_threads_runs_one_part_at_a_time(monkeypatch):
    plain, running, most = _pass.collect_outputs, [], []

    def watched(*arguments, **settings):
        running.append(threading.get_ident())
        most.append(len(running))
        try:
            return plain(*arguments, **settings)
        finally:
            running.remove(threading.get_ident())

    learner = make_learner(seconds=0.01)
    monkeypatch.setattr(_pass, "collect_outputs", watched)
    first = learner.query(in_parts(LENGTHS), n=5)
    assert len(most) == len(LENGTHS) and max(most) == 1
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=5), first)


@pytest.mark.usefixtures("client")
def test_what_is_told_lies_in_the_memory_of_the_processor(monkeypatch):
    """With stand-ins for tensors of a GPU: no test here has one."""

    class Elsewhere:
        def cpu(self):
            return "here"

    assert _pass._on_host(Elsewhere()) == "here"
    assert _pass._on_host(Head(Elsewhere(), None)) == Head("here", None)
    plain, moved = _pass._on_host, []

    def watched(value):
        moved.append(type(value))
        return plain(value)

    monkeypatch.setattr(_pass, "_on_host", watched)
    make_learner(CoreSet()).query(in_parts(LENGTHS), n=5)
    # The features of the labelled rows are compared with rows that were fetched.
    assert torch.Tensor in moved


@pytest.mark.usefixtures("client")
def test_features_come_in_the_dtype_of_the_module():
    net = make_net().set_params(module__seconds=0.0)
    net.initialize()
    net.module_.double()
    features = PenultimateFeatures(FrozenEstimator(net)).fit(X.astype(float), Y)
    pool = in_parts(LENGTHS, X.astype(float))
    found = features.transform(pool)
    assert found.dtype == found.compute().dtype == np.float64

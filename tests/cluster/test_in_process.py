"""What needs a client but no processes of its own: scores, progress, interrupts."""

import ast
import signal
import threading
import time
from pathlib import Path

import dask
import numpy as np
import pytest
import torch
from dask.distributed import Client
from sklearn.frozen import FrozenEstimator
from skorch import NeuralNetClassifier

import skbadge.cluster
from skbadge import (
    BALD,
    ActiveLearner,
    BatchBALD,
    ContrastiveAL,
    CoreSet,
    PenultimateFeatures,
    StochasticTopK,
)
from skbadge._contracts import Head
from skbadge.cluster import _engine, _pass
from skbadge.cluster._engine import DaskShards
from skbadge.exceptions import (
    InvalidInputError,
    PoolPassError,
)
from skbadge.strategies import Needs, ScoreSampling, Traits
from tests.cluster._cluster import (
    KNOWN,
    LENGTHS,
    X,
    Y,
    in_parts,
    make_learner,
    make_net,
    two_parts,
)

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class WithDropout(torch.nn.Module):
    """A net whose dropout can draw."""

    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(6, 16), torch.nn.Linear(16, 3)
        self.drop = torch.nn.Dropout(0.4)

    def forward(self, rows):
        return self.head(self.drop(torch.relu(self.body(rows))))


def with_dropout(strategy):
    net = NeuralNetClassifier(
        WithDropout, criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0
    )
    learner = ActiveLearner(net, strategy=strategy, random_state=0)
    return learner.fit(X[:KNOWN], Y[:KNOWN])


@pytest.mark.usefixtures("client")
def test_draws_of_a_share_are_read_together():
    learner = with_dropout(BatchBALD())
    expected = learner.query(X, n=4, subsample=90)
    found = learner.query(in_parts(LENGTHS), n=4, subsample=90)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("strategy", [BALD(), StochasticTopK(BALD())], ids=repr)
@pytest.mark.usefixtures("client")
def test_dropout_draws_the_same_for_all_parts(strategy):
    learner = with_dropout(strategy)
    expected = learner.query(X, n=30)
    scores = learner.last_selection_.scores
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=30), expected)
    np.testing.assert_allclose(learner.last_selection_.scores, scores, rtol=1e-6)
    # One number a row, and not the draws.
    assert learner.traffic_.bytes_up == 8 * len(X) + 8 * 30


class FarFromTheMean(ScoreSampling):
    """A score that rests on all rows, and declares nothing."""

    needs = Needs(proba=True)

    def _score(self, outputs):
        return -(outputs.proba[:, 0] - outputs.proba[:, 0].mean()).abs()


@pytest.mark.parametrize(
    "strategy",
    [FarFromTheMean(), StochasticTopK(FarFromTheMean(), law="softmax")],
    ids=["alone", "drawn"],
)
@pytest.mark.usefixtures("client")
def test_a_score_that_declares_nothing_is_refused(strategy):
    learner = make_learner(strategy)
    with pytest.raises(InvalidInputError) as caught:
        learner.query(in_parts(LENGTHS), n=5)
    assert "declares that by traits = Traits(on_cluster=True)" in str(caught.value)
    found = learner.query(in_parts(LENGTHS), n=5, subsample=300)
    np.testing.assert_array_equal(found, learner.query(X, n=5, subsample=300))


class ByTheHead(ScoreSampling):
    """A score of the row alone, of all that a row may be compared with."""

    needs = Needs(features=True, head=True, labeled=Needs(features=True))
    traits = Traits(needs_labels=True, on_cluster=True)

    def _score(self, outputs):
        logits = outputs.features @ outputs.head.weight.T + outputs.head.bias
        center = outputs.labeled.features.mean(dim=0)
        return logits.amax(dim=1) + (outputs.features - center).square().sum(dim=1)


@pytest.mark.usefixtures("client")
def test_a_score_that_declares_its_rows_reads_head_and_labelled_rows():
    learner = make_learner(ByTheHead())
    expected = learner.query(X, n=30)
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=30), expected)


class OfTheLastClass(ScoreSampling):
    """A score of the row alone that asks for a class by its name."""

    needs = Needs(proba=True)
    traits = Traits(on_cluster=True)

    def _score(self, outputs):
        return outputs.proba[:, outputs.classes.tolist().index(2)]


@pytest.mark.usefixtures("client")
def test_a_score_reads_the_names_of_the_classes():
    learner = make_learner(OfTheLastClass())
    expected = learner.query(X, n=30)
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=30), expected)


@pytest.mark.usefixtures("client")
def test_labelled_rows_go_out_once():
    learner = make_learner(ContrastiveAL())
    sent = []
    for lengths in (LENGTHS, (48,) * 25):
        learner.query(in_parts(lengths), n=3)
        sent.append(learner.traffic_.bytes_down)
        # The scores, and the marks of the chosen.
        assert learner.traffic_.rounds == 2
    known = 4 * KNOWN * (3 + 8)
    assert all(known < size < 1.5 * known for size in sent)


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.usefixtures("client")
def test_rows_done_are_shown(monkeypatch, verbose):
    class Bar(_engine.tqdm):
        def __init__(self, **settings):
            super().__init__(**settings)
            bars.append(self)
            self.steps, self.is_shown = [], not self.disable

        def update(self, n=1):
            self.steps.append(n)
            super().update(n)

    bars = []
    monkeypatch.setattr(_engine, "tqdm", Bar)
    learner = make_learner()
    learner.set_params(verbose=verbose)
    learner.query(in_parts(LENGTHS), n=5)
    (bar,) = bars
    assert bar.total == 1200 and sorted(bar.steps) == sorted(LENGTHS)
    assert bar.is_shown == bool(verbose)


def test_no_worker_is_left():
    settings = {"distributed.scheduler.no-workers-timeout": "1s"}
    with (
        dask.config.set(settings),
        Client(processes=False, n_workers=0, dashboard_address=":0", silence_logs=50),
        pytest.raises(PoolPassError, match="No worker is left for the parts"),
    ):
        make_learner().query(in_parts(LENGTHS), n=5)


def held(client):
    """Return what the workers hold, and what they are to run."""
    stored, running = client.has_what(), client.processing()
    return {key for keys in (*stored.values(), *running.values()) for key in keys}


def await_freed(client, before, seconds):
    deadline = time.monotonic() + seconds
    while held(client) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(client) <= before


@pytest.fixture
def quiet(client):
    """Wait for what other tests have left; return what is held all the same."""
    deadline = time.monotonic() + 10
    while held(client) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held(client)


@pytest.mark.parametrize("call", [1, 3, 6])
def test_an_interrupt_of_the_choice_frees_the_workers(client, quiet, monkeypatch, call):
    plain, calls = DaskShards.run, []

    def interrupted(shards, *arguments):
        calls.append(None)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(shards, *arguments)

    monkeypatch.setattr(DaskShards, "run", interrupted)
    # The traceback is kept, as a notebook does, and with it all that it names.
    with pytest.raises(KeyboardInterrupt) as caught:
        make_learner().query(in_parts(LENGTHS), n=200)
    await_freed(client, quiet, 10)
    assert caught.tb is not None


def read_slowly(start, stop):
    threading.Event().wait(0.3)
    return X[start:stop]


@pytest.mark.parametrize("known", [False, True], ids=["counting", "pass"])
def test_an_interrupt_of_reading_frees_the_workers(
    client, quiet, default_sigint, known
):
    """Forty parts take six seconds; those that run when it comes take part of one."""
    parts = [dask.delayed(read_slowly)(i, i + 30) for i in range(0, 1200, 30)]
    pool = [(part, 30) for part in parts] if known else parts
    learner = make_learner()
    timer = threading.Timer(0.7, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        learner.query(pool, n=5)
    timer.join()
    await_freed(client, quiet, 4)
    assert caught.tb is not None


def test_an_error_frees_the_workers(client, quiet):
    parts = two_parts(dask.delayed(X[:200]), known=True)
    with pytest.raises(PoolPassError, match="must have the 300 rows") as caught:
        make_learner().query(parts, n=5)
    await_freed(client, quiet, 10)
    assert caught.tb is not None


@pytest.mark.parametrize("closed", [False, True], ids=["closing", "closed"])
def test_a_scheduler_that_goes_away_during_the_choice(monkeypatch, closed):
    """A client that closes takes tasks of which it will never say anything."""
    plain, calls = DaskShards.run, []
    learner = make_learner()
    pool = in_parts(LENGTHS)
    with (
        dask.config.set({"logging.distributed": "critical"}),
        Client(
            processes=False, n_workers=1, dashboard_address=":0", silence_logs=50
        ) as own,
    ):

        def left_alone(shards, *arguments):
            calls.append(None)
            if len(calls) == 3:
                own.cluster.close()
                while closed and own.status != "closed":
                    time.sleep(0.01)
            return plain(shards, *arguments)

        monkeypatch.setattr(DaskShards, "run", left_alone)
        with pytest.raises(PoolPassError, match="scheduler cannot be reached any more"):
            learner.query(pool, n=5)
    assert len(calls) == 3


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


@pytest.fixture
def one_thread():
    """Let torch begin with one thread, whatever this machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def count_threads(rows):
    return np.full(len(rows), torch.get_num_threads())


@pytest.mark.usefixtures("one_thread")
def test_torch_has_as_many_threads_as_the_worker(client, monkeypatch):
    plain, counts = _pass.collect_outputs, []

    def watched(*arguments, **settings):
        counts.append(torch.get_num_threads())
        return plain(*arguments, **settings)

    monkeypatch.setattr(_pass, "collect_outputs", watched)
    make_learner().query(in_parts(LENGTHS), n=5)
    assert counts == [2] * len(LENGTHS) and torch.get_num_threads() == 1
    lazy = _pass.predict_sharded(count_threads, in_parts((600, 600)), (), np.dtype(int))
    assert client.compute(lazy, sync=True).tolist() == [2] * 1200
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler")
def test_torch_keeps_its_threads_outside_of_a_worker():
    """Old Dask warns of a scheduler of one process beside a client."""
    lazy = _pass.predict_sharded(count_threads, in_parts((600, 600)), (), np.dtype(int))
    torch.set_num_threads(3)
    with dask.config.set(scheduler="synchronous"):
        assert lazy.compute().tolist() == [3] * 1200
    assert _engine.n_cores() is None and torch.get_num_threads() == 3


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


@pytest.mark.usefixtures("client")
def test_lazy_answers_are_those_of_the_model_that_was_asked():
    features = PenultimateFeatures(make_net(), random_state=0).fit(X, Y)
    learner = make_learner()
    expected = features.transform(X), learner.predict_proba(X), learner.predict(X)
    pool = in_parts(LENGTHS)
    lazy = features.transform(pool), learner.predict_proba(pool), learner.predict(pool)
    features.set_params(random_state=1).fit(X[::-1], Y)
    learner.teach(X[60:120], Y[60:120])
    assert not np.allclose(features.transform(X), expected[0], atol=1e-3)
    assert not np.allclose(learner.predict_proba(X), expected[1], atol=1e-3)
    for answer, known in zip(lazy, expected, strict=True):
        np.testing.assert_allclose(answer.compute(), known, atol=1e-6)


def test_one_module_knows_the_engine():
    """So that another engine replaces one module, as the guide says."""
    engines = set()
    for path in Path(skbadge.cluster.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in getattr(node, "names", ())]
            names = [getattr(node, "module", None) or "", *names]
            if {name.split(".")[0] for name in names} & {"dask", "distributed"}:
                engines.add(path.name)
    assert engines == {"_engine.py"}

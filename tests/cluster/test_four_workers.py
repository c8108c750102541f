"""Four worker processes: the picks of one machine, also where some are killed."""

import os
import signal
import threading

import numpy as np
import pytest

from skbadge import (
    BADGE,
    BAIT,
    CoreSet,
    EntropySampling,
    MaxHerding,
    StochasticTopK,
    UHerding,
)
from skbadge.cluster import _engine
from tests.cluster._cluster import in_parts, local_client, make_learner, make_rows

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
LENGTHS = (128,) * 9 + (48,)


@pytest.fixture(scope="module")
def client():
    with local_client(4) as client:
        yield client


@pytest.mark.parametrize(("seed", "n"), [(1, 700), (2, 1200), (3, 1530)])
@pytest.mark.usefixtures("client")
def test_three_pools_and_five_strategies(seed, n):
    rows, _ = make_rows(seed, n)
    lengths = (*(256,) * (n // 256), n % 256)
    margins = StochasticTopK(EntropySampling())
    for strategy in (BADGE(), CoreSet(), margins, BAIT(), MaxHerding(n_targets=300)):
        learner = make_learner(strategy)
        expected = learner.query(rows, n=25)
        found = learner.query(in_parts(lengths, rows), n=25)
        np.testing.assert_array_equal(found, expected, err_msg=repr(strategy))


class KillAt:
    """Kill a worker so many seconds after so many events of a query.

    An event is a part that was run, or a call of parts in the choice: with them a
    moment is the same share of a query on a fast machine and on a slow one. The next
    event waits until the worker is dead, so that it does not outlive the query.
    """

    def __init__(self, monkeypatch, client, event, seconds, worker):
        self.left, self.seconds, self.after = event, seconds, 0
        pids = sorted(client.run(os.getpid).values())
        self.pid = pids[worker % len(pids)]
        self.timer = None
        plain_update, plain_keep = _engine.tqdm.update, _engine.DaskShards.keep

        def update(bar, *arguments):
            self.count()
            return plain_update(bar, *arguments)

        def keep(shards, *arguments):
            self.count()
            return plain_keep(shards, *arguments)

        monkeypatch.setattr(_engine.tqdm, "update", update)
        monkeypatch.setattr(_engine.DaskShards, "keep", keep)

    def count(self):
        if self.timer is not None:
            self.timer.join()
            self.after += 1
        self.left -= 1
        if self.left == 0:
            self.timer = threading.Timer(
                self.seconds, os.kill, [self.pid, signal.SIGKILL]
            )
            self.timer.start()


def kill_and_compare(monkeypatch, client, strategy, event, seconds, worker):
    learner = make_learner(strategy, seconds=0.02)
    rows, _ = make_rows()
    expected = learner.query(rows, n=30)
    if len(client.ncores()) < 3:
        # Dask gives a worker up that takes too long to start again.
        client.cluster.scale(0)
        client.cluster.scale(4)
        client.wait_for_workers(3, timeout=300)
    killer = KillAt(monkeypatch, client, event, seconds, worker)
    found = learner.query(in_parts(LENGTHS), n=30)
    assert killer.after > 0, "the query went on after the death"
    assert killer.pid not in client.run(os.getpid).values()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("strategy", "event", "seconds"),
    [
        (BADGE(), 2, 0.01),  # while parts are run
        (BADGE(), len(LENGTHS) + 4, 0.0),  # while rows are fetched
        (BAIT(), len(LENGTHS) + 6, 0.005),  # where parts keep what they computed
    ],
)
def test_a_worker_that_is_killed_changes_nothing(
    client, monkeypatch, strategy, event, seconds
):
    kill_and_compare(monkeypatch, client, strategy, event, seconds, worker=event)


def random_moments():
    """Draw six: three strategies, each in its pass and in its choice.

    No choice here has fewer than seven events, so that each goes on after the death.
    """
    random = np.random.default_rng(7)
    n_parts = len(LENGTHS)
    return [
        (
            strategy,
            int(random.integers(first, last, endpoint=True)),
            float(random.uniform(0, 0.05)),
            int(random.integers(4)),
        )
        for strategy in (BADGE(), BAIT(), UHerding(n_targets=500))
        for first, last in ((1, n_parts), (n_parts + 1, n_parts + 6))
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "event", "seconds", "worker"), random_moments())
def test_workers_killed_at_random_moments_change_nothing(
    client, monkeypatch, strategy, event, seconds, worker
):
    kill_and_compare(monkeypatch, client, strategy, event, seconds, worker)

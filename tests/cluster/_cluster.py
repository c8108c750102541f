"""A small Dask cluster of processes on this machine, and pools for it."""

import os
import signal
import threading
from contextlib import contextmanager

import dask
import numpy as np
import torch
from dask.distributed import Client, LocalCluster

N, N_FEATURES, N_CLASSES = 1200, 6, 3


@contextmanager
def local_client(n_workers=2):
    """Start worker processes of one thread; nothing listens outside this machine."""
    settings = {
        "distributed.admin.log-format": "%(message)s",
        "logging.distributed": "error",
        # A test that kills workers has killed more than Dask would forgive.
        "distributed.scheduler.allowed-failures": 20,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=":0",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def make_rows(seed=0, n=N):
    """Make rows of three classes that overlap."""
    random = np.random.RandomState(seed)
    y = random.randint(N_CLASSES, size=n)
    X = random.normal(size=(n, N_FEATURES)) + 1.5 * np.eye(N_FEATURES)[y]
    return X.astype(np.float32), y


def worker_pids(client):
    """Return the process numbers of the workers."""
    return list(client.run(os.getpid).values())


class Killer:
    """Kill one worker process after some seconds."""

    def __init__(self, client, after):
        self.pid = worker_pids(client)[0]
        self.timer = threading.Timer(after, self.kill)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.join()


class Slow(torch.nn.Module):
    """A linear net that takes its time in evaluation, so that it can be disturbed."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.body = torch.nn.Linear(N_FEATURES, 8)
        self.head = torch.nn.Linear(8, N_CLASSES)
        self.seconds = seconds

    def forward(self, X):
        if not self.training and self.seconds:
            threading.Event().wait(self.seconds)
        return self.head(torch.relu(self.body(X)))

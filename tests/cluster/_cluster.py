"""A small Dask cluster of processes on this machine, and pools for it."""

import threading
from contextlib import contextmanager, nullcontext

import dask
import dask.array as da
import numpy as np
import torch
from dask.distributed import Client, LocalCluster
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from skbadge import ActiveLearner
from tests._forked import forked_workers

N, N_FEATURES, N_CLASSES = 1200, 6, 3


@contextmanager
def local_client(n_workers=2, *, forked=True):
    """Start worker processes of one thread; nothing listens outside this machine."""
    settings = {
        "distributed.admin.log-format": "%(message)s",
        "logging.distributed": "error",
        # What looks for a killed worker need not do so for half a minute.
        "distributed.comm.timeouts.connect": "10s",
        # A test that kills workers has killed more than Dask would forgive.
        "distributed.scheduler.allowed-failures": 20,
    }
    with (
        forked_workers() if forked else nullcontext(),
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


X, Y = make_rows()
KNOWN = 60
LENGTHS = (384, 128, 640, 48)
# Where each read began.
READS = []


def make_net(seconds=0.0, **settings):
    """Make a net that takes so long for a batch."""
    return NeuralNetClassifier(
        Slow,
        module__seconds=seconds,
        criterion=torch.nn.CrossEntropyLoss,
        train_split=None,
        lr=0.1,
        max_epochs=5,
        verbose=0,
        **settings,
    )


def make_learner(strategy=None, **settings):
    """Make a learner of a few labelled rows."""
    learner = ActiveLearner(make_net(**settings), strategy=strategy, random_state=0)
    return learner.fit(X[:KNOWN], Y[:KNOWN])


def in_parts(lengths, rows=X):
    """Cut rows into parts.

    Batches end where parts end: with multiples of 128, everywhere at the same rows.
    """
    return da.from_array(rows, chunks=(lengths, rows.shape[1]))


def read_rows(start, stop):
    READS.append(start)
    return X[start:stop]


class AsDataset(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i], 0


def piped():
    return make_pipeline(StandardScaler(), make_net())


def fail(error):
    raise error


def two_parts(second, known, first=X[:300]):
    """Return two delayed parts, or pairs with their lengths."""
    parts = [dask.delayed(first), second]
    return [(part, 300) for part in parts] if known else parts

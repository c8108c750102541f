"""Small campaigns, whose annotator knows the right labels."""

import os

import numpy as np
import pytest

from skbadge import Campaign
from tests._learning import make_data, make_learner

# What takes minutes, or a server: SKBADGE_LONG_TESTS=1 python -m pytest tests/campaign
long = pytest.mark.skipif(
    "SKBADGE_LONG_TESTS" not in os.environ, reason="takes minutes, or a server"
)
N_POOL = 120
X, Y = make_data(N_POOL)
NAMES = np.array(["ham", "spam", "other"])
IDS = [f"T-{i}" for i in range(N_POOL)]
LABELS = dict(zip(IDS, NAMES[Y].tolist(), strict=True))


def open_campaign(folder, strategy=None, *, learner=None, order=None, **settings):
    """Begin or open a campaign; ``order`` sorts the pool anew."""
    if learner is None:
        learner = make_learner(strategy, classes=NAMES)
    order = np.arange(N_POOL) if order is None else np.asarray(order)
    ids = [IDS[i] for i in order]
    return Campaign(folder, learner, X[order], ids=ids, **settings)


def answer(campaign, n=10, annotator=None):
    """Ask for a batch and label it."""
    ids = campaign.ask(n)["id"].tolist()
    campaign.tell({id: LABELS[id] for id in ids}, annotator=annotator)
    return ids


def run(folder, n_rounds, acknowledge=lambda ids: None, strategy=None):
    """Go on with a campaign until it has so many batches; label in two halves."""
    campaign = open_campaign(folder, strategy)
    while True:
        status = campaign.status()
        if status.rounds >= n_rounds and not status.n_open:
            return campaign
        ids = campaign.ask(8)["id"].tolist()
        for half in (ids[:4], ids[4:]):
            if not half:
                continue
            if half[0] == ids[0]:
                campaign.tell({id: LABELS[id] for id in half})
            else:
                campaign.from_label_studio(exported(half))
            acknowledge(half)


def exported(ids):
    """Return tasks as Label Studio exports them, with the right answers."""
    return [
        {
            "data": {"skbadge_id": id},
            "annotations": [
                {
                    "updated_at": "2026-11-26T00:00:00Z",
                    "result": [{"type": "choices", "value": {"choices": [LABELS[id]]}}],
                }
            ],
        }
        for id in ids
    ]


def asked(folder):
    """Return the ids of all batches of a folder, in order."""
    state = Campaign(folder)._record.state
    return [list(batch.items) for batch in state.batches]

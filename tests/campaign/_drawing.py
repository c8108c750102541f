"""Campaigns in memory with models made up, so that thousands of them take seconds."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

from skbadge import Campaign
from skbadge._contracts import Selection
from skbadge.campaign._journal import Event
from skbadge.campaign._record import Record
from skbadge.campaign._rounds import Rounds
from skbadge.campaign._state import State

CLASSES = ["right", "wrong"]
# A row that is labelled at the beginning, so that there is a model.
FIRST = "first"


class Drawing(Campaign):
    """A campaign of rows "0", "1", ... that are all "right"; no net, and no disk.

    Drawing, answers, state and estimates are the campaign's own.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        The strategy asks for the largest first.
    is_wrong : callable
        ``is_wrong(number)`` says of each row whether the model of that training
        predicts "wrong".
    """

    def __init__(self, scores, is_wrong=None, *, random_share, entropy):
        n = len(scores)
        ids = [*map(str, range(n)), FIRST]
        self._record = _Memory()
        self._pool = SimpleNamespace(
            keys=ids,
            ids=ids,
            at={id: i for i, id in enumerate(ids)},
            X=np.arange(n + 1)[:, None],
        )
        model = _Model(np.asarray(scores, dtype=np.float64), is_wrong)
        self._rounds = Rounds(
            self._record, self._pool, model, cold_start=None, stop=None
        )
        with self._record.writing() as append:
            append(
                "created",
                {
                    "entropy": entropy,
                    "random_share": random_share,
                    "count": "last",
                    "classes": CLASSES,
                    "n_stop": 1,
                },
            )
            append("pool", {"added": ids, "removed": [], "changed": [], "sample": {}})
        self.answer([FIRST])
        self.train()

    def _batch_table(self, suggestions):
        # A table costs more than all else.
        return None

    @property
    def batch(self):
        """The last batch."""
        return self._record.state.batches[-1]

    def candidates(self):
        """Return positions of the rows that may be asked for."""
        return np.array([int(id) for id in self._record.state.candidates()])

    def answer(self, ids):
        """Label rows rightly."""
        self.tell(dict.fromkeys(ids, "right"))

    def share(self, n, *, more=None):
        """Ask for a batch, or a longer one; return its rows drawn at random."""
        self.ask(n, more=more)
        return self.batch.random


class _Model:
    """Predicts and chooses by fixed numbers, as a campaign's model does."""

    def __init__(self, scores, is_wrong):
        self.prototype = SimpleNamespace(estimator=None)
        self.scores = scores
        self.order = np.argsort(-scores, kind="stable")
        self.is_wrong = is_wrong or (lambda number: np.zeros(len(scores), dtype=bool))
        self.learner = self.digest = None

    def restore(self, state, pool):
        return self._be(len(state.trainings))

    def advance(self, state, pool, wanted):
        return self._be(len(state.trainings) + 1)

    def _be(self, number):
        if self.digest != f"{number}":
            self.digest = f"{number}"
            # The first row, at the end, has a label from the beginning.
            wrong = np.append(self.is_wrong(number), False)[:, None]
            proba = np.where(wrong, [0.2, 0.8], [0.8, 0.2])
            self.learner = SimpleNamespace(
                classes_=np.array(CLASSES),
                strategy_="Largest()",
                predict_proba=lambda rows: proba[rows[:, 0]],
            )
        return self.learner

    def strategy_state(self):
        return None

    def query(self, pool, n, candidates, cold_start):
        # The candidates are many, and n of them are found among the first few.
        free = np.zeros(len(pool.keys), dtype=bool)
        free[candidates] = True
        indices = self.order[free[self.order]][:n]
        return Selection(indices, scores=self.scores[indices])


class _Memory(Record):
    """The record of a campaign, kept in a list."""

    def __init__(self):
        self.journal = SimpleNamespace(exists=True)
        self.state = State()
        self.events = []

    def refresh(self):
        return self.state

    @contextmanager
    def writing(self, who=""):
        news = []
        yield lambda kind, payload: news.append((kind, payload))
        for kind, payload in news:
            time = "2026-01-01T00:00:00+00:00"
            event = Event(len(self.events) + 1, time, who, kind, payload)
            self.events.append(event)
            self.state.apply(event)

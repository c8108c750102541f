"""The learner of a campaign, made from what the journal says."""

from __future__ import annotations

import hashlib
import json
import re
import warnings

import numpy as np
from sklearn.base import clone

from skbadge.campaign._pool import written_ids
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.nets._estimators import find_net
from skbadge.utils._rows import take

__all__ = ["Model", "resolved_classes"]


def resolved_classes(learner, given):
    """Return the classes of a campaign as plain values, in the order of the columns.

    Raises
    ------
    InvalidInputError
        If they are given nowhere, or cannot be told apart in a file.
    """
    sources = [given]
    if learner is not None:
        if not isinstance(learner, ActiveLearner):
            raise InvalidInputError(
                "learner must be an ActiveLearner. Got "
                f"{type(learner).__name__} instead: ActiveLearner(net)."
            )
        net = find_net(learner.estimator)
        sources += [learner.classes, getattr(net, "classes", None)]
    found = next((source for source in sources if source is not None), None)
    if found is None:
        raise InvalidInputError(
            "The classes of a campaign must be known before the first label. Give all "
            "of them with classes=[...] of the campaign, the ActiveLearner or the net."
        )
    classes = [v.item() if isinstance(v, np.generic) else v for v in list(found)]
    kinds = {type(value) for value in classes}
    distinct = len(set(map(str, classes))) == len(classes)
    if kinds not in ({str}, {int}) or not distinct or "" in classes:
        raise InvalidInputError(
            f"classes must be distinct texts, or distinct ints. Got {classes} instead."
        )
    return classes


class Model:
    """A learner that follows the trainings of a journal.

    The seeds of a training come from the campaign's seed and the number of the
    training, so the same labels give the same model in any process.

    Parameters
    ----------
    learner : ActiveLearner
        Unchanged; a clone is trained.
    classes : list
        In the order of the net's columns.
    entropy : int
        The campaign's seed.
    cache : Cache
        Where parameters are kept from one process to the next.
    """

    def __init__(self, learner, classes, entropy, cache):
        own = learner.classes is not None
        own = own or getattr(find_net(learner.estimator), "classes", None) is not None
        self.prototype = clone(learner).set_params(random_state=entropy)
        if not own:
            self.prototype.set_params(classes=np.array(classes))
        self.learner = None
        self.digest = None
        self._entropy = entropy
        self._cache = cache
        self._queried = None

    @property
    def _goes_on(self):
        """Whether a training needs the learner before it, not the labels alone."""
        learns = hasattr(self.prototype.strategy, "observe")
        return bool(self.prototype.warm_start) or learns

    def restore(self, state, pool):
        """Be the model of the last training; costs one (a warm start: all of them)."""
        number = len(state.trainings)
        last = state.trainings[-1]
        # Not by the number: another process may have trained on other labels.
        if self.digest == last["digest"]:
            return self.learner
        self._queried = None
        if self.prototype.warm_start:
            self._replay(state, pool)
        else:
            key = self._key(last["digest"], pool, state.taught)
            known = {"strategy": last["strategy"], "parameters": self._cache.load(key)}
            self.learner = self._trained(state, pool, state.taught, number, known)
            if known["parameters"] is None:
                self._keep(key)
        self.digest = last["digest"]
        return self.learner

    def advance(self, state, pool, wanted):
        """Train once more, on ``wanted`` (labels by id, in their order)."""
        number = len(state.trainings) + 1
        kept = any(id in state.taught for id in wanted)
        if number > 1 and kept and self._goes_on:
            self.restore(state, pool)
            self._ask_again(state, pool)
            self._move(pool, state.taught, wanted)
        else:
            self.learner = self._trained(state, pool, wanted, number)
        self.digest = _digest(self._entropy, number, wanted)
        self._queried = None
        if not self.prototype.warm_start:
            self._keep(self._key(self.digest, pool, wanted))
        return self.learner

    def strategy_state(self):
        """Return what the strategy learned, as plain lists and numbers."""
        return self.learner.state()["strategy"]

    def query(self, batch, pool, n, candidates, cold_start):
        """Return the selection of the present model, or of ``cold_start``.

        Parameters
        ----------
        batch : int
            Number of the batch.
        pool : Pool
        n : int
        candidates : ndarray of int
            Positions in the pool.
        cold_start : QueryStrategy
            Chooses while there is no model.

        Returns
        -------
        Selection
        """
        learner = self.learner
        if learner is None:
            learner = clone(self.prototype).set_params(strategy=cold_start)
        learner.query(pool.X, n=n, candidates=candidates)
        self._queried = (batch, n)
        return learner.last_selection_

    def _replay(self, state, pool):
        """Train as often as was trained: weights that go on hang on all of it."""
        labels = {}
        for number, training in enumerate(state.trainings, 1):
            before = dict(labels)
            for id in training["removed"]:
                del labels[id]
            labels.update(dict(training["labels"]))
            gone = [id for id in labels if id not in pool.at]
            if gone:
                raise CampaignError(
                    "A learner with warm_start goes on from every training before, and "
                    f"rows of these are no longer in the pool: {written_ids(gone)}. "
                    "Bring the rows back, or give a learner with warm_start=False."
                )
            if any(id in before for id in labels):
                self._move(pool, before, labels)
            else:
                self.learner = self._trained(state, pool, labels, number)

    def _ask_again(self, state, pool):
        """Have the learner know the batch whose answers it is about to be told."""
        batch = state.batches[-1]
        known = (batch.number, len(batch.items))
        if batch.training != len(state.trainings) or self._queried == known:
            return
        rows = [pool.at[id] for id in pool.keys if id not in batch.taken]
        if len(rows) == batch.n_candidates:
            self.query(batch.number, pool, len(batch.items), np.array(rows), None)
        else:
            warnings.warn(
                f"The pool has changed since batch {batch.number} was asked for and "
                "the campaign was opened anew, so the strategy is not told how that "
                "batch turned out. The labels count as all others do.",
                UserWarning,
                stacklevel=4,
            )

    def _key(self, digest, pool, labels):
        """Return what tells trained parameters from others: all that made them."""
        settings = {k: repr(v) for k, v in self.prototype.get_params().items()}
        # Where an object says no more than its address, any of its kind is the same.
        text = re.sub(r" at 0x[0-9a-f]+", "", json.dumps(settings, sort_keys=True))
        content = f"{digest} {pool.digest(labels)} {text}"
        return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()

    def _keep(self, key):
        self._cache.store(key, self.learner.state(parameters=True)["parameters"])

    def _trained(self, state, pool, labels, number, known=None):
        rows, y = self._rows(pool, labels)
        batches = [state.batch_of(id) for id in labels]
        probability = [
            None if batch is None else batch.items[id]["inclusion"]
            for id, batch in zip(labels, batches, strict=True)
        ]
        learner = clone(self.prototype)
        found = {"inclusion_probability": probability, "n_trainings": number}
        found.update((k, v) for k, v in (known or {}).items() if v is not None)
        learner.restore(rows, y, found)
        return learner

    def _rows(self, pool, labels):
        rows = take(pool.X, [pool.at[id] for id in labels])
        return rows, np.array(list(labels.values()))

    def _move(self, pool, before, after):
        """Bring the learner from one set of labels to the next, and train."""
        places = {id: i for i, id in enumerate(before)}
        gone = [places[id] for id in before if id not in after]
        moved = [id for id in before if id in after and after[id] != before[id]]
        new = {id: label for id, label in after.items() if id not in before}
        if moved:
            labels = [after[id] for id in moved]
            self.learner.relabel([places[id] for id in moved], labels)
        if gone:
            self.learner.forget(gone)
        if new:
            rows, y = self._rows(pool, new)
            indices = [pool.at[id] for id in new]
            # Of the uniform share alone, the learner knows nothing.
            known = self._queried and np.isin(indices, self.learner.open_).any()
            self.learner.teach(rows, y, indices=indices if known else None)
        else:
            self.learner.refit()


def _digest(entropy, number, labels):
    """Return what tells trainings apart: the seed, the number, and the labels."""
    content = json.dumps([entropy, number, *labels.items()])
    return hashlib.sha256(content.encode("ascii")).hexdigest()

"""The learner of a campaign, made from what the journal says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from skbadge._contracts import Selection
from skbadge.campaign._answers import check_text
from skbadge.campaign._cache import Cache
from skbadge.campaign._pool import Pool, written_ids
from skbadge.campaign._state import State
from skbadge.exceptions import (
    CampaignError,
    InvalidInputError,
    LearnerNotFittedError,
)
from skbadge.learner._classes import given_classes
from skbadge.learner._learner import ActiveLearner
from skbadge.learner._warm_start import SHRINK_PERTURB
from skbadge.nets._estimators import find_net, split_estimator
from skbadge.strategies import QueryStrategy
from skbadge.utils._rows import take

__all__ = ["Model", "own_classes", "resolved_classes"]


def own_classes(learner: ActiveLearner) -> Any:
    """Return the classes that a learner or its net was given; None for none."""
    return given_classes(learner.classes, find_net(learner.estimator))


def resolved_classes(
    learner: ActiveLearner | None, given: ArrayLike | None
) -> list[Any]:
    """Return the classes of a campaign as plain values, in the order of the columns.

    Raises
    ------
    InvalidInputError
        If they are given nowhere, or cannot be told apart in a file.
    """
    sources: list[Any] = [given]
    if learner is not None:
        if not isinstance(learner, ActiveLearner):
            raise InvalidInputError(
                "learner must be an ActiveLearner. Got "
                f"{type(learner).__name__} instead: ActiveLearner(net)."
            )
        sources.append(own_classes(learner))
    found = next((source for source in sources if source is not None), None)
    if found is None:
        raise InvalidInputError(
            "The classes of a campaign must be known before the first label. Give all "
            "of them with classes=[...] of the campaign, the ActiveLearner or the net."
        )
    classes = [v.item() if isinstance(v, np.generic) else v for v in list(found)]
    for name in classes:
        if isinstance(name, str):
            check_text(name, "A class")
    kinds = {type(value) for value in classes}
    distinct = len(set(map(str, classes))) == len(classes)
    if kinds not in ({str}, {int}) or not distinct or "" in classes:
        raise InvalidInputError(
            f"classes must be distinct texts, or distinct ints. Got {classes} instead."
        )
    if len(classes) < 2:
        raise InvalidInputError(
            f"classes must be two at least. Got {classes} instead: on the command line "
            "they are parted by commas."
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

    def __init__(
        self, learner: ActiveLearner, classes: list[Any], entropy: int, cache: Cache
    ) -> None:
        self.prototype: ActiveLearner = clone(learner).set_params(random_state=entropy)
        if own_classes(learner) is None:
            self.prototype.set_params(classes=np.array(classes))
        # An ActiveLearner; None before the first training.
        self.learner: Any = None
        self.digest: str | None = None
        self._entropy = entropy
        self._cache = cache

    @property
    def _goes_on(self) -> bool:
        """Whether a training needs the learner before it, not the labels alone."""
        learns = hasattr(self.prototype.strategy, "observe")
        return bool(self.prototype.warm_start) or learns

    @property
    def _is_cached(self) -> bool:
        """Whether parameters are all that the next training needs of the last one.

        A warm start goes on with the optimizer too, and with the steps of a pipeline as
        they were first fitted; a shrunk net begins anew with the optimizer.
        """
        steps, _ = split_estimator(self.prototype.estimator)
        warm = self.prototype.warm_start
        return not warm or (warm == SHRINK_PERTURB and steps is None)

    def restore(self, state: State, pool: Pool) -> ActiveLearner:
        """Be the model of the last training, from the cache or by training again.

        That costs one training; with a warm start all of them.
        """
        number = len(state.trainings)
        last = state.trainings[-1]
        # Not by the number: another process may have trained on other labels.
        if self.digest == last["digest"]:
            return self.learner
        self.digest = parameters = None
        if self._is_cached:
            key = self._key(last["digest"], pool, state.taught)
            parameters = self._cache.load(key)
        if self.prototype.warm_start and parameters is None:
            self._replay(state, pool)
            self.learner.recall(self._known(state))
        else:
            found = {"strategy": last["strategy"], "parameters": parameters}
            self.learner = self._trained(state, pool, state.taught, number, found)
        if self._is_cached and parameters is None:
            self._keep(key)
        self.digest = last["digest"]
        return self.learner

    def advance(
        self, state: State, pool: Pool, wanted: dict[str, Any]
    ) -> ActiveLearner:
        """Train once more, on ``wanted`` (labels by id, in their order)."""
        number = len(state.trainings) + 1
        kept = any(id in state.taught for id in wanted)
        if number > 1 and kept and self._goes_on:
            learner = self.restore(state, pool)
            # A training that fails must not be taken for the last one.
            self.digest = None
            new = [id for id in wanted if id not in state.taught]
            asked = _asked(state, pool, new)
            # From the journal alone, so that it is the same in any process.
            learner.recall({**self._known(state), "asked": asked})
            self._move(pool, state.taught, wanted, answers=asked is not None)
        else:
            self.learner = self._trained(state, pool, wanted, number)
        # Weights that go on hang on the labels of all trainings before.
        goes_on = self.prototype.warm_start and state.trainings
        before = state.trainings[-1]["digest"] if goes_on else None
        self.digest = _digest(self._entropy, number, wanted, before)
        if self._is_cached:
            self._keep(self._key(self.digest, pool, wanted))
        return self.learner

    def strategy_state(self) -> Any:
        """Return what the strategy learned, as plain lists and numbers."""
        return self.learner.state()["strategy"]

    def query(
        self, pool: Pool, n: int, candidates: np.ndarray, cold_start: QueryStrategy
    ) -> Selection:
        """Return the selection of the present model, or of ``cold_start``.

        Parameters
        ----------
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
        try:
            learner.query(pool.X, n=n, candidates=candidates)
        except LearnerNotFittedError as error:
            raise InvalidInputError(
                "cold_start must be a strategy that needs no trained net. Got "
                f"{cold_start!r} instead: give RandomSampling(), or one that takes "
                'features="input".'
            ) from error
        return learner.last_selection_

    def _replay(self, state: State, pool: Pool) -> None:
        """Train as often as was trained: weights that go on hang on all of it."""
        labels: dict[str, Any] = {}
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

    def _key(self, digest: str, pool: Pool, labels: Iterable[str]) -> str:
        """Return what tells trained parameters from others: all that made them."""
        settings = {k: repr(v) for k, v in self.prototype.get_params().items()}
        # Where an object says no more than its address, any of its kind is the same.
        text = re.sub(r" at 0x[0-9a-f]+", "", json.dumps(settings, sort_keys=True))
        content = f"{digest} {pool.digest(labels)} {text}"
        return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()

    def _keep(self, key: str) -> None:
        self._cache.store(key, self.learner.state(parameters=True)["parameters"])

    def _known(self, state: State) -> dict[str, Any]:
        """Return what the strategy knew after the last training."""
        return {
            "strategy": state.trainings[-1]["strategy"],
            "inclusion_probability": _inclusion(state, state.taught),
        }

    def _trained(
        self,
        state: State,
        pool: Pool,
        labels: dict[str, Any],
        number: int,
        known: dict[str, Any] | None = None,
    ) -> ActiveLearner:
        rows, y = self._rows(pool, labels)
        learner = clone(self.prototype)
        probability = _inclusion(state, labels)
        found = {"inclusion_probability": probability, "n_trainings": number}
        found.update((k, v) for k, v in (known or {}).items() if v is not None)
        learner.restore(rows, y, found)
        return learner

    def _rows(self, pool: Pool, labels: Mapping[str, Any]) -> tuple[Any, np.ndarray]:
        rows = take(pool.X, [pool.at[id] for id in labels])
        return rows, np.array(list(labels.values()))

    def _move(
        self,
        pool: Pool,
        before: dict[str, Any],
        after: dict[str, Any],
        *,
        answers: bool = False,
    ) -> None:
        """Bring the learner from one set of labels to the next, and train.

        With ``answers``, new rows are those of the batch that the learner knows.
        """
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
            self.learner.teach(rows, y, indices=indices if answers else None)
        else:
            self.learner.refit()


def _inclusion(state: State, labels: Iterable[str]) -> list[float | None]:
    """Return with what probability each row had been chosen, None where unknown."""
    batches = [(id, state.batch_of(id)) for id in labels]
    return [
        batch.items[id]["inclusion"] if batch and batch.heard.get(id) else None
        for id, batch in batches
    ]


def _asked(state: State, pool: Pool, new: list[str]) -> dict[str, Any] | None:
    """Return the last batch as `ActiveLearner.state` writes it down.

    Parameters
    ----------
    state : State
    pool : Pool
    new : list of str
        Ids of the rows that are to be taught.

    Returns
    -------
    dict or None
        None where no new row answers it: it is of a model before the first one, its
        strategy does not learn, or these rows were chosen by chance or by a person.
    """
    batch = state.batches[-1] if state.batches else None
    if batch is None or not batch.training or batch.selection is None:
        return None
    selection = dict(batch.selection)
    ids, n_candidates = selection.pop("ids"), selection.pop("n_candidates")
    trainings = state.trainings[batch.training :]
    learned = {id for training in trainings for id, _ in training["labels"]}
    answers = {id for id in new if batch.heard.get(id) and id not in learned}
    if answers.isdisjoint(ids):
        return None
    return {
        "selection": selection,
        # No other row has a place: none is taught as an answer.
        "indices": [pool.at[id] if id in answers else -1 for id in ids],
        "n_pool": len(pool),
        "n_candidates": n_candidates,
        "open": [id not in learned for id in ids],
        "own": True,
        "n_trainings": batch.training,
    }


def _digest(
    entropy: int, number: int, labels: dict[str, Any], before: str | None
) -> str:
    """Return what tells trainings apart: seed, number, labels, those before it."""
    content = json.dumps([entropy, number, before, *labels.items()])
    return hashlib.sha256(content.encode("ascii")).hexdigest()

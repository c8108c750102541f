"""What a campaign does with its model: train, watch, and choose a batch."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from skbadge.campaign._accuracy import accuracy_table
from skbadge.campaign._asking import drawn_batch
from skbadge.campaign._model import Model
from skbadge.campaign._pool import Pool
from skbadge.campaign._record import Record
from skbadge.campaign._state import Batch, State
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.nets._estimators import split_estimator
from skbadge.stopping import StoppingCriterion
from skbadge.strategies import KMeansSampling, QueryStrategy, RandomSampling
from skbadge.utils._random import Purpose, spawn_generator
from skbadge.utils._rows import take

__all__ = ["Rounds"]

# Numbers multiplied in a step of k-means: some seconds.
_MOST_PRODUCTS = 10**10


class Rounds:
    """The part of a campaign that needs its model and its pool.

    Parameters
    ----------
    record : Record
    pool : Pool
        In the order of the state's ids.
    model : Model
    cold_start : QueryStrategy or None
        None for what suits the rows.
    stop : StoppingCriterion or None
    """

    def __init__(
        self,
        record: Record,
        pool: Pool,
        model: Model,
        *,
        cold_start: QueryStrategy | None,
        stop: StoppingCriterion | None,
    ) -> None:
        self.record = record
        self.pool = pool
        self.model = model
        self.cold_start = cold_start
        self.stop = stop

    @property
    def state(self) -> State:
        """The state of the journal as last read."""
        return self.record.state

    def restored(self) -> ActiveLearner:
        """Return the learner of the last training."""
        return self.model.restore(self.state, self.pool)

    def train(self, *, anew: bool = False) -> None:
        """Do the training that is due, if one is; leave the model of the last one.

        Parameters
        ----------
        anew : bool, default=False
            Whether to train once more where none is due.
        """
        while True:
            wanted = self.state.to_teach()
            number = len(self.state.trainings) + 1
            if wanted == self.state.taught and not anew:
                break
            if not wanted:
                why = "There is no label to train on"
                if self.state.taught:
                    why = "Every label was taken back or belongs to rows that left the"
                    why += " pool"
                raise CampaignError(f"{why}. Tell at least one label first.")
            anew = False
            started = perf_counter()
            learner = self.model.advance(self.state, self.pool, wanted)
            payload = self._training_payload(learner, number, wanted, started)
            with self.record.writing() as append:
                # Another process may have trained the same in the meantime.
                if len(self.state.trainings) == number - 1:
                    append("trained", payload)
        if self.state.trainings:
            self.restored()

    def _training_payload(
        self,
        learner: ActiveLearner,
        number: int,
        wanted: dict[str, Any],
        started: float,
    ) -> dict[str, Any]:
        taught = self.state.taught
        labels = [[id, y] for id, y in wanted.items() if taught.get(id) != y]
        seconds = perf_counter() - started
        # That models of the same labels agree says nothing about more labels.
        stopping = None if wanted == taught else self._observed(learner)
        return {
            "number": number,
            "n_labeled": len(wanted),
            "labels": labels,
            "removed": [id for id in taught if id not in wanted],
            "digest": self.model.digest,
            "seconds": seconds,
            "strategy": self.model.strategy_state(),
            "stopping": stopping,
        }

    def _observed(self, learner: ActiveLearner) -> dict[str, Any] | None:
        """Show the stopping criterion the model; return its state and signs."""
        if self.stop is None:
            return None
        # What it has seen is in the journal alone: the object may serve others too.
        criterion = clone(self.stop)
        known, counted = self.state.stopping, 0
        if known is not None:
            try:
                criterion.restore(known["state"])
                counted = known.get("batch", 0)
            except InvalidInputError as problem:
                warnings.warn(
                    f"The stopping criterion begins anew. {problem}",
                    UserWarning,
                    stacklevel=5,
                )
        batch, tested = self._tested(counted)
        rows = [self.pool.at[id] for id in self._stop_set()]
        criterion.observe(learner, take(self.pool.X, rows), tested=tested)
        return {
            "state": criterion.state(),
            "signs": criterion.signs(),
            "stop": bool(criterion.should_stop),
            "batch": batch,
        }

    def _tested(self, counted: int) -> tuple[int, list[tuple[int, int]]]:
        """Return the last batch that is over and what the shares say, once each.

        Parameters
        ----------
        counted : int
            Number of the last batch that the criterion has been shown.

        Returns
        -------
        batch : int
            ``counted`` where no other is over.
        tested : list of tuples of two ints
            Rows predicted rightly, and rows, of each batch that it has not been shown.
        """
        table = accuracy_table(self.state)
        over = [b.number for b in self.state.batches if self.state.is_over(b)]
        table = table[table["round"].isin(over) & (table["round"] > counted)]
        tested = table[["n_correct", "n_scored"]].astype(int).values.tolist()
        return int(table["round"].max()) if tested else counted, tested

    def _stop_set(self) -> list[str]:
        """Return ids of the first pool drawn at random, those still there."""
        first, settings = self.state.first_pool, self.state.settings
        generator = spawn_generator(settings["entropy"], Purpose.STOP_SET, 0)
        drawn = generator.permutation(len(first))[: settings["n_stop"]]
        return [first[i] for i in np.sort(drawn) if first[i] in self.state.present]

    def draw(self, n: int, *, extends: bool) -> None:
        """Choose a batch, or make the last one longer by ``n`` rows; write it down."""
        state = self.state
        earlier = state.batches[-1] if extends else None
        if earlier is None:
            candidates = state.candidates()
            free = len(candidates)
        else:
            n += len(earlier.items)
            candidates = self._candidates_of(earlier)
            others = (id for id in candidates if id not in earlier.items)
            free = sum(map(state.is_candidate, others))
        n = min(n, free + (len(earlier.items) if earlier else 0))
        if not free:
            raise CampaignError(
                f"No row is left to ask for: of {len(state.present):,} in the pool, "
                f"{len(state.answers):,} have a label and {len(state.skipped):,} were "
                "skipped."
            )
        payload = drawn_batch(
            self.model,
            self.pool,
            state,
            number=len(state.batches) + (not extends),
            n=n,
            earlier=earlier,
            candidates=candidates,
            cold_start=self._cold_start(n),
        )
        batches, items = len(state.batches), len(earlier.items) if earlier else 0
        with self.record.writing() as append:
            # The batch that another process asked for in the meantime stands.
            same = len(state.batches) == batches
            if same and earlier is not None:
                last = state.batches[-1]
                same = len(last.items) == items and not last.closed
            if same:
                append("asked", payload)

    def _candidates_of(self, batch: Batch) -> list[str]:
        """Return the rows that could be chosen when a batch was first asked for."""
        if batch.training != len(self.state.trainings):
            raise CampaignError(
                "ask(more=...) makes a batch longer by the model that chose it, and "
                "there was a training since: ask(n) for a new batch."
            )
        if batch.pool_changed:
            raise CampaignError(
                "ask(more=...) makes a batch longer from the rows that it was chosen "
                "from, and rows have joined the pool or left it since: finish or close "
                "the batch, then ask(n) for a new one."
            )
        if batch.training:
            self.restored()
        return [id for id in self.state.present if id not in batch.taken]

    def _cold_start(self, n: int) -> QueryStrategy:
        """Return what chooses while there is no label."""
        if self.cold_start is not None:
            return self.cold_start
        X, estimator = self.pool.X, self.model.prototype.estimator
        if isinstance(X, pd.DataFrame):
            numbers = all(map(pd.api.types.is_numeric_dtype, X.dtypes))
        else:
            numbers = isinstance(X, (np.ndarray, torch.Tensor)) and X.ndim == 2
        # Behind a pipeline, what its steps make of a row is not known before a fit.
        plain = numbers and split_estimator(estimator)[0] is None
        if plain and X.shape[0] * X.shape[1] * n <= _MOST_PRODUCTS:
            return KMeansSampling(features="input")
        return RandomSampling()

"""All that a learner knows, as one value, and how it changes.

A learner replaces its state in one assignment, and never edits it: an exception, a
Ctrl-C or another thread finds either all of the old or all of the new.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Self

import numpy as np

from skbadge._version import __version__
from skbadge.exceptions import InvalidInputError, LearnerNotFittedError, RefitError
from skbadge.learner._asked import AskedBatch, Pending
from skbadge.learner._classes import check_labels, encode, listed
from skbadge.learner._history import check_test_set, history_row
from skbadge.learner._inputs import (
    check_indices,
    check_strategy,
)
from skbadge.learner._labeled import LabeledSet, split_fit_params
from skbadge.learner._model import Model
from skbadge.learner._routing import routed
from skbadge.learner._warm_start import check_warm_start
from skbadge.nets._estimators import is_frozen
from skbadge.utils._locks import process_lock
from skbadge.utils._params import changed_names, flat_params
from skbadge.utils._random import draw_entropy
from skbadge.utils._torch import one_at_a_time

__all__ = ["State", "bookkeeping", "labels_kept"]


def bookkeeping() -> Any:
    """Return the lock under which a state is read and replaced: never for long."""
    return process_lock("states")


@dataclass(frozen=True, eq=False)
class State:
    """What a learner knows since `fit`.

    Methods take the learner for its parameters alone, and return another state.

    Parameters
    ----------
    labeled : LabeledSet or None
        Rows and labels.
    model : Model or None
        Trained on them, or still without an estimator.
    asked : AskedBatch or None
        The last answer of `query`.
    pending : tuple of Pending
        What the strategy is to be told after the next training.
    strategy : QueryStrategy or None
        The clone that answers, with what it learned.
    strategy_params : dict
        Parameters of the user's strategy at the time it was cloned.
    timings : dict of str to float or None
        Seconds.
    n_new : int
        Number of labelled rows, the last ones, that no training has had.
    traffic : Traffic or None
        What the last query of a pool on a cluster sent.
    history : tuple of dict
        One row a training, see `history_row`.
    """

    labeled: LabeledSet | None = None
    model: Model | None = None
    asked: AskedBatch | None = None
    pending: tuple[Pending, ...] = ()
    strategy: Any = None
    strategy_params: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] | None = None
    n_new: int = 0
    traffic: Any = None
    history: tuple[dict[str, Any], ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "written_by": __version__}

    def __setstate__(self, found: dict[str, Any]) -> None:
        version = found.pop("written_by", "an older version")
        if version != __version__:
            raise InvalidInputError(
                f"This learner was pickled by skbadge {version}, and is read by "
                f"{__version__}: pickles do not outlive a version. Read it with that "
                "version and call learner.save(path), then ActiveLearner.load(path, "
                "learner) here."
            )
        vars(self).update(found)

    @property
    def shown_history(self) -> list[dict[str, Any]] | None:
        """The rows of the trainings, as a user may change them; None without any."""
        return [dict(row) for row in self.history] or None

    @property
    def trained_model(self) -> Model | None:
        """The model, or None where nothing was trained yet."""
        model = self.model
        return None if model is None or model.estimator is None else model

    @classmethod
    def begun(
        cls, learner: Any, X: Any, y: np.ndarray, fit_params: dict[str, Any]
    ) -> tuple[Self, dict[str, Any]]:
        """Begin with checked rows and labels.

        Returns
        -------
        state : State
            Not trained yet.
        constants : dict
            Fit parameters that do not belong to rows.
        """
        strategy = check_strategy(learner.strategy)
        check_warm_start(learner.warm_start)
        aligned, constants = split_fit_params(fit_params, len(y))
        routed(learner, {**aligned, **constants})
        model = Model.begun(
            learner.estimator,
            X,
            y,
            classes=learner.classes,
            layer=learner.layer,
            entropy=draw_entropy(learner.random_state),
        )
        y = model.classes[encode(y, model.classes)]
        state = cls(
            LabeledSet.begun(X, y, aligned),
            model,
            strategy=strategy,
            strategy_params=flat_params(learner.strategy, "strategy"),
        )
        return state, constants

    def begun_by(self, before: State, indices: np.ndarray | None) -> State:
        """Take in that the first labels may answer a query made before."""
        if before.asked is None:
            return self
        labeled, _ = self.needed_labels("teach")
        asked = replace(before.asked, own=False)
        asked, probability, _ = asked.answered(indices, labeled.X, labeled.n)
        labeled = replace(labeled, probability=probability)
        return replace(self, labeled=labeled, asked=asked, timings=before.timings)

    def needed_model(self, learner: Any, method: str, *, or_else: str = "") -> Model:
        """Return the trained model, or say what must come before.

        Parameters
        ----------
        learner : ActiveLearner
            Who is asked.
        method : str
            For what.
        or_else : str, default=""
            A sentence on what else there is to do.

        Raises
        ------
        LearnerNotFittedError
            If there is none.
        """
        model = self.trained_model
        if model is None:
            raise LearnerNotFittedError(
                f"This {type(learner).__name__} instance is not fitted yet. Call "
                f"fit(X, y) with some labelled rows before {method}; without any "
                "label, a strategy that needs no model, such as RandomSampling(), can "
                f"query.{f' {or_else}' if or_else else ''}"
            )
        return model

    def needed_labels(self, method: str) -> tuple[LabeledSet, Model]:
        """Return labels and model, trained or not, or say what must come before.

        Raises
        ------
        LearnerNotFittedError
            If there is none.
        """
        if self.labeled is None or self.model is None:
            raise LearnerNotFittedError(
                f"{method}() needs labelled rows. Call fit(X, y) first."
            )
        return self.labeled, self.model

    def ready(self, learner: Any) -> State:
        """Refuse, before labels are stored, what the next training could not heed.

        Returns
        -------
        State
            With the strategy that `set_params` may have put in the place of another.
        """
        state = self.renewed(learner)
        warm_start = check_warm_start(learner.warm_start)
        check_test_set(learner, self.model)
        model = self.trained_model
        if model is None or not warm_start or is_frozen(learner.estimator):
            return state
        now = flat_params(learner.estimator, "estimator")
        fitted = flat_params(model.estimator, "estimator")
        changed = set(changed_names(model.params, now))
        # What was set on the trained one too does take effect.
        changed &= set(changed_names(fitted, now))
        if changed:
            names = ["estimator"] if "estimator" in changed else sorted(changed)
            raise InvalidInputError(
                f"With warm_start={warm_start!r} training goes on with estimator_ as "
                "it is, but parameters of estimator were changed since: "
                f"{listed(names)}. Set them on the trained one too "
                "(learner.estimator_.set_params(...)), start again with fit, or set "
                "warm_start=False."
            )
        return state

    def renewed(self, learner: Any) -> State:
        """Take a strategy that `set_params` has put in the place of another."""
        if self.strategy is None:
            return self
        now = flat_params(learner.strategy, "strategy")
        if not changed_names(self.strategy_params, now):
            return self
        return replace(
            self,
            strategy=check_strategy(learner.strategy),
            strategy_params=now,
            # What another one asked for is no feedback for this one.
            asked=self.asked and replace(self.asked, own=False),
            pending=(),
        )

    def check_labels_are_those_of(self, before: State) -> None:
        """Refuse to replace labels that came while `fit` was training.

        Raises
        ------
        InvalidInputError
            If there are such.
        """
        if self.labeled is not before.labeled:
            raise InvalidInputError(
                "Labels were taught, forgotten or corrected while fit was training, "
                "and fit would replace them. They are kept, with the previous model: "
                "call fit again to replace them."
            )

    def taught(
        self,
        learner: Any,
        X: Any,
        y: np.ndarray,
        indices: Any,
        fit_params: dict[str, Any],
    ) -> tuple[State, dict[str, Any]]:
        """Add checked rows and labels.

        Returns
        -------
        state : State
        constants : dict
            Fit parameters that do not belong to rows.
        """
        labeled, model = self.needed_labels("teach")
        y = model.classes[encode(y, model.classes)]
        indices = check_indices(indices, len(y), self.asked)
        known = labeled.constants
        aligned, constants = split_fit_params(fit_params, len(y), known)
        routed(learner, {**aligned, **constants})
        asked, probability = self.asked, np.full(len(y), np.nan)
        pending: tuple[Pending, ...] = ()
        if asked is not None:
            asked, probability, pending = asked.answered(indices, X, len(y))
        state = replace(
            self,
            labeled=labeled.joined(X, y, probability, aligned),
            n_new=self.n_new + len(y),
            asked=asked,
            pending=(*self.pending, *pending),
        )
        return state, constants

    def without(self, positions: Any) -> State:
        """Leave labelled rows out."""
        labeled, _ = self.needed_labels("forget")
        positions = labeled.check_positions(positions)
        kept = np.delete(np.arange(labeled.n), positions)
        n_new = int((kept >= labeled.n - self.n_new).sum())
        return replace(self, labeled=labeled.without(positions), n_new=n_new)

    def relabeled(self, positions: Any, y: Any) -> State:
        """Give labelled rows other labels."""
        labeled, model = self.needed_labels("relabel")
        classes = model.classes
        positions = labeled.check_positions(positions)
        y = [y] if np.ndim(y) == 0 else y
        y = check_labels(y, positions, rows="positions") if len(positions) else y
        y = classes[encode(np.asarray(y), classes)]
        return replace(self, labeled=labeled.relabeled(positions, y))

    def trained(self, learner: Any, constants: dict[str, Any]) -> State:
        """Train on all labelled rows, and tell the strategy how its batches went.

        Only then do new constant fit parameters belong to the labelled set: a mistyped
        one must not spoil every training to come.
        """
        started = perf_counter()
        labeled, model = self.needed_labels("refit")
        constants = {**labeled.constants, **constants}
        labeled = replace(labeled, constants=constants)
        if model.is_outdated(learner.estimator, learner.classes):
            # Its first training has failed.
            model = Model.begun(
                learner.estimator,
                labeled.X,
                labeled.y,
                classes=learner.classes,
                layer=learner.layer,
                entropy=model.entropy,
            )
        model = model.trained(
            learner.estimator,
            labeled,
            warm_start=learner.warm_start,
            layer=learner.layer,
            n_new=self.n_new,
            fit_params=routed(learner, {**constants, **labeled.fit_params}),
        )
        seconds = perf_counter() - started
        tested = check_test_set(learner, model)
        return replace(
            self,
            labeled=labeled,
            model=model,
            history=(*self.history, history_row(self, model, tested, seconds)),
            strategy=_told_strategy(self.strategy, self.pending, labeled, model),
            pending=(),
            n_new=0,
            timings={**(self.timings or {}), "fit": seconds},
        )

    def repeated(
        self, learner: Any, constants: dict[str, Any], parameters: Any
    ) -> State:
        """Do the last training again, or take its result, as if it had just ended.

        The strategy was told already, of all but ``pending``.
        """
        labeled, model = self.needed_labels("restore")
        if not model.n_trainings:
            return self
        model = replace(model, n_trainings=model.n_trainings - 1)
        if parameters is not None:
            model = model.loaded(learner.estimator, labeled, parameters)
            labeled = replace(labeled, constants=constants)
            return replace(self, labeled=labeled, model=model)
        if learner.warm_start and model.n_trainings:
            raise InvalidInputError(
                f"With warm_start={learner.warm_start!r} the weights hang on every "
                "training before, so that the last one cannot be repeated alone. Give "
                "parameters=..., or pickle the learner, or set warm_start=False."
            )
        with one_at_a_time():
            begun = replace(self, pending=(), model=model)
            trained = begun.trained(learner, constants)
        # What was noted of it then is known.
        return replace(trained, pending=self.pending, history=self.history)

    def after_training(self, before: State, trained: State) -> State:
        """Take over a training that began with another state, and its model.

        What was taught, forgotten, corrected or asked meanwhile, by a callback or
        another thread, stays; a model that was trained meanwhile has seen more rows
        and stays too.
        """
        if self.model is not before.model:
            return self
        labeled, _ = self.needed_labels("refit")
        learned, model = trained.needed_labels("refit")
        seconds = {} if trained.timings is None else {"fit": trained.timings["fit"]}
        state = replace(
            self,
            labeled=replace(labeled, constants=learned.constants),
            model=model,
            history=trained.history,
            n_new=max(0, self.n_new - before.n_new),
            timings={**(self.timings or {}), **seconds},
        )
        if self.strategy is before.strategy:
            rest = self.pending[len(before.pending) :]
            state = replace(state, strategy=trained.strategy, pending=rest)
        return state


def _told_strategy(
    strategy: Any, pending: Sequence[Pending], labeled: LabeledSet, model: Model
) -> Any:
    """Return the strategy after it learned how the last batches turned out.

    Parameters
    ----------
    strategy : QueryStrategy
        Stays as it is.
    pending : sequence of Pending
        Batches that were labelled since the last training.
    labeled : LabeledSet
        All labelled rows.
    model : Model
        Trained on them.

    Returns
    -------
    QueryStrategy
        A copy that has observed, or the same where it does not learn.
    """
    if not pending or not hasattr(strategy, "observe"):
        return strategy
    strategy = copy.deepcopy(strategy)
    predicted = model.predicted_columns(labeled.X)
    correct = predicted == encode(labeled.y, model.known_columns)
    for batch in pending:
        strategy.observe(batch.feedback(labeled, correct))
    return strategy


@contextmanager
def labels_kept(state: State, kept: str) -> Iterator[None]:
    """Say of whatever goes wrong in a training that labels and model are there.

    Raises
    ------
    RefitError, KeyboardInterrupt
        From what was raised inside.
    """
    trained = state.trained_model is not None
    previous = ", the previous model still predicts" if trained else ""
    labeled, _ = state.needed_labels("refit")
    text = f"{kept} (n_labeled_ = {labeled.n}){previous}, and refit() trains again."
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"Training was interrupted. {text}") from error
    except Exception as error:
        raise RefitError(
            f"Training failed: {type(error).__name__}: {str(error).rstrip('.')}. {text}"
        ) from error

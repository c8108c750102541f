"""The labelled set as a user of the learner sees and corrects it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from skbadge.exceptions import LearnerNotFittedError
from skbadge.learner._classes import check_labels, encode, in_order, resolve_classes
from skbadge.learner._inputs import check_indices, check_rows, check_strategy
from skbadge.learner._labeled import LabeledSet, Pending, split_fit_params
from skbadge.learner._training import probe_net
from skbadge.nets._estimators import (
    check_estimator_kind,
    find_net,
    input_format,
    is_frozen,
)
from skbadge.utils._params import flat_params
from skbadge.utils._random import Purpose, draw_entropy, seed_for
from skbadge.utils._rows import is_lazy, take

__all__ = ["LabeledRowsMixin"]


class LabeledRowsMixin:
    """Gives a learner its labelled rows: begun, extended, corrected, brought back."""

    # Class-level defaults of what a fit replaces: __init__ may only store parameters.
    _labeled = None
    _asked = None
    _pending = ()

    @property
    def X_(self):
        """Labelled rows, in the order in which they came."""
        return self._part("X_").X

    @property
    def y_(self):
        """Labels of the labelled rows."""
        return self._part("y_").y

    @property
    def n_labeled_(self):
        """Number of labelled rows."""
        return len(self._part("n_labeled_"))

    def forget(self, positions):
        """Take rows out of the labelled set, for example labels found to be wrong.

        Does not train: call `refit` when all corrections are made.

        Parameters
        ----------
        positions : int or array-like of int
            Positions in ``X_``, each once.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If a position is repeated or out of range, or no row would be left.
        """
        self._check_labeled("forget")
        positions = self._labeled.check_positions(positions)
        self._labeled = self._labeled.without(positions)
        return self

    def relabel(self, positions, y):
        """Correct labels of rows in the labelled set.

        Does not train: call `refit` when all corrections are made.

        Parameters
        ----------
        positions : int or array-like of int of shape (n,)
            Positions in ``X_``, each once.
        y : label or array-like of shape (n,)
            Their right labels, members of ``classes_``.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If a position is repeated or out of range, or a label is unknown.
        """
        self._check_labeled("relabel")
        positions = self._labeled.check_positions(positions)
        y = [y] if np.ndim(y) == 0 else y
        y = check_labels(y, positions, rows="positions") if len(positions) else y
        y = self.classes_[encode(np.asarray(y), self.classes_)]
        self._labeled = self._labeled.relabeled(positions, y)
        return self

    def _start(self, X, y, fit_params):
        """Check everything, then begin a new labelled set; return the constants."""
        check_estimator_kind(self.estimator)
        strategy = check_strategy(self.strategy)
        X = check_rows(self, X, reset=True)
        y = check_labels(y, X)
        aligned, constants = split_fit_params(fit_params, len(y))
        self._routed({**aligned, **constants})
        entropy = draw_entropy(self.random_state)
        net = find_net(self.estimator)
        if is_frozen(self.estimator):
            format, width = input_format(net), None
        else:
            seed = seed_for(entropy, Purpose.FIT, 0)
            format, width = probe_net(self.estimator, seed, self.layer)
        classes = resolve_classes(y, self.classes, net, width, certain=False, X=X)

        for name in ("last_selection_", "timings_", "estimator_"):
            vars(self).pop(name, None)
        self._entropy, self._format, self._n_trainings = entropy, format, 0
        self.classes_, self._columns = in_order(classes), classes
        self.strategy_ = strategy
        self._strategy_params = flat_params(self.strategy, "strategy")
        self._estimator_params = flat_params(self.estimator, "estimator")
        self._asked, self._pending = None, ()
        # Copies: the caller may go on to change the arrays.
        X = X if is_lazy(X) else take(X, np.arange(len(y)))
        y = classes[encode(y, classes)]
        probability = np.full(len(y), np.nan)
        self._labeled = LabeledSet(X, y, probability, aligned)
        return constants

    def _append(self, X, y, indices, fit_params):
        """Check everything, then add rows to the labelled set; return the constants."""
        X = check_rows(self, X)
        y = check_labels(y, X)
        y = self.classes_[encode(y, self.classes_)]
        indices = check_indices(indices, len(y), self._asked)
        known = self._labeled.constants
        aligned, constants = split_fit_params(fit_params, len(y), known)
        self._routed({**aligned, **constants})
        probability = np.full(len(y), np.nan)
        asked, pending = self._asked, self._pending
        if asked is not None:
            taught, new_rows = asked.matched(indices, len(y))
            if asked.selection.inclusion_probability is not None:
                probability[new_rows] = asked.selection.inclusion_probability[taught]
            if len(taught):
                asked = asked.closed(taught)
            if len(taught) and asked.own:
                unlabeled = asked.n_candidates - int((~asked.open).sum())
                pending = (*pending, Pending(asked.selection, taught, unlabeled))
        labeled = self._labeled.joined(X, y, probability, aligned)
        # One step, so that a Ctrl-C finds either all of the old or all of the new.
        vars(self).update(_labeled=labeled, _asked=asked, _pending=pending)
        return constants

    def _resume(self, X, y, *, probability, n_trainings, strategy_state):
        """Come back to a state that was written down: same weights, same queries."""
        self._start(X, y, {})
        self._labeled = replace(self._labeled, probability=probability)
        for name, value in strategy_state.items():
            setattr(self.strategy_, name, value)
        # The last training is repeated under its own number, so under its own seed.
        self._n_trainings = n_trainings - 1
        self._train()

    @contextmanager
    def _undone_on_error(self):
        """Leave the learner as it was if what follows fails."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _check_labeled(self, method):
        if self._labeled is None:
            raise LearnerNotFittedError(
                f"{method}() needs labelled rows. Call fit(X, y) first."
            )

    def _part(self, name):
        # An AttributeError, so that hasattr() tells whether there are labelled rows.
        if self._labeled is None:
            raise AttributeError(f"{name} is there after fit(X, y).")
        return self._labeled

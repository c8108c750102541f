"""The labelled set as a user of the learner sees and corrects it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skbadge._inputs import (
    are_columns,
    check_indices,
    check_labels,
    check_rows,
    check_strategy,
    encode,
    resolve_classes,
)
from skbadge._labeled import LabeledSet, Pending, split_fit_params
from skbadge._training import probe_net
from skbadge.exceptions import LearnerNotFittedError
from skbadge.extraction._nets import (
    check_estimator_kind,
    find_net,
    is_frozen,
    module_dtype,
)
from skbadge.utils._random import Purpose, draw_entropy, seed_for

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
        y = check_labels(np.atleast_1d(np.asarray(y)), positions)
        encode(y, self.classes_)
        self._labeled = self._labeled.relabeled(positions, y)
        return self

    def _start(self, X, y, fit_params):
        """Check everything, then begin a new labelled set."""
        check_estimator_kind(self.estimator)
        strategy = check_strategy(self.strategy)
        entropy = draw_entropy(self.random_state)
        X = check_rows(self, X, reset=True)
        y = check_labels(y, X)
        aligned, constants = split_fit_params(fit_params, len(y))
        net = find_net(self.estimator)
        if is_frozen(self.estimator):
            dtype, width = module_dtype(net), None
        else:
            seed = seed_for(entropy, Purpose.FIT, 0)
            dtype, width = probe_net(self.estimator, seed, self.layer)
        own = (
            self.classes if self.classes is not None else getattr(net, "classes", None)
        )
        # The width is only a guess until the net has run; `_settle_classes` compares.
        guess = width if own is None and are_columns(y, width) else None
        classes = resolve_classes(y, self.classes, net, guess)

        for name in ("last_selection_", "estimator_"):
            vars(self).pop(name, None)
        self._entropy, self._dtype, self._n_trainings = entropy, dtype, 0
        self._n_classes_told = None if own is None else len(classes)
        self.classes_, self.strategy_ = classes, strategy
        self._asked, self._pending = None, ()
        probability = np.full(len(y), np.nan)
        self._labeled = LabeledSet(X, y, probability, aligned, constants)

    def _append(self, X, y, indices, fit_params):
        """Check everything, then add rows to the labelled set."""
        X = check_rows(self, X)
        y = check_labels(y, X)
        encode(y, self.classes_)
        indices = check_indices(indices, len(y), self._asked)
        probability = np.full(len(y), np.nan)
        asked, pending = self._asked, self._pending
        if asked is not None:
            taught, new_rows = asked.matched(indices, len(y))
            if asked.selection.probability is not None:
                probability[new_rows] = asked.selection.probability[taught]
            if len(taught):
                asked = asked.closed(taught)
                unlabeled = asked.n_candidates - int((~asked.open).sum())
                pending = (*pending, Pending(asked.selection, taught, unlabeled))
        labeled = self._labeled.joined(X, y, probability, fit_params)
        self._labeled, self._asked, self._pending = labeled, asked, pending

    def _resume(self, X, y, *, probability, n_trainings, strategy_state):
        """Come back to a state that was written down: same weights, same queries."""
        self._start(X, y, {})
        self._labeled = replace(self._labeled, probability=probability)
        for name, value in strategy_state.items():
            setattr(self.strategy_, name, value)
        # The last training is repeated under its own number, so under its own seed.
        self._n_trainings = n_trainings - 1
        self._train()

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

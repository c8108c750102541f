"""The labelled set and the batch that was asked for: values that change as a whole.

Both are replaced, never edited: an exception or a Ctrl-C between two lines finds either
the old set or the new one, and no label is lost.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Feedback, Selection
from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import listed
from skbadge.utils._rows import RowList, is_lazy, join, take
from skbadge.utils._tree import mapped

__all__ = ["AskedBatch", "LabeledSet", "Pending", "split_fit_params"]


@dataclass(frozen=True, eq=False)
class LabeledSet:
    """Labelled rows with all that belongs to a row.

    Parameters
    ----------
    X : rows of any kind
        In the order in which they came.
    y : ndarray of shape (n_labeled,)
        Labels, each a member of the learner's classes.
    probability : ndarray of shape (n_labeled,)
        Probability with which a query had chosen the row; NaN for all others.
    fit_params : dict of str to array or Tensor with n_labeled rows
        Row-aligned fit parameters.
    constants : dict
        The other fit parameters, of trainings that succeeded.
    """

    X: Any
    y: np.ndarray
    probability: np.ndarray
    fit_params: dict = field(default_factory=dict)
    constants: dict = field(default_factory=dict)

    @classmethod
    def begun(cls, X, y, aligned):
        """Begin a set with copies: the caller may go on to change the arrays."""
        X = X if is_lazy(X) else take(X, np.arange(len(y)))
        return cls(X, y, np.full(len(y), np.nan), aligned)

    def __len__(self):
        return len(self.y)

    @property
    def n(self):
        """Number of rows."""
        return len(self.y)

    @property
    def shown_rows(self):
        """The rows as a user sees them: arrays cannot be written to."""
        if isinstance(self.X, RowList):
            # Objects stay what they are; the list of them is another one.
            return RowList(self.X)
        return mapped(_read_only, self.X)

    @property
    def shown_labels(self):
        """The labels as a user sees them: an array that cannot be written to."""
        return _read_only(self.y)

    def joined(self, X, y, probability, aligned):
        """Return the set with rows added, and with their row-aligned parameters.

        Raises
        ------
        InvalidInputError
            If the rows are of another kind, or row-aligned parameters are missing.
        """
        if set(aligned) != set(self.fit_params):
            raise InvalidInputError(
                "The labelled rows carry the fit parameters "
                f"{sorted(self.fit_params) or 'none'}, one value a row, so new rows "
                f"must carry the same. Got {sorted(aligned) or 'none'} for {len(y)} "
                "new rows."
            )
        return LabeledSet(
            join(self.X, X),
            np.concatenate([self.y, y]),
            np.concatenate([self.probability, probability]),
            {k: join(v, aligned[k], k) for k, v in self.fit_params.items()},
            self.constants,
        )

    def without(self, positions):
        """Return the set without some rows."""
        keep = np.delete(np.arange(len(self)), positions)
        if not len(keep):
            raise InvalidInputError(
                f"forget must leave at least one labelled row. Got all {len(self)} "
                "positions: call fit with other rows instead."
            )
        return replace(
            self,
            X=take(self.X, keep),
            y=self.y[keep],
            probability=self.probability[keep],
            fit_params={k: take(v, keep) for k, v in self.fit_params.items()},
        )

    def relabeled(self, positions, y):
        """Return the set with other labels for some rows."""
        # The common type: in a narrower one, a label could become another one.
        labels = self.y.astype(np.result_type(self.y, y))
        labels[positions] = y
        return replace(self, y=labels)

    def check_positions(self, positions):
        """Return positions of labelled rows as an array.

        Raises
        ------
        InvalidInputError
            If they are no distinct ints in ``[0, n_labeled)``.
        """
        positions = np.atleast_1d(np.asarray(positions))
        if positions.size == 0:
            positions = positions.astype(np.intp)
        if positions.ndim != 1 or positions.dtype.kind not in "iu":
            raise InvalidInputError(
                "positions must be int positions in X_. Got dtype "
                f"{positions.dtype} and shape {positions.shape} instead."
            )
        distinct = len(np.unique(positions)) == len(positions)
        inside = bool(((positions >= 0) & (positions < len(self))).all())
        if not (distinct and inside):
            raise InvalidInputError(
                f"positions must be distinct and in [0, {len(self)}), the rows of X_. "
                f"Got {positions.tolist()} instead."
            )
        return positions.astype(np.intp)


def _read_only(values):
    if isinstance(values, np.ndarray):
        values = values.view()
        values.flags.writeable = False
    return values


def split_fit_params(fit_params, n, known=()):
    """Split fit parameters into those with one entry a row and the others.

    Parameters
    ----------
    fit_params : dict
        As given; None stands for a parameter that was not.
    n : int
        Number of rows.
    known : collection of str, default=()
        Names that were no row parameters before, and are none now, whatever their
        length.

    Returns
    -------
    aligned : dict of str to array or Tensor with n rows
        Copies: the caller may go on to change the arrays.
    constants : dict

    Raises
    ------
    InvalidInputError
        If weights of rows are not one for each row.
    """
    aligned, constants = {}, {}
    for name, value in fit_params.items():
        if value is None:
            continue
        # Also with the name of a pipeline step before it.
        is_weight = name.endswith("sample_weight")
        length = _length(value)
        if length == n and (is_weight or name not in known):
            own = value if isinstance(value, torch.Tensor) else np.asarray(value)
            aligned[name] = take(own, np.arange(n))
        elif is_weight and length is not None:
            raise InvalidInputError(
                f"{name} must hold one value for each of the {n} rows of X. Got "
                f"{length} values instead."
            )
        else:
            constants[name] = value
    return aligned, constants


def _length(value):
    """Count the entries of what may belong to rows; None where nothing can."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return shape[0] if len(shape) else None
    counts = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    return len(value) if counts else None


@dataclass(frozen=True, eq=False)
class AskedBatch:
    """The answer of the last query, and which of its rows still have no label.

    Parameters
    ----------
    selection : Selection
        As the strategy returned it: positions among the candidates.
    indices : ndarray of shape (n,)
        The same rows as positions in the pool.
    n_pool : int
        Number of rows of the pool.
    n_candidates : int
        Number of rows that could have been chosen.
    open : ndarray of shape (n,), dtype bool
        Rows that were not taught yet.
    own : bool, default=True
        Whether the present strategy chose them, and is to be told of the answers.
    """

    selection: Selection
    indices: np.ndarray
    n_pool: int
    n_candidates: int
    open: np.ndarray
    own: bool = True

    @property
    def shown(self):
        """The selection as a user sees it: positions in the pool."""
        return replace(self.selection, indices=self.indices.copy())

    @property
    def still_open(self):
        """Positions in the pool of the rows without an answer, in the order asked."""
        return self.indices[self.open]

    def warn_of_strangers(self, indices):
        """Warn of answers that were given before, and of positions never asked for."""
        closed = np.intersect1d(indices, self.indices[~self.open])
        if len(closed):
            warnings.warn(
                f"The rows at {listed(closed)} of the pool were asked for and taught "
                "before, and are now labelled a second time. To correct a label, call "
                "relabel(positions, y) with positions in X_; to take a row out again, "
                "forget(positions).",
                UserWarning,
                stacklevel=5,
            )
        elif len(indices) and not np.isin(indices, self.indices).any():
            warnings.warn(
                f"None of the rows at {listed(indices)} of the pool was asked for: "
                "they count as labels of your own choice. If they answer an earlier "
                "query, or stand in another pool, leave indices away; to take them out "
                "again, call forget(positions) with positions in X_.",
                UserWarning,
                stacklevel=5,
            )

    def answered(self, indices, n_new):
        """Take in that some rows came back with a label.

        Parameters
        ----------
        indices : ndarray of shape (n_new,) or None
            Positions in the pool of the rows that came; None if the user said nothing.
        n_new : int
            Their number.

        Returns
        -------
        asked : AskedBatch
            With fewer open rows.
        probability : ndarray of shape (n_new,)
            With which each had been chosen; NaN where it was not, or none is known.
        pending : tuple of Pending
            What the strategy is to be told after the next training.
        """
        taught, new_rows = self._matched(indices, n_new)
        probability = np.full(n_new, np.nan)
        if self.selection.inclusion_probability is not None:
            probability[new_rows] = self.selection.inclusion_probability[taught]
        if not len(taught):
            return self, probability, ()
        still_open = self.open.copy()
        still_open[taught] = False
        asked = replace(self, open=still_open)
        if not self.own:
            return asked, probability, ()
        n_unlabeled = self.n_candidates - int((~still_open).sum())
        return asked, probability, (Pending(self.selection, taught, n_unlabeled),)

    def _matched(self, indices, n_new):
        """Return positions in the batch, and in the answer, of rows that came back."""
        if indices is None:
            whole = n_new == len(self.indices) and self.open.all()
            every = np.arange(n_new if whole else 0)
            return every, every
        _, new_rows, taught = np.intersect1d(indices, self.indices, return_indices=True)
        is_open = self.open[taught]
        return taught[is_open], new_rows[is_open]


@dataclass(frozen=True, eq=False)
class Pending:
    """Feedback that waits for the next successful training."""

    selection: Selection
    taught: np.ndarray
    n_unlabeled: int

    def feedback(self, labeled, correct):
        """Tell how the batch turned out.

        Parameters
        ----------
        labeled : LabeledSet
            All labelled rows.
        correct : ndarray of bool of shape (n_labeled,)
            Whether the net predicts the label of each.
        """
        probability = labeled.probability
        known = np.isfinite(probability)
        return Feedback(
            selection=self.selection,
            taught=self.taught,
            correct=correct[known],
            inclusion_probability=probability[known],
            n_labeled=len(labeled),
            n_unlabeled=self.n_unlabeled,
            others_correct=correct[~known],
        )

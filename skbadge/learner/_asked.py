"""The batch that was asked for, and what came back of it: values, never edited."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skbadge._contracts import Feedback, Selection
from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import listed
from skbadge.learner._labeled import LabeledSet
from skbadge.utils._identity import row_marks

__all__ = ["AskedBatch", "Pending"]


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
    marks : tuple of (str or None), default=()
        What tells each row from others, see `row_marks`; empty where that is not known
        of any.
    n_trainings : int, default=0
        Of the model that was asked.
    """

    selection: Selection
    indices: np.ndarray
    n_pool: int
    n_candidates: int
    open: np.ndarray
    own: bool = True
    marks: tuple = ()
    n_trainings: int = 0

    @property
    def shown(self) -> Selection:
        """The selection as a user sees it: positions in the pool."""
        return replace(self.selection, indices=self.indices.copy())

    @property
    def still_open(self) -> np.ndarray:
        """Positions in the pool of the rows without an answer, in the order asked."""
        return self.indices[self.open]

    def answered(
        self, indices: np.ndarray | None, X: Any, n_new: int
    ) -> tuple[AskedBatch, np.ndarray, tuple[Pending, ...]]:
        """Take in that some rows came back with a label.

        Parameters
        ----------
        indices : ndarray of shape (n_new,) or None
            Positions in the pool of the rows that came; None if the user said nothing.
        X : rows of any kind
            They themselves.
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

        Raises
        ------
        InvalidInputError
            If the rows are not those of the pool that their positions name.
        """
        marks = row_marks(X) if any(self.marks) else ()
        if indices is not None:
            self._check_rows(indices, marks)
        self._warn_of_strangers(indices, marks)
        taught, new_rows = self._matched(indices, marks, n_new)
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

    def _check_rows(self, indices: np.ndarray, marks: tuple[str | None, ...]) -> None:
        known = dict(zip(self.indices.tolist(), self.marks, strict=False))
        strange = [
            (row, position)
            for row, (position, mark) in enumerate(
                zip(indices.tolist(), marks, strict=False)
            )
            # Of rows that were not asked for, nothing is known.
            if mark is not None and known.get(position) not in (None, mark)
        ]
        if not strange:
            return
        rows, positions = zip(*strange, strict=True)
        reason = "Was the pool sorted anew, or exchanged, since the query?"
        if all(mark in self.marks for mark in marks):
            reason = (
                "They are other rows of the same query: rows and indices stand in "
                "different orders."
            )
        raise InvalidInputError(
            f"The rows {listed(rows)} of X are not those at {listed(positions)} of the "
            f"pool of the last query. {reason} Give X as skbadge.take(X_pool, "
            "indices), with the pool as it was; to teach rows that were changed on "
            "purpose, leave indices away. Nothing was stored."
        )

    def _warn_of_strangers(
        self, indices: np.ndarray | None, marks: tuple[str | None, ...]
    ) -> None:
        """Warn of answers that were given before, and of positions never asked for."""
        closed = self.indices[~self.open]
        if indices is not None:
            again = np.intersect1d(indices, closed).tolist()
        else:
            again = self._closed_rows(marks)
        if len(again):
            warnings.warn(
                f"The rows at {listed(again)} of the pool were asked for and taught "
                "before, and are now labelled a second time. To correct a label, call "
                "relabel(positions, y) with positions in X_; to take a row out again, "
                "forget(positions).",
                UserWarning,
                stacklevel=5,
            )
        elif indices is not None and not np.isin(indices, self.indices).any():
            warnings.warn(
                f"None of the rows at {listed(indices)} of the pool was asked for: "
                "they count as labels of your own choice. If they answer an earlier "
                "query, or stand in another pool, leave indices away; to take them out "
                "again, call forget(positions) with positions in X_.",
                UserWarning,
                stacklevel=5,
            )

    def _closed_rows(self, marks: tuple[str | None, ...]) -> list[int]:
        """Return the positions of rows with answers, where these are all that came."""
        if not marks:
            return []
        still = set(np.array(self.marks, dtype=object)[self.open])
        # Another copy of a row may still be open.
        found = dict(zip(self.marks, self.indices.tolist(), strict=True))
        found = {m: p for m, p in found.items() if m is not None and m not in still}
        again = [found[mark] for mark in marks if mark in found]
        return again if len(again) == len(marks) else []

    def _matched(
        self, indices: np.ndarray | None, marks: tuple[str | None, ...], n_new: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions in the batch, and in the answer, of rows that came back."""
        if indices is None:
            whole = n_new == len(self.indices) and self.open.all()
            places = self._places(marks) if whole and marks else None
            if places is None:
                places = np.arange(n_new if whole else 0)
            return places, np.arange(len(places))
        _, new_rows, taught = np.intersect1d(indices, self.indices, return_indices=True)
        is_open = self.open[taught]
        return taught[is_open], new_rows[is_open]

    def _places(self, marks: tuple[str | None, ...]) -> np.ndarray | None:
        """Return the position in the batch of each row that came back, in any order.

        None where the rows themselves do not tell, and none at all for other rows.
        """
        ours, theirs = np.array(self.marks), np.array(marks)
        if object in (ours.dtype, theirs.dtype):  # some are None
            return None
        if not np.array_equal(np.sort(ours), np.sort(theirs)):
            return np.arange(0)
        # Copies of a row have one mark: the first that came is the first asked for.
        places = np.empty(len(marks), dtype=np.intp)
        places[np.argsort(theirs, kind="stable")] = np.argsort(ours, kind="stable")
        return places


@dataclass(frozen=True, eq=False)
class Pending:
    """Feedback that waits for the next successful training."""

    selection: Selection
    taught: np.ndarray
    n_unlabeled: int

    def feedback(self, labeled: LabeledSet, correct: np.ndarray) -> Feedback:
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

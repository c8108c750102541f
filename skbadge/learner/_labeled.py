"""The labelled set: a value that changes as a whole.

It is replaced, never edited: an exception or a Ctrl-C between two lines finds either
the old set or the new one, and no label is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from skbadge.exceptions import InvalidInputError
from skbadge.utils._rows import RowList, is_lazy, join, take
from skbadge.utils._tree import mapped

__all__ = ["LabeledSet", "split_fit_params"]


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
    def begun(cls, X: Any, y: Any, aligned: dict[str, Any]) -> LabeledSet:
        """Begin a set with copies: the caller may go on to change the arrays."""
        X = X if is_lazy(X) else take(X, np.arange(len(y)))
        return cls(X, y, np.full(len(y), np.nan), aligned)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def shown_rows(self) -> Any:
        """The rows as a user sees them: what is done to them changes none of these."""
        if isinstance(self.X, RowList):
            # Objects stay what they are; the list of them is another one.
            return RowList(self.X)
        return mapped(_kept_from_writing, self.X)

    @property
    def shown_labels(self) -> np.ndarray:
        """The labels as a user sees them: an array that cannot be written to."""
        return _read_only(self.y)

    def joined(
        self, X: Any, y: np.ndarray, probability: np.ndarray, aligned: dict[str, Any]
    ) -> LabeledSet:
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

    def without(self, positions: np.ndarray) -> LabeledSet:
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

    def relabeled(self, positions: np.ndarray, y: np.ndarray) -> LabeledSet:
        """Return the set with other labels for some rows."""
        # The common type: in a narrower one, a label could become another one.
        labels = self.y.astype(np.result_type(self.y, y))
        labels[positions] = y
        return replace(self, y=labels)

    def check_positions(self, positions: Any) -> np.ndarray:
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


def _read_only(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        values = values.view()
        values.flags.writeable = False
    return values


def _kept_from_writing(rows: Any) -> Any:
    """Return a view that cannot be written to, or a copy where there is no such."""
    if isinstance(rows, torch.Tensor):
        return rows.clone()
    if isinstance(rows, (pd.DataFrame, pd.Series)) or sparse.issparse(rows):
        return rows.copy()
    return _read_only(rows)


def split_fit_params(
    fit_params: dict[str, Any], n: int, known: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
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


def _length(value: Any) -> int | None:
    """Count the entries of what may belong to rows; None where nothing can."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return shape[0] if len(shape) else None
    counts = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    return len(value) if counts else None

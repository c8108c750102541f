"""A learner as it stands in a file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError, LearnerFileError, SkbadgeError
from skbadge.learner._classes import encode, listed
from skbadge.learner._labeled import LabeledSet
from skbadge.learner._learner_file import read_learner_file, write_learner_file
from skbadge.learner._model import Model
from skbadge.learner._state import State
from skbadge.learner._stored_rows import read_rows, stored_rows
from skbadge.learner._written import NOT_AS_WRITTEN, written
from skbadge.utils._identity import row_marks
from skbadge.utils._rows import n_rows, take

__all__ = ["Saved"]

# Rows whose probabilities are kept, to see on loading whether the net is the same.
_N_PROBED = 64
_TOLERANCE = 0.01
_PARAMETER = "parameters."


@dataclass(frozen=True, eq=False)
class Saved:
    """All of a learner that is no code.

    Parameters
    ----------
    header : dict
        Fit for JSON.
    tensors : dict of str to Tensor
        Labels, parameters, and what of rows and other values are numbers or texts.
    path : str or Path, default=""
        Of the file it was read from, for messages.
    """

    header: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    path: str | Path = ""

    @classmethod
    def of(cls, known: State) -> Self:
        """Take down what a learner knows.

        Raises
        ------
        LearnerNotFittedError
            If there are no labelled rows.
        InvalidInputError
            If something but rows is no number or text.
        """
        labeled, model = known.needed_labels("save")
        columns = model.known_columns
        tensors: dict[str, torch.Tensor] = {}
        rows = stored_rows(labeled.X, "rows", tensors)
        if rows is None:
            tensors.clear()  # of parts that could be written
        tensors["labels"] = torch.from_numpy(encode(labeled.y, columns))
        header = {
            "classes": _stored_values(columns, "classes", tensors),
            "rows": rows,
            "marks": None if rows is not None else row_marks(labeled.X),
            "fit_params": {
                name: _stored_values(value, f"fit_params.{name}", tensors)
                for name, value in labeled.fit_params.items()
            },
            "constants": _plain_constants(labeled.constants),
            "strategy": type(known.strategy).__name__,
            "state": written(known),
        }
        if model.estimator is not None:
            for name, value in model.parameters().items():
                tensors[f"{_PARAMETER}{name}"] = value.contiguous()
            probed = _probed(model, labeled)
            if probed is not None:
                tensors["probed"] = probed
        return cls(header, tensors)

    def write(self, path: str | Path) -> None:
        """Write the file in one step."""
        write_learner_file(path, self.header, self.tensors)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a file that `write` has written.

        Raises
        ------
        LearnerFileError
            If it is none, or what it holds does not fit together.
        """
        saved = cls(*read_learner_file(path), path)
        try:
            saved._check()
        except NOT_AS_WRITTEN as error:
            raise LearnerFileError(
                f"The file {str(path)!r} is whole, but what it holds is not what "
                f"learner.save(path) writes: {type(error).__name__}: {error}."
            ) from error
        return saved

    def _check(self) -> None:
        """Read every part once; rows are read again, which costs less than a pass."""
        codes, count = self.tensors["labels"], len(self.classes)
        if codes.dtype != torch.int64 or codes.ndim != 1 or not len(codes):
            raise ValueError(f"labels of shape {tuple(codes.shape)}, {codes.dtype}")
        if codes.min() < 0 or codes.max() >= count:
            raise ValueError(f"labels beyond the {count} classes")
        header, rows = self.header, self.header["rows"]
        held = len(header["marks"]) if rows is None else n_rows(self.rows(None))
        if held != len(codes):
            raise ValueError(f"{held} rows and {len(codes)} labels")
        if not isinstance(header["strategy"], str):
            raise TypeError("a strategy without a name")
        _plain_constants(header["constants"])
        dict(self.state, **self.fit_params)

    @cached_property
    def classes(self) -> np.ndarray:
        """The class of each column of the net."""
        return read_rows(self.header["classes"], self.tensors)

    @property
    def labels(self) -> np.ndarray:
        """The labels of the rows."""
        return self.classes[self.tensors["labels"].numpy()]

    @property
    def state(self) -> dict[str, Any]:
        """What `ActiveLearner.restore` takes, parameters included."""
        found = {
            name.removeprefix(_PARAMETER): value
            for name, value in self.tensors.items()
            if name.startswith(_PARAMETER)
        }
        return {**self.header["state"], "parameters": found or None}

    @property
    def fit_params(self) -> dict[str, Any]:
        """Fit parameters, those of rows and others."""
        of_rows = self.header["fit_params"].items()
        aligned = {name: read_rows(value, self.tensors) for name, value in of_rows}
        return {**self.header["constants"], **aligned}

    def rows(self, X: Any) -> Any:
        """Return the rows of the file, or those that were given for it.

        Raises
        ------
        InvalidInputError
            If it holds none, and ``X`` is not what was saved.
        """
        if self.header["rows"] is not None:
            return read_rows(self.header["rows"], self.tensors)
        marks = self.header["marks"]
        if X is None:
            raise InvalidInputError(
                f"The file {str(self.path)!r} holds no rows, since theirs are no "
                f"numbers or texts: give the {len(marks)} labelled rows with X, in the "
                "order of X_."
            )
        if n_rows(X) != len(marks):
            raise InvalidInputError(
                f"X must hold the {len(marks)} labelled rows, in the order of X_. Got "
                f"{n_rows(X)} rows instead."
            )
        pairs = zip(marks, row_marks(X), strict=True)
        strange = [i for i, (a, b) in enumerate(pairs) if None not in (a, b) and a != b]
        if strange:
            raise InvalidInputError(
                "X must hold the labelled rows, in the order of X_. Got other rows at "
                f"the positions {listed(strange)}."
            )
        return X

    def check_strategy(self, strategy: Any) -> None:
        """Refuse another kind of strategy than the saved one, which has learned."""
        kind = type(strategy).__name__ if strategy is not None else "BADGE"
        if kind != self.header["strategy"]:
            raise InvalidInputError(
                f"The learner in {str(self.path)!r} asks by {self.header['strategy']}. "
                f"Got one that asks by {kind}: give the same strategy, and another by "
                "set_params(strategy=...) after loading."
            )

    def check_model(self, model: Model, labeled: LabeledSet) -> None:
        """Refuse columns in another order; warn of a net that answers otherwise."""
        columns = model.known_columns
        if not np.array_equal(columns, self.classes):
            raise InvalidInputError(
                "The columns of the saved net stand for the classes "
                f"{listed(self.classes)}. Got {listed(columns)}: give classes in the "
                "same order."
            )
        if "probed" not in self.tensors:
            return
        if model.estimator is None:
            raise LearnerFileError(
                f"The file {str(self.path)!r} holds the answers of a trained net, and "
                "says that none was trained: it is not what learner.save(path) writes."
            )
        _compare(self.tensors["probed"].numpy(), _probed(model, labeled))


def _stored_values(
    values: Any, name: str, tensors: dict[str, torch.Tensor]
) -> dict[str, Any]:
    found = stored_rows(values, name, tensors)
    if found is None:
        raise InvalidInputError(
            f"{name} can be saved as numbers or texts. Got the type "
            f"{getattr(values, 'dtype', type(values).__name__)}: pickle the learner "
            "instead."
        )
    return found


def _plain_constants(constants: dict[str, Any]) -> dict[str, Any]:
    for name, value in constants.items():
        if type(value) not in (str, bool, int, float):
            raise InvalidInputError(
                f"Fit parameters can be saved as numbers or texts. Got {name} of type "
                f"{type(value).__name__}: pickle the learner instead, or teach without "
                "it."
            )
    return constants


def _probed(model: Model, labeled: LabeledSet) -> torch.Tensor | None:
    """Return probabilities of the first rows, or None where the net has none."""
    try:
        proba = model.proba(take(labeled.X, np.arange(min(len(labeled), _N_PROBED))))
    except SkbadgeError:
        # A net that diverged, or answers no probabilities; its labels are to be kept.
        return None
    return torch.from_numpy(np.ascontiguousarray(proba))


def _compare(before: np.ndarray, now: torch.Tensor | None) -> None:
    difference = np.inf
    if now is not None and now.shape == before.shape:
        difference = np.abs(now.numpy() - before).max()
    if not difference <= _TOLERANCE:
        warnings.warn(
            "The net has the saved weights, but answers otherwise than it did: "
            f"probabilities of labelled rows differ by up to {difference:.2g}. Either "
            "it is made in another way than the saved one (an activation, a setting of "
            "a step), or steps before it, which are fitted again on all labelled rows, "
            "were fitted on fewer, as with a warm start.",
            UserWarning,
            stacklevel=4,
        )

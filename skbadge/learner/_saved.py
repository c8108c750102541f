"""How a learner is written down, and comes back: methods of `ActiveLearner`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.base import clone

from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.learner._classes import encode, given_classes, listed
from skbadge.learner._identity import row_marks
from skbadge.learner._learner_file import read_learner_file, write_learner_file
from skbadge.learner._model import Model
from skbadge.learner._stored_rows import read_rows, stored_rows
from skbadge.learner._written import recalled, restored, written
from skbadge.nets._estimators import find_net
from skbadge.utils._rows import n_rows, take

__all__ = ["load", "recall", "restore", "save", "state"]

# An ActiveLearner or a class derived from it.
_Learner = TypeVar("_Learner", bound=Any)
# Rows whose probabilities are kept, to see on loading whether the net is the same.
_N_PROBED = 64
_TOLERANCE = 0.01


def state(self: _Learner, *, parameters: bool = False) -> dict[str, Any]:
    """Write down what `restore` needs beside the labelled rows.

    Parameters
    ----------
    parameters : bool, default=False
        Whether to copy the weights and buffers of the net too.

    Returns
    -------
    dict
        Plain lists and numbers, fit for JSON: ``n_trainings`` that succeeded;
        ``entropy``, from which all seeds are made; ``inclusion_probability`` with
        which each labelled row was chosen, None where unknown; what the
        ``strategy`` has learned; the batch ``asked``, with digests of its rows; what
        is ``pending`` to be told; ``n_new``, labels that no training has had; the
        ``history``. And ``parameters``: tensors by names such as ``"module_.weight"``.

    Raises
    ------
    LearnerNotFittedError
        If there are no labelled rows, or no trained net for ``parameters``.
    InvalidInputError
        If the strategy has learned what cannot be written down.
    """
    self._state.needed_labels("state")
    found = written(self._state)
    if parameters:
        model = self._state.needed_model(self, "state(parameters=True)")
        found["parameters"] = model.parameters()
    return found


def restore(
    self: _Learner, X: Any, y: Any, state: dict[str, Any], **fit_params: Any
) -> _Learner:
    """Come back to a state that was written down: same model, same queries.

    The last training is done again, under the seed it had and on all rows given,
    unless ``parameters`` bring its result.

    Parameters
    ----------
    X, y : as for `fit`
        The labelled rows in their order, corrections included, and their labels.
    state : dict
        Answer of `state`; what is missing in it is as after the first `fit`.
    **fit_params : dict
        As for `fit`.

    Returns
    -------
    self

    Raises
    ------
    InvalidInputError
        If something does not fit; nothing was changed then. After more than one
        warm-started training without ``parameters``: the weights hang on all.

    Notes
    -----
    ``parameters`` hold weights and buffers, not the optimizer: a warm start goes on
    with a new one. Steps of a pipeline are fitted again on the rows given.
    """
    begun, constants = self._begun(X, y, fit_params)
    begun._state = restored(begun._state, state).repeated(
        self, constants, state.get("parameters")
    )
    self._become(begun)
    return self


def recall(learner: Any, found: dict[str, Any]) -> None:
    """Have the strategy of a learner know what was written down; nothing is trained.

    For learners that came to their weights in another way than by `restore`.

    Parameters
    ----------
    learner : ActiveLearner
        Trained.
    found : dict
        Of an answer of `state`: ``strategy``, ``asked``, ``inclusion_probability``. A
        batch that is missing is forgotten.
    """
    learner._change(lambda state: recalled(state, found))


def save(self: _Learner, path: str | Path) -> _Learner:
    """Write labels, parameters and all that was learned to a file, without pickle.

    Parameters
    ----------
    path : str or Path
        Of one file in safetensors' format. One that exists is replaced in one step;
        a write that fails leaves it as it was.

    Returns
    -------
    self

    Raises
    ------
    LearnerNotFittedError
        If there are no labelled rows.
    InvalidInputError
        If labels, fit parameters or what the strategy has learned are no numbers or
        texts.
    LearnerFileError
        If the file cannot be written.

    Notes
    -----
    Labelled rows of numbers and texts are written with it; of others (data sets,
    images and other objects) only what tells them from other rows, and `load` is to be
    given them. Net, strategy and settings are code, which belongs to no file. The state
    of the optimizer is not kept: a warm start goes on with a new one.
    """
    known = self._state
    labeled, model = known.needed_labels("save"), known.trained_model
    # With labels there is a model, trained or not.
    columns: Any = known.model and known.model.columns
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
    if model is not None:
        for name, value in model.parameters().items():
            tensors[f"parameters.{name}"] = value.contiguous()
        probed = _probed(model, labeled.X)
        if probed is not None:
            tensors["probed"] = probed
    write_learner_file(path, header, tensors)
    return self


def load(
    cls: type[_Learner], path: str | Path, learner: _Learner, X: Any = None
) -> _Learner:
    """Bring a saved learner back: same labels, same model, same queries.

    Parameters
    ----------
    path : str or Path
        Written by `save`.
    learner : ActiveLearner
        Made as the saved one was: net, strategy and settings, which are code and come
        from no file. It stays as it is.
    X : rows or None, default=None
        The labelled rows (``X_``, in their order) where the file does not hold them.

    Returns
    -------
    ActiveLearner
        Another one. The steps of a pipeline are fitted again on the labelled rows.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    LearnerFileError
        If the file is torn, of another kind, or of a newer version of skbadge.
    InvalidInputError
        If ``learner`` or ``X`` is not what was saved.

    Warns
    -----
    UserWarning
        If the net answers otherwise than it did, although its weights are the same.
    """
    if not isinstance(learner, cls):
        raise InvalidInputError(
            f"learner must be an {cls.__name__}, made as the saved one was. Got "
            f"{type(learner).__name__} instead."
        )
    header, tensors = read_learner_file(path)
    twin = clone(learner)
    kind = type(learner.strategy).__name__ if learner.strategy is not None else "BADGE"
    if kind != header["strategy"]:
        raise InvalidInputError(
            f"The learner in {str(path)!r} asks by {header['strategy']}. Got one that "
            f"asks by {kind}: give the same strategy, and another by "
            "set_params(strategy=...) after loading."
        )
    columns = read_rows(header["classes"], tensors)
    if given_classes(twin.classes, find_net(twin.estimator)) is None:
        twin.set_params(classes=columns)
    parameters = {
        name.removeprefix("parameters."): value
        for name, value in tensors.items()
        if name.startswith("parameters.")
    }
    found = {**header["state"], "parameters": parameters or None}
    fit_params = {k: read_rows(v, tensors) for k, v in header["fit_params"].items()}
    twin.restore(
        _labelled_rows(header, tensors, X, path),
        columns[tensors["labels"].numpy()],
        found,
        **{**header["constants"], **fit_params},
    )
    twin.set_params(classes=learner.classes)
    model = twin._state.model
    if not np.array_equal(model.columns, columns):
        raise InvalidInputError(
            f"The columns of the saved net stand for the classes {listed(columns)}. "
            f"Got {listed(model.columns)}: give classes in the same order."
        )
    if "probed" in tensors:
        _compare(tensors["probed"].numpy(), _probed(model, twin._state.labeled.X))
    return twin


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


def _probed(model: Model, X: Any) -> torch.Tensor | None:
    """Return probabilities of the first rows, or None where the net has none."""
    try:
        proba = model.proba(take(X, np.arange(min(n_rows(X), _N_PROBED))))
    except SkbadgeError:
        # A net that diverged, or answers no probabilities; its labels are to be kept.
        return None
    return torch.from_numpy(np.ascontiguousarray(proba))


def _compare(before: np.ndarray, now: torch.Tensor | None) -> None:
    difference = np.inf if now is None else np.abs(now.numpy() - before).max()
    if not difference <= _TOLERANCE:
        warnings.warn(
            "The net has the saved weights, but answers otherwise than it did: "
            f"probabilities of labelled rows differ by up to {difference:.2g}. Either "
            "it is made in another way than the saved one (an activation, a setting of "
            "a step), or steps before it, which are fitted again on all labelled rows, "
            "were fitted on fewer, as with a warm start.",
            UserWarning,
            stacklevel=3,
        )


def _labelled_rows(
    header: dict[str, Any], tensors: dict[str, torch.Tensor], X: Any, path: str | Path
) -> Any:
    """Return the rows of the file, or those that were given for it."""
    if header["rows"] is not None:
        return read_rows(header["rows"], tensors)
    marks = header["marks"]
    if X is None:
        raise InvalidInputError(
            f"The file {str(path)!r} holds no rows, since theirs are no numbers or "
            f"texts: give the {len(marks)} labelled rows with X, in the order of X_."
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
            "X must hold the labelled rows, in the order of X_. Got other rows at the "
            f"positions {listed(strange)}."
        )
    return X

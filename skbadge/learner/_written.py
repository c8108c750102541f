"""The state of a learner as plain lists and numbers, fit for JSON, and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import numpy as np

from skbadge._contracts import Selection
from skbadge.exceptions import InvalidInputError
from skbadge.learner._asked import AskedBatch, Pending
from skbadge.learner._history import read_history, written_history
from skbadge.learner._state import State
from skbadge.utils._validation import check_flag, check_integer

__all__ = ["NOT_AS_WRITTEN", "recalled", "restored", "written", "written_selection"]

# What reading raises where something else was written, or somebody changed it.
NOT_AS_WRITTEN = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
)

_KEYS = {
    "asked",
    "entropy",
    "history",
    "inclusion_probability",
    "n_new",
    "n_trainings",
    "parameters",
    "pending",
    "strategy",
}
_PLAIN = (bool, int, float, str, type(None))


def written(state: State) -> dict[str, Any]:
    """Write down all of a state that its rows, labels and weights do not tell.

    Parameters
    ----------
    state : State
        With labelled rows.

    Returns
    -------
    dict
        For :meth:`ActiveLearner.restore`.

    Raises
    ------
    LearnerNotFittedError
        If it has none.
    InvalidInputError
        If the strategy has learned what is no number, text, list or array.
    """
    labeled, model = state.needed_labels("state")
    asked = state.asked
    learned = {
        name: _plain(value, name)
        for name, value in vars(state.strategy).items()
        if name.endswith("_") and not name.startswith("_")
    }
    return {
        "n_trainings": model.n_trainings,
        "entropy": model.entropy,
        "inclusion_probability": _numbers(labeled.probability),
        "strategy": learned,
        "asked": None if asked is None else _written_batch(asked),
        "pending": [_written_pending(batch) for batch in state.pending],
        "history": written_history(state.history),
        "n_new": state.n_new,
    }


def restored(state: State, found: dict[str, Any]) -> State:
    """Return a state that was begun anew with what had been written down.

    Raises
    ------
    InvalidInputError
        If something does not fit the labelled rows.
    """
    strange = sorted(set(found) - _KEYS)
    if strange:
        raise InvalidInputError(
            f"state must be an answer of learner.state(), a dict with {sorted(_KEYS)}. "
            f"Got {strange} in it."
        )
    state = recalled(state, found)
    labeled, model = state.needed_labels("restore")
    n_trainings, entropy = found.get("n_trainings", 1), found.get("entropy")
    entropy = model.entropy if entropy is None else entropy
    with _told_as("pending"):
        pending = tuple(_read_pending(batch) for batch in found.get("pending", ()))
    with _told_as("history"):
        history = read_history(found.get("history", ()))
    return replace(
        state,
        model=replace(
            model,
            entropy=check_integer(entropy, "entropy", low=0),
            n_trainings=check_integer(n_trainings, "n_trainings", low=0),
        ),
        pending=pending,
        history=history,
        n_new=check_integer(found.get("n_new", 0), "n_new", low=0, high=len(labeled)),
    )


def recalled(state: State, found: dict[str, Any]) -> State:
    """Return a state whose strategy knows what had been written down.

    Parameters
    ----------
    state : State
        With labelled rows, trained or not; model and labels stay.
    found : dict
        Of an answer of `written`: ``strategy``, ``asked`` and
        ``inclusion_probability``, each as in a new learner where it is missing.

    Raises
    ------
    InvalidInputError
        If there is not one probability a labelled row.
    """
    labeled, _ = state.needed_labels("restore")
    if found.get("inclusion_probability") is not None:
        with _told_as("inclusion_probability"):
            probability = _array(found["inclusion_probability"])
        if probability.shape != (len(labeled),):
            raise InvalidInputError(
                "inclusion_probability must hold one number (or None) for each of the "
                f"{len(labeled)} labelled rows. Got {len(probability)} instead."
            )
        labeled = replace(labeled, probability=probability)
    # A state is never edited in place, and the strategy is part of it.
    strategy = copy.copy(state.strategy)
    with _told_as("strategy"):
        for name, value in found.get("strategy", {}).items():
            if not name.endswith("_") or name.startswith("_"):
                raise ValueError(f"{name!r} is nothing that a strategy learns")
            setattr(strategy, name, _learned(value))
    with _told_as("asked"):
        asked = found.get("asked")
        asked = None if asked is None else _read_batch(asked)
    return replace(state, labeled=labeled, strategy=strategy, asked=asked)


@contextmanager
def _told_as(name: str) -> Iterator[None]:
    """Say of a part of a state that cannot be read which one it is."""
    try:
        yield
    except NOT_AS_WRITTEN as error:
        raise InvalidInputError(
            f"state must be an answer of learner.state(). Got one whose {name!r} "
            f"cannot be read: {type(error).__name__}: {error}."
        ) from error


def _written_batch(asked: AskedBatch) -> dict[str, Any]:
    return {
        "selection": written_selection(asked.selection),
        "indices": asked.indices.tolist(),
        "n_pool": asked.n_pool,
        "n_candidates": asked.n_candidates,
        "open": asked.open.tolist(),
        "own": asked.own,
        "marks": list(asked.marks),
        "n_trainings": asked.n_trainings,
    }


def _read_batch(written: dict[str, Any]) -> AskedBatch:
    selection = _read_selection(written["selection"])
    n = len(selection.indices)
    # A pool may have lost rows since.
    n_pool = check_integer(written["n_pool"], "n_pool", low=1)
    open_, marks = written["open"], written.get("marks", ())
    if any(type(is_open) is not bool for is_open in open_) or len(open_) != n:
        raise ValueError(f"open must hold {n} times true or false")
    if len(marks) not in (0, n):
        raise ValueError(f"marks must hold {n} texts, or none")
    return AskedBatch(
        selection,
        _positions(written["indices"], n, n_pool),
        n_pool,
        check_integer(written["n_candidates"], "n_candidates", low=n),
        np.array(open_, dtype=bool),
        check_flag(written["own"], "own"),
        tuple(marks),
        check_integer(written.get("n_trainings", 0), "n_trainings", low=0),
    )


def _positions(numbers: list[int], n: int, end: int) -> np.ndarray:
    """Return n distinct positions in [0, end); -1 for a row that has none any more."""
    given = np.array(numbers)
    good = given.shape == (n,) and (not n or given.dtype.kind in "iu")
    there = [i for i in numbers if i != -1]
    if not good or len(set(there)) < len(there) or any(not 0 <= i < end for i in there):
        raise ValueError(f"{n} distinct positions in [0, {end}) are expected")
    return given.astype(np.intp)


def _written_pending(batch: Pending) -> dict[str, Any]:
    return {
        "selection": written_selection(batch.selection),
        "taught": batch.taught.tolist(),
        "n_unlabeled": batch.n_unlabeled,
    }


def _read_pending(written: dict[str, Any]) -> Pending:
    selection, taught = _read_selection(written["selection"]), written["taught"]
    return Pending(
        selection,
        _positions(taught, len(taught), len(selection.indices)),
        check_integer(written["n_unlabeled"], "n_unlabeled", low=0),
    )


def written_selection(selection: Selection) -> dict[str, Any]:
    """Return what a strategy said of its choice as plain lists and numbers."""
    found = {f.name: getattr(selection, f.name) for f in fields(selection)}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in found.items()
        if value is not None
    }


def _read_selection(written: dict[str, Any]) -> Selection:
    found: dict[str, Any] = {
        name: np.array(value) if isinstance(value, list) and name != "notes" else value
        for name, value in written.items()
    }
    for name, value in found.items():
        # Of JSON come any kinds of things, and an array would hold them all.
        if isinstance(value, np.ndarray) and value.dtype.kind not in "iuf":
            raise TypeError(f"{name} must hold numbers, not {value.dtype}")
    indices = found["indices"]
    if indices.ndim != 1 or (len(indices) and indices.dtype.kind == "f"):
        raise TypeError("indices must be a list of ints")
    found["indices"] = indices.astype(np.intp)
    return Selection(**{**found, "notes": tuple(found.get("notes", ()))})


def _numbers(array: np.ndarray) -> list[float | None]:
    """Write an array down; JSON has no NaN."""
    return [None if np.isnan(value) else value for value in array.tolist()]


def _array(numbers: list[float | None]) -> np.ndarray:
    filled = [np.nan if value is None else value for value in numbers]
    return np.array(filled, dtype=np.float64)


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "iufbU":
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(part, name) for part in value]
    if isinstance(value, _PLAIN):
        return value
    raise InvalidInputError(
        f"What a strategy has learned can be written down as numbers, texts, lists and "
        f"arrays. Got {name} of type {type(value).__name__}: pickle the learner "
        "instead, or let the strategy learn plainer things."
    )


def _learned(value: Any) -> Any:
    if isinstance(value, dict):
        return np.array(value["array"], dtype=value["dtype"])
    return value

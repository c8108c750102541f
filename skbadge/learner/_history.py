"""What a learner notes of each training: how many labels, what it took, how it went."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import check_labels, encode, may_be_columns
from skbadge.learner._inputs import check_rows
from skbadge.learner._model import Model
from skbadge.utils._scoring import Scorer, make_scorers, score_all

__all__ = [
    "ScoredRows",
    "check_test_set",
    "history_row",
    "read_history",
    "written_history",
]

_SECONDS = ("embed", "select")


class ScoredRows(NamedTuple):
    """Rows and labels on which trainings are scored, and further scores."""

    X: Any
    y: np.ndarray
    scorers: dict[str, Scorer]


class _Scored(ClassifierMixin, BaseEstimator):
    """A trained model as scorers see it: a fitted classifier of checked rows.

    scikit-learn refuses to score what has no ``fit``; here it has nothing to do.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def classes_(self) -> np.ndarray:
        return self.model.classes

    def fit(self, X: Any, y: Any) -> _Scored:
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.model.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.model.proba(X)


def check_test_set(learner: Any, model: Model | None) -> ScoredRows | None:
    """Return the rows and labels on which trainings are scored, checked; or None.

    Parameters
    ----------
    learner : ActiveLearner
        With the number of features of `fit`.
    model : Model
        Knows the classes, trained or not.

    Raises
    ------
    InvalidInputError
        If it is no pair, the rows are of another kind, a label is unknown, or there is
        a score that these labels have not.
    """
    if learner.scoring is not None and learner.test_set is None:
        raise InvalidInputError(
            "scoring must come with a test_set, on which it is measured. Got "
            f"{learner.scoring!r} alone; for known labels see skbadge.simulate."
        )
    if learner.test_set is None or model is None:
        return None
    if not isinstance(learner.test_set, (tuple, list)) or len(learner.test_set) != 2:
        raise InvalidInputError(
            "test_set must be a pair (X_test, y_test) of rows and their labels. Got "
            f"{type(learner.test_set).__name__} instead."
        )
    X, y = learner.test_set
    try:
        X = check_rows(learner, X)
        y = check_labels(y, X)
        # Before the first training, more columns may turn out to be classes.
        columns = model.columns
        if columns is not None and (model.certain or not may_be_columns(columns)):
            encode(y, columns)
    except ValueError as error:
        raise InvalidInputError(
            f"test_set must hold rows and labels as fit gets them. {error}"
        ) from error
    known = y if columns is None else columns
    scorers = make_scorers(learner.scoring, taken=("accuracy",), labels=(known, y))
    return ScoredRows(X, y, scorers)


def history_row(
    state: Any, model: Model, tested: ScoredRows | None, seconds: float
) -> dict[str, Any]:
    """Return the row of a training that has just ended.

    Parameters
    ----------
    state : State
        Before the training.
    model : Model
        Its result.
    tested : ScoredRows or None
        Answer of `check_test_set`.
    seconds : float
        What it took.

    Returns
    -------
    dict of str to int, float or str
        NaN for what there is not.
    """
    asked, timings = state.asked, state.timings or {}
    # A batch of an earlier model belongs to an earlier row.
    new = asked is not None and asked.n_trainings == state.model.n_trainings
    return {
        "round": model.n_trainings,
        "n_labeled": state.labeled.n,
        "n_new": state.n_new if state.trained_model else state.labeled.n,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "fit_seconds": seconds,
        **{
            f"{k}_seconds": timings.get(k, math.nan) if new else math.nan
            for k in _SECONDS
        },
        **_spread(asked.selection.scores if new else None),
        "test_accuracy": math.nan if tested is None else _accuracy(model, tested),
        **({} if tested is None else _further(model, tested)),
    }


def _spread(scores: np.ndarray | None) -> dict[str, float]:
    """Return the smallest, mean and largest score of a batch."""
    scores = np.asarray([] if scores is None else scores, dtype=np.float64)
    scores = scores[np.isfinite(scores)]
    found = [math.nan] * 3
    if len(scores):
        found = [float(scores.min()), float(scores.mean()), float(scores.max())]
    return dict(zip(("score_min", "score_mean", "score_max"), found, strict=True))


def _accuracy(model: Model, tested: ScoredRows) -> float:
    return float(np.mean(model.predict(tested.X) == tested.y))


def _further(model: Model, tested: ScoredRows) -> dict[str, float]:
    found = score_all(tested.scorers, _Scored(model), tested.X, tested.y)
    return {f"test_{name}": score for name, score in found.items()}


def written_history(history: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Return rows for JSON, which has no NaN."""
    return [
        {
            k: None if isinstance(v, float) and math.isnan(v) else v
            for k, v in row.items()
        }
        for row in history
    ]


def read_history(rows: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return what `written_history` has written."""
    return tuple(
        {k: math.nan if v is None else v for k, v in row.items()} for row in rows
    )

"""Scores on test rows: by scikit-learn's names, of one class, or by functions."""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    average_precision_score,
    check_scoring,
    f1_score,
    get_scorer,
    get_scorer_names,
    jaccard_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from skbadge.exceptions import InvalidInputError

__all__ = ["ONE_CLASS", "OfOneClass", "make_scorers", "score_all"]

Scorer = Callable[[Any, Any, Any], float]

_OF_ANSWERS = {
    "f1": f1_score,
    "jaccard": jaccard_score,
    "precision": precision_score,
    "recall": recall_score,
}
_OF_PROBABILITIES = {
    "average_precision": average_precision_score,
    "roc_auc": roc_auc_score,
}
#: Scores of one class against all others.
ONE_CLASS = (*_OF_ANSWERS, *_OF_PROBABILITIES)


@dataclass(frozen=True)
class OfOneClass:
    """The score of one class against all others, ``"recall=fraud"``.

    Parameters
    ----------
    metric : str
        One of `ONE_CLASS`.
    label : str
        The class, as it is printed.
    """

    metric: str
    label: str

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the score; NaN where the rows are all of the class, or none is.

        A precision is 0 where no row is taken for one of the class.
        """
        position = self.position(estimator.classes_)
        label = estimator.classes_[position]
        truth = np.asarray(y) == label
        if truth.all() or not truth.any():
            return math.nan
        if self.metric in _OF_PROBABILITIES:
            proba = estimator.predict_proba(X)[:, position]
            return float(_OF_PROBABILITIES[self.metric](truth, proba))
        answers = np.asarray(estimator.predict(X)) == label
        return float(_OF_ANSWERS[self.metric](truth, answers, zero_division=0))

    def position(self, classes: np.ndarray) -> int:
        """Return where the class stands among ``classes``, or refuse."""
        names = [str(name) for name in classes]
        if names.count(self.label) != 1:
            raise InvalidInputError(
                f"{self.metric}=CLASS must name one of the classes "
                f"{', '.join(names[:20])}. Got {self.label!r} instead."
            )
        return names.index(self.label)


def _named_scorer(name: str, what: str) -> Scorer:
    """Return the scorer of a name: scikit-learn's, or one of `ONE_CLASS` with a class.

    Raises
    ------
    InvalidInputError
        If there is none; ``what`` is how the argument is called.
    """
    metric, equals, label = name.partition("=")
    if equals and metric in ONE_CLASS:
        return OfOneClass(metric, label)
    known = get_scorer_names()
    if name in known:
        return get_scorer(name)
    near = difflib.get_close_matches(name, known, n=3) or ["balanced_accuracy"]
    raise InvalidInputError(
        f"{what} must hold names of scikit-learn's scorers (such as "
        f"{', '.join(near)}), or one of {', '.join(ONE_CLASS)} "
        f"with a class, as recall=CLASS. Got {name!r} instead; "
        "sklearn.metrics.get_scorer_names() lists all."
    )


def make_scorers(
    scoring: Any,
    *,
    taken: tuple[str, ...] = (),
    labels: tuple[Any, Any] | None = None,
    what: str = "scoring",
) -> dict[str, Scorer]:
    """Return {column: scorer}.

    Parameters
    ----------
    scoring : str, callable, list of these, dict of name to these, or None
        What a user asks for.
    taken : tuple of str, default=()
        Names that no score may have.
    labels : pair (y, y_test) or None, default=None
        Labels of the pool and of the test set; named scores that these do not have are
        refused, before anything is trained.
    what : str, default="scoring"
        How the argument is called.

    Raises
    ------
    InvalidInputError
        For what is no score, names that are taken or given twice, and named scores
        that cannot be had.
    """
    if scoring is None:
        return {}
    if isinstance(scoring, Mapping):
        pairs = list(scoring.items())
    else:
        several = scoring if isinstance(scoring, (list, tuple)) else [scoring]
        pairs = [
            (s if isinstance(s, str) else getattr(s, "__name__", repr(s)), s)
            for s in several
        ]
    names = [name for name, _ in pairs]
    clashing = sorted(set(names) & set(taken))
    if clashing:
        raise InvalidInputError(
            f"{what} must not name columns that the table has anyway. Got {clashing}."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInputError(
            f"Each score must have a name of its own. Got {twice[0]!r} twice in "
            f"{what}: give a dict of names to scores."
        )
    scorers = {name: _scorer(score, what) for name, score in pairs}
    if labels is not None:
        for name, score in pairs:
            # Functions of a user's own may ask for more than the stand-in has.
            if isinstance(score, str):
                _check_labels(score, scorers[name], *labels)
    return scorers


def score_all(
    scorers: Mapping[str, Scorer], estimator: Any, X: Any, y: Any
) -> dict[str, float]:
    """Return {column: score}; scores of scikit-learn share their predictions."""
    if not scorers:
        return {}
    scores = check_scoring(estimator, scoring=dict(scorers))(estimator, X, y)
    return {name: float(scores[name]) for name in scorers}


def _scorer(score: Any, what: str) -> Scorer:
    if isinstance(score, str):
        return _named_scorer(score, what)
    if callable(score):
        return score
    raise InvalidInputError(
        f"{what} must hold names of scikit-learn's scorers or functions of learner, X "
        f"and y. Got {score!r} of type {type(score).__name__} instead."
    )


def _check_labels(name: str, scorer: Scorer, y: Any, y_test: Any) -> None:
    """Score a stand-in that answers at random, in the learner's place."""
    y_test = np.asarray(y_test)
    classes = np.unique(np.concatenate([np.asarray(y), y_test]))
    if isinstance(scorer, OfOneClass):
        label = classes[scorer.position(classes)]
        count = int((y_test == label).sum())
        if not 0 < count < len(y_test):
            raise InvalidInputError(
                f"For {name!r} the test set must have rows of the class "
                f"{scorer.label!r} and of others. Got {count} of {len(y_test)}."
            )
    problem = ""
    # Of two classes scikit-learn takes the one called 1, also where they are 1 and 2.
    which = name in ONE_CLASS and name != "roc_auc"
    if which and len(classes) == 2 and classes[1] != 1:
        problem = "it cannot be known of which class"
    stand_in = DummyClassifier(strategy="stratified", random_state=0)
    stand_in.fit(np.zeros((len(classes), 1)), classes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not problem:
                scorer(stand_in, np.zeros((len(y_test), 1)), y_test)
    # Scorers answer labels that do not fit with errors of many kinds.
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        problem = str(error).rstrip(".")
    if problem:
        raise InvalidInputError(
            f"The score {name!r} cannot be had of these labels: {problem}."
            f"{_advice(name, classes)}"
        )


def _advice(name: str, classes: np.ndarray) -> str:
    if name not in ONE_CLASS:
        return ""
    several = {"roc_auc": "roc_auc_ovr", "average_precision": ""}
    mean = several.get(name, f"{name}_macro")
    return (
        f" It is the score of one class: say which, as {name}={classes[-1]}"
        + (f", or take {mean} for the mean over classes" if mean else "")
        + "."
    )

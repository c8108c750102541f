"""What all stopping criteria share: what they see, remember and combine to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from skbadge.exceptions import InvalidInputError
from skbadge.nets._estimators import find_net
from skbadge.utils._random import Seed
from skbadge.utils._validation import check_integer

__all__ = [
    "Observation",
    "SeedFloor",
    "StoppingCriterion",
    "cohen_kappa",
    "seed_floor",
]


class SeedFloor(NamedTuple):
    """How far two trainings on the same rows agree that differ in their seed alone.

    Parameters
    ----------
    kappa : float in [-1, 1]
        Cohen's kappa of their predictions.
    changed : float in [0, 1]
        Share of the rows that they predict differently.
    """

    kappa: float
    changed: float


class Trained(Protocol):
    """What the criteria read of a learner: an `ActiveLearner` that was trained."""

    estimator: Any
    classes: ArrayLike | None
    warm_start: bool | Literal["shrink-perturb"]
    random_state: Seed

    @property
    def X_(self) -> Any:
        """Labelled rows."""

    @property
    def y_(self) -> np.ndarray:
        """Their labels."""

    @property
    def classes_(self) -> np.ndarray:
        """The classes, sorted."""

    @property
    def n_labeled_(self) -> int:
        """Number of labelled rows."""

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, one row a row."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What a criterion is shown after a training.

    Parameters
    ----------
    n_labeled : int
        Number of labelled rows.
    proba : ndarray of shape (n_stop, n_classes) or None, default=None
        Probabilities in [0, 1] for the stop set: the same rows each time.
    tested : tuple of two ints, list of these, or None, default=None
        How many rows were predicted rightly, of how many that the model had not
        learned from: a test set, or the random share of a campaign. A list where there
        were several tests since the last observation, or none: the oldest first.
    floor : SeedFloor or None, default=None
        Measured on the same stop set, where the criterion wanted it.
    """

    n_labeled: int
    proba: ArrayLike | None = None
    tested: tuple[int, int] | list[tuple[int, int]] | None = None
    floor: SeedFloor | None = None


class StoppingCriterion(BaseEstimator):
    """Base of the stopping criteria.

    A subclass lists in ``reads`` which fields of an `Observation` it needs, and writes
    ``_update(observation, memory)`` and ``_fires(memory)``. ``memory`` is a dict of
    what JSON can hold.

    See Also
    --------
    skbadge.simulate : Takes one as ``stop``.

    Examples
    --------
    >>> from skbadge.stopping import LabelBudget, Observation, StablePredictions
    >>> stop = LabelBudget(500) | StablePredictions()
    >>> stop.update(Observation(500, proba=[[0.9, 0.1], [0.2, 0.8]])).should_stop
    True
    """

    reads: tuple[str, ...] = ()

    @property
    def should_stop(self) -> bool:
        """Whether to stop, by what was seen so far."""
        return bool(self._fires(self._remembered()))

    def update(self, observation: Observation) -> Self:
        """Take notice of a training.

        Parameters
        ----------
        observation : Observation
            With all that the criterion ``reads``.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If something it reads is missing, or the probabilities are none.
        """
        missing = [name for name in self.reads if getattr(observation, name) is None]
        if missing:
            raise InvalidInputError(
                f"{type(self).__name__} needs an Observation with "
                f"{' and '.join(self.reads)}. Got none for {' and '.join(missing)}."
            )
        memory = self._remembered()
        self._update(observation, memory)
        self._memory = memory
        return self

    def observe(
        self,
        learner: Trained,
        X_stop: Any,
        *,
        tested: tuple[int, int] | list[tuple[int, int]] | None = None,
    ) -> Self:
        """Look at a trained learner: `update` with what can be seen on the stop set.

        Parameters
        ----------
        learner : ActiveLearner
            Trained. It is not changed.
        X_stop : rows as in ``learner.fit``
            The stop set, the same in each call: some 2,000 rows of the first pool,
            drawn at random, which stay even when they are labelled.
        tested : tuple of two ints, list of these, or None, default=None
            As in `Observation`.

        Returns
        -------
        self

        Notes
        -----
        Costs one prediction of the stop set. Where the criterion wants the seed floor,
        one training more: at the first call that could stop, and again whenever the
        labels have grown by a quarter. None is measured for a learner with
        ``warm_start``: its nets go on from one another and agree far better than two
        nets from scratch, so that the floor would stop at once.
        """
        proba = learner.predict_proba(X_stop) if "proba" in self.reads else None
        n_labeled = learner.n_labeled_
        wanted = not learner.warm_start and self.wants_floor(n_labeled)
        floor = seed_floor(learner, X_stop) if wanted else None
        return self.update(Observation(n_labeled, proba, tested, floor))

    def wants_floor(self, n_labeled: int) -> bool:
        """Say whether the next `update` should come with the seed floor.

        Parameters
        ----------
        n_labeled : int
            Number of labelled rows of that update.

        Returns
        -------
        bool
        """
        return False

    def state(self) -> dict[str, Any]:
        """Return what the criterion remembers, as plain lists and numbers.

        Returns
        -------
        dict
            Fit for JSON and for `restore`.
        """
        return {"criterion": repr(self), "memory": self._remembered()}

    def restore(self, state: dict[str, Any]) -> Self:
        """Go back to a state.

        Parameters
        ----------
        state : dict
            Answer of `state`, of a criterion with the same parameters.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If it is of another criterion, or of one with other parameters.
        """
        if not isinstance(state, dict) or state.get("criterion") != repr(self):
            found = state.get("criterion") if isinstance(state, dict) else state
            raise InvalidInputError(
                f"The state must be that of {self!r}. Got one of {found!r} instead: "
                "use the criterion it was written by, or begin without a state."
            )
        self._memory = copy.deepcopy(state["memory"])
        return self

    def signs(self) -> list[dict[str, Any]]:
        """Return what it has seen, a dict for each part of the criterion.

        Returns
        -------
        list of dict
            ``criterion`` (its repr), ``values`` (one a training, oldest first),
            ``threshold`` (float or None), ``floor`` (float or None), ``stop`` (bool).
        """
        memory = self._remembered()
        return [
            {
                "criterion": repr(self),
                "values": list(memory.get("values", [])),
                "threshold": self._threshold(memory),
                "floor": memory.get("floor"),
                "stop": bool(self._fires(memory)),
            }
        ]

    def __or__(self, other: StoppingCriterion) -> StoppingCriterion:
        if not isinstance(other, StoppingCriterion):
            return NotImplemented
        return _Combined(self, other, word="|")

    def __and__(self, other: StoppingCriterion) -> StoppingCriterion:
        if not isinstance(other, StoppingCriterion):
            return NotImplemented
        return _Combined(self, other, word="&")

    def _remembered(self) -> dict[str, Any]:
        return copy.deepcopy(getattr(self, "_memory", {}))

    def _update(self, observation: Observation, memory: dict[str, Any]) -> None:
        raise NotImplementedError

    def _fires(self, memory: dict[str, Any]) -> bool:
        raise NotImplementedError

    def _threshold(self, memory: dict[str, Any]) -> float | None:
        return getattr(self, "threshold", None)


class _Combined(StoppingCriterion):
    """Two criteria, of which either or both must fire."""

    def __init__(
        self, first: StoppingCriterion, second: StoppingCriterion, *, word: str
    ) -> None:
        self.first = first
        self.second = second
        self.word = word

    # A class attribute elsewhere, which nobody sets on an instance.
    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """Whatever one of them reads."""
        return tuple(sorted({*self.first.reads, *self.second.reads}))

    @property
    def should_stop(self) -> bool:
        """Whether either fires, or both do."""
        answers = (self.first.should_stop, self.second.should_stop)
        return any(answers) if self.word == "|" else all(answers)

    def update(self, observation: Observation) -> Self:
        """Show it to both."""
        # The second is not shown what the first refuses: both or neither.
        before = self.first.state()
        self.first.update(observation)
        try:
            self.second.update(observation)
        except InvalidInputError:
            self.first.restore(before)
            raise
        return self

    def wants_floor(self, n_labeled: int) -> bool:
        """Say whether one of them does."""
        return self.first.wants_floor(n_labeled) or self.second.wants_floor(n_labeled)

    def state(self) -> dict[str, Any]:
        """Return the states of both."""
        parts = [self.first.state(), self.second.state()]
        return {"criterion": repr(self), "parts": parts}

    def restore(self, state: dict[str, Any]) -> Self:
        """Restore both."""
        if not isinstance(state, dict) or state.get("criterion") != repr(self):
            return super().restore(state)
        for part, known in zip((self.first, self.second), state["parts"], strict=True):
            part.restore(known)
        return self

    def signs(self) -> list[dict[str, Any]]:
        """Return the signs of both, one after the other."""
        return [*self.first.signs(), *self.second.signs()]

    def __repr__(self) -> str:
        return f"({self.first!r} {self.word} {self.second!r})"


def checked_proba(proba: Any) -> np.ndarray:
    """Return probabilities as an array of shape (n_stop, n_classes)."""
    proba = np.asarray(proba, dtype=np.float64)
    if proba.ndim != 2 or not proba.size or not np.isfinite(proba).all():
        raise InvalidInputError(
            "proba must hold the finite probabilities of the stop set, of shape "
            f"(n_stop, n_classes). Got shape {proba.shape} instead."
        )
    return proba


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Return Cohen's kappa of two label vectors, in [-1, 1].

    (po - pe) / (1 - pe), with the agreement po and the one expected by chance, pe. Two
    constant and equal vectors, where that is 0 / 0, agree: 1.
    """
    classes, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = np.split(codes, [len(first)])
    observed = float((a == b).mean())
    shares = [np.bincount(part, minlength=len(classes)) / len(a) for part in (a, b)]
    expected = float(shares[0] @ shares[1])
    if expected >= 1:
        return 1.0
    return (observed - expected) / (1 - expected)


def seed_floor(learner: Trained, X_stop: Any) -> SeedFloor:
    """Measure how far two trainings agree that differ in their seed alone.

    A net trained anew predicts some rows otherwise for no other reason than its seed.
    From round to round, predictions do not become more stable than that on average.

    Parameters
    ----------
    learner : ActiveLearner
        Trained; it is not changed.
    X_stop : rows as in ``learner.fit``
        The stop set.

    Returns
    -------
    SeedFloor

    Notes
    -----
    Costs one training from scratch of a clone on ``learner.X_`` and ``learner.y_``, and
    two predictions. Fit parameters with one value a row, such as weights, are not
    handed on.

    It is one comparison of two seeds, and noisy as such. On few labels two nets differ
    much, so that a criterion that stops at the floor can stop early. For a learner with
    ``warm_start`` it is no bound: nets that go on from one another agree better.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skorch import NeuralNetClassifier
    >>> from torch.nn import CrossEntropyLoss
    >>> from skbadge import ActiveLearner
    >>> from skbadge.modules import MLP
    >>> from skbadge.stopping import seed_floor
    >>> X, y = load_digits(return_X_y=True)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_classes=10, module__n_hidden=32,
    ...     criterion=CrossEntropyLoss, train_split=None, iterator_train__shuffle=True,
    ...     max_epochs=5, verbose=0,
    ... )
    >>> learner = ActiveLearner(net, random_state=0).fit(X[:100], y[:100])
    >>> floor = seed_floor(learner, X[100:600])
    >>> 0 < floor.kappa < 1, 0 < floor.changed < 1
    (True, True)
    """
    present = learner.predict(X_stop)
    twin = clone(learner)
    # Any other seed serves; from the present one, so that the floor is reproducible.
    state = learner.random_state
    other = state + 1 if isinstance(state, (int, np.integer)) else 1
    twin.set_params(random_state=int(other))
    own = getattr(find_net(learner.estimator), "classes", None)
    if learner.classes is None and own is None:
        # Labels that were taken back may have been all of a class.
        twin.set_params(classes=list(learner.classes_))
    again = twin.fit(learner.X_, learner.y_).predict(X_stop)
    changed = float((present != again).mean())
    return SeedFloor(cohen_kappa(present, again), changed)


def check_window(window: int, low: int = 1) -> int:
    """Return a window as an int."""
    return check_integer(window, "window", low=low)

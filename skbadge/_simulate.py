"""Algorithm 1 of the BADGE paper as a call, on data whose labels are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone

from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import check_labels, given_classes
from skbadge.learner._inputs import rows_for
from skbadge.learner._learner import ActiveLearner
from skbadge.nets._estimators import find_net
from skbadge.stopping import StoppingCriterion
from skbadge.strategies import QueryStrategy
from skbadge.utils._random import Purpose, draw_entropy, spawn_generator
from skbadge.utils._rows import n_rows, take
from skbadge.utils._scoring import make_scorers, score_all
from skbadge.utils._validation import check_integer

__all__ = ["Simulation", "all_classes", "simulate"]

# Rows of the stop set.
_N_STOP = 2000

COLUMNS = (
    "round",
    "n_labeled",
    "accuracy",
    "fit_seconds",
    "embed_seconds",
    "select_seconds",
    "positions",
)


def simulate(
    learner: ActiveLearner,
    X: Any,
    y: Any,
    *,
    n_initial: int = 100,
    n: int = 100,
    n_rounds: int,
    X_test: Any,
    y_test: Any,
    initial: ArrayLike | QueryStrategy | None = None,
    scoring: Any = None,
    stop: StoppingCriterion
    | Callable[[ActiveLearner, dict[str, Any]], bool]
    | None = None,
) -> pd.DataFrame:
    """Run active learning on data whose labels are known, and measure each round.

    Starts from rows at random, then asks, is told the known labels, and trains again,
    round after round: Algorithm 1 of the paper [1]_.

    Parameters
    ----------
    learner : ActiveLearner
        A clone of it is run; an int ``random_state`` fixes everything, the initial rows
        included, which are then the same for every strategy.
    X : array, DataFrame, Tensor, sparse matrix, dict or Dataset with n_pool rows
        The pool.
    y : array-like of shape (n_pool,)
        Its labels, shown to the learner row by row.
    n_initial : int, default=100
        Number of rows labelled at the start (M in the paper).
    n : int, default=100
        Number of rows asked for in each round (B).
    n_rounds : int
        Number of queries (T); fewer where less than ``n`` rows are left.
    X_test, y_test : same kinds as ``X`` and ``y``
        Rows to measure the accuracy on.
    initial : array-like of int, QueryStrategy or None, default=None
        Positions of the rows labelled at the start, in the place of ``n_initial`` rows
        at random; or a strategy that needs no trained net, which chooses ``n_initial``
        rows: a cold start, such as ``TypiClust(features="input")``.
    scoring : str, callable, list of these, dict of name to these, or None, default=None
        Further scores on the test rows, as scikit-learn names them or as functions
        ``(learner, X, y) -> float``; each is a column of the table. ``"recall=fraud"``
        is the score of one class, here of "fraud"; so are ``f1``, ``precision``,
        ``jaccard``, ``average_precision`` and ``roc_auc``.
    stop : stopping criterion, callable or None, default=None
        Ends the simulation before ``n_rounds``: one of :mod:`skbadge.stopping`, a clone
        of which looks at up to 2,000 rows of the pool drawn by the seed and at the
        accuracy; or a function ``(learner, record) -> bool`` of the row of the table.

    Returns
    -------
    table : pandas.DataFrame with one row a round
        ``round`` (0 is the initial set), ``n_labeled``, ``accuracy`` in [0, 1],
        ``fit_seconds``, ``embed_seconds`` and ``select_seconds`` (of the query that led
        to the round; NaN in round 0), and ``positions``, an ndarray of the rows added.

    Raises
    ------
    InvalidInputError
        If the sizes do not fit the pool, or a score named in ``scoring`` the labels.
    LearnerNotFittedError
        If ``initial`` is a strategy that needs a trained net.

    See Also
    --------
    skbadge.benchmarks : The same for many data sets, strategies and repeats.

    Notes
    -----
    The classes are those of all of ``y``, since the width of a net is known before the
    first label is bought; set ``classes`` on the learner for others.

    References
    ----------
    .. [1] Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
       Bounds", `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skorch import NeuralNetClassifier
    >>> from torch.nn import CrossEntropyLoss
    >>> from skbadge import ActiveLearner, RandomSampling, simulate
    >>> from skbadge.modules import MLP
    >>> X, y = load_digits(return_X_y=True)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_classes=10, module__n_hidden=32,
    ...     criterion=CrossEntropyLoss, train_split=None, iterator_train__shuffle=True,
    ...     max_epochs=5, verbose=0,
    ... )
    >>> learner = ActiveLearner(net, strategy=RandomSampling(), random_state=0)
    >>> table = simulate(
    ...     learner, X[:1000], y[:1000], n_initial=50, n=25, n_rounds=2,
    ...     X_test=X[1000:], y_test=y[1000:],
    ... )
    >>> table["n_labeled"].tolist()
    [50, 75, 100]
    """
    check_integer(n_rounds, "n_rounds", low=0)
    run = Simulation(
        learner,
        X,
        y,
        n_initial=n_initial,
        n=n,
        X_test=X_test,
        y_test=y_test,
        initial=initial,
        scoring=scoring,
    )
    ended = _ending(stop, run)
    records = [run.start()]
    while len(records) <= n_rounds and run.can_step() and not ended(records[-1]):
        records.append(run.step())
    first, last = COLUMNS[:3], COLUMNS[3:]
    return pd.DataFrame(records, columns=[*first, *run.scorers, *last])


def _ending(stop: Any, run: Simulation) -> Callable[[dict[str, Any]], bool]:
    """Return a function that says after a round whether to stop."""
    if stop is None:
        return lambda record: False
    if hasattr(stop, "observe"):
        count = n_rows(run.X)
        drawn = spawn_generator(run.entropy, Purpose.SIMULATION, 1)
        X_stop = take(run.X, np.sort(drawn.permutation(count)[:_N_STOP]))
        criterion, n_test = clone(stop), len(run.y_test)

        def ended(record: dict[str, Any]) -> bool:
            right = round(record["accuracy"] * n_test)
            return criterion.observe(
                run.learner, X_stop, tested=(right, n_test)
            ).should_stop

        return ended
    if callable(stop):
        return lambda record: bool(stop(run.learner, record))
    raise InvalidInputError(
        "stop must be a criterion of skbadge.stopping or a function of the learner and "
        f"the row of the table. Got {stop!r} instead."
    )


class Simulation:
    """The same loop, one round a call, with a state that can be written down.

    Parameters
    ----------
    learner, X, y, n_initial, n, X_test, y_test, initial, scoring
        As for `simulate`.

    Attributes
    ----------
    learner : ActiveLearner
        The clone that is run.
    entropy : int
        Its seed.
    rounds : list of ndarray
        Positions added in each round so far.
    """

    def __init__(
        self,
        learner: ActiveLearner,
        X: Any,
        y: Any,
        *,
        n_initial: int = 100,
        n: int = 100,
        X_test: Any,
        y_test: Any,
        initial: ArrayLike | QueryStrategy | None = None,
        scoring: Any = None,
    ) -> None:
        self.X, self.X_test = (
            rows_for(learner.estimator, rows) for rows in (X, X_test)
        )
        self.y = check_labels(y, self.X)
        # Before the first training is paid for, not after it.
        self.y_test = check_labels(y_test, self.X_test, rows="X_test")
        n_pool = n_rows(self.X)
        labels = self.y, self.y_test
        self.scorers = make_scorers(scoring, taken=COLUMNS, labels=labels)
        self.initial: np.ndarray | QueryStrategy | None
        if initial is None or isinstance(initial, QueryStrategy):
            self.initial = initial
            self.n_initial = check_integer(n_initial, "n_initial", low=1, high=n_pool)
        else:
            self.initial = _first_rows(initial, n_pool)
        self.n = check_integer(n, "n", low=1, high=n_pool)
        self.learner: ActiveLearner = clone(learner)
        self.entropy = draw_entropy(self.learner.random_state)
        self.learner.set_params(random_state=self.entropy)
        net = find_net(self.learner.estimator)
        if given_classes(self.learner.classes, net) is None:
            self.learner.set_params(classes=all_classes(self.y))
        self._generator = spawn_generator(self.entropy, Purpose.SIMULATION, 0)
        self.rounds: list[np.ndarray] = []

    def start(self) -> dict[str, Any]:
        """Label the first rows and train; return the record of round 0."""
        first = self.initial
        if first is None:
            drawn = self._generator.permutation(n_rows(self.X))
            first = np.sort(drawn[: self.n_initial])
        elif isinstance(first, QueryStrategy):
            scout = clone(self.learner).set_params(strategy=first)
            first = np.sort(scout.query(self.X, n=self.n_initial))
        self.learner.fit(take(self.X, first), self.y[first])
        return self._record(first)

    def can_step(self) -> bool:
        """Say whether enough unlabelled rows are left for another batch."""
        return n_rows(self.X) - sum(map(len, self.rounds)) >= self.n

    def step(self) -> dict[str, Any]:
        """Ask for a batch, label it and train; return the record of the round."""
        is_open = np.ones(n_rows(self.X), dtype=bool)
        is_open[np.concatenate(self.rounds)] = False
        chosen = self.learner.query(self.X, n=self.n, candidates=is_open)
        self.learner.teach(take(self.X, chosen), self.y[chosen])
        return self._record(chosen)

    def state(self) -> dict[str, Any]:
        """Return what `resume` needs, as plain lists and numbers (fit for JSON)."""
        state = self.learner.state()
        # The next query is not open yet, and the last is answered whole; what the
        # history has is in the table.
        del state["asked"], state["pending"], state["history"]
        return {"rounds": [chosen.tolist() for chosen in self.rounds], **state}

    def resume(self, state: dict[str, Any]) -> None:
        """Go back to a state: the net is trained again under the seed it had then.

        Parameters
        ----------
        state : dict
            Answer of `state`, of a simulation with the same arguments.

        Raises
        ------
        InvalidInputError
            With ``warm_start=True``, whose weights hang on all trainings before.
        """
        state = dict(state)
        rounds = [np.array(chosen, dtype=np.intp) for chosen in state.pop("rounds")]
        order = np.concatenate(rounds)
        self.learner.restore(take(self.X, order), self.y[order], state)
        self.rounds = rounds

    def _record(self, chosen: np.ndarray) -> dict[str, Any]:
        self.rounds.append(chosen)
        timings = self.learner.timings_
        return {
            "round": len(self.rounds) - 1,
            "n_labeled": self.learner.n_labeled_,
            "accuracy": self.learner.score(self.X_test, self.y_test),
            **score_all(self.scorers, self.learner, self.X_test, self.y_test),
            "fit_seconds": timings["fit"],
            "embed_seconds": timings.get("embed", np.nan),
            "select_seconds": timings.get("select", np.nan),
            "positions": chosen,
        }


def _first_rows(initial: ArrayLike, n_pool: int) -> np.ndarray:
    rows = np.atleast_1d(np.asarray(initial))
    good = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    distinct = good and len(np.unique(rows)) == len(rows)
    if not distinct or rows.min() < 0 or rows.max() >= n_pool:
        raise InvalidInputError(
            f"initial must hold distinct positions in [0, {n_pool}), at least one, or "
            f"be a query strategy. Got {rows.tolist()} instead."
        )
    return rows.astype(np.intp)


def all_classes(y: np.ndarray) -> np.ndarray | None:
    """Return all labels, or None where they are 0, 1, ...: numbers of columns."""
    classes = np.unique(y)
    return None if np.array_equal(classes, np.arange(len(classes))) else classes

"""ActiveLearner: any skorch classifier, asked which rows to label next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skbadge.learner._classes import check_labels
from skbadge.learner._inputs import (
    check_are_here,
    check_indices,
    check_rows,
    rows_for,
)
from skbadge.learner._learned import Learned
from skbadge.learner._query import asker, queried
from skbadge.learner._state import bookkeeping, labels_kept
from skbadge.nets._estimators import check_estimator_kind
from skbadge.strategies import QueryStrategy
from skbadge.utils._random import Seed
from skbadge.utils._torch import one_at_a_time

__all__ = ["ActiveLearner"]


class ActiveLearner(Learned):
    """Ask which rows of a pool to label next, and learn from the answers.

    Wraps a skorch classifier, unmodified. `fit` trains it on labelled rows, `query`
    names the rows of a pool that are worth the next labels, `teach` takes those in and
    trains again. It is itself a scikit-learn classifier.

    Parameters
    ----------
    estimator : NeuralNetClassifier, NeuralNetBinaryClassifier or Pipeline
        The net, or a pipeline that ends in one. ``FrozenEstimator`` around either
        stands for a fitted one that must not be trained. By default, skorch holds a
        fifth of the labels back and does not shuffle: set ``train_split=None`` and
        ``iterator_train__shuffle=True`` unless you want that.
    strategy : QueryStrategy or None, default=None
        How rows are chosen; None means ``BADGE()``.
    layer : str or None, default=None
        Dotted name of the classification layer (``"head.fc"``): an ``nn.Linear`` or a
        1x1 convolution; for strategies that read features alone, a layer of any kind.
        None takes the last linear one that leads to the scores and has their width.
    classes : array-like of shape (n_classes,) or None, default=None
        All classes. Their order is that of the net's columns, which matters for a
        trained net and for class weights of a criterion; ``classes_`` is sorted
        anyhow. None takes the net's own ``classes``, else the sorted labels of `fit`;
        integer labels below the width of the last layer count as column numbers.
    warm_start : bool or "shrink-perturb", default=False
        False trains from scratch each time, as the BADGE paper does. True goes on from
        the present weights and optimizer state, with transformers as fitted;
        ``"shrink-perturb"`` from 0.6 times the weights plus noise from N(0, 0.01^2),
        with a new optimizer [1]_. Both go on with ``estimator_``: parameters of
        ``estimator`` that were changed in between are an error.
    test_set : pair (X_test, y_test) or None, default=None
        Rows and labels, never trained on, that give each training its
        ``test_accuracy`` in ``history_``.
    scoring : str, callable, list of these, dict of name to these, or None, default=None
        Further scores on ``test_set``, as of `simulate`: ``"balanced_accuracy"`` is
        ``test_balanced_accuracy`` in ``history_``, and ``"recall=fraud"`` of one class.
    random_state : int, RandomState, Generator or None, default=None
        Fixes initialization, shuffling, dropout and selection. None draws once, in
        `fit`.
    verbose : int, default=0
        Above 0, show a progress bar for passes over a pool.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted (labels of several types: in the order of ``classes``), as
        are the columns of `predict_proba`.
    X_ : same kind as the rows given
        Labelled rows, in the order in which they came; arrays are read-only, tensors,
        tables and sparse matrices copies.
    y_ : ndarray of shape (n_labeled,)
        Their labels, read-only.
    n_labeled_ : int
        Number of labelled rows.
    estimator_ : estimator
        The fitted clone. Its net is taught numbers of columns; steps before it, splits
        and scorers see the classes.
    strategy_ : QueryStrategy
        The clone that answers queries, with what it learned.
    last_selection_ : Selection
        The last answer of `query`, with scores.
    open_ : ndarray of int
        Positions in the pool of its rows that were not taught yet.
    history_ : list of dict
        One row a training, for ``pandas.DataFrame(learner.history_)``: ``round`` (from
        1), ``n_labeled``, ``n_new`` (labels no training had before), ``time`` (UTC, ISO
        8601), ``fit_seconds``; ``embed_seconds``, ``select_seconds`` and ``score_min``,
        ``score_mean``, ``score_max`` of the query before it; ``test_accuracy`` and
        ``test_...`` for each of ``scoring``. NaN for what there is not.
    traffic_ : Traffic
        Round trips and bytes of the last query of a pool on a cluster.
    timings_ : dict of str to float
        Seconds of the last training ("fit"), pass ("embed") and choice ("select").
    n_features_in_ : int
        Number of features seen in `fit`, for arrays and DataFrames.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    skbadge.simulate : Runs the loop on data with known labels.

    Notes
    -----
    Global generators (NumPy, torch, ``random``) are afterwards as they were. The
    numbers behind a query come from the seed, the purpose and the number of trainings
    so far: the same query twice gives the same answer, and a query cannot change the
    next training. Predictions too are fixed by the seed, where the net draws for them.

    One thread at a time trains or runs a net, the others wait. Never wait, in what such
    a call runs (a callback, a module, a data set), for another thread that uses a
    learner: neither would go on.

    References
    ----------
    .. [1] Ash and Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020,
       `arXiv:1910.08475 <https://arxiv.org/abs/1910.08475>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from torch.nn import CrossEntropyLoss
    >>> from sklearn.datasets import load_digits
    >>> from skbadge import ActiveLearner, BADGE
    >>> from skbadge.modules import MLP
    >>> X, y = load_digits(return_X_y=True)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_classes=10, module__n_hidden=32,
    ...     criterion=CrossEntropyLoss, train_split=None, iterator_train__shuffle=True,
    ...     max_epochs=5, verbose=0,
    ... )
    >>> learner = ActiveLearner(net, strategy=BADGE(), random_state=0)
    >>> learner = learner.fit(X[:50], y[:50])
    >>> indices = learner.query(X[50:], n=10)
    >>> learner.teach(X[50:][indices], y[50:][indices]).n_labeled_
    60
    """

    def __init__(
        self,
        estimator: Any,
        *,
        strategy: QueryStrategy | None = None,
        layer: str | None = None,
        classes: ArrayLike | None = None,
        warm_start: bool | Literal["shrink-perturb"] = False,
        test_set: tuple[Any, Any] | None = None,
        scoring: Any = None,
        random_state: Seed | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.strategy = strategy
        self.layer = layer
        self.classes = classes
        self.warm_start = warm_start
        self.test_set = test_set
        self.scoring = scoring
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, **fit_params: Any) -> Self:
        """Start a labelled set and train on it.

        Parameters
        ----------
        X : array, DataFrame, Tensor, sparse matrix, dict or Dataset
            Labelled rows. What the net takes; a pipeline may take more.
        y : array-like of shape (n_labeled,)
            Their labels, of any type.
        **fit_params : dict
            Handed to the estimator's ``fit``, or routed to it where scikit-learn's
            metadata routing is on. Those with one value a row, such as
            ``sample_weight``, are kept with the rows and must come with every `teach`.
            The others hold for later trainings once one with them has succeeded.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If an argument does not fit; nothing was changed then.
        """
        before = self._state
        begun, constants = self._begun(X, y, fit_params)
        if before.trained_model is not None:
            # An earlier fit goes on serving if this one fails.
            begun._train(constants)
            self._state.check_labels_are_those_of(before)
        self._become(begun)
        if before.trained_model is None:
            # The labels stay, for refit().
            self._train(constants)
        return self

    def teach(
        self, X: Any, y: Any, *, indices: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Add labelled rows and train again.

        The labels are safe: they are checked before anything is stored, and once stored
        they stay, even if the training fails.

        Parameters
        ----------
        X : same kind as in `fit`
            The new rows. Before `fit`, this call is `fit`.
        y : array-like of shape (n_new,)
            Their labels.
        indices : array-like of int of shape (n_new,) or None, default=None
            Positions of the rows in the pool of the last query, for answers that are
            fewer than asked for; rows other than those are refused. None counts the
            rows as the last query's where their number is its ``n`` and they are its
            rows, in any order.
        **fit_params : dict
            The row-aligned ones of `fit`, for the new rows. Others replace earlier
            ones, and hold once a training with them has succeeded.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If a label is unknown, ``indices`` name other rows of the pool, or an
            argument or parameter does not fit; nothing was stored.
        RefitError
            If the training failed. The labels are kept, the previous model predicts,
            and `refit` tries again. Its cause is the original error.
        KeyboardInterrupt
            If the training was interrupted; as for `RefitError`.
        """
        check_estimator_kind(self.estimator)
        check_are_here(X)
        if self._state.labeled is None:
            labels = check_labels(y, rows_for(self.estimator, X))
            before = self._state
            indices = check_indices(indices, len(labels), before.asked)
            begun, constants = self._begun(X, y, fit_params)
            begun._state = begun._state.begun_by(before, indices)
            self._become(begun)
            n_new = self.n_labeled_
        else:
            X = check_rows(self, X)
            y = check_labels(y, X)
            n_new = len(y)
            with bookkeeping():
                state = self._state.ready(self)
                self._state, constants = state.taught(self, X, y, indices, fit_params)
        with labels_kept(self._state, f"The {n_new} new labels are kept"):
            self._train(constants)
        return self

    def refit(self) -> Self:
        """Train again on the labelled rows there are.

        Returns
        -------
        self

        Raises
        ------
        LearnerNotFittedError
            If there are no labelled rows yet.
        InvalidInputError
            If a parameter does not fit.
        RefitError, KeyboardInterrupt
            If the training failed or was interrupted; as for `teach`.
        """
        self._state.needed_labels("refit")
        check_estimator_kind(self.estimator)
        self._change(lambda state: state.ready(self))
        with labels_kept(self._state, "All labels are kept"):
            self._train({})
        return self

    def forget(self, positions: ArrayLike) -> Self:
        """Take rows out of the labelled set; call `refit` after all corrections.

        Parameters
        ----------
        positions : int or array-like of int
            Positions in ``X_``, each once.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If a position is repeated or out of range, or no row would be left.
        """
        self._change(lambda state: state.without(positions))
        return self

    def relabel(self, positions: ArrayLike, y: Any) -> Self:
        """Correct labels; call `refit` after all corrections.

        Parameters
        ----------
        positions : int or array-like of int of shape (n,)
            Positions in ``X_``, each once.
        y : label or array-like of shape (n,)
            Their right labels, members of ``classes_``.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If a position is repeated or out of range, or a label is unknown.
        """
        self._change(lambda state: state.relabeled(positions, y))
        return self

    def query(
        self,
        X_pool: Any,
        n: int = 1,
        *,
        candidates: ArrayLike | None = None,
        subsample: float | int | None = None,
    ) -> np.ndarray:
        """Choose the rows of a pool that are worth the next labels.

        Parameters
        ----------
        X_pool : same kind as in `fit`
            The pool; unlabelled rows, or all rows together with `candidates`. Never
            copied whole: it may be larger than memory.
        n : int, default=1
            Number of rows to choose.
        candidates : array-like of bool of shape (n_pool,) or of int, or None
            Rows that may be chosen and are run, by mask or positions; None for all.
        subsample : float in (0, 1], int or None, default=None
            Share or number of the candidates, drawn at random by the seed, among which
            to choose: faster on huge pools, and blind to all other rows.

        Returns
        -------
        indices : ndarray of shape (n,), dtype intp
            Positions in ``X_pool``, in the order of choice. For one seed, the first of
            a larger batch are the smaller batch, except for a k-DPP. For a DataFrame,
            ``X_pool.index[indices]`` are the labels of the rows.

        Raises
        ------
        LearnerNotFittedError
            If the strategy needs a fitted net and there is none.
        InvalidInputError
            If an argument does not fit.
        SkbadgeError
            If the net does not answer as a classifier should; the message says more.
        """
        state = self._change(lambda state: state.renewed(self))
        asker(state, self)
        if state.labeled is None:
            X_pool = rows_for(self.estimator, X_pool)
        else:
            reader = state.model and state.model.estimator
            X_pool = check_rows(self, X_pool, finite=False, estimator=reader)
        found = queried(state, self, X_pool, n, candidates, subsample)
        kept = {k: getattr(found, k) for k in ("asked", "timings", "traffic")}
        self._change(lambda state: replace(state, **kept))
        return found.asked.indices.copy()  # type: ignore[union-attr]

    def _train(self, constants: dict[str, Any]) -> None:
        """Train on all labelled rows; swap the model in only when all is done."""
        # The lock is held over the whole training, so that one thread's begins with
        # what the other's has found.
        with one_at_a_time():
            before = self._state
            trained = before.trained(self, constants)
            self._change(lambda state: state.after_training(before, trained))

"""ActiveLearner: any skorch classifier, asked which rows to label next."""

from __future__ import annotations

import copy
from dataclasses import replace
from time import perf_counter

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier

from skbadge._contracts import Outputs
from skbadge.exceptions import DivergedTrainingError
from skbadge.extraction._pass import collect_outputs
from skbadge.learner._bookkeeping import LabeledRowsMixin
from skbadge.learner._classes import check_labels, encode
from skbadge.learner._inputs import (
    check_candidates,
    check_indices,
    check_rows,
    check_strategy,
    drawn_share,
    rows_for,
)
from skbadge.learner._labeled import AskedBatch
from skbadge.learner._trained import TrainedModelMixin
from skbadge.nets._estimators import check_estimator_kind, find_net, split_estimator
from skbadge.nets._predict import predicted
from skbadge.nets._probabilities import check_distribution, explained_bfloat16
from skbadge.utils._random import Purpose, draw_entropy, spawn_generator
from skbadge.utils._rows import n_rows
from skbadge.utils._torch import seeded_generators
from skbadge.utils._validation import check_n

__all__ = ["ActiveLearner"]


class ActiveLearner(
    LabeledRowsMixin,
    TrainedModelMixin,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Ask which rows of a pool to label next, and learn from the answers.

    Wraps a skorch classifier, unmodified. `fit` trains it on the rows that have labels,
    `query` names the rows of a pool that are worth the next labels, `teach` takes those
    labels in and trains again. It is itself a scikit-learn classifier.

    Parameters
    ----------
    estimator : NeuralNetClassifier, NeuralNetBinaryClassifier or Pipeline
        The net, or a pipeline that ends in one. ``FrozenEstimator`` around either
        stands for a fitted one that must not be trained. skorch's default
        ``train_split`` holds a fifth of the labels back and its default loader does not
        shuffle: set ``train_split=None`` and ``iterator_train__shuffle=True`` unless
        you want that.
    strategy : QueryStrategy or None, default=None
        How rows are chosen; None means ``BADGE()``.
    layer : str or None, default=None
        Dotted name of the classification layer (``"head.fc"``). None takes the last
        ``nn.Linear`` executed whose width is that of the module's output.
    classes : array-like of shape (n_classes,) or None, default=None
        All classes. Their order is that of the net's columns, which matters for a
        trained net and for class weights of a criterion; ``classes_`` is sorted
        anyhow. None takes the net's own ``classes``, else the sorted labels of `fit`;
        integer labels below the width of the last layer count as column numbers.
    warm_start : bool, default=False
        Whether `teach` goes on from the present weights and optimizer state, with
        transformers as fitted, or trains from scratch (as the BADGE paper does). What
        it then goes on with is ``estimator_``: parameters of ``estimator`` that were
        changed in between are an error.
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
        Labelled rows, in the order in which they came.
    y_ : ndarray of shape (n_labeled,)
        Their labels.
    n_labeled_ : int
        Number of labelled rows.
    estimator_ : estimator
        The fitted clone. Inside it the labels are column numbers.
    strategy_ : QueryStrategy
        The clone that answers queries, with what it learned.
    last_selection_ : Selection
        The last answer of `query`, with scores.
    timings_ : dict of str to float
        Seconds of the last training ("fit"), pass over a pool ("embed") and choice
        ("select").
    n_features_in_ : int
        Number of features seen in `fit`, for arrays and DataFrames.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    skbadge.simulate : Runs the loop of `query` and `teach` on data with known labels.

    Notes
    -----
    Global generators (NumPy, torch, ``random``) are afterwards as they were. The
    numbers behind a query come from the seed, the purpose and the number of trainings
    so far: the same query twice gives the same answer, and a query cannot change the
    next training. Predictions too are fixed by the seed, where the net draws for them.

    torch has one generator for all threads, so one thread at a time trains, predicts or
    runs a net over a pool, whatever learner it uses; the others wait. Never wait, in
    what such a call runs (a callback, a module, a data set), for another thread that
    uses a learner: neither would go on. Calling a learner there oneself is fine.

    References
    ----------
    .. [1] Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
       Bounds", `arXiv:1906.03671 <https://arxiv.org/abs/1906.03671>`_.

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
        estimator,
        *,
        strategy=None,
        layer=None,
        classes=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.strategy = strategy
        self.layer = layer
        self.classes = classes
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ learning

    def fit(self, X, y, **fit_params):
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
        serves = self._is_trained()
        with self._undone_on_error():
            constants = self._start(X, y, fit_params)
            if serves:
                # An earlier fit goes on serving if this one fails.
                self._train(constants)
        if not serves:
            # The labels stay, for refit().
            self._train(constants)
        return self

    def teach(self, X, y, *, indices=None, **fit_params):
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
            fewer, other, or in another order than asked. None counts the rows as the
            last query's where their number is its ``n``.
        **fit_params : dict
            The row-aligned ones given to `fit`, for the new rows. Others take the place
            of earlier ones, and hold once a training with them has succeeded.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If a label is unknown, or an argument or parameter does not fit; nothing was
            stored.
        RefitError
            If the training failed. The labels are kept, the previous model predicts,
            and `refit` tries again. Its cause is the original error.
        KeyboardInterrupt
            If the training was interrupted; as for `RefitError`.
        """
        n_before = 0
        if self._labeled is None:
            rows = rows_for(self.estimator, X)
            check_indices(indices, len(check_labels(y, rows)), self._asked)
            with self._undone_on_error():
                constants = self._start(X, y, fit_params)
        else:
            self._check_settings()
            n_before = self.n_labeled_
            constants = self._append(X, y, indices, fit_params)
        kept = f"The {self.n_labeled_ - n_before} new labels are kept"
        self._train_safely(kept, constants)
        return self

    def refit(self):
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
        RefitError
            If the training failed; as for `teach`.
        KeyboardInterrupt
            If the training was interrupted; as for `teach`.
        """
        self._check_labeled("refit")
        self._check_settings()
        self._train_safely("All labels are kept")
        return self

    # ------------------------------------------------------------------- asking

    def query(self, X_pool, n=1, *, candidates=None, subsample=None):
        """Choose the rows of a pool that are worth the next labels.

        Parameters
        ----------
        X_pool : same kind as in `fit`
            The pool; unlabelled rows, or all rows together with `candidates`. Never
            copied whole, so a ``numpy.memmap`` or a torch ``Dataset`` may be larger
            than memory.
        n : int, default=1
            Number of rows to choose.
        candidates : array-like of bool of shape (n_pool,) or of int, or None
            Rows that may be chosen, as a mask or as positions; None for all. Only they
            are run through the net.
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
        strategy = self._query_strategy()
        if self._labeled is None:
            X_pool = rows_for(self.estimator, X_pool)
        else:
            reader = getattr(self, "estimator_", None)
            X_pool = check_rows(self, X_pool, finite=False, estimator=reader)
        n_pool = n_rows(X_pool)
        rows = check_candidates(candidates, n_pool)
        if subsample is not None:
            generator = self._generator(Purpose.SUBSAMPLE)
            rows = drawn_share(rows, n_pool, subsample, generator)
        n_candidates = n_pool if rows is None else len(rows)
        n = check_n(n, n_candidates, subsample)
        started = perf_counter()
        outputs = self._outputs(X_pool, rows, n_candidates, strategy.needs)
        embedded = perf_counter()
        found = strategy.select(outputs, n, self._generator(Purpose.QUERY))
        selected = perf_counter()
        self.timings_ = {
            **getattr(self, "timings_", {}),
            "embed": embedded - started,
            "select": selected - embedded,
        }
        indices = np.asarray(found.indices, dtype=np.intp)
        indices = indices if rows is None else rows[indices].astype(np.intp)
        self._asked = AskedBatch(
            found, indices, n_pool, n_candidates, open=np.ones(n, dtype=bool)
        )
        self.last_selection_ = replace(found, indices=indices.copy())
        return indices.copy()

    def predict_proba(self, X):
        """Return class probabilities.

        Parameters
        ----------
        X : same kind as in `fit`
            Rows.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Columns in the order of ``classes_``; classes without a labelled row too.

        Raises
        ------
        DivergedTrainingError
            If the net answers NaN.
        ModuleOutputError
            If what skorch makes of the module's output are no probabilities.
        """
        proba = self._scored(X)
        eps = np.finfo(proba.dtype).eps
        check_distribution(find_net(self.estimator_), proba, len(proba), eps)
        return proba

    def predict(self, X):
        """Return the predicted class of each row.

        Parameters
        ----------
        X : same kind as in `fit`
            Rows.

        Returns
        -------
        y : ndarray of shape (n_rows,)
            Members of ``classes_``.
        """
        self._check_trained("predict")
        # Through the scores of all classes, so that NaN does not pass for the first.
        scores, net = self._scored(X), find_net(self.estimator_)
        if type(net).predict is NeuralNetClassifier.predict:
            return self.classes_[scores.argmax(axis=1)]
        if type(net).predict is NeuralNetBinaryClassifier.predict:
            (second,) = encode(self._columns[1:], self.classes_)
            columns = (scores[:, second] > net.threshold).astype(np.intp)
        else:
            columns = np.asarray(self._predicted("predict", X)).astype(np.intp)
        return self._columns[columns]

    # ------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        transformers, _ = split_estimator(self.estimator)
        if transformers is not None:
            first = get_tags(transformers.steps[0][1]).input_tags
            tags.input_tags.sparse = first.sparse
            tags.input_tags.allow_nan = first.allow_nan
        return tags

    # ------------------------------------------------------------------ private

    def _scored(self, X):
        """Return what skorch takes for probabilities, without NaN, by ``classes_``."""
        scores = np.asarray(self._predicted("predict_proba", X))
        scores = scores[:, encode(self.classes_, self._columns)]
        good = np.isfinite(scores).all(axis=1)
        if not good.all():
            raise DivergedTrainingError(
                f"The net answers NaN or infinity in row {int(good.argmin())} of X. "
                "Where such values are in the row itself, impute or remove them; else "
                "the training diverged: lower the learning rate, scale the inputs, or "
                "clip the gradients, then call refit()."
            )
        return scores

    def _predicted(self, method, X):
        self._check_trained(method)
        X = check_rows(self, X, estimator=self.estimator_)
        with seeded_generators(self._seed(Purpose.PREDICTION)), explained_bfloat16():
            return predicted(self.estimator_, method, X)

    def _query_strategy(self):
        if self._is_trained():
            self._renew_strategy()
            return self.strategy_
        check_estimator_kind(self.estimator)
        strategy = check_strategy(self.strategy)
        if strategy.needs.trained:
            self._check_trained("query")
        return strategy

    def _generator(self, purpose):
        if not hasattr(self, "_entropy"):
            # A copy of the seed: a query must not change what `fit` will draw from it.
            entropy = draw_entropy(copy.deepcopy(self.random_state))
            return spawn_generator(entropy, purpose, 0)
        return spawn_generator(self._entropy, purpose, self._n_trainings)

    def _outputs(self, X_pool, rows, n_candidates, needs):
        if not needs:
            return Outputs(n_candidates, positions=rows)
        transformers, net = split_estimator(self.estimator_)
        with seeded_generators(self._seed(Purpose.POOL_PASS)):
            return collect_outputs(
                net,
                X_pool,
                needs,
                rows=rows,
                labeled=self.X_,
                labels=encode(self.y_, self._columns),
                transformers=transformers,
                layer=self.layer,
                n_classes=len(self.classes_),
                verbose=self.verbose,
            )

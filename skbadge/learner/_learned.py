"""What a learner has learned: it answers from that, is written down, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.metadata_routing import MetadataRouter

from skbadge.exceptions import InvalidInputError
from skbadge.learner._classes import check_labels, given_classes
from skbadge.learner._history import check_test_set
from skbadge.learner._inputs import check_rows
from skbadge.learner._known import Known
from skbadge.learner._routing import first_input_tags, fit_router
from skbadge.learner._saved import Saved
from skbadge.learner._state import State, bookkeeping
from skbadge.learner._written import recalled, restored, written
from skbadge.nets._estimators import check_estimator_kind, find_net
from skbadge.nets._settings import changing

__all__ = ["Learned"]


class Learned(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that knows one state, and replaces it as a whole.

    A learner at rest: what was learned is there as attributes, it predicts, is written
    down, and comes back. How it is learned, from labels that are asked for, is the
    matter of `ActiveLearner`, whose parameters these are.
    """

    estimator: Any
    strategy: Any
    classes: Any

    # What was learned since `fit`, replaced as a whole.
    _state = State()

    X_ = Known("labeled.shown_rows", "Labelled rows, in the order in which they came.")
    y_ = Known("labeled.shown_labels", "Labels of the labelled rows.")
    n_labeled_ = Known("labeled.n", "Number of labelled rows.")
    classes_ = Known("model.classes", "The classes, sorted where they can be.")
    estimator_ = Known("model.estimator", "The fitted clone.")
    strategy_ = Known("strategy", "The clone that answers queries.")
    traffic_ = Known("traffic", "What was sent.", after="a query on a cluster")
    timings_ = Known("timings", "Seconds of the last training, pass and choice.")
    last_selection_ = Known("asked.shown", "The last answer.", after="query(X_pool)")
    history_ = Known("shown_history", "What was noted of each training.")
    open_ = Known("asked.still_open", "Its open rows.", after="query(X_pool)")

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of the estimator and the strategy.

        Parameters
        ----------
        **params : dict
            By names as `get_params` gives them, ``estimator__lr``. They count from the
            next training or query on.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        with changing(find_net(self.estimator)):
            return super().set_params(**params)

    def predict_proba(self, X: Any) -> np.ndarray:
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
        model = self._state.needed_model(self, "predict_proba")
        return model.proba(check_rows(self, X, estimator=model.estimator))

    def predict(self, X: Any) -> np.ndarray:
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
        model = self._state.needed_model(self, "predict")
        return model.predict(check_rows(self, X, estimator=model.estimator))

    def state(self, *, parameters: bool = False) -> dict[str, Any]:
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
            ``strategy`` has learned; the batch ``asked``, with digests of its rows;
            what is ``pending`` to be told; ``n_new``, labels that no training has had;
            the ``history``. And ``parameters``: tensors by names such as
            ``"module_.weight"``.

        Raises
        ------
        LearnerNotFittedError
            If there are no labelled rows, or no trained net for ``parameters``.
        InvalidInputError
            If the strategy has learned what cannot be written down.
        """
        known = self._state
        found = written(known)
        if parameters:
            model = known.needed_model(self, "state(parameters=True)")
            found["parameters"] = model.parameters()
        return found

    def restore(self, X: Any, y: Any, state: dict[str, Any], **fit_params: Any) -> Self:
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

    def recall(self, state: dict[str, Any]) -> Self:
        """Have the strategy know what was written down; nothing is trained.

        For a learner that came to its labels and weights in another way than by
        `restore`: by trainings one after the other, or with a batch still out.

        Parameters
        ----------
        state : dict
            Of an answer of `state`: ``strategy``, ``asked`` and
            ``inclusion_probability``; each is as in a new learner where it is missing,
            so that a batch that is out is forgotten. What else it holds is not read.

        Returns
        -------
        self

        Raises
        ------
        LearnerNotFittedError
            If there are no labelled rows.
        InvalidInputError
            If something does not fit the learner; nothing was changed then.
        """
        self._change(lambda known: recalled(known, state))
        return self

    def save(self, path: str | Path) -> Self:
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
        images and other objects) only what tells them from other rows, and `load` is to
        be given them. Net, strategy and settings are code, which belongs to no file.
        The state of the optimizer is not kept: a warm start goes on with a new one.
        """
        Saved.of(self._state).write(path)
        return self

    @classmethod
    def load(cls, path: str | Path, learner: Self, X: Any = None) -> Self:
        """Bring a saved learner back: same labels, same model, same queries.

        Parameters
        ----------
        path : str or Path
            Written by `save`.
        learner : ActiveLearner
            Made as the saved one was: net, strategy and settings, which are code and
            come from no file. It stays as it is.
        X : rows or None, default=None
            The labelled rows (``X_``, in their order) where the file does not hold
            them.

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
        saved = Saved.read(path)
        saved.check_strategy(learner.strategy)
        twin = clone(learner)
        if given_classes(twin.classes, find_net(twin.estimator)) is None:
            twin.set_params(classes=saved.classes)
        twin.restore(saved.rows(X), saved.labels, saved.state, **saved.fit_params)
        twin.set_params(classes=learner.classes)
        saved.check_model(twin._state.model, twin._state.labeled)
        return twin

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = first_input_tags(self.estimator, tags.input_tags)
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Return a ``MetadataRouter``: how fit parameters are routed."""
        return fit_router(self)

    def __sklearn_is_fitted__(self) -> bool:
        return self._state.trained_model is not None

    def _begun(
        self, X: Any, y: Any, fit_params: dict[str, Any]
    ) -> tuple[Self, dict[str, Any]]:
        """Return a learner that begins anew beside this one, and its constants."""
        check_estimator_kind(self.estimator)
        begun = type(self).__new__(type(self))
        begun.__dict__.update(vars(self))
        X = check_rows(begun, X, reset=True)
        y = check_labels(y, X)
        begun._state, constants = State.begun(self, X, y, fit_params)
        check_test_set(begun, begun._state.model)
        return begun, constants

    def _become(self, other: Self) -> None:
        """Take over all that another learner knows, in one step."""
        params = {name: getattr(self, name) for name in self.get_params(deep=False)}
        self.__dict__ = {**vars(other), **params}

    def _change(self, change: Callable[[State], State]) -> State:
        """Put another state in the place of this one, and return it."""
        with bookkeeping():
            state = change(self._state)
            if state is not self._state:
                self._state = state
        return state

"""The model of a learner: trained anew, and swapped in only when all is done."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import sklearn
from sklearn.utils.metadata_routing import process_routing

from skbadge._classes import in_order
from skbadge._training import fit_router, told_strategy, train
from skbadge.exceptions import LearnerNotFittedError, RefitError
from skbadge.utils._random import Purpose, seed_for

__all__ = ["TrainedModelMixin"]


class TrainedModelMixin:
    """Gives a learner its trainings: what they get, and what they leave behind."""

    def get_metadata_routing(self):
        """Describe how fit parameters are routed, in scikit-learn's form.

        Returns
        -------
        MetadataRouter
        """
        return fit_router(self)

    def __sklearn_is_fitted__(self):
        return self._is_trained()

    def _is_trained(self):
        return hasattr(self, "estimator_")

    def _check_trained(self, method):
        if not self._is_trained():
            raise LearnerNotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call fit(X, "
                f"y) with some labelled rows before {method}; without any label, a "
                "strategy that needs no model, such as RandomSampling(), can query."
            )

    def _train_safely(self, kept, constants=()):
        """Train; whatever goes wrong, say that the labels and the model are there."""
        previous = ", the previous model still predicts" if self._is_trained() else ""
        state = (
            f"{kept} (n_labeled_ = {self.n_labeled_}){previous}, and refit() trains "
            "again."
        )
        try:
            self._train(constants)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"Training was interrupted. {state}") from error
        except Exception as error:
            raise RefitError(
                f"Training failed: {type(error).__name__}: {str(error).rstrip('.')}. "
                f"{state}"
            ) from error

    def _train(self, constants=()):
        """Train on all labelled rows; swap the model in only when all is done.

        Only then do new constant fit parameters belong to the labelled set: a mistyped
        one must not spoil every training to come.
        """
        started = perf_counter()
        labeled = self._labeled
        labeled = replace(labeled, constants={**labeled.constants, **dict(constants)})
        goes_on = self._is_trained()
        fitted, columns = train(
            self.estimator,
            labeled,
            self._columns,
            given=self._columns if goes_on else self.classes,
            previous=self.estimator_ if goes_on and self.warm_start else None,
            seed=seed_for(self._entropy, Purpose.FIT, self._n_trainings),
            format=self._format,
            fit_params=self._routed({**labeled.constants, **labeled.fit_params}),
        )
        seconds = perf_counter() - started
        # One step, so that a Ctrl-C finds either all of the old or all of the new.
        vars(self).update(
            strategy_=told_strategy(
                self.strategy_, self._pending, labeled, fitted, columns
            ),
            _labeled=labeled,
            estimator_=fitted,
            classes_=in_order(columns),
            _columns=columns,
            timings_={**getattr(self, "timings_", {}), "fit": seconds},
            _n_trainings=self._n_trainings + 1,
            _pending=(),
        )

    def _routed(self, fit_params):
        if not fit_params or not sklearn.get_config()["enable_metadata_routing"]:
            return fit_params
        return process_routing(self, "fit", **fit_params).estimator.fit

"""The model of a learner: trained anew, and swapped in only when all is done."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import sklearn
from sklearn.utils.metadata_routing import process_routing

from skbadge.exceptions import InvalidInputError, LearnerNotFittedError, RefitError
from skbadge.learner._classes import in_order, listed
from skbadge.learner._inputs import check_strategy
from skbadge.learner._training import fit_router, probe_net, told_strategy, train
from skbadge.nets._estimators import check_estimator_kind, is_frozen
from skbadge.utils._params import changed_names, flat_params
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

    def _renew_strategy(self):
        """Take a strategy that ``set_params`` has put in the place of another."""
        now = flat_params(self.strategy, "strategy")
        if changed_names(self._strategy_params, now):
            strategy = check_strategy(self.strategy)
            # What another one asked for is no feedback for this one.
            asked = self._asked and replace(self._asked, own=False)
            vars(self).update(
                strategy_=strategy, _strategy_params=now, _asked=asked, _pending=()
            )

    def _check_settings(self):
        """Refuse, before labels are stored, what the next training could not heed."""
        self._renew_strategy()
        check_estimator_kind(self.estimator)
        goes_on = self._is_trained() and self.warm_start
        if not goes_on or is_frozen(self.estimator):
            return
        now = flat_params(self.estimator, "estimator")
        fitted = flat_params(self.estimator_, "estimator")
        changed = set(changed_names(self._estimator_params, now))
        # What was set on the trained one too does take effect.
        changed &= set(changed_names(fitted, now))
        if changed:
            names = ["estimator"] if "estimator" in changed else sorted(changed)
            raise InvalidInputError(
                "With warm_start=True training goes on with estimator_ as it is, but "
                f"parameters of estimator were changed since: {listed(names)}. Set "
                "them on the trained one too (learner.estimator_.set_params(...)), "
                "start again with fit, or set warm_start=False."
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
        previous = self.estimator_ if goes_on and self.warm_start else None
        seed = self._seed(Purpose.FIT)
        params, format = flat_params(self.estimator, "estimator"), self._format
        from_scratch = previous is None and not is_frozen(self.estimator)
        if from_scratch and changed_names(self._estimator_params, params):
            format, _ = probe_net(self.estimator, seed, self.layer)
        fitted, columns = train(
            self.estimator,
            labeled,
            self._columns,
            given=self._columns if goes_on else self.classes,
            previous=previous,
            seed=seed,
            format=format,
            fit_params=self._routed({**labeled.constants, **labeled.fit_params}),
        )
        seconds = perf_counter() - started
        # One step, so that a Ctrl-C finds either all of the old or all of the new.
        vars(self).update(
            strategy_=told_strategy(
                self.strategy_,
                self._pending,
                labeled,
                fitted,
                columns,
                seed=self._seed(Purpose.PREDICTION),
            ),
            _labeled=labeled,
            estimator_=fitted,
            classes_=in_order(columns),
            _columns=columns,
            _estimator_params=params,
            _format=format,
            timings_={**getattr(self, "timings_", {}), "fit": seconds},
            _n_trainings=self._n_trainings + 1,
            _pending=(),
        )

    def _seed(self, purpose):
        return seed_for(self._entropy, purpose, self._n_trainings)

    def _routed(self, fit_params):
        if not fit_params or not sklearn.get_config()["enable_metadata_routing"]:
            return fit_params
        return process_routing(self, "fit", **fit_params).estimator.fit

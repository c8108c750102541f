"""The model of a learner: a trained estimator, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier

from skbadge._contracts import Needs, Outputs
from skbadge.cluster._engine import is_sharded
from skbadge.cluster._pass import PartReader, collect_sharded, predict_sharded
from skbadge.cluster._pool import ClusterPool, count_rows
from skbadge.exceptions import DivergedTrainingError, InvalidInputError
from skbadge.extraction._pass import collect_outputs
from skbadge.learner._classes import (
    encode,
    given_classes,
    in_order,
    resolve_classes,
    unclear_columns,
)
from skbadge.learner._labeled import LabeledSet
from skbadge.learner._probed import answered_width, probe_net
from skbadge.learner._training import (
    continue_training,
    load_parameters,
    train_from_scratch,
    untrained,
)
from skbadge.learner._warm_start import SHRINK_PERTURB
from skbadge.nets._estimators import (
    InputFormat,
    copy_frozen,
    find_net,
    input_format,
    is_frozen,
    modules_of,
    split_estimator,
)
from skbadge.nets._predict import predicted
from skbadge.nets._probabilities import check_distribution
from skbadge.utils._params import changed_names, flat_params
from skbadge.utils._random import Purpose, seed_for, spawn_generator
from skbadge.utils._torch import seeded_generators

__all__ = ["Model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained estimator with the classes of its columns and the seeds it draws from.

    A value: a training leaves it as it is and returns another one, so that whoever
    holds it holds something whole.

    Parameters
    ----------
    estimator : fitted estimator or None
        None before the first training.
    columns : ndarray of shape (n_classes,) or None
        The class of each column the net answers; None where they are of no meaning, as
        for features alone.
    certain : bool
        Whether these are all classes: given by the user, or answered by a trained net.
    params : dict of str to object
        Parameters of the user's estimator at the time, see `flat_params`.
    format : InputFormat
        Which numbers the module takes.
    entropy : int
        From which all seeds are made.
    n_trainings : int, default=0
        Number of trainings that succeeded; part of every seed.
    given : array-like or None, default=None
        Classes as the user gave them.
    """

    estimator: Any
    columns: np.ndarray | None
    certain: bool
    params: dict
    format: InputFormat
    entropy: int
    n_trainings: int = 0
    given: Any = None

    @classmethod
    def begun(
        cls,
        estimator: Any,
        X: Any,
        y: np.ndarray,
        *,
        classes: Any,
        layer: str | None,
        entropy: int,
    ) -> Self:
        """Look at an estimator that is not trained yet, and settle its classes.

        Parameters
        ----------
        estimator : net or pipeline
            As the user gave it; stays as it is.
        X, y : rows, ndarray
            The first labelled rows.
        classes : array-like or None
            The learner's parameter.
        layer : str or None
            Name of the classification layer, refused here if there is none.
        entropy : int
            From which all seeds are made.

        Returns
        -------
        Model
            Without an estimator.

        Raises
        ------
        InvalidInputError
            If the labels do not fit the classes.
        LayerError
            If there is no such layer.
        """
        net = find_net(estimator)
        width: int | None
        if is_frozen(estimator):
            fitted = copy_frozen(estimator)
            format, width = input_format(net), answered_width(fitted, X)
        else:
            seed = seed_for(entropy, Purpose.FIT, 0)
            format, width = probe_net(estimator, X, y, seed=seed, layer=layer)
        columns = resolve_classes(y, classes, net, width, X=X)
        params = flat_params(estimator, "estimator")
        certain = given_classes(classes, net) is not None
        return cls(None, columns, certain, params, format, entropy, given=classes)

    def is_outdated(self, estimator: Any, classes: Any) -> bool:
        """Say whether, before the first training, other parameters were set."""
        before = {**self.params, "classes": self.given}
        now = {**flat_params(estimator, "estimator"), "classes": classes}
        return self.estimator is None and bool(changed_names(before, now))

    @classmethod
    def frozen(
        cls, estimator: Any, *, entropy: int, columns: np.ndarray | None = None
    ) -> Self:
        """Take a fitted estimator as it is, with what its columns mean or without."""
        fitted = copy_frozen(estimator)
        params, format = (
            flat_params(estimator, "estimator"),
            input_format(find_net(fitted)),
        )
        return cls(fitted, columns, columns is not None, params, format, entropy)

    @property
    def known_columns(self) -> np.ndarray:
        """The class of each column, of a model that has classes."""
        if self.columns is None:
            raise InvalidInputError(
                "The columns of this net must have a meaning. Got a net for features "
                "alone: give its classes."
            )
        return self.columns

    @property
    def classes(self) -> np.ndarray:
        """The classes, sorted where they can be."""
        return in_order(self.known_columns)

    @property
    def net(self) -> Any:
        """The skorch net inside the estimator."""
        return find_net(self.estimator)

    def seed(self, purpose: Purpose) -> int:
        """Return the seed of a purpose, another one after each training."""
        return seed_for(self.entropy, purpose, self.n_trainings)

    def generator(self, purpose: Purpose) -> np.random.Generator:
        """Return the NumPy generator of a purpose, another one after each training."""
        return spawn_generator(self.entropy, purpose, self.n_trainings)

    def proba(self, X: Any) -> np.ndarray:
        """Return class probabilities of checked rows, columns by `classes`.

        Raises
        ------
        DivergedTrainingError
            If the net answers NaN.
        ModuleOutputError
            If what skorch makes of the module's output are no probabilities.
        """
        if is_sharded(X):
            width, dtype = len(self.known_columns), _numpy_dtype(self.format.dtype)
            return predict_sharded(self.proba, X, (width,), dtype)
        proba = self._scores(X)
        eps = np.finfo(proba.dtype).eps
        check_distribution(self.net, proba, len(proba), eps)
        return proba

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted class of each of some checked rows.

        Raises
        ------
        DivergedTrainingError
            If the net answers NaN.
        """
        if is_sharded(X):
            return predict_sharded(self.predict, X, (), self.classes.dtype)
        # Through the scores of all classes, so that NaN does not pass for the first.
        scores, net = self._scores(X), self.net
        if type(net).predict is NeuralNetClassifier.predict:
            return self.classes[scores.argmax(axis=1)]
        if type(net).predict is NeuralNetBinaryClassifier.predict:
            (second,) = encode(self.known_columns[1:], self.classes)
            above = (scores[:, second] > net.threshold).astype(np.intp)
            return self.known_columns[above]
        return self.known_columns[self.predicted_columns(X)]

    def predicted_columns(self, X: Any) -> np.ndarray:
        """Return the column that the net predicts for each row, whatever it answers."""
        return self._answer("predict", X).astype(np.intp)

    def outputs(
        self,
        X: Any,
        rows: np.ndarray | None,
        needs: Needs,
        labeled: LabeledSet | None = None,
        *,
        layer: str | None = None,
        verbose: int = 0,
    ) -> Outputs:
        """Run the net over rows of a pool once, and keep what a strategy reads.

        Parameters
        ----------
        X : rows of any kind
            The pool.
        rows : ndarray of int or None
            Positions of the candidates; None for all.
        needs : Needs
            What to keep.
        labeled : LabeledSet or None, default=None
            The labelled rows.
        layer : str or None, default=None
            Dotted name of the classification layer; None to find it.
        verbose : int, default=0
            Above 0, show a progress bar.

        Returns
        -------
        Outputs
        """
        if not needs:
            count = count_rows(X) if rows is None else len(rows)
            return Outputs(count, positions=rows)
        if isinstance(X, ClusterPool):
            return self._sharded_outputs(X, rows, needs, labeled, layer, verbose)
        transformers, net = split_estimator(self.estimator)
        known, labels = None, None
        if labeled is not None:
            known, labels = labeled.X, encode(labeled.y, self.known_columns)
        with seeded_generators(self.seed(Purpose.POOL_PASS)) as again, again:
            return collect_outputs(
                net,
                X,
                needs,
                rows=rows,
                labeled=known,
                labels=labels,
                transformers=transformers,
                layer=layer,
                n_classes=None if self.columns is None else len(self.columns),
                verbose=verbose,
            )

    def _sharded_outputs(
        self,
        pool: ClusterPool,
        rows: np.ndarray | None,
        needs: Needs,
        labeled: LabeledSet | None,
        layer: str | None,
        verbose: int,
    ) -> Outputs:
        """Run the net where the parts of a pool lie; the labelled rows are here."""
        known = None
        if needs.labeled is not None and labeled is not None:
            here, none = replace(Needs(), labeled=needs.labeled), np.arange(0)
            found = self.outputs(labeled.X, none, here, labeled, layer=layer)
            known = found.labeled_rows
        transformers, net = split_estimator(self.estimator)
        reader = PartReader(
            net,
            transformers,
            layer,
            None if self.columns is None else len(self.columns),
            self.seed(Purpose.POOL_PASS),
            replace(needs, labeled=None),
        )
        return collect_sharded(reader, pool, rows, known, verbose=verbose)

    def trained(
        self,
        estimator: Any,
        labeled: LabeledSet,
        *,
        fit_params: dict[str, Any],
        warm_start: bool | str = False,
        layer: str | None = None,
        n_new: int = 0,
    ) -> Self:
        """Train once on the labelled rows.

        Parameters
        ----------
        estimator : net or pipeline
            As the user gave it; frozen ones are copied, not trained.
        labeled : LabeledSet
            Rows and labels.
        fit_params : dict
            Handed to ``fit``.
        warm_start : bool or "shrink-perturb", default=False
            Whether to go on with the estimator there is, and whether its weights are
            shrunk and perturbed before.
        layer : str or None, default=None
            Name of the classification layer, refused if there is none.
        n_new : int, default=0
            Number of rows, the last ones, that no training has had before.

        Returns
        -------
        Model
            The next one, with the classes that the trained net answers.
        """
        net, y = find_net(estimator), encode(labeled.y, self.known_columns)
        params, format = flat_params(estimator, "estimator"), self.format
        seed, shrinks = self.seed(Purpose.FIT), warm_start == SHRINK_PERTURB
        if is_frozen(estimator):
            fitted = copy_frozen(estimator)
        elif warm_start and self.estimator is not None:
            fitted = continue_training(
                self.estimator,
                labeled.X,
                y,
                seed=seed,
                columns=self.known_columns,
                perturb_seed=self.seed(Purpose.PERTURBATION) if shrinks else None,
                n_new=n_new,
                fit_params=fit_params,
            )
        else:
            if changed_names(self.params, params):
                format, _ = probe_net(estimator, labeled.X, y, seed=seed, layer=layer)
            fitted = train_from_scratch(
                estimator,
                labeled.X,
                y,
                seed=seed,
                format=format,
                columns=self.known_columns,
                certain=self.certain,
                n_new=n_new,
                fit_params=fit_params,
            )
        columns = resolve_classes(
            labeled.y,
            self.columns if self.certain else None,
            net,
            answered_width(fitted, labeled.X),
            X=labeled.X,
        )
        if not np.array_equal(y, encode(labeled.y, columns)):
            raise unclear_columns(self.known_columns, len(columns))
        return replace(
            self,
            estimator=fitted,
            columns=columns,
            certain=True,
            params=params,
            format=format,
            n_trainings=self.n_trainings + 1,
        )

    def parameters(self) -> dict[str, torch.Tensor]:
        """Copy the weights and buffers of the net, by dotted names."""
        return {
            f"{part}.{name}": value.detach().cpu().clone()
            for part, module in modules_of(self.net).items()
            for name, value in module.state_dict().items()
        }

    def loaded(
        self, estimator: Any, labeled: LabeledSet, parameters: Mapping[str, Any]
    ) -> Self:
        """Return the model after a training whose weights are known.

        Raises
        ------
        InvalidInputError
            If they are not those of the net.
        """
        fitted = untrained(
            estimator,
            labeled.X,
            encode(labeled.y, self.known_columns),
            seed=self.seed(Purpose.FIT),
            format=self.format,
            columns=self.known_columns,
        )
        load_parameters(find_net(fitted), parameters)
        width = answered_width(fitted, labeled.X)
        net = find_net(estimator)
        columns = resolve_classes(labeled.y, self.columns, net, width)
        return replace(
            self,
            estimator=fitted,
            columns=columns,
            certain=True,
            n_trainings=self.n_trainings + 1,
        )

    def _scores(self, X: Any) -> np.ndarray:
        """Return what skorch takes for probabilities, without NaN, by `classes`."""
        scores = self._answer("predict_proba", X)
        scores = scores[:, encode(self.classes, self.known_columns)]
        good = np.isfinite(scores).all(axis=1)
        if not good.all():
            raise DivergedTrainingError(
                f"The net answers NaN or infinity in row {int(good.argmin())} of X. "
                "Where such values are in the row itself, impute or remove them; else "
                "the training diverged: lower the learning rate, scale the inputs, or "
                "clip the gradients, then call refit()."
            )
        return scores

    def _answer(self, method: str, X: Any) -> np.ndarray:
        with seeded_generators(self.seed(Purpose.PREDICTION)) as again, again:
            return predicted(self.estimator, method, X)


def _numpy_dtype(dtype: torch.dtype) -> type[np.floating]:
    """Return the NumPy type of probabilities of a net of some arithmetic."""
    return np.float64 if dtype == torch.float64 else np.float32

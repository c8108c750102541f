"""PenultimateFeatures: what a net makes of its input, as a transformer."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import check_is_fitted

from skbadge._contracts import Needs
from skbadge.cluster._engine import is_sharded
from skbadge.cluster._pass import predict_sharded
from skbadge.learner._classes import check_labels
from skbadge.learner._inputs import check_rows
from skbadge.learner._labeled import LabeledSet, split_fit_params
from skbadge.learner._learner import ActiveLearner
from skbadge.learner._model import Model
from skbadge.learner._routing import fit_router, routed
from skbadge.nets._batches import first_batch
from skbadge.nets._estimators import check_estimator_kind, find_net, is_frozen
from skbadge.nets._settings import changing
from skbadge.utils._random import Seed, draw_entropy
from skbadge.utils._rows import n_rows, take

__all__ = ["PenultimateFeatures"]


def _features(model: Model, layer: str | None, X: Any) -> np.ndarray:
    found = model.outputs(X, None, Needs(features=True), layer=layer)
    return found.features.cpu().numpy()


class PenultimateFeatures(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, MetaEstimatorMixin, BaseEstimator
):
    """Turn rows into what the classification layer of a net sees of them.

    A net that has learned to classify has learned a representation on the way: the
    input of its last layer. This transformer gives it to any other estimator, for
    example to cluster, to plot or to search for neighbors, without a change to the
    net's ``forward``.

    Parameters
    ----------
    estimator : NeuralNetClassifier, NeuralNetBinaryClassifier or Pipeline
        The net, or a pipeline that ends in one. ``FrozenEstimator`` around either
        stands for a fitted one that must not be trained.
    layer : str or None, default=None
        Dotted name of the layer whose input is read (``"head.fc"``), of any kind. None
        takes the classification layer: the last linear one that leads to the scores.
    random_state : int, RandomState, Generator or None, default=None
        Fixes initialization, shuffling and dropout of the training, as in
        `ActiveLearner`, and what the net draws in `transform`. None draws once, in
        `fit`.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone; a copy where the estimator is frozen.
    n_features_in_ : int
        Number of features seen in `fit`, for arrays and DataFrames.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    ActiveLearner : Reads the same features to choose rows (CoreSet, BADGE).

    Notes
    -----
    Of a classification layer that sees several steps of a row, features are their mean,
    weighted by how much each leads to the scores; what a named layer reads otherwise is
    flattened. Global generators are afterwards as they were; in contrast to a bare
    skorch net, ``torch.manual_seed`` has no influence.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skorch import NeuralNetClassifier
    >>> from torch.nn import CrossEntropyLoss
    >>> from skbadge import PenultimateFeatures
    >>> from skbadge.modules import MLP
    >>> X, y = load_digits(return_X_y=True)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_classes=10, module__n_hidden=32,
    ...     criterion=CrossEntropyLoss, train_split=None, iterator_train__shuffle=True,
    ...     max_epochs=5, verbose=0,
    ... )
    >>> features = PenultimateFeatures(net, random_state=0)
    >>> features.fit_transform(X, y).shape
    (1797, 32)
    >>> features.get_feature_names_out()[:2]
    array(['penultimatefeatures0', 'penultimatefeatures1'], dtype=object)
    >>> neighbors = make_pipeline(features, KNeighborsClassifier()).fit(X, y)
    """

    def __init__(
        self, estimator: Any, *, layer: str | None = None, random_state: Seed = None
    ) -> None:
        self.estimator = estimator
        self.layer = layer
        self.random_state = random_state

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of the estimator.

        Parameters
        ----------
        **params : dict
            By names as `get_params` gives them, ``estimator__lr``.

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

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Train a clone of the net; a frozen one is only copied.

        Parameters
        ----------
        X : array, DataFrame, Tensor, sparse matrix, dict or Dataset
            What the net takes; a pipeline may take more.
        y : array-like of shape (n_rows,) or None, default=None
            Labels of any type; not needed for a frozen net.
        **fit_params : dict
            Handed to the estimator's ``fit``, or routed to it where scikit-learn's
            metadata routing is on.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If an argument does not fit.
        LayerError, ModuleOutputError, DivergedTrainingError
            If the net does not answer as a classifier should.
        """
        check_estimator_kind(self.estimator)
        X = check_rows(self, X, reset=True)
        entropy = draw_entropy(self.random_state)
        if is_frozen(self.estimator):
            model = Model.frozen(self.estimator, entropy=entropy)
        else:
            y = check_labels(y, X)
            aligned, constants = split_fit_params(fit_params, len(y))
            fit_params = routed(self, {**constants, **aligned})
            begun = Model.begun(
                self.estimator, X, y, classes=None, layer=self.layer, entropy=entropy
            )
            labeled = LabeledSet.begun(X, y, aligned)
            model = begun.trained(
                self.estimator, labeled, fit_params=fit_params, layer=self.layer
            )
        self._model, self.estimator_ = model, model.estimator
        # A whole batch: a module that looks at its batch may refuse less.
        first = first_batch(model.net, n_rows(X))
        found = _features(model, self.layer, take(X, first))
        self._n_features_out, self._dtype_out = found.shape[1], found.dtype
        return self

    def transform(self, X: Any) -> Any:
        """Return the input of the classification layer.

        Parameters
        ----------
        X : same kind as in `fit`
            Rows.

        Returns
        -------
        features : ndarray of shape (n_rows, n_features)
            float32, or float64 for a module of float64; on disk (a memory map of a file
            without a name) above scikit-learn's ``working_memory``. For a pool on a
            cluster a dask array.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If ``X`` does not fit.
        LayerError, ModuleOutputError, DivergedTrainingError
            If the net does not answer as a classifier should.
        """
        check_is_fitted(self, "estimator_")
        X = check_rows(self, X, estimator=self.estimator_)
        if is_sharded(X):
            width = (self._n_features_out,)
            # Of the model as it is now: this transformer may be fitted again before
            # the answer is computed.
            features = partial(_features, self._model, self.layer)
            return predict_sharded(features, X, width, self._dtype_out)
        return _features(self._model, self.layer, X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe how fit parameters are routed, in scikit-learn's form.

        Returns
        -------
        MetadataRouter
        """
        return fit_router(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(ActiveLearner(self.estimator)).input_tags
        # The features come in the module's dtype, whatever the rows have.
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = not is_frozen(self.estimator)
        return tags

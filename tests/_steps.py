"""Parts of estimators that scikit-learn's own tests are made with."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from skorch.callbacks import Callback

from skbadge.modules import lean_settings


class Sizer(Callback):
    """Fits the net to the data it meets."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        n_classes = int(np.max(y)) + 1
        net.set_params(module__n_features=X.shape[1], module__n_classes=n_classes)


def lean_settings_of_batches():
    settings = lean_settings()
    return {k: v for k, v in settings.items() if k not in {"callbacks", "verbose"}}


class Step(TransformerMixin, BaseEstimator):
    """Does nothing."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X

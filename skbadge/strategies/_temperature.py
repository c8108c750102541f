"""The temperature at which predictions of unseen rows are calibrated."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["cross_fitted_temperature"]

_TEMPERATURES = np.round(np.arange(1.0, 20.0, 0.1), 1)
_FOLDS, _BINS, _STEPS = 5, 15, 100


def cross_fitted_temperature(
    features: torch.Tensor, y: torch.Tensor, generator: np.random.Generator
) -> float:
    """Return the temperature that suits a linear model's predictions of unseen rows.

    Parameters
    ----------
    features : torch.Tensor of shape (n_labeled, n_features)
    y : torch.Tensor of shape (n_labeled,)
    generator : numpy.random.Generator
        Draws the folds.

    Returns
    -------
    float
        Of 1.0, 1.1, ..., 19.9, the one with the least calibration error, the smallest
        of equals; 1 where no fold has two classes to learn.
    """
    table, labels = features.double().cpu().numpy(), y.cpu().numpy()
    if len(labels) < 2:
        return 1.0
    seed = int(generator.integers(2**31))
    folds = KFold(min(_FOLDS, len(labels)), shuffle=True, random_state=seed)
    logits: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    for train, test in folds.split(table):
        if len(np.unique(labels[train])) > 1:
            scores, place = _predicted(table, labels, train, test)
            logits.append(scores)
            columns.append(place)
    if not logits:
        return 1.0
    errors = [
        calibration_error(
            np.concatenate([_softmax(part / t).max(axis=1) for part in logits]),
            np.concatenate(
                [z.argmax(axis=1) == c for z, c in zip(logits, columns, strict=True)]
            ),
        )
        for t in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(errors))])


def _predicted(
    table: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return log probabilities of rows, and the columns of their labels (or -1)."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    with warnings.catch_warnings():
        # A fit that stops early is good enough to be calibrated.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(table[train], labels[train])
    # The model can be so sure that a probability is 0, whose logarithm is none.
    proba = np.maximum(model.predict_proba(table[test]), np.finfo(float).tiny)
    place = {label: i for i, label in enumerate(model.classes_)}
    columns = np.array([place.get(label, -1) for label in labels[test]])
    return np.log(proba), columns


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error, in bins of equal width.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Probability of the predicted class.
    right : ndarray of bool of shape (n,)
        Whether it was the true one.

    Returns
    -------
    float
        Mean over rows of the gap between confidence and accuracy of their bin.
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gap = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gap).sum() / len(confidence))

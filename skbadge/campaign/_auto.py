"""A ready learner for tables, texts and images: a start, not a recommendation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbadge.campaign._pool import ImageFiles
from skbadge.exceptions import InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.modules import MLP, LeanClassifier, ResNet18, lean_settings

__all__ = ["auto_learner"]

# A column with more different values is read as text.
_MOST_CATEGORIES = 50
_WORDS = 2**12


def auto_learner(pool, classes, *, random_state=None):
    """Return a learner that fits the rows of a pool.

    Tables get scaled numbers, one column a category, and hashed TF-IDF of texts, before
    a perceptron with one hidden layer; images a small ResNet. Nothing is tuned: for
    results that matter, name a learner of your own.

    Parameters
    ----------
    pool : Pool
    classes : list of str or int
    random_state : int or None, default=None

    Returns
    -------
    ActiveLearner
        Unfitted.

    Raises
    ------
    InvalidInputError
        If the rows are none of these.
    """
    X = pool.X
    if isinstance(X, ImageFiles):
        net = _net(
            ResNet18,
            module__n_classes=len(classes),
            module__n_channels=1 if X.gray else 3,
            module__width=16,
        )
        return ActiveLearner(net, classes=classes, random_state=random_state)
    if isinstance(X, pd.Series):
        words = HashingVectorizer(n_features=_WORDS, alternate_sign=False)
        steps, width = [words, TfidfTransformer()], _WORDS
    elif isinstance(X, pd.DataFrame):
        transformer, width = _columns(X)
        steps = [transformer]
    elif isinstance(X, (np.ndarray, torch.Tensor)) and X.ndim == 2:
        steps, width = [StandardScaler()], X.shape[1]
    elif sparse.issparse(X):
        steps, width = [StandardScaler(with_mean=False)], X.shape[1]
    else:
        raise InvalidInputError(
            "The learner auto knows tables, texts and folders of images. Got rows of "
            f"type {type(X).__name__}: name a function that returns an ActiveLearner."
        )
    net = _net(
        MLP,
        module__n_features=width,
        module__n_classes=len(classes),
        module__n_hidden=256,
    )
    estimator = make_pipeline(*steps, net)
    return ActiveLearner(estimator, classes=classes, random_state=random_state)


def _net(module, **settings):
    return LeanClassifier(
        module,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=64,
        max_epochs=100,
        **settings,
        **lean_settings(),
    )


def _columns(X):
    """Return a transformer of the columns, and how many numbers come out of it."""
    numbers, categories, parts, width = [], {}, [], 0
    for name in X.columns:
        column = X[name]
        if pd.api.types.is_numeric_dtype(column):
            numbers.append(name)
            continue
        values = sorted(column.dropna().astype(str).unique())
        if len(values) <= _MOST_CATEGORIES:
            categories[name] = np.array(values, dtype=object)
        else:
            text = make_pipeline(
                HashingVectorizer(n_features=_WORDS, alternate_sign=False),
                TfidfTransformer(),
            )
            parts.append((f"text {name}", text, name))
            width += _WORDS
    if numbers:
        filled = SimpleImputer(strategy="median", keep_empty_features=True)
        parts.append(("numbers", make_pipeline(filled, StandardScaler()), numbers))
        width += len(numbers)
    if categories:
        # Those of the whole pool, so that the width does not hang on the labels.
        encoder = OneHotEncoder(
            categories=list(categories.values()), handle_unknown="ignore"
        )
        parts.append(("categories", encoder, list(categories)))
        width += sum(map(len, categories.values()))
    if not width:
        raise InvalidInputError(
            "The pool must have a column that a learner can read. Got a table with "
            "none: name the columns with --inputs."
        )
    return ColumnTransformer(parts, sparse_threshold=1.0), width

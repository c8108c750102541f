"""A ready classifier for tables and texts: a start, not a recommendation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skbadge.exceptions import InvalidInputError
from skbadge.modules._classifier import LeanClassifier
from skbadge.modules._networks import MLP
from skbadge.modules._settings import lean_settings
from skbadge.utils._validation import check_integer

__all__ = ["lean_net", "make_table_classifier"]

# A column with more different values is read as text.
_MOST_CATEGORIES = 50
_WORDS = 2**12


def make_table_classifier(
    X: pd.DataFrame | pd.Series | np.ndarray | torch.Tensor | sparse.spmatrix,
    n_classes: int,
    *,
    n_hidden: int = 256,
    **settings: Any,
) -> Pipeline:
    """Make an unfitted pipeline for rows like these, with a small net at its end.

    Numbers are imputed by their median and scaled; a column of few different values
    becomes one column a value, those of all of ``X``; a column of many texts, hashed
    TF-IDF. The net is a perceptron with one hidden layer. Nothing is tuned: for results
    that matter, bring steps and net of your own.

    Parameters
    ----------
    X : DataFrame, Series of str, ndarray, Tensor or sparse matrix with n_pool rows
        The pool; what is read are the types of the columns and their categories. Of an
        array all columns are numbers, without missing ones.
    n_classes : int
        Outputs, one a class.
    n_hidden : int, default=256
        Hidden units.
    **settings
        Of the net, in place of Adam with ``lr=1e-3``, ``batch_size=64`` and
        ``max_epochs=100``: whatever `LeanClassifier` takes.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Its last step is a `LeanClassifier` named "leanclassifier".

    Raises
    ------
    InvalidInputError
        If the rows are none of these, or a table has no column.

    See Also
    --------
    sklearn.compose.make_column_transformer : For steps of your own.

    Notes
    -----
    The categories are those of the pool, so that a value which no labelled row has yet
    keeps its column. Values that come later are taken for none of them.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbadge import ActiveLearner
    >>> from skbadge.modules import make_table_classifier
    >>> pool = pd.DataFrame({"size": [1.0, None, 3.0, 4.0], "kind": list("abca")})
    >>> learner = ActiveLearner(make_table_classifier(pool, 2), random_state=0)
    >>> learner.fit(pool[:2], ["no", "yes"]).query(pool, n=1).shape
    (1,)
    """
    check_integer(n_classes, "n_classes", low=1)
    if isinstance(X, pd.Series):
        steps = _words()
    elif isinstance(X, pd.DataFrame):
        steps = [_columns(X)]
    elif isinstance(X, (np.ndarray, torch.Tensor)) and X.ndim == 2:
        steps = [StandardScaler()]
    elif sparse.issparse(X):
        steps = [StandardScaler(with_mean=False)]
    else:
        raise InvalidInputError(
            "X must be a table, a column of texts, or an array of shape (n_rows, "
            f"n_features). Got rows of type {type(X).__name__} instead."
        )
    # The width is that of whatever comes out of the steps.
    net = lean_net(
        MLP, module__n_classes=n_classes, module__n_hidden=n_hidden, **settings
    )
    return make_pipeline(*steps, net)


def lean_net(module: Callable[..., torch.nn.Module], **settings: Any) -> LeanClassifier:
    """Return an unfitted net with settings that suit small data."""
    usual = {"lr": 1e-3, "batch_size": 64, "max_epochs": 100, **lean_settings()}
    return LeanClassifier(
        module,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        **(usual | settings),
    )


def _words() -> list[Any]:
    hashed = HashingVectorizer(n_features=_WORDS, alternate_sign=False)
    return [FunctionTransformer(_none_missing), hashed, TfidfTransformer()]


def _none_missing(texts: Any) -> pd.Series:
    """Return texts with an empty one in the place of each that is missing."""
    return pd.Series(texts).fillna("")


def _columns(X: pd.DataFrame) -> ColumnTransformer:
    """Return a transformer of the columns of a table."""
    numbers: list[Any] = []
    categories: dict[Any, np.ndarray] = {}
    parts: list[tuple[str, Any, Any]] = []
    for name in X.columns:
        column = X[name]
        if pd.api.types.is_numeric_dtype(column):
            numbers.append(name)
            continue
        values = column.dropna().unique()
        if len(values) <= _MOST_CATEGORIES:
            categories[name] = _in_order(values, name)
        elif all(isinstance(value, str) for value in values):
            parts.append((f"text {name}", make_pipeline(*_words()), name))
        else:
            raise InvalidInputError(
                f"A column must hold numbers, texts, or at most {_MOST_CATEGORIES} "
                f"different values. Got {name!r} of type {column.dtype} with "
                f"{len(values)}: encode it, or leave it out."
            )
    texts = bool(parts)
    if numbers:
        filled = SimpleImputer(strategy="median", keep_empty_features=True)
        parts.append(("numbers", make_pipeline(filled, StandardScaler()), numbers))
    if categories:
        encoder = OneHotEncoder(
            categories=list(categories.values()), handle_unknown="ignore"
        )
        parts.append(("categories", encoder, list(categories)))
    if not parts or not (numbers or texts or any(map(len, categories.values()))):
        raise InvalidInputError(
            "The table must have a column with a value in it. Got none."
        )
    return ColumnTransformer(parts, sparse_threshold=1.0)


def _in_order(values: np.ndarray, name: Any) -> np.ndarray:
    try:
        return np.array(sorted(values), dtype=object)
    except TypeError as error:
        raise InvalidInputError(
            f"The values of a column must be of one type. Got several in {name!r}: "
            f"{error}."
        ) from error

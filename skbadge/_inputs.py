"""Checks of what a user hands to the learner: rows, labels, candidates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import validate_data

from skbadge.exceptions import InvalidInputError
from skbadge.extraction._nets import is_binary, split_estimator
from skbadge.strategies import BADGE, QueryStrategy
from skbadge.utils._rows import as_rows, is_dataset, n_rows
from skbadge.utils._validation import check_integer, check_real

__all__ = [
    "are_columns",
    "check_candidates",
    "check_indices",
    "check_labels",
    "check_rows",
    "check_strategy",
    "drawn_share",
    "encode",
    "resolve_classes",
]


def check_rows(learner, X, *, reset=False, finite=True):
    """Check ``X`` as far as can be done before the transformers saw it.

    For a bare net, arrays of two dimensions go through scikit-learn's
    ``validate_data``; for a pipeline, only number and names of the features are
    checked, since its steps may impute, encode or densify.

    Parameters
    ----------
    learner : ActiveLearner
        Its ``n_features_in_`` and ``feature_names_in_`` are set or compared.
    X : array, DataFrame, Tensor, sparse matrix, dict, or torch Dataset
        The rows.
    reset : bool, default=False
        Set the number of features instead of comparing it.
    finite : bool, default=True
        Refuse NaN and infinity in ``X`` itself, for bare nets.

    Returns
    -------
    X : same kind as ``X``; lists become arrays
    """
    transformers, net = split_estimator(learner.estimator)
    if isinstance(X, Mapping) or is_dataset(X) or isinstance(X, torch.Tensor):
        return as_rows(X)
    if transformers is not None:
        X = as_rows(X)
        # A list of arrays has as many "features" as arrays; nothing to compare.
        if not isinstance(X, (list, tuple)):
            validate_data(learner, X, reset=reset, skip_check_array=True)
        return X
    if isinstance(X, pd.DataFrame):
        validate_data(learner, X, reset=reset, skip_check_array=True)
        return X
    if isinstance(X, (list, tuple)):
        X = as_rows(X)
        if isinstance(X, (list, tuple)):
            return X
    return validate_data(
        learner,
        X,
        reset=reset,
        allow_nd=True,
        ensure_all_finite=finite,
        ensure_min_samples=1 if finite else 0,
    )


def check_labels(y, X):
    """Return labels as an array of shape (n_rows,).

    Raises
    ------
    InvalidInputError
        If they are continuous, missing, or not one for each row of ``X``.
    """
    if y is None:
        raise InvalidInputError(
            "y must hold one label for each row of X. Got None: this estimator "
            "requires y to be passed, but the target y is None."
        )
    y = column_or_1d(_to_array(y), warn=True)
    if len(y) != n_rows(X):
        raise InvalidInputError(
            f"X and y must have the same number of rows. Got {n_rows(X)} rows of X and "
            f"{len(y)} labels instead."
        )
    if len(y) == 0:
        raise InvalidInputError("y must hold at least one label. Got none.")
    missing = pd.isna(y)
    if missing.any():
        raise InvalidInputError(
            f"y must not hold missing labels (NaN or None). Got one at position "
            f"{int(np.flatnonzero(missing)[0])}: leave such rows out."
        )
    check_classification_targets(y)
    if type_of_target(y, input_name="y").startswith("continuous"):
        raise InvalidInputError("y must hold class labels. Got continuous values.")
    return y


def _to_array(y):
    return y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else y


def resolve_classes(y, given, net, width):
    """Settle which class belongs to which column of the net's output.

    Parameters
    ----------
    y : ndarray of shape (n,)
        The labels there are; some classes may be missing.
    given : array-like or None
        The learner's parameter ``classes``.
    net : skorch net
        Its own parameter ``classes`` comes second.
    width : int or None
        Number of classes the net answers; None where that is not known yet.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    InvalidInputError
        If a class is repeated, a label is none of them, or the numbers do not match.
    """
    source = given if given is not None else getattr(net, "classes", None)
    if source is not None:
        name = "classes" if given is not None else "the net's classes"
        classes = column_or_1d(np.asarray(source))
        values, counts = np.unique(classes, return_counts=True)
        if (counts > 1).any():
            raise InvalidInputError(
                f"{name} must list each class once. Got {values[counts > 1].tolist()} "
                "more than once."
            )
    else:
        classes = np.unique(y)
        extended = (
            width is not None
            and width > len(classes)
            and classes.dtype.kind in "iu"
            and classes.min() >= 0
            and classes.max() < width
        )
        if extended:
            classes = np.arange(width)
    encode(y, classes)
    if is_binary(net) and len(classes) > 2:
        width = 2
    if width is not None and width != len(classes):
        raise InvalidInputError(
            f"The net answers {width} classes, but there are {len(classes)} classes "
            f"({_listed(classes)}). Give all classes, in the order of the net's "
            "columns, with classes=[...], or change the width of the last layer."
        )
    return classes


def encode(y, classes):
    """Return the position of each label in ``classes``.

    Raises
    ------
    InvalidInputError
        If a label is not among them.
    """
    order = np.argsort(classes, kind="stable")
    try:
        found = np.searchsorted(classes, y, sorter=order)
    except TypeError as error:
        raise InvalidInputError(
            f"y must hold labels of the type of the classes ({_listed(classes)}). Got "
            f"{type(np.asarray(y).flat[0]).__name__} instead."
        ) from error
    positions = order[np.minimum(found, len(classes) - 1)]
    unknown = np.asarray(classes[positions] != y)
    if unknown.any():
        labels = np.unique(np.asarray(y)[unknown])
        raise InvalidInputError(
            f"y must hold known classes ({_listed(classes)}). Got {_listed(labels)} "
            "instead: correct the labels, or give all classes with classes=[...] and "
            "fit again."
        )
    return positions


def _listed(values, most=10):
    listed = ", ".join(repr(value) for value in np.asarray(values).tolist()[:most])
    return listed + (", ..." if len(values) > most else "")


def check_candidates(candidates, n_pool):
    """Return the candidates' positions in ascending order, or None for all rows.

    Raises
    ------
    InvalidInputError
        If a mask has the wrong length, or positions repeat or are out of range.
    """
    if candidates is None:
        return None
    candidates = np.asarray(candidates)
    if candidates.size == 0 and candidates.dtype.kind == "f":
        candidates = candidates.astype(np.intp)
    if candidates.ndim != 1 or candidates.dtype.kind not in "iub":
        raise InvalidInputError(
            "candidates must be a 1-D boolean mask or int positions in X_pool. Got "
            f"dtype {candidates.dtype} and shape {candidates.shape} instead."
        )
    if candidates.dtype.kind == "b":
        if len(candidates) != n_pool:
            raise InvalidInputError(
                f"A boolean mask of candidates must have {n_pool} entries, one for "
                f"each row of X_pool. Got {len(candidates)} instead."
            )
        return np.flatnonzero(candidates)
    positions, counts = np.unique(candidates, return_counts=True)
    if len(positions) and (positions[0] < 0 or positions[-1] >= n_pool):
        raise InvalidInputError(
            f"candidates must be positions in [0, {n_pool}). Got values between "
            f"{positions[0]} and {positions[-1]} instead."
        )
    if (counts > 1).any():
        raise InvalidInputError(
            "candidates must not repeat a position. Got "
            f"{_listed(positions[counts > 1])} more than once."
        )
    return positions.astype(np.intp)


def check_indices(indices, n_new, asked):
    """Return positions in the last query's pool, one for each new row, or None.

    Raises
    ------
    InvalidInputError
        If they are no distinct ints, or there was no query.
    """
    if indices is None:
        return None
    indices = np.asarray(indices)
    if indices.shape != (n_new,) or indices.dtype.kind not in "iu":
        raise InvalidInputError(
            f"indices must hold {n_new} int positions in the last query's pool, one "
            f"for each row of X. Got dtype {indices.dtype} and shape {indices.shape} "
            "instead."
        )
    if len(np.unique(indices)) != n_new:
        raise InvalidInputError(
            "indices must not repeat a position, since a row has one label. Got "
            f"{_listed(indices)} instead."
        )
    if asked is None:
        raise InvalidInputError(
            "indices speak of the last query's pool, but there was no query since fit. "
            "Leave indices away."
        )
    return indices


def drawn_share(rows, n_pool, subsample, generator):
    """Draw the share of the candidates that ``subsample`` asks for.

    Parameters
    ----------
    rows : ndarray or None
        Candidates; None for all.
    n_pool : int
        Number of rows of the pool.
    subsample : float in (0, 1], int, or None
        Share or number of the candidates to keep.
    generator : numpy.random.Generator
        Fixes the draw.

    Returns
    -------
    ndarray of int or None
        Ascending.
    """
    if subsample is None:
        return rows
    count = n_pool if rows is None else len(rows)
    if isinstance(subsample, (int, np.integer)) and not isinstance(subsample, bool):
        keep = check_integer(subsample, "subsample", low=1, high=max(count, 1))
    else:
        share = check_real(subsample, "subsample", low=0, high=1, include_low=False)
        keep = max(1, round(share * count))
    chosen = np.sort(generator.permutation(count)[:keep])
    return chosen if rows is None else rows[chosen]


def are_columns(y, width):
    """Say whether integer labels may be column numbers of a layer of that width."""
    kind = np.asarray(y).dtype.kind
    return (
        width is not None
        and kind in "iu"
        and 0 <= np.min(y)
        and np.max(y) < width
        and len(np.unique(y)) < width
    )


def check_strategy(strategy):
    """Return a clone of a query strategy; None stands for ``BADGE()``.

    Raises
    ------
    InvalidInputError
        If it is a class, or no query strategy.
    """
    strategy = BADGE() if strategy is None else strategy
    if isinstance(strategy, QueryStrategy):
        return clone(strategy)
    got = repr(strategy)
    if isinstance(strategy, type):
        name = strategy.__name__
        got = f"the class {name}: make an object of it, {name}()"
    raise InvalidInputError(
        "strategy must be a query strategy object, for example BADGE(), or None. Got "
        f"{got}."
    )

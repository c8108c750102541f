"""The answers of a net for rows of any number, read part by part."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadge.exceptions import ModuleOutputError
from skbadge.nets._batches import batch_size_of, iterate_parts
from skbadge.nets._estimators import split_estimator
from skbadge.nets._explained import explained
from skbadge.nets._order import numbered_loaders
from skbadge.nets._settings import check_nonlinearity
from skbadge.utils._rows import n_rows

__all__ = ["predicted"]


def predicted(estimator: Any, method: str, X: Any) -> np.ndarray:
    """Return what a method of the net answers for each row, in their order.

    The rows are read and sent through the steps before the net as in a pass over a
    pool: part by part, so that a pool in a file, or one of file names, is never in
    memory as a whole.

    Parameters
    ----------
    estimator : fitted net or pipeline
        Whose net answers.
    method : {"predict", "predict_proba"}
        Of the net.
    X : rows of any kind
        Checked.

    Returns
    -------
    ndarray of shape (n_rows, ...)

    Raises
    ------
    InvalidInputError
        If the net cannot predict with its settings.
    ModuleOutputError
        If the net does not answer each row once.
    """
    steps, net = split_estimator(estimator)
    check_nonlinearity(net)
    count = n_rows(X)
    positions, answers = np.arange(count), []
    for part in iterate_parts(X, positions, batch_size_of(net), steps):
        with explained(net, "the prediction"), numbered_loaders(net, method) as given:
            answers.append(np.asarray(getattr(net, method)(given(part))))
    found = sum(map(len, answers))
    if found != count:
        raise ModuleOutputError(
            f"The net answered for {found} of the {count} rows of X. Its dataset and "
            "iterator_valid must yield every row once, in order, and its module answer "
            "each of them."
        )
    return answers[0] if len(answers) == 1 else np.concatenate(answers)

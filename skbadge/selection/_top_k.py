"""The rows of largest score, ties broken by the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_n

__all__ = ["top_k"]


def top_k(scores: Any, n: int, *, random_state: Seed = None) -> np.ndarray:
    """Choose the n rows of largest score, best first.

    Parameters
    ----------
    scores : tensor or array-like of shape (n_pool,)
        Higher = more wanted; infinite values are allowed.
    n : int
        Rows to choose, in [1, n_pool].
    random_state : int, Generator, RandomState or None, default=None
        Seed that breaks ties: among equal scores every order is equally likely.

    Returns
    -------
    ndarray of shape (n,), dtype intp
        Positions, in the order of choice. For one seed, the first m of n are the answer
        for m.

    Raises
    ------
    InvalidInputError
        If scores are not a 1-D array of real numbers, hold NaN, or ``n`` is out of
        range.

    Notes
    -----
    O(n_pool + n log n) time, ties aside.

    Examples
    --------
    >>> from skbadge.selection import top_k
    >>> top_k([0.1, 0.9, 0.5], 2, random_state=0)
    array([1, 2])
    """
    if isinstance(scores, torch.Tensor):
        scores = scores.detach().cpu()
        # NumPy has no bfloat16.
        scores = scores.float() if scores.dtype == torch.bfloat16 else scores
    values = np.asarray(scores)
    if values.ndim != 1 or values.dtype.kind not in "fiub":
        raise InvalidInputError(
            "scores must be a 1-D array of real numbers. Got shape "
            f"{values.shape} of dtype {values.dtype} instead."
        )
    n = check_n(n, len(values))
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise InvalidInputError(
            f"scores must not be NaN. Got NaN for {len(missing)} of {len(values)} rows "
            f"instead, the first at position {missing[0]}."
        )
    return _top_k(values, n, generator=as_generator(random_state))


def _top_k(scores: np.ndarray, n: int, *, generator: np.random.Generator) -> np.ndarray:
    """Return the positions of the n largest scores; no validation.

    Parameters
    ----------
    scores : ndarray of shape (n_pool,)
        Real numbers without NaN.
    n : int
        In [1, n_pool].
    generator : numpy.random.Generator
        Breaks ties; moved by the same amount whatever ``n`` is.

    Returns
    -------
    ndarray of shape (n,), dtype intp
    """
    # A random order of the rows, sorted stably, breaks ties alike for every n.
    order = generator.permutation(len(scores))
    shuffled = scores[order]
    threshold = np.partition(shuffled, len(scores) - n)[len(scores) - n]
    candidates = np.flatnonzero(shuffled >= threshold)
    # Of integers, which may have no negative, the complement reverses the order.
    reverse = np.negative if scores.dtype.kind == "f" else np.invert
    ranked = candidates[np.argsort(reverse(shuffled[candidates]), kind="stable")]
    return order[ranked[:n]].astype(np.intp)

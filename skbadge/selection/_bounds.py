"""Rows in the order of a bound, for algorithms that look at the first few only."""

from __future__ import annotations

import numpy as np

__all__ = ["first_by_bound"]


def first_by_bound(bound: np.ndarray, priority: np.ndarray, size: int) -> np.ndarray:
    """Return the first rows by (largest bound, lowest priority).

    Parameters
    ----------
    bound : ndarray of shape (n,), dtype float64
        Without NaN.
    priority : ndarray of int of shape (n,)
        Order among equal bounds, without repeats.
    size : int
        How many to return; all where there are fewer.

    Returns
    -------
    ndarray of shape (min(size, n),), dtype intp
    """
    place = max(len(bound) - size, 0)
    top = np.flatnonzero(bound >= np.partition(bound, place)[place])
    return top[np.lexsort((priority[top], -bound[top]))][:size]

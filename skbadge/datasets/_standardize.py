"""Inputs with mean 0 and standard deviation 1 on the pool."""

from __future__ import annotations

from typing import Literal

import numpy as np

__all__ = ["standardize"]

# Below this share of its size a deviation is what rounding leaves of a constant.
_ROUNDING = 1e-12


def standardize(
    X_pool: np.ndarray, X_test: np.ndarray, *, by: Literal["feature", "channel"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return both with mean 0 and standard deviation 1 on the pool.

    Parameters
    ----------
    X_pool, X_test : ndarray of shape (n_rows, ...)
        Numbers.
    by : {"feature", "channel"}
        Whether every single feature is brought to that, or all pixels of a channel
        together (axis 1).

    Returns
    -------
    X_pool, X_test : ndarray, float32
        A constant feature becomes 0 in the pool, whatever rounding leaves of it.
    """
    axes = (0, *range(2, X_pool.ndim)) if by == "channel" else (0,)
    mean = X_pool.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = X_pool.std(axis=axes, keepdims=True, dtype=np.float64)
    deviation[deviation < _ROUNDING * np.maximum(1, np.abs(mean))] = 1
    return tuple(
        ((part - mean) / deviation).astype(np.float32) for part in (X_pool, X_test)
    )

"""Rows of a pool by their positions, wherever the pool lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbadge.cluster._brought import fetch_rows
from skbadge.cluster._engine import as_pool, is_sharded
from skbadge.exceptions import InvalidInputError
from skbadge.utils import _rows

__all__ = ["take"]


def take(X: Any, indices: Any) -> Any:
    """Take rows of anything a learner takes as ``X``.

    Parameters
    ----------
    X : ndarray, Tensor, DataFrame, Series, sparse matrix, list, Dataset, or dict
        The rows, for example a pool. Tuples of arrays, and lists of arrays with the
        same number of rows, hold several inputs, as dicts do. Of what can be indexed
        like an array, such as an HDF5 data set, the rows are read in ascending order.
        A pool on a cluster may be a dask array, a dask DataFrame, or a list of delayed
        parts; the parts that hold some of the rows are read where they lie, and those
        rows brought here. That needs a Dask client, and counts all parts first, each
        time, where their lengths are unknown.
    indices : array-like of int of shape (n,), or slice
        Positions of the rows, for example the answer of
        :meth:`~skbadge.ActiveLearner.query`.

    Returns
    -------
    rows : same kind as X
        A torch ``Dataset`` gives a ``torch.utils.data.Subset`` (which never holds
        another one), a Hugging Face ``datasets.Dataset`` its ``select``. A list of
        rows gives a list, one of rows of numbers an array; so does what is only
        indexed like a list or an array. A pool on a cluster gives rows of the kind
        that its parts are, in the memory of this process. Of parts that are data sets
        the chosen items come, each read once on a worker: a torch ``Dataset`` that
        holds them, which draws no augmentation anew.

    Raises
    ------
    InvalidInputError
        If ``X`` is of no known kind, a position is out of range, parts that hold
        chosen rows differ in kind, columns or types, or there is no Dask client for a
        pool on a cluster.
    PoolPassError
        If the cluster failed.

    Examples
    --------
    >>> import numpy as np
    >>> from skbadge import take
    >>> take({"image": np.eye(3), "age": np.array([20, 30, 40])}, [2, 0])["age"]
    array([40, 20])
    >>> take(["a text", "another", "a third one"], [2, 0])
    ['a third one', 'a text']
    """
    if not is_sharded(X):
        return _rows.take(X, indices)
    pool = as_pool(X)
    # As positions among positions: with the errors that rows in memory have.
    wanted, back = np.unique(
        _rows.take(np.arange(len(pool)), indices), return_inverse=True
    )
    if not len(pool):
        raise InvalidInputError("X must have at least one row. Got a pool without.")
    # Of what kind no rows are, some row tells.
    found = fetch_rows(pool, wanted if len(wanted) else np.array([0]))
    return _rows.take(found, back)

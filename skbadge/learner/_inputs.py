"""Checks of what a user hands to the learner: rows, candidates, a strategy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_array, validate_data

from skbadge.cluster._columns import Columns, in_a_list_as_before
from skbadge.cluster._engine import expecting, is_sharded
from skbadge.exceptions import InvalidInputError, SparseInputError
from skbadge.learner._asked import AskedBatch
from skbadge.learner._classes import listed
from skbadge.nets._batches import check_items, check_loader
from skbadge.nets._dataset import (
    as_numbers,
    check_bare,
    check_first_row,
    nonfinite_row,
)
from skbadge.nets._estimators import converts, input_format, split_estimator
from skbadge.strategies import BADGE, QueryStrategy
from skbadge.utils._rows import (
    RowList,
    as_rows,
    check_structure,
    column_names,
    in_memory,
    is_dataset,
    is_lazy,
    n_rows,
    several_inputs,
    take,
)
from skbadge.utils._torch import preserved_generators
from skbadge.utils._tree import leaves
from skbadge.utils._validation import check_integer, check_real

__all__ = [
    "check_are_here",
    "check_candidates",
    "check_indices",
    "check_rows",
    "check_strategy",
    "drawn_share",
    "rows_for",
]


def rows_for(estimator: Any, X: Any) -> Any:
    """Return ``X`` as rows that can be taken, read as what is to eat them reads it.

    In front of a pipeline a list of arrays holds rows, as for scikit-learn; a bare net
    gets several inputs, as from skorch.
    """
    if is_sharded(X):
        return X
    steps, _ = split_estimator(estimator)
    return as_rows(X, lists_hold_rows=steps is not None)


def check_are_here(X: Any) -> None:
    """Refuse rows on a cluster in the place of labelled ones."""
    if is_sharded(X):
        raise InvalidInputError(
            "The labelled rows must be on this machine: they are few, and trained on "
            f"here. Got {type(X).__name__} instead: call its compute() first, or "
            "skbadge.take(X_pool, indices)."
        )


def check_rows(
    learner: Any,
    X: Any,
    *,
    reset: bool = False,
    finite: bool = True,
    estimator: Any = None,
) -> Any:
    """Check ``X`` as far as can be done before the transformers saw it.

    For a bare net, arrays go through scikit-learn's ``validate_data``. In front of a
    pipeline only number and names of the features are checked, since its steps may
    impute, encode or densify; lists and objects stay what they are. A net with a data
    set of its own gets what was given. Several inputs (a dict, a list or a tuple) must
    be made up as in `fit`.

    Parameters
    ----------
    learner : ActiveLearner or PenultimateFeatures
        Its ``n_features_in_`` and ``feature_names_in_`` are set or compared.
    X : rows of any kind
        As the user gave them.
    reset : bool, default=False
        Set the number of features instead of comparing it.
    finite : bool, default=True
        Refuse no rows at all and, for bare nets, NaN and infinity in ``X`` itself.
    estimator : estimator or None, default=None
        What will read the rows; None for the learner's parameter.

    Returns
    -------
    X : same kind as ``X``; lists of rows of numbers become arrays
    """
    reader = learner.estimator if estimator is None else estimator
    if is_sharded(X):
        return _check_sharded(learner, X, reader, reset)
    if reset:
        for name in ("n_features_in_", "feature_names_in_", "_no_rows"):
            vars(learner).pop(name, None)
    if isinstance(X, (list, tuple)) and not X:
        raise InvalidInputError("X must hold at least one row. Got none.")
    steps, net = split_estimator(reader)
    X = rows_for(reader, X)
    _check_parts(X)
    X = in_a_list_as_before(X, getattr(learner, "_no_rows", None))
    if reset:
        check_loader(net)
    is_bare = steps is None and converts(net)
    if is_bare:
        check_bare(X)
    if is_bare and isinstance(X, np.ndarray):
        return _checked_array(learner, X, net, reset=reset, finite=finite)
    if finite and n_rows(X) == 0:
        raise InvalidInputError("X must hold at least one row. Got none.")
    if is_lazy(X):
        # Reading a row may draw from the global generators.
        with preserved_generators() as again, again:
            if is_dataset(X) and steps is None:
                check_items(X, net, training=reset)
            elif is_bare and n_rows(X):
                check_first_row(X)
        return X
    _check_make_up(learner, X, reset)
    if not several_inputs(X) and (reset or _is_compared(X, steps, net)):
        X = validate_data(learner, X, reset=reset, skip_check_array=True)
    if is_bare and finite and in_memory(X):
        row = nonfinite_row(as_numbers(X))
        if row is not None:
            raise InvalidInputError(
                f"Input X contains NaN or infinity in row {row}. Impute or remove such "
                "values, for example in a pipeline step before the net."
            )
    return X


def _check_parts(X: Any) -> None:
    """Refuse what nothing behind this door could read as it is meant.

    Raises
    ------
    InvalidInputError
        If columns have one name, entries are masked, or splits of a data set come
        together.
    """
    for part in leaves(X) if several_inputs(X) else [X]:
        names = None if isinstance(part, RowList) else column_names(part)
        twice = [name for name, count in Counter(names or ()).items() if count > 1]
        if twice:
            raise InvalidInputError(
                "The columns of a table must have different names. Got "
                f"{listed(twice)} more than once: rename them, or give X.to_numpy() "
                "where their order says enough."
            )
        if np.ma.is_masked(part):
            raise InvalidInputError(
                "X must not be masked, since steps and nets read masked entries as if "
                "they were not. Got some: give X.filled(numpy.nan), and impute them in "
                "a pipeline step before the net."
            )
        if isinstance(part, torch.Tensor) and part.layout is not torch.strided:
            raise SparseInputError(
                f"A tensor must be dense. Got one of layout {part.layout} instead: "
                "give X.to_dense(), or a SciPy sparse matrix in front of a pipeline."
            )
        if part is not X and is_lazy(part):
            raise InvalidInputError(
                "X must be one data set, or hold arrays as its parts. Got several "
                f"data sets of type {type(part).__name__}, which may be splits: give "
                "one of them, X['train']."
            )


def _checked_array(learner: Any, X: Any, net: Any, *, reset: bool, finite: bool) -> Any:
    how = {
        "allow_nd": True,
        "ensure_all_finite": finite,
        "ensure_min_samples": 1 if finite else 0,
    }
    _check_make_up(learner, X, reset)
    if reset or _is_compared(X, None, net):
        return validate_data(learner, X, reset=reset, **how)
    return check_array(X, estimator=learner, input_name="X", **how)


def _is_compared(X: Any, steps: Any, net: Any) -> bool:
    """Say whether the columns of ``X`` must be those of `fit`.

    Sequences and images may be of another size than before, where the module reads
    them all the same; so may what a data set of the user's own reads.
    """
    if isinstance(X, RowList):
        return False
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        return True
    if len(getattr(X, "shape", ())) != 2:
        return False
    return steps is not None or (converts(net) and not _are_ids(X, net))


def _are_ids(X: Any, net: Any) -> bool:
    if isinstance(X, torch.Tensor):
        whole = not X.is_floating_point()
    else:
        whole = getattr(X.dtype, "kind", "f") in "iu"
    return whole and _takes_ids(net)


def _takes_ids(net: Any) -> bool:
    return getattr(net, "initialized_", False) and input_format(net).takes_integers


def _check_make_up(learner: Any, X: Any, reset: bool) -> None:
    """Keep the make-up of what is no table (its rows, empty), or compare it."""
    is_table = not several_inputs(X) and 1 <= len(getattr(X, "shape", ())) <= 2
    if reset and not is_table:
        learner._no_rows = take(X, [])
    elif not reset and hasattr(learner, "_no_rows"):
        check_structure(learner._no_rows, X, same_shape=False)


def check_candidates(candidates: Any, n_pool: int) -> np.ndarray | None:
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
            f"{listed(positions[counts > 1])} more than once."
        )
    return positions.astype(np.intp)


def check_indices(
    indices: Any, n_new: int, asked: AskedBatch | None
) -> np.ndarray | None:
    """Return positions in the last query's pool, one for each new row, or None.

    Raises
    ------
    InvalidInputError
        If they are no distinct ints in the range of the pool, or there was no query.
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
            f"{listed(indices)} instead."
        )
    if asked is None:
        raise InvalidInputError(
            "indices speak of the last query's pool, but there was no query since fit. "
            "Leave indices away."
        )
    if n_new and (indices.min() < 0 or indices.max() >= asked.n_pool):
        raise InvalidInputError(
            f"indices must be positions in [0, {asked.n_pool}), the rows of the last "
            f"query's pool. Got values between {indices.min()} and {indices.max()} "
            "instead."
        )
    return indices


def drawn_share(
    rows: np.ndarray | None,
    n_pool: int,
    subsample: float | int | None,
    generator: np.random.Generator,
) -> np.ndarray | None:
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


def check_strategy(strategy: Any) -> QueryStrategy:
    """Return a clone of a query strategy; None stands for ``BADGE()``.

    Raises
    ------
    InvalidInputError
        If it is a class, or no query strategy.
    """
    strategy = BADGE() if strategy is None else strategy
    if isinstance(strategy, QueryStrategy):
        # A misspelt option should not be found out after a training was paid for.
        strategy.check_parameters()
        return clone(strategy)
    got = repr(strategy)
    if isinstance(strategy, type):
        name = strategy.__name__
        got = f"the class {name}: make an object of it, {name}()"
    raise InvalidInputError(
        "strategy must be a query strategy object, for example BADGE(), or None. Got "
        f"{got}."
    )


def _check_sharded(learner: Any, X: Any, reader: Any, reset: bool) -> Any:
    """Check what is known of rows on a cluster, and have the rest checked there."""
    if reset:
        check_are_here(X)
    steps, net = split_estimator(reader)
    names = getattr(learner, "feature_names_in_", None)
    is_compared = steps is not None or converts(net)
    expected = Columns(
        type(learner).__name__,
        getattr(learner, "n_features_in_", None) if is_compared else None,
        None if names is None else list(names),
        ids_differ=steps is None and _takes_ids(net),
        no_rows=getattr(learner, "_no_rows", None),
        lists_hold_rows=steps is not None,
    )
    return expecting(X, expected)

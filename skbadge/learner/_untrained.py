"""What a strategy reads of a pool before anything was trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs
from skbadge.cluster._brought import fetch_rows
from skbadge.cluster._pool import ClusterPool, count_rows
from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.extraction._pass import collect_inputs
from skbadge.nets._estimators import (
    adapt_dataset,
    cloned,
    copy_frozen,
    input_format,
    is_frozen,
    split_estimator,
)
from skbadge.utils._rows import take
from skbadge.utils._torch import seeded_generators

__all__ = ["untrained_outputs"]


def untrained_outputs(
    estimator: Any,
    X: Any,
    rows: np.ndarray | None,
    needs: Needs,
    *,
    generator: np.random.Generator,
    verbose: int = 0,
) -> Outputs:
    """Return what a strategy reads before anything was trained: at most the rows.

    Steps before the net are fitted on the candidates themselves, without labels. Of a
    pool on a cluster the candidates are brought to this machine.

    Parameters
    ----------
    estimator : net or pipeline
        As the user gave it; stays as it is.
    X : rows of any kind
        The pool.
    rows : ndarray of int or None
        Positions of the candidates; None for all.
    needs : Needs
        Nothing, or ``inputs``, also of the labelled rows, of which there is none.
    generator : numpy.random.Generator
        Fixes what steps draw.
    verbose : int, default=0
        Above 0, show a progress bar.

    Returns
    -------
    Outputs

    Raises
    ------
    InvalidInputError
        If a pool on a cluster is to be read whole, or a step cannot be fitted.
    """
    if not needs:
        count = count_rows(X) if rows is None else len(rows)
        return Outputs(count, positions=rows)
    seed, share = int(generator.integers(2**63)), rows
    if isinstance(X, ClusterPool):
        X, share = _fetched(X, rows, verbose), None
    with seeded_generators(seed) as again, again:
        fitted = _unlabeled(estimator, X if share is None else take(X, share))
        steps, net = split_estimator(fitted)
        found = collect_inputs(net, X, rows=share, transformers=steps, verbose=verbose)
    found = replace(found, positions=rows)
    if needs.labeled is None:
        return found
    none = replace(found.take(np.arange(0)), labels=torch.zeros(0, dtype=torch.int64))
    return replace(found, needs=needs, labeled_rows=none.declared(needs.labeled))


def _fetched(pool: ClusterPool, rows: np.ndarray | None, verbose: int) -> Any:
    """Bring the candidates to this machine; refuse to bring a pool that outgrew it."""
    if rows is None:
        raise InvalidInputError(
            "Before there is any label, the rows of a pool that lies on several "
            "machines are read by this one. Choose from a random share that it holds, "
            f"query(X_pool, n, subsample=...). Got all {len(pool)} rows instead."
        )
    return fetch_rows(pool, rows, verbose=verbose)


def _unlabeled(estimator: Any, X: Any) -> Any:
    """Return a clone with steps fitted without labels and an initialized net.

    Raises
    ------
    InvalidInputError
        If a step cannot be fitted so.
    """
    if is_frozen(estimator):
        return copy_frozen(estimator)
    fitted = cloned(estimator)
    transformers, net = split_estimator(fitted)
    net.initialize()
    adapt_dataset(net, input_format(net))
    if transformers is None:
        return fitted
    try:
        transformers.fit(X, None)
    except SkbadgeError:
        raise
    except Exception as error:
        raise InvalidInputError(
            "Before there is any label, the steps before the net must be fitted on the "
            f"pool without labels. Got {type(error).__name__}: {error}. Where a step "
            "needs labels, let RandomSampling() choose the first rows."
        ) from error
    return fitted

"""A query: what a state says of a pool. Nothing that was learned is changed by it."""

from __future__ import annotations

import copy
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from skbadge._contracts import Outputs
from skbadge.cluster._engine import as_pool, is_sharded
from skbadge.cluster._pass import ShardedOutputs, map_rows, released
from skbadge.cluster._pool import ClusterPool, Traffic, count_rows
from skbadge.learner._asked import AskedBatch
from skbadge.learner._inputs import check_candidates, check_strategy, drawn_share
from skbadge.learner._model import Model
from skbadge.learner._state import State
from skbadge.learner._untrained import untrained_outputs
from skbadge.nets._estimators import check_estimator_kind, is_frozen
from skbadge.strategies import QueryStrategy
from skbadge.strategies._base import check_runs_on_cluster
from skbadge.utils._identity import mark_of, row_digests, row_marks
from skbadge.utils._random import Purpose, draw_entropy, spawn_generator
from skbadge.utils._rows import take
from skbadge.utils._validation import check_n

__all__ = ["asker", "queried"]


def asker(state: State, learner: Any) -> QueryStrategy:
    """Return the strategy that answers a query.

    Raises
    ------
    LearnerNotFittedError
        If it needs a trained net and there is none.
    """
    strategy = state.strategy
    if strategy is None:
        check_estimator_kind(learner.estimator)
        strategy = check_strategy(learner.strategy)
    if strategy.needs.trained and not _may_ask_frozen(learner, strategy):
        state.needed_model(learner, "query", or_else=_before_labels(strategy))
    return strategy


def _before_labels(strategy: QueryStrategy) -> str:
    """Say how a strategy can be asked before `fit` that also reads what goes in."""
    if strategy.get_params(deep=False).get("features") != "net":
        return ""
    other = clone(strategy).set_params(features="input")
    if other.needs.trained:
        return ""
    name = type(strategy).__name__
    return f'{name}(features="input") compares what goes into the net, and can, too.'


def _may_ask_frozen(learner: Any, strategy: QueryStrategy) -> bool:
    """Say whether a fitted net can answer a strategy that reads no label."""
    reads_labels = strategy.traits.needs_labels or strategy.needs.labeled is not None
    return is_frozen(learner.estimator) and not reads_labels


def queried(
    state: State,
    learner: Any,
    X_pool: Any,
    n: int,
    candidates: Any,
    subsample: float | int | None,
) -> State:
    """Choose among the candidates of a checked pool.

    Returns
    -------
    State
        The same, with the batch that was asked.
    """
    strategy, model = asker(state, learner), state.trained_model
    X_pool = as_pool(X_pool)
    if is_sharded(X_pool) and subsample is None:
        check_runs_on_cluster(strategy)
    n_pool, seed = count_rows(X_pool), learner.random_state
    if model is None and strategy.needs.trained:
        entropy = draw_entropy(copy.deepcopy(seed))
        model = Model.frozen(learner.estimator, entropy=entropy)
    rows = check_candidates(candidates, n_pool)
    if subsample is not None:
        generator = _generator(state, Purpose.SUBSAMPLE, seed)
        rows = drawn_share(rows, n_pool, subsample, generator)
    n_candidates = n_pool if rows is None else len(rows)
    n = check_n(n, n_candidates, subsample)
    started = perf_counter()
    outputs = _outputs(state, learner, model, X_pool, rows, strategy)
    traffic = getattr(outputs, "traffic", Traffic() if is_sharded(X_pool) else None)
    with released(outputs):
        # Who asks for a share means one that this machine holds.
        read = outputs if strategy.traits.on_cluster else outputs.here()
        embedded = perf_counter()
        found = strategy.select(read, n, _generator(state, Purpose.QUERY, seed))
        chosen = np.asarray(found.indices, dtype=np.intp)
        indices = chosen if rows is None else rows[chosen].astype(np.intp)
        marks = _marks(X_pool, indices, outputs, chosen)
    seconds = {"embed": embedded - started, "select": perf_counter() - embedded}
    asked = AskedBatch(
        found,
        indices,
        n_pool,
        n_candidates,
        open=np.ones(n, dtype=bool),
        marks=marks,
        n_trainings=0 if state.model is None else state.model.n_trainings,
    )
    return replace(
        state,
        asked=asked,
        timings={**(state.timings or {}), **seconds},
        traffic=traffic,
    )


def _marks(
    X_pool: Any, indices: np.ndarray, outputs: Outputs, chosen: np.ndarray
) -> tuple[str | None, ...]:
    """Return what tells the rows of a batch from others, see `row_marks`.

    On a cluster those of rows that are read one by one are not known: their source is
    a part there, and whatever the user has of it here.
    """
    if not isinstance(X_pool, ClusterPool):
        return row_marks(take(X_pool, indices))
    if isinstance(outputs, ShardedOutputs):
        return outputs.marks(chosen)
    # No pass was made; the parts that hold chosen rows are read.
    order = np.argsort(indices)
    found = np.concatenate(map_rows(X_pool, indices[order], row_digests))
    return tuple(mark_of(digest) for digest in found[np.argsort(order)])


def _outputs(
    state: State,
    learner: Any,
    model: Model | None,
    X_pool: Any,
    rows: np.ndarray | None,
    strategy: QueryStrategy,
) -> Outputs:
    """Return what a strategy reads of the candidates, from a model or before any."""
    if model is not None:
        found = model.outputs(
            X_pool,
            rows,
            strategy.needs,
            state.labeled,
            layer=learner.layer,
            verbose=learner.verbose,
        )
        return replace(found, classes=model.columns)
    return untrained_outputs(
        learner.estimator,
        X_pool,
        rows,
        strategy.needs,
        generator=_generator(state, Purpose.POOL_PASS, learner.random_state),
        verbose=learner.verbose,
    )


def _generator(
    state: State, purpose: Purpose, random_state: Any
) -> np.random.Generator:
    """Return the NumPy generator of a purpose, before and after `fit`."""
    if state.model is not None:
        return state.model.generator(purpose)
    # A copy of the seed: a query must not change what `fit` will draw from it.
    entropy = draw_entropy(copy.deepcopy(random_state))
    return spawn_generator(entropy, purpose, 0)

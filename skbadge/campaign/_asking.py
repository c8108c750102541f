"""One batch: a share drawn at random, the strategy's choice, and their order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from skbadge._contracts import Selection
from skbadge.campaign._accuracy import share_size
from skbadge.campaign._model import Model
from skbadge.campaign._pool import Pool
from skbadge.campaign._state import Batch, State
from skbadge.learner._learner import ActiveLearner
from skbadge.learner._written import written_selection
from skbadge.strategies import QueryStrategy
from skbadge.utils._random import Purpose, spawn_generator
from skbadge.utils._rows import take

__all__ = ["drawn_batch"]


def drawn_batch(
    model: Model,
    pool: Pool,
    state: State,
    *,
    number: int,
    n: int,
    earlier: Batch | None,
    candidates: list[str],
    cold_start: QueryStrategy,
) -> dict[str, Any]:
    """Choose the rows of a batch, or those that make it longer.

    The share is a simple random sample of the candidates. The strategy chooses among
    all candidates too, and its first choices fill the batch; a row that both draw
    counts as both. So a longer batch contains the shorter one, wherever the
    strategy's own batches do, and the law of its draws is the strategy's own. A row of
    the longer share that was labelled unasked in the meantime is not asked for, and
    counted: without it the share is no simple random sample.

    Parameters
    ----------
    model : Model
    pool : Pool
    state : State
    number : int
        Number of the batch.
    n : int
        Number of rows of the whole batch.
    earlier : Batch or None
        The batch that is made longer.
    candidates : list of str
        Ids that could be chosen when the batch was first asked for.
    cold_start : QueryStrategy

    Returns
    -------
    payload : dict
        Of the event "asked", with those rows alone that are new.
    """
    entropy = state.settings["entropy"]
    rows = np.array([pool.at[id] for id in candidates])
    known = {} if earlier is None else earlier.items
    n_gone = 0
    if earlier is not None:
        # Rows may have been labelled unasked since: as many more are to be chosen.
        others = (id for id in candidates if id not in known)
        n_gone = sum(not state.is_candidate(id) for id in others)
    found = model.query(pool, n + n_gone, rows, cold_start)
    chosen = [pool.keys[i] for i in found.indices]
    share = state.settings["random_share"] if model.learner is not None else 0.0
    generator = spawn_generator(entropy, Purpose.CAMPAIGN_SHARE, number)
    n_random = share_size(n, share, generator.random())
    order = generator.permutation(len(candidates))[:n_random]
    random = dict.fromkeys(candidates[i] for i in order)

    batch = dict.fromkeys(known)
    for id in [*random, *chosen]:
        if len(batch) < n and (id in known or state.is_candidate(id)):
            batch[id] = None
    new = _mixed([id for id in batch if id not in known], random, generator)

    predicted: dict[str, Any] = {}
    if model.learner is not None and new:
        predicted = _predicted(model.learner, pool, new)
    place = {id: i for i, id in enumerate(chosen)}

    def item(rank: int, id: str) -> dict[str, Any]:
        i = place.get(id)
        return {
            "id": id,
            "rank": rank,
            "score": _value(found.scores, i),
            "random": id in random,
            "inclusion": _value(found.inclusion_probability, i),
            **predicted.get(id, {"predicted": None, "probability": None}),
        }

    strategy = cold_start if model.learner is None else model.learner.strategy_
    draws: list[list[Any]] = []
    if found.draw_probability is not None and model.learner is not None:
        # A number fixed beforehand: all of these are in the batch, whatever the share.
        draws = [[id, float(found.draw_probability[place[id]])] for id in chosen]
        draws = draws[: n - n_random]
        if any(id not in batch for id, _ in draws):
            draws = []
    return {
        "training": len(state.trainings),
        "n_candidates": len(candidates),
        "strategy": repr(strategy),
        "extends": earlier is not None,
        "items": [item(rank, id) for rank, id in enumerate(new, len(known) + 1)],
        "also_random": [id for id in random if id in known and not known[id]["random"]],
        "n_unasked": sum(id not in batch and id in state.answers for id in random),
        "draws": draws,
        "notes": list(found.notes),
        "selection": _selection(strategy, found, chosen, candidates),
    }


def _selection(
    strategy: QueryStrategy, found: Selection, chosen: list[str], candidates: list[str]
) -> dict[str, Any] | None:
    """Return what a strategy is to be shown again when labels come; None for most.

    Not all rows that it chose are in the batch, whose random share takes the places of
    the last ones.
    """
    if not hasattr(strategy, "observe"):
        return None
    places = {id: i for i, id in enumerate(candidates)}
    known = replace(
        found, indices=np.array([places[id] for id in chosen]), scores=None, notes=()
    )
    return {
        "ids": chosen,
        "n_candidates": len(candidates),
        **written_selection(known),
    }


def _mixed(
    ids: list[str], random: Collection[str], generator: np.random.Generator
) -> list[str]:
    """Put the rows of the share at random places among the others, in their order."""
    drawn = [id for id in ids if id in random]
    others = iter([id for id in ids if id not in random])
    places = set(generator.permutation(len(ids))[: len(drawn)].tolist())
    share = iter(drawn)
    return [next(share) if i in places else next(others) for i in range(len(ids))]


def _predicted(
    learner: ActiveLearner, pool: Pool, ids: list[str]
) -> dict[str, dict[str, Any]]:
    """Return the predicted class of each row and its probability, by id."""
    proba = learner.predict_proba(take(pool.X, [pool.at[id] for id in ids]))
    best, classes = proba.argmax(axis=1), learner.classes_.tolist()
    return {
        id: {
            "predicted": classes[column],
            "probability": float(proba[i, column]),
        }
        for i, (id, column) in enumerate(zip(ids, best, strict=True))
    }


def _value(values: np.ndarray | None, i: int | None) -> float | None:
    """Return one of a selection's values as a number for JSON, or None."""
    if values is None or i is None or not np.isfinite(values[i]):
        return None
    return float(values[i])

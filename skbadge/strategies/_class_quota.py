"""Quotas of predicted classes, around any strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._validation import check_real

__all__ = ["ClassQuota", "check_quota"]

# Classes that a message lists.
_MOST_SHOWN = 10


def check_quota(quota: Any, name: str) -> None:
    """Refuse what is neither "balanced" nor a mapping of classes to shares.

    Which classes there are is known when the strategy is asked.
    """
    if isinstance(quota, str) and quota == "balanced":
        return
    if not isinstance(quota, Mapping):
        raise InvalidInputError(
            f'{name} must be "balanced" or a mapping of classes to shares of the '
            f"batch. Got {quota!r} instead."
        )
    for label, share in quota.items():
        check_real(share, f"{name} of class {label!r}", low=0, high=1)
    if sum(quota.values()) > 1 + 1e-9:
        raise InvalidInputError(
            f"{name} must hold shares of a batch that sum to at most 1. Got "
            f"{sum(quota.values()):g} instead."
        )


class ClassQuota(QueryStrategy):
    """Give each predicted class its share of a batch that a strategy chooses.

    A class of one row in a hundred is hardly ever asked about. Here it has its share,
    as far as the pool holds rows that the net takes for it.

    Parameters
    ----------
    strategy : QueryStrategy
        What chooses among the rows of a predicted class.
    quota : "balanced" or mapping of class to float, default="balanced"
        The same share for every class, or the share of the batch, in [0, 1], of classes
        by their names, as in ``classes_`` of the learner (numbers of the columns of
        ``proba`` where outputs name no classes); with shares that sum to less than 1,
        the strategy chooses the rest freely.

    See Also
    --------
    DIRECT : Made for rare classes.

    Notes
    -----
    Shares become numbers of rows by largest remainder, among equal ones for the class
    with fewest predicted rows. The strategy is asked once for each class, rarest first,
    and sees only the rows predicted to be of it. Where a quota cannot be met, all rows
    of the class are taken and the strategy fills up from all others; the ``notes`` of
    the selection say so. In the order of the batch, classes take turns. A batch is made
    for its size: smaller batches are not its beginning. No label is read. Scores are
    the strategy's, comparable within a class only for strategies that compare rows.
    Cost: that of the strategy on parts of the pool, whose outputs are copied.

    Examples
    --------
    >>> from skbadge import ClassQuota, MarginSampling
    >>> from skbadge.strategies import Outputs
    >>> proba = [[0.5, 0.5], [0.6, 0.4], [0.7, 0.3], [0.1, 0.9]]
    >>> strategy = ClassQuota(MarginSampling())
    >>> strategy.select(Outputs.of(proba=proba), n=2).indices
    array([3, 0])
    >>> strategy.select(Outputs.of(proba=proba[:3]), n=2).notes
    ('Column 1: the pool has 0 rows predicted to be of this class, of 1 that the quota
    asks for; the rest was chosen without a quota.',)
    """

    def __init__(
        self,
        strategy: QueryStrategy,
        *,
        quota: Literal["balanced"] | Mapping[Any, float] = "balanced",
    ) -> None:
        self.strategy = strategy
        self.quota = quota

    @property
    def needs(self) -> Needs:
        """What the strategy reads, and probabilities."""
        return self.strategy.needs | Needs(proba=True)

    @property
    def traits(self) -> Traits:
        """What the strategy promises, but no prefixes."""
        return replace(self.strategy.traits, nested=False, on_cluster=False)

    def check_parameters(self) -> None:
        """Refuse what is no strategy, and shares that are none."""
        if not isinstance(self.strategy, QueryStrategy) or hasattr(
            self.strategy, "observe"
        ):
            raise InvalidInputError(
                "strategy must be a query strategy that does not learn itself, for "
                f"example BADGE(). Got {self.strategy!r} instead."
            )
        self.strategy.check_parameters()
        check_quota(self.quota, "quota")

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        guess = outputs.by_rows(lambda part: part.proba.argmax(dim=1)).astype(np.intp)
        n_classes = outputs.proba.shape[1]
        counts = np.bincount(guess, minlength=n_classes)
        columns = _columns(outputs)
        quotas = _rows_by_share(self._shares(columns), n, counts)
        parts, notes = [], []
        for column in np.argsort(counts, kind="stable"):
            wanted, there = int(quotas[column]), int(counts[column])
            if wanted > there:
                notes.append(
                    f"{_called(outputs, column)}: the pool has {there} rows predicted "
                    f"to be of this class, of {wanted} that the quota asks for; the "
                    "rest was chosen without a quota."
                )
            if wanted and there:
                rows = np.flatnonzero(guess == column)
                parts.append(self._chosen(outputs, rows, min(wanted, there), generator))
        chosen = _in_turn(parts)
        if len(chosen.indices) < n:
            rest = np.delete(np.arange(outputs.n_pool), chosen.indices)
            more = self._chosen(outputs, rest, n - len(chosen.indices), generator)
            chosen = _joined([chosen, more])
        return replace(chosen, notes=(*notes, *chosen.notes))

    def _shares(self, columns: dict[Any, int]) -> np.ndarray:
        """Return the share of each column, of which the classes are given."""
        if isinstance(self.quota, str):
            return np.full(len(columns), 1.0 / len(columns))
        shares = np.zeros(len(columns))
        for label, share in self.quota.items():
            if label not in columns:
                listed = ", ".join(map(repr, list(columns)[:_MOST_SHOWN]))
                more = ", ..." if len(columns) > _MOST_SHOWN else ""
                raise InvalidInputError(
                    f"Shares must be of some of the {len(columns)} classes: {listed}"
                    f"{more}. Got {label!r} instead."
                )
            shares[columns[label]] = share
        return shares

    def _chosen(
        self,
        outputs: Outputs,
        rows: np.ndarray,
        n: int,
        generator: np.random.Generator,
    ) -> Selection:
        (stream,) = generator.spawn(1)
        part = outputs.declared(self.strategy.needs).take(rows)
        found = self.strategy.select(part, n, stream)
        indices = rows[found.indices].astype(np.intp)
        return Selection(indices, scores=found.scores, notes=found.notes)


def _columns(outputs: Outputs) -> dict[Any, int]:
    """Return the column of each class; columns are classes where nobody named any."""
    n_classes = outputs.proba.shape[1]
    if outputs.classes is None:
        return {column: column for column in range(n_classes)}
    return {label: column for column, label in enumerate(outputs.classes.tolist())}


def _called(outputs: Outputs, column: int) -> str:
    if outputs.classes is None:
        return f"Column {column}"
    return f"Class {outputs.classes.tolist()[column]!r}"


def _in_turn(parts: list[Selection]) -> Selection:
    """Return all parts as one, of which each in turn gives a row."""
    joined = _joined(parts)
    turns = [np.zeros(0), *(np.arange(len(part.indices)) for part in parts)]
    order = np.argsort(np.concatenate(turns), kind="stable")
    scores = None if joined.scores is None else joined.scores[order]
    return replace(joined, indices=joined.indices[order], scores=scores)


def _joined(parts: list[Selection]) -> Selection:
    """Return all parts as one; without scores where one has none, each note once."""
    scores: list[Any] = [part.scores for part in parts if len(part.indices)]
    known = all(found is not None for found in scores)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return Selection(
        np.concatenate([np.zeros(0, dtype=np.intp), *(part.indices for part in parts)]),
        scores=np.concatenate([np.zeros(0), *scores]) if known else None,
        notes=tuple(notes),
    )


def _rows_by_share(shares: np.ndarray, n: int, counts: np.ndarray) -> np.ndarray:
    """Turn shares into numbers of rows by largest remainder, rare classes first."""
    exact = shares * n
    # Not a whole row less for a share such as 0.29 of 100.
    rows = np.floor(exact + 1e-9).astype(np.intp)
    left = round(float(exact.sum())) - int(rows.sum())
    remainder = np.where(shares > 0, np.round(exact - rows, 9), -np.inf)
    rows[np.lexsort((counts, -remainder))[: max(left, 0)]] += 1
    return rows

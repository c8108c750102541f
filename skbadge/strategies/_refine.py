"""Refine: many batches of several strategies narrow the pool down, then one chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._uherding import UHerding
from skbadge.utils._validation import check_integer, check_real

__all__ = ["Refine"]


class Refine(QueryStrategy):
    """Keep what several strategies ask for on parts of the pool, and choose from that.

    No strategy is best everywhere. Here each may ask for batches, many times, on random
    parts of the pool; what none ever asks for is dropped, and that is repeated. The
    last word has one strategy that sees only rows which some strategy found worth it.

    Parameters
    ----------
    strategies : list of QueryStrategy
        What asks for the batches, in turn.
    final : QueryStrategy or None, default=None
        What chooses from the rows that are left; None means ``UHerding()``.
    n_rounds : int, default=5
        How often the pool is narrowed down.
    n_batches : int, default=100
        Batches in a round.
    first_subset : int, default=5000
        Rows of the parts in the first round.
    share : float in (0, 1], default=0.4
        Size of the parts in later rounds, as a share of the rows that are left.
    most : int, default=10000
        Rows of the parts in later rounds, at most.

    See Also
    --------
    ALBL : Learns which of several strategies to trust.

    Notes
    -----
    After [1]_: a part is drawn anew for each batch and is at least as large as the
    batch; the rows of all batches of a round are the pool of the next, and UHerding has
    the last word. One pass over the pool serves all strategies. A batch is made for its
    size: smaller batches are not its beginning. Scores are those of ``final``. Cost:
    ``n_rounds`` times ``n_batches`` selections from parts whose outputs are copied,
    then one from the rows left.

    References
    ----------
    .. [1] "Refine" (CVPR 2026), `arXiv:2511.22344 <https://arxiv.org/abs/2511.22344>`_.

    Examples
    --------
    >>> from skbadge import EntropySampling, MarginSampling, RandomSampling, Refine
    >>> strategy = Refine([MarginSampling(), EntropySampling()], final=RandomSampling())
    >>> strategy.needs
    Needs(proba=True)
    """

    def __init__(
        self,
        strategies: Sequence[QueryStrategy],
        *,
        final: QueryStrategy | None = None,
        n_rounds: int = 5,
        n_batches: int = 100,
        first_subset: int = 5000,
        share: float = 0.4,
        most: int = 10_000,
    ) -> None:
        self.strategies = strategies
        self.final = final
        self.n_rounds = n_rounds
        self.n_batches = n_batches
        self.first_subset = first_subset
        self.share = share
        self.most = most

    @property
    def needs(self) -> Needs:
        """What all of them read together."""
        return reduce(Needs.__or__, (s.needs for s in self._all()))

    @property
    def traits(self) -> Traits:
        """What all of them promise, but no prefixes."""
        return reduce(Traits.__and__, (s.traits for s in self._all())) & Traits(
            nested=False
        )

    def check_parameters(self) -> None:
        """Refuse what is no strategy, and numbers out of range."""
        given: Any = self.strategies
        if not isinstance(given, (list, tuple)) or not given:
            raise InvalidInputError(
                "strategies must be a list of at least one query strategy. Got "
                f"{given!r} instead."
            )
        for strategy in self._all():
            if not isinstance(strategy, QueryStrategy) or hasattr(strategy, "observe"):
                raise InvalidInputError(
                    "strategies and final must be query strategies that do not learn "
                    f"themselves, for example BADGE(). Got {strategy!r} instead."
                )
            strategy.check_parameters()
        for name in ("n_rounds", "n_batches", "first_subset", "most"):
            check_integer(getattr(self, name), name, low=1)
        check_real(self.share, "share", low=0, high=1, include_low=False)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        kept = np.arange(outputs.n_pool)
        size = self.first_subset
        for _ in range(self.n_rounds):
            size = min(max(size, n), len(kept))
            asked = np.zeros(outputs.n_pool, dtype=bool)
            for i in range(self.n_batches):
                rows = np.sort(generator.choice(kept, size, replace=False))
                strategy = self.strategies[i % len(self.strategies)]
                asked[self._chosen(strategy, outputs, rows, n, generator)[0]] = True
            kept = np.flatnonzero(asked)
            size = min(self.most, math.ceil(self.share * len(kept)))
        indices, scores = self._chosen(self._last(), outputs, kept, n, generator)
        return Selection(indices, scores=scores)

    def _chosen(
        self,
        strategy: QueryStrategy,
        outputs: Outputs,
        rows: np.ndarray,
        n: int,
        generator: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        (stream,) = generator.spawn(1)
        part = outputs.declared(strategy.needs).take(rows)
        found = strategy.select(part, n, stream)
        return rows[found.indices].astype(np.intp), found.scores

    def _last(self) -> QueryStrategy:
        return UHerding() if self.final is None else self.final

    def _all(self) -> list[QueryStrategy]:
        return [*self.strategies, self._last()]

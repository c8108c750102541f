"""The base of strategies that score each row for itself, and take the best."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Outputs, Selection, Traits
from skbadge.embeddings._tensors import in_chunks
from skbadge.selection._top_k import _top_k
from skbadge.strategies._base import QueryStrategy
from skbadge.utils._random import Seed, as_generator

__all__ = ["DrawnScores", "ScoreSampling", "margin_uncertainty", "sum_of_others"]


class DrawnScores(QueryStrategy):
    """Choose the rows with the largest score, where scores may rest on random numbers.

    A subclass writes ``ranked(outputs, generator)``.
    """

    # Added to the scores once the rows are ranked: beside it small ones would vanish.
    _offset = 0.0

    def scores(self, outputs: Outputs, random_state: Seed = None) -> np.ndarray:
        """Return the score of every row.

        Parameters
        ----------
        outputs : Outputs
            With what `needs` declares.
        random_state : int, Generator, RandomState or None, default=None
            Fixes what the scores are drawn with, where they are drawn.

        Returns
        -------
        ndarray of shape (n_pool,), dtype float64
            Higher = more wanted.
        """
        return self.shown(self.ranked(outputs, as_generator(random_state)))

    @abstractmethod
    def ranked(self, outputs: Outputs, generator: np.random.Generator) -> np.ndarray:
        """Return the values that rows are ranked by.

        Parameters
        ----------
        outputs : Outputs
            With what `needs` declares.
        generator : numpy.random.Generator
            Fixes what is drawn, where something is.

        Returns
        -------
        ndarray of shape (n_pool,), dtype float64
            Higher = more wanted.
        """

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        scores = self.ranked(outputs, generator)
        indices = _top_k(scores, n, generator=generator)
        return Selection(indices, scores=self.shown(scores[indices]))

    def shown(self, ranked: np.ndarray) -> np.ndarray:
        """Return the scores that belong to such values."""
        return ranked + self._offset


class ScoreSampling(DrawnScores):
    """Choose the rows with the largest score, ties broken by the seed.

    A subclass declares `needs` and writes one method, ``_score(outputs)``: one value a
    row, tensor or array of shape (n_pool,), higher = more wanted.

    A score that depends on its own row alone, and on the labelled rows and the head,
    can be found where the row lies. A subclass that scores so declares ``traits =
    Traits(on_cluster=True)``, and chooses from pools on a cluster too. There ``_score``
    sees the rows of one part at a time: one that compares a row with others of the
    pool, by their mean or their rank, must not declare it, for it would choose other
    rows, and nothing would say so. The declaration is about the ``_score`` beside it:
    a subclass with a ``_score`` of its own declares anew.

    See Also
    --------
    skbadge.strategies.QueryStrategy : The base of strategies that choose in another
        way.
    skbadge.StochasticTopK : Draws by such scores instead.

    Notes
    -----
    Cost beside the scores: O(n_pool). Blind to diversity: near-duplicates are chosen
    together. :func:`~skbadge.strategies.checks.check_strategy` tries whether a subclass
    that declares ``on_cluster`` scores alike where rows come in parts.

    Examples
    --------
    >>> from skbadge.strategies import Needs, Outputs, ScoreSampling, Traits
    >>> class LeastSure(ScoreSampling):
    ...     needs = Needs(proba=True)
    ...     traits = Traits(on_cluster=True)
    ...     def _score(self, outputs):
    ...         return -outputs.proba.max(dim=1).values
    >>> outputs = Outputs.of(proba=[[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]])
    >>> LeastSure().select(outputs, n=2).indices
    array([1, 2])
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_score" in vars(cls) and "traits" not in vars(cls):
            # A value in the place of a property, or a property of its own.
            cls.traits = _not_on_cluster(cls.traits)  # type: ignore[method-assign]

    @abstractmethod
    def _score(self, outputs: Outputs) -> torch.Tensor | np.ndarray:
        """Return one value a row, higher = more wanted.

        With ``traits.on_cluster`` the outputs may be those of some rows of the pool.
        """

    def ranked(self, outputs: Outputs, generator: np.random.Generator) -> np.ndarray:
        """Return the scores as `_score` gives them.

        Parameters
        ----------
        outputs : Outputs
            With what `needs` declares.
        generator : numpy.random.Generator
            Not used.

        Returns
        -------
        ndarray of shape (n_pool,), dtype float64
            Higher = more wanted.
        """
        return outputs.by_rows(self._score)


def _not_on_cluster(traits: Any) -> Any:
    """Return traits, a value or a property, without the promise of `on_cluster`."""
    if isinstance(traits, Traits):
        return replace(traits, on_cluster=False)
    return property(lambda self: replace(traits.fget(self), on_cluster=False))


def sum_of_others(proba: torch.Tensor) -> torch.Tensor:
    """Return 1 - max, float64, by a sum: in float32 the difference is 0 where sure."""
    return in_chunks(proba, lambda rows: _others(rows).double().sum(dim=1))


def margin_uncertainty(proba: torch.Tensor) -> torch.Tensor:
    """Return 1 minus the margin of the two largest, float64, exact where sure."""

    def found(rows: torch.Tensor) -> torch.Tensor:
        others = _others(rows)
        return others.amax(dim=1) + others.double().sum(dim=1)

    return in_chunks(proba, found)


def _others(proba: torch.Tensor) -> torch.Tensor:
    """Return the probabilities with 0 in the place of the largest."""
    return proba.scatter(1, proba.max(dim=1, keepdim=True).indices, 0.0)

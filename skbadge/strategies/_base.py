"""The base of all query strategies: a template, and one method to write."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_n

__all__ = ["QueryStrategy"]


class QueryStrategy(BaseEstimator, ABC):
    """Base of query strategies: says what it reads, and chooses rows from it.

    A subclass declares `needs` and writes `_select`. It sees neither a net nor the
    pool, only what one pass found (:class:`Outputs`), and never changes in
    `select`: randomness comes as an argument. A strategy that learns from the labels it
    was given adds ``observe(feedback)``, the one method that may change it; the learner
    calls it once after each successful refit.

    Attributes
    ----------
    needs : Needs
        What the strategy reads; on the class, or a property where a parameter decides.
    traits : Traits
        What it promises; in the same way.

    See Also
    --------
    skbadge.ActiveLearner : Runs the net and calls the strategy.

    Examples
    --------
    A strategy of one's own, least confidence in four lines:

    >>> from skbadge.strategies import Needs, Outputs, QueryStrategy, Selection
    >>> class LeastSure(QueryStrategy):
    ...     needs = Needs(proba=True)
    ...     def _select(self, outputs, n, generator):
    ...         order = outputs.proba.max(dim=1).values.argsort(stable=True)
    ...         return Selection(order[:n].numpy())
    >>> outputs = Outputs.of(proba=[[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]])
    >>> LeastSure().select(outputs, n=2, random_state=0).indices
    array([1, 2])
    """

    @property
    def needs(self) -> Needs:
        """What the strategy reads; nothing, unless a subclass says so."""
        return Needs()

    @property
    def traits(self) -> Traits:
        """What the strategy promises."""
        return Traits()

    def select(self, outputs: Outputs, n: int, random_state: Seed = None) -> Selection:
        """Choose rows.

        Parameters
        ----------
        outputs : Outputs
            What the pass over the pool found; must hold what `needs` declares.
        n : int
            Number of rows to choose, at most ``outputs.n_pool``.
        random_state : int, Generator, RandomState or None, default=None
            Fixes every draw.

        Returns
        -------
        Selection
            With ``n`` distinct positions among the candidates.

        Raises
        ------
        InvalidInputError
            If ``n`` does not fit the pool, the outputs do not hold what is read, or
            there is no labelled row and `traits` say that there must be.
        SkbadgeError
            If the subclass chose something other than ``n`` distinct positions.
        """
        if not isinstance(outputs, Outputs):
            raise InvalidInputError(
                f"outputs must be Outputs. Got {type(outputs).__name__} instead."
            )
        n = check_n(n, outputs.n_pool)
        self.check_parameters()
        needs = self.needs
        if needs | outputs.needs != outputs.needs:
            raise InvalidInputError(
                f"outputs must hold what {type(self).__name__} reads, {needs}. Got "
                f"{outputs.needs} instead."
            )
        if self.traits.needs_labels and not outputs.labeled.n_pool:
            raise InvalidInputError(
                f"{type(self).__name__} needs labelled rows, and there is none. Label "
                "some rows first, for example those that RandomSampling chooses."
            )
        if outputs.on_cluster:
            check_runs_on_cluster(self)
        # The strategy sees what it declared, even where more was found for others.
        outputs = outputs.declared(needs)
        selection = self._select(outputs, n, as_generator(random_state))
        self._check(selection, n, outputs.n_pool)
        return selection

    def check_parameters(self) -> None:
        """Refuse parameters that cannot be used; called by `fit` and by `select`.

        A subclass with parameters overrides it.

        Raises
        ------
        InvalidInputError
            If a parameter has a value that cannot be used.
        """

    @abstractmethod
    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        """Choose ``n`` rows; arguments are valid, ``generator`` is NumPy's."""

    def _check(self, selection: Selection, n: int, n_pool: int) -> None:
        indices = np.asarray(selection.indices)
        good = (
            indices.shape == (n,)
            and indices.dtype.kind in "iu"
            and len(np.unique(indices)) == n
            and indices.min() >= 0
            and indices.max() < n_pool
        )
        if not good:
            raise SkbadgeError(
                f"{type(self).__name__}._select must choose {n} distinct positions in "
                f"[0, {n_pool}). Got indices of shape {indices.shape} and dtype "
                f"{indices.dtype} instead; repeated or foreign positions would have "
                "the wrong rows labelled."
            )


def check_runs_on_cluster(strategy: QueryStrategy) -> None:
    """Refuse a strategy that cannot choose where the rows lie on several machines.

    Raises
    ------
    InvalidInputError
        With what can be done instead.
    """
    if not strategy.traits.on_cluster:
        raise InvalidInputError(
            f"{strategy} cannot choose from a pool that lies on several machines: it "
            "reads the pool's tables whole, or does not declare that it need not. "
            "Choose from a random share that this machine holds, query(X_pool, n, "
            "subsample=...), or take a strategy that runs on a cluster, such as "
            "BADGE(), CoreSet() or MarginSampling(). A ScoreSampling of your own whose "
            "score depends on its own row alone declares that by traits = "
            "Traits(on_cluster=True) on its class."
        )

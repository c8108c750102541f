"""What the parts of skbadge say to each other: four small, frozen records.

A strategy declares its :class:`Needs`; the extraction answers with
:class:`PoolOutputs`; the strategy chooses and returns a :class:`Selection`; a strategy
that learns is told how its choice went by :class:`Feedback`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import torch

from skbadge.exceptions import UndeclaredNeedError

__all__ = ["Feedback", "Needs", "PoolOutputs", "Selection"]


@dataclass(frozen=True)
class Needs:
    """What a strategy reads of the pool; ``a | b`` is the union.

    Parameters
    ----------
    proba : bool, default=False
        Class probabilities of the pool rows.
    residual : bool, default=False
        Gradient of the net's loss in the logits at the hypothetical label.
    features : bool, default=False
        Input of the classification layer, for the pool rows.
    labeled_features : bool, default=False
        Input of the classification layer, for the labelled rows.

    Examples
    --------
    >>> from skbadge.strategies import Needs
    >>> Needs(proba=True) | Needs(features=True)
    Needs(proba=True, residual=False, features=True, labeled_features=False)
    >>> bool(Needs())
    False
    """

    proba: bool = False
    residual: bool = False
    features: bool = False
    labeled_features: bool = False

    def __or__(self, other: Needs) -> Needs:
        if not isinstance(other, Needs):
            return NotImplemented
        return Needs(
            **{f.name: getattr(self, f.name) or getattr(other, f.name) for f in _FLAGS}
        )

    def __bool__(self) -> bool:
        return any(getattr(self, flag.name) for flag in _FLAGS)


_FLAGS = fields(Needs)


@dataclass(frozen=True)
class PoolOutputs:
    """What one pass over the pool found; row ``i`` belongs to candidate ``i``.

    Reading a field that ``needs`` does not declare raises
    :class:`~skbadge.exceptions.UndeclaredNeedError`. All tensors of one record live on
    the same device; features may be backed by a memory-mapped file, so read them in
    chunks.

    Parameters
    ----------
    n_pool : int
        Number of candidate rows.
    needs : Needs
        What was asked for.
    values : mapping of str to torch.Tensor
        The fields that ``needs`` declares, by name.
    """

    n_pool: int
    needs: Needs = Needs()
    values: Mapping[str, torch.Tensor] = field(default_factory=dict, repr=False)

    @property
    def proba(self) -> torch.Tensor:
        """Class probabilities in [0, 1], tensor of shape (n_pool, n_classes)."""
        return self._read("proba")

    @property
    def residual(self) -> torch.Tensor:
        """Loss gradient in the logits, tensor of shape (n_pool, n_outputs)."""
        return self._read("residual")

    @property
    def features(self) -> torch.Tensor:
        """Input of the classification layer, tensor (n_pool, n_features)."""
        return self._read("features")

    @property
    def labeled_features(self) -> torch.Tensor:
        """The same for the labelled rows, tensor (n_labeled, n_features)."""
        return self._read("labeled_features")

    def _read(self, name: str) -> torch.Tensor:
        if not getattr(self.needs, name):
            raise UndeclaredNeedError(
                f"The strategy reads outputs.{name}, which it did not declare. Set "
                f"needs = Needs({name}=True) on its class, beside the flags that are "
                "there."
            )
        return self.values[name]


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows chosen by a strategy, in the order of choice.

    Parameters
    ----------
    indices : ndarray of shape (n,), dtype intp
        Positions of the chosen rows: among the candidates where a strategy returns it,
        in ``X_pool`` where the learner shows it as ``last_selection_``.
    scores : ndarray of shape (n,) or None, default=None
        One value for each index, higher = more wanted; None where a strategy has none.
    probability : ndarray of shape (n,) or None, default=None
        Probability in (0, 1] with which each row was to be chosen; None where unknown.
    arm : int or None, default=None
        Position of the strategy drawn, for strategies that choose among others.
    arm_probability : ndarray of shape (n_arms,) or None, default=None
        Probability of each arm at the time of the draw.
    arm_inclusion : ndarray of shape (n_arms, n) or None, default=None
        Probability with which each arm would have chosen each of the rows.
    """

    indices: np.ndarray
    scores: np.ndarray | None = None
    probability: np.ndarray | None = None
    arm: int | None = None
    arm_probability: np.ndarray | None = None
    arm_inclusion: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Feedback:
    """How a labelled batch turned out, told once after the refit that followed it.

    Parameters
    ----------
    selection : Selection
        What ``select`` returned for the batch.
    taught : ndarray of shape (n_taught,), dtype intp
        Positions in ``selection.indices`` of the rows that came back labelled.
    correct : ndarray of shape (n_queried,), dtype bool
        For every row queried since ``fit``, whether the new net predicts its label.
    probability : ndarray of shape (n_queried,)
        The probability with which each of these rows had been chosen.
    n_labeled : int
        Number of labelled rows, this batch included.
    n_unlabeled : int
        Number of candidates of the query that are still without a label.
    """

    selection: Selection
    taught: np.ndarray
    correct: np.ndarray
    probability: np.ndarray
    n_labeled: int
    n_unlabeled: int

"""What the parts of skbadge say to each other: small, frozen records.

A strategy declares its :class:`Needs`; one pass over the pool answers with
:class:`Outputs`; the strategy chooses and returns a :class:`Selection`; a strategy that
learns is told how its choice went by :class:`Feedback`. :class:`Traits` say what a
strategy promises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from skbadge.exceptions import InvalidInputError, UndeclaredNeedError
from skbadge.utils._by_hand import check_widths, finite_tensor

__all__ = ["Feedback", "Head", "Needs", "Outputs", "Selection", "Traits"]


class Head(NamedTuple):
    """Weight and bias of a classification layer: a record, never the net.

    Parameters
    ----------
    weight : torch.Tensor of shape (n_outputs, n_features)
        As the net was trained to have it.
    bias : torch.Tensor of shape (n_outputs,) or None
        The same; None for a layer without one.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None


@dataclass(frozen=True)
class Needs:
    """What a strategy reads; ``a | b`` is the larger of each.

    Parameters
    ----------
    proba : bool, default=False
        Class probabilities.
    residual : bool, default=False
        Gradient of the net's loss in the logits at the hypothetical label.
    features : bool, default=False
        Input of the classification layer.
    inputs : bool, default=False
        The rows themselves as one table of numbers: what reaches the net, flattened.
        The only need that is met before the net was ever trained.
    head : bool, default=False
        Weight and bias of the classification layer.
    samples : int, default=0
        Number of posterior draws of the class probabilities, by the net's dropout.
    labeled : Needs or None, default=None
        What to read of the labelled rows, together with their labels; None for nothing.

    Examples
    --------
    >>> from skbadge.strategies import Needs
    >>> Needs(proba=True, samples=5) | Needs(features=True, samples=10)
    Needs(proba=True, features=True, samples=10)
    >>> bool(Needs())
    False
    """

    proba: bool = False
    residual: bool = False
    features: bool = False
    inputs: bool = False
    head: bool = False
    samples: int = 0
    labeled: Needs | None = None

    def __or__(self, other: Needs) -> Needs:
        if not isinstance(other, Needs):
            return NotImplemented
        return Needs(
            **{
                name: _larger(getattr(self, name), getattr(other, name))
                for name in _ALL
            }
        )

    def __bool__(self) -> bool:
        return self.labeled is not None or any(getattr(self, name) for name in _OF_ROWS)

    def __repr__(self) -> str:
        declared = {name: getattr(self, name) for name in _ALL}
        set_ = [f"{k}={v!r}" for k, v in declared.items() if v or v == Needs()]
        return f"Needs({', '.join(set_)})"

    @property
    def trained(self) -> bool:
        """Whether a net must have been trained to meet them."""
        of_labeled = self.labeled is not None and self.labeled.trained
        return of_labeled or bool(replace(self, inputs=False, labeled=None))


_ALL = tuple(f.name for f in fields(Needs))
_OF_ROWS = tuple(name for name in _ALL if name != "labeled")


def _larger(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    # Needs of the labelled rows have an order of their own.
    return first | second if isinstance(first, Needs) else max(first, second)


@dataclass(frozen=True)
class Outputs:
    """What one pass over some rows found; row ``i`` belongs to candidate ``i``.

    Reading a field that ``needs`` does not declare raises
    :class:`~skbadge.exceptions.UndeclaredNeedError`. All tensors of one record live on
    the same device; features may be backed by a memory-mapped file, so read them in
    chunks. `Outputs.of` makes one by hand.

    Parameters
    ----------
    n_pool : int
        Number of rows.
    needs : Needs
        What was asked for.
    values : mapping of str to torch.Tensor or Head
        The fields of the rows that ``needs`` declares, by name.
    labeled_rows : Outputs or None, default=None
        The same of the labelled rows, with their labels.
    positions : ndarray of shape (n_pool,) or None, default=None
        Where the rows stand in ``X_pool``; None for all of it, in its order.
    labels : torch.Tensor of shape (n_pool,), dtype int64, or None
        Of labelled rows only: their labels, as numbers of the columns of ``proba``.
    classes : ndarray of shape (n_classes,) or None, default=None
        What the user calls the columns of ``proba``, which a strategy needs for its own
        parameters alone; None where nobody has said.
    """

    n_pool: int
    needs: Needs = Needs()
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    labeled_rows: Outputs | None = field(default=None, repr=False)
    positions: np.ndarray | None = field(default=None, repr=False)
    labels: torch.Tensor | None = field(default=None, repr=False)
    classes: np.ndarray | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        n_pool: int | None = None,
        *,
        labeled: Outputs | None = None,
        positions: Any = None,
        y: Any = None,
        classes: Any = None,
        **values: Any,
    ) -> Outputs:
        """Make outputs of arrays, as tests and users of a strategy alone need them.

        Parameters
        ----------
        n_pool : int or None, default=None
            Number of rows; None takes it from the arrays.
        labeled : Outputs or None, default=None
            What is known of the labelled rows, with ``y``.
        positions : array-like of int of shape (n_pool,) or None, default=None
            Where the rows stand in ``X_pool``.
        y : array-like of int of shape (n_pool,) or None, default=None
            Labels, for labelled rows.
        classes : array-like of shape (n_classes,) or None, default=None
            Names of the columns of ``proba``.
        **values : array-like
            The fields by name: ``proba`` (n_pool, n_classes), ``residual`` (n_pool,
            n_outputs), ``features`` (n_pool, n_features), ``inputs`` (n_pool,
            n_inputs), ``head`` (weight, bias), ``samples`` (n_pool, n_samples,
            n_classes).

        Returns
        -------
        Outputs
            Whose ``needs`` are what was given.

        Raises
        ------
        InvalidInputError
            If a field is unknown or no table of finite numbers, the numbers of rows
            differ, or tables do not fit each other.

        Examples
        --------
        >>> from skbadge.strategies import Outputs
        >>> Outputs.of(proba=[[0.9, 0.1], [0.5, 0.5]])
        Outputs(n_pool=2, needs=Needs(proba=True))
        """
        unknown = sorted(set(values) - set(_OF_ROWS))
        if unknown:
            raise InvalidInputError(
                f"The fields of Outputs are {list(_OF_ROWS)}. Got {unknown} instead."
            )
        head = values.pop("head", None)
        found: dict[str, Any] = {k: finite_tensor(v, k) for k, v in values.items()}
        labels = None if y is None else finite_tensor(y, "y").long()
        counts = {name: len(table) for name, table in found.items()}
        if labels is not None:
            counts["y"] = len(labels)
        if n_pool is not None:
            counts["n_pool"] = n_pool
        if len(set(counts.values())) != 1:
            raise InvalidInputError(
                "Outputs must have as many rows in each field, or n_pool. Got "
                f"{counts or 'nothing'} instead."
            )
        if classes is not None and "proba" in found:
            n_classes = len(classes)
            if found["proba"].shape[1:] != (n_classes,):
                raise InvalidInputError(
                    "Outputs must have one of classes for each column of proba. Got "
                    f"{n_classes} for a table of shape {tuple(found['proba'].shape)}."
                )
        samples = found["samples"].shape[1] if "samples" in found else 0
        if head is not None:
            weight, bias = head
            bias = None if bias is None else finite_tensor(bias, "bias")
            found["head"] = Head(finite_tensor(weight, "weight"), bias)
        check_widths(found, {} if labeled is None else labeled.values)
        declared: dict[str, Any] = {name: True for name in found if name != "samples"}
        inner = None if labeled is None else labeled.needs
        return cls(
            next(iter(counts.values())),
            Needs(**declared, samples=samples, labeled=inner),
            found,
            labeled,
            None if positions is None else np.asarray(positions, dtype=np.intp),
            labels,
            None if classes is None else np.asarray(classes),
        )

    def declared(self, needs: Needs) -> Outputs:
        """Return the same outputs as a strategy with these needs may see them.

        Parameters
        ----------
        needs : Needs
            No more than these outputs hold.

        Returns
        -------
        Outputs
            The same tables, of which only what ``needs`` declares can be read.
        """
        labeled = self.labeled_rows
        if labeled is not None and needs.labeled is not None:
            labeled = labeled.declared(needs.labeled)
        return replace(self, needs=needs, labeled_rows=labeled)

    def take(self, rows: np.ndarray) -> Outputs:
        """Return the outputs of some rows, of which declared tables are copied.

        Parameters
        ----------
        rows : ndarray of int
            Their positions among these rows.

        Returns
        -------
        Outputs
            Whose ``positions`` still stand for the whole pool.
        """
        index = torch.as_tensor(rows, dtype=torch.long)
        values = {
            name: table if name == "head" else table[index.to(table.device)]
            for name, table in self.values.items()
            if getattr(self.needs, name)
        }
        return replace(
            self,
            n_pool=len(index),
            values=values,
            positions=index.numpy() if self.positions is None else self.positions[rows],
            labels=None if self.labels is None else self.labels[index],
        )

    def by_rows(self, function: Callable[[Outputs], Any]) -> np.ndarray:
        """Return one value a row, by a function that looks at each row for itself.

        Where the rows lie on several machines it runs there, part by part.

        Parameters
        ----------
        function : callable
            Takes outputs, returns a tensor or array of shape (n_pool,).

        Returns
        -------
        ndarray of shape (n_pool,), dtype float64
        """
        found = function(self)
        if isinstance(found, torch.Tensor):
            found = found.detach().to(torch.float64).cpu().numpy()
        return np.asarray(found, dtype=np.float64)

    @property
    def on_cluster(self) -> bool:
        """Whether the rows lie on several machines."""
        return False

    def here(self) -> Outputs:
        """Return the same with all tables on this machine, where they are already."""
        return self

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
    def inputs(self) -> torch.Tensor:
        """What reaches the net, flattened, tensor of shape (n_pool, n_inputs)."""
        return self._read("inputs")

    @property
    def head(self) -> Head:
        """Weight and bias of the classification layer."""
        return self._read("head")

    @property
    def samples(self) -> torch.Tensor:
        """Posterior draws of ``proba``, tensor (n_pool, n_samples, n_classes)."""
        found = self._read("samples")
        # More may have been drawn for another strategy: the first are those asked for.
        return found[:, : self.needs.samples]

    @property
    def labeled(self) -> Outputs:
        """The same of the labelled rows, with their labels ``y``."""
        if self.needs.labeled is None or self.labeled_rows is None:
            raise UndeclaredNeedError(
                "The strategy reads outputs.labeled, which it did not declare. Set "
                "needs = Needs(labeled=Needs(...)) on its class, beside what is there."
            )
        return self.labeled_rows

    @property
    def y(self) -> torch.Tensor:
        """Labels as numbers of columns, int64 (n_pool,): of labelled rows only."""
        if self.labels is None:
            raise UndeclaredNeedError(
                "The strategy reads outputs.y, which only labelled rows have. Read "
                "outputs.labeled.y, with Needs(labeled=Needs(...)) on its class."
            )
        return self.labels

    def _read(self, name: str) -> Any:
        if not getattr(self.needs, name):
            example = "10" if name == "samples" else "True"
            raise UndeclaredNeedError(
                f"The strategy reads outputs.{name}, which it did not declare. Set "
                f"needs = Needs({name}={example}) on its class, beside what is there."
            )
        return self.values[name]


@dataclass(frozen=True)
class Traits:
    """What a strategy promises; declared on the class, read by the common checks.

    Parameters
    ----------
    nested : bool, default=True
        For one seed, the first of a larger batch are the smaller batch.
    breaks_ties : bool, default=True
        Among rows that are all alike the seed decides.
    needs_labels : bool, default=False
        There must be labelled rows; a trained net alone does not suffice.
    on_cluster : bool, default=False
        It can choose from a pool whose rows lie on several machines: it reads outputs
        by `Outputs.by_rows`, each row for itself, or as an embedding, never a table
        whole.
    """

    nested: bool = True
    breaks_ties: bool = True
    needs_labels: bool = False
    on_cluster: bool = False

    def __and__(self, other: Traits) -> Traits:
        """Return what a strategy promises that relies on two others."""
        return Traits(
            nested=self.nested and other.nested,
            breaks_ties=self.breaks_ties and other.breaks_ties,
            needs_labels=self.needs_labels or other.needs_labels,
            on_cluster=self.on_cluster and other.on_cluster,
        )


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
    draw_probability : ndarray of shape (n,) or None, default=None
        Probability in (0, 1] with which each row was drawn, given those drawn before
        it; None where unknown.
    inclusion_probability : ndarray of shape (n,) or None, default=None
        Probability in (0, 1] with which each row was to be in the batch at all; None
        where unknown.
    arm : int or None, default=None
        Position of the strategy drawn, for strategies that choose among others.
    arm_probability : ndarray of shape (n_arms,) or None, default=None
        Probability of each arm at the time of the draw.
    arm_inclusion : ndarray of shape (n_arms, n) or None, default=None
        Probability with which each arm would have chosen each of the rows.
    notes : tuple of str, default=()
        What a user should know of this choice, such as a quota that could not be met.
    """

    indices: np.ndarray
    scores: np.ndarray | None = None
    draw_probability: np.ndarray | None = None
    inclusion_probability: np.ndarray | None = None
    arm: int | None = None
    arm_probability: np.ndarray | None = None
    arm_inclusion: np.ndarray | None = None
    notes: tuple[str, ...] = ()


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
    inclusion_probability : ndarray of shape (n_queried,)
        The probability with which each of these rows had been chosen.
    n_labeled : int
        Number of labelled rows, this batch included.
    n_unlabeled : int
        Number of candidates of the query that are still without a label.
    others_correct : ndarray of shape (n_others,), dtype bool
        For the labelled rows that no query of known probability chose, the first ones
        among them, whether the new net predicts their label.
    """

    selection: Selection
    taught: np.ndarray
    correct: np.ndarray
    inclusion_probability: np.ndarray
    n_labeled: int
    n_unlabeled: int
    others_correct: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

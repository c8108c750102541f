"""Embeddings whose factors lie on several machines."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn, Protocol, TypeAlias

import numpy as np
import torch

from skbadge.embeddings._distances import cosines
from skbadge.embeddings._factored import FactoredEmbedding
from skbadge.embeddings._rows import Rows
from skbadge.embeddings._tensors import LARGEST_UNIT
from skbadge.exceptions import InvalidInputError

__all__ = [
    "ShardedEmbedding",
    "ShardedTable",
    "Shards",
    "from_numpy",
    "over",
    "place_rows",
    "to_numpy",
]

# What lies on one machine, by name.
_State: TypeAlias = Mapping[str, np.ndarray]


# The bits of a bfloat16, under a name that no other table has.
_BFLOAT16 = np.dtype([("bfloat16", np.int16)])


class Shards(Protocol):
    """Parts of a pool, each with a state that stays where it lies.

    A state is a dict of NumPy arrays, one row for each row of the part: what a cluster
    can count, move and compute anew. What runs on it must be a pure function, since a
    cluster may run it twice.
    """

    @property
    def lengths(self) -> Sequence[int]:
        """Number of rows of each part."""
        ...

    def run(
        self, function: Callable[..., Any], calls: Mapping[int, tuple[Any, ...]]
    ) -> dict[int, Any]:
        """Call ``function(state, *arguments)`` on some parts, in one round trip.

        Parameters
        ----------
        function : callable
            At the top level of a module.
        calls : mapping of int to tuple
            The arguments for each part that is to run it.

        Returns
        -------
        dict of int to object
            What each part answered.
        """
        ...

    def keep(
        self, function: Callable[..., Any], calls: Mapping[int, tuple[Any, ...]]
    ) -> dict[int, Any]:
        """Call ``function(state, *arguments)``, and leave the answers where they are.

        Nothing is waited for.

        Returns
        -------
        dict of int to object
            What stands for each answer: to be an argument of later calls on that part,
            and kept no longer than this object.
        """
        ...

    def send(self, value: Any) -> Any:
        """Send a value once; return what stands for it as an argument of any call."""
        ...


class ShardedTable:
    """One table of a pool, part by part on several machines; it cannot be read whole.

    Parameters
    ----------
    shards : Shards
        Where the parts lie.
    name : str
        Name of the table in their states.
    shape : tuple of int
        Shape of a row.
    dtype : torch.dtype
        As the net gave it.
    """

    def __init__(
        self, shards: Shards, name: str, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        self.shards = shards
        self.name = name
        self.shape = (sum(shards.lengths), *shape)
        self.dtype = dtype

    def __len__(self) -> int:
        return self.shape[0]

    def fetch(self, indices: np.ndarray) -> torch.Tensor:
        """Fetch some rows, in the order of their positions: one round trip.

        Parameters
        ----------
        indices : ndarray of int
            Positions in the pool.

        Returns
        -------
        torch.Tensor of shape (len(indices), width)
        """
        if not len(indices):
            return torch.empty((0, *self.shape[1:]), dtype=self.dtype)
        placed, back = place_rows(indices, self.shards.lengths)
        calls = {part: (self.name, positions) for part, positions in placed.items()}
        found = self.shards.run(_table_rows, calls)
        return torch.cat([from_numpy(found[part]) for part in placed])[back]

    def __getattr__(self, attribute: str) -> NoReturn:
        # Python asks every object for these when it copies or prints it.
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        self._refuse(f".{attribute}")

    def __getitem__(self, key: Any) -> NoReturn:
        self._refuse("[...]")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse(" as an array")

    def _refuse(self, use: str) -> NoReturn:
        raise InvalidInputError(
            f"This strategy reads the pool's {self.name} whole ({self.name}{use}), and "
            f"the {len(self)} rows of this pool lie on several machines. Choose from a "
            "random share that this machine holds, query(X_pool, n, subsample=...), or "
            "take a strategy that runs on a cluster, such as BADGE, CoreSet or "
            "MarginSampling."
        )


class ShardedEmbedding:
    """An embedding of two factors whose rows lie on several machines.

    Only the norms are here (8 bytes a row); rows are fetched when they are asked for,
    and distances of all rows are computed where the rows are. As
    :class:`~skbadge.embeddings.Embedding` asks, so that the samplers run on it as on
    any other.

    Parameters
    ----------
    left : ShardedTable of shape (n, K) or None
        First factor; None stands for a column of ones.
    right : ShardedTable of shape (n, d)
        Second factor, of the same shards.
    bias : bool, default=False
        Whether every row of the second factor ends in a further 1.

    Notes
    -----
    Norms and distances are those of :class:`~skbadge.embeddings.GradientEmbedding` on
    one machine to the last digit: the same formulas, row by row, in the same units.
    """

    def __init__(
        self, left: ShardedTable | None, right: ShardedTable, *, bias: bool = False
    ) -> None:
        self._left, self._right = left, right
        self._constant = 1.0 if bias else 0.0
        self.shards = right.shards
        tables = [right] if left is None else [left, right]
        wide = any(table.dtype == torch.float64 for table in tables)
        self.dtype = torch.float64 if wide else torch.float32
        self.device = torch.device("cpu")
        self.n_features = right.shape[1]
        self._starts = np.cumsum([0, *self.shards.lengths])
        self._tables = (None if left is None else left.name, right.name)

    def __len__(self) -> int:
        return len(self._right)

    @property
    def scale(self) -> float:
        """Length of the unit in which `rows` and `norms` speak, a power of two."""
        left_unit, right_unit = self._measured[0]
        return min(left_unit * right_unit, LARGEST_UNIT)

    def norms(self) -> torch.Tensor:
        """Return the norm of every row in units of `scale`, float64 (n,)."""
        return self._measured[1]

    def rows(self, indices: Any) -> Rows:
        """Fetch some rows, in units of `scale`, in one round trip.

        Parameters
        ----------
        indices : array-like of int
            Positions in the pool.

        Returns
        -------
        Rows
            In the order of the positions.
        """
        positions = np.asarray(indices, dtype=np.intp)
        if not len(positions):
            return self._no_rows()
        placed, back = place_rows(positions, self.shards.lengths)
        calls = {
            part: (*self._factors(part), places) for part, places in placed.items()
        }
        found = self.shards.run(_fetched, calls)
        blocks = [found[part] for part in placed]
        tables: list[Any] = [
            None if parts[0] is None else torch.from_numpy(np.concatenate(parts))[back]
            for parts in list(zip(*blocks, strict=True))[:4]
        ]
        left, right, left_sq, right_sq = tables
        return Rows(left, right, blocks[0][4], left_sq, right_sq)

    def nearest_sq(self, part: slice, centers: Rows) -> torch.Tensor:
        """Return squared distances to the nearest center, computed where the rows are.

        Parameters
        ----------
        part : slice
            Which rows, without a step.
        centers : Rows
            In units of `scale`.

        Returns
        -------
        torch.Tensor of shape (n_part,), dtype float64
        """
        start, stop, _ = part.indices(len(self))
        given = rows_to_numpy(centers)
        calls = {}
        for i, length in enumerate(self.shards.lengths):
            low = max(start - self._starts[i], 0)
            high = min(stop - self._starts[i], length)
            if low < high:
                calls[i] = (*self._factors(i), int(low), int(high), given)
        found = self.shards.run(_nearest, calls)
        parts = [found[i] for i in sorted(found)]
        return torch.from_numpy(np.concatenate([np.empty(0), *parts]))

    def cosines(self, rows: Any, others: Any) -> torch.Tensor:
        """Return the cosines of the angles between some rows and others.

        Parameters
        ----------
        rows, others : array-like of int
            Positions in the pool; they are fetched.

        Returns
        -------
        torch.Tensor of shape (len(rows), len(others)), dtype float64
        """
        return cosines(self.rows(rows), self.rows(others))

    def _no_rows(self) -> Rows:
        none = torch.empty(0, dtype=torch.float64)
        left = None
        if self._left is not None:
            left = torch.empty((0, self._left.shape[1]), dtype=self.dtype)
        right = torch.empty((0, self.n_features), dtype=self.dtype)
        return Rows(left, right, self._constant / self.units[1], none, none)

    @property
    def units(self) -> tuple[float, float]:
        """Lengths of the units of the two factors, powers of two."""
        return self._measured[0]

    def in_units(self, units: tuple[float, float]) -> ShardedEmbedding:
        """Return the same embedding, its factors measured in other units."""
        (left_unit, right_unit), norms, kept = self._measured
        if units == self.units:
            return self
        twin = ShardedEmbedding(self._left, self._right, bias=bool(self._constant))
        norms = norms * (left_unit / units[0]) * (right_unit / units[1])
        twin.__dict__["_measured"] = (units, norms, kept)
        return twin

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute in ("inner", "distances_sq", "take", "to_dense"):
            self._right._refuse(f", through {attribute}")
        raise AttributeError(attribute)

    def _factors(self, part: int) -> tuple[Any, ...]:
        """Return what a part must know to speak of its rows as all others do."""
        units, _, kept = self._measured
        return (*self._tables, self._constant, units, kept[part])

    @cached_property
    def _measured(self) -> tuple[tuple[float, float], torch.Tensor, dict[int, Any]]:
        """Units of the two factors, all norms, and what the parts keep of measuring.

        One round trip to all parts.
        """
        # A part without rows has no tables.
        every = [i for i, length in enumerate(self.shards.lengths) if length]
        calls = dict.fromkeys(every, (*self._tables, self._constant))
        kept = self.shards.keep(_measures, calls)
        found = self.shards.run(_norms, {i: (kept[i],) for i in every})
        # A unit grows with the longest row, so that of all rows is the largest.
        left_unit, right_unit = (max(found[i][0][k] for i in every) for k in range(2))
        norms = [
            found[i][1] * (found[i][0][0] / left_unit) * (found[i][0][1] / right_unit)
            for i in every
        ]
        return (left_unit, right_unit), torch.from_numpy(np.concatenate(norms)), kept


def place_rows(
    indices: np.ndarray, lengths: Sequence[int]
) -> tuple[dict[int, np.ndarray], torch.Tensor]:
    """Return where rows lie, and how to put what the parts answer in their order.

    Parameters
    ----------
    indices : ndarray of int
        Positions in the pool.
    lengths : sequence of int
        Number of rows of each part.

    Returns
    -------
    placed : dict of int to ndarray
        For each part that holds some, their positions there.
    back : torch.Tensor of int
        For each index, its place among the answers of those parts, one after another.
    """
    starts = np.cumsum([0, *lengths])
    part_of = np.searchsorted(starts, indices, side="right") - 1
    order = np.argsort(part_of, kind="stable")
    placed = {
        part: indices[part_of == part] - starts[part]
        for part in np.unique(part_of).tolist()
    }
    return placed, torch.from_numpy(np.argsort(order, kind="stable"))


# --- what runs where the rows are: pure functions of a state ------------------------


# Units of a part's two factors, and the squared norms of their rows in them.
_Measures: TypeAlias = tuple[tuple[float, float], tuple[np.ndarray, np.ndarray]]


def _factored(
    state: _State, left: str | None, right: str, constant: float
) -> FactoredEmbedding:
    first = None if left is None else from_numpy(state[left])
    second = from_numpy(state[right])
    return FactoredEmbedding(first, second, constant, (left or "", right))


def _measures(
    state: _State, left: str | None, right: str, constant: float
) -> _Measures:
    units, (left_sq, right_sq) = _factored(state, left, right, constant).measured
    return units, (left_sq.numpy(), right_sq.numpy())


def _norms(state: _State, measures: _Measures) -> tuple[Any, np.ndarray]:
    units, (left_sq, right_sq) = measures
    return units, np.sqrt(left_sq * right_sq)


def _in_common(
    state: _State,
    left: str | None,
    right: str,
    constant: float,
    units: tuple[float, float],
    measures: _Measures,
) -> FactoredEmbedding:
    """Return a part in the units of all; it is not measured again."""
    of_part, squares = measures
    part = _factored(state, left, right, constant)
    part.measured = (of_part, tuple(map(over, squares)))
    return part.in_units(units)


def _table_rows(state: _State, name: str, positions: np.ndarray) -> np.ndarray:
    return state[name][positions]


def _fetched(state: _State, *arguments: Any) -> tuple[Any, ...]:
    *factors, positions = arguments
    part = _in_common(state, *factors)
    return rows_to_numpy(part.rows(torch.from_numpy(positions)))


def _nearest(state: _State, *arguments: Any) -> np.ndarray:
    *factors, low, high, centers = arguments
    part = _in_common(state, *factors)
    return part.nearest_sq(slice(low, high), rows_from_numpy(centers)).numpy()


# --- between torch and the arrays that travel ----------------------------------------


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor as an array; bfloat16, which NumPy lacks, as named bits."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(_BFLOAT16)
    return tensor.numpy()


def from_numpy(array: np.ndarray) -> torch.Tensor:
    """Return what `to_numpy` was given, without a copy."""
    if array.dtype == _BFLOAT16:
        return over(array.view(np.int16)).view(torch.bfloat16)
    # Of any shape: draws of probabilities are three-dimensional.
    return over(array)


def rows_to_numpy(rows: Rows) -> tuple[Any, ...]:
    """Return the arrays that rows are made of."""
    tables = (rows.left, rows.right, rows.left_sq, rows.right_sq)
    return (*(None if t is None else t.numpy() for t in tables), rows.constant)


def over(array: np.ndarray) -> torch.Tensor:
    """Return a tensor over an array without a copy; nobody may write to it."""
    with warnings.catch_warnings():
        # What came over a network is read-only, of which torch warns.
        warnings.simplefilter("ignore")
        return torch.from_numpy(array)


def rows_from_numpy(arrays: tuple[Any, ...]) -> Rows:
    """Return the rows that `rows_to_numpy` was given."""
    *tables, constant = arrays
    found: list[Any] = [None if table is None else over(table) for table in tables]
    left, right, left_sq, right_sq = found
    return Rows(left, right, constant, left_sq, right_sq)

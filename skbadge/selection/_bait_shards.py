"""BAIT over rows on several machines: guessed picks, which all rows judge at once.

A pick depends on all rows and on all picks before it, which is a round trip a pick.
Here the coordinator knows some hundreds of the best rows, guesses the next picks by
them, and sends all of the guesses together; every part follows them, one after another,
and says what its own best rows would have been. As far as the guesses were right they
stand, and the first that was wrong is put right: the picks are those of one machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from skbadge.embeddings._sharded import ShardedTable, from_numpy, over, to_numpy
from skbadge.selection._bait import (
    FRESH,
    TIE,
    best,
    check_memory,
    first_metric,
    take_back,
)
from skbadge.selection._information import (
    Forms,
    Metric,
    Step,
    fisher_columns,
    fisher_mean,
    follow_all,
)

__all__ = ["bait_on_shards"]

_State = Mapping[str, np.ndarray]

# Picks guessed at a time: at least, at first, and at most.
_FEWEST, _FIRST, _MOST = 4, 16, 64
# Best rows that a part tells when it objects to a guess.
_TOLD = 16
# Picks after which the parts keep where they are, so as not to follow them again.
_FOLDED = 32


def bait_on_shards(
    proba: ShardedTable,
    features: ShardedTable,
    n: int,
    *,
    labeled: tuple[torch.Tensor, torch.Tensor] | None,
    fisher: str,
    n_top: int | None,
    regularization: float,
    oversample: float,
    priority: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows as `_bait_greedy` does; parameters and answer are its own."""
    many = math.ceil(min(len(features), oversample * n))
    for length in (max(features.shards.lengths), many):
        check_memory(length, proba.shape[1], features.shape[1], fisher, n_top)
    search = _Search(proba, features, fisher, n_top)
    metric, scale = first_metric(
        search.mean(),
        len(features),
        n,
        labeled=labeled,
        fisher=fisher,
        n_top=n_top,
        regularization=regularization,
    )
    search.start(metric, scale, priority, many)
    while len(search.chosen) < many:
        search.choose_some(many - len(search.chosen))
    chosen = np.array(search.chosen, dtype=np.intp)
    known = search.told.places(chosen)
    kept = take_back(
        search.told.columns[known],
        search.told.features[known],
        metric,
        n,
        priority[chosen],
        search.tie,
    )
    return chosen[kept], np.array(search.gains)[kept]


class _Told:
    """The rows that the coordinator knows, with their forms up to date.

    Parameters
    ----------
    metric : Metric
        What is chosen so far.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.place: dict[int, int] = {}
        self.indices = np.empty(0, dtype=np.intp)
        self.columns = self.features = torch.empty(0)
        self.forms = Forms(torch.empty(0), torch.empty(0))

    def add(
        self, indices: np.ndarray, columns: torch.Tensor, features: torch.Tensor
    ) -> None:
        """Take in rows that were not known."""
        forms = self._forms_of(columns, features)
        if len(self.indices):
            columns = torch.cat([self.columns, columns])
            features = torch.cat([self.features, features])
            forms = Forms(
                torch.cat([self.forms.q, forms.q]), torch.cat([self.forms.r, forms.r])
            )
        self.indices = np.concatenate([self.indices, indices])
        self.columns, self.features, self.forms = columns, features, forms
        self.place = {int(index): i for i, index in enumerate(self.indices)}

    def places(self, indices: Any) -> torch.Tensor:
        """Return where known rows stand here."""
        return torch.tensor([self.place[int(i)] for i in indices], dtype=torch.long)

    def choose(self, index: int) -> Step:
        """Add a row to what is chosen."""
        place = self.place[index]
        step = self.metric.change(self.columns[place], self.features[place], 1.0)
        follow_all(self.forms, self.columns, self.features, [step])
        return step

    def start_over(self) -> None:
        """Compute everything anew from what is chosen."""
        self.metric.start_over()
        self.forms = self._forms_of(self.columns, self.features)

    def _forms_of(self, columns: torch.Tensor, features: torch.Tensor) -> Forms:
        return Forms.of(columns, features, self.metric.inverse, self.metric.middle)

    def guess(
        self, count: int, chosen: list[int], priority: np.ndarray, tie: float
    ) -> tuple[list[int], list[float], list[Step]]:
        """Return the next picks, were these rows all there are; nothing changes."""
        metric = self.metric.copy()
        forms = Forms(self.forms.q.clone(), self.forms.r.clone())
        gone = [self.place[index] for index in chosen]
        indices: list[int] = []
        gains: list[float] = []
        steps: list[Step] = []
        for _ in range(min(count, len(self.indices) - len(gone))):
            gain = forms.changes(1.0).numpy().copy()
            gain[gone] = -np.inf
            place = best(gain, priority[self.indices], tie)
            gone.append(place)
            indices.append(int(self.indices[place]))
            gains.append(float(gain[place]))
            step = metric.change(self.columns[place], self.features[place], 1.0)
            steps.append(step)
            follow_all(forms, self.columns, self.features, [step])
        return indices, gains, steps


class _Search:
    """Picks over the parts; the coordinator's side.

    Parameters
    ----------
    proba, features : ShardedTable
        Of the pool.
    fisher, n_top
        As in `_bait_greedy`.

    Attributes
    ----------
    chosen : list of int
        Positions in the pool, in the order of choice.
    gains : list of float
        How far each lowered the trace.
    told : _Told
        Rows that are known here, the chosen ones among them.
    """

    def __init__(
        self,
        proba: ShardedTable,
        features: ShardedTable,
        fisher: str,
        n_top: int | None,
    ) -> None:
        self.shards = features.shards
        self.tables = (proba.name, features.name)
        self.form = (fisher, n_top)
        wide = features.dtype == torch.float64
        self.dtype = torch.float64 if wide else torch.float32
        self.tie = TIE[self.dtype]
        self.starts = np.cumsum([0, *self.shards.lengths])
        # A part without rows has no tables.
        self.parts = [i for i, length in enumerate(self.shards.lengths) if length]
        self.chosen: list[int] = []
        self.gains: list[float] = []
        self.size = _FIRST
        self.known: list[Step] = []  # picks that the parts do not follow yet
        self.n_measured = 0
        self.rows: dict[int, Any] = {}
        self.forms: dict[int, Any] = {}

    def mean(self) -> torch.Tensor:
        """Return the mean information of all rows: one round trip."""
        found = self.shards.run(
            _part_mean, dict.fromkeys(self.parts, (self.tables, *self.form))
        )
        parts = [found[i] * self.shards.lengths[i] for i in self.parts]
        return torch.from_numpy(sum(parts[1:], parts[0]) / int(self.starts[-1]))

    def start(
        self, metric: Metric, scale: float, priority: np.ndarray, many: int
    ) -> None:
        """Measure all rows, and be told the best of each part: one round trip."""
        self.priority = priority
        self.told = _Told(metric)
        self.rows = self.shards.keep(
            _prepared,
            {
                i: (
                    self.tables,
                    *self.form,
                    scale,
                    priority[self.starts[i] : self.starts[i + 1]],
                )
                for i in self.parts
            },
        )
        self._measure()
        self._judge([], [], [], tell=max(_TOLD, math.ceil(2 * many / len(self.parts))))

    def choose_some(self, most: int) -> None:
        """Guess picks, have them judged, and take those that stand: a round trip."""
        if self.n_measured + FRESH <= len(self.chosen):
            self.told.start_over()
            self._measure()
        elif len(self.known) >= _FOLDED:
            arguments = self.shards.send(_packed(self.known, self.dtype))
            self.forms = self.shards.keep(
                _followed,
                {
                    i: (self.tables, self.rows[i], self.forms[i], arguments)
                    for i in self.parts
                },
            )
            self.known = []
        guesses, claims, steps = self.told.guess(
            min(self.size, most), self.chosen, self.priority, self.tie
        )
        fronts = self._judge(guesses, claims, steps, tell=_TOLD)
        right = 0
        for guess, front in zip(guesses, fronts, strict=True):
            gains, indices = front
            pick = best(gains, self.priority[indices], self.tie)
            self._choose(int(indices[pick]), float(gains[pick]))
            if self.chosen[-1] != guess:
                break
            right += 1
        grown = 2 * self.size if right == len(guesses) else 2 * right
        self.size = min(max(grown, _FEWEST), _MOST)

    def _choose(self, index: int, gain: float) -> None:
        if index not in self.told.place:
            self._fetch(index)
        self.known.append(self.told.choose(index))
        self.chosen.append(index)
        self.gains.append(gain)

    def _measure(self) -> None:
        """Let the parts compute their forms anew from what is chosen."""
        metric = self.told.metric
        matrices = self.shards.send((metric.inverse.numpy(), metric.middle.numpy()))
        self.forms = self.shards.keep(
            _measured,
            {i: (self.tables, self.rows[i], matrices) for i in self.parts},
        )
        self.n_measured = len(self.chosen)
        self.known = []

    def _judge(
        self, guesses: list[int], claims: list[float], steps: list[Step], *, tell: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the best rows of all parts at each guess: (gains, indices)."""
        # The last guess is judged by those before it.
        sent = self.shards.send(_packed([*self.known, *steps[:-1]], self.dtype))
        chosen, known = np.array(self.chosen, dtype=np.intp), self.told.indices
        guessed = np.array(guesses, dtype=np.intp)
        found = self.shards.run(
            _judged,
            {
                i: (
                    self.tables,
                    self.rows[i],
                    self.forms[i],
                    sent,
                    len(self.known),
                    self._within(i, chosen)[0],
                    self._within(i, guessed),
                    np.array(claims),
                    self._within(i, known)[0],
                    self.tie,
                    tell,
                )
                for i in self.parts
            },
        )
        self._hear({i: found[i][1] for i in self.parts})
        fronts = []
        for number in range(len(guesses)):
            of_parts = [found[i][0][number] for i in self.parts]
            gains = np.concatenate([gain for gain, _ in of_parts])
            indices = np.concatenate(
                [
                    positions + self.starts[i]
                    for i, (_, positions) in zip(self.parts, of_parts, strict=True)
                ]
            )
            fronts.append((gains, indices))
        return fronts

    def _within(self, part: int, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of some rows a part holds: positions there, and in the list."""
        start, stop = self.starts[part], self.starts[part + 1]
        places = np.flatnonzero((indices >= start) & (indices < stop))
        return indices[places] - start, places

    def _hear(self, found: Mapping[int, tuple[np.ndarray, ...]]) -> None:
        """Take in the rows that parts have told."""
        told = {i: answer for i, answer in found.items() if len(answer[0])}
        if told:
            indices = [answer[0] + self.starts[i] for i, answer in told.items()]
            self.told.add(
                np.concatenate(indices),
                torch.from_numpy(np.concatenate([a[1] for a in told.values()])),
                torch.cat([from_numpy(a[2]) for a in told.values()]),
            )

    def _fetch(self, index: int) -> None:
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        position = np.array([index - self.starts[part]])
        arguments = (self.tables, self.rows[part], position)
        self._hear(self.shards.run(_rows_of, {part: arguments}))


# --- what runs where the rows are: pure functions of a state --------------------------


def _part_mean(
    state: _State, tables: tuple[str, str], fisher: str, n_top: int | None
) -> np.ndarray:
    proba, features = (from_numpy(state[name]) for name in tables)
    return fisher_mean(fisher_columns(proba, fisher, n_top), features).numpy()


def _prepared(
    state: _State,
    tables: tuple[str, str],
    fisher: str,
    n_top: int | None,
    scale: float,
    priority: np.ndarray,
) -> dict[str, np.ndarray]:
    columns = fisher_columns(from_numpy(state[tables[0]]), fisher, n_top)
    return {"columns": (columns * scale).numpy(), "priority": priority}


def _given(
    state: _State, tables: tuple[str, str], rows: _State
) -> tuple[torch.Tensor, torch.Tensor]:
    return over(rows["columns"]), from_numpy(state[tables[1]])


def _measured(
    state: _State,
    tables: tuple[str, str],
    rows: _State,
    matrices: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    inverse, middle = (torch.tensor(m) for m in matrices)
    forms = Forms.of(*_given(state, tables, rows), inverse, middle)
    return forms.q.numpy(), forms.r.numpy()


def _followed(
    state: _State,
    tables: tuple[str, str],
    rows: _State,
    forms: tuple[np.ndarray, np.ndarray],
    packed: tuple[np.ndarray, ...],
) -> tuple[np.ndarray, np.ndarray]:
    # A copy: what a cluster holds must not change, since a task may run twice.
    q, r = (torch.tensor(form) for form in forms)
    follow_all(Forms(q, r), *_given(state, tables, rows), _unpacked(packed))
    return q.numpy(), r.numpy()


def _judged(
    state: _State,
    tables: tuple[str, str],
    rows: _State,
    forms: tuple[np.ndarray, np.ndarray],
    packed: tuple[np.ndarray, ...],
    n_known: int,
    taken: np.ndarray,
    guessed: tuple[np.ndarray, np.ndarray],
    claims: np.ndarray,
    told: np.ndarray,
    tie: float,
    tell: int,
) -> tuple[list[Any], tuple[np.ndarray, ...]]:
    """Follow guessed picks; return the best rows at each, and those to be told.

    ``guessed`` holds those picks that are rows of this part: their positions, and their
    numbers among all guesses. Rows are told where the part objects first.
    """
    columns, features = _given(state, tables, rows)
    steps, priority = _unpacked(packed), rows["priority"]
    current = Forms(*(torch.tensor(form) for form in forms))
    follow_all(current, columns, features, steps[:n_known])
    gain = np.empty((max(1, len(claims)), len(features)))
    gain[0] = current.changes(1.0).numpy()

    def note(number: int, part: slice, chunk: Forms) -> None:
        gain[number + 1, part] = chunk.changes(1.0).numpy()

    follow_all(current, columns, features, steps[n_known:], note)
    gain[:, taken] = -np.inf
    own = dict(zip(guessed[1].tolist(), guessed[0].tolist(), strict=True))
    for number, position in own.items():
        gain[number + 1 :, position] = -np.inf

    fronts = [_front(row, priority, tie) for row in gain]
    objections = (
        number
        for number, claim in enumerate(claims)
        for position in fronts[number]
        if position != own.get(number)
        and gain[number, position] >= claim * (1.0 - 2.0 * tie)
    )
    place = next(objections, None) if len(claims) else 0
    best_rows = np.empty(0, dtype=np.intp)
    if place is not None:
        top = min(tell, len(features))
        best_rows = np.argpartition(-gain[place], top - 1)[:top]
        best_rows = np.union1d(best_rows, fronts[place])
        best_rows = best_rows[gain[place, best_rows] > -np.inf]
        best_rows = np.setdiff1d(best_rows, told)
    answer = [
        (gain[number, front], front)
        for number, front in enumerate(fronts[: len(claims)])
    ]
    return answer, _rows_of(state, tables, rows, best_rows)


def _front(gain: np.ndarray, priority: np.ndarray, tie: float) -> np.ndarray:
    """Return the rows of which any may be the best among those of other parts too.

    Of rows that tie with the largest here, those before which none has both a larger
    gain and an earlier priority.
    """
    largest = gain.max()
    if largest == -np.inf:
        return np.empty(0, dtype=np.intp)
    near = np.flatnonzero(gain >= largest - tie * abs(largest))
    order = near[np.lexsort((priority[near], -gain[near]))]
    return order[np.minimum.accumulate(priority[order]) == priority[order]]


def _rows_of(
    state: _State, tables: tuple[str, str], rows: _State, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns, features = _given(state, tables, rows)
    places = torch.from_numpy(positions)
    return positions, columns[places].numpy(), to_numpy(features[places])


def _packed(steps: list[Step], dtype: torch.dtype) -> tuple[np.ndarray, ...]:
    """Return steps as arrays, in the arithmetic in which they meet the features."""
    if not steps:
        return ()
    vectors, weight, twice = (
        torch.stack(list(parts)) for parts in zip(*steps, strict=True)
    )
    return vectors.to(dtype).numpy(), weight.numpy(), twice.numpy()


def _unpacked(packed: tuple[np.ndarray, ...]) -> list[Step]:
    return [
        Step(*(torch.tensor(array) for array in arrays))
        for arrays in zip(*packed, strict=True)
    ]

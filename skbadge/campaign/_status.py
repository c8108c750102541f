"""How a campaign stands, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pandas as pd

from skbadge.campaign._state import State

__all__ = ["Status", "status_of"]


@dataclass(frozen=True)
class Status:
    """How a campaign stands; printed, a page of text.

    Parameters
    ----------
    n_pool, n_labeled, n_skipped, n_open, n_candidates : int
        Rows of the pool; labelled; skipped; of the last batch without an answer; that
        may be asked for.
    n_lost : int
        Labelled rows that left the pool.
    rounds, trainings : int
        Number of batches and of trainings.
    classes : dict
        Number of labels that count, by class, those without a label included.
    annotators : dict
        Number of answers by annotator.
    n_disputed : int
        Rows on which annotators differ.
    seconds : float or None
        Median time of an answer, where it is known.
    accuracy : dict or None
        The last row of ``accuracy(3)``.
    signs : list of dict
        What the stopping criteria have seen.
    should_stop : bool
        Whether they say so of the present model; False where they have not seen it.
    seen : tuple of two ints or None
        Number of the training, and of its labels, that they saw last, where there was
        another one since, by a campaign opened without ``stop``.
    next : str
        What to do next.
    """

    n_pool: int
    n_labeled: int
    n_skipped: int
    n_open: int
    n_candidates: int
    n_lost: int
    rounds: int
    trainings: int
    classes: dict[Any, int]
    annotators: dict[str, int]
    n_disputed: int
    seconds: float | None
    accuracy: dict[str, Any] | None
    signs: list[dict[str, Any]] = field(repr=False)
    should_stop: bool = False
    seen: tuple[int, int] | None = None
    next: str = ""

    def __str__(self) -> str:
        counts = (
            f"{self.n_labeled:,} labelled, {self.n_skipped:,} skipped, "
            f"{self.n_open:,} open, {self.n_candidates:,} more to ask for"
        )
        shown = [f"{_cut(k)} {v:,}" for k, v in list(self.classes.items())[:20]]
        shown += ["..."] if len(self.classes) > 20 else []
        lines = [
            f"pool        {self.n_pool:,} rows: {counts}",
            f"rounds      {self.rounds} batches, {self.trainings} trainings",
            f"classes     {', '.join(shown)}",
        ]
        if self.n_lost:
            lines.append(f"lost        {self.n_lost:,} labelled rows left the pool")
        if len(self.annotators) > 1:
            parts = [f"{_cut(k) or '(none)'} {v:,}" for k, v in self.annotators.items()]
            lines.append(f"annotators  {', '.join(parts)}; differ on {self.n_disputed}")
        if self.seconds is not None:
            lines.append(f"time        {self.seconds:.1f} s a label (median)")
        lines.append(f"accuracy    {accuracy_text(self.accuracy)}")
        for sign in self.signs:
            lines.append(f"sign        {sign_text(sign, self.seen)}")
        return "\n".join([*lines, f"next        {self.next}"])


def _cut(text: Any, most: int = 40) -> str:
    # One line each, whatever a name holds.
    text = "".join(c if c.isprintable() else "?" for c in str(text))
    return text if len(text) <= most else f"{text[: most - 3]}..."


def accuracy_text(row: dict[str, Any] | None) -> str:
    """Return an estimate of the accuracy in words."""
    if row is None or not row["n_scored"]:
        return "not known: no answered random share in the last three rounds"
    return (
        f"{row['accuracy']:.1%} ({row['low']:.1%} to {row['high']:.1%}), from "
        f"{row['n_scored']} rows drawn at random in the last rounds, of rows that had "
        "no label then; the whole pool also has the labelled rows, which tend to be "
        "harder"
    )


def sign_text(sign: dict[str, Any], seen: tuple[int, int] | None = None) -> str:
    """Return what a stopping criterion has seen, in words, and of which training."""
    text = f"{sign['criterion']}: "
    text += f"{sign['values'][-1]:.4g}" if sign["values"] else "nothing to compare yet"
    if sign["threshold"] is not None:
        text += f", stops at {sign['threshold']:.4g}"
    if sign["floor"] is not None:
        text += f", seed floor {sign['floor']:.4g}"
    text += " -> stop" if sign["stop"] else ""
    if seen is not None:
        text += f", as of training {seen[0]} / {seen[1]:,} labels"
    return text


def status_of(state: State, accuracy: pd.DataFrame) -> Status:
    """Sum a state up.

    Parameters
    ----------
    state : State
    accuracy : DataFrame
        Of the last rounds pooled.

    Returns
    -------
    Status
    """
    labels = state.labels
    counts = Counter(labels.values())
    given = [a for answers in state.answers.values() for a in answers.values()]
    times = [answer.seconds for answer in given if answer.seconds is not None]
    n_open = len(state.open_rows())
    n_candidates = len(state.candidates()) - n_open
    stopping, seen = state.stopping or {"signs": [], "stop": False}, None
    if state.stopping and stopping["training"] != len(state.trainings):
        seen = (stopping["training"], stopping["n_labeled"])
    should_stop = stopping["stop"] and seen is None
    return Status(
        n_pool=len(state.present),
        n_labeled=len(labels),
        n_skipped=len(state.skipped),
        n_open=n_open,
        n_candidates=n_candidates,
        n_lost=sum(id not in state.present for id in labels),
        rounds=len(state.batches),
        trainings=len(state.trainings),
        classes={name: counts[name] for name in state.settings["classes"]},
        annotators=dict(Counter(answer.annotator for answer in given)),
        n_disputed=len(state.disputed()),
        seconds=median(times) if times else None,
        accuracy=None if accuracy.empty else accuracy.to_dict("records")[-1],
        signs=stopping["signs"],
        should_stop=should_stop,
        seen=seen,
        next=_next(state, n_open, n_candidates, should_stop),
    )


def _next(state: State, n_open: int, n_candidates: int, should_stop: bool) -> str:
    if n_open:
        return f"label the {n_open:,} open rows, or close the batch"
    if not n_candidates:
        return "nothing: every row has a label or was skipped"
    if should_stop:
        return "stop here, by the stopping criterion; or ask on"
    return "ask for a batch"

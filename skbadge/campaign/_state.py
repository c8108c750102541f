"""The state of a campaign as a function of its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skbadge.campaign._journal import Event
from skbadge.exceptions import CampaignError

__all__ = ["Answer", "Batch", "State"]

_KINDS = (
    *("created", "pool", "opened", "asked", "closed"),
    *("answered", "undone", "trained", "pushed"),
)


@dataclass(frozen=True)
class Answer:
    """The label that one annotator gave to one row."""

    label: Any
    annotator: str
    seq: int
    time: str
    seconds: float | None = None
    updated: str | None = None


@dataclass
class Batch:
    """Rows that were asked for together.

    Parameters
    ----------
    number : int
        1, 2, ...
    training : int
        Number of trainings of the model that chose; 0 for none.
    n_candidates : int
        Number of rows that could have been chosen.
    strategy : str
        Its repr.
    items : dict of str to dict
        By id, in the order asked: ``score``, ``random``, ``predicted``,
        ``probability``, ``inclusion``.
    draws : list of [id, probability]
        The strategy's draws in order with the probability of each given the earlier
        ones; empty where the strategy does not know it.
    time : str
        When it was asked.
    closed : bool
        Whether the rest was given up.
    notes : sequence of str
        What the strategy said of its choice.
    taken : set of str
        Ids that had a label or were skipped when it was asked for.
    heard : dict of str to bool
        Its rows that were answered while it was the last batch and not closed, and
        whether a label was among the answers. Rows that are answered later were chosen
        by something else, so that they say nothing of this batch.
    selection : dict or None
        All that a strategy which learns said of its choice, see `drawn_batch`.
    n_unasked : int
        Rows of the share that were labelled unasked before the batch was made longer,
        and so are none of its items.
    pool_changed : bool
        Whether rows have joined the pool or left it since it was asked for.
    """

    number: int
    training: int
    n_candidates: int
    strategy: str
    items: dict[str, dict[str, Any]]
    draws: list[list[Any]]
    time: str
    closed: bool = False
    notes: Sequence[str] = ()
    taken: frozenset[str] = frozenset()
    heard: dict[str, bool] = field(default_factory=dict)
    selection: dict[str, Any] | None = None
    n_unasked: int = 0
    pool_changed: bool = False

    @property
    def random(self) -> list[str]:
        """Ids of the share drawn at random."""
        return [id for id, item in self.items.items() if item["random"]]

    def hear(self, id: str, *, labeled: bool) -> None:
        """Take note of an answer that came while the batch was out."""
        if id in self.items:
            self.heard[id] = labeled or self.heard.get(id, False)


@dataclass
class State:
    """What the events of a journal amount to; `apply` takes them one by one."""

    settings: dict[str, Any] = field(default_factory=dict)
    # Ids of the pool in the order in which they came, as an ordered set.
    present: dict[str, None] = field(default_factory=dict)
    first_pool: list[str] = field(default_factory=list)
    sample: dict[str, str] = field(default_factory=dict)
    pool_notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    skipped: dict[str, dict[str, Any]] = field(default_factory=dict)
    # When a person skipped a row, by id and annotator, where a tool told the time.
    declined: dict[tuple[str, str], str] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    # Labelled rows as the last training saw them, in its order.
    taught: dict[str, Any] = field(default_factory=dict)
    trainings: list[dict[str, Any]] = field(default_factory=list)
    stopping: dict[str, Any] | None = None
    projects: list[dict[str, Any]] = field(default_factory=list)
    opening: dict[str, Any] | None = None
    seq: int = 0
    _told: dict[int, tuple[Event, Batch | None]] = field(default_factory=dict)
    _batch_of: dict[str, int] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take one event in.

        Raises
        ------
        CampaignError
            If it is of a kind that is not known.
        """
        if event.kind not in _KINDS:
            raise CampaignError(
                f"Event {event.seq} of the journal must be one of {', '.join(_KINDS)}. "
                f"Got {event.kind!r} instead, which a newer skbadge wrote: upgrade "
                "skbadge."
            )
        self.seq = event.seq
        getattr(self, f"_{event.kind}")(event, event.payload)

    # ------------------------------------------------------------------ questions

    @property
    def labels(self) -> dict[str, Any]:
        """The label that counts of each labelled row, in the order of arrival."""
        return {id: self.counted(id).label for id in self.answers}

    def counted(self, id: str) -> Answer:
        """Return the answer that counts: the last, or one of the majority's."""
        given = sorted(self.answers[id].values(), key=lambda answer: answer.seq)
        if self.settings["count"] == "last":
            return given[-1]
        votes = Counter(_key(answer.label) for answer in given)
        most = max(votes.values())
        # Between equally many votes the last one decides.
        return [a for a in given if votes[_key(a.label)] == most][-1]

    def disputed(self) -> list[str]:
        """Return the ids whose annotators disagree."""
        return [
            id
            for id, given in self.answers.items()
            if len({_key(answer.label) for answer in given.values()}) > 1
        ]

    def to_teach(self) -> dict[str, Any]:
        """Return labels by id as the next training is to see them, in its order.

        Rows of the training before keep their places, others follow as they came; rows
        that left the pool cannot be trained on.
        """
        labels = {id: y for id, y in self.labels.items() if id in self.present}
        order = [id for id in self.taught if id in labels]
        order += [id for id in labels if id not in self.taught]
        return {id: labels[id] for id in order}

    def is_candidate(self, id: str) -> bool:
        """Whether a row of the pool may be asked for."""
        return id not in self.answers and id not in self.skipped

    def candidates(self) -> list[str]:
        """Return the ids that may be asked for, in the order of the pool."""
        return [id for id in self.present if self.is_candidate(id)]

    def open_rows(self) -> list[str]:
        """Return the ids of the last batch that wait for an answer, in its order."""
        if not self.batches or self.batches[-1].closed:
            return []
        items = self.batches[-1].items
        return [id for id in items if id in self.present and self.is_candidate(id)]

    def is_over(self, batch: Batch) -> bool:
        """Whether nothing more is to come: answered, given up, or another came."""
        return batch is not self.batches[-1] or not self.open_rows()

    def batch_of(self, id: str) -> Batch | None:
        """Return the last batch that asked for a row; None where none did."""
        number = self._batch_of.get(id)
        return None if number is None else self.batches[number - 1]

    def told(self, seq: int) -> dict[str, Any]:
        """Return what the answers of one call were."""
        event, _ = self._told[seq]
        return event.payload

    def last_answer_event(self, annotator: str | None = None) -> int | None:
        """Return the seq of the last call that can be undone, or None.

        Parameters
        ----------
        annotator : str or None, default=None
            All answers of the call are theirs; None for whosever.
        """
        for seq, (event, _) in reversed(self._told.items()):
            told = [*event.payload["items"], *event.payload["skipped"]]
            if annotator is None or {item["annotator"] for item in told} == {annotator}:
                return seq
        return None

    # --------------------------------------------------------------------- events

    def _created(self, event: Event, payload: dict[str, Any]) -> None:
        self.settings = payload

    def _pool(self, event: Event, payload: dict[str, Any]) -> None:
        first = not self.first_pool
        if self.batches and (payload["added"] or payload["removed"]):
            self.batches[-1].pool_changed = True
        for id in payload["removed"]:
            self.present.pop(id, None)
        self.present.update(dict.fromkeys(payload["added"]))
        self.sample = payload["sample"]
        if first:
            self.first_pool = list(self.present)
        else:
            self.pool_notes.append((event.time, payload))

    def _asked(self, event: Event, payload: dict[str, Any]) -> None:
        items = {item.pop("id"): item for item in map(dict, payload["items"])}
        if payload["extends"]:
            batch = self.batches[-1]
            batch.items.update(items)
            batch.draws, batch.closed = payload["draws"], False
            batch.notes = payload["notes"]
            batch.selection = payload.get("selection")
            # Journals of the first days do not have it.
            batch.n_unasked = payload.get("n_unasked", 0)
            for id in payload["also_random"]:
                batch.items[id]["random"] = True
        else:
            names = ("training", "n_candidates", "strategy", "draws", "notes")
            known = {name: payload[name] for name in names}
            known["selection"] = payload.get("selection")
            known["taken"] = frozenset({*self.answers, *self.skipped})
            if self.batches:
                # Of use only while it is the last one.
                self.batches[-1].taken = frozenset()
                self.batches[-1].selection = None
            number = len(self.batches) + 1
            self.batches.append(Batch(number, items=items, time=event.time, **known))
        self._batch_of.update(dict.fromkeys(items, len(self.batches)))

    def _closed(self, event: Event, payload: dict[str, Any]) -> None:
        self.batches[-1].closed = True

    def _answered(self, event: Event, payload: dict[str, Any]) -> None:
        out = self.batches[-1] if self.batches and not self.batches[-1].closed else None
        self._told[event.seq] = event, out
        self._take(event, out)

    def _undone(self, event: Event, payload: dict[str, Any]) -> None:
        del self._told[payload["seq"]]
        self.answers, self.skipped, self.declined = {}, {}, {}
        for batch in self.batches:
            batch.heard = {}
        for told, out in self._told.values():
            self._take(told, out)

    def _take(self, event: Event, out: Batch | None) -> None:
        """Take answers in; ``out`` is the batch that was out when they came, if any."""
        if out is not None:
            for item in event.payload["items"]:
                out.hear(item["id"], labeled=True)
            for item in event.payload["skipped"]:
                out.hear(item["id"], labeled=False)
        for item in event.payload["items"]:
            id, annotator = item["id"], item["annotator"]
            answer = Answer(
                item["label"],
                annotator,
                event.seq,
                event.time,
                item.get("seconds"),
                item.get("updated"),
            )
            given = self.answers.setdefault(id, {})
            # Last in the order too, which decides among answers of one call.
            given.pop(annotator, None)
            given[annotator] = answer
            self.skipped.pop(id, None)
            self.declined.pop((id, annotator), None)
        for item in event.payload["skipped"]:
            given = self.answers.get(item["id"], {})
            if item.get("updated"):
                self.declined[item["id"], item["annotator"]] = item["updated"]
            if item.get("withdraws"):
                given.pop(item["annotator"], None)
            if not given:
                self.answers.pop(item["id"], None)
                self.skipped[item["id"]] = item

    def _trained(self, event: Event, payload: dict[str, Any]) -> None:
        for id in payload["removed"]:
            del self.taught[id]
        self.taught.update(dict(payload["labels"]))
        self.trainings.append({**payload, "time": event.time})
        if payload["stopping"]:
            seen = {"training": payload["number"], "n_labeled": payload["n_labeled"]}
            self.stopping = {**payload["stopping"], **seen}

    def _opened(self, event: Event, payload: dict[str, Any]) -> None:
        self.opening = payload

    def _pushed(self, event: Event, payload: dict[str, Any]) -> None:
        self.projects.append(payload)


def _key(label: Any) -> tuple[str, Any]:
    """Return what tells labels apart: 1 is not True, nor "1"."""
    return type(label).__name__, label

"""Which answers can be stored, and why others cannot."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from skbadge.campaign._pool import id_key, written_ids
from skbadge.exceptions import InvalidInputError

__all__ = ["Given", "Told", "sort_out"]


@dataclass(frozen=True)
class Given:
    """One answer as it came: a label, or a skip.

    Parameters
    ----------
    id : str or int
        Of the row.
    label : str, int or None
        None for a row that was skipped.
    annotator : str
    seconds : float or None
        Time it took.
    updated : str or None
        When the tool it comes from stored it; a later one takes the place of an earlier
        one by the same person.
    reason : str
        Of a skip.
    """

    id: Any
    label: Any = None
    annotator: str = ""
    seconds: float | None = None
    updated: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Told:
    """What became of answers.

    Parameters
    ----------
    stored : int
        Number of labels that are new, or took the place of another.
    skipped : int
        Number of rows newly skipped.
    unchanged : int
        Number of answers that were known already.
    refused : dict
        Reason by id.
    """

    stored: int = 0
    skipped: int = 0
    unchanged: int = 0
    refused: dict = field(default_factory=dict)

    def __str__(self):
        parts = [f"{self.stored} labels stored"]
        parts += [f"{self.skipped} rows skipped"] if self.skipped else []
        parts += [f"{self.unchanged} known already"] if self.unchanged else []
        parts += [f"{len(self.refused)} refused"] if self.refused else []
        return ", ".join(parts)

    def warn(self, stacklevel):
        """Say what was refused.

        Parameters
        ----------
        stacklevel : int
            Whose line the warning names, as for `warnings.warn`.
        """
        if not self.refused:
            return
        kept = self.stored + self.skipped + self.unchanged
        first = dict(list(self.refused.items())[:5])
        reasons = "; ".join(f"{written_ids([id])}: {why}" for id, why in first.items())
        more = len(self.refused) - len(first)
        warnings.warn(
            f"{len(self.refused)} of {len(self.refused) + kept} answers were refused, "
            f"all others are kept. {reasons}{f'; and {more} more' if more else ''}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def sort_out(state, given, *, correction=False):
    """Part answers into those to be stored, those known, and those refused.

    Parameters
    ----------
    state : State
        Of this moment: nobody else may write in between.
    given : list of Given
    correction : bool, default=False
        Whether a label may take the place of another one by the same annotator.

    Returns
    -------
    payload : dict or None
        Of the event; None where there is nothing to store.
    told : Told
    """
    classes = state.settings["classes"]
    items, skipped, unchanged, refused = {}, {}, 0, {}
    for answer in given:
        try:
            id = id_key(answer.id)
            _check_known(state, id)
            if answer.label is None:
                news = _skip(state, id, answer, items)
            else:
                news = _label(state, id, answer, classes, correction, items)
        except InvalidInputError as problem:
            refused[answer.id if _hashable(answer.id) else repr(answer.id)] = str(
                problem
            )
            continue
        if news is None:
            unchanged += 1
        elif answer.label is None:
            skipped[id] = news
        else:
            items[id, answer.annotator] = news
    told = Told(len(items), len(skipped), unchanged, refused)
    if not items and not skipped:
        return None, told
    payload = {"items": list(items.values()), "skipped": list(skipped.values())}
    return payload, told


def _hashable(id):
    return getattr(id, "__hash__", None) is not None


def _check_known(state, id):
    if id not in state.present and id not in state.answers:
        raise InvalidInputError("no row of the pool has this id")


def _skip(state, id, answer, items):
    who = answer.annotator
    here, known = items.get((id, who)), state.answers.get(id, {}).get(who)
    news = {"id": id, "annotator": who, "reason": answer.reason}
    if here is not None and _newer(answer.updated, here.get("updated")):
        del items[id, who]
    elif known is not None:
        if (
            answer.updated
            and known.updated
            and not _newer(answer.updated, known.updated)
        ):
            return None
        if not _newer(answer.updated, known.updated):
            raise InvalidInputError("it has a label, so it is not skipped")
        return {**news, "withdraws": True}
    if id in state.answers or any(one == id for one, _ in items):
        # Another person has labelled it: nothing is to be skipped any more.
        return None
    return None if id in state.skipped else news


def _label(state, id, answer, classes, correction, items):
    label = _class_of(answer.label, classes)
    here = items.get((id, answer.annotator))
    known = state.answers.get(id, {}).get(answer.annotator)
    updated = answer.updated
    if here is not None or known is not None:
        before = here["label"] if here else known.label
        stored = here.get("updated") if here else known.updated
        outdated = updated and stored and not _newer(updated, stored)
        if before == label or outdated:
            return None
        # What a tool stored later is what the person means now; without a time only a
        # correction is.
        if not correction and not _newer(updated, stored):
            who = f" by {answer.annotator!r}" if answer.annotator else ""
            raise InvalidInputError(
                f"it is labelled {before!r}{who}, not {label!r}: use relabel to correct"
            )
        # So that the tool's old answer, read again, does not undo a correction.
        updated = updated or stored
    item = {"id": id, "label": label, "annotator": answer.annotator}
    if answer.seconds is not None:
        item["seconds"] = float(answer.seconds)
    if updated is not None:
        item["updated"] = updated
    return item


def _newer(updated, stored):
    """Whether a tool stored an answer after one of which it also told the time."""
    return bool(updated and stored and updated > stored)


def _class_of(label, classes):
    """Return the class that a label is, also where it was read from a file."""
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, Integral) and not isinstance(label, bool) and label in classes:
        return int(label)
    if isinstance(label, str):
        for known in classes:
            if str(known) == label:
                return known
    shown = ", ".join(map(repr, classes[:10])) + (", ..." if len(classes) > 10 else "")
    text = repr(label) if len(repr(label)) < 80 else f"{repr(label)[:77]}..."
    raise InvalidInputError(f"{text} is none of the classes {shown}")

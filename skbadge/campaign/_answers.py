"""Which answers can be stored, and why others cannot."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from skbadge.campaign._pool import id_key, written_ids
from skbadge.exceptions import InvalidInputError

__all__ = ["Given", "Told", "check_annotator", "sort_out"]


@dataclass(frozen=True)
class Given:
    """One answer as it came: a label, or a skip.

    Parameters
    ----------
    id : str or int
        Of the row.
    label : str or int
        Not read of a row that was skipped.
    annotator : str
    seconds : float, str or None
        Time it took; a number in digits, as files have it.
    updated : str or None
        When the tool it comes from stored it; a later one takes the place of an earlier
        one by the same person.
    skipped : bool
        Whether this person could not say.
    reason : str
        Of a skip.
    unreadable : str
        What is wrong with it where it is no answer at all.
    """

    id: Any
    label: Any = None
    annotator: str = ""
    seconds: Any = None
    updated: str | None = None
    skipped: bool = False
    reason: str = ""
    unreadable: str = ""


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


def check_annotator(annotator):
    """Return a name as the journal keeps it: empty where none was given.

    Raises
    ------
    InvalidInputError
        If it is given and no text that UTF-8 can hold, or blank.
    """
    if annotator is None:
        return ""
    named = isinstance(annotator, str) and annotator.strip()
    if named and annotator.encode("utf-8", "replace").decode() == annotator:
        return str(annotator)
    raise InvalidInputError(
        f"annotator must be a name, a text of at least one letter. Got {annotator!r} "
        "instead: leave it away where nobody is to be named."
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
            key = _checked(state, answer)
            if answer.skipped:
                news = _skip(state, key, answer, items, skipped)
            else:
                news = _label(state, key, answer, classes, correction, items)
        except InvalidInputError as problem:
            refused[_shown(answer.id)] = str(problem)
            continue
        if news is None:
            unchanged += 1
            continue
        # Of a label and a skip by one person in one call, the later one stands.
        items.pop(key, None)
        skipped.pop(key, None)
        (skipped if answer.skipped else items)[key] = news
    told = Told(len(items), len(skipped), unchanged, refused)
    if not items and not skipped:
        return None, told
    payload = {"items": list(items.values()), "skipped": list(skipped.values())}
    return payload, told


def _checked(state, answer):
    """Return id and annotator of an answer that can be read, of a row there is."""
    if answer.unreadable:
        raise InvalidInputError(answer.unreadable)
    id = id_key(answer.id)
    if id not in state.present and id not in state.answers:
        raise InvalidInputError("no row of the pool has this id")
    return id, answer.annotator


def _shown(id):
    """Return an id as a key: itself, or its text where it can be none."""
    try:
        hash(id)
    except TypeError:
        return repr(id)
    return id


def _skip(state, key, answer, items, skipped):
    id, who = key
    here, known = items.get(key), state.answers.get(id, {}).get(who)
    news = {"id": id, "annotator": who, "reason": answer.reason}
    if here is not None or known is not None:
        stored = here.get("updated") if here else known.updated
        later = _later(answer.updated, stored)
        if later is None:
            raise InvalidInputError("it has a label, so it is not skipped")
        if not later:
            return None
        if known is not None:
            return {**news, "withdraws": True}
    others = {*state.answers.get(id, {}), *(w for i, w in items if i == id)} - {who}
    # Where another person has labelled it, nothing is to be skipped any more.
    done = others or id in state.skipped or any(i == id for i, _ in skipped)
    return None if done else news


def _label(state, key, answer, classes, correction, items):
    id, who = key
    label, seconds = _class_of(answer.label, classes), _seconds(answer.seconds)
    here, known = items.get(key), state.answers.get(id, {}).get(who)
    updated = answer.updated
    if here is not None or known is not None:
        before = here["label"] if here else known.label
        stored = here.get("updated") if here else known.updated
        later = _later(updated, stored)
        if before == label or later is False:
            return None
        # What a tool stored later is what the person means now; without a time only a
        # correction is.
        if not correction and not later:
            by = f" by {who!r}" if who else ""
            raise InvalidInputError(
                f"it is labelled {before!r}{by}, not {label!r}: use relabel to correct"
            )
        # So that the tool's old answer, read again, does not undo a correction.
        updated = updated or stored
    elif correction:
        raise InvalidInputError(_nothing_to_correct(state.answers.get(id, {}), who))
    item = {"id": id, "label": label, "annotator": who}
    if seconds is not None:
        item["seconds"] = seconds
    if updated is not None:
        item["updated"] = updated
    return item


def _nothing_to_correct(given, who):
    """Say whose labels a row has, where the one to be corrected is not there."""
    if not given:
        return "nobody has labelled it, so nothing is corrected: use tell"
    whose = ", ".join(
        repr(name) if name else "somebody without a name" for name in sorted(given)
    )
    by = f"by {who!r}" if who else "without an annotator"
    return (
        f"it has no label {by}, but one by {whose}: name that annotator to correct it, "
        "or use tell to add a label of your own"
    )


def _later(updated, stored):
    """Whether a tool stored one answer after another; None where it told no time."""
    return updated > stored if updated and stored else None


def _seconds(value):
    """Return the time that an answer took, also where it was read from a file."""
    if value is None or value == "":
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidInputError(
            f"its seconds must be a finite number from 0. Got {_cut(value)} instead"
        )
    return seconds


def _class_of(label, classes):
    """Return the class that a label is, also where it was read from a file."""
    if isinstance(label, np.generic):
        label = label.item()
    if pd.api.types.is_scalar(label) and pd.isna(label):
        raise InvalidInputError("there is no label: skip(ids) skips")
    if isinstance(label, Integral) and not isinstance(label, bool) and label in classes:
        return int(label)
    if isinstance(label, str):
        for known in classes:
            if str(known) == label:
                return known
    shown = ", ".join(map(repr, classes[:10])) + (", ..." if len(classes) > 10 else "")
    raise InvalidInputError(f"{_cut(label)} is none of the classes {shown}")


def _cut(value):
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."

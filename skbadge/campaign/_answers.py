"""Which answers can be stored, and why others cannot."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd

from skbadge.campaign._pool import id_key, written_ids
from skbadge.campaign._state import Answer, State
from skbadge.exceptions import InvalidInputError

__all__ = ["Given", "Told", "check_annotator", "check_text", "sort_out"]

# What is to be stored, by id and annotator.
_News: TypeAlias = dict[str, dict[str, dict[str, Any]]]


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
    refused: dict[Any, str] = field(default_factory=dict)
    # How many refusals a warning names.
    NAMED: ClassVar[int] = 5

    def __str__(self) -> str:
        parts = [f"{self.stored} labels stored"]
        parts += [f"{self.skipped} rows skipped"] if self.skipped else []
        parts += [f"{self.unchanged} known already"] if self.unchanged else []
        parts += [f"{len(self.refused)} refused"] if self.refused else []
        return ", ".join(parts)

    def warn(self, stacklevel: int) -> None:
        """Say what was refused.

        Parameters
        ----------
        stacklevel : int
            Whose line the warning names, as for `warnings.warn`.
        """
        if not self.refused:
            return
        kept = self.stored + self.skipped + self.unchanged
        first = dict(list(self.refused.items())[: self.NAMED])
        parts = [f"{written_ids([id])}: {why}" for id, why in first.items()]
        reasons = "; ".join(part.rstrip(".") for part in parts)
        more = len(self.refused) - len(first)
        warnings.warn(
            f"{len(self.refused)} of {len(self.refused) + kept} answers were refused, "
            f"all others are kept. {reasons}{f'; and {more} more' if more else ''}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def check_text(text: Any, name: str) -> str:
    """Return a text of the user's as the journal keeps it: no blanks around it.

    Raises
    ------
    InvalidInputError
        If it is no text that UTF-8 can hold.
    """
    if isinstance(text, str) and text.encode("utf-8", "replace").decode() == text:
        return text.strip()
    raise InvalidInputError(
        f"{name} must be text that UTF-8 can hold. Got {_cut(text)} instead."
    )


def check_annotator(annotator: Any) -> str:
    """Return a name as the journal keeps it: empty where none was given.

    Raises
    ------
    InvalidInputError
        If it is given and no text that UTF-8 can hold, or blank.
    """
    if annotator is None:
        return ""
    name = check_text(annotator, "annotator")
    if not name:
        raise InvalidInputError(
            f"annotator must be a name, a text of at least one letter. Got "
            f"{annotator!r} instead: leave it away where nobody is to be named."
        )
    return name


def sort_out(
    state: State, given: Iterable[Given], *, correction: bool = False
) -> tuple[dict[str, Any] | None, Told]:
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
    # What is to be stored, by id and annotator: an item with a label, or a skip.
    news: _News = {}
    refused: dict[Any, str] = {}
    unchanged = 0
    for answer in given:
        try:
            id, who = _checked(state, answer)
            said = _said(state, news, id, who)
            if answer.skipped:
                item = _skip(state, news, id, who, answer, said)
            else:
                item = _label(state, id, who, answer, said, correction)
        except InvalidInputError as problem:
            key = _shown(answer.id)
            reasons = [refused[key], str(problem)] if key in refused else [str(problem)]
            refused[key] = "; ".join(dict.fromkeys(reasons))
            continue
        if item is None:
            unchanged += 1
            continue
        # Last among those of the row, since the last one counts.
        news.setdefault(id, {}).pop(who, None)
        news[id][who] = item
    stored = [item for of_row in news.values() for item in of_row.values()]
    items = [item for item in stored if "label" in item]
    labelled = {item["id"] for item in items}
    skipped = [item for item in stored if "reason" in item]
    # Of a row that somebody labels in this very call, none but a label taken back.
    skipped = [i for i in skipped if "withdraws" in i or i["id"] not in labelled]
    unchanged += len(stored) - len(items) - len(skipped)
    told = Told(len(items), len(skipped), unchanged, refused)
    if not items and not skipped:
        return None, told
    return {"items": items, "skipped": skipped}, told


def _checked(state: State, answer: Given) -> tuple[str, str]:
    """Return id and annotator of an answer that can be read, of a row there is."""
    if answer.unreadable:
        raise InvalidInputError(answer.unreadable)
    id = id_key(answer.id)
    if id not in state.present and id not in state.answers:
        raise InvalidInputError("no row of the pool has this id")
    return id, check_text(answer.annotator, "its annotator")


def _shown(id: Any) -> Any:
    """Return an id as a key: itself, or its text where it can be none."""
    try:
        hash(id)
    except TypeError:
        return repr(id)
    return id


@dataclass(frozen=True)
class _Said:
    """What one person said of one row before: a label, or None for a skip."""

    label: Any
    updated: str | None


def _said(state: State, news: _News, id: str, who: str) -> _Said | None:
    """Return what a person said of a row last, in this call or before; or None."""
    item = news.get(id, {}).get(who)
    if item is not None:
        return _Said(item.get("label"), item.get("updated"))
    known = state.answers.get(id, {}).get(who)
    if known is not None:
        return _Said(known.label, known.updated)
    declined = state.declined.get((id, who))
    return None if declined is None else _Said(None, declined)


def _skip(
    state: State, news: _News, id: str, who: str, answer: Given, said: _Said | None
) -> dict[str, Any] | None:
    """Return what is to be stored of a skip, or None."""
    reason = check_text(answer.reason, "reason")
    item: dict[str, Any] = {"id": id, "annotator": who, "reason": reason}
    if answer.updated is not None:
        item["updated"] = answer.updated
    if said is not None and said.label is not None:
        later = _later(answer.updated, said.updated)
        if later is None:
            raise InvalidInputError("it has a label, so it is not skipped")
        if not later:
            return None
        withdraws = who in state.answers.get(id, {})
        return {**item, "withdraws": True} if withdraws else item
    # Skipped once is skipped; and where somebody could label it, it is not to be.
    known = id in state.skipped or id in state.answers or id in news
    return None if known else item


def _label(
    state: State,
    id: str,
    who: str,
    answer: Given,
    said: _Said | None,
    correction: bool,
) -> dict[str, Any] | None:
    """Return what is to be stored of a label, or None."""
    label = _class_of(answer.label, state.settings["classes"])
    seconds, updated = _seconds(answer.seconds), answer.updated
    if correction and (said is None or said.label is None):
        raise InvalidInputError(_nothing_to_correct(state.answers.get(id, {}), who))
    if said is not None:
        later = _later(updated, said.updated)
        if later is False or said.label == label:
            return None
        # What a tool stored later is what the person means now; without a time only a
        # correction is.
        if said.label is not None and not correction and not later:
            by = f" by {who!r}" if who else ""
            raise InvalidInputError(
                f"it is labelled {said.label!r}{by}, not {label!r}: use relabel to "
                "correct"
            )
        # So that the tool's old answer, read again, does not undo a correction.
        updated = updated or said.updated
    item: dict[str, Any] = {"id": id, "label": label, "annotator": who}
    if seconds is not None:
        item["seconds"] = seconds
    if updated is not None:
        item["updated"] = updated
    return item


def _nothing_to_correct(given: dict[str, Answer], who: str) -> str:
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


def _later(updated: str | None, stored: str | None) -> bool | None:
    """Whether a tool stored one answer after another; None where it told no time."""
    return updated > stored if updated and stored else None


def _seconds(value: Any) -> float | None:
    """Return the time that an answer took, also where it was read from a file."""
    if value is None or value == "":
        return None
    try:
        seconds = math.nan if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidInputError(
            f"its seconds must be a finite number from 0. Got {_cut(value)} instead"
        )
    return seconds


def _class_of(label: Any, classes: list[Any]) -> Any:
    """Return the class that a label is, also where it was read from a file."""
    if isinstance(label, np.generic):
        label = label.item()
    if pd.api.types.is_scalar(label) and pd.isna(label):
        raise InvalidInputError("there is no label: skip(ids) skips")
    # A column of ints with a gap holds floats: 2 came as 2.0.
    number = isinstance(label, Real) and not isinstance(label, bool)
    if number and label in classes:
        return int(label)
    if isinstance(label, str):
        written = {str(known): known for known in classes}
        whole = label.removesuffix(".0")
        short = whole if whole.lstrip("-").isdecimal() else label
        if label in written or short in written:
            return written.get(label, written.get(short))
    shown = ", ".join(map(repr, classes[:10])) + (", ..." if len(classes) > 10 else "")
    raise InvalidInputError(f"{_cut(label)} is none of the classes {shown}")


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."

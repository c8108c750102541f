"""The answers of a campaign as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from skbadge.campaign._state import Answer, State

__all__ = ["answers_table", "labels_table", "skipped_table"]

_COLUMNS = ["id", "label", "annotator", "round", "time", "random"]


def labels_table(state: State, shown_id: Callable[[str], Any]) -> pd.DataFrame:
    """Return the label that counts of each labelled row.

    Parameters
    ----------
    state : State
    shown_id : callable
        Gives an id as the user wrote it.

    Returns
    -------
    DataFrame
    """
    records = [_record(state, id, state.counted(id), shown_id) for id in state.answers]
    frame = pd.DataFrame(records, columns=_COLUMNS)
    return frame.astype({"round": "Int64", "random": bool})


def answers_table(state: State, shown_id: Callable[[str], Any]) -> pd.DataFrame:
    """Return the label that each annotator gave last, with ``seconds``."""
    records = [
        {**_record(state, id, answer, shown_id), "seconds": answer.seconds}
        for id, given in state.answers.items()
        for answer in given.values()
    ]
    frame = pd.DataFrame(records, columns=[*_COLUMNS, "seconds"])
    return frame.astype({"round": "Int64", "random": bool, "seconds": "float64"})


def skipped_table(state: State, shown_id: Callable[[str], Any]) -> pd.DataFrame:
    """Return the rows that were skipped."""
    records = [
        {"id": shown_id(id), "annotator": item["annotator"], "reason": item["reason"]}
        for id, item in state.skipped.items()
    ]
    return pd.DataFrame(records, columns=["id", "annotator", "reason"])


def _record(
    state: State, id: str, answer: Answer, shown_id: Callable[[str], Any]
) -> dict[str, Any]:
    batch = state.batch_of(id)
    return {
        "id": shown_id(id),
        "label": answer.label,
        "annotator": answer.annotator,
        "round": None if batch is None else batch.number,
        "time": answer.time,
        "random": batch is not None and batch.items[id]["random"],
    }

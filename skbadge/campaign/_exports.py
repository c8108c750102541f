"""Answers in Label Studio's exports: JSON, JSON_MIN and CSV.

What is read was seen in files of a real server (1.23.2): the full JSON has answers and
skips; JSON_MIN and CSV leave skipped tasks out without a word and hold open ones as
rows without a label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skbadge.campaign._answers import Given, check_annotator
from skbadge.campaign._label_studio import CONTROL, ID, MARK
from skbadge.campaign._spreadsheet import parsed, too_wide
from skbadge.campaign._texts import read_text
from skbadge.exceptions import InvalidInputError

__all__ = ["Export", "is_export", "read_export"]

_OF_ANOTHER = (
    "another campaign asked for it, whose rows have such ids too: tell that one; or "
    "tell this one a table of id and label"
)


class Export:
    """Answers read from an export.

    Parameters
    ----------
    kind : {"JSON", "JSON_MIN", "CSV"}
    given : list of Given
        Oldest first.
    ids : set
        Of all tasks in it, answered or not.
    n_foreign : int
        Tasks that bear no id of ours.
    """

    def __init__(
        self, kind: str, given: list[Given], ids: set[str], n_foreign: int
    ) -> None:
        self.kind = kind
        self.given = given
        self.ids = ids
        self.n_foreign = n_foreign

    @property
    def has_skips(self) -> bool:
        """Whether skipped tasks would be in it."""
        return self.kind == "JSON"


def read_export(
    source: str | Path | list[dict[str, Any]],
    annotators: Mapping[Any, str] | None = None,
    mark: str | None = None,
) -> Export:
    """Read an export of Label Studio: JSON, JSON_MIN or CSV.

    Parameters
    ----------
    source : str, Path or list of dict
        A file, or the tasks of a JSON export.
    annotators : mapping or None
        Names by Label Studio's number of the user.
    mark : str or None
        Of the campaign that reads. Answers to tasks that bear another one are refused.

    Returns
    -------
    Export

    Raises
    ------
    InvalidInputError
        If it is no export.
    """
    names = _names_of(annotators)
    if isinstance(source, (str, Path)):
        tasks, kind = _of_file(Path(source))
    else:
        kind = "JSON"
        tasks = _list_of_tasks(source, "The tasks given")
    control = None if kind == "JSON" else _control(tasks)
    given: list[Given] = []
    ids: set[str] = set()
    n_foreign = 0
    for task in tasks:
        data = task.get("data") if kind == "JSON" else task
        data = data if isinstance(data, dict) else {}
        id = data.get(ID)
        if id in (None, ""):
            n_foreign += 1
            continue
        answers = list(_answers_of(str(id), task, names, control))
        if mark and (data.get(MARK) or mark) != mark:
            given += [Given(id, unreadable=_OF_ANOTHER) for _ in answers[:1]]
            continue
        ids.add(str(id))
        given += answers
    given.sort(key=lambda answer: answer.updated or "")
    return Export(kind, given, ids, n_foreign)


def is_export(path: str | Path) -> bool:
    """Whether a file looks like one of Label Studio's rather than a table of labels."""
    head = read_text(path, "Answers").lstrip()
    names = set(re.split(r"[,;\t\"\s]+", head.partition("\n")[0]))
    # Without an id of ours too: its "id" is Label Studio's own number of the task.
    return head[:1] in ("[", "{") or bool({ID, "annotation_id"} & names)


def _of_file(path: Path) -> tuple[list[dict[Any, Any]], str]:
    """Return the entries of an export file and its kind."""
    text = read_text(path, "An export of Label Studio")
    if text.lstrip()[:1] not in ("[", "{"):
        wanted = {ID, "annotation_id"}
        try:
            columns, rows = parsed(text, wanted)
        except ValueError as error:
            raise _no_export(path, f"a text that is no CSV ({error})") from error
        if not wanted <= set(columns):
            raise _no_export(path, f"a CSV with the columns {columns[:10]}")
        return rows, "CSV"
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_export(path, f"a text that is no JSON ({error})") from error
    entries = _list_of_tasks(entries, repr(str(path)))
    full = all("annotations" in entry and "data" in entry for entry in entries)
    if not full and not all("annotation_id" in entry for entry in entries):
        raise _no_export(path, "tasks without annotations (is it the file imported?)")
    return entries, "JSON" if full else "JSON_MIN"


def _list_of_tasks(entries: Any, what: str) -> list[dict[Any, Any]]:
    if isinstance(entries, list) and all(isinstance(e, dict) for e in entries):
        return entries
    raise _no_export(what, "no list of tasks")


def _no_export(what: str | Path, found: str) -> InvalidInputError:
    what = repr(str(what)) if isinstance(what, Path) else what
    return InvalidInputError(
        f"{what} must be an export of Label Studio in the format JSON, JSON_MIN or "
        f"CSV, of tasks that bear {ID}. Got {found} instead."
    )


def _answers_of(
    id: str, task: dict[Any, Any], names: dict[str, str], control: str | None
) -> Iterator[Given]:
    """Yield the answers to a task; those that cannot be read say why.

    ``control`` names the column of labels of a flat export; None for a full one.
    """
    annotations: Any = [task]
    if control is None:
        annotations = task.get("annotations") or []
        annotations = annotations if isinstance(annotations, list) else [annotations]
    for annotation in annotations:
        try:
            answer = _answer_of(id, annotation, names, control)
        except InvalidInputError as problem:
            answer = Given(id, unreadable=str(problem))
        if answer is not None:
            yield answer


def _answer_of(
    id: str, annotation: Any, names: dict[str, str], control: str | None
) -> Given | None:
    """Return one person's answer; None for an annotation without a choice."""
    if not isinstance(annotation, dict):
        raise InvalidInputError(f"{annotation!r:.60} is no annotation")
    if too_wide(annotation):
        raise InvalidInputError(too_wide(annotation))
    skipped = control is None and bool(annotation.get("was_cancelled"))
    if skipped:
        label = None
    elif control is None:
        label = _choice_of(annotation)
    else:
        label = _cell(annotation, control)
    if label is None and not skipped:
        return None
    return Given(
        id,
        label,
        annotator=_who(annotation, names),
        seconds=annotation.get("lead_time"),
        updated=_time(annotation.get("updated_at") or annotation.get("created_at")),
        skipped=skipped,
        reason="skipped in Label Studio" if skipped else "",
    )


def _choice_of(annotation: dict[Any, Any]) -> Any:
    """Return the label that is the result of an annotation; None where it has none."""
    results = annotation.get("result") or []
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise InvalidInputError(f"{results!r:.60} is no result of an annotation")
    choices = [r for r in results if r.get("type") == "choices"]
    own = [r for r in choices if r.get("from_name") == CONTROL]
    # With a configuration of one's own, the one question that was asked.
    found = own or choices
    if not found:
        return None
    if len(found) > 1:
        asked = sorted({str(r.get("from_name")) for r in found})
        raise InvalidInputError(
            f"it has answers to several questions, {asked}: call the one for the label "
            f"{CONTROL} in the labelling configuration"
        )
    value = found[0].get("value")
    return _one(value.get("choices") if isinstance(value, dict) else value)


def _control(rows: list[dict[Any, Any]]) -> str:
    """Return the column of a flat export that holds the labels."""
    columns = {name for row in rows for name in row}
    return CONTROL if CONTROL in columns else "label"


def _cell(row: dict[Any, Any], control: str) -> Any:
    """Return the label in a row of a flat export; an open task has none."""
    label = row.get(control)
    if isinstance(label, str) and label.startswith('{"choices"'):
        label = _several(label)
    return _one(label.get("choices") if isinstance(label, dict) else label)


def _several(cell: str) -> Any:
    """Return several choices as a CSV holds them; a torn cell stays as it is."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        # Text that is no class, so the row is refused with these words in view.
        return cell


def _one(choices: Any) -> Any:
    """Return the one choice; several stay a list, which is no class."""
    if isinstance(choices, list) and len(choices) == 1:
        return choices[0]
    return choices or None


def _who(annotation: dict[Any, Any], names: dict[str, str]) -> str:
    """Return by whom an answer is, as the names say, or Label Studio's number."""
    user = annotation.get("completed_by", annotation.get("annotator"))
    if isinstance(user, dict):
        user = user.get("email") or user.get("id")
    if user is None or user == "":
        return ""
    if not isinstance(user, (str, int)) or isinstance(user, bool):
        raise InvalidInputError(
            f"its annotator must be a number or an address. Got {user!r:.60} instead"
        )
    return names.get(str(user), str(user))


def _time(updated: Any) -> str | None:
    """Return when an answer was stored, as text whose order is that of time."""
    if updated is None or updated == "":
        return None
    try:
        found = datetime.fromisoformat(updated)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            "its time must be as Label Studio writes it, 2026-11-26T04:03:53.892730Z. "
            f"Got {updated!r:.60} instead: export anew, and open the file in no "
            "spreadsheet before it is told"
        ) from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _names_of(annotators: Any) -> dict[str, str]:
    """Return names by number of the user, as text."""
    if not isinstance(annotators, (Mapping, type(None))):
        raise InvalidInputError(
            "annotators must be a mapping of Label Studio's numbers of users to names. "
            f"Got {type(annotators).__name__} instead."
        )
    return {str(k): check_annotator(v) for k, v in (annotators or {}).items()}

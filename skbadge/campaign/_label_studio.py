"""Label Studio's files: tasks and configuration out, answers in, whatever the export.

What is read was seen in files of a real server (1.23.2): the full JSON has answers and
skips; JSON_MIN and CSV leave skipped tasks out without a word and hold open ones as
rows without a label.
"""

from __future__ import annotations

import json
from numbers import Integral, Real
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from skbadge.campaign._answers import Given
from skbadge.campaign._spreadsheet import parsed, read_text
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_option

__all__ = ["MARK", "Export", "is_export", "labeling_config", "read_export", "tasks_of"]

# Names of ours, that clash with no column.
ID, RANK, CONTROL, OBJECT = "skbadge_id", "skbadge_rank", "skbadge_label", "skbadge_row"
# Of the campaign that asked: another one may have rows with the same ids.
MARK = "skbadge_campaign"
KINDS = ("text", "image", "table")
_TAGS = {"text": "Text", "image": "Image", "table": "Table"}
# As Label Studio serves files of its own machine.
_WHERE_IMAGES_ARE = "/data/local-files/?d="


def _task_kind(pool, kind):
    """Return how rows are shown: as asked for, or by what the pool holds."""
    if kind is not None:
        check_option(kind, "kind", KINDS)
        if kind == "image" and pool.images is None and _one_column(pool) is None:
            raise InvalidInputError(
                'kind="image" needs a folder of images, or one column to show with '
                "their addresses. Got neither: give show=[column]."
            )
        return kind
    if pool.images is not None:
        return "image"
    return "table" if pool.shown is not None and _one_column(pool) is None else "text"


def labeling_config(kind, classes):
    """Return Label Studio's labelling configuration.

    Parameters
    ----------
    kind : {"text", "image", "table"}
    classes : list of str or int
        In the order in which they are shown.

    Returns
    -------
    str
        XML.
    """
    choices = "".join(f"    <Choice value={_attribute(c)}/>\n" for c in classes)
    return (
        "<View>\n"
        f'  <{_TAGS[kind]} name="{OBJECT}" value="${kind}"/>\n'
        f'  <Choices name="{CONTROL}" toName="{OBJECT}" choice="single" '
        'showInLine="true">\n'
        f"{choices}  </Choices>\n</View>\n"
    )


def _attribute(value):
    # A line end in an attribute would be read as a blank.
    return quoteattr(str(value), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def tasks_of(state, pool, *, kind=None, images=None, suggestions=False):
    """Return the open rows as tasks, in the order asked, and how they are shown.

    Parameters
    ----------
    state : State
    pool : Pool
    kind : {"text", "image", "table"} or None
        None for what the pool holds.
    images : str or None
        What stands before the name of an image to make it an address.
    suggestions : bool
        Whether the model's predictions are shown.

    Returns
    -------
    tasks : list of dict
    config : str
        The labelling configuration.
    """
    kind = _task_kind(pool, kind)
    prefix = _WHERE_IMAGES_ARE if images is None else images
    mark = state.settings.get("mark")
    common = {} if mark is None else {MARK: mark}
    batch, tasks = state.batches[-1], []
    for id in state.open_rows():
        item = batch.items[id]
        shown = _shown(pool, id, kind, prefix)
        task = {"data": {ID: id, **common, RANK: item["rank"], kind: shown}}
        if suggestions and item["predicted"] is not None:
            result = {
                "from_name": CONTROL,
                "to_name": OBJECT,
                "type": "choices",
                "value": {"choices": [str(item["predicted"])]},
            }
            task["predictions"] = [
                {
                    "model_version": f"round {batch.number}",
                    "score": item["probability"],
                    "result": [result],
                }
            ]
        tasks.append(task)
    return tasks, labeling_config(kind, state.settings["classes"])


def _one_column(pool):
    """Return the one column that is shown, or None."""
    if pool.shown is None or len(pool.shown.columns) != 1:
        return None
    return pool.shown.columns[0]


def _shown(pool, id, kind, prefix):
    if kind == "image":
        if pool.images is not None:
            return prefix + quote(id)
        return str(pool.shown[_one_column(pool)].iloc[pool.at[id]])
    if pool.shown is None:
        # Rows of numbers alone: the id is all that a person can look up.
        return id if kind == "text" else {"id": id}
    row = pool.shown.iloc[pool.at[id]]
    if kind == "text":
        parts = [str(value) for value in row if not _is_missing(value)]
        return "\n".join(parts)
    return {str(name): _plain(value) for name, value in row.items()}


def _is_missing(value):
    return value is None or (isinstance(value, Real) and np.isnan(value))


def _plain(value):
    """Return a cell as JSON holds it."""
    if isinstance(value, np.generic):
        value = value.item()
    if _is_missing(value):
        return None
    fits = isinstance(value, (str, bool, int)) or (
        isinstance(value, float) and np.isfinite(value)
    )
    return value if fits else str(value)


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

    def __init__(self, kind, given, ids, n_foreign):
        self.kind = kind
        self.given = given
        self.ids = ids
        self.n_foreign = n_foreign

    @property
    def has_skips(self):
        """Whether skipped tasks would be in it."""
        return self.kind == "JSON"


def read_export(source, annotators=None, mark=None):
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
    names = {str(k): str(v) for k, v in (annotators or {}).items()}
    if isinstance(source, (str, Path)):
        source, kind = _of_file(Path(source))
    else:
        kind = "JSON"
        source = _list_of_tasks(source, "The tasks given")
    reader = _of_task if kind == "JSON" else _of_row
    control = None if kind == "JSON" else _control(source)
    given, ids, n_foreign = [], set(), 0
    for task in source:
        data = task.get("data") if kind == "JSON" else task
        id = data.get(ID) if isinstance(data, dict) else None
        if id in (None, ""):
            n_foreign += 1
            continue
        answers = list(reader(str(id), task, names, control))
        if data.get(MARK, mark) != mark:
            given += [Given(id, unreadable=_OF_ANOTHER) for _ in answers[:1]]
            continue
        ids.add(str(id))
        given += answers
    given.sort(key=lambda answer: answer.updated or "")
    return Export(kind, given, ids, n_foreign)


def is_export(path):
    """Whether a file looks like one of Label Studio's rather than a table of labels."""
    head = read_text(path, "Answers").lstrip()
    return head[:1] in ("[", "{") or ID in head.partition("\n")[0]


def _of_file(path):
    """Return the entries of an export file and its kind."""
    text = read_text(path, "An export of Label Studio")
    if text.lstrip()[:1] not in ("[", "{"):
        wanted = {ID, "annotation_id"}
        try:
            frame = parsed(text, wanted)
        except ValueError as error:
            raise _no_export(path, f"a text that is no CSV ({error})") from error
        if not wanted <= set(frame.columns):
            found = f"a CSV with the columns {list(frame.columns[:10])}"
            raise _no_export(path, found)
        return frame.to_dict("records"), "CSV"
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_export(path, f"a text that is no JSON ({error})") from error
    entries = _list_of_tasks(entries, repr(str(path)))
    full = all("annotations" in entry and "data" in entry for entry in entries)
    if not full and not all("annotation_id" in entry for entry in entries):
        raise _no_export(path, "tasks without annotations (is it the file imported?)")
    return entries, "JSON" if full else "JSON_MIN"


def _list_of_tasks(entries, what):
    if isinstance(entries, list) and all(isinstance(e, dict) for e in entries):
        return entries
    raise _no_export(what, "no list of tasks")


def _no_export(what, found):
    what = repr(str(what)) if isinstance(what, Path) else what
    return InvalidInputError(
        f"{what} must be an export of Label Studio in the format JSON, JSON_MIN or "
        f"CSV, of tasks that bear {ID}. Got {found} instead."
    )


def _of_task(id, task, names, _):
    """Yield the answers of a task of the full export; never its predictions."""
    annotations = task.get("annotations") or []
    if not isinstance(annotations, list):
        annotations = [annotations]
    for annotation in annotations:
        answer = _answer_of(id, annotation, names)
        if answer is not None:
            yield answer


def _answer_of(id, annotation, names):
    """Return one person's answer; None for an annotation without a choice."""
    if not isinstance(annotation, dict):
        return Given(id, unreadable=f"{annotation!r:.60} is no annotation")
    who = annotation.get("completed_by")
    who = who.get("email") or who.get("id") if isinstance(who, dict) else who
    updated = annotation.get("updated_at") or annotation.get("created_at")
    if not isinstance(updated, (str, type(None))):
        return Given(id, unreadable=f"its time must be text. Got {updated!r:.60}")
    about = {
        "annotator": _name(who, names),
        "seconds": annotation.get("lead_time"),
        "updated": updated,
    }
    if annotation.get("was_cancelled"):
        return Given(id, skipped=True, reason="skipped in Label Studio", **about)
    results = annotation.get("result") or []
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        return Given(id, unreadable=f"{results!r:.60} is no result of an annotation")
    label = _choice_of(results)
    return None if label is None else Given(id, label, **about)


def _choice_of(results):
    """Return the label among the results of an annotation, or None."""
    choices = [r for r in results if r.get("type") == "choices"]
    own = [r for r in choices if r.get("from_name") == CONTROL]
    # With a configuration of one's own, the one question that was asked.
    found = own or (choices if len(choices) == 1 else [])
    value = found[0].get("value") if found else None
    return _one(value.get("choices") if isinstance(value, dict) else value)


def _control(rows):
    """Return the column of a flat export that holds the labels."""
    columns = {name for row in rows for name in row}
    return CONTROL if CONTROL in columns else "label"


def _of_row(id, row, names, control):
    """Yield the answer of a row of a flat export; an open task has none."""
    label = row.get(control)
    if label in (None, ""):
        return
    if isinstance(label, str) and label.startswith('{"choices"'):
        label = _several(label)
    if isinstance(label, dict):
        label = label.get("choices")
    updated = row.get("updated_at") or row.get("created_at") or None
    if not isinstance(updated, (str, type(None))):
        yield Given(id, unreadable=f"its time must be text. Got {updated!r:.60}")
        return
    yield Given(
        id,
        _one(label),
        annotator=_name(row.get("annotator"), names),
        seconds=row.get("lead_time"),
        updated=updated,
    )


def _several(cell):
    """Return several choices as a CSV holds them; a torn cell stays as it is."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        # Text that is no class, so the row is refused with these words in view.
        return cell


def _one(choices):
    """Return the one choice; several stay a list, which is no class."""
    if isinstance(choices, list) and len(choices) == 1:
        return choices[0]
    return choices or None


def _name(user, names):
    if user is None or user == "":
        return ""
    user = str(int(user)) if isinstance(user, Integral) else str(user)
    return names.get(user, user)

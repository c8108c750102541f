"""Tasks for Label Studio, and the labelling configuration they are shown by."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from skbadge.campaign._pool import Pool
from skbadge.campaign._state import State
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_option

__all__ = ["CONTROL", "ID", "MARK", "labeling_config", "tasks_of"]

# Names of ours, that clash with no column.
ID, RANK, CONTROL, OBJECT = "skbadge_id", "skbadge_rank", "skbadge_label", "skbadge_row"
# Of the campaign that asked: another one may have rows with the same ids.
MARK = "skbadge_campaign"
KINDS = ("text", "image", "table")
_TAGS = {"text": "Text", "image": "Image", "table": "Table"}
# As Label Studio serves files of its own machine.
_WHERE_IMAGES_ARE = "/data/local-files/?d="


def _task_kind(pool: Pool, kind: str | None) -> str:
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


def labeling_config(kind: str, classes: Iterable[Any]) -> str:
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


def _attribute(value: Any) -> str:
    # A line end in an attribute would be read as a blank.
    return quoteattr(str(value), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def tasks_of(
    state: State,
    pool: Pool,
    *,
    kind: str | None = None,
    images: str | None = None,
    suggestions: bool = False,
) -> tuple[list[dict[str, Any]], str]:
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
    batch = state.batches[-1]
    tasks: list[dict[str, Any]] = []
    for id in state.open_rows():
        item = batch.items[id]
        shown = _shown(pool, id, kind, prefix)
        task: dict[str, Any] = {
            "data": {ID: id, **common, RANK: item["rank"], kind: shown}
        }
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


def _one_column(pool: Pool) -> Any:
    """Return the one column that is shown, or None."""
    if pool.shown is None or len(pool.shown.columns) != 1:
        return None
    return pool.shown.columns[0]


def _shown(pool: Pool, id: str, kind: str, prefix: str) -> Any:
    if kind == "image" and pool.images is not None:
        return prefix + quote(id)
    if pool.shown is None:
        # Rows of numbers alone: the id is all that a person can look up.
        return id if kind == "text" else {"id": id}
    if kind == "image":
        return str(pool.shown[_one_column(pool)].iloc[pool.at[id]])
    row = pool.shown.iloc[pool.at[id]]
    if kind == "text":
        parts = [str(value) for value in row if not _is_missing(value)]
        return "\n".join(parts)
    return {str(name): _plain(value) for name, value in row.items()}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, Real) and value != value)


def _plain(value: Any) -> Any:
    """Return a cell as JSON holds it."""
    if isinstance(value, np.generic):
        value = value.item()
    if _is_missing(value):
        return None
    fits = isinstance(value, (str, bool, int)) or (
        isinstance(value, float) and np.isfinite(value)
    )
    return value if fits else str(value)

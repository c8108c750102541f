"""CSV files that people open in a spreadsheet, and send back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from skbadge.campaign._answers import Given
from skbadge.campaign._texts import read_text, write_text
from skbadge.exceptions import InvalidInputError
from skbadge.utils._marks import MARKS, visible

__all__ = ["READ", "parsed", "read_labels", "too_wide", "write_csv"]

# Columns beside the id that are read.
READ = ("label", "annotator", "seconds")
# What a spreadsheet puts between columns, by its language.
_SEPARATORS = (",", ";", "\t")
# What a spreadsheet would take for a formula, or our own mark.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# As characters that are obeyed and not seen are written.
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table, every cell of which `read_labels` gives back as it was.

    Text that a spreadsheet would compute gets a ' before it; control characters, and
    those that turn text around, are written as escapes.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([_guarded(str(name)) for name in frame.columns])
    for row in frame.astype(object).itertuples(index=False, name=None):
        writer.writerow([_guarded(cell) for cell in row])
    write_text(path, buffer.getvalue())


def _guarded(cell: Any) -> Any:
    if cell is None or cell != cell or type(cell).__name__ == "NAType":
        return ""
    if not isinstance(cell, str):
        return cell
    # What looks like an escape already must not become a character when read.
    cell = visible(_ESCAPE.sub(_kept, cell))
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    if cell.startswith("'") and cell[1:].startswith(_FORMULA):
        cell = cell[1:]
    return _ESCAPE.sub(_meant, cell)


def _meant(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char == "\\" or MARKS.match(char) else escape[0]


def _kept(escape: re.Match[str]) -> str:
    return escape[0] if _meant(escape) == escape[0] else f"\\u005c{escape[0][1:]}"


def parsed(text: str, wanted: set[str]) -> tuple[list[str], list[dict[Any, str]]]:
    """Return the names of a CSV's columns, and its rows.

    Parameters
    ----------
    text : str
        With one line of names.
    wanted : set of str
        Columns by which the right separator is known: comma, semicolon or tab.

    Returns
    -------
    columns : list of str
    rows : list of dict of str to str
        Cells by column, empty where the line was short. Under None stands the first
        cell for which there is no column, if it is not empty.

    Raises
    ------
    ValueError
        If it is no CSV, or a wanted column is there twice.
    """
    columns: list[str] = []
    lines: Iterator[list[str]] = iter(())
    for separator in (*_SEPARATORS, _SEPARATORS[0]):
        lines = _lines(text, separator)
        columns = [name.strip() for name in next(lines, [])]
        if wanted <= set(columns):
            break
    twice = sorted(name for name in wanted if columns.count(name) > 1)
    if twice:
        raise ValueError(f"the column {twice[0]} is there twice")
    rows = []
    for cells in lines:
        row: dict[Any, str] = dict.fromkeys(columns, "")
        row.update(zip(columns, cells, strict=False))
        more = [cell for cell in cells[len(columns) :] if cell]
        rows.append({**row, None: more[0]} if more else row)
    return columns, rows


def _lines(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the cells of each line that has any, as RFC 4180 has them.

    By hand, since the reader of the standard library refuses long cells, and that of
    pandas drops what is too much in a line.
    """
    end = rf"({separator}|\r\n|\r|\n|\Z)"
    quoted = re.compile(rf'"([^"]*(?:""[^"]*)*)"{end}')
    plain = re.compile(rf"([^{separator}\r\n]*){end}")
    at = 0
    cells: list[str] = []
    while True:
        is_quoted = text.startswith('"', at)
        found = (quoted if is_quoted else plain).match(text, at)
        if found is None:
            raise ValueError(
                f"the cell {text[at : at + 30]!r} has no closing quote, or one too many"
            )
        cell, ending = found.groups()
        cells.append(cell.replace('""', '"') if is_quoted else cell)
        at = found.end()
        if ending == separator:
            continue
        if any(cells):
            yield cells
        cells = []
        if at == len(text):
            return


def read_labels(path: str | Path, annotator: str = "") -> list[Given]:
    """Read answers from a CSV with the columns ``id`` and ``label``.

    Parameters
    ----------
    path : str or Path
        Columns are parted by comma, semicolon or tab. May have the columns
        ``annotator`` and ``seconds`` too. Rows without a label are not answered yet.
    annotator : str
        Of rows that name none.

    Returns
    -------
    list of Given

    Raises
    ------
    InvalidInputError
        If it cannot be read, or the columns are not there.
    """
    text = read_text(path, "A file of labels")
    if not text.strip():
        return []
    try:
        columns, rows = parsed(text, {"id", "label"})
    except ValueError as error:
        raise InvalidInputError(
            f"A file of labels must be a CSV with the columns id and label. Got "
            f"{str(path)!r}, which cannot be read as one: {error}."
        ) from error
    if not {"id", "label"} <= set(columns):
        raise InvalidInputError(
            f"A file of labels must have the columns id and label. Got {columns[:10]} "
            f"in {str(path)!r} instead: name the column of the ids id and that of the "
            "labels label, in the first line."
        )
    return [_given(row, annotator) for row in rows if row["label"]]


def too_wide(row: dict[Any, Any]) -> str:
    """Return what is wrong with a row that has more cells than columns, or nothing."""
    if None not in row:
        return ""
    return (
        f"its line has the cell {row[None]!r:.60}, for which there is no column: put "
        "cells that hold a separator in quotes"
    )


def _given(row: dict[Any, str], annotator: str) -> Given:
    own = _unguarded(row.get("annotator", ""))
    return Given(
        _unguarded(row["id"]),
        _unguarded(row["label"]),
        own.strip() or annotator,
        row.get("seconds", "").strip(),
        unreadable=too_wide(row),
    )

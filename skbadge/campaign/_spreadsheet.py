"""CSV files that people open in a spreadsheet, and send back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from skbadge.campaign._answers import Given
from skbadge.exceptions import InvalidInputError
from skbadge.utils._files import write_file

__all__ = ["read_labels", "write_csv"]

# What a spreadsheet would take for a formula, or our own mark.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def write_csv(path, frame):
    """Write a table; text that a spreadsheet would compute gets a ' before it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([_guarded(str(name)) for name in frame.columns])
    for row in frame.astype(object).itertuples(index=False, name=None):
        writer.writerow([_guarded(cell) for cell in row])
    write_file(path, buffer.getvalue())


def _guarded(cell):
    if cell is None or cell != cell or type(cell).__name__ == "NAType":
        return ""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def _unguarded(cell):
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def read_labels(path, annotator=""):
    """Read answers from a CSV with the columns ``id`` and ``label``.

    Parameters
    ----------
    path : str or Path
        May have the columns ``annotator`` and ``seconds`` too. Rows without a label are
        not answered yet.
    annotator : str
        Of rows that name none.

    Returns
    -------
    list of Given

    Raises
    ------
    InvalidInputError
        If the columns are not there.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
            columns = list(rows[0]) if rows else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(
            f"Labels must stand in a readable CSV file. Got {str(path)!r}: {error}"
        ) from error
    if rows and not {"id", "label"} <= set(columns):
        raise InvalidInputError(
            f"A file of labels must have the columns id and label. Got {columns[:10]} "
            f"in {str(path)!r} instead."
        )
    return [
        Given(
            _unguarded(row["id"] or ""),
            _unguarded(row["label"]),
            _unguarded(row.get("annotator") or "") or annotator,
            float(row["seconds"]) if row.get("seconds") else None,
        )
        for row in rows
        if row["label"]
    ]

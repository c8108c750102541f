"""CSV files that people open in a spreadsheet, and send back."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

import pandas as pd

from skbadge.campaign._answers import Given
from skbadge.exceptions import InvalidInputError
from skbadge.utils._files import write_file

__all__ = ["parsed", "read_labels", "read_text", "write_csv"]

# What a spreadsheet puts between columns, by its language.
_SEPARATORS = (",", ";", "\t")
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


def read_text(path, what):
    """Return the text of a file that people were asked for.

    Parameters
    ----------
    path : str or Path
        UTF-8, or UTF-16 with its mark, as spreadsheets write "Unicode text".
    what : str
        What the file should be, to begin a sentence with.

    Returns
    -------
    str

    Raises
    ------
    InvalidInputError
        If it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"{what} must be a readable UTF-8 file. Got {str(path)!r}: "
            f"{error.strerror}. Check the name and the folder."
        ) from error
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{what} must be a readable UTF-8 file. Got {str(path)!r}: {error}. Save "
            'it as UTF-8; spreadsheets call that "CSV UTF-8".'
        ) from error


def parsed(text, wanted):
    """Return the cells of a CSV as text, whatever stands between its columns.

    Parameters
    ----------
    text : str
        With one line of names.
    wanted : set of str
        Columns by which the right separator is known: comma, semicolon or tab.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If it is no CSV.
    """

    def table(separator, **more):
        # pandas, since the reader of the standard library refuses long cells.
        return pd.read_csv(
            io.StringIO(text, newline=""),
            sep=separator,
            dtype=str,
            na_filter=False,
            index_col=False,
            **more,
        )

    fitting = (s for s in _SEPARATORS if wanted <= set(table(s, nrows=0).columns))
    return table(next(fitting, ","))


def read_labels(path, annotator=""):
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
        frame = parsed(text, {"id", "label"})
    except ValueError as error:
        raise InvalidInputError(
            f"A file of labels must be a CSV with the columns id and label. Got "
            f"{str(path)!r}, which cannot be read as one: {error}"
        ) from error
    if not {"id", "label"} <= set(frame.columns):
        raise InvalidInputError(
            "A file of labels must have the columns id and label. Got "
            f"{list(frame.columns[:10])} in {str(path)!r} instead: name the column of "
            "the ids id and that of the labels label, in the first line."
        )
    return [
        Given(
            _unguarded(row["id"]),
            _unguarded(row["label"]),
            _unguarded(row.get("annotator", "")) or annotator,
            row.get("seconds"),
        )
        for row in frame.to_dict("records")
        if row["label"]
    ]

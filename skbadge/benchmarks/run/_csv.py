"""Tables as CSV that a spreadsheet shows and does not obey."""

from __future__ import annotations

import re

import pandas as pd

from skbadge.exceptions import InvalidInputError

__all__ = ["as_csv", "read_csv"]

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Control characters but for line ends and tabulators, and marks of direction.
_MARKS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def as_csv(frame):
    """Return a table as CSV that a spreadsheet opens without obeying any cell.

    Texts come from names of files and from errors: one that begins like a formula gets
    an apostrophe before it, control and direction marks are escaped.
    """
    texts = {
        name: frame[name].map(_harmless)
        for name in frame
        if not pd.api.types.is_numeric_dtype(frame[name])
    }
    frame = frame.assign(**texts).rename(columns=_harmless)
    return frame.to_csv(index=False, lineterminator="\n")


def _harmless(value):
    if not isinstance(value, str):
        return value
    value = _MARKS.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
    return f"'{value}" if value.startswith(_FORMULA) else value


def read_csv(path):
    """Return a table that `as_csv` wrote.

    Raises
    ------
    InvalidInputError
        If it cannot be read.
    """
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{path} must be a table that the benchmark wrote. It cannot be read: "
            f"{error}"
        ) from error
    for name in frame.select_dtypes(include=["object", "string"]):
        frame[name] = frame[name].map(
            lambda value: (
                value[1:]
                if isinstance(value, str)
                and value[1:].startswith(_FORMULA)
                and value.startswith("'")
                else value
            )
        )
    return frame

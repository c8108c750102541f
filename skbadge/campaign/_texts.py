"""Text files that people give and get: encodings, and words where one is missing."""

from __future__ import annotations

import codecs
from pathlib import Path

from skbadge.exceptions import InvalidInputError
from skbadge.utils._files import write_file

__all__ = ["encoding_of", "read_text", "write_text"]


def encoding_of(start: bytes) -> str:
    """Return how a text file is encoded, by its first bytes.

    Parameters
    ----------
    start : bytes
        Two at least, where the file has them.

    Returns
    -------
    str
        UTF-16 with its mark, as spreadsheets write "Unicode text"; otherwise UTF-8.
    """
    marked = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if marked else "utf-8-sig"


def read_text(path: str | Path, what: str) -> str:
    """Return the text of a file that people were asked for.

    Parameters
    ----------
    path : str or Path
        UTF-8, or UTF-16 with its mark.
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
    try:
        return data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{what} must be a readable UTF-8 file. Got {str(path)!r}: {error}. Save "
            'it as UTF-8; spreadsheets call that "CSV UTF-8".'
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a file for people, whole or not at all.

    Raises
    ------
    InvalidInputError
        If there is no such folder, or it cannot be written.
    """
    try:
        write_file(path, text)
    except OSError as error:
        raise InvalidInputError(
            f"A file is to be written where there is a folder and room. Got "
            f"{str(path)!r}: {error.strerror}. Give another name, or make the folder."
        ) from error

"""JSON with a checksum; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from skbadge.exceptions import InvalidInputError
from skbadge.utils._files import write_file

__all__ = ["SCHEMA", "canonical", "digest", "read_json", "write_json"]

SCHEMA = 1


def write_json(path, content, *, durable=True):
    """Write plain lists, dicts, strings and finite numbers with a checksum.

    Parameters
    ----------
    path : str or Path
        The file.
    content : dict
        What to write.
    durable : bool, default=True
        Wait until the disk has it, so that it outlives a power cut.
    """
    text = canonical(content)
    envelope = f'{{"schema":{SCHEMA},"sha256":"{digest(text)}","content":{text}}}\n'
    write_file(path, envelope, durable=durable)


def read_json(path):
    """Return what `write_json` wrote, if it is still just that.

    Raises
    ------
    InvalidInputError
        If the file is not what was written: cut off, altered, of another version.
    """
    try:
        envelope = json.loads(Path(path).read_bytes())
        schema, checksum = envelope["schema"], envelope["sha256"]
        content = envelope["content"]
        # A ValueError for the numbers that JSON lacks: NaN, and those beyond a float.
        text = canonical(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError(
            f"{path} must be a file written by the benchmark. Got one that cannot be "
            f"read ({type(error).__name__}): it is damaged."
        ) from error
    if schema != SCHEMA:
        raise InvalidInputError(
            f"{path} must have version {SCHEMA} of the format. Got version {schema!r}."
        )
    if digest(text) != checksum:
        raise InvalidInputError(
            f"{path} must hold what its checksum says. Got other content: it is "
            "damaged."
        )
    return content


def canonical(content):
    """Return JSON text that is the same for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text):
    """Return the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()

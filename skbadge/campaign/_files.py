"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_atomically", "write_file"]


def write_atomically(path, write):
    """Have a file written under another name, then give it its own in one step.

    Parameters
    ----------
    path : str or Path
        An existing file is replaced.
    write : callable
        Takes the path to write to.
    """
    path = Path(path)
    # The name of the process keeps two that write at once from sharing a file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()


def write_file(path, text):
    """Write a text file as UTF-8, with its line ends as they are."""

    def write(partial):
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    write_atomically(path, write)

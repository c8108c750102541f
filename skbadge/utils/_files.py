"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_atomically", "write_file"]


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Have a file written under another name, then give it its own in one step.

    Parameters
    ----------
    path : str or Path
        An existing file is replaced.
    write : callable
        Takes the path to write to.
    """
    path = Path(path)
    # A name of its own keeps two that write at once from sharing a file.
    name = f".{path.name[:80]}.{secrets.token_hex(8)}.partial"
    partial = path.with_name(name)
    try:
        write(partial)
        _sync(partial, os.O_RDWR)
        os.replace(partial, path)
        if os.name == "posix":
            # The new name, too, has to be on the disk.
            _sync(path.parent, os.O_RDONLY)
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path, how: int) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, how)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: str | Path, text: str) -> None:
    """Write a text file as UTF-8, with its line ends as they are."""

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)

    write_atomically(path, write)

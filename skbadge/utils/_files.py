"""Files that are there whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from skbadge.utils._interrupt import surely

__all__ = ["write_atomically", "write_file"]

# What file systems that keep no names to themselves (network shares) and folders that
# may be written to but not be read answer to the wish to sync a folder.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)


def write_atomically(
    path: str | Path, write: Callable[[Path], object], *, durable: bool = True
) -> None:
    """Have a file written under another name, then give it its own in one step.

    Parameters
    ----------
    path : str or Path
        An existing file is replaced.
    write : callable
        Takes the path to write to.
    durable : bool, default=True
        Wait until the disk has it, so that it outlives a power cut.

    Raises
    ------
    OSError
        With the name of the file: "No space left on device" alone does not say where.
    """
    path = Path(path)
    # A name of its own keeps two that write at once, threads or machines, from sharing
    # a file.
    partial = path.with_name(f".{path.name[:80]}.{secrets.token_hex(8)}.partial")
    try:
        write(partial)
        if durable:
            _sync(partial, os.O_RDWR)
        os.replace(partial, path)
        if durable and os.name == "posix":
            _sync_folder(path.parent)
    except OSError as error:
        said = error.strerror or str(error)
        raise OSError(error.errno, said, str(path)) from error
    finally:
        surely(lambda: partial.unlink(missing_ok=True))


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has a new name too, where the file system lets one wait."""
    try:
        _sync(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sync(path: Path, how: int) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, how)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: str | Path, text: str, *, durable: bool = True) -> None:
    """Write a text file as UTF-8, with its line ends as they are.

    Parameters
    ----------
    path, durable
        As for `write_atomically`.
    text : str
        What to write.
    """

    def write(partial: Path) -> None:
        with partial.open("x", encoding="utf-8", newline="") as file:
            file.write(text)

    write_atomically(path, write, durable=durable)

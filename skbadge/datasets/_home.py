"""Verified copies of downloaded data on disk."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from skbadge.exceptions import DataUnavailableError

__all__ = ["get_data_home"]


def get_data_home(data_home: str | Path | None = None) -> Path:
    """Return the folder in which skbadge keeps downloaded data.

    Parameters
    ----------
    data_home : str, path or None, default=None
        The folder. None takes the environment variable ``SKBADGE_DATA``, or else
        ``skbadge_data`` in the user's home.

    Returns
    -------
    pathlib.Path
        It need not exist; it is made when something is first kept there.

    Examples
    --------
    >>> from skbadge.datasets import get_data_home
    >>> get_data_home("somewhere").name
    'somewhere'
    """
    if data_home is None:
        data_home = os.environ.get("SKBADGE_DATA") or Path("~", "skbadge_data")
    return Path(data_home).expanduser()


def read_copy(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Return the arrays kept at ``path`` and the facts kept beside them.

    Parameters
    ----------
    path : Path
        The ``.npz`` file.

    Returns
    -------
    (dict of ndarray, dict) or None
        None if there is no copy.

    Raises
    ------
    DataUnavailableError
        If the copy is not what was once written.
    """
    record = path.with_suffix(".json")
    if not path.exists() or not record.exists():
        return None
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        digest = _checksum(path)
        if digest != facts["sha256"]:
            raise DataUnavailableError(
                f"The data kept in {path} must have the sha256 checksum "
                f"{facts['sha256']}. Got {digest} instead: the file is damaged."
            )
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive), facts
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataUnavailableError(
            f"The data kept in {path} must be a readable archive with a record beside "
            f"it. Got an error instead: {error}"
        ) from error


def write_copy(
    path: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any]
) -> None:
    """Keep arrays at ``path``, so that a reader sees the old copy or the new one.

    Parameters
    ----------
    path : Path
        The ``.npz`` file. A record with the checksum is written beside it.
    arrays : dict of ndarray
        What to keep; no objects.
    facts : dict
        What the record shall say besides.

    Warns
    -----
    UserWarning
        If it cannot be kept, with the reason: no room, or a folder that cannot be
        written to. What was there before is still there, or counts as damaged.
    """
    try:
        _write(path, arrays, facts)
    except OSError as error:
        warnings.warn(
            f"What was downloaded cannot be kept at {path} ({error.strerror or error}):"
            " it is downloaded again next time. Make room there, or name another "
            "folder with data_home or the environment variable SKBADGE_DATA.",
            UserWarning,
            stacklevel=3,
        )


def _write(path: Path, arrays: dict[str, Any], facts: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        data, record = Path(folder, "data.npz"), Path(folder, "record.json")
        np.savez(data, **arrays)
        facts = {**facts, "sha256": _checksum(data)}
        record.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        # A stop between the two leaves a record that does not fit: the copy then counts
        # as damaged and is fetched anew, never taken for good.
        os.replace(data, path)
        os.replace(record, path.with_suffix(".json"))


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

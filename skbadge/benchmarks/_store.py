"""Finished cells on disk: written in one step, checked when read, never mixed up.

A folder of results holds one file for each finished cell, one for each cell under way
(its checkpoint) and one for each that failed. All are JSON in an envelope with the
version of the format and a checksum; nothing is ever unpickled. The name of a file ends
in the fingerprint of the cell's settings, so that results of other settings are other
files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import warnings
from collections import Counter
from pathlib import Path

import pandas as pd

from skbadge.exceptions import InvalidInputError

__all__ = ["CellStore", "read_json", "write_atomically", "write_json"]

SCHEMA = 1
RUN_AGAIN = "The cell is run again."
# Seconds after which a half-written file has no process any more. Asking whether its
# process lives would be wrong for one on another machine.
LONGEST_WRITE = 600
KEY = ("dataset", "model", "batch_size", "strategy", "repeat")
RESULTS = (
    *KEY,
    "round",
    "n_labeled",
    "accuracy",
    "train_accuracy",
    "epochs",
    "hit_max_epochs",
    "positions",
)
COSTS = (
    *KEY,
    "round",
    "n_labeled",
    "fit_seconds",
    "embed_seconds",
    "select_seconds",
    "peak_memory_mb",
)
FAILURES = (*KEY, "error", "traceback")


def write_atomically(path, text, *, durable=True):
    """Write a text file so that there is never a half-written one under its name.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced in one step.
    text : str
        Written as UTF-8, with its line ends as they are.
    durable : bool, default=True
        Wait until the disk has it, so that it outlives a power cut.
    """
    # The name of the process keeps two that write at once from sharing a file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path, content, *, durable=True):
    """Write plain lists, dicts, strings and finite numbers with a checksum.

    Parameters
    ----------
    path : str or Path
        The file.
    content : dict
        What to write.
    durable : bool, default=True
        As for `write_atomically`.
    """
    text = canonical(content)
    envelope = f'{{"schema":{SCHEMA},"sha256":"{digest(text)}","content":{text}}}\n'
    write_atomically(Path(path), envelope, durable=durable)


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


class CellStore:
    """The folder of one experiment.

    Parameters
    ----------
    directory : str or Path
        Made on the first write.
    """

    def __init__(self, directory):
        self.directory = Path(directory)
        self.cells = self.directory / "cells"

    def path(self, cell, kind=""):
        """Return the file of a cell; ``kind`` is "", ".partial" or ".failed"."""
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", cell.dataset)
        name = f"{label}-{cell.model}-{cell.batch_size}-{cell.strategy}-{cell.repeat}"
        return self.cells / f"{name}-{cell.fingerprint()[:16]}{kind}.json"

    def make(self):
        """Make the folders, and clear the way for what will be written there.

        What a killed process left half written goes; a folder that has the name of a
        cell's file, which no file could replace, gets another name.

        Raises
        ------
        InvalidInputError
            If that is not possible.
        """
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(
                "The output folder must be one that can be made and written to. Got "
                f"{str(self.directory)!r} instead: {error.strerror}."
            ) from error
        for folder in (self.directory, self.cells):
            for partial in folder.glob(".*.[0-9]*.partial"):
                if time.time() - partial.stat().st_mtime > LONGEST_WRITE:
                    partial.unlink(missing_ok=True)
        for path in self.cells.glob("*.json"):
            if path.is_dir():
                path.rename(path.with_name(f"{path.name}.{os.getpid()}.aside"))

    def read(self, cell, kind="", *, damaged=RUN_AGAIN):
        """Return the content of a cell's file; None where there is none to be used.

        A damaged file is not used; a warning says so, and ``damaged``.
        """
        path = self.path(cell, kind)
        if not path.exists():
            return None
        try:
            content = read_json(path)
            found = content.get("settings") if isinstance(content, dict) else None
            if found != cell.settings():
                raise InvalidInputError(
                    f"{path} must hold the cell of its name. Got another cell's file."
                )
        except InvalidInputError as problem:
            warnings.warn(f"{problem} {damaged}", UserWarning, stacklevel=2)
            return None
        return content

    def write(self, cell, content):
        """Store a finished cell, and drop its checkpoint and its failure."""
        write_json(self.path(cell), content)
        for kind in (".partial", ".failed"):
            self.path(cell, kind).unlink(missing_ok=True)

    def write_failure(self, cell, content):
        """Store what stopped a cell."""
        write_json(self.path(cell, ".failed"), content)

    def forget(self, cell):
        """Drop all files of a cell."""
        for kind in ("", ".partial", ".failed"):
            self.path(cell, kind).unlink(missing_ok=True)

    def tables(self, cells, *, damaged=RUN_AGAIN):
        """Return the tables of those cells that are there.

        Returns
        -------
        results, costs, failures : DataFrame
            Sorted by cell and round.
        missing : list of Cell
            Those neither finished nor failed.
        environments : list of dict
            What cells were run with, and how many.
        """
        results, costs, failures, missing, environments = [], [], [], [], Counter()
        for cell in cells:
            content = self.read(cell, damaged=damaged)
            if content is not None:
                for record in content["records"]:
                    results.append(cell.key | _result(record))
                    costs.append(cell.key | record)
                environments[canonical(content["environment"])] += 1
                continue
            failure = self.read(cell, ".failed", damaged=damaged)
            if failure is None:
                missing.append(cell)
            else:
                failures.append(cell.key | failure)
        return (
            _sorted(results, RESULTS, [*KEY, "round"]),
            _sorted(costs, COSTS, [*KEY, "round"]),
            _sorted(failures, FAILURES, list(KEY)),
            missing,
            [json.loads(text) | {"cells": n} for text, n in environments.items()],
        )

    def write_tables(self, results, costs, failures):
        """Write ``results.csv``, ``costs.csv`` and, if there are any, failures."""
        # Floats are written as the shortest text that reads back as the same number:
        # exact, and the same on every machine.
        write_atomically(self.directory / "results.csv", _csv(results))
        costs = costs.round({"fit_seconds": 6, "embed_seconds": 6, "select_seconds": 6})
        write_atomically(self.directory / "costs.csv", _csv(costs))
        path = self.directory / "failures.csv"
        if len(failures):
            write_atomically(path, _csv(failures))
        else:
            path.unlink(missing_ok=True)


def _result(record):
    return record | {"positions": " ".join(map(str, record["positions"]))}


def _sorted(rows, columns, by):
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.sort_values(by, kind="stable", ignore_index=True)


def _csv(frame):
    return frame.to_csv(index=False, lineterminator="\n")

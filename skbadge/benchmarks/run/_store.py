"""Finished cells on disk: written in one step, checked when read, never mixed up.

A folder of results holds one file for each finished cell, one for each cell under way
(its checkpoint) and one for each that failed. All are JSON in an envelope with the
version of the format and a checksum; nothing is ever unpickled. The name of a file ends
in the fingerprint of the cell's settings, so that results of other settings are other
files.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd

try:
    import fcntl
except ImportError:  # Windows has no such module.
    fcntl = None  # type: ignore[assignment]

from skbadge.benchmarks.run._csv import as_csv
from skbadge.benchmarks.run._json import (
    canonical,
    read_json,
    write_json,
)
from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.utils._files import write_file

__all__ = [
    "KEY",
    "MADE_OF_CELLS",
    "PICTURE",
    "SETTINGS",
    "TABLES",
    "CellStore",
    "told_of_the_disk",
]

CELLS = "cells"
#: What is made of the cells: tables, pictures, pages.
MADE_OF_CELLS = (
    "area_under_budget_curve.csv",
    "arm_shares.csv",
    "chance_matrix.csv",
    "costs.csv",
    "failures.csv",
    "label_budgets.csv",
    "learning_curves.csv",
    "learning_curves.png",
    "normalized_error_cdf.csv",
    "normalized_errors.csv",
    "penalty_comparisons.csv",
    "penalty_matrix.csv",
    "ranks_by_part.csv",
    "report.html",
    "results.csv",
    "running_times.csv",
    "running_times_total.csv",
    "settings.json",
    "win_shares.csv",
)
RUN_AGAIN = "The cell is run again."
# Seconds after which a half-written file has no process any more. Asking whether its
# process lives would be wrong for one on another machine.
LONGEST_WRITE = 600
_LONGEST_LABEL = 40
SETTINGS = "settings.json"
TABLES = ("results.csv", "costs.csv", "failures.csv")
PICTURE = "learning_curves.png"
KEY = ("dataset", "model", "batch_size", "strategy", "repeat")
RESULTS = (
    *KEY,
    "round",
    "n_labeled",
    "accuracy",
    "train_accuracy",
    "epochs",
    "hit_max_epochs",
    "arm",
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


@contextmanager
def told_of_the_disk():
    """Say of what cannot be written that nothing is lost, and what to do.

    Raises
    ------
    SkbadgeError
        From the error of the disk, with the name of the file.
    """
    try:
        yield
    except OSError as error:
        raise SkbadgeError(
            f"A file of the benchmark cannot be written: {error}. Finished cells are "
            "kept: make room, or make the folder one that may be written to, and give "
            "the same command again, which goes on."
        ) from error


class CellStore:
    """The folder of one experiment.

    Parameters
    ----------
    directory : str or Path
        Made on the first write.
    """

    def __init__(self, directory):
        self.directory = Path(directory)
        self.cells = self.directory / CELLS

    def path(self, cell, kind=""):
        """Return the file of a cell; ``kind`` is "", ".partial" or ".failed"."""
        return self._path(cell, kind, cell.fingerprint())

    def _path(self, cell, kind, fingerprint):
        name = "-".join(
            re.sub(r"[^A-Za-z0-9_.-]", "_", str(part))[:_LONGEST_LABEL]
            for part in cell.key.values()
        )
        return self.cells / f"{name}-{fingerprint[:16]}{kind}.json"

    def _find(self, cell, kind):
        """Return the file of a cell, also under the name it had in earlier versions.

        There the device was part of the fingerprint.
        """
        path = self.path(cell, kind)
        if path.exists():
            return path
        for device in ("cpu", cell.device):
            before = self._path(cell, kind, cell.fingerprint(device=device))
            if before.exists():
                return before
        return path

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
            for partial in folder.glob(".*.partial"):
                # Another run may have given it its name just now, or done the same.
                with suppress(FileNotFoundError):
                    if time.time() - partial.stat().st_mtime > LONGEST_WRITE:
                        partial.unlink()
        for path in self.cells.glob("*.json"):
            if path.is_dir():
                self._rename(path, "aside")

    @contextmanager
    def alone(self):
        """Hold the folder, so that no other run changes its list meanwhile.

        A process that dies holds nothing any more. Where there are no locks, as on
        Windows and on some network shares, two runs that end within the same moment
        may write tables that lack cells of one of them; `load_grid` of another run
        writes them anew.
        """
        if fcntl is None or not self.directory.is_dir():
            yield
            return
        folder = os.open(self.directory, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _rename(self, path, ending):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}.{ending}"))

    def in_the_way(self):
        """Return the names of files that the tables and their list would replace."""
        names = (SETTINGS, *TABLES)
        return [name for name in names if os.path.lexists(self.directory / name)]

    def set_aside(self):
        """Move all that is there into a folder of its own, so that all is run anew.

        Returns
        -------
        Path or None
            The folder, which can be read and reported like any other; None if there
            was nothing.
        """
        # The list of the cells comes last: until then, a run that is killed here
        # leaves a folder with which the next one can go on.
        names = sorted([CELLS, *MADE_OF_CELLS], key=SETTINGS.__eq__)
        there = [self.directory / name for name in names]
        return self._moved([path for path in there if os.path.lexists(path)], "old")

    def set_tables_aside(self):
        """Move what was made of cells that leave, so that it stands beside no others.

        Returns
        -------
        Path or None
            The folder that holds it; None if there was nothing.
        """
        there = [self.directory / name for name in MADE_OF_CELLS]
        return self._moved([path for path in there if path.is_file()], "tables.old")

    def _moved(self, paths, name):
        """Move files into a new folder of a name with a number, if there are any."""
        if not paths:
            return None
        number = 1
        while (aside := self.directory / f"{name}-{number}").exists():
            number += 1
        aside.mkdir()
        for path in paths:
            path.rename(aside / path.name)
        return aside

    def set_cell_aside(self, cell, kind=""):
        """Keep a file of a cell under another name, if it is there."""
        self._rename(self._find(cell, kind), "other")

    def read(self, cell, kind="", *, damaged=RUN_AGAIN):
        """Return the content of a cell's file; None where there is none to be used.

        A damaged file is not used; a warning says so, and ``damaged``.
        """
        path = self._find(cell, kind)
        if not path.exists():
            return None
        try:
            content = read_json(path)
            found = content.get("settings") if isinstance(content, dict) else None
            if not isinstance(found, dict) or cell.settings() != {
                name: value for name, value in found.items() if name != "device"
            }:
                raise InvalidInputError(
                    f"{path} must hold the cell of its name. Got another cell's file."
                )
            check_content(path, content, kind)
        except InvalidInputError as problem:
            # Another run may have finished the cell just now, and dropped the file.
            if not isinstance(problem.__cause__, FileNotFoundError):
                warnings.warn(f"{problem} {damaged}", UserWarning, stacklevel=2)
            return None
        return content

    def count_rounds(self, cell):
        """Return how many rounds the checkpoint of a cell holds; 0 without a whole one.

        Another process may be about to replace it or to take it away.
        """
        try:
            content = read_json(self.path(cell, ".partial"))
            return len(content["records"])
        except (OSError, InvalidInputError, KeyError, TypeError):
            return 0

    @told_of_the_disk()
    def write(self, cell, content):
        """Store a finished cell, and drop its checkpoint and its failure."""
        write_json(self.path(cell), content)
        self.tidy(cell)

    def tidy(self, cell):
        """Drop the checkpoint and the failure of a finished cell."""
        for kind in (".partial", ".failed"):
            self.path(cell, kind).unlink(missing_ok=True)

    @told_of_the_disk()
    def write_failure(self, cell, content):
        """Store what stopped a cell."""
        write_json(self.path(cell, ".failed"), content)

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
                made_of = content.get("made_of") or {}
                version = {"skbadge": made_of.get("skbadge", "not recorded")}
                environments[canonical(version | content["environment"])] += 1
                continue
            failure = self.read(cell, ".failed", damaged=damaged)
            if failure is None:
                missing.append(cell)
            else:
                failures.append(cell.key | failure)
        metrics = dict.fromkeys(name for cell in cells for name in cell.metrics)
        columns = [*RESULTS[:8], *metrics, *RESULTS[8:]]
        return (
            _sorted(results, columns, [*KEY, "round"]),
            _sorted(costs, COSTS, [*KEY, "round"]),
            _sorted(failures, FAILURES, list(KEY)),
            missing,
            [json.loads(text) | {"cells": n} for text, n in environments.items()],
        )

    @told_of_the_disk()
    def write_tables(self, results, costs, failures):
        """Write ``results.csv``, ``costs.csv`` and, if there are any, failures."""
        # Floats are written as the shortest text that reads back as the same number:
        # exact, and the same on every machine.
        results_path, costs_path, path = (self.directory / name for name in TABLES)
        write_file(results_path, as_csv(results))
        costs = costs.round({"fit_seconds": 6, "embed_seconds": 6, "select_seconds": 6})
        write_file(costs_path, as_csv(costs))
        if len(failures):
            write_file(path, as_csv(failures))
        else:
            path.unlink(missing_ok=True)


def _result(record):
    return record | {"positions": " ".join(map(str, record["positions"]))}


def _sorted(rows, columns, by):
    # What is not known is NaN in every column, as in a table that is read.
    frame = pd.DataFrame(rows, columns=list(columns)).fillna(np.nan)
    return frame.sort_values(by, kind="stable", ignore_index=True)


_KINDS_OF_VALUE = {
    "round": int,
    "n_labeled": int,
    "accuracy": (int, float),
    "epochs": int,
    "hit_max_epochs": bool,
    "positions": list,
}
# Not known everywhere: there, they are null, and missing from files of versions that
# did not record them.
_KINDS_OR_NOTHING = {
    "train_accuracy": (int, float),
    "fit_seconds": (int, float),
    "embed_seconds": (int, float),
    "select_seconds": (int, float),
    "peak_memory_mb": (int, float),
    "arm": str,
}


def check_content(path, content, kind):
    """Refuse a file whose checksum is right and whose content is none of a cell.

    Raises
    ------
    InvalidInputError
        If a part is missing or of another type.
    """
    if kind == ".failed":
        parts = {"error": str, "traceback": str}
    else:
        parts = {"records": list, "seconds": (int, float)}
        parts |= {"environment": dict} if kind == "" else {"simulation": dict}
    problem = _misfit(content, parts)
    for record in content["records"] if not problem and "records" in parts else ():
        problem = problem or _misfit_of_record(record)
    if problem:
        raise InvalidInputError(
            f"{path} must hold what the benchmark writes of a cell. Got {problem}: it "
            "is damaged or was written by something else."
        )


def _misfit_of_record(record):
    if not isinstance(record, dict):
        return "a record that is no mapping"
    there = {
        name: kinds
        for name, kinds in _KINDS_OR_NOTHING.items()
        if record.get(name) is not None
    }
    return _misfit(record, _KINDS_OF_VALUE | there)


def _misfit(content, parts):
    for name, kinds in parts.items():
        value = content.get(name)
        if not isinstance(value, kinds) or (
            isinstance(value, bool) and kinds is not bool
        ):
            return f"{name!r} of type {type(value).__name__}"
    return ""

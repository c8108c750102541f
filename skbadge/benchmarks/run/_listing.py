"""The list of all cells of a folder, ``settings.json``, of which its tables are made.

Several runs may fill one folder, also at the same time: whoever changes the list reads
it first, holding the folder.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import asdict

from skbadge.benchmarks.run._deviations import without_read_off
from skbadge.benchmarks.run._settings import Cell, from_settings
from skbadge.benchmarks.run._store import SETTINGS, told_of_the_disk
from skbadge.benchmarks.run._together import merged
from skbadge.exceptions import InvalidInputError
from skbadge.utils._files import write_file

__all__ = [
    "NO_LIST",
    "about_all",
    "cells_of",
    "check_cells",
    "earlier",
    "joined",
    "read_listing",
    "what_is_there",
    "write_listing",
]

# What reading a list of cells that is none may raise.
NO_LIST = (OSError, ValueError, KeyError, TypeError, RecursionError)


def check_cells(cells):
    """Return cells as a list; refuse what is none, and cells of the same name."""
    cells = list(cells)
    if not cells or not all(isinstance(cell, Cell) for cell in cells):
        raise InvalidInputError(
            f"cells must be a sequence of at least one Cell. Got {cells[:3]!r} instead."
        )
    counts = Counter(tuple(cell.key.values()) for cell in cells)
    key, count = counts.most_common(1)[0]
    if count > 1:
        raise InvalidInputError(
            "Each cell of an experiment must have its own dataset, model, batch_size, "
            f"strategy and repeat. Got {key} {count} times: use one folder for each "
            "setting."
        )
    return cells


def read_listing(store):
    """Return what ``settings.json`` says, and its cells."""
    path = store.directory / SETTINGS
    settings = json.loads(path.read_text(encoding="utf-8"))
    for part in ("about", "summary"):
        if not isinstance(settings.setdefault(part, {}), dict):
            raise ValueError(f"{part} is no mapping")
    return settings, check_cells(cells_of(settings))


def cells_of(settings):
    """Return the cells that a list holds."""
    shared = settings["shared"]
    return [from_settings(shared | other) for other in settings["cells"]]


def what_is_there(store):
    """Return what is said of the folder and its cells, or refuse one of something else.

    Raises
    ------
    InvalidInputError
        If tables would be replaced of which the folder holds no list or no cells.
    """
    try:
        settings, cells = read_listing(store)
        about = settings["about"]
        lacking = "" if store.cells.is_dir() else "no folder cells"
    except NO_LIST as error:
        about, cells, lacking = {}, [], f"no {SETTINGS} that lists cells ({error})"
    in_the_way = store.in_the_way() if lacking else []
    if in_the_way:
        raise InvalidInputError(
            "The output folder must be new, or hold a benchmark, to which more is "
            f"added. Got {str(store.directory)!r}, with {', '.join(in_the_way)}, which "
            f"a run would replace, and {lacking}: move what is there away, or name "
            "another folder."
        )
    return about, cells


def earlier(store, there, cells):
    """Return the cells of the folder that are not asked for now, and if any leave.

    Those of the same name and with other settings leave the tables, with a warning.
    """
    asked = {tuple(cell.key.values()): cell for cell in cells}
    differing = {}
    for old in there:
        new = asked.get(tuple(old.key.values()))
        if new is not None and new.settings() != old.settings():
            before, now = old.settings(), new.settings()
            for name in before.keys() | now.keys():
                if before.get(name) != now.get(name):
                    differing[name] = (getattr(old, name), getattr(new, name))
    if differing:
        listed = ", ".join(
            f"{name} {before!r}, now {now!r}"
            for name, (before, now) in sorted(differing.items())
        )
        warnings.warn(
            f"{store.directory} has results of the same cells with other settings "
            f"({listed}). They leave its tables; their files stay. To keep both, use "
            "a folder for each.",
            UserWarning,
            stacklevel=4,
        )
    return _others(there, cells), bool(differing)


def joined(store, cells, about):
    """Return cells and words of this run, with those another has listed meanwhile."""
    try:
        settings, there = read_listing(store)
    except NO_LIST:
        return cells, about
    others = _others(there, cells)
    if not others:
        return cells, about
    everything = [*others, *cells]
    return everything, about_all(settings["about"], about or {}, everything)


def _others(there, cells):
    asked = {tuple(cell.key.values()) for cell in cells}
    return [cell for cell in there if tuple(cell.key.values()) not in asked]


def about_all(said, now, cells):
    """Return what was said of a folder and what is now, together."""
    about = merged([said, now])
    # What one command lacked, another may have had.
    there = {cell.dataset for cell in cells}
    skipped = about.get("data_that_could_not_be_had", [])
    about["data_that_could_not_be_had"] = [n for n in skipped if n not in there]
    if not about["data_that_could_not_be_had"]:
        del about["data_that_could_not_be_had"]
    return without_read_off(about)


@told_of_the_disk()
def write_listing(store, cells, about, summary=None):
    """Write the list of all cells of a folder, and return what it says."""
    everything = [asdict(cell) for cell in cells]
    shared = {
        name: value
        for name, value in everything[0].items()
        if all(settings[name] == value for settings in everything)
    }
    settings = {
        "about": about or {},
        "summary": summary or {},
        "shared": shared,
        "cells": [
            {name: value for name, value in cell.items() if name not in shared}
            for cell in everything
        ],
    }
    text = json.dumps(settings, indent=1)
    write_file(store.directory / SETTINGS, text + "\n")
    return settings

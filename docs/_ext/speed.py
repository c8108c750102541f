"""Tables of the timing scripts, from the JSON they wrote."""

import json

import pandas as pd

HEADINGS = {
    "n": "pool",
    "n_pool": "pool",
    "n_classes": "classes",
    "n_features": "features",
    "batch": "batch",
    "b": "batch",
    "k": "classes",
    "d": "features",
}
HIDDEN = {"runs", "seed", "note", "notes", "target"}


def records(path):
    """Show the list of records in a file, one row each."""
    found = find_records(json.loads(path.read_text(encoding="utf-8")))
    rows = [flatten(record) for record in found]
    frame = pd.DataFrame(rows)
    frame = frame[[name for name in frame if name.split(" ")[-1] not in HIDDEN]]
    return frame.map(written).rename(columns=heading)


def selection(path):
    return records(path)


def machine(path):
    """Show what the file says of the machine and the versions."""
    document = json.loads(path.read_text(encoding="utf-8"))
    facts = {
        name: value
        for name, value in flatten(document).items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }
    listed = ", ".join(f"{heading(name)}: {value}" for name, value in facts.items())
    return f"{listed}."


def find_records(document):
    """Return the first list of mappings in a document, however deep."""
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return document
    if isinstance(document, dict):
        for value in document.values():
            found = find_records(value)
            if found:
                return found
        values = list(document.values())
        if values and all(isinstance(value, dict) for value in values):
            return [{"case": name, **value} for name, value in document.items()]
    return []


def flatten(record, before=""):
    """Write nested mappings as one, with the names joined; lists are left out."""
    flat = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{before}{name} ")
        elif not isinstance(value, list):
            flat[f"{before}{name}"] = value
    return flat


def heading(name):
    return HEADINGS.get(name, name.replace("_", " "))


def written(value):
    """Write a number with three digits that count."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return "" if value is None else str(value)
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    if value != value:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"

"""Tables of the timing scripts, from the JSON they wrote."""

import json

import numpy as np
import pandas as pd

HEADINGS = {
    "n": "batch",
    "n_pool": "pool",
    "n_classes": "classes",
    "n_features": "features",
    "B": "batch",
    "K": "classes",
    "d": "features",
    "peak_mib": "peak above the factors (MiB)",
    "factors_mib": "factors (MiB)",
    "share_of_factors": "share of the factors",
    "features_gb": "features on disk (GB)",
    "bare": "bare loop and selection (s)",
    "library": "query (s)",
    "embed": "its pass (s)",
    "select": "its selection (s)",
    "ratio_of_neighbors": "ratio of neighboring runs",
    "peak_anonymous_gib": "peak of the process (GiB)",
}
OURS = "lazy"
# How many centers another way was timed for, by the first word of its name.
CENTERS = "{}_centers_timed"
# Timed as well, but needed by both ways before the choosing begins.
SHARED = "labelled distances"
HIDDEN = {"runs", "seed", "note", "notes", "target"}


def records(path):
    """Show the list of records in a file, one row each."""
    found = find_records(json.loads(path.read_text(encoding="utf-8")))
    rows = [flatten(record) for record in found]
    frame = pd.DataFrame(rows)
    frame = frame[[name for name in frame if name.split(" ")[-1] not in HIDDEN]]
    return frame.map(written).rename(columns=heading)


def selection(path):
    """Show, case by case, what our way takes and what each other way takes."""
    document = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for record in find_records(document):
        if "pool" in record:  # One of many, of which `hostile` makes a table.
            continue
        seconds = record.get("median_seconds", {})
        for name, other in seconds.items():
            if name not in (OURS, SHARED) and OURS in seconds:
                rows.append(
                    {
                        "case": record.get("case", ""),
                        "compared with": rival(name, record),
                        "times as fast": written(other / seconds[OURS]),
                        "this library (s)": written(seconds[OURS]),
                        "the other (s)": written(other),
                        **size_cells(record.get("sizes", {})),
                    }
                )
    return pd.DataFrame(rows) if rows else records(path)


def size_cells(sizes):
    """Write the sizes of a case in few cells: a page has little room for columns."""
    pool, batch = (written(sizes.get(name)) for name in ("n_pool", "B"))
    if "labelled" in sizes:
        pool += f" and {written(sizes['labelled'])} labelled"
    lengths = [written(sizes[name]) for name in ("K", "d") if name in sizes]
    return {"pool": pool, "vectors": " × ".join(lengths), "batch": batch}


def rival(name, record):
    """Name another way, with how many centers it was timed for if not for all."""
    timed = record.get(CENTERS.format(name.split()[0]))
    if timed is None or timed == record.get("sizes", {}).get("B"):
        return name
    return f"{name}, timed for {written(timed)} centers"


def training(part):
    """Return what shows one part of the timings of trainings, a row a setting."""

    def show(path):
        found = json.loads(path.read_text(encoding="utf-8")).get(part, [])
        rows = [training_row(record) for record in found]
        return pd.DataFrame(rows).fillna("") if rows else "Not measured."

    return show


def training_row(record):
    row = {"setting": record["setting"]}
    for name, value in record.items():
        if name.endswith("_milliseconds_per_epoch"):
            side = name.removesuffix("_milliseconds_per_epoch").replace("_", " ")
            row[f"{side} (ms an epoch)"] = written(value)
    faster = record.get("times_faster")
    for side, value in (faster or record).items():
        if isinstance(value, dict) and "of_medians" in value:
            how = "relative to it" if faster is None else "times as fast"
            row[f"{side.replace('_', ' ')}, {how}"] = written(value["of_medians"])
    for name in ("first_training_seconds", "failed"):
        if name in record:
            row[name.replace("_", " ")] = written(record[name])
    return row


def training_range(path):
    """Say between what bounds trainings of perceptrons lie, relative to the loop."""
    document = json.loads(path.read_text(encoding="utf-8"))
    found = [r for r in document.get("loop", []) if "MLP" in r["setting"]]
    ratios = [record["skbadge"]["of_medians"] for record in found]
    if not ratios:
        return "Trainings of perceptrons were not measured."
    more = [
        (ratio - 1) * record["bare_milliseconds_per_epoch"]
        for ratio, record in zip(ratios, found, strict=True)
    ]
    target = document["target_ratio"]
    return (
        f"In {len(ratios)} settings with a perceptron, the median CPU time of a "
        f"training is {min(ratios):.2f} to {max(ratios):.2f} times that of the loop: "
        f"{written(min(more))} to {written(max(more))} ms more an epoch. In "
        f"{sum(ratio <= target for ratio in ratios)} of them it is at most {target}, "
        "which was the aim."
    )


def grid(path):
    """Show what a grid takes beside its cells, with one job and with two."""
    document = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for jobs, name in ((1, "one_job"), (2, "two_jobs")):
        found = document[name]
        rest = 1 - found["inside_cells"] / (jobs * found["seconds"])
        rows.append(
            {
                "jobs": jobs,
                "cells": document["cells"],
                "whole grid (s)": written(found["seconds"]),
                "inside its cells (s)": written(found["inside_cells"]),
                "all else, idle time included": f"{100 * rest:.1f}%",
                "times as fast as one job": written(
                    document["one_job"]["seconds"] / found["seconds"]
                ),
            }
        )
    return pd.DataFrame(rows)


def warm_start(path):
    """Show what ten trainings cost and reached, by where they began."""
    document = json.loads(path.read_text(encoding="utf-8"))
    frame = pd.DataFrame(document["results"])
    scratch = frame[frame["warm_start"].isin([False])].set_index(["dataset", "seed"])
    rows = []
    for name, beginning in frame[["dataset", "warm_start"]].drop_duplicates().values:
        chosen = frame[(frame["dataset"] == name) & frame["warm_start"].eq(beginning)]
        chosen, base = chosen.set_index("seed"), scratch.loc[name]
        change = 100 * (chosen["accuracy"] - base["accuracy"])
        share = chosen["cpu_seconds"].sum() / base["cpu_seconds"].sum()
        compared = beginning is not False
        rows.append(
            {
                "data": name,
                "warm_start": f"``{beginning!r}``",
                "epochs": written(round(chosen["epochs"].mean())),
                "processor time (s)": written(chosen["cpu_seconds"].mean()),
                "of that from scratch": f"{share:.0%}" if compared else "",
                "accuracy": f"{chosen['accuracy'].mean():.1%}",
                "change (points)": f"{change.mean():+.1f} ± {change.sem():.1f}"
                if compared
                else "",
            }
        )
    return pd.DataFrame(rows)


def memory(path):
    """Show the records that say how much memory a selection took."""
    document = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for record in find_records(document):
        peaks = {name: value for name, value in record.items() if "peak" in name}
        if peaks:
            sizes = {heading(k): written(v) for k, v in record.get("sizes", {}).items()}
            others = {
                heading(name): written(value)
                for name, value in record.items()
                if isinstance(value, (int, float))
            }
            rows.append({"case": record.get("case", ""), **sizes, **others})
    return pd.DataFrame(rows).fillna("") if rows else "The file says nothing of memory."


def machine(path):
    """Show what the file says of the machine and the versions."""
    document = json.loads(path.read_text(encoding="utf-8"))
    document = document.get("machine", document)
    facts = {
        name: value
        for name, value in flatten(document).items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }
    listed = ", ".join(f"{heading(name)}: {value}" for name, value in facts.items())
    return f"Measured with: {listed}."


def find_records(document):
    """Return the records in a document: its first list of mappings, however deep.

    Without one, the mappings in it are the records, named by their keys.
    """
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return document
    if not isinstance(document, dict):
        return []
    for value in document.values():
        if isinstance(value, list) and (found := find_records(value)):
            return found
    cases = {name: value for name, value in document.items() if isinstance(value, dict)}
    return [{"case": name, **value} for name, value in cases.items() if value]


def cluster(path):
    """Show one query on workers and in one process, and the model of many workers."""
    document = json.loads(path.read_text(encoding="utf-8"))
    here, alone, model = (document[k] for k in ("cluster", "one_process", "model"))

    def size(n_bytes):
        return f"{written(n_bytes / 2**20)} MiB"

    rows = [
        ("rows", f"{document['pool']['rows']:,}", "the same", f"{model['rows']:,}"),
        ("workers", document["workers"], "none", model["workers"]),
        (
            "pass (s)",
            written(here["embed_seconds"]),
            written(alone["embed_seconds"]),
            written(model["embed_seconds"]),
        ),
        (
            "choice (s)",
            written(here["select_seconds"]),
            written(alone["select_seconds"]),
            written(model["select_seconds"]),
        ),
        ("round trips", here["rounds"], "", model["rounds"]),
        ("calls of parts", here["messages"], "", round(model["messages"])),
        ("sent out", size(here["bytes_down"]), "", size(model["bytes_down"])),
        (
            "sent to the coordinator",
            size(here["bytes_up"]),
            "",
            size(model["bytes_up"]),
        ),
        (
            "memory of the coordinator",
            size(here["coordinator_bytes"]),
            size(alone["bytes"]),
            size(model["coordinator_bytes"]),
        ),
        (
            "the same, bytes a row",
            round(here["coordinator_bytes"] / document["pool"]["rows"]),
            round(alone["bytes"] / document["pool"]["rows"]),
            round(model["coordinator_bytes"] / model["rows"]),
        ),
        (
            "memory of a worker",
            size(here["worker_bytes"]),
            "",
            size(model["worker_bytes"]),
        ),
        ("picks in common", "", f"{document['same_picks']:,}", ""),
    ]
    headings = ["", "two worker processes", "one process", "many workers (a model)"]
    return pd.DataFrame(rows, columns=headings)


def seeding(path):
    """Show dask-ml's k-means|| beside k-means++: seconds, and how far from its law."""
    found = json.loads(path.read_text(encoding="utf-8"))["k_means_parallel"]
    if found is None:
        return "dask-ml was not installed where this was measured."
    law = found["law"]
    pool = ", ".join(f"{x:g}" for x in law["pool"])
    task = f"{found['centers']:,} centers of {found['rows']:,} rows (s)"
    gap = f"distance of {law['draws']} pairs of {pool} from the law of k-means++"
    by_chance = written(distance_by_chance(np.array(law["pool"]), law["draws"]))
    rows = [
        (
            "k-means++ of this library",
            written(found["kmeans_plusplus_seconds"]),
            written(law["total_variation_of_kmeans_plusplus"]),
            by_chance,
            "none: they are rows",
        ),
        (
            "k-means|| of dask-ml",
            written(found["seconds"]),
            written(law["total_variation_of_nearest_rows"]),
            by_chance,
            f"{law['centers_that_are_no_rows']:.0%}",
        ),
    ]
    headings = [
        "",
        task,
        gap,
        "by chance, 99 of 100 times below",
        "centers that are no rows",
    ]
    return pd.DataFrame(rows, columns=headings)


def distance_by_chance(points, draws):
    """Return the distance from the law that 99 of 100 samples of pairs stay below.

    Worked out by sampling the law itself, by which k-means++ draws two of some points.
    """
    distance_sq = np.subtract.outer(points, points) ** 2
    ordered = distance_sq / distance_sq.sum(axis=1, keepdims=True) / len(points)
    law = (ordered + ordered.T)[np.triu_indices(len(points), k=1)]
    counts = np.random.default_rng(0).multinomial(draws, law, size=20_000)
    return np.quantile(np.abs(counts / draws - law).sum(axis=1) / 2, 0.99)


def cluster_machine(path):
    """Say on what the figures of a cluster were measured."""
    document = json.loads(path.read_text(encoding="utf-8"))
    found, model = document["machine"], document["model"]
    return (
        f"Measured on {found['cpus']} cores ({found['processor']}) with torch "
        f"{found['torch']} and dask {found['dask']}, which also ran the coordinator "
        f"and the scheduler; {found['load_before']:.1f} processes of others were at "
        f"work when it began. {document['parts']} parts. The model takes "
        f"{1000 * model['latency_seconds']:g} ms for a round trip of the network and "
        f"{model['bandwidth_bytes_per_second'] / 1e9:g} GB/s for granted."
    )


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

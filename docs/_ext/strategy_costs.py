"""What each strategy costs beside another way of it: tables and sentences."""

import json
import statistics

import pandas as pd
from speed import written

PEER = "scikit-"


def read(path):
    """Return the records of the sizes that all have, and of those that few have."""
    records = json.loads(path.read_text(encoding="utf-8"))["records"]
    common = [record for record in records if not record["own_size"]]
    return common, [record for record in records if record["own_size"]]


def table(path):
    """Show each strategy once: time and memory at its largest size, ratios at all."""
    records, _ = read(path)
    sizes = sorted({size_of(record) for record in records})
    frame = {}
    for record in records:
        row = frame.setdefault(record["strategy"], {"strategy": record["strategy"]})
        # Sizes ascend: the largest comes last.
        row["largest size"] = size_name(record)
        row |= costs(record)
        # One size may have been timed without the other.
        row["beside"] = beside(record, row.get("beside", "nothing"))
        row[f"{size_name(record)}: times as fast"] = ratio_of(record)
    ratios = [f"{n_pool:,} / {batch:,}: times as fast" for n_pool, batch in sizes]
    columns = ["strategy", "beside", *ratios, "largest size", *COSTS]
    return pd.DataFrame(frame.values()).reindex(columns=columns).fillna("")


def own_sizes(path):
    """Show what has sizes of its own, a row for each."""
    _, records = read(path)
    rows = [
        {
            "strategy": record["strategy"],
            "pool": f"{record['sizes']['n_pool']:,}",
            "features": written(record["sizes"]["d"]),
            "batch": f"{record['sizes']['B']:,}",
            "known before": ", ".join(record["given"]),
            "beside": beside(record),
            "times as fast": ratio_of(record),
            **costs(record),
        }
        for record in records
    ]
    return pd.DataFrame(rows)


def summary(path):
    """Say how the strategies stand beside the others, and what memory they took."""
    document = json.loads(path.read_text(encoding="utf-8"))
    records = document["records"]
    known = [record for record in records if record.get("ratio")]
    stopped = sum("over_s" in record["other"] for record in known)
    cut = sum(not r.get("ratio") and "stopped" in r.get("other", {}) for r in records)
    names = list(dict.fromkeys(record["strategy"] for record in records))
    slow = list(dict.fromkeys(record["strategy"] for record in known if slower(record)))
    lines = [
        f"In {len(known)} cases the median of the ratios is {median_ratio(known)}. In "
        f"{stopped} of them the call of the other was stopped, at the earliest after "
        f"{written(document['limit_s'])} s, and counts as that long; {cut} more have "
        "no ratio, since the other needed more memory than it was given. Of "
        f"{len(names)} strategies and forms of them {len(slow)} are slower than the "
        "other in some case."
    ]
    for name, is_peer in (("scikit-activeml", True), ("the plain forms", False)):
        group = [r for r in known if r["other_name"].startswith(PEER) == is_peer]
        slow = [f"{named(r)} ({written(r['ratio'])})" for r in group if slower(r)]
        lines.append(
            f"Beside {name}, in {len(group)} cases, the median is "
            f"{median_ratio(group)}. Slower than the other, with the ratio: "
            f"{listed(slow)}."
        )
    large = [r for r in records if r["ours"]["peak_mib"] > r["factors_mib"]]
    lines.append(
        f"Peak memory above the factors is larger than they are in {len(large)} of "
        f"{len(records)} cases: {listed(map(named, large))}."
    )
    return "\n\n".join(lines)


# --- parts of a record ---------------------------------------------------------------

COSTS = ["seconds", "peak above the factors (MiB)"]


def costs(record):
    """Return seconds and memory of ours, as they are written."""
    peak = written(round(record["ours"]["peak_mib"]))
    return dict(zip(COSTS, (taken(record["ours"]), peak), strict=True))


def beside(record, otherwise="nothing"):
    """Return what a record compares with, or why with nothing."""
    if "alone" in record:
        return f"nothing: {record['alone']}"
    return record.get("other_name", otherwise)


def size_of(record):
    return record["sizes"]["n_pool"], record["sizes"]["B"]


def size_name(record):
    return "{:,} / {:,}".format(*size_of(record))


def taken(found):
    """Write the seconds of a call, or why there are none."""
    seconds = found.get("seconds")
    return written(statistics.median(seconds)) if seconds else found["stopped"]


def ratio_of(record):
    """Write how many times as long the other way takes, or what stopped it."""
    if record.get("ratio"):
        return f"{'>' if record['ratio_is_bound'] else ''}{written(record['ratio'])}"
    return record.get("other", {}).get("stopped", "")


def slower(record):
    return record["ratio"] < 1 and not record["ratio_is_bound"]


def median_ratio(records):
    ratios = [record["ratio"] for record in records]
    return written(statistics.median(ratios)) if ratios else "not known"


def named(record):
    return f"{record['strategy']} at {size_name(record)}"


def listed(texts):
    return "; ".join(texts) or "none"

"""What lazy selection costs on pools where laziness saves nothing."""

import json

import pandas as pd

PLAIN, EXACT = "plain loop", "plain loop in float64"
# Where the loop is faster than this, calls decide, not the pool.
SHORT = 0.02
MIB = 2**20


def read(path):
    """Return the records of such pools."""
    records = json.loads(path.read_text(encoding="utf-8"))["records"]
    return [record for record in records if "pool" in record]


def plain_seconds(record):
    """Return the seconds of the loop that is right on every pool."""
    seconds = record["median_seconds"]
    return seconds.get(EXACT, seconds.get(PLAIN))


def ratios(records):
    """Return lazy times over those of the loop in float64, and of that in float32."""
    exact = [r["median_seconds"]["lazy"] / plain_seconds(r) for r in records]
    both = [r["median_seconds"] for r in records if len(r["median_seconds"]) > 2]
    return exact, [seconds["lazy"] / seconds[PLAIN] for seconds in both]


def table(path):
    """Show the worst ratio of each algorithm on each kind of pool."""
    long = [record for record in read(path) if plain_seconds(record) >= SHORT]
    if not long:
        return "Not measured."
    kinds = list(dict.fromkeys(record["pool"] for record in long))
    algorithms = list(dict.fromkeys(record["algorithm"] for record in long))
    rows = []
    for kind in kinds:
        row = {"rows of the pool": kind}
        for algorithm in algorithms:
            mine = [
                record
                for record in long
                if (record["pool"], record["algorithm"]) == (kind, algorithm)
            ]
            row[algorithm] = cell(mine)
        rows.append(row)
    return pd.DataFrame(rows)


def cell(records):
    """Write the worst ratios to the exact loop, and in parentheses to float32's."""
    exact, single = ratios(records)
    if not exact:
        return "beyond the rank"
    text = f"{max(exact):.2f}"
    return f"{text} ({max(single):.2f})" if single else text


def summary(path):
    """Say what all cases have in common: at worst, in memory, and the short ones."""
    records = read(path)
    long = [record for record in records if plain_seconds(record) >= SHORT]
    short = [record for record in records if plain_seconds(record) < SHORT]
    if not long:
        return "Not measured."
    exact, single = ratios(long)
    more = [more_memory(record) for record in records]
    sentences = [
        f"In {len(long)} cases choosing takes at most {max(exact):.2f} times as long "
        f"as the loop in float64, in {sum(x <= 1 for x in exact)} of them no longer, "
        f"and at most {max(single):.2f} times as long as the loop in float32.",
        f"Pool and choice together take at most {100 * max(more):.0f}% more memory "
        "than with the loop.",
    ]
    if short:
        gap = max(r["median_seconds"]["lazy"] - plain_seconds(r) for r in short)
        sentences.append(
            f"In {len(short)} cases more, in which the loop takes less than "
            f"{1000 * SHORT:.0f} ms, choosing takes at most {1000 * gap:.1f} ms more."
        )
    return " ".join(sentences)


def more_memory(record):
    """Return the share by which the peak is above that with the leanest loop."""
    sizes, peaks = record["sizes"], record["peak_mib"]
    pool = 4 * sizes["n_pool"] * (sizes["K"] + sizes["d"]) / MIB
    plain = min(peak for name, peak in peaks.items() if name != "lazy")
    return (pool + peaks["lazy"]) / (pool + plain) - 1

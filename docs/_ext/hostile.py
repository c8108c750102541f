"""What lazy selection costs on pools where laziness saves nothing."""

import json

import pandas as pd

PLAIN, EXACT = "plain loop", "plain loop in float64"
# Where the loop is faster than this, calls decide, not the pool.
SHORT = 0.02
MIB = 2**20
# Pools of so many MiB and more are judged by shares of memory, smaller ones by MiB.
LARGE = 64


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
    sentences = [
        f"In {len(long)} cases choosing takes at most {max(exact):.2f} times as long "
        f"as the loop in float64, in {sum(x <= 1 for x in exact)} of them no longer, "
        f"and at most {max(single):.2f} times as long as the loop in float32.",
    ]
    if short:
        gap = max(r["median_seconds"]["lazy"] - plain_seconds(r) for r in short)
        sentences.append(
            f"In {len(short)} cases more, in which the loop takes less than "
            f"{1000 * SHORT:.0f} ms, choosing takes at most {1000 * gap:.1f} ms more."
        )
    return " ".join([*sentences, memory(records)])


def memory(records):
    """Say how much more memory choosing takes than the leanest loop."""
    large = [r for r in records if pool_mib(r) >= LARGE]
    small = [r for r in records if pool_mib(r) < LARGE]
    found = []
    if large:
        shares = [(pool_mib(r) + r["peak_mib"]["lazy"]) / with_loop(r) for r in large]
        found.append(
            f"On pools of {LARGE} MiB and more, pool and choice together take at most "
            f"{100 * (max(shares) - 1):.0f}% more memory than with the leanest loop"
        )
    if small:
        gap = max(pool_mib(r) + r["peak_mib"]["lazy"] - with_loop(r) for r in small)
        found.append(f"on smaller ones at most {gap:.0f} MiB more")
    text = "; ".join(found)
    return text[:1].upper() + text[1:] + "."


def pool_mib(record):
    """Return what the two factors take."""
    sizes = record["sizes"]
    return 4 * sizes["n_pool"] * (sizes["K"] + sizes["d"]) / MIB


def with_loop(record):
    """Return what the pool and the leanest of the loops take, in MiB."""
    peaks = record["peak_mib"]
    return pool_mib(record) + min(x for name, x in peaks.items() if name != "lazy")

"""Time every strategy beside scikit-activeml's, and measure the memory of both.

    python benchmarks/bench_strategies.py                      # all, for an hour
    python benchmarks/bench_strategies.py --n-pool 20000 --batch 100
    python benchmarks/bench_strategies.py --only BADGE CoreSet --times 60
    python benchmarks/bench_strategies.py --quick              # small sizes, a minute

All choose from the outputs of one trained net: 10 classes, 512 features, 1,000 labelled
rows; what is made for other sizes has its own. What no peer has is timed against a
plain form of it. Each call runs in a process forked for it, ours and the other in turn;
a call of the other that takes more than a limit of seconds and several times ours, or
too much memory, is stopped, and the file says so. Seconds are those that the processor
worked, with one thread, which a busy machine changes less than the clock's; the median
of three calls, or of one that takes more than two seconds. What a file holds of other
strategies and sizes is kept.
"""

import argparse
import ctypes
import gc
import importlib
import itertools
import json
import math
import multiprocessing
import os
import resource
import signal
import statistics
import time
from importlib import metadata
from pathlib import Path

import torch
from _strategies_data import make_data
from _strategies_plain import PLAIN
from bench_selection import AnonymousMemory, machine
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skbadge import (
    ALBL,
    BADGE,
    BAIT,
    BALD,
    CLUE,
    DIRECT,
    FALCUN,
    AlphaMix,
    BatchBALD,
    ClassQuota,
    ClusterMargin,
    ContrastiveAL,
    CoreSet,
    DropQuery,
    EntropySampling,
    KMeansSampling,
    LeastConfidence,
    MarginSampling,
    MaxHerding,
    ProbCover,
    RandomSampling,
    Refine,
    StochasticTopK,
    TypiClust,
    UHerding,
)

N_CLASSES, N_FEATURES = 10, 512
N_POOL, BATCH = [20_000, 50_000], [100, 1_000]
RESULTS = Path(__file__).parent / "results" / "strategies.json"
GIB = 2**30
# A call that takes more seconds is not made again.
LONG = 2.0
# Calls that take fewer are made many times over, as the system's clock ticks.
SHORT, MANY = 0.02, 50
# Seconds that a call of ours may take.
OURS_LIMIT = 600.0
# How many times as long as ours the other may take in any case.
LIMIT_PEER, LIMIT_PLAIN = 5, 20
STRATEGIES = {
    "BADGE": BADGE(),
    "BADGE, uncertainty": BADGE(embedding="uncertainty"),
    "BADGE, log-det": BADGE(sampler="log-det"),
    "BAIT": BAIT(),
    "BAIT, top": BAIT("top"),
    "BAIT, full": BAIT("full"),
    "UHerding": UHerding(),
    "UHerding, temperature 1": UHerding(temperature=1.0),
    "UHerding, 2,000 targets": UHerding(n_targets=2_000),
    "MaxHerding": MaxHerding(),
    "CoreSet": CoreSet(),
    "TypiClust": TypiClust(),
    "KMeansSampling": KMeansSampling(),
    "ProbCover": ProbCover(),
    "DropQuery": DropQuery(),
    "AlphaMix": AlphaMix(),
    "CLUE": CLUE(),
    "FALCUN": FALCUN(),
    "ClusterMargin": ClusterMargin(),
    "ClusterMargin, clusters known": ClusterMargin(),
    "ContrastiveAL": ContrastiveAL(),
    "DIRECT": DIRECT(),
    "BALD": BALD(),
    "BALD, Laplace": BALD(source="laplace"),
    "BatchBALD": BatchBALD(),
    "StochasticTopK": StochasticTopK(MarginSampling()),
    "StochasticTopK, large": StochasticTopK(MarginSampling()),
    "LeastConfidence": LeastConfidence(),
    "MarginSampling": MarginSampling(),
    "EntropySampling": EntropySampling(),
    "RandomSampling": RandomSampling(),
    "ClassQuota(BADGE)": ClassQuota(BADGE()),
    "Refine(BADGE, margin)": Refine([BADGE(), MarginSampling()]),
    "ALBL": ALBL(),
}
# (rows, features, batch) of what has sizes of its own: small batches where larger ones
# take exponential memory or samples, narrow layers where information is of all weights,
# and batches as large as some are made for.
OWN_SIZES = {
    "BatchBALD": [(20_000, 512, 10), (50_000, 512, 10)],
    "BAIT, top": [(2_000, 128, 10)],
    "BAIT, full": [(2_000, 128, 10)],
    "ClusterMargin, clusters known": [(1_000_000, 16, 100_000)],
    "StochasticTopK, large": [(1_000_000, 16, 100_000)],
}
# Parameters that hold what is known from earlier rounds, and is not timed.
GIVEN = {"ClusterMargin, clusters known": ["clusters"]}


def our_query(name, data, batch):
    given = {parameter: getattr(data, parameter) for parameter in GIVEN.get(name, [])}
    strategy = clone(STRATEGIES[name]).set_params(**given)
    outputs = data.outputs(strategy.needs)
    return lambda: strategy.select(outputs, batch, random_state=0)


def rival_of(name):
    """Return the other way's name and what makes a call of it, or why not and None."""
    if name in PLAIN:
        return "plain form", lambda _, data, batch: PLAIN[name](data, batch)
    try:
        version = metadata.version("scikit-activeml")
    except metadata.PackageNotFoundError:
        return "scikit-activeml was not installed", None
    peers = importlib.import_module("_strategies_scikit_activeml")
    if name not in peers.PEERS:
        return "nobody else has it", None
    return f"scikit-activeml {version}", peers.peer_query


# --- measuring -----------------------------------------------------------------------


def measure(make, name, data, batch, arguments, limit):
    """Run a call in a process of its own; return seconds, peak memory, or why not."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    peak = context.Value("d", 0.0)
    child = context.Process(
        target=_run, args=(there, peak, make, name, data, batch, arguments, limit)
    )
    child.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        child.join()
        if child.exitcode != -signal.SIGXCPU:
            raise SystemExit(f"{name} died, exit code {child.exitcode}.") from None
        found = {"stopped": f"over {limit:.0f} s", "over_s": math.floor(limit)}
    child.join()
    return {**found, "peak_mib": round(peak.value, 1)}


def _run(pipe, peak, make, name, data, batch, arguments, limit_s):
    make(name, data.part(slice(300)), 5)()  # imports, first allocations
    query = make(name, data, batch)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    limit = _virtual_bytes() + int(arguments.memory * GIB)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    most = math.ceil(time.process_time() + limit_s)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
    memory, seconds, extrapolated = Watched(peak), [], False
    try:
        with memory:
            while len(seconds) < 3 and sum(seconds) < LONG:
                answer, took = _timed(query)
                extrapolated = isinstance(answer, float)
                seconds.append(answer if extrapolated else took)
        pipe.send({"seconds": seconds, "extrapolated": extrapolated})
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error):
            raise
        pipe.send({"stopped": f"over {arguments.memory:g} GiB"})
    pipe.close()
    os._exit(0)


def _timed(query):
    """Return the answer of a call and its seconds, the mean of many for short ones."""
    start = time.process_time()
    answer = query()
    took = time.process_time() - start
    if took < SHORT:
        start = time.process_time()
        for _ in range(MANY):
            query()
        took = (time.process_time() - start) / MANY
    return answer, took


class Watched(AnonymousMemory):
    """Peak memory that another process can read while this one still runs."""

    def __init__(self, shared):
        self._shared = shared

    def _watch(self):
        while not self._stop.wait(0.005):
            self.peak = max(self.peak, self._read())
            self._shared.value = self.peak - self.start


def _virtual_bytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmSize"):
            return int(line.split()[1]) * 1024
    raise OSError("This system does not say VmSize: memory cannot be limited.")


def case(name, data, batch, arguments):
    """Return the record of one strategy at one size."""
    n_pool, n_features = data.pool.features.shape
    ours = measure(our_query, name, data, batch, arguments, OURS_LIMIT)
    record = {
        "strategy": name,
        "sizes": {"n_pool": n_pool, "K": N_CLASSES, "d": n_features, "B": batch},
        "own_size": name in OWN_SIZES,
        "given": GIVEN.get(name, []),
        "factors_mib": round(data.factors_mib, 1),
        "ours": ours,
    }
    text = _said(ours)
    other_name, make = rival_of(name)
    if make is None:
        record["alone"] = other_name
    else:
        record["other_name"] = other_name
        times = arguments.times or (LIMIT_PLAIN if name in PLAIN else LIMIT_PEER)
        limit = max([arguments.limit, *(times * x for x in ours.get("seconds", []))])
        record["other"] = other = measure(make, name, data, batch, arguments, limit)
        record["times"] = times
        record["ratio"], record["ratio_is_bound"] = _ratio(ours, other)
        text += f"   {other_name}: {_said(other)}"
        if record["ratio"]:
            text += f"   x {record['ratio']:.2f}"
    print(f"n {n_pool:,} B {batch:,} {name:<20} {text}", flush=True)
    return record


def _ratio(ours, other):
    """Return how many times as long the other takes, and whether at least that."""
    if "seconds" not in ours:
        return None, False
    mine = statistics.median(ours["seconds"])
    if "seconds" in other:
        return statistics.median(other["seconds"]) / mine, False
    return (other["over_s"] / mine, True) if "over_s" in other else (None, False)


def _said(found):
    seconds = found.get("seconds")
    shown = f"{statistics.median(seconds):.4g} s" if seconds else found["stopped"]
    return f"{shown}, {found['peak_mib']:.0f} MiB"


# --- command line --------------------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--n-pool", nargs="+", type=int, help="of all sizes, only these"
    )
    parser.add_argument("--batch", nargs="+", type=int, help="of all sizes, only these")
    parser.add_argument("--only", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument(
        "--limit",
        type=float,
        default=10.0,
        help="seconds of a call of the other, if several times ours is no more",
    )
    parser.add_argument(
        "--times",
        type=float,
        help="how many times as long as ours the other may take in any case; "
        f"{LIMIT_PEER} or, for plain forms, {LIMIT_PLAIN} if not given",
    )
    parser.add_argument("--memory", type=float, default=5.0, help="GiB of a call")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try")
    parser.add_argument(
        "--out",
        type=Path,
        help=f"JSON to write; {RESULTS.name} of the repository if not given, and "
        "none with --quick",
    )
    return parser.parse_args()


def sizes(name, arguments):
    """Return (rows, features, batch) of each case of a strategy that is asked for."""
    found = OWN_SIZES.get(name) or list(itertools.product(N_POOL, [N_FEATURES], BATCH))
    if arguments.quick:
        return sorted({(min(n, 2_000), d, min(batch, 50)) for n, d, batch in found})
    pools, batches = arguments.n_pool, arguments.batch
    return [
        (n, d, batch)
        for n, d, batch in found
        if n in (pools or [n]) and batch in (batches or [batch])
    ]


def key(record):
    return record["strategy"], *record["sizes"].values()


def kept_records(path, about):
    """Return the records of a file, which must be of this machine and these limits."""
    if not path.exists():
        return []
    before = json.loads(path.read_text(encoding="utf-8"))
    if {name: before.get(name) for name in about} != about:
        raise SystemExit(
            f"{path} holds what was measured on another machine or with other limits, "
            "and is not written over. Name another file with --out, or move it away."
        )
    return before["records"]


def write(path, about, kept, records):
    """Write the records, with those of other sizes that are kept."""
    measured = {key(record) for record in records}
    kept = [record for record in kept if key(record) not in measured]
    order = list(STRATEGIES)
    everything = sorted(
        kept + records, key=lambda x: (order.index(x["strategy"]), *key(x)[1:])
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, "records": everything}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    threadpool_limits(1)
    about = {
        "machine": machine(1),
        "limit_s": arguments.limit,
        "limit_gib": arguments.memory,
    }
    path = arguments.out or (None if arguments.quick else RESULTS)
    kept = kept_records(path, about) if path else []
    cases = [(size, name) for name in arguments.only for size in sizes(name, arguments)]
    records = []
    # Sorted by size alone, so that each pool is made once and names keep their order.
    cases.sort(key=lambda found: found[0][:2])
    for (n_pool, n_features), group in itertools.groupby(cases, lambda x: x[0][:2]):
        data = make_data(n_pool, N_CLASSES, n_features)
        for (_, _, batch), name in group:
            records.append(case(name, data, batch, arguments))
            if path:
                # After every case: what was measured outlives a late interrupt.
                write(path, about, kept, records)
    if path:
        print(f"\nWritten to {path}")


if __name__ == "__main__":
    main()

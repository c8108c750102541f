"""Time exact selection against the sequential loop, and measure its memory.

    python benchmarks/bench_selection.py                 # all cases, default sizes
    python benchmarks/bench_selection.py --quick         # small sizes, a minute
    python benchmarks/bench_selection.py --cases small k-center
    python benchmarks/bench_selection.py --cases small --n-pool 20000 --batch 500

Every method of a case runs in turn, several times over; medians and their ratios are
printed and written to a JSON file that the documentation reads. Ratios within a run
hold on a busy machine as well; seconds do not.
"""

import argparse
import ctypes
import json
import multiprocessing
import platform
import signal
import statistics
import sys
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from _selection_baselines import (
    SequentialSampler,
    dense_products,
    nearest_labeled_sq,
    sequential_k_center,
)
from _selection_hostile import POOLS, hostile_factors
from _selection_hostile import methods as hostile_methods
from _selection_pools import make_factors, write_factors

from skbadge.embeddings import DenseEmbedding, GradientEmbedding
from skbadge.exceptions import RankError
from skbadge.selection._k_center import LazyGreedy
from skbadge.selection._kmeans_plusplus import _kmeans_plusplus

RESULTS = Path(__file__).parent / "results" / "selection.json"
MIB = 2**20
# name: (pool, classes, features, batch, centers timed of the sequential loop, of the
# dense products; training rows and epochs of the net).
KMEANS_CASES = {
    "small": (50_000, 10, 512, 1_000, 1_000, 1_000, 1_000, 18),
    "large-batch": (50_000, 10, 512, 10_000, 1_000, 2_000, 1_000, 18),
    "confident": (50_000, 10, 512, 10_000, 1_000, 2_000, 20_000, 3),
    "million": (1_000_000, 100, 512, 10_000, 20, 200, 10_000, 18),
    "many-classes": (200_000, 1_000, 2_048, 1_000, 20, 100, 20_000, 6),
}
QUICK = {
    "small": (10_000, 10, 128, 200, 200, 200, 500, 5),
    "large-batch": (10_000, 10, 128, 2_000, 200, 500, 500, 5),
    "confident": (10_000, 10, 128, 2_000, 200, 500, 5_000, 3),
    "million": (50_000, 100, 128, 500, 20, 50, 1_000, 5),
    "many-classes": (10_000, 200, 512, 200, 20, 50, 1_000, 3),
}
OTHER_CASES = ("k-center", "hostile", "scikit-activeml", "memory", "memory-map")


# --- measuring -----------------------------------------------------------------------


def alternate(methods, repeats, clock=time.perf_counter):
    """Return the seconds of every method, run in turn ``repeats`` times."""
    seconds = {name: [] for name in methods}
    for _ in range(repeats):
        for name, (run, factor) in methods.items():
            start = clock()
            run()
            seconds[name].append((clock() - start) * factor)
    return seconds


def report(case, sizes, seconds, *, ours="lazy", **facts):
    """Print medians and ratios of a case; return its record."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\n{case}: " + ", ".join(f"{key} {value:,}" for key, value in sizes.items()))
    for name, median in medians.items():
        ratio = median / medians[ours]
        print(f"  {name:<28} {median:12.4g} s {ratio:10.1f} x")
    for name, value in facts.items():
        print(f"  {name}: {value}")
    ratios = {name: median / medians[ours] for name, median in medians.items()}
    return {
        "case": case,
        "sizes": sizes,
        "seconds": seconds,
        "median_seconds": medians,
        "ratio_to_lazy": ratios,
        **facts,
    }


class AnonymousMemory:
    """Peak of this process's anonymous memory over that at entry, in MiB."""

    def __enter__(self):
        self.start = self.peak = self._read()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.wait(0.002):
            self.peak = max(self.peak, self._read())

    @staticmethod
    def _read():
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        raise OSError("This system does not say RssAnon: memory cannot be measured.")


def in_fresh_process(function, *arguments):
    """Call a function where no earlier run has left memory behind."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


# --- cases ---------------------------------------------------------------------------


def lazy(residual, features, n, seed=0):
    embedding = GradientEmbedding(residual, features)
    generator = np.random.default_rng(seed)
    return _kmeans_plusplus(embedding, n, first="uniform", generator=generator)


def kmeans_case(name, sizes, repeats):
    n_pool, n_classes, n_features, batch, sequential, dense, n_train, n_epochs = sizes
    sequential, dense = min(sequential, batch), min(dense, batch)
    residual, features, accuracy = make_factors(
        n_pool, n_classes, n_features, n_train=n_train, n_epochs=n_epochs
    )
    centers = torch.linspace(0, n_pool - 1, dense).long()
    sampler = SequentialSampler(residual, features)
    methods = {
        "lazy": (lambda: lazy(residual, features, batch), 1.0),
        "sequential": (lambda: sampler.add_centers(sequential), batch / sequential),
        "dense bound": (
            lambda: dense_products(residual, features, centers),
            batch / dense,
        ),
    }
    methods["lazy"][0]()  # the first call also warms the allocator up
    shape = {"n_pool": n_pool, "K": n_classes, "d": n_features, "B": batch}
    return report(
        name,
        shape,
        alternate(methods, repeats),
        accuracy_of_net=round(accuracy, 3),
        sequential_centers_timed=sequential,
        dense_centers_timed=dense,
    )


def k_center_case(quick, repeats):
    n_pool, n_features, n_labeled, batch = 50_000, 512, 1_000, 1_000
    if quick:
        n_pool, n_features, n_labeled, batch = 5_000, 128, 200, 200
    _, rows, accuracy = make_factors(
        n_pool + n_labeled, 10, n_features, n_train=1_000, n_epochs=18
    )
    features, labeled = rows[n_labeled:], rows[:n_labeled].clone()
    norm_sq = features.square().sum(dim=1)
    seconds = {key: [] for key in ("lazy", "sequential", "labelled distances")}
    for _ in range(repeats):
        # Both start from the distances to the labelled rows; only choosing is timed.
        start = time.perf_counter()
        greedy = LazyGreedy(
            DenseEmbedding(features), batch, DenseEmbedding(labeled), None
        )
        seconds["labelled distances"].append(time.perf_counter() - start)
        start = time.perf_counter()
        greedy.run(batch)
        seconds["lazy"].append(time.perf_counter() - start)
        nearest = nearest_labeled_sq(features, labeled)
        start = time.perf_counter()
        chosen = sequential_k_center(features, norm_sq, nearest, batch)
        seconds["sequential"].append(time.perf_counter() - start)
    agree = float(np.mean(np.array(chosen) == np.array(greedy.chosen)))
    shape = {"n_pool": n_pool, "d": n_features, "labelled": n_labeled, "B": batch}
    return report(
        "k-center",
        shape,
        seconds,
        accuracy_of_net=round(accuracy, 3),
        same_picks_in_float32=agree,
    )


# (pool, features, batch) of the pools on which laziness saves nothing.
HOSTILE_SIZES = [
    (500, 2, 50),
    (2_000, 64, 10),
    (2_000, 512, 300),
    (10_000, 64, 300),
    (50_000, 64, 10),
    (50_000, 64, 100),
    (50_000, 512, 50),
]


def hostile_case(quick, repeats):
    """Lazy selection and the plain loop on pools where laziness saves nothing.

    On one thread: the processor's time is that of all, and some only wait.
    """
    torch.set_num_threads(1)
    sizes = [(2_000, 64, 100)] if quick else HOSTILE_SIZES
    records = []
    for n_pool, n_features, batch in sizes:
        for kind in POOLS:
            factors = hostile_factors(kind, n_pool, 10, n_features)
            shape = {"n_pool": n_pool, "K": 10, "d": n_features, "B": batch}
            for name, methods in hostile_methods(*factors, batch).items():
                case = f"hostile, {n_pool} x {n_features}, {batch}, {kind}, {name}"
                record = _against_plain(case, shape, methods, repeats)
                if record is not None:
                    more = {"pool": kind, "algorithm": name, "threads": 1}
                    records.append({**record, **more})
    return records


def _against_plain(case, shape, methods, repeats):
    """Return the record of a lazy method and its plain loops, or None without one."""
    try:
        peaks = {key: _peak_of(call) for key, call in methods.items()}
    except RankError as error:
        print(f"\n{case}: {error}")
        return None
    # The processor's time: others on the machine count less.
    seconds = alternate(
        {key: (call, 1.0) for key, call in methods.items()},
        min(repeats, 3),
        clock=time.process_time,
    )
    record = report(case, shape, seconds, peak_mib=peaks)
    # Hundreds of cases: what tables are made of.
    names = ("case", "sizes", "median_seconds", "peak_mib")
    return {name: record[name] for name in names}


def _peak_of(call):
    ctypes.CDLL(None).malloc_trim(0)
    with AnonymousMemory() as memory:
        call()
    return round(memory.peak - memory.start, 1)


def scikit_activeml_case(quick, repeats):
    try:
        version = metadata.version("scikit-activeml")
    except metadata.PackageNotFoundError:
        print("\nscikit-activeml is not installed: its Badge is not timed.")
        return None
    # Imports the other library at its top.
    from _selection_scikit_activeml import badge_query  # noqa: PLC0415

    n_pool, batch = (20_000, 200) if not quick else (2_000, 20)
    residual, features, accuracy = make_factors(
        n_pool, 10, 512, n_train=1_000, n_epochs=18
    )
    query = badge_query(residual, features, batch)
    methods = {
        "lazy": (lambda: lazy(residual, features, batch), 1.0),
        f"scikit-activeml {version}": (query, 1.0),
    }
    shape = {"n_pool": n_pool, "K": 10, "d": 512, "B": batch}
    seconds = alternate(methods, min(repeats, 2))
    return report("scikit-activeml", shape, seconds, accuracy_of_net=round(accuracy, 3))


def _peak_of_lazy(sizes, threads):
    n_pool, n_classes, n_features, batch, _, _, n_train, n_epochs = sizes
    torch.set_num_threads(threads)
    lazy(torch.ones(64, n_classes), torch.ones(64, n_features), 8)  # imports, threads
    residual, features, _ = make_factors(
        n_pool, n_classes, n_features, n_train=n_train, n_epochs=n_epochs
    )
    # What the training has freed goes back first: it would hide what selection takes.
    ctypes.CDLL(None).malloc_trim(0)
    with AnonymousMemory() as memory:
        start = time.perf_counter()
        lazy(residual, features, batch)
        seconds = time.perf_counter() - start
    return memory.peak - memory.start, seconds


def memory_case(cases):
    """Peak memory of lazy selection above its input, case by case."""
    records = []
    for name, sizes in cases.items():
        n_pool, n_classes, n_features, batch = sizes[:4]
        peak, _ = in_fresh_process(_peak_of_lazy, sizes, torch.get_num_threads())
        factors = 4 * n_pool * (n_classes + n_features) / MIB
        print(
            f"\nmemory, {name}: {peak:.0f} MiB above the factors' {factors:.0f} MiB "
            f"({peak / factors:.1%})"
        )
        records.append(
            {
                "case": f"memory, {name}",
                "sizes": {
                    "n_pool": n_pool,
                    "K": n_classes,
                    "d": n_features,
                    "B": batch,
                },
                "peak_mib": peak,
                "factors_mib": factors,
                "share_of_factors": peak / factors,
            }
        )
    return records


def _stream_map(residual_path, path, n_pool, n_features, batch, threads):
    torch.set_num_threads(threads)
    features = np.memmap(path, np.float32, mode="r", shape=(n_pool, n_features))
    residual = np.load(residual_path)
    with AnonymousMemory() as memory:
        start = time.perf_counter()
        lazy(residual, features, batch)
        return time.perf_counter() - start, memory.peak


def memory_map_case(quick, batch=1_000):
    n_pool, n_classes, n_features = (100_000 if quick else 5_000_000), 10, 512
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        residual, path, _ = write_factors(
            folder, n_pool, n_classes, n_features, n_train=1_000, n_epochs=18
        )
        np.save(folder / "residual.npy", residual.numpy())
        del residual
        seconds, peak = in_fresh_process(
            _stream_map,
            folder / "residual.npy",
            path,
            n_pool,
            n_features,
            batch,
            torch.get_num_threads(),
        )
    gigabytes = 4 * n_pool * n_features / 1e9
    print(
        f"\nmemory-map: {gigabytes:.1f} GB of features, B {batch:,}: {seconds:.1f} s, "
        f"peak anonymous memory of the process {peak / 1024:.2f} GiB"
    )
    return {
        "case": "memory-map",
        "sizes": {"n_pool": n_pool, "K": n_classes, "d": n_features, "B": batch},
        "seconds": {"lazy": [seconds]},
        "features_gb": gigabytes,
        "peak_anonymous_gib": peak / 1024,
    }


# --- command line --------------------------------------------------------------------


def machine(threads):
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "processor": model,
        "threads": threads,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*KMEANS_CASES, *OTHER_CASES]
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--repeats", type=int, default=3, help="alternating runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON to write")
    for name in ("n-pool", "classes", "features", "batch"):
        parser.add_argument(
            f"--{name}", type=int, help="instead of the k-means++ cases' own"
        )
    return parser.parse_args()


def write(arguments, records):
    """Write the records, and keep those of other cases from this machine."""
    content = {"machine": machine(arguments.threads), "quick": arguments.quick}
    measured = {record["case"] for record in records}
    kept = []
    if arguments.out.exists():
        before = json.loads(arguments.out.read_text())
        if {name: before.get(name) for name in content} == content:
            kept = [x for x in before["records"] if x["case"] not in measured]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    content["records"] = kept + records
    arguments.out.write_text(json.dumps(content, indent=1) + "\n")


def main():
    arguments = parse_arguments()
    # Killed politely, it still removes its temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    torch.set_num_threads(arguments.threads)
    own = [getattr(arguments, x) for x in ("n_pool", "classes", "features", "batch")]
    cases = {}
    for name, sizes in (QUICK if arguments.quick else KMEANS_CASES).items():
        if name in arguments.cases:
            shape = [mine or given for mine, given in zip(own, sizes, strict=False)]
            cases[name] = (*shape, *sizes[4:])
    records = []

    def run(function, *rest):
        start = time.perf_counter()
        record = function(*rest)
        print(f"  (the case took {time.perf_counter() - start:.0f} s)", flush=True)
        found = record if isinstance(record, list) else [record]
        records.extend(x for x in found if x is not None)
        # After every case: what hours have measured outlives a late interrupt.
        write(arguments, records)

    for name, sizes in cases.items():
        run(kmeans_case, name, sizes, arguments.repeats)
    if "k-center" in arguments.cases:
        run(k_center_case, arguments.quick, arguments.repeats)
    if "hostile" in arguments.cases:
        run(hostile_case, arguments.quick, arguments.repeats)
        torch.set_num_threads(arguments.threads)
    if "scikit-activeml" in arguments.cases:
        run(scikit_activeml_case, arguments.quick, arguments.repeats)
    if "memory" in arguments.cases:
        run(memory_case, cases)
    if "memory-map" in arguments.cases:
        run(memory_map_case, arguments.quick)
    print(f"\nWritten to {arguments.out}")


if __name__ == "__main__":
    main()

"""Choose from a pool on worker processes, and from the same pool in one process.

Writes a pool to a file, lets the workers of a local Dask cluster read a part each, and
measures seconds, round trips, bytes and peak memory of one BADGE query; then the same
query in a process of its own. From the measured parts it works out a model, said to be
one, of many more rows on many more workers. dask-ml's k-means|| stands beside the
choice where it is installed. Writes JSON.

    python benchmarks/bench_cluster.py --out benchmarks/results/cluster.json
"""

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from unittest import mock

import dask.array
import numpy as np
import torch
from dask.distributed import Client, LocalCluster
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner
from skbadge.embeddings._sharded import ShardedEmbedding
from skbadge.modules import MLP
from skbadge.selection import kmeans_plusplus

N_FEATURES, N_CLASSES, N_HIDDEN = 128, 10, 128
# What the model of a large cluster takes for granted.
LATENCY, BANDWIDTH = 5e-3, 1e9


def write_pool(path, n_rows, seed=0):
    """Write rows of overlapping classes, a block at a time.

    Not through a memory map: its pages would count as memory of this process.
    """
    random = np.random.default_rng(seed)
    means = random.normal(size=(N_CLASSES, N_FEATURES)).astype(np.float32)
    header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, N_FEATURES)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n_rows, 100_000):
            length = min(100_000, n_rows - start)
            y = random.integers(N_CLASSES, size=length)
            noise = random.standard_normal((length, N_FEATURES), dtype=np.float32)
            file.write((0.6 * means[y] + noise).tobytes())
    return means


def make_learner():
    net = NeuralNetClassifier(
        MLP,
        module__n_features=N_FEATURES,
        module__n_classes=N_CLASSES,
        module__n_hidden=N_HIDDEN,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        train_split=None,
        iterator_train__shuffle=True,
        iterator_valid__batch_size=2_048,
        max_epochs=10,
        verbose=0,
    )
    return ActiveLearner(net, strategy=BADGE(), random_state=0)


def train(means, path):
    """Train a learner and save it: two trainings need not agree to the last digit."""
    random = np.random.default_rng(1)
    y = random.integers(N_CLASSES, size=2_000)
    X = 0.6 * means[y] + random.standard_normal((2_000, N_FEATURES), dtype=np.float32)
    make_learner().fit(X, y).save(path)


def read_rows(path, start, stop):
    return np.array(np.load(path, mmap_mode="r")[start:stop])


def delayed_pool(path, n_rows, n_parts):
    cuts = np.linspace(0, n_rows, n_parts + 1).astype(int)
    parts = [
        dask.array.from_delayed(
            dask.delayed(read_rows)(path, int(low), int(high)),
            (int(high - low), N_FEATURES),
            np.float32,
        )
        for low, high in itertools.pairwise(cuts)
    ]
    return dask.array.concatenate(parts)


def memory(name):
    """Return a memory figure of this process in bytes, as Linux counts it.

    Not that of `resource`, which a process takes over from the one that started it.
    """
    text = Path("/proc/self/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


def forget_peak():
    """Let the peak start anew from what is used now; return what is used."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def peak_memory():
    return memory("VmHWM")


class Refreshes:
    """Count the distances of all rows that a choice asks for, and their seconds."""

    def __init__(self):
        self.count, self.centers, self.seconds = 0, 0, 0.0

    def __enter__(self):
        plain = ShardedEmbedding.nearest_sq

        def timed(embedding, part, centers):
            started = perf_counter()
            found = plain(embedding, part, centers)
            self.count += 1
            self.centers += len(centers)
            self.seconds += perf_counter() - started
            return found

        self.patch = mock.patch.object(ShardedEmbedding, "nearest_sq", timed)
        self.patch.start()
        return self

    def __exit__(self, *_):
        self.patch.stop()


def nothing(number):
    return number


def seconds_of_tasks(client, count=200):
    """Return the seconds that Dask takes for a task, in rounds of many, and for one."""
    found = []
    for many in (count, 1):
        tries = []
        for _ in range(5):
            started = perf_counter()
            client.gather([client.submit(nothing, i, pure=False) for i in range(many)])
            tries.append((perf_counter() - started) / many)
        found.append(float(np.median(tries)))
    return found


def on_a_cluster(path, trained, n_rows, n, n_workers, n_parts):
    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        learner = ActiveLearner.load(trained, make_learner())
        # The first query of a worker waits for its imports.
        started = perf_counter()
        learner.query(delayed_pool(path, 1_000 * n_workers, n_workers), n=10)
        first = perf_counter() - started
        pool = delayed_pool(path, n_rows, n_parts)
        of_workers = client.run(forget_peak)
        before = forget_peak()
        with Refreshes() as refreshes:
            chosen = learner.query(pool, n=n)
        traffic = learner.traffic_
        peak = peak_memory() - before
        of_workers = [
            peak - of_workers[worker]
            for worker, peak in client.run(peak_memory).items()
        ]
        many, one = seconds_of_tasks(client)
        return {
            "first_query_seconds": first,
            "embed_seconds": learner.timings_["embed"],
            "select_seconds": learner.timings_["select"],
            "rounds": traffic.rounds,
            "messages": traffic.messages,
            "bytes_down": traffic.bytes_down,
            "bytes_up": traffic.bytes_up,
            "coordinator_bytes": peak,
            "worker_bytes": max(of_workers),
            "refreshes": refreshes.count,
            "refreshed_centers": refreshes.centers,
            "refresh_seconds": refreshes.seconds,
            "task_seconds": many,
            "round_trip_seconds": one,
        }, chosen


def in_one_process(path, trained, n):
    """Run the query in a fresh process of two threads; return what it measured."""
    folder = trained.parent
    command = [sys.executable, __file__, "--one", str(path), str(trained), str(n)]
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run(command, check=True, env=env)
    found = json.loads((folder / "found.json").read_text())
    return found, np.load(folder / "chosen.npy")


def one_process(path, trained, n):
    folder = Path(trained).parent
    learner = ActiveLearner.load(trained, make_learner())
    pool = np.load(path, mmap_mode="r")
    learner.query(pool[:2_000], n=10)
    before = forget_peak()
    chosen = learner.query(pool, n=int(n))
    found = {
        "embed_seconds": learner.timings_["embed"],
        "select_seconds": learner.timings_["select"],
        # The pages of the file that were read are among them.
        "bytes": peak_memory() - before,
    }
    np.save(folder / "chosen.npy", chosen)
    (folder / "found.json").write_text(json.dumps(found))


def k_means_parallel(n, n_rows):
    """Time dask-ml's k-means|| and see how far its law is from k-means++ seeding's."""
    try:
        # Not among what the benchmarks need.
        from dask_ml.cluster.k_means import k_init  # noqa: PLC0415
    except ImportError:
        return None
    random = np.random.default_rng(3)
    X = dask.array.from_array(
        random.standard_normal((n_rows, N_FEATURES)).astype(np.float32),
        chunks=(n_rows // 4, N_FEATURES),
    ).persist()
    started = perf_counter()
    k_init(X, n, random_state=0)
    seconds = perf_counter() - started
    # The exact law on the same rows, for n centers too.
    started = perf_counter()
    kmeans_plusplus(np.asarray(X), n, random_state=0)
    our_seconds = perf_counter() - started
    points = np.array([[0.0], [1.0], [3.0], [7.0], [8.0], [15.0]])
    exact = exact_first_pair(points[:, 0])
    draws, centroids = 200, 0
    counts, nearest, ours = Counter(), Counter(), Counter()
    small = dask.array.from_array(points, chunks=(3, 1))
    # It divides by a cost of 0 where candidates run out.
    with dask.config.set(scheduler="synchronous"), np.errstate(invalid="ignore"):
        for seed in range(draws):
            centers = np.asarray(k_init(small, 2, random_state=seed))[:, 0]
            rows = points[np.abs(points - centers).argmin(axis=0), 0]
            counts[tuple(sorted(centers.tolist()))] += 1
            own = points[kmeans_plusplus(points, 2, random_state=seed), 0]
            ours[tuple(sorted(own.tolist()))] += 1
            nearest[tuple(sorted(rows.tolist()))] += 1
            centroids += sum(center not in points for center in centers)
    return {
        "rows": n_rows,
        "centers": n,
        "seconds": seconds,
        "kmeans_plusplus_seconds": our_seconds,
        "law": {
            "pool": points[:, 0].tolist(),
            "draws": draws,
            "total_variation": total_variation(exact, counts, draws),
            "total_variation_of_nearest_rows": total_variation(exact, nearest, draws),
            "centers_that_are_no_rows": centroids / (2 * draws),
            # Its law is the exact one: what is left is chance of so many draws.
            "total_variation_of_kmeans_plusplus": total_variation(exact, ours, draws),
        },
    }


def total_variation(law, counts, draws):
    keys = set(law) | set(counts)
    return sum(abs(law.get(k, 0.0) - counts.get(k, 0) / draws) for k in keys) / 2


def exact_first_pair(x):
    """Return {pair: probability} of k-means++ seeding of two centers."""
    law = {}
    for first in range(len(x)):
        distance_sq = (x - x[first]) ** 2
        for second in range(len(x)):
            pair = tuple(sorted((float(x[first]), float(x[second]))))
            weight = distance_sq[second] / distance_sq.sum() / len(x)
            law[pair] = law.get(pair, 0.0) + weight
    return law


def model_of_many(measured, n_rows, n_workers, n_parts, big_rows, big_workers):
    """Scale the measured parts up: a model, not a measurement.

    As many round trips and refreshes as were measured (the number of rows hardly
    changes them), parts as large as those measured, and the latency and bandwidth of
    a network, which are assumed.
    """
    big_parts = big_rows * n_parts // n_rows
    a_worker = big_rows / big_workers / (n_rows / n_workers)
    # A round asks for up to 1,024 rows; some lie in the same part.
    touched = big_parts * (1 - (1 - 1 / big_parts) ** 1024)
    bytes_up = measured["bytes_up"] + 8 * (big_rows - n_rows)
    bytes_down = measured["bytes_down"] * big_parts / n_parts
    # The coordinator sums and searches its bounds once a round.
    bounds = np.random.default_rng(0).random(min(big_rows, 20_000_000))
    started = perf_counter()
    np.searchsorted(np.cumsum(bounds), np.linspace(0, 1, 1024))
    a_sum = (perf_counter() - started) * big_rows / len(bounds)
    seconds = {
        "tasks": measured["rounds"] * touched * measured["task_seconds"],
        "latency": measured["rounds"] * LATENCY,
        "network": (bytes_up + bytes_down) / BANDWIDTH,
        "sums": measured["rounds"] * a_sum,
        "refreshes": measured["refresh_seconds"] * a_worker,
    }
    return {
        "is_a_model": True,
        "rows": big_rows,
        "workers": big_workers,
        "parts": big_parts,
        "latency_seconds": LATENCY,
        "bandwidth_bytes_per_second": BANDWIDTH,
        "embed_seconds": measured["embed_seconds"] * a_worker,
        "select_seconds": sum(seconds.values()),
        "select_seconds_of": seconds,
        "rounds": measured["rounds"],
        "messages": measured["rounds"] * touched,
        "bytes_down": bytes_down,
        "bytes_up": bytes_up,
        "coordinator_bytes": measured["coordinator_bytes"] * big_rows / n_rows,
        "worker_bytes": measured["worker_bytes"] * a_worker,
    }


def measure(n_rows, n, n_workers, n_parts):
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        trained = Path(folder) / "learner.safetensors"
        train(write_pool(path, n_rows), trained)
        cluster, chosen = on_a_cluster(path, trained, n_rows, n, n_workers, n_parts)
        alone, expected = in_one_process(path, trained, n)
    return {
        "pool": {"rows": n_rows, "d": N_FEATURES, "K": N_CLASSES, "B": n},
        "workers": n_workers,
        "parts": n_parts,
        "cluster": cluster,
        "one_process": alone,
        "same_picks": int((chosen == expected).sum()),
        "ratios": {
            name: cluster[name] / alone[name]
            for name in ("embed_seconds", "select_seconds")
        },
        "model": model_of_many(cluster, n_rows, n_workers, n_parts, 100_000_000, 100),
        "k_means_parallel": k_means_parallel(n, min(n_rows, 100_000)),
        "machine": {
            "cpus": os.cpu_count(),
            "load_before": load,
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "dask": dask.__version__,
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--n", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", type=int, default=50)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one_process(*options.one)
        return
    text = json.dumps(
        measure(options.rows, options.n, options.workers, options.parts), indent=1
    )
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()

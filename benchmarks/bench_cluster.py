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
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import dask
import numpy as np
import torch
from dask.distributed import Client, LocalCluster
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner
from skbadge.modules import MLP

N_FEATURES, N_CLASSES, N_HIDDEN = 128, 10, 128
# What the model of a large cluster takes for granted.
LATENCY, BANDWIDTH = 5e-3, 1e9


def write_pool(path, n_rows, seed=0):
    """Write rows of overlapping classes, a block at a time."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(N_CLASSES, N_FEATURES)).astype(np.float32)
    shape = (n_rows, N_FEATURES)
    pool = np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=shape)
    for start in range(0, n_rows, 100_000):
        stop = min(start + 100_000, n_rows)
        y = random.integers(N_CLASSES, size=stop - start)
        noise = random.standard_normal((stop - start, N_FEATURES), dtype=np.float32)
        pool[start:stop] = 0.6 * means[y] + noise
    pool.flush()
    return means


def make_learner(means):
    random = np.random.default_rng(1)
    y = random.integers(N_CLASSES, size=2_000)
    X = 0.6 * means[y] + random.standard_normal((2_000, N_FEATURES), dtype=np.float32)
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
    return ActiveLearner(net, strategy=BADGE(), random_state=0).fit(X, y)


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


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def on_a_cluster(path, means, n_rows, n, n_workers, n_parts):
    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        learner = make_learner(means)
        before = peak_memory()
        pool = delayed_pool(path, n_rows, n_parts)
        chosen = learner.query(pool, n=n)
        traffic = learner.traffic_
        return {
            "embed_seconds": learner.timings_["embed"],
            "select_seconds": learner.timings_["select"],
            "rounds": traffic.rounds,
            "messages": traffic.messages,
            "bytes_down": traffic.bytes_down,
            "bytes_up": traffic.bytes_up,
            "coordinator_bytes": peak_memory() - before,
            "worker_peak_bytes": max(client.run(peak_memory).values()),
        }, chosen


def in_one_process(path, means, n_rows, n):
    """Run the query in a fresh process of two threads; return what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "means.npy", means)
        command = [sys.executable, __file__, "--one", str(path), folder, str(n)]
        env = {**os.environ, "OMP_NUM_THREADS": "2"}
        subprocess.run(command, check=True, env=env)
        found = json.loads((Path(folder) / "found.json").read_text())
        return found, np.load(Path(folder) / "chosen.npy")


def one_process(path, folder, n):
    means = np.load(Path(folder) / "means.npy")
    learner = make_learner(means)
    before = peak_memory()
    chosen = learner.query(np.load(path, mmap_mode="r"), n=int(n))
    found = {
        "embed_seconds": learner.timings_["embed"],
        "select_seconds": learner.timings_["select"],
        "peak_bytes": peak_memory(),
        "peak_bytes_above_start": peak_memory() - before,
    }
    np.save(Path(folder) / "chosen.npy", chosen)
    (Path(folder) / "found.json").write_text(json.dumps(found))


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
    points = np.array([[0.0], [1.0], [3.0], [7.0], [8.0], [15.0]])
    exact = exact_first_pair(points[:, 0])
    draws, counts, centroids = 200, {}, 0
    small = dask.array.from_array(points, chunks=(3, 1))
    with dask.config.set(scheduler="synchronous"):
        for seed in range(draws):
            centers = np.sort(np.asarray(k_init(small, 2, random_state=seed))[:, 0])
            key = tuple(centers.tolist())
            counts[key] = counts.get(key, 0) + 1
            centroids += sum(center not in points for center in centers)
    keys = set(exact) | set(counts)
    gap = sum(abs(exact.get(k, 0.0) - counts.get(k, 0) / draws) for k in keys) / 2
    return {
        "rows": n_rows,
        "centers": n,
        "seconds": seconds,
        "law": {
            "pool": points[:, 0].tolist(),
            "draws": draws,
            "total_variation": gap,
            "centers_that_are_no_rows": centroids / (2 * draws),
        },
    }


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


def model_of_many(measured, n_rows, n_workers, big_rows, big_workers, n):
    """Scale the measured parts up: a model, not a measurement."""
    rows_a_second = n_rows / n_workers / measured["embed_seconds"]
    a_round = LATENCY + (measured["bytes_up"] / measured["rounds"]) / BANDWIDTH
    # The coordinator sums and searches its bounds once a round.
    bounds = np.random.default_rng(0).random(min(big_rows, 20_000_000))
    started = perf_counter()
    np.searchsorted(np.cumsum(bounds), np.linspace(0, 1, 1024))
    a_sum = (perf_counter() - started) * big_rows / len(bounds)
    touched = min(big_workers, 1024)
    return {
        "is_a_model": True,
        "rows": big_rows,
        "workers": big_workers,
        "latency_seconds": LATENCY,
        "bandwidth_bytes_per_second": BANDWIDTH,
        "embed_seconds": big_rows / big_workers / rows_a_second,
        "select_seconds": measured["rounds"] * (a_round + a_sum),
        "messages": measured["rounds"] * touched,
        "bytes_up": measured["bytes_up"],
        "coordinator_bytes": 21 * big_rows,
        "worker_bytes": big_rows / big_workers * 4 * (N_HIDDEN + N_CLASSES),
    }


def measure(n_rows, n, n_workers, n_parts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        means = write_pool(path, n_rows)
        cluster, chosen = on_a_cluster(path, means, n_rows, n, n_workers, n_parts)
        alone, expected = in_one_process(path, means, n_rows, n)
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
        "model": model_of_many(cluster, n_rows, n_workers, 100_000_000, 100, n),
        "k_means_parallel": k_means_parallel(n, min(n_rows, 100_000)),
        "machine": {
            "cpus": os.cpu_count(),
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

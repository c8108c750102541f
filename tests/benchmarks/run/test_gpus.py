"""Each worker of a grid sees one GPU: by the environment alone, no GPU needed."""

import os
import time

import pytest
from joblib import Parallel, delayed

from skbadge.benchmarks.run import _gpus
from skbadge.benchmarks.run._gpus import visible_gpus
from skbadge.benchmarks.run._pool import _as_child
from tests.benchmarks._cells import tiny_cell


@pytest.mark.parametrize(
    ("devices", "variable", "n_gpus", "expected"),
    [
        (["cuda"], "", 3, ("0", "1", "2")),
        (["cuda", "cpu"], "", 2, ("0", "1")),
        (["cuda"], "4, 7", 2, ("4", "7")),
        (["cuda"], "GPU-a,GPU-b", 2, ("GPU-a", "GPU-b")),
        (["cuda"], "4", 1, ()),
        (["cuda"], "", 1, ()),
        (["cuda"], "", 0, ()),
        (["cpu"], "", 3, ()),
        (["cuda", "cuda:1"], "", 3, ()),
    ],
)
def test_which_gpus_are_shared_out(monkeypatch, devices, variable, n_gpus, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    monkeypatch.setattr(_gpus, "count_gpus", lambda: n_gpus)
    cells = [tiny_cell(device=device) for device in devices]
    assert visible_gpus(cells) == expected


def seen():
    time.sleep(0.3)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.slow
def test_two_workers_see_two_gpus_and_keep_them():
    jobs = [delayed(_as_child)(os.getpid(), ("4", "7"), seen) for _ in range(4)]
    found = Parallel(n_jobs=2, batch_size=1)(jobs)
    by_worker = {}
    for worker, gpu in found:
        by_worker.setdefault(worker, set()).add(gpu)
    assert sorted(map(sorted, by_worker.values())) == [["4"], ["7"]]


def test_the_calling_process_keeps_all(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert (
        _as_child(os.getpid(), ("4", "7"), os.getenv, "CUDA_VISIBLE_DEVICES") == "4,7"
    )


@pytest.mark.parametrize(
    ("name", "number"), [("LokyProcess-3", 3), ("MainProcess", 0), ("a-1-w-12", 12)]
)
def test_workers_are_numbered_by_name(monkeypatch, name, number):
    class Process:
        pass

    Process.name = name
    monkeypatch.setattr(_gpus, "current_process", Process)
    assert _gpus._number() == number

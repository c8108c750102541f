import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from joblib._parallel_backends import LokyBackend

from skbadge.benchmarks import (
    load_grid,
    load_task,
    make_cells,
    run_grid,
    write_report,
)
from skbadge.benchmarks.run import _grid as grid_module
from skbadge.benchmarks.run import _pool as pool_module
from skbadge.benchmarks.run import _work as work_module
from skbadge.benchmarks.run._backends import parallel_backend
from skbadge.benchmarks.run._json import read_json, write_json
from skbadge.benchmarks.run._store import MADE_OF_CELLS, CellStore
from skbadge.exceptions import DataUnavailableError, InvalidInputError, SkbadgeError
from skbadge.strategies import RandomSampling
from tests.benchmarks._cells import tiny_cell, tiny_cells


def results_bytes(out):
    return (out / "results.csv").read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Results of the tiny grid, run in one go in this process."""
    out = tmp_path_factory.mktemp("expected")
    run_grid(tiny_cells(), out)
    return results_bytes(out)


def test_tables_and_files(tmp_path):
    cells = tiny_cells()
    grid = run_grid(cells, tmp_path, about={"why": "test"})
    assert len(grid.results) == len(grid.costs) == len(cells) * 3
    key = ["strategy", "repeat", "round"]
    assert grid.results[key].equals(grid.results[key].sort_values(key))
    assert grid.failures.empty and grid.missing.empty
    assert grid.costs.loc[grid.costs["round"] == 0, "select_seconds"].isna().all()
    assert grid.costs.loc[grid.costs["round"] > 0, "select_seconds"].notna().all()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cells",
        "costs.csv",
        "results.csv",
        "settings.json",
    ]
    read = pd.read_csv(tmp_path / "results.csv")
    np.testing.assert_array_equal(read["accuracy"], grid.results["accuracy"])
    assert grid.settings["about"] == {"why": "test"}
    summary = grid.settings["summary"]
    assert (summary["cells"], summary["finished"], summary["missing"]) == (4, 4, 0)
    # All trainings of three epochs end at the cap.
    assert summary["trainings_stopped_by_max_epochs"] == [
        {
            "dataset": "digits",
            "model": "mlp",
            "batch_size": 10,
            "hits": 12,
            "trainings": 12,
        }
    ]
    (environment,) = summary["environments"]
    assert environment["cells"] == 4 and environment["torch"]
    again = load_grid(tmp_path)
    pd.testing.assert_frame_equal(again.results, grid.results)
    assert again.settings == grid.settings


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(tmp_path, expected):
    with parallel_backend("loky", 2) as n_jobs:
        run_grid(tiny_cells(), tmp_path, n_jobs=n_jobs)
    assert results_bytes(tmp_path) == expected


@pytest.mark.slow
def test_dask_gives_the_same_bytes(tmp_path, expected):
    pytest.importorskip("distributed")
    from tests._forked import forked_workers

    with forked_workers(), warnings.catch_warnings():
        # Dask's own, about ports in use and sockets left to the collector.
        warnings.simplefilter("ignore")
        with parallel_backend("dask", 2) as n_jobs:
            run_grid(tiny_cells(), tmp_path, n_jobs=n_jobs)
    assert results_bytes(tmp_path) == expected


def test_the_order_of_the_cells_does_not_matter(tmp_path, expected):
    run_grid(tiny_cells()[::-1], tmp_path)
    assert results_bytes(tmp_path) == expected


def test_a_thread_backend_is_refused(tmp_path):
    with (
        parallel_config(backend="threading"),
        pytest.raises(InvalidInputError) as caught,
    ):
        run_grid(tiny_cells(), tmp_path, n_jobs=2)
    assert str(caught.value) == (
        "The joblib backend must run cells in processes: torch has one random "
        "generator and one number of threads for a whole process. Got one with threads "
        'instead: use joblib.parallel_config(backend="loky"), or backend="dask" with '
        "worker processes of one thread each."
    )
    assert list(tmp_path.iterdir()) == []


# Forks after the slow imports, so that many kills take little time.
_KILLER = """
import os, signal, sys, time
from pathlib import Path
import torch
from skbadge.benchmarks import run_grid
from tests.benchmarks._cells import tiny_cells

def files():
    return set(Path(out).glob("cells/*.json"))

def run_and_kill(n_jobs, wait):
    before = files()
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        run_grid(tiny_cells(), out, n_jobs=n_jobs, resume=True)
        os._exit(0)
    # Killed some time after it has written its first file.
    while not files() - before:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.001)
    time.sleep(wait)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)

out, *waits = sys.argv[1:]
# The first optimizer of a process imports for seconds: once here, not in each child.
torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
for i, wait in enumerate(waits):
    run_and_kill(n_jobs=2 if i == 0 else 1, wait=float(wait))
"""


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed(tmp_path, expected):
    waits = np.random.default_rng(0).uniform(0, 0.1, size=5)
    command = [sys.executable, "-c", _KILLER, tmp_path, *waits]
    subprocess.run([str(part) for part in command], check=True)
    assert list(tmp_path.glob("cells/*.json"))
    run_grid(tiny_cells(), tmp_path, resume=True)
    assert results_bytes(tmp_path) == expected
    assert not list(tmp_path.glob("cells/*.partial.json"))


@pytest.mark.parametrize("n_done", [0, 1, 2, 3])
def test_stopped_between_cells_and_resumed(tmp_path, monkeypatch, expected, n_done):
    """As a kill would, without a process: exactly ``n_done`` cells are there."""
    real = CellStore.write

    def write(store, cell, content):
        if len(list(store.cells.glob("*[0-9a-f].json"))) == n_done:
            raise KeyboardInterrupt
        real(store, cell, content)

    monkeypatch.setattr(CellStore, "write", write)
    with pytest.raises(KeyboardInterrupt):
        run_grid(tiny_cells(), tmp_path)
    monkeypatch.undo()
    half = load_grid(tmp_path)
    assert len(half.missing) == 4 - n_done
    assert len(half.results) == 3 * n_done
    called = count_cells(monkeypatch)
    run_grid(tiny_cells(), tmp_path, resume=True)
    assert len(called) == 4 - n_done
    assert results_bytes(tmp_path) == expected


def count_cells(monkeypatch):
    called = []
    real = pool_module.attempt_cell

    def attempt(cell, *rest):
        called.append(cell)
        return real(cell, *rest)

    monkeypatch.setattr(pool_module, "attempt_cell", attempt)
    return called


def test_resuming_goes_on_from_the_checkpoint(tmp_path, monkeypatch, expected):
    store = CellStore(tmp_path)
    store.make()
    cells = tiny_cells()
    states = []
    real = pool_module.attempt_cell

    def attempt(cell, checkpoint, state):
        states.append(state)
        return real(cell, checkpoint, state)

    run_and_stop(cells[0], store)
    monkeypatch.setattr(pool_module, "attempt_cell", attempt)
    run_grid(cells, tmp_path, resume=True)
    assert [len(state["records"]) for state in states if state] == [2]
    assert results_bytes(tmp_path) == expected


def run_and_stop(cell, store):
    """Leave the checkpoint of the last round but one."""
    path = store.path(cell, ".partial")
    pool_module.attempt_cell(cell, str(path), None)
    assert path.exists()


def test_a_damaged_checkpoint_is_not_used(tmp_path, expected):
    store = CellStore(tmp_path)
    store.make()
    cell = tiny_cells()[0]
    run_and_stop(cell, store)
    path = store.path(cell, ".partial")
    path.write_text(path.read_text()[:-100])
    with pytest.warns(UserWarning, match="it is damaged. The cell is run again."):
        run_grid(tiny_cells(), tmp_path, resume=True)
    assert results_bytes(tmp_path) == expected


@pytest.mark.parametrize("damage", ["altered", "not a number", "folder"])
def test_a_damaged_cell_is_run_again(tmp_path, monkeypatch, expected, damage):
    cells = tiny_cells()
    run_grid(cells, tmp_path)
    path = CellStore(tmp_path).path(cells[1])
    text = path.read_text()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "altered":
        path.write_text(text.replace('"accuracy":0', '"accuracy":1', 1))
    else:
        path.write_text(text.replace('"seconds":', '"seconds":NaN,"x":'))
    with pytest.warns(UserWarning, match="it is damaged. It counts as missing."):
        assert len(load_grid(tmp_path).missing) == 1
    called = count_cells(monkeypatch)
    with pytest.warns(UserWarning, match="it is damaged. The cell is run again."):
        run_grid(cells, tmp_path, resume=True)
    assert called == [cells[1]]
    assert results_bytes(tmp_path) == expected


def test_changed_settings_are_not_mixed_with_old_cells(tmp_path, monkeypatch):
    run_grid(tiny_cells(repeats=1), tmp_path)
    called = count_cells(monkeypatch)
    changed = tiny_cells(repeats=1, max_epochs=4)
    grid = load_grid(tmp_path)
    write_report(grid.results, grid.costs, tmp_path)
    (tmp_path / "mine.csv").write_text("not ours")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}
    with (
        pytest.warns(UserWarning, match=r"other settings \(max_epochs 3, now 4\)"),
        pytest.warns(UserWarning, match="pages of the cells that left are now"),
    ):
        grid = run_grid(changed, tmp_path)
    assert set(called) == set(changed)
    assert set(grid.results["epochs"]) == {4}
    # What was there is still there, and no page of other cells beside the new tables.
    assert len(list(tmp_path.glob("cells/*.json"))) == 4
    aside = {path.name: path.read_bytes() for path in tmp_path.glob("tables.old-1/*")}
    assert aside == {k: v for k, v in before.items() if k != "mine.csv"}
    absent = {"failures.csv", "learning_curves.png", "arm_shares.csv"}
    assert set(aside) == set(MADE_OF_CELLS) - absent


def test_a_grid_can_grow(tmp_path, monkeypatch, expected):
    run_grid(tiny_cells(strategies=("rand",)), tmp_path)
    called = count_cells(monkeypatch)
    run_grid(tiny_cells(), tmp_path, resume=True)
    assert {cell.strategy for cell in called} == {"badge"}
    assert results_bytes(tmp_path) == expected


def test_without_resume_all_cells_are_run_again_and_none_is_lost(tmp_path, monkeypatch):
    cells = tiny_cells(repeats=1)
    run_grid(cells, tmp_path)
    called = count_cells(monkeypatch)
    for number in (1, 2):
        before = results_bytes(tmp_path)
        with pytest.warns(UserWarning, match=f"is now in .*old-{number}, as a whole"):
            run_grid(cells, tmp_path, resume=False)
        assert len(called) == 2 * number
        aside = tmp_path / f"old-{number}"
        assert len(list(aside.glob("cells/*.json"))) == 2
        # The old folder is a whole one: it can be read, and reported.
        assert len(load_grid(aside).results) == 6
        assert results_bytes(aside) == before


def test_the_same_call_again_runs_nothing(tmp_path, monkeypatch, expected):
    run_grid(tiny_cells(), tmp_path)
    called = count_cells(monkeypatch)
    run_grid(tiny_cells(), tmp_path)
    assert called == []
    assert results_bytes(tmp_path) == expected


def test_two_calls_fill_one_folder(tmp_path, expected):
    run_grid(tiny_cells(strategies=("badge",)), tmp_path)
    grid = run_grid(tiny_cells(strategies=("rand",)), tmp_path)
    assert set(grid.results["strategy"]) == {"badge", "rand"}
    assert results_bytes(tmp_path) == expected
    assert len(load_grid(tmp_path).results) == len(grid.results)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("data", r"other data \(2 cells\)"),
        ("skbadge", r"another version of skbadge \(2 cells\)"),
        ("code", r"other code of your own \(2 cells\)"),
    ],
)
def test_cells_made_of_something_else_are_run_anew(tmp_path, monkeypatch, part, says):
    cells = tiny_cells(repeats=1)
    run_grid(cells, tmp_path)
    real = grid_module.made_of
    monkeypatch.setattr(
        grid_module, "made_of", lambda cell, sha: real(cell, sha) | {part: "another"}
    )
    called = count_cells(monkeypatch)
    with (
        pytest.warns(UserWarning, match=says),
        pytest.warns(UserWarning, match="pages of the cells that left are now"),
    ):
        run_grid(cells, tmp_path)
    assert len(called) == 2
    assert len(list(tmp_path.glob("cells/*.other"))) == 2


@pytest.mark.parametrize("part", ["data", "skbadge", "code"])
def test_checkpoints_made_of_something_else_are_not_gone_on_with(
    tmp_path, monkeypatch, part, expected
):
    store, cells = CellStore(tmp_path), tiny_cells()
    store.make()
    run_and_stop(cells[0], store)
    path = store.path(cells[0], ".partial")
    content = read_json(path)
    content["made_of"][part] = "another"
    write_json(path, content)
    states = []
    real = pool_module.attempt_cell

    def attempt(cell, checkpoint, state):
        states.append(state)
        return real(cell, checkpoint, state)

    monkeypatch.setattr(pool_module, "attempt_cell", attempt)
    with pytest.warns(UserWarning, match=r"something else than now: .* \(1 cells\)"):
        run_grid(cells, tmp_path)
    assert states == [None] * 4
    assert len(list(tmp_path.glob("cells/*.other"))) == 1
    assert results_bytes(tmp_path) == expected


def test_a_cell_that_went_on_under_other_versions_says_so(tmp_path):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    run_and_stop(cell, store)
    path = store.path(cell, ".partial")
    content = read_json(path)
    now = content["environment"]["torch"]
    content["environment"]["torch"] = "0.1"
    write_json(path, content)
    with pytest.warns(UserWarning, match=r"run with other versions, torch 0\.1: "):
        run_grid([cell], tmp_path)
    assert store.read(cell)["environment"]["torch"] == f"0.1, then {now}"


def cut_in_half(path):
    path.write_text(path.read_text()[:-100])


def left_alone(path):
    path.unlink()


def of_another_program(path):
    path.write_text('{"editor.tabSize": 4}')


def without_cells(path):
    shutil.rmtree(path.parent / "cells")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (cut_in_half, "no settings.json that lists cells (Unterminated string"),
        (left_alone, "no settings.json that lists cells ([Errno 2] No such file"),
        (of_another_program, "no settings.json that lists cells ('shared')"),
        (without_cells, "and no folder cells: move what is there away"),
    ],
)
def test_tables_of_something_else_are_not_replaced(tmp_path, change, says):
    run_grid(tiny_cells(repeats=1, strategies=["rand"]), tmp_path)
    change(tmp_path / "settings.json")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(InvalidInputError, match=re.escape(says)):
        run_grid(tiny_cells(repeats=1, strategies=["marg"]), tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    with pytest.warns(UserWarning, match="is now in"):
        run_grid(tiny_cells(repeats=1, strategies=["marg"]), tmp_path, resume=False)
    for path, content in before.items():
        moved = tmp_path / "old-1" / path.relative_to(tmp_path)
        assert moved.read_bytes() == content


def test_two_runs_at_once_fill_one_folder(tmp_path, monkeypatch, expected):
    """The second begins after the first, and ends before it."""
    real = CellStore.write

    def write(store, cell, content):
        monkeypatch.undo()
        run_grid(tiny_cells(strategies=("rand",)), tmp_path)
        real(store, cell, content)

    monkeypatch.setattr(CellStore, "write", write)
    grid = run_grid(tiny_cells(strategies=("badge",)), tmp_path)
    assert set(grid.results["strategy"]) == {"badge", "rand"}
    assert results_bytes(tmp_path) == expected
    assert len(load_grid(tmp_path).results) == len(grid.results)


def test_tables_alone_can_be_read_and_are_left_alone(tmp_path):
    run_grid(tiny_cells(), tmp_path)
    whole = load_grid(tmp_path)
    shutil.rmtree(tmp_path / "cells")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    grid = load_grid(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert grid.missing.empty and grid.failures.empty
    pd.testing.assert_frame_equal(grid.results, whole.results, check_dtype=False)


def test_tables_alone_deviate_by_what_is_known_today(tmp_path):
    run_grid(tiny_cells(), tmp_path)
    shutil.rmtree(tmp_path / "cells")
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    expected = settings["summary"].pop("deviations_from_the_paper")
    # As earlier versions wrote it, by hand and once for all.
    settings["about"] = {"preset": "none", "deviations_from_the_paper": ["some"]}
    path.write_text(json.dumps(settings))
    found = load_grid(tmp_path).settings
    assert found["about"] == {"preset": "none"}
    assert found["summary"]["deviations_from_the_paper"] == expected
    assert found["summary"]["as_published_code"] is False


def test_a_folder_of_results_imports_nothing(tmp_path):
    run_grid(tiny_cells(repeats=1), tmp_path)
    path = tmp_path / "settings.json"
    name = "tests.benchmarks._imported_by_nobody:Strategy"
    path.write_text(path.read_text().replace('"badge"', f'"{name}"'))
    assert load_grid(tmp_path).missing["strategy"].tolist() == [name]


def test_data_that_cannot_be_had(tmp_path, monkeypatch):
    def load(cell):
        if cell.dataset == "letter":
            raise DataUnavailableError("no network")
        return load_task(cell)

    monkeypatch.setattr(work_module, "load_task", load)
    cells = tiny_cells(datasets=["digits", "letter"], repeats=1)
    with pytest.raises(DataUnavailableError, match="no network"):
        run_grid(cells, tmp_path)
    assert list(tmp_path.iterdir()) == []
    grid = run_grid(cells, tmp_path, skip_missing=True)
    assert set(grid.results["dataset"]) == {"digits"}
    assert grid.settings["about"]["data_that_could_not_be_had"] == ["letter"]
    with pytest.raises(DataUnavailableError, match="Got none of letter: no network"):
        run_grid(
            [c for c in cells if c.dataset == "letter"], tmp_path, skip_missing=True
        )


def test_names_of_versions_that_differ(tmp_path, monkeypatch):
    cells = tiny_cells(repeats=1)
    run_grid(cells, tmp_path)
    monkeypatch.setattr(grid_module, "environment", lambda: {"python": "9"})
    with pytest.warns(UserWarning, match="run with other versions, "):
        run_grid(cells, tmp_path)


def test_processes_that_cannot_be_started(tmp_path, monkeypatch):
    def broken(**options):
        raise OSError("no process")

    monkeypatch.setattr(pool_module, "Parallel", broken)
    with pytest.raises(SkbadgeError, match="die again and again as they start"):
        run_grid(tiny_cells(repeats=1), tmp_path)


_PARENT = """
import os, sys
from joblib import Parallel, delayed
from skbadge.benchmarks.run._backends import parallel_backend
from skbadge.benchmarks.run._pool import _as_child

def work(out):
    import time
    open(f"{out}/{os.getpid()}", "w").close()
    time.sleep(60)

out, with_loky = sys.argv[1:]
if not os.fork():
    # Since its first cell, whatever has started it.
    _as_child(os.getppid(), (), work, out)
if with_loky == "True":
    # On the command line since they are started.
    with parallel_backend("loky", 2) as n_jobs:
        Parallel(n_jobs=n_jobs)(delayed(work)(out) for _ in range(2))
else:
    os.wait()
"""
# Since joblib 1.5 workers can be told so when they start.
_HAS_INITIALIZER = hasattr(LokyBackend(), "backend_kwargs")


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path):
    command = [sys.executable, "-c", _PARENT, str(tmp_path), str(_HAS_INITIALIZER)]
    parent = subprocess.Popen(command)
    while len(list(tmp_path.iterdir())) < (3 if _HAS_INITIALIZER else 1):
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    workers = {int(path.name) for path in tmp_path.iterdir()}
    limit = time.monotonic() + 20
    while any(map(is_alive, workers)):
        assert time.monotonic() < limit
        time.sleep(0.05)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_other_versions_are_told_of(tmp_path, monkeypatch):
    cells = tiny_cells(repeats=1)
    run_grid(cells, tmp_path)
    now = grid_module.environment()
    monkeypatch.setattr(grid_module, "environment", lambda: now | {"torch": "99"})
    with pytest.warns(UserWarning) as caught:
        run_grid(cells, tmp_path, resume=True)
    assert f"run with other versions, torch {now['torch']}: " in str(caught[0].message)


def test_a_failing_cell_is_recorded_and_the_others_run(tmp_path, monkeypatch, expected):
    def fail(self, outputs, n, generator):
        raise RuntimeError("no luck\ntoday")

    monkeypatch.setattr(RandomSampling, "_select", fail)
    grid = run_grid(tiny_cells(), tmp_path)
    assert grid.results["strategy"].unique().tolist() == ["badge"]
    assert grid.failures["strategy"].tolist() == ["rand", "rand"]
    assert grid.failures["error"].tolist() == ["RuntimeError: no luck\ntoday"] * 2
    assert "in fail" in grid.failures["traceback"][0]
    assert grid.missing.empty
    table = pd.read_csv(tmp_path / "failures.csv")
    assert table["repeat"].tolist() == [0, 1]
    monkeypatch.undo()
    grid = run_grid(tiny_cells(), tmp_path, resume=True)
    assert grid.failures.empty
    assert results_bytes(tmp_path) == expected
    assert not (tmp_path / "failures.csv").exists()


def test_a_process_that_dies_is_a_failure_of_its_cell(tmp_path, expected):
    cells = [*tiny_cells(), tiny_cell(repeat=9, strategy="marg")]
    grid = run_with_deaths(tmp_path, cells, deadly=9)
    assert grid.failures["repeat"].tolist() == [9]
    assert grid.failures["error"][0].startswith("TerminatedWorkerError")
    assert results_bytes(tmp_path) == expected


def run_with_deaths(out, cells, deadly):
    from unittest import mock

    with (
        mock.patch.object(pool_module, "attempt_cell", _Deadly(deadly)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # joblib's, of semaphores left by the dead
        with parallel_backend("loky", 2) as n_jobs:
            return run_grid(cells, out, n_jobs=n_jobs)


class _Deadly:
    """Stands for `attempt_cell`; one repeat kills its process."""

    __name__ = "deadly"

    def __init__(self, repeat):
        self.repeat = repeat

    def __call__(self, cell, checkpoint, state):
        from skbadge.benchmarks.run._cell import attempt_cell

        if cell.repeat == self.repeat:
            os.kill(os.getpid(), signal.SIGKILL)
        return attempt_cell(cell, checkpoint, state)


def test_processes_that_always_die_end_the_grid(tmp_path, monkeypatch):
    def broken(store, cells, n_jobs):
        raise OSError("no process")
        yield

    monkeypatch.setattr(pool_module, "_parallel", broken)
    with pytest.raises(SkbadgeError, match="Worker processes die again and again."):
        run_grid(tiny_cells(repeats=9), tmp_path)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([], "cells must be a sequence of at least one Cell. Got [] instead."),
        (["digits"], "Got ['digits'] instead."),
        (
            [tiny_cell(), tiny_cell(seed=1)],
            "Got ('digits', 'mlp', 10, 'marg', 0) 2 times",
        ),
        (
            [tiny_cell(batch_size=5000)],
            "batch_size must leave room for a round: the pool of 'digits' has 1438 "
            "rows, 20 of them labelled at the start. Got 5000 instead.",
        ),
        (
            [tiny_cell(n_initial=5000)],
            "n_initial must be at most the 1438 rows of the pool of 'digits'. Got 5000",
        ),
        (
            [tiny_cell(dataset="kropt", model="resnet")],
            "model 'resnet' needs images of shape (n_channels, height, width). Got "
            "rows of shape (6,) in 'kropt' instead: use 'mlp'.",
        ),
        ([tiny_cell(dataset="nope")], "name must be one of 'digits'"),
    ],
)
def test_wrong_cells_are_refused_before_anything_is_run(tmp_path, cells, message):
    with pytest.raises(InvalidInputError) as caught:
        run_grid(cells, tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_value_given_twice():
    with pytest.raises(InvalidInputError) as caught:
        make_cells(["digits"], batch_sizes=[5, 5], repeats=1)
    assert str(caught.value) == (
        "Each batch_size must be given once. Got [5, 5] instead."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"shared": {}, "cells": [{"a": 1}]}',
        '{"shared": {}, "cells": []}',
        '{"shared": {}, "cells": [], "about": 3}',
        "[" * 100_000,
    ],
    ids=["empty", "nothing", "unknown", "no cells", "about", "deep"],
)
def test_a_folder_without_a_benchmark(tmp_path, text):
    with pytest.raises(InvalidInputError, match="has no readable settings.json"):
        load_grid(tmp_path)
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(InvalidInputError, match="must list the cells of a benchmark"):
        load_grid(tmp_path)


def test_long_cells_come_first(tmp_path, monkeypatch):
    called = count_cells(monkeypatch)
    cells = [tiny_cell(n_rounds=n, repeat=n) for n in (0, 2, 1)]
    run_grid(cells, tmp_path)
    assert [cell.n_rounds for cell in called] == [2, 1, 0]


def test_the_progress_bar_is_written_to_the_standard_error(tmp_path, capsys):
    run_grid(tiny_cells(repeats=1), tmp_path, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2 of 2 cells 100%" in captured.err and "left" in captured.err

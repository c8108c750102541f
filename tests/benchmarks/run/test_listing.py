"""The list of a folder's cells, where several runs change it at the same time."""

import multiprocessing
import time
from contextlib import contextmanager
from threading import Thread

import pytest

from skbadge.benchmarks import load_grid, run_grid
from skbadge.benchmarks.run import _grid as grid_module
from skbadge.benchmarks.run import _listing as listing_module
from skbadge.benchmarks.run import _store as store_module
from skbadge.benchmarks.run._listing import joined, read_listing, write_listing
from skbadge.benchmarks.run._store import CellStore
from skbadge.exceptions import SkbadgeError
from tests._disks import no_room
from tests.benchmarks._cells import tiny_cell, tiny_cells

pytestmark = pytest.mark.skipif(
    store_module.fcntl is None, reason="there are no locks on folders"
)


def listed_by_many(folder, monkeypatch):
    """Let eight runs add a cell to a list at once; return the repeats it has then."""
    store, real = CellStore(folder), listing_module.write_file
    store.make()

    def slow(path, text):
        time.sleep(0.02)
        real(path, text)

    def run(repeat):
        with store.alone():
            cells, about = joined(store, [tiny_cell(repeat=repeat)], {})
            write_listing(store, cells, about)

    monkeypatch.setattr(listing_module, "write_file", slow)
    threads = [Thread(target=run, args=(repeat,)) for repeat in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(cell.repeat for cell in read_listing(store)[1])


def test_runs_that_change_the_list_at_once_wait_for_each_other(tmp_path, monkeypatch):
    assert listed_by_many(tmp_path / "a", monkeypatch) == list(range(8))
    # The same without locks, as a proof that this test can fail.
    monkeypatch.setattr(store_module, "fcntl", None)
    assert listed_by_many(tmp_path / "b", monkeypatch) != list(range(8))


def _run(cells, out, together):
    """Run cells; be at the start and at the end when another one is there, too."""
    real = CellStore.alone

    @contextmanager
    def alone(store):
        together.wait(60)
        with real(store):
            yield

    CellStore.alone = alone
    run_grid(cells, out)


def test_runs_that_begin_and_end_together_miss_nothing_of_each_other(tmp_path):
    whole = run_grid(tiny_cells(), tmp_path / "whole")
    fork = multiprocessing.get_context("fork")
    together, out = fork.Barrier(2), tmp_path / "shared"
    parts = [[c for c in tiny_cells() if c.repeat == number] for number in (0, 1)]
    assert all(parts)
    runs = [fork.Process(target=_run, args=(part, out, together)) for part in parts]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    results = [tmp_path / name / "results.csv" for name in ("whole", "shared")]
    assert results[0].read_bytes() == results[1].read_bytes()
    assert load_grid(out).settings["summary"]["finished"] == len(whole.cells())


def test_a_full_disk_names_the_file_and_loses_no_finished_cell(tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    run_grid(tiny_cells(), whole)
    out, completed = tmp_path / "out", grid_module.completed

    def filling(store, todo, n_jobs):
        """Leave no room once a cell is there."""
        cells = completed(store, todo, n_jobs)
        yield next(cells)
        with no_room(200):
            yield from cells

    with monkeypatch.context() as patched:
        patched.setattr(grid_module, "completed", filling)
        with (
            pytest.warns(UserWarning, match="A checkpoint cannot be written .*partial"),
            pytest.raises(SkbadgeError, match="cannot be written: .*'.*out/") as caught,
        ):
            run_grid(tiny_cells(), out)
    assert "Finished cells are kept: make room" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert load_grid(out).settings["summary"]["finished"] == 1
    run_grid(tiny_cells(), out)
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    run_grid([tiny_cell()], tmp_path)
    with (
        no_room(),
        pytest.raises(SkbadgeError, match="'.*results.csv'. Finished cells"),
    ):
        load_grid(tmp_path)

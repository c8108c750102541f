"""Progress: cells, and the rounds inside them, as their checkpoints tell."""

import re
import time

import pytest

from skbadge.benchmarks.run import _progress
from skbadge.benchmarks.run._grid import run_grid
from skbadge.benchmarks.run._json import write_json
from skbadge.benchmarks.run._progress import ProgressBar
from skbadge.benchmarks.run._store import CellStore
from tests.benchmarks._cells import tiny_cell, tiny_cells


def checkpoint(store, cell, n_rounds):
    write_json(store.path(cell, ".partial"), {"records": [{}] * n_rounds})


@pytest.fixture
def cells():
    return [tiny_cell(repeat=repeat, n_initial=20, batch_size=10) for repeat in (0, 1)]


@pytest.fixture
def store(tmp_path):
    store = CellStore(tmp_path)
    store.make()
    return store


def make_bar(store, cells):
    return ProgressBar(store, 3, 1, dict.fromkeys(cells, (90, 3)), shown=True)


def shown(capsys, bar):
    bar._bar.refresh()
    return capsys.readouterr().err.split("\r")[-1]


def test_rounds_are_counted_as_they_are_written(store, cells, capsys):
    bar = make_bar(store, cells)
    assert "1 of 3 cells   0%" in shown(capsys, bar)
    assert bar._bar.total == 180
    checkpoint(store, cells[0], 1)
    bar.look()
    # A third of the rounds, and 20 of the 20 + 30 + 40 labels trained on.
    assert bar._bar.n == 20
    assert "1 of 6 rounds" in shown(capsys, bar)
    checkpoint(store, cells[0], 2)
    checkpoint(store, cells[1], 1)
    bar.look()
    assert bar._bar.n == 20 + 30 + 20
    assert "3 of 6 rounds" in shown(capsys, bar)


def test_what_is_done_stays_counted(store, cells, capsys):
    bar = make_bar(store, cells)
    checkpoint(store, cells[0], 2)
    bar.look()
    store.path(cells[0], ".partial").unlink()
    bar.look()
    assert bar._bar.n == 50
    bar.advance(cells[0], failed=False)
    # A worker that was thought dead writes once more.
    checkpoint(store, cells[0], 1)
    bar.look()
    assert bar._bar.n == 90
    assert "2 of 3 cells  50%" in shown(capsys, bar)
    bar.advance(cells[1], failed=True)
    assert bar._bar.n == bar._bar.total
    text = shown(capsys, bar)
    assert "3 of 3 cells, 1 failed 100%" in text and "6 of 6 rounds" in text


@pytest.mark.parametrize("text", ["", "{", '{"records": 3}', "[]"])
def test_half_a_file_counts_for_nothing(store, cells, capsys, text):
    bar = make_bar(store, cells)
    store.path(cells[0], ".partial").write_text(text)
    (store.cells / "foreign.partial.json").write_text(text)
    bar.look()
    assert bar._bar.n == 0


def test_a_grid_shows_rounds_before_its_first_cell_is_done(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(_progress, "_PAUSE", 0.02)
    seen = []
    look = ProgressBar.look

    def watched(bar):
        look(bar)
        seen.append((bar._n_done, sum(bar._rounds.values())))

    monkeypatch.setattr(ProgressBar, "look", watched)
    write = CellStore.write

    def slow(store, cell, content):
        time.sleep(0.1)
        write(store, cell, content)

    monkeypatch.setattr(CellStore, "write", slow)
    run_grid(tiny_cells(repeats=1), tmp_path, progress=True)
    assert any(n_done == 0 and n_rounds > 0 for n_done, n_rounds in seen)
    assert re.search(r"2 of 2 cells 100%.*, 6 of 6 rounds", capsys.readouterr().err)

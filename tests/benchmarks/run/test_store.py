import json
import math
import os
import time
from pathlib import Path

import pandas as pd
import pytest

from skbadge.benchmarks.run import _store as store_module
from skbadge.benchmarks.run._csv import as_csv, read_csv
from skbadge.benchmarks.run._json import read_json, write_json
from skbadge.benchmarks.run._store import CellStore
from skbadge.exceptions import InvalidInputError
from tests.benchmarks._cells import tiny_cell

RECORD = {
    "round": 0,
    "n_labeled": 3,
    "accuracy": 0.5,
    "train_accuracy": 1.0,
    "epochs": 7,
    "hit_max_epochs": False,
    "positions": [4, 0, 2],
    "fit_seconds": 0.25,
    "embed_seconds": None,
    "select_seconds": None,
    "peak_memory_mb": 99.5,
}


def content_of(cell, accuracy=0.5):
    return {
        "settings": cell.settings(),
        "records": [RECORD | {"accuracy": accuracy}],
        "seconds": 1.0,
        "environment": {"torch": "1"},
    }


def test_json_comes_back_exactly(tmp_path):
    content = {"a": [1, 0.1 + 0.2, 1e-300, True, None, "Grüße\n"], "b": {}}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_every_cut_and_every_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"accuracy": 0.75, "positions": [1, 2, 3]})
    text = path.read_bytes()
    for stop in range(len(text) - 1):
        path.write_bytes(text[:stop])
        with pytest.raises(InvalidInputError):
            read_json(path)
    for place in range(len(text) - 1):
        path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        with pytest.raises(InvalidInputError):
            read_json(path)


def test_other_versions_of_the_format_are_refused(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {})
    path.write_text(path.read_text().replace('"schema":1', '"schema":2'))
    with pytest.raises(InvalidInputError) as caught:
        read_json(path)
    assert str(caught.value) == (
        f"{path} must have version 1 of the format. Got version 2."
    )


def test_cells_are_stored_and_read(tmp_path):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    assert store.read(cell) is None
    store.write(cell, content_of(cell))
    assert store.read(cell) == content_of(cell)
    assert store.read(tiny_cell(max_epochs=4)) is None


def test_finishing_a_cell_drops_its_checkpoint_and_failure(tmp_path):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    checkpoint = content_of(cell) | {"simulation": {}}
    write_json(store.path(cell, ".partial"), checkpoint)
    store.write_failure(
        cell, {"settings": cell.settings(), "error": "", "traceback": ""}
    )
    assert store.read(cell, ".partial") is not None
    store.write(cell, content_of(cell))
    assert list(store.cells.iterdir()) == [store.path(cell)]


def replaced_by(new):
    def damage(path):
        path.write_text(path.read_text().replace('"accuracy":0.5', f'"accuracy":{new}'))

    return damage


def replaced_by_a_folder(path):
    path.unlink()
    path.mkdir()


_CONTENT = "hold what its checksum says. Got other content"
_NUMBER = "be a file written by the benchmark. Got one that cannot be read (ValueError)"
_FOLDER = _NUMBER.replace("ValueError", "IsADirectoryError")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replaced_by("0.6"), _CONTENT),
        (replaced_by("NaN"), _NUMBER),
        (replaced_by("-Infinity"), _NUMBER),
        (replaced_by("1e999"), _NUMBER),
        (replaced_by_a_folder, _FOLDER),
    ],
)
def test_a_damaged_cell_is_not_used(tmp_path, damage, message):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    store.write(cell, content_of(cell))
    damage(store.path(cell))
    with pytest.warns(UserWarning) as caught:
        assert store.read(cell) is None
    assert str(caught[0].message) == (
        f"{store.path(cell)} must {message}: it is damaged. The cell is run again."
    )
    # And it can be written again.
    store.make()
    store.write(cell, content_of(cell))
    assert store.read(cell) == content_of(cell)


def test_a_folder_in_the_way_is_kept_under_another_name(tmp_path):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.path(cell).mkdir(parents=True)
    (store.path(cell) / "thesis.txt").write_text("mine")
    store.make()
    assert not store.path(cell).exists()
    (kept,) = store.cells.glob("*.aside/thesis.txt")
    assert kept.read_text() == "mine"


def test_what_a_killed_write_left_goes_once_it_is_old(tmp_path):
    store = CellStore(tmp_path)
    store.make()
    for folder in (store.directory, store.cells):
        for name, age in (("old", 700), ("new", 500)):
            path = folder / f".{name}.json.123.partial"
            path.write_text("{")
            os.utime(path, times=(time.time() - age,) * 2)
    store.make()
    for folder in (store.directory, store.cells):
        left = [path.name for path in folder.glob(".*")]
        assert left == [".new.json.123.partial"]


def test_files_that_another_run_takes_away_meanwhile(tmp_path, monkeypatch):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    # Its name is there, and it is not: as between listing a folder and looking.
    (store.cells / ".gone.json.1.partial").symlink_to(tmp_path / "nowhere")
    store.make()
    store.set_cell_aside(cell)
    real = store_module.read_json

    def late(path):
        path.unlink()
        return real(path)

    monkeypatch.setattr(store_module, "read_json", late)
    store.write(cell, content_of(cell))
    assert store.read(cell) is None


def test_all_is_set_aside_as_a_whole(tmp_path):
    store = CellStore(tmp_path)
    assert store.set_aside() is None
    names = ["settings.json", "results.csv", "report.html", "penalty_matrix.csv"]
    for number in (1, 2):
        store.make()
        for name in names:
            (tmp_path / name).write_text(f"{number}")
        (tmp_path / "notes.txt").write_text("mine")
        assert store.set_aside() == tmp_path / f"old-{number}"
        there = {path.name for path in (tmp_path / f"old-{number}").iterdir()}
        assert there == {"cells", *names}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "old-1",
        "old-2",
    ]


def test_a_file_of_another_cell_is_not_used(tmp_path):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    other = tiny_cell(max_epochs=4)
    store.write(other, content_of(other))
    store.path(other).rename(store.path(cell))
    with pytest.warns(UserWarning, match="Got another cell's file. The cell is run"):
        assert store.read(cell) is None


def test_names_of_files_are_safe(tmp_path):
    cell = tiny_cell(dataset="../Ä b.npz", path="x", sha256="0")
    assert CellStore(tmp_path).path(cell).parent == tmp_path / "cells"
    assert CellStore(tmp_path).path(cell).name.startswith(".._" + "_" + "_b.npz-mlp-10")


def test_tables(tmp_path):
    store = CellStore(tmp_path)
    store.make()
    cells = [tiny_cell(repeat=repeat) for repeat in (1, 0, 2, 3)]
    # Files of earlier versions say nothing of arms.
    content = content_of(cells[0], accuracy=1 / 3)
    content["records"][0]["arm"] = "CoreSet"
    store.write(cells[0], content)
    store.write(cells[1], content_of(cells[1]))
    failure = {"settings": cells[2].settings(), "error": "E: x", "traceback": "T"}
    store.write_failure(cells[2], failure)
    results, costs, failures, missing, environments = store.tables(cells)
    store.write_tables(results, costs, failures)
    assert (tmp_path / "results.csv").read_text() == (
        "dataset,model,batch_size,strategy,repeat,round,n_labeled,accuracy,"
        "train_accuracy,epochs,hit_max_epochs,arm,positions\n"
        "digits,mlp,10,marg,0,0,3,0.5,1.0,7,False,,4 0 2\n"
        "digits,mlp,10,marg,1,0,3,0.3333333333333333,1.0,7,False,CoreSet,4 0 2\n"
    )
    assert (tmp_path / "costs.csv").read_text() == (
        "dataset,model,batch_size,strategy,repeat,round,n_labeled,fit_seconds,"
        "embed_seconds,select_seconds,peak_memory_mb\n"
        "digits,mlp,10,marg,0,0,3,0.25,,,99.5\n"
        "digits,mlp,10,marg,1,0,3,0.25,,,99.5\n"
    )
    assert pd.read_csv(tmp_path / "failures.csv")["error"].tolist() == ["E: x"]
    assert [cell.repeat for cell in missing] == [3]
    assert environments == [{"skbadge": "not recorded", "torch": "1", "cells": 2}]
    store.write_tables(results, costs, failures[:0])
    assert not (tmp_path / "failures.csv").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError) as caught:
        CellStore(tmp_path / "file").make()
    assert "The output folder must be one that can be made" in str(caught.value)


def test_json_files_are_json(tmp_path):
    write_json(Path(tmp_path, "x.json"), {"a": 1})
    envelope = json.loads((tmp_path / "x.json").read_text())
    assert envelope["schema"] == 1 and envelope["content"] == {"a": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"records": {}}, "'records' of type dict"),
        ({"records": [3]}, "a record that is no mapping"),
        ({"records": [{"round": 0}]}, "'n_labeled' of type NoneType"),
        ({"records": [RECORD | {"fit_seconds": {}}]}, "'fit_seconds' of type dict"),
        ({"records": [RECORD | {"arm": 1}]}, "'arm' of type int"),
        ({"environment": None}, "'environment' of type NoneType"),
        ({"seconds": True}, "'seconds' of type bool"),
    ],
)
def test_a_right_checksum_and_a_wrong_content(tmp_path, change, message):
    store, cell = CellStore(tmp_path), tiny_cell()
    store.make()
    write_json(store.path(cell), content_of(cell) | change)
    with pytest.warns(UserWarning) as caught:
        assert store.read(cell) is None
    assert str(caught[0].message) == (
        f"{store.path(cell)} must hold what the benchmark writes of a cell. Got "
        f"{message}: it is damaged or was written by something else. The cell is run "
        "again."
    )


def test_cells_of_earlier_versions_are_found(tmp_path):
    """Their fingerprints, and what they say of themselves, hold the device."""
    store, cell = CellStore(tmp_path), tiny_cell(stop="reaches")
    store.make()
    before = cell.settings() | {"device": "cpu"}
    assert not set(before) & {"stop", "first", "metrics", "max_updates", "target"}
    name = f"digits-mlp-10-marg-0-{cell.fingerprint(device='cpu')[:16]}.json"
    write_json(store.cells / name, content_of(cell) | {"settings": before})
    assert store.read(cell)["seconds"] == 1.0
    assert tiny_cell(device="cuda").fingerprint() == tiny_cell().fingerprint()


def test_a_spreadsheet_obeys_no_cell(tmp_path):
    names = ["=1+1.npz", "-cmd", "@x", "+1", "plain", "evil\u202egpj.npz", "bell\x07"]
    frame = pd.DataFrame({"dataset": names, "accuracy": -0.5})
    path = tmp_path / "t.csv"
    path.write_text(as_csv(frame))
    written = pd.read_csv(path)["dataset"].tolist()
    assert written[:5] == ["'=1+1.npz", "'-cmd", "'@x", "'+1", "plain"]
    assert written[5:] == ["evil\\u202egpj.npz", "bell\\x07"]
    assert read_csv(path)["dataset"].tolist()[:5] == names[:5]
    # So are names of columns, which may be those of strategies.
    wide = pd.DataFrame({"mine:S(x='\u202e')": [1], "=1": ["\tx"], "\uff1d1": ["'"]})
    assert as_csv(wide) == "mine:S(x='\\u202e'),'=1,'\uff1d1\n1,'\tx,''\n"
    path.write_text(as_csv(pd.DataFrame({"a": ["'=1", "'", "''x", "-"]})))
    assert read_csv(path)["a"].tolist() == ["'=1", "'", "''x", "-"]
    path.write_text(as_csv(frame))
    # Numbers are left alone.
    assert read_csv(path)["accuracy"].tolist() == [-0.5] * 7


def test_long_names_of_data_and_strategies_make_short_names_of_files(tmp_path):
    cell = tiny_cell(
        dataset="x" * 300, strategy="module:Mine(option='../../y')", path="p"
    )
    name = CellStore(tmp_path).path(cell).name
    assert len(name) < 200 and "/" not in name

"""What several commands or folders say together, and what cannot be compared."""

import pytest

from skbadge.benchmarks import PRESETS, preset_cells, run_grid
from skbadge.benchmarks.run._together import check_paired, merged
from skbadge.exceptions import InvalidInputError
from tests.benchmarks._cells import tiny_cell, tiny_cells


def test_what_is_said_together():
    first = {"preset": "quick", "why": "a", "lists": ["x", "y"], "only": 1}
    second = {"preset": "quick", "why": "b", "lists": ["z", "x"]}
    together = merged([first, second])
    assert together == {
        "preset": "quick", "why": ["a", "b"], "lists": ["x", "y", "z"], "only": 1,
    }  # fmt: skip
    # Said again, nothing is added: no lists in lists.
    assert merged([together, second, first]) == together
    assert merged([{"n": 1}, {"n": [{"a": 1}]}]) == {"n": [1, {"a": 1}]}


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"seed": 1}, "seed 0 of marg and 1 of rand"),
        ({"max_epochs": 4}, "max_epochs 3 of marg and 4 of rand"),
        ({"n_initial": 5}, "n_initial 20 of marg and 5 of rand"),
    ],
)
def test_what_is_compared_shares_everything_but_the_strategy(other, says):
    cells = [tiny_cell(), tiny_cell(strategy="rand", **other)]
    with pytest.raises(InvalidInputError, match=f"digits, mlp, B = 10 in here: {says}"):
        check_paired(cells, "here")
    # Another batch size is another setting.
    check_paired([cells[0], tiny_cell(batch_size=5, **other)], "here")


def test_strategies_have_settings_of_their_own():
    free = {"first": "max-norm", "metrics": ("f1_macro",), "n_rounds": 1, "repeat": 1}
    check_paired([tiny_cell(), tiny_cell(strategy="badge", **free)], "here")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_paired(name):
    check_paired(preset_cells(name), "here")


def test_one_folder_holds_what_can_be_compared(tmp_path):
    run_grid(tiny_cells(strategies=("rand",), repeats=1), tmp_path)
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(InvalidInputError, match="Use a folder for each"):
        run_grid(tiny_cells(strategies=("marg",), repeats=1, seed=1), tmp_path)
    assert (tmp_path / "settings.json").read_bytes() == before


def test_what_is_said_of_cells_that_stay_stays(tmp_path):
    said = {"why": "first", "data_that_could_not_be_had": ["digits", "letter"]}
    run_grid(tiny_cells(strategies=("rand",), repeats=1), tmp_path, about=said)
    grid = run_grid(
        tiny_cells(strategies=("marg",), repeats=1), tmp_path, about={"why": "second"}
    )
    assert grid.settings["about"] == {
        "why": ["first", "second"],
        "data_that_could_not_be_had": ["letter"],
    }
    # The same command again: as it was. All cells asked for: what is said now.
    cells = tiny_cells(strategies=("marg",), repeats=1)
    again = run_grid(cells, tmp_path, about={"why": "second"})
    assert again.settings["about"] == grid.settings["about"]
    cells = tiny_cells(strategies=("marg", "rand"), repeats=1)
    assert run_grid(cells, tmp_path, about={"why": "all"}).settings["about"] == {
        "why": "all"
    }

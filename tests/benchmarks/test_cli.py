import argparse
import os
import re
import runpy
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from skbadge import __version__
from skbadge._cli import _parser, main
from skbadge.benchmarks import preset_cells
from skbadge.benchmarks._cli import _text
from skbadge.benchmarks._cli._text import curves_picture
from skbadge.benchmarks.run import _estimate
from skbadge.benchmarks.run._estimate import Plan
from skbadge.strategies import MarginSampling
from tests.benchmarks._commands import SMALL, errors_only


@pytest.fixture
def arrays():
    X, y = make_blobs(120, centers=3, random_state=0)
    return {"X": X, "y": np.array(["ash", "oak", "yew"])[y]}


def test_benchmark_on_a_file(run, tmp_path, arrays):
    np.savez(tmp_path / "trees.npz", **arrays)
    status, out, err = run("benchmark", "--dataset", "trees.npz", "--jobs", 1, *SMALL)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == (
        "trees.npz, mlp, B = 5: test accuracy in percent, mean ± standard error over 2 "
        "repeats"
    )
    names = ["badge", "albl", "coreset", "conf", "marg", "entropy", "rand"]
    assert lines[1].split() == ["labels", *names]
    assert [line.split()[0] for line in lines[2:4]] == ["10", "15"]
    assert len(re.findall(r"\d ± \d", lines[2])) == 7
    assert lines[-1] == (
        "Written to results: results.csv, costs.csv, settings.json, "
        "learning_curves.png."
    )
    assert "14 of 14 cells 100%" in err
    results = pd.read_csv(tmp_path / "results" / "results.csv")
    assert set(results["dataset"]) == {"trees.npz"}
    assert len(results) == 7 * 2 * 2
    # The pool is what a tenth for testing leaves.
    assert results["positions"].str.split().explode().astype(int).max() < 108
    picture = (tmp_path / "results" / "learning_curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000


def test_the_same_command_again_gives_the_same_bytes(run, tmp_path, arrays):
    np.savez(tmp_path / "trees.npz", **arrays)
    command = ["benchmark", "--dataset", "trees.npz", *SMALL, "--strategies", "marg"]
    files = []
    for out, extra in (
        ("one", ["--jobs", 1]),
        ("one", ["--jobs", 1]),
        ("one", ["--jobs", 1, "--resume"]),
    ):
        status, _, _ = run(*command, "--out", out, *extra)
        assert status == 0
        files.append((tmp_path / out / "results.csv").read_bytes())
    assert len(set(files)) == 1


def test_another_seed_gives_other_results(run, tmp_path, arrays):
    np.savez(tmp_path / "trees.npz", **arrays)
    command = ["benchmark", "--dataset", "trees.npz", *SMALL, "--strategies", "rand"]
    run(*command, "--jobs", 1, "--out", "a")
    run(*command, "--jobs", 1, "--out", "b", "--seed", 1)
    first, second = ((tmp_path / o / "results.csv").read_text() for o in "ab")
    assert first != second


@pytest.mark.filterwarnings("default")
def test_a_changed_file_is_another_data_set(run, tmp_path, arrays):
    path = tmp_path / "trees.npz"
    np.savez(path, **arrays)
    command = ["benchmark", "--dataset", path, *SMALL, "--strategies", "rand"]
    run(*command, "--jobs", 1)
    np.savez(path, X=arrays["X"] + 1, y=arrays["y"][::-1])
    _, _, err = run(*command, "--jobs", 1)
    assert "has results of the same cells with other settings (sha256" in err
    assert len(list((tmp_path / "results" / "cells").iterdir())) == 4


def test_a_file_with_its_own_test_set_and_several_batch_sizes(run, tmp_path, arrays):
    X, y = arrays["X"], arrays["y"]
    np.savez(tmp_path / "trees.npz", X=X[:60], y=y[:60], X_test=X[60:], y_test=y[60:])
    status, out, _ = run(
        "benchmark", "--dataset", "trees.npz", "--batch-size", 5, 10, "--n-initial", 10,
        "--rounds", 1, "--repeats", 1, "--jobs", 1, "--strategies", "rand", "marg",
    )  # fmt: skip
    assert status == 0
    assert "B = 5: test" in out and "B = 10: test" in out
    results = pd.read_csv(tmp_path / "results" / "results.csv")
    # Accuracies are counts of the 60 test rows.
    counts = 60 * results["accuracy"]
    np.testing.assert_allclose(counts, counts.round())


@pytest.mark.parametrize("model", ["resnet", "vgg"])
def test_images_for_the_nets_of_pictures(run, tmp_path, model):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=30)
    X = (rng.random((30, 1, 8, 8)) * 99 + 150 * y[:, None, None, None]).astype("uint8")
    np.savez(tmp_path / "dots.npz", X=X, y=y.astype(bool))
    status, out, _ = run(
        "benchmark", "--dataset", "dots.npz", "--model", model, "--public-code",
        "--n-initial", 8, "--batch-size", 2, "--rounds", 1, "--repeats", 1, "--jobs", 1,
        "--strategies", "badge",
    )  # fmt: skip
    assert status == 0
    assert out.startswith(f"dots.npz, {model}, B = 2:")
    settings = (tmp_path / "results" / "settings.json").read_text()
    assert '"width": 16' in settings and '"clamp_gradients": true' in settings


def test_smoke_preset_then_report(run, tmp_path):
    options = ["--preset", "smoke", "--jobs", 1, "--repeats", 1]
    status, out, _ = run("benchmark", *options, "--strategies", "badge", "marg", "rand")
    assert status == 0
    assert out.splitlines()[1].split() == ["labels", "badge", "marg", "rand"]
    # A repeat that nobody has run yet.
    next((tmp_path / "results" / "cells").glob("digits-mlp-40-marg-0-*.json")).unlink()
    status, out, err = run("report", "results")
    assert (status, err) == (0, "")
    assert out == "Written: results/report.html\n"
    page = (tmp_path / "results" / "report.html").read_text()
    assert "its numbers mean nothing" in page
    assert "scikit-learn" in page
    status, out, _ = run("report", "results", "--out", "elsewhere")
    assert (tmp_path / "elsewhere" / "report.html").exists()


def test_failing_cells_are_told_of(run, tmp_path, arrays, monkeypatch):
    def fail(self, outputs, n, generator):
        raise RuntimeError("no luck")

    monkeypatch.setattr(MarginSampling, "_select", fail)
    np.savez(tmp_path / "trees.npz", **arrays)
    status, out, err = run(
        "benchmark", "--dataset", "trees.npz", *SMALL, "--jobs", 1,
        "--strategies", "marg", "rand",
    )  # fmt: skip
    assert status == 1
    assert "rand" in out
    assert errors_only(err) == [
        "skbadge: error: 2 of 4 cells failed, the first (trees.npz, marg, repeat 0) "
        "with RuntimeError: no luck. All are in results/failures.csv."
    ]


def test_an_interrupt_is_told_of(run, arrays, tmp_path, monkeypatch):
    def interrupt(self, outputs, n, generator):
        raise KeyboardInterrupt

    monkeypatch.setattr(MarginSampling, "_select", interrupt)
    np.savez(tmp_path / "trees.npz", **arrays)
    status, _, err = run(
        "benchmark", "--dataset", "trees.npz", *SMALL, "--jobs", 1,
        "--strategies", "marg",
    )  # fmt: skip
    assert status == 130
    assert errors_only(err) == [
        "skbadge: interrupted. Finished cells are kept: the same command goes on."
    ]


@pytest.mark.filterwarnings("default")
def test_an_interrupt_of_a_fresh_run_says_how_to_go_on(
    run, arrays, tmp_path, monkeypatch
):
    def interrupt(self, outputs, n, generator):
        raise KeyboardInterrupt

    np.savez(tmp_path / "trees.npz", **arrays)
    command = ["benchmark", "--dataset", "trees.npz", *SMALL, "--jobs", 1]
    command += ["--strategies", "marg"]
    run(*command)
    monkeypatch.setattr(MarginSampling, "_select", interrupt)
    status, _, err = run(*command, "--fresh")
    assert status == 130
    assert errors_only(err)[1:] == [
        "skbadge: interrupted. Finished cells are kept: the same command without "
        "--fresh goes on."
    ]
    # Report and picture of before are with the cells they show.
    assert (tmp_path / "results" / "old-1" / "learning_curves.png").exists()
    assert not (tmp_path / "results" / "learning_curves.png").exists()


def test_failures_are_counted_among_all_cells_of_the_folder(
    run, tmp_path, arrays, monkeypatch
):
    def fail(self, outputs, n, generator):
        raise RuntimeError("no luck")

    monkeypatch.setattr(MarginSampling, "_select", fail)
    np.savez(tmp_path / "trees.npz", **arrays)
    command = ["benchmark", "--dataset", "trees.npz", *SMALL, "--jobs", 1]
    run(*command, "--strategies", "marg")
    _, _, err = run(*command, "--strategies", "rand", "--repeats", 1)
    assert "error: 2 of 3 cells failed" in errors_only(err)[-1]


def test_a_picture_is_whole_or_not_there(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def half(figure, file, **options):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    table = pd.DataFrame(
        {
            "dataset": "d", "model": "mlp", "batch_size": 5, "strategy": "rand",
            "repeat": [0, 0], "n_labeled": [5, 10], "accuracy": [0.5, 0.6],
        }
    )  # fmt: skip
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.png'"):
        curves_picture(table, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_line(run, arrays, tmp_path):
    np.savez(tmp_path / "trees.npz", **arrays)
    command = ["benchmark", "--dataset", "trees.npz", *SMALL, "--strategies", "rand"]
    run(*command, "--jobs", 1)
    path = sorted((tmp_path / "results" / "cells").iterdir())[0]
    path.write_text("{")
    status, _, err = run("report", "results")
    assert status == 0
    (line,) = errors_only(err)
    assert line.startswith("skbadge: warning: results/cells/trees.npz-mlp-5-rand-0-")
    assert line.endswith("it is damaged. It counts as missing.")


BAD_FILES = [
    ({"y": [0]}, "Missing: X."),
    (
        {"X": [[1.0]], "y": [0, 1]},
        "one label for each of the 1 rows of X. Got an array",
    ),
    ({"X": [1.0, 2.0], "y": [0, 1]}, "Got shape (2,) and dtype float64 instead."),
    ({"X": [["a"]], "y": [0]}, "X in bad.npz must be an array of numbers"),
    ({"X": [[np.nan], [1.0]], "y": [0, 1]}, "Got NaN or infinity in row 0"),
    ({"X": [[0.0], [1.0]], "y": [0.5, 1.25]}, "Got fractions such as 0.5"),
    ({"X": [[0.0], [1.0]], "y": [1, 1]}, "must hold at least 2 classes. Got 1."),
    ({"X": [[0.0], [1.0]], "y": [0.0, np.inf]}, "must not hold NaN or infinity"),
    (
        {"X": np.zeros((24, 1)), "y": np.arange(24) % 13},
        "classes of several rows each. Got 13 different values in 24 rows: numbers or",
    ),
    ({"X": [[0], [1]], "y": np.array([{}, 1])}, "one that cannot be read: Object arr"),
    ({"X": [[0], [1]], "y": [0, 1], "X_test": [[0]]}, "Missing: y_test."),
    (
        {"X": [[0], [1]], "y": [0, 1], "X_test": [[0, 1]], "y_test": [0]},
        "X_test in bad.npz must have rows of shape (1,), as X has. Got (2,) instead.",
    ),
    (
        {"X": [[0], [1]], "y": ["a", "b"], "X_test": [[0]], "y_test": [0]},
        "y_test in bad.npz must have labels of the type of y, <U1. Got int64 instead.",
    ),
    (
        {"X": [[0], [1]], "y": [0, 1], "X_test": [[0]], "y_test": [0]},
        "n_initial must be at most the 2 rows of the pool of 'bad.npz'. Got 100",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_FILES)
def test_bad_files(run, tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **{k: np.asarray(v) for k, v in arrays.items()})
    status, out, err = run("benchmark", "--dataset", "bad.npz", "--jobs", 1)
    assert (status, out) == (2, "")
    assert err.startswith("skbadge: error: ") and err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["benchmark", "--dataset", "digts"],
            "--dataset must name a registered data set (digits, letter,",
        ),
        (
            ["benchmark", "--dataset", "no.npz"],
            "Got 'no.npz' instead: there is no such",
        ),
        (["benchmark", "--dataset", "broken.npz"], "broken.npz must be a .npz file"),
        (["benchmark", "--dataset", "pipe"], "must name a regular file. Got 'pipe'"),
        (["benchmark", "--dataset", "t.csv"], "--target must name the column of la"),
        (
            ["benchmark", "--dataset", "t.csv", "--target", "half"],
            "The column 'half' in t.csv must hold a label in every row. Got none in 1",
        ),
        (
            ["benchmark", "--dataset", "t.csv", "--target", "kind"],
            "column 'color' of type str in t.csv: encode it, or bring a pipeline",
        ),
        (
            ["benchmark", "--dataset", "labels.csv", "--target", "kind"],
            "labels.csv must have columns to learn from beside 'kind'",
        ),
        (
            ["benchmark", "--dataset", "utf16.csv", "--target", "kind"],
            "utf16.csv must be a text in UTF-8. Got another one ('utf-8' codec",
        ),
        (["benchmark", "--strategies", "best"], "strategy must be one of 'badge'"),
        (
            ["benchmark", "--strategies", "badge,marg"],
            "Got 'badge,marg' instead. Several names are separated by spaces.",
        ),
        (
            ["benchmark", "--strategies", "nowhere:Best", "--jobs", "1"],
            "No module named 'nowhere'",
        ),
        (["benchmark", "--fresh", "--resume"], "are opposites: give one of them."),
        (["benchmark", "--metric", "accuracy"], "metrics must be different names"),
        (["benchmark", "--data-dir", "nowhere"], "--data-dir must name a folder"),
        (["benchmark", "--dataset", "one.npy"], "one.npy must be a .npz file with"),
        (["benchmark", "--dataset", "digits", "digits"], "2 times: use one folder"),
        (
            ["benchmark", "--repeats", "0"],
            "repeats must be an int of at least 1. Got 0",
        ),
        (["benchmark", "--batch-size", "0"], "batch_size must be an int of at least 1"),
        (
            ["benchmark", "--batch-size", "2000"],
            "batch_size must leave room for a round",
        ),
        (["benchmark", "--rounds", "-1"], "n_rounds must be an int of at least 0."),
        (["benchmark", "--seed", "-1"], "seed must be an int of at least 0. Got -1"),
        (["benchmark", "--jobs", "0"], "jobs must be an int other than 0"),
        (
            ["benchmark", "--device", "abacus"],
            "--device must be one that torch has here",
        ),
        (
            ["benchmark", "--scheduler", "tcp://x:1"],
            "--scheduler needs --backend dask.",
        ),
        (
            ["benchmark", "--jobs", "1", "--out", "one.npy"],
            "The output folder must be one that can be",
        ),
        (["benchmark", "--target", "kind"], "Got 'kind' without one."),
        (["benchmark", "--dataset", "s.tsv"], "must end in .npz, .csv, .parquet"),
        (
            ["benchmark", "--preset", "quick", "--batch-size", "7"],
            "With --preset quick, batch_size must be among 100, 1000. Got 7 instead",
        ),
        (["report", "nowhere"], "has no readable settings.json"),
    ],
)
def test_wrong_arguments(run, tmp_path, arguments, message):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 not an archive")
    np.save(tmp_path / "one.npy", np.zeros(3))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "s.tsv").write_text("a\tkind\n")
    (tmp_path / "labels.csv").write_text("kind\n0\n1\n")
    (tmp_path / "utf16.csv").write_text("a,kind\n0,1\n", encoding="utf-16")
    (tmp_path / "t.csv").write_text(
        "color,kind,half\n" + "red,a,1\nblue,b,\n" * 1 + "red,b,2\n"
    )
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("skbadge: error: ") and err.count("\n") == 1
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [[], ["nope"], ["benchmark", "--preset", "x"], ["benchmark", "--x"]]
)
def test_argparse_refuses(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m skbadge" in capsys.readouterr().err


def test_report_of_a_benchmark_without_a_finished_cell(run, tmp_path, arrays):
    np.savez(tmp_path / "trees.npz", **arrays)
    run("benchmark", "--dataset", "trees.npz", *SMALL, "--jobs", 1,
        "--strategies", "rand")  # fmt: skip
    for path in (tmp_path / "results" / "cells").iterdir():
        path.unlink()
    status, _, err = run("report", "results")
    assert status == 2
    assert "results must hold at least one finished cell. Got none yet" in err


def test_datasets_are_listed(run):
    status, out, err = run("datasets")
    assert (status, err) == (0, "")
    assert out.split("\n")[0].split() == [
        "name", "OpenML", "rows", "pool", "test", "shape", "classes", "availability",
    ]  # fmt: skip
    assert re.search(r"^kropt +184 +28,056 .* offline$", out, re.M)
    assert "License: " in out and "Source: " in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("command", [[], ["benchmark"], ["report"], ["datasets"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m skbadge")
    if command in ([], ["benchmark"]):
        assert "examples:\n  python -m skbadge benchmark" in text
    if command == ["benchmark"]:
        for word in ("badge-kdpp", "--fresh", "FILE.npz", "smoke", "quick", "paper"):
            assert word in text


def parsers(parser):
    """Yield a parser and all parsers of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def test_every_help_text_says_what_is_written():
    # argparse formats help texts with %: "99% and" is taken for "%(name)a".
    found = list(parsers(_parser()))
    assert len(found) > 10
    for parser in found:
        text = parser.format_help()
        for action in parser._actions:
            if action.help in (None, argparse.SUPPRESS):
                continue
            bare = re.sub(r"%%|%\(\w+\)s", "", action.help)
            assert "%" not in bare, (parser.prog, action.help)
            words = re.sub(r"%\(\w+\)s", "\0", action.help).replace("%%", "%")
            shown = "".join(text.split())
            for part in words.split("\0"):
                assert "".join(part.split()) in shown, (parser.prog, part)


def test_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["skbadge", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("skbadge", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.fixture
def hasty(monkeypatch):
    """Time each net for no longer than it takes to be sure that it can be."""
    monkeypatch.setattr(_estimate, "_SECONDS_TO_CALIBRATE", 0.01)


@pytest.mark.usefixtures("hasty")
def test_a_dry_run_runs_nothing(run, tmp_path):
    status, out, err = run("benchmark", "--preset", "paper-small", "--dry-run")
    assert (status, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
    names = "svhn|cifar10|mnist|kropt|letter|pokerhand|random_rbf"
    assert len(re.findall(f"^({names}) ", out, re.M)) == 27
    assert re.search("567 cells, [0-9,]+ trainings; [0-9.,]+ hours on one core", out)
    assert "Not at hand, to be downloaded from OpenML: cifar10, letter, mnist" in out
    assert re.search(
        r"^By net: mlp [0-9.,]+, resnet [0-9.,]+\. --model runs", out, re.M
    )


@pytest.mark.parametrize(("n_cores", "said"), [(1, 0), (4, 1)])
def test_a_dry_run_speaks_of_the_cores_that_are_here(monkeypatch, n_cores, said):
    monkeypatch.setattr(_text, "cpu_count", lambda: n_cores)
    table = pd.DataFrame(
        {
            "dataset": ["d", "d"], "model": ["mlp", "mlp"], "B": [1, 2],
            "cells": [1, 1], "trainings": [2, 3], "data": ["file", "file"],
            "hours": [6.0, 2.0], "hours at the cap": [8.0, 8.0],
        }
    )  # fmt: skip
    text = _text.plan_text(Plan(table, "core", 1.0, []))
    assert "2 cells, 5 trainings; 8 hours on one core at the epochs assumed" in text
    assert text.count("On the 4 cores here, one cell each: 2 hours at the") == said
    assert "By net" not in text
    assert "cores here" not in _text.plan_text(Plan(table, "Card", 1.0, []))


@pytest.mark.usefixtures("hasty")
def test_a_dry_run_of_the_field_says_what_is_missing_and_not_counted(run):
    status, out, _ = run("benchmark", "--preset", "field", "--dry-run")
    assert status == 0
    setting = ("fashion_mnist_features", 10)
    cells = [
        cell
        for cell in preset_cells("field")
        if (cell.dataset, cell.batch_size) == setting
    ]
    counts = f"{len(cells)} +{len(cells) * (1 + cells[0].n_rounds)}"
    assert re.search(f"^{setting[0]} +linear +10 +{counts} +script ", out, re.M)
    text = " ".join(out.split())
    assert "The choosing is not counted: with strategies beyond the paper's" in text
    assert "fashion_mnist_features, to be made by benchmarks/encode_fashion" in text


def test_as_published_code(run, tmp_path):
    status, _, _ = run(
        "benchmark", "--preset", "smoke", "--repeats", 1, "--jobs", 1,
        "--strategies", "badge", "rand", "--as-published-code",
    )  # fmt: skip
    assert status == 0
    text = (tmp_path / "results" / "settings.json").read_text()
    for part in ('"first": "max-norm"', '"albl_update": "chosen"', '"stop": "reaches"',
                 '"learning_rate": 0.0001', '"clamp_gradients": true', '"width": 16',
                 "batch normalization starts anew"):  # fmt: skip
        assert part in text
    run("report", "results")
    page = (tmp_path / "results" / "report.html").read_text()
    assert "as in its authors&#39; code" in page


def test_a_report_of_two_folders(run, tmp_path, arrays):
    np.savez(tmp_path / "trees.npz", **arrays)
    command = ["benchmark", "--dataset", "trees.npz", *SMALL, "--jobs", 1]
    run(*command, "--strategies", "marg", "--out", "a")
    run(*command, "--strategies", "rand", "--out", "b")
    status, out, _ = run("report", "a", "b", "--out", "both")
    assert (status, out) == (0, "Written: both/report.html\n")
    assert "2 strategies (MARG, RAND)" in (tmp_path / "both/report.html").read_text()
    status, _, err = run("report", "a", "a")
    assert status == 2 and "Each cell must be in one of a, a. Got" in err


def test_names_that_matplotlib_and_terminals_would_obey(run, tmp_path, arrays):
    name = "=$x^{$\u202e" + "long" * 40 + ".npz"
    np.savez(tmp_path / name, **arrays)
    status, out, err = run(
        "benchmark", "--dataset", name, *SMALL, "--jobs", 1, "--strategies", "rand",
    )  # fmt: skip
    assert (status, errors_only(err)) == (0, [])
    assert "\u202e" not in out + err
    status, _, _ = run("report", "results")
    assert status == 0
    text = (tmp_path / "results" / "results.csv").read_text()
    assert "\n'=$x^{$\\u202elong" in text


def test_a_dry_run_of_published_code_and_of_nets_of_ones_own(run, tmp_path, arrays):
    status, out, _ = run(
        "benchmark", "--preset", "smoke", "--as-published-code", "--dry-run"
    )
    assert status == 0
    assert "16 cells, 48 trainings; " in out
    np.savez(tmp_path / "trees.npz", **arrays)
    status, out, _ = run(
        "benchmark", "--dataset", "trees.npz", *SMALL, "--dry-run", "--strategies",
        "rand", "--learner", "mine:make_learner",
    )  # fmt: skip
    assert status == 0
    text = " ".join(out.split())
    assert "2 cells, 4 trainings; ? hours on one core" in text
    assert "Nets of your own were not timed" in text


def test_the_papers_preset_says_to_read_the_dry_run_first(run):
    _, _, err = run(
        "benchmark", "--preset", "paper", "--dataset", "kropt", "--batch-size", 100,
        "--strategies", "rand", "--repeats", 1, "--rounds", 1, "--max-epochs", 1,
        "--jobs", 1,
    )  # fmt: skip
    assert errors_only(err)[0] == (
        "skbadge: note: --preset paper can take very long: read first what the same "
        "command says with --dry-run."
    )

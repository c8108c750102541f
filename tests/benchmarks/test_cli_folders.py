"""Several commands into one folder, several folders on one page, presets elsewhere."""

import re

import numpy as np

from skbadge.benchmarks.run import _work
from skbadge.benchmarks.run._tasks import load_task
from skbadge.exceptions import DataUnavailableError
from tests.benchmarks._commands import SMALL


def test_a_report_of_two_folders_that_lack_different_data(run, tmp_path, monkeypatch):
    def load(cell):
        if cell.dataset != "digits":
            raise DataUnavailableError("no network")
        return load_task(cell)

    monkeypatch.setattr(_work, "load_task", load)
    command = ["benchmark", *SMALL, "--jobs", 1, "--skip-missing", "--max-epochs", 2]
    for out, strategy, other in (("a", "marg", "letter"), ("b", "rand", "pokerhand")):
        status, _, _ = run(
            *command, "--dataset", "digits", other, "--strategies", strategy,
            "--out", out,
        )  # fmt: skip
        assert status == 0
    status, _, err = run("report", "a", "b")
    assert (status, err) == (0, "")
    page = (tmp_path / "a" / "report.html").read_text()
    assert "Left out, since their data could not be had: letter, pokerhand." in page


def test_a_report_of_folders_that_cannot_be_compared(run):
    command = ["benchmark", *SMALL, "--jobs", 1, "--max-epochs", 1, "--repeats", 1]
    run(*command, "--strategies", "marg", "--out", "a")
    run(*command, "--strategies", "rand", "--out", "b", "--as-published-code")
    status, _, err = run("report", "a", "b")
    assert status == 2
    assert (
        "on digits, mlp, B = 5 in a, b: clamp_gradients False of marg and True" in err
    )
    # Nor into one folder.
    status, _, err = run(*command, "--strategies", "badge", "--seed", 1, "--out", "a")
    assert status == 2 and "seed 0 of marg and 1 of badge" in err


def test_a_stand_in_takes_the_place_of_a_presets_tables(run):
    status, out, _ = run(
        "benchmark", "--preset", "paper", "--dataset", "poker_hands", "kropt",
        "--dry-run",
    )  # fmt: skip
    assert status == 0
    found = re.findall(r"^(poker_hands|kropt) +(\w+) +(\d+) +(\d+) ", out, re.M)
    # Seven methods, and the k-DPP on smaller batches, five times.
    counts = {("100", "40"), ("1000", "40"), ("10000", "35")}
    names = ("poker_hands", "kropt")
    assert set(found) == {(name, "mlp", *c) for name in names for c in counts}


def test_a_file_takes_the_place_of_a_presets_data(run, tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 2)), np.arange(300) % 3
    np.savez(tmp_path / "f.npz", X=X, y=y)
    status, out, _ = run(
        "benchmark", "--preset", "quick", "--dataset", "f.npz", "--batch-size", 100,
        "--dry-run",
    )  # fmt: skip
    assert status == 0
    # A pool of 270: the initial set and one batch, for eight strategies, five times.
    assert re.search(r"^f.npz +mlp +100 +40 +80 +file ", out, re.M)

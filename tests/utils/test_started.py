"""Ctrl-C while the libraries are still loading."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skbadge.utils._started import _is_ours

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def interrupted(tmp_path):
    """Return a call of Python in which Ctrl-C is pressed as torch begins to load."""
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_command_ends_with_a_line(interrupted):
    found = interrupted("-m", "skbadge", "benchmark")
    assert found.returncode != 0
    assert found.stderr.strip() == "skbadge: interrupted."


def test_other_programs_keep_their_own_way(interrupted):
    found = interrupted("-c", "import skbadge")
    assert found.returncode != 0
    assert found.stderr.startswith("Traceback")


@pytest.mark.parametrize(
    ("argv", "typed", "ours"),
    [
        (["-m"], ["python", "-m", "skbadge", "report"], True),
        (["/env/bin/skbadge", "report"], ["python", "/env/bin/skbadge"], True),
        (["-m"], ["python", "-m", "pytest", "skbadge"], False),
        (["train.py"], ["python", "train.py", "-m", "skbadge"], False),
        ([""], ["python"], False),
        ([], ["python"], False),
    ],
)
def test_the_command_is_known_by_how_it_was_started(argv, typed, ours):
    assert _is_ours(argv, typed) is ours

"""The command line, run in a folder of its own."""

import pytest

from skbadge._cli import main


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the command line in a folder of its own; return status, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run

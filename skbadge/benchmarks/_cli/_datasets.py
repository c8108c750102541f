"""The command ``datasets``: what data there are."""

from __future__ import annotations

from skbadge.benchmarks._cli._text import datasets_text
from skbadge.datasets import datasets_table

__all__ = ["add_parser"]


def add_parser(commands):
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "datasets", help="list the data sets", description="List the data sets."
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder with original files of the sets"
    )
    parser.set_defaults(run=_run)


def _run(options):
    print(datasets_text(datasets_table(data_dir=options.data_dir)))  # noqa: T201
    return 0

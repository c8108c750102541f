"""The command ``report``: one HTML page of one or several benchmarks."""

from __future__ import annotations

import pandas as pd

from skbadge.benchmarks.analysis._curves import RULES
from skbadge.benchmarks.report._report import write_report
from skbadge.benchmarks.run._grid import load_grid
from skbadge.benchmarks.run._store import KEY
from skbadge.benchmarks.run._together import check_paired, merged
from skbadge.exceptions import InvalidInputError

__all__ = ["add_parser"]


def add_parser(commands):
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "report",
        help="write an HTML page of a benchmark",
        description="Write one HTML page, with its tables as CSV files, of what a "
        "benchmark, or several together, have found so far.",
    )
    parser.add_argument(
        "directory", metavar="DIR", nargs="+", help="the benchmark's --out, or several"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="where to (default: the first DIR)"
    )
    parser.add_argument(
        "--metric",
        default="accuracy",
        metavar="NAME",
        help="the score to compare by, one that was measured (default: accuracy)",
    )
    parser.add_argument(
        "--rule",
        choices=RULES,
        help="which label budgets: the paper's text, or its public code (default: "
        "as the benchmark was run)",
    )
    parser.set_defaults(run=_run)


def _run(options):
    grids = [load_grid(directory) for directory in options.directory]
    tables = {
        name: _together([getattr(grid, name) for grid in grids])
        for name in ("results", "costs", "missing", "failures")
    }
    if tables["results"].empty:
        raise InvalidInputError(
            f"{', '.join(options.directory)} must hold at least one finished cell. Got "
            "none yet: python -m skbadge benchmark goes on with it."
        )
    _check_distinct(tables["results"], options.directory)
    check_paired(
        [cell for grid in grids for cell in grid.cells()], ", ".join(options.directory)
    )
    # What is said of the whole and of all cells; of one folder, the later word counts.
    settings = merged(
        grid.settings["about"] | grid.settings["shared"] | grid.settings["summary"]
        for grid in grids
    )
    rule = options.rule or (
        "code" if settings.get("as_published_code") is True else "paper"
    )
    page = write_report(
        tables["results"],
        tables["costs"],
        options.directory[0] if options.out is None else options.out,
        settings=settings,
        missing=tables["missing"],
        failures=tables["failures"],
        rule=rule,
        metric=options.metric,
    )
    print(f"Written: {page}")  # noqa: T201
    return 0


def _together(frames):
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _check_distinct(results, directories):
    twice = results.duplicated([*KEY, "n_labeled"])
    if twice.any():
        first = dict(results.loc[twice, list(KEY)].iloc[0])
        raise InvalidInputError(
            f"Each cell must be in one of {', '.join(directories)}. Got {first} in two "
            "of them: leave one folder out."
        )

"""Command line: ``python -m skbadge COMMAND``, also installed as ``skbadge``.

A command is a module with a function ``add_parser(commands)``, which adds an argparse
parser with the defaults ``run`` (a function of the parsed options that returns the exit
status) and, if there is one, ``on_interrupt`` (what to say after Ctrl-C).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TextIO

from tqdm import tqdm

from skbadge import __version__
from skbadge.benchmarks._cli import _benchmark, _datasets, _report
from skbadge.campaign import _cli as _campaign
from skbadge.exceptions import SkbadgeError

__all__ = ["main"]

# A command more is a module more.
COMMANDS: tuple[ModuleType, ...] = (_benchmark, _report, _datasets, _campaign)

_DESCRIPTION = "Deep active learning: benchmarks, their data sets and reports."
_EPILOG = """\
examples:
  python -m skbadge benchmark                     seven methods on digits, a minute
  python -m skbadge benchmark --dataset my.npz    the same on data of your own
  python -m skbadge report results                an HTML page of what came out
  python -m skbadge datasets                      what data there are

'python -m skbadge benchmark --help' says more.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 where cells failed, 2 for wrong input, 130 for Ctrl-C.
    """
    options = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return options.run(options)
        except (SkbadgeError, OSError) as error:
            _say(f"error: {error}")
            return 2
        except KeyboardInterrupt:
            _say(f"interrupted. {getattr(options, 'on_interrupt', '')}")
            return 130


def _parser() -> argparse.ArgumentParser:
    typed = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(
        prog=typed if typed == "skbadge" else "python -m skbadge",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def _say(text: str) -> None:
    """Print one line to the standard error."""
    print("skbadge: " + " ".join(text.split()), file=sys.stderr)  # noqa: T201


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    # Through tqdm, which moves its bar out of the way.
    tqdm.write("skbadge: warning: " + " ".join(str(message).split()), file=sys.stderr)

"""Ctrl-C before the command line can answer it: the libraries take seconds to load.

Nothing but the standard library is imported here, and this module before all others.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

__all__ = ["answer_interrupts"]


def answer_interrupts() -> None:
    """Let an interrupt end our own command with a line, not with a traceback.

    A program that imports the library keeps its own way.
    """
    if not _is_ours(sys.argv, sys.orig_argv):
        return
    show = sys.excepthook

    def show_shortly(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("\nskbadge: interrupted.\n")
        else:
            show(kind, error, trace)

    sys.excepthook = show_shortly


def _is_ours(argv: Sequence[str], typed: Sequence[str]) -> bool:
    """Say whether the process is the command, from what it was started with."""
    if not argv:
        return False
    # While the package of ``python -m`` is being imported, its name is not known yet.
    by_module = argv[0] == "-m" and ("-m", "skbadge") in itertools.pairwise(typed)
    return by_module or Path(argv[0]).stem == "skbadge"

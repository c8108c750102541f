"""Ctrl-C during a call that must not lose what it has."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

__all__ = ["InterruptFlag", "noticed_interrupts"]


class InterruptFlag:
    """Says whether a Ctrl-C came; ``seen`` is False until then."""

    def __init__(self):
        self.seen = False


@contextmanager
def noticed_interrupts():
    """Note every Ctrl-C that the handler of SIGINT turns into an interrupt.

    skorch takes a ``KeyboardInterrupt`` for the wish to stop training early and goes
    on; the flag lets its caller tell a real Ctrl-C from that. A handler of the user's
    own that raises nothing keeps its meaning. Outside the main thread, where Python
    allows no handler, and where SIGINT is ignored or handled outside Python, nothing
    is changed.

    Yields
    ------
    InterruptFlag
    """
    flag = InterruptFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous):
        yield flag
        return

    def note(signum, frame):
        try:
            previous(signum, frame)
        except KeyboardInterrupt:
            flag.seen = True
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous)

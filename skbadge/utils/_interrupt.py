"""Ctrl-C during a call that must not lose what it has."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["lasting_interrupts"]


@contextmanager
def lasting_interrupts() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` at the end if a Ctrl-C came and was swallowed.

    skorch takes a ``KeyboardInterrupt`` for the wish to stop training early and goes
    on. Here a real one, seen in the handler of SIGINT, comes back at the end; so it
    does where an error follows it, for example of a callback that finds no last epoch.
    A handler of the user's own that raises nothing keeps its meaning. Outside the main
    thread, where Python allows no handler, and where SIGINT is ignored or handled
    outside Python, nothing is changed.

    Raises
    ------
    KeyboardInterrupt
        From the error that followed, if there was one.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if in_main_thread else None
    if not callable(previous):
        yield
        return
    seen = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal seen
        try:
            previous(signum, frame)
        except KeyboardInterrupt:
            seen = True
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception as error:
        if seen:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
    if seen:
        raise KeyboardInterrupt

"""Ctrl-C: during a call that must not lose what it has, and while things are put back.

Python raises ``KeyboardInterrupt`` between any two calls. A context manager made of a
generator can be left between its two halves then; those here are classes that take what
they take last on entering, and give it back first on leaving.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["lasting_interrupts", "put_back", "surely"]


def surely(call: Callable[[], None]) -> None:
    """Make a call that may be made twice, to its end, however many Ctrl-C come.

    Raises
    ------
    KeyboardInterrupt
        At the end, if one came.
    """
    interrupt = None
    while True:
        try:
            call()
            break
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


class put_back:
    """Make a call that may be made twice at the end, whenever a Ctrl-C comes.

    A context manager without a state, to be entered twice in one statement::

        with put_back(call) as again, again:
            ...

    A Ctrl-C may be raised as the first thing in ``__exit__``, before any line of it is
    run; the other one makes the call then.

    Parameters
    ----------
    call : callable
        Puts something back, or sees that this was done.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def __enter__(self) -> put_back:
        return self

    def __exit__(self, *error: object) -> None:
        surely(self._call)


class lasting_interrupts:
    """Raise ``KeyboardInterrupt`` at the end if a Ctrl-C came and was swallowed.

    A context manager; what it gives is entered too, see `put_back`. skorch takes a
    ``KeyboardInterrupt`` for the wish to stop training early and goes on. Here a real
    one, seen in the handler of SIGINT, comes back at the end; so it does where an error
    follows it, for example of a callback that finds no last epoch. A handler of the
    user's own that raises nothing keeps its meaning. Outside the main thread, where
    Python allows no handler, and where SIGINT is ignored or handled outside Python,
    nothing is changed.

    Raises
    ------
    KeyboardInterrupt
        From the error that followed, if there was one.
    """

    def __init__(self) -> None:
        self.seen = False
        self._again = put_back(self._put_back)
        in_main_thread = threading.current_thread() is threading.main_thread()
        self.previous: Any = signal.getsignal(signal.SIGINT) if in_main_thread else None

    def __enter__(self) -> put_back:
        if callable(self.previous):
            try:
                signal.signal(signal.SIGINT, self._note)
            except KeyboardInterrupt:
                surely(self._put_back)
                raise
        return self._again

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        surely(self._put_back)
        if self.seen and (error is None or isinstance(error, Exception)):
            raise KeyboardInterrupt from error

    def _put_back(self) -> None:
        if callable(self.previous):
            signal.signal(signal.SIGINT, self.previous)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        try:
            self.previous(signum, frame)
        except KeyboardInterrupt:
            self.seen = True
            raise

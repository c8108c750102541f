"""Locks of a process, made anew after a fork."""

from __future__ import annotations

import os
import threading
from typing import Any

__all__ = ["process_lock"]

_LOCKS: dict[tuple[int, str], Any] = {}


def process_lock(name: str) -> Any:
    """Return the reentrant lock of a name.

    A process that was forked while another thread held a lock gets one of its own: that
    thread is not there to release it.

    Parameters
    ----------
    name : str
        Who asks for the same name gets the same lock.

    Returns
    -------
    threading.RLock
    """
    # One step, so that two threads never make two locks.
    return _LOCKS.setdefault((os.getpid(), name), threading.RLock())

"""Worker processes that do not outlive the one they work for."""

from __future__ import annotations

import os
import threading
from functools import cache
from time import sleep

__all__ = ["end_with"]


@cache
def end_with(parent):
    """End this process soon after its parent, which, once killed, cannot tell it.

    Parameters
    ----------
    parent : int
        Number of the process. One that is gone already ends this one at once.
    """

    def watch():
        while os.getppid() == parent:
            sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

"""Peak memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such module.
    resource = None  # type: ignore[assignment]

__all__ = ["peak_memory_mb", "reset_peak_memory"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def reset_peak_memory():
    """Let the next `peak_memory_mb` count from now; only Linux can do that."""
    try:
        # 5 is the kernel's code for "forget the peak".
        _RESET.write_text("5")
    except OSError:
        return


def peak_memory_mb():
    """Return the peak resident memory in MB since the last reset.

    Where there is no reset it is the peak since the process began; NaN where the system
    does not tell.
    """
    status = _STATUS.read_text() if _STATUS.exists() else ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    if resource is None:
        return float("nan")
    # Kilobytes, but for bytes on macOS.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)

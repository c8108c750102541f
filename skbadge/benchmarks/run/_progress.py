"""How far a grid is: cells, the rounds inside them, and the time left."""

from __future__ import annotations

import sys
import threading

from tqdm import tqdm

__all__ = ["ProgressBar"]

# Seconds between two looks at the checkpoints.
_PAUSE = 1.0


class ProgressBar:
    """Count cells and rounds, and the time left by what they cost.

    Workers write a checkpoint after each round; rounds are counted by looking at these
    files, so that nothing else need come back from a worker. On a cluster without a
    shared folder there are none to be seen, and rounds are counted with their cell.

    Parameters
    ----------
    store : CellStore
        Where the checkpoints are.
    n_cells, n_done : int
        Cells in all, and those that are there already.
    work : dict of Cell to (int, int)
        For each cell left what it costs beside others, and its number of rounds, the
        first training included.
    shown : bool
        Whether to show anything, on the standard error.
    """

    def __init__(self, store, n_cells, n_done, work, *, shown):
        self._store, self._work = store, work
        self._n_cells, self._n_done, self._n_failed = n_cells, n_done, 0
        self._under_way = {store.path(cell, ".partial").name: cell for cell in work}
        self._rounds = dict.fromkeys(work, 0)
        self._seen = {}
        self._lock, self._over = threading.Lock(), threading.Event()
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=sum(cost for cost, _ in work.values()),
            desc=self._cells(),
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} gone, "
            "{remaining} left{postfix}",
            postfix=self._all_rounds(),
            ncols=None if self._terminal else 80,
            mininterval=0.1 if self._terminal else 10,
            smoothing=0,
            file=sys.stderr,
            disable=not shown,
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._shown = shown

    def __enter__(self):
        if self._shown:
            self._watcher.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        if self._shown:
            self._watcher.join()
        self._bar.close()

    def advance(self, cell, failed):
        """Count one more cell."""
        with self._lock:
            self._n_done += 1
            self._n_failed += failed
            self._under_way.pop(self._store.path(cell, ".partial").name)
            self._bar.set_description_str(self._cells(), refresh=False)
            self._count(cell, self._work[cell][1])

    def look(self):
        """Count the rounds that checkpoints hold by now."""
        for path in self._store.cells.glob("*.partial.json"):
            written = _time_of(path)
            if written == self._seen.get(path):
                continue
            self._seen[path] = written
            with self._lock:
                cell = self._under_way.get(path.name)
                if cell is not None:
                    self._count(cell, self._store.count_rounds(cell))

    def _count(self, cell, n_rounds):
        """Take note that a cell has got so far; it never goes back."""
        cost, most = self._work[cell]
        before = self._rounds[cell]
        now = max(before, min(n_rounds, most))
        self._rounds[cell] = now
        self._bar.set_postfix_str(self._all_rounds(), refresh=False)
        self._bar.update(
            _share(cell, cost, now, most) - _share(cell, cost, before, most)
        )

    def _watch(self):
        while not self._over.wait(_PAUSE):
            self.look()
            if self._terminal:
                with self._lock:
                    self._bar.refresh()

    def _cells(self):
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        return f"{self._n_done} of {self._n_cells} cells{failed}"

    def _all_rounds(self):
        most = sum(n_rounds for _, n_rounds in self._work.values())
        return f"{sum(self._rounds.values()):,} of {most:,} rounds"


def _time_of(path):
    """Return when a file was written; None where its cell has just been finished."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _share(cell, cost, n_rounds, most):
    """Return what the first rounds cost of a cell, whole units: the last cost most."""
    labels = [cell.n_initial + i * cell.batch_size for i in range(most)]
    return cost * sum(labels[:n_rounds]) // sum(labels)

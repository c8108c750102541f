"""What a grid has before it: the data of its cells, and what each of them costs."""

from __future__ import annotations

from skbadge.benchmarks._methods import KDPP
from skbadge.benchmarks.run._cell import scorers_of
from skbadge.benchmarks.run._tasks import check_task, load_task
from skbadge.exceptions import DataUnavailableError

__all__ = ["load_all", "task_of", "weigh", "without_missing"]


def load_all(cells, *, must):
    """Load each data set once; return tasks, or why one cannot be had.

    A download happens here, once, and not in every worker.
    """
    found = {}
    for cell in cells:
        place = (cell.dataset, cell.path, cell.has_own_learner)
        if place in found:
            continue
        try:
            found[place] = load_task(cell)
        except DataUnavailableError as error:
            if must:
                raise
            found[place] = error
    return found


def without_missing(cells, data):
    """Return the cells whose data are there, and the names of the other sets."""
    gone = {
        place[0]: str(task)
        for place, task in data.items()
        if isinstance(task, DataUnavailableError)
    }
    kept = [cell for cell in cells if cell.dataset not in gone]
    if not kept:
        raise DataUnavailableError(
            f"At least one data set must be had. Got none of {', '.join(gone)}: "
            f"{next(iter(gone.values()))}"
        )
    return kept, sorted(gone)


def task_of(cell, data):
    return data[cell.dataset, cell.path, cell.has_own_learner]


def weigh(cells, data):
    """Check all cells against their data; estimate costs, and count their rounds."""
    work, scored = {}, set()
    for cell in cells:
        task = task_of(cell, data)
        if (cell.dataset, cell.metrics) not in scored:
            scorers_of(cell.metrics, task)
            scored.add((cell.dataset, cell.metrics))
        check_task(cell, task)
        n_pool = len(task.X)
        work[cell] = _cost(cell, n_pool), cell.count_rounds(n_pool) + 1
    return work


def _cost(cell, n_pool):
    """Estimate what a cell costs beside others, in whole units of no meaning."""
    n_rounds = cell.count_rounds(n_pool)
    labels = [cell.n_initial + i * cell.batch_size for i in range(n_rounds + 1)]
    training = sum(labels) * (50 if cell.model in ("resnet", "vgg") else 1)
    choosing = n_rounds * n_pool * cell.batch_size / 1_000
    swaps = 0.01 * n_rounds * cell.batch_size**2
    factors = {"badge": (0.2, 0), KDPP: (0.2, 1), "coreset": (0.05, 0)}
    by_pool, by_swap = factors.get(cell.strategy, (0.0, 0))
    return int(training + by_pool * choosing + by_swap * swaps) + 1

"""Tiny experiments for the tests of cells, grid and command line."""

from skbadge.benchmarks import Cell, make_cells

TINY = {
    "n_rounds": 2,
    "n_initial": 20,
    "n_hidden": 8,
    "max_epochs": 3,
    "learning_rate": 1e-2,
    "standardize": True,
}


def tiny_cell(**settings):
    """Return a cell that runs in a tenth of a second."""
    key = {"dataset": "digits", "batch_size": 10, "strategy": "marg", "repeat": 0}
    return Cell(**(TINY | key | settings))


def tiny_cells(*, strategies=("badge", "rand"), repeats=2, **settings):
    """Return a small grid of such cells."""
    settings = {"datasets": ["digits"], "batch_sizes": [10]} | TINY | settings
    return make_cells(strategies=strategies, repeats=repeats, **settings)

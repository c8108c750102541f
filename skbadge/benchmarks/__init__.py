"""The paper's experiments: cells, a parallel grid, analysis and report."""

from skbadge.benchmarks._analysis import (
    area_under_budget_curve,
    label_budgets,
    learning_curves,
    running_times,
)
from skbadge.benchmarks._cell import run_cell
from skbadge.benchmarks._comparison import (
    NormalizedErrorCDF,
    PenaltyMatrix,
    normalized_error_cdf,
    penalty_matrix,
)
from skbadge.benchmarks._grid import GridResults, load_grid, run_grid
from skbadge.benchmarks._nets import make_paper_net
from skbadge.benchmarks._presets import PRESETS, Preset, preset_cells
from skbadge.benchmarks._report import write_report
from skbadge.benchmarks._settings import (
    MODELS,
    STRATEGIES,
    Cell,
    make_cells,
    make_strategy,
)
from skbadge.benchmarks._tasks import Task, describe_file, load_task

__all__ = [
    "MODELS",
    "PRESETS",
    "STRATEGIES",
    "Cell",
    "GridResults",
    "NormalizedErrorCDF",
    "PenaltyMatrix",
    "Preset",
    "Task",
    "area_under_budget_curve",
    "describe_file",
    "label_budgets",
    "learning_curves",
    "load_grid",
    "load_task",
    "make_cells",
    "make_paper_net",
    "make_strategy",
    "normalized_error_cdf",
    "penalty_matrix",
    "preset_cells",
    "run_cell",
    "run_grid",
    "running_times",
    "write_report",
]

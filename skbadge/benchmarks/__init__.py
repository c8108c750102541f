"""The paper's experiments: cells, a parallel grid, analysis and report."""

from skbadge.benchmarks._methods import STRATEGIES, make_strategy
from skbadge.benchmarks.analysis._arms import arm_shares
from skbadge.benchmarks.analysis._chance import ChanceMatrix, chance_matrix
from skbadge.benchmarks.analysis._comparison import (
    NormalizedErrorCDF,
    PenaltyMatrix,
    normalized_error_cdf,
    penalty_matrix,
)
from skbadge.benchmarks.analysis._curves import (
    area_under_budget_curve,
    label_budgets,
    learning_curves,
    running_times,
)
from skbadge.benchmarks.analysis._ranks import ranks_by_part, win_shares
from skbadge.benchmarks.report._report import write_report
from skbadge.benchmarks.run._cell import run_cell
from skbadge.benchmarks.run._files import describe_file
from skbadge.benchmarks.run._grid import GridResults, load_grid, run_grid
from skbadge.benchmarks.run._nets import make_paper_net
from skbadge.benchmarks.run._presets import PRESETS, Preset, preset_cells
from skbadge.benchmarks.run._settings import MODELS, Cell, make_cells
from skbadge.benchmarks.run._tasks import Task, load_task

__all__ = [
    "MODELS",
    "PRESETS",
    "STRATEGIES",
    "Cell",
    "ChanceMatrix",
    "GridResults",
    "NormalizedErrorCDF",
    "PenaltyMatrix",
    "Preset",
    "Task",
    "area_under_budget_curve",
    "arm_shares",
    "chance_matrix",
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
    "ranks_by_part",
    "run_cell",
    "run_grid",
    "running_times",
    "win_shares",
    "write_report",
]

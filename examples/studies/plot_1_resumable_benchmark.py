"""
A resumable benchmark, and its report
=====================================

How do several strategies compare on one data set, and what is lost when the machine
goes down halfway? Nothing: finished runs are on disk.
"""

# %%
# A cell is one run: data set, net, batch size, strategy, repeat. Here are 12 small
# ones.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from skbadge.benchmarks import (
    learning_curves,
    load_grid,
    make_cells,
    run_grid,
    write_report,
)
from skbadge.plotting import LearningCurveDisplay

folder = Path(tempfile.mkdtemp())
cells = make_cells(
    ["digits"],
    batch_sizes=[50],
    strategies=["badge", "marg", "coreset", "rand"],
    repeats=3,
    n_initial=50,
    n_rounds=4,
    n_hidden=64,
    learning_rate=3e-3,
    max_epochs=60,
    standardize=True,
)

# %%
# Pretend that the machine stops after the first five. What was finished is in the
# folder.

run_grid(cells[:5], folder)

# %%
# The same folder again: these are kept, and the other seven run. Results are the same
# as if nothing had happened, byte for byte; with ``n_jobs=-1`` they come from all
# cores, and are still the same.

grid = run_grid(cells, folder)
print(f"{len(grid.missing)} missing, {len(grid.failures)} failed")
grid.results.drop(columns="positions").head()

# %%
# Another program, or the same one tomorrow, reads the folder:

grid = load_grid(folder)
display = LearningCurveDisplay.from_accuracies(
    grid.results["strategy"], grid.results["n_labeled"], grid.results["accuracy"]
)
display.plot()
plt.show()

# %%
# The numbers behind it, at the last label count:

curves = learning_curves(grid.results)
curves[curves["n_labeled"] == curves["n_labeled"].max()].round(3)

# %%
# And one page with everything: penalty matrices, normalized errors, times, settings and
# versions. It needs no other file and can be mailed.

page = write_report(grid.results, grid.costs, folder, settings=grid.settings)
print(f"{page.name}: {page.stat().st_size // 1024} KiB")

# %%
# On the command line the same is ``python -m skbadge benchmark --out FOLDER``
# and ``python -m skbadge report FOLDER``. Three repeats are too few for a verdict.

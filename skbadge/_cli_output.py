"""Tables and pictures that the command line shows."""

from __future__ import annotations

import math
import textwrap

from skbadge.benchmarks import learning_curves
from skbadge.benchmarks._comparison import strategy_order
from skbadge.plotting import LearningCurveDisplay

__all__ = ["curves_picture", "datasets_text", "results_text"]

SETTING = ["dataset", "model", "batch_size"]
_MAX_LINES = 12


def results_text(results):
    """Return accuracies by labels and strategy: one table for each setting."""
    curves = learning_curves(results)
    repeats = results.groupby(SETTING)["repeat"].nunique()
    parts = []
    for setting, table in curves.groupby(SETTING):
        dataset, model, batch_size = setting
        lines = [
            f"{dataset}, {model}, B = {batch_size}: test accuracy in percent, mean ± "
            f"standard error over {_count(repeats[setting], 'repeat')}"
        ]
        lines += _aligned(_accuracy_rows(table))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _accuracy_rows(table):
    strategies = strategy_order(table["strategy"])
    rows = [["labels", *strategies]]
    cells = table.set_index(["n_labeled", "strategy"])
    for count in _shown_counts(sorted(table["n_labeled"].unique())):
        row = [str(count)]
        for strategy in strategies:
            if (count, strategy) not in cells.index:
                row.append("-")
                continue
            cell = cells.loc[(count, strategy)]
            text = f"{100 * cell['mean']:.1f}"
            if not math.isnan(cell["standard_error"]):
                text += f" ± {100 * cell['standard_error']:.1f}"
            row.append(text)
        rows.append(row)
    return rows


def _shown_counts(counts):
    """Return all label counts, or a dozen of them, the first and the last included."""
    if len(counts) <= _MAX_LINES:
        return counts
    last = len(counts) - 1
    return [counts[round(i * last / (_MAX_LINES - 1))] for i in range(_MAX_LINES)]


def _aligned(rows, *, left=0):
    """Return lines with aligned columns, the first ``left`` of them to the left."""
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    return [
        "  ".join(
            text.ljust(width) if j < left else text.rjust(width)
            for j, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def curves_picture(results, path):
    """Draw the learning curves of all settings into one picture.

    Parameters
    ----------
    results : DataFrame
        Tidy results.
    path : Path
        The PNG file.
    """
    from matplotlib.figure import Figure

    settings = list(results.groupby(SETTING))
    n_columns = min(3, len(settings))
    n_rows = -(-len(settings) // n_columns)
    figure = Figure(figsize=(6.4 * n_columns, 4.8 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax, (setting, table) in zip(axes, settings, strict=False):
        order = {name: i for i, name in enumerate(strategy_order(table["strategy"]))}
        table = table.sort_values(
            "strategy", key=lambda names, order=order: names.map(order), kind="stable"
        )
        LearningCurveDisplay.from_accuracies(
            table["strategy"], table["n_labeled"], table["accuracy"]
        ).plot(ax)
        ax.set_title("{}, {}, B = {}".format(*setting))
    for ax in axes[len(settings) :]:
        ax.set_axis_off()
    figure.savefig(path, dpi=120)


def datasets_text(table):
    """Return the registry of data sets as text."""
    columns = ["OpenML", "rows", "pool", "test", "shape", "classes", "availability"]
    rows = [["name", *columns]]
    rows += [
        [str(name), *(_number(row[column]) for column in columns)]
        for name, row in table.iterrows()
    ]
    lines = _aligned(rows, left=1)
    for name, row in table.iterrows():
        text = (
            f"{row['title']}. Inputs: {row['preprocessing']}. License: "
            f"{row['license']}. Source: {row['source']}."
        )
        lines += ["", str(name), *textwrap.wrap(text, 76)]
    return "\n".join(lines)


def _number(value):
    return value if isinstance(value, str) else f"{value:,}"


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

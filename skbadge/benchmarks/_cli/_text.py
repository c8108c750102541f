"""Tables and pictures that the command line shows."""

from __future__ import annotations

import sys
import textwrap

from joblib import cpu_count

from skbadge.benchmarks._methods import strategy_order
from skbadge.benchmarks.analysis._curves import SETTING, learning_curves, metrics_of
from skbadge.benchmarks.report._words import count
from skbadge.plotting import LearningCurveDisplay
from skbadge.utils._files import write_atomically

__all__ = ["curves_picture", "datasets_text", "plan_text", "results_text", "say"]

_MAX_LINES = 12


def say(text):
    """Print one line to the standard error."""
    print("skbadge: " + " ".join(text.split()), file=sys.stderr)  # noqa: T201


def results_text(results):
    """Return the scores by labels and strategy: a table for each setting and score."""
    parts = []
    for metric in ["accuracy", *metrics_of(results)]:
        curves = learning_curves(results, metric=metric)
        scale, unit = (100, " in percent") if metric == "accuracy" else (1, "")
        for setting, table in curves.groupby(SETTING):
            dataset, model, batch_size = setting
            n_repeats = table["n_repeats"].max()
            repeats = "1 repeat" if n_repeats == 1 else f"{n_repeats} repeats"
            parts.append(
                f"{dataset}, {model}, B = {batch_size}: test {metric}{unit}, mean ± "
                f"standard error over {repeats}\n{_scores(table, scale)}"
            )
    return "\n\n".join(parts) + "\n"


def _scores(table, scale):
    counts = sorted(table["n_labeled"].unique())
    # A dozen of them, the first and the last included.
    last = len(counts) - 1
    steps = range(min(len(counts), _MAX_LINES))
    shown = [counts[round(i * last / max(1, len(steps) - 1))] for i in steps]
    digits = 1 if scale == 100 else 3
    texts = table.assign(
        text=[
            f"{scale * mean:.{digits}f}"
            + (f" ± {scale * error:.{digits}f}" if error == error else "")
            for mean, error in zip(table["mean"], table["standard_error"], strict=True)
        ]
    )
    wide = texts.pivot(index="n_labeled", columns="strategy", values="text")
    wide = wide.loc[shown, strategy_order(wide.columns)].fillna("-")
    return wide.rename_axis("labels").reset_index().to_string(index=False)


def curves_picture(results, path):
    """Draw the learning curves of all settings, and of all scores, into one picture.

    Parameters
    ----------
    results : DataFrame
        Tidy results.
    path : Path
        The PNG file.
    """
    from matplotlib.figure import Figure

    metrics = ["accuracy", *metrics_of(results)]
    settings = list(results.groupby(SETTING))
    panels = [(*each, metric) for each in settings for metric in metrics]
    # The scores of a setting side by side, where there is room.
    n_columns = len(metrics) if 1 < len(metrics) <= 4 else min(3, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(6.4 * n_columns, 4.8 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax, (setting, table, metric) in zip(axes, panels, strict=False):
        order = strategy_order(table["strategy"])
        table = table.iloc[table["strategy"].map(order.index).argsort(kind="stable")]
        LearningCurveDisplay.from_accuracies(
            table["strategy"], table["n_labeled"], table[metric]
        ).plot(ax, legend="below", score=metric)
        # Names of files may hold what matplotlib would take for mathematics.
        ax.set_title("{}, {}, B = {}".format(*setting), parse_math=False)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    write_atomically(
        path, lambda partial: figure.savefig(partial, format="png", dpi=120)
    )


def datasets_text(table):
    """Return the registry of data sets as text."""
    columns = ["OpenML", "rows", "pool", "test", "shape", "classes", "availability"]
    shown = table[columns].map(lambda v: v if isinstance(v, str) else f"{v:,}")
    # The name of the columns stands above the index, in the same line as they.
    lines = [shown.rename_axis(None).rename_axis("name", axis=1).to_string()]
    for name, row in table.iterrows():
        text = (
            f"{row['title']}. Inputs: {row['preprocessing']}. License: "
            f"{row['license']}. Source: {row['source']}."
        )
        lines += ["", str(name), *textwrap.wrap(text, 76)]
    return "\n".join(lines)


def plan_text(plan):
    """Return what a dry run found as text."""
    shown = plan.table.copy()
    for name in ("hours", "hours at the cap"):
        shown[name] = [_hours(value) for value in shown[name]]
    shown = shown.set_index("dataset").rename_axis(None)
    table = shown.rename_axis("dataset", axis=1).to_string()
    # Of settings that were timed; not known where none was.
    hours, most = (
        _hours(plan.table[name].sum(min_count=1))
        for name in ("hours", "hours at the cap")
    )
    told = [
        f"{count(plan.table['cells'].sum(), 'cell')}, "
        f"{count(plan.table['trainings'].sum(), 'training')}; {hours} hours on one "
        f"{plan.device} at the epochs assumed, {most} if every training went to its "
        f"cap; about {plan.disk_mb:,.0f} MB on disk.",
        *_parts_of_plan(plan),
        *plan.notes,
    ]
    return "\n".join([table, "", *(textwrap.fill(line, 80) for line in told)])


def _parts_of_plan(plan):
    """Say how long it takes on all cores of this machine, and how much is each net's.

    Nets for pictures may go to a GPU while the cores train the others.
    """
    total, n_cores = plan.table["hours"].sum(min_count=1), cpu_count()
    if plan.device == "core" and n_cores > 1 and total == total:
        yield (
            f"On the {n_cores} cores here, one cell each: {_hours(total / n_cores)} "
            "hours at the epochs assumed."
        )
    by_net = plan.table.groupby("model", sort=False)["hours"].sum(min_count=1)
    if len(by_net) > 1:
        listed = ", ".join(f"{net} {_hours(value)}" for net, value in by_net.items())
        yield f"By net: {listed}. --model runs one; all may share a folder."


def _hours(value):
    if value != value:
        return "?"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"

"""Tables and pictures of the image study, of repeats that all strategies have."""

from math import isnan

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MaxNLocator
from study import display_of, draw_matrix, labels, means_text, read

from skbadge.benchmarks import (
    PRESETS,
    area_under_budget_curve,
    learning_curves,
    penalty_matrix,
    preset_cells,
    ranks_by_part,
    running_times,
)

SETTING = ["dataset", "model", "batch_size"]


def complete(folder, name="results"):
    """Return the rows of repeats in which every strategy is there."""
    table = read(folder, name)
    n_strategies = len({cell.strategy for cell in planned()})
    there = table.groupby([*SETTING, "repeat"])["strategy"].transform("nunique")
    return table[there == n_strategies]


def planned():
    return preset_cells("images")


def scope(folder):
    """Say which settings were planned, which of them were run, and how far."""
    there = complete(folder).groupby(SETTING)
    found = there.agg(
        first=("n_labeled", "min"),
        last=("n_labeled", "max"),
        repeats=("repeat", "nunique"),
    )
    rows = []
    for key, cells in _settings().items():
        dataset, model, size = key
        row = {"dataset": dataset, "model": model, "batch": f"{size:,}"}
        if key in found.index:
            first, last, repeats = found.loc[key]
            row |= {
                "repeats": f"{repeats} of {len({cell.repeat for cell in cells})}",
                "labels": f"{first:,} to {last:,}",
            }
        else:
            row |= {"repeats": "not run", "labels": ""}
        rows.append(row)
    return pd.DataFrame(rows)


def _settings():
    """Return the planned cells of each setting."""
    settings = {}
    for cell in planned():
        key = tuple(cell.key[name] for name in SETTING)
        settings.setdefault(key, []).append(cell)
    return settings


def deviations():
    """Say what the preset is, and how it deviates from the paper."""
    return "\n".join(f"- {text}" for text in PRESETS["images"].deviations)


def capped(folder):
    """Say what share of the trainings ended at the cap, for each setting."""
    shares = complete(folder).groupby(SETTING)["hit_max_epochs"].agg(["mean", "size"])
    shares = shares.reset_index()
    return pd.DataFrame(
        {
            "model": shares["model"],
            "batch": [f"{size:,}" for size in shares["batch_size"]],
            "trainings": shares["size"],
            "ended at the cap": [f"{share:.0%}" for share in shares["mean"]],
        }
    )


def areas(folder):
    """Show the mean accuracy over all label counts, the best first in each setting."""
    table = area_under_budget_curve(complete(folder))
    rows = []
    for (_, model, size), part in table.groupby(SETTING):
        part = part.sort_values("mean", ascending=False)
        listed = [
            f"{label} {100 * mean:.2f}"
            # One repeat has no standard error.
            + ("" if isnan(error) else f" ± {100 * error:.2f}")
            for label, mean, error in zip(
                labels(part["strategy"]),
                part["mean"],
                part["standard_error"],
                strict=True,
            )
        ]
        rows.append(
            {"model": model, "batch": f"{size:,}", "best first": ", ".join(listed)}
        )
    return pd.DataFrame(rows)


def curves(folder):
    """Draw one panel of learning curves for each setting."""
    settings = list(learning_curves(complete(folder)).groupby(SETTING))
    n_columns = min(3, len(settings))
    n_rows = -(-len(settings) // n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(max(5.6, 3.1 * n_columns), 0.8 + 2.8 * n_rows),
        layout="constrained",
        squeeze=False,
    )
    for ax in axes.flat[len(settings) :]:
        ax.set_axis_off()
    for ax, ((_, model, size), part) in zip(axes.flat, settings, strict=False):
        display_of(part).plot(ax=ax, legend=False)
        ax.set_title(f"{model}, {size:,} labels a batch", fontsize="medium")
        ax.xaxis.set_major_locator(MaxNLocator(4))
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=4,
        frameon=False,
        handlelength=3,
    )
    plt.close(figure)
    return figure


def start(folder):
    """Say how far the nets are after the initial labels."""
    first = complete(folder).query("round == 0")
    found = first.groupby("model")[["accuracy", "train_accuracy", "epochs"]].mean()
    texts = [
        f"the {model} is right on {row.accuracy:.0%} of the test set and on "
        f"{row.train_accuracy:.0%} of what it was trained on, after {row.epochs:.0f} "
        "epochs"
        for model, row in found.iterrows()
    ]
    return f"After the first {first['n_labeled'].min()} labels {'; '.join(texts)}."


def penalty(folder):
    """Draw the penalty matrix over the settings with repeats to test."""
    matrix = penalty_matrix(_repeated(complete(folder)))
    figure, ax = plt.subplots(figsize=(4.8, 5.0), layout="constrained")
    draw_matrix(matrix, ax)
    ax.set_title(f"{matrix.n_settings} settings", fontsize="medium")
    plt.close(figure)
    return figure


def times(folder):
    """Show the seconds of training and choosing, the sum over rounds."""
    total = running_times(complete(folder, "costs"), total=True)
    rows = []
    for (_, model, size), part in total.groupby(SETTING):
        seconds = {
            label: f"{fit:.0f} + {query:.0f}"
            for label, fit, query in zip(
                labels(part["strategy"]),
                part["fit_seconds"],
                part["query_seconds"],
                strict=True,
            )
        }
        rows.append({"model": model, "batch": f"{size:,}", **seconds})
    return pd.DataFrame(rows)


def claims(folder):
    """Put claims of the paper beside what the settings that were run say of them."""
    results = complete(folder)
    by_model = dict(list(results.groupby("model")))
    nothing = "Nothing: no setting of the residual network was run."
    resnet = by_model.get("resnet")
    found = [
        ("Over all settings BADGE is beaten least.", _means_text(results)),
        (
            "With an MLP, BADGE and margin sampling outperform the rest.",
            _means_text(by_model["mlp"]) if "mlp" in by_model else "Nothing.",
        ),
        (
            "With a residual network, core-set does well, margin sampling does not.",
            nothing if resnet is None else _means_text(resnet),
        ),
        (
            "As batches grow, core-set and BADGE gain on margin sampling.",
            _gains_text(results, ("badge", "coreset", "marg")),
        ),
    ]
    return pd.DataFrame(found, columns=["Claim", "In these tables"])


def _repeated(results):
    """Return the settings with at least two repeats, which a test needs."""
    n_repeats = results.groupby(SETTING)["repeat"].transform("nunique")
    return results[n_repeats > 1]


def _means_text(results):
    """Say who is beaten least, where repeats allow a test; else who is ahead."""
    repeated = _repeated(results)
    if len(repeated):
        return means_text(penalty_matrix(repeated))
    names = results["strategy"].unique()
    return f"One repeat allows no test. {_gains_text(results, names)}"


def _gains_text(results, names):
    gains = ranks_by_part(results, n_parts=1).set_index([*SETTING, "strategy"])
    texts = []
    for (_, model, size), part in gains.groupby(SETTING):
        part = part.droplevel(SETTING).loc[list(names)]
        part = part.sort_values("gain", ascending=False)
        listed = ", ".join(
            f"{label} {100 * gain:+.2f}"
            for label, gain in zip(labels(part.index), part["gain"], strict=True)
        )
        alone = ", one repeat" if part["n_repeats"].max() == 1 else ""
        texts.append(f"{listed} ({model}, batches of {size:,}{alone})")
    return f"Points of accuracy above random sampling: {'; '.join(texts)}."

"""Tables and pictures of the image study, of its complete settings alone."""

import matplotlib.pyplot as plt
import pandas as pd
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
    """Return the rows of settings in which every strategy has every repeat."""
    table = read(folder, name)
    cells = table.drop_duplicates([*SETTING, "strategy", "repeat"])
    wanted = pd.Series([tuple(cell.key[k] for k in SETTING) for cell in planned()])
    there = cells.groupby(SETTING).size()
    whole = [key for key, n in wanted.value_counts().items() if there.get(key) == n]
    return table[table[SETTING].apply(tuple, axis=1).isin(whole)]


def planned():
    return preset_cells("images")


def scope(folder):
    """Say which settings were planned, which of them were run, and how far."""
    counts = complete(folder).groupby(SETTING)["n_labeled"].agg(["min", "max"])
    rows = []
    for key in dict.fromkeys(tuple(cell.key[k] for k in SETTING) for cell in planned()):
        dataset, model, size = key
        row = {"dataset": dataset, "model": model, "batch": f"{size:,}"}
        if key in counts.index:
            first, last = counts.loc[key]
            row |= {"run": "yes", "labels": f"{first:,} to {last:,}"}
        else:
            row |= {"run": "not yet", "labels": ""}
        rows.append(row)
    return pd.DataFrame(rows)


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
            f"{label} {100 * mean:.2f} ± {100 * error:.2f}"
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
    figure, axes = plt.subplots(
        1,
        len(settings),
        figsize=(max(5.6, 3.1 * len(settings)), 3.6),
        layout="constrained",
        squeeze=False,
    )
    for ax, ((_, model, size), part) in zip(axes.flat, settings, strict=True):
        display_of(part).plot(ax=ax, legend=False)
        ax.set_title(f"{model}, {size:,} labels a batch", fontsize="medium")
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


def penalty(folder):
    """Draw the penalty matrix over the settings that are complete."""
    matrix = penalty_matrix(complete(folder))
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
    """Put claims of the paper beside what the complete settings say of them."""
    results = complete(folder)
    models = set(results["model"])
    found = [
        (
            "Over all settings BADGE is beaten least.",
            means_text(penalty_matrix(results)),
        )
    ]
    mlp = results[results["model"] == "mlp"]
    found.append(
        (
            "With an MLP, BADGE and margin sampling outperform the rest.",
            means_text(penalty_matrix(mlp)),
        )
    )
    found.append(
        (
            "As batches grow, core-set and BADGE gain on margin sampling.",
            _gains_text(results, ("badge", "coreset", "marg")),
        )
    )
    if "resnet" not in models:
        found.append(
            (
                "With a convolutional net, diversity counts more than with an MLP.",
                "Nothing: no setting of the residual network is complete.",
            )
        )
    return pd.DataFrame(found, columns=["Claim", "In these tables"])


def _gains_text(results, names):
    gains = ranks_by_part(results, n_parts=1).set_index([*SETTING, "strategy"])["gain"]
    texts = []
    for (_, model, size), part in gains.groupby(SETTING):
        part = 100 * part.droplevel(SETTING)
        listed = ", ".join(
            f"{label} {part[name]:+.2f}"
            for label, name in zip(labels(names), names, strict=True)
        )
        texts.append(f"{listed} ({model}, batches of {size:,})")
    return f"Points of accuracy above random sampling: {'; '.join(texts)}."

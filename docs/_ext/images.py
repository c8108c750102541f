"""Tables and pictures of the image study, of repeats that all strategies have."""

from math import isnan

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MaxNLocator
from scipy import stats
from speed import written
from study import (
    PUBLISHED,
    budgets_of,
    capped_of,
    display_of,
    draw_matrix,
    in_order,
    labels,
    means_text,
    read,
)

from skbadge.benchmarks import (
    area_under_budget_curve,
    chance_matrix,
    learning_curves,
    penalty_matrix,
    preset_cells,
    ranks_by_part,
    running_times,
)
from skbadge.benchmarks.run._presets import preset_deviations

SETTING = ["dataset", "model", "batch_size"]
NAMES = {"model": "model", "batch_size": "batch"}


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
    return "\n".join(f"- {text}" for text in preset_deviations("images"))


def capped(folder):
    return _with_commas(capped_of(complete(folder), NAMES))


def budgets(folder):
    return _with_commas(budgets_of(complete(folder), NAMES))


def _with_commas(table):
    return table.assign(batch=[f"{size:,}" for size in table["batch"]])


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


def gains_of(results):
    """Return areas minus that of random sampling, one row for each repeat.

    Repeats share what they begin with, so that differences within a repeat are less
    noisy than the areas themselves.
    """
    parts = [
        area_under_budget_curve(part).assign(repeat=repeat)
        for repeat, part in results.groupby("repeat")
    ]
    wide = pd.concat(parts).pivot(
        index=[*SETTING, "repeat"], columns="strategy", values="mean"
    )
    wide = wide[in_order(wide.columns)]
    return wide.sub(wide["rand"], axis=0).drop(columns="rand")


def gains(folder):
    """Show the mean accuracy over all label counts minus that of random sampling."""
    return pd.DataFrame(
        [
            {"model": model, "batch": f"{size:,}"}
            | {label: _with_error(part[name]) for label, name in _labeled(part.columns)}
            for (_, model, size), part in gains_of(complete(folder)).groupby(SETTING)
        ]
    )


def _labeled(names):
    return zip(labels(names), names, strict=True)


def _with_error(values):
    error = f" ± {100 * values.sem():.2f}" if len(values) > 1 else ""
    return f"{100 * values.mean():+.2f}{error}"


def published(folder):
    """Put the published areas on Fashion-MNIST beside those of the MLP."""
    names = ["marg", "coreset", "badge"]
    rows = [
        [
            source,
            setting,
            f"{rand:.1f}",
            *(f"{v:.1f} ({v - rand:+.1f})" for v in others),
        ]
        for source, setting, rand, *others in PUBLISHED
        if setting.startswith("Fashion-MNIST")
    ]
    results = complete(folder).query("model == 'mlp' and batch_size == 1_000")
    if len(results):
        areas = area_under_budget_curve(results).set_index("strategy")["mean"]
        gains = gains_of(results)
        ours = [
            f"{100 * areas[name]:.2f} ({_with_error(gains[name])})" for name in names
        ]
        setting = "Fashion-MNIST, mlp, batches of 1,000, area"
        rows.append(["this study", setting, f"{100 * areas['rand']:.2f}", *ours])
    return pd.DataFrame(rows, columns=["source", "setting", *labels(["rand", *names])])


def penalty(folder):
    """Draw the penalty matrix over the settings with repeats to test."""
    return _draw(penalty_matrix(_repeated(complete(folder))))


def chance(folder):
    """Draw what chance alone would show in the place of the penalty matrix."""
    return _draw(chance_matrix(_repeated(complete(folder))))


def _draw(matrix):
    figure, ax = plt.subplots(figsize=(4.8, 5.0), layout="constrained")
    draw_matrix(matrix, ax)
    ax.set_title(f"{matrix.n_settings} settings", fontsize="medium")
    plt.close(figure)
    return figure


def noise(folder):
    """Say what the tests of few repeats are worth, and who is beyond chance."""
    results = _repeated(complete(folder))
    if results.empty:
        return "One repeat allows no test."
    matrix, strict = penalty_matrix(results), penalty_matrix(results, test="t")
    by_chance = chance_matrix(results)
    levels = [
        f"{2 * stats.t.sf(1.96, n - 1):.2f} with {n} repeats"
        for n in sorted(set(matrix.comparisons["n_repeats"]))
    ]
    low, high = by_chance.low, by_chance.high
    beyond = matrix.column_mean > high
    return (
        "A z of 1.96, by which the paper's test calls a winner, has by Student's t a p "
        f"of {', '.join(levels)}, not of 0.05. By chance alone the column means would "
        f"be {written(float(by_chance.column_mean.mean()))} on average; the range that "
        "holds one in 95 of 100 deals begins at "
        f"{written(float(low.max()))} and ends, by strategy, at "
        f"{written(float(high.min()))} to {written(float(high.max()))}. Above it: "
        f"{_listed(matrix.column_mean[beyond])}. Not above it: "
        f"{_listed(matrix.column_mean[~beyond])}. By the t test at 5% the column "
        f"means are: {_listed(strict.column_mean)}."
    )


def _listed(means):
    means = means.sort_values()
    return (
        ", ".join(
            f"{label} {written(float(means[name]))}"
            for label, name in _labeled(means.index)
        )
        or "none"
    )


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

"""Tables and pictures of the quick study, from the tables that the benchmark wrote."""

import matplotlib.pyplot as plt
import pandas as pd
from speed import written

from skbadge.benchmarks import (
    STRATEGIES,
    area_under_budget_curve,
    chance_matrix,
    label_budgets,
    learning_curves,
    normalized_error_cdf,
    penalty_matrix,
    running_times,
)
from skbadge.benchmarks.run._presets import preset_deviations
from skbadge.plotting import (
    LearningCurveDisplay,
    NormalizedErrorDisplay,
    PenaltyMatrixDisplay,
    strategy_styles,
)

KDPP = "badge-kdpp"
# What others measured: levels as they state them, of which only differences compare.
# (source, setting, percent or area, random sampling, margin, core-set, BADGE)
PUBLISHED = (
    (
        "LabelBench",
        "CIFAR-100 by CLIP, 2,000 labels",
        70.99,
        72.03,
        69.55,
        72.35,
    ),
    (
        "LabelBench",
        "CIFAR-100 by CLIP, 10,000 labels",
        77.28,
        78.97,
        76.12,
        78.44,
    ),
    ("CDALBench", "CIFAR10, batches of 1,000, area", 55.0, 56.0, 56.2, 56.2),
    ("CDALBench", "Fashion-MNIST, batches of 1,000, area", 85.5, 87.2, 86.9, 87.1),
    ("CDALBench", "USPS, batches of 100, area", 78.9, 79.9, 72.1, 80.4),
    ("CDALBench", "DNA, batches of 20, area", 76.3, 77.9, 76.4, 77.6),
    ("DISTIL", "CIFAR-10, ResNet-18, 10,000 labels", 85.1, None, None, 88.6),
    ("DISTIL", "CIFAR-10, ResNet-18, 25,000 labels", 90.5, None, None, 93.4),
)
PANEL = (3.1, 2.7)


def read(folder, name="results"):
    return pd.read_csv(folder / f"{name}.csv")


def in_order(names):
    """Sort short names of strategies as the paper's figures do, k-DPP last."""
    return sorted(set(names), key=list(STRATEGIES).index)


def labels(names):
    styles = strategy_styles(list(names))
    return [styles[name].label for name in names]


def display_of(curves):
    """Make the display of one setting from rows of `learning_curves`."""
    parts = dict(list(curves.groupby("strategy")))
    groups = [(name, parts[name]) for name in in_order(parts)]
    return LearningCurveDisplay(
        strategies=[name for name, _ in groups],
        n_labeled=[part["n_labeled"] for _, part in groups],
        mean=[part["mean"] for _, part in groups],
        standard_error=[part["standard_error"] for _, part in groups],
    )


def draw_settings(results, n_columns):
    """Draw one panel of learning curves for each setting, with one legend."""
    settings = list(learning_curves(results).groupby(["dataset", "batch_size"]))
    n_rows = -(-len(settings) // n_columns)
    # The legend below needs some width, however few the panels.
    size = (max(5.6, PANEL[0] * n_columns), PANEL[1] * n_rows + 0.7)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=size, layout="constrained", squeeze=False
    )
    for ax, ((dataset, batch_size), part) in zip(axes.flat, settings, strict=False):
        display_of(part).plot(ax=ax, legend=False)
        ax.set_title(f"{dataset}, {batch_size} labels a batch", fontsize="medium")
    for ax in axes.flat[len(settings) :]:
        ax.set_axis_off()
    handles, names = [], []
    for ax in axes.flat:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            if name not in names:
                handles.append(handle)
                names.append(name)
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=4 if n_columns > 1 else 3,
        frameon=False,
        handlelength=3,
    )
    plt.close(figure)
    return figure


def curves(folder):
    return draw_settings(read(folder), 2)


def scope(folder):
    """Say in words what the study covers."""
    results = read(folder)
    settings = results.groupby(["dataset", "model", "batch_size"]).agg(
        strategies=("strategy", "nunique"),
        repeats=("repeat", "nunique"),
        first=("n_labeled", "min"),
        last=("n_labeled", "max"),
    )
    frame = settings.reset_index()
    frame["labels"] = [
        f"{first:,} to {last:,}"
        for first, last in zip(frame["first"], frame["last"], strict=True)
    ]
    names = {"batch_size": "batch", "strategies": "methods"}
    return frame.drop(columns=["first", "last"]).rename(columns=names)


def areas(folder):
    table = area_under_budget_curve(read(folder))
    table["cell"] = [
        f"{100 * mean:.2f} ± {100 * error:.2f}"
        if error == error
        else f"{100 * mean:.2f}"
        for mean, error in zip(table["mean"], table["standard_error"], strict=True)
    ]
    wide = table.pivot(
        index=["dataset", "batch_size"], columns="strategy", values="cell"
    )
    wide = wide[in_order(wide.columns)]
    wide.columns = labels(wide.columns)
    return wide.reset_index().rename(columns={"batch_size": "batch"})


def budgets(folder):
    return budgets_of(read(folder), {"dataset": "data", "batch_size": "batch"})


def budgets_of(results, names):
    """Show where strategies are compared; the columns that name a setting as given."""
    table = label_budgets(results)
    listed = [", ".join(f"{n:,}" for n in row) for row in table["budgets"]]
    found = table[list(names)].rename(columns=names)
    return found.assign(
        **{
            "labels at which rand is done": [written(n) for n in table["n0"]],
            "compared at": [text or "nowhere" for text in listed],
            "why not": table["reason"],
        }
    )


def penalty(folder):
    matrices = {"all": penalty_matrix(read(folder))}
    for size, matrix in penalty_matrix(read(folder), by="batch_size").items():
        matrices[f"{size} labels a batch"] = matrix
    return _side_by_side(matrices)


def _side_by_side(matrices):
    matrices = {name: one for name, one in matrices.items() if one.n_settings}
    # Three in a row would be too small to be read.
    n_columns = min(2, max(1, len(matrices)))
    n_rows = max(1, -(-len(matrices) // n_columns))
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(4.6 * n_columns, 5.0 * n_rows),
        layout="constrained",
        squeeze=False,
    )
    for ax in axes.flat[len(matrices) :]:
        ax.set_axis_off()
    for ax, (name, one) in zip(axes.flat, matrices.items(), strict=False):
        draw_matrix(one, ax)
        ax.set_title(f"{name}: {one.n_settings} settings", fontsize="medium")
    plt.close(figure)
    return figure


def chance(folder):
    """Draw what chance alone would show in the place of each penalty matrix."""
    matrices = {"all": chance_matrix(read(folder))}
    for size, matrix in chance_matrix(read(folder), by="batch_size").items():
        matrices[f"{size} labels a batch"] = matrix
    return _side_by_side(matrices)


def draw_matrix(one, ax):
    PenaltyMatrixDisplay(
        one.matrix,
        strategies=list(one.matrix.index),
        highest=one.n_settings,
        column_mean=one.column_mean,
    ).plot(ax=ax)


def penalty_means(folder):
    """Compare the column means of both tests."""
    results = read(folder)
    rows = []
    for test, threshold in (("z", "z test, 1.96"), ("t", "t test, 5%")):
        matrix = penalty_matrix(results, test=test)
        means = {
            label: written(float(mean))
            for label, mean in zip(
                labels(matrix.column_mean.index), matrix.column_mean, strict=True
            )
        }
        rows.append({"test": threshold, "settings": matrix.n_settings, **means})
    return pd.DataFrame(rows)


def cdf(folder):
    found = normalized_error_cdf(read(folder)).curves
    groups = [(name, part) for name, part in found.groupby("strategy", sort=False)]
    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    NormalizedErrorDisplay(
        strategies=[name for name, _ in groups],
        normalized_error=[part["normalized_error"] for _, part in groups],
        fraction=[part["fraction"] for _, part in groups],
    ).plot(ax=ax, legend=False)
    figure.legend(loc="outside right upper", frameon=False, handlelength=3)
    plt.close(figure)
    return figure


def kdpp(folder):
    """Compare the areas of k-means++ and k-DPP, over the repeats both have."""
    results = read(folder)
    both = results[results["strategy"].isin(["badge", KDPP])]
    keys = ["dataset", "model", "batch_size", "repeat"]
    there = both.groupby(keys)["strategy"].transform("nunique") == 2
    table = area_under_budget_curve(both[there])
    wide = table.pivot(
        index=["dataset", "batch_size"], columns="strategy", values="mean"
    )
    repeats = table.groupby(["dataset", "batch_size"])["n_repeats"].min()
    return pd.DataFrame(
        {
            "data": [dataset for dataset, _ in wide.index],
            "batch": [size for _, size in wide.index],
            "repeats": repeats.to_numpy(),
            "mean accuracy, k-means++ (%)": [f"{100 * v:.2f}" for v in wide["badge"]],
            "mean accuracy, k-DPP (%)": [f"{100 * v:.2f}" for v in wide[KDPP]],
        }
    )


def kdpp_times(folder):
    """Compare what one selection costs with either sampler."""
    costs = read(folder, "costs")
    both = costs[costs["strategy"].isin(["badge", KDPP])]
    seconds = both.groupby(["dataset", "batch_size", "strategy"])["select_seconds"]
    wide = seconds.median().unstack("strategy").dropna()
    return pd.DataFrame(
        {
            "data": [dataset for dataset, _ in wide.index],
            "batch": [size for _, size in wide.index],
            "k-means++ (s)": [written(v) for v in wide["badge"]],
            "k-DPP (s)": [written(v) for v in wide[KDPP]],
            "ratio": [written(v) for v in wide[KDPP] / wide["badge"]],
        }
    )


def times(folder):
    total = running_times(read(folder, "costs"), total=True)
    settings = total.groupby(["dataset", "batch_size"], as_index=False)
    rows = []
    for (dataset, size), part in settings:
        seconds = {
            label: f"{written(fit)} + {written(query)}"
            for label, fit, query in zip(
                labels(part["strategy"]),
                part["fit_seconds"],
                part["query_seconds"],
                strict=True,
            )
        }
        rows.append({"data": dataset, "batch": size, **seconds})
    return pd.DataFrame(rows)


def published(folder):
    """Put the published differences to random sampling beside ours, in points."""
    rows = []
    for source, setting, rand, *others in PUBLISHED:
        rows.append([source, setting, *_gaps(rand, others)])
    wide = area_under_budget_curve(read(folder)).pivot(
        index=["dataset", "batch_size"], columns="strategy", values="mean"
    )
    for (dataset, size), areas in (100 * wide).iterrows():
        others = [areas.get(name) for name in ("marg", "coreset", "badge")]
        gaps = _gaps(areas["rand"], others)
        rows.append(["this study", f"{dataset}, batches of {size:,}, area", *gaps])
    columns = ["source", "setting", *labels(["marg", "coreset", "badge"])]
    return pd.DataFrame(rows, columns=columns)


def _gaps(rand, others):
    known = [value is not None and value == value for value in others]
    return [
        f"{value - rand:+.2f}" if there else ""
        for value, there in zip(others, known, strict=True)
    ]


def capped(folder):
    return capped_of(read(folder), {"dataset": "data", "batch_size": "batch"})


def capped_of(results, names):
    """Say what share of the trainings ended at the cap, of all and after round 0.

    The first training has the fewest labels. In a setting of few rounds the share of
    all trainings therefore hides that every later one was cut short.
    """
    hits = results.groupby(list(names))["hit_max_epochs"].agg(["mean", "size"])
    later = results[results["round"] > 0].groupby(list(names))["hit_max_epochs"]
    found = hits.index.to_frame(index=False).rename(columns=names)
    return found.assign(
        **{
            "trainings": hits["size"].to_numpy(),
            "ended at the cap": [f"{share:.0%}" for share in hits["mean"]],
            "after round 0": [
                f"{share:.0%}" for share in later.mean().reindex(hits.index)
            ],
        }
    )


def deviations():
    """Say how the preset deviates from the paper."""
    lines = ["How it deviates from the paper:", ""]
    return "\n".join(lines + [f"- {text}" for text in preset_deviations("quick")])


def claims(folder):
    """Put claims of the paper beside what the tables say of them."""
    results = read(folder)
    found = [
        (
            "Over all settings BADGE is beaten least.",
            means_text(penalty_matrix(results)),
        )
    ]
    for size, matrix in penalty_matrix(results, by="batch_size").items():
        if matrix.n_settings:
            claim = (
                "With batches of 100 or 1,000, or with an MLP, BADGE and margin "
                f"sampling outperform the rest: here, batches of {size:,}."
            )
            found.append((claim, f"{means_text(matrix)} {duel_text(matrix)}"))
    found.append(
        (
            "With an MLP on hard data, core-set can be worse than asking at random.",
            coreset_text(results),
        )
    )
    found.append(("k-means++ and k-DPP are equally accurate.", kdpp_text(results)))
    times = kdpp_times(folder)
    ratios = [
        f"{ratio} times as long ({data}, batches of {batch:,})"
        for data, batch, ratio in zip(
            times["data"], times["batch"], times["ratio"], strict=True
        )
    ]
    found.append(
        (
            "For large batches the k-DPP takes far longer.",
            f"A selection by k-DPP takes {', '.join(ratios)}.",
        )
    )
    return pd.DataFrame(found, columns=["Claim", "In these tables"])


def means_text(matrix):
    means = matrix.column_mean.sort_values()
    listed = ", ".join(
        f"{label} {written(float(mean))}"
        for label, mean in zip(labels(means.index), means, strict=True)
    )
    settings = (
        "1 setting" if matrix.n_settings == 1 else f"{matrix.n_settings} settings"
    )
    return f"Column means over {settings}, best first: {listed}."


def duel_text(matrix):
    """Say how margin and random sampling fare against each other."""
    beats, beaten = matrix.matrix.loc["marg", "rand"], matrix.matrix.loc["rand", "marg"]
    n_budgets = matrix.comparisons.groupby(["dataset", "n_labeled"]).ngroups
    return (
        f"Margin sampling beats random sampling in {written(float(beats))} and is "
        f"beaten by it in {written(float(beaten))} of {matrix.n_settings} settings, "
        f"{n_budgets} budgets in all."
    )


def coreset_text(results):
    table = area_under_budget_curve(results)
    wide = table.pivot(
        index=["dataset", "batch_size"], columns="strategy", values="mean"
    )
    difference = 100 * (wide["coreset"] - wide["rand"])
    listed = ", ".join(
        f"{value:+.2f} ({dataset}, batches of {size:,})"
        for (dataset, size), value in difference.items()
    )
    return (
        f"Mean accuracy of core-set minus that of random sampling, in points: {listed}."
    )


def kdpp_text(results):
    both = results[results["strategy"].isin(["badge", KDPP])]
    keys = ["dataset", "batch_size", "repeat", "n_labeled"]
    wide = both.pivot(index=keys, columns="strategy", values="accuracy").dropna()
    gap = 100 * (wide["badge"] - wide[KDPP])
    runs = gap.groupby(keys[:3]).mean().groupby(keys[:2])
    listed = []
    for (dataset, size), values in runs:
        error = f" ± {values.sem():.2f}" if len(values) > 1 else ", one repeat"
        listed.append(f"{values.mean():+.2f}{error} ({dataset}, batches of {size:,})")
    return (
        "Mean accuracy of k-means++ minus that of the k-DPP, in points, with one "
        f"standard error: {'; '.join(listed)}."
    )

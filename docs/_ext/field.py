"""Tables and pictures of the field study, from the tables that the benchmark wrote."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import rankdata
from speed import written
from study import capped, draw_matrix, draw_settings, labels, read, scope

from skbadge.benchmarks import (
    arm_shares,
    chance_matrix,
    load_task,
    penalty_matrix,
    preset_cells,
    ranks_by_part,
    running_times,
)
from skbadge.benchmarks.run._presets import preset_deviations

__all__ = ["capped", "scope"]

SETTING = ["dataset", "model", "batch_size"]
FROZEN = "features of a frozen encoder, linear head"
TRAINED = "nets trained from scratch"
LOW, HIGH = "one label a class and round", "ten labels a class and round"
PARTS = ("first third", "second", "last")
SHOWN_FIRST = 5
# Titles of panels have little room.
SHORTER = {"fashion_mnist_features": "features", "fashion_mnist": "pictures"}


def results_of(folder):
    """Return the results with what a setting is: its features and its budget."""
    results = read(folder)
    initial = results.groupby(SETTING)["n_labeled"].transform("min")
    return results.assign(
        budget=(results["batch_size"] < initial / 2).map({True: LOW, False: HIGH}),
        kind=(results["model"] == "linear").map({True: FROZEN, False: TRAINED}),
    )


def with_all(results):
    """Return the results of the strategies that were run in every setting given.

    The convolutional net, which was trained for few of them, is no such setting.
    """
    results = results[results["model"] != "convnet"]
    setting = results.groupby(SETTING).ngroup()
    n_settings = setting.groupby(results["strategy"]).transform("nunique")
    return results[n_settings == setting.nunique()]


def means_of(results, n_parts=3):
    """Return mean rank and gain by strategy and part, over the settings."""
    found = ranks_by_part(results, n_parts=n_parts)
    return found.groupby(["strategy", "part"])[["rank", "gain"]].mean()


def cell(found):
    gain = 100 * found["gain"]
    return f"{found['rank']:.1f} / {gain:+.1f}"


def rank_table(results):
    means = means_of(results)
    overall = means_of(results, 1).droplevel("part").sort_values("rank")
    rows = [
        {
            "strategy": label,
            **{part: cell(means.loc[name, i]) for i, part in enumerate(PARTS, start=1)},
            "all rounds": cell(overall.loc[name]),
        }
        for name, label in zip(overall.index, labels(overall.index), strict=True)
    ]
    return pd.DataFrame(rows)


def ranks_low(folder):
    """Rank the strategies by third where a round buys one label a class."""
    results = results_of(folder)
    return rank_table(with_all(results[results["budget"] == LOW]))


def ranks_high(folder):
    """The same where it buys ten."""
    results = results_of(folder)
    return rank_table(with_all(results[results["budget"] == HIGH]))


def ranks_convnet(folder):
    """Rank the strategies that a convolutional net was trained for."""
    results = results_of(folder)
    return rank_table(results[results["model"] == "convnet"])


def gains(folder):
    """Show the mean gain over random sampling of each strategy in each setting."""
    found = ranks_by_part(read(folder), n_parts=1)
    found["cell"] = [
        f"{100 * gain:+.2f}" + (f" ± {100 * error:.2f}" if error == error else "")
        for gain, error in zip(found["gain"], found["gain_se"], strict=True)
    ]
    wide = found.pivot(index="strategy", columns=SETTING, values="cell")
    order = found.groupby("strategy")["gain"].mean().sort_values(ascending=False).index
    wide = wide.loc[order]
    wide.columns = [f"{data}, {model}, {size}" for data, model, size in wide.columns]
    return wide.assign(strategy=labels(order)).pipe(_first, "strategy").fillna("")


def _first(frame, name):
    return frame[[name, *(column for column in frame if column != name)]]


def situations(folder):
    """Yield (kind, budget, results) of each combination."""
    results = results_of(folder)
    for kind in (FROZEN, TRAINED):
        for budget in (LOW, HIGH):
            here = (results["kind"] == kind) & (results["budget"] == budget)
            here = with_all(results[here])
            if len(here):
                yield kind, budget, here


def best(folder):
    """Name the best strategies in each situation, and those below random sampling."""
    rows = []
    for kind, budget, results in situations(folder):
        overall = means_of(results, 1).droplevel("part").sort_values("rank")
        top = overall.head(SHOWN_FIRST)
        worse = below_random(results)
        rows.append(
            {
                "model": kind,
                "budget": budget,
                "best five: mean rank / points above random": listed(top),
                "below random sampling": ", ".join(labels(worse)) or "none",
            }
        )
    return pd.DataFrame(rows)


def listed(means):
    pairs = zip(labels(means.index), means.iterrows(), strict=True)
    return "; ".join(f"{label} {cell(found)}" for label, (_, found) in pairs)


def below_random(results):
    """Return strategies below random sampling by two standard errors, worst first."""
    found = ranks_by_part(results, n_parts=1)
    by_name = found.groupby("strategy").agg(
        gain=("gain", "mean"),
        # Settings are independent; their repeats are the noise.
        error=("gain_se", lambda s: (s**2).sum() ** 0.5 / len(s)),
    )
    worse = by_name[by_name["gain"] < -2 * by_name["error"]].sort_values("gain")
    return list(worse.index.drop("rand", errors="ignore"))


def advice(folder):
    """Say in words which strategy a user should take, by this study alone."""
    lines = ["The best three by mean rank (:doc:`/user_guide/field_study`):", ""]
    everywhere = []
    for kind, budget, results in situations(folder):
        ranks = means_of(results, 1).droplevel("part")["rank"].sort_values()
        everywhere.append(ranks)
        first = ", ".join(labels(ranks.index[:3]))
        lines.append(f"- {kind}; {budget}: **{first}**")
    # Of those that were run in all four.
    table = pd.concat(everywhere, axis=1).dropna()
    mean, worst = table.mean(axis=1), table.max(axis=1)
    lines += [
        "",
        f"By the mean of these four ranks, {labels([mean.idxmin()])[0]} is best; least "
        f"bad in its worst case is {labels([worst.idxmin()])[0]} (rank "
        f"{worst.min():.1f} of {len(worst)} there). BADGE has a mean rank of "
        f"{mean['badge']:.1f}, margin sampling of {mean['marg']:.1f}, random sampling "
        f"of {mean['rand']:.1f}.",
    ]
    return "\n".join(lines)


def curves(folder):
    """Draw the best few of all, with BADGE, margin and random sampling."""
    return draw_settings(with_the_best(folder), 2)


def front(folder):
    """Draw the same on features of a frozen encoder alone: the first picture of all."""
    results = with_the_best(folder)
    return draw_settings(results[results["dataset"] == "features"], 2)


def with_the_best(folder):
    """Return the results of the best few strategies and of the known ones."""
    results = read(folder)
    ranks = means_of(with_all(results), 1).droplevel("part")["rank"].sort_values()
    shown = {*ranks.index[:SHOWN_FIRST], "badge", "marg", "rand"}
    shorter = results["dataset"].replace(SHORTER)
    return results.assign(dataset=shorter)[results["strategy"].isin(shown)]


def penalty(folder):
    """Draw the penalty matrix of the strategies that all settings have."""
    return _matrix(penalty_matrix(with_all(read(folder))))


def chance(folder):
    """Draw what chance alone would show in its place."""
    return _matrix(chance_matrix(with_all(read(folder)), n_permutations=100))


def _matrix(one):
    size = 2.2 + 0.42 * len(one.matrix)
    figure, ax = plt.subplots(figsize=(size, size), layout="constrained")
    draw_matrix(one, ax)
    plt.close(figure)
    return figure


def outliers(folder):
    """Say how far from the middle of a pool each strategy asks, and what that costs.

    The pool is that of RandomRBF, whose rows have lengths of all sizes.
    """
    results = read(folder)
    here = results[results["dataset"] == "random_rbf"]
    here = here[here["batch_size"] == here["batch_size"].max()]
    cells = {cell.repeat: cell for cell in preset_cells("field") if _is(cell, here)}
    asked = []
    for repeat, part in here[here["round"] > 0].groupby("repeat"):
        length = np.linalg.norm(load_task(cells[repeat]).X, axis=1)
        share = rankdata(length) / len(length)
        for name, rows in part.groupby("strategy")["positions"]:
            chosen = np.array(" ".join(rows).split(), dtype=int)
            asked.append((name, share[chosen].mean()))
    share = pd.DataFrame(asked, columns=["strategy", "share"])
    table = pd.DataFrame(
        {
            "share": share.groupby("strategy")["share"].mean(),
            "gain": means_of(here, 1)["gain"].droplevel("part"),
        }
    ).sort_values("share", ascending=False)
    return pd.DataFrame(
        {
            "strategy": labels(table.index),
            "rows of the pool that are shorter than its picks": [
                f"{value:.0%}" for value in table["share"]
            ],
            "points above random sampling": [
                f"{100 * value:+.1f}" for value in table["gain"]
            ],
        }
    )


def _is(cell, results):
    first = results.iloc[0]
    return all(getattr(cell, name) == first[name] for name in SETTING)


def arms(folder):
    """Show how often ALBL took each of its arms, third by third."""
    shares = arm_shares(read(folder))
    names = shares["arm"].unique()
    wide = shares.pivot(index=SETTING, columns=["arm", "part"], values="share")
    rows = [
        {
            "setting": f"{data}, {model}, {size}",
            **{arm: " / ".join(f"{x:.0%}" for x in row[arm]) for arm in names},
        }
        for (data, model, size), row in wide.iterrows()
    ]
    return pd.DataFrame(rows)


def times(folder):
    """Show the mean seconds of one query, and of one training."""
    total = running_times(read(folder, "costs"), total=True)
    total["each"] = total["query_seconds"] / total["n_rounds"].sub(1)
    total["fit"] = total["fit_seconds"] / total["n_rounds"]
    high = total[
        total.groupby(["dataset", "model"])["batch_size"]
        .transform("max")
        .eq(total["batch_size"])
    ]
    wide = high.pivot(index="strategy", columns=["dataset", "model"], values="each")
    order = wide.mean(axis=1).sort_values().index
    columns = {
        f"{data}, {model}": [
            written(v) if v == v else "" for v in wide[data, model][order]
        ]
        for data, model in wide
    }
    return pd.DataFrame({"strategy": labels(order), **columns})


def missing(folder):
    """Name what the experiment has and the files have not."""
    there = read(folder).groupby([*SETTING, "strategy"]).size().index
    lacking = {}
    for one in preset_cells("field"):
        setting = tuple(getattr(one, name) for name in SETTING)
        if (*setting, one.strategy) not in there:
            lacking.setdefault(one.strategy, {})[setting] = None
    fewer = _fewer_repeats(folder)
    if not lacking:
        return "Each strategy of the experiment was run in all of its settings." + fewer
    listed = "; ".join(
        f"{label} ({', '.join(f'{data} at {size}' for data, _, size in settings)})"
        for label, settings in zip(labels(lacking), lacking.values(), strict=True)
    )
    return (
        f"Settings (data and batch) in which a strategy was not run yet: {listed}. The "
        f"same command runs them.{fewer}"
    )


def _fewer_repeats(folder):
    """Name the nets of which fewer repeats were run than the experiment has."""
    there = read(folder).groupby(SETTING)["repeat"].nunique()
    planned = {}
    for one in preset_cells("field"):
        setting = tuple(getattr(one, name) for name in SETTING)
        planned.setdefault(setting, set()).add(one.repeat)
    fewer = {}
    for (data, model, size), repeats in planned.items():
        count = there.get((data, model, size), 0)
        if 0 < count < len(repeats):
            name = f"{data} with the {model}"
            fewer.setdefault((count, len(repeats)), {})[name] = None
    return "".join(
        f" Of {', '.join(names)} {count} of {total} repeats were run."
        for (count, total), names in fewer.items()
    )


def total_time(folder):
    """Say what the study took."""
    costs = read(folder, "costs")
    training = costs["fit_seconds"].sum() / 60
    choosing = costs[["embed_seconds", "select_seconds"]].sum().sum() / 60
    return (
        f"Training took {training:.0f} minutes, choosing {choosing:.0f}: "
        f"{(training + choosing) / 60:.1f} hours in all, on one core of a machine that "
        "had other work as well."
    )


def deviations():
    """Say what the preset is, and what was cut."""
    return "\n".join(f"- {text}" for text in preset_deviations("field"))


if __name__ == "__main__":
    # README's picture, which must be a file: python docs/_ext/field.py
    docs = Path(__file__).parents[1]
    picture = front(docs.parent / "benchmarks" / "results" / "field")
    picture.savefig(docs / "_static" / "field_study.png", dpi=150)

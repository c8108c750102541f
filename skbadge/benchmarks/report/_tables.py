"""The sections of the report in words and tables: each returns a list of blocks."""

from __future__ import annotations

import platform
from importlib import metadata

import numpy as np
import pandas as pd

from skbadge.benchmarks._methods import KDPP, REFERENCE, labels_of, strategy_order
from skbadge.benchmarks.analysis._curves import METRIC, SETTING, metrics_of
from skbadge.benchmarks.report._page import (
    details,
    heading,
    notice,
    paragraph,
    preformatted,
    table,
)
from skbadge.benchmarks.report._words import count, in_words, name_of, number, score

# Share of the trainings from which on it counts.
_MANY_CAPPED = 0.1
_LIBRARIES = "matplotlib numpy pandas scikit-learn scipy skorch torch".split()


def capped(tables):
    """Say how many trainings ended too early, and where it is many, what to do."""
    hits = tables.results.get("hit_max_epochs")
    if hits is None or not hits.any():
        return []
    told = (
        f"{tables.capped()} on epochs or updates, before they got to the training "
        "accuracy aimed at."
    )
    if hits.mean() <= _MANY_CAPPED:
        return [paragraph(told)]
    return [
        notice(
            f"{told} Such nets are less trained than the experiment means them to be, "
            "and more so with more labels. Raise --max-epochs, or the learning rate, "
            "before relying on differences."
        )
    ]


def summary(tables, missing, failures):
    """Say in a few lines what there is, what it shows, and what is missing."""
    results = tables.results
    if results.empty:
        return [notice("There are no results yet.")]
    names, n_settings = tables.names, len(tables.budgets)
    parts = [
        paragraph(
            f"{count(len(names), 'strategy')} ({', '.join(labels_of(names))}) in "
            f"{count(n_settings, 'setting')} of data set, model and batch size, up to "
            f"{count(results['repeat'].nunique(), 'repeat')}.",
        )
    ]
    others = [m for m in [METRIC, *metrics_of(results)] if m != tables.metric]
    if others:
        parts.append(
            paragraph(
                f"Judged here by {tables.metric}. Measured, too: {', '.join(others)}; "
                "the report's --metric NAME judges by them."
            )
        )
    parts += _beaten(tables)
    return parts + _lacking(tables, missing, failures)


def _lacking(tables, missing, failures):
    """Say what is not there: cells, data, the strategy to compare with."""
    short, parts = tables.incomplete, []
    if missing or failures or short:
        parts.append(
            notice(
                f"The grid is not complete: {count(len(missing), 'cell')} not run, "
                f"{len(failures)} failed, {count(len(short), 'curve')} shorter or "
                "with fewer repeats than the others. See 'Missing and failed cells'."
            )
        )
    if tables.skipped:
        parts.append(
            notice(
                "Left out, since their data could not be had: "
                f"{', '.join(tables.skipped)}."
            )
        )
    if REFERENCE not in tables.names:
        parts.append(
            notice(
                "There are no results of random sampling ('rand'): without it there "
                "are no label budgets, so that strategies cannot be compared over "
                "settings."
            )
        )
    return parts


def _beaten(tables):
    """Say how often each strategy is beaten, and what chance alone would give."""
    test = tables.tests[0]
    means = tables.penalties[test, None].column_mean.dropna().sort_values()
    if len(means) < 2:
        return []
    values = ", ".join(
        f"{label} {value:.2f}"
        for label, value in zip(labels_of(means.index), means, strict=True)
    )
    used = int(tables.budgets["used"].sum())
    chance = tables.chances[test, None]
    return [
        paragraph(
            "How often a strategy is beaten, as the column mean of the penalty matrix "
            f"(lower is better): {values}. {used} of {len(tables.budgets)} settings "
            "have a label budget and count here. Were all strategies alike, chance "
            f"alone would give about {chance.column_mean.mean():.2f}, and in 95 of "
            f"100 cases {chance.low.min():.2f} to {chance.high.max():.2f}."
        )
    ]


def areas(tables):
    """Show the areas under the budget curve as one table."""
    if tables.areas.empty:
        return []
    rows, bold = [], set()
    for setting, group in tables.areas.groupby(SETTING):
        found = group.set_index("strategy")
        best = found["mean"].drop(KDPP, errors="ignore").max()
        row = [name_of(setting)]
        for name in tables.names:
            if name in found.index:
                cell = found.loc[name]
                if cell["mean"] == best:
                    bold.add((len(rows), len(row)))
                row.append(score(cell, found["n_repeats"].max(), tables.metric))
            else:
                row.append("–")
        rows.append(row)
    return [
        paragraph(
            f"The mean {unit_of(tables.metric)} over all label counts of a learning "
            "curve, with its standard error: one number for learning early and ending "
            "well. It is taken over the label counts that all cells of a setting share."
        ),
        table(["setting", *labels_of(tables.names)], rows, bold=bold),
    ]


def ranks(tables):
    """Show mean ranks and gains by thirds, for each group of comparable settings."""
    if tables.ranks.empty:
        return []
    blocks, alike = [], {}
    keys = tables.ranks[SETTING].apply(tuple, axis=1)
    for setting, group in tables.ranks.groupby(SETTING):
        alike.setdefault(tuple(sorted(set(group["strategy"]))), []).append(setting)
    for names, settings in alike.items():
        here = tables.ranks[keys.isin(settings)]
        means = here.groupby(["strategy", "part"])[["rank", "gain"]].mean()
        best = means["rank"].unstack("part").min()
        parts, rows, bold = list(best.index), [], set()
        for name in sorted(names, key=lambda name: means.loc[name, "rank"].mean()):
            row = labels_of([name])
            for part in parts:
                found = means.loc[name, part]
                if found["rank"] == best[part]:
                    bold.add((len(rows), len(row)))
                gain = found["gain"] * (100 if tables.metric == "accuracy" else 1)
                above = "" if np.isnan(gain) else f" / {gain:+.2f}"
                row.append(f"{found['rank']:.1f}{above}")
            rows.append(row)
        header = ["strategy", *(f"part {part} of {len(parts)}" for part in parts)]
        of = "; ".join(name_of(setting) for setting in settings)
        blocks += [heading(f"Mean over {of}"), table(header, rows, bold=bold)]
    unit = "points of accuracy" if tables.metric == "accuracy" else tables.metric
    return [
        paragraph(
            f"Mean rank (1 is best) / mean gain over random sampling in {unit}, in the "
            "first, the middle and the last rounds, without the initial set. Ranks are "
            "taken in each repeat, among the strategies named, and averaged."
        ),
        *blocks,
    ]


def arms(tables):
    """Show how often each arm was taken, by thirds of the campaign."""
    if tables.arms is None or tables.arms.empty:
        return []
    wide = tables.arms.pivot(
        index=[*SETTING, "strategy", "arm"], columns="part", values="share"
    )
    rows = [
        [name_of(setting), *labels_of([strategy]), arm, *(f"{x:.0%}" for x in shares)]
        for (*setting, strategy, arm), shares in zip(
            wide.index, wide.to_numpy(), strict=True
        )
    ]
    header = [f"part {part} of {len(wide.columns)}" for part in wide.columns]
    return [
        paragraph(
            "Such a strategy draws one of several others, its arms, for each batch. "
            "This is the share of the batches that each arm chose, over all repeats, "
            "in the first, the middle and the last rounds: equal columns say that it "
            "learned nothing, or that there was nothing to learn."
        ),
        table(["setting", "strategy", "arm", *header], rows),
    ]


def unit_of(metric):
    """Return a score with its unit."""
    return "accuracy in percent" if metric == "accuracy" else metric


def times(tables):
    """Show what choosing and training took, as tables."""
    if tables.times is None or tables.times.empty:
        return []
    queries = tables.times[tables.times["query_seconds"] > 0]
    names = tables.names
    return [
        paragraph(
            "Wall time of one round, averaged over rounds and repeats. It depends on "
            "the machine: compare within a row."
        ),
        heading("Seconds to choose a batch (embedding and selection)"),
        _by_strategy(queries, "query_seconds", names, "mean"),
        heading("Seconds to train the net once"),
        _by_strategy(tables.times, "fit_seconds", names, "mean"),
        heading("Peak memory in MB"),
        _by_strategy(tables.times, "peak_memory_mb", names, "max"),
    ]


def budgets(tables):
    """Show at which label counts strategies were compared, and what dropped out."""
    rule = {
        "paper": "M + 2^(i-1) B for i = 1 .. log2((n0 - M)/B), as the paper states",
        "code": "M, M + B, M + 2 B, M + 4 B and so on, before the first at which it is "
        "beyond 99%, as in its authors' code",
    }[tables.rule]
    columns = ["n_initial", "n_final", "n0"]
    rows = []
    for row in tables.budgets.to_dict("records"):
        counts = ["–" if pd.isna(row[name]) else f"{row[name]:,}" for name in columns]
        accuracy = row["final_accuracy"]
        scale = 100 if tables.metric == "accuracy" else 1
        accuracy = "–" if pd.isna(accuracy) else f"{scale * accuracy:.2f}"
        # No-break spaces: the list stays on one line.
        found = "\u00a0\u00a0".join(f"{n:,}" for n in row["budgets"]) or "none"
        name = name_of([row[key] for key in SETTING])
        rows.append([name, *counts, accuracy, found, row["reason"]])
    unit = "%" if tables.metric == "accuracy" else tables.metric
    n_dropped = int((~tables.budgets["used"]).sum())
    if not rows:
        return []
    return [
        paragraph(
            "Strategies are compared only while random sampling still learns. n0 is "
            "the fewest labels at which it reaches 99% of its final accuracy; with M "
            f"labels to begin with and batches of B, the label budgets are {rule}. "
            f"Settings without any, which drop out of the comparisons: {n_dropped}."
        ),
        table(
            [
                *("setting", "M", "last count", "n0", f"RAND's final {unit}"),
                *("budgets", "remark"),
            ],
            rows,
        ),
    ]


def cells(tables, missing, failures):
    """List cells that failed, have not been run, or are cut short."""
    parts = []
    if failures:
        parts.append(heading(f"{len(failures)} failed"))
        parts += [_failure(record) for record in failures]
    if missing:
        parts.append(heading(f"{len(missing)} not run"))
        columns = list(dict.fromkeys(name for record in missing for name in record))
        rows = [[record.get(name, "") for name in columns] for record in missing]
        parts.append(table(columns, rows))
    short = tables.incomplete
    if short:
        parts.append(heading("Shorter, or with fewer repeats, than the others"))
        parts.append(table([*SETTING, "strategy", "what is there"], short))
    return parts


def settings_and_versions(settings):
    """Show how the experiment was run, and with which libraries."""
    rows = [
        [str(name).replace("_", " "), in_words(value)]
        for name, value in (settings or {}).items()
    ]
    versions = [["Python", platform.python_version()]]
    versions += [[name, metadata.version(name)] for name in _LIBRARIES]
    return [
        table(["setting", "value"], rows)
        if rows
        else paragraph("The settings of the experiment were not passed on."),
        heading("Libraries with which this report was written"),
        table(["library", "version"], versions),
    ]


def accuracy_table(frame, metric):
    """Return a table of mean and standard error; the best in bold."""
    names = strategy_order(frame["strategy"])
    most = frame["n_repeats"].max()
    cells_at = {
        (row["n_labeled"], row["strategy"]): row for row in frame.to_dict("records")
    }
    best = frame.groupby("n_labeled")["mean"].max()
    rows, bold = [], set()
    for n_labeled, highest in best.items():
        row = [f"{n_labeled:,}"]
        for name in names:
            cell = cells_at.get((n_labeled, name))
            if cell is not None and cell["mean"] == highest:
                bold.add((len(rows), len(row)))
            row.append("–" if cell is None else score(cell, most, metric))
        rows.append(row)
    return table(["labels", *labels_of(names)], rows, bold=bold)


def incomplete(results):
    """List strategies of a setting that lack repeats or labels which others have."""
    rows = []
    names = strategy_order(results["strategy"])
    ends = results.groupby([*SETTING, "strategy", "repeat"])["n_labeled"].max()
    for setting, group in ends.groupby(SETTING):
        mine = group.droplevel(SETTING)
        # The k-DPP may be run less often on purpose: that is no gap.
        compared = mine.drop(KDPP, level="strategy", errors="ignore")
        n_repeats = compared.index.get_level_values("repeat").nunique()
        for name in names:
            here = mine[mine.index.get_level_values("strategy") == name]
            texts = []
            if len(here) < n_repeats and name != KDPP:
                texts.append(f"{len(here)} of {count(n_repeats, 'repeat')}")
            texts += [
                f"repeat {repeat} stops at {end:,} of {mine.max():,} labels"
                for (_, repeat), end in here.items()
                if end < mine.max()
            ]
            if texts:
                rows.append([*setting, name, "; ".join(texts)])
    return rows


def _by_strategy(frame, column, names, how):
    values = frame.groupby([*SETTING, "strategy"])[column].agg(how).unstack("strategy")
    rows = [
        [name_of(setting), *(number(row.get(name, np.nan)) for name in names)]
        for setting, row in values.iterrows()
    ]
    return table(["setting", *labels_of(names)], rows)


def _failure(record):
    text = ", ".join(f"{k}: {v}" for k, v in record.items() if k != "traceback")
    trace = str(record.get("traceback") or "").strip()
    return details(text, preformatted(trace)) if trace else paragraph(text)

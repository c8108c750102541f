"""What to take, how sure that is, and what else would have to be known."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from skbadge.benchmarks._methods import KDPP, REFERENCE, labels_of
from skbadge.benchmarks.analysis._curves import areas_of_cells, check_results
from skbadge.benchmarks.report._page import listing, paragraph
from skbadge.benchmarks.report._words import count, name_of

__all__ = ["verdict"]

_LEVEL = 0.05
# Of the paired t test: to notice a true difference in four of five experiments.
_POWER = 0.8
_MOST_REPEATS = 1_000


def verdict(tables):
    """Return the blocks that the page begins with.

    Strategies are compared by the area under each learning curve, paired by repeat:
    one number a cell, there for every setting, with a two-sided t test. The one that
    is best in the mean over settings is named, and whether the others can be told
    apart from it.
    """
    gaps = _gaps(tables)
    if gaps is None:
        return []
    best, against = gaps
    label = labels_of([best])[0]
    told = [name for name, found in against.items() if found["above"]]
    below = [name for name, found in against.items() if found["below"]]
    alike = [name for name in against if name not in told and name not in below]
    n_settings = max(found["settings"] for found in against.values())
    lead = f"Here, take {label}{_as_good(alike)}."
    if not told and below:
        lead = f"{label} is best in the mean by chance at most: see below."
    elif not told:
        lead = (
            f"No strategy can be told from {label}, the best in the mean: take the "
            "simplest one, or whichever is at hand."
        )
    elif best == REFERENCE:
        lead = "Here, ask at random: no strategy did better in the mean."
    points = []
    if told:
        points.append(
            f"{label} has the higher learning curve, beyond chance, than "
            + _listed(told, against, "above", n_settings)
            + "."
        )
    if below:
        points.append(
            f"It has the lower one than {_listed(below, against, 'below', n_settings)}."
        )
    if alike:
        points.append(
            f"It cannot be told from {', '.join(labels_of(alike))} in any setting."
        )
    points.append(_certainty(tables, n_settings))
    points += _needed(best, alike, against)
    return [paragraph(lead, style="lead"), listing(points)]


def _gaps(tables):
    """Return the best strategy, and how each other one compares with it."""
    results = check_results(tables.results, tables.metric)
    results = results[results["strategy"] != KDPP]
    areas = [
        (name_of(setting), area.unstack("strategy"))
        for setting, area, _ in areas_of_cells(results)
    ]
    areas = [(name, table) for name, table in areas if table.notna().any().any()]
    means = [table.mean() - table.mean().mean() for _, table in areas]
    if not means:
        return None
    overall = sum(mean.reindex(tables.names).fillna(0) for mean in means)
    everywhere = overall.index.intersection(results["strategy"].unique())
    if len(everywhere) < 2:
        return None
    best = overall[everywhere].idxmax()
    against = {}
    for name in everywhere.drop(best):
        found = {"above": 0, "below": 0, "settings": 0, "repeats": {}}
        for setting, table in areas:
            if best not in table or name not in table:
                continue
            gap = (table[best] - table[name]).dropna().to_numpy()
            if len(gap) < 2:
                continue
            found["settings"] += 1
            p = _p_value(gap)
            if p < _LEVEL:
                found["above" if gap.mean() > 0 else "below"] += 1
            found["repeats"][setting] = _repeats_needed(gap)
        if found["settings"]:
            against[name] = found
    return (best, against) if against else None


def _p_value(gap):
    deviation = gap.std(ddof=1)
    if deviation < 1e-12:
        return 0.0 if abs(gap.mean()) > 1e-12 else 1.0
    statistic = math.sqrt(len(gap)) * abs(gap.mean()) / deviation
    return 2 * stats.t.sf(statistic, len(gap) - 1)


def _repeats_needed(gap):
    """Return the repeats at which a gap of this size would be noticed, or infinity."""
    if abs(gap.mean()) < 1e-12:
        return math.inf
    quantiles = stats.norm.ppf(1 - _LEVEL / 2) + stats.norm.ppf(_POWER)
    return math.ceil((quantiles * gap.std(ddof=1) / gap.mean()) ** 2) + 2


def _as_good(alike):
    """Say that others may be as good, by name where they are few."""
    if not alike:
        return ""
    if len(alike) > 3:
        return f"; {len(alike)} others cannot be told from it, see below"
    *first, last = labels_of(alike)
    names = f"{', '.join(first)} and {last}" if first else last
    return f"; {names} cannot be told from it"


def _listed(names, against, side, n_settings):
    return ", ".join(
        f"{label} (in {against[name][side]} of {count(n_settings, 'setting')})"
        for name, label in zip(names, labels_of(names), strict=True)
    )


def _certainty(tables, n_settings):
    repeats = tables.results.groupby(["dataset", "model", "batch_size"])["repeat"]
    least = int(repeats.nunique().min())
    text = (
        "Beyond chance: a two-sided paired t test at 5% on the area under the curve of "
        f"{tables.metric}, {count(least, 'repeat')} or more a setting. One comparison "
        "in twenty passes it by chance alone, and the test is not corrected for how "
        "many there are."
    )
    used = int(tables.budgets["used"].sum())
    penalty = tables.penalties["t", None].column_mean.dropna()
    if used and len(penalty):
        lowest = penalty.index[np.isclose(penalty, penalty.min())]
        text += (
            f" By the penalty matrix with the stricter test, over {used} of "
            f"{count(len(tables.budgets), 'setting')}, least beaten: "
            f"{', '.join(labels_of(lowest))}."
        )
    return text


def _needed(best, alike, against):
    """Say what would settle what is open."""
    points = []
    for name in alike:
        found = [n for n in against[name]["repeats"].values() if n <= _MOST_REPEATS]
        if found:
            points.append(
                f"{labels_of([name])[0]} (about {min(found)} where that is easiest)"
            )
    text = []
    if points:
        text.append(
            f"Repeats that would tell {labels_of([best])[0]} from the others, if the "
            f"differences seen are the true ones: {', '.join(points)}."
        )
    if max(found["settings"] for found in against.values()) == 1:
        text.append(
            "One setting says what holds in it: another data set, net or batch size "
            "can turn the order around."
        )
    return text

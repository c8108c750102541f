"""Curves, label budgets, areas and running times: pure functions on tidy tables.

A *setting* is one (dataset, model, batch size). The results table has one row for each
setting, strategy, repeat and round; the costs table has the same key. The comparisons
of strategies over many settings are in ``_comparison``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid

from skbadge.benchmarks._methods import REFERENCE
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_option, check_real

__all__ = [
    "area_under_budget_curve",
    "label_budgets",
    "learning_curves",
    "running_times",
]

SETTING = ["dataset", "model", "batch_size"]
CELL = [*SETTING, "strategy", "repeat"]
METRIC = "accuracy"
RULES = ("paper", "code")
Rule: TypeAlias = Literal["paper", "code"]
# Accuracies are fractions of at most some million test rows: two of them, or two of
# their means, that are this close are equal but for rounding.
TINY = 1e-12

_SECONDS = ["fit_seconds", "embed_seconds", "select_seconds"]
_MEASURED = ["fit_seconds", "embed_seconds", "select_seconds", "query_seconds"]


def check_results(results, metric=METRIC):
    """Return the results table, or say what is wrong with it.

    Returns
    -------
    DataFrame
        The table; for another metric than the accuracy, with that one as ``accuracy``,
        without the rows in which it is missing.

    Raises
    ------
    InvalidInputError
        If it is no DataFrame, lacks a column, has two rows for one label count of a
        cell, or an accuracy outside [0, 1].
    """
    _check_table(results, "results", [*CELL, "n_labeled"], [metric])
    if metric != METRIC:
        results = results.assign(accuracy=results[metric].astype(float))
        return results[results["accuracy"].notna()]
    accuracy = results["accuracy"].to_numpy(dtype=float)
    bad = ~((accuracy >= 0) & (accuracy <= 1))
    if bad.any():
        raise InvalidInputError(
            "The column 'accuracy' must hold fractions in [0, 1]. Got "
            f"{accuracy[bad][0]} in row {results.index[bad][0]} instead."
        )
    return results


def check_costs(costs):
    """Return the costs table, or say what is wrong with it (see `check_results`)."""
    return _check_table(costs, "costs", [*CELL, "round"], [*_SECONDS, "peak_memory_mb"])


def metrics_of(results):
    """Return the names of the columns that hold scores beside the accuracy."""
    columns = list(results.columns)
    if METRIC not in columns or "train_accuracy" not in columns:
        return []
    return columns[columns.index(METRIC) + 1 : columns.index("train_accuracy")]


def error_of(scores, metric=METRIC):
    """Return errors of scores: 1 - score, or the loss of which a score is the negative.

    Parameters
    ----------
    scores : array, Series or DataFrame
        Higher is better.
    metric : str, default="accuracy"
        Its name: those of scikit-learn that begin with ``neg_`` are negative losses.
    """
    return -scores if metric.startswith("neg_") else 1.0 - scores


def learning_curves(results: pd.DataFrame, *, metric: str = METRIC) -> pd.DataFrame:
    """Average the test accuracy over the repeats at every label count.

    This is the material of the paper's Figures 2, 3 and 6 to 12, and with
    ``badge-kdpp`` beside ``badge`` of the left sides of Figures 1 and 17 to 23.

    Parameters
    ----------
    results : DataFrame
        Tidy results: columns dataset, model, batch_size, strategy, repeat, n_labeled
        and accuracy (a fraction in [0, 1]), one row for each label count of a cell.
    metric : str, default="accuracy"
        The column that is averaged, any score of which more is better.

    Returns
    -------
    DataFrame
        Sorted; columns dataset, model, batch_size, strategy, n_labeled, ``mean``,
        ``standard_error`` (sample standard deviation over the square root of the number
        of repeats; NaN for one repeat) and ``n_repeats``. In an unfinished grid
        ``n_repeats`` may fall along a curve.

    Raises
    ------
    InvalidInputError
        If the table is not as described.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbadge.benchmarks import learning_curves
    >>> results = pd.DataFrame({
    ...     "dataset": "digits", "model": "mlp", "batch_size": 100,
    ...     "strategy": "badge", "repeat": [0, 1], "n_labeled": 100,
    ...     "accuracy": [0.5, 0.7]})
    >>> learning_curves(results)[["n_labeled", "mean", "standard_error", "n_repeats"]]
       n_labeled  mean  standard_error  n_repeats
    0        100   0.6             0.1          2
    """
    results = check_results(results, metric)
    keys = [*SETTING, "strategy", "n_labeled"]
    return results.groupby(keys, as_index=False).agg(
        mean=("accuracy", "mean"),
        standard_error=("accuracy", "sem"),
        n_repeats=("accuracy", "size"),
    )


def label_budgets(
    results: pd.DataFrame,
    *,
    rule: Rule = "paper",
    fraction: float = 0.99,
    metric: str = METRIC,
) -> pd.DataFrame:
    r"""Choose for each setting the label counts at which strategies are compared.

    With enough labels all strategies end at the same accuracy. They are therefore
    compared only while random sampling still learns, at label counts that double.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`learning_curves`.
    rule : {"paper", "code"}, default="paper"
        Which label counts (see Notes).
    fraction : float, default=0.99
        Share of its final mean accuracy at which random sampling counts as done, in
        (0, 1].
    metric : str, default="accuracy"
        The score that is looked at, as for :func:`learning_curves`. Of a negative one,
        such as a negative loss, the final value is divided by ``fraction``.

    Returns
    -------
    DataFrame
        One row for each setting; columns dataset, model, batch_size, ``n_initial``
        (size M of the initial set), ``n_final`` (last label count of ``rand``),
        ``final_accuracy`` (its mean there), ``n0``, ``budgets`` (tuple of label
        counts), ``n_budgets``, ``used`` (False: the setting drops out of comparisons)
        and ``reason`` (why it drops out, or which budget was left out; else empty).

    Raises
    ------
    InvalidInputError
        If the table is not as described, or an option is unknown.

    Notes
    -----
    ``n0`` is the fewest labels at which the mean accuracy of ``rand`` is at least
    ``fraction`` of its final value. With M initial labels and batch size B the budgets
    are [1]_

    .. math:: M + 2^{i-1} B, \quad i = 1, \ldots, \lfloor\log_2((n_0-M)/B)\rfloor

    so that a setting with ``n0 < M + 2 B`` has none and drops out. ``rule="code"``
    follows the authors' published code: it goes through M, where all strategies have
    the same labels, M + B, M + 2 B, M + 4 B and so on, and stops before the first of
    them at which the mean of ``rand`` is more than ``fraction`` of its final value.

    Only label counts that every repeat of ``rand`` has reached are looked at, so that
    its curve averages the same repeats everywhere.

    References
    ----------
    .. [1] J. T. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal, "Deep Batch
       Active Learning by Diverse, Uncertain Gradient Lower Bounds", arXiv:1906.03671,
       section 4.
    """
    results = check_results(results, metric)
    check_option(rule, "rule", RULES)
    check_real(fraction, "fraction", low=0, high=1, include_low=False)
    return budgets_table(results, rule, fraction)


def budgets_table(results, rule, fraction=0.99):
    """Return the label budgets of a results table that has been checked."""
    rows = [
        dict(zip(SETTING, setting, strict=True))
        | _budgets_of(table, setting[-1], rule, fraction)
        for setting, table in results.groupby(SETTING)
    ]
    columns = ["n_initial", "n_final", "final_accuracy", "n0", "budgets", "n_budgets"]
    budgets = pd.DataFrame(rows, columns=[*SETTING, *columns, "used", "reason"])
    counts = ["n_initial", "n_final", "n0"]
    return budgets.astype({**dict.fromkeys(counts, "Int64"), "used": bool})


def _budgets_of(table, batch_size, rule, fraction):
    """Return the row of `label_budgets` of one setting, without its key."""
    reference = table[table["strategy"] == REFERENCE]
    curve = _complete_curve(reference)
    row = {"budgets": (), "n_budgets": 0, "used": False}
    if curve.empty:
        missing = "reached by all its repeats" if len(reference) else "at all"
        return row | {
            "reason": f"no results of '{REFERENCE}' {missing}: no label count to "
            "measure its progress by"
        }
    final = curve.iloc[-1]
    n_initial = int(curve.index[0])
    goal = final * fraction if final >= 0 else final / fraction
    n0 = int(curve.index[curve >= goal - TINY][0])
    if rule == "paper":
        wanted = _paper_counts(n_initial, n0, int(batch_size))
    else:
        wanted = _code_counts(n_initial, curve > goal + TINY, int(batch_size))
    off_curve = [n for n in wanted if n not in curve.index]
    found = tuple(n for n in wanted if n in curve.index)
    reasons = []
    if not wanted:
        least = n_initial + (2 * int(batch_size) if rule == "paper" else 0)
        reasons.append(
            f"'{REFERENCE}' reaches {fraction:.0%} of its final accuracy at {n0} "
            + (
                f"labels, fewer than {least} (two batches after the initial set)"
                if rule == "paper"
                else "labels, the initial set"
            )
        )
    if off_curve:
        listed = ", ".join(str(n) for n in off_curve)
        reasons.append(f"not a label count of '{REFERENCE}', left out: {listed}")
    return row | {
        "n_initial": n_initial,
        "n_final": int(curve.index[-1]),
        "final_accuracy": float(final),
        "n0": n0,
        "budgets": found,
        "n_budgets": len(found),
        "used": bool(found),
        "reason": "; ".join(reasons),
    }


def _complete_curve(table):
    """Return the mean accuracy by label count, where every repeat has one."""
    counts = table.groupby("n_labeled")["accuracy"].agg(["mean", "size"])
    return counts.loc[counts["size"] == table["repeat"].nunique(), "mean"]


def _paper_counts(n_initial, n0, batch_size):
    """Return the label counts M + 2^(i-1) B of the paper's text."""
    # In whole numbers, as a logarithm may round the wrong way at a power of two:
    # i <= floor(log2(last / B)) is the same as 2^i B <= last.
    last = (n0 - n_initial) // 2
    counts, step = [], batch_size
    while step <= last:
        counts.append(n_initial + step)
        step *= 2
    return counts


def _code_counts(n_initial, is_done, batch_size):
    """Return M, M + B, M + 2 B, ... before the first count at which rand is done."""
    counts, count, step = [], n_initial, batch_size
    while count <= is_done.index[-1]:
        # A count that is not on the curve cannot be tested: the last one before it is.
        if is_done[is_done.index <= count].iloc[-1]:
            break
        counts.append(count)
        count, step = n_initial + step, 2 * step
    return counts


def area_under_budget_curve(
    results: pd.DataFrame, *, metric: str = METRIC
) -> pd.DataFrame:
    """Sum up each learning curve in one number, its area under the budget curve.

    The area is the mean accuracy over all label counts between the first and the last:
    a strategy that learns early has a larger one than a strategy that ends as well but
    learns late.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`learning_curves`.
    metric : str, default="accuracy"
        The score that is summed up, as there.

    Returns
    -------
    DataFrame
        Columns dataset, model, batch_size, strategy, ``mean`` (over the repeats, in
        [0, 1]), ``standard_error`` (NaN for one repeat), ``n_repeats``, and
        ``n_initial`` and ``n_final``, the label counts between which it was taken.

    Raises
    ------
    InvalidInputError
        If the table is not as described.

    Notes
    -----
    Trapezoidal rule on accuracy against labels, divided by the range of labels. So that
    areas of one setting can be compared, they are taken over the label counts that all
    its strategies and repeats share: in an unfinished grid the slowest cell sets the
    range. Fewer than two shared label counts give NaN. The paper does not use areas.
    """
    rows = []
    for setting, area, labels in areas_of_cells(check_results(results, metric)):
        summary = area.groupby("strategy").agg(["mean", "sem", "size"])
        for strategy, mean, error, size in summary.itertuples(name=None):
            ends = (labels[0], labels[-1]) if len(labels) else (pd.NA, pd.NA)
            rows.append((*setting, strategy, mean, error, size, *ends))
    columns = ["mean", "standard_error", "n_repeats", "n_initial", "n_final"]
    areas = pd.DataFrame(rows, columns=[*SETTING, "strategy", *columns])
    return areas.astype({"n_initial": "Int64", "n_final": "Int64"})


def areas_of_cells(results):
    """Yield (setting, area by strategy and repeat, label counts that all share)."""
    for setting, table in results.groupby(SETTING):
        cells = table.pivot(
            index="n_labeled", columns=["strategy", "repeat"], values="accuracy"
        ).dropna()
        labels = cells.index.to_numpy(dtype=float)
        area = pd.Series(np.nan, index=cells.columns)
        if len(labels) > 1:
            area[:] = trapezoid(cells, labels, axis=0) / (labels[-1] - labels[0])
        yield setting, area, labels


def running_times(costs: pd.DataFrame, *, total: bool = False) -> pd.DataFrame:
    """Average what training and querying cost, over the repeats.

    The paper's Figures 1 and 17 to 23 plot the time to select of k-means++ (``badge``)
    and the k-DPP (``badge-kdpp``) against the labels.

    Parameters
    ----------
    costs : DataFrame
        Tidy costs: columns dataset, model, batch_size, strategy, repeat, round,
        fit_seconds, embed_seconds, select_seconds (wall time; NaN where a round has no
        query) and peak_memory_mb. A column n_labeled is carried over where it is there.
    total : bool, default=False
        False: one row for each round. True: one row for each strategy of a setting,
        with the sums over all rounds that every one of its repeats has finished.

    Returns
    -------
    DataFrame
        Columns dataset, model, batch_size, strategy; ``round`` (and n_labeled), or
        ``n_rounds`` with ``total=True``; ``n_repeats``; the means ``fit_seconds``,
        ``embed_seconds``, ``select_seconds`` and ``query_seconds`` (embedding and
        selection together), each with its standard error in a column ending in
        ``_se``; and ``peak_memory_mb``, the highest of all repeats.

    Raises
    ------
    InvalidInputError
        If the table is not as described.
    """
    check_costs(costs)
    table = costs.assign(query_seconds=costs["embed_seconds"] + costs["select_seconds"])
    group = [*SETTING, "strategy"]
    if total:
        table = _sum_rounds(table)
        keys = [*group, "n_rounds"]
    else:
        keys = [*group, "round"]
        keys += ["n_labeled"] if "n_labeled" in table.columns else []
    measures = {}
    for name in _MEASURED:
        measures[name] = (name, "mean")
        measures[f"{name}_se"] = (name, "sem")
    return table.groupby(keys, as_index=False).agg(
        n_repeats=("repeat", "size"),
        **measures,
        peak_memory_mb=("peak_memory_mb", "max"),
    )


def _sum_rounds(table):
    """Return one row for each cell, over the rounds that all its repeats have."""
    group = [*SETTING, "strategy"]
    n_repeats = table.groupby(group)["repeat"].transform("nunique")
    n_there = table.groupby([*group, "round"])["repeat"].transform("nunique")
    cells = table[n_there == n_repeats].groupby(CELL)
    sums = cells[_MEASURED].sum(min_count=1)
    sums["n_rounds"] = cells.size()
    sums["peak_memory_mb"] = cells["peak_memory_mb"].max()
    return sums.reset_index()


def _check_table(table, name, key, values):
    if not isinstance(table, pd.DataFrame):
        raise InvalidInputError(
            f"{name} must be a pandas DataFrame. Got {type(table).__name__} instead."
        )
    absent = [column for column in [*key, *values] if column not in table.columns]
    if absent:
        raise InvalidInputError(
            f"{name} must have the columns {', '.join([*key, *values])}. Missing: "
            f"{', '.join(absent)}."
        )
    repeated = table.duplicated(key)
    if repeated.any():
        first = table.loc[repeated, key].iloc[0].to_dict()
        raise InvalidInputError(
            f"{name} must have one row for each {', '.join(key)}. Got "
            f"{int(repeated.sum())} more, the first for {first}: drop the copies."
        )
    return table

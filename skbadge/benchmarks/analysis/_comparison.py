"""Comparisons of strategies over many settings: penalty matrix and normalized errors.

Pure functions on the tidy results table; see ``_curves`` for its columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
import pandas as pd
from scipy import stats

from skbadge.benchmarks._methods import KDPP, REFERENCE, strategy_order
from skbadge.benchmarks.analysis._curves import (
    METRIC,
    RULES,
    SETTING,
    TINY,
    Rule,
    budgets_table,
    check_results,
    error_of,
)
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_option

__all__ = [
    "NormalizedErrorCDF",
    "PenaltyMatrix",
    "normalized_error_cdf",
    "penalty_matrix",
]

TESTS = ("z", "t")
GROUPS = ("batch_size", "model")
Test: TypeAlias = Literal["z", "t"]
Group: TypeAlias = Literal["batch_size", "model"]
_Found = TypeVar("_Found")
MIN_REPEATS = 2


@dataclass(frozen=True, eq=False)
class PenaltyMatrix:
    """How often each strategy beats each other one.

    Parameters
    ----------
    matrix : DataFrame of shape (n_strategies, n_strategies)
        Entry [i, j] counts the settings in which row i beats column j, each setting
        shared among its label budgets. Zero on the diagonal; NaN where the two were
        never compared.
    column_mean : Series of length n_strategies
        Mean of each column over the rows that it was compared with, the zero of the
        diagonal included. Lower is better.
    n_settings : int
        Number of settings compared, which is the highest possible entry.
    n_compared : DataFrame of shape (n_strategies, n_strategies)
        The highest possible entry of each pair: below ``n_settings`` where cells are
        missing.
    comparisons : DataFrame
        Every comparison made or left out: dataset, model, batch_size, n_labeled,
        ``strategy``, ``versus``, ``n_repeats`` (paired ones), ``mean_difference``
        (error of ``strategy`` minus error of ``versus``), ``statistic``, ``winner``
        (empty for none), ``weight`` and ``reason`` (empty, or why it was left out).
    dropped : DataFrame
        The rows of :func:`label_budgets` of settings without a budget.
    """

    matrix: pd.DataFrame
    column_mean: pd.Series
    n_settings: int
    n_compared: pd.DataFrame
    comparisons: pd.DataFrame
    dropped: pd.DataFrame

    @property
    def left_out(self) -> pd.DataFrame:
        """Comparisons that could not be made, with the reason (DataFrame)."""
        return self.comparisons[self.comparisons["reason"] != ""]

    def to_frame(self) -> pd.DataFrame:
        """Return the matrix with the column mean as its last row, ``mean``."""
        return pd.concat([self.matrix, self.column_mean.to_frame("mean").T])


@dataclass(frozen=True, eq=False)
class NormalizedErrorCDF:
    """Distribution of each strategy's error relative to random sampling.

    Parameters
    ----------
    curves : DataFrame
        The steps: ``strategy``, ``normalized_error`` (rising within a strategy),
        ``cumulative_weight`` (settings at or below it) and ``fraction`` (the same
        divided by the total weight of the strategy, so that it ends at 1).
    points : DataFrame
        Every value: dataset, model, batch_size, n_labeled, ``strategy``,
        ``n_repeats`` (shared with ``rand``), ``error``, ``reference_error``,
        ``normalized_error`` (NaN where left out), ``weight`` and ``reason`` (empty, or
        why it was left out).
    n_settings : int
        Number of settings with a label budget, which is the highest possible
        cumulative weight.
    dropped : DataFrame
        The rows of :func:`label_budgets` of settings without a budget.
    """

    curves: pd.DataFrame
    points: pd.DataFrame
    n_settings: int
    dropped: pd.DataFrame

    @property
    def left_out(self) -> pd.DataFrame:
        """Values that could not be computed, with the reason (DataFrame)."""
        return self.points[self.points["reason"] != ""]


@overload
def penalty_matrix(
    results: pd.DataFrame,
    *,
    test: Test = "z",
    by: None = None,
    rule: Rule = "paper",
    metric: str = METRIC,
) -> PenaltyMatrix: ...
@overload
def penalty_matrix(
    results: pd.DataFrame,
    *,
    test: Test = "z",
    by: Group,
    rule: Rule = "paper",
    metric: str = METRIC,
) -> dict[Any, PenaltyMatrix]: ...
def penalty_matrix(
    results: pd.DataFrame,
    *,
    test: Test = "z",
    by: Group | None = None,
    rule: Rule = "paper",
    metric: str = METRIC,
) -> PenaltyMatrix | dict[Any, PenaltyMatrix]:
    r"""Count how often each strategy beats each other one, over all settings.

    Two strategies are compared at each label budget of each setting by a paired test on
    their test errors. A win adds to the winner's row in the loser's column: low columns
    are good. These are the paper's Figures 4 (``by=None``), 13 (``by="batch_size"``)
    and 14 (``by="model"``).

    Parameters
    ----------
    results : DataFrame
        Tidy results: columns dataset, model, batch_size, strategy, repeat, n_labeled
        and accuracy. Rows of ``badge-kdpp`` are passed over.
    test : {"z", "t"}, default="z"
        What counts as a win, see Notes.
    by : {"batch_size", "model"} or None, default=None
        Make one matrix for each value of this column.
    rule : {"paper", "code"}, default="paper"
        Rule of the label budgets, see :func:`label_budgets`.
    metric : str, default="accuracy"
        The score to compare by, as for :func:`learning_curves`.

    Returns
    -------
    PenaltyMatrix, or dict of such with the values of ``by`` as keys
        Strategies in the paper's order, then any others by name.

    Raises
    ------
    InvalidInputError
        If the table is not as described, or an option is unknown.

    Notes
    -----
    Repeats are paired by their number. With the n differences d of the errors of i and
    j, the statistic is

    .. math:: z = \sqrt n \; \mathrm{mean}(d) \, / \, \mathrm{sd}(d)

    with the sample standard deviation. Strategy i, the one with the lower mean error,
    beats j where the absolute value of z exceeds the threshold:

    - ``test="z"``: 1.96 for any n, as the paper states [1]_. With five repeats this is
      a two-sided level of 12%, not 5%.
    - ``test="t"``: the 97.5% quantile of Student's t with n - 1 degrees of freedom,
      2.776 for five repeats: a two-sided level of 5%.

    The paper's text calls i the winner for z > 1.96, which on errors would be the
    worse one; here to beat means to have the lower error. Equal errors in all repeats
    are no win; the same non-zero difference in all repeats is one.

    A setting with k label budgets adds 1/k for each win. A pair with fewer than two
    common repeats at a budget is left out there, and listed in ``left_out``; the
    weights of the others stay as they are. The cost is one paired test for each pair,
    budget and setting.

    References
    ----------
    .. [1] J. T. Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient
       Lower Bounds", arXiv:1906.03671, section 4 and appendix D.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbadge.benchmarks import penalty_matrix
    >>> curves = {"rand": [0.1, 0.5, 0.9], "badge": [0.1, 0.6, 0.9]}
    >>> rows = [("digits", "mlp", 100, name, repeat, 100 * (i + 1), accuracy)
    ...         for name in curves for repeat in range(5)
    ...         for i, accuracy in enumerate(curves[name])]
    >>> results = pd.DataFrame(rows, columns=["dataset", "model", "batch_size",
    ...     "strategy", "repeat", "n_labeled", "accuracy"])
    >>> penalty_matrix(results).to_frame()
           badge  rand
    badge    0.0   1.0
    rand     0.0   0.0
    mean     0.0   0.5
    """
    results = check_results(results, metric)
    check_option(test, "test", TESTS)
    check_option(rule, "rule", RULES)
    return grouped(lambda part: _penalty_matrix(part, test, rule), results, by)


@overload
def normalized_error_cdf(
    results: pd.DataFrame,
    *,
    by: None = None,
    rule: Rule = "paper",
    metric: str = METRIC,
) -> NormalizedErrorCDF: ...
@overload
def normalized_error_cdf(
    results: pd.DataFrame, *, by: Group, rule: Rule = "paper", metric: str = METRIC
) -> dict[Any, NormalizedErrorCDF]: ...
def normalized_error_cdf(
    results: pd.DataFrame,
    *,
    by: Group | None = None,
    rule: Rule = "paper",
    metric: str = METRIC,
) -> NormalizedErrorCDF | dict[Any, NormalizedErrorCDF]:
    """Compute the distribution of errors relative to random sampling.

    A normalized error of 0.9 means 10% fewer errors than random sampling at the same
    label budget. The cumulative weight at 0.9 says in how many settings a strategy did
    at least that well: the higher a curve, the better. ``rand`` itself is a step at 1.

    ``by=None`` gives the paper's Figure 5, ``by="batch_size"`` Figure 15 and
    ``by="model"`` Figure 16.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`penalty_matrix`. Rows of ``badge-kdpp`` are passed
        over.
    by : {"batch_size", "model"} or None, default=None
        Compute one distribution for each value of this column.
    rule : {"paper", "code"}, default="paper"
        Rule of the label budgets, see :func:`label_budgets`.
    metric : str, default="accuracy"
        The score to compare by, as for :func:`learning_curves`. The error is 1 - score,
        or the loss itself where the name begins with ``neg_``.

    Returns
    -------
    NormalizedErrorCDF, or dict of such with the values of ``by`` as keys

    Raises
    ------
    InvalidInputError
        If the table is not as described, or an option is unknown.

    Notes
    -----
    The normalized error is the mean error of a strategy divided by that of ``rand``,
    both over the repeats that the two share; with all cells there, over all repeats
    [1]_. Each of the k label budgets of a setting has the weight 1/k. Fewer than two
    common repeats, or a ``rand`` without errors, are left out and listed in
    ``left_out``. A strategy with values left out has a smaller total weight; its
    ``fraction`` is relative to what it has, so compare such curves with care.

    References
    ----------
    .. [1] J. T. Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient
       Lower Bounds", arXiv:1906.03671, section 4 and appendix E.
    """
    results = check_results(results, metric)
    check_option(rule, "rule", RULES)
    return grouped(lambda part: _normalized_error_cdf(part, rule, metric), results, by)


def grouped(
    compute: Callable[[pd.DataFrame], _Found], results: pd.DataFrame, by: Group | None
) -> _Found | dict[Any, _Found]:
    """Compute something of all settings, or of each group of them (dict)."""
    compared = results[results["strategy"] != KDPP]
    if by is None:
        return compute(compared)
    if by not in GROUPS:
        raise InvalidInputError(
            f"by must be one of {', '.join(map(repr, GROUPS))} or None. Got {by!r} "
            "instead."
        )
    return {value: compute(part) for value, part in compared.groupby(by)}


def at_budgets(results, budgets):
    """Yield (key with label count, weight, accuracies by repeat and strategy)."""
    counts = {n for found in budgets["budgets"] for n in found}
    near = results[results["n_labeled"].isin(counts)]
    groups = dict(list(near.groupby([*SETTING, "n_labeled"])))
    for row in budgets[budgets["used"]].to_dict("records"):
        for n_labeled in row["budgets"]:
            key = {name: row[name] for name in SETTING} | {"n_labeled": n_labeled}
            table = groups[tuple(key.values())].pivot(
                index="repeat", columns="strategy", values="accuracy"
            )
            yield key, 1.0 / row["n_budgets"], table


def _penalty_matrix(results, test, rule):
    names = strategy_order(results["strategy"])
    budgets = budgets_table(results, rule)
    rows = []
    for key, weight, table in at_budgets(results, budgets):
        accuracy = dict(
            zip(names, table.reindex(columns=names).to_numpy().T, strict=True)
        )
        for first, second in combinations(names, 2):
            # Error of the first minus error of the second, in the repeats of both.
            difference = accuracy[second] - accuracy[first]
            difference = difference[~np.isnan(difference)]
            outcome = _paired_test(difference, first, second, test)
            pair = {"strategy": first, "versus": second, "n_repeats": len(difference)}
            rows.append({**key, **pair, **outcome, "weight": weight})
    found = ["mean_difference", "statistic", "winner", "weight", "reason"]
    columns = [*SETTING, "n_labeled", "strategy", "versus", "n_repeats", *found]
    comparisons = pd.DataFrame(rows, columns=columns)
    matrix, n_compared = _accumulate(comparisons, names)
    return PenaltyMatrix(
        matrix=matrix,
        column_mean=matrix.mean(axis=0).where((n_compared > 0).any(axis=0)),
        n_settings=int(budgets["used"].sum()),
        n_compared=n_compared,
        comparisons=comparisons,
        dropped=budgets[~budgets["used"]].reset_index(drop=True),
    )


def threshold_of(test, n):
    """Return the value that the statistic of n pairs has to exceed for a win."""
    return 1.96 if test == "z" else stats.t.ppf(0.975, n - 1)


def _paired_test(difference, first, second, test):
    """Return the outcome of one comparison, from the differences of the errors."""
    n = len(difference)
    outcome = {"mean_difference": np.nan, "statistic": np.nan, "winner": ""}
    if n < MIN_REPEATS:
        return outcome | {"reason": f"{n} common repeats, fewer than {MIN_REPEATS}"}
    mean, deviation = difference.mean(), difference.std(ddof=1)
    if abs(mean) <= TINY:
        return outcome | {"mean_difference": 0.0, "statistic": 0.0, "reason": ""}
    if deviation <= TINY:
        statistic = np.copysign(np.inf, mean)
    else:
        statistic = np.sqrt(n) * mean / deviation
    if abs(statistic) > threshold_of(test, n):
        outcome["winner"] = first if mean < 0 else second
    return outcome | {"mean_difference": mean, "statistic": statistic, "reason": ""}


def _accumulate(comparisons, names):
    """Add up weights of wins, and of comparisons made, into two square tables."""
    position = {name: i for i, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    made = np.zeros_like(wins)
    for row in comparisons[comparisons["reason"] == ""].itertuples():
        i, j = position[row.strategy], position[row.versus]
        made[[i, j], [j, i]] += row.weight
        if row.winner:
            loser = j if row.winner == row.strategy else i
            wins[position[row.winner], loser] += row.weight
    wins[(made == 0) & ~np.eye(len(names), dtype=bool)] = np.nan
    square = {"index": list(names), "columns": list(names)}
    return pd.DataFrame(wins, **square), pd.DataFrame(made, **square)


def _normalized_error_cdf(results, rule, metric):
    names = strategy_order(results["strategy"])
    budgets = budgets_table(results, rule)
    rows = []
    for key, weight, table in at_budgets(results, budgets):
        errors = error_of(table.reindex(columns=names), metric)
        for name in names:
            point = _normalized_error(errors[name], errors[REFERENCE])
            rows.append({**key, "strategy": name, **point, "weight": weight})
    found = ["error", "reference_error", "normalized_error", "weight", "reason"]
    columns = [*SETTING, "n_labeled", "strategy", "n_repeats", *found]
    points = pd.DataFrame(rows, columns=columns)
    return NormalizedErrorCDF(
        curves=_cumulate(points[points["reason"] == ""], names),
        points=points,
        n_settings=int(budgets["used"].sum()),
        dropped=budgets[~budgets["used"]].reset_index(drop=True),
    )


def _normalized_error(errors, reference):
    """Return one value, from errors by repeat of a strategy and of the reference."""
    common = errors.notna() & reference.notna()
    n = int(common.sum())
    point = {"n_repeats": n, "error": np.nan, "reference_error": np.nan}
    point["normalized_error"] = np.nan
    if n < MIN_REPEATS:
        return point | {"reason": f"{n} common repeats, fewer than {MIN_REPEATS}"}
    error, base = errors[common].mean(), reference[common].mean()
    point |= {"error": error, "reference_error": base}
    if base <= TINY:
        return point | {"reason": f"'{REFERENCE}' makes no errors to divide by"}
    # Rounded, lest equal errors, averaged in another order, come out above 1.
    return point | {"normalized_error": round(error / base, 12), "reason": ""}


def _cumulate(points, names):
    """Return the steps of the weighted distribution of each strategy."""
    parts = []
    for name in names:
        mine = points[points["strategy"] == name]
        steps = mine.groupby("normalized_error")["weight"].sum().cumsum()
        part = steps.rename("cumulative_weight").reset_index()
        part.insert(0, "strategy", name)
        part["fraction"] = part["cumulative_weight"] / mine["weight"].sum()
        parts.append(part)
    columns = ["strategy", "normalized_error", "cumulative_weight", "fraction"]
    parts = [part for part in parts if len(part)]
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    )

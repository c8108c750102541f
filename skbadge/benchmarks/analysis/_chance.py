"""What a penalty matrix would look like if all strategies were alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd

from skbadge.benchmarks._methods import strategy_order
from skbadge.benchmarks.analysis._comparison import (
    MIN_REPEATS,
    TESTS,
    Group,
    Test,
    at_budgets,
    grouped,
    threshold_of,
)
from skbadge.benchmarks.analysis._curves import (
    METRIC,
    RULES,
    TINY,
    Rule,
    budgets_table,
    check_results,
)
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_integer, check_option

__all__ = ["ChanceMatrix", "chance_matrix"]


@dataclass(frozen=True, eq=False)
class ChanceMatrix:
    """Penalties among strategies that differ by chance alone.

    Parameters
    ----------
    matrix : DataFrame of shape (n_strategies, n_strategies)
        Mean of each entry over the permutations.
    column_mean : Series of length n_strategies
        Mean of each column.
    low, high : Series of length n_strategies
        The range that holds the column mean in 95 of 100 permutations.
    n_settings, n_permutations : int
        Settings compared, and how often strategies were permuted.
    """

    matrix: pd.DataFrame
    column_mean: pd.Series
    low: pd.Series
    high: pd.Series
    n_settings: int
    n_permutations: int


@overload
def chance_matrix(
    results: pd.DataFrame,
    *,
    test: Test = "z",
    by: None = None,
    rule: Rule = "paper",
    metric: str = METRIC,
    n_permutations: int = 200,
    random_state: Seed = 0,
) -> ChanceMatrix: ...
@overload
def chance_matrix(
    results: pd.DataFrame,
    *,
    test: Test = "z",
    by: Group,
    rule: Rule = "paper",
    metric: str = METRIC,
    n_permutations: int = 200,
    random_state: Seed = 0,
) -> dict[Any, ChanceMatrix]: ...
def chance_matrix(
    results: pd.DataFrame,
    *,
    test: Test = "z",
    by: Group | None = None,
    rule: Rule = "paper",
    metric: str = METRIC,
    n_permutations: int = 200,
    random_state: Seed = 0,
) -> ChanceMatrix | dict[Any, ChanceMatrix]:
    """Compute the penalty matrix that chance alone would give.

    Within each repeat of each setting the names of the strategies are dealt out anew
    among its learning curves, which leaves everything but the difference between
    strategies as it is. Averaged over many deals: what a penalty matrix shows beyond
    these numbers is what strategies really do.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`penalty_matrix`.
    test : {"z", "t"}, default="z"
        What counts as a win, as there.
    by : {"batch_size", "model"} or None, default=None
        Make one for each value of this column.
    rule : {"paper", "code"}, default="paper"
        Rule of the label budgets, see :func:`label_budgets`.
    metric : str, default="accuracy"
        The score to compare by, as for :func:`learning_curves`.
    n_permutations : int, default=200
        How often names are dealt out.
    random_state : int, Generator, RandomState or None, default=0
        Fixes the deals.

    Returns
    -------
    ChanceMatrix, or dict of such with the values of ``by`` as keys

    Raises
    ------
    InvalidInputError
        If the table is not as described, or an option is unknown.

    See Also
    --------
    penalty_matrix : The matrix itself.

    Notes
    -----
    Label budgets are those of the true names. A strategy without a curve in a repeat
    gets none in it. Cost: ``n_permutations`` times that of the penalty matrix, in
    arrays.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skbadge.benchmarks import chance_matrix
    >>> curves = {"rand": [0.1, 0.5, 0.9], "badge": [0.1, 0.6, 0.9]}
    >>> rows = [("digits", "mlp", 100, name, repeat, 100 * (i + 1), accuracy)
    ...         for name in curves for repeat in range(5)
    ...         for i, accuracy in enumerate(curves[name])]
    >>> results = pd.DataFrame(rows, columns=["dataset", "model", "batch_size",
    ...     "strategy", "repeat", "n_labeled", "accuracy"])
    >>> bool(chance_matrix(results).matrix.loc["badge", "rand"] < 0.3)
    True
    """
    results = check_results(results, metric)
    check_option(test, "test", TESTS)
    check_option(rule, "rule", RULES)
    check_integer(n_permutations, "n_permutations", low=1)
    generator = as_generator(random_state)
    return grouped(
        lambda part: _chance(part, test, rule, n_permutations, generator), results, by
    )


def _chance(results, test, rule, n_permutations, generator):
    names = strategy_order(results["strategy"])
    budgets = budgets_table(results, rule)
    shape = (n_permutations, len(names), len(names))
    wins, made = np.zeros(shape), np.zeros(shape)
    setting, orders = None, {}
    for key, weight, table in at_budgets(results, budgets):
        here = tuple(key[name] for name in key if name != "n_labeled")
        if here != setting:
            # A curve keeps its new name at all budgets of its setting.
            setting, orders = here, {}
        scores = np.empty((n_permutations, len(table), len(names)))
        full = table.reindex(columns=names)
        for i, (repeat, row) in enumerate(full.iterrows()):
            there = np.flatnonzero(row.notna())
            deals = orders.setdefault(
                (repeat, tuple(there)),
                generator.permuted(np.tile(there, (n_permutations, 1)), axis=1),
            )
            scores[:, i] = np.nan
            scores[:, i, there] = row.to_numpy()[deals]
        _add(wins, made, scores, weight, test)
    matrix = wins.mean(axis=0)
    possible = (made > 0).any(axis=0)
    matrix[~possible & ~np.eye(len(names), dtype=bool)] = np.nan
    compared = np.maximum(1, (possible | np.eye(len(names), dtype=bool)).sum(axis=0))
    means = wins.sum(axis=1) / compared
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return ChanceMatrix(
        matrix=pd.DataFrame(matrix, index=names, columns=names),
        column_mean=pd.Series(means.mean(axis=0), index=names),
        low=pd.Series(low, index=names),
        high=pd.Series(high, index=names),
        n_settings=int(budgets["used"].sum()),
        n_permutations=n_permutations,
    )


def _add(wins, made, scores, weight, test):
    """Add what one budget gives to wins and comparisons made, for every deal."""
    n_names = scores.shape[2]
    for i in range(n_names):
        for j in range(i):
            difference = scores[:, :, i] - scores[:, :, j]
            there = ~np.isnan(difference)
            n = there.sum(axis=1)
            enough = n >= MIN_REPEATS
            count = np.maximum(n, MIN_REPEATS)
            filled = np.where(there, difference, 0.0)
            mean = filled.sum(axis=1) / count
            spread = np.where(there, difference - mean[:, None], 0.0)
            deviation = np.sqrt((spread**2).sum(axis=1) / (count - 1))
            counts, which = np.unique(count, return_inverse=True)
            limits = np.array([threshold_of(test, m) for m in counts])[which]
            decided = np.abs(mean) * np.sqrt(count) > limits * np.where(
                deviation > TINY, deviation, 0.0
            )
            decided &= enough & (np.abs(mean) > TINY)
            wins[:, i, j] += weight * (decided & (mean > 0))
            wins[:, j, i] += weight * (decided & (mean < 0))
            made[:, i, j] += weight * enough
            made[:, j, i] += weight * enough

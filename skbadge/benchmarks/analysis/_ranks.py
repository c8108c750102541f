"""Ranks in each part of a campaign, and how often one strategy is ahead of another.

Pure functions on the tidy results table; see ``_curves`` for its columns.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from skbadge.benchmarks._methods import KDPP, REFERENCE, strategy_order
from skbadge.benchmarks.analysis._curves import METRIC, SETTING, TINY, check_results
from skbadge.utils._validation import check_integer

__all__ = ["ranks_by_part", "win_shares"]


def ranks_by_part(
    results: pd.DataFrame, *, n_parts: int = 3, metric: str = METRIC
) -> pd.DataFrame:
    """Rank the strategies of each setting in the first, the middle and the last rounds.

    A strategy that is good with few labels need not be with many. The label counts
    after the initial set are divided into parts, and strategies are ranked in each by
    their mean accuracy.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`learning_curves`.
    n_parts : int, default=3
        Parts of a campaign. Where label counts cannot be divided evenly the first parts
        get one more.
    metric : str, default="accuracy"
        The score to rank by, as for :func:`learning_curves`.

    Returns
    -------
    DataFrame
        One row a setting, part and strategy: dataset, model, batch_size, ``part`` (from
        1), ``first`` and ``last`` (its label counts), strategy, ``rank`` (1 is best,
        the mean over repeats), ``gain`` (mean score minus that of ``rand`` in the same
        repeats; NaN without it), ``gain_se`` (its standard error over repeats) and
        ``n_repeats``. Ranks are among the strategies of the setting: average them over
        settings with the same ones only.

    Raises
    ------
    InvalidInputError
        If the table is not as described.

    Notes
    -----
    Ranks are taken in each repeat, whose strategies share split, initial set and
    initial weights, and then averaged; equals share the mean of their ranks. Repeats
    that lack a strategy are left out, and so are label counts that not all cells of the
    other repeats have, the initial one, and settings with fewer counts than parts. The
    k-DPP is no part of it. Parts are those by which [1]_ reports, which ranks means
    over repeats.

    References
    ----------
    .. [1] "BoSS", `arXiv:2603.13109 <https://arxiv.org/abs/2603.13109>`_.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbadge.benchmarks import ranks_by_part
    >>> rows = [("digits", "mlp", 10, name, 0, 10 * (i + 1), accuracy)
    ...         for name, curve in {"rand": [0.1, 0.5, 0.9], "badge": [0.1, 0.6, 0.8]}
    ...         .items() for i, accuracy in enumerate(curve)]
    >>> results = pd.DataFrame(rows, columns=["dataset", "model", "batch_size",
    ...     "strategy", "repeat", "n_labeled", "accuracy"])
    >>> ranks_by_part(results, n_parts=2)[["part", "last", "strategy", "rank"]]
       part  last strategy  rank
    0     1    20    badge   1.0
    1     1    20     rand   2.0
    2     2    30    badge   2.0
    3     2    30     rand   1.0
    """
    results = check_results(results, metric)
    check_integer(n_parts, "n_parts", low=1)
    rows = []
    for setting, names, counts, scores in _complete_cells(results):
        if len(counts) < n_parts:
            continue
        for part, of_part in enumerate(np.array_split(np.arange(len(counts)), n_parts)):
            mean = scores[of_part].mean(axis=0)
            rank = rankdata(-_leveled(mean), axis=0).mean(axis=1)
            if REFERENCE in names:
                gain = mean - mean[names.index(REFERENCE)]
            else:
                gain = np.full_like(mean, np.nan)
            n_repeats = mean.shape[1]
            error = np.full(len(names), np.nan)
            if n_repeats > 1:
                error = gain.std(axis=1, ddof=1) / np.sqrt(n_repeats)
            ends = counts[of_part[0]], counts[of_part[-1]]
            rows += [
                (*setting, part + 1, *ends, *found, n_repeats)
                for found in zip(names, rank, gain.mean(axis=1), error, strict=True)
            ]
    columns = ["part", "first", "last", "strategy", "rank", "gain", "gain_se"]
    return pd.DataFrame(rows, columns=[*SETTING, *columns, "n_repeats"])


def win_shares(results: pd.DataFrame, *, metric: str = METRIC) -> pd.DataFrame:
    """Count in what share of the comparisons each strategy is ahead of each other one.

    Every label count of every repeat of every setting is one comparison, without any
    test of significance: 0.5 says that two strategies are alike.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`learning_curves`.
    metric : str, default="accuracy"
        The score to compare by, as there.

    Returns
    -------
    DataFrame of shape (n_strategies, n_strategies)
        Entry [i, j] is the share in which row i has the higher score than column j,
        equals counted half; NaN on the diagonal and for two that share no setting.

    Raises
    ------
    InvalidInputError
        If the table is not as described.

    See Also
    --------
    penalty_matrix : Counts differences that are more than noise.

    Notes
    -----
    Each setting has the same weight. Label counts and repeats are those of
    :func:`ranks_by_part`. Neighboring label counts of a repeat are no independent
    observations.
    """
    results = check_results(results, metric)
    everything = strategy_order(name for name in results["strategy"] if name != KDPP)
    total = np.zeros((len(everything), len(everything)))
    made = np.zeros_like(total)
    for _, names, _, scores in _complete_cells(results):
        place = np.ix_(*[[everything.index(name) for name in names]] * 2)
        ahead = scores[:, :, None] - scores[:, None]
        share = (ahead > TINY) + 0.5 * (np.abs(ahead) <= TINY)
        total[place] += share.mean(axis=(0, 3))
        made[place] += 1
    np.fill_diagonal(made, 0)
    shares = np.divide(total, made, out=np.full_like(total, np.nan), where=made > 0)
    return pd.DataFrame(shares, index=everything, columns=everything)


def _complete_cells(results):
    """Yield (setting, names, counts, scores) of what all strategies of a setting have.

    Counts are without the initial one; scores have the shape (counts, strategies,
    repeats).
    """
    results = results[results["strategy"] != KDPP]
    for setting, table in results.groupby(SETTING):
        names = strategy_order(table["strategy"])
        there = table.groupby("repeat")["strategy"].nunique()
        repeats = there.index[there == len(names)]
        cells = table[table["repeat"].isin(repeats)].pivot(
            index="n_labeled", columns=["strategy", "repeat"], values="accuracy"
        )
        cells = cells.dropna()
        if len(cells) < 2:
            continue
        cells = cells.iloc[1:]
        columns = pd.MultiIndex.from_product([names, repeats])
        scores = cells.reindex(columns=columns).to_numpy()
        shape = (len(cells), len(names), len(repeats))
        yield setting, names, cells.index.to_numpy(), scores.reshape(shape)


def _leveled(scores):
    """Round what differs by no more than arithmetic does."""
    return np.round(scores, int(-np.log10(TINY)))

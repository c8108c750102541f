"""Which arm a strategy that learns from answers took, part by part of a campaign."""

from __future__ import annotations

import numpy as np
import pandas as pd

from skbadge.benchmarks.analysis._curves import SETTING
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_integer

__all__ = ["arm_shares"]

_READ = [*SETTING, "strategy", "n_labeled"]
_ARM = "arm"


def arm_shares(results: pd.DataFrame, *, n_parts: int = 3) -> pd.DataFrame:
    """Count how often each arm was taken in the first, the middle and the last rounds.

    :class:`~skbadge.ALBL` draws one of several strategies, its arms, for each batch,
    and learns which to trust: where it has learned something, the shares of the last
    part differ from those of the first.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`learning_curves`, with the column ``arm``: the name
        of the arm that chose the batch of the round; missing in rounds before the first
        query and for strategies without arms.
    n_parts : int, default=3
        Parts of a campaign. Where label counts cannot be divided evenly the first parts
        get one more.

    Returns
    -------
    DataFrame
        One row for each setting, strategy, part and arm that the strategy took at any
        time: dataset, model, batch_size, strategy, ``part`` (from 1), ``first`` and
        ``last`` (its label counts), ``arm``, ``share`` of the batches of the part, in
        [0, 1], and ``n_batches``, their number over all repeats. Empty where no arm was
        recorded.

    Raises
    ------
    InvalidInputError
        If the table lacks a column.

    See Also
    --------
    ranks_by_part : The same parts of a campaign, for accuracies.

    Notes
    -----
    Rounds without a record count nowhere: results of earlier versions have none. A
    setting with fewer label counts than parts is left out.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbadge.benchmarks import arm_shares
    >>> results = pd.DataFrame({
    ...     "dataset": "digits", "model": "mlp", "batch_size": 10, "strategy": "albl",
    ...     "repeat": 0, "n_labeled": [10, 20, 30, 40, 50],
    ...     "arm": [None, "CoreSet", "LeastConfidence", "CoreSet", "CoreSet"]})
    >>> arm_shares(results, n_parts=2)[["part", "last", "arm", "share"]]
       part  last              arm  share
    0     1    30          CoreSet    0.5
    1     1    30  LeastConfidence    0.5
    2     2    50          CoreSet    1.0
    3     2    50  LeastConfidence    0.0
    """
    missing = [name for name in [*_READ, _ARM] if name not in results]
    if missing:
        raise InvalidInputError(
            f"results must have the columns {', '.join([*_READ, _ARM])}. Missing: "
            f"{', '.join(missing)}."
        )
    check_integer(n_parts, "n_parts", low=1)
    rows = []
    known = results[results[_ARM].notna()]
    for (*setting, strategy), table in known.groupby([*SETTING, "strategy"]):
        counts = np.unique(table["n_labeled"])
        if len(counts) < n_parts:
            continue
        for part, of_part in enumerate(np.array_split(counts, n_parts), start=1):
            taken = table.loc[table["n_labeled"].isin(of_part), _ARM].value_counts()
            key = (*setting, strategy, part, of_part[0], of_part[-1])
            rows += [
                (*key, arm, taken.get(arm, 0) / taken.sum(), taken.sum())
                for arm in sorted(table[_ARM].unique())
            ]
    columns = ["strategy", "part", "first", "last", "arm", "share", "n_batches"]
    return pd.DataFrame(rows, columns=[*SETTING, *columns])

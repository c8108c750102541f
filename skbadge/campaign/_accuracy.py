"""How good a model is, from the labels that its own batch brought."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbadge.campaign._state import Batch, State
from skbadge.exceptions import InvalidInputError
from skbadge.stopping._labels import exact_interval
from skbadge.utils._validation import check_integer

__all__ = ["accuracy_table", "lure", "share_size", "windowed"]

COLUMNS = {
    "round": "Int64",
    "training": "Int64",
    "n_labeled": "Int64",
    "n_population": "Int64",
    "n_random": "Int64",
    "n_scored": "Int64",
    "n_skipped": "Int64",
    "n_missed": "Int64",
    "n_correct": "Int64",
    "accuracy": "float64",
    "low": "float64",
    "high": "float64",
    "lure": "float64",
    "lure_error": "float64",
    "n_lure": "Int64",
}


def share_size(n: int, share: float, u: float) -> int:
    """Return how many of ``n`` rows are drawn at random: the share in expectation.

    Parameters
    ----------
    n : int
        Size of the batch.
    share : float in [0, 1]
    u : float in [0, 1)
        Drawn once a batch; the same one for a longer batch never takes rows away.

    Returns
    -------
    int
    """
    return min(n, int(np.floor(n * share + u)))


def lure(
    loss: ArrayLike, draw_probability: ArrayLike, n_population: int
) -> tuple[float, float]:
    """Estimate the mean loss of a population from rows drawn with known probabilities.

    Unbiased without replacement, where the loss is that of a model that has not learned
    from the rows, and every row that is left has a chance at every draw (LURE [1]_).

    Parameters
    ----------
    loss : array-like of shape (n_drawn,)
        Loss of each row drawn, in the order of the draws.
    draw_probability : array-like of shape (n_drawn,)
        Probability in (0, 1] of each draw, given those before it.
    n_population : int
        Number of rows that could be drawn.

    Returns
    -------
    estimate : float
        Not bound to the range of the losses: of errors, it can be above 1.
    error : float
        Standard error, from the spread of the weighted losses; NaN for one row.

    Raises
    ------
    InvalidInputError
        If there is no row, or a probability is none.

    Notes
    -----
    ``v_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1)``, and 1 for ``M = N``;
    the estimate is the mean of ``v_m loss_m``. A row that cannot be drawn counts as one
    without a loss. With tiny ``q_m`` a single row can outweigh all others.

    The error is this library's: it takes the terms as independent with one mean. Where
    the probabilities are near each other, twice the error on both sides holds the truth
    about as often as one expects. Where they differ much it is far too small, since
    the draws rarely have a row of a large weight among them.

    References
    ----------
    .. [1] Farquhar, Gal, Rainforth, "On statistical bias in active learning: how and
       when to fix it", `arXiv:2101.11665 <https://arxiv.org/abs/2101.11665>`_.

    Examples
    --------
    >>> from skbadge.campaign import lure
    >>> lure([1, 0, 1, 1], [1 / 10, 1 / 9, 1 / 8, 1 / 7], 10)
    (0.75, 0.25)
    """
    loss = np.asarray(loss, dtype=np.float64)
    q = np.asarray(draw_probability, dtype=np.float64)
    n_drawn = len(loss)
    check_integer(n_population, "n_population", low=max(n_drawn, 1))
    if not n_drawn or q.shape != loss.shape or not ((q > 0) & (q <= 1)).all():
        raise InvalidInputError(
            "draw_probability must hold a probability in (0, 1] for each of at least "
            f"one row. Got {n_drawn} losses and probabilities of shape {q.shape} "
            "instead."
        )
    left = n_population - np.arange(1, n_drawn + 1, dtype=np.float64)
    # Where nothing is left, nothing was left out either: weight 1.
    factor = np.divide(n_population - n_drawn, left, where=left > 0, out=left * 0)
    terms = (1 + factor * (1 / ((left + 1) * q) - 1)) * loss
    error = terms.std(ddof=1) / np.sqrt(n_drawn) if n_drawn > 1 else np.nan
    return float(terms.mean()), float(error)


def accuracy_table(state: State) -> pd.DataFrame:
    """Score each batch by the model that chose it, before that learned from it.

    Parameters
    ----------
    state : State

    Returns
    -------
    DataFrame with one row a batch that a trained model chose

    Notes
    -----
    A row counts if its label came while the batch was out, the last one and not closed.
    A row that is labelled later was picked by a later strategy, or by somebody; with
    such rows the share would be no random sample. For the same reason a batch that is
    over has no estimate where part of its share was left without an answer, or where
    the share of a batch made longer met rows that had been labelled unasked.
    """
    labels = state.labels
    sizes = {t["number"]: t["n_labeled"] for t in state.trainings}
    records = []
    for batch in state.batches:
        if not batch.training:
            continue
        random = batch.random
        missed = [id for id in random if id in state.present and id not in batch.heard]
        n_missed = len(missed) + batch.n_unasked
        scored = []
        if not n_missed or not state.is_over(batch):
            scored = [id for id in random if batch.heard.get(id) and id in labels]
        correct = sum(batch.items[id]["predicted"] == labels[id] for id in scored)
        low, high = exact_interval(correct, len(scored))
        estimate, error, n_lure = _lure_of(batch, labels)
        records.append(
            {
                "round": batch.number,
                "training": batch.training,
                "n_labeled": sizes[batch.training],
                "n_population": batch.n_candidates,
                "n_random": len(random) + batch.n_unasked,
                "n_scored": len(scored),
                "n_skipped": sum(id in state.skipped for id in random),
                "n_missed": n_missed,
                "n_correct": correct,
                "accuracy": correct / len(scored) if scored else np.nan,
                "low": low,
                "high": high,
                "lure": 1 - estimate,
                "lure_error": error,
                "n_lure": n_lure,
            }
        )
    return pd.DataFrame(records, columns=list(COLUMNS)).astype(COLUMNS)


def _lure_of(batch: Batch, labels: dict[str, Any]) -> tuple[float, float, int]:
    """Return the estimate from all draws; NaN where one got no label in time."""
    drawn = [id for id, _ in batch.draws]
    if not drawn or not all(batch.heard.get(id) and id in labels for id in drawn):
        return np.nan, np.nan, 0
    loss = [batch.items[id]["predicted"] != labels[id] for id in drawn]
    q = [probability for _, probability in batch.draws]
    return (*lure(loss, q, batch.n_candidates), len(drawn))


def windowed(table: pd.DataFrame, window: int) -> pd.DataFrame:
    """Pool the random shares of the last ``window`` rounds, row by row.

    Parameters
    ----------
    table : DataFrame
        As of `accuracy_table`.
    window : int
        Number of rounds.

    Returns
    -------
    DataFrame
        With ``n_scored``, ``n_correct``, ``accuracy``, ``low`` and ``high`` of the
        rounds together: an average over their models, weighted by the rows scored.
    """
    check_integer(window, "window", low=1)
    if window == 1 or table.empty:
        return table
    sums = table[["n_scored", "n_correct"]].astype("int64")
    sums = sums.rolling(window, min_periods=1).sum().astype("int64")
    bounds = [
        exact_interval(correct, n)
        for n, correct in sums.itertuples(index=False, name=None)
    ]
    low, high = zip(*bounds, strict=True)
    scored = sums["n_scored"].to_numpy(dtype=np.float64)
    shares = np.divide(
        sums["n_correct"], scored, where=scored > 0, out=np.full(len(sums), np.nan)
    )
    return table.assign(
        n_scored=sums["n_scored"].astype("Int64"),
        n_correct=sums["n_correct"].astype("Int64"),
        accuracy=shares,
        low=low,
        high=high,
    )

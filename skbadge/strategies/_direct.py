"""DIRECT: rows around the one best threshold of each class, rare classes first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.strategies._base import QueryStrategy

__all__ = ["DIRECT"]


class DIRECT(QueryStrategy):
    r"""Choose rows around the best threshold of each class, rare classes first.

    For each class, all rows are ranked by how much the net prefers it, and one
    threshold separates its labelled rows from the others with the fewest mistakes.
    Half of the batch narrows down where that threshold is, the other half lies on both
    sides of it. Every class has the same share, so that rare ones are found; and since
    one mistaken label hardly moves the threshold, some noise does no harm.

    See Also
    --------
    ClassQuota : Shares of predicted classes around any strategy.

    Notes
    -----
    Rows are ranked by :math:`p_k - \max_{j \ne k} p_j`. A threshold is best where the
    labelled rows of class k above it outnumber the others above it most [1]_; between
    the first and the last such place lies the interval in which the threshold is still
    open. Classes take turns, the one with fewest labelled rows first. The picks of a
    class are in turn a row of the interval, of which evenly spaced ones are taken, and
    the row nearest in rank to the middle of the interval, on either side in turn. A row
    that another class has taken is passed over; where the interval has no more rows,
    the rows nearest to its middle follow.

    Differences: the paper asks for labels in several parts within a batch, the interval
    shrinking after each; here no label of the batch is known before all of it is
    chosen, and the interval is cut into equal parts instead. A batch is made for its
    size: smaller batches are not its beginning. Scores are None. Cost:
    O(K n_pool log n_pool).

    References
    ----------
    .. [1] Nuggehalli, Zhang, Jain and Nowak, "DIRECT: Deep Active Learning under
       Imbalance and Label Noise", `arXiv:2312.09196
       <https://arxiv.org/abs/2312.09196>`_.

    Examples
    --------
    Of the second class, one row is labelled; it takes the first turn:

    >>> from skbadge import DIRECT
    >>> from skbadge.strategies import Outputs
    >>> labeled = Outputs.of(proba=[[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], y=[0, 0, 1])
    >>> proba = [[0.95, 0.05], [0.5, 0.5], [0.1, 0.9], [0.8, 0.2]]
    >>> DIRECT().select(Outputs.of(proba=proba, labeled=labeled), n=1).indices
    array([1])
    """

    needs = Needs(proba=True, labeled=Needs(proba=True))
    traits = Traits(nested=False, needs_labels=True)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        scores = _preferences(outputs.proba)
        known, y = _preferences(outputs.labeled.proba), outputs.labeled.y.cpu().numpy()
        n_classes = scores.shape[1]
        counts = np.bincount(y, minlength=n_classes)[:n_classes]
        # Equal scores come in this order: sorts that keep it need no second key.
        shuffled = np.argsort(generator.permutation(outputs.n_pool))
        turns = np.argsort(counts, kind="stable")[:n]
        share = -(-n // n_classes)
        wanted = [
            _wanted(scores[:, k], shuffled, _open_interval(known[:, k], y == k), share)
            for k in turns
        ]
        taken = np.zeros(outputs.n_pool, dtype=bool)
        chosen: list[int] = []
        while len(chosen) < n:
            for rows in wanted[: n - len(chosen)]:
                row = next(row for row in rows if not taken[row])
                taken[row] = True
                chosen.append(row)
        return Selection(np.array(chosen, dtype=np.intp))


def _preferences(proba: torch.Tensor) -> np.ndarray:
    """Return p_k - max of the others for each row and class."""
    table = proba.double().cpu().numpy()
    if table.shape[1] == 1:
        return table
    top = np.partition(table, -2, axis=1)[:, -2:]
    others = np.where(table == top[:, 1:], top[:, :1], top[:, 1:])
    return table - others


def _open_interval(known: np.ndarray, is_class: np.ndarray) -> tuple[float, float]:
    """Return the scores between which the best threshold of a class lies."""
    values, group = np.unique(-known, return_inverse=True)
    # What a threshold below the first i distinct scores has above it.
    balance = np.bincount(group, weights=np.where(is_class, 1.0, -1.0))
    balance = np.concatenate([[0.0], np.cumsum(balance)])
    best = np.flatnonzero(balance == balance.max())
    edges = np.concatenate([[np.inf], -values, [-np.inf]])
    return edges[best[-1] + 1], edges[best[0]]


def _wanted(
    scores: np.ndarray, shuffled: np.ndarray, interval: tuple[float, float], share: int
) -> Iterator[int]:
    """Yield rows of a class as they are wanted; each row comes at some time."""
    low, high = interval
    falling = -scores[shuffled]
    by_rank = np.argsort(falling, kind="stable")
    order, ranked = shuffled[by_rank], falling[by_rank]
    start = int(np.searchsorted(ranked, -high, "left"))
    stop = int(np.searchsorted(ranked, -low, "right"))
    n_spread = min((share + 1) // 2, stop - start)
    spread = start + (np.arange(n_spread) * 2 + 1) * (stop - start) // (
        2 * n_spread or 1
    )
    around = _around((start + stop) // 2, len(order))
    for rank in spread.tolist():
        yield int(order[rank])
        yield int(order[next(around)])
    for rank in around:
        yield int(order[rank])


def _around(middle: int, n: int) -> Iterator[int]:
    """Yield all ranks, those nearest to the middle first, on either side in turn."""
    middle = min(middle, n - 1)
    yield middle
    for gap in range(1, n):
        if middle + gap < n:
            yield middle + gap
        if middle - gap >= 0:
            yield middle - gap

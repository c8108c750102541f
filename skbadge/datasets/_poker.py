"""A stand-in for the poker data: a random subset of all five-card hands."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from skbadge.datasets._registry import DATASETS
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_integer

__all__ = ["make_poker_hands"]

_N_HANDS = 2_598_960
_HANDS = [
    "nothing",
    "one pair",
    "two pairs",
    "three of a kind",
    "straight",
    "flush",
    "full house",
    "four of a kind",
    "straight flush",
    "royal flush",
]
# Which class a hand is by the number of pairs of equal rank among its ten pairs.
_CLASS_BY_PAIRS = np.array([0, 1, 2, 3, 6, 0, 7], dtype=np.uint8)


@overload
def make_poker_hands(
    n_samples: int = 829_201,
    *,
    random_state: Seed = 0,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def make_poker_hands(
    n_samples: int = 829_201, *, random_state: Seed = 0, return_X_y: Literal[True]
) -> tuple[np.ndarray, np.ndarray]: ...
def make_poker_hands(
    n_samples: int = 829_201, *, random_state: Seed = 0, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make a stand-in for the pokerhand data set (OpenML 155).

    The original holds 829,201 of the 2,598,960 hands of five cards, ten features each.
    This holds a random subset of the same size, so the task, the features and the very
    uneven classes are alike, but **the rows are not those of OpenML 155**, and figures
    obtained on one are not figures for the other. Nothing is downloaded.

    Parameters
    ----------
    n_samples : int, default=829_201
        How many different hands, at most 2,598,960.
    random_state : int, Generator, RandomState or None, default=0
        Chooses the hands and their order.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        With the entries

        data : ndarray of shape (n_samples, 10), float32
            Suit (1 hearts, 2 spades, 3 diamonds, 4 clubs) and rank, (r - 1) / 12 for r
            from 1 (ace) to 13 (king), of five cards in ascending order of rank, then
            suit.
        target : ndarray of shape (n_samples,), int64
            0 nothing to 9 royal flush. Among all hands these are 1302540, 1098240,
            123552, 54912, 10200, 5108, 3744, 624, 36 and 4. A sample can lack the
            rarest.
        target_names : list of str
            One name a class.
        feature_names : list of str
            One name a column.
        DESCR : str
            What the data are.

    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    InvalidInputError
        If ``n_samples`` is no int in [1, 2_598_960].

    Notes
    -----
    The scaling of ranks and the order of the cards are assumptions about the original.
    It takes about a second.

    Examples
    --------
    >>> from skbadge.datasets import make_poker_hands
    >>> hands = make_poker_hands(1000)
    >>> hands.data.shape, hands.target_names[1]
    ((1000, 10), 'one pair')
    """
    n_samples = check_integer(n_samples, "n_samples", low=1, high=_N_HANDS)
    rng = as_generator(random_state)
    # Cards are 4 * rank + suit, both from 0: ascending cards are ascending ranks.
    numbers = chain.from_iterable(combinations(range(52), 5))
    cards = np.fromiter(numbers, dtype=np.uint8, count=5 * _N_HANDS).reshape(-1, 5)
    cards = cards[rng.permutation(_N_HANDS)[:n_samples]]
    ranks, suits = np.divmod(cards, 4)
    data = np.empty((n_samples, 10), dtype=np.float32)
    data[:, 0::2] = suits + 1
    data[:, 1::2] = ranks / np.float32(12)
    target = _classify(ranks, suits).astype(np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=list(_HANDS),
        feature_names=[
            f"{part}_{card}" for card in range(1, 6) for part in ("suit", "rank")
        ],
        DESCR=DATASETS["poker_hands"].describe(),
    )


def _classify(ranks: np.ndarray, suits: np.ndarray) -> np.ndarray:
    """Return the class of each hand, given its ranks (ascending, ace 0) and suits."""
    n_pairs = np.zeros(len(ranks), dtype=np.uint8)
    for one, two in combinations(range(5), 2):
        n_pairs += ranks[:, one] == ranks[:, two]
    result = _CLASS_BY_PAIRS[n_pairs]
    flush = (suits == suits[:, :1]).all(axis=1)
    royal = (ranks == np.array([0, 9, 10, 11, 12])).all(axis=1)
    straight = (n_pairs == 0) & ((ranks[:, 4] - ranks[:, 0] == 4) | royal)
    result[straight] = 4
    result[flush] = 5
    result[straight & flush] = 8
    result[royal & flush] = 9
    return result

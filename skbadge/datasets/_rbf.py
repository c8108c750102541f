"""The RandomRBF stream of MOA, regenerated from Java's random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from skbadge.datasets._registry import DATASETS
from skbadge.utils._validation import check_integer

__all__ = ["make_random_rbf"]

_N_CENTERS, _N_FEATURES, _N_CLASSES, _SEED = 50, 10, 5, 1
_MULTIPLIER, _INCREMENT = 0x5DEECE66D, 0xB
_MASK = (1 << 48) - 1
_BLOCK = 1 << 20
# A row starts with 11 uniform numbers: one picks the center, ten the direction.
_N_UNIFORM = 1 + _N_FEATURES


@overload
def make_random_rbf(
    n_samples: int = 1_000_000, *, return_X_y: Literal[False] = False
) -> Bunch: ...
@overload
def make_random_rbf(
    n_samples: int = 1_000_000, *, return_X_y: Literal[True]
) -> tuple[np.ndarray, np.ndarray]: ...
def make_random_rbf(
    n_samples: int = 1_000_000, *, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make the RandomRBF_0_0 data set (OpenML 156) from its random numbers.

    Fifty centers have random places, classes, spreads and weights. A row picks a center
    by weight, a random direction, and a normally distributed distance along it; its
    class is the center's. Nothing is downloaded: Java's random numbers are made again,
    in 2 to 3 seconds for all rows. Known of the original and reproduced here are its
    class counts and its first labels, which speak for the same numbers; the values were
    not compared.

    Parameters
    ----------
    n_samples : int, default=1_000_000
        How many rows. Fewer rows are the first rows of the whole set.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        With the entries

        data : ndarray of shape (n_samples, 10), float64
            Most (88%) in [0, 1], not clipped.
        target : ndarray of shape (n_samples,), int64
            0 to 4; 261174, 166315, 179702, 92713 and 300096 times.
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
        If ``n_samples`` is no int in [1, 1_000_000].

    Notes
    -----
    The generator is Java's ``java.util.Random`` (linear congruential, 48 bits) with
    seed 1, once for the centers and once for the rows. Normal numbers come from the
    polar method, which gives two at a time, so rows are made in pairs. A logarithm can
    differ from Java's in the last bit, and with it a feature by some 1e-16; classes are
    identical. Memory: about 300 MB at the peak for all rows.

    References
    ----------
    Bifet, Holmes, Kirkby, Pfahringer. *MOA: Massive Online Analysis.* Journal of
    Machine Learning Research 11, 2010.

    Examples
    --------
    >>> from skbadge.datasets import make_random_rbf
    >>> make_random_rbf(20).target
    array([4, 2, 0, 4, 0, 1, 4, 4, 2, 3, 3, 2, 4, 4, 2, 4, 4, 4, 4, 2])
    """
    n_samples = check_integer(n_samples, "n_samples", low=1, high=1_000_000)
    centers, classes, spreads, weights = _make_centers()
    n_pairs = -(-n_samples // 2)
    uniform, firsts, accepted = _pair_positions(n_pairs)
    data = np.empty((2 * n_pairs, _N_FEATURES))
    target = np.empty(2 * n_pairs, dtype=np.int64)
    bounds = np.cumsum(weights)
    normals = _polar(uniform, accepted)
    # The second row of a pair starts after the two numbers that the polar method took.
    for half, starts in enumerate((firsts, accepted + 2)):
        for begin in range(0, n_pairs, _BLOCK // 16):
            part = slice(begin, begin + _BLOCK // 16)
            drawn = uniform[starts[part, None] + np.arange(_N_UNIFORM)]
            center = np.searchsorted(bounds, drawn[:, 0] * bounds[-1], side="right")
            direction = 2.0 * drawn[:, 1:] - 1.0
            length = np.sqrt(np.sum(direction**2, axis=1))
            step = normals[half][part] * spreads[center] / length
            rows = slice(2 * begin + half, 2 * (begin + len(drawn)), 2)
            data[rows] = centers[center] + direction * step[:, None]
            target[rows] = classes[center]
    data, target = data[:n_samples], target[:n_samples]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=[f"class{number}" for number in range(1, _N_CLASSES + 1)],
        feature_names=[f"att{number}" for number in range(1, _N_FEATURES + 1)],
        DESCR=DATASETS["random_rbf"].describe(),
    )


class _JavaRandom:
    """Java's ``java.util.Random``, one number at a time."""

    def __init__(self, seed: int) -> None:
        self.state = (seed ^ _MULTIPLIER) & _MASK

    def next_bits(self, n_bits: int) -> int:
        self.state = (self.state * _MULTIPLIER + _INCREMENT) & _MASK
        return self.state >> (48 - n_bits)

    def next_double(self) -> float:
        high = self.next_bits(26) << 27
        return (high + self.next_bits(27)) * 2.0**-53

    def next_int(self, bound: int) -> int:
        while True:
            bits = self.next_bits(31)
            # The last block of 31-bit numbers is incomplete, and would favor the small.
            if bits - bits % bound + bound <= 1 << 31:
                return bits % bound


def _make_centers() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = _JavaRandom(_SEED)
    centers = np.empty((_N_CENTERS, _N_FEATURES))
    classes = np.empty(_N_CENTERS, dtype=np.int64)
    spreads, weights = np.empty(_N_CENTERS), np.empty(_N_CENTERS)
    for i in range(_N_CENTERS):
        centers[i] = [random.next_double() for _ in range(_N_FEATURES)]
        classes[i] = random.next_int(_N_CLASSES)
        spreads[i] = random.next_double()
        weights[i] = random.next_double()
    return centers, classes, spreads, weights


def _jump(n_steps: int) -> tuple[np.uint64, np.uint64]:
    """Return (a, c) such that n steps of the generator are ``s -> a s + c``."""
    a, c, power_a, power_c = 1, 0, _MULTIPLIER, _INCREMENT
    while n_steps:
        if n_steps & 1:
            a, c = a * power_a & _MASK, (c * power_a + power_c) & _MASK
        power_a, power_c = power_a * power_a & _MASK, (power_a + 1) * power_c & _MASK
        n_steps >>= 1
    return np.uint64(a), np.uint64(c)


def _java_doubles(seed: int, n: int) -> np.ndarray:
    """Return the first n numbers of ``nextDouble``, many states at a time.

    uint64 arithmetic wraps at 2^64, a multiple of 2^48, so the low 48 bits are right.
    """
    mask = np.uint64(_MASK)
    states = np.empty(_BLOCK, dtype=np.uint64)
    states[0] = (((seed ^ _MULTIPLIER) & _MASK) * _MULTIPLIER + _INCREMENT) & _MASK
    filled = 1
    while filled < _BLOCK:
        a, c = _jump(filled)
        states[filled : 2 * filled] = (states[:filled] * a + c) & mask
        filled *= 2
    a, c = _jump(_BLOCK)
    doubles = np.empty(n)
    for begin in range(0, n, _BLOCK // 2):
        high = (states[0::2] >> np.uint64(22)) << np.uint64(27)
        part = (high + (states[1::2] >> np.uint64(21))) * 2.0**-53
        doubles[begin : begin + _BLOCK // 2] = part[: n - begin]
        states = (states * a + c) & mask
    return doubles


def _pair_positions(n_pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find where in the stream each pair of rows has its numbers.

    Returns
    -------
    uniform : ndarray of shape (n,)
        The stream of uniform numbers.
    firsts : ndarray of shape (n_pairs,)
        Position of the first number of the first row of each pair.
    accepted : ndarray of shape (n_pairs,)
        Position of the two numbers that the polar method accepted for the pair.
    """
    # 22 numbers for the two rows and 2 for each of about 4 / pi tries; some to spare.
    n = int(n_pairs * (2 * _N_UNIFORM + 8 / math.pi) + 12 * math.sqrt(n_pairs)) + 64
    while True:
        uniform = _java_doubles(_SEED, n)
        # A pair takes an even count of numbers, so tries start at odd positions.
        radius_sq = (2.0 * uniform[1:-1:2] - 1.0) ** 2
        radius_sq += (2.0 * uniform[2::2] - 1.0) ** 2
        n_tries = len(radius_sq)
        number = np.arange(n_tries, dtype=np.int32)
        number[(radius_sq >= 1.0) | (radius_sq == 0.0)] = n_tries
        # next_good[k]: the first accepted try from the k-th on; n_tries if none.
        next_good = np.ascontiguousarray(np.minimum.accumulate(number[::-1])[::-1])
        tries = _follow(next_good.data, n_pairs)
        if tries is not None:
            accepted = 2 * tries + 1
            firsts = np.concatenate([[0], accepted[:-1] + 2 + _N_UNIFORM])
            return uniform, firsts, accepted
        n *= 2


def _follow(next_good: Sequence[int], n_pairs: int) -> np.ndarray | None:
    """Go from pair to pair; None if the stream ends before the last."""
    tries = np.empty(n_pairs, dtype=np.int64)
    start = 0
    for pair in range(n_pairs):
        # First try: 11 numbers after the pair's start at 2 * start.
        first_try = start + _N_UNIFORM // 2
        if first_try >= len(next_good):
            return None
        accepted = next_good[first_try]
        if accepted == len(next_good):
            return None
        tries[pair] = accepted
        # Past the two accepted numbers and the 11 of the second row.
        start = accepted + (3 + _N_UNIFORM) // 2
    # The last row's own 11 numbers must be there as well.
    return tries if start <= len(next_good) else None


def _polar(uniform: np.ndarray, accepted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two normal numbers of each accepted try."""
    one = 2.0 * uniform[accepted] - 1.0
    two = 2.0 * uniform[accepted + 1] - 1.0
    radius_sq = one * one + two * two
    factor = np.sqrt(-2.0 * np.log(radius_sq) / radius_sq)
    return one * factor, two * factor

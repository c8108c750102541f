"""Sets made without a network are the originals, or the stand-in they claim to be."""

import hashlib

import numpy as np
import pytest

from skbadge.datasets import load_digits, make_krk_endgame, make_poker_hands
from skbadge.datasets import make_random_rbf as make_rbf
from skbadge.exceptions import InvalidInputError


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


@pytest.fixture(scope="module")
def krk():
    return make_krk_endgame()


def test_krk_rows_are_always_the_same(krk):
    table = np.column_stack([krk.data, krk.target]).astype(np.uint8)
    assert table.shape == (28_056, 7)
    assert sha256(table) == (
        "d62e49b5991b5e57e92d96bb0177c647363c3bc7e7cdf601238546e6b09090d5"
    )


def test_krk_counts_and_names(krk):
    assert dict(zip(krk.target_names, np.bincount(krk.target), strict=True)) == {
        "draw": 2796, "zero": 27, "one": 78, "two": 246, "three": 81, "four": 198,
        "five": 471, "six": 592, "seven": 683, "eight": 1433, "nine": 1712,
        "ten": 1985, "eleven": 2854, "twelve": 3597, "thirteen": 4194,
        "fourteen": 4553, "fifteen": 2166, "sixteen": 390,
    }  # fmt: skip
    assert krk.feature_names[:2] == ["white_king_col", "white_king_row"]
    assert (krk.data.dtype, krk.target.dtype) == (np.uint8, np.int64)


def test_krk_mates_are_mates(krk):
    """Each row of class "zero" is mate, by rules written down anew."""
    mates = krk.data[krk.target == 1].astype(int)
    assert len(mates) == 27
    for king_col, king_row, rook_col, rook_row, col, row in mates:
        for c, r in [(col + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
            if not (1 <= c <= 8 and 1 <= r <= 8):
                continue
            beside_king = max(abs(c - king_col), abs(r - king_row)) <= 1
            on_line = (c == rook_col) != (r == rook_row)
            # In a mate by the rook alone the white king never stands in its way.
            assert beside_king or on_line


def test_rbf_is_the_original():
    data = make_rbf()
    assert data.data.shape == (1_000_000, 10)
    assert np.bincount(data.target).tolist() == [261174, 166315, 179702, 92713, 300096]
    assert sha256(data.target.astype(np.uint8)) == (
        "9bfe2218e717e5d204785dbdca52be55e42dceb9dca385334c85f2ea963fa0d2"
    )
    first, target = make_rbf(1001, return_X_y=True)
    np.testing.assert_array_equal(first, data.data[:1001])
    np.testing.assert_array_equal(target, data.target[:1001])


class SlowJavaRandom:
    """java.util.Random as its documentation gives it."""

    def __init__(self, seed):
        self.state = (seed ^ 0x5DEECE66D) % 2**48
        self.spare = None

    def next_bits(self, n):
        self.state = (self.state * 0x5DEECE66D + 0xB) % 2**48
        return self.state // 2 ** (48 - n)

    def next_double(self):
        return (self.next_bits(26) * 2**27 + self.next_bits(27)) / 2**53

    def next_int(self, n):
        while True:
            bits = self.next_bits(31)
            value = bits % n
            if bits - value + n - 1 < 2**31:
                return value

    def next_gaussian(self):
        if self.spare is not None:
            value, self.spare = self.spare, None
            return value
        while True:
            a, b = 2 * self.next_double() - 1, 2 * self.next_double() - 1
            s = a * a + b * b
            if 0 < s < 1:
                factor = np.sqrt(-2 * np.log(s) / s)
                self.spare = b * factor
                return a * factor


def test_rbf_is_the_slow_generator():
    random = SlowJavaRandom(1)
    centers = []
    for _ in range(50):
        place = np.array([random.next_double() for _ in range(10)])
        label = random.next_int(5)
        centers.append((place, label, random.next_double(), random.next_double()))
    total = sum(weight for *_, weight in centers)
    random = SlowJavaRandom(1)
    X, y = make_rbf(301, return_X_y=True)
    for row, label in zip(X, y, strict=True):
        left = random.next_double() * total
        for center in centers:
            left -= center[3]
            if left < 0:
                break
        direction = np.array([2 * random.next_double() - 1 for _ in range(10)])
        length = random.next_gaussian() * center[2]
        expected = center[0] + direction * length / np.linalg.norm(direction)
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-13)
        assert label == center[1]


@pytest.mark.parametrize("n_samples", [1, 2, 3])
def test_rbf_takes_odd_and_small_sizes(n_samples):
    X, y = make_rbf(n_samples, return_X_y=True)
    assert X.shape == (n_samples, 10)
    assert y.tolist() == [4, 2, 0][:n_samples]


def test_poker_totals_are_those_of_combinatorics():
    X, target = make_poker_hands(2_598_960, return_X_y=True)
    assert np.bincount(target).tolist() == [
        1302540, 1098240, 123552, 54912, 10200, 5108, 3744, 624, 36, 4,
    ]  # fmt: skip
    cards = (X[:, 0::2] - 1 + 4 * np.rint(X[:, 1::2] * 12)).astype(np.int64)
    assert len(np.unique(cards @ 52 ** np.arange(5))) == 2_598_960, "no hand twice"


def slow_hand(suits, ranks):
    """Return the class of a hand by the rules of poker; ranks 1 to 13."""
    ranks = sorted(ranks)
    groups = sorted((ranks.count(rank) for rank in set(ranks)), reverse=True)
    flush = len(set(suits)) == 1
    royal = ranks == [1, 10, 11, 12, 13]
    straight = royal or (groups == [1] * 5 and ranks[4] - ranks[0] == 4)
    if flush and royal:
        return "royal flush"
    if flush and straight:
        return "straight flush"
    if groups == [4, 1]:
        return "four of a kind"
    if groups == [3, 2]:
        return "full house"
    if flush:
        return "flush"
    if straight:
        return "straight"
    return {
        (3, 1, 1): "three of a kind",
        (2, 2, 1): "two pairs",
        (2, 1, 1, 1): "one pair",
        (1, 1, 1, 1, 1): "nothing",
    }[tuple(groups)]


def test_poker_classes_are_the_rules_of_poker():
    data = make_poker_hands(random_state=3)
    assert data.data.shape == (829_201, 10)
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(data.target == label), 20)
            for label in np.unique(data.target)
        ]
    )
    for row in rows:
        suits = data.data[row, 0::2].astype(int).tolist()
        ranks = np.rint(data.data[row, 1::2] * 12 + 1).astype(int).tolist()
        cards = list(zip(ranks, suits, strict=True))
        assert cards == sorted(set(cards)), "five different cards, in order"
        assert data.target_names[data.target[row]] == slow_hand(suits, ranks)


def test_poker_is_a_seeded_stand_in():
    one, two = (make_poker_hands(50, random_state=seed).data for seed in (0, 0))
    np.testing.assert_array_equal(one, two)
    other = make_poker_hands(50, random_state=1)
    assert not np.array_equal(one, other.data)
    assert "stand-in" in other.DESCR
    assert len({tuple(row) for row in other.data}) == 50


def test_digits_are_those_of_scikit_learn():
    data = load_digits()
    assert data.data.shape == (1797, 64)
    assert data.data.max() == 16
    assert np.bincount(data.target).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    X, y = load_digits(return_X_y=True)
    assert (X.dtype, y.dtype) == (np.uint8, np.int64)


@pytest.mark.parametrize(
    "make, n_samples", [(make_rbf, 0), (make_rbf, 1_000_001), (make_poker_hands, 0.5)]
)
def test_sizes_are_checked(make, n_samples):
    with pytest.raises(InvalidInputError, match="^n_samples must be an int in"):
        make(n_samples)

"""Rows that are read when asked for: flat after any number of rounds."""

import pickle

import numpy as np
import pytest
from torch.utils.data import ConcatDataset, Dataset, Subset

from skbadge import take
from skbadge.utils._lazy import PickedRows
from skbadge.utils._rows import join, n_rows


class Pairs(Dataset):
    """Pairs of a row and a label."""

    def __init__(self, first, n):
        self.first, self.n = first, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(i)
        return self.first + i, 0


class Items:
    """Rows alone, of no torch class."""

    def __init__(self, first, n):
        self.first, self.n = first, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(i)
        return self.first + i


def values(X):
    rows = [X[i] for i in range(n_rows(X))]
    return [row[0] if isinstance(row, tuple) else row for row in rows]


def depth(X):
    """Count how many data sets stand around the one that reads."""
    if isinstance(X, Subset):
        return 1 + depth(X.dataset)
    if isinstance(X, ConcatDataset):
        return 1 + max(map(depth, X.datasets))
    if isinstance(X, PickedRows):
        return 1 + max(depth(source) for source, _ in X.pieces)
    return 0


@pytest.mark.parametrize("make", [Pairs, Items])
@pytest.mark.parametrize("seed", range(5))
def test_any_sequence_of_takes_and_joins(make, seed):
    rng = np.random.default_rng(seed)
    X, known = make(0, 30), list(range(30))
    sources = [(make(100 * i, 20), list(range(100 * i, 100 * i + 20))) for i in (1, 2)]
    for _ in range(60):
        move = rng.integers(4)
        if move == 0:
            rows = rng.permutation(len(known))[: max(1, len(known) - 2)]
            X, known = take(X, rows), [known[i] for i in rows]
        elif move == 1:
            cut = slice(*sorted(rng.integers(0, len(known) + 1, 2)))
            if cut.start < cut.stop:
                X, known = take(X, cut), known[cut]
        else:
            other, rows = sources[rng.integers(2)]
            chosen = rng.integers(0, 20, size=rng.integers(1, 8))
            other = other if move == 2 else take(other, chosen)
            rows = rows if move == 2 else [rows[i] for i in chosen]
            X, known = join(X, other), known + rows
        assert values(X) == known
        assert depth(X) <= 2
    assert values(pickle.loads(pickle.dumps(X))) == known


@pytest.mark.parametrize("make", [Pairs, Items])
def test_a_thousand_corrections_are_one_list_of_positions(make):
    pool = make(0, 3000)
    X = take(pool, np.arange(10))
    for first in range(10, 2010, 2):
        X = join(X, take(pool, [first, first + 1]))
        X = take(X, np.delete(np.arange(n_rows(X)), n_rows(X) - 1))
    assert values(X) == [*range(10), *range(10, 2010, 2)]
    assert depth(X) == 1
    assert X.dataset is pool if make is Pairs else X.pieces[0][0] is pool


def test_nested_ones_of_the_user_are_read_through():
    pool = Pairs(0, 50)
    nested = Subset(
        ConcatDataset([Subset(pool, range(10, 20)), Pairs(100, 5)]), [1, 12]
    )
    assert values(take(nested, [1, 0])) == [102, 11]
    assert depth(take(nested, [0])) == 1
    assert values(
        take(Subset(Subset(pool, range(40, 0, -2)), range(3, 9)), [5, 0])
    ) == [
        24,
        34,
    ]


def test_subclasses_keep_their_meaning():
    class Reversed(Subset):
        def __getitem__(self, i):
            return super().__getitem__(len(self) - 1 - i)

        def __getitems__(self, indices):
            return [self[i] for i in indices]

    X = Reversed(Pairs(0, 10), [1, 2, 3])
    assert values(take(X, [0, 2])) == [3, 1]


def test_positions_out_of_range():
    X = take(Items(0, 5), [1, 3])
    assert X[-1] == 3
    with pytest.raises(IndexError, match="There are 2 rows. Got position 2"):
        X[2]

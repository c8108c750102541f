"""Answers meet the rows they are answers to, and other rows are refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from skorch.helper import SliceDataset
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from skbadge import ALBL, RandomSampling, take
from skbadge.exceptions import InvalidInputError
from skbadge.utils._identity import row_marks
from tests._learning import make_data, make_learner, make_net

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)
NOT_THOSE = r"are not those at .* of the pool of the last query\. "


def asked(n=4, strategy=None, pool=POOL, net=None, first=X):
    learner = make_learner(strategy or RandomSampling(), net=net).fit(first, Y)
    return learner, learner.query(pool, n=n)


class Noisy(Dataset):
    """Draws anew at each reading, as augmentations do."""

    def __len__(self):
        return len(POOL)

    def __getitem__(self, i):
        return torch.from_numpy(POOL[i]).float() + torch.rand(3), int(POOL_Y[i])


def texts(rows):
    return [f"{'abc'[y]} word{i}" for i, y in enumerate(rows)]


def frame(rows, y):
    table = pd.DataFrame(rows, columns=list("uvw"))
    return table.assign(kind=np.array(["a", "b", "c"])[y])


KINDS = {
    "array": (X, POOL, None),
    "tensor": (torch.from_numpy(X), torch.from_numpy(POOL), None),
    "dict": (
        {"X": X},
        {"X": POOL},
        None,
    ),
    "sparse": (
        sparse.csr_matrix(X),
        sparse.csr_matrix(POOL),
        lambda: make_pipeline(FunctionTransformer(accept_sparse=True), make_net()),
    ),
    "frame": (
        frame(X, Y),
        frame(POOL, POOL_Y),
        lambda: make_pipeline(
            make_column_transformer(
                (OneHotEncoder(), ["kind"]), remainder="passthrough"
            ),
            make_net(module__n_features=6),
        ),
    ),
    "texts": (
        texts(Y),
        texts(POOL_Y),
        lambda: make_pipeline(
            CountVectorizer(vocabulary=["word1", "word2", "word3"]), make_net()
        ),
    ),
    "subset": (
        TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(Y)),
        Subset(
            TensorDataset(torch.from_numpy(POOL).float(), torch.from_numpy(POOL_Y)),
            np.arange(40)[::-1].tolist(),
        ),
        None,
    ),
    "augmented": (
        TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(Y)),
        Noisy(),
        None,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_the_query_are_taken_and_others_refused(kind):
    first, pool, make = KINDS[kind]
    learner, chosen = asked(5, pool=pool, first=first, net=make and make())
    before = learner._state
    labels = POOL_Y[chosen]
    with pytest.raises(InvalidInputError, match=NOT_THOSE + "They are other rows of"):
        learner.teach(take(pool, chosen[::-1]), labels, indices=chosen)
    # The pool has lost a row at its top since.
    shorter = take(pool, np.arange(1, 40))
    moved = take(shorter, chosen % 39)
    with pytest.raises(InvalidInputError, match=NOT_THOSE + "Was the pool sorted anew"):
        learner.teach(moved, labels, indices=chosen)
    assert learner._state is before
    learner.teach(take(pool, chosen[[2, 0]]), labels[[2, 0]], indices=chosen[[2, 0]])
    assert_array_equal(learner.open_, chosen[[1, 3, 4]])


def test_numbers_of_another_type_are_the_same_rows():
    learner, chosen = asked()
    learner.teach(POOL[chosen].astype("f4"), POOL_Y[chosen], indices=chosen)
    assert len(learner.open_) == 0
    net, whole = make_net(), np.round(POOL * 10).astype(np.int64)
    learner, chosen = asked(pool=whole, net=net)
    learner.teach(whole[chosen] * 1.0, POOL_Y[chosen], indices=chosen)


def test_rows_that_were_not_asked_for_are_not_compared():
    learner, chosen = asked()
    other = np.setdiff1d(np.arange(40), chosen)[:1]
    both = np.concatenate([chosen[:1], other])
    rows = np.concatenate([POOL[chosen[:1]], POOL[:1] + 100])
    learner.teach(rows, POOL_Y[both], indices=both)
    assert_array_equal(learner.open_, chosen[1:])


def test_data_sets_of_ones_own_are_not_compared():
    learner, chosen = asked(pool=Noisy(), first=KINDS["subset"][0])
    rows = torch.from_numpy(POOL[chosen[::-1]]).float()
    pairs = TensorDataset(rows, torch.from_numpy(POOL_Y[chosen]))
    learner.teach(pairs, POOL_Y[chosen], indices=chosen)
    assert len(learner.open_) == 0


def test_a_whole_batch_is_known_in_any_order_without_indices():
    learner, chosen = asked(6, ALBL())
    expected = learner.last_selection_.inclusion_probability
    order = np.array([3, 1, 5, 0, 4, 2])
    learner.teach(POOL[chosen[order]], POOL_Y[chosen[order]])
    found = learner.state()["inclusion_probability"][-6:]
    assert len(set(expected)) > 1
    assert found == pytest.approx(expected[order])
    assert len(learner.open_) == 0


def test_as_many_rows_of_ones_own_are_no_answer():
    learner, chosen = asked(4, ALBL())
    learner.teach(POOL[chosen] + 1, POOL_Y[chosen])
    assert_array_equal(learner.open_, chosen)
    assert not learner._state.pending


def test_answers_told_twice_are_seen_without_indices_too():
    learner, chosen = asked()
    learner.teach(POOL[chosen], POOL_Y[chosen])
    with pytest.warns(UserWarning, match="labelled a second time"):
        learner.teach(POOL[chosen[:2]], POOL_Y[chosen[:2]])


def test_copies_of_a_row_answer_one_after_the_other():
    pool = np.repeat(POOL[:2], 3, axis=0)
    learner, chosen = asked(6, pool=pool)
    learner.teach(pool[chosen[:2]], [0, 0], indices=chosen[:2])
    # Another copy is still out: no word of a second time.
    learner.teach(pool[chosen[2:3]], [0], indices=chosen[2:3])
    learner.teach(pool[chosen[3:]], [1, 1, 1], indices=chosen[3:])
    assert len(learner.open_) == 0


def test_a_query_before_any_label_is_answered_too():
    learner = make_learner(RandomSampling())
    chosen = learner.query(POOL, n=30)
    with pytest.raises(InvalidInputError, match=NOT_THOSE):
        learner.teach(POOL[chosen[::-1]], POOL_Y[chosen], indices=chosen)
    assert not hasattr(learner, "y_")
    some = chosen[:25]
    learner.teach(POOL[some], POOL_Y[some], indices=some)
    assert_array_equal(learner.open_, chosen[25:])


def test_marks_outlive_a_restart():
    learner, chosen = asked()
    state = json.loads(json.dumps(learner.state()))
    twin = clone(learner).restore(X, Y, state)
    with pytest.raises(InvalidInputError, match=NOT_THOSE):
        twin.teach(POOL[chosen[::-1]], POOL_Y[chosen], indices=chosen)
    # A state of before there were marks.
    del state["asked"]["marks"]
    twin = clone(learner).restore(X, Y, state)
    twin.teach(POOL[chosen[::-1]], POOL_Y[chosen], indices=chosen)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[1.0, np.nan], [1.0, 2.0]]),
        torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.bfloat16),
        np.array([["a", "bc"], ["ab", "c"]], dtype=object),
        np.array([["a", "bc"], ["ab", "c"]]),
        np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
        pd.DataFrame({"a": [1, None], "b": [None, 1]}),
        pd.DataFrame({"t": pd.to_datetime(["2020-01-01", "2021-01-01"])}),
        pd.Series(["a", None]),
        sparse.csr_matrix([[0.0, 1.0], [1.0, 0.0]]),
        {"x": np.arange(2), "y": np.zeros(2)},
        [np.arange(2), np.zeros(2)],
        SliceDataset(TensorDataset(torch.arange(4)), indices=np.array([1, 3])),
        ConcatDataset([Subset(Noisy(), [0]), Subset(Noisy(), [1])]),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_different_rows_have_different_marks(rows):
    first, second = row_marks(rows)
    assert None not in (first, second)
    assert first != second
    assert row_marks(take(rows, [1, 0])) == (second, first)


def test_zeros_and_missing_values_are_alike():
    assert row_marks(np.array([[0.0]])) == row_marks(np.array([[-0.0]]))
    nan = np.array([np.nan, -np.nan], dtype="f8").reshape(2, 1)
    first, second = row_marks(nan)
    assert first == second
    stored = sparse.csr_matrix(([0.0, 1.0], ([0, 0], [0, 1])), shape=(1, 2))
    assert row_marks(stored) == row_marks(sparse.csr_matrix([[0.0, 1.0]]))


@pytest.mark.parametrize(
    "rows",
    [
        take([object(), object()], [0, 1]),
        np.array([1j, 2j]),
        Noisy(),
        SliceDataset(Noisy()),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_of_what_cannot_be_told_nothing_is_known(rows):
    assert set(row_marks(rows)) == {None}

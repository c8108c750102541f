"""Parts that are read: as in memory, once, and with errors that name their place."""

import concurrent.futures

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import torch
from skorch import NeuralNetClassifier

from skbadge import (
    ActiveLearner,
    PenultimateFeatures,
    RandomSampling,
    take,
)
from skbadge.exceptions import (
    DivergedTrainingError,
    InvalidInputError,
    PoolPassError,
)
from tests.cluster._cluster import (
    KNOWN,
    LENGTHS,
    READS,
    X,
    Y,
    fail,
    in_parts,
    make_learner,
    make_net,
    read_rows,
    two_parts,
)

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def read_turned(start, stop):
    """Answer rows in another order each second time."""
    rows = read_rows(start, stop)
    return rows[::-1] if len(READS) % 2 == 0 else rows


@pytest.mark.usefixtures("client")
def test_readers_with_known_lengths_read_once():
    READS.clear()
    ends = np.cumsum(LENGTHS)
    starts = ends - LENGTHS
    parts = [
        (dask.delayed(read_rows)(int(low), int(high)), int(high - low))
        for low, high in zip(starts, ends, strict=True)
    ]
    learner = make_learner()
    np.testing.assert_array_equal(learner.query(parts, n=20), learner.query(X, n=20))
    assert sorted(READS) == starts.tolist()
    # Who needs no pass reads the parts of which rows were chosen.
    READS.clear()
    chosen = make_learner(RandomSampling()).query(parts, n=2)
    places = np.searchsorted(ends, chosen, side="right")
    assert sorted(READS) == np.unique(starts[places]).tolist()
    proba = learner.predict_proba(parts)
    assert proba.chunks[0] == LENGTHS
    wrong = [parts[0], (parts[1][0], 100)]
    # Also where all of the candidates are among the rows that it should have.
    for candidates in (None, [3, 400]):
        with pytest.raises(PoolPassError, match="Part 1 of the pool must have the 100"):
            learner.query(wrong, n=2, candidates=candidates)


@pytest.mark.parametrize("strategy", [None, RandomSampling()], ids=["badge", "random"])
@pytest.mark.parametrize("lengths", [LENGTHS, (48,) * 25], ids=len)
@pytest.mark.parametrize("share", [None, 300], ids=["all", "share"])
@pytest.mark.usefixtures("client")
def test_answers_meet_the_rows_they_are_answers_to(lengths, strategy, share):
    learner = make_learner(strategy) if strategy else make_learner()
    chosen = learner.query(in_parts(lengths), n=12, subsample=share)
    right = X[chosen].astype(np.float64)
    with pytest.raises(InvalidInputError, match="stand in different orders"):
        learner.teach(right[::-1], Y[chosen], indices=chosen)
    with pytest.raises(InvalidInputError, match="sorted anew, or exchanged"):
        learner.teach(right + 1, Y[chosen], indices=chosen)
    assert len(learner.y_) == KNOWN
    # Without indices the rows themselves tell where they stood.
    learner.teach(right[::-1], Y[chosen[::-1]])
    assert not learner.open_.size


@pytest.mark.usefixtures("client")
def test_a_part_that_reads_other_rows_the_second_time_is_noticed():
    READS.clear()
    learner = make_learner()
    pool = [(dask.delayed(read_turned)(0, 600), 600)]
    chosen = learner.query(pool, n=8)
    assert READS == [0]
    with pytest.raises(InvalidInputError, match="sorted anew, or exchanged"):
        learner.teach(take(pool, chosen), Y[chosen], indices=chosen)


# What a cluster itself raises may come from a reader too: files lie on networks.
READERS_ERRORS = [
    FileNotFoundError("no such file"),
    TimeoutError("the store does not answer"),
    concurrent.futures.CancelledError("the store gave up"),
    ConnectionError("the store is gone"),
]


@pytest.mark.parametrize("error", READERS_ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.usefixtures("client")
def test_what_a_reader_raises_comes_as_it_is(known, error):
    parts = two_parts(dask.delayed(fail)(error), known)
    with pytest.raises(type(error)) as caught:
        make_learner().query(parts, n=2)
    assert type(caught.value) is type(error) and str(caught.value) == str(error)
    note = "While part 1 of the pool, rows from 300 on, was read."
    assert caught.value.__notes__ == [note]


@pytest.mark.usefixtures("client")
def test_a_row_that_fails_is_named_by_its_place_in_the_pool():
    learner = make_learner()
    broken = X.copy()
    broken[900, 2] = np.nan
    pool = da.from_array(broken, chunks=(400, X.shape[1]))
    with pytest.raises(InvalidInputError) as caught:
        learner.query(pool, n=2)
    assert str(caught.value).startswith(
        "In part 2 of the pool (rows from 800 on): NaN or infinity reached the net in "
        "row 900 of the pool."
    )
    with pytest.raises(InvalidInputError, match="reached the net in row 900 of the po"):
        learner.query(pool, n=2, candidates=[1, 850, 900])
    answer = learner.predict_proba(pool)
    with pytest.raises(DivergedTrainingError) as caught:
        answer.compute()
    assert str(caught.value).startswith(
        "In part 2 of X (rows are counted within it, the first of them row 800 of "
        "all): The net answers NaN or infinity in row 100 of X."
    )


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.usefixtures("client")
def test_parts_that_do_not_fit(known):
    learner = make_learner()
    narrow = two_parts(dask.delayed(X[:300, :5]), known)
    with pytest.raises(InvalidInputError) as caught:
        learner.query(narrow, n=2)
    message = "X has 5 features, but ActiveLearner is expecting 6 features as input."
    where = "In part 1 of the pool (rows from 300 on): "
    assert str(caught.value) == where + message
    with pytest.raises(InvalidInputError, match=r"^In part 1 of X .*X has 5 features"):
        learner.predict_proba(narrow).compute()
    features = PenultimateFeatures(make_net(), random_state=0).fit(X, Y)
    with pytest.raises(InvalidInputError, match="but PenultimateFeatures is expecting"):
        features.transform(narrow).compute()
    with pytest.raises(InvalidInputError, match=r"^In part 1 of the pool.*: X must be"):
        learner.query(two_parts(dask.delayed(None), known), n=2)


@pytest.mark.usefixtures("client")
def test_parts_with_other_columns():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    learner = ActiveLearner(make_net(), random_state=0).fit(frame[:60], Y[:60])
    parts = [dask.delayed(frame[:600]), dask.delayed(frame[600:])]
    found = learner.query(parts, n=5)
    np.testing.assert_array_equal(found, learner.query(frame, n=5))
    parts[1] = dask.delayed(frame[600:][list("bacdef")])
    with pytest.raises(
        InvalidInputError, match=r"^In part 1 of .*: X must have the co"
    ):
        learner.query(parts, n=5)


class OfTwoInputs(torch.nn.Module):
    """A linear net of two inputs."""

    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

    def forward(self, left, right):
        return self.head(torch.relu(self.body(torch.cat([left, right], dim=1))))


@pytest.mark.usefixtures("client")
def test_parts_of_several_inputs():
    def inputs(rows):
        return {"left": X[rows, :2], "right": X[rows, 2:]}

    net = NeuralNetClassifier(
        OfTwoInputs, criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0
    )
    learner = ActiveLearner(net, random_state=0).fit(inputs(slice(60)), Y[:60])
    parts = [dask.delayed(inputs(slice(i, i + 600))) for i in (0, 600)]
    expected = learner.query(inputs(slice(None)), n=5)
    np.testing.assert_array_equal(learner.query(parts, n=5), expected)
    parts[1] = dask.delayed({"left": X[:9, :2]})
    with pytest.raises(InvalidInputError, match=r"^In part 1 .*: X must have the keys"):
        learner.query(parts, n=5)
    of_arrays = {k: da.from_array(v) for k, v in inputs(slice(None)).items()}
    with pytest.raises(InvalidInputError, match="each may hold several inputs. Got di"):
        learner.query(of_arrays, n=5)


def test_no_rows_at_all():
    with pytest.raises(InvalidInputError, match="X must hold at least one row"):
        make_learner().query([], n=1)


class OfIds(torch.nn.Module):
    """The mean of the vectors of a sequence of ids, of any length."""

    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Embedding(9, 8), torch.nn.Linear(8, 3)

    def forward(self, ids):
        return self.head(self.body(ids).mean(dim=1))


@pytest.mark.usefixtures("client")
def test_sequences_may_have_other_lengths_as_on_one_machine():
    random = np.random.default_rng(0)
    ids, y = random.integers(9, size=(60, 4)), random.integers(3, size=60)
    net = NeuralNetClassifier(
        OfIds, criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0
    )
    learner = ActiveLearner(net, random_state=0).fit(ids, y)
    longer = random.integers(9, size=(300, 7))
    expected = learner.query(longer, n=5)
    parts = [dask.delayed(longer[:100]), dask.delayed(longer[100:])]
    for pool in (da.from_array(longer, chunks=(150, 7)), parts):
        np.testing.assert_array_equal(learner.query(pool, n=5), expected)


def test_futures_are_parts(client):
    learner = make_learner()
    futures = client.map(read_rows, [0, 500], [500, 1200])
    expected = learner.query(X, n=9)
    np.testing.assert_array_equal(learner.query(futures, n=9), expected)
    pairs = list(zip(futures, (500, 700), strict=True))
    np.testing.assert_array_equal(learner.query(pairs, n=9), expected)
    first = learner.query(futures[0], n=9)
    np.testing.assert_array_equal(first, learner.query(X[:500], n=9))
    # They are the user's, and were not let go.
    assert [len(future.result()) for future in futures] == [500, 700]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (lambda part: [part, X], "Got ndarray as part 1"),
        (lambda part: [X, part], "Got ndarray as part 0"),
        (lambda part: (part, 1200), "Got int as part 1"),
        (lambda part: [da.from_array(X), part], "Got Array as part 0"),
        (lambda part: [(part, 1200), part], "Got no length of part 1"),
        (lambda part: [(part, 2.5)], "length of a part must be an int"),
    ],
)
@pytest.mark.usefixtures("client")
def test_lists_that_are_no_pools(parts, message):
    with pytest.raises(InvalidInputError, match=message):
        make_learner().query(parts(dask.delayed(X)), n=2)

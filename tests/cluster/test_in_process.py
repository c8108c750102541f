"""What needs a client but no processes of its own: readers, errors, progress."""

import ast
import concurrent.futures
import pickle
import signal
import threading
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import torch
from dask.distributed import Client
from distributed.protocol import deserialize, serialize
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetClassifier

import skbadge.cluster
from skbadge import (
    BALD,
    ActiveLearner,
    BatchBALD,
    ContrastiveAL,
    CoreSet,
    KMeansSampling,
    MarginSampling,
    PenultimateFeatures,
    RandomSampling,
    StochasticTopK,
    TypiClust,
    take,
)
from skbadge._contracts import Head
from skbadge.cluster import _brought, _engine, _pass
from skbadge.cluster._engine import DaskShards
from skbadge.exceptions import (
    DivergedTrainingError,
    InvalidInputError,
    PoolPassError,
)
from skbadge.modules import MLP
from skbadge.strategies import Needs, ScoreSampling, Traits
from tests.cluster._cluster import KNOWN, X, Y, in_parts, make_learner, make_net

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
LENGTHS = (384, 128, 640, 48)
READS = []


def read_rows(start, stop):
    READS.append(start)
    return X[start:stop]


def read_turned(start, stop):
    """Answer rows in another order each second time."""
    rows = read_rows(start, stop)
    return rows[::-1] if len(READS) % 2 == 0 else rows


@pytest.fixture(scope="module")
def client():
    settings = {"logging.distributed": "error"}
    with (
        dask.config.set(settings),
        Client(
            processes=False,
            n_workers=1,
            threads_per_worker=2,
            dashboard_address=":0",
            silence_logs=50,
        ) as client,
    ):
        yield client


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


@pytest.mark.usefixtures("client")
def test_rows_are_taken_from_a_pool_on_a_cluster():
    delayed = [dask.delayed(X[:500]), dask.delayed(X[500:])]
    for indices in ([700, 3, 3, -1], slice(2, 9), [], np.arange(len(X))):
        for pool in (in_parts(LENGTHS), delayed):
            np.testing.assert_array_equal(take(pool, indices), take(X, indices))
    with pytest.raises(InvalidInputError, match=r"positions in \[0, 1200\)"):
        take(delayed, [1200])
    with pytest.raises(InvalidInputError, match="at least one row"):
        take([dask.delayed(X[:0])], [])


@pytest.mark.usefixtures("client")
def test_rows_are_taken_from_a_dask_frame():
    pytest.importorskip("pyarrow")  # which Dask's frames need
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frames = pytest.importorskip("dask.dataframe").from_pandas(frame, npartitions=5)
    for indices in ([700, 3, 3, -1], slice(2, 9), []):
        pd.testing.assert_frame_equal(take(frames, indices), take(frame, indices))


@pytest.mark.usefixtures("client")
def test_rows_that_are_read_one_by_one_are_taken_at_their_word():
    """Of a data set that lies elsewhere nobody here knows the rows again."""
    parts = [(dask.delayed(AsDataset)(X[i : i + 300]), 300) for i in (0, 300)]
    learner = make_learner()
    chosen = learner.query(parts, n=4)
    learner.teach(X[chosen], Y[chosen], indices=chosen)
    assert len(learner.y_) == KNOWN + 4


class AsDataset(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i], 0


def piped():
    return make_pipeline(StandardScaler(), make_net())


def fail(error):
    raise error


def two_parts(second, known, first=X[:300]):
    """Return two delayed parts, or pairs with their lengths."""
    parts = [dask.delayed(first), second]
    return [(part, 300) for part in parts] if known else parts


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


UNTRAINED = [KMeansSampling(features="input"), TypiClust(features="input")]


@pytest.mark.parametrize("strategy", UNTRAINED, ids=repr)
@pytest.mark.parametrize("estimator", [make_net, piped])
@pytest.mark.usefixtures("client")
def test_before_the_first_label_a_share_is_brought_here(strategy, estimator):
    learner = ActiveLearner(estimator(), strategy=strategy, random_state=0)
    expected = learner.query(X, n=12, subsample=300)
    found = learner.query(in_parts(LENGTHS), n=12, subsample=300)
    np.testing.assert_array_equal(found, expected)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    parts = [(dask.delayed(frame[i : i + 240]), 240) for i in range(0, 1200, 240)]
    # Of the second part and the fourth there is no row.
    mask = np.repeat([True, False, True, False, True], 240)
    expected = learner.query(frame, n=12, candidates=mask, subsample=0.2)
    found = learner.query(parts, n=12, candidates=mask, subsample=0.2)
    np.testing.assert_array_equal(found, expected)
    assert learner.teach(X[found], Y[found], indices=found).n_labeled_ == 12


@pytest.mark.usefixtures("client")
def test_before_the_first_label_parts_that_cannot_be_read():
    learner = ActiveLearner(make_net(), strategy=UNTRAINED[0], random_state=0)
    with pytest.raises(PoolPassError, match="Part 1 of the pool must have the 300"):
        learner.query(two_parts(dask.delayed(X[:200]), True), n=2, subsample=30)
    with pytest.raises(InvalidInputError, match=r"^In part 1 of the pool .*: X must"):
        learner.query(two_parts(dask.delayed(None), True), n=2, subsample=30)
    with pytest.raises(
        InvalidInputError, match="features as input|of the same kind|sh"
    ):
        learner.query(two_parts(dask.delayed(X[:300, :5]), True), n=2, subsample=30)


class ReadsAll(KMeansSampling):
    """A strategy that says that it runs on a cluster, and reads rows as they are."""

    traits = Traits(on_cluster=True)


@pytest.mark.usefixtures("client")
def test_before_the_first_label_a_pool_is_not_brought_here_whole():
    strategy = ReadsAll(features="input")
    learner = ActiveLearner(make_net(), strategy=strategy, random_state=0)
    with pytest.raises(InvalidInputError, match=r"subsample=.* Got all 1200 rows"):
        learner.query(in_parts(LENGTHS), n=5)


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


def described(rows):
    """Return four numbers of each row, in a pipeline step: rows of any shape."""
    return np.array([[np.mean(r), np.std(r), np.max(r), len(r)] for r in rows], "f4")


def learner_of_lists(rows, strategy=None):
    net = NeuralNetClassifier(
        MLP,
        module__n_features=4,
        module__n_classes=3,
        criterion=torch.nn.CrossEntropyLoss,
        train_split=None,
        verbose=0,
    )
    steps = make_pipeline(FunctionTransformer(described), net)
    learner = ActiveLearner(steps, strategy=strategy, random_state=0)
    return learner.fit(rows[:20], Y[:20])


def images():
    random = np.random.default_rng(0)
    return [random.normal(size=(3, 4 + i % 3, 5)) for i in range(90)]


def tables():
    return [rows[0] for rows in images()]


def texts_of_ids():
    """Sequences of several lengths; those of the second part happen to be of one."""
    random = np.random.default_rng(1)
    lengths = [*random.integers(2, 6, size=45), *[4] * 45]
    return [random.integers(9, size=n).tolist() for n in lengths]


@pytest.mark.parametrize("make", [images, tables, texts_of_ids])
@pytest.mark.usefixtures("client")
def test_lists_in_front_of_a_pipeline_hold_rows(make):
    rows = make()
    parts = [dask.delayed(rows[:45]), dask.delayed(rows[45:])]
    for strategy in (MarginSampling(), RandomSampling()):
        learner = learner_of_lists(rows, strategy)
        expected = learner.query(rows, n=4)
        marks = learner.state()["asked"]["marks"]
        assert len(set(marks)) == 4 and None not in marks
        for pool in (parts, [(part, 45) for part in parts]):
            np.testing.assert_array_equal(learner.query(pool, n=4), expected)
            assert learner.state()["asked"]["marks"] == marks
    proba = learner.predict_proba(parts).compute()
    np.testing.assert_allclose(proba, learner.predict_proba(rows), atol=1e-6)
    right = [rows[i] for i in expected]
    assert learner.teach(right, Y[expected], indices=expected).n_labeled_ == 24


@pytest.mark.usefixtures("client")
def test_lists_of_arrays_are_taken_as_in_memory():
    """With no pipeline to say that they are rows, they are several inputs."""
    rows = images()
    parts = [dask.delayed(rows[i : i + 45]) for i in (0, 45)]
    found = take(parts, [4, 1])
    assert len(found) == len(take(rows[:45], [1])) == 45
    for one, first, second in zip(found, rows[:45], rows[45:], strict=True):
        np.testing.assert_array_equal(one, np.stack([second[1], first[1]]))
    with pytest.raises(InvalidInputError, match=r"positions in \[0, 6\)"):
        take(parts, [6])


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.usefixtures("client")
def test_columns_are_compared_where_only_chosen_rows_are_read(known):
    learner = make_learner(RandomSampling())
    narrow = two_parts(dask.delayed(X[:300, :5]), known)
    with pytest.raises(InvalidInputError, match=r"^In part 1 of .*: X has 5 features"):
        learner.query(narrow, n=30)


def halves(rows, other=None):
    """Return two parts with their lengths; the second of something else, if given."""
    half = len(rows) // 2
    second = rows[half:] if other is None else other
    return [(dask.delayed(rows[:half]), half), (dask.delayed(second), len(second))]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.int64])
@pytest.mark.usefixtures("client")
def test_tensors_travel_as_arrays(dtype):
    rows = torch.arange(20).reshape(10, 2).to(dtype)
    # Between processes, which these parts do not leave: Dask cannot send bfloat16.
    sent = deserialize(*serialize(_brought._packed(rows)))
    found = _brought._unpacked(sent)
    assert found.dtype == dtype and torch.equal(found, rows)
    found = take(halves(rows), [7, 1])
    assert found.dtype == dtype and torch.equal(found, rows[[7, 1]])
    found = take([(dask.delayed({"a": rows, "b": X[:10]}), 10)], [7, 1])
    assert torch.equal(found["a"], rows[[7, 1]])
    np.testing.assert_array_equal(found["b"], X[[7, 1]])
    several = [torch.ones(3, 1).to(dtype), torch.zeros(4, 2).to(dtype)]
    found = take([(dask.delayed(several), 2)], [1, 0])
    assert [tuple(row.shape) for row in found] == [(4, 2), (3, 1)]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"a": X[:1]}, {"b": X[:1]}, "a dict of 'a': a ndarray of shape"),
        (X[:1], X[:1, :5], r"ndarray of shape \(n, 5\) and float32"),
        (X[:1], ["a text"], "a list of rows"),
        (X[:1], torch.ones(1, 6), "a Tensor of shape"),
        (
            pd.DataFrame({"a": [1]}),
            pd.DataFrame({"b": [1]}),
            r"Part 0 .* columns 'a' \(int64\), and part 1 .* 'b' \(int64\)",
        ),
    ],
)
@pytest.mark.usefixtures("client")
def test_parts_that_cannot_be_put_together(first, second, words):
    parts = [(dask.delayed(part), 1) for part in (first, second)]
    with pytest.raises(InvalidInputError, match=words) as caught:
        take(parts, [0, 1])
    assert "The parts of a pool must hold rows of one kind" in str(caught.value)
    assert "labelled" not in str(caught.value)
    assert len(take(parts, [1])) == 1


@pytest.mark.parametrize(
    ("library", "name", "words"),
    [
        ("polars", "DataFrame", r"'a' \(Int64\)"),
        ("pyarrow", "table", r"'a' \(string\)"),
    ],
)
@pytest.mark.usefixtures("client")
def test_tables_of_other_libraries_that_differ_are_told(library, name, words):
    make = getattr(pytest.importorskip(library), name)
    test_parts_that_cannot_be_put_together(make({"a": [1]}), make({"a": ["x"]}), words)


@pytest.mark.usefixtures("client")
def test_a_column_of_which_one_part_holds_nothing():
    frame = pd.DataFrame({"n": range(6), "w": [*"abc", None, None, None]})
    bare = frame[3:].astype({"w": float})
    for parts in (halves(frame, bare), halves(frame, bare)[::-1]):
        found = take(parts, range(6)).sort_values("n")
        assert found["w"].tolist()[:3] == [*"abc"] and found["w"][3:].isna().all()
        assert take([(p, n) for p, n in parts], [5, 0]).shape == (2, 2)
    series = [(part["w"], length) for part, length in halves(frame, bare)]
    assert take(series, [0, 4]).isna().tolist() == [False, True]


class Heavy(AsDataset):
    """A data set that must stay where it is."""

    def __getstate__(self):
        raise AssertionError("The source of a data set was sent.")


def heavy(start, stop):
    return Heavy(torch.from_numpy(X[start:stop]))


@pytest.mark.usefixtures("client")
def test_of_data_sets_the_chosen_items_come():
    parts = [(dask.delayed(heavy)(i, i + 300), 300) for i in (0, 300)]
    indices = [500, 3, 3, 299]
    found = pickle.loads(pickle.dumps(take(parts, indices)))
    assert len(found) == 4 and isinstance(found, torch.utils.data.Dataset)
    for (row, label), i in zip((found[k] for k in range(4)), indices, strict=True):
        np.testing.assert_array_equal(row, X[i])
        assert label == 0
    # A row that is a view comes with its own memory alone.
    assert row.untyped_storage().nbytes() == X[0].nbytes


@pytest.mark.usefixtures("client")
def test_labelled_rows_are_not_taken_from_a_cluster():
    learner = make_learner(RandomSampling())
    pool = in_parts(LENGTHS)
    chosen = learner.query(pool, n=3)
    for new in (learner, ActiveLearner(make_net())):
        with pytest.raises(InvalidInputError, match=r"Got Array .* its compute\(\)"):
            new.teach(pool[chosen], Y[chosen], indices=chosen)
    assert learner.n_labeled_ == KNOWN
    learner.teach(pool[chosen].compute(), Y[chosen], indices=chosen)


def test_no_rows_at_all():
    with pytest.raises(InvalidInputError, match="X must hold at least one row"):
        make_learner().query([], n=1)


class Unreadable:
    """What says that it holds rows, and cannot be indexed."""

    shape, dtype = (600, 2), np.dtype("f4")

    def __len__(self):
        return 600

    def __getitem__(self, rows):
        raise OSError("disk gone")


@pytest.mark.usefixtures("client")
def test_errors_of_take_speak_of_taking():
    with pytest.raises(PoolPassError, match="^Rows could not be taken from part 0 of"):
        take([(dask.delayed(Unreadable)(), 600)], [3, 5])


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


class WithDropout(torch.nn.Module):
    """A net whose dropout can draw."""

    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(6, 16), torch.nn.Linear(16, 3)
        self.drop = torch.nn.Dropout(0.4)

    def forward(self, rows):
        return self.head(self.drop(torch.relu(self.body(rows))))


def with_dropout(strategy):
    net = NeuralNetClassifier(
        WithDropout, criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0
    )
    learner = ActiveLearner(net, strategy=strategy, random_state=0)
    return learner.fit(X[:KNOWN], Y[:KNOWN])


@pytest.mark.usefixtures("client")
def test_draws_of_a_share_are_read_together():
    learner = with_dropout(BatchBALD())
    expected = learner.query(X, n=4, subsample=90)
    found = learner.query(in_parts(LENGTHS), n=4, subsample=90)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("strategy", [BALD(), StochasticTopK(BALD())], ids=repr)
@pytest.mark.usefixtures("client")
def test_dropout_draws_the_same_for_all_parts(strategy):
    learner = with_dropout(strategy)
    expected = learner.query(X, n=30)
    scores = learner.last_selection_.scores
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=30), expected)
    np.testing.assert_allclose(learner.last_selection_.scores, scores, rtol=1e-6)
    # One number a row, and not the draws.
    assert learner.traffic_.bytes_up == 8 * len(X) + 8 * 30


class FarFromTheMean(ScoreSampling):
    """A score that rests on all rows, and declares nothing."""

    needs = Needs(proba=True)

    def _score(self, outputs):
        return -(outputs.proba[:, 0] - outputs.proba[:, 0].mean()).abs()


@pytest.mark.parametrize(
    "strategy",
    [FarFromTheMean(), StochasticTopK(FarFromTheMean(), law="softmax")],
    ids=["alone", "drawn"],
)
@pytest.mark.usefixtures("client")
def test_a_score_that_declares_nothing_is_refused(strategy):
    learner = make_learner(strategy)
    with pytest.raises(InvalidInputError) as caught:
        learner.query(in_parts(LENGTHS), n=5)
    assert "declares that by traits = Traits(on_cluster=True)" in str(caught.value)
    found = learner.query(in_parts(LENGTHS), n=5, subsample=300)
    np.testing.assert_array_equal(found, learner.query(X, n=5, subsample=300))


class ByTheHead(ScoreSampling):
    """A score of the row alone, of all that a row may be compared with."""

    needs = Needs(features=True, head=True, labeled=Needs(features=True))
    traits = Traits(needs_labels=True, on_cluster=True)

    def _score(self, outputs):
        logits = outputs.features @ outputs.head.weight.T + outputs.head.bias
        center = outputs.labeled.features.mean(dim=0)
        return logits.amax(dim=1) + (outputs.features - center).square().sum(dim=1)


@pytest.mark.usefixtures("client")
def test_a_score_that_declares_its_rows_reads_head_and_labelled_rows():
    learner = make_learner(ByTheHead())
    expected = learner.query(X, n=30)
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=30), expected)


@pytest.mark.usefixtures("client")
def test_labelled_rows_go_out_once():
    learner = make_learner(ContrastiveAL())
    sent = []
    for lengths in (LENGTHS, (48,) * 25):
        learner.query(in_parts(lengths), n=3)
        sent.append(learner.traffic_.bytes_down)
        # The scores, and the marks of the chosen.
        assert learner.traffic_.rounds == 2
    known = 4 * KNOWN * (3 + 8)
    assert all(known < size < 1.5 * known for size in sent)


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


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.usefixtures("client")
def test_rows_done_are_shown(monkeypatch, verbose):
    class Bar(_engine.tqdm):
        def __init__(self, **settings):
            super().__init__(**settings)
            bars.append(self)
            self.steps, self.is_shown = [], not self.disable

        def update(self, n=1):
            self.steps.append(n)
            super().update(n)

    bars = []
    monkeypatch.setattr(_engine, "tqdm", Bar)
    learner = make_learner()
    learner.set_params(verbose=verbose)
    learner.query(in_parts(LENGTHS), n=5)
    (bar,) = bars
    assert bar.total == 1200 and sorted(bar.steps) == sorted(LENGTHS)
    assert bar.is_shown == bool(verbose)


def test_no_worker_is_left():
    settings = {"distributed.scheduler.no-workers-timeout": "1s"}
    with (
        dask.config.set(settings),
        Client(processes=False, n_workers=0, dashboard_address=":0", silence_logs=50),
        pytest.raises(PoolPassError, match="No worker is left for the parts"),
    ):
        make_learner().query(in_parts(LENGTHS), n=5)


def held(client):
    """Return what the workers hold, and what they are to run."""
    stored, running = client.has_what(), client.processing()
    return {key for keys in (*stored.values(), *running.values()) for key in keys}


def await_freed(client, before, seconds):
    deadline = time.monotonic() + seconds
    while held(client) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(client) <= before


@pytest.fixture
def quiet(client):
    """Wait for what other tests have left; return what is held all the same."""
    deadline = time.monotonic() + 10
    while held(client) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held(client)


@pytest.mark.parametrize("call", [1, 3, 6])
def test_an_interrupt_of_the_choice_frees_the_workers(client, quiet, monkeypatch, call):
    plain, calls = DaskShards.run, []

    def interrupted(shards, *arguments):
        calls.append(None)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(shards, *arguments)

    monkeypatch.setattr(DaskShards, "run", interrupted)
    # The traceback is kept, as a notebook does, and with it all that it names.
    with pytest.raises(KeyboardInterrupt) as caught:
        make_learner().query(in_parts(LENGTHS), n=200)
    await_freed(client, quiet, 10)
    assert caught.tb is not None


def read_slowly(start, stop):
    threading.Event().wait(0.3)
    return X[start:stop]


@pytest.mark.parametrize("known", [False, True], ids=["counting", "pass"])
def test_an_interrupt_of_reading_frees_the_workers(
    client, quiet, default_sigint, known
):
    """Forty parts take six seconds; those that run when it comes take part of one."""
    parts = [dask.delayed(read_slowly)(i, i + 30) for i in range(0, 1200, 30)]
    pool = [(part, 30) for part in parts] if known else parts
    learner = make_learner()
    timer = threading.Timer(0.7, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        learner.query(pool, n=5)
    timer.join()
    await_freed(client, quiet, 2)
    assert caught.tb is not None


def test_an_error_frees_the_workers(client, quiet):
    parts = two_parts(dask.delayed(X[:200]), known=True)
    with pytest.raises(PoolPassError, match="must have the 300 rows") as caught:
        make_learner().query(parts, n=5)
    await_freed(client, quiet, 10)
    assert caught.tb is not None


@pytest.mark.parametrize("closed", [False, True], ids=["closing", "closed"])
def test_a_scheduler_that_goes_away_during_the_choice(monkeypatch, closed):
    """A client that closes takes tasks of which it will never say anything."""
    plain, calls = DaskShards.run, []
    learner = make_learner()
    pool = in_parts(LENGTHS)
    with (
        dask.config.set({"logging.distributed": "critical"}),
        Client(
            processes=False, n_workers=1, dashboard_address=":0", silence_logs=50
        ) as own,
    ):

        def left_alone(shards, *arguments):
            calls.append(None)
            if len(calls) == 3:
                own.cluster.close()
                while closed and own.status != "closed":
                    time.sleep(0.01)
            return plain(shards, *arguments)

        monkeypatch.setattr(DaskShards, "run", left_alone)
        with pytest.raises(PoolPassError, match="scheduler cannot be reached any more"):
            learner.query(pool, n=5)
    assert len(calls) == 3


@pytest.mark.usefixtures("client")
def test_a_worker_of_two_threads_runs_one_part_at_a_time(monkeypatch):
    plain, running, most = _pass.collect_outputs, [], []

    def watched(*arguments, **settings):
        running.append(threading.get_ident())
        most.append(len(running))
        try:
            return plain(*arguments, **settings)
        finally:
            running.remove(threading.get_ident())

    learner = make_learner(seconds=0.01)
    monkeypatch.setattr(_pass, "collect_outputs", watched)
    first = learner.query(in_parts(LENGTHS), n=5)
    assert len(most) == len(LENGTHS) and max(most) == 1
    np.testing.assert_array_equal(learner.query(in_parts(LENGTHS), n=5), first)


@pytest.fixture
def one_thread():
    """Let torch begin with one thread, whatever this machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def count_threads(rows):
    return np.full(len(rows), torch.get_num_threads())


@pytest.mark.usefixtures("one_thread")
def test_torch_has_as_many_threads_as_the_worker(client, monkeypatch):
    plain, counts = _pass.collect_outputs, []

    def watched(*arguments, **settings):
        counts.append(torch.get_num_threads())
        return plain(*arguments, **settings)

    monkeypatch.setattr(_pass, "collect_outputs", watched)
    make_learner().query(in_parts(LENGTHS), n=5)
    assert counts == [2] * len(LENGTHS) and torch.get_num_threads() == 1
    lazy = _pass.predict_sharded(count_threads, in_parts((600, 600)), (), np.dtype(int))
    assert client.compute(lazy, sync=True).tolist() == [2] * 1200
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler")
def test_torch_keeps_its_threads_outside_of_a_worker():
    """Old Dask warns of a scheduler of one process beside a client."""
    lazy = _pass.predict_sharded(count_threads, in_parts((600, 600)), (), np.dtype(int))
    torch.set_num_threads(3)
    with dask.config.set(scheduler="synchronous"):
        assert lazy.compute().tolist() == [3] * 1200
    assert _engine.n_cores() is None and torch.get_num_threads() == 3


@pytest.mark.usefixtures("client")
def test_what_is_told_lies_in_the_memory_of_the_processor(monkeypatch):
    """With stand-ins for tensors of a GPU: no test here has one."""

    class Elsewhere:
        def cpu(self):
            return "here"

    assert _pass._on_host(Elsewhere()) == "here"
    assert _pass._on_host(Head(Elsewhere(), None)) == Head("here", None)
    plain, moved = _pass._on_host, []

    def watched(value):
        moved.append(type(value))
        return plain(value)

    monkeypatch.setattr(_pass, "_on_host", watched)
    make_learner(CoreSet()).query(in_parts(LENGTHS), n=5)
    # The features of the labelled rows are compared with rows that were fetched.
    assert torch.Tensor in moved


@pytest.mark.usefixtures("client")
def test_features_come_in_the_dtype_of_the_module():
    net = make_net().set_params(module__seconds=0.0)
    net.initialize()
    net.module_.double()
    features = PenultimateFeatures(FrozenEstimator(net)).fit(X.astype(float), Y)
    pool = in_parts(LENGTHS, X.astype(float))
    found = features.transform(pool)
    assert found.dtype == found.compute().dtype == np.float64


@pytest.mark.usefixtures("client")
def test_lazy_answers_are_those_of_the_model_that_was_asked():
    features = PenultimateFeatures(make_net(), random_state=0).fit(X, Y)
    learner = make_learner()
    expected = features.transform(X), learner.predict_proba(X), learner.predict(X)
    pool = in_parts(LENGTHS)
    lazy = features.transform(pool), learner.predict_proba(pool), learner.predict(pool)
    features.set_params(random_state=1).fit(X[::-1], Y)
    learner.teach(X[60:120], Y[60:120])
    assert not np.allclose(features.transform(X), expected[0], atol=1e-3)
    assert not np.allclose(learner.predict_proba(X), expected[1], atol=1e-3)
    for answer, known in zip(lazy, expected, strict=True):
        np.testing.assert_allclose(answer.compute(), known, atol=1e-6)


def test_one_module_knows_the_engine():
    """So that another engine replaces one module, as the guide says."""
    engines = set()
    for path in Path(skbadge.cluster.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in getattr(node, "names", ())]
            names = [getattr(node, "module", None) or "", *names]
            if {name.split(".")[0] for name in names} & {"dask", "distributed"}:
                engines.add(path.name)
    assert engines == {"_engine.py"}

"""Rows that are brought here: those chosen, a share before the first label, lists."""

import pickle

import dask
import numpy as np
import pandas as pd
import pytest
import torch
from distributed.protocol import deserialize, serialize
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier

from skbadge import (
    ActiveLearner,
    KMeansSampling,
    MarginSampling,
    RandomSampling,
    TypiClust,
    take,
)
from skbadge.cluster import _brought
from skbadge.exceptions import (
    InvalidInputError,
    PoolPassError,
)
from skbadge.modules import MLP
from skbadge.strategies import Traits
from tests.cluster._cluster import (
    KNOWN,
    LENGTHS,
    AsDataset,
    X,
    Y,
    in_parts,
    make_learner,
    make_net,
    piped,
    two_parts,
)

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


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

"""Rows go through the steps before a net one by one, as pipelines send them."""

import sys
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.helper import DataFrameTransformer
from torch import nn

from skbadge import BADGE, ActiveLearner, PenultimateFeatures, RandomSampling, take
from skbadge.exceptions import PoolPassError, RefitError
from skbadge.modules import MLP
from skbadge.nets import _batches
from skbadge.nets._batches import iterate_parts
from skbadge.nets._estimators import split_estimator
from skbadge.nets._predict import predicted
from skbadge.nets._steps import Steps
from tests._any_nets import make_net, make_rows

TABLE = make_rows("table")
Y = np.arange(len(TABLE)) % 3


class ToFloat32(TransformerMixin, BaseEstimator):
    """Has no state at all, as most steps that people write."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X, dtype=np.float32)


def net_of(n_features, n_classes=3, **settings):
    return make_net(
        MLP, module__n_features=n_features, module__n_classes=n_classes,
        module__n_hidden=4, **settings,
    )  # fmt: skip


FRAME = pd.DataFrame(TABLE, columns=list("abcde"))
STATELESS = {
    "last": (lambda: make_pipeline(StandardScaler(), ToFloat32(), net_of(5)), TABLE),
    "alone": (lambda: make_pipeline(ToFloat32(), net_of(5)), TABLE),
    "union": (
        lambda: make_pipeline(make_union(StandardScaler(), ToFloat32()), net_of(10)),
        TABLE,
    ),
    "nested": (
        lambda: make_pipeline(make_pipeline(StandardScaler(), ToFloat32()), net_of(5)),
        TABLE,
    ),
    "inside": (
        lambda: make_pipeline(StandardScaler(), make_pipeline(ToFloat32(), net_of(5))),
        TABLE,
    ),
    "passthrough": (
        lambda: make_pipeline(ToFloat32(), "passthrough", net_of(5)),
        TABLE,
    ),
    "skorch": (lambda: make_pipeline(DataFrameTransformer(), net_of(5)), FRAME),
}


@pytest.mark.parametrize("strategy", [BADGE(), RandomSampling()])
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("name", STATELESS)
def test_steps_without_state(name, warm_start, strategy):
    make, X = STATELESS[name]
    learner = ActiveLearner(
        make(), strategy=strategy, warm_start=warm_start, random_state=0
    ).fit(X, Y)
    chosen = learner.query(X, n=4)
    learner.teach(take(X, chosen), Y[chosen])
    fitted, rows = learner.estimator_, X
    if name == "nested":
        # There scikit-learn itself asks the last step whether it is fitted.
        rows, fitted = fitted[0][1].transform(fitted[0][0].transform(X)), fitted[-1]
    found = learner.predict_proba(X)
    np.testing.assert_allclose(found, fitted.predict_proba(rows), atol=1e-6)


def test_features_behind_a_step_without_state():
    make, X = STATELESS["last"]
    features = PenultimateFeatures(make(), random_state=0).fit(X, Y)
    assert features.transform(X).shape == (len(X), 4)


def test_steps_are_flat():
    inner = make_pipeline(StandardScaler(), make_pipeline(ToFloat32(), "passthrough"))
    steps, net = split_estimator(make_pipeline(inner, net_of(5)))
    assert [type(step) for _, step in steps.steps] == [StandardScaler, ToFloat32]
    assert split_estimator(net) == (None, net)


def test_steps_of_a_frozen_pipeline_stay_frozen():
    inner = make_pipeline(ToFloat32(), StandardScaler()).fit(TABLE)
    known = inner[1].mean_.copy()
    pipeline = make_pipeline(FrozenEstimator(inner), net_of(5))
    learner = ActiveLearner(pipeline, random_state=0).fit(TABLE[:9], Y[:9])
    steps, _ = split_estimator(learner.estimator_)
    steps.fit(TABLE[:5] * 10, Y[:5])
    assert all(isinstance(step, FrozenEstimator) for _, step in steps.steps)
    np.testing.assert_array_equal(inner[1].mean_, known)
    np.testing.assert_array_equal(steps.transform(TABLE), inner.transform(TABLE))


class Oversampling(BaseEstimator):
    """Repeats the rows of the rare classes, as imbalanced-learn's samplers do."""

    def fit_resample(self, X, y):
        counts = np.bincount(y.astype(int))
        rows = [
            np.resize(np.flatnonzero(y == label), counts.max())
            for label in np.flatnonzero(counts)
        ]
        rows = np.concatenate(rows)
        return X[rows], y[rows]


class Counts(nn.Module):
    """Notes how many rows a training saw."""

    seen: ClassVar = []

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, X):
        if self.training:
            self.seen.append(len(X))
        return self.head(X)


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_samplers_are_for_trainings_only(first, warm_start):
    pipelines = pytest.importorskip("imblearn.pipeline")
    from imblearn.over_sampling import RandomOverSampler

    steps = [StandardScaler(), RandomOverSampler(random_state=0)]
    steps = steps[::-1] if first else steps
    net = make_net(Counts, batch_size=-1, max_epochs=1)
    pipeline = pipelines.make_pipeline(*steps, net)
    learner = ActiveLearner(pipeline, warm_start=warm_start, random_state=0)
    y = np.array([0] * 10 + [1] * 5 + [2] * 3)
    Counts.seen.clear()
    learner.fit(TABLE, y)
    assert Counts.seen == [30]
    assert len(learner.query(TABLE, n=5)) == 5
    learner.teach(TABLE[:4], y[:4])
    assert Counts.seen == [30, 42]
    assert learner.predict(TABLE).shape == (18,)
    np.testing.assert_allclose(
        learner.predict_proba(TABLE), learner.estimator_.predict_proba(TABLE), atol=1e-6
    )


def test_training_data_of_a_sampler():
    y = np.array([0, 0, 0, 1])
    steps = Steps([("scale", StandardScaler().fit(TABLE)), ("more", Oversampling())])
    X, labels = steps.training_data(TABLE[:4], y)
    assert np.bincount(labels).tolist() == [3, 3]
    expected = StandardScaler().fit(TABLE).transform(TABLE[:4])[[0, 1, 2, 3, 3, 3]]
    np.testing.assert_array_equal(X, expected)
    fresh, _ = steps.fit(TABLE[:4], y)
    expected = StandardScaler().fit_transform(TABLE[:4])[[0, 1, 2, 3, 3, 3]]
    np.testing.assert_array_equal(fresh, expected)
    assert len(steps.transform(TABLE[:4])) == 4


NAMES = np.array([f"image {i:03d}.png" for i in range(100)])


class Loader(TransformerMixin, BaseEstimator):
    """Makes rows of many numbers of names, and notes how many at a time."""

    calls: ClassVar = []

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        self.calls.append(len(X))
        numbers = [int(str(name)[6:9]) for name in X]
        return np.repeat(np.array(numbers, dtype=np.float32)[:, None], 50, axis=1)


@pytest.fixture
def calls():
    Loader.calls.clear()
    return Loader.calls


@pytest.mark.parametrize(
    "names", [NAMES, NAMES.astype(object), NAMES.tolist(), pd.Series(NAMES)]
)
@pytest.mark.parametrize(
    "batch_size, limit, most", [(4, 200 * 10, 8), (4, 1, 4), (-1, 200 * 10, 10)]
)
def test_parts_are_sized_by_what_comes_out(
    batch_size, limit, most, names, calls, monkeypatch
):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", limit)
    steps = Steps([("load", Loader())])
    parts = list(iterate_parts(names, np.arange(100), batch_size, steps))
    assert np.concatenate(parts)[:, 0].tolist() == list(range(100))
    assert max(map(len, parts)) == most
    assert calls[0] == (1 if batch_size == -1 else 4)
    positions = np.array([5, 99, 0, 7])
    parts = list(iterate_parts(names, positions, batch_size, steps))
    assert np.concatenate(parts)[:, 0].tolist() == positions.tolist()
    assert list(iterate_parts(names, np.arange(0), batch_size, steps)) == []


class Held:
    def __init__(self):
        self.numbers = np.zeros(1000, dtype=np.uint8)


def objects(rows):
    found = np.empty(len(rows), dtype=object)
    for i in range(len(rows)):
        found[i] = np.zeros(1000, dtype=np.uint8)
    return found


BYTES_BEHIND = {
    "objects": objects,
    "frame": lambda rows: pd.DataFrame({"a": objects(rows)}),
    "own": lambda rows: [Held() for _ in rows],
    "pillow": lambda rows: [
        pytest.importorskip("PIL.Image").new("RGB", (20, 17)) for _ in rows
    ],
    "polars": lambda rows: pytest.importorskip("polars").DataFrame(
        {"a": ["x" * 1000 for _ in rows]}
    ),
}


@pytest.mark.parametrize("make", BYTES_BEHIND.values(), ids=BYTES_BEHIND)
def test_parts_are_sized_by_what_objects_hold(make, monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 1200 * 10)
    steps = Steps([("make", FunctionTransformer(make))])
    parts = list(iterate_parts(NAMES, np.arange(100), 4, steps))
    # A thousand bytes a row, and what the objects themselves take.
    assert max(map(len, parts)) in (8, 12)


def test_what_a_step_in_the_middle_makes_counts(calls, monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 200 * 10)
    small = FunctionTransformer(lambda X: X[:, :1])
    steps = Steps([("load", Loader()), ("small", small)])
    assert len(list(iterate_parts(NAMES, np.arange(100), 4, steps))) == 13
    assert max(calls) == 8


def test_a_pool_of_names(calls, monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 200 * 10)
    learner = ActiveLearner(make_pipeline(Loader(), net_of(50)), random_state=0)
    learner.fit(NAMES[:18], Y)
    calls.clear()
    chosen = learner.query(NAMES, n=5)
    assert max(calls) == 10 and sum(calls) == 100
    learner.teach(NAMES[chosen], Y[:5])


def test_predictions_are_made_part_by_part(calls, monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 200 * 10)
    pipeline = make_pipeline(Loader(), net_of(50)).fit(NAMES[:18], Y)
    whole = pipeline.predict_proba(NAMES)
    calls.clear()
    np.testing.assert_allclose(
        predicted(pipeline, "predict_proba", NAMES), whole, atol=1e-6
    )
    assert max(calls) == 10
    np.testing.assert_array_equal(
        predicted(pipeline, "predict", NAMES), whole.argmax(axis=1)
    )


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] can't allocate memory: 30 GB")],
)
def test_memory_errors_of_a_step_name_it(error):
    armed = []

    def load(names):
        if armed:
            raise error
        return np.zeros((len(names), 5), dtype=np.float32)

    learner = ActiveLearner(
        make_pipeline(FunctionTransformer(load), net_of(5)), random_state=0
    ).fit(NAMES[:18], Y)
    armed.append(True)
    with pytest.raises(PoolPassError) as caught:
        learner.query(NAMES, n=2)
    assert str(caught.value).startswith(
        "Memory ran out in the step 'functiontransformer' of the pipeline, which was "
        "given 5 rows at once. Lower batch_size of the net"
    )
    assert caught.value.__cause__ is error
    error.args = ("another",)
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError, match="^another$"):
            learner.query(NAMES, n=2)


TEXTS = ["good film", "bad film", "good plot", "poor plot"] * 5


@pytest.mark.parametrize("convert", [list, np.array, pd.Series, tuple])
def test_texts(convert):
    words = CountVectorizer(dtype=np.float32)
    learner = ActiveLearner(make_pipeline(words, net_of(5, 2)), random_state=0)
    y = np.array([1, 0, 1, 0] * 5)
    learner.fit(convert(TEXTS), y)
    chosen = learner.query(convert(TEXTS), n=4)
    learner.teach(take(convert(TEXTS), chosen), y[chosen])
    assert learner.n_labeled_ == 24 and learner.predict(convert(TEXTS)).shape == (20,)
    assert len(learner.X_) == 24


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_missing_text_is_no_word(missing):
    texts = [*TEXTS[:-1], missing]
    words = CountVectorizer(dtype=np.float32)
    learner = ActiveLearner(make_pipeline(words, net_of(5, 2)), random_state=0)
    with pytest.raises((ValueError, AttributeError)) as expected:
        CountVectorizer().fit(texts)
    with pytest.raises(type(expected.value)):
        learner.fit(texts, [1, 0] * 10)


def test_records_and_rows_of_mixed_types():
    records = [{"word": "a" if i % 2 else "b", "n": i} for i in range(18)]
    steps = DictVectorizer(dtype=np.float32, sparse=False)
    learner = ActiveLearner(make_pipeline(steps, net_of(3)), random_state=0)
    learner.fit(records, Y)
    chosen = learner.query(records, n=3)
    learner.teach([records[i] for i in chosen], Y[chosen])
    assert learner.X_[18] is records[chosen[0]]
    rows = [["red", i] for i in range(18)]
    double = FunctionTransformer(
        lambda rows: np.array([[len(w), 2 * n] for w, n in rows], dtype=np.float32)
    )
    learner = ActiveLearner(make_pipeline(double, net_of(2)), random_state=0)
    assert learner.fit(rows, Y).X_[3] == ["red", 3]
    assert learner.predict(rows[:1]).shape == (1,)


@pytest.mark.parametrize("same", [False, True])
def test_images_of_several_sizes(same):
    images = [np.full((4 + (0 if same else i % 3), 5), float(i)) for i in range(18)]
    mean = FunctionTransformer(
        lambda images: np.array([[im.mean()] for im in images], dtype=np.float32)
    )
    learner = ActiveLearner(make_pipeline(mean, net_of(1)), random_state=0)
    learner.fit(images, Y)
    chosen = learner.query(images, n=3)
    learner.teach([images[i] for i in chosen], Y[chosen])
    # One row, and rows of one size, are rows too.
    learner.teach([images[0]], Y[:1])
    assert learner.n_labeled_ == 22 and learner.X_[21] is images[0]
    assert learner.predict(images[:2]).shape == (2,)


def test_tokens_of_several_lengths():
    tokens = [[1 + i % 3] * (1 + i % 4) for i in range(18)]
    seen = []

    def count(rows):
        seen.extend(type(row) for row in rows)
        return np.array([[len(row), row[0]] for row in rows], dtype=np.float32)

    learner = ActiveLearner(
        make_pipeline(FunctionTransformer(count), net_of(2)), random_state=0
    ).fit(tokens, Y)
    learner.query(tokens, n=3)
    learner.teach([[5, 6, 7, 8, 9, 10]], [0])
    learner.teach([[1, 2], [3, 4]], [0, 1])
    learner.predict([[4, 4], [4, 4]])
    assert set(seen) == {list} and learner.n_labeled_ == 21


def test_one_long_document_costs_its_own_length():
    texts = ["short"] * 500 + ["x " * 100_000]
    seen = []

    def count(rows):
        seen.append(sum(map(sys.getsizeof, rows)))
        return np.array([[len(row)] for row in rows], dtype=np.float32) / 1e6

    learner = ActiveLearner(
        make_pipeline(FunctionTransformer(count), net_of(1)), random_state=0
    ).fit(texts, np.arange(501) % 3)
    learner.query(texts, n=3)
    assert max(seen) < 2**19


def test_a_failed_step_keeps_the_labels():
    def check(rows):
        if len(rows) > 18:
            raise ValueError("too many")
        return rows

    learner = ActiveLearner(
        make_pipeline(FunctionTransformer(check), net_of(5)), random_state=0
    ).fit(TABLE, Y)
    with pytest.raises(RefitError, match="too many"):
        learner.teach(TABLE[:2], Y[:2])
    assert learner.n_labeled_ == 20
    assert torch.is_tensor(next(learner.estimator_[-1].module_.parameters()))

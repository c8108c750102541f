"""A step that cannot change is run once for each row."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skbadge import ActiveLearner, FeatureCache, simulate, take
from skbadge.exceptions import InvalidInputError
from skbadge.modules import MLP
from skbadge.utils._row_keys import row_keys
from skbadge.utils._rows import as_rows
from tests._any_nets import make_net, make_rows

TABLE = make_rows("table")
Y = np.arange(len(TABLE)) % 3


class Encoder(TransformerMixin, BaseEstimator):
    """Notes which rows it was given."""

    def __init__(self, power=2, seen=None):
        self.power = power
        self.seen = seen

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        SEEN.extend(np.asarray(X)[:, 0].tolist())
        return np.asarray(X, dtype=np.float32) ** self.power


SEEN = []


@pytest.fixture(autouse=True)
def seen():
    SEEN.clear()
    return SEEN


def test_each_row_is_encoded_once(seen):
    cache = FeatureCache(Encoder())
    first = cache.fit_transform(TABLE[:6])
    rows = TABLE[[5, 0, 17, 17, 6, 0]]
    np.testing.assert_array_equal(cache.transform(rows), rows**2)
    np.testing.assert_array_equal(first, TABLE[:6] ** 2)
    # In the order in which they came, and of rows that are alike one.
    assert seen == TABLE[[0, 1, 2, 3, 4, 5, 17, 6], 0].tolist()
    assert cache.n_kept_ == 8
    assert cache.transform(TABLE[:0]).shape == (0, 5)


def test_a_campaign_encodes_the_pool_once(seen):
    def net():
        return make_net(MLP, module__n_features=5, module__n_classes=3)

    results = []
    for step in (Encoder(), FeatureCache(Encoder())):
        seen.clear()
        learner = ActiveLearner(make_pipeline(step, net()), random_state=0)
        table = simulate(learner, TABLE[:14], Y[:14], n_initial=6, n=2, n_rounds=3,
                         X_test=TABLE[14:], y_test=Y[14:])  # fmt: skip
        results.append(table[["accuracy", "positions"]].to_json())
        if isinstance(step, FeatureCache):
            assert sorted(seen) == sorted(TABLE[:, 0].tolist())
        else:
            assert len(seen) > 3 * 18
    assert results[0] == results[1]


@pytest.mark.parametrize("warm_start", [False, True])
def test_learners_share_what_is_kept(warm_start, seen):
    cache = FeatureCache(Encoder())
    net = make_net(MLP, module__n_features=5, module__n_classes=3)
    for seed in range(2):
        learner = ActiveLearner(
            make_pipeline(cache, net), random_state=seed, warm_start=warm_start
        ).fit(TABLE, Y)
        chosen = learner.query(TABLE, n=3)
        learner.teach(TABLE[chosen], Y[chosen])
        learner.predict(TABLE)
    assert len(seen) == len(TABLE) == cache.n_kept_


def test_clones_and_copies_share_and_pickles_do_not(seen):
    cache = FeatureCache(Encoder()).fit(TABLE)
    cache.transform(TABLE[:5])
    for twin in (clone(cache).fit(TABLE), copy.deepcopy(cache)):
        twin.transform(TABLE[:6])
    assert len(seen) == 6 and cache.n_kept_ == 6
    fresh = pickle.loads(pickle.dumps(cache))
    assert fresh.n_kept_ == 0
    np.testing.assert_array_equal(fresh.transform(TABLE), TABLE**2)
    assert cache.n_kept_ == 6
    with pytest.raises(NotFittedError):
        clone(cache).transform(TABLE)


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.set_params(transformer__power=3),
        lambda cache: cache.set_params(transformer=Encoder(3)),
        lambda cache: setattr(cache, "transformer", Encoder(3)),
    ],
)
def test_another_step_begins_anew(change):
    cache = FeatureCache(Encoder())
    cache.fit_transform(TABLE)
    change(cache)
    np.testing.assert_array_equal(cache.fit_transform(TABLE), TABLE**3)
    assert cache.set_params().n_kept_ == len(TABLE)


def test_only_what_cannot_change():
    with pytest.raises(InvalidInputError) as caught:
        FeatureCache(make_pipeline(Encoder(), StandardScaler())).fit(TABLE)
    assert str(caught.value).startswith(
        "FeatureCache keeps what a step answers, so the step must not change from one "
        "training to the next. Pipeline has learned ["
    )
    assert "put FrozenEstimator around a fitted one" in str(caught.value)
    fitted = StandardScaler().fit(TABLE)
    for step in (
        FrozenEstimator(fitted),
        make_pipeline(Encoder(1), FrozenEstimator(fitted), "passthrough"),
        make_union(FrozenEstimator(fitted), "drop"),
        make_pipeline(FeatureCache(Encoder(1)), FrozenEstimator(fitted)),
    ):
        found = FeatureCache(step).fit(TABLE[:5]).transform(TABLE)
        np.testing.assert_allclose(found, fitted.transform(TABLE), rtol=1e-6)


def test_above_the_working_memory_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = FeatureCache(Encoder())
    with sklearn.config_context(working_memory=5 * 5 * 4 / 2**20):
        cache.fit_transform(TABLE[:4])
        cache.transform(TABLE)
    kinds = {type(block).__name__ for block, _ in cache._kept.places.values()}
    bases = {type(block.base).__name__ for block, _ in cache._kept.places.values()}
    assert kinds == {"ndarray"} and len(bases) == 2
    assert cache._kept.n_bytes == 4 * 5 * 4
    assert list(Path(tmp_path).iterdir()) == []
    np.testing.assert_array_equal(cache.transform(TABLE), TABLE**2)


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X,
        torch.as_tensor,
        pd.DataFrame,
        lambda X: X.astype(object),
        lambda X: X.tolist(),
    ],
    ids=["array", "tensor", "frame", "objects", "lists"],
)
def test_rows_of_any_kind(convert, seen):
    cache = FeatureCache(Encoder()).fit(convert(TABLE))
    for rows in ([3, 1], [1, 3, 4]):
        found = cache.transform(convert(TABLE[rows]))
        np.testing.assert_allclose(found, TABLE[rows] ** 2, rtol=1e-6)
    assert len(seen) == 3


def test_texts_in_front_of_an_encoder():
    words = FunctionTransformer(lambda rows: rows.toarray())
    cache = FeatureCache(make_pipeline(HashingVectorizer(n_features=16), words))
    texts = [f"text number {i}" for i in range(300)]
    found = cache.fit(texts).transform(texts)
    assert cache.n_kept_ == 300
    # As an array of any width, and as objects, a text is the same row.
    for other in (np.array(texts), np.array(texts, dtype=object), pd.Series(texts)):
        np.testing.assert_array_equal(cache.transform(other), found)
    cache.transform(np.array([*texts, "x" * 100]))
    assert cache.n_kept_ == 301


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda X: X.tolist(), "keeps dense arrays of numbers. Got list from the step"),
        (lambda X: X.astype(str), "keeps dense arrays of numbers. Got ndarray"),
        (lambda X: X[:, : len(X)], "must answer rows of one shape. Got (1,) and (2,)"),
    ],
)
def test_answers_that_cannot_be_kept(answer, message):
    cache = FeatureCache(FunctionTransformer(answer)).fit(TABLE)
    with pytest.raises(InvalidInputError) as caught:
        cache.transform(TABLE[:2])
        cache.transform(TABLE[1:3])
    assert message in str(caught.value)


def test_answers_may_be_tensors_and_images():
    step = FunctionTransformer(
        lambda X: torch.as_tensor(X, dtype=torch.bfloat16).reshape(-1, 1, 5)
    )
    found = FeatureCache(step).fit_transform(TABLE)
    assert found.shape == (18, 1, 5) and found.dtype == np.float32


def test_what_the_step_writes_to_later_stays():
    shared = np.zeros((18, 5))
    cache = FeatureCache(FunctionTransformer(lambda X: shared[: len(X)]))
    found = cache.fit_transform(TABLE)
    shared[:] = 1
    found[:] = 2
    assert (cache.transform(TABLE) == 0).all()


def test_names_and_tags():
    pca = FrozenEstimator(PCA(2).fit(TABLE))
    cache = FeatureCache(pca).fit(TABLE)
    assert cache.get_feature_names_out().tolist() == ["pca0", "pca1"]
    assert not hasattr(FeatureCache(Encoder()), "get_feature_names_out")
    cache.set_output(transform="pandas")
    assert clone(cache).fit_transform(TABLE).columns.tolist() == ["pca0", "pca1"]


KEYED = {
    "array": [TABLE[:3], TABLE[:3].astype(np.float64), TABLE[:3].reshape(3, 5, 1)],
    "tensor": [torch.as_tensor(TABLE[:3]).bfloat16()],
    "texts": [as_rows(["a", "b", "1"])],
    "values": [as_rows([None, 1.5, "1.5"]), as_rows([["1"], [1], [True]])],
    "records": [as_rows([{"a": 1}, {"a": 2}, {"b": 1}])],
    "nested": [as_rows([["a", ["b"]], ["a", "b"], ["ab"]])],
    "sparse": [as_rows(sparse.csr_array(np.eye(3)))],
    "frame": [pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")})],
    "inputs": [
        {"a": np.arange(3), "b": TABLE[:3]},
        {"b": np.arange(3), "a": TABLE[:3]},
    ],
    "objects": [as_rows([Path("a"), Path("b"), 3 + 1j])],
}


def test_keys_tell_rows_apart_and_know_them_again():
    every = []
    for versions in KEYED.values():
        for X in versions:
            keys = row_keys(X)
            assert keys == row_keys(copy.deepcopy(X))
            assert row_keys(take(X, [2, 0])) == [keys[2], keys[0]]
            every += keys
    assert len(set(every)) == len(every) and {len(key) for key in every} == {16}


def test_keys_of_tables_and_data_sets():
    polars, pyarrow, datasets = map(
        pytest.importorskip, ("polars", "pyarrow", "datasets")
    )
    columns = {"a": [1, 2, 3], "b": ["x", "y", "z"]}
    hub = datasets.Dataset.from_dict(columns)
    for X in (polars.DataFrame(columns), pyarrow.table(columns), hub, hub["b"]):
        keys = row_keys(X)
        assert len(set(keys)) == 3 and row_keys(take(X, [1])) == keys[1:2]
    pairs = torch.utils.data.TensorDataset(torch.as_tensor(TABLE), torch.arange(18))
    assert row_keys(pairs) == row_keys(TABLE)

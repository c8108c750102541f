"""Every kind of rows works from ``fit`` to ``teach``, or is a clear error."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from skbadge import ActiveLearner, LeastConfidence, take
from skbadge.exceptions import InvalidInputError
from skbadge.nets._estimators import find_net
from skbadge.utils._rows import n_rows
from tests._any_modules import Net, Transformer, TwoInputs
from tests._any_nets import make_net, make_rows

TABLE = np.round(make_rows("table") * 20)  # whole numbers, which every type can hold
Y = np.arange(len(TABLE)) % 3
POOL = TABLE[::-1].copy()


def learner_for(kind, **settings):
    """Make a learner whose net takes rows of a kind; for tables always the same."""
    if kind == "tokens":
        net = make_net(Transformer)
    elif kind == "dict":
        net = make_net(TwoInputs)
    elif kind == "images":
        net = make_net(nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.Linear(4, 3)))
    else:
        net = make_net(Net)
    return ActiveLearner(net, strategy=LeastConfidence(), random_state=0, **settings)


def reference(learner=None):
    """Answer for the table as float32: what all other forms must answer."""
    learner = learner or learner_for("table")
    learner.fit(TABLE, Y)
    first = learner.query(POOL, n=6)
    learner.teach(take(POOL, first[:4]), Y[first[:4]])
    return first, learner.query(POOL, n=6), learner.predict_proba(POOL)


def assert_as_reference(convert, learner=None, expected=None, atol=1e-5):
    """Run one round on rows in another form; compare with the reference."""
    expected = reference() if expected is None else expected
    learner = learner or learner_for("table")
    X, pool = convert(TABLE), convert(POOL)
    learner.fit(X, Y)
    first = learner.query(pool, n=6)
    np.testing.assert_array_equal(first, expected[0])
    learner.teach(take(pool, first[:4]), Y[first[:4]])
    assert learner.n_labeled_ == n_rows(learner.X_) == len(TABLE) + 4
    np.testing.assert_array_equal(learner.query(pool, n=6), expected[1])
    np.testing.assert_allclose(learner.predict_proba(pool), expected[2], atol=atol)


def memmap_of(tmp_path, mode):
    def convert(X):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.bin"
        X.tofile(path)
        return np.memmap(path, dtype=X.dtype, mode=mode, shape=X.shape)

    return convert


class Pairs(Dataset):
    """A data set of the user's own; its labels are of no meaning."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], -1


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("code", ["e", "f", "d", "g", "b", "h", "i", "l", ">f8", ">i2"])
def test_numbers_of_any_type(code):
    assert_as_reference(lambda X: X.astype(code))


@pytest.mark.parametrize("code", ["B", "H", "I", "Q", "?"])
def test_unsigned_numbers(code):
    X = np.abs(TABLE).astype(code)
    expected = learner_for("table").fit(X.astype(np.float32), Y)
    found = learner_for("table").fit(X, Y)
    np.testing.assert_array_equal(found.query(X, n=5), expected.query(X, n=5))
    found.teach(X[:2], Y[:2])


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: X[:, ::-1].copy()[:, ::-1],
        lambda X: np.repeat(X, 2, axis=0)[::2],
        read_only,
        lambda X: X.tolist(),
        torch.as_tensor,
        lambda X: torch.as_tensor(X).double(),
        lambda X: torch.as_tensor(X).long(),
        lambda X: Pairs(X),
        lambda X: TensorDataset(torch.as_tensor(X), torch.zeros(len(X))),
        pd.DataFrame,
        lambda X: pd.DataFrame(X).convert_dtypes(),
        lambda X: pd.DataFrame(X, dtype="Float64"),
        lambda X: pd.DataFrame(X, columns=list("abcde")).astype({"b": "int16"}),
        lambda X: {"X": X},
        lambda X: {"X": torch.as_tensor(X)},
    ],
    ids=["fortran", "reversed", "strided", "read-only", "list", "tensor", "tensor-f8",
         "tensor-i8", "dataset", "tensor-dataset", "frame", "nullable", "extension",
         "mixed-columns", "dict", "dict-of-tensors"],
)  # fmt: skip
def test_rows_of_any_kind(convert):
    if convert(TABLE).__class__ is list:
        # take() of a list gives an array, which joins rows that became one.
        assert_as_reference(np.asarray)
    assert_as_reference(convert)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_maps(mode, tmp_path):
    assert_as_reference(memmap_of(tmp_path, mode))


@pytest.mark.parametrize("kind", ["images", "tokens", "dict"])
def test_rows_that_are_no_table(kind):
    X = make_rows(kind)
    learner = learner_for(kind).fit(X, Y)
    chosen = learner.query(X, n=4)
    assert len(set(chosen.tolist())) == 4
    learner.teach(take(X, chosen), Y[chosen])
    assert learner.n_labeled_ == len(Y) + 4
    assert learner.predict(X).shape == Y.shape


def test_token_ids_stay_integers():
    learner = learner_for("tokens").fit(make_rows("tokens"), Y)
    seen = []
    module = find_net(learner.estimator_).module_
    module.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    learner.query(make_rows("tokens"), n=2)
    assert set(seen) == {torch.int64}


def test_images_of_bytes():
    X = np.abs(make_rows("images") * 50).astype(np.uint8)
    found = learner_for("images").fit(X, Y).query(X, n=5)
    expected = learner_for("images").fit(X.astype(np.float32), Y).query(X, n=5)
    np.testing.assert_array_equal(found, expected)


def test_sparse_rows_through_a_pipeline_step_that_takes_them():
    X = sparse.csr_array(TABLE * (np.abs(TABLE) > 10))
    net = make_pipeline(TruncatedSVD(5, random_state=0), make_net(Net))
    learner = ActiveLearner(net, random_state=0).fit(X, Y)
    chosen = learner.query(X, n=4)
    learner.teach(take(X, chosen), Y[chosen])
    assert learner.X_.shape == (len(Y) + 4, 5)


def test_sparse_rows_without_such_a_step_are_an_error():
    X = sparse.csr_array(TABLE)
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        learner_for("table").fit(X, Y)
    learner = learner_for("table").fit(TABLE, Y)
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        learner.query(X, n=2)


@pytest.mark.parametrize("convert", [np.float64, np.float32, np.int16, pd.DataFrame])
def test_pipelines(convert):
    def make():
        net = make_pipeline(StandardScaler(), make_net(Net))
        return ActiveLearner(net, strategy=LeastConfidence(), random_state=0)

    expected = reference(make())
    assert_as_reference(convert, make(), expected, atol=1e-4)


@pytest.mark.parametrize("convert", [np.float64, np.float32, np.int16, pd.DataFrame])
@pytest.mark.parametrize("scaled", [False, True], ids=["net", "pipeline"])
def test_frozen_estimators(convert, scaled):
    torch.manual_seed(0)
    fitted = make_net(Net)
    if scaled:
        # The scaler keeps float32, which a bare skorch net needs.
        fitted = make_pipeline(StandardScaler(), fitted)
    fitted.fit(TABLE, Y)
    expected = fitted.predict_proba(POOL)
    learner = ActiveLearner(FrozenEstimator(fitted), random_state=0)
    learner.fit(convert(TABLE), Y)
    pool = convert(POOL)
    np.testing.assert_allclose(learner.predict_proba(pool), expected, atol=1e-4)
    chosen = learner.query(pool, n=3)
    learner.teach(take(pool, chosen), Y[chosen])
    np.testing.assert_allclose(learner.predict_proba(pool), expected, atol=1e-4)


def test_query_returns_positions_of_frames():
    frame = pd.DataFrame(POOL, index=[f"row {i}" for i in range(len(POOL))])
    learner = learner_for("table").fit(pd.DataFrame(TABLE), Y)
    chosen = learner.query(frame, n=3)
    assert chosen.dtype == np.intp
    labels = frame.index[chosen].tolist()
    assert labels == [f"row {i}" for i in chosen]
    learner.teach(frame.loc[labels], Y[chosen])
    assert learner.X_.index.tolist()[-3:] == labels


def test_columns_of_text_are_an_error():
    frame = pd.DataFrame(TABLE, columns=list("abcde")).assign(b="text")
    with pytest.raises(InvalidInputError) as caught:
        learner_for("table").fit(frame, Y)
    assert "non-numeric columns ['b']" in str(caught.value)
    assert "encode them in a pipeline step before the net" in str(caught.value)


KINDS = {
    "array": TABLE,
    "tensor": torch.as_tensor(TABLE),
    "frame": pd.DataFrame(TABLE),
    "dict": {"X": TABLE},
    "dataset": Pairs(TABLE),
}


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", ["array", "frame", "dataset"])
def test_mixed_kinds_are_an_error(first, second):
    if first == second:
        return
    learner = learner_for("table").fit(KINDS[first], Y)
    with pytest.raises(InvalidInputError, match="must be of the same kind as the labe"):
        learner.teach(KINDS[second], Y)
    assert learner.n_labeled_ == len(Y)
    # Another kind of pool is fine: its rows are only read.
    learner.query(KINDS[second], n=2)


def test_the_pool_is_never_written_to():
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 3))
    learner = ActiveLearner(make_net(module), random_state=0)
    for X in (TABLE.copy(), torch.as_tensor(TABLE.copy())):
        learner.fit(X, Y)
        learner.query(X, n=3)
        learner.predict(X)
        np.testing.assert_array_equal(np.asarray(X), TABLE)
        np.testing.assert_array_equal(np.asarray(learner.X_), TABLE)

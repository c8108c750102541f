"""Rows of several inputs, and values that no net can read: refused in time."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from torch import nn

from skbadge import ActiveLearner, LeastConfidence, PenultimateFeatures, take
from skbadge.exceptions import InvalidInputError
from tests._any_modules import Net, Transformer, TwoInputs
from tests._any_nets import make_net, make_rows
from tests._learning import assert_unchanged, snapshot
from tests._steps import Step

TABLE = make_rows("table")
Y = np.arange(len(TABLE)) % 3


class TwoTables(nn.Module):
    """Two inputs, given by name or as one tuple."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, *parts, **named):
        parts = parts[0] if parts else [named["a"], named["b"]]
        return self.head(torch.cat(list(parts), dim=1))


FRAMES = {
    "a": pd.DataFrame(TABLE[:, :2], columns=["x", "y"]),
    "b": pd.DataFrame(TABLE[:, 2:], columns=["u", "v", "w"]),
}
ARRAYS = tuple(part.to_numpy() for part in FRAMES.values())


def learner_for(module, **settings):
    return ActiveLearner(
        make_net(module), strategy=LeastConfidence(), random_state=0, **settings
    )


WRONG = {
    "missing-key": (
        FRAMES,
        {"a": FRAMES["a"]},
        "X must have the keys ['a', 'b'], as in fit. Got ['a'] instead.",
    ),
    "extra-key": (
        FRAMES,
        {**FRAMES, "c": FRAMES["a"]},
        "X must have the keys ['a', 'b'], as in fit. Got ['a', 'b', 'c'] instead.",
    ),
    "order-of-columns": (
        FRAMES,
        {**FRAMES, "a": FRAMES["a"][["y", "x"]]},
        "X['a'] must have the columns ['x', 'y'], as in fit. Got ['y', 'x'] instead.",
    ),
    "other-shape": (
        FRAMES,
        {**FRAMES, "b": TABLE[:, :2]},
        f"X['b'] must have the shape (n, 3), as in fit. Got ({len(Y)}, 2) instead.",
    ),
    "number-of-parts": (
        ARRAYS,
        (*ARRAYS, TABLE),
        "X must have 2 parts, as in fit. Got 3 instead. A tuple of arrays is read as "
        "several inputs: stack rows with numpy.stack.",
    ),
    "shape-of-a-part": (
        ARRAYS,
        ARRAYS[::-1],
        f"X[0] must have the shape (n, 2), as in fit. Got ({len(Y)}, 3) instead.",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_inputs_that_differ_from_those_of_fit(case):
    known, rows, message = case
    learner = learner_for(TwoTables).fit(known, Y)
    features = PenultimateFeatures(make_net(TwoTables), random_state=0).fit(known, Y)
    before = snapshot(learner)
    for call in (
        lambda: learner.query(rows, n=2),
        lambda: learner.predict(rows),
        lambda: learner.teach(rows, Y),
        lambda: features.transform(rows),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert str(caught.value) == message
    assert_unchanged(learner, before)


def test_parts_of_another_kind_are_only_read():
    learner = learner_for(TwoTables).fit(FRAMES, Y)
    arrays = {key: part.to_numpy() for key, part in FRAMES.items()}
    np.testing.assert_array_equal(learner.query(arrays, 4), learner.query(FRAMES, 4))
    # A new fit knows nothing of the inputs before.
    learner.fit({**FRAMES, "a": FRAMES["a"][["y", "x"]]}, Y)
    with pytest.raises(InvalidInputError, match="must have the columns .'y', 'x'"):
        learner.predict(FRAMES)
    learner.fit(ARRAYS, Y).predict(ARRAYS)


KINDS = {
    "frame": pd.DataFrame,
    "tensor": torch.as_tensor,
    "dict": lambda X: {"X": X},
    "nested": lambda X: {"X": torch.as_tensor(X)},
    "nullable": lambda X: pd.DataFrame(X).astype("Float64"),
}


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_values_that_are_not_finite_are_not_stored(make, value):
    bad = TABLE[:4].copy()
    bad[2, 1] = value
    message = "Input X contains NaN or infinity in row 2. Impute or remove such values"
    learner = learner_for(Net).fit(make(TABLE), Y)
    before = snapshot(learner)
    for call in (
        lambda: learner.teach(make(bad), Y[:4]),
        lambda: learner.predict(make(bad)),
    ):
        with pytest.raises(InvalidInputError, match=message):
            call()
    assert_unchanged(learner, before)
    fresh = learner_for(Net)
    with pytest.raises(InvalidInputError, match=message):
        fresh.fit(make(bad), Y[:4])
    assert not hasattr(fresh, "X_")
    # A query names the row where it reaches the net, and only if it does.
    candidates = [0, 1, 3]
    assert set(learner.query(make(bad), n=3, candidates=candidates)) == set(candidates)


class OwnDataset(torch.utils.data.Dataset):
    """Reads tables in its own way: what is missing is zero."""

    def __init__(self, X, y=None):
        self.X = np.nan_to_num(np.asarray(X, dtype=np.float32))
        self.y = np.zeros(len(X)) if y is None else y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


def test_a_data_set_of_the_users_own_may_read_missing_values():
    frame = pd.DataFrame(TABLE).mask(TABLE > 1)
    learner = ActiveLearner(make_net(Net, dataset=OwnDataset), random_state=0)
    learner.fit(frame, Y).teach(frame[:3], Y[:3])
    assert learner.predict(frame).shape == Y.shape


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_no_rows_at_all(make, piped):
    net = make_net(Net)
    net = make_pipeline(Step(), net) if piped else net
    learner = ActiveLearner(net, random_state=0).fit(make(TABLE), Y)
    empty = take(make(TABLE), [])
    for call in (
        learner.predict,
        learner.predict_proba,
        lambda X: learner.teach(X, []),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call(empty)
        assert str(caught.value) == "X must hold at least one row. Got none."


def test_rows_in_a_list_of_tensors_are_explained():
    rows = list(torch.as_tensor(TABLE))
    with pytest.raises(InvalidInputError) as caught:
        learner_for(Net).fit(rows, Y)
    assert str(caught.value) == (
        f"X and y must have the same number of rows. Got 5 rows of X and {len(Y)} "
        "labels instead. A list of arrays is read as several inputs: stack rows with "
        "numpy.stack."
    )


def test_booleans_beside_numbers():
    frame = pd.DataFrame(TABLE, columns=list("abcde"))
    dummies = frame.assign(e=frame["e"] > 0)
    floats = dummies.astype(np.float32)
    found = learner_for(Net).fit(dummies, Y)
    expected = learner_for(Net).fit(floats, Y)
    np.testing.assert_array_equal(found.query(dummies, 5), expected.query(floats, 5))
    features = PenultimateFeatures(make_net(Net), random_state=0).fit(dummies, Y)
    assert len(features.transform(dummies)) == len(Y)


def test_objects_that_a_step_hands_on():
    learner = ActiveLearner(
        make_pipeline(FunctionTransformer(), make_net(Net)), random_state=0
    )
    rows = TABLE.astype(object)
    learner.fit(rows, Y)
    chosen = learner.query(rows, n=3)
    assert learner.teach(rows[chosen], Y[chosen]).n_labeled_ == len(Y) + 3
    rows[0, 0] = "text"
    with pytest.raises(InvalidInputError, match="Got an array of dtype object"):
        learner.predict(rows)


@pytest.mark.parametrize("convert", [
    lambda X: X.astype(np.uint8),
    lambda X: X.astype(np.int16),
    lambda X: torch.as_tensor(X).short(),
    lambda X: torch.as_tensor(X).to(torch.uint8),
    lambda X: pd.DataFrame(X).convert_dtypes(),
], ids=["uint8", "int16", "short", "tensor-uint8", "nullable"])  # fmt: skip
def test_ids_of_any_width(convert):
    ids = make_rows("tokens")
    expected = learner_for(Transformer).fit(ids, Y).query(ids, n=5)
    learner = learner_for(Transformer).fit(convert(ids), Y)
    np.testing.assert_array_equal(learner.query(convert(ids), n=5), expected)
    learner.teach(take(convert(ids), expected), Y[expected])
    both = make_rows("dict")
    both = {"ids": convert(both["ids"]), "numbers": both["numbers"]}
    assert len(learner_for(TwoInputs).fit(both, Y).query(both, n=2)) == 2


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_a_category_that_comes_later():
    def rows(kinds):
        return pd.DataFrame(
            {"kind": pd.Categorical(kinds), "size": np.ones(len(kinds))}
        )

    steps = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False),
         make_column_selector(dtype_include="category")),
        ("passthrough", make_column_selector(dtype_include="number")),
    )  # fmt: skip
    net = make_net(lambda: nn.LazyLinear(2))
    learner = ActiveLearner(make_pipeline(steps, net), random_state=0)
    learner.fit(rows(["x", "y"] * 5), [0, 1] * 5).teach(rows(["z", "x"]), [0, 1])
    assert learner.X_["kind"].cat.categories.tolist() == ["x", "y", "z"]
    names = learner.estimator_[0].get_feature_names_out()
    assert len(names) == 4 and "onehotencoder__kind_z" in names

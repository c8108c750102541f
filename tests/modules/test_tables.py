"""A pipeline for mixed tables, and nets whose width comes with the rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbadge import ActiveLearner, simulate
from skbadge.exceptions import InvalidInputError
from skbadge.modules import MLP, LeanClassifier, lean_settings, make_table_classifier


def make_frame(n=90):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, 100 * rng.random(n)),
            "kind": np.array(["ash", "oak", "yew"], dtype=object)[y],
            "code": pd.Categorical(y * 10),
            "note": [f"row {i} {'long' if i % 3 else 'short'}" for i in range(n)],
        }
    )
    frame.loc[3, ["kind", "note"]] = None
    return frame, y


def outputs_of_steps(classifier, X, y):
    return classifier[:-1].fit(X, y).transform(X)


def test_a_mixed_table_is_learned():
    frame, y = make_frame()
    classifier = make_table_classifier(frame, 3, max_epochs=40)
    learner = ActiveLearner(classifier, random_state=0)
    learner.fit(frame[:30], y[:30])
    assert learner.score(frame[30:], y[30:]) > 0.9
    indices = learner.query(frame, n=4)
    learner.teach(frame.iloc[indices], y[indices])
    assert learner.n_labeled_ == 34
    assert pickle.loads(pickle.dumps(learner)).predict(frame).shape == (90,)


def test_columns_by_their_kind():
    frame, y = make_frame()
    classifier = make_table_classifier(frame, 3)
    found = outputs_of_steps(classifier, frame, y)
    words = 2**12
    assert found.shape == (90, words + 1 + 3 + 3)
    values = found[:, words:].toarray()
    assert abs(values[:, 0].mean()) < 1e-9 and values[:, 0].std() == pytest.approx(1)
    expected = np.eye(3)[y]
    np.testing.assert_array_equal(values[:, 4:], expected)
    # What is missing is in none of the categories.
    expected[3] = 0
    np.testing.assert_array_equal(values[:, 1:4], expected)
    assert found[3, :words].nnz == 0


def test_categories_are_those_of_the_whole_pool():
    frame, y = make_frame()
    classifier = make_table_classifier(frame[["kind"]], 3)
    ashes = frame["kind"] == "ash"
    assert (
        outputs_of_steps(classifier, frame.loc[ashes, ["kind"]], y[ashes]).shape[1] == 3
    )


@pytest.mark.parametrize(
    "make",
    [np.asarray, torch.from_numpy, sparse.csr_matrix],
    ids=["array", "tensor", "sparse"],
)
def test_arrays(make):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = make((rng.normal(size=(60, 5)) + 3 * y[:, None]).astype(np.float32))
    learner = ActiveLearner(make_table_classifier(X, 2, max_epochs=20), random_state=0)
    assert learner.fit(X, y).score(X, y) > 0.9


def test_settings_reach_the_net():
    frame, _ = make_frame()
    net = make_table_classifier(frame, 3, n_hidden=7, lr=0.1, train_split=None)[-1]
    assert (net.module__n_hidden, net.lr, net.batch_size) == (7, 0.1, 64)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame(index=range(3)), "a column with a value in it"),
        (pd.DataFrame({"a": [None, None]}), "a column with a value in it"),
        (pd.DataFrame({"a": [1, "x"]}, dtype=object), "must be of one type"),
        (
            pd.DataFrame({"t": pd.date_range("2020", periods=60)}),
            "Got 't' of type date",
        ),
        (np.zeros((2, 3, 4)), "X must be a table"),
        ([[1.0]], "Got rows of type list"),
    ],
)
def test_what_it_does_not_know(X, message):
    with pytest.raises(InvalidInputError, match=message):
        make_table_classifier(X, 2)


def test_a_net_takes_the_width_of_what_the_steps_give():
    # Categories of the labeled rows alone: the table gets wider from round to round.
    n = 60
    frame = pd.DataFrame(
        {"size": np.arange(n) % 7 / 7.0, "kind": [f"k{i // 6}" for i in range(n)]}
    )
    y = np.arange(n) // 6 % 2
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)),
        (
            OneHotEncoder(handle_unknown="ignore"),
            make_column_selector(dtype_exclude=np.number),
        ),
    )
    net = LeanClassifier(
        MLP,
        module__n_classes=2,
        module__n_hidden=16,
        max_epochs=5,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        **lean_settings(),
    )
    learner = ActiveLearner(clone(make_pipeline(columns, net)), random_state=0)
    table = simulate(
        learner, frame, y, initial=[0, 6], n=2, n_rounds=3, X_test=frame, y_test=y
    )
    assert table["n_labeled"].tolist() == [2, 4, 6, 8]
    again = simulate(
        learner, frame, y, initial=[0, 6], n=2, n_rounds=3, X_test=frame, y_test=y
    )
    assert table["accuracy"].equals(again["accuracy"])
    learner.fit(frame[::6], y[::6])
    assert learner.estimator_[-1].module_.hidden.in_features == 1 + 10
    learner.fit(frame[:20], y[:20])
    assert learner.estimator_[-1].module_.hidden.in_features == 1 + 4


def test_fused_updates_of_a_width_to_come():
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    y = np.arange(20) % 2
    nets = []
    for width in ({}, {"module__n_features": 4}):
        torch.manual_seed(0)
        nets.append(
            LeanClassifier(
                MLP, module__n_classes=2, criterion=torch.nn.CrossEntropyLoss,
                optimizer=torch.optim.Adam, optimizer__fused=True, max_epochs=3,
                **width, **lean_settings(),
            ).fit(X, y)
        )  # fmt: skip
    lazy, known = nets
    assert lazy.predict_proba(X).shape == known.predict_proba(X).shape
    assert type(lazy.module_.hidden) is torch.nn.Linear
    assert lazy.module_.hidden.weight.shape == known.module_.hidden.weight.shape

"""Every wrong input has its message, and leaves the learner as it was."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import TensorDataset

from skbadge import (
    ALBL,
    BADGE,
    ActiveLearner,
    CoreSet,
    KMeansSampling,
    RandomSampling,
    TypiClust,
    take,
)
from skbadge.exceptions import (
    DivergedTrainingError,
    InvalidInputError,
    LearnerNotFittedError,
    RankError,
)
from tests._learning import (
    POOL,
    POOL_Y,
    Tiny,
    assert_unchanged,
    make_binary_net,
    make_data,
    make_learner,
    make_net,
    refused,
    snapshot,
)

X, Y = make_data()


def test_query_before_fit():
    refused(
        make_learner(),
        lambda learner: learner.query(POOL, n=2),
        LearnerNotFittedError,
        "This ActiveLearner instance is not fitted yet. Call fit(X, y) with some "
        "labelled rows before query; without any label, a strategy that needs no "
        "model, such as RandomSampling(), can query.",
    )


@pytest.mark.parametrize("strategy", [TypiClust(), KMeansSampling()])
def test_query_before_fit_with_what_could_read_the_input(strategy):
    name = type(strategy).__name__
    refused(
        make_learner(strategy),
        lambda learner: learner.query(POOL, n=2),
        LearnerNotFittedError,
        "such as RandomSampling(), can query. "
        f'{name}(features="input") compares what goes into the net, and can, too.',
    )
    advised = make_learner(type(strategy)(features="input"))
    assert len(advised.query(POOL, n=2)) == 2


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predict_before_fit(method):
    refused(
        make_learner(),
        lambda learner: getattr(learner, method)(POOL),
        LearnerNotFittedError,
        f"Call fit(X, y) with some labelled rows before {method};",
    )


WRONG_QUERIES = {
    "n-zero": ({"n": 0}, "n must be an int of at least 1. Got 0 instead."),
    "n-negative": ({"n": -3}, "n must be an int of at least 1. Got -3 instead."),
    "n-float": (
        {"n": 2.0},
        "n must be an int of at least 1. Got 2.0 of type float instead.",
    ),
    "n-bool": (
        {"n": True},
        "n must be an int of at least 1. Got True of type bool instead.",
    ),
    "n-text": ({"n": "5"}, "n must be an int of at least 1. Got '5' of type str"),
    "n-none": ({"n": None}, "n must be an int of at least 1. Got None of type"),
    "n-large": (
        {"n": 31},
        "n must be at most the number of candidates, 30. Got 31 instead: ask for fewer "
        "rows or give a larger pool.",
    ),
    "n-above-candidates": (
        {"n": 3, "candidates": [4, 7]},
        "n must be at most the number of candidates, 2. Got 3 instead",
    ),
    "n-above-subsample": (
        {"n": 6, "subsample": 5},
        "candidates that subsample=5 leaves, 5. Got 6 instead: ask for fewer rows or r",
    ),
    "no-candidates": (
        {"candidates": []},
        "The pool has no candidates (0 rows): there is nothing to choose from.",
    ),
    "no-true": ({"candidates": np.zeros(30, dtype=bool)}, "has no candidates (0 rows)"),
    "out-of-range": (
        {"candidates": [3, 30]},
        "candidates must be positions in [0, 30). Got values between 3 and 30 instead.",
    ),
    "negative": (
        {"candidates": [-1, 3]},
        "candidates must be positions in [0, 30). Got values between -1 and 3 instead.",
    ),
    "repeated": (
        {"candidates": [3, 5, 3]},
        "candidates must not repeat a position. Got 3 more than once.",
    ),
    "short-mask": (
        {"candidates": np.ones(29, dtype=bool)},
        "A boolean mask of candidates must have 30 entries, one for each row of "
        "X_pool. Got 29 instead.",
    ),
    "floats": (
        {"candidates": [0.0, 1.0]},
        "candidates must be a 1-D boolean mask or int positions in X_pool. Got dtype "
        "float64 and shape (2,) instead.",
    ),
    "2-d": (
        {"candidates": np.ones((30, 1), dtype=bool)},
        "Got dtype bool and shape (30, 1) instead.",
    ),
}


@pytest.mark.parametrize("case", WRONG_QUERIES.values(), ids=WRONG_QUERIES)
def test_wrong_queries(case):
    arguments, message = case
    learner = make_learner().fit(X, Y)
    refused(learner, lambda it: it.query(POOL, **arguments), InvalidInputError, message)


@pytest.mark.parametrize("strategy", [BADGE(), RandomSampling()])
def test_empty_pool(strategy):
    frame = pd.DataFrame(X, columns=list("abc"))
    for rows in (X, frame, torch.from_numpy(X), {"X": X}):
        learner = make_learner(strategy).fit(rows, Y)
        with pytest.raises(InvalidInputError, match="The pool has no candidates"):
            learner.query(take(rows, []))


@pytest.mark.parametrize("kind", ["array", "tensor", "piped"])
@pytest.mark.parametrize(
    "call",
    [
        lambda learner, rows: learner.query(rows, n=2),
        lambda learner, rows: learner.predict(rows),
        lambda learner, rows: learner.teach(rows, POOL_Y),
    ],
    ids=["query", "predict", "teach"],
)
def test_another_number_of_features(call, kind):
    net = make_pipeline(StandardScaler(), make_net()) if kind == "piped" else make_net()
    make = torch.from_numpy if kind == "tensor" else np.asarray
    learner = make_learner(net=net).fit(make(X), Y)
    rows = make(np.ascontiguousarray(POOL[:, :2]))
    before = snapshot(learner)
    with pytest.raises(ValueError, match="X has 2 features, but ActiveLearner is expe"):
        call(learner, rows)
    assert_unchanged(learner, before)


def test_x_and_y_of_different_length():
    message = (
        "X and y must have the same number of rows. Got 30 rows of X and 29 labels"
    )
    refused(make_learner(), lambda it: it.fit(POOL, Y[:29]), InvalidInputError, message)
    learner = make_learner().fit(X, Y)
    refused(learner, lambda it: it.teach(POOL, POOL_Y[:29]), InvalidInputError, message)
    refused(learner, lambda it: it.fit(POOL, POOL_Y[:29]), InvalidInputError, message)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 7], "y must hold known classes (0, 1, 2). Got 7 instead: correct the"),
        ([0.5, 1.5], "y must hold class labels. Got numbers with fractions instead."),
        (["0", "1"], "y must hold known classes (0, 1, 2). Got '0', '1' instead"),
        ([0, None], "y must not hold missing labels (NaN or None)."),
        ([0, np.nan], "y must not hold missing labels (NaN or None)."),
        (None, "y must hold one label for each row of X. Got None"),
        ([], "X and y must have the same number of rows. Got 2 rows of X and 0"),
        ([[0, 1], [1, 0]], "y must be a 1-D array of labels, one for each row."),
    ],
)
def test_wrong_labels_in_teach(y, message):
    learner = make_learner().fit(X, Y)
    learner.query(POOL, n=2)
    refused(learner, lambda it: it.teach(POOL[:2], y), InvalidInputError, message)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([1], "indices must hold 2 int positions in the last query's pool, one for"),
        ([0.0, 1.0], "Got dtype float64 and shape (2,) instead."),
        ([True, False], "Got dtype bool and shape (2,) instead."),
        ([4, 4], "indices must not repeat a position, since a row has one label. Got"),
        ([4, 30], "indices must be positions in [0, 30), the rows of the last query's"),
        ([-1, 3], "pool. Got values between -1 and 3 instead."),
    ],
)
def test_wrong_indices_in_teach(indices, message):
    learner = make_learner().fit(X, Y)
    learner.query(POOL, n=2)
    refused(
        learner,
        lambda it: it.teach(POOL[:2], POOL_Y[:2], indices=indices),
        InvalidInputError,
        message,
    )


def test_indices_without_a_query():
    message = (
        "indices speak of the last query's pool, but there was no query since fit. "
        "Leave indices away."
    )
    for learner in (make_learner(), make_learner().fit(X, Y)):
        refused(
            learner,
            lambda it: it.teach(POOL[:2], POOL_Y[:2], indices=[0, 1]),
            InvalidInputError,
            message,
        )


def test_empty_batch_of_labels():
    learner = make_learner().fit(X, Y)
    before = snapshot(learner)
    with pytest.raises(ValueError, match="0 sample|at least one label"):
        learner.teach(POOL[:0], [])
    assert_unchanged(learner, before)


WRONG_ROWS = {
    "number": (3, InvalidInputError, "X must be a NumPy array, torch tensor"),
    "none": (None, InvalidInputError, "X must be a NumPy array, torch tensor"),
    "empty-dict": ({}, InvalidInputError, "X must hold at least one array"),
    "uneven-dict": (
        {"a": X, "b": X[:3]},
        InvalidInputError,
        "All parts of X must have the same number of rows. Got [3, 60] instead.",
    ),
    "1-d": (X[:, 0], ValueError, "Expected 2D array, got 1D array instead"),
    "text": (X.astype(str), ValueError, "dtype='numeric' is not compatible"),
    "complex": (X + 1j, ValueError, "Complex data not supported"),
    "sparse": (sparse.csr_matrix(X), TypeError, "Sparse data was passed"),
    "nan": (np.where(X > 3, np.nan, X), ValueError, "contains NaN"),
    "inf": (np.where(X > 3, np.inf, X), ValueError, "contains infinity"),
}


@pytest.mark.parametrize("case", WRONG_ROWS.values(), ids=WRONG_ROWS)
def test_wrong_rows_in_fit(case):
    rows, error, message = case
    refused(make_learner(), lambda it: it.fit(rows, Y), error, message)
    refused(make_learner().fit(X, Y), lambda it: it.fit(rows, Y), error, message)


def test_frames_of_text_need_a_pipeline():
    frame = pd.DataFrame(X, columns=list("abc"))
    frame["kind"] = "x"
    learner = make_learner(net=make_net(module__n_features=4))
    with pytest.raises(InvalidInputError, match=r"non-numeric columns \['kind'\]"):
        learner.fit(frame, Y)


FRAME = pd.DataFrame(X, columns=list("aba"))


@pytest.mark.parametrize("piped", [False, True], ids=["bare", "piped"])
@pytest.mark.parametrize(
    "rows",
    [FRAME, {"table": FRAME}, FRAME.rename(columns={"a": ("a", 1)})],
    ids=["frame", "dict", "levels"],
)
def test_columns_of_one_name(rows, piped):
    net = make_pipeline(FunctionTransformer(), make_net()) if piped else make_net()
    learner = make_learner(net=net)
    text = "columns of a table must have different names. Got .* more than once: rename"
    with pytest.raises(InvalidInputError, match=text):
        learner.fit(rows, Y)
    learner.fit(X, Y)
    for call in (learner.predict, learner.query, lambda rows: learner.teach(rows, Y)):
        with pytest.raises(InvalidInputError, match=text):
            call(rows)


@pytest.mark.parametrize("piped", [False, True], ids=["bare", "piped"])
@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (np.ma.masked_greater(X, 2), "X must not be masked"),
        ({"X": np.ma.masked_greater(X, 2)}, "X must not be masked"),
        (torch.as_tensor(X).to_sparse(), "A tensor must be dense"),
    ],
    ids=["masked", "masked-part", "sparse-tensor"],
)
def test_what_would_be_read_as_something_else(rows, text, piped):
    net = make_pipeline(FunctionTransformer(), make_net()) if piped else make_net()
    learner = make_learner(net=net)
    with pytest.raises(InvalidInputError, match=text):
        learner.fit(rows, Y)
    learner.fit(X, Y)
    for call in (learner.predict, learner.query):
        with pytest.raises(InvalidInputError, match=text):
            call(rows)
    unmasked = np.ma.masked_greater(X, 1e9)
    assert len(learner.predict(unmasked)) == 60


def test_splits_of_a_data_set_are_no_data_set():
    part = TensorDataset(torch.as_tensor(X).float(), torch.zeros(60))
    with pytest.raises(InvalidInputError, match="give one of them, X"):
        make_learner().fit({"train": part, "test": part}, Y)


def test_nan_in_the_pool_is_named_where_it_reaches_the_net():
    pool = POOL.copy()
    pool[17] = np.inf
    message = "NaN or infinity reached the net in row 17 of the pool. Impute or"
    plain = make_learner().fit(X, Y)
    scaled = make_learner(net=make_pipeline(SimpleImputer(), make_net())).fit(X, Y)
    refused(plain, lambda it: it.query(pool, n=2), InvalidInputError, message)
    pool[17] = np.nan
    refused(plain, lambda it: it.query(pool, n=2), InvalidInputError, message)
    assert len(scaled.query(pool, n=2)) == 2
    refused(
        plain,
        lambda it: it.query(pool, n=2, candidates=np.arange(10, 30)),
        InvalidInputError,
        message,
    )


def test_nan_in_rows_to_predict():
    rows = POOL.copy()
    rows[4, 1] = np.nan
    plain = make_learner().fit(X, Y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        plain.predict(rows)
    # Steps that let NaN through.
    scaled = make_learner(net=make_pipeline(StandardScaler(), make_net())).fit(X, Y)
    for method in ("predict", "predict_proba"):
        with pytest.raises(DivergedTrainingError, match="infinity in row 4 of X. Wher"):
            getattr(scaled, method)(rows)


@pytest.mark.parametrize("net", ["logits", "binary"])
def test_diverged_training(net):
    make = make_net if net == "logits" else make_binary_net
    learner = make_learner(net=make(lr=1e30, max_epochs=10))
    with pytest.warns(UserWarning, match="The training diverged: in epoch 1 of 10 the"):
        learner.fit(X, Y if net == "logits" else Y % 2)
    with pytest.raises(DivergedTrainingError, match="its training diverged. Lower the"):
        learner.query(POOL, n=2)
    for method in (learner.predict, learner.predict_proba):
        with pytest.raises(DivergedTrainingError, match="The net answers NaN or infin"):
            method(POOL)


@pytest.mark.parametrize(
    ("strategy", "got"),
    [
        (BADGE, "Got the class BADGE: make an object of it, BADGE()."),
        ("badge", "Got 'badge'."),
        (LogisticRegression(), "Got LogisticRegression()."),
    ],
)
def test_wrong_strategy(strategy, got):
    message = (
        "strategy must be a query strategy object, for example BADGE(), or None. " + got
    )
    refused(make_learner(strategy), lambda it: it.fit(X, Y), InvalidInputError, message)
    refused(
        make_learner(strategy), lambda it: it.query(POOL), InvalidInputError, message
    )


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (BADGE(first="longest"), "first must be one of 'uniform', 'max-norm', 'norm'."),
        (
            BADGE(sampler="kmeans"),
            "sampler must be one of 'k-means++', 'k-dpp'",
        ),
        (ALBL(n_rounds=0), "n_rounds must be an int of at least 1. Got 0 instead."),
        (ALBL(delta=1), "delta must be a number in (0, 1). Got 1 instead."),
        (
            ALBL(update="none"),
            "update must be one of 'all', 'hsu-lin', 'chosen'. Got",
        ),
        (ALBL(arms=[]), "arms must hold at least one strategy. Got none."),
        (ALBL(arms=CoreSet), "arms must be a list of query strategies that do not"),
        (ALBL(arms=["conf"]), "Got 'conf' in it."),
        (ALBL(arms=[ALBL()]), "Got ALBL() in it."),
        (ALBL(arms=[BADGE(first=1)]), "first must be one of"),
    ],
)
def test_options_of_strategies_are_checked_before_training(strategy, message):
    refused(make_learner(strategy), lambda it: it.fit(X, Y), InvalidInputError, message)


@pytest.mark.parametrize(
    ("estimator", "got"),
    [
        (LogisticRegression(), "Got LogisticRegression instead."),
        (NeuralNetRegressor(Tiny), "Got NeuralNetRegressor instead."),
        (make_pipeline(StandardScaler()), "Got StandardScaler instead."),
        (Tiny(), "Got Tiny instead."),
        (None, "Got NoneType instead."),
        (NeuralNetClassifier, "Got the class NeuralNetClassifier instead: make an"),
        (FrozenEstimator(LogisticRegression()), "Got LogisticRegression instead."),
    ],
)
def test_wrong_estimator(estimator, got):
    message = (
        "estimator must be a skorch NeuralNetClassifier or NeuralNetBinaryClassifier, "
        "a scikit-learn Pipeline that ends in one, or a FrozenEstimator around either. "
        + got
    )
    learner = ActiveLearner(estimator, strategy=RandomSampling())
    refused(learner, lambda it: it.fit(X, Y), InvalidInputError, message)
    refused(learner, lambda it: it.query(POOL), InvalidInputError, message)


def test_kdpp_above_the_rank():
    net = make_net(module__n_hidden=2, module__dropout=0.0)
    learner = make_learner(BADGE(sampler="k-dpp"), net=net).fit(X, Y)
    before = snapshot(learner)
    with pytest.raises(RankError, match=r"rank"):
        learner.query(POOL, n=20)
    assert_unchanged(learner, before)


def test_data_sets_that_a_splitter_took_apart():
    pairs = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(Y))
    with pytest.raises(InvalidInputError, match=r"\['tuple'\].* items of .*SliceD"):
        cross_val_score(make_learner(), pairs, Y, cv=2, error_score="raise")
    found = cross_val_score(make_learner(), SliceDataset(pairs), Y, cv=2)
    assert len(found) == 2
    records = [{"x": float(row[0])} for row in X]
    with pytest.raises(InvalidInputError, match=r"\['dict'\] .*dataset=.*take\("):
        make_learner().fit(records, Y)


class Positions(nn.Module):
    """Patches of a picture with positions that are looked up."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.positions = nn.Embedding(4, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, X):
        tokens = self.patches(X).flatten(2).transpose(1, 2)
        tokens = tokens + self.positions(torch.arange(tokens.shape[1]))
        return self.head(tokens.mean(1))


def test_pictures_of_bytes_for_a_module_with_an_embedding():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (60, 3, 8, 8)).astype(np.uint8)
    learner = make_learner(net=make_net(Positions, lr=1e-4)).fit(pictures, Y)
    floats = make_learner(net=make_net(Positions, lr=1e-4))
    floats.fit(pictures.astype("f4"), Y)
    assert_array_equal(learner.predict(pictures), floats.predict(pictures))
    assert_array_equal(learner.query(pictures, n=3), floats.query(pictures, n=3))
    with pytest.raises(InvalidInputError, match=r"has an nn.Embedding.*astype\('float"):
        make_learner(net=make_net(Positions)).fit(pictures.astype(np.int64), Y)

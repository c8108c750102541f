"""Tables, learners, strategies and scores of a user's own, by the command line."""

import sys

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks._commands import SMALL, errors_only

OWN = """
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skorch import NeuralNetClassifier
from skbadge.modules import MLP, lean_settings
from skbadge.strategies import Needs, QueryStrategy, Selection

class First(QueryStrategy):
    needs = Needs()

    def __init__(self, *, skip=0):
        self.skip = skip

    def _select(self, outputs, n, generator):
        return Selection(range(self.skip, self.skip + n))

def make_learner():
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False, dtype="float32"), ["color"]),
        remainder="passthrough", verbose_feature_names_out=False)
    net = NeuralNetClassifier(
        MLP, module__n_features=3, module__n_classes=2, module__n_hidden=8,
        criterion=torch.nn.CrossEntropyLoss, max_epochs=3, **lean_settings())
    return make_pipeline(encode, Floats(), net)

class Floats(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self
    def transform(self, X):
        return X.astype("float32")

def half(estimator, X, y):
    return 0.5
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A table with a column of words, and a module of one's own beside it."""
    (tmp_path / "mine.py").write_text(OWN)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"color": ["red", "blue"] * 60, "size": rng.normal(size=120)})
    table["kind"] = np.where(table["color"] == "red", "rose", "iris")
    table.to_csv(tmp_path / "t.csv", index=False)
    yield monkeypatch
    sys.modules.pop("mine", None)


def test_a_table_a_pipeline_a_strategy_and_scores_of_ones_own(run, tmp_path, own):
    own.setattr(sys, "path", list(sys.path))
    status, out, err = run(
        "benchmark", "--dataset", "t.csv", "--target", "kind", *SMALL, "--jobs", 1,
        "--learner", "mine:make_learner", "--metric", "balanced_accuracy", "mine:half",
        "--strategies", "badge", "rand", "mine:First", "mine:First(skip=1)",
    )  # fmt: skip
    assert (status, errors_only(err)) == (0, [])
    assert out.startswith("t.csv, mine:make_learner, B = 5: test accuracy in percent")
    results = pd.read_csv(tmp_path / "results" / "results.csv")
    names = ["badge", "mine:First", "mine:First(skip=1)", "rand"]
    assert sorted(results["strategy"].unique()) == names
    assert set(results["mine:half"]) == {0.5}
    assert results["balanced_accuracy"].between(0, 1).all()
    # The rows come in the order of the pool: those with the lowest numbers first.
    table = results[(results["strategy"] == "mine:First") & (results["round"] == 1)]
    picked = table["positions"].str.split().map(lambda x: [int(i) for i in x])
    assert all(rows == sorted(rows) and rows[-1] < 16 for rows in picked)
    for metric in ("balanced_accuracy", "mine:half"):
        status, _, err = run("report", "results", "--metric", metric)
        assert (status, err) == (0, "")
        page = (tmp_path / "results" / "report.html").read_text()
        assert f"area under the curve of {metric}" in page
    # Changed code is other code.
    own.setattr("warnings.filters", [("default", None, Warning, None, 0)])
    changed = OWN.replace("range(self.skip", "range(1 + self.skip")
    (tmp_path / "mine.py").write_text(changed)
    sys.modules.pop("mine")
    _, _, err = run(
        "benchmark", "--dataset", "t.csv", "--target", "kind", *SMALL, "--jobs", 1,
        "--learner", "mine:make_learner", "--metric", "balanced_accuracy", "mine:half",
        "--strategies", "mine:First",
    )  # fmt: skip
    assert "other code of your own (2 cells)" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails", "Calling mine:fails must not fail. Got ZeroDivisionError: "),
        ("made", "'mine:made' must be a class or a function without arguments"),
        ("nothing", "estimator must be a skorch NeuralNetClassifier"),
        ("nowhere", "module 'mine' has no attribute 'nowhere'"),
    ],
)
def test_learners_that_cannot_be_used_are_refused_before_a_cell(
    run, tmp_path, own, name, message
):
    own.setattr(sys, "path", list(sys.path))
    lines = ["def fails():", "    return 1 / 0", "def nothing():", "    return None"]
    (tmp_path / "mine.py").write_text("\n".join([*lines, "made = 3"]))
    command = ["benchmark", *SMALL, "--learner", f"mine:{name}"]
    status, _, err = run(*command)
    assert status == 2 and message in err and not (tmp_path / "results").exists()
    if name == "fails":
        assert "mine.py, line 2)" in err


def test_a_module_that_fails_says_where(run, tmp_path, own):
    own.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text("x = 1\nopen('nowhere.txt')\n")
    status, _, err = run("benchmark", *SMALL, "--learner", "mine:x")
    assert status == 2 and "Importing mine must not fail. Got FileNotFoundError" in err
    assert "mine.py, line 2)" in err


def test_row_numbers_are_left_out(run, tmp_path, own):
    own.setattr("warnings.filters", [("default", None, Warning, None, 0)])
    frame = pd.read_csv(tmp_path / "t.csv")[["size", "kind"]]
    frame.to_csv(tmp_path / "numbered.csv")
    frame.to_csv(tmp_path / "plain.csv", index=False)
    tables = {}
    for name in ("numbered", "plain"):
        # One name, on which the seed hangs.
        (tmp_path / f"{name}.csv").replace(tmp_path / "t.csv")
        command = ["benchmark", "--dataset", "t.csv", "--target", "kind", *SMALL]
        _, _, err = run(*command, "--jobs", 1, "--strategies", "marg", "--out", name)
        assert ("a column without a name that numbers" in err) == (name == "numbered")
        tables[name] = (tmp_path / name / "results.csv").read_text()
    assert tables["numbered"] == tables["plain"]


def test_semicolons_are_told(run, tmp_path, own):
    pd.read_csv(tmp_path / "t.csv").to_csv(tmp_path / "s.csv", sep=";")
    _, _, err = run("benchmark", "--dataset", "s.csv", "--target", "kind")
    assert "in one column: separate the columns by commas" in err


def test_scores_of_one_class_see_the_labels_of_the_file(run, tmp_path, own):
    own.setattr(sys, "path", list(sys.path))
    rng = np.random.default_rng(0)
    # The rare class is the one that sorts first: not the class that would be "1".
    kind = np.where(rng.random(300) < 0.1, "bad", "good")
    frame = pd.DataFrame({"a": rng.normal(size=300) + 5 * (kind == "bad")})
    frame.assign(kind=kind).to_csv(tmp_path / "rare.csv", index=False)
    (tmp_path / "mine.py").write_text(
        "from sklearn.metrics import make_scorer, recall_score\n"
        "bad = make_scorer(recall_score, pos_label='bad')\n"
    )
    command = ["benchmark", "--dataset", "rare.csv", "--target", "kind", *SMALL]
    command += ["--jobs", 1, "--strategies", "marg"]
    _, _, err = run(*command, "--metric", "recall")
    assert "it cannot be known of which class" in err
    assert not (tmp_path / "results").exists()
    status, _, err = run(*command, "--metric", "recall=bad", "recall=good", "mine:bad")
    assert (status, errors_only(err)) == (0, [])
    results = pd.read_csv(tmp_path / "results" / "results.csv")
    assert results["recall=bad"].equals(results["mine:bad"])
    assert not results["recall=bad"].equals(results["recall=good"])
    run("report", "results")
    page = (tmp_path / "results" / "report.html").read_text()
    assert "Measured, too: recall=bad, recall=good, mine:bad; the report" in page


def test_a_preset_with_a_strategy_of_ones_own(run, tmp_path, own):
    own.setattr(sys, "path", list(sys.path))
    status, out, _ = run(
        "benchmark", "--preset", "smoke", "--repeats", 1, "--jobs", 1,
        "--strategies", "rand", "mine:First",
    )  # fmt: skip
    assert status == 0
    assert out.splitlines()[1].split() == ["labels", "rand", "mine:First"]

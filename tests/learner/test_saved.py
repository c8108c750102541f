"""Learners in files: nothing unpickled, nothing half written, nothing mistaken."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from skbadge import ALBL, ActiveLearner, RandomSampling, take
from skbadge.exceptions import (
    InvalidInputError,
    LearnerFileError,
    LearnerNotFittedError,
    RefitError,
)
from skbadge.learner import _learner_file, _state
from skbadge.learner._stored_rows import read_rows, stored_rows
from skbadge.utils._rows import RowList
from tests._learning import (
    Normed,
    Tiny,
    make_data,
    make_learner,
    make_net,
    same_weights,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)
NAMES = np.array(["b", "a", "c"])


def saved(tmp_path, strategy=None, **settings):
    """Return a learner with an open query, and the path it was saved to."""
    learner = make_learner(strategy or ALBL(), **settings).fit(X, NAMES[Y])
    chosen = learner.query(POOL, n=4)
    learner.teach(POOL[chosen], NAMES[POOL_Y[chosen]])
    learner.query(POOL, n=5)
    path = tmp_path / "learner.safetensors"
    assert learner.save(path) is learner
    return learner, path


@pytest.mark.parametrize("strategy", [ALBL(), RandomSampling(), None])
def test_a_learner_comes_back_and_goes_on(tmp_path, strategy):
    learner, path = saved(tmp_path, strategy, test_set=(POOL, NAMES[POOL_Y]))
    settings = {"strategy": strategy or ALBL(), "test_set": learner.test_set}
    twin = ActiveLearner.load(path, make_learner(random_state=7, **settings))
    assert same_weights(weights(twin), weights(learner))
    assert_array_equal(twin.X_, learner.X_)
    assert_array_equal(twin.y_, learner.y_)
    assert_array_equal(twin.open_, learner.open_)
    assert repr(twin.history_) == repr(learner.history_)
    assert twin.classes is None
    back = learner.open_[[2, 0]]
    for one in (learner, twin):
        one.teach(POOL[back], NAMES[POOL_Y[back]], indices=back)
    assert same_weights(weights(twin), weights(learner))
    assert_array_equal(twin.query(POOL, n=6), learner.query(POOL, n=6))


def test_it_comes_back_in_another_process(tmp_path):
    learner, path = saved(tmp_path)
    code = (
        "import sys, numpy as np\n"
        "from skbadge import ALBL, ActiveLearner\n"
        "from tests._learning import make_data, make_learner\n"
        "assert 'pickle' not in vars(sys.modules['skbadge.learner._learner_file'])\n"
        "twin = ActiveLearner.load(sys.argv[1], make_learner(ALBL()))\n"
        "print(twin.query(make_data(40, seed=1)[0], n=6).tolist())\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == learner.query(POOL, n=6).tolist()


def test_the_file_is_tensors_and_json(tmp_path):
    learner, path = saved(tmp_path)
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["skbadge"])
        assert header["format"] == 1
        assert file.get_tensor("labels").shape == (64,)
        weight = file.get_tensor("parameters.module_.head.weight")
    assert_array_equal(weight, weights(learner)["head.weight"])
    assert [p.name for p in tmp_path.iterdir()] == ["learner.safetensors"]


def test_pipelines_buffers_and_row_parameters(tmp_path):
    pipeline = make_pipeline(StandardScaler(), make_net(Normed))
    learner = make_learner(net=pipeline).fit(X, Y)
    learner.teach(POOL[:4], POOL_Y[:4]).save(tmp_path / "piped")
    twin = ActiveLearner.load(tmp_path / "piped", make_learner(net=clone(pipeline)))
    assert_array_equal(twin.predict_proba(POOL), learner.predict_proba(POOL))


class Weighed(Tiny):
    def forward(self, X, sample_weight=None, scale=1.0):
        return super().forward(X) * scale


def test_fit_parameters_come_back(tmp_path):
    learner = make_learner(net=make_net(Weighed))
    learner.fit(X, Y, sample_weight=np.arange(60.0), scale=0.5)
    learner.save(tmp_path / "weighed")
    twin = ActiveLearner.load(tmp_path / "weighed", make_learner(net=make_net(Weighed)))
    for one in (learner, twin):
        one.teach(POOL[:2], POOL_Y[:2], sample_weight=[1.0, 2.0])
    assert same_weights(weights(learner), weights(twin))
    learner.fit(X, Y, scale=torch.tensor(0.5))
    with pytest.raises(InvalidInputError, match="Got scale of type Tensor: pickle"):
        learner.save(tmp_path / "weighed")


def test_a_frozen_net_and_labels_without_a_training(tmp_path, monkeypatch):
    net = make_net().fit(X.astype("f4"), Y)
    learner = ActiveLearner(FrozenEstimator(net), random_state=0).fit(X, Y)
    learner.save(tmp_path / "frozen")
    twin = ActiveLearner.load(tmp_path / "frozen", clone(learner))
    assert_array_equal(twin.query(POOL, n=3), learner.query(POOL, n=3))

    def fails(*args, **kwargs):
        raise RuntimeError("broken")

    learner = make_learner()
    with monkeypatch.context() as broken:
        broken.setattr(_state.Model, "trained", fails)
        with pytest.raises(RefitError):
            learner.teach(X, Y)
    twin = ActiveLearner.load(*_path_of(learner, tmp_path), make_learner())
    assert not hasattr(twin, "estimator_")
    assert same_weights(weights(twin.refit()), weights(learner.refit()))
    with pytest.raises(LearnerNotFittedError, match=r"save\(\) needs labelled rows"):
        make_learner().save(tmp_path / "none")


def _path_of(learner, folder):
    learner.save(folder / "one")
    return (folder / "one",)


def test_a_net_that_diverged_is_saved_with_its_labels(tmp_path):
    with pytest.warns(UserWarning, match="The training diverged"):
        learner = make_learner(net=make_net(lr=1e30)).fit(X, Y)
    twin = ActiveLearner.load(*_path_of(learner, tmp_path), clone(learner))
    assert_array_equal(twin.y_, Y)


def test_rows_that_no_file_holds_are_given_again(tmp_path):
    pairs = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(Y))
    first = take(pairs, np.arange(20))
    learner = make_learner().fit(first, Y[:20])
    (path,) = _path_of(learner, tmp_path)
    twin = ActiveLearner.load(path, make_learner(), take(pairs, np.arange(20)))
    assert same_weights(weights(twin), weights(learner))
    with pytest.raises(InvalidInputError, match="holds no rows.*give the 20 labelled"):
        ActiveLearner.load(path, make_learner())
    with pytest.raises(InvalidInputError, match="must hold the 20 labelled rows"):
        ActiveLearner.load(path, make_learner(), pairs)
    with pytest.raises(InvalidInputError, match="other rows at the positions 0, 1,"):
        ActiveLearner.load(path, make_learner(), take(pairs, np.arange(20)[::-1]))


def test_another_learner_is_refused(tmp_path):
    _, path = saved(tmp_path)
    with pytest.raises(InvalidInputError, match="must be an ActiveLearner.*Got Neural"):
        ActiveLearner.load(path, make_net())
    with pytest.raises(InvalidInputError, match="asks by ALBL. Got one .* by BADGE"):
        ActiveLearner.load(path, make_learner())
    wide = make_learner(ALBL(), net=make_net(module__n_hidden=7))
    with pytest.raises(InvalidInputError, match="those of the net's module_"):
        ActiveLearner.load(path, wide)
    turned = make_learner(ALBL(), classes=["c", "b", "a"])
    with pytest.raises(InvalidInputError, match="stand for the classes 'a', 'b', 'c'"):
        ActiveLearner.load(path, turned)


class Tanh(Tiny):
    """The same weights with another activation."""

    def __init__(self):
        super().__init__()
        self.body[1] = nn.Tanh()


def test_a_net_that_answers_otherwise_is_told(tmp_path):
    _, path = saved(tmp_path)
    with pytest.warns(UserWarning, match="answers otherwise than it did"):
        ActiveLearner.load(path, make_learner(ALBL(), net=make_net(Tanh)))


def test_steps_that_a_warm_start_fitted_on_fewer_rows_are_told(tmp_path):
    pipeline = make_pipeline(StandardScaler(), make_net())
    learner = make_learner(net=pipeline, warm_start=True).fit(X, Y)
    learner.teach(POOL[:20] * 10, POOL_Y[:20])
    (path,) = _path_of(learner, tmp_path)
    with pytest.warns(UserWarning, match="fitted again on all labelled rows"):
        ActiveLearner.load(path, clone(learner))


def test_torn_foreign_and_newer_files(tmp_path, monkeypatch):
    learner, path = saved(tmp_path)
    whole = path.read_bytes()
    for cut in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(LearnerFileError, match="no saved learner, or is not whole"):
            ActiveLearner.load(path, make_learner(ALBL()))
    path.write_text("id,label\n1,a\n")
    with pytest.raises(LearnerFileError, match="no saved learner"):
        ActiveLearner.load(path, make_learner(ALBL()))
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(LearnerFileError, match="holds tensors, but no learner"):
        ActiveLearner.load(path, make_learner(ALBL()))
    save_file({"a": torch.zeros(2)}, path, {"skbadge": "{}"})
    with pytest.raises(LearnerFileError, match="header .* cannot be read: 'format'"):
        ActiveLearner.load(path, make_learner(ALBL()))
    with monkeypatch.context() as later:
        later.setattr(_learner_file, "FORMAT", 2)
        learner.save(path)
    with pytest.raises(LearnerFileError, match="has format 2, written by skbadge"):
        ActiveLearner.load(path, make_learner(ALBL()))
    with pytest.raises(FileNotFoundError):
        ActiveLearner.load(tmp_path / "nowhere", make_learner(ALBL()))


def changed_header(path, **changes):
    """Write a file again with another header, as whole as before."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["skbadge"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[name] = value
        elif name in header["state"]:
            header["state"][name] = value
        elif value is None:
            del header[name]
        else:
            header[name] = value
    text = json.dumps(header)
    digest = _learner_file.digest_of(text, tensors)
    save_file(tensors, path, {"skbadge": text, "sha256": digest})


def test_a_changed_bit_anywhere_is_seen(tmp_path):
    _, path = saved(tmp_path)
    whole = path.read_bytes()
    places = np.random.default_rng(0).choice(len(whole), 300, replace=False)
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(place) % 8
        path.write_bytes(changed)
        with pytest.raises(LearnerFileError):
            ActiveLearner.load(path, make_learner(ALBL()))


def test_values_that_were_changed_by_hand_are_seen(tmp_path):
    _, path = saved(tmp_path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        # Copies: the file is written over below.
        tensors = {name: file.get_tensor(name).clone() for name in list(file.keys())}
    other = {**tensors, "labels": tensors["labels"].flip(0)}
    trained = metadata["skbadge"].replace('"n_trainings": 2', '"n_trainings": 3')
    assert trained != metadata["skbadge"]
    for changed in (
        (other, metadata),
        (tensors, {**metadata, "skbadge": trained}),
        ({**tensors, "more": torch.zeros(1)}, metadata),
        (tensors, {"skbadge": metadata["skbadge"]}),
    ):
        save_file(changed[0], path, changed[1])
        with pytest.raises(LearnerFileError, match="not as learner.save.* the digest"):
            ActiveLearner.load(path, make_learner(ALBL()))
    save_file(tensors, path, metadata)
    assert ActiveLearner.load(path, make_learner(ALBL())).n_labeled_ == 64


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.bfloat16, torch.float16, torch.uint8, torch.complex64]
)
def test_the_digest_reads_all_types(dtype):
    ones, zeros = torch.ones(2, dtype=dtype), torch.zeros(2, dtype=dtype)
    found = {
        _learner_file.digest_of("", {"a": tensor})
        for tensor in (ones, zeros, ones[0], ones[None], ones[:0])
    }
    assert len(found) == 5


# A batch of two rows, of which one is open.
ASKED = {
    "selection": {"indices": [0, 1], "scores": [0.5, 0.25], "notes": ["a"]},
    "indices": [3, 4],
    "n_pool": 9,
    "n_candidates": 5,
    "open": [True, False],
    "own": True,
}


def selection(**changes):
    return {"selection": ASKED["selection"] | changes}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": [3, 3]}, "2 distinct positions in .0, 9. are expected"),
        ({"indices": [3, 9]}, "2 distinct positions in .0, 9. are expected"),
        ({"indices": [3, 10**30]}, "2 distinct positions in .0, 9. are expected"),
        ({"indices": [3, 0.5]}, "2 distinct positions in .0, 9. are expected"),
        ({"indices": [[3], [4]]}, "cannot be read: "),
        ({"n_pool": 0}, "n_pool must be an int of at least 1"),
        ({"n_candidates": 1}, "n_candidates must be an int of at least 2"),
        ({"open": [True]}, "open must hold 2 times true or false"),
        ({"open": ["no", "no"]}, "open must hold 2 times true or false"),
        ({"own": "no"}, "own must be True or False"),
        ({"marks": ["a"]}, "marks must hold 2 texts, or none"),
        ({"n_trainings": None}, "n_trainings must be an int"),
        (selection(scores=[{}, {}]), "scores must hold numbers, not object"),
        (selection(indices=[10**30, 1]), "cannot be read: "),
        (selection(indices=[0.5, 1.5]), "indices must be a list of ints"),
        (selection(more=1), "unexpected keyword argument 'more'"),
    ],
)
def test_a_batch_in_a_file_must_be_one(tmp_path, change, message):
    path = tmp_path / "learner"
    make_learner().fit(*make_data()).save(path)
    changed_header(path, asked=ASKED)
    assert ActiveLearner.load(path, make_learner()).open_.tolist() == [3]
    changed_header(path, asked=ASKED | change)
    with pytest.raises(InvalidInputError, match=f"whose 'asked' .*{message}"):
        ActiveLearner.load(path, make_learner())


@pytest.mark.parametrize("taught", [[2], [0, 0], [-2], [10**30], ["a"]])
def test_answers_in_a_file_must_be_of_their_batch(tmp_path, taught):
    path = tmp_path / "learner"
    make_learner().fit(*make_data()).save(path)
    batch = {"selection": ASKED["selection"], "taught": taught, "n_unlabeled": 3}
    changed_header(path, pending=[batch])
    with pytest.raises(InvalidInputError, match="whose 'pending' cannot be read"):
        ActiveLearner.load(path, make_learner())


def test_answers_of_a_net_that_do_not_belong_to_it(tmp_path):
    path = tmp_path / "learner"
    make_learner().fit(*make_data()).save(path)
    changed_header(path, probed=torch.zeros(2, 2))
    with pytest.warns(UserWarning, match="answers otherwise than it did"):
        ActiveLearner.load(path, make_learner())
    changed_header(path, n_trainings=0)
    with pytest.raises(LearnerFileError, match="and says that none was trained"):
        ActiveLearner.load(path, make_learner())


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"labels": torch.full((60,), 3)}, LearnerFileError, "labels beyond the 3"),
        ({"labels": torch.full((60,), -1)}, LearnerFileError, "labels beyond the 3"),
        ({"labels": torch.zeros(60)}, LearnerFileError, "labels of shape"),
        ({"labels": torch.zeros(9).long()}, LearnerFileError, "60 rows and 9 labels"),
        ({"classes": None}, LearnerFileError, "KeyError: 'classes'"),
        ({"classes": 7}, LearnerFileError, "is whole, but"),
        ({"rows": {"kind": "no"}}, LearnerFileError, "is whole, but"),
        (
            {"state": {"strategy": {"query": 3}}},
            InvalidInputError,
            "'query' is nothing that a strategy learns",
        ),
        ({"fit_params": [1]}, LearnerFileError, "is whole, but"),
        ({"constants": {"a": []}}, LearnerFileError, "is whole, but"),
        ({"state": [1]}, LearnerFileError, "is whole, but"),
        ({"history": 3}, InvalidInputError, "whose 'history' cannot be read"),
        ({"pending": [1]}, InvalidInputError, "whose 'pending' cannot be read"),
        ({"asked": {"a": 1}}, InvalidInputError, "whose 'asked' cannot be read"),
        ({"entropy": -1}, InvalidInputError, "entropy must be an int of at least 0"),
        (
            {"inclusion_probability": ["a"] * 60},
            InvalidInputError,
            "whose 'inclusion_probability' cannot be read",
        ),
    ],
)
def test_whole_files_with_a_wrong_content_are_explained(
    tmp_path, changes, kind, message
):
    path = tmp_path / "learner"
    make_learner().fit(*make_data()).save(path)
    changed_header(path, **changes)
    with pytest.raises(kind, match=message):
        ActiveLearner.load(path, make_learner())


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(LearnerFileError, match="is no file, but a folder or a pi"):
            ActiveLearner.load(path, make_learner())


def test_a_write_that_fails_leaves_the_file_before(tmp_path, monkeypatch):
    learner, path = saved(tmp_path)
    before = path.read_bytes()

    def full(tensors, partial, metadata):
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_learner_file, "save_file", full)
    with pytest.raises(LearnerFileError, match="No space left on device.*still there"):
        learner.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "rows",
    [
        np.arange(6, dtype=">f8").reshape(2, 3)[:, ::-1],
        np.array([[1, 2]], dtype=np.uint16),
        np.array([True, False]),
        np.float16([[1], [np.nan]]),
        np.array(["a", "bc"]),
        np.array([["a", None], [1, 2.5]], dtype=object),
        torch.tensor([[1.5]], dtype=torch.bfloat16),
        RowList(["a text", "another", None]),
        {"x": np.eye(2), "y": (np.zeros(2), [torch.ones(2), np.ones(2)])},
        sparse.csr_matrix([[0, 1.5], [0, 0]]),
        sparse.csr_array([[0, 1], [2, 0]]),
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[17, 3]),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_of_all_kinds(rows):
    tensors = {}
    found = json.loads(json.dumps(stored_rows(rows, "rows", tensors)))
    back = read_rows(found, tensors)
    assert type(back) is type(rows)
    if isinstance(rows, pd.DataFrame):
        pd.testing.assert_frame_equal(back, rows)
    elif sparse.issparse(rows):
        assert_array_equal(back.toarray(), rows.toarray())
    elif isinstance(rows, dict):
        assert [type(part) for part in back["y"]] == [np.ndarray, list]
        assert_array_equal(back["y"][1][0], rows["y"][1][0])
    elif isinstance(rows, RowList):
        assert back == rows
    elif isinstance(rows, torch.Tensor):
        assert torch.equal(back, rows)
    else:
        assert back.dtype == rows.dtype.newbyteorder("=")
        assert_array_equal(back, rows)


@pytest.mark.parametrize(
    "rows",
    [
        TensorDataset(torch.zeros(2)),
        RowList([object()]),
        np.array([1j]),
        {"x": np.zeros(1), "y": np.array([object()])},
        pd.DataFrame({"a": pd.Categorical(["x"])}),
        pd.DataFrame({"t": pd.to_datetime(["2020-01-01"])}),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_that_no_file_holds(rows):
    assert stored_rows(rows, "rows", {}) is None

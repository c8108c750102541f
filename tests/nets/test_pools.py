"""Pools of other libraries, and nets that read rows in their own way."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import SliceDataset
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Subset, TensorDataset

from skbadge import ActiveLearner, LeastConfidence, simulate, take
from skbadge.exceptions import InvalidInputError, ModuleOutputError, SparseInputError
from skbadge.nets._batches import check_items, iterate_batches
from skbadge.nets._dataset import ModuleDataset
from skbadge.nets._predict import predicted
from tests._any_modules import Net, Recurrent, Transformer, TwoInputs
from tests._any_nets import make_net, make_rows

TABLE = make_rows("table")
Y = np.arange(len(TABLE)) % 3


def learner_for(module=Net, **settings):
    net = make_net(module, **settings)
    return ActiveLearner(net, strategy=LeastConfidence(), random_state=0)


def one_round(learner, X, y=Y):
    """Run a round; return what was chosen before and after, and the predictions."""
    learner.fit(X, y)
    first = learner.query(X, n=4)
    learner.teach(take(X, first[:3]), Y[first[:3]])
    assert learner.n_labeled_ == len(Y) + 3
    return first, learner.query(X, n=4), learner.predict_proba(X)


def assert_as_arrays(X, learner=None, y=Y):
    expected = one_round(learner_for(), TABLE)
    for a, b in zip(one_round(learner or learner_for(), X, y), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


class Items:
    """Rows alone, by number, of no class that torch knows."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[int(i)]


def hub(columns, **kinds):
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict(columns)
    for name, kind in kinds.items():
        made = made.cast_column(name, kind)
    return made


class OfPictures(Net):
    """Reads each picture, of one channel and line, as a row."""

    def forward(self, X):
        return super().forward(X.flatten(1))


@pytest.mark.parametrize("format", [None, "numpy", "torch"])
@pytest.mark.parametrize("module", [Net, OfPictures])
def test_columns_of_the_hub_are_arrays_in_any_format(module, format):
    datasets = pytest.importorskip("datasets")
    kind, rows = datasets.List(datasets.Value("float32")), TABLE
    if module is OfPictures:
        kind, rows = datasets.Array3D((1, 1, 5), "float32"), TABLE[:, None, None]
    X = hub({"X": rows.tolist()}, X=kind).with_format(format)["X"]
    assert_as_arrays(X, learner_for(module))


def tables():
    columns = {f"c{i}": TABLE[:, i] for i in range(5)}
    return {
        "polars": pytest.importorskip("polars").DataFrame(columns),
        "pyarrow": pytest.importorskip("pyarrow").table(columns),
    }


@pytest.mark.parametrize("name", ["polars", "pyarrow"])
def test_tables_in_front_of_a_net(name):
    X = tables()[name]
    assert_as_arrays(X)
    learner = learner_for().fit(X, Y)
    assert learner.feature_names_in_.tolist() == [f"c{i}" for i in range(5)]
    order = ["c1", "c0", "c2", "c3", "c4"]
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        learner.predict(X.select(order))


@pytest.mark.parametrize("name", ["polars", "pyarrow"])
def test_tables_with_missing_entries_are_refused_and_imputed(name):
    package = pytest.importorskip(name)
    make = package.DataFrame if name == "polars" else package.table
    X = make({"a": [1.0, None] * 9, "b": list(range(18))})
    with pytest.raises(InvalidInputError, match="NaN or infinity in row 1"):
        learner_for(lambda: nn.Linear(2, 3)).fit(X, Y)
    text = make({"a": ["x"] * 18})
    with pytest.raises(InvalidInputError, match="non-numeric columns .'a'."):
        learner_for(lambda: nn.Linear(2, 3)).fit(text, Y)


@pytest.mark.parametrize("make", [Items, lambda X: Items([row.tolist() for row in X])])
def test_objects_with_items(make):
    assert_as_arrays(make(TABLE))


def test_a_data_set_of_hugging_face_in_front_of_a_net():
    X = hub({"X": TABLE.tolist()})
    assert_as_arrays(X)
    assert type(learner_for().fit(X, Y).X_) is type(X)
    assert_as_arrays(X.with_format("torch"))
    # The column of the labels is no input, whether it is there or not.
    learner = learner_for().fit(hub({"X": TABLE.tolist(), "label": Y.tolist()}), Y)
    np.testing.assert_allclose(learner.predict_proba(X), learner.predict_proba(TABLE))


def test_token_ids_of_hugging_face():
    rows = make_rows("dict")
    X = hub({"ids": rows["ids"].tolist(), "numbers": rows["numbers"].tolist()})
    found = one_round(learner_for(TwoInputs), X)
    for a, b in zip(found, one_round(learner_for(TwoInputs), rows), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_columns_that_are_no_numbers_are_named():
    X = hub({"X": TABLE.tolist(), "text": ["a"] * 18})
    with pytest.raises(InvalidInputError, match="Got text in the column 'text'"):
        learner_for().fit(X, Y)


def test_hugging_face_in_front_of_a_pipeline():
    X = hub({"text": [f"word {i}" for i in range(18)], "label": Y.tolist()})
    seen = []

    def lengths(rows):
        texts = rows["text"][:] if hasattr(rows, "features") else rows
        seen.append((type(rows).__name__, len(texts)))
        return np.array([[len(text), int(text[5:])] for text in texts], np.float32)

    pipeline = make_pipeline(
        FunctionTransformer(lengths),
        StandardScaler(),
        make_net(lambda: nn.Linear(2, 3)),
    )
    learner = ActiveLearner(pipeline, random_state=0).fit(X, None)
    chosen = learner.query(X, n=3)
    learner.teach(take(X, chosen), None)
    assert learner.y_[18:].tolist() == Y[chosen].tolist()
    learner.fit(X["text"], Y).teach(take(X["text"], chosen), Y[chosen])
    assert {kind for kind, _ in seen} == {"Dataset", "RowList"}
    assert max(count for _, count in seen) == 21


def test_labels_and_classes_of_hugging_face():
    datasets = pytest.importorskip("datasets")
    kind = datasets.ClassLabel(names=["a", "b", "c"])
    X = hub({"X": TABLE.tolist(), "grade": Y.tolist()}, grade=kind)
    few = take(X, np.flatnonzero(Y < 2))
    learner = learner_for()
    learner.fit(few, None)
    assert learner.y_.tolist() == Y[Y < 2].tolist()
    assert learner.classes_.tolist() == [0, 1, 2]
    names = np.array(["a", "b", "c"])
    learner.fit(few, names[Y[Y < 2]])
    assert learner.classes_.tolist() == ["a", "b", "c"]
    assert set(learner.predict(X)) <= set(names)
    with pytest.raises(InvalidInputError, match="none of its columns .'X'. is a Class"):
        learner.fit(X.remove_columns("grade"), None)


class Folder(Dataset):
    """As torchvision's ImageFolder: names of classes, and targets that are numbers."""

    classes = ("cat", "cow", "dog")

    def __init__(self, lie=False):
        self.targets = [0 if lie else int(label) for label in Y]

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, i):
        return TABLE[i], int(Y[i])


@pytest.mark.parametrize(
    "X",
    [
        Folder(),
        Folder(lie=True),
        Subset(Folder(), range(18)),
        TensorDataset(torch.as_tensor(TABLE), torch.as_tensor(Y)),
        Subset(Folder(), range(9)) + Subset(Folder(), range(9, 18)),
    ],
    ids=["folder", "items-differ", "subset", "tensors", "concat"],
)  # fmt: skip
def test_labels_of_torch_data_sets(X):
    assert learner_for().fit(X, None).y_.tolist() == Y.tolist()


def test_labels_are_not_read_row_by_row_where_they_are_kept():
    reads = []

    class Counting(Folder):
        def __getitem__(self, i):
            reads.append(i)
            return super().__getitem__(i)

    learner = learner_for(max_epochs=1)
    learner.fit(Subset(Counting(), range(12)), None)
    # The first row is looked at twice, and each row is trained on and run once.
    assert reads.count(7) == 1


def test_names_of_classes_of_an_image_folder():
    few = take(Folder(), np.flatnonzero(Y < 2))
    learner = learner_for().fit(few, None)
    assert learner.classes_.tolist() == [0, 1, 2]
    names = np.array(Folder.classes)
    learner = learner_for().fit(few, names[Y[Y < 2]])
    assert learner.classes_.tolist() == ["cat", "cow", "dog"]
    # Labels that are none of the names are the user's own.
    assert learner_for().fit(Folder(), names[Y].astype("U9")).classes_[0] == "cat"
    other = np.array(["x", "y", "z"])[Y]
    assert learner_for().fit(Folder(), other).classes_.tolist() == ["x", "y", "z"]


def test_names_of_classes_of_a_module():
    class Named(Net):
        def __init__(self):
            super().__init__()
            self.config = SimpleNamespace(id2label={0: "no", 1: "maybe", 2: "yes"})

    names = np.array(["no", "maybe", "yes"])
    learner = learner_for(Named()).fit(TABLE[Y < 2], names[Y[Y < 2]])
    assert learner.classes_.tolist() == ["maybe", "no", "yes"]


def test_no_labels_and_no_data_set():
    with pytest.raises(InvalidInputError, match="the target y is None"):
        learner_for().fit(TABLE, None)


class Augmented(Dataset):
    """Draws anew each time."""

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, i):
        return torch.as_tensor(TABLE[i]) + torch.rand(5), int(Y[i])


def test_looking_at_rows_moves_no_generator():
    before = torch.get_rng_state()
    learner = learner_for().fit(Augmented(), None)
    learner.query(Augmented(), n=2)
    learner.teach(take(Augmented(), [1]), None)
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_of_items_that_are_no_pairs():
    alone = Item(ITEMS["alone"][0])
    with pytest.raises(InvalidInputError, match="Got an item of type Tensor instead"):
        simulate(learner_for(), alone, None, n_rounds=1, X_test=TABLE, y_test=Y)


def test_slice_datasets_stay_lazy():
    batches = []

    class Notes(Net):
        def forward(self, X):
            if self.training:
                batches.append(X.clone())
            return super().forward(X)

    X = SliceDataset(Augmented())
    learner = learner_for(Notes, batch_size=-1).fit(X, Y)
    learner.teach(take(X, [3, 1]), Y[[3, 1]])
    assert isinstance(learner.X_, SliceDataset) and len(learner.X_) == 20
    assert not torch.equal(batches[-1], batches[-2])
    assert_as_arrays(
        SliceDataset(TensorDataset(torch.as_tensor(TABLE), torch.zeros(18)))
    )


def hdf5(tmp_path, X=TABLE):
    h5py = pytest.importorskip("h5py")
    return h5py.File(tmp_path / "pool.h5", "w").create_dataset("X", data=X)


def test_a_pool_in_a_file(tmp_path):
    X = hdf5(tmp_path)
    assert_as_arrays(X)
    learner = learner_for()
    table = simulate(learner, X, Y, n_initial=6, n=3, n_rounds=2, X_test=X, y_test=Y)
    expected = simulate(
        learner, TABLE, Y, n_initial=6, n=3, n_rounds=2, X_test=TABLE, y_test=Y
    )
    assert (
        table["positions"].map(list).tolist()
        == expected["positions"].map(list).tolist()
    )
    assert isinstance(learner.fit(X, Y).X_, np.ndarray)
    assert len(learner.query(X, n=2, candidates=[17, 3, 8])) == 2


class Sliced:
    """Indexed like an array, by slices alone."""

    dtype, shape = TABLE.dtype, TABLE.shape

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, rows):
        if not isinstance(rows, slice):
            raise TypeError("slices alone")
        return TABLE[rows]


def test_a_sequence_without_slices():
    rows = deque(TABLE.tolist())
    learner = learner_for().fit(rows, Y).teach(rows, Y)
    expected = learner_for().fit(TABLE, Y).teach(TABLE, Y)
    np.testing.assert_array_equal(learner.query(rows, n=2), expected.query(TABLE, n=2))
    np.testing.assert_allclose(
        learner.predict_proba(rows), expected.predict_proba(TABLE), atol=1e-6
    )


def test_a_pool_that_is_read_by_slices_alone():
    learner = learner_for().fit(Sliced(), Y).teach(Sliced(), Y)
    expected = learner_for().fit(TABLE, Y).teach(TABLE, Y)
    np.testing.assert_array_equal(learner.X_, expected.X_)
    for candidates in (None, [17, 3, 8]):
        found = learner.query(Sliced(), n=2, candidates=candidates)
        rows = expected.query(TABLE, n=2, candidates=candidates)
        np.testing.assert_array_equal(found, rows)
    np.testing.assert_array_equal(
        learner.predict_proba(Sliced()), expected.predict_proba(TABLE)
    )


class Files(SkorchDataset):
    """Opens what it is given the name of."""

    def transform(self, X, y):
        return torch.as_tensor(TABLE[int(str(X)[1:])]), 0 if y is None else y


NAMES = np.array([f"f{i}" for i in range(18)])


@pytest.mark.parametrize("names", [NAMES, NAMES.astype(object)], ids=["str", "object"])
def test_names_for_a_data_set_of_the_users_own(names):
    assert_as_arrays(names, learner_for(dataset=Files))


class Tokens(SkorchDataset):
    """Rows of several lengths."""

    def transform(self, X, y):
        return torch.tensor(list(X)), torch.tensor(0 if y is None else y)


def padded(rows):
    X = pad_sequence([row for row, _ in rows], batch_first=True)
    return X, torch.stack([y for _, y in rows])


def test_tokens_for_a_data_set_of_the_users_own():
    rows = np.empty(18, dtype=object)
    rows[:] = [[1 + i % 7] * (3 + i % 4) for i in range(18)]

    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(9, 4, padding_idx=0)
            self.head = nn.Linear(4, 3)

        def forward(self, X):
            return self.head(self.words(X).mean(1))

    learner = learner_for(
        Bag, dataset=Tokens, iterator_train__collate_fn=padded,
        iterator_valid__collate_fn=padded,
    )  # fmt: skip
    one_round(learner, rows)
    plain = torch.utils.data.Dataset

    class OfLists(plain):
        def __init__(self, X, y=None):
            self.X, self.y = X, y

        def __len__(self):
            return len(self.X)

        def __getitem__(self, i):
            return torch.tensor(self.X[i]), torch.tensor(
                0 if self.y is None else self.y[i]
            )

    learner = learner_for(
        Bag, dataset=OfLists, iterator_train__collate_fn=padded,
        iterator_valid__collate_fn=padded,
    )  # fmt: skip
    one_round(learner, rows.tolist())
    assert learner.predict([[1, 2], [3, 4]]).shape == (2,)


@pytest.mark.parametrize("other", [(18, 9, 3), (5, 1, 3)])
def test_sequences_of_another_length(other):
    X = make_rows("sequences")
    longer = np.random.default_rng(0).normal(size=other).astype(np.float32)
    for convert in (np.asarray, torch.as_tensor, lambda X: {"X": X}):
        learner = learner_for(Recurrent).fit(convert(X), Y)
        assert learner.query(convert(longer), n=2).shape == (2,)
        assert len(learner.predict(convert(longer))) == len(longer)
        with pytest.raises(InvalidInputError, match="must have the shape .n, 4, 3."):
            learner.predict(convert(longer[:, 0]))
        with pytest.raises(InvalidInputError, match="must have the shape .n, 4, 3."):
            learner.teach(convert(longer), Y[: len(longer)])


def test_ids_of_another_length():
    ids = make_rows("tokens")
    learner = learner_for(Transformer).fit(ids, Y)
    longer = np.concatenate([ids, ids], axis=1)
    assert learner.predict(longer).shape == (18,)
    assert len(learner.query(torch.as_tensor(longer), n=2)) == 2
    with pytest.raises(ValueError, match="X has 4 features"):
        learner_for().fit(TABLE, Y).predict(TABLE[:, :4])


@pytest.mark.parametrize(
    "rows, message",
    [
        (
            [[1, 2], [3]],
            "The rows of a list X must have the same shape each. Pad them",
        ),
        (
            ["a", "b"],
            "The net takes numbers. Got a list whose rows are of type ['str']",
        ),
        ([{"a": 1}, {"a": 2}], "Got a list whose rows are of type ['dict'] instead"),
        (
            [None, 1.0],
            "rows are of type ['NoneType', 'float'] instead: encode them in a",
        ),
        (np.array(["a", "b"])[:, None], "not compatible with arrays of bytes/strings"),
        ({"X": [["a"], ["b"]]}, "Got a list whose rows are of type ['list'] instead"),
    ],
)
def test_what_a_bare_net_cannot_take(rows, message):
    learner = learner_for()
    with pytest.raises(ValueError) as caught:
        learner.fit(rows, [0, 1])
    assert message in str(caught.value)
    assert not hasattr(learner, "X_")


def test_sparse_rows_say_what_to_put_before_the_net():
    with pytest.raises(SparseInputError) as caught:
        learner_for().fit(sparse.csr_array(TABLE), Y)
    assert "FunctionTransformer(accept_sparse=True)" in str(caught.value)
    step = FunctionTransformer(accept_sparse=True)
    learner = ActiveLearner(make_pipeline(step, make_net(Net)), random_state=0)
    learner.fit(sparse.csr_array(TABLE), Y)
    expected = learner_for().fit(TABLE, Y).predict_proba(TABLE)
    found = learner.predict_proba(sparse.csr_array(TABLE))
    np.testing.assert_allclose(found, expected, atol=1e-5)


class Item(Dataset):
    """Yields whatever it is told to."""

    def __init__(self, item):
        self.item = item

    def __len__(self):
        return 18

    def __getitem__(self, i):
        return self.item(i)


ITEMS = {
    "alone": (lambda i: torch.as_tensor(TABLE[i]), "items of type Tensor"),
    "dict": (lambda i: {"X": TABLE[i], "y": 0}, "items of type dict"),
    "three": (lambda i: (TABLE[i], 0, i), "items of 3 parts"),
    "number": (lambda i: 1.5, "items of type float"),
}


@pytest.mark.parametrize("name", ITEMS)
def test_items_are_looked_at_before_any_training(name):
    item, got = ITEMS[name]
    trained = []

    class Notes(Net):
        def forward(self, X):
            trained.append(len(X))
            return super().forward(X)

    with pytest.raises(InvalidInputError) as caught:
        learner_for(Notes).fit(Item(item), Y)
    assert str(caught.value) == (
        "A data set must yield pairs (X, y), as skorch expects; for rows without a "
        f"label, y may be any number. Got {got} instead."
    )
    learner = learner_for(Notes).fit(TABLE, Y)
    trained.clear()
    for call in (learner.predict, lambda X: learner.query(X, n=1)):
        with pytest.raises(InvalidInputError, match="A data set must yield pairs"):
            call(Item(item))
    assert not trained


def test_items_that_a_collate_fn_reads():
    def collate(rows):
        return torch.stack(rows), torch.zeros(len(rows))

    net = make_net(Net, iterator_valid__collate_fn=collate).initialize()
    alone = Item(ITEMS["alone"][0])
    check_items(alone, net, training=False)
    assert sum(len(X) for X, _ in iterate_batches(net, alone)) == 18
    with pytest.raises(InvalidInputError, match="Got items of type Tensor"):
        check_items(alone, net, training=True)


@pytest.mark.filterwarnings("ignore:You set iterator_valid__shuffle")
@pytest.mark.parametrize(
    "name, value", [("shuffle", True), ("drop_last", True), ("sampler", [3, 1])]
)
def test_loaders_that_change_which_rows_are_answered(name, value):
    learner = learner_for(**{f"iterator_valid__{name}": value})
    with pytest.raises(InvalidInputError, match=f"iterator_valid__{name} must not be"):
        learner.fit(TABLE, Y)
    assert not hasattr(learner, "X_")


class Half(torch.utils.data.DataLoader):
    """Leaves out the second half of the batches."""

    def __iter__(self):
        batches = list(super().__iter__())
        return iter(batches[: len(batches) // 2])


def test_answers_are_counted():
    net = make_net(Net, iterator_valid=Half).fit(TABLE, Y)
    with pytest.raises(ModuleOutputError) as caught:
        predicted(net, "predict_proba", TABLE)
    assert str(caught.value).startswith("The net answered for 10 of the 18 rows of X.")


def test_lazy_rows_in_memory_as_tensors():
    X, y = ModuleDataset(Items(TABLE), Y).as_tensors()
    assert torch.equal(X, torch.as_tensor(TABLE)) and y.tolist() == Y.tolist()
    rows = ModuleDataset(
        Items([{"a": [1, 2], "b": (0.5, [1])}] * 3), takes_integers=True
    )
    assert rows[0][0]["a"].tolist() == [1, 2]
    assert [part.tolist() for part in rows[0][0]["b"]] == [0.5, [1]]

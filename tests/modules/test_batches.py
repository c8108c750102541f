"""In-memory batches hold what a DataLoader yields, row for row."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset, ValidSplit
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from skbadge.exceptions import InvalidInputError
from skbadge.modules import MLP, InMemoryBatches

X = np.arange(28, dtype=np.float32).reshape(7, 4)
Y = np.arange(7) % 3


class Doubling(Dataset):
    """A data set with a transform of its own."""

    def transform(self, X, y):
        return torch.as_tensor(X, dtype=torch.float32) * 2, y


class WithTensors(Dataset):
    """A data set that gives all its rows at once."""

    n_items_read = 0

    def as_tensors(self):
        return torch.as_tensor(np.asarray(self.X)) + 1, torch.as_tensor(self.y)

    def __getitem__(self, i):
        WithTensors.n_items_read += 1
        return super().__getitem__(i)


class Plain(torch.utils.data.Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, i):
        return torch.from_numpy(X[i]), int(Y[i])


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(X[0], 0)])


class Ragged(Plain):
    def __getitem__(self, i):
        return torch.zeros(i + 1), 0


class OneValue(Plain):
    def __getitem__(self, i):
        return torch.zeros(2)


class Words(Plain):
    def __getitem__(self, i):
        return "word", 0


def same(left, right):
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            same(left[key], right[key])
    else:
        assert left.dtype == right.dtype
        torch.testing.assert_close(left, right, rtol=0, atol=0)


# DataLoader warns about the read-only columns of a frame; InMemoryBatches does not.
@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(
    "dataset",
    [
        Dataset(X, Y),
        Dataset(X),
        Dataset(X.astype(np.float64), Y.astype(np.int32)),
        Dataset(torch.from_numpy(X), torch.from_numpy(Y)),
        Dataset({"a": X, "b": X[:, :1] + 1}, Y),
        Dataset(pd.DataFrame(X, columns=list("abcd")), Y),
        Dataset(X[::-1], Y[::-1]),
        Dataset(X.astype(">f4"), Y),
        Doubling(X, Y),
        TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
        Plain(),
        Subset(Dataset(X, Y), [5, 0, 3]),
        Subset(Subset(Doubling(X, Y), np.array([6, 1, 2, 0])), [3, 1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_batches_are_those_of_a_data_loader(dataset, drop_last):
    if isinstance(getattr(dataset, "X", None), np.ndarray):
        # DataLoader cannot collate rows of foreign byte order; the values are the same.
        native = Dataset(np.ascontiguousarray(dataset.X, dtype=dataset.X.dtype.type))
        reference = type(dataset)(native.X, dataset.y)
    else:
        reference = dataset
    expected = list(DataLoader(reference, batch_size=3, drop_last=drop_last))
    batches = InMemoryBatches(dataset, batch_size=3, drop_last=drop_last)
    assert len(batches) == len(expected)
    for _ in range(2):
        got = list(batches)
        assert len(got) == len(expected)
        for (X_got, y_got), (X_expected, y_expected) in zip(got, expected, strict=True):
            same(X_got, X_expected)
            same(y_got, y_expected)


def test_as_tensors_is_preferred_and_subsets_use_it():
    WithTensors.n_items_read = 0
    dataset = WithTensors(X, Y)
    ((X_got, y_got),) = InMemoryBatches(Subset(dataset, [4, 2]), batch_size=9)
    np.testing.assert_array_equal(X_got.numpy(), X[[4, 2]] + 1)
    assert y_got.tolist() == [1, 2]
    assert WithTensors.n_items_read == 0


def test_of_a_subset_only_its_own_rows_are_read():
    read = []

    class Counting(Plain):
        def __getitem__(self, i):
            read.append(i)
            return super().__getitem__(i)

    nested = Subset(Subset(Counting(), [6, 1, 4, 0]), [2, 0])
    ((X_got, y_got),) = InMemoryBatches(nested, batch_size=9)
    np.testing.assert_array_equal(X_got.numpy(), X[[4, 6]])
    assert y_got.tolist() == Y[[4, 6]].tolist() and read == [4, 6]


def test_read_only_arrays_are_taken_without_a_warning():
    frozen = X.copy()
    frozen.flags.writeable = False
    ((X_got, _),) = InMemoryBatches(Dataset(frozen, Y), batch_size=7)
    np.testing.assert_array_equal(X_got.numpy(), X)


def test_frames_are_taken_without_a_warning():
    ((X_got, _),) = InMemoryBatches(Dataset(pd.DataFrame({"a": X[:, 0]}), Y), 7)
    np.testing.assert_array_equal(X_got["a"].numpy(), X[:, :1])


@pytest.mark.parametrize("shuffle", [False, True])
def test_changing_a_batch_in_place_leaves_the_data_alone(shuffle):
    values = X.copy()
    for X_batch, _ in InMemoryBatches(Dataset(values, Y), 3, shuffle=shuffle):
        X_batch.zero_()
    np.testing.assert_array_equal(values, X)


def orders(batches, n_epochs):
    return [
        tuple(int(value) for X_batch, _ in batches for value in X_batch[:, 0])
        for _ in range(n_epochs)
    ]


def test_each_epoch_is_a_new_order_of_all_rows_with_its_targets():
    torch.manual_seed(0)
    batches = InMemoryBatches(Dataset(X, Y), batch_size=3, shuffle=True)
    for order in orders(batches, 5):
        assert sorted(order) == X[:, 0].tolist()
    assert len(set(orders(batches, 5))) > 1
    for X_batch, y_batch in batches:
        assert (y_batch == (X_batch[:, 0] / 4).long() % 3).all()


def test_all_orders_come_up_equally_often():
    torch.manual_seed(1)
    batches = InMemoryBatches(Dataset(X[:3], Y[:3]), batch_size=2, shuffle=True)
    counts = Counter(orders(batches, 1200))
    assert len(counts) == 6
    chi_square = sum((count - 200) ** 2 / 200 for count in counts.values())
    # 5 degrees of freedom: exceeded once in 100,000 tries.
    assert chi_square < 30.9
    # The same test rejects a law that swaps the first two rows half as often.
    wrong = [300 if a < b else 100 for a, b, _ in counts]
    assert sum((count - 200) ** 2 / 200 for count in wrong) > 30.9


def test_the_global_seed_fixes_the_orders():
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(orders(InMemoryBatches(Dataset(X, Y), 2, shuffle=True), 3))
    assert results[0] == results[1] != results[2]


def test_a_generator_replaces_the_global_one():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    results = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(5)
        batches = InMemoryBatches(Dataset(X, Y), 2, shuffle=True, generator=generator)
        results.append(orders(batches, 3))
    assert results[0] == results[1]
    list(InMemoryBatches(Dataset(X, Y), 2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "dataset, message",
    [
        (
            Stream(),
            "InMemoryBatches must get a data set with a length and rows to index. Got "
            "Stream instead: use torch.utils.data.DataLoader for data that comes as a "
            "stream.",
        ),
        (
            OneValue(),
            "InMemoryBatches must get rows that are pairs (X, y). Got rows of OneValue "
            "that are not: return both from __getitem__.",
        ),
        (
            Words(),
            "InMemoryBatches must get rows of numbers. Got str instead: encode the "
            "values first.",
        ),
    ],
)
def test_data_that_cannot_be_held(dataset, message):
    with pytest.raises(InvalidInputError) as caught:
        InMemoryBatches(dataset, 2)
    assert str(caught.value) == message


def test_rows_of_different_shapes():
    with pytest.raises(InvalidInputError, match="rows of Ragged that do not") as caught:
        InMemoryBatches(Ragged(), 2)
    assert "use torch.utils.data.DataLoader with a collate_fn" in str(caught.value)


def test_lengths_must_agree():
    dataset = WithTensors(X, Y, length=5)
    with pytest.raises(InvalidInputError, match="^The data set must give 5 rows"):
        InMemoryBatches(dataset, 2)


@pytest.mark.parametrize("batch_size", [0, -2, 1.5])
def test_batch_size_is_checked(batch_size):
    with pytest.raises(InvalidInputError, match="^batch_size must be"):
        InMemoryBatches(Dataset(X, Y), batch_size)


def test_in_a_net_as_both_iterators():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    rows = (rng.normal(size=(40, 3)) + 4 * y[:, None]).astype(np.float32)
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        MLP,
        module__n_features=3,
        module__n_classes=2,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        iterator_train=InMemoryBatches,
        iterator_train__shuffle=True,
        iterator_train__device="cpu",
        iterator_valid=InMemoryBatches,
        train_split=ValidSplit(4, stratified=True),
        batch_size=-1,
        max_epochs=40,
        verbose=0,
    ).fit(rows, y)
    assert net.history[-1, "batches", -1, "valid_batch_size"] == 10
    assert net.score(rows, y) == 1.0
    state = torch.get_rng_state()
    assert net.predict_proba(rows[:3]).shape == (3, 2)
    assert torch.equal(torch.get_rng_state(), state)

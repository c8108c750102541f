import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from skorch.dataset import Dataset as SkorchDataset
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from skbadge import exceptions
from skbadge.modules import InMemoryBatches
from skbadge.nets import _batches
from skbadge.nets._batches import batch_size_of, iterate_batches, iterate_chunks
from tests._any_nets import make_net

# skorch warns of it itself.
pytestmark = pytest.mark.filterwarnings("ignore:You set iterator_valid__shuffle")

X = np.arange(40, dtype=np.float32).reshape(20, 2)


def make(**settings):
    return make_net(nn.Linear, module__in_features=2, module__out_features=3,
                    **settings).initialize()  # fmt: skip


def sizes(net, rows=X):
    batches = [batch for batch, _ in iterate_batches(net, rows)]
    assert np.array_equal(torch.cat(batches).numpy(), X)
    return [len(batch) for batch in batches]


class Mine(SkorchDataset):
    """A data set of the user's own."""


class MyLoader(DataLoader):
    """An iterator of the user's own."""


def collate(rows):
    return torch.stack([torch.as_tensor(x) for x, _ in rows]), torch.zeros(len(rows))


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"batch_size": 8}, [8, 8, 4]),
        ({"batch_size": -1}, [20]),
        ({"iterator_valid__batch_size": 15}, [15, 5]),
        ({"iterator_valid__batch_size": -1}, [20]),
        ({"batch_size": 8, "iterator_valid__shuffle": True}, [8, 8, 4]),
        ({"batch_size": 8, "iterator_valid__drop_last": True}, [8, 8, 4]),
        ({"batch_size": 8, "iterator_valid__num_workers": 0}, [8, 8, 4]),
        ({"batch_size": 8, "iterator_valid__collate_fn": collate}, [8, 8, 4]),
        ({"batch_size": 8, "dataset": Mine}, [8, 8, 4]),
        ({"batch_size": -1, "dataset": Mine}, [20]),
        ({"batch_size": 8, "iterator_valid": MyLoader}, [8, 8, 4]),
        ({"batch_size": 8, "iterator_valid": InMemoryBatches}, [8, 8, 4]),
        ({"batch_size": 8, "iterator_train__shuffle": True}, [8, 8, 4]),
    ],
)
def test_batches_are_those_of_the_net(settings, expected):
    assert sizes(make(**settings)) == expected


def test_slices_equal_the_loader():
    net = make(batch_size=7)
    sliced = [batch for batch, _ in iterate_batches(net, X)]
    loaded = [batch for batch, _ in net.get_iterator(net.get_dataset(X))]
    for a, b in zip(sliced, loaded, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "name, value",
    [
        ("shuffle", True),
        ("drop_last", True),
        ("sampler", range(3)),
        ("batch_sampler", [[1, 2]]),
    ],
)
def test_iterators_that_lose_rows_are_refused(name, value):
    net = make(iterator_valid=MyLoader, **{f"iterator_valid__{name}": value})
    with pytest.raises(exceptions.InvalidInputError) as caught:
        next(iterate_batches(net, X))
    assert str(caught.value) == (
        f"iterator_valid__{name} must not be set, since it changes which rows the net "
        "answers for. Set iterator_train__... instead, and leave iterator_valid in the "
        "order of X."
    )


class Alone(Dataset):
    """Rows without labels."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.ones(2)


@pytest.mark.parametrize(
    "rows, got",
    [
        (Alone(), "type Tensor"),
        (TensorDataset(torch.ones(4, 2)), "1 parts"),
        (TensorDataset(*[torch.ones(4, 2)] * 3), "3 parts"),
    ],
)
@pytest.mark.parametrize("batch_size", [2, 3])
def test_data_sets_must_yield_pairs(rows, got, batch_size):
    net = make(batch_size=batch_size)
    with pytest.raises(exceptions.InvalidInputError) as caught:
        next(iterate_batches(net, rows))
    assert str(caught.value) == (
        "A data set must yield pairs (X, y), as skorch expects; for rows without a "
        f"label, y may be any number. Got batches of {got} instead."
    )


@pytest.mark.parametrize("batch_size, expected", [(4, 8), (5, 10), (30, 30), (-1, 10)])
def test_chunks_are_multiples_of_the_batch(monkeypatch, batch_size, expected):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 10 * X[0].nbytes)
    positions = np.arange(5, 65)
    chunks = list(iterate_chunks(X, positions, batch_size))
    assert all(isinstance(chunk, slice) for chunk in chunks)
    assert chunks[0] == slice(5, 5 + expected)
    found = np.concatenate([np.arange(100)[chunk] for chunk in chunks])
    assert np.array_equal(found, positions)


def test_scattered_positions_stay_positions(monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 4 * X[0].nbytes)
    positions = np.array([3, 1, 7, 9, 2])
    chunks = list(iterate_chunks(X, positions, 2))
    assert [chunk.tolist() for chunk in chunks] == [[3, 1, 7, 9], [2]]


@pytest.mark.parametrize(
    "rows",
    [
        torch.as_tensor(X),
        pd.DataFrame(X),
        sparse.csr_array(X),
        {"a": X, "b": [X, X]},
        np.array([["text", "more"]] * 20, dtype=object),
        TensorDataset(torch.as_tensor(X)),
    ],
)
def test_chunks_of_any_kind(rows):
    assert list(iterate_chunks(rows, np.arange(20), 8)) == [slice(0, 20)]
    assert list(iterate_chunks(rows, np.arange(0), 8)) == []


def test_one_row_is_larger_than_a_chunk(monkeypatch):
    monkeypatch.setattr(_batches, "_CHUNK_BYTES", 1)
    assert len(list(iterate_chunks(X, np.arange(6), 2))) == 3


def test_batch_size():
    assert batch_size_of(make(batch_size=3)) == 3
    assert batch_size_of(make(batch_size=3, iterator_valid__batch_size=-1)) == -1

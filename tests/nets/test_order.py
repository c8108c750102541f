"""Loaders that hand rows on in another order than they were given."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch.utils.data import DataLoader, Dataset, TensorDataset

from skbadge import MarginSampling
from skbadge.exceptions import InvalidInputError, ModuleOutputError
from skbadge.modules import InMemoryBatches
from skbadge.nets._batches import iterate_batches
from skbadge.nets._order import _Numbered, may_reorder
from skbadge.nets._predict import predicted
from tests._learning import make_data, make_learner, make_net

X, Y = make_data()
POOL, _ = make_data(40, seed=1)


class Reversed(DataLoader):
    """The last batch comes first."""

    def __iter__(self):
        return iter(list(super().__iter__())[::-1])


class Upturned(DataLoader):
    """The last row of each batch comes first."""

    def __iter__(self):
        return iter([(X.flip(0), y.flip(0)) for X, y in super().__iter__()])


class Shuffled(DataLoader):
    """Takes the setting for itself."""

    def __init__(self, dataset, **settings):
        super().__init__(dataset, **settings, shuffle=True)


class Backwards(DataLoader):
    """Asks for the rows from the last to the first."""

    def __init__(self, dataset, **settings):
        super().__init__(dataset, sampler=range(len(dataset))[::-1], **settings)


def stacked(rows):
    X = torch.stack([torch.as_tensor(row[0]) for row in rows])
    return X, torch.tensor([int(row[1]) for row in rows])


def sorted_by_length(rows):
    """As sequences are sorted to be packed."""
    return stacked(sorted(rows, key=lambda row: float(row[0].sum())))


def without_labels(rows):
    return stacked(rows)[0], torch.zeros(len(rows))


class OwnIterator(NeuralNetClassifier):
    def get_iterator(self, dataset, training=False):
        return DataLoader(dataset, batch_size=7, shuffle=True)


DISORDER = {
    "batches": ({"iterator_valid": Reversed}, "iterator_valid of the net, Reversed, m"),
    "rows": ({"iterator_valid": Upturned}, "iterator_valid of the net, Upturned, mu"),
    "shuffled": ({"iterator_valid": Shuffled}, "of the net, Shuffled, must keep"),
    "backwards": ({"iterator_valid": Backwards}, "of the net, Backwards, must keep"),
    "collated": (
        {"iterator_valid__collate_fn": sorted_by_length},
        "iterator_valid__collate_fn of the net must keep",
    ),
    "workers": (
        {
            "iterator_valid__collate_fn": sorted_by_length,
            "iterator_valid__num_workers": 1,
        },
        "iterator_valid__collate_fn of the net must keep",
    ),
    "single": (
        {"iterator_valid": Shuffled, "iterator_valid__batch_size": 1},
        "of the net, Shuffled, must keep",
    ),
    "own": ({"kind": OwnIterator}, "get_iterator of OwnIterator must keep the order"),
}


@pytest.mark.parametrize("name", DISORDER)
def test_other_orders_are_refused_before_any_training(name):
    settings, text = DISORDER[name]
    learner = make_learner(net=make_net(**settings))
    with pytest.raises(InvalidInputError, match=text):
        learner.fit(X, Y)
    assert not hasattr(learner, "X_")


@pytest.mark.parametrize("name", ["batches", "rows", "collated", "workers", "own"])
@pytest.mark.parametrize("wrap", [np.asarray, TensorDataset], ids=["array", "items"])
def test_other_orders_are_refused_in_a_pass_and_in_predictions(name, wrap):
    settings, text = DISORDER[name]
    net = make_net(**settings).initialize()
    rows = torch.as_tensor(POOL).float()
    rows = wrap(rows, torch.zeros(40)) if wrap is TensorDataset else rows.numpy()
    with pytest.raises(InvalidInputError, match=text):
        list(iterate_batches(net, rows))
    for method in ("predict", "predict_proba"):
        with pytest.raises(InvalidInputError, match=text):
            predicted(net, method, rows)
    assert "get_iterator" not in vars(net)


class Plain(DataLoader):
    """A loader class of one's own that keeps the order."""


@pytest.mark.parametrize(
    "settings",
    [
        {"iterator_valid": Plain},
        {"iterator_valid__collate_fn": stacked},
        {"iterator_valid__collate_fn": without_labels},
        {"iterator_valid": InMemoryBatches},
        {"iterator_valid": Plain, "iterator_valid__num_workers": 1},
    ],
    ids=["class", "collated", "without-labels", "in-memory", "workers"],
)
def test_the_order_that_was_given_changes_nothing(settings):
    plain = make_learner(MarginSampling()).fit(X, Y)
    learner = make_learner(MarginSampling(), net=make_net(**settings)).fit(X, Y)
    np.testing.assert_array_equal(learner.query(POOL, n=9), plain.query(POOL, n=9))
    np.testing.assert_allclose(
        learner.predict_proba(POOL), plain.predict_proba(POOL), atol=1e-6
    )


@pytest.mark.parametrize(
    ("label", "known"),
    [
        (0, True),
        (0.5, True),
        (np.int64(3), True),
        (np.float32(0), True),
        (np.zeros(2), True),
        (torch.zeros(1), True),
        (torch.zeros((), dtype=torch.int32), True),
        # What cannot hold a number of a row stays as it is, and is not looked at.
        (True, False),
        (np.uint8(1), False),
        (torch.zeros(1, dtype=torch.float16), False),
        (torch.zeros(1, dtype=torch.bool), False),
    ],
    ids=str,
)
def test_numbers_have_the_form_of_the_labels(label, known):
    class Labelled(Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, i):
            return POOL[i].astype("f4"), label

    net = make_net(iterator_valid=Shuffled).initialize()
    numbered = _Numbered(Labelled())[3][1]
    assert type(numbered) is type(label)
    assert getattr(numbered, "dtype", None) == getattr(label, "dtype", None)
    assert np.shape(numbered) == np.shape(label)
    if known:
        with pytest.raises(InvalidInputError, match="Shuffled, must keep the order"):
            predicted(net, "predict", Labelled())
    else:
        assert len(predicted(net, "predict", Labelled())) == 40


class Items(Dataset):
    """A data set whose loader asks it for more than its items."""

    lengths = np.arange(40)

    def __len__(self):
        return 40

    def __getitems__(self, indices):
        return [(POOL[i].astype("f4"), -1) for i in indices]


class Curious(Plain):
    def __iter__(self):
        assert self.dataset.lengths[3] == 3
        return super().__iter__()


def test_a_loader_finds_all_that_a_data_set_has():
    net = make_net(iterator_valid=Curious).fit(X.astype("f4"), Y)
    assert may_reorder(net)
    expected = net.predict_proba(Items())
    found = predicted(net, "predict_proba", Items())
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rows_that_are_left_out_are_still_counted():
    class Half(Plain):
        def __iter__(self):
            return iter(list(super().__iter__())[:1])

    net = make_net(iterator_valid=Half).initialize()
    with pytest.raises(ModuleOutputError, match="answered for 16 of the 40 rows"):
        predicted(net, "predict", POOL.astype("f4"))

"""What a training is given to see, and what it saw."""

import threading
from contextlib import nullcontext
from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler
from skorch.dataset import Dataset, ValidSplit
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import Subset, SubsetRandomSampler, TensorDataset

from skbadge import MarginSampling
from skbadge.exceptions import InvalidInputError, ModuleOutputError, RefitError
from skbadge.learner._watched import _few_read, _last_unread
from skbadge.modules import InMemoryBatches
from tests._learning import (
    Tiny,
    make_data,
    make_learner,
    make_net,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)
NAMES = np.array(["ant", "bee", "crow"])


def sampled(**settings):
    sampler = SubsetRandomSampler(range(len(X)))
    settings = {"iterator_train__shuffle": False, **settings}
    return make_net(iterator_train__sampler=sampler, **settings)


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("piped", [False, True])
def test_new_rows_that_no_training_read_are_told(warm_start, piped):
    net = make_pipeline(StandardScaler(), sampled()) if piped else sampled()
    learner = make_learner(net=net, warm_start=warm_start).fit(X, Y)
    with pytest.warns(UserWarning) as caught:
        learner.teach(POOL[:5], POOL_Y[:5])
    assert str(caught[0].message) == (
        "None of the 5 new labelled rows was read in the training, of 60 that were. "
        "Look at iterator_train__sampler of the net: what fits the first labelled rows "
        "may leave out later ones. A sampler must be made anew for the rows there are."
    )


def test_new_items_of_a_data_set_that_no_training_read_are_told():
    def items(rows):
        return TensorDataset(torch.tensor(rows).float(), torch.zeros(len(rows)))

    learner = make_learner(net=sampled()).fit(items(X), Y)
    with pytest.warns(UserWarning, match="None of the 5 new labelled rows was read"):
        learner.teach(items(POOL[:5]), POOL_Y[:5])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"iterator_train__num_workers": 1},
        {"iterator_train": InMemoryBatches},
        {"iterator_train__drop_last": True},
    ],
    ids=["plain", "workers", "in-memory", "drop-last"],
)
def test_rows_that_are_read_are_no_reason_to_warn(settings):
    learner = make_learner(net=make_net(**settings)).fit(X, Y)
    assert learner.teach(POOL[:5], POOL_Y[:5]).n_labeled_ == 65
    assert learner.forget([60]).refit().n_labeled_ == 64


def held_out(dataset, y=None):
    return Subset(dataset, range(50)), Subset(dataset, range(50, len(dataset)))


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        # A sampler for the rows that the first split left for the training.
        (
            {
                "train_split": ValidSplit(5),
                "iterator_train__sampler": SubsetRandomSampler(range(48)),
            },
            "The last 32 of the 80 rows for the training were never read, of 48 that",
        ),
        # More than the first rows, and not all.
        (
            {"iterator_train__sampler": SubsetRandomSampler(range(60))},
            "The last 10 of the 70 rows for the training were never read, of 60 that",
        ),
        (
            {"iterator_train__drop_last": True, "batch_size": 60},
            "The last 10 of the 70 rows for the training were never read, of 60 that",
        ),
        ({"train_split": held_out}, "None of the 40 new labelled rows was read"),
    ],
    ids=["split", "sampler", "drop-last", "held-out"],
)
def test_rows_that_are_left_out_each_time_are_told(settings, found):
    net = make_net(iterator_train__shuffle=False, **settings)
    rows, labels = np.concatenate([X, POOL]), np.concatenate([Y, POOL_Y])
    learner = make_learner(net=net)
    if "of the 70" in found:
        with pytest.warns(UserWarning, match=found):
            learner.fit(rows[:70], labels[:70])
        return
    learner.fit(rows[:60], labels[:60])
    with pytest.warns(UserWarning, match=found):
        learner.teach(rows[60:], labels[60:])


def test_a_few_of_the_new_rows_are_told_too():
    learner = make_learner(net=sampled()).fit(X, Y)
    # The last one among them.
    sampler = SubsetRandomSampler([*range(60), 70, 99])
    learner.set_params(estimator__iterator_train__sampler=sampler)
    text = "Only 2 of the 40 new rows for the training were read, of 62 that were"
    with pytest.warns(UserWarning, match=text):
        learner.teach(POOL, POOL_Y)


@pytest.mark.parametrize("few", range(1, 12))
def test_few_of_the_new_rows_are_so_many_as_chance_hardly_leaves(few):
    read, new = np.arange(40) < 20 + few, np.arange(40) >= 20
    ways = [comb(20, k) * comb(20, 20 + few - k) for k in range(few + 1)]
    told = sum(ways) / comb(40, 20 + few) < 1e-5
    assert told == (few < 8)
    assert _few_read(read, new) == few * told


def test_rows_behind_a_step_that_makes_more_of_them_are_counted():
    imblearn = pytest.importorskip("imblearn")
    pipelines = pytest.importorskip("imblearn.pipeline")
    double = imblearn.FunctionSampler(
        func=lambda X, y: (np.tile(X, (2, 1)), np.tile(y, 2))
    )
    net = pipelines.Pipeline([("double", double), ("net", sampled())])
    with pytest.warns(UserWarning, match="The last 60 of the 120 rows for the train"):
        make_learner(net=net).fit(X, Y)


@pytest.mark.parametrize(
    ("read", "last"),
    [
        (np.ones(50), 0),
        # One row of 50 is the last one often enough.
        (np.arange(50) < 49, 0),
        (np.arange(50) < 44, 6),
        # Half of the rows are left out, and the last three among them.
        (np.arange(50) % 2 * (np.arange(50) < 47), 0),
        (np.arange(99) % 2 * (np.arange(99) < 50), 49),
    ],
)
def test_last_rows_that_were_left_out_by_chance_are_not_told(read, last):
    assert _last_unread(np.asarray(read, dtype=bool)) == last


def test_chance_is_that_of_drawing_without_replacement():
    # Of all ways to leave 3 of 9 rows out, one leaves the last 3.
    chance = 1 / comb(9, 3)
    drawn = [set(rows) for rows in combinations(range(9), 3)]
    assert np.mean([rows == {6, 7, 8} for rows in drawn]) == pytest.approx(chance)
    # Of 40 rows, the last 5 of 5 are left out by chance once in 658,008 times.
    assert _last_unread(np.arange(40) < 35) == 5
    assert _last_unread(np.arange(40) < 36) == 0
    assert 1 / comb(40, 5) < 1e-5 < 1 / comb(40, 4)


class Stops(Callback):
    def on_epoch_begin(self, net, **kwargs):
        raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [{"max_epochs": 0}, {"callbacks": [Stops]}])
def test_a_training_that_ends_before_it_begins_is_refused(settings):
    with pytest.raises(InvalidInputError, match="without a batch: none of the 60"):
        make_learner(net=make_net(**settings)).fit(X, Y)


class OwnLoop(NeuralNetClassifier):
    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        self.module_.head.bias.data += 1
        return self


def test_a_loop_of_the_users_own_need_not_note_its_epochs():
    learner = make_learner(net=make_net(kind=OwnLoop)).fit(X, Y)
    assert len(learner.predict(POOL)) == 40


def test_samplers_that_ask_for_rows_there_are_not_are_explained():
    learner = make_learner(net=sampled()).fit(X, Y).forget(range(30))
    with pytest.raises(RefitError, match="the 30 labelled ones .*train__sampler"):
        learner.refit()


def test_a_net_that_is_frozen_whole_is_explained():
    net = make_net(callbacks=[Freezer("*")])
    with pytest.raises(InvalidInputError, match="No weight of the net is trained"):
        make_learner(net=net).fit(X, Y)


class Kept(Dataset):
    """Rows as they are, for a net that is handed them."""

    def transform(self, X, y):
        return X, torch.tensor(0 if y is None else y)


class Lengths(Kept):
    """Texts by three numbers."""

    def transform(self, X, y):
        return super().transform(torch.full((3,), float(len(X))), y)


def test_rows_of_several_lengths_and_lists_of_records_are_explained():
    rows = np.empty(60, dtype=object)
    rows[:] = [torch.zeros(2 + i % 2) for i in range(60)]
    learner = make_learner(net=make_net(dataset=Kept))
    with pytest.raises(InvalidInputError, match="differ in shape .*collate_fn"):
        learner.fit(rows, Y)
    learner = make_learner(net=make_net(dataset=Lengths))
    with pytest.raises(InvalidInputError, match="as an array of objects"):
        learner.fit(["text"] * 60, Y)


class Cut(Kept):
    """Holds its first 50 rows alone."""

    def __len__(self):
        return min(50, super().__len__())


def test_a_data_set_that_makes_fewer_items_than_rows_is_told():
    learner = make_learner(net=make_net(dataset=Cut))
    floats = X.astype("f4")
    learner.fit(floats[:50], Y[:50])
    with pytest.warns(
        UserWarning, match="makes 50 items of the 60 labelled rows: some"
    ):
        learner.teach(floats[50:], Y[50:])


def test_several_inputs_of_a_module_that_takes_one_are_explained():
    with pytest.raises(InvalidInputError, match="A layer of the module was given a li"):
        make_learner(net=make_net()).fit([X[:, :2], X[:, 2:]], Y)


def test_a_training_without_a_batch_is_refused():
    net = make_net(batch_size=100, iterator_train__drop_last=True)
    with pytest.raises(InvalidInputError, match="without a batch.*train__drop_last"):
        make_learner(net=net).fit(X, Y)


def test_monitors_without_validation_rows_are_explained():
    net = make_net(callbacks=[EarlyStopping()])
    with pytest.raises(InvalidInputError, match="train_split=None the net has none"):
        make_learner(net=net).fit(X, Y)


def test_schedules_that_ran_out_are_explained():
    schedule = LRScheduler(OneCycleLR, max_lr=0.1, total_steps=8, step_every="batch")
    learner = make_learner(net=make_net(callbacks=[schedule])).fit(X, Y)
    with pytest.raises(RefitError, match="schedule .* has fewer steps than"):
        learner.teach(POOL, POOL_Y)


class Speaking(Callback):
    def __init__(self, learner=None):
        self.learner = learner


def test_a_callback_that_holds_its_learner_cannot_be_copied():
    callback = Speaking()
    learner = make_learner(net=make_net(callbacks=[("knows", callback)])).fit(X, Y)
    callback.learner = learner
    with pytest.raises(RefitError, match="one of its parameters leads back to it"):
        learner.teach(X[:2], Y[:2])
    callback.learner = None
    assert learner.refit().n_labeled_ == len(X) + 2


def test_parameters_that_cannot_be_copied_are_named():
    class Writer(Callback):
        def __init__(self, lock):
            self.lock = lock

    net = make_net(callbacks=[Writer(threading.Lock())])
    with pytest.raises(InvalidInputError) as caught:
        make_learner(net=net).fit(X, Y)
    assert "estimator__callbacks__0__lock of type lock cannot be" in str(caught.value)


class Halved(Dataset):
    """A data set class of one's own that yields each row in the half of its size."""

    def transform(self, X, y):
        return super().transform((X / 2).astype("f4"), y)


class Batched(Halved):
    def __getitems__(self, indices):
        return [self[i] for i in indices]


@pytest.mark.parametrize("kind", [Halved, Batched, lambda X, y: Halved(X, y)])
@pytest.mark.parametrize("reads", [True, False])
def test_rows_of_a_data_set_class_of_ones_own_are_counted(kind, reads):
    net = (make_net if reads else sampled)(dataset=kind)
    learner = make_learner(net=net).fit(X, Y)
    caught = nullcontext() if reads else pytest.warns(UserWarning, match="None of the")
    with caught:
        learner.teach(POOL, POOL_Y)
    assert learner.estimator_.dataset is kind


def test_data_sets_with_other_items_than_rows_are_left_alone():
    class Twice(Halved):
        def __len__(self):
            return 2 * super().__len__()

        def __getitem__(self, i):
            return super().__getitem__(i // 2)

    net = make_net(dataset=Twice)
    learner = make_learner(MarginSampling(), net=net).fit(X, Y)
    assert learner.teach(POOL, POOL_Y).n_labeled_ == 100


class Probability(nn.Module):
    """One probability for two classes, as BCELoss takes it."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 1)

    def forward(self, X):
        return torch.sigmoid(self.head(X)).squeeze(-1)


def test_a_loss_of_one_output_is_explained():
    net = make_net(Probability, criterion=nn.BCELoss)
    with pytest.raises(InvalidInputError, match="take skorch's NeuralNetBinary"):
        make_learner(net=net).fit(X, Y % 2)


class InADict(Tiny):
    def forward(self, X):
        return {"logits": super().forward(X)}


class FromADict(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred["logits"], y_true, *args, **kwargs)


def test_answers_in_dicts_are_explained():
    with pytest.raises(ModuleOutputError, match="answers a dict, which .* criterion"):
        make_learner(net=make_net(InADict)).fit(X, Y)
    learner = make_learner(net=make_net(InADict, kind=FromADict)).fit(X, Y)
    assert len(learner.query(POOL, n=2)) == 2
    for method in ("predict", "predict_proba"):
        with pytest.raises(ModuleOutputError, match="answers a dict.*predict_nonlin"):
            getattr(learner, method)(POOL)
    net = make_net(
        InADict,
        kind=FromADict,
        predict_nonlinearity=lambda answer: torch.softmax(answer["logits"], -1),
    )
    assert make_learner(net=net).fit(X, Y).predict(POOL).shape == (len(POOL),)

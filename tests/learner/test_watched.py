"""What a training is given to see, and what it saw."""

import pickle
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, make_scorer, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import SubsetRandomSampler, TensorDataset

from skbadge import MarginSampling
from skbadge.exceptions import InvalidInputError, ModuleOutputError, RefitError
from skbadge.modules import InMemoryBatches
from tests._learning import Tiny, make_binary_net, make_data, make_learner, make_net

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)
NAMES = np.array(["ant", "bee", "crow"])


def accurate(**settings):
    return make_net(max_epochs=20, lr=0.3, **settings)


def last(learner):
    return learner.estimator_.history[-1]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1, 2], [2, 0, 1]),
        ([1, 2, 3], None),
        (NAMES, None),
        (NAMES, ["crow", "ant", "bee"]),
        ([0, 1, 2], None),
    ],
)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_validation_set_of_the_users_own_is_translated(labels, classes, warm_start):
    labels = np.asarray(labels)
    valid = Dataset(POOL.astype("f4"), labels[POOL_Y])
    net = accurate(train_split=predefined_split(valid))
    learner = make_learner(net=net, classes=classes, warm_start=warm_start)
    learner.fit(X, labels[Y])
    for _ in range(2):
        score = learner.score(POOL, labels[POOL_Y])
        assert score > 0.7
        assert last(learner)["valid_acc"] == pytest.approx(score)
        learner = pickle.loads(pickle.dumps(learner))
        learner.teach(POOL[:2], labels[POOL_Y[:2]])


def test_a_validation_set_of_tensors_for_one_logit():
    valid = TensorDataset(torch.tensor(POOL).float(), torch.tensor(POOL_Y % 2 + 1))
    net = make_binary_net(max_epochs=20, train_split=predefined_split(valid))
    learner = make_learner(net=net).fit(X, Y % 2 + 1)
    score = learner.score(POOL, POOL_Y % 2 + 1)
    assert last(learner)["valid_acc"] == pytest.approx(score)


def test_unknown_labels_of_a_validation_set_are_refused_before_the_first_batch():
    class Trained(Callback):
        def on_batch_end(self, net, **kwargs):
            raise AssertionError("trained")

    valid = Dataset(POOL.astype("f4"), POOL_Y + 1)
    net = make_net(train_split=predefined_split(valid), callbacks=[Trained])
    with pytest.raises(InvalidInputError, match="The validation set of .*Got 3 inst"):
        make_learner(net=net).fit(X, Y)


def same_as_accuracy(net, X, y):
    assert set(np.unique(y)) <= set(NAMES)
    assert net.module_ is not None
    return float((net.predict(X) == y).mean())


@pytest.mark.parametrize("classes", [None, ["crow", "ant", "bee"]])
def test_scorers_see_classes(classes):
    # Up to 1.8, scikit-learn wants a pos_label that is a class, or none.
    settings = {"labels": ["bee"], "average": "macro", "pos_label": None}
    recall = make_scorer(recall_score, **settings)
    names = {
        "recall": recall,
        "function": accuracy_score,
        "area": "roc_auc_ovr",
        "own": same_as_accuracy,
    }
    scorers = [
        EpochScoring(scoring, name=name, lower_is_better=False, use_caching=False)
        for name, scoring in names.items()
    ]
    valid = Dataset(POOL.astype("f4"), NAMES[POOL_Y])
    net = accurate(train_split=predefined_split(valid), callbacks=scorers)
    learner = make_learner(net=net, classes=classes).fit(X, NAMES[Y])
    found, y = last(learner), NAMES[POOL_Y]
    assert found["recall"] == pytest.approx(recall(learner, POOL, y))
    accuracy = learner.score(POOL, y)
    assert found["function"] == found["own"] == pytest.approx(accuracy)
    assert found["area"] > 0.8
    # The user's own callbacks stay as they were.
    assert scorers[0].scoring is recall


@pytest.mark.parametrize("on_train", [False, True])
@pytest.mark.parametrize("use_caching", [False, True])
def test_scorers_see_classes_wherever_their_rows_come_from(on_train, use_caching):
    settings = {"on_train": on_train, "use_caching": use_caching, "name": "own"}

    class Mine(EpochScoring):
        pass

    scorer = Mine(same_as_accuracy, lower_is_better=False, **settings)
    net = accurate(train_split=ValidSplit(3, stratified=True), callbacks=[scorer])
    learner = make_learner(net=net, classes=["crow", "ant", "bee"]).fit(X, NAMES[Y])
    assert last(learner)["own"] > 0.5


def test_a_callback_finds_the_classes_by_the_columns():
    """As the guide has it: the net itself, whose columns are those of ``classes``."""
    classes, found = np.array(["crow", "ant", "bee"]), []

    class Own(Callback):
        def on_train_end(self, net, **kwargs):
            right = classes[net.predict(POOL.astype("f4"))] == NAMES[POOL_Y]
            found.append(right.mean())

    net = accurate(train_split=None, callbacks=[Own])
    learner = make_learner(net=net, classes=classes).fit(X, NAMES[Y])
    assert found == [learner.score(POOL, NAMES[POOL_Y])] and found[0] > 0.5


def test_a_scorer_keeps_its_name():
    scorers = [EpochScoring("balanced_accuracy"), EpochScoring(same_as_accuracy)]
    net = make_net(
        callbacks=scorers,
        train_split=predefined_split(Dataset(POOL.astype("f4"), NAMES[POOL_Y])),
    )
    learner = make_learner(net=net).fit(X, NAMES[Y])
    assert {"balanced_accuracy", "same_as_accuracy"} <= set(last(learner))


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

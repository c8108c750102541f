"""Errors of torch, skorch and NumPy, said in the words of the library."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetBinaryClassifier
from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import Dataset

from skbadge.exceptions import (
    InvalidInputError,
    ModuleOutputError,
    PoolPassError,
    RefitError,
)
from skbadge.nets._explained import explained
from tests._learning import Normed, Tiny, make_data, make_learner, make_net

X, Y = make_data()
Image = pytest.importorskip("PIL.Image")


class Counted(Tiny):
    """Counts the batches that it was trained on."""

    trained = 0

    def forward(self, X):
        Counted.trained += self.training
        return super().forward(X)


@pytest.fixture(autouse=True)
def _nothing_trained():
    Counted.trained = 0


class Items(Dataset):
    def __init__(self, item):
        self.item = item

    def __len__(self):
        return 60

    def __getitem__(self, i):
        return self.item(i), 0


WIDE = np.zeros((60, 5), dtype="f4")
NO_NUMBERS = "The items of a data set must hold numbers, arrays or tensors. Got "


@pytest.mark.parametrize("rows", [WIDE, Items(WIDE.__getitem__)], ids=["array", "item"])
def test_the_width_is_seen_before_any_training(rows):
    with pytest.raises(InvalidInputError) as caught:
        make_learner(net=make_net(Counted)).fit(rows, Y)
    assert str(caught.value) == (
        "The module cannot take a batch of shape (16, 5) and type float32 (mat1 and "
        "mat2 shapes cannot be multiplied (16x5 and 3x6)), in its layer body.0, "
        "Linear(in_features=3, out_features=6, bias=True). Rows must be of the size "
        "and the order of dimensions that the module was made for: look at its "
        "parameters (module__...), at the steps before the net, and at what a data set "
        "of your own yields."
    )
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert not Counted.trained


def test_the_width_behind_steps_is_seen_before_any_training():
    learner = make_learner(net=make_pipeline(PCA(2), make_net(Counted)))
    with pytest.raises(InvalidInputError, match=r"a batch of shape \(16, 2\) and type"):
        learner.fit(X, Y)
    assert not Counted.trained


class OnlyTrains(Counted):
    """Cannot answer, which a training alone would not show."""

    def forward(self, X):
        if not self.training:
            X = X[:, :2]
        return super().forward(X)


@pytest.mark.parametrize("steps", [[], [PCA(3)]], ids=["bare", "piped"])
def test_what_cannot_answer_is_seen_before_any_training(steps):
    learner = make_learner(net=make_pipeline(*steps, make_net(OnlyTrains)))
    with pytest.raises(InvalidInputError, match="mat1 and mat2 shapes cannot be mult"):
        learner.fit(X, Y)
    assert not Counted.trained


@pytest.mark.parametrize("dtype", ["f8", "i8", "u1", "f2"])
def test_the_type_of_items(dtype):
    rows = Items(X.astype(dtype).__getitem__)
    learner = make_learner().fit(X, Y)
    text = r'Its weights are float32, and rows .* let that return row.astype\("float32"'
    for call in (learner.predict, learner.query, lambda rows: learner.fit(rows, Y)):
        with pytest.raises(InvalidInputError, match=text):
            call(rows)


class Flattens(Tiny):
    def forward(self, X):
        return super().forward(X.flatten(1))


def test_items_whose_rows_are_lists():
    learner = make_learner(net=make_net(Flattens)).fit(X, Y)
    rows = Items(lambda i: X[i].tolist())
    text = "was given a list of 3 parts, and .* let the data set give rows as arrays"
    for call in (learner.predict, learner.query, lambda rows: learner.fit(rows, Y)):
        with pytest.raises(InvalidInputError, match=text):
            call(rows)


@pytest.mark.parametrize(
    ("item", "got"),
    [
        (lambda i: "a text", "text instead. Encode texts in the data set"),
        (lambda i: None, "None instead. Leave rows without a value out"),
        (lambda i: Image.new("RGB", (3, 1)), r"pictures \(Image\) instead. Let the da"),
        (lambda i: {"a": "text"}, "text instead"),
        (lambda i: "text" if i == 50 else X[i].astype("f4"), "text instead"),
        (
            lambda i: None if i == 50 else X[i].astype("f4"),
            "some that do not fit toget",
        ),
        (lambda i: [1] if i % 2 else {"a": 1}, "some that do not fit together"),
        (lambda i: object(), "object instead. Let the data set make arrays or tensors"),
    ],
    ids=["text", "none", "image", "texts", "late-text", "late-none", "mixed", "object"],
)
def test_items_of_which_there_is_no_batch(item, got):
    learner = make_learner().fit(X, Y)
    for call in (learner.predict, learner.query, lambda rows: learner.fit(rows, Y)):
        with pytest.raises(InvalidInputError, match=NO_NUMBERS + got):
            call(Items(item))


def test_items_of_which_a_worker_makes_no_batch():
    """The error comes as a text from another process."""
    learner = make_learner(net=make_net(iterator_valid__num_workers=1)).fit(X, Y)
    rows = Items(lambda i: None if i == 50 else X[i].astype("f4"))
    with pytest.raises(InvalidInputError, match=f"{NO_NUMBERS}some that do not fit to"):
        learner.query(rows)


def test_a_batch_of_one_row_for_a_batch_norm():
    learner = make_learner(net=make_net(Normed)).fit(X, Y)
    with pytest.raises(
        RefitError, match="Of the 65 labelled rows, in batches of 16, o"
    ):
        learner.teach(X[:5] + 1, Y[:5])
    learner.set_params(estimator__iterator_train__drop_last=True).refit()
    assert learner.n_labeled_ == 65


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(monitor="typo"),
        Checkpoint(monitor="typo", f_params=None, f_optimizer=None, f_history=None),
        LRScheduler("ReduceLROnPlateau", monitor="typo"),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_monitors_that_nothing_measures(callback):
    net = make_net(callbacks=[callback])
    with pytest.raises(InvalidInputError) as caught:
        make_learner(net=net).fit(X, Y)
    assert "monitors 'typo', which no epoch has noted" in str(caught.value)
    assert "There are train_loss" in str(caught.value)
    assert "EpochScoring(..., name='typo')" in str(caught.value)


def test_a_scoring_that_there_is_not():
    net = make_net(callbacks=[EpochScoring("typo")], train_split=ValidSplit(3))
    with pytest.raises(InvalidInputError, match="has the scoring 'typo', which scikit"):
        make_learner(net=net).fit(X, Y)


class Names(SkorchDataset):
    def transform(self, X, y):
        return torch.full((3,), float(len(str(X)))), torch.tensor(y or 0)


@pytest.mark.parametrize("make", [list, pd.Series], ids=["list", "series"])
def test_rows_that_skorch_cannot_take_one_by_one(make):
    names = [f"name {i % 13}" for i in range(60)]
    learner = make_learner(net=make_net(dataset=Names))
    with pytest.raises(InvalidInputError, match="skorch cannot count or take the rows"):
        learner.fit(make(names), Y)
    array = np.empty(60, dtype=object)
    array[:] = names
    assert len(learner.fit(array, Y).query(array, n=2)) == 2


class Broken(SkorchDataset):
    def transform(self, X, y):
        raise KeyError("a fault of the data set's own")


def test_a_fault_of_a_data_set_keeps_its_own_words():
    with pytest.raises(KeyError, match="a fault of the data set's own"):
        make_learner(net=make_net(dataset=Broken)).fit(X, Y)


def test_inputs_that_forward_does_not_name():
    with pytest.raises(InvalidInputError, match="keys of a dict must be the names of"):
        make_learner().fit({"a": X[:, :2], "b": X[:, 2:]}, Y)


@pytest.mark.parametrize(
    "criterion", [nn.HingeEmbeddingLoss, nn.MultiLabelMarginLoss, nn.GaussianNLLLoss]
)
def test_a_criterion_of_other_labels(criterion):
    with pytest.raises(InvalidInputError) as caught:
        make_learner(net=make_net(criterion=criterion)).fit(X, Y)
    assert f"The criterion {criterion.__name__} cannot hold answers" in str(
        caught.value
    )
    assert "shape (16, 3) and type float32 against labels of shape (16,) and" in str(
        caught.value
    )


def test_what_is_not_known_goes_on_as_it_is():
    error = ValueError("shapes of the user's own")
    raised = pytest.raises(ValueError, match="^shapes of the user's own$")
    with raised as caught, explained(make_net(), "the training", 60):
        raise error
    assert caught.value is error


class Own(Tiny):
    def forward(self, X):
        raise RuntimeError("a fault of the module's own")


def test_a_fault_of_the_module_keeps_its_own_words():
    with pytest.raises(RuntimeError, match="^a fault of the module's own$"):
        make_learner(net=make_net(Own)).fit(X, Y)


def test_memory_in_a_prediction_and_in_a_first_look():
    class Greedy(Tiny):
        def forward(self, X):
            raise MemoryError

    with pytest.raises(RuntimeError, match="Memory ran out in a look at the first bat"):
        make_learner(net=make_net(Greedy)).fit(X, Y)
    learner = make_learner().fit(X, Y)
    learner.estimator_.module_ = Greedy()
    with pytest.raises(RuntimeError, match="Memory ran out in the prediction with bat"):
        learner.predict(X)


class TooLarge(Tiny):
    def __init__(self, **settings):
        raise MemoryError("30 GiB")


def test_two_outputs_for_one_logit():
    kind = NeuralNetBinaryClassifier
    net = make_net(Tiny, kind, criterion=nn.BCEWithLogitsLoss, module__n_classes=2)
    with pytest.raises(ModuleOutputError, match="must answer one logit a row, for two"):
        make_learner(net=net).fit(X, Y % 2)


def test_memory_for_the_module_itself():
    with pytest.raises(
        PoolPassError, match=r"module was made \(30 GiB\)\. Make it sma"
    ):
        make_learner(net=make_net(TooLarge)).fit(X, Y)


class GreedyInTraining(Tiny):
    def forward(self, X):
        if self.training:
            raise MemoryError
        return super().forward(X)


def test_memory_in_a_training_and_in_the_steps_before_it():
    learner = make_learner(net=make_net(GreedyInTraining))
    text = "in the training with batches of 16 rows. Lower iterator_train__batch_size"
    with pytest.raises(RuntimeError, match=text):
        learner.fit(X, Y)

    def greedy(X):
        raise MemoryError("30 GiB")

    learner = make_learner(net=make_pipeline(FunctionTransformer(greedy), make_net()))
    with pytest.raises(RuntimeError, match=r"a step before the net \(30 GiB\), which"):
        learner.fit(X, Y)


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_step_that_loses_rows(warm_start):
    step = FunctionTransformer(lambda rows: rows[: max(60, len(rows) - 1)])
    net = make_pipeline(step, make_net(Counted))
    learner = make_learner(net=net, warm_start=warm_start).fit(X, Y)
    with pytest.raises(RefitError, match="another number of rows than there are label"):
        learner.teach(X[:5] + 1, Y[:5])


def test_parameters_that_the_module_does_not_take():
    text = r"beside rows and labels \(sample_weight\) goes to the module's forward"
    with pytest.raises(TypeError, match=text) as caught:
        make_learner().fit(X, Y, sample_weight=np.ones(60))
    assert str(caught.value).endswith(f"of your own: {caught.value.__cause__}.")


class OfIds(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.vectors, self.head = torch.nn.Embedding(2, 4), torch.nn.Linear(4, 3)

    def forward(self, X):
        return self.head(self.vectors(X).mean(dim=1))


@pytest.mark.parametrize(("dtype", "name"), [("f4", "float"), (bool, "bool")])
def test_ids_that_are_no_integers(dtype, name):
    net = make_net(OfIds)
    with pytest.raises(InvalidInputError, match=f"was given {name} .* Give ids as int"):
        make_learner(net=net).fit(np.zeros((60, 5), dtype), Y)


def test_tensors_of_two_devices():
    net = make_net(device="cuda")
    text = "Expected all tensors to be on the same device, but found at least two"
    with (
        pytest.raises(InvalidInputError, match="Tensors of two devices meet") as caught,
        explained(net, "the training", 5),
    ):
        raise RuntimeError(text)
    assert "skorch moves to cuda the module" in str(caught.value)
    assert "y_true.to(y_pred.device)" in str(caught.value)

"""Settings of a net that it cannot be made with are named before any training."""

import copy

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from skorch.dataset import ValidSplit
from torch import nn

from skbadge import ActiveLearner, PenultimateFeatures
from skbadge.exceptions import InvalidInputError, RefitError
from skbadge.modules import InMemoryBatches
from tests._learning import Tiny, make_data, make_learner, make_net

X, Y = make_data()
STOPPING = ("stop", EarlyStopping(monitor="train_loss"))
OWN = nn.Linear(2, 2).parameters


class Trained(Tiny):
    """Counts the batches that it was trained on."""

    count = 0

    def forward(self, X):
        Trained.count += self.training
        return super().forward(X)


@pytest.fixture(autouse=True)
def _nothing_trained():
    Trained.count = 0


WRONG = {
    "module": (
        {"module__n_hiden": 3},
        r"The net's module cannot be made, Trained with module__n_hiden=3 \(Type.*"
        r"'n_hiden'\)\. Did you mean module__n_hidden\?",
    ),
    "module-far": (
        {"module__depth": 3},
        r"There are module__dropout, module__n_classes, module__n_features, module__n_",
    ),
    "module-value": (
        {"module__n_hidden": -6},
        r"Trained with module__n_hidden=-6 \(RuntimeError: .*\)\. Look at module__\.",
    ),
    "module-object": (
        {"module": Trained(), "module__depth": 3},
        "The net's module cannot be made, Trained with module__depth=3",
    ),
    "module-name": (
        {"module": "Tiny"},
        r"module of the net must be a class \(as .* Got 'Tiny' instead \(TypeError: 's",
    ),
    "optimizer": (
        {"optimizer__momentun": 0.9},
        r"SGD with lr=0.1, optimizer__momentun=0.9 \(.*Did you mean optimizer__momentu",
    ),
    "optimizer-other": (
        {"optimizer": torch.optim.Adam, "optimizer__nesterov": True},
        "There are optimizer__amsgrad, optimizer__betas, optimizer__capturable",
    ),
    "optimizer-object": (
        {"optimizer": torch.optim.SGD(OWN(), lr=0.1)},
        r"optimizer of the net must be a class \(as torch.optim.SGD, without brackets",
    ),
    "rate": ({"lr": -1}, r"SGD with lr=-1 \(ValueError: Invalid learning rate"),
    "group": (
        {"optimizer__param_groups": [("bodi*", {"lr": 0.1})]},
        r"has a group 'bodi\*', and no weight has such a name. There are \['body.0.wei",
    ),
    "group-setting": (
        {"optimizer__param_groups": [("body*", {"lrr": 0.1})]},
        r"has 'lrr' in the group 'body\*'\. Did you mean lr\?",
    ),
    "criterion": (
        {"criterion__wieght": None},
        r"CrossEntropyLoss with criterion__wieght=None .* you mean criterion__weight\?",
    ),
    "criterion-value": (
        {"criterion__weight": [1.0, 2.0, 3.0]},
        r"with criterion__weight=\[1.0, 2.0, 3.0\] \(TypeError: cannot assign 'list' o",
    ),
    "loader": (
        {"iterator_train__shufle": True},
        r"DataLoader with batch_size=16, .*\. Did you mean iterator_train__shuffle\?",
    ),
    "loader-valid": (
        {"iterator_valid__batchsize": 8},
        r"The net's iterator_valid cannot be made, DataLoader .*iterator_valid__batch_",
    ),
    "loader-values": (
        {"iterator_train__num_workers": -1},
        r"iterator_train__num_workers=-1 \(ValueError: num_workers option should be no",
    ),
    "rows": ({"dataset__lenght": 3}, r"Did you mean dataset__length\?"),
    "batch": (
        {"batch_size": 0},
        "batch_size of the net must be an int above 0, or -1 for all rows at once",
    ),
    "batch-text": ({"batch_size": "16"}, "Got '16' instead"),
    "batch-numpy": (
        {"batch_size": np.int64(16)},
        "batch_size of the net must be an int",
    ),
    "batch-part": (
        {"iterator_valid__batch_size": 2.5},
        "iterator_valid__batch_size of the net must be .* Got 2.5 instead",
    ),
    "epochs": ({"max_epochs": "3"}, "max_epochs of the net must be a whole number"),
    "split": ({"train_split": 0.2}, r"must be None or a function, .* Got 0.2 instead"),
    "nonlinearity": (
        {"predict_nonlinearity": "softmax"},
        "must be \"auto\", None or a function. Got 'softmax' instead",
    ),
    "device": (
        {"device": "gpu"},
        r"The net's device 'gpu' cannot be used here \(Runti",
    ),
    "no-setting": (
        {"foo": 3},
        r"The net does not take its settings \(.*argument\(s\) foo",
    ),
    "one-dash": ({"iterator_train_shuffle": 1}, "did you mean iterator_train__shuffle"),
    "no-callback": (
        {"callbacks": [STOPPING], "callbacks__stpo__patience": 2},
        r"for a callback 'stpo', which it does not have. Did you mean callbacks__stop",
    ),
    "callback": (
        {"callbacks": [STOPPING], "callbacks__stop__patiense": 2},
        r"The net's callback stop, EarlyStopping\(monitor='train_loss'\), cannot be u.*"
        r"\(.*\)\. Did you mean callbacks__stop__patience\?",
    ),
    "callback-class": (
        {"callbacks": [("stop", EarlyStopping)], "callbacks__stop__patiense": 2},
        r"callback stop, EarlyStopping, cannot be .* you mean callbacks__stop__patienc",
    ),
    "callback-value": (
        {"callbacks": [EarlyStopping(monitor="train_loss", threshold_mode="a")]},
        r"EarlyStopping\(monitor='train_loss', threshold_mode='a'\), cannot be used \(",
    ),
    "policy": (
        {"callbacks": [LRScheduler("StepLr")]},
        r"LRScheduler\(policy='StepLr'\), cannot be used .* no attribute 'StepLr'",
    ),
    "policy-setting": (
        {"callbacks": [("rate", LRScheduler("StepLR"))]},
        r"'step_size'\)\. Set callbacks__rate__step_size\.",
    ),
    "no-callbacks": (
        {"callbacks": [3]},
        r"must be a list of callbacks .* Got 3 among them \(AttributeError",
    ),
    "twice": (
        {"callbacks": [STOPPING, STOPPING]},
        r"The net does not take its settings \(.*duplicate user-set callback name",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_named_before_any_training(name):
    settings, text = WRONG[name]
    learner = make_learner(net=make_net(**{"module": Trained, **settings}))
    with pytest.raises(InvalidInputError, match=text):
        learner.fit(X, Y)
    assert not Trained.count


@pytest.mark.parametrize("name", ["loader", "loader-valid", "batch", "policy"])
def test_settings_of_a_net_behind_steps(name):
    settings, text = WRONG[name]
    net = make_net(**{"module": Trained, **settings})
    with pytest.raises(InvalidInputError, match=text):
        make_learner(net=make_pipeline(StandardScaler(), net)).fit(X, Y)
    assert not Trained.count


def test_the_first_error_is_the_cause():
    with pytest.raises(InvalidInputError) as caught:
        make_learner(net=make_net(module__n_hiden=3)).fit(X, Y)
    assert isinstance(caught.value.__cause__, TypeError)


def test_settings_that_were_made_wrong_later_leave_the_labels():
    learner = make_learner(net=make_net()).fit(X, Y)
    learner.set_params(estimator__optimizer__momentun=0.9)
    with pytest.raises(RefitError, match="Did you mean optimizer__momentum"):
        learner.teach(X[:5] + 1, Y[:5])
    assert learner.n_labeled_ == 65


CHANGES = {
    "callbacks__typo": "callback 'typo', which it does not have. There are callbacks__",
    "callbacks__stpo__patience": r"Did you mean callbacks__stop\?",
    "callbacks__stop__patiense": r"callback stop, .* mean callbacks__stop__patience\?",
    "callbacks__stop__patience__x": "The net's callback stop, EarlyStopping",
    "max_epoch": r"has no setting 'max_epoch'\. Did you mean max_epochs\?",
    "learn_rate": "has no setting 'learn_rate'. There are batch_size, callbacks,",
    "device__x": "The net does not take its settings",
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("make", [ActiveLearner, PenultimateFeatures])
def test_settings_that_cannot_be_changed(name, make):
    net, prefix = make_net(callbacks=[STOPPING]), "estimator__"
    if make is ActiveLearner:
        net, prefix = Pipeline([("net", net)]), "estimator__net__"
    changed = make(net)
    with pytest.raises(InvalidInputError, match=CHANGES[name]):
        changed.set_params(**{prefix + name: 1}).fit(X, Y)
    if name != "device__x":
        # Nothing was changed.
        changed.fit(X, Y)


ANSWERING = {
    "batch_size": (0, "batch_size of the net must be an int above 0"),
    "iterator_valid__batch_size": (-5, "iterator_valid__batch_size of the net must be"),
    "predict_nonlinearity": ("softmx", 'predict_nonlinearity of the net must be "auto'),
    "iterator_valid__shufle": (True, r"Did you mean iterator_valid__shuffle\?"),
}


@pytest.fixture(scope="module")
def trained():
    return make_net(train_split=None).fit(X.astype(np.float32), Y)


@pytest.mark.parametrize("name", ANSWERING)
@pytest.mark.parametrize("method", ["query", "predict", "transform"])
def test_settings_with_which_a_trained_net_cannot_answer(name, method, trained):
    value, text = ANSWERING[name]
    net = copy.deepcopy(trained)
    frozen = FrozenEstimator(net)
    learner = make_learner(net=frozen)
    if method == "predict":
        learner.fit(X, Y)
        net = learner.estimator_
    # skorch sets these of an initialized net and raises then.
    setattr(net, name, value)
    with pytest.raises(InvalidInputError, match=text):
        if method == "transform":
            PenultimateFeatures(frozen).fit(X).transform(X)
        else:
            getattr(learner, method)(X)


def test_loaders_of_a_net_that_is_initialized_are_set_in_another_way(trained):
    learner = make_learner(net=copy.deepcopy(trained))
    text = "skorch does not change iterator_valid__batch_size of a net .* Set batch_siz"
    with pytest.raises(InvalidInputError, match=text):
        learner.set_params(estimator__iterator_valid__batch_size=8)
    assert learner.set_params(estimator__batch_size=8).estimator.batch_size == 8


def test_a_pipeline_without_a_step_is_no_net():
    with pytest.raises(InvalidInputError, match="Got Pipeline instead"):
        make_learner(net=Pipeline([])).fit(X, Y)


def test_a_loss_that_does_not_take_its_settings_names_them():
    learner = make_learner(net=make_net(criterion__label_smoothing=2.0))
    with pytest.raises(InvalidInputError, match=r"\(with criterion__label_smoothing\)"):
        learner.fit(X, Y)


def test_a_callback_that_meets_something_else():
    settings = {"monitor": "train_loss_best", "f_optimizer": None, "f_history": None}
    saving = Checkpoint(dirname="/dev/null/here", **settings)
    for callback in (saving, GradientNormClipping("a")):
        learner = make_learner(net=make_net(callbacks=[("other", callback)]))
        with pytest.raises(InvalidInputError, match="The net's callback other, "):
            learner.fit(X, Y)


class Failing(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyError("mine")


def test_errors_of_callbacks_of_the_users_own_stay():
    with pytest.raises(KeyError, match="mine"):
        make_learner(net=make_net(callbacks=[Failing()])).fit(X, Y)


LOADERS = ("iterator_train", "iterator_valid")


@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks__valid_acc": None},
        {"callbacks": "disable", "callbacks__stop": None},
        {"callbacks": [STOPPING], "callbacks__stop": None},
        {"callbacks": [STOPPING], "callbacks__stop__patience": 2},
        {"callbacks": [STOPPING[1]], "callbacks__EarlyStopping": None},
        {
            "callbacks": [STOPPING[1], EarlyStopping(monitor="train_loss")],
            "callbacks__EarlyStopping_2": None,
        },
        {"callbacks__print_log__sink": lambda text: None},
        {"optimizer__param_groups": [("body*", {"lr": 0.1, "name": "body"})]},
        {"batch_size": 16, "iterator_valid__batch_size": -1},
        # As a grid search of scikit-learn sets them.
        {"max_epochs": np.int64(1)},
        {**dict.fromkeys(LOADERS, InMemoryBatches), "batch_size": np.int64(16)},
        {"train_split": False},
        {"train_split": ValidSplit(3), "callbacks": [EpochScoring("accuracy")]},
    ],
    ids=",".join,
)
def test_settings_that_are_right(settings):
    learner = make_learner(net=make_net(**settings)).fit(X, Y)
    assert len(learner.query(X, n=3)) == 3

"""Small nets and data for tests of the learner and of what is built on it."""

import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from skbadge import (
    ALBL,
    BADGE,
    ActiveLearner,
    CoreSet,
    EntropySampling,
    LeastConfidence,
    MarginSampling,
    RandomSampling,
)


class Tiny(nn.Module):
    """A perceptron with dropout, a few hundred weights at most."""

    def __init__(self, n_features=3, n_classes=3, n_hidden=6, dropout=0.2):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_features, n_hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(n_hidden, n_classes)

    def forward(self, X):
        return self.head(self.body(X))


class Double(Tiny):
    """The same in float64, for comparisons to more digits than float32 has."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.double()


class Normed(nn.Module):
    """A perceptron with BatchNorm, whose buffers move in training."""

    def __init__(self, n_features=3, n_classes=3):
        super().__init__()
        self.hidden = nn.Linear(n_features, 5)
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, n_classes)

    def forward(self, X):
        return self.head(torch.relu(self.norm(self.hidden(X))))


class OneLogit(nn.Module):
    """One logit for two classes."""

    def __init__(self, n_features=3):
        super().__init__()
        self.hidden = nn.Linear(n_features, 5)
        self.head = nn.Linear(5, 1)

    def forward(self, X):
        return self.head(torch.relu(self.hidden(X))).squeeze(-1)


def make_net(module=Tiny, kind=NeuralNetClassifier, **settings):
    """Make a net that trains in milliseconds."""
    defaults = {
        "criterion": nn.CrossEntropyLoss,
        "train_split": None,
        "iterator_train__shuffle": True,
        "max_epochs": 2,
        "batch_size": 16,
        "lr": 0.1,
        "verbose": 0,
    }
    return kind(module, **{**defaults, **settings})


def make_accurate_net(**settings):
    """Return a net that learns what there is to learn."""
    return make_net(max_epochs=20, lr=0.3, **settings)


def make_binary_net(**settings):
    """Make a net of one logit."""
    settings = {"criterion": nn.BCEWithLogitsLoss, **settings}
    return make_net(OneLogit, NeuralNetBinaryClassifier, **settings)


def make_data(n=60, n_features=3, n_classes=3, seed=0):
    """Make clouds of points, one a class, in float64 as scikit-learn's users do."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, n_features)) + 2 * np.eye(n_classes, n_features)[y]
    return X, y


def make_learner(strategy=None, random_state=0, net=None, **settings):
    """Make a learner of a tiny net."""
    net = make_net() if net is None else net
    return ActiveLearner(net, strategy=strategy, random_state=random_state, **settings)


def make_strategies():
    """Make one of each strategy, by a name for test ids."""
    return {
        "rand": RandomSampling(),
        "conf": LeastConfidence(),
        "marg": MarginSampling(),
        "entropy": EntropySampling(),
        "coreset": CoreSet(),
        "badge": BADGE(),
        "badge-max-norm": BADGE(first="max-norm"),
        "badge-norm": BADGE(first="norm"),
        "badge-kdpp": BADGE(sampler="k-dpp"),
        "albl": ALBL(),
        "albl-chosen": ALBL(update="chosen", uniform_arm=True),
    }


PREFIX_STRATEGIES = [name for name in make_strategies() if name != "badge-kdpp"]


def last_epoch(learner):
    """Return what the net's history says of the last epoch."""
    return learner.estimator_.history[-1]


def weights(learner):
    """Copy all parameters and buffers of a learner's net."""
    from skbadge.nets._estimators import find_net

    module = find_net(learner.estimator_).module_
    return {k: v.clone() for k, v in module.state_dict().items()}


def same_weights(first, second):
    """Compare two answers of `weights` bit by bit."""
    return first.keys() == second.keys() and all(
        torch.equal(first[k], second[k]) for k in first
    )


def global_states():
    """Read the global generators, in a form that can be compared."""
    return (
        random.getstate(),
        np.random.get_state()[1].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
    )


def snapshot(learner):
    """Note all that a failed call must leave as it was."""
    return {name: (id(value), value) for name, value in vars(learner).items()}


def assert_unchanged(learner, before):
    """Compare with `snapshot`: the very same objects under the same names."""
    after = snapshot(learner)
    assert after.keys() == before.keys()
    for name, (identity, _) in before.items():
        assert after[name][0] == identity, name


POOL, POOL_Y = make_data(30, seed=1)


def refused(learner, call, error, message):
    """Check that a call raises, and that nothing changed, the answers neither."""
    before, proba = snapshot(learner), None
    if hasattr(learner, "estimator_"):
        proba = learner.predict_proba(POOL)
    with pytest.raises(error) as caught:
        call(learner)
    assert message in str(caught.value)
    assert_unchanged(learner, before)
    if proba is not None:
        assert_array_equal(learner.predict_proba(POOL), proba)

"""A layer or an output that does not fit has its message, and nothing is changed."""

import pytest
import torch
from torch import nn

from skbadge import LeastConfidence
from skbadge.exceptions import LayerError, ModuleOutputError
from tests._learning import (
    POOL,
    assert_unchanged,
    make_data,
    make_learner,
    make_net,
    refused,
    snapshot,
)

X, Y = make_data()


class TwoHeads(nn.Module):
    """Has an auxiliary head that runs last, and a layer that runs twice."""

    def __init__(self, answer="head"):
        super().__init__()
        self.answer = answer
        self.body = nn.Linear(3, 3)
        self.head = nn.Linear(3, 3)
        self.auxiliary = nn.Linear(3, 3)

    def forward(self, X):
        hidden = torch.relu(self.body(X))
        if self.answer == "twice":
            return self.head(self.head(hidden))
        logits = self.head(hidden)
        self.auxiliary(hidden)
        if self.answer == "temperature":
            return logits / 1.1
        return logits


def test_layer_that_does_not_exist():
    for name in ("hed", 3):
        refused(
            make_learner(layer=name),
            lambda it: it.fit(X, Y),
            LayerError,
            f"layer must be the dotted name of a layer. Got {name!r} "
            "instead. Linear layers of the module: 'body.0' (3 -> 6), 'head' (6 -> 3).",
        )
    learner = make_learner().fit(X, Y).set_params(layer="hed")
    refused(learner, lambda it: it.query(POOL), LayerError, "Linear layers of the mod")


def test_layer_without_a_weight():
    learner = make_learner(layer="body.1", classes=[0, 1, 2]).fit(X, Y)
    refused(
        learner,
        lambda it: it.query(POOL),
        LayerError,
        "The gradient is read of an nn.Linear layer or a 1x1 convolution. Got 'body.1'",
    )


def test_layer_that_cannot_be_found():
    learner = make_learner(net=make_net(NoLinear)).fit(X, Y)
    refused(
        learner,
        lambda it: it.query(POOL),
        LayerError,
        "The module (NoLinear) has no nn.Linear layer at all, and no 1x1 convolution",
    )


class NoLinear(nn.Module):
    """Ends in a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 3, 3)

    def forward(self, X):
        return self.conv(X[:, None]).squeeze(2)


def test_layer_that_fires_twice():
    learner = make_learner(net=make_net(TwoHeads, module__answer="twice")).fit(X, Y)
    refused(
        learner,
        lambda it: it.query(POOL),
        LayerError,
        "The gradient in the weight of the layer 'head' must be residual times featur",
    )


@pytest.mark.parametrize("answer", ["head", "temperature"])
def test_the_layer_that_leads_to_the_output_is_found(answer):
    learner = make_learner(net=make_net(TwoHeads, module__answer=answer)).fit(X, Y)
    chosen = learner.query(POOL, n=3)
    named = learner.set_params(layer="head").query(POOL, n=3)
    assert chosen.tolist() == named.tolist()


def test_probabilities_that_are_none():
    net = make_net(criterion=Untold)
    learner = make_learner(LeastConfidence(), net=net).fit(X, Y)
    before = snapshot(learner)
    with pytest.raises(ModuleOutputError) as caught:
        learner.query(POOL, n=2)
    assert "with the criterion Untold they do not" in str(caught.value)
    assert "set predict_nonlinearity on the net" in str(caught.value)
    assert_unchanged(learner, before)


class Untold(nn.Module):
    """A cross-entropy that skorch does not know as one."""

    def forward(self, logits, y):
        return nn.functional.cross_entropy(logits, y)

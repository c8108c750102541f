"""Heads and losses that people write: something behind the last layer, steps, and more.

``HEADS`` lists those that must work, ``NO_PRODUCT`` those whose gradient is no product.
"""

from functools import partial

import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn import functional

from tests._any_modules import Net
from tests._any_nets import case


class After(Net):
    """A net with a function of logits and features behind the head."""

    def __init__(self, after, width=3):
        super().__init__(width=width)
        self.then = after

    def forward(self, X):
        features = self.body(X)
        return self.then(self.head(features), features)


class Normed(Net):
    """BatchNorm behind the head."""

    def __init__(self):
        super().__init__(after=nn.BatchNorm1d(3))


class CosineScale(Net):
    """Cosines of features and weights, times a learned scale."""

    def __init__(self):
        super().__init__(bias=False)
        self.head = nn.utils.parametrizations.weight_norm(self.head)
        self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, X):
        return self.scale * self.head(functional.normalize(self.body(X)))


class WideAndDeep(Net):
    """A linear model beside a deep one."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(5, 3)

    def forward(self, X):
        return self.wide(X) + self.head(self.body(X))


class TwoHeads(Net):
    """Two heads of the same features, averaged; the last one counts."""

    def __init__(self):
        super().__init__()
        self.other = nn.Linear(4, 3)

    def forward(self, X):
        features = self.body(X)
        return (self.other(features) + self.head(features)) / 2


class Mixed(Net):
    """Two heads, one of which counts in each row."""

    def __init__(self):
        super().__init__()
        self.other = nn.Linear(4, 3)

    def forward(self, X):
        features, here = self.body(X), X[:, :1] > 0
        return torch.where(here, self.other(features), self.head(features))


class WholeAndParts(nn.Module):
    """A head of the whole sequence, and one of its steps that runs last."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.head = nn.Linear(4, 3)
        self.parts = nn.Linear(4, 3)

    def forward(self, X):
        steps = self.body(X)
        return self.head(steps.mean(1)) + 0.5 * self.parts(steps).amax(1)


class Projected(Net):
    """An auxiliary head of the same width that runs last."""

    def __init__(self):
        super().__init__()
        self.projection = nn.Linear(4, 3)

    def forward(self, X):
        features = self.body(X)
        scores = self.head(features)
        self.projected = self.projection(features)
        return scores


class MultiSample(Net):
    """The head on several dropouts of the features, averaged."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, X):
        features = self.body(X)
        return sum(self.head(self.dropout(features)) for _ in range(4)) / 4


class Steps(nn.Module):
    """Scores every step of a sequence, then makes one row of them."""

    def __init__(self, pick):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.head = nn.Linear(4, 3)
        self.pick = pick

    def forward(self, X):
        return self.pick(self.head(self.body(X)))


class OneStep(Steps):
    """Gives the head rows with one step each."""

    def forward(self, X):
        return self.head(self.body(X)[:, :1])[:, 0]


class Pooled(nn.Module):
    """A 1x1 convolution as head, before or after global pooling."""

    def __init__(self, first):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh())
        self.head = nn.Conv2d(4, 3, 1)
        self.first = first

    def forward(self, X):
        images = self.body(X)
        if self.first:
            return self.head(images).mean((2, 3))
        return self.head(images.mean((2, 3), keepdim=True)).flatten(1)


class Answer(dict):
    """A dict with attributes, as models of transformers give."""

    def __getattr__(self, name):
        return self[name]

    def to_tuple(self):
        return tuple(self.values())


class Named(Net):
    """Answers a dict whose scores are not the first."""

    def __init__(self, kind=dict):
        super().__init__()
        self.kind = kind

    def forward(self, X):
        features = self.body(X)
        return self.kind(features=features, logits=self.head(features))


class TakesNamed(NeuralNetClassifier):
    """Reads the scores of a dict in the loss."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred["logits"], y_true, X, training)


class Unwraps(TakesNamed):
    """Unwraps the dict in its evaluation step, for predictions only."""

    def evaluation_step(self, batch, training=False):
        return super().evaluation_step(batch, training)["logits"]


class FunctionalLoss(NeuralNetClassifier):
    """Computes its loss by hand."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return functional.cross_entropy(y_pred, y_true.to(y_pred.device))


class MarginMean(NeuralNetClassifier):
    """A loss that torch.vmap knows no rule for."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return functional.multi_margin_loss(y_pred, y_true.to(y_pred.device))


class FocalMean(NeuralNetClassifier):
    """A focal loss that takes its mean itself."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        y_true = y_true.to(y_pred.device)
        loss = functional.cross_entropy(y_pred, y_true, reduction="none")
        return ((1 - torch.exp(-loss)) ** 2 * loss).mean()


class Weighted(NeuralNetClassifier):
    """Weights rows by what comes in X, then takes the mean."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        return (loss * (1 + X[:, 0].abs().to(loss.device))).mean()


class WeightsInX(NeuralNetClassifier):
    """Takes the weights of the rows from X, where skorch's manual puts them."""

    def get_loss(self, y_pred, y_true, X, *args, **kwargs):
        losses = super().get_loss(y_pred, y_true, X, *args, **kwargs)
        return (X["weight"].to(losses.device) * losses).mean()


class HandedWeights(Net):
    """Is handed the weights, and leaves them alone."""

    def forward(self, X, weight):
        return super().forward(X)


class OneVersusRest(NeuralNetClassifier):
    """One binary loss for each class."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        target = functional.one_hot(y_true, y_pred.shape[1]).to(y_pred)
        return functional.binary_cross_entropy_with_logits(y_pred, target)


def _fixed_zero(logits, features):
    return torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1)


def _named_proba(answer):
    return torch.softmax(answer["logits"], dim=-1)


_SOFTMAX = {"predict_nonlinearity": partial(torch.softmax, dim=-1)}
_NAMED = {"kind": TakesNamed, "predict_nonlinearity": _named_proba}
_PRIOR = torch.tensor([0.2, 0.3, 0.5])


def after(id, function, **settings):
    return case(id, After, module__after=function, **settings)


HEADS = [
    after("temperature-behind", lambda z, h: z / 1.5),
    after("logit-adjustment", lambda z, h: z + torch.log(_PRIOR).to(z)),
    after("soft-cap", lambda z, h: 3 * torch.tanh(z / 3)),
    after("columns-reordered", lambda z, h: z[:, [2, 0, 1]]),
    after("fixed-zero", _fixed_zero, module__width=2),
    after("saturated-softmax", lambda z, h: torch.softmax(z * 40, 1),
          predict_nonlinearity=None),
    case("batch-norm-behind", Normed),
    case("cosine-scale", CosineScale),
    case("wide-and-deep", WideAndDeep),
    case("two-heads", TwoHeads),
    case("two-heads-named", TwoHeads, layer="other", head="other"),
    case("mixed-heads", Mixed),
    case("whole-and-parts", WholeAndParts, rows="sequences"),
    case("projection-last", Projected),
    case("multi-sample-dropout", MultiSample),
    case("last-step", Steps, module__pick=lambda z: z[:, -1], rows="sequences"),
    case("mean-over-steps", Steps, module__pick=lambda z: z.mean(1), rows="sequences"),
    case("sum-of-two-steps", Steps, module__pick=lambda z: z[:, 0] + 2 * z[:, 2],
         rows="sequences"),
    case("one-step", OneStep, module__pick=None, rows="sequences"),
    case("convolution-before-pooling", Pooled, module__first=True, rows="images"),
    case("convolution-after-pooling", Pooled, module__first=False, rows="images"),
    case("dict", Named, **_NAMED),
    case("model-output", Named, module__kind=Answer, **_NAMED),
    case("unwraps", Named, kind=Unwraps),
    case("functional-loss", Net, kind=FunctionalLoss),
    case("margin-mean", Net, kind=MarginMean, **_SOFTMAX),
    case("focal-mean", Net, kind=FocalMean),
    case("focal-mean-of-steps", Steps, module__pick=lambda z: z.mean(1),
         rows="sequences", kind=FocalMean),
    case("row-weights", Net, kind=Weighted, criterion__reduction="none"),
    case("weights-in-x", HandedWeights, kind=WeightsInX, rows="weighted",
         criterion__reduction="none"),
    case("one-versus-rest", Net, kind=OneVersusRest, **_SOFTMAX),
    case("inner-layer", Net, layer="body.0", head="body.0"),
]  # fmt: skip

NO_PRODUCT = [
    case("maximum-over-steps", Steps, module__pick=lambda z: z.amax(1),
         rows="sequences", error=("LayerError", "in different ways.*as under a max")),
    case("relu-before-the-mean", Steps, module__pick=lambda z: z.relu().mean(1),
         rows="sequences", error=("LayerError", "in different ways")),
    # Linear to three digits while the logits are small.
    case("soft-cap-before-the-mean", Steps,
         module__pick=lambda z: 100 * torch.tanh(z / 100).mean(1),
         rows="sequences", error=("LayerError", "in different ways")),
]  # fmt: skip

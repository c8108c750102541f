"""Small nets of every kind a user may bring, each with rows it takes.

``CASES`` lists those that must work, ``REFUSED`` those that must be refused with a
clear error. Each case makes a fresh net, so that tests cannot disturb each other.
"""

from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

N_ROWS = 18


class Net(nn.Module):
    """Body, one linear head, and something behind it."""

    def __init__(self, body=None, width=3, bias=True, after=None, d=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, d), nn.Tanh()) if body is None else body
        self.head = nn.Linear(d, width, bias=bias)
        self.after = nn.Identity() if after is None else after

    def forward(self, X):
        return self.after(self.head(self.body(X)))


class Flat(Net):
    """One logit, answered without a second dimension."""

    def forward(self, X):
        return super().forward(X)[:, 0]


class InPlaceAfter(Net):
    """Logits overwritten once they have served."""

    def forward(self, X):
        logits = self.head(self.body(X))
        proba = torch.softmax(logits, dim=1)
        logits.relu_()
        return proba


class FeaturesOverwritten(Net):
    """Features overwritten once they have served, as in-place layers do."""

    def forward(self, X):
        features = self.body(X)
        logits = self.head(features)
        if not self.training:
            features.detach().zero_()
        return logits


class Deep(nn.Module):
    """A head four submodules down."""

    def __init__(self):
        super().__init__()
        self.model = nn.ModuleDict({"inner": nn.Sequential(Net())})

    def forward(self, X):
        return self.model["inner"](X)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, X):
        return self.head(self.cells(X)[0][:, -1])


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, X):
        return self.head(self.encoder(self.embed(X)).mean(dim=1))


class Tuple(Net):
    """Scores, and features beside them."""

    def forward(self, X):
        features = self.body(X)
        return self.head(features), features


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 3)
        self.head = nn.Linear(5, 3)

    def forward(self, ids, numbers):
        return self.head(torch.cat([self.embed(ids).mean(dim=1), numbers], dim=1))


class OneOfOne(Net):
    """A tuple of the scores alone."""

    def forward(self, X):
        return (super().forward(X),)


class ScoresAndProba(Net):
    """Scores, and their softmax beside them; or the other way around."""

    def __init__(self, proba_first=False, **kwargs):
        super().__init__(**kwargs)
        self.proba_first = proba_first

    def forward(self, X):
        scores = super().forward(X)
        both = scores, torch.softmax(scores, dim=1)
        return both[::-1] if self.proba_first else both


class Aliased(Net):
    """A head with two names, called once."""

    def __init__(self):
        super().__init__()
        self.both = nn.Sequential(self.body, self.head)

    def forward(self, X):
        return self.both(X)


class Autocast(Net):
    def forward(self, X):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(X)


class Auxiliary(Net):
    """A second head of the same width, executed last."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(4, 3)

    def forward(self, X):
        features = self.body(X)
        scores = self.head(features)
        return scores, self.extra(features)


class Tied(nn.Module):
    """Scores from the weight of the first layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 5)
        self.head = nn.Linear(5, 5)
        self.head.weight = self.first.weight

    def forward(self, X):
        return self.head(torch.tanh(self.first(X)))


class Twice(nn.Module):
    """One layer, called twice."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 5)

    def forward(self, X):
        return self.head(torch.tanh(self.head(X)))


class LabelAttention(Net):
    """The head's weight, used a second time without its layer."""

    def forward(self, X):
        features = self.body(X)
        attention = torch.softmax(features @ self.head.weight.T, dim=1)
        return self.head(features + attention @ self.head.weight)


class Hooked(Net):
    """A head whose answer a hook of the user changes."""

    def __init__(self):
        super().__init__()
        self.head.register_forward_hook(lambda layer, args, output: 3 * output)


class Replaced(Net):
    """A head whose method was replaced."""

    def __init__(self):
        super().__init__()
        self.head.forward = lambda X: nn.functional.linear(X.abs(), self.head.weight)


class CosineLinear(nn.Linear):
    """A linear layer by type, but not by what it computes."""

    def forward(self, X):
        return nn.functional.linear(
            nn.functional.normalize(X), nn.functional.normalize(self.weight), self.bias
        )


class Temperature(nn.Module):
    def forward(self, logits):
        return logits / 2


class Focal(nn.Module):
    """Focal loss on logits."""

    def __init__(self, gamma=2.0, reduction="mean"):
        super().__init__()
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, logits, y):
        log_p = torch.log_softmax(logits, dim=1).gather(1, y[:, None])[:, 0]
        loss = -((1 - log_p.exp()) ** self.gamma) * log_p
        return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[self.reduction]


class FocalSubclass(nn.CrossEntropyLoss):
    """The same, by subclassing the loss that skorch knows."""

    def forward(self, logits, y):
        reduction, self.reduction = self.reduction, "none"
        loss = super().forward(logits, y)
        self.reduction = reduction
        loss = (1 - torch.exp(-loss)) ** 2 * loss
        return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[reduction]


class MeanOnly(nn.Module):
    """A criterion that offers no losses of single rows."""

    def forward(self, logits, y):
        return nn.functional.cross_entropy(logits, y)


class Farthest(nn.CrossEntropyLoss):
    """A loss of distances: the smallest output is the likeliest class."""

    def forward(self, distances, y):
        return super().forward(-distances, y)


class Dice(nn.Module):
    """A loss of whole batches, with one number a class where it is not reduced."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, logits, y):
        p, target = logits.softmax(dim=1), nn.functional.one_hot(y, 3).float()
        loss = 1 - 2 * (p * target).sum(dim=0) / (p + target).sum(dim=0)
        return loss if self.reduction == "none" else loss.mean()


class LossLooksAtX(NeuralNetClassifier):
    """A net whose loss weights rows by what is in them."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        weight = 1 + X[:, 0].abs()
        return loss * (weight if loss.ndim else weight.mean())


class FirstOfTuple(NeuralNetClassifier):
    """A net whose loss takes the first of what the module returns."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred[0], y_true, *args, **kwargs)


class LastOfTuple(NeuralNetClassifier):
    """A net whose loss takes the last of what the module returns."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return self.criterion_(y_pred[-1], y_true)


class ConfidencePenalty(NeuralNetClassifier):
    """A net whose loss reads both parts of a tuple, which follow from one another."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        loss = super().get_loss(y_pred[0], y_true, *args, **kwargs)
        entropy = torch.special.entr(y_pred[1]).sum(dim=1)
        return loss - (entropy if loss.ndim else entropy.mean())


class PenaltyOnWeights(NeuralNetClassifier):
    """A net whose loss has a term of the weights, as skorch's manual shows it."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        size = sum(weight.abs().sum() for weight in self.module_.parameters())
        return loss + 0.1 * size if training else loss


class PenaltyInEvaluation(PenaltyOnWeights):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred, y_true, X, training=True)


class FloatLabels(NeuralNetClassifier):
    """A net of two classes with one logit, without skorch's class for it."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return self.criterion_(y_pred, y_true.float())


class PenaltyOnBatch(NeuralNetClassifier):
    """A net whose loss of a row has a term of the whole batch."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred, y_true, *args, **kwargs) + y_pred.square().sum()


class ReducesByItself(NeuralNetClassifier):
    """A net that weights its rows' losses and takes their mean."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        return (loss * (1 + X[:, 0].abs())).mean()


class Consistent(NeuralNetClassifier):
    """A net whose loss runs the module again, on rows a little moved."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        moved = (self.infer(X + 0.1) - y_pred).square().sum(dim=1)
        return loss + (moved if loss.ndim else moved.mean())


@dataclass
class Case:
    """A net, rows, and where its head is.

    ``make`` gives a fresh net; ``head`` is the dotted name of the head in the user's
    module; ``tolerance`` is looser for half precision.
    """

    id: str
    make: object
    head: str = "head"
    rows: str = "table"
    layer: str | None = None
    labels: tuple = (0, 1, 2)
    tolerance: float = 2e-6
    frozen: bool = False
    error: tuple | None = None
    settings: dict = field(default_factory=dict)

    @property
    def X(self):
        return make_rows(self.rows)

    @property
    def y(self):
        return np.array(self.labels)[np.arange(N_ROWS) % len(self.labels)]


def make_rows(kind):
    """Make rows of one kind, always the same ones."""
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 11, size=(N_ROWS, 6))
    if kind == "tokens":
        return ids
    if kind == "dict":
        return {"ids": ids, "numbers": rng.normal(size=(N_ROWS, 2))}
    shape = {"table": (5,), "images": (1, 6, 6), "sequences": (4, 3)}[kind]
    return rng.normal(size=(N_ROWS, *shape)).astype(np.float32)


def make_net(module, *, kind=NeuralNetClassifier, criterion=nn.CrossEntropyLoss, **kw):
    """Make a net that trains in milliseconds; ``module`` makes its module."""
    defaults = {"max_epochs": 2, "lr": 0.1, "batch_size": 5, "train_split": None}
    return kind(module, criterion=criterion, verbose=0, **{**defaults, **kw})


def case(id, module, /, *, rows="table", **settings):
    """Make a case; what is no field of it goes to the net."""
    own = ("head", "layer", "labels", "tolerance", "frozen", "error")
    fields = {name: settings.pop(name) for name in own if name in settings}
    return Case(id, partial(make_net, module, **settings), rows=rows, **fields)


def instance(make):
    """Say that skorch is to be given a module instance, made when the net is made."""
    return SimpleNamespace(make=make)


def build(case):
    """Make the case's net."""
    net = case.make
    module = net.args[0]
    if isinstance(module, SimpleNamespace):
        torch.manual_seed(0)
        return net.func(module.make(), *net.args[1:], **net.keywords)
    return net()


def _conv():
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(True), nn.Flatten(), nn.Dropout()
    )


def _norm():
    return nn.Sequential(
        nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.ReLU(inplace=True)
    )


def _partly_frozen(frozen_part):
    net = Net()
    getattr(net, frozen_part).requires_grad_(False)
    return net


def _wide_softmax(logits):
    return torch.softmax(logits.float(), dim=-1)


def _softmin(distances):
    return torch.softmax(-distances, dim=-1)


def _with_prior(logits):
    """Move the probabilities to other shares of the classes than in training."""
    return torch.softmax(logits + torch.tensor([0.0, 1.0, 2.0]), dim=-1)


_BINARY = {"kind": NeuralNetBinaryClassifier, "criterion": nn.BCEWithLogitsLoss}

CASES = [
    case("logits", Net),
    case("softmax-inside", Net, module__after=nn.Softmax(1), criterion=nn.NLLLoss),
    case("log-softmax-inside", Net, module__after=nn.LogSoftmax(1)),
    case("softmax-twice", Net, module__after=nn.Softmax(1)),
    case(
        "focal",
        Net,
        criterion=Focal,
        predict_nonlinearity=partial(torch.softmax, dim=-1),
    ),
    case("focal-subclass", Net, criterion=FocalSubclass),
    case("label-smoothing", Net, criterion__label_smoothing=0.1),
    case("class-weights", Net, criterion__weight=torch.tensor([1.0, 2.0, 5.0])),
    case("reduction-sum", Net, criterion__reduction="sum", lr=0.01),
    case("nll-weights", Net, module__after=nn.Softmax(1), criterion=nn.NLLLoss,
         criterion__weight=torch.tensor([1.0, 2.0, 5.0])),
    case("loss-looks-at-x", Net, kind=LossLooksAtX),
    case("one-logit", Net, labels=(0, 1), module__width=1, **_BINARY),
    case("one-logit-flat", Flat, labels=("no", "yes"), module__width=1, **_BINARY),
    case("one-logit-weighted", Flat, labels=(0, 1), module__width=1,
         criterion__pos_weight=torch.tensor(3.0), **_BINARY),
    case("one-logit-sigmoid", Net, labels=(0, 1), module__width=1,
         module__after=nn.Sigmoid(), kind=NeuralNetBinaryClassifier,
         criterion=nn.BCELoss),
    case("two-logits", Net, labels=("a", "b"), module__width=2),
    case("batch-norm-dropout", instance(lambda: Net(_norm()))),
    case("inplace-first", instance(lambda: Net(nn.ReLU(inplace=True), d=5))),
    case("inplace-after", InPlaceAfter, criterion=nn.NLLLoss),
    case("sequential", instance(
        lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Linear(4, 3))
    ), head="2"),
    case("only-a-layer", instance(lambda: nn.Linear(5, 3)), head=""),
    case("deep", Deep, head="model.inner.0.head"),
    case("deep-named", Deep, head="model.inner.0.head", layer="model.inner.0.head"),
    case("no-bias", Net, module__bias=False),
    case("lazy", instance(
        lambda: nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(3))
    ), head="2"),
    case("weight-norm", instance(
        lambda: Net(nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)))
    )),
    case("convolutional", instance(lambda: Net(_conv(), d=32)), rows="images"),
    case("lstm", Recurrent, rows="sequences"),
    case("transformer", Transformer, rows="tokens", tolerance=1e-5),
    case("two-inputs", TwoInputs, rows="dict"),
    case("tuple", Tuple, kind=FirstOfTuple),
    case("auxiliary-named", Auxiliary, kind=FirstOfTuple, layer="head"),
    case("tuple-of-one", OneOfOne, kind=FirstOfTuple),
    case("loss-reads-the-rest", ScoresAndProba, kind=ConfidencePenalty),
    case("loss-on-the-last", ScoresAndProba, kind=LastOfTuple,
         module__proba_first=True, predict_nonlinearity=None),
    case("smallest-wins", Net, criterion=Farthest, predict_nonlinearity=_softmin),
    case("other-prior", Net, predict_nonlinearity=_with_prior),
    case("penalty-on-weights", Net, kind=PenaltyOnWeights),
    case("one-logit-multiclass-net", Flat, labels=(0, 1), module__width=1,
         kind=FloatLabels, criterion=nn.BCEWithLogitsLoss),
    case("aliased", Aliased),
    case("compiled-by-skorch", Net, compile=True, compile__backend="eager"),
    case("compiled", instance(lambda: torch.compile(Net(), backend="eager"))),
    case("data-parallel", instance(lambda: nn.DataParallel(Net()))),
    case("bfloat16", instance(lambda: Net().bfloat16()), tolerance=0.02,
         predict_nonlinearity=_wide_softmax),
    case("autocast", Autocast, tolerance=0.02, predict_nonlinearity=_wide_softmax),
    case("float64", instance(lambda: Net().double()), tolerance=1e-12),
    case("instance", instance(Net)),
    case("body-frozen", instance(lambda: _partly_frozen("body"))),
    case("head-frozen", instance(lambda: _partly_frozen("head"))),
    case("fitted", Net, frozen=True),
]  # fmt: skip

REFUSED = [
    case("tied", Tied, labels=range(5), error=("LayerError", "is shared")),
    case("twice", Twice, labels=range(5), error=("LayerError", "ran 2 times")),
    case("auxiliary", Auxiliary, kind=FirstOfTuple,
         error=("ModuleOutputError", "layer='...'")),
    case("temperature", Net, module__after=Temperature(),
         error=("ModuleOutputError", "temperature")),
    case("relu-after", Net, module__after=nn.ReLU(inplace=True),
         error=("ModuleOutputError", "layer='...'")),
    case("no-linear", instance(
        lambda: nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 3, 5), nn.Flatten())
    ), error=("LayerError", "no nn.Linear layer at all")),
    case("cosine", instance(
        lambda: nn.Sequential(nn.Linear(5, 4), CosineLinear(4, 3))
    ), error=("LayerError", "input times weight plus bias")),
    case("no-row-losses", Net, criterion=MeanOnly,
         predict_nonlinearity=partial(torch.softmax, dim=-1),
         error=("ModuleOutputError", "must be one number a row")),
    case("reduces-by-itself", Net, kind=ReducesByItself, criterion__reduction="none",
         error=("ModuleOutputError", "must be one number a row.* own reduce as it")),
    case("penalty-on-batch", Net, kind=PenaltyOnBatch,
         error=("ModuleOutputError", "depend on other rows")),
    case("dice", Net, criterion=Dice, batch_size=3,
         predict_nonlinearity=partial(torch.softmax, dim=-1),
         error=("ModuleOutputError", "depend on other rows")),
    case("runs-again", Net, kind=Consistent,
         error=("LayerError", "autograd finds another.*get_loss runs the module")),
    case("weight-used-twice", LabelAttention,
         error=("LayerError", "autograd finds another")),
    case("hooked", Hooked, error=("LayerError", "input times weight plus bias")),
    case("replaced", Replaced, error=("LayerError", "input times weight plus bias")),
    case("no-distribution", Net, criterion=Focal,
         error=("ModuleOutputError", "criterion Focal .*predict_nonlinearity")),
    case("bad-name", Net, layer="haed",
         error=("LayerError", r"Got 'haed' instead. Linear layers of the module: "
                r"'body.0' \(5 -> 4\), 'head' \(4 -> 3\)")),
    case("bad-width", Net, layer="body.0", error=("LayerError", "has width 4")),
]  # fmt: skip

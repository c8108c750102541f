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

from tests._any_modules import (
    Aliased,
    Autocast,
    Auxiliary,
    ConfidencePenalty,
    Consistent,
    CosineLinear,
    Deep,
    Dice,
    Farthest,
    FirstOfTuple,
    Flat,
    FloatLabels,
    Focal,
    FocalSubclass,
    Hooked,
    InPlaceAfter,
    LabelAttention,
    LastOfTuple,
    LossLooksAtX,
    MeanOnly,
    Net,
    OneOfOne,
    PenaltyOnBatch,
    PenaltyOnWeights,
    Recurrent,
    ReducesByItself,
    Replaced,
    ScoresAndProba,
    Temperature,
    Tied,
    Transformer,
    Tuple,
    Twice,
    TwoInputs,
)

N_ROWS = 18


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
    if kind == "weighted":
        table = rng.normal(size=(N_ROWS, 5)).astype(np.float32)
        return {"X": table, "weight": rng.uniform(0.5, 2, N_ROWS).astype(np.float32)}
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
    return torch.softmax(logits + torch.arange(3).to(logits), dim=-1)


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
    case("auxiliary", Auxiliary, kind=FirstOfTuple),
    case("temperature", Net, module__after=Temperature()),
    case("relu-after", Net, module__after=nn.ReLU(inplace=True)),
    case("no-row-losses", Net, criterion=MeanOnly,
         predict_nonlinearity=partial(torch.softmax, dim=-1)),
    case("reduces-by-itself", Net, kind=ReducesByItself, criterion__reduction="none"),
    case("fitted", Net, frozen=True),
]  # fmt: skip

REFUSED = [
    case("tied", Tied, labels=range(5),
         error=("LayerError", "autograd finds another.*is shared")),
    case("twice", Twice, labels=range(5),
         error=("LayerError", "autograd finds another")),
    case("no-linear", instance(
        lambda: nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 3, 5), nn.Flatten())
    ), error=("LayerError", "no nn.Linear layer at all")),
    case("cosine", instance(
        lambda: nn.Sequential(nn.Linear(5, 4), CosineLinear(4, 3))
    ), error=("LayerError", "input times weight plus bias")),
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
]  # fmt: skip

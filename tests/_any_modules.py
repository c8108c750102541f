"""Modules, criteria and nets of every kind a user may bring."""

import torch
from skorch import NeuralNetClassifier
from torch import nn


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
        weight = 1 + X[:, 0].abs().to(loss.device)
        return loss * (weight if loss.ndim else weight.mean())


class FirstOfTuple(NeuralNetClassifier):
    """A net whose loss takes the first of what the module returns."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred[0], y_true, *args, **kwargs)


class LastOfTuple(NeuralNetClassifier):
    """A net whose loss takes the last of what the module returns."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return self.criterion_(y_pred[-1], y_true.to(y_pred[-1].device))


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
    """The same, with the term in evaluation too."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred, y_true, X, training=True)


class FloatLabels(NeuralNetClassifier):
    """A net of two classes with one logit, without skorch's class for it."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return self.criterion_(y_pred, y_true.to(y_pred))


class PenaltyOnBatch(NeuralNetClassifier):
    """A net whose loss of a row has a term of the whole batch."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred, y_true, *args, **kwargs) + y_pred.square().sum()


class ReducesByItself(NeuralNetClassifier):
    """A net that weights its rows' losses and takes their mean."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        return (loss * (1 + X[:, 0].abs().to(loss.device))).mean()


class Consistent(NeuralNetClassifier):
    """A net whose loss runs the module again, on rows a little moved."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X, training)
        moved = (self.infer(X + 0.1) - y_pred).square().sum(dim=1)
        return loss + (moved if loss.ndim else moved.mean())

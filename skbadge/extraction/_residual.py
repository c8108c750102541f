"""The residual: derivative of the net's own loss in the logits.

Equation (1) of the BADGE paper is the chain rule for a linear last layer: the gradient
in its weight is (derivative of the loss in the logits) times (input of the layer). The
paper's factor ``p - onehot`` is that derivative for softmax and cross-entropy; here it
is taken of whatever loss the net is trained with.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier

from skbadge.exceptions import ModuleOutputError
from skbadge.extraction._nets import is_binary

__all__ = [
    "LINKS",
    "closed_form",
    "find_link",
    "has_closed_form",
    "hypothetical_labels",
    "residual_by_autograd",
]

# How a module's output may follow from the logits of its classification layer.
LINKS = {
    "identity": lambda logits: logits,
    "softmax": lambda logits: torch.softmax(logits, dim=-1),
    "log-softmax": lambda logits: torch.log_softmax(logits, dim=-1),
    "sigmoid": torch.sigmoid,
}
_TOLERANCE = 1e-4


def find_link(logits, output, layer_name, known=None):
    """Say how the module's output follows from the logits of its layer.

    Parameters
    ----------
    logits, output : tensor of shape (n_rows, n_outputs)
        What the classification layer and the module answered.
    layer_name : str
        For the message.
    known : str or None, default=None
        The link that earlier batches had; no other is then accepted.

    Returns
    -------
    str
        "identity", "softmax", "log-softmax", or, for one logit, "sigmoid".

    Raises
    ------
    ModuleOutputError
        If the output is none of these to 1e-4 (looser by the rounding of half
        precision): the layer is an auxiliary head, or something stands behind it.
    """
    if known in (None, "identity") and torch.equal(logits, output):
        return "identity"
    names = ["identity", "softmax", "log-softmax"]
    if logits.shape[-1] == 1:
        names = ["identity", "sigmoid"]
    eps = max(torch.finfo(logits.dtype).eps, torch.finfo(output.dtype).eps)
    tolerance = max(_TOLERANCE, 4 * eps)
    exact = torch.promote_types(logits.dtype, torch.float32)
    for name in names if known is None else [known]:
        expected = LINKS[name](logits.to(exact))
        # Many classes have small probabilities, which differ by little.
        slack = tolerance / logits.shape[-1] if name == "softmax" else tolerance
        if torch.allclose(output.to(exact), expected, rtol=tolerance, atol=slack):
            return name
    listed = "neither its logits nor their " + " nor their ".join(names[1:])
    raise ModuleOutputError(
        f"The module's output must follow from the layer {layer_name!r}, but it is "
        f"{listed} (to {_TOLERANCE:g}). Either that layer is an auxiliary head: name "
        "the one that gives the class scores with layer='...'; or the module changes "
        "the logits afterwards (a temperature, a mask): move that before the layer or "
        "out of the module."
    )


def hypothetical_labels(logits):
    """Return the label the net itself prefers for each row.

    Parameters
    ----------
    logits : tensor of shape (n_rows, n_outputs)
        One column stands for two classes, 1 where it is positive.

    Returns
    -------
    tensor of shape (n_rows,), int64
    """
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).long()
    return logits.argmax(dim=1)


def closed_form(logits):
    """Compute the residual of softmax or sigmoid with its log loss.

    Parameters
    ----------
    logits : tensor of shape (n_rows, n_outputs)

    Returns
    -------
    tensor of shape (n_rows, n_outputs)
        float32, or float64 where the logits are.

    Notes
    -----
    The entry at the hypothetical label is minus the sum of the other probabilities: the
    ``p - 1`` of the paper is 0 in float32 for every confident row.
    """
    logits = _exact(logits)
    labels = hypothetical_labels(logits)
    if logits.shape[1] == 1:
        # d/dz of the binary loss is sigmoid(z) - y; -sigmoid(-z) where y = 1.
        sign = 1.0 - 2.0 * labels[:, None].to(logits.dtype)
        return sign * torch.sigmoid(sign * logits)
    residual = torch.softmax(logits, dim=1)
    column = labels[:, None]
    residual.scatter_(1, column, 0.0)
    return residual.scatter_(1, column, -residual.sum(dim=1, keepdim=True))


def has_closed_form(net, link):
    """Say whether `closed_form` is the derivative of the net's loss in its logits.

    So it is for ``CrossEntropyLoss`` on logits, ``NLLLoss`` on softmax outputs, and,
    for one logit, ``BCEWithLogitsLoss`` and ``BCELoss`` on a sigmoid (no subclass,
    weight or smoothing). skorch's ``NLLLoss`` adds a machine epsilon inside the
    logarithm, which the closed form leaves out.
    """
    own_loss = (
        NeuralNet.get_loss,
        NeuralNetClassifier.get_loss,
        NeuralNetBinaryClassifier.get_loss,
    )
    if type(net).get_loss not in own_loss:
        return False
    criterion = getattr(net.criterion_, "_orig_mod", net.criterion_)
    if getattr(criterion, "weight", None) is not None:
        return False
    if type(criterion) is torch.nn.CrossEntropyLoss:
        # Negative label numbers, the default to ignore, never are hypothetical labels.
        plain = criterion.label_smoothing == 0 and criterion.ignore_index < 0
        return plain and link in ("identity", "log-softmax")
    if type(criterion) is torch.nn.NLLLoss:
        return criterion.ignore_index < 0 and link == "softmax"
    if type(criterion) is torch.nn.BCELoss:
        return link == "sigmoid"
    return (
        type(criterion) is torch.nn.BCEWithLogitsLoss
        and criterion.pos_weight is None
        and link == "identity"
    )


def residual_by_autograd(net, logits, link, output, rest=(), X=None):
    """Compute the derivative of the net's own ``get_loss`` at the hypothetical label.

    Parameters
    ----------
    net : skorch net
        Initialized.
    logits : tensor of shape (n_rows, n_outputs)
        Logits of one batch.
    link : str
        How the module's output follows from them (see `find_link`).
    output : tensor of shape (n_rows, n_outputs) or (n_rows,)
        The module's output, for its shape.
    rest : tuple, default=()
        What else the module returned beside its output.
    X : what the net's iterator yields, default=None
        The batch itself, for a ``get_loss`` that looks at it.

    Returns
    -------
    tensor of shape (n_rows, n_outputs)
        float32, or float64 where the logits are.

    Raises
    ------
    ModuleOutputError
        If the criterion offers no loss of single rows.
    """
    logits = _exact(logits)
    labels = hypothetical_labels(logits)
    with torch.enable_grad(), _row_losses(net.criterion_):
        leaf = logits.detach().clone().requires_grad_(True)
        scores = LINKS[link](leaf).reshape(output.shape)
        if is_binary(net):
            labels = labels.to(leaf.dtype)
        answer = (scores, *rest) if rest else scores
        loss = net.get_loss(answer, labels, X=X, training=False)
        if loss.numel() != len(labels):
            criterion = type(net.criterion_).__name__
            raise ModuleOutputError(
                f"The criterion must give one loss a row. Got {criterion} instead, "
                f"whose loss of {len(labels)} rows has the shape {tuple(loss.shape)} "
                "even with its attribute reduction set to 'none'. Let it honor "
                "reduction='none', or use a strategy that needs no residual (for "
                "example MarginSampling)."
            )
        (residual,) = torch.autograd.grad(loss.sum(), leaf)
    return residual.detach()


def _exact(logits):
    # Half precision is storage: probabilities near 1 need more digits.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@contextmanager
def _row_losses(criterion):
    """Switch a criterion to one loss a row for a while, where it knows how."""
    criterion = getattr(criterion, "_orig_mod", criterion)
    if not hasattr(criterion, "reduction"):
        yield
        return
    before = criterion.reduction
    criterion.reduction = "none"
    try:
        yield
    finally:
        criterion.reduction = before

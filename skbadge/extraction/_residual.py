"""The residual: derivative of the net's own loss in the logits.

Equation (1) of the BADGE paper is the chain rule for a linear last layer: the gradient
in its weight is (derivative of the loss in the logits) times (input of the layer). The
paper's factor ``p - onehot`` is that derivative for softmax and cross-entropy; here it
is taken of whatever loss the net is trained with.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch

from skbadge.exceptions import ModuleOutputError
from skbadge.nets._estimators import is_binary, overrides
from skbadge.nets._probabilities import unwrapped_criterion

__all__ = [
    "LINKS",
    "closed_form",
    "find_link",
    "has_closed_form",
    "hypothetical_labels",
    "needs_rerun",
    "residual_by_autograd",
    "row_losses",
]

# How a module's output may follow from the logits of its classification layer.
LINKS = {
    "identity": lambda logits: logits,
    "softmax": lambda logits: torch.softmax(logits, dim=-1),
    "log-softmax": lambda logits: torch.log_softmax(logits, dim=-1),
    "sigmoid": torch.sigmoid,
}
_TOLERANCE = 1e-4
# Probabilities below this are not compared: modules round or clamp them.
_SMALLEST_PROBA = 1e-7


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
    dtypes = [torch.finfo(logits.dtype), torch.finfo(output.dtype)]
    tolerance = max(_TOLERANCE, 4 * max(dtype.eps for dtype in dtypes))
    exact = torch.promote_types(logits.dtype, torch.float32)
    for name in names if known is None else [known]:
        expected, found = LINKS[name](logits.to(exact)), output.to(exact)
        slack = tolerance
        if name in ("softmax", "sigmoid"):
            # Where a net is sure, all that tells it from another is how small the small
            # probabilities are.
            slack = max(_SMALLEST_PROBA, *(dtype.tiny for dtype in dtypes))
            if name == "sigmoid":
                far = expected > 0.5
                expected = torch.where(far, LINKS[name](-logits.to(exact)), expected)
                found = torch.where(far, 1.0 - found, found)
                slack = max(slack, dtypes[1].eps)
        if torch.allclose(found, expected, rtol=tolerance, atol=slack):
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


def closed_form(logits, labels=None):
    """Compute the residual of softmax or sigmoid with its log loss.

    Parameters
    ----------
    logits : tensor of shape (n_rows, n_outputs)
    labels : tensor of shape (n_rows,), int64, default=None
        Hypothetical labels; None for those of the largest logits.

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
    labels = hypothetical_labels(logits) if labels is None else labels
    if logits.shape[1] == 1:
        # d/dz of the binary loss is sigmoid(z) - y; -sigmoid(-z) where y = 1.
        sign = 1.0 - 2.0 * labels[:, None].to(logits.dtype)
        return sign * torch.sigmoid(sign * logits)
    residual = torch.softmax(logits, dim=1)
    column = labels[:, None]
    residual.scatter_(1, column, 0.0)
    return residual.scatter_(1, column, -residual.sum(dim=1, keepdim=True))


def has_closed_form(net, link, width):
    """Say whether `closed_form` is the derivative of the net's loss in its logits.

    So it is for ``CrossEntropyLoss`` on logits, ``NLLLoss`` on softmax outputs, and,
    for one logit, ``BCEWithLogitsLoss`` (no subclass, weight or smoothing). skorch's
    ``NLLLoss`` adds a machine epsilon inside the logarithm, which the closed form
    leaves out.

    Parameters
    ----------
    net : skorch net
        Initialized.
    link : str
        How the module's output follows from the logits (see `find_link`).
    width : int
        Number of logits.

    Returns
    -------
    bool
    """
    if overrides(net, "get_loss"):
        return False
    criterion = unwrapped_criterion(net)
    if getattr(criterion, "weight", None) is not None:
        return False
    if type(criterion) is torch.nn.CrossEntropyLoss:
        # Negative label numbers, the default to ignore, never are hypothetical labels.
        plain = criterion.label_smoothing == 0 and criterion.ignore_index < 0
        return plain and link in ("identity", "log-softmax")
    if type(criterion) is torch.nn.NLLLoss:
        return criterion.ignore_index < 0 and link == "softmax"
    # With more logits it is a loss of one class against the rest, for each class.
    return (
        type(criterion) is torch.nn.BCEWithLogitsLoss
        and criterion.pos_weight is None
        and link == "identity"
        and width == 1
    )


def needs_rerun(net, answer):
    """Say whether the loss must be computed from a second run of each batch.

    So it must where ``get_loss`` gets more than the class scores: all that the module
    answers, which may follow from the logits as well.
    """
    return isinstance(answer, (tuple, list)) or overrides(net, "evaluation_step")


def residual_by_autograd(net, layer, logits, labels, link, answer, X=None, rerun=None):
    """Compute the derivative of the net's own ``get_loss`` at the hypothetical label.

    Parameters
    ----------
    net : skorch net
        Initialized.
    layer : nn.Module
        The classification layer.
    logits : tensor of shape (n_rows, n_outputs)
        What it gave for one batch.
    labels : tensor of shape (n_rows,), int64
        Hypothetical labels.
    link : str
        How the module's output follows from the logits (see `find_link`).
    answer : tensor, or tuple or list of tensors
        What the module answered.
    X : what the net's iterator yields, default=None
        The batch itself.
    rerun : Rerun or None, default=None
        The batch to be run again, where `needs_rerun` says so.

    Returns
    -------
    tensor of shape (n_rows, n_outputs)
        float32, or float64 where the logits are.

    Raises
    ------
    ModuleOutputError
        If ``get_loss`` gives no losses of single rows that follow from the logits.

    Notes
    -----
    ``get_loss`` is called with ``training=False``, as the net stands in evaluation
    mode.
    """
    with torch.enable_grad():
        if rerun is not None:
            leaf, answer = rerun.from_logits(net, layer)
            X = rerun.X
        else:
            leaf = _exact(logits).detach().clone().requires_grad_(True)
            answer = LINKS[link](leaf).reshape(answer.shape)
        losses = row_losses(net, answer, labels, X)
        if not losses.requires_grad:
            raise ModuleOutputError(
                "The loss must follow from what the classification layer gave, by "
                "steps that torch can differentiate. Got a loss of "
                f"{type(net).__name__} without gradient instead: let forward and "
                "get_loss compute it outside of no_grad, or use a strategy that needs "
                "no residual (for example MarginSampling)."
            )
        (last,) = torch.autograd.grad(losses[-1], leaf, retain_graph=True)
        (residual,) = torch.autograd.grad(losses.sum(), leaf)
    if last[:-1].any():
        raise ModuleOutputError(
            "The loss of a row must depend on that row alone while the criterion's "
            "attribute reduction is 'none', so that it has a gradient of its own. Got "
            f"losses of {type(net).__name__} with "
            f"{type(unwrapped_criterion(net)).__name__} that depend on other rows of "
            "the batch. Take the terms for the whole batch out of get_loss when "
            "training=False, or use a strategy that needs no residual (for example "
            "MarginSampling)."
        )
    return residual.detach()


def row_losses(net, answer, labels, X=None):
    """Return the net's own loss of each row.

    Parameters
    ----------
    net : skorch net
        Initialized.
    answer : tensor, or tuple or list of tensors
        What the module answered.
    labels : tensor of shape (n_rows,), int64
        Labels of the rows.
    X : what the net's iterator yields, default=None
        The batch itself, for a ``get_loss`` that looks at it.

    Returns
    -------
    tensor of shape (n_rows,)

    Raises
    ------
    ModuleOutputError
        If the loss is not one number a row.
    """
    scores = answer[0] if isinstance(answer, (tuple, list)) else answer
    answer = answer if overrides(net, "get_loss") else scores
    if is_binary(net):
        labels = labels.to(getattr(scores, "dtype", torch.float32))
    with _reduction_none(unwrapped_criterion(net)):
        try:
            losses = net.get_loss(answer, labels, X=X, training=False)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModuleOutputError(
                "The loss must take what the module answers in evaluation mode, and "
                f"one class number a row. {type(net).__name__} with "
                f"{type(unwrapped_criterion(net)).__name__} failed instead "
                f"({type(error).__name__}: {error}). "
                "Make other labels of the class numbers in get_loss, or use a strategy "
                "that needs no residual (for example MarginSampling)."
            ) from error
    if losses.numel() == len(labels):
        return losses.reshape(-1)
    raise ModuleOutputError(
        f"The loss must be one number a row. Got the shape {tuple(losses.shape)} for "
        f"{len(labels)} rows from {type(net).__name__} with "
        f"{type(unwrapped_criterion(net)).__name__} instead, although the criterion's "
        "attribute reduction is 'none'. Let the criterion honor it, and a get_loss of "
        "your own reduce as it says, or use a strategy that needs no residual (for "
        "example MarginSampling)."
    )


def _exact(logits):
    # Half precision is storage: probabilities near 1 need more digits.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@contextmanager
def _reduction_none(criterion):
    """Switch a criterion to one loss a row for a while, where it knows how."""
    if not hasattr(criterion, "reduction"):
        yield
        return
    before = criterion.reduction
    criterion.reduction = "none"
    try:
        yield
    finally:
        criterion.reduction = before

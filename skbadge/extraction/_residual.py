"""The residual: derivative of the net's own loss in the logits.

Equation (1) of the BADGE paper is the chain rule for a linear last layer: the gradient
in its weight is (derivative of the loss in the logits) times (input of the layer). The
paper's factor ``p - onehot`` is that derivative for softmax and cross-entropy; here it
is taken of whatever loss the net is trained with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from skbadge.exceptions import ModuleOutputError
from skbadge.nets._estimators import is_binary, overrides
from skbadge.nets._probabilities import scores_of, unwrapped_criterion
from skbadge.utils._tree import mapped, tensors_of

__all__ = [
    "closed_form",
    "has_closed_form",
    "hypothetical_labels",
    "residuals",
    "row_losses",
]

_INSTEAD = "use a strategy that needs no residual (for example MarginSampling)."


def hypothetical_labels(logits: torch.Tensor) -> torch.Tensor:
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


def closed_form(
    logits: torch.Tensor, labels: torch.Tensor | None = None
) -> torch.Tensor:
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
    # Half precision is storage: probabilities near 1 need more digits.
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    labels = hypothetical_labels(logits) if labels is None else labels
    if logits.shape[1] == 1:
        # d/dz of the binary loss is sigmoid(z) - y; -sigmoid(-z) where y = 1.
        sign = 1.0 - 2.0 * labels[:, None].to(logits.dtype)
        return sign * torch.sigmoid(sign * logits)
    residual = torch.softmax(logits, dim=1)
    column = labels[:, None]
    residual.scatter_(1, column, 0.0)
    return residual.scatter_(1, column, -residual.sum(dim=1, keepdim=True))


def has_closed_form(net: Any, logits: torch.Tensor, scores: torch.Tensor) -> bool:
    """Say whether `closed_form` is the derivative of the net's loss in its logits.

    So it is for ``CrossEntropyLoss`` on logits, ``NLLLoss`` on softmax outputs, and,
    for one logit, ``BCEWithLogitsLoss`` (no subclass, weight or smoothing). skorch's
    ``NLLLoss`` adds a machine epsilon inside the logarithm, which the closed form
    leaves out.

    Parameters
    ----------
    net : skorch net
        Initialized.
    logits : tensor of shape (n_rows, n_outputs)
        What the classification layer gave.
    scores : tensor of shape (n_rows, n_outputs)
        What the module answered: the logits, or their softmax, to the last bit.

    Returns
    -------
    bool
    """
    if overrides(net, "get_loss") or logits.shape != scores.shape:
        return False
    criterion = unwrapped_criterion(net)
    if getattr(criterion, "weight", None) is not None:
        return False
    if type(criterion) is torch.nn.CrossEntropyLoss:
        # Negative label numbers, the default to ignore, never are hypothetical labels.
        plain = criterion.label_smoothing == 0 and criterion.ignore_index < 0
        return plain and (
            torch.equal(logits, scores) or _is(torch.log_softmax, logits, scores)
        )
    if type(criterion) is torch.nn.NLLLoss:
        plain = criterion.ignore_index < 0
        return plain and _is(torch.softmax, logits, scores)
    # With more logits it is a loss of one class against the rest, for each class.
    return (
        type(criterion) is torch.nn.BCEWithLogitsLoss
        and criterion.pos_weight is None
        and logits.shape[1] == 1
        and torch.equal(logits, scores)
    )


def _is(
    function: Callable[..., torch.Tensor], logits: torch.Tensor, scores: torch.Tensor
) -> bool:
    return torch.equal(function(logits.to(scores.dtype), dim=1), scores)


def residuals(
    net: Any, answer: Any, labels: torch.Tensor, leaves: Sequence[torch.Tensor], X: Any
) -> list[torch.Tensor]:
    """Compute the derivative of the net's own ``get_loss`` in what layers gave.

    Parameters
    ----------
    net : skorch net
        Initialized.
    answer : what the module answered
        Recorded by autograd from the leaves on.
    labels : tensor of shape (n_rows,), int64
        Hypothetical labels.
    leaves : list of tensor of shape (n_rows, ...)
        What the calls of the classification layer gave.
    X : what the net's iterator yields
        The batch itself.

    Returns
    -------
    list of tensor, as the leaves
        Derivatives of each row's loss.

    Raises
    ------
    ModuleOutputError
        If ``get_loss`` gives no losses of single rows that follow from the leaves.

    Notes
    -----
    ``get_loss`` is called with ``training=False``, as the net stands in evaluation
    mode.
    """
    with torch.enable_grad():
        losses = row_losses(net, answer, labels, X)
        if not losses.requires_grad:
            raise ModuleOutputError(
                "The loss must follow from what the classification layer gave, by "
                "steps that torch can differentiate. Got a loss of "
                f"{type(net).__name__} without gradient instead: let forward and "
                f"get_loss compute it outside of no_grad, or {_INSTEAD}"
            )
        last = torch.autograd.grad(
            losses[-1], leaves, retain_graph=True, materialize_grads=True
        )
        if any(part[:-1].any() for part in last):
            raise _mixed(net)
        return list(torch.autograd.grad(losses.sum(), leaves, materialize_grads=True))


def _mixed(net: Any) -> ModuleOutputError:
    return ModuleOutputError(
        "The loss of a row must depend on that row alone while the criterion's "
        "attribute reduction is 'none', so that it has a gradient of its own. Got "
        f"losses of {type(net).__name__} with "
        f"{type(unwrapped_criterion(net)).__name__} that depend on other rows of "
        "the batch. Take the terms for the whole batch out of get_loss when "
        f"training=False, or {_INSTEAD}"
    )


def row_losses(
    net: Any, answer: Any, labels: torch.Tensor, X: Any = None
) -> torch.Tensor:
    """Return the net's own loss of each row.

    Where the loss honors ``reduction="none"`` it is called once. A loss that gives one
    number for a batch all the same is computed of every row as a batch of its own, of
    its part of the answer and of the batch: by ``torch.vmap`` for all rows at once, or,
    where the loss does what vmap cannot (read a number, say), row by row.

    Parameters
    ----------
    net : skorch net
        Initialized.
    answer : what the module answered
        A tensor, or a dict, list or tuple of them.
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
        If there is no loss for single rows.
    """
    given = answer if overrides(net, "get_loss") else scores_of(answer)
    if is_binary(net):
        scores = scores_of(answer)
        labels = labels.to(scores.dtype)
    with _reduction_none(unwrapped_criterion(net)):
        losses = _loss(net, given, labels, X)
    n_rows = len(labels)
    if losses.ndim and losses.numel() == n_rows:
        return losses.reshape(-1)
    whole = _loss(net, given, labels, X)
    losses = _single_losses(net, n_rows, given, labels, X)
    if whole.numel() != 1 or losses.numel() != n_rows:
        raise ModuleOutputError(
            f"The loss must be one number a row, or one for a batch. Got the shape "
            f"{tuple(whole.shape)} for {n_rows} rows from {type(net).__name__} with "
            f"{type(unwrapped_criterion(net)).__name__} instead. Let get_loss reduce "
            f"its losses as the criterion's attribute reduction says, or {_INSTEAD}"
        )
    losses = losses.reshape(-1)
    _check_composed(net, whole.reshape(()), losses, n_rows)
    return losses


def _single_losses(net: Any, n_rows: int, *trees: Any) -> torch.Tensor:
    """Return the loss of each row as a batch of its own."""

    def is_row_wise(leaf: Any) -> bool:
        is_table = isinstance(leaf, torch.Tensor) and leaf.ndim > 0
        return is_table and len(leaf) == n_rows

    def loss(*tensors: torch.Tensor) -> torch.Tensor:
        """Put the tensors of one row where those of the batch stood."""
        of_row = iter(tensors)

        def part(leaf: Any) -> Any:
            return next(of_row)[None] if is_row_wise(leaf) else leaf

        return _loss(net, *(_like(tree, mapped(part, tree)) for tree in trees))

    tables = [tensor for tensor in tensors_of(trees) if is_row_wise(tensor)]
    try:
        with warnings.catch_warnings():
            # Of losses that vmap itself runs row by row: as fast as what follows here.
            warnings.filterwarnings("ignore", "There is a performance drop")
            return torch.vmap(loss)(*tables)
    except (RuntimeError, ModuleOutputError):
        # Where it is not vmap's but the loss's own, the error comes up again.
        rows = zip(*(table.unbind() for table in tables), strict=True)
        return torch.stack([loss(*row) for row in rows])


def _check_composed(
    net: Any, whole: torch.Tensor, losses: torch.Tensor, n_rows: int
) -> None:
    """Refuse a loss of a batch that is neither mean nor sum of the rows' losses."""
    total = losses.detach().sum()
    slack = 1e-3 * losses.detach().abs().sum() + 1e-6
    mean = (whole.detach() * n_rows - total).abs() <= slack
    if not (mean or (whole.detach() - total).abs() <= slack / n_rows):
        raise _mixed(net)


def _like(tree: Any, parts: Any) -> Any:
    """Give a dict with attributes (a ``ModelOutput``) its class back."""
    return type(tree)(**parts) if hasattr(tree, "to_tuple") else parts


def _loss(net: Any, answer: Any, labels: torch.Tensor, X: Any) -> torch.Tensor:
    try:
        return net.get_loss(answer, labels, X=X, training=False)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModuleOutputError(
            "The loss must take what the module answers in evaluation mode, and "
            f"one class number a row. {type(net).__name__} with "
            f"{type(unwrapped_criterion(net)).__name__} failed instead "
            f"({type(error).__name__}: {error}). "
            f"Make other labels of the class numbers in get_loss, or {_INSTEAD}"
        ) from error


@contextmanager
def _reduction_none(criterion: Any) -> Iterator[None]:
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

"""What skorch makes of a module's output: class probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from skbadge.exceptions import ModuleOutputError
from skbadge.nets._estimators import overrides
from skbadge.nets._settings import check_nonlinearity

__all__ = [
    "check_distribution",
    "check_own_predict_proba",
    "scores_of",
    "to_probabilities",
    "unwrapped_criterion",
]

_TOLERANCE = 1e-3


def unwrapped_criterion(net: Any) -> Any:
    """Return a net's criterion as its author wrote it, compiled or not."""
    return getattr(net.criterion_, "_orig_mod", net.criterion_)


def scores_of(answer: Any) -> torch.Tensor:
    """Return the class scores in a module's answer.

    Of a tuple or list the first, as in skorch; of a dict (as models of ``transformers``
    give) what has the key "logits", else the first.

    Raises
    ------
    ModuleOutputError
        If there are none.
    """
    output = answer
    if isinstance(answer, Mapping) and answer:
        output = answer["logits"] if "logits" in answer else next(iter(answer.values()))
    elif isinstance(answer, (tuple, list)) and answer:
        output = answer[0]
    if not isinstance(output, torch.Tensor) or output.ndim == 0:
        raise ModuleOutputError(
            "The module must answer a tensor of class scores, or a tuple or dict that "
            f"begins with one. Got {type(output).__name__} instead: let its forward "
            "return the scores."
        )
    return output


def to_probabilities(net: Any, answer: Any) -> tuple[torch.Tensor, bool]:
    """Apply the rule of skorch's ``predict_proba`` to one batch of module outputs.

    The rule is documented (``predict_nonlinearity``); skorch offers no public call that
    applies it to outputs one already has.

    Parameters
    ----------
    net : skorch net
        Initialized.
    answer : tensor of shape (n_rows, ...), or dict, tuple or list
        What the module answered. A ``predict_nonlinearity`` of the user's own gets it
        as skorch hands it on: the first of a tuple, a dict as it is.

    Returns
    -------
    proba : tensor
        Probabilities, if the net is set up well.
    certain : bool
        Whether they are a distribution for any finite outputs.

    Raises
    ------
    InvalidInputError
        If ``predict_nonlinearity`` is none of those that skorch knows.
    """
    check_nonlinearity(net)
    nonlinearity = net.predict_nonlinearity
    if callable(nonlinearity) and isinstance(answer, Mapping):
        return nonlinearity(answer), False
    # Half precision is storage; a softmax of it would have ties without number.
    output = scores_of(answer)
    output = output.to(torch.promote_types(output.dtype, torch.float32))
    if nonlinearity is None:
        return output, False
    if callable(nonlinearity):
        return nonlinearity(output), False
    criterion = unwrapped_criterion(net)
    if isinstance(criterion, torch.nn.CrossEntropyLoss):
        return torch.softmax(output, dim=-1), output.ndim == 2
    if isinstance(criterion, torch.nn.BCEWithLogitsLoss):
        # sigmoid(-z), not 1 - sigmoid(z): that is 0 in float32 for confident rows.
        pair = [torch.sigmoid(-output), torch.sigmoid(output)]
        return torch.stack(pair, dim=1), output.ndim == 1
    if isinstance(criterion, torch.nn.BCELoss):
        return torch.stack([1 - output, output], dim=1), False
    return output, False


def check_distribution(
    net: Any, proba: torch.Tensor | np.ndarray, n_rows: int, eps: float = 0.0
) -> None:
    """Refuse what are no probabilities of classes, one row for each of ``n_rows``.

    Parameters
    ----------
    net : skorch net
        Whose answers they are, for the message.
    proba : tensor or ndarray
        Should have the shape (n_rows, n_classes), be non-negative and sum to 1.
    n_rows : int
        Number of rows asked for.
    eps : float, default=0.0
        Rounding of the arithmetic they come from.

    Raises
    ------
    ModuleOutputError
        To 1e-3, or four times ``eps`` where that is more.
    """
    proba = torch.as_tensor(proba)
    tolerance = max(_TOLERANCE, 4 * eps)
    if proba.ndim == 2 and len(proba) == n_rows:
        total = proba.sum(dim=1, dtype=torch.float64)
        near_one = not n_rows or bool((total - 1).abs().amax() <= tolerance)
        if near_one and bool((proba >= -tolerance).all()):
            return
    must = "The net's probabilities must be non-negative and sum to 1 in each row, but "
    own = net.predict_nonlinearity
    if callable(own):
        name = getattr(own, "__name__", None) or repr(own)
        raise ModuleOutputError(
            f"{must}what its predict_nonlinearity, {name}, makes of the module's "
            "output does not: let it answer such a row of one column a class for each "
            'row, or leave it "auto" (a softmax for CrossEntropyLoss, both classes for '
            "BCEWithLogitsLoss)."
        )
    raise ModuleOutputError(
        f"{must}with the criterion {type(unwrapped_criterion(net)).__name__} they do "
        "not. "
        "skorch takes the module's output for probabilities unless it knows the "
        "criterion: NLLLoss expects a softmax inside the module, CrossEntropyLoss "
        "expects logits. Change one of the two, or set predict_nonlinearity on the net."
    )


def check_own_predict_proba(net: Any) -> None:
    """Refuse a ``predict_proba`` that may answer other probabilities than the pass.

    Raises
    ------
    ModuleOutputError
        If the net's class has a ``predict_proba`` of its own.
    """
    if overrides(net, "predict_proba"):
        raise ModuleOutputError(
            f"The strategy reads probabilities, and {type(net).__name__} has a "
            "predict_proba of its own, which a pass over the pool does not call: the "
            "two could differ. Put what it does to the module's outputs into "
            "predict_nonlinearity, which both follow."
        )

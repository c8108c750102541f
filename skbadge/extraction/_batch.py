"""One batch that a net has answered."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch

from skbadge.extraction._hooks import removed_hooks
from skbadge.extraction._residual import hypothetical_labels
from skbadge.nets._estimators import overrides
from skbadge.nets._probabilities import scores_of, to_probabilities

__all__ = ["Batch", "answered", "as_columns"]


def answered(net: Any, batch: Any) -> Batch:
    """Run a net on one batch of its iterator.

    Parameters
    ----------
    net : skorch net
        Initialized.
    batch : tuple
        What its iterator yields.

    Returns
    -------
    Batch
    """
    raw = []
    # Whatever a hook does to the mode of gradients ends here.
    with torch.no_grad():
        if overrides(net, "evaluation_step"):

            def hook(*args: Any) -> None:
                raw.append(args[-1])

            with removed_hooks() as (handles, again), again:
                handles.append(net.module_.register_forward_hook(hook))
                answer = net.evaluation_step(batch)
        else:
            answer = net.evaluation_step(batch)
    return Batch(net, batch[0], answer, raw[-1] if raw else None)


class Batch:
    """One batch that a net has answered, with what is worked out of it on demand.

    Parameters
    ----------
    net : skorch net
        Whose answer it is.
    X : what the net's iterator yields
        The batch.
    answer : what ``evaluation_step`` returned
    raw : what the module itself returned
        For a ``get_loss`` behind an ``evaluation_step`` that picks something from it.
    """

    def __init__(self, net: Any, X: Any, answer: Any, raw: Any = None) -> None:
        self.net = net
        self.X = X
        self.answer = answer
        output = scores_of(answer)
        self.graph = as_columns(output)
        # A net may answer with gradients all the same.
        self.scores = self.graph.detach()
        self.for_loss = answer if raw is None else raw

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def proba(self) -> tuple[torch.Tensor, bool]:
        """Class probabilities by skorch's rule, and whether they surely are some."""
        with torch.no_grad():
            proba, certain = to_probabilities(self.net, self.answer)
        return proba.detach(), certain

    def labels(self, logits: torch.Tensor | None = None) -> torch.Tensor:
        """Return the hypothetical label of each row: the class the net prefers."""
        if logits is not None and not callable(self.net.predict_nonlinearity):
            # Of the logits: probabilities near 1 have ties.
            return hypothetical_labels(logits)
        proba = self.proba[0].detach()
        if proba.ndim == 2 and proba.shape[1] > 1:
            return proba.argmax(dim=1)
        return hypothetical_labels(self.scores)


def as_columns(scores: torch.Tensor) -> torch.Tensor:
    """Return scores of shape (n_rows, n_outputs); one number a row is one column."""
    with torch.enable_grad():
        return scores[:, None] if scores.ndim == 1 else scores

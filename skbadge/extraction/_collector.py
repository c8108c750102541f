"""Check the answers of a net batch by batch, and keep what is needed of them."""

from __future__ import annotations

import torch

from skbadge.exceptions import (
    DivergedTrainingError,
    InvalidInputError,
    ModuleOutputError,
)
from skbadge.extraction._layers import choose_layer
from skbadge.extraction._residual import compute_residual, find_link
from skbadge.extraction._storage import empty_rows

__all__ = ["Collector"]

_PROBA_TOLERANCE = 1e-3


class Collector:
    """Checks each batch and writes what is needed into arrays made once."""

    def __init__(self, net, needs, positions, description, *, layer, n_classes):
        self.net = net
        self.needs = needs
        self.positions = positions
        self.layer = layer
        self.n_classes = n_classes
        self.description = description
        self.needs_layer = needs.residual or needs.features
        self.captured = None
        self.done = 0
        self.last_count = 0
        self.values = {}
        self.chosen = None

    def check_input(self, tensor):
        """Refuse NaN and infinity in what reaches the module."""
        if not torch.isfinite(tensor).all():
            raise InvalidInputError(
                f"NaN or infinity reached the net in {self._where(tensor)}. Impute or "
                "remove such values before the net, for example in a pipeline step."
            )

    def add(self, answer):
        """Take the module's answer to one batch."""
        output, rest = answer, ()
        if isinstance(answer, (tuple, list)):
            output, *rest = answer
        scores = output[:, None] if output.ndim == 1 else output
        if scores.ndim != 2:
            raise ModuleOutputError(
                "The module must answer one row of class scores for each row of X. "
                f"Got an output of shape {tuple(output.shape)} instead."
            )
        self._check_rows(scores)
        if not torch.isfinite(scores).all() and not self._log_of_zero(scores):
            raise DivergedTrainingError(
                f"The net answers NaN or infinity in {self._where(scores)}: its "
                "training diverged. Lower the learning rate, scale the inputs, or clip "
                "the gradients, then call refit()."
            )
        proba = self._probabilities(output)
        if self.needs.proba:
            self._store("proba", proba)
        if self.needs_layer:
            self._add_layer(scores, tuple(rest))
        self.done += self.last_count

    def finish(self):
        """Return what was collected, once every row is there."""
        if self.done != len(self.positions):
            raise ModuleOutputError(
                f"The net answered for {self.done} of {len(self.positions)} rows. Its "
                "dataset or iterator_valid must yield every row once, in order."
            )
        return self.values

    def _check_rows(self, scores):
        self.last_count = len(scores)
        if self.done + len(scores) > len(self.positions):
            raise ModuleOutputError(
                f"The net answered for more than the {len(self.positions)} rows of "
                f"{self.description}. Its module must answer one row for each row."
            )

    def _log_of_zero(self, scores):
        # A module that ends in log-softmax rightly answers -inf for an impossible
        # class; NaN or +inf never are right.
        return bool((torch.isneginf(scores) | torch.isfinite(scores)).all()) and bool(
            torch.isfinite(scores).any(dim=1).all()
        )

    def _probabilities(self, output):
        proba = _to_probabilities(self.net, output)
        if not _is_distribution(proba):
            criterion = type(self.net.criterion_).__name__
            raise ModuleOutputError(
                "The net's probabilities must be non-negative and sum to 1 in each "
                f"row, but with the criterion {criterion} they do not. skorch takes "
                "the module's output for probabilities unless it knows the criterion: "
                "NLLLoss expects a softmax inside the module, CrossEntropyLoss expects "
                "logits. Change one of the two, or set predict_nonlinearity on the net."
            )
        if self.n_classes is not None and proba.shape[1] != self.n_classes:
            raise ModuleOutputError(
                f"The net answers {proba.shape[1]} classes, but the learner has "
                f"{self.n_classes}. Give the learner all classes with classes=[...], or "
                "change the width of the last layer."
            )
        return proba.to(torch.promote_types(proba.dtype, torch.float32))

    def _add_layer(self, scores, rest):
        name = choose_layer(
            self.net.module_,
            self.captured.calls,
            scores.shape[1],
            self.layer,
            refuse_tied=self.needs.residual,
        )
        call = next(c for c in self.captured.calls if c.name == name)
        self.captured.clear()
        if self.chosen not in (None, name):
            raise ModuleOutputError(
                f"The classification layer changed from {self.chosen!r} to {name!r} "
                "between two batches. Name one with layer='...'."
            )
        self.chosen = name
        if call.features.ndim != 2 or len(call.features) != len(scores):
            raise ModuleOutputError(
                f"The layer {name!r} must see one row of features for each of the "
                f"{len(scores)} rows of a batch. Got the shape "
                f"{tuple(call.features.shape)} instead. Name another one with "
                "layer='...'."
            )
        link = find_link(call.logits, scores, name)
        if self.needs.features:
            self._store("features", call.features)
        if self.needs.residual:
            residual = compute_residual(self.net, call.logits, link, rest)
            self._store("residual", residual)

    def _store(self, name, tensor):
        tensor = tensor.detach()
        if name not in self.values:
            shape = (len(self.positions), tensor.shape[1])
            dtype = torch.promote_types(tensor.dtype, torch.float32)
            self.values[name] = empty_rows(shape, dtype, tensor.device)
        target = self.values[name]
        target[self.done : self.done + len(tensor)] = tensor.to(target.dtype)

    def _where(self, tensor):
        bad = ~torch.isfinite(tensor.reshape(len(tensor), -1)).all(dim=1)
        row = self.done + int(torch.nonzero(bad)[0, 0])
        if row >= len(self.positions):
            return self.description
        return f"row {int(self.positions[row])} of {self.description}"


def _is_distribution(proba):
    if proba.ndim != 2:
        return False
    tolerance = max(_PROBA_TOLERANCE, 4 * torch.finfo(proba.dtype).eps)
    total = proba.sum(dim=1, dtype=torch.float64)
    near_one = bool(((total - 1).abs() <= tolerance).all())
    return near_one and bool((proba >= -tolerance).all())


def _to_probabilities(net, output):
    """Apply the rule of skorch's ``predict_proba`` to one batch of module outputs.

    The rule is documented (``predict_nonlinearity``); skorch offers no public call that
    applies it to outputs one already has.
    """
    nonlinearity = net.predict_nonlinearity
    if nonlinearity is None:
        return output
    if callable(nonlinearity):
        return nonlinearity(output)
    criterion = getattr(net.criterion_, "_orig_mod", net.criterion_)
    if isinstance(criterion, torch.nn.CrossEntropyLoss):
        return torch.softmax(output, dim=-1)
    if isinstance(criterion, torch.nn.BCEWithLogitsLoss):
        # sigmoid(-z), not 1 - sigmoid(z): that is 0 in float32 for confident rows.
        return torch.stack([torch.sigmoid(-output), torch.sigmoid(output)], dim=1)
    if isinstance(criterion, torch.nn.BCELoss):
        return torch.stack([1 - output, output], dim=1)
    return output

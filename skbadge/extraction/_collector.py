"""Check the answers of a net batch by batch, and keep what is needed of them."""

from __future__ import annotations

import math

import torch

from skbadge.exceptions import (
    DivergedTrainingError,
    InvalidInputError,
    ModuleOutputError,
)
from skbadge.extraction._gradient_check import check_gradient
from skbadge.extraction._layers import choose_layer, linear_layers, only_call
from skbadge.extraction._rerun import Rerun
from skbadge.extraction._residual import (
    LINKS,
    closed_form,
    find_link,
    has_closed_form,
    hypothetical_labels,
    needs_rerun,
    residual_by_autograd,
)
from skbadge.extraction._storage import empty_tables
from skbadge.nets._probabilities import (
    check_distribution,
    check_own_predict_proba,
    to_probabilities,
)

__all__ = ["Collector", "split_answer"]

# What is computed at the end from a whole table takes about so many numbers at once.
_BLOCK_SIZE = 1 << 22


class Collector:
    """Checks each batch and writes what is needed into tables made once.

    Parameters
    ----------
    net : skorch net
        Whose answers come.
    needs : Needs
        What to keep of them.
    positions : ndarray of int of shape (n_rows,)
        Where the rows stand in the pool, for messages.
    description : str
        What the rows are, for messages.
    layer : str or None
        Dotted name of the classification layer, None to find it in the first batch.
    n_classes : int or None
        Number of classes the net must answer; None not to check.
    """

    def __init__(self, net, needs, positions, description, *, layer, n_classes):
        self.net = net
        self.needs = needs
        self.positions = positions
        self.description = description
        self.layer = layer
        self.n_classes = n_classes
        self.calls = None
        self.done = 0
        self.last_count = 0
        self._chosen = None
        self._link = None
        self._is_flat = False
        # Whether each batch runs twice; None until the first one tells.
        self._reruns = None
        self._rerun = None
        self._surely_proba = False
        self._tables = {}
        # What turns the scores kept in a table into what it is to hold. For the whole
        # pool at once that costs a fraction of what it does batch by batch.
        self._at_end = {}
        if needs.proba:
            check_own_predict_proba(net)

    def watched_layers(self):
        """Return the layers whose calls must be recorded, by name."""
        needs_layer = self.needs.residual or self.needs.features
        return linear_layers(self.net.module_) if needs_layer else {}

    def check_input(self, tensor):
        """Refuse NaN and infinity in what reaches the module."""
        if _all_finite(tensor):
            return
        raise InvalidInputError(
            f"NaN or infinity reached the net in {self._where(tensor)}. Impute or "
            "remove such values before the net, for example in a pipeline step."
        )

    def expect(self, X):
        """Note the batch that the module is about to see."""
        if self.needs.residual and self._reruns is not False:
            self._rerun = Rerun(X)

    def add(self, answer, X=None):
        """Take the module's answer to the batch ``X``."""
        # A net may answer with gradients all the same.
        output = split_answer(answer).detach()
        self._is_flat = output.ndim == 1
        scores = output[:, None] if output.ndim == 1 else output
        self._check_scores(scores)
        # Where only the first batch could be wrong, the others need no second look.
        proba = None if self._surely_proba else self._probabilities(output)
        found = self._kept_proba(proba, scores)
        if self.needs.residual or self.needs.features:
            found.update(self._read_layer(answer, scores, proba, X))
        if not self._tables:
            self._tables = empty_tables(len(self.positions), found)
        for name, part in found.items():
            room = self._tables[name][self.done : self.done + len(scores)]
            if room.shape != part.shape:
                raise ModuleOutputError(
                    f"The module must answer alike for every batch. Got {name} of "
                    f"{part.shape[1]} columns in {self.description} from row "
                    f"{int(self.positions[self.done])} on, and of {room.shape[1]} "
                    "columns before. Let its forward give the same columns for any "
                    "rows."
                )
            # The features stand there already, from the second batch on.
            if room.data_ptr() != part.data_ptr():
                room.copy_(part)
        self.done += len(scores)
        self.last_count = len(scores)

    def finish(self):
        """Return what was collected, once every row is there."""
        if self.done != len(self.positions):
            raise ModuleOutputError(
                f"The net answered for {self.done} of the {len(self.positions)} rows "
                f"of {self.description}. Its dataset and iterator_valid must yield "
                "every row once, in order, and its module answer each of them."
            )
        for name, transform in self._at_end.items():
            table = self._tables[name]
            for block in table.split(max(1, _BLOCK_SIZE // table.shape[1])):
                block.copy_(transform(block))
        return self._tables

    def _check_scores(self, scores):
        if scores.ndim != 2 or not scores.is_floating_point():
            raise ModuleOutputError(
                "The module must answer one row of class scores, floats, for each row "
                f"of X. Got an output of shape {tuple(scores.shape)} and dtype "
                f"{scores.dtype} instead."
            )
        if self.done + len(scores) > len(self.positions):
            raise ModuleOutputError(
                f"The net answered for more than the {len(self.positions)} rows of "
                f"{self.description}. Its dataset and iterator_valid must yield every "
                "row once, in order, and its module answer each of them once."
            )
        if not _all_finite(scores) and not _is_log_of_zero(scores):
            raise DivergedTrainingError(
                f"The net answers NaN or infinity in {self._where(scores)}: its "
                "training diverged. Lower the learning rate, scale the inputs, or clip "
                "the gradients, then call refit()."
            )

    def _kept_proba(self, proba, scores):
        """Return what is kept of the probabilities of one batch."""
        if not self.needs.proba:
            return {}
        if self._surely_proba:
            self._at_end["proba"] = lambda block: to_probabilities(self.net, block)[0]
            proba = scores
        return {"proba": proba}

    def _probabilities(self, output):
        proba, certain = to_probabilities(self.net, output)
        self._surely_proba = certain and proba.shape == output.shape
        if not certain:
            eps = torch.finfo(output.dtype).eps
            check_distribution(self.net, proba, len(output), eps)
        if self.n_classes is not None and proba.shape[1] != self.n_classes:
            raise ModuleOutputError(
                f"The net answers {proba.shape[1]} classes, but the learner has "
                f"{self.n_classes}. Give the learner all classes with classes=[...], "
                "or change the width of the last layer."
            )
        return proba

    def _read_layer(self, answer, scores, proba, X):
        """Return features and residual of one batch."""
        module = self.net.module_
        calls = self.calls.take()
        is_first = self._chosen is None
        if is_first:
            self._chosen = choose_layer(
                module,
                calls,
                scores.shape[1],
                self.layer,
                for_gradient=self.needs.residual,
            )
            # The others were only watched to find it.
            self.calls.keep_only(self._chosen, self._copy_features)
        call = only_call(calls, self._chosen, module)
        if call.features is None or len(call.features) != len(scores):
            raise ModuleOutputError(
                f"The layer {self._chosen!r} must see one row of features for each of "
                f"the {len(scores)} rows of a batch. Got the shape {tuple(call.shape)} "
                "instead. Name another one with layer='...', or let forward pick the "
                "step of a sequence that counts before the layer."
            )
        self._link = find_link(call.logits, scores, self._chosen, self._link)
        found = {"features": call.features} if self.needs.features else {}
        if self.needs.residual:
            # A loss may run the module again: that is no part of the pass.
            with self.calls.paused():
                found["residual"] = self._kept_residual(
                    call, answer, proba, X, is_first
                )
        return found

    def _kept_residual(self, call, answer, proba, X, is_first):
        """Return what is kept of the residual of one batch."""
        if "residual" in self._at_end:
            return call.logits  # as the first batch settled
        plain = has_closed_form(self.net, self._link, call.logits.shape[1])
        self._reruns = not plain and needs_rerun(self.net, answer)
        at_end = plain and not callable(self.net.predict_nonlinearity)
        if is_first or not at_end:
            residual, _ = self._residual(call, answer, X, self._rerun, proba)
        if is_first and len(residual) > 1:
            # NaN and infinity are refused later, with the rows they stand in.
            sizes = residual.norm(dim=1).nan_to_num(nan=0.0, posinf=0.0)
            check_gradient(self.net, X, sizes, self._chosen, self._residual)
        if at_end:
            self._at_end["residual"] = closed_form
            return call.logits
        return residual

    def _residual(self, call, answer, X, rerun, proba=None):
        """Return the residual of one batch, and the labels it was taken at."""
        net = self.net
        labels = hypothetical_labels(call.logits)
        if callable(net.predict_nonlinearity):
            # Only probabilities tell which class the net then prefers.
            if proba is None:
                output = LINKS[self._link](call.logits)
                output = output[:, 0] if self._is_flat else output
                proba, _ = to_probabilities(net, output)
            labels = proba.argmax(dim=1)
        if has_closed_form(net, self._link, call.logits.shape[1]):
            return closed_form(call.logits, labels), labels
        layer = linear_layers(net.module_)[self._chosen]
        residual = residual_by_autograd(
            net,
            layer,
            call.logits,
            labels,
            self._link,
            answer,
            X,
            rerun if self._reruns else None,
        )
        return residual, labels

    def _copy_features(self, features):
        """Copy features straight to where they are kept, once that is known."""
        if not self.needs.features:
            return features  # Only their shape is looked at.
        if "features" in self._tables:
            room = self._tables["features"][self.done : self.done + len(features)]
            if room.shape == features.shape:
                return room.copy_(features)
        return features.clone()

    def _where(self, tensor):
        if tensor.ndim:
            bad = ~torch.isfinite(tensor.reshape(len(tensor), -1)).all(dim=1)
            row = self.done + int(torch.nonzero(bad)[0, 0])
            if row < len(self.positions):
                return f"row {int(self.positions[row])} of {self.description}"
        return self.description


def split_answer(answer):
    """Return the class scores of a module's answer: the first of a tuple, as in skorch.

    Raises
    ------
    ModuleOutputError
        If there are none.
    """
    output = answer[0] if isinstance(answer, (tuple, list)) and answer else answer
    if not isinstance(output, torch.Tensor) or output.ndim == 0:
        raise ModuleOutputError(
            "The module must answer a tensor of class scores, or a tuple that begins "
            f"with one. Got {type(output).__name__} instead: let its forward return "
            "the scores."
        )
    return output


def _all_finite(tensor):
    # One number tells of most batches that all is well, in half the time; a sum may
    # also overflow, so it cannot tell that something is wrong.
    return math.isfinite(tensor.sum()) or bool(torch.isfinite(tensor).all())


def _is_log_of_zero(scores):
    # A module that ends in log-softmax rightly answers -inf for an impossible class;
    # NaN or +inf never are right.
    possible = torch.isfinite(scores)
    return bool((torch.isneginf(scores) | possible).all() and possible.any(1).all())

"""What one batch tells of the classification layer: features, and the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import torch

from skbadge.exceptions import LayerError, ModuleOutputError
from skbadge.extraction._batch import Batch, as_columns
from skbadge.extraction._gradient_check import check_gradient, steps_are_alike
from skbadge.extraction._hooks import CallRecord, LayerCall, captured_calls
from skbadge.extraction._layers import (
    candidates,
    choose_layer,
    describe,
    is_linear,
    layer_named,
    linear_layers,
    width_of,
)
from skbadge.extraction._product import as_steps, check_product, step_weights
from skbadge.extraction._residual import has_closed_form, residuals
from skbadge.nets._probabilities import scores_of

__all__ = ["HeadReader"]


class HeadReader:
    """Finds the classification layer in the first batch, and reads it in every one.

    Parameters
    ----------
    net : skorch net
        Initialized.
    layer : str or None
        Dotted name of the layer, None to find it.
    n_classes : int or None
        Number of classes, where it is known: the layer most likely is as wide.
    gradient : bool
        Whether the residual is read.

    Attributes
    ----------
    name : str or None
        The layer, once it is known.
    """

    def __init__(
        self, net: Any, layer: str | None, n_classes: int | None, *, gradient: bool
    ) -> None:
        self.net = net
        self.gradient = gradient
        self.name: Any = layer
        self._given = layer is not None
        self._found = False
        self._alike = True
        self._widths: set[int | None] = (
            {n_classes, 1} if n_classes == 2 else {n_classes}
        )
        self.calls = CallRecord(cut=gradient)

    def watching(self) -> AbstractContextManager[CallRecord]:
        """Return a context that records the layer's calls in this object's `calls`."""
        layers = candidates(
            self.net.module_, self.name, self._widths, for_gradient=self.gradient
        )
        single = layers[self.name] if self._given else None
        # What is read for its features alone needs nothing that follows.
        cut = self.gradient or single is None or is_linear(single)
        return captured_calls(layers, cut=cut)

    @cached_property
    def layer(self) -> Any:
        """The layer itself."""
        return layer_named(self.net.module_, self.name)

    def read(
        self, batch: Batch, copy_features: Callable[[torch.Tensor], torch.Tensor]
    ) -> list[LayerCall]:
        """Return the calls of the layer in one batch.

        Parameters
        ----------
        batch : Batch
            Just answered.
        copy_features : callable
            Copies the features of later batches to where they are kept.

        Returns
        -------
        list of LayerCall
        """
        calls = self.calls.take()
        if not self._found:
            if not self._given:
                scores = batch.graph
                if not scores.requires_grad:
                    scores = as_columns(scores_of(batch.for_loss))
                self.name = choose_layer(self.net.module_, calls, scores)
            self.calls.keep_only(self.name, copy_features)
            self._found = True
            own = self.own(calls, len(batch))
            if not self._is_plain(own) and is_linear(self.layer):
                with self.calls.paused():
                    self._alike = steps_are_alike(self, batch.X, len(batch))
            return own
        return self.own(calls, len(batch))

    def own(self, calls: list[LayerCall], n_rows: int) -> list[LayerCall]:
        """Return those calls that are the layer's.

        Raises
        ------
        LayerError
            If there is none.
        ModuleOutputError
            If it read other rows than those of the batch.
        """
        calls = [call for call in calls if call.name == self.name]
        if not calls:
            raise LayerError(
                f"The layer {self.name!r} did not run in the forward pass, so it has "
                f"no features to give. {describe(linear_layers(self.net.module_))} "
                "Name another one with layer='...'."
            )
        for call in calls:
            if call.features.ndim < 2 or len(call.features) != n_rows:
                raise ModuleOutputError(
                    f"The layer {self.name!r} must see one row of features for each of "
                    f"the {n_rows} rows of a batch. Got the shape "
                    f"{tuple(call.features.shape)} instead. Let forward keep the rows "
                    "in the first dimension, name another layer with layer='...', or "
                    "use a strategy that needs no gradient (for example "
                    "MarginSampling)."
                )
        return calls

    def features(self, batch: Batch, calls: list[LayerCall]) -> torch.Tensor:
        """Return what the layer read of each row: tensor (n_rows, n_features).

        Of several steps (or calls) of a row, their mean, weighted by how much each
        leads to the scores (where the classes differ in that: the plain mean). A layer
        that is no head gives all it read, flattened.
        """
        if self._is_plain(calls):
            return calls[0].features
        is_head = is_linear(self.layer) and (
            not self._given or width_of(self.layer) == batch.scores.shape[1]
        )
        if not is_head or not batch.graph.requires_grad:
            return torch.cat([call.features.flatten(1) for call in calls], dim=1)
        gradients = self.gradients_of_scores(batch, calls)
        return self._weighted(calls, gradients, must_be_product=False)[1]

    def gradients_of_scores(
        self, batch: Batch, calls: list[LayerCall]
    ) -> tuple[torch.Tensor, ...]:
        """Return the derivative of the scores, in one direction, in what calls gave."""
        scores = batch.graph
        # Any direction will do that no symmetry of the scores annuls.
        direction = torch.linspace(1.0, 2.0, scores.shape[1], dtype=scores.dtype)
        with torch.enable_grad():
            total = (scores * direction.to(scores.device).cos()).sum()
        return torch.autograd.grad(
            total, [call.logits for call in calls], materialize_grads=True
        )

    def product(
        self, batch: Batch, calls: list[LayerCall]
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """Return residual and features whose outer product is a row's gradient.

        Returns
        -------
        residual : tensor of shape (n_rows, n_outputs), or None
            None where it is `closed_form` of the logits.
        features : tensor of shape (n_rows, n_features)
        labels : tensor of shape (n_rows,)
            Hypothetical labels.
        """
        plain = self._is_plain(calls)
        logits = calls[0].logits.detach()
        if plain and has_closed_form(self.net, logits, batch.scores):
            return None, calls[0].features, batch.labels(logits)
        labels = batch.labels()
        with self.calls.paused():
            # A loss may run the module again: that is no part of the pass.
            gradients = residuals(
                self.net,
                batch.for_loss,
                labels,
                [call.logits for call in calls],
                batch.X,
            )
        if plain:
            return gradients[0], calls[0].features, labels
        return *self._weighted(calls, gradients, must_be_product=True), labels

    def check(self, batch: Batch, residual: torch.Tensor) -> None:
        """Hold residual times features against autograd on two rows of a batch."""
        # NaN and infinity are refused later, with the rows they stand in.
        sizes = residual.norm(dim=1).nan_to_num(nan=0.0, posinf=0.0)
        with self.calls.paused():
            check_gradient(self, batch.X, sizes)

    def _is_plain(self, calls: list[LayerCall]) -> bool:
        return len(calls) == 1 and calls[0].features.ndim == 2

    def all_steps(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return what several calls gave or read: (n_rows, n_steps, width)."""
        return torch.cat([as_steps(part, self.layer) for part in parts], dim=1)

    def _weighted(
        self,
        calls: list[LayerCall],
        gradients: Sequence[torch.Tensor],
        *,
        must_be_product: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        of_steps = self.all_steps(gradients)
        features = self.all_steps([call.features for call in calls])
        total, weights, good = step_weights(of_steps)
        good = good and self._alike
        if must_be_product:
            check_product(good, self.name, of_steps.shape[1])
        elif not good:
            weights = torch.full_like(weights, 1.0 / of_steps.shape[1])
        # A weight of 0 must not meet an infinity in a step that is left out.
        used = torch.where(weights[:, :, None] != 0, features.to(weights.dtype), 0)
        return total, (weights[:, None, :] @ used)[:, 0]

"""What is kept of each batch: one class for each need of a strategy.

A column is told of the pass before it begins (``watch``), reads every batch (``read``,
one row of a table for each row, or None where nothing is tabled), and turns its table
into what strategies see (``finish``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

from skbadge._contracts import Head
from skbadge.exceptions import InvalidInputError, ModuleOutputError
from skbadge.extraction._batch import Batch, answered
from skbadge.extraction._hooks import removed_hooks
from skbadge.extraction._layers import head_of
from skbadge.extraction._residual import closed_form
from skbadge.nets._probabilities import (
    check_distribution,
    check_own_predict_proba,
    to_probabilities,
)
from skbadge.utils._tree import mapped, tensors_of

__all__ = ["COLUMNS", "flat_inputs"]

# What is computed at the end from a whole table takes about so many numbers at once.
_BLOCK_SIZE = 1 << 22


class Column:
    """Base: keeps nothing, watches nothing.

    Parameters
    ----------
    run : Collector
        The pass: its ``net``, its ``needs``, its ``head`` reader where a column needs
        one, its ``tables``, and how many rows are ``done``.
    """

    needs_head = False

    def __init__(self, run: Any) -> None:
        self.run = run

    def watch(self) -> AbstractContextManager[Any]:
        """Return a context in which the net runs."""
        return nullcontext()

    def read(self, batch: Batch) -> torch.Tensor | None:
        """Return what is kept of one batch, one row for each of its rows, or None."""

    def finish(self, table: Any) -> Any:
        """Return what strategies see."""
        return table


class ProbaColumn(Column):
    """Class probabilities, by skorch's rule."""

    def __init__(self, run: Any) -> None:
        super().__init__(run)
        check_own_predict_proba(run.net)

    def read(self, batch: Batch) -> torch.Tensor | None:
        """Return probabilities, or scores to be turned into them all at once."""
        return batch.scores if self.run.surely_proba else batch.proba[0]

    def finish(self, table: Any) -> Any:
        """Turn scores into probabilities: at once a fraction of the cost."""
        if self.run.surely_proba:
            _in_blocks(table, lambda block: to_probabilities(self.run.net, block)[0])
        return table


class ResidualColumn(Column):
    """Derivative of the net's own loss in the logits, at the hypothetical label."""

    needs_head = True

    def __init__(self, run: Any) -> None:
        super().__init__(run)
        self.checked = False
        # Whether the table holds logits, whose residual has a closed form.
        self.holds_logits: bool | None = None

    def read(self, batch: Batch) -> torch.Tensor | None:
        """Return residuals, or logits while every batch has the closed form."""
        residual, _, labels = self.run.product(batch)
        logits = self.run.calls(batch)[0].logits.detach()
        plain = residual is None
        if plain and (not self.checked or not self._can_wait()):
            residual = closed_form(logits, labels)
        if not self.checked and len(residual) > 1:
            self.checked = True
            self.run.head.check(batch, residual)
        if self.holds_logits is None:
            self.holds_logits = plain and self._can_wait()
        if self.holds_logits and not plain:
            self.holds_logits = False
            _in_blocks(self.run.tables["residual"][: self.run.done], closed_form)
        return logits if self.holds_logits else residual

    def finish(self, table: Any) -> Any:
        """Turn logits into residuals: at once a fraction of the cost."""
        if self.holds_logits:
            _in_blocks(table, closed_form)
        return table

    def _can_wait(self) -> bool:
        # Else only probabilities tell which class the net prefers.
        return not callable(self.run.net.predict_nonlinearity)


class FeaturesColumn(Column):
    """Input of the classification layer."""

    needs_head = True

    def read(self, batch: Batch) -> torch.Tensor | None:
        """Return one vector a row, that of the residual where both are read."""
        if self.run.needs.residual:
            return self.run.product(batch)[1]
        return self.run.head.features(batch, self.run.calls(batch))


class HeadColumn(Column):
    """Weight and bias of the classification layer."""

    needs_head = True

    def read(self, batch: Batch) -> torch.Tensor | None:
        """See that the layer is found."""
        self.run.calls(batch)
        return None

    def finish(self, table: Any) -> Any:
        """Copy them."""
        return Head(*head_of(self.run.head.layer))


class InputsColumn(Column):
    """What reaches the net, as one table of numbers."""

    def read(self, batch: Batch) -> torch.Tensor | None:
        """Return the numbers of each row, side by side."""
        return flat_inputs(batch.X)


class SamplesColumn(Column):
    """Posterior draws of the probabilities: a dropout mask a draw, for all rows alike.

    One pass of the net more for each draw. The masks are drawn once and multiply what
    the dropout layers read, so that a draw is one function of the input: the consistent
    masks that BatchBALD asks for. A layer that ``forward`` calls in several places has
    a mask for each of them.
    """

    def __init__(self, run: Any) -> None:
        super().__init__(run)
        check_own_predict_proba(run.net)
        self.layers = [
            layer
            for layer in run.net.module_.modules()
            if isinstance(layer, _DROPOUT) and layer.p > 0
        ]
        if not self.layers:
            raise InvalidInputError(
                f"The strategy reads {run.needs.samples} draws of the probabilities, "
                "and the module has no dropout layer that could draw them. Add one "
                "(nn.Dropout), or take the draws from a last-layer Laplace "
                'approximation, for example BALD(source="laplace").'
            )
        # That of the pass: the same for the pool, the labelled rows and all parts.
        self.seed = torch.initial_seed()
        self.masks: dict[tuple[int, ...], torch.Tensor] = {}

    def read(self, batch: Batch) -> torch.Tensor | None:
        """Run the batch once for each draw."""
        draws = []
        quiet = nullcontext() if self.run.head is None else self.run.head.calls.paused()
        with quiet:
            for draw in range(self.run.needs.samples):
                with self._masked(draw):
                    again = answered(self.run.net, (_copied(batch.X), torch.zeros(0)))
                draws.append(again.proba[0])
        eps = torch.finfo(batch.scores.dtype).eps
        check_distribution(self.run.net, draws[0], len(batch), eps)
        return torch.stack(draws, dim=1)

    @contextmanager
    def _masked(self, draw: int) -> Iterator[None]:
        calls: Counter[Any] = Counter()

        def hook(layer: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
            calls[layer] += 1
            place = self.layers.index(layer)
            return output * self._mask(layer, [draw, place, calls[layer]], output)

        with removed_hooks() as (handles, again), again:
            for layer in self.layers:
                handles.append(layer.register_forward_hook(hook))
            yield

    def _mask(self, layer: Any, place: list[int], output: torch.Tensor) -> torch.Tensor:
        # One for all rows; a layer that drops channels drops them whole.
        shape = [1, *output.shape[1:]]
        if not isinstance(layer, nn.Dropout):
            shape[2:] = [1] * len(shape[2:])
        key = (*place, *shape)
        if key not in self.masks:
            random = np.random.default_rng([self.seed, *place])
            kept = torch.from_numpy(random.random(shape) >= layer.p)
            share = max(1 - layer.p, 1e-12)
            self.masks[key] = kept.to(output.device, output.dtype) / share
        return self.masks[key]


_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
COLUMNS = {
    "proba": ProbaColumn,
    "residual": ResidualColumn,
    "features": FeaturesColumn,
    "inputs": InputsColumn,
    "head": HeadColumn,
    "samples": SamplesColumn,
}


def flat_inputs(X: Any) -> torch.Tensor:
    """Return all numbers of a batch side by side, float (n_rows, n_inputs).

    Raises
    ------
    ModuleOutputError
        If it holds none, or rows of several lengths.
    """
    parts = [
        part.to_dense() if part.layout is not torch.strided else part
        for part in tensors_of(X)
    ]
    parts = [part.flatten(1) if part.ndim > 1 else part[:, None] for part in parts]
    if not parts or len({len(part) for part in parts}) > 1:
        raise ModuleOutputError(
            "The strategy reads the rows themselves, as one table of numbers. Got "
            f"batches of {type(X).__name__} that are no such table: take a strategy "
            "that reads the features of a net."
        )
    dtype = torch.float32
    for part in parts:
        if part.is_floating_point():
            dtype = torch.promote_types(dtype, part.dtype)
    return torch.cat([part.to(dtype) for part in parts], dim=1)


def _copied(X: Any) -> Any:
    return mapped(lambda leaf: leaf.clone() if torch.is_tensor(leaf) else leaf, X)


def _in_blocks(table: Any, transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
    for block in table.split(max(1, _BLOCK_SIZE // max(1, table.shape[1]))):
        block.copy_(transform(block))

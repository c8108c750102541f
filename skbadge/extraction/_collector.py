"""Check the answers of a net batch by batch, and keep what is needed of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Needs
from skbadge.exceptions import (
    DivergedTrainingError,
    InvalidInputError,
    ModuleOutputError,
)
from skbadge.extraction._batch import Batch
from skbadge.extraction._columns import COLUMNS
from skbadge.extraction._head import HeadReader
from skbadge.extraction._hooks import LayerCall
from skbadge.extraction._storage import empty_tables
from skbadge.nets._probabilities import check_distribution

__all__ = ["Collector"]


class Collector:
    """Checks each batch and writes what the columns keep into tables made once.

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

    Attributes
    ----------
    done, last_count : int
        How many rows were taken so far, and in the last batch.
    tables : dict of str to tensor
        What is kept, by the name of the need.
    surely_proba : bool
        Whether the scores give probabilities whatever they are, so that the first batch
        has shown all there is to check.
    """

    def __init__(
        self,
        net: Any,
        needs: Needs,
        positions: np.ndarray,
        description: str,
        *,
        layer: str | None,
        n_classes: int | None,
    ) -> None:
        self.net = net
        self.needs = needs
        self.positions = positions
        self.description = description
        self.n_classes = n_classes
        self.done = 0
        self.last_count = 0
        self.tables: dict[str, torch.Tensor] = {}
        self.surely_proba = False
        self._current: Any = None
        kinds = {name: kind for name, kind in COLUMNS.items() if getattr(needs, name)}
        self.columns = {name: kind(self) for name, kind in kinds.items()}
        self.head: HeadReader | None = None
        if any(column.needs_head for column in self.columns.values()):
            linear = needs.residual or needs.head
            self.head = HeadReader(net, layer, n_classes, gradient=linear)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the net while it runs over the rows."""
        with ExitStack() as stack:
            if self.head is not None:
                self.head.calls = stack.enter_context(self.head.watching())
            for column in self.columns.values():
                stack.enter_context(column.watch())
            yield

    def check_input(self, tensor: torch.Tensor) -> None:
        """Refuse NaN and infinity in what reaches the module."""
        if _all_finite(tensor):
            return
        raise InvalidInputError(
            f"NaN or infinity reached the net in {self._where(tensor)}. Impute or "
            "remove such values before the net, for example in a pipeline step."
        )

    def add(self, batch: Batch) -> None:
        """Take a batch that the net has answered."""
        self._check_scores(batch.scores)
        # Where only the first batch could be wrong, the others need no second look.
        if not self.surely_proba:
            self._check_probabilities(batch)
        self._current = _Read(self, batch)
        read = {name: column.read(batch) for name, column in self.columns.items()}
        self._current = None
        found = {name: part for name, part in read.items() if part is not None}
        if not self.tables:
            self.tables = empty_tables(len(self.positions), found)
        for name, part in found.items():
            self._write(name, part, len(batch))
        self.done += len(batch)
        self.last_count = len(batch)

    def calls(self, batch: Batch) -> list[LayerCall]:
        """Return the calls of the classification layer in the batch that is read."""
        return self._current.calls

    def product(self, batch: Batch) -> Any:
        """Return residual, features and labels of the batch that is read."""
        return self._current.product

    def finish(self) -> dict[str, Any]:
        """Return what was collected, once every row is there."""
        if self.done != len(self.positions):
            raise ModuleOutputError(
                f"The net answered for {self.done} of the {len(self.positions)} rows "
                f"of {self.description}. Its dataset and iterator_valid must yield "
                "every row once, in order, and its module answer each of them."
            )
        return {
            name: column.finish(self.tables.get(name))
            for name, column in self.columns.items()
        }

    def copy_features(self, features: torch.Tensor) -> torch.Tensor:
        """Copy features straight to where they are kept, once that is known."""
        table = self.tables.get("features")
        if table is not None:
            room = table[self.done : self.done + len(features)]
            if room.shape == features.shape and room.dtype == features.dtype:
                return room.copy_(features)
        return features.clone()

    def _write(self, name: str, part: torch.Tensor, count: int) -> None:
        room = self.tables[name][self.done : self.done + count]
        if room.shape != part.shape:
            raise ModuleOutputError(
                f"The module must answer alike for every batch. Got {name} of "
                f"{part.shape[1]} columns in {self.description} from row "
                f"{int(self.positions[self.done])} on, and of {room.shape[1]} "
                "columns before. Let its forward give the same columns for any "
                "rows."
            )
        # Features stand there already, from the second batch on.
        if room.data_ptr() != part.data_ptr():
            room.copy_(part)

    def _check_scores(self, scores: torch.Tensor) -> None:
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

    def _check_probabilities(self, batch: Batch) -> None:
        proba, certain = batch.proba
        self.surely_proba = certain and proba.shape == batch.scores.shape
        if not certain:
            eps = torch.finfo(batch.scores.dtype).eps
            check_distribution(self.net, proba, len(batch), eps)
        if self.n_classes is not None and proba.shape[1] != self.n_classes:
            raise ModuleOutputError(
                f"The net answers {proba.shape[1]} classes, but the learner has "
                f"{self.n_classes}. Give the learner all classes with classes=[...], "
                "or change the width of the last layer."
            )

    def _where(self, tensor: torch.Tensor) -> str:
        if tensor.ndim:
            bad = ~torch.isfinite(tensor.reshape(len(tensor), -1)).all(dim=1)
            row = self.done + int(torch.nonzero(bad)[0, 0])
            if row < len(self.positions):
                return f"row {int(self.positions[row])} of {self.description}"
        return self.description


class _Read:
    """What several columns read of one batch, worked out once."""

    def __init__(self, run: Any, batch: Batch) -> None:
        self.run = run
        self.batch = batch

    @cached_property
    def calls(self) -> list[LayerCall]:
        return self.run.head.read(self.batch, self.run.copy_features)

    @cached_property
    def product(self) -> Any:
        return self.run.head.product(self.batch, self.calls)


def _all_finite(tensor: torch.Tensor) -> bool:
    # One number tells of most batches that all is well, in half the time; a sum may
    # also overflow, so it cannot tell that something is wrong.
    return math.isfinite(tensor.sum()) or bool(torch.isfinite(tensor).all())


def _is_log_of_zero(scores: torch.Tensor) -> bool:
    # A module that ends in log-softmax rightly answers -inf for an impossible class;
    # NaN or +inf never are right.
    possible = torch.isfinite(scores)
    return bool((torch.isneginf(scores) | possible).all() and possible.any(1).all())

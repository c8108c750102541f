"""Made-up outputs of a pass over a pool, for trying out strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Head, Needs, Outputs
from skbadge.utils._random import Seed, as_generator

__all__ = ["in_parts", "make_outputs", "scaled", "tables"]

_N_FEATURES, _N_INPUTS = 6, 5


def make_outputs(
    needs: Needs,
    n_pool: int = 25,
    *,
    n_classes: int = 4,
    copies: bool = False,
    random_state: Seed = 0,
) -> Outputs:
    """Make up what a pass over a pool could have found, for trying out a strategy.

    Parameters
    ----------
    needs : Needs
        What to make.
    n_pool : int, default=25
        Number of rows.
    n_classes : int, default=4
        Number of classes, at least 2.
    copies : bool, default=False
        Whether all rows are alike.
    random_state : int, Generator, RandomState or None, default=0
        Fixes every number.

    Returns
    -------
    Outputs
        Of a softmax net with a linear head on features at random; 5 labelled rows. The
        rows are every second one of a pool twice as large.

    Examples
    --------
    >>> from skbadge.strategies import Needs
    >>> from skbadge.strategies.checks import make_outputs
    >>> outputs = make_outputs(Needs(proba=True, labeled=Needs(features=True)))
    >>> outputs.proba.shape, outputs.labeled.features.shape, outputs.labeled.y.shape
    (torch.Size([25, 4]), torch.Size([5, 6]), torch.Size([5]))
    """
    seed = int(as_generator(random_state).integers(2**31))
    generator = torch.Generator().manual_seed(seed)
    head = Head(
        torch.randn(n_classes, _N_FEATURES, generator=generator),
        torch.randn(n_classes, generator=generator),
    )
    labeled = None
    if needs.labeled is not None:
        y = torch.arange(5) % n_classes
        labeled = _made_up(needs.labeled, 5, head, generator, y=y)
    return _made_up(needs, n_pool, head, generator, copies=copies, labeled=labeled)


def _made_up(
    needs: Needs,
    n: int,
    head: Head,
    generator: torch.Generator,
    *,
    copies: bool = False,
    labeled: Outputs | None = None,
    y: torch.Tensor | None = None,
) -> Outputs:
    def rows(*shape: int) -> torch.Tensor:
        table = torch.randn(n, *shape, generator=generator)
        return table[:1].expand(table.shape).clone() if copies and n else table

    values: dict[str, Any] = {
        "features": rows(_N_FEATURES),
        "inputs": rows(_N_INPUTS),
        "head": head,
    }
    logits = values["features"] @ head.weight.T + head.bias
    values["proba"] = proba = logits.softmax(dim=1)
    values["residual"] = proba - torch.nn.functional.one_hot(
        proba.argmax(dim=1), proba.shape[1]
    )
    noise = rows(max(needs.samples, 1), len(head.weight))
    values["samples"] = (logits[:, None] + noise).softmax(dim=2)
    wanted = {name: table for name, table in values.items() if getattr(needs, name)}
    positions = None if y is not None else 2 * np.arange(n)
    made = Outputs.of(n, labeled=labeled, positions=positions, y=y, **wanted)
    return made.declared(needs)


def tables(outputs: Outputs) -> Iterator[torch.Tensor]:
    """Yield the tensors of outputs and of their labelled rows."""
    for table in outputs.values.values():
        yield from table if isinstance(table, tuple) else (table,)
    if outputs.labeled_rows is not None:
        yield from tables(outputs.labeled_rows)


def scaled(outputs: Outputs, size: float, dtype: torch.dtype) -> Outputs:
    """Return outputs with tables in a dtype, those that have a scale times ``size``."""
    values = {
        name: tuple((part * size).to(dtype) for part in table)
        if isinstance(table, tuple)
        else (table * (1.0 if name in ("proba", "samples") else size)).to(dtype)
        for name, table in outputs.values.items()
    }
    if "head" in values:
        values["head"] = type(outputs.values["head"])(*values["head"])
    labeled = outputs.labeled_rows
    labeled = None if labeled is None else scaled(labeled, size, dtype)
    return replace(outputs, values=values, labeled_rows=labeled)


class _InParts(Outputs):
    """Outputs of which `by_rows` shows some rows at a time, as on a cluster."""

    def by_rows(self, function: Callable[[Outputs], Any]) -> np.ndarray:
        """Return one value a row, the first by itself, the rest in two parts."""
        whole = Outputs(
            self.n_pool, self.needs, self.values, self.labeled_rows, self.positions
        )
        parts = np.split(np.arange(self.n_pool), [1, self.n_pool // 3])
        found = [whole.take(part).by_rows(function) for part in parts if len(part)]
        return np.concatenate(found)


def in_parts(outputs: Outputs) -> Outputs:
    """Return the same outputs, whose rows are scored part by part."""
    return _InParts(
        outputs.n_pool,
        outputs.needs,
        outputs.values,
        outputs.labeled_rows,
        outputs.positions,
    )

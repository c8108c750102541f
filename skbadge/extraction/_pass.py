"""The one pass over a pool: the only code that runs a net over its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from skbadge._contracts import Needs, Outputs
from skbadge.extraction._batch import answered
from skbadge.extraction._collector import Collector
from skbadge.extraction._columns import flat_inputs
from skbadge.extraction._hooks import checked_inputs, kept_state
from skbadge.extraction._storage import empty_tables
from skbadge.nets._batches import (
    batch_size_of,
    first_batch,
    iterate_batches,
    iterate_parts,
)
from skbadge.nets._estimators import is_binary
from skbadge.nets._explained import explained
from skbadge.nets._order import may_reorder
from skbadge.nets._steps import Steps
from skbadge.utils._rows import n_rows, take

__all__ = ["collect_inputs", "collect_outputs", "output_width"]

# Enough to show the order in which a loader gives rows.
_FEW_ROWS = 64
_DOING = "the pass over the pool"


def collect_outputs(
    net: Any,
    X: Any,
    needs: Needs,
    *,
    rows: np.ndarray | None = None,
    labeled: Any = None,
    labels: np.ndarray | None = None,
    transformers: Steps | None = None,
    layer: str | None = None,
    n_classes: int | None = None,
    first_row: int = 0,
    verbose: int = 0,
) -> Outputs:
    """Run a net over rows of ``X`` once and keep what ``needs`` names.

    Parameters
    ----------
    net : skorch net
        Initialized. Its modes, hooks, buffers and gradients are afterwards as before.
    X : array, Tensor, DataFrame, sparse matrix, dict, or torch Dataset
        Rows, before the transformers. Never copied whole.
    needs : Needs
        What to keep.
    rows : ndarray of int or None, default=None
        Positions of the rows to run; None for all.
    labeled : same kind as ``X`` or None, default=None
        The labelled rows, run in a second pass where ``needs.labeled`` says so.
    labels : ndarray of int or None, default=None
        Their labels, as numbers of columns.
    transformers : Steps or None, default=None
        Fitted; applied part by part.
    layer : str or None, default=None
        Dotted name of the classification layer; None to find it.
    n_classes : int or None, default=None
        Number of classes the output must have; None not to check.
    first_row : int, default=0
        Where ``X`` is a part of a pool, the position of its first row, for messages.
    verbose : int, default=0
        Above 0, show a progress bar.

    Returns
    -------
    Outputs
        Tensors on the net's device; features above scikit-learn's ``working_memory``
        are backed by a temporary file that has no name and vanishes with them.

    Raises
    ------
    LayerError, ModuleOutputError, DivergedTrainingError, InvalidInputError
        Where the net or its input is not what it must be.
    PoolPassError
        If memory or disk do not suffice, with what to change.
    """
    positions = np.arange(n_rows(X)) if rows is None else np.asarray(rows)
    settings: dict[str, Any] = {"layer": layer, "n_classes": n_classes}
    values = {}
    pool_needs = replace(needs, labeled=None)
    if pool_needs:
        collector = Collector(
            net, pool_needs, first_row + positions, "the pool", **settings
        )
        values = _run(net, X, positions, transformers, collector, verbose)
    known = None
    if needs.labeled is not None:
        rows_ = np.arange(n_rows(labeled))
        found = {}
        if needs.labeled:
            collector = Collector(
                net, needs.labeled, rows_, "the labelled rows", **settings
            )
            found = _run(net, labeled, rows_, transformers, collector, verbose)
        y = None if labels is None else torch.as_tensor(labels).long()
        known = Outputs(len(rows_), needs.labeled, found, labels=y)
    return Outputs(len(positions), needs, values, known, rows)


def collect_inputs(
    net: Any,
    X: Any,
    *,
    rows: np.ndarray | None = None,
    transformers: Steps | None = None,
    verbose: int = 0,
) -> Outputs:
    """Return what would reach a net, without running it: it need not be trained.

    Parameters
    ----------
    net : skorch net
        Initialized.
    X, rows, transformers, verbose
        As for `collect_outputs`.

    Returns
    -------
    Outputs
        With ``inputs`` alone: all numbers of a row side by side.

    Raises
    ------
    ModuleOutputError
        If the rows are no table of numbers.
    """
    positions = np.arange(n_rows(X)) if rows is None else np.asarray(rows)
    table, done = None, 0
    bar = tqdm(
        total=len(positions),
        desc="the pool",
        unit="row",
        disable=not verbose,
        leave=False,
    )
    with bar, explained(net, _DOING):
        for part in iterate_parts(X, positions, batch_size_of(net), transformers):
            for batch in iterate_batches(net, part):
                found = flat_inputs(batch[0])
                if table is None:
                    table = empty_tables(len(positions), {"inputs": found})["inputs"]
                table[done : done + len(found)] = found
                done += len(found)
                bar.update(len(found))
    needs = Needs(inputs=True)
    return Outputs(len(positions), needs, {"inputs": table}, positions=rows)


def _run(
    net: Any,
    X: Any,
    positions: np.ndarray,
    transformers: Steps | None,
    collector: Collector,
    verbose: int,
) -> dict[str, Any]:
    bar = tqdm(
        total=len(positions),
        desc=collector.description,
        unit="row",
        disable=not verbose,
        leave=False,
    )
    # Hooks set after a module was compiled never fire in the compiled code.
    with (
        bar,
        kept_state(net),
        torch.compiler.set_stance("force_eager"),
        checked_inputs(net.module_, collector.check_input),
        collector.watching(),
    ):
        for part in iterate_parts(X, positions, batch_size_of(net), transformers):
            with explained(net, _DOING):
                for batch in iterate_batches(net, part):
                    collector.add(answered(net, batch))
                    bar.update(collector.last_count)
    return collector.finish()


def output_width(net: Any, X: Any, transformers: Steps | None = None) -> int:
    """Return the number of classes a net answers, seen on the first batch of ``X``.

    That of its probabilities: an ordinal net may have one output less. A whole batch is
    run: a module that looks at its batch may refuse less.
    """
    first = first_batch(net, n_rows(X))
    if may_reorder(net):
        # A single batch would not show that a loader gives the last one first.
        first = slice(0, max(2 * first.stop, _FEW_ROWS))
    part = take(X, first)
    if transformers is not None:
        part = transformers.transform(part)
    with kept_state(net), explained(net, "a look at the first batch"):
        proba, _ = answered(net, next(iter(iterate_batches(net, part)))).proba
    return 2 if is_binary(net) else int(proba.shape[-1])

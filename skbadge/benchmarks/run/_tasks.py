"""The data of a cell: from the registry, or from a file of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from skbadge.benchmarks.run._files import read_file
from skbadge.benchmarks.run._nets import PICTURE_MODELS
from skbadge.benchmarks.run._settings import Cell
from skbadge.datasets import load_dataset
from skbadge.datasets._standardize import standardize
from skbadge.exceptions import InvalidInputError
from skbadge.utils._rows import take

__all__ = ["Task", "check_task", "load_task"]

TEST_SHARE = 0.1
# A convolution expects the pixels of a channel to be on one scale.
_UNITS: dict[str, Literal["feature", "channel"]] = dict.fromkeys(
    PICTURE_MODELS, "channel"
)


@dataclass(frozen=True)
class Task:
    """A pool and a test set, ready for a net.

    Attributes
    ----------
    X, X_test : ndarray of shape (n_rows, ...), float32, or DataFrame
        Pool and test rows; a table stays one where the learner is a user's own.
    y, y_test : ndarray of shape (n_rows,)
        Labels: of a registered set numbers from 0, of a file what it has.
    classes : ndarray of shape (n_classes,)
        All labels there are, sorted: a rare one may be in neither part.
    kind : {"image", "tabular"}
        Decides the paper's hidden width and learning rate.
    batch_size : int
        Mini-batch of the training.
    sha256 : str
        Checksum of the data before the split.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    classes: np.ndarray
    kind: str
    batch_size: int
    sha256: str = ""

    @property
    def n_classes(self) -> int:
        """Outputs of a net."""
        return len(self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.X.shape[1:]


def load_task(cell: Cell) -> Task:
    """Return the data of a cell, split by its seed.

    Parameters
    ----------
    cell : Cell
        What is to be run.

    Returns
    -------
    Task

    Raises
    ------
    InvalidInputError
        If the data do not fit the model, or are fewer than the cell needs.
    DataUnavailableError
        If they cannot be had.
    """
    split, _ = cell.seeds()
    if cell.path:
        task = _load_file(cell, split)
    else:
        data = load_dataset(
            cell.dataset,
            random_state=split,
            max_pool=cell.max_pool,
            standardize=cell.standardize and _UNITS.get(cell.model, "feature"),
            data_dir=cell.data_dir or None,
        )
        task = Task(
            data.X_pool,
            data.y_pool,
            data.X_test,
            data.y_test,
            np.arange(data.n_classes),
            data.info.kind,
            data.info.batch_size,
            data.sha256,
        )
    check_task(cell, task)
    return task


def _load_file(cell, split):
    X, y, X_test, y_test, classes = read_file(cell.path, cell.sha256, cell.target)
    y, y_test = classes[y], None if y_test is None else classes[y_test]
    if not cell.has_own_learner and isinstance(X, pd.DataFrame):
        X = _numbers(X, cell.path)
    if X_test is None:
        pool, test = train_test_split(
            np.arange(len(X)), test_size=TEST_SHARE, random_state=split
        )
        X_test, y_test = take(X, test), y[test]
        X, y = take(X, pool), y[pool]
    if len(X) > cell.max_pool:
        rows = np.random.default_rng(split).choice(
            len(X), size=cell.max_pool, replace=False
        )
        X, y = take(X, rows), y[rows]
    if cell.standardize and not isinstance(X, pd.DataFrame):
        X, X_test = standardize(X, X_test, by=_UNITS.get(cell.model, "feature"))
    # The mini-batches are those that the paper's code has for most data of the kind.
    kind, batch_size = ("image", 64) if X.ndim > 2 else ("tabular", 128)
    return Task(X, y, X_test, y_test, classes, kind, batch_size, cell.sha256)


def _numbers(frame, path):
    """Return a table as numbers, or say what stands in the way."""
    for name in frame:
        column = frame[name]
        if not (
            pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
        ):
            raise InvalidInputError(
                f"The paper's nets need columns of numbers. Got column {name!r} of "
                f"type {column.dtype} in {path}: encode it, or bring a pipeline that "
                "does with --learner mymodule:make_learner."
            )
    X = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    bad = np.argwhere(~np.isfinite(X))
    if len(bad):
        row, column = bad[0]
        raise InvalidInputError(
            f"The paper's nets need finite numbers. Got none in row {row}, column "
            f"{frame.columns[column]!r} of {path}: impute first, or bring a pipeline "
            "that does with --learner mymodule:make_learner."
        )
    return X


def check_task(cell, task):
    """Refuse a cell that cannot run on its data."""
    if cell.model in PICTURE_MODELS and len(task.shape) != 3:
        raise InvalidInputError(
            f"model {cell.model!r} needs images of shape (n_channels, height, width). "
            f"Got rows of shape {task.shape} in {cell.dataset!r} instead: use 'mlp'."
        )
    n_pool = len(task.X)
    if cell.n_initial > n_pool:
        raise InvalidInputError(
            f"n_initial must be at most the {n_pool} rows of the pool of "
            f"{cell.dataset!r}. Got {cell.n_initial} instead."
        )
    if cell.n_rounds != 0 and cell.count_rounds(n_pool) == 0:
        raise InvalidInputError(
            f"batch_size must leave room for a round: the pool of {cell.dataset!r} has "
            f"{n_pool} rows, {cell.n_initial} of them labelled at the start"
            + (f", and max_labels is {cell.max_labels}" if cell.max_labels else "")
            + f". Got {cell.batch_size} instead."
        )

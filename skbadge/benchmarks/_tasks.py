"""The data of a cell: from the registry, or from a file of one's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from sklearn.model_selection import train_test_split

from skbadge.datasets import DATASETS, load_dataset
from skbadge.exceptions import InvalidInputError

__all__ = ["Task", "check_task", "describe_file", "load_task", "read_file"]

TEST_SHARE = 0.1
# A convolution expects the pixels of a channel to be on one scale.
_UNITS = {"mlp": "feature", "resnet": "channel"}


@dataclass(frozen=True)
class Task:
    """A pool and a test set, ready for a net.

    Attributes
    ----------
    X, X_test : ndarray of shape (n_rows, ...), float32
        Pool and test rows.
    y, y_test : ndarray of shape (n_rows,), int64
        Classes 0 to K - 1.
    n_classes : int
        K.
    kind : {"image", "tabular"}
        Decides the paper's hidden width and learning rate.
    batch_size : int
        Mini-batch of the training.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_classes: int
    kind: str
    batch_size: int

    @property
    def shape(self):
        """Shape of one row."""
        return self.X.shape[1:]


def load_task(cell):
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
            standardize=cell.standardize and _UNITS[cell.model],
        )
        task = Task(
            data.X_pool,
            data.y_pool,
            data.X_test,
            data.y_test,
            data.n_classes,
            data.info.kind,
            data.info.batch_size,
        )
    check_task(cell, task)
    return task


def describe_file(path):
    """Return what the cells of a data file say about it.

    Parameters
    ----------
    path : str
        A ``.npz`` file with arrays ``X`` and ``y``, and with ``X_test`` and ``y_test``
        where it has a test set.

    Returns
    -------
    dict
        ``dataset`` (the file's name), ``path`` and ``sha256``.

    Raises
    ------
    InvalidInputError
        If the file cannot be used.
    """
    path = str(path)
    checksum = hashlib.sha256(_bytes_of(path)).hexdigest()
    read_file(path, checksum)
    return {"dataset": Path(path).name, "path": path, "sha256": checksum}


@lru_cache(maxsize=1)
def read_file(path, sha256):
    """Return the arrays of a data file, checked; labels become classes 0 to K - 1.

    Parameters
    ----------
    path : str
        The file.
    sha256 : str
        Its checksum: a file that was changed since is refused.

    Returns
    -------
    X, y, X_test, y_test, n_classes
        The test parts are None where the file has none.
    """
    arrays = _read_arrays(path, sha256)
    X, y = _check_arrays(path, arrays, "X", "y")
    X_test = y_test = None
    if "X_test" in arrays or "y_test" in arrays:
        X_test, y_test = _check_arrays(path, arrays, "X_test", "y_test")
        if X_test.shape[1:] != X.shape[1:]:
            raise InvalidInputError(
                f"X_test in {path} must have rows of shape {X.shape[1:]}, as X has. "
                f"Got {X_test.shape[1:]} instead."
            )
        if y.dtype.kind in "US" and y_test.dtype.kind != y.dtype.kind:
            raise InvalidInputError(
                f"y_test in {path} must have labels of the type of y, {y.dtype}. Got "
                f"{y_test.dtype} instead."
            )
    labels = y if y_test is None else np.concatenate([y, y_test])
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InvalidInputError(
            f"y in {path} must hold at least 2 classes. Got {len(classes)}."
        )
    if y.dtype.kind == "f" and (classes != np.round(classes)).any():
        raise InvalidInputError(
            f"y in {path} must hold classes. Got fractions such as "
            f"{classes[classes != np.round(classes)][0]}: a regression target?"
        )
    codes = codes.astype(np.int64)
    y_test = None if y_test is None else codes[len(y) :]
    return X, codes[: len(y)], X_test, y_test, len(classes)


def _bytes_of(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise InvalidInputError(
            f"--dataset must name a registered data set ({', '.join(DATASETS)}) or a "
            f".npz file. Got {path!r} instead: "
            + ("there is no such file." if missing else f"{error}.")
        ) from error


def _read_arrays(path, sha256):
    content = _bytes_of(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidInputError(
            f"{path} must be the file that the benchmark was started with. Got other "
            "content: leave it alone until the benchmark has ended."
        )
    try:
        archive = np.load(BytesIO(content), allow_pickle=False)
        if isinstance(archive, np.lib.npyio.NpzFile):
            names = ("X", "y", "X_test", "y_test")
            return {name: archive[name] for name in names if name in archive.files}
    except (ValueError, OSError, BadZipFile, EOFError) as error:
        raise InvalidInputError(
            f"{path} must be a .npz file with arrays of numbers or strings. Got one "
            f"that cannot be read: {error}"
        ) from error
    raise InvalidInputError(
        f"{path} must be a .npz file with arrays X and y, as numpy.savez writes. Got a "
        "single array instead."
    )


def _check_arrays(path, arrays, name_X, name_y):
    missing = [name for name in (name_X, name_y) if name not in arrays]
    if missing:
        raise InvalidInputError(
            f"{path} must hold the arrays X and y, and optionally X_test and y_test. "
            f"Missing: {', '.join(missing)}."
        )
    X, y = arrays[name_X], arrays[name_y]
    if X.dtype.kind not in "biuf" or X.ndim < 2:
        raise InvalidInputError(
            f"{name_X} in {path} must be an array of numbers of shape (n_rows, "
            "n_features), or (n_rows, n_channels, height, width) for images. Got "
            f"shape {X.shape} and dtype {X.dtype} instead."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(X) or not len(y):
        raise InvalidInputError(
            f"{name_y} in {path} must have one label for each of the {len(X)} rows of "
            f"{name_X}. Got an array of shape {y.shape} instead."
        )
    X = np.ascontiguousarray(X, dtype=np.float32)
    good = np.isfinite(X).reshape(len(X), -1).all(axis=1)
    if not good.all():
        raise InvalidInputError(
            f"{name_X} in {path} must hold finite numbers of float32. Got NaN or "
            f"infinity in row {int(np.flatnonzero(~good)[0])}: impute first."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise InvalidInputError(f"{name_y} in {path} must not hold NaN or infinity.")
    return X, y


def _load_file(cell, split):
    X, y, X_test, y_test, n_classes = read_file(cell.path, cell.sha256)
    if X_test is None:
        pool, test = train_test_split(
            np.arange(len(X)), test_size=TEST_SHARE, random_state=split
        )
        X, y, X_test, y_test = X[pool], y[pool], X[test], y[test]
    if len(X) > cell.max_pool:
        rows = np.random.default_rng(split).choice(
            len(X), size=cell.max_pool, replace=False
        )
        X, y = X[rows], y[rows]
    if cell.standardize:
        X, X_test = _standardized(X, X_test, by=_UNITS[cell.model])
    # The mini-batches are those that the paper's code has for most data of the kind.
    kind, batch_size = ("image", 64) if X.ndim > 2 else ("tabular", 128)
    return Task(X, y, X_test, y_test, n_classes, kind, batch_size)


def _standardized(X, X_test, *, by):
    """Return both with mean 0 and deviation 1 on the pool."""
    axes = (0, *range(2, X.ndim)) if by == "channel" else (0,)
    mean = X.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = X.std(axis=axes, keepdims=True, dtype=np.float64)
    # A constant feature becomes 0, whatever is left of it by rounding.
    deviation[deviation < 1e-12 * np.maximum(1, np.abs(mean))] = 1
    return tuple(((part - mean) / deviation).astype(np.float32) for part in (X, X_test))


def check_task(cell, task):
    """Refuse a cell that cannot run on its data."""
    if cell.model == "resnet" and len(task.shape) != 3:
        raise InvalidInputError(
            "model 'resnet' needs images of shape (n_channels, height, width). Got "
            f"rows of shape {task.shape} in {cell.dataset!r} instead: use 'mlp'."
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

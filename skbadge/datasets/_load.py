"""The paper's splits of each data set, ready for a net."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits as _sklearn_digits
from sklearn.utils import Bunch

from skbadge.datasets._fashion import has_fashion_mnist, load_fashion_mnist
from skbadge.datasets._folders import find_original, read_original
from skbadge.datasets._krk import make_krk_endgame
from skbadge.datasets._openml import check_test_part, copy_path, fetch_openml_task
from skbadge.datasets._poker import make_poker_hands
from skbadge.datasets._rbf import make_random_rbf
from skbadge.datasets._registry import DATASETS, DatasetInfo, get_dataset_info
from skbadge.datasets._standardize import standardize as scaled
from skbadge.exceptions import DataUnavailableError, InvalidInputError
from skbadge.utils._random import Seed, as_generator
from skbadge.utils._validation import check_integer, check_option

__all__ = ["datasets_table", "load_dataset", "load_digits"]

_MAX_DRAWS = 100_000
_DRAWS_AT_ONCE = 1_000


@overload
def load_digits(*, return_X_y: Literal[False] = False) -> Bunch: ...
@overload
def load_digits(*, return_X_y: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
def load_digits(*, return_X_y: bool = False) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load scikit-learn's handwritten digits, 1,797 pictures of 8 x 8 pixels.

    Real data that is always there: it comes with scikit-learn.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        With the entries

        data : ndarray of shape (1797, 64), uint8
            Gray values 0 to 16.
        target : ndarray of shape (1797,), int64
            0 to 9; 178, 182, 177, 183, 181, 182, 181, 179, 174 and 180 times.
        target_names : list of str
            One name a class.
        feature_names : list of str
            One name a column.
        DESCR : str
            What the data are.

    (data, target) : tuple
        If ``return_X_y`` is True.

    See Also
    --------
    sklearn.datasets.load_digits : The same with float64 values.

    Notes
    -----
    CC BY 4.0, UCI Machine Learning Repository, "Optical Recognition of Handwritten
    Digits" (Alpaydin and Kaynak, 1998), the test part.

    Examples
    --------
    >>> from skbadge.datasets import load_digits
    >>> load_digits().data.shape
    (1797, 64)
    """
    digits = _sklearn_digits()
    data, target = digits.data.astype(np.uint8), digits.target.astype(np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=[str(name) for name in digits.target_names],
        feature_names=list(digits.feature_names),
        DESCR=DATASETS["digits"].describe(),
    )


def load_dataset(
    name: str,
    *,
    random_state: Seed = None,
    max_pool: int = 50_000,
    standardize: Literal[False, "feature", "channel"] = False,
    data_home: str | Path | None = None,
    data_dir: str | Path | None = None,
) -> Bunch:
    """Load a data set with the paper's split and preprocessing.

    Parameters
    ----------
    name : str
        A key of `DATASETS`; `datasets_table` lists them.
    random_state : int, Generator, RandomState or None, default=None
        Fixes a random split. A standard split does not read it.
    max_pool : int, default=50_000
        Largest pool of a random split.
    standardize : {False, "feature", "channel"}, default=False
        False prepares the values as the paper's authors do: pictures by the known mean
        and standard deviation of their channels, tables not at all. "feature" gives
        every single feature mean 0 and standard deviation 1 on the pool instead,
        "channel" every channel of a picture; neither is the paper's setting.
    data_home : str, path or None, default=None
        Where downloads are kept, see `get_data_home`.
    data_dir : str, path or None, default=None
        A folder with the files that the makers of a set publish, as torchvision lays
        them out or all in one place: CIFAR-10's batches (python or binary), SVHN's
        ``train_32x32.mat`` and ``test_32x32.mat``, the idx files of MNIST and
        Fashion-MNIST, packed or not; and the file of ``fashion_mnist_features``, which
        can be had no other way. Sets that are not there are had as without it. The idx
        files have the same names: all in one place they are Fashion-MNIST's if the
        labels of the test part are, and otherwise MNIST's.

    Returns
    -------
    data : Bunch
        With the entries

        X_pool, X_test : ndarray of shape (n_rows, ...), float32
            Rows of the shape ``info.shape``.
        y_pool, y_test : ndarray of shape (n_rows,), int64
            0 to K - 1.
        n_classes : int
            K, from the registry: a sample can lack a class.
        missing_classes : ndarray of int
            Classes of which the pool holds no row, because all of them fell into the
            test part or none exists. Empty but for the poker sets.
        info : DatasetInfo
            The facts of the registry.
        sha256 : str
            Checksum of all rows and labels before the split, in hexadecimal.

    Raises
    ------
    InvalidInputError
        For an unknown name, or a ``max_pool`` so small that no subset with every class
        was found.
    DataUnavailableError
        If the data cannot be had.

    See Also
    --------
    datasets_table : What there is.

    Notes
    -----
    Pictures have their standard split. A table is split at random, 90% to 10%, and the
    pool is a random subset of the larger part with at most ``max_pool`` rows, redrawn
    until it holds every class of that part. The law is that of drawing again and again,
    but only the class counts are redrawn, at most 100,000 times. (digits, which is not
    in the paper, is split 80% to 20%.)

    Generated sets are kept in memory, some 40 MB for each of the large ones, so that
    only the first call in a process takes time.

    Examples
    --------
    >>> from skbadge.datasets import load_dataset
    >>> data = load_dataset("kropt", random_state=0)
    >>> data.X_pool.shape, data.X_test.shape, data.n_classes
    ((25250, 6), (2806, 6), 18)
    """
    info = get_dataset_info(name)
    max_pool = check_integer(max_pool, "max_pool", low=1)
    if standardize is not False:
        check_option(standardize, "standardize", ("feature", "channel"))
    X, y, checksum = _read(info, data_home, data_dir)
    if info.split == "standard":
        pool, test = np.arange(info.n_rows - info.n_test), np.arange(-info.n_test, 0)
    else:
        rng = as_generator(random_state)
        order = rng.permutation(info.n_rows)
        test, rest = order[: info.n_test], order[info.n_test :]
        pool = rest[_draw_pool(y[rest], max_pool, info.n_classes, rng)]
    X_pool, X_test = (_prepare(X[rows], info, standardize) for rows in (pool, test))
    if standardize:
        X_pool, X_test = scaled(X_pool, X_test, by=standardize)
    counts = np.bincount(y[pool], minlength=info.n_classes)
    return Bunch(
        X_pool=X_pool,
        y_pool=y[pool],
        X_test=X_test,
        y_test=y[test],
        n_classes=info.n_classes,
        missing_classes=np.flatnonzero(counts == 0),
        info=info,
        sha256=checksum,
    )


def datasets_table(
    *, data_home: str | Path | None = None, data_dir: str | Path | None = None
) -> pd.DataFrame:
    """Return the registry as a table, one row a data set.

    Parameters
    ----------
    data_home : str, path or None, default=None
        Where copies of downloads are looked for, see `get_data_home`.
    data_dir : str, path or None, default=None
        Folder with original files, see `load_dataset`.

    Returns
    -------
    pandas.DataFrame
        Indexed by name. The column ``availability`` says "offline" (generated here, or
        part of a package), "installed" (Debian's files are there), "files" (in
        ``data_dir``), "downloaded" (a copy is kept), "network", or "script" (made by
        the script that the column "source" names, and read from ``data_dir``).

    Examples
    --------
    >>> from skbadge.datasets import datasets_table
    >>> datasets_table().loc["kropt", "availability"]
    'offline'
    """
    rows = [
        {
            "name": info.name,
            "title": info.title,
            "OpenML": "" if info.openml_id is None else str(info.openml_id),
            "rows": info.n_rows,
            "pool": pool_size(info),
            "test": info.n_test,
            "shape": " x ".join(map(str, info.shape)),
            "classes": info.n_classes,
            "kind": info.kind,
            "split": info.split,
            "preprocessing": _describe_preprocessing(info),
            "mini-batch": info.batch_size,
            "availability": _availability(info, data_home, data_dir),
            "license": info.license,
            "source": info.source,
        }
        for info in DATASETS.values()
    ]
    return pd.DataFrame(rows).set_index("name")


def pool_size(info: DatasetInfo, max_pool: int = 50_000) -> int:
    """Return the rows of the pool."""
    n_rest = info.n_rows - info.n_test
    return n_rest if info.split == "standard" else min(n_rest, max_pool)


def _describe_preprocessing(info: DatasetInfo) -> str:
    if not info.mean:
        return "raw values"
    mean, sd = (
        ", ".join(f"{x:.4f}" for x in values) for values in (info.mean, info.sd)
    )
    return f"/{info.scale:g}, mean {mean}, sd {sd}"


def _availability(
    info: DatasetInfo, data_home: str | Path | None, data_dir: str | Path | None
) -> str:
    if info.offline:
        return "offline"
    if data_dir is not None and find_original(info.name, data_dir):
        return "files"
    if info.name == "fashion_mnist" and has_fashion_mnist():
        return "installed"
    if info.openml_id is None:
        return "script"
    held = copy_path(info.openml_id, data_home).exists()
    return "downloaded" if held else "network"


def _read(
    info: DatasetInfo,
    data_home: str | Path | None,
    data_dir: str | Path | None = None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return all rows, flat and raw, their classes, and a checksum of both."""
    if info.offline:
        return _generate(info.name)
    files = None if data_dir is None else find_original(info.name, data_dir)
    if files:
        X, y = read_original(info, files)
        check_test_part(info, y, f"the files in {files[0].parent}")
    elif info.name == "fashion_mnist" and has_fashion_mnist():
        X, y = load_fashion_mnist(return_X_y=True)
    elif info.openml_id is None:
        raise DataUnavailableError(
            f"{info.name} must be had from the file {info.file} in data_dir. "
            + (
                "Got no data_dir"
                if data_dir is None
                else f"There is none in {data_dir}"
            )
            + f": make it once ({info.source})."
        )
    else:
        X, y = fetch_openml_task(info.openml_id, data_home=data_home, return_X_y=True)
    return X, y, _checksum(X, y)


def _checksum(X: np.ndarray, y: np.ndarray) -> str:
    digest = hashlib.sha256(f"{X.dtype}{X.shape}{y.dtype}".encode())
    digest.update(np.ascontiguousarray(X).data)
    digest.update(np.ascontiguousarray(y).data)
    return digest.hexdigest()


@cache
def _generate(name: str) -> tuple[np.ndarray, np.ndarray, str]:
    makers: dict[str, Callable[..., Any]] = {
        "digits": load_digits,
        "kropt": make_krk_endgame,
        # The first seed whose sample holds a hand of every class, as the original does.
        "poker_hands": partial(make_poker_hands, random_state=1),
        "random_rbf": make_random_rbf,
    }
    X, y = makers[name](return_X_y=True)
    X = X.astype(np.float32)
    # Shared by all callers, who get copies of rows and must not write into these.
    X.flags.writeable = y.flags.writeable = False
    return X, y, _checksum(X, y)


def _draw_pool(
    y: np.ndarray, max_pool: int, n_classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw positions of a subset that holds every class of ``y``."""
    counts = np.bincount(y, minlength=n_classes)
    if len(y) <= max_pool:
        return np.arange(len(y))
    for _ in range(_MAX_DRAWS // _DRAWS_AT_ONCE):
        drawn = rng.multivariate_hypergeometric(
            counts, max_pool, size=_DRAWS_AT_ONCE, method="marginals"
        )
        complete = np.flatnonzero(((drawn > 0) | (counts == 0)).all(axis=1))
        if len(complete):
            sizes = drawn[complete[0]]
            break
    else:
        raise InvalidInputError(
            "max_pool must be large enough for a random subset with every class. Got "
            f"{max_pool}, and none of {_MAX_DRAWS:,} subsets had all "
            f"{np.count_nonzero(counts)} classes: give a larger max_pool."
        )
    chosen = [
        rng.choice(np.flatnonzero(y == label), size, replace=False)
        for label, size in enumerate(sizes)
    ]
    return rng.permutation(np.concatenate(chosen))


def _prepare(X: np.ndarray, info: DatasetInfo, standardize: bool | str) -> np.ndarray:
    """Return rows in their shape, as float32, prepared as the registry says."""
    X = _to_shape(X, info).astype(np.float32)
    if info.mean and not standardize:
        axes = (-1, *[1] * (len(info.shape) - 1))
        X /= info.scale
        X -= np.array(info.mean, dtype=np.float32).reshape(axes)
        X /= np.array(info.sd, dtype=np.float32).reshape(axes)
    return X


def _to_shape(X: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """Return flat rows in the shape of the registry, channels first.

    Raises
    ------
    DataUnavailableError
        If the rows are in another order than the registry says.
    """
    if len(info.shape) < 3 or info.shape[0] == 1:
        return X.reshape(len(X), *info.shape)
    n_channels, height, width = info.shape
    planar = X.reshape(len(X), *info.shape)
    interleaved = X.reshape(len(X), height, width, n_channels).transpose(0, 3, 1, 2)
    if _roughness(planar) <= _roughness(interleaved):
        return planar
    if info.pixel_order == "unknown":
        return interleaved
    raise DataUnavailableError(
        f"The rows of {info.name} must hold one channel after the other. In these, "
        "values that should be neighbors differ more than those of other pixels: they "
        "are in another order, or another data set."
    )


def _roughness(pictures: np.ndarray) -> float:
    """Return how far pixels that touch differ: less in the right order."""
    sample = pictures[:: max(1, len(pictures) // 100)].astype(np.int32)
    return np.abs(np.diff(sample, axis=3)).mean()

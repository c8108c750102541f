"""Data from openml.org, with a verified copy of our own."""

from __future__ import annotations

import socket
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skbadge.datasets._home import get_data_home, read_copy, write_copy
from skbadge.datasets._registry import DATASETS, DatasetInfo, offline_names
from skbadge.exceptions import DataUnavailableError, InvalidInputError
from skbadge.utils._validation import check_integer

__all__ = ["fetch_openml_task"]

_SECONDS_TO_CONNECT = 5.0


@overload
def fetch_openml_task(
    data_id: int,
    *,
    data_home: str | Path | None = None,
    download_if_missing: bool = True,
    n_retries: int = 1,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_openml_task(
    data_id: int,
    *,
    data_home: str | Path | None = None,
    download_if_missing: bool = True,
    n_retries: int = 1,
    return_X_y: Literal[True],
) -> tuple[np.ndarray, np.ndarray]: ...
def fetch_openml_task(
    data_id: int,
    *,
    data_home: str | Path | None = None,
    download_if_missing: bool = True,
    n_retries: int = 1,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Fetch a classification data set from OpenML, or from the copy kept of it.

    The first call downloads the data with the ``openml`` package, which checks the
    file's checksum, compares it with what is known of the set, and keeps a copy; later
    calls read the copy, verify its checksum, and need neither network nor package. A
    download that is cut short or altered is refused and replaces nothing.

    Parameters
    ----------
    data_id : int
        OpenML's number. The paper's are 6 (letter), 155 (pokerhand), 156 (RandomRBF),
        184 (kropt), 554 (MNIST), 41081 (SVHN) and 40927 (CIFAR10); 40996 is
        Fashion-MNIST. Others work if they have a class column and no missing values.
    data_home : str, path or None, default=None
        Where copies are kept, see `get_data_home`.
    download_if_missing : bool, default=True
        If False, a set without a copy is an error, and nothing is asked of a network.
    n_retries : int, default=1
        How often each request is tried, with growing pauses. The default fails within
        seconds.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        With the entries

        data : ndarray of shape (n_rows, n_features), uint8 or float32
            Raw values. Nominal columns are codes, 0 for the first declared value; uint8
            where every value is a whole number in [0, 255].
        target : ndarray of shape (n_rows,), int64
            0 to K - 1, in the declared order of the classes.
        target_names : list of str
            All declared classes.
        feature_names : list of str
            One name a column.
        DESCR : str
            What the data are.
        url : str
            Where it was downloaded.

    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    DataUnavailableError
        If the set cannot be had: no network, no such number, a damaged download, a
        damaged copy that cannot be replaced, or no ``openml`` package.
    InvalidInputError
        If ``data_id`` is no positive int, or the set is not one that skbadge can use.

    Warns
    -----
    UserWarning
        If the copy cannot be kept, as on a full disk; the data are returned all the
        same.

    Notes
    -----
    Our copy is an ``.npz`` file without pickled objects, and a record with its sha256.
    It is written under another name and then renamed. ``openml`` keeps files of its own
    as well, see ``openml.config``; for a file in parquet format it has no checksum, so
    there the comparison with the known size and classes is the only one.

    References
    ----------
    Vanschoren, van Rijn, Bischl, Torgo. *OpenML: Networked Science in Machine
    Learning.* SIGKDD Explorations 15(2), 2013. arXiv:1407.7722.

    Examples
    --------
    >>> from skbadge.datasets import fetch_openml_task
    >>> letter = fetch_openml_task(6)  # doctest: +SKIP
    >>> letter.data.shape  # doctest: +SKIP
    (20000, 16)
    """
    data_id = check_integer(data_id, "data_id", low=1)
    n_retries = check_integer(n_retries, "n_retries", low=1)
    path = copy_path(data_id, data_home)
    copy, damage = None, None
    try:
        copy = read_copy(path)
    except DataUnavailableError as error:
        damage = error
    if copy is None:
        if not download_if_missing:
            raise damage or DataUnavailableError(
                f"OpenML {data_id} must have been downloaded before, as "
                f"download_if_missing=False. Got no copy in {path.parent}."
            )
        copy = _download(data_id, n_retries, damage)
        write_copy(path, *copy)
    arrays, facts = copy
    if return_X_y:
        return arrays["data"], arrays["target"]
    return Bunch(
        data=arrays["data"],
        target=arrays["target"],
        target_names=arrays["target_names"].tolist(),
        feature_names=arrays["feature_names"].tolist(),
        DESCR=_describe(data_id, facts),
        url=facts["url"],
    )


def copy_path(data_id: int, data_home: str | Path | None = None) -> Path:
    """Return where the copy of a set is kept."""
    return get_data_home(data_home) / "openml" / f"{data_id}.npz"


def _known(data_id: int) -> DatasetInfo | None:
    """Return the registry's entry for a number, or None."""
    for info in DATASETS.values():
        if info.openml_id == data_id:
            return info
    return None


def _describe(data_id: int, facts: dict[str, Any]) -> str:
    info = _known(data_id)
    if info is None:
        return f"{facts['name']}, version {facts['version']} (OpenML {data_id})"
    return info.describe()


def _download(
    data_id: int, n_retries: int, damage: Exception | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        # Optional, and it makes folders when imported.
        import openml
    except ImportError as error:
        raise DataUnavailableError(
            "fetch_openml_task must have the openml package to download data. It is "
            "not installed: pip install openml. Without it there are: "
            f"{offline_names()}."
        ) from error
    config = openml.config
    before = config.retry_policy, config.connection_n_retries
    try:
        config.set_retry_policy("human", n_retries)
        _check_connection(config, data_id)
        dataset: Any = openml.datasets.get_dataset(data_id)
        X, y, _, _ = dataset.get_data(target=dataset.default_target_attribute)
        facts = {
            "name": str(dataset.name),
            "version": int(dataset.version),
            "url": str(dataset.url),
        }
    # The client lets errors of many packages through: requests, urllib3, minio, expat,
    # its ARFF and parquet readers. To a user all say that the data cannot be had.
    except Exception as error:
        also = f" {damage}" if damage else ""
        raise DataUnavailableError(
            f"OpenML {data_id} cannot be downloaded from {config.server}: "
            f"{type(error).__name__}: {error}.{also} Nothing was kept. Check the "
            f"number and the network, or use what needs none: {offline_names()}."
        ) from error
    finally:
        config.set_retry_policy(*before)
    arrays = _to_arrays(data_id, X, y)
    _check_known(data_id, arrays)
    return arrays, facts


def _check_connection(config: Any, data_id: int) -> None:
    """Fail fast where the server cannot be reached: the client itself has no limit."""
    address = urllib.parse.urlsplit(config.server)
    held = Path(config.get_cache_directory(), "datasets", str(data_id))
    if held.joinpath("description.xml").exists():
        return
    if address.scheme in urllib.request.getproxies():
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    socket.create_connection((address.hostname, port), _SECONDS_TO_CONNECT).close()


def _to_arrays(data_id: int, X: Any, y: Any) -> dict[str, np.ndarray]:
    """Return a frame and a column of classes as plain arrays."""
    if not isinstance(X, pd.DataFrame) or not isinstance(y, pd.Series):
        raise InvalidInputError(
            f"OpenML {data_id} must be a table with one class column. Got "
            f"{type(X).__name__} and {type(y).__name__} instead."
        )
    if X.isna().to_numpy().any() or y.isna().any():
        raise InvalidInputError(
            f"OpenML {data_id} must have no missing values. It has some: choose "
            "another set, or fill them with scikit-learn."
        )
    # Codes follow the declared order; encoding the names anew would sort them.
    y = y if isinstance(y.dtype, pd.CategoricalDtype) else y.astype("category")
    data = np.empty(X.shape, dtype=np.float32)
    for position, name in enumerate(X):
        column = X[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.codes
        elif not pd.api.types.is_numeric_dtype(column.dtype):
            raise InvalidInputError(
                f"OpenML {data_id} must have numeric or nominal columns. Got column "
                f"{name!r} of type {column.dtype} instead."
            )
        data[:, position] = column.to_numpy()
    compact = data.astype(np.uint8) if data.min() >= 0 and data.max() <= 255 else data
    return {
        "data": compact if np.array_equal(compact, data) else data,
        "target": y.cat.codes.to_numpy().astype(np.int64),
        "target_names": np.array([str(name) for name in y.cat.categories]),
        "feature_names": np.array([str(name) for name in X]),
    }


def _check_known(data_id: int, arrays: dict[str, np.ndarray]) -> None:
    """Compare a download with the registry."""
    info = _known(data_id)
    if info is None:
        return
    got = *arrays["data"].shape, len(np.unique(arrays["target"]))
    expected = info.n_rows, info.n_features, info.n_classes
    if got != expected:
        raise DataUnavailableError(
            f"OpenML {data_id} ({info.name}) must have {expected[0]} rows, "
            f"{expected[1]} features and {expected[2]} classes. Got {got[0]} rows, "
            f"{got[1]} features and {got[2]} classes instead: the download is "
            "incomplete or altered. Nothing was kept; delete openml's own copy before "
            "another try."
        )
    check_test_part(info, _numbered(info, arrays), f"OpenML {data_id}")


def _numbered(info: DatasetInfo, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return the classes by the digits that they are named after, if they are.

    The makers of SVHN call the digit 0 class 10.
    """
    numbers = pd.to_numeric(pd.Series(arrays["target_names"]), errors="coerce")
    if numbers.isna().any():
        return arrays["target"]
    return numbers.to_numpy().astype(np.int64)[arrays["target"]] % info.n_classes


def check_test_part(info: DatasetInfo, y: np.ndarray, source: str) -> None:
    """Prove by its class counts that the last rows are the standard test part.

    Raises
    ------
    DataUnavailableError
        If they are not.
    """
    if not info.test_counts:
        return
    counts = np.bincount(y[-info.n_test :], minlength=info.n_classes)
    if tuple(counts) != info.test_counts:
        raise DataUnavailableError(
            f"The last {info.n_test} rows of {info.name} must be its test part, with "
            f"{list(info.test_counts)} rows of its classes. Got {counts.tolist()} in "
            f"{source} instead: rows are in another order, or others. Nothing was kept."
        )

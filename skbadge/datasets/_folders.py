"""Registered sets from the files that their makers publish, found in a folder."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from scipy.io import loadmat

from skbadge.datasets._arrays_only import read_plain_pickle
from skbadge.datasets._fashion import TEST_LABELS
from skbadge.datasets._registry import DATASETS, DatasetInfo
from skbadge.exceptions import DataUnavailableError, InvalidInputError

__all__ = ["find_original", "read_original"]

# The rows of a file, or of a part of one, and their labels.
_Part: TypeAlias = tuple[np.ndarray, np.ndarray]

_IDX = tuple(
    f"{part}-{what}"
    for part in ("train", "t10k")
    for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
)
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
# Where torchvision and the archives of the makers put them, below the folder given.
_PLACES = {
    "mnist": ("MNIST/raw", "mnist", "MNIST", "."),
    "fashion_mnist": ("FashionMNIST/raw", "fashion-mnist", "fashion_mnist", "."),
    "svhn": ("svhn", "SVHN", "."),
    "cifar10": (
        "cifar-10-batches-py",
        "cifar-10-batches-bin",
        "cifar10/cifar-10-batches-py",
        ".",
    ),
}

# More than any of these files unpacks to: an archive that goes on is not read on.
_MOST_BYTES = 2**27

# Sets whose files have the same names, and whether they are Fashion-MNIST's.
_ALIKE = {"mnist": False, "fashion_mnist": True}


def find_original(name: str, folder: str | Path) -> list[Path] | None:
    """Return the files of a set below a folder, or None where they are not there.

    Parameters
    ----------
    name : str
        Name in the registry.
    folder : str or Path
        The folder given by the user, for example torchvision's root.

    Returns
    -------
    list of Path or None

    Raises
    ------
    InvalidInputError
        If there is no such folder.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InvalidInputError(
            f"data_dir must be a folder that is there. Got {str(folder)!r} instead."
        )
    if name in DATASETS and DATASETS[name].file:
        path = folder / DATASETS[name].file
        return [path] if path.is_file() else None
    for place in _PLACES.get(name, ()):
        files = _files(name, folder / place)
        # MNIST and Fashion-MNIST name their files alike: in a folder without a name of
        # its own, what they hold says whose they are.
        is_shared = place == "." and files is not None and name in _ALIKE
        if files is not None and not (is_shared and _is_fashion(files) != _ALIKE[name]):
            return files
    return None


def _is_fashion(files: list[Path]) -> bool:
    """Say whether idx files are Fashion-MNIST's, by the labels of the test part."""
    try:
        content = _bytes(files[-1])
    except (OSError, EOFError, zlib.error):
        return False
    return hashlib.sha256(content).hexdigest() == TEST_LABELS


def _bytes(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(f"it unpacks to more than {_MOST_BYTES:,} bytes")
    return content


def _files(name: str, folder: Path) -> list[Path] | None:
    variants: list[tuple[str, ...]]
    if name == "svhn":
        variants = [("train_32x32.mat", "test_32x32.mat")]
    elif name == "cifar10":
        variants = [_BATCHES, tuple(f"{batch}.bin" for batch in _BATCHES)]
    else:
        variants = [_IDX, tuple(f"{part}.gz" for part in _IDX)]
    for names in variants:
        paths = [folder / part for part in names]
        if all(path.is_file() for path in paths):
            return paths
    return None


def read_original(info: DatasetInfo, files: list[Path]) -> _Part:
    """Return all rows, flat and raw, the test part last, and their classes.

    Parameters
    ----------
    info : DatasetInfo
        What is to be read.
    files : list of Path
        As `find_original` found them.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features), uint8
        Pixels channel by channel; float32 for features.
    y : ndarray of shape (n_rows,), int64

    Raises
    ------
    DataUnavailableError
        If a file is not what its name says.
    """
    if info.file:
        parts = _read_npz(files[0])
    elif info.name == "svhn":
        parts = [_read_mat(path) for path in files]
    elif info.name == "cifar10":
        read = _read_bin if files[0].suffix == ".bin" else _read_batch
        parts = [read(path) for path in files]
    else:
        parts = [
            (_read_idx(files[i], n_axes=3), _read_idx(files[i + 1], n_axes=1))
            for i in range(0, len(files), 2)
        ]
    n_rows = sum(len(rows) for rows, _ in parts)
    if (
        n_rows != info.n_rows
        or any(rows.size != len(rows) * info.n_features for rows, _ in parts)
        or any(labels.shape != (len(rows),) for rows, labels in parts)
    ):
        shapes = ", ".join(f"{rows.shape} and {y.shape}" for rows, y in parts)
        raise DataUnavailableError(
            f"The files of {info.name} in {files[0].parent} must hold {info.n_rows} "
            f"rows of {info.n_features} values, and a label for each. Got parts of "
            f"shapes {shapes}: they are incomplete or others."
        )
    X = np.concatenate([rows.reshape(len(rows), info.n_features) for rows, _ in parts])
    y = np.concatenate([labels for _, labels in parts])
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= info.n_classes:
        lowest, highest = np.unique(y)[[0, -1]]
        raise DataUnavailableError(
            f"The files of {info.name} in {files[0].parent} must have whole numbers "
            f"from 0 to {info.n_classes - 1} as labels. Got {lowest} to {highest}, of "
            f"type {y.dtype}: they are damaged or others."
        )
    return X, y.astype(np.int64)


def _read_batch(path: Path) -> _Part:
    content = read_plain_pickle(path)
    content = content if isinstance(content, dict) else {}
    X, labels = content.get("data"), content.get("labels")
    if not isinstance(X, np.ndarray) or X.dtype != np.uint8 or X.ndim != 2:
        raise DataUnavailableError(
            f"{path} must hold 'data', an array of bytes, a row a picture. Got another "
            "file."
        )
    # Lists of lists may be shared a thousand times in each: no array is made of them.
    if not isinstance(labels, list) or any(
        not isinstance(label, int) or not 0 <= label < 10 for label in labels
    ):
        raise DataUnavailableError(
            f"{path} must hold 'labels', a list of numbers from 0 to 9. Got another "
            "file."
        )
    return X, np.array(labels, dtype=np.int64)


def _read_npz(path: Path) -> list[_Part]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            parts = [
                (archive[f"X{part}"].astype(np.float32), archive[f"y{part}"])
                for part in ("", "_test")
            ]
        if not all(np.isfinite(rows).all() for rows, _ in parts):
            raise ValueError("X has NaN or infinity")
        return parts
    # A header may promise more than there is room for.
    except (
        *(ValueError, KeyError, OSError, EOFError, MemoryError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise DataUnavailableError(
            f"{path} must hold the arrays X, y, X_test and y_test. It cannot be read: "
            f"{error}."
        ) from error


def _read_bin(path: Path) -> _Part:
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DataUnavailableError(f"{path} cannot be read: {error}.") from error
    if content.size % 3_073:
        raise DataUnavailableError(
            f"{path} must hold rows of 3,073 bytes. Got {content.size:,} bytes."
        )
    rows = content.reshape(-1, 3_073)
    return rows[:, 1:], rows[:, 0]


def _read_mat(path: Path) -> _Part:
    try:
        content = loadmat(path, variable_names=["X", "y"])
        X, y = content["X"], content["y"].ravel()
        if X.dtype != np.uint8:
            raise ValueError(f"X has {X.dtype}, not bytes")
        # The digit 0 has the number 10. NaN is none of these, nor a fraction.
        if not np.isin(y, np.arange(11)).all():
            raise ValueError("y has others than the numbers from 1 to 10")
        # Rows come last.
        return X.transpose(3, 2, 0, 1), y.astype(np.int64) % 10
    # scipy's reader lets anything through that a damaged file can cause.
    except Exception as error:
        raise DataUnavailableError(
            f"{path} must be a .mat file with X and y. It cannot be read: {error}."
        ) from error


def _read_idx(path: Path, n_axes: int) -> np.ndarray:
    """Return the array of an idx file of bytes, packed or not."""
    try:
        content = _bytes(path)
        if content[:3] != b"\0\0\x08":
            raise ValueError(f"it begins with {content[:3]!r}, unlike files of bytes")
        if content[3] != n_axes:
            raise ValueError(f"it has {content[3]} axes, not {n_axes}")
        lengths = np.frombuffer(content, dtype=">u4", count=n_axes, offset=4)
        values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_axes)
        return values.reshape(*(int(length) for length in lengths))
    except (OSError, EOFError, zlib.error, ValueError, IndexError) as error:
        raise DataUnavailableError(
            f"{path} must be an idx file of bytes. It cannot be read: {error}."
        ) from error

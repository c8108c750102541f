"""Fashion-MNIST from the files of the Debian package."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from skbadge.datasets._registry import DATASETS, offline_names
from skbadge.exceptions import DataUnavailableError

__all__ = ["load_fashion_mnist"]

#: Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

# sha256 of the unpacked files, and their shapes.
_FILES = {
    "train-images-idx3-ubyte.gz": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        (60_000, 28, 28),
    ),
    "t10k-images-idx3-ubyte.gz": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        (10_000, 28, 28),
    ),
    "train-labels-idx1-ubyte.gz": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        (60_000,),
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        (10_000,),
    ),
}
#: Checksum of the labels of the test part, unpacked: MNIST's file has the same name.
TEST_LABELS = _FILES["t10k-labels-idx1-ubyte.gz"][0]
_CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


@overload
def load_fashion_mnist(
    *, folder: str | Path | None = None, return_X_y: Literal[False] = False
) -> Bunch: ...
@overload
def load_fashion_mnist(
    *, folder: str | Path | None = None, return_X_y: Literal[True]
) -> tuple[np.ndarray, np.ndarray]: ...
def load_fashion_mnist(
    *, folder: str | Path | None = None, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Fashion-MNIST from its four idx files, such as Debian installs.

    Ten kinds of clothing as gray pictures of 28 x 28 pixels, made to take the place of
    MNIST and harder. No network is needed where Debian's package
    ``dataset-fashion-mnist`` is installed; elsewhere ``fetch_openml_task(40996)``
    downloads the same pictures.

    Parameters
    ----------
    folder : str, path or None, default=None
        Folder with the files. None takes Debian's.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        With the entries

        data : ndarray of shape (70000, 784), uint8
            The 60,000 training pictures, then the 10,000 of the test part.
        target : ndarray of shape (70000,), int64
            0 to 9, each 7,000 times.
        target_names : list of str
            One name a class.
        DESCR : str
            What the data are.

    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    DataUnavailableError
        If a file is missing, cannot be unpacked, or has another checksum.

    Notes
    -----
    MIT license; https://github.com/zalandoresearch/fashion-mnist.

    References
    ----------
    Xiao, Rasul, Vollgraf. *Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms.* arXiv:1708.07747.

    Examples
    --------
    >>> from skbadge.datasets import load_fashion_mnist
    >>> load_fashion_mnist().data.shape  # doctest: +SKIP
    (70000, 784)
    """
    folder = DEBIAN_FOLDER if folder is None else Path(folder)
    parts = [_read_file(folder / name, *facts) for name, facts in _FILES.items()]
    data = np.concatenate(parts[:2]).reshape(70_000, 784)
    target = np.concatenate(parts[2:]).astype(np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=list(_CLASSES),
        DESCR=DATASETS["fashion_mnist"].describe(),
    )


def has_fashion_mnist() -> bool:
    """Whether Debian's files are there."""
    return all((DEBIAN_FOLDER / name).exists() for name in _FILES)


def _read_file(path: Path, checksum: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array of a packed idx file whose content is known."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataUnavailableError(
            f"Fashion-MNIST must have the file {path}. It cannot be read "
            f"({type(error).__name__}: {error}): install Debian's package "
            "dataset-fashion-mnist, use fetch_openml_task(40996), or use what needs no "
            f"network: {offline_names()}."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != checksum:
        raise DataUnavailableError(
            f"{path} must hold data with the sha256 checksum {checksum}. Got {digest} "
            "instead: the file is damaged or another one."
        )
    # The format: 4 bytes with type and number of axes, 4 for each length, the values.
    header = 4 + 4 * len(shape)
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)

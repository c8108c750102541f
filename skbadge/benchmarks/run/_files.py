"""Data files of one's own: arrays in ``.npz``, tables in CSV or parquet."""

from __future__ import annotations

import hashlib
import unicodedata
import warnings
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from skbadge.benchmarks.run._pictures import as_pictures
from skbadge.datasets import DATASETS
from skbadge.exceptions import InvalidInputError

__all__ = ["describe_file", "plain_name", "read_file"]

_LONGEST_NAME = 80
# Of so few classes, each may have a single row in a small example.
_FEW_CLASSES = 10
_KINDS = (".npz", ".csv", ".parquet")
# What pandas calls a first column without a name.
_NAMELESS = "Unnamed: 0"


def describe_file(path: str | Path, target: str = "") -> dict[str, str]:
    """Return what the cells of a data file say about it.

    Parameters
    ----------
    path : str
        A ``.npz`` file with arrays ``X`` and ``y``, and with ``X_test`` and ``y_test``
        where it has a test set; or a table in CSV or parquet, one row an example.
        Rows with several axes are pictures: channels in the last axis are turned to the
        first, bytes from 0 to 255 become fractions of 255, and what may be read in two
        ways, or is on no scale of a net, is refused.
    target : str, default=""
        The column of labels of a table.

    Returns
    -------
    dict
        ``dataset`` (the file's name, in plain characters), ``path``, ``sha256`` and,
        for a table, ``target``.

    Raises
    ------
    InvalidInputError
        If the file cannot be used.
    """
    path = str(path)
    content = _bytes_of(path)
    checksum = hashlib.sha256(content).hexdigest()
    X = read_file(path, checksum, target)[0]
    if isinstance(X, pd.DataFrame) and path.lower().endswith(".csv"):
        _tell_of_numbers(path, content, X)
    name = plain_name(Path(path).name)
    described = {"dataset": name, "path": path, "sha256": checksum}
    return described | ({"target": target} if target else {})


def _tell_of_numbers(path, content, X):
    """Warn of a column of row numbers, which a worker leaves out without a word."""
    header = pd.read_csv(BytesIO(content), nrows=0).columns
    if header[0] == _NAMELESS and _NAMELESS not in X:
        warnings.warn(
            f"{path} has a column without a name that numbers the rows. It is left "
            "out; DataFrame.to_csv(..., index=False) writes none.",
            UserWarning,
            stacklevel=3,
        )


def plain_name(name):
    """Return a name for tables and pictures, without what a terminal would obey.

    Control and direction marks are escaped; a long name is cut, with a checksum that
    keeps it apart from others.
    """
    name = "".join(
        char
        if unicodedata.category(char)[0] not in "CZ" or char == " "
        else char.encode("unicode_escape").decode()
        if not 0xD800 <= ord(char) < 0xE000
        else f"\\u{ord(char):x}"
        for char in name
    )
    if len(name) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 12]}... {mark}"


@lru_cache(maxsize=1)
def read_file(path, sha256, target=""):
    """Return the arrays of a data file, checked.

    Parameters
    ----------
    path : str
        The file.
    sha256 : str
        Its checksum: a file that was changed since is refused.
    target : str, default=""
        The column of labels of a table.

    Returns
    -------
    X, y, X_test, y_test, classes
        ``X`` as an array of float32, or as the DataFrame of a table; ``y`` as numbers
        from 0 of the sorted ``classes``. The test parts are None where the file has
        none.
    """
    content = _bytes_of(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidInputError(
            f"{path} must be the file that the benchmark was started with. Got other "
            "content: leave it alone until the benchmark has ended."
        )
    suffix = Path(path).suffix.lower()
    if suffix not in (*_KINDS, ".npy"):
        raise InvalidInputError(
            f"A file of data must end in {', '.join(_KINDS)}. Got {path!r} instead: "
            "write the table as CSV, separated by commas, or as parquet."
        )
    if suffix in (".csv", ".parquet"):
        X, y = _read_table(path, content, suffix, target)
        X_test = y_test = None
    else:
        X, y, X_test, y_test = _read_parts(path, content)
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
    if len(classes) > _FEW_CLASSES and 2 * len(classes) > len(labels):
        raise InvalidInputError(
            f"y in {path} must hold classes of several rows each. Got {len(classes)} "
            f"different values in {len(labels)} rows: numbers or names of the rows?"
        )
    if classes.dtype.kind == "f":
        # Whole numbers, as a reader of tables makes them of a column with gaps.
        classes = classes.astype(np.int64)
    codes = codes.astype(np.int64)
    y_test = None if y_test is None else codes[len(y) :]
    return X, codes[: len(y)], X_test, y_test, classes


def _bytes_of(path):
    try:
        # A pipe or a device would be read for ever.
        if Path(path).exists() and not Path(path).is_file():
            raise InvalidInputError(
                f"--dataset must name a regular file. Got {path!r} instead."
            )
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        missing = isinstance(error, FileNotFoundError)
        raise InvalidInputError(
            f"--dataset must name a registered data set ({', '.join(DATASETS)}) or a "
            f"file that ends in {', '.join(_KINDS)}. Got {path!r} instead: "
            + ("there is no such file." if missing else f"{error}.")
        ) from error


def _read_parts(path, content):
    arrays = _read_arrays(path, content)
    X, y = _check_arrays(path, arrays, "X", "y")
    if "X_test" not in arrays and "y_test" not in arrays:
        (X,) = as_pictures(path, arrays["X"].dtype, X)
        return X, y, None, None
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
    X, X_test = as_pictures(path, arrays["X"].dtype, X, X_test)
    return X, y, X_test, y_test


def _read_arrays(path, content):
    try:
        archive = np.load(BytesIO(content), allow_pickle=False)
        if isinstance(archive, np.lib.npyio.NpzFile):
            names = ("X", "y", "X_test", "y_test")
            arrays = {name: archive[name] for name in names if name in archive.files}
            if all(isinstance(array, np.ndarray) for array in arrays.values()):
                return arrays
            raise ValueError("a member is no array")
    # A header may promise more than there is room for.
    except (ValueError, OSError, BadZipFile, EOFError, MemoryError) as error:
        # NumPy's advice to allow pickles would let the file run code.
        reason = "it is no archive of arrays" if "pickle" in str(error) else str(error)
        if "Object arrays" in str(error):
            reason = "Object arrays hold any kind of thing; write numbers or strings"
        raise InvalidInputError(
            f"{path} must be a .npz file with arrays of numbers or strings, or a table "
            f"that ends in .csv or .parquet. Got one that cannot be read: {reason}"
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
    if X.dtype.kind not in "biuf" or X.ndim < 2 or 0 in X.shape[1:]:
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


def _read_table(path, content, suffix, target):
    try:
        if suffix == ".csv":
            frame = pd.read_csv(BytesIO(content))
        else:
            frame = pd.read_parquet(BytesIO(content))
    except ImportError as error:
        raise InvalidInputError(
            f"Reading {path} needs the package pyarrow: pip install pyarrow, or write "
            "the table as CSV."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{path} must be a text in UTF-8. Got another one ({error}): save it as "
            "CSV in UTF-8."
        ) from error
    # The readers of tables answer a damaged file with errors of many kinds.
    except Exception as error:
        raise InvalidInputError(
            f"{path} must be a table in {suffix[1:]} format. It cannot be read: {error}"
        ) from error
    if target not in frame.columns:
        listed = ", ".join(map(str, frame.columns[:20]))
        if len(frame.columns) == 1 and (";" in listed or "\t" in listed):
            listed += " in one column: separate the columns by commas"
        raise InvalidInputError(
            f"--target must name the column of labels in {path}. Got "
            f"{target or 'none'!r}; there are {listed}."
        )
    if len(frame.columns) == 1:
        raise InvalidInputError(
            f"{path} must have columns to learn from beside {target!r}, the one of the "
            "labels. Got none."
        )
    missing = frame[target].isna()
    if missing.any():
        raise InvalidInputError(
            f"The column {target!r} in {path} must hold a label in every row. Got none "
            f"in {int(missing.sum())} of {len(frame)} rows, the first of them "
            f"{int(np.flatnonzero(missing)[0])}: leave these rows out."
        )
    y = frame[target].to_numpy()
    if y.dtype == object:
        y = y.astype(str)
    return _without_numbers(frame.drop(columns=target)), y


def _without_numbers(frame):
    """Leave out the row numbers that pandas writes to CSV: they would be learned."""
    if len(frame.columns) and frame.columns[0] == _NAMELESS:
        numbers = frame[_NAMELESS]
        if pd.api.types.is_integer_dtype(numbers) and numbers.is_unique:
            return frame.drop(columns=_NAMELESS)
    return frame

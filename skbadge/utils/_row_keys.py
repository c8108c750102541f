"""Keys of rows by their content: the same row has the same key wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from scipy import sparse

from skbadge.utils._kinds import made_by
from skbadge.utils._rows import is_dataset, n_rows, several_inputs

__all__ = ["row_keys"]


def row_keys(X: Any) -> list[bytes]:
    """Return a key for each row, made of its content alone.

    Parameters
    ----------
    X : rows of any kind
        As ``as_rows`` returns them. Of a torch ``Dataset`` the labels do not count.

    Returns
    -------
    list of bytes of length n_rows
        Digests of 16 bytes (BLAKE2b): two rows of a billion share one with a
        probability below 1e-20. Numbers of another type are other rows.
    """
    return [blake2b(content, digest_size=16).digest() for content in _contents(X)]


def _contents(X: Any) -> Iterator[bytes]:
    if several_inputs(X):
        names = list(X) if isinstance(X, Mapping) else range(len(X))
        parts = (_contents(X[name]) for name in names)
        prefix = _written(list(names))
        for row in zip(*parts, strict=True):
            yield prefix + b"".join(_sized(part) for part in row)
        return
    if isinstance(X, torch.Tensor):
        X = _as_array(X)
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OUS":
        yield from map(_written, np.ascontiguousarray(X))
    elif sparse.issparse(X):
        for row in X.tocsr():
            yield _written([row.indices, row.data, X.shape[-1]])
    elif isinstance(X, pd.DataFrame) or made_by(X, "polars") or made_by(X, "pyarrow"):
        yield from _of_table(X)
    else:
        for i in range(n_rows(X)):
            row = X.iloc[i] if isinstance(X, pd.Series) else X[i]
            yield _written(row[0] if is_dataset(X) else row)


def _of_table(X: Any) -> Iterator[bytes]:
    names = list(getattr(X, "column_names", X.columns))
    prefix = _written([str(name) for name in names])
    columns = [X[name].to_numpy() for name in names]
    for row in zip(*columns, strict=True):
        yield prefix + _written(list(row))


def _written(value: Any) -> bytes:
    """Write a value such that no other value is written alike."""
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"b" + value
    if value is None or isinstance(value, (bool, int, float)):
        return f"{type(value).__name__} {value!r}".encode()
    if isinstance(value, torch.Tensor):
        value = _as_array(value)
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "OUS":
        array = np.asarray(value)
        return f"a{array.dtype.str}{array.shape}".encode() + array.tobytes()
    if isinstance(value, np.str_):
        return _written(str(value))
    if isinstance(value, Mapping):
        pairs = [part for pair in value.items() for part in pair]
        return b"d" + b"".join(_sized(_written(part)) for part in pairs)
    if isinstance(value, (list, tuple)):
        return b"l" + b"".join(_sized(_written(part)) for part in value)
    return b"o" + joblib.hash(value).encode()


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(8, "little") + content


def _as_array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # which NumPy lacks
        tensor = tensor.view(torch.int16)
    return tensor.numpy()

"""What tells one row from another, so that answers meet the rows they are answers to.

A batch goes out as positions in a pool, and comes back days later with labels. By then
the pool may have been sorted anew, or rows and positions may stand in different orders:
every label would be stored beside another row, and nothing would look wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from skbadge.utils._kinds import is_table, made_by
from skbadge.utils._lazy import origins
from skbadge.utils._rows import in_memory, is_lazy, n_rows, several_inputs, take

__all__ = ["mark_of", "row_digests", "row_marks"]

# Rows of numbers that are made float32 at a time.
_AT_A_TIME = 4096


def row_marks(X: Any) -> tuple[str | None, ...]:
    """Return for each row what tells it from others.

    Of rows in memory it is a digest of the content: numbers as float32, whatever their
    type is, since a pool in float64 may be labelled in float32; tables without the
    names of their columns. Of rows that are read one by one (a torch ``Dataset``, which
    may draw an augmentation at each reading) it is the position in what they were taken
    from; none is read.

    Parameters
    ----------
    X : rows of any kind
        Some rows of a pool.

    Returns
    -------
    tuple of length n_rows
        None for rows of which nothing is known: objects of unknown classes, and data
        sets that were not taken from another one. Different rows have different marks,
        but for those that differ beyond float32 alone.
    """
    if is_lazy(X):
        return tuple(
            None if origin is None else f"row {origin[1]} of {origin[0]}"
            for origin in origins(X)
        )
    return tuple(mark_of(digest) for digest in row_digests(X))


def row_digests(X: Any) -> np.ndarray:
    """Return the digest of each row in memory, of which `mark_of` makes its mark.

    Parameters
    ----------
    X : rows of any kind
        As for `row_marks`.

    Returns
    -------
    ndarray of shape (n_rows,), dtype uint64
        0 where nothing is known of a row, or it is read one by one.
    """
    if is_lazy(X):
        return np.zeros(n_rows(X), dtype="<u8")
    with np.errstate(over="ignore", invalid="ignore"):
        digests = [
            bytes(8) if content is None else blake2b(content, digest_size=8).digest()
            for content in _contents(X)
        ]
    return np.frombuffer(b"".join(digests), dtype="<u8")


def mark_of(digest: np.uint64) -> str | None:
    """Return what `row_marks` says of a row with a digest."""
    return digest.tobytes().hex() if digest else None


def _contents(X: Any) -> Iterator[bytes | None]:
    """Yield the content of each row as bytes."""
    if several_inputs(X):
        parts = [X[name] for name in sorted(X)] if isinstance(X, Mapping) else X
        for row in zip(*map(_contents, parts), strict=True):
            yield _joined(row)
        return
    if sparse.issparse(X):
        yield from _of_sparse(X)
        return
    columns = _columns(X)
    if columns is not None:
        for row in zip(*columns, strict=True):
            yield _joined(map(_written, row))
        return
    if is_table(X) and not in_memory(X):
        X = take(X, slice(None))
    if isinstance(X, np.ndarray) and X.ndim > 1 and X.dtype.kind in "fiub":
        for start in range(0, len(X), _AT_A_TIME):
            for row in _as_float32(X[start : start + _AT_A_TIME]):
                yield row.tobytes()
        return
    for i in range(n_rows(X)):
        yield _written(X.iloc[i] if isinstance(X, pd.Series) else X[i])


def _of_sparse(X: Any) -> Iterator[bytes | None]:
    X = X.tocsr(copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    for begin, end in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        columns = X.indices[begin:end].astype(np.int64).tobytes()
        yield _joined([columns, _of_numbers(X.data[begin:end])])


def _columns(X: Any) -> list[Any] | None:
    """Return the columns of a table, or None where there are none with names."""
    if isinstance(X, pd.DataFrame):
        return [X.iloc[:, i].to_numpy() for i in range(X.shape[1])]
    if made_by(X, "polars") or made_by(X, "pyarrow"):
        names = getattr(X, "column_names", None) or X.columns
        return [X[name].to_numpy() for name in names]
    return None


def _joined(parts: Any) -> bytes | None:
    found = list(parts)
    return None if any(part is None for part in found) else b"".join(found)


def _written(value: Any) -> bytes | None:
    """Write a value as bytes, equal numbers alike; None if it is opaque."""
    if value is None or value is pd.NA or value is pd.NaT:
        return b"none"
    if isinstance(value, (float, np.floating)) and value != value:
        # One library's missing text is another's NaN.
        return b"none"
    if isinstance(value, str):
        return _sized(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return _sized(value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().to(torch.float32).numpy()
    if isinstance(value, Mapping):
        return _joined(_written(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return _joined(map(_written, value))
    if isinstance(value, (bool, int, float, np.generic, np.ndarray)):
        return _of_numbers(value)
    if isinstance(value, pd.Timestamp):
        return _of_numbers(value.to_datetime64())
    return None


def _of_numbers(values: Any) -> bytes | None:
    array = np.asarray(values)
    if array.dtype.kind in "mM":
        # Files keep times in units of their own.
        return array.astype(f"{array.dtype.kind}8[us]").astype(np.int64).tobytes()
    if array.dtype.kind in "OU" and array.ndim:
        return _joined(map(_written, array.ravel().tolist()))
    if array.dtype.kind not in "fiub":
        return None
    return _as_float32(array).tobytes()


def _as_float32(array: np.ndarray) -> np.ndarray:
    """Return numbers with one zero, and one NaN, whatever their signs."""
    found = array.astype(np.float32)
    return np.where(np.isnan(found), np.float32(np.nan), found + 0)


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(8, "little") + content

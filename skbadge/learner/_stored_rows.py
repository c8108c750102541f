"""Rows as tensors and plain values, for a file that holds nothing to be executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from skbadge.utils._rows import RowList

__all__ = ["read_rows", "stored_rows"]

_PLAIN = (str, bool, int, float, type(None))
# Types that NumPy and torch share by name; others are written as their bytes.
_SHARED = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"}


def stored_rows(X: Any, name: str, tensors: dict[str, torch.Tensor]) -> dict | None:
    """Put rows among named tensors, and describe how to make them of these again.

    Parameters
    ----------
    X : rows of any kind
        Arrays, tensors and sparse matrices of numbers; lists and arrays of texts and
        numbers; tables of these; dicts, lists and tuples of all of them.
    name : str
        Prefix of the tensors' names.
    tensors : dict of str to Tensor
        Where they are put.

    Returns
    -------
    dict or None
        Fit for JSON; None for what cannot be written so, such as data sets and objects.
    """
    if isinstance(X, Mapping) and all(isinstance(key, str) for key in X):
        return _described("dict", X, X.values(), name, tensors, keys=list(X))
    if isinstance(X, torch.Tensor):
        if X.layout != torch.strided or X.is_complex():
            return None
        # In one piece of its own: views, and parts that share memory, are refused.
        own = X.detach().cpu().clone(memory_format=torch.contiguous_format)
        tensors[name] = own
        return {"kind": "tensor", "name": name}
    if isinstance(X, np.ndarray):
        return _stored_array(X, name, tensors)
    if sparse.issparse(X):
        X = X.tocsr()
        parts = [X.data, X.indices, X.indptr]
        how = {"shape": list(X.shape), "is_array": isinstance(X, sparse.sparray)}
        return _described("sparse", X, parts, name, tensors, **how)
    if isinstance(X, pd.DataFrame):
        return _stored_frame(X, name, tensors)
    if isinstance(X, RowList):
        return {"kind": "rows", "values": list(X)} if _are_plain(X) else None
    if type(X) in (list, tuple):
        return _described(type(X).__name__, X, X, name, tensors)
    return None


def _described(
    kind: str, X: Any, parts: Any, name: str, tensors: dict, **how: Any
) -> dict | None:
    found = [stored_rows(p, f"{name}.{i}", tensors) for i, p in enumerate(parts)]
    return None if None in found else {"kind": kind, "parts": found, **how}


def _stored_array(X: np.ndarray, name: str, tensors: dict) -> dict | None:
    if X.dtype.kind in "OU":
        values = X.ravel().tolist()
        if not _are_plain(values):
            return None
        dtype = "object" if X.dtype == object else X.dtype.str
        return {"kind": "values", "v": values, "shape": list(X.shape), "dtype": dtype}
    if X.dtype.kind not in "fiub":
        return None
    X = np.ascontiguousarray(X, dtype=X.dtype.newbyteorder("=")).reshape(X.shape)
    shared = X.dtype.str[1:] in _SHARED
    raw = X.copy() if shared else np.frombuffer(X.tobytes(), dtype=np.uint8).copy()
    tensors[name] = torch.from_numpy(raw)
    how = {"shape": list(X.shape), "dtype": X.dtype.newbyteorder("<").str}
    return {"kind": "array", "name": name, **how}


def _stored_frame(X: pd.DataFrame, name: str, tensors: dict) -> dict | None:
    names, index = X.columns.tolist(), X.index.tolist()
    plain = _are_plain(names) and _are_plain(index) and X.columns.nlevels == 1
    known = (np.dtype, pd.StringDtype)
    if not plain or not all(isinstance(dtype, known) for dtype in X.dtypes):
        return None
    columns = [X.iloc[:, i].to_numpy() for i in range(X.shape[1])]
    how = {"names": names, "index": index, "dtypes": [str(d) for d in X.dtypes]}
    return _described("frame", X, columns, name, tensors, **how)


def _are_plain(values: Any) -> bool:
    return all(type(value) in _PLAIN for value in values)


def read_rows(found: dict, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Return rows from the description that `stored_rows` has given."""
    kind = found["kind"]
    if kind == "tensor":
        return tensors[found["name"]]
    if kind == "array":
        raw, dtype = tensors[found["name"]].numpy(), np.dtype(found["dtype"])
        raw = raw if raw.dtype == dtype else np.frombuffer(raw.tobytes(), dtype=dtype)
        return raw.reshape(found["shape"]).astype(dtype.newbyteorder("="))
    if kind == "values":
        array = np.empty(len(found["v"]), dtype=np.dtype(found["dtype"]))
        array[:] = found["v"]
        return array.reshape(found["shape"])
    if kind == "rows":
        return RowList(found["values"])
    parts = [read_rows(part, tensors) for part in found["parts"]]
    if kind == "dict":
        return dict(zip(found["keys"], parts, strict=True))
    if kind == "sparse":
        build = sparse.csr_array if found["is_array"] else sparse.csr_matrix
        return build(tuple(parts), shape=tuple(found["shape"]))
    if kind == "frame":
        series = [
            pd.Series(part, index=found["index"], dtype=dtype)
            for part, dtype in zip(parts, found["dtypes"], strict=True)
        ]
        frame = pd.concat(series, axis=1)
        frame.columns = pd.Index(found["names"])
        return frame
    return tuple(parts) if kind == "tuple" else parts

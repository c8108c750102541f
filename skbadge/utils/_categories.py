"""Categorical columns of two tables, made to hold the categories of both."""

from __future__ import annotations

from typing import Any

import pandas as pd

from skbadge.exceptions import InvalidInputError

__all__ = ["with_all_categories"]


def with_all_categories(first: Any, second: Any, name: str) -> tuple[Any, Any]:
    """Give both tables the categories of both; pandas would turn them into text.

    Parameters
    ----------
    first, second : DataFrame or Series
        Of the same columns.
    name : str
        What messages call ``second``.

    Raises
    ------
    InvalidInputError
        If ordered categories differ.
    """
    if isinstance(first, pd.DataFrame):
        dtypes = zip(first.dtypes.items(), second.dtypes, strict=True)
        shared = {
            column: _all_categories(known, new, f"{name}[{column!r}]")
            for (column, known), new in dtypes
            if _differ(known, new)
        }
    elif _differ(first.dtype, second.dtype):
        shared = _all_categories(first.dtype, second.dtype, name)
    else:
        return first, second
    return first.astype(shared), second.astype(shared)


def _differ(known: Any, new: Any) -> bool:
    return isinstance(known, pd.CategoricalDtype) and known != new


def _all_categories(known: Any, new: Any, where: str) -> pd.CategoricalDtype:
    if known.ordered or new.ordered:
        raise InvalidInputError(
            f"{where} must hold the {_described(known)}, as the labelled rows do. Got "
            f"{_described(new)} instead: only you know the order of all of them, so "
            "give every row the same categories (Series.cat.set_categories)."
        )
    return pd.CategoricalDtype(known.categories.append(new.categories).unique())


def _described(dtype: Any) -> str:
    order = "ordered" if dtype.ordered else "unordered"
    return f"{order} categories {dtype.categories.tolist()}"

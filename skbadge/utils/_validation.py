"""Checks of arguments, each with one message: expected, received, what to do."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np

from skbadge.exceptions import InvalidInputError

__all__ = ["check_flag", "check_integer", "check_n", "check_option", "check_real"]


def check_integer(
    value: Any, name: str, *, low: int | None = None, high: int | None = None
) -> int:
    """Return ``value`` as an int, or say which int was expected.

    Raises
    ------
    InvalidInputError
        If ``value`` is not an int (a bool is none) or outside ``[low, high]``.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise InvalidInputError(
            f"{name} must be an int{_range(low, high)}. Got {value!r} of type "
            f"{type(value).__name__} instead."
        )
    number = int(value)
    if (low is not None and number < low) or (high is not None and number > high):
        raise InvalidInputError(
            f"{name} must be an int{_range(low, high)}. Got {value!r} instead."
        )
    return number


def check_real(
    value: Any,
    name: str,
    *,
    low: float,
    high: float,
    include_low: bool = True,
    include_high: bool = True,
) -> float:
    """Return ``value`` as a float, or say which number was expected.

    Raises
    ------
    InvalidInputError
        If ``value`` is not a number in the interval.
    """
    fits = isinstance(value, Real) and not isinstance(value, bool)
    if fits:
        fits = (value >= low if include_low else value > low) and (
            value <= high if include_high else value < high
        )
    if not fits:
        interval = f"{'[' if include_low else '('}{low}, {high}"
        interval += "]" if include_high else ")"
        raise InvalidInputError(
            f"{name} must be a number in {interval}. Got {value!r} instead."
        )
    return float(value)


def check_flag(value: Any, name: str) -> bool:
    """Return ``value`` if it is True or False, NumPy's too.

    Raises
    ------
    InvalidInputError
        If it is not.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name} must be True or False. Got {value!r} instead.")
    return bool(value)


def check_option(value: Any, name: str, options: Collection[str]) -> str:
    """Return ``value`` if it is one of the strings ``options``.

    Raises
    ------
    InvalidInputError
        If it is not.
    """
    if not isinstance(value, str) or value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise InvalidInputError(
            f"{name} must be one of {listed}. Got {value!r} instead."
        )
    return value


def check_n(n: Any, n_candidates: int, subsample: object = None) -> int:
    """Return the number of rows asked for as an int in ``[1, n_candidates]``.

    ``subsample``, where given, is what left so few candidates.

    Raises
    ------
    InvalidInputError
        If there are no candidates, or ``n`` is no int in the range.
    """
    if n_candidates == 0:
        raise InvalidInputError(
            "The pool has no candidates (0 rows): there is nothing to choose from."
        )
    n = check_integer(n, "n", low=1)
    if n > n_candidates and subsample is not None:
        raise InvalidInputError(
            f"n must be at most the number of candidates that subsample={subsample!r} "
            f"leaves, {n_candidates}. Got {n} instead: ask for fewer rows or raise "
            "subsample."
        )
    if n > n_candidates:
        raise InvalidInputError(
            f"n must be at most the number of candidates, {n_candidates}. Got {n} "
            "instead: ask for fewer rows or give a larger pool."
        )
    return n


def _range(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f" in [{low}, {high}]"
    if low is not None:
        return f" of at least {low}"
    return "" if high is None else f" of at most {high}"

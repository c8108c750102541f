"""Read a pickle that holds nothing but numbers, texts and arrays, without running it.

CIFAR's original files are pickles. Unpickling runs what a file says; this reader knows
the dozen instructions that plain values and arrays take, builds the arrays itself from
their bytes, and refuses everything else. Nothing is imported or called by name.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from skbadge.exceptions import DataUnavailableError

__all__ = ["read_plain_pickle"]

_MARK = object()
_MAKES_ARRAY = {
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
}
# How Python 3 writes bytes for Python 2.
_MAKES_BYTES = "_codecs encode"
_CALLED = _MAKES_ARRAY | {"numpy dtype", _MAKES_BYTES}
_ALLOWED = _CALLED | {"numpy ndarray"}
_VALUES = {
    "BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE",
    "BINBYTES", "SHORT_BINBYTES", "INT", "STRING", "UNICODE", "LONG", "LONG1",
    "BINFLOAT",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_IGNORED = {"PROTO", "STOP", "FRAME"}
# Types of numbers, as "u1" or "f8": whatever else NumPy understands is not needed.
_NUMBERS = re.compile(r"[?biufc]\d{0,2}")
# CIFAR's files are a mapping with lists in it; deeper ones are made to harm.
_DEEPEST = 8


class _Made:
    """What an allowed call returned, before and after its state is known."""

    def __init__(self, name: str, arguments: Any) -> None:
        self.name, self.arguments = name, arguments
        self.state: Any = None

    def value(self) -> Any:
        if self.name == "numpy dtype":
            kind = self.arguments[0]
            if not isinstance(kind, str) or not _NUMBERS.fullmatch(kind):
                raise ValueError("an array of something else than numbers")
            order: Any = self.state[1] if self.state else "="
            return np.dtype(kind).newbyteorder(order)
        _, shape, dtype, in_columns, data = self.state
        if not isinstance(dtype, _Made) or dtype.name != "numpy dtype":
            raise ValueError("an array without a type")
        if not all(isinstance(length, int) for length in shape):
            raise ValueError("an array without a shape")
        data = data.encode("latin-1") if isinstance(data, str) else data
        array = np.frombuffer(data, dtype=dtype.value())
        return array.reshape(shape, order="F" if in_columns else "C")


def read_plain_pickle(path: Path) -> Any:
    """Return the value of a pickle of plain values and numeric arrays.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict, list, str, number or ndarray
        Texts of Python 2 as latin-1.

    Raises
    ------
    DataUnavailableError
        If the file holds anything else, is nested deeper than eight containers, as
        one that holds itself is, or is damaged.
    """
    try:
        return _final(_run(path.read_bytes()), {})
    except OSError as error:
        raise DataUnavailableError(f"{path} cannot be read: {error}.") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise DataUnavailableError(
            f"{path} must hold arrays of numbers and plain values, as CIFAR's original "
            f"files do. Got something else ({error}): it was not read."
        ) from error


def _run(content: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "GLOBAL":
            if argument not in _ALLOWED:
                raise ValueError(f"it names {str(argument).replace(' ', '.')}")
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name not in _IGNORED:
            _combine(name, stack)
    (value,) = stack
    return value


def _combine(name: str, stack: list[Any]) -> None:
    """Carry out an instruction that takes values from the stack."""
    if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        count = int(name[-1])
        stack[-count:] = [tuple(stack[-count:])]
    elif name in ("TUPLE", "LIST", "APPENDS", "SETITEMS", "DICT"):
        start = len(stack) - 1 - stack[::-1].index(_MARK)
        items = stack[start + 1 :]
        del stack[start:]
        if name == "APPENDS":
            stack[-1].extend(items)
        elif name == "SETITEMS":
            stack[-1].update(_pairs(items))
        elif name == "DICT":
            stack.append(_pairs(items))
        else:
            stack.append(tuple(items) if name == "TUPLE" else items)
    elif name == "APPEND":
        item = stack.pop()
        stack[-1].append(item)
    elif name == "SETITEM":
        item = stack[-2:]
        del stack[-2:]
        stack[-1].update(_pairs(item))
    elif name == "REDUCE":
        function, arguments = stack[-2:]
        if not isinstance(function, str) or function not in _CALLED:
            raise ValueError("it calls what makes no array")
        is_text = function == _MAKES_BYTES
        made = arguments[0].encode("latin-1") if is_text else None
        stack[-2:] = [made if is_text else _Made(function, arguments)]
    elif name == "BUILD":
        state = stack.pop()
        stack[-1].state = state
    else:
        raise ValueError(f"it has the instruction {name}")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """Return keys and values that take turns as a dict.

    The keys are texts: a tuple would be hashed, however deep it is nested.
    """
    if not all(isinstance(key, (str, bytes)) for key in items[::2]):
        raise ValueError("a key that is no text")
    return dict(zip(items[::2], items[1::2], strict=True))


def _final(value: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """Return a value with its arrays made; ``done`` has the parts that are, by id.

    What stands in many places is made once, so that the cost is that of the file's
    length. What holds itself is deeper than any bound.
    """
    if not isinstance(value, (_Made, dict, list, tuple)):
        return value
    if id(value) in done:
        return done[id(value)]
    if depth == _DEEPEST:
        raise ValueError(f"more than {_DEEPEST} containers in each other, or a circle")
    if isinstance(value, _Made):
        made = value.value()
    elif isinstance(value, dict):
        made = {key: _final(part, done, depth + 1) for key, part in value.items()}
    else:
        made = type(value)(_final(part, done, depth + 1) for part in value)
    done[id(value)] = made
    return made

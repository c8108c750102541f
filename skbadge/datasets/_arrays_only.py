"""Read a pickle that holds nothing but numbers, texts and arrays, without running it.

CIFAR's original files are pickles. Unpickling runs what a file says; this reader knows
the dozen instructions that plain values and arrays take, builds the arrays itself from
their bytes, and refuses everything else. Nothing is imported or called by name.
"""

from __future__ import annotations

import pickletools

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
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_IGNORED = {"PROTO", "STOP", "FRAME"}


class _Made:
    """What an allowed call returned, before and after its state is known."""

    def __init__(self, name, arguments):
        self.name, self.arguments, self.state = name, arguments, None

    def value(self):
        if self.name == "numpy dtype":
            order = self.state[1] if self.state else "="
            return np.dtype(self.arguments[0]).newbyteorder(order)
        _, shape, dtype, in_columns, data = self.state
        dtype = dtype.value()
        if dtype.hasobject:
            raise ValueError("an array of objects")
        data = data.encode("latin-1") if isinstance(data, str) else data
        array = np.frombuffer(data, dtype=dtype)
        return array.reshape(shape, order="F" if in_columns else "C")


def read_plain_pickle(path):
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
        If the file holds anything else, or is damaged.
    """
    try:
        return _final(_run(path.read_bytes()))
    except OSError as error:
        raise DataUnavailableError(f"{path} cannot be read: {error}.") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise DataUnavailableError(
            f"{path} must hold arrays of numbers and plain values, as CIFAR's original "
            f"files do. Got something else ({error}): it was not read."
        ) from error


def _run(content):
    stack, memo = [], {}
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
                raise ValueError(f"it names {argument.replace(' ', '.')}")
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name not in _IGNORED:
            _combine(name, stack)
    (value,) = stack
    return value


def _combine(name, stack):
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
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "DICT":
            stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        else:
            stack.append(tuple(items) if name == "TUPLE" else items)
    elif name == "APPEND":
        item = stack.pop()
        stack[-1].append(item)
    elif name == "SETITEM":
        key, value = stack[-2:]
        del stack[-2:]
        stack[-1][key] = value
    elif name == "REDUCE":
        function, arguments = stack[-2:]
        if function not in _CALLED:
            raise ValueError(f"it calls {function!r}")
        is_text = function == _MAKES_BYTES
        made = arguments[0].encode("latin-1") if is_text else None
        stack[-2:] = [made if is_text else _Made(function, arguments)]
    elif name == "BUILD":
        state = stack.pop()
        stack[-1].state = state
    else:
        raise ValueError(f"it has the instruction {name}")


def _final(value):
    if isinstance(value, _Made):
        return value.value()
    if isinstance(value, dict):
        return {key: _final(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_final(part) for part in value)
    return value

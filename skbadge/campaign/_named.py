"""Objects that the command line names: a learner, a criterion, a strategy."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
from types import ModuleType
from typing import Any, TypeVar

from skbadge.exceptions import InvalidInputError

__all__ = ["imported", "named"]

_Base = TypeVar("_Base")


def imported(reference: str, option: str) -> Any:
    """Return what ``module:function`` makes, of a module beside the user's files.

    Parameters
    ----------
    reference : str
        The function takes no argument.
    option : str
        Of the command line, for messages.

    Raises
    ------
    InvalidInputError
        If there is none such.
    """
    module, _, function = reference.partition(":")
    # Also for the installed command.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInputError(
            f"{option} {reference!r} cannot be found: {error}. It must be "
            "module:function, the module in this folder or installed."
        ) from error
    if not callable(make):
        raise InvalidInputError(
            f"{option} must name a function. Got {reference!r} instead, a "
            f"{type(make).__name__}."
        )
    try:
        inspect.signature(make).bind()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{option} must name a function without arguments. Got {reference!r} "
            f"instead: {error}."
        ) from error
    return make()


def named(
    text: str | None, option: str, known: ModuleType, base: type[_Base]
) -> _Base | None:
    """Return the object that an expression of the command line means.

    Nothing is evaluated but names of ``known``, calls of them with plain values or with
    each other, and ``|`` and ``&`` between them; or ``module:function`` is imported.

    Parameters
    ----------
    text : str or None
        As ``LabelBudget(2000) | StablePredictions``; a class alone is called.
    option : str
        Of the command line, for messages.
    known : module
        Whose public classes have a name here, as far as they are of ``base``.
    base : type
        What it must be.

    Returns
    -------
    object
        None where nothing is named.

    Raises
    ------
    InvalidInputError
        If it is none of these.
    """
    if text is None:
        return None
    if ":" in text.partition("(")[0]:
        found = imported(text, option)
    else:
        found = _evaluated(text, option, known, base)
    if not isinstance(found, base):
        raise InvalidInputError(
            f"{option} must give a {base.__name__}. Got a {type(found).__name__} from "
            f"{text!r} instead."
        )
    return found


def _evaluated(text: str, option: str, known: ModuleType, base: type) -> Any:
    public = {name: getattr(known, name) for name in known.__all__}
    classes = {
        name: found
        for name, found in public.items()
        if isinstance(found, type) and issubclass(found, base) and found is not base
    }
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, classes)
    except (SyntaxError, ValueError, TypeError, RecursionError) as error:
        names = ", ".join(sorted(classes))
        raise InvalidInputError(
            f"{option} must be module:function, or made of {names}, with plain "
            f"arguments, as Name(option=1). Got {text!r} instead: {error}."
        ) from error


def _value(node: ast.expr, classes: dict[str, type]) -> Any:
    if isinstance(node, ast.Name):
        return _class(node, classes)()
    if isinstance(node, ast.Call):
        arguments = [_value(argument, classes) for argument in node.args]
        options: dict[Any, Any] = {
            word.arg: _value(word.value, classes) for word in node.keywords
        }
        return _class(node.func, classes)(*arguments, **options)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd)):
        left, right = _value(node.left, classes), _value(node.right, classes)
        return left | right if isinstance(node.op, ast.BitOr) else left & right
    return ast.literal_eval(node)


def _class(node: ast.expr, classes: dict[str, type]) -> type:
    name = getattr(node, "id", None)
    if name not in classes:
        raise ValueError(f"{ast.unparse(node)} is none of them")
    return classes[name]

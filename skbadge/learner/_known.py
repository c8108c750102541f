"""Attributes of a learner that are there once it has learned what they tell."""

from __future__ import annotations

from typing import Any

__all__ = ["Known"]


class Known:
    """An attribute of a learner that is there once its state has it.

    Parameters
    ----------
    path : str
        Where it stands in the state, with dots.
    doc : str
        What it is.
    after : str, default="fit(X, y)"
        The call that brings it, for the message.
    """

    def __init__(self, path: str, doc: str, after: str = "fit(X, y)") -> None:
        self.path = path.split(".")
        self.after = after
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, learner: Any, owner: Any = None) -> Any:
        if learner is None:
            return self
        value = vars(learner).get("_state", owner._state)
        for part in self.path:
            value = getattr(value, part)
            if value is None:
                # An AttributeError, so that hasattr() tells whether it is there.
                raise AttributeError(f"{self.name} is there after {self.after}.")
        return value

    def __set__(self, learner: Any, value: Any) -> None:
        raise AttributeError(f"{self.name} is read-only: fit and teach set it.")

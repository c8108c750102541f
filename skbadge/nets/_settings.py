"""Settings of a net that it cannot be made with, said before anything is trained.

skorch takes ``module__...``, ``optimizer__...`` and their like as they are, and hands
them on when the part is made: a typo is then an error of the part, or none at all.
"""

from __future__ import annotations

import difflib
import fnmatch
import inspect
import re
import reprlib
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.utils import to_device
from torch import nn
from torch.utils.data import DataLoader

from skbadge.exceptions import InvalidInputError

__all__ = [
    "changing",
    "check_nonlinearity",
    "check_settings",
    "checked_batch_size",
    "of_settings",
]

# Where skorch makes a part of a net.
_MADE_IN = {
    "initialize_module": "module",
    "initialize_criterion": "criterion",
    "initialize_optimizer": "optimizer",
    "get_dataset": "dataset",
}
# Where settings are changed.
_SETTERS = ("set_params", "_set_params_callback")
# What a part is given beside its settings.
_NO_SETTINGS = {"self", "params", "X", "y", "dataset"}
# What skorch puts behind the names of several callbacks of a class.
_NUMBERED = re.compile(r"_\d+$")
_UNKNOWN = re.compile(
    r"(?:(\w+)\.)?\w+\(\) got an unexpected keyword argument '(\w+)'|"
    r"Invalid parameter '(\w+)' for"
)
_MISSING = re.compile(r"missing \d+ required [\w-]+(?: \w+)? arguments?: '(\w+)'")


def check_settings(net: Any) -> None:
    """Refuse settings of a net that are wrong whatever its parts are.

    Parameters
    ----------
    net : skorch net
        Initialized, so that the names of its callbacks are known.

    Raises
    ------
    InvalidInputError
        With the setting's name, what it must be, and what it is.
    """
    epochs = net.max_epochs
    _refuse("max_epochs", epochs, "a whole number", isinstance(epochs, Integral))
    for part in ("iterator_train", "iterator_valid"):
        checked_batch_size(net, part)
    split = net.train_split
    expected = "None or a function, such as skorch.dataset.ValidSplit(5)"
    _refuse("train_split", split, expected, not split or callable(split))
    check_nonlinearity(net)
    _check_callbacks(net)
    _check_groups(net)


def _refuse(name: str, value: Any, expected: str, right: bool) -> None:
    if not right:
        raise InvalidInputError(
            f"{name} of the net must be {expected}. Got {reprlib.repr(value)} instead."
        )


def check_nonlinearity(net: Any) -> None:
    """Refuse what skorch cannot make probabilities with.

    Raises
    ------
    InvalidInputError
        As `check_settings`.
    """
    made = net.predict_nonlinearity
    right = callable(made) or made is None or made == "auto"
    _refuse("predict_nonlinearity", made, '"auto", None or a function', right)


def checked_batch_size(net: Any, part: str) -> Any:
    """Return the batch size of a net's loader.

    Parameters
    ----------
    net : skorch net
    part : {"iterator_train", "iterator_valid"}

    Returns
    -------
    int or None
        Above 0, or -1 for all rows at once; None where a loader for trainings takes the
        items of a data set for batches.

    Raises
    ------
    InvalidInputError
        As `check_settings`.
    """
    name, size = "batch_size", net.batch_size
    if "batch_size" in (given := net.get_params_for(part)):
        name, size = f"{part}__batch_size", given["batch_size"]
    if size is None and name == "iterator_train__batch_size":
        return None
    loader = getattr(net, part)
    # torch's own takes Python's numbers alone, and no NumPy number of a grid search.
    is_torchs = isinstance(loader, type) and issubclass(loader, DataLoader)
    right = type(size) is int if is_torchs else isinstance(size, Integral)
    expected = "an int above 0, or -1 for all rows at once"
    _refuse(name, size, expected, right and (size > 0 or size == -1))
    return size


def _check_callbacks(net: Any) -> None:
    """Refuse settings of callbacks that there are not, which skorch passes over."""
    if net.callbacks == "disable":
        return
    known = {name for name, _ in [*net.get_default_callbacks(), *net.callbacks_]}
    # One that is switched off, callbacks__name=None, is not among them.
    known |= {_usual_name(callback) for callback in net.callbacks or ()}
    for setting in net.get_params_for("callbacks"):
        name = setting.partition("__")[0]
        if not {name, _NUMBERED.sub("", name)} & known:
            raise _no_callback(setting, known)


def _no_callback(setting: str, known: Collection[str]) -> InvalidInputError:
    name = setting.partition("__")[0]
    return InvalidInputError(
        f"callbacks__{setting} of the net is for a callback {name!r}, which it does "
        f"not have. {_instead(name, known, 'callbacks__')}"
    )


def _usual_name(callback: Any) -> str:
    """Return the name of a callback as it is given: its own, or that of its class."""
    if isinstance(callback, (tuple, list)):
        return callback[0]
    return (callback if isinstance(callback, type) else type(callback)).__name__


def _check_groups(net: Any) -> None:
    """Refuse groups of weights that hold none, and settings that are misspelled."""
    weights = [name for name, _ in net.get_all_learnable_params()]
    usual = getattr(getattr(net, "optimizer_", None), "defaults", {})
    for pattern, group in net.get_params_for("optimizer").get("param_groups", ()):
        if not fnmatch.filter(weights, pattern):
            raise InvalidInputError(
                f"optimizer__param_groups of the net has a group {pattern!r}, and no "
                f"weight has such a name. There are {reprlib.repr(weights)}."
            )
        for name in set(group) - set(usual):
            # An optimizer may read more than it has a default for.
            if difflib.get_close_matches(name, usual, n=1):
                raise InvalidInputError(
                    f"optimizer__param_groups of the net has {name!r} in the group "
                    f"{pattern!r}. {_instead(name, usual, '')}"
                )


@contextmanager
def changing(net: Any) -> Iterator[None]:
    """Say in words why a net does not take a setting.

    Parameters
    ----------
    net : skorch net
        Whose settings are changed inside.

    Raises
    ------
    InvalidInputError
        From the error that was met.
    """
    try:
        yield
    except Exception as error:
        problem = of_settings(error, str(error), net)
        if problem is None:
            raise
        raise problem from error


def of_settings(error: Exception, text: str, net: Any) -> Exception | None:
    """Explain a part of a net that could not be made of its settings, or return None.

    Parameters
    ----------
    error : Exception
        That was met.
    text : str
        Its words.
    net : skorch net
        Whose it is.

    Returns
    -------
    InvalidInputError or None
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    text = f"{type(error).__name__}: {text}"
    if any(frame.f_code is to_device.__code__ for frame in frames):
        return InvalidInputError(
            f"The net's device {net.device!r} cannot be used here ({text}). Set "
            'device="cpu" on the net, or another one that there is.'
        )
    found, callback = None, None
    for frame in reversed(frames):
        owner = frame.f_locals.get("self")
        if isinstance(owner, NeuralNet):
            method = frame.f_code.co_name
            found = found or _of_net(method, owner, frame.f_locals, text)
        elif isinstance(owner, Callback):
            callback = callback or owner
    if found is None and type(callback).__module__.startswith("skorch."):
        found = _of_callback(_name_of(callback, net), callback, text)
    return found


def _of_net(
    method: str, net: Any, given: Mapping[str, Any], text: str
) -> InvalidInputError | None:
    """Explain an error in a method in which a net makes its parts, or changes them."""
    if method in _SETTERS:
        return _of_change(net, given, text)
    if method in ("_validate_params", "_uniquely_named_callbacks"):
        return InvalidInputError(f"The net does not take its settings ({text}).")
    if method == "initialize_callbacks":
        return _of_callback(given.get("name"), given.get("cb"), text)
    part = _MADE_IN.get(method)
    if method == "get_iterator":
        part = "iterator_train" if given.get("training") else "iterator_valid"
    # A data set without settings does not like its rows.
    if part is None or (part == "dataset" and not net.get_params_for(part)):
        return None
    return _of_part(part, net, text)


def _of_change(net: Any, given: Mapping[str, Any], text: str) -> InvalidInputError:
    """Explain a setting that cannot be changed; `given` is what the setter knew."""
    if "cb_params" not in given and str(given.get("key")).startswith("callbacks__"):
        setting, callbacks = given["key"].removeprefix("callbacks__"), net.callbacks_
        name, _, of_callback = setting.partition("__")
        if of_callback and name in dict(callbacks):
            return _of_callback(name, dict(callbacks)[name], text)
        return _no_callback(setting, dict(callbacks))
    if unknown := _UNKNOWN.search(text):
        name, known = unknown[2] or unknown[3], net.get_params(deep=False)
        known = [other for other in known if not other.startswith("_")]
        return InvalidInputError(
            f"The net has no setting {name!r}. {_instead(name, known, '')}"
        )
    if "component_names" in given:
        names = ", ".join(given["special_params"])
        return InvalidInputError(
            f"skorch does not change {names} of a net that is initialized ({text}). "
            "Set batch_size, or give the settings of loaders and data sets where the "
            "net is made."
        )
    return InvalidInputError(f"The net does not take its settings ({text}).")


def _of_part(part: str, net: Any, text: str) -> InvalidInputError:
    kind = getattr(net, part)
    kind = getattr(kind, "func", kind)
    if isinstance(kind, nn.Module):
        kind = type(kind)
    if not callable(kind):
        return InvalidInputError(
            f"{part} of the net must be a class (as torch.optim.SGD, without "
            f"brackets), with its settings as {part}__... of the net. Got "
            f"{reprlib.repr(kind)} instead ({text})."
        )
    settings = {f"{part}__{k}": v for k, v in net.get_params_for(part).items()}
    if part == "optimizer":
        settings = {"lr": net.lr, **settings}
    elif part.startswith("iterator"):
        settings = {"batch_size": net.batch_size, **settings}
    found = ", ".join(f"{k}={reprlib.repr(v)}" for k, v in settings.items())
    return InvalidInputError(
        f"The net's {part} cannot be made, {_name(kind)} with "
        f"{found or 'no settings'} ({text}). {_advice(text, kind, f'{part}__')}"
    )


def _of_callback(name: str | None, callback: Any, text: str) -> InvalidInputError:
    kind = callback if isinstance(callback, type) else type(callback)
    if not issubclass(kind, Callback) and not hasattr(kind, "on_train_begin"):
        return InvalidInputError(
            "callbacks of the net must be a list of callbacks (of skorch.callbacks), "
            f"or of pairs (name, callback). Got {reprlib.repr(callback)} among them "
            f"({text})."
        )
    prefix = f"callbacks__{name}__"
    shown = kind.__name__
    if not isinstance(callback, type):
        shown = f"{shown}({_changed(callback)})"
    return InvalidInputError(
        f"The net's callback {name}, {shown}, cannot be used ({text}). "
        f"{_advice(text, kind, prefix)}"
    )


def _changed(callback: Any) -> str:
    """List the settings of a callback that are not its defaults."""
    usual = inspect.signature(type(callback)).parameters
    settings = {**callback.get_params(deep=False), **getattr(callback, "kwargs", {})}
    return ", ".join(
        f"{name}={reprlib.repr(value)}"
        for name, value in settings.items()
        if name not in usual or usual[name].default is not value
    )


def _name_of(callback: Any, net: Any) -> str:
    pairs = getattr(net, "callbacks_", ())
    names = [name for name, other in pairs if other is callback]
    return names[0] if names else type(callback).__name__


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", type(kind).__name__)


def _advice(text: str, kind: Any, prefix: str) -> str:
    """Say which setting to take instead of one that is not known."""
    unknown, missing = _UNKNOWN.search(text), _MISSING.search(text)
    names = {
        None,
        _name(kind),
        *(base.__name__ for base in getattr(kind, "mro", list)()),
    }
    if unknown and unknown[1] in names:
        return _instead(unknown[2] or unknown[3], _settings_of(kind), prefix)
    if missing:
        return f"Set {prefix}{missing[1]}."
    return f"Look at {prefix}... of the net."


def _settings_of(kind: Any) -> list[str]:
    """Return the names that a class or function takes; none where it does not say."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return []
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [p.name for p in parameters if p.kind not in starred]
    return [name for name in names if name not in _NO_SETTINGS]


def _instead(name: str, known: Collection[str], prefix: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {prefix}{near[0]}?"
    if not known:
        return f"Leave {prefix}{name} out."
    return f"There are {', '.join(f'{prefix}{other}' for other in sorted(known))}."

"""Labels, and the classes that a net's columns stand for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils import column_or_1d

from skbadge.exceptions import InvalidInputError
from skbadge.nets._estimators import is_binary
from skbadge.nets._labels import class_names, labels_of
from skbadge.utils._rows import n_rows, stacking_hint

__all__ = [
    "GIVEN",
    "check_labels",
    "distinct",
    "encode",
    "given_classes",
    "in_order",
    "listed",
    "may_be_columns",
    "resolve_classes",
    "too_narrow",
    "unclear_columns",
]

# Where classes may be given, for messages. Not every wrapper of a net takes them.
GIVEN = "classes=[...] of the ActiveLearner or of the net"
_FIRST_INEXACT = 2.0**53
# What NumPy and pandas make of a missing label among texts.
_MISSING_AS_TEXT = ("nan", "<NA>", "NaT")


def given_classes(classes: Any, net: Any) -> Any:
    """Return the classes given to a learner, else those given to its net, or None."""
    return classes if classes is not None else getattr(net, "classes", None)


def check_labels(y: Any, X: Any, rows: str = "X") -> np.ndarray:
    """Return labels as an array of shape (n_rows,).

    Parameters
    ----------
    y : array-like or None
        Labels of any type: strings, numbers, tensors, pandas columns. None takes those
        that a data set holds beside its rows.
    X : rows
        What they belong to.
    rows : str, default="X"
        What messages call it.

    Returns
    -------
    ndarray of shape (n_rows,)

    Raises
    ------
    InvalidInputError
        If they are continuous, missing, or not one for each row of ``X``.

    Warns
    -----
    UserWarning
        If one is the text that a missing label becomes.
    """
    if y is None:
        # A data set may hold them.
        y = labels_of(X)
    if y is None:
        raise InvalidInputError(
            f"y must hold one label for each row of {rows}. Got None: this estimator "
            "requires y to be passed, but the target y is None."
        )
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        first = int(np.ravel(np.ma.getmaskarray(y)).argmax())
        raise InvalidInputError(
            "y must not be masked: what is below a mask is no label. Got one at "
            f"position {first}: leave such rows out."
        )
    y = _to_array(y)
    if len(y) != n_rows(X):
        raise InvalidInputError(
            f"{rows} and y must have the same number of rows. Got {n_rows(X)} rows of "
            f"{rows} and {len(y)} labels instead.{stacking_hint(X)}"
        )
    if len(y) == 0:
        raise InvalidInputError("y must hold at least one label. Got none.")
    missing = pd.isna(y)
    if missing.any():
        raise InvalidInputError(
            "y must not hold missing labels (NaN or None). Got one at position "
            f"{int(np.flatnonzero(missing)[0])}: leave such rows out."
        )
    empty = _are_blank(y)
    if empty.any():
        raise InvalidInputError(
            "y must not hold empty texts, which may stand for missing labels. Got one "
            f"at position {int(np.flatnonzero(empty)[0])}: leave such rows out, or "
            "give the class a name."
        )
    texts = set(y.tolist()) if y.dtype.kind in "UO" else set()
    for text in _MISSING_AS_TEXT:
        if text in texts:
            warnings.warn(
                f"y holds the class {text!r}, a text. Where missing labels were made "
                "texts (by np.array of a list, or by astype(str)), leave such rows out "
                "before.",
                UserWarning,
                stacklevel=3,
            )
    if y.dtype == object:
        # Numbers in a column of objects (pandas' nullable types) are numbers.
        y = pd.Series(y).infer_objects().to_numpy()
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise InvalidInputError(
            "y must hold class labels. Input y contains infinity: leave such rows out."
        )
    if y.dtype.kind == "f" and not (y == np.floor(y)).all():
        raise InvalidInputError(
            "y must hold class labels. Got numbers with fractions instead. Unknown "
            "label type: continuous: bin them, or give class names."
        )
    _check_exact(y, "y")
    return y


def _are_blank(y: np.ndarray) -> np.ndarray:
    """Mark texts of nothing, or of white space alone."""
    if y.dtype.kind == "U":
        return np.char.strip(y) == ""
    if y.dtype != object:
        return np.zeros(len(y), dtype=bool)
    return np.array([isinstance(label, str) and not label.strip() for label in y])


def _check_exact(labels: np.ndarray, name: str) -> None:
    """Refuse whole numbers that a float cannot tell from their neighbors."""
    if labels.dtype.kind == "f" and (np.abs(labels) >= _FIRST_INEXACT).any():
        raise InvalidInputError(
            f"{name} must not hold numbers of 2**53 and above as floats, which cannot "
            "tell them from their neighbors. Give integers, or texts."
        )


def _to_array(y: Any) -> np.ndarray:
    if isinstance(y, torch.Tensor):
        y = y.detach().cpu()
        y = (y.float() if y.dtype == torch.bfloat16 else y).numpy()
    elif isinstance(y, (pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        # Nullable integers would become floats on the way, and booleans too.
        y = np.asarray(y, dtype=object if _is_extension(y) else None)
    elif isinstance(y, (list, tuple)) and any(isinstance(v, str) for v in y):
        # NumPy would make the word "nan" of a missing label, and "1" of the number 1.
        found = np.empty(len(y), dtype=object)
        found[:] = y
        y = np.array(y) if all(isinstance(v, str) for v in y) else found
    elif isinstance(y, (list, tuple)) and all(type(v) is int for v in y):
        # Beyond 64 bits, or of both signs with the last of them: no floats.
        found = np.asarray(y)
        y = found if found.dtype.kind in "iu" else np.array(y, dtype=object)
    try:
        # A shallow check of the shape: a column vector becomes flat, with a warning.
        found = np.array(column_or_1d(y, warn=True))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"y must be a 1-D array of labels, one for each row. Got {_shape_of(y)} "
            f"instead: {str(error).partition(chr(10))[0]}"
        ) from error
    # pandas looks up no half numbers.
    return found.astype(np.float32) if found.dtype == np.float16 else found


def _is_extension(y: Any) -> bool:
    return not isinstance(y.dtype, np.dtype)


def _shape_of(y: Any) -> str:
    shape = getattr(y, "shape", None)
    return f"the shape {tuple(shape)}" if shape is not None else type(y).__name__


def resolve_classes(
    y: np.ndarray, given: Any, net: Any, width: int | None, *, X: Any = None
) -> np.ndarray:
    """Settle which class belongs to which column of the net's output.

    Parameters
    ----------
    y : ndarray of shape (n,)
        The labels there are; some classes may be missing.
    given : array-like or None
        The learner's parameter ``classes``.
    net : skorch net
        Its own parameter ``classes`` comes second.
    width : int or None
        Number of classes the net answers; None where that is not known yet.
    X : rows or None, default=None
        Where the names of all classes may be found: ``classes`` of a data set of
        torchvision, ``features`` of a Hugging Face one. They come third, with
        ``id2label`` of a module's ``config``: as they are where the labels are names,
        as their numbers where the labels are numbers.

    Returns
    -------
    ndarray of shape (n_classes,)
        In the order of the columns.

    Raises
    ------
    InvalidInputError
        If a class is repeated, a label is none of them, or the numbers do not match.
    """
    source = given_classes(given, net)
    if source is not None:
        name = "classes" if given is not None else "the net's classes"
        classes = _check_classes(source, name)
    elif (named := _named_classes(y, class_names(X, net))) is not None:
        classes = named
    else:
        classes = distinct(y)
        known = width or 0
        if len(classes) < known and _are_integers(classes) and classes.max() < known:
            classes = np.arange(known)
    encode(y, classes)
    if is_binary(net) and len(classes) > 2:
        width = 2
    if width is None:
        return classes
    if width < len(classes) and source is None and not is_binary(net):
        raise too_narrow(width, len(classes))
    if width != len(classes):
        raise InvalidInputError(
            f"The net answers {width} classes, but there are {len(classes)} classes "
            f"({listed(classes)}). Give all classes, in the order of the net's "
            f"columns, with {GIVEN}, or change the width of the last layer."
        )
    return classes


def _named_classes(y: np.ndarray, names: list[str] | None) -> np.ndarray | None:
    """Return all classes where labels are names that are known, or their numbers."""
    if names is None or len(set(names)) != len(names):
        return None
    if y.dtype.kind in "iu":
        return np.arange(len(names)) if 0 <= y.min() and y.max() < len(names) else None
    return np.asarray(names) if set(y.tolist()) <= set(names) else None


def too_narrow(width: int, n_classes: int) -> InvalidInputError:
    """Return the error of a net that has fewer columns than the labels need."""
    return InvalidInputError(
        f"The net answers {width} classes, but the labels need at least {n_classes}. "
        "Change the width of the last layer, or give the classes in the order of its "
        f"columns with {GIVEN}."
    )


def unclear_columns(classes: np.ndarray, width: int) -> InvalidInputError:
    """Return the error of integers that turn out to be numbers of columns too late."""
    return InvalidInputError(
        f"The net is {width} columns wide, which was not to be seen before its "
        f"training began, and the labels are the integers {listed(classes)}: are they "
        f"names of {len(classes)} classes, or numbers of columns? Give all classes, in "
        f"the order of the net's columns, with {GIVEN}."
    )


def may_be_columns(classes: np.ndarray) -> bool:
    """Say whether labels may be numbers of columns, of which some have no label yet.

    Whether they are is for the width of the net to say.
    """
    return _are_integers(classes) and classes.max() >= len(classes)


def _are_integers(classes: np.ndarray) -> bool:
    return classes.dtype.kind in "iu" and classes.min() >= 0


def _check_classes(source: Any, name: str) -> np.ndarray:
    classes = _to_array(source)
    if len(classes) == 0:
        raise InvalidInputError(f"{name} must list at least one class. Got none.")
    if pd.isna(classes).any():
        raise InvalidInputError(
            f"{name} must not hold missing values (NaN or None). Got "
            f"{listed(classes)} instead."
        )
    _check_exact(classes, name)
    repeated = classes[pd.Index(classes).duplicated()]
    if len(repeated):
        raise InvalidInputError(
            f"{name} must list each class once. Got {listed(pd.unique(repeated))} more "
            "than once."
        )
    return classes


def distinct(y: np.ndarray) -> np.ndarray:
    """Return the labels there are, each once and sorted.

    Raises
    ------
    InvalidInputError
        If they are of several types.
    """
    try:
        return np.unique(y)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in y})
        raise InvalidInputError(
            "y must hold labels of one type, so that they can be sorted into classes. "
            f"Got the types {kinds} instead: convert them, or give their order with "
            f"{GIVEN}."
        ) from error


def in_order(classes: np.ndarray) -> np.ndarray:
    """Return classes sorted, as scikit-learn's scorers take for granted.

    Those that cannot be sorted (of several types) stay in their order.
    """
    try:
        return np.sort(classes)
    except TypeError:
        return classes


def encode(y: Any, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label in ``classes``.

    Raises
    ------
    InvalidInputError
        If a label is not among them.
    """
    positions = pd.Index(classes).get_indexer(pd.Index(y))
    unknown = positions < 0
    if unknown.any():
        raise InvalidInputError(
            f"y must hold known classes ({listed(classes)}). Got "
            f"{listed(pd.unique(y[unknown]))} instead: correct the labels, or give all "
            f"classes with {GIVEN} and fit again.{_encoded_elsewhere(y, classes)}"
        )
    return positions


def _encoded_elsewhere(y: np.ndarray, classes: np.ndarray) -> str:
    """Return a hint for names that came as the numbers of names, else nothing."""
    encoded = y.dtype.kind in "iu" and 0 <= y.min() and y.max() < len(classes)
    if not encoded or classes.dtype.kind in "iufb":
        return ""
    return (
        " Where these are numbers of classes, as most data sets hold, teach names, "
        "np.asarray(classes)[y], or leave classes away; so too in VotingClassifier and "
        "StackingClassifier, which hand on the numbers 0, 1, ... in the place of names."
    )


def listed(values: Any, most: int = 10) -> str:
    """Write out the first values of an array, for a message."""
    shown = ", ".join(repr(value) for value in np.asarray(values).tolist()[:most])
    return shown + (", ..." if len(values) > most else "")

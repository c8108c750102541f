"""Labels, and names of classes, that data sets and modules carry with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from skbadge.exceptions import InvalidInputError
from skbadge.utils._kinds import is_hub_dataset
from skbadge.utils._rows import is_dataset
from skbadge.utils._torch import preserved_generators

__all__ = ["class_names", "labels_of", "without_labels"]

# Names under which data sets keep the labels of all rows, and tables the column.
_ATTRIBUTES = ("targets", "labels")
_COLUMNS = ("label", "labels")


def labels_of(X: Any) -> np.ndarray | None:
    """Return the labels that a data set holds beside its rows.

    Parameters
    ----------
    X : torch Dataset or datasets.Dataset
        A torch ``Dataset`` is asked for ``targets`` or ``labels``, as torchvision's
        have them; where there are none, or they are not what its items say, each row
        is read once. Of a Hugging Face ``datasets.Dataset`` it is the column of a
        ``ClassLabel``, else the one named ``label`` or ``labels``.

    Returns
    -------
    y : ndarray of shape (n_rows,), or None
        None where ``X`` is no data set.

    Raises
    ------
    InvalidInputError
        If a Hugging Face data set has no column of labels.
    """
    if is_hub_dataset(X):
        name = label_column(X)
        if name is not None:
            return np.asarray(X[name][:])
        raise InvalidInputError(
            f"y=None takes the labels of the data set, but none of its columns "
            f"{X.column_names} is a ClassLabel or is named 'label': give y."
        )
    if not is_dataset(X):
        return None
    known = _known_labels(X)
    some = sorted({0, len(X) // 2, len(X) - 1}) if len(X) else []
    # Reading a row may draw from the global generators.
    with preserved_generators() as again, again:
        if known is not None and all(_agrees(known[i], _label(X[i])) for i in some):
            return known
        return np.asarray([_label(X[i]) for i in range(len(X))])


def _label(item: Any) -> Any:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise InvalidInputError(
            "y=None takes the labels of the data set, whose items must be pairs (X, y) "
            f"then. Got an item of type {type(item).__name__} instead: give y."
        )
    label = item[1]
    return label.item() if hasattr(label, "item") and np.size(label) == 1 else label


def _known_labels(X: Any) -> np.ndarray | None:
    """Return all labels without reading rows, or None."""
    if type(X) is Subset:
        inner = _known_labels(X.dataset)
        return None if inner is None else inner[np.asarray(X.indices, dtype=np.intp)]
    if type(X) is ConcatDataset:
        parts = [_known_labels(part) for part in X.datasets]
        some = [part for part in parts if part is not None]
        return np.concatenate(some) if len(some) == len(parts) else None
    if type(X) is TensorDataset and len(X.tensors) == 2:
        return X.tensors[1].detach().cpu().numpy()
    for name in _ATTRIBUTES:
        found = getattr(X, name, None)
        if found is not None and np.shape(found) == (len(X),):
            return np.asarray(found)
    return None


def _agrees(known: Any, label: Any) -> bool:
    return bool(np.all(np.asarray(known) == np.asarray(label)))


def label_column(X: Any) -> str | None:
    """Return the name of the column with the labels of a Hugging Face data set."""
    classes = [name for name, kind in X.features.items() if hasattr(kind, "names")]
    if len(classes) == 1:
        return classes[0]
    return next((name for name in _COLUMNS if name in X.features), None)


def without_labels(X: Any) -> Any:
    """Return a Hugging Face data set without its labels; others as they are.

    The labels that count are those a learner was taught, so they are no input.
    """
    name = label_column(X) if is_hub_dataset(X) else None
    return X if name is None else X.remove_columns(name)


def class_names(X: Any, net: Any) -> list[str] | None:
    """Return the names of all classes that a data set or a module's settings give.

    Parameters
    ----------
    X : rows of any kind
        ``classes`` of torchvision's data sets, ``features[...].names`` of a Hugging
        Face one.
    net : skorch net
        ``config.id2label`` of a module of ``transformers``, or of its parameters.

    Returns
    -------
    list of str or None
        In the order of the columns; None where nothing is found.
    """
    if is_hub_dataset(X):
        names = getattr(X.features.get(label_column(X)), "names", None)
    else:
        names = _names_of_torch(X)
    if names is None:
        names = _names_of_module(net)
    return None if names is None else [str(name) for name in names]


def _names_of_torch(X: Any) -> list[str] | None:
    while type(X) is Subset:
        X = X.dataset
    if type(X) is ConcatDataset:
        found = [_names_of_torch(part) for part in X.datasets]
        return found[0] if all(names == found[0] for names in found) else None
    names = getattr(X, "classes", None) if is_dataset(X) else None
    texts = isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names)
    return list(names) if texts and names else None


def _names_of_module(net: Any) -> list[str] | None:
    params = net.get_params_for("module")
    holders = [getattr(net, "module_", None), net.module, params.get("config")]
    for holder in holders:
        config = getattr(holder, "config", holder)
        names = getattr(config, "id2label", None)
        if isinstance(names, dict) and sorted(names) == list(range(len(names))):
            return [names[i] for i in range(len(names))]
    return None

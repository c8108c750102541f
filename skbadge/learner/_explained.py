"""Words for the errors of trainings that everyone meets once."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from skbadge.exceptions import InvalidInputError, ModuleOutputError
from skbadge.nets._estimators import input_format, is_binary

__all__ = ["explanation"]


def explanation(error: Exception, net: Any, n_rows: int) -> Exception | None:
    """Return a clearer error for one that a training has met, or None.

    Parameters
    ----------
    error : Exception
        Raised while the net was trained.
    net : skorch net
        Maybe not initialized yet.
    n_rows : int
        Number of labelled rows.
    """
    text = str(error)
    if net.train_split and ("n_splits" in text or "least populated class" in text):
        return InvalidInputError(
            f"The net's train_split could not split the {n_rows} labelled rows for "
            f"validation ({text}). skorch's default takes a fifth of the labels away "
            "and needs five rows of each class: set train_split=None on the net."
        )
    if "'valid_" in text and "not found in history" in text and not net.train_split:
        return InvalidInputError(
            f"A callback looks for what is measured on validation rows ({text}), but "
            "with train_split=None the net has none. Let it monitor train_loss "
            "(EarlyStopping(monitor='train_loss')), or give a validation set with "
            "train_split=skorch.helper.predefined_split(valid_set)."
        )
    if "Tried to step" in text:
        return InvalidInputError(
            "The learning-rate schedule of the net's callbacks has fewer steps than "
            f"this training ({text}). It was made for a fixed number of rows, or has "
            "run out in a warm start: choose one by epochs, warm_start=False, or "
            'warm_start="shrink-perturb", which begins it anew.'
        )
    criterion = getattr(net, "criterion_", None)
    pairwise = (nn.BCELoss, nn.BCEWithLogitsLoss)
    if isinstance(criterion, pairwise) and not is_binary(net):
        return InvalidInputError(
            f"{type(net).__name__} hands numbers of classes to its criterion, and "
            f"{type(criterion).__name__} takes other labels ({text}). For one output "
            "that tells two classes apart, take skorch's NeuralNetBinaryClassifier, "
            "with the logit as the module's output (no sigmoid); else one output a "
            "class and CrossEntropyLoss."
        )
    answer = re.search(r"must be Tensor, not (\w+)", text)
    if answer:
        return ModuleOutputError(
            f"The module answers a {answer[1]}, which skorch hands to the criterion as "
            f"it is ({text}). Let its forward return the scores alone, or first in a "
            "tuple; or take them out in get_loss of a net class of your own."
        )
    if re.search(r"\b[Ll]ong\b|\bInt\b", text) and _keeps_integers(net):
        return InvalidInputError(
            f"The module was given whole numbers ({text}). It has an nn.Embedding, so "
            "integers in X are taken for ids and stay integers. Where X holds "
            "measurements or pictures, give it as floats: X.astype('float32')."
        )
    return None


def _keeps_integers(net: Any) -> bool:
    return hasattr(net, "module_") and input_format(net).takes_integers

"""Words for the errors of trainings that everyone meets once."""

from __future__ import annotations

import re
import traceback
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
    for explain in (_of_callbacks, _of_rows, _of_the_module):
        found = explain(error, text, net, n_rows)
        if found is not None:
            return found
    return None


def _of_callbacks(
    error: Exception, text: str, net: Any, n_rows: int
) -> Exception | None:
    """Explain a split, a monitor or a schedule that does not fit."""
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
    return None


def _of_rows(error: Exception, text: str, net: Any, n_rows: int) -> Exception | None:
    """Explain rows that are not there, or not as what reads them wants them."""
    if isinstance(error, IndexError) and (setting := _sampler_of(net)):
        return InvalidInputError(
            f"The training asked for rows beyond the {n_rows} labelled ones ({text}). "
            f"Look at {setting} of the net, which was made for others: a sampler must "
            "be made anew for the rows there are (set_params), or make them itself, "
            "from what it is given, in get_iterator of a net class of your own."
        )
    if _of_validation(error):
        return InvalidInputError(
            f"The rows of the validation set are not what the net takes ({text}). A "
            "data set of your own in train_split must yield rows as they reach the "
            "net: after the steps before it, in the dtype of the module (float32)."
        )
    if "stack expects each tensor to be equal size" in text:
        return InvalidInputError(
            f"The rows of a batch differ in shape ({text}). Pad them to one length, or "
            "give the net a function that does so batch by batch: "
            "iterator_train__collate_fn and iterator_valid__collate_fn."
        )
    if "consistent lengths" in text:
        return InvalidInputError(
            f"skorch cannot count the rows ({text}): it reads a list as several "
            "inputs. Give texts and records as an array of objects (array = "
            "numpy.empty(n, dtype=object); array[:] = rows), or derive the net's "
            "dataset from torch.utils.data.Dataset, with a __len__ of its own."
        )
    return None


def _of_the_module(
    error: Exception, text: str, net: Any, n_rows: int
) -> Exception | None:
    """Explain what a module takes or answers that its net has no use for."""
    if "does not require grad" in text:
        return InvalidInputError(
            f"No weight of the net is trained ({text}): Freezer, or requires_grad_ of "
            "the module, leaves none to the optimizer. Leave the last layer to it; or "
            "wrap a trained net in FrozenEstimator(net), which trains nothing."
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
    if answer and "infer" in _calls(error):
        return InvalidInputError(
            f"A layer of the module was given a {answer[1]} ({text}). A list or a "
            "tuple of arrays is read as several inputs, and forward gets them so: name "
            "them in a dict whose keys are the arguments of forward, or put the "
            "columns side by side with numpy.hstack."
        )
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


def _sampler_of(net: Any) -> str | None:
    found = net.get_params_for("iterator_train")
    names = [name for name in ("sampler", "batch_sampler") if found.get(name)]
    return f"iterator_train__{names[0]}" if names else None


def _calls(error: Exception) -> set[str]:
    """Return the names of the functions in which an error was raised."""
    return {frame.name for frame in traceback.extract_tb(error.__traceback__)}


def _of_validation(error: Exception) -> bool:
    """Say whether it was the module that refused rows, of a validation set alone."""
    return isinstance(error, (RuntimeError, TypeError)) and {
        "validation_step",
        "infer",
    } <= _calls(error)


def _keeps_integers(net: Any) -> bool:
    return hasattr(net, "module_") and input_format(net).takes_integers

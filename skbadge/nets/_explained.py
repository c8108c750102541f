"""Words for the errors of others: what a training, a pass or a prediction has met.

The one place that reads the texts of torch, skorch and NumPy (`_settings` those of
parts that cannot be made, `_devices` those of memory and devices). What it knows is
raised again in the words of the library, with the first error as its cause; what it
does not know goes on as it is.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from skorch.dataset import get_len
from skorch.utils import multi_indexing
from torch import nn
from torch.utils.data import default_collate

from skbadge.exceptions import (
    InvalidInputError,
    ModuleOutputError,
    SkbadgeError,
)
from skbadge.nets._devices import of_devices, of_memory
from skbadge.nets._estimators import input_format, is_binary
from skbadge.nets._frames import batch_of, described, given_to, place_of
from skbadge.nets._settings import of_settings
from skbadge.utils._memory import ran_out_of_memory
from skbadge.utils._tree import leaves

__all__ = ["explained", "explanation"]

_TORCH = str(Path(torch.__file__).parent)
_RAISED_BY_TORCH = (RuntimeError, TypeError, ValueError, IndexError)
# Of what kind the numbers were that no ids are.
_GOT = re.compile(r"got (?:torch\.|CPU|CUDA)(\w+?)(?:Tensor|Type)")
# What torch says in frames that are not its own, for example of ``x @ weight``.
_SHAPES = re.compile(
    r"mat1 and mat2|must match the size|invalid for input of size|same dtype|size mism"
)
_DTYPES = re.compile(r"dtype|should be the same|expected scalar type")
# Where skorch counts rows and takes them one by one.
_INDEXING = (get_len.__code__.co_filename, multi_indexing.__code__.co_filename)
# Where loaders put items together, and what is said there of such as cannot be.
_COLLATE = default_collate.__code__.co_filename
_KIND_OF_ITEM = re.compile(
    r"default_collate: .*found <class '(?:.*\.)?(\w+)'>|invalid data type '(\w+)'"
)
# What Python says of a method of a tensor that parts of rows do not have.
_NO_METHOD = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
# What torch says where a dict is to go through the end that predictions have.
_NOT_TENSOR = re.compile(r"must be Tensor, not (\w+)")
_NO_TENSOR = re.compile(r"(?:softmax|sigmoid)\(\).* must be Tensor, not (\w+)")


@contextmanager
def explained(net: Any, doing: str, n_training: int | None = None) -> Iterator[None]:
    """Say in words what goes wrong inside, where that is known.

    Parameters
    ----------
    net : skorch net
        That is trained or run inside; maybe not initialized yet.
    doing : str
        What is done, for messages: "the training", "the pass over the pool".
    n_training : int or None, default=None
        Number of labelled rows in a training; None where nothing is trained.

    Raises
    ------
    SkbadgeError
        From the error that was met.
    """
    try:
        yield
    except SkbadgeError:
        # Said already; of tables on a disk, too, which smaller batches do not help.
        raise
    except Exception as error:
        problem = explanation(error, net, doing, n_training)
        if problem is None:
            raise
        raise problem from error


def explanation(
    error: Exception, net: Any, doing: str, n_training: int | None = None
) -> Exception | None:
    """Return a clearer error for one that was met, or None; see `explained`."""
    if ran_out_of_memory(error):
        return of_memory(error, net, doing, n_training)
    text = _last_words(error)
    found = of_devices(text, net)
    if n_training is not None:
        for explain in (_of_callbacks, _of_rows, _of_the_training):
            found = found or explain(error, text, net, n_training)
    anywhere = (_of_items, _of_answers, _of_inputs, of_settings, _of_single_rows)
    for explain_any in anywhere:
        found = found or explain_any(error, text, net)
    return found


def _last_words(error: Exception) -> str:
    """Return the text of an error; of one in a worker's process, without its trace."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if "Original Traceback" in text:
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return text.strip().rstrip(".")


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
    scoring = re.search(r"check_scoring must be .* Got '?([^']+)'? instead", text)
    if scoring:
        return InvalidInputError(
            f"A callback of the net has the scoring {scoring[1]!r}, which scikit-learn "
            "does not know: sklearn.metrics.get_scorer_names() lists the names there "
            "are."
        )
    unknown = re.search(r"'([^']+)'\)? was not found in history", text)
    if unknown:
        return InvalidInputError(_of_monitor(unknown[1], net, text))
    if "Tried to step" in text:
        return InvalidInputError(
            "The learning-rate schedule of the net's callbacks has fewer steps than "
            f"this training ({text}). It was made for a fixed number of rows, or has "
            "run out in a warm start: choose one by epochs, warm_start=False, or "
            'warm_start="shrink-perturb", which begins it anew.'
        )
    return None


def _of_monitor(name: str, net: Any, text: str) -> str:
    """Say why a callback does not find what it monitors."""
    name = name.removesuffix("_best")
    if name.startswith("valid_") and not net.train_split:
        return (
            f"A callback looks for what is measured on validation rows ({text}), but "
            "with train_split=None the net has none. Let it monitor train_loss "
            "(EarlyStopping(monitor='train_loss')), or give a validation set with "
            "train_split=skorch.helper.predefined_split(valid_set)."
        )
    epoch = net.history[-1] if len(net.history) else {}
    known = [k for k, v in epoch.items() if isinstance(v, float) and k != "dur"]
    return (
        f"A callback of the net monitors {name!r}, which no epoch has noted ({text}). "
        f"There are {', '.join(known) or 'none so far'}: monitor one of them "
        "(monitor='train_loss'), or put a callback that measures it before this one "
        f"(skorch.callbacks.EpochScoring(..., name={name!r}))."
    )


def _of_rows(error: Exception, text: str, net: Any, n_rows: int) -> Exception | None:
    """Explain rows that are not there, or not as what reads them wants them."""
    if isinstance(error, IndexError) and (setting := _sampler_of(net)):
        return InvalidInputError(
            f"The training asked for rows beyond the {n_rows} labelled ones ({text}). "
            f"Look at {setting} of the net, which was made for others: a sampler must "
            "be made anew for the rows there are (set_params), or make them itself, "
            "from what it is given, in get_iterator of a net class of your own."
        )
    given = given_to(error, "__init__", "X") if "inconsistent lengths" in text else None
    if given is not None and hasattr(given[0], "shape"):
        return InvalidInputError(
            f"The net was given another number of rows than there are labels ({text}). "
            "A step before it must answer each row once; where rows are to be left out "
            "or repeated in the training, a sampler in a pipeline of imbalanced-learn "
            "does so with their labels."
        )
    return None


def _of_the_training(
    error: Exception, text: str, net: Any, n_rows: int
) -> Exception | None:
    """Explain what only a training asks of a module and of its batches."""
    if "more than 1 value per channel" in text:
        size = net.get_params_for("iterator_train").get("batch_size", net.batch_size)
        return InvalidInputError(
            f"A BatchNorm of the module was given a batch of one row ({text}), and "
            f"trains on two or more. Of the {n_rows} labelled rows, in batches of "
            f"{size}, one is left over: set iterator_train__drop_last=True on the net, "
            "with iterator_train__shuffle=True, so that each epoch leaves out another "
            "row; or another batch_size."
        )
    if "does not require grad" in text:
        return InvalidInputError(
            f"No weight of the net is trained ({text}): Freezer, or requires_grad_ of "
            "the module, leaves none to the optimizer. Leave the last layer to it; or "
            "wrap a trained net in FrozenEstimator(net), which trains nothing."
        )
    inside = batch_of(error) is not None
    criterion = getattr(net, "criterion_", None)
    pairwise = (nn.BCELoss, nn.BCEWithLogitsLoss)
    if not inside and isinstance(criterion, pairwise) and not is_binary(net):
        return InvalidInputError(
            f"{type(net).__name__} hands numbers of classes to its criterion, and "
            f"{type(criterion).__name__} takes other labels ({text}). For one output "
            "that tells two classes apart, take skorch's NeuralNetBinaryClassifier, "
            "with the logit as the module's output (no sigmoid); else one output a "
            "class and CrossEntropyLoss."
        )
    answer = _NOT_TENSOR.search(text)
    if not inside and answer and not _NO_TENSOR.match(text):
        return ModuleOutputError(
            f"The module answers a {answer[1]}, which skorch hands to the criterion as "
            f"it is ({text}). Let its forward return the scores alone, or first in a "
            "tuple; or take them out in get_loss of a net class of your own."
        )
    return _of_the_criterion(error, text, net)


def _of_the_criterion(error: Exception, text: str, net: Any) -> Exception | None:
    """Explain answers and labels that a criterion cannot hold against each other."""
    found = given_to(error, "get_loss", "y_pred")
    if found is None or not isinstance(error, _RAISED_BY_TORCH):
        return None
    _, frames = found
    if not frames[-1].f_code.co_filename.startswith(_TORCH):
        return None
    given = next(f.f_locals for f in reversed(frames) if f.f_code.co_name == "get_loss")
    kind = type(getattr(net, "criterion_", None)).__name__
    if settings := [f"criterion__{name}" for name in net.get_params_for("criterion")]:
        kind = f"{kind} (with {', '.join(settings)})"
    return InvalidInputError(
        f"The criterion {kind} cannot hold answers of "
        f"{described(given.get('y_pred'))} against labels of "
        f"{described(given.get('y_true'))} ({text}). It is given numbers of columns, "
        "one integer a row, as CrossEntropyLoss takes them together with one score a "
        "class: take such a criterion and module, or translate both in get_loss of a "
        "net class of your own. A collate_fn in iterator_train must hand labels on as "
        "they are."
    )


def _of_items(error: Exception, text: str, net: Any) -> Exception | None:
    """Explain items of a data set of which a loader makes no batch."""
    if "expects each tensor to be equal size" in text or "of equal size" in text:
        return InvalidInputError(
            f"The rows of a batch differ in shape ({text}). Pad them to one length, or "
            "give the net a function that does so batch by batch: "
            "iterator_train__collate_fn and iterator_valid__collate_fn."
        )
    found = _KIND_OF_ITEM.search(text)
    if found:
        kind = next(kind for kind in found.groups() if kind)
        return InvalidInputError(_no_batch_of(kind))
    collating = any(
        frame.f_code.co_filename == _COLLATE
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    if collating or _COLLATE in str(error):
        kind = f"some that do not fit together ({text})"
        return InvalidInputError(_no_batch_of(kind))
    return None


def _no_batch_of(kind: str) -> str:
    """Say what to do with items of which a loader makes no batch of numbers."""
    hint = {
        "str": "Encode texts in the data set, or in a pipeline step before the net",
        "Image": "Let the data set make tensors of its pictures "
        "(torchvision.transforms.ToTensor())",
        "NoneType": "Leave rows without a value out, and give rows without a label any "
        "number for one",
    }.get(kind, "Let the data set make arrays or tensors of them")
    names = {"str": "text", "Image": "pictures (Image)", "NoneType": "None"}
    kind = names.get(kind, kind)
    return (
        f"The items of a data set must hold numbers, arrays or tensors. Got {kind} "
        f"instead. {hint}, or give the net a function that makes batches of such "
        "items: iterator_train__collate_fn and iterator_valid__collate_fn."
    )


def _of_answers(error: Exception, text: str, net: Any) -> Exception | None:
    """Explain answers of a module of which skorch makes no probabilities."""
    if isinstance(error, ValueError) and text.startswith("Expected module output to h"):
        return ModuleOutputError(
            f"The module of a {type(net).__name__} must answer one logit a row, for "
            f"two classes ({text}). Give its last layer one output; or take skorch's "
            "NeuralNetClassifier with CrossEntropyLoss for one output a class."
        )
    if not isinstance(error, TypeError):
        return None
    if "BFloat16" in text:
        return ModuleOutputError(
            "The net answers bfloat16, which NumPy lacks, so that skorch cannot "
            "give its probabilities. Let the module's forward return "
            "scores.float(), or set a predict_nonlinearity that widens, for "
            "example lambda scores: torch.softmax(scores.float(), dim=-1)."
        )
    found = _NO_TENSOR.match(text)
    if found is None:
        return None
    return ModuleOutputError(
        f"The module answers a {found[1]}, of which skorch's predict makes no "
        "probabilities. Let its forward return the scores, alone or first in a "
        "tuple, or set a predict_nonlinearity that takes them out, for example "
        'lambda answer: torch.softmax(answer["logits"], dim=-1).'
    )


def _of_inputs(error: Exception, text: str, net: Any) -> Exception | None:
    """Explain what a module was given and could not take."""
    found = batch_of(error)
    if found is None:
        return None
    batch, frames = found
    if isinstance(error, AttributeError):
        return _of_parts(batch, text)
    if not isinstance(error, _RAISED_BY_TORCH):
        return None
    if any(frame.f_code.co_name == "validation_step" for frame in frames):
        return InvalidInputError(
            f"The rows of the validation set are not what the net takes ({text}). A "
            "data set of your own in train_split must yield rows as they reach the "
            "net: after the steps before it, in the dtype of the module (float32)."
        )
    strange = [leaf for leaf in leaves(batch) if not isinstance(leaf, torch.Tensor)]
    if strange and not frames[-1].f_code.co_filename.startswith(_TORCH):
        return InvalidInputError(_no_batch_of(type(strange[0]).__name__))
    answer = _NOT_TENSOR.search(text)
    if answer:
        return InvalidInputError(
            f"A layer of the module was given a {answer[1]} ({text}). A list or a "
            "tuple of arrays is read as several inputs, and forward gets them so: name "
            "them in a dict whose keys are the arguments of forward, or put the "
            "columns side by side with numpy.hstack. Where they are rows, stack them "
            "(numpy.stack)."
        )
    if isinstance(error, TypeError) and " argument" in text and "forward()" in text:
        if isinstance(batch, torch.Tensor):
            return _of_parameters(error, text)
        return InvalidInputError(
            f"The module's forward does not take the inputs there are ({text}). The "
            "keys of a dict must be the names of its arguments, and a list or tuple of "
            "arrays must hold one for each of them, in their order."
        )
    is_torchs = frames[-1].f_code.co_filename.startswith(_TORCH)
    if not is_torchs and not _SHAPES.search(text):
        return None
    format = input_format(net)
    if "'indices'" in text and (other := re.search(_GOT, text)):
        return InvalidInputError(
            "The module looks up whole numbers, as nn.Embedding does, and was given "
            f"{other[1].lower()} numbers ({text}). Give ids as integers: "
            "X.astype('int64')."
        )
    if re.search(r"\b[Ll]ong\b|\bInt\b", text) and format.takes_integers:
        return InvalidInputError(
            f"The module was given whole numbers ({text}). It has an nn.Embedding, so "
            "integers in X are taken for ids and stay integers. Where X holds "
            "measurements or pictures, give it as floats: X.astype('float32')."
        )
    dtype = str(format.dtype).removeprefix("torch.")
    advice = (
        "Rows must be of the size and the order of dimensions that the module was made "
        "for: look at its parameters (module__...), at the steps before the net, and "
        "at what a data set of your own yields."
    )
    if _DTYPES.search(text):
        advice = (
            f"Its weights are {dtype}, and rows of a data set of your own reach it as "
            f'they are: let that return row.astype("{dtype}"), or tensors of this type.'
        )
    return InvalidInputError(
        f"The module cannot take a batch of {described(batch)} ({text})"
        f"{place_of(frames, net)}. {advice}"
    )


def _of_parts(batch: Any, text: str) -> Exception | None:
    """Explain parts of rows that a module has taken for one tensor."""
    found = _NO_METHOD.fullmatch(text)
    if not found or not isinstance(batch, (list, tuple, dict)):
        return None
    if found[1] != type(batch).__name__ or not hasattr(torch.Tensor, found[2]):
        return None
    return InvalidInputError(
        f"The module's forward was given a {found[1]} of {len(batch)} parts, and takes "
        f"it for a tensor ({text}). A loader makes a part of each entry of a row that "
        "is a list, a tuple or a dict: let the data set give rows as arrays or "
        "tensors. Of several inputs, give a dict whose keys are the arguments of "
        "forward."
    )


def _of_parameters(error: Exception, text: str) -> Exception | None:
    """Explain parameters of fit that the module does not take; a TypeError, as ever."""
    found = given_to(error, "infer", "fit_params")
    if found is None or not found[0]:
        return None
    names = ", ".join(sorted(found[0]))
    return TypeError(
        f"What fit and teach are given beside rows and labels ({names}) goes to the "
        "module's forward, which must take it. Leave it out, or add it to forward; "
        "weights of rows that the loss is to read belong into a dict of inputs, "
        '{"X": rows, "sample_weight": weights}, for get_loss of a net class of your '
        f"own: {text}."
    )


def _of_single_rows(error: Exception, text: str, net: Any) -> Exception | None:
    """Explain rows that skorch cannot count, or take one by one."""
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = [i for i, code in enumerate(frames) if code.co_filename in _INDEXING]
    if not places or {"transform", "to_tensor"} & {
        code.co_name for code in frames[places[-1] :]
    }:
        return None
    return InvalidInputError(
        f"skorch cannot count or take the rows ({type(error).__name__}: {text}): it "
        "reads a list as several inputs, and a Series by its index. Give texts and "
        "records as an array of objects (array = numpy.empty(n, dtype=object); "
        "array[:] = rows; series.to_numpy()), or derive the net's dataset from "
        "torch.utils.data.Dataset, with a __len__ of its own, and set callbacks that "
        "score nothing."
    )


def _sampler_of(net: Any) -> str | None:
    found = net.get_params_for("iterator_train")
    names = [name for name in ("sampler", "batch_sampler") if found.get(name)]
    return f"iterator_train__{names[0]}" if names else None

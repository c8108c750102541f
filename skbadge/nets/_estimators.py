"""Find the skorch net in an estimator, and make a clone of it ready for any array."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.dataset import Dataset
from torch import nn

from skbadge.exceptions import InvalidInputError
from skbadge.nets._dataset import ModuleDataset
from skbadge.nets._steps import Steps
from skbadge.utils._params import flat_params
from skbadge.utils._tree import tensors_of

__all__ = [
    "InputFormat",
    "adapt_dataset",
    "check_estimator_kind",
    "cloned",
    "converts",
    "copy_frozen",
    "duplicate",
    "find_net",
    "input_format",
    "is_binary",
    "is_frozen",
    "modules_of",
    "overrides",
    "split_estimator",
    "unwrap",
]

_EXPECTED = (
    "estimator must be a skorch NeuralNetClassifier or NeuralNetBinaryClassifier, a "
    "scikit-learn Pipeline that ends in one, or a FrozenEstimator around either"
)


def unwrap(estimator: Any) -> Any:
    """Return what is inside ``FrozenEstimator``, or the estimator itself."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def split_estimator(estimator: Any) -> tuple[Steps | None, Any]:
    """Split an estimator into its steps and its net.

    Parameters
    ----------
    estimator : estimator
        Net, pipeline, or either of them frozen.

    Returns
    -------
    steps : Steps or None
        What comes before the net, pipelines inside of pipelines step by step; None
        where nothing does.
    net : skorch net
    """
    inner = unwrap(estimator)
    if not isinstance(inner, Pipeline) or not inner.steps:
        return None, inner
    before, net = split_estimator(inner.steps[-1][1])
    steps = [*_flat(inner.steps[:-1]), *(before.steps if before else [])]
    return Steps(steps) if steps else None, net


def _flat(steps: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, step in steps:
        if isinstance(unwrap(step), Pipeline):
            inner = _flat(unwrap(step).steps)
            frozen = isinstance(step, FrozenEstimator)
            yield from ((n, FrozenEstimator(s)) for n, s in inner) if frozen else inner
        elif step is not None and step != "passthrough":
            yield name, step


def find_net(estimator: Any) -> Any:
    """Return the skorch net of an estimator."""
    return split_estimator(estimator)[1]


def is_frozen(estimator: Any) -> bool:
    """Say whether the net of an estimator must not be trained."""
    if isinstance(estimator, FrozenEstimator):
        return True
    if isinstance(estimator, Pipeline):
        return is_frozen(estimator.steps[-1][1])
    return False


def is_binary(net: Any) -> bool:
    """Say whether a net has one logit for two classes."""
    return isinstance(net, NeuralNetBinaryClassifier)


def overrides(net: Any, method: str) -> bool:
    """Say whether a net's class has a method of its own in the place of skorch's."""
    kinds = (NeuralNet, NeuralNetClassifier, NeuralNetBinaryClassifier)
    return getattr(type(net), method) not in [getattr(kind, method) for kind in kinds]


def converts(net: Any) -> bool:
    """Say whether a net's rows are converted here, not by a user's own data set."""
    dataset = getattr(net, "dataset", None)
    ours = dataset is Dataset or getattr(dataset, "func", dataset) is ModuleDataset
    return ours and not overrides(net, "get_dataset")


def check_estimator_kind(estimator: Any) -> None:
    """Refuse what is no skorch classifier, and pipelines frozen in part.

    Raises
    ------
    InvalidInputError
        With what was expected, what came, and what to do.
    """
    if isinstance(estimator, type):
        raise InvalidInputError(
            f"{_EXPECTED}. Got the class {estimator.__name__} instead: make an object "
            "of it."
        )
    net = find_net(estimator)
    if not isinstance(net, (NeuralNetClassifier, NeuralNetBinaryClassifier)):
        raise InvalidInputError(f"{_EXPECTED}. Got {type(net).__name__} instead.")
    if isinstance(estimator, Pipeline) and is_frozen(estimator):
        warm = [
            name
            for name, step in estimator.steps[:-1]
            if step not in (None, "passthrough")
            and not isinstance(step, FrozenEstimator)
        ]
        if warm:
            raise InvalidInputError(
                "A pipeline with a frozen net must be frozen whole: its steps "
                f"{warm} would be refitted and give the net another input than it "
                "was trained on. Use FrozenEstimator(pipeline)."
            )
    if is_frozen(estimator) and not getattr(net, "initialized_", False):
        raise InvalidInputError(
            "FrozenEstimator must hold a fitted net. Got one that was never "
            "initialized: fit it first, or leave FrozenEstimator away."
        )


@dataclass(frozen=True)
class InputFormat:
    """Which numbers a module takes.

    Parameters
    ----------
    dtype : torch.dtype
        Floating type of its weights.
    takes_integers : bool
        Whether integers stay integers, as token ids must; otherwise they become
        floats, as counts and bytes of images must.
    """

    dtype: torch.dtype
    takes_integers: bool


def modules_of(net: Any) -> dict[str, nn.Module]:
    """Return the modules of an initialized net, criterion included, by their names."""
    return {
        name: part
        for name, part in vars(net).items()
        if name.endswith("_") and isinstance(part, nn.Module)
    }


def input_format(net: Any) -> InputFormat:
    """Return the `InputFormat` of an initialized net.

    A module with an embedding layer takes integers; to any other, scikit-learn's users
    may hand integer tables as they do elsewhere.
    """
    dtype = next(
        (p.dtype for p in net.module_.parameters() if p.is_floating_point()),
        torch.get_default_dtype(),
    )
    looks_up = (nn.Embedding, nn.EmbeddingBag)
    takes_integers = any(isinstance(m, looks_up) for m in net.module_.modules())
    return InputFormat(dtype, takes_integers)


def adapt_dataset(net: Any, format: InputFormat) -> None:
    """Put `ModuleDataset` in the place of skorch's default data set, in place.

    A user's own data set class is left alone.
    """
    if net.dataset is Dataset:
        net.dataset = partial(
            ModuleDataset, dtype=format.dtype, takes_integers=format.takes_integers
        )


def cloned(estimator: Any) -> Any:
    """Clone an estimator, or say why it cannot be copied.

    Raises
    ------
    InvalidInputError
        From the error of the copy.
    """
    try:
        return clone(estimator)
    except RecursionError as error:
        raise InvalidInputError(
            "The estimator cannot be copied, as every training from scratch must: one "
            "of its parameters leads back to it. All attributes of a skorch callback "
            "are such parameters. Let a callback find its learner by an attribute of "
            "its class, or by a name outside."
        ) from error
    except Exception as error:
        for name, value in flat_params(estimator, "estimator").items():
            if not _can_be_copied(value):
                raise InvalidInputError(
                    f"The parameter {name} of type {type(value).__name__} cannot be "
                    "copied, as every training from scratch must. Let the net make it "
                    "itself (in initialize() or on_train_begin of a callback), or give "
                    "it a __deepcopy__ that returns itself."
                ) from error
        raise


def _can_be_copied(value: Any) -> bool:
    try:
        copy.deepcopy(value)
    except Exception:  # noqa: BLE001
        # Whatever the reason: it is told with the parameter's name.
        return False
    return True


def copy_frozen(estimator: Any) -> Any:
    """Copy a fitted estimator, ready for any array; the user's own stays untouched."""
    copied = duplicate(unwrap(estimator))
    net = find_net(copied)
    adapt_dataset(net, input_format(net))
    return copied


def duplicate(estimator: Any) -> Any:
    """Copy a fitted estimator with its weights and the state of its optimizer.

    ``copy.deepcopy`` alone would pickle the net, as skorch has it, and fail on modules
    with a lambda or of a class that was defined inside a function; and on modules that
    keep something of their last pass, such as the state of an LSTM.
    """
    net = find_net(estimator)
    kind: Any = type(net)
    twin = kind.__new__(kind)
    memo = {id(net): twin}
    for module in vars(net).values():
        if isinstance(module, nn.Module):
            memo.update(_detached_results(module))
    vars(twin).update(copy.deepcopy(vars(net), memo))
    return copy.deepcopy(estimator, memo)


def _detached_results(module: nn.Module) -> dict[int, torch.Tensor]:
    """Return copies of the results of a pass that modules keep, by the results' ids."""
    return {
        id(tensor): tensor.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        for tensor in tensors_of(value)
        if not tensor.is_leaf
    }

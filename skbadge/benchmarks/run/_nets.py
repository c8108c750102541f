"""The paper's nets with the paper's settings, and small ones for studies."""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol

import torch

from skbadge.datasets import get_dataset_info
from skbadge.exceptions import InvalidInputError
from skbadge.modules import (
    MLP,
    VGG16,
    ClampGradients,
    ConvNet,
    LeanClassifier,
    LinearHead,
    ResNet18,
    StopAtTrainAccuracy,
    lean_settings,
)
from skbadge.modules._classifier import PRECISIONS
from skbadge.utils._validation import check_integer, check_option, check_real

__all__ = [
    "MODELS",
    "PAPER_HIDDEN",
    "PAPER_RATES",
    "PICTURE_MODELS",
    "make_cell_net",
    "make_paper_net",
]

MODELS = ("mlp", "resnet", "vgg", "linear", "convnet")
#: Those that read pictures, and no other rows.
PICTURE_MODELS = ("resnet", "vgg", "convnet")
#: The learning rates and hidden units of the paper, by the kind of the data.
PAPER_RATES = {"image": 1e-3, "tabular": 1e-4}
PAPER_HIDDEN = {"image": 256, "tabular": 1024}


class _Described(Protocol):
    """What a net has to know of its data."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row."""

    @property
    def n_classes(self) -> int:
        """Outputs of the net."""

    @property
    def kind(self) -> str:
        """Decides hidden width and learning rate: "image" or "tabular"."""

    @property
    def batch_size(self) -> int:
        """Mini-batch of the training."""


def make_paper_net(
    dataset: str | _Described,
    model: Literal["mlp", "resnet", "vgg", "linear", "convnet"] = "mlp",
    *,
    device: str = "cpu",
    lr: float | None = None,
    max_epochs: int = 20_000,
    max_updates: int | None = None,
    stop: Literal["exceeds", "reaches"] = "exceeds",
    batch_size: int | None = None,
    n_hidden: int | None = None,
    width: int = 64,
    clamp_gradients: bool = False,
    threshold: float = 0.99,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> LeanClassifier:
    """Make an unfitted net with the settings of the paper's experiments.

    Adam with a constant learning rate and no weight decay, cross-entropy, all rows in a
    new random order each epoch, until an epoch's training accuracy exceeds 99%.

    Parameters
    ----------
    dataset : str or DatasetInfo
        A name in :data:`skbadge.datasets.DATASETS`, or any object with the attributes
        ``shape`` (of a row), ``n_classes``, ``kind`` ("image" or "tabular") and
        ``batch_size`` (the mini-batch).
    model : {"mlp", "resnet", "vgg", "linear", "convnet"}, default="mlp"
        `~skbadge.modules.MLP`, or `~skbadge.modules.ResNet18` for pictures. The others
        are no nets of the paper's first version: `~skbadge.modules.VGG16`,
        `~skbadge.modules.LinearHead` for features of a frozen encoder, and the small
        `~skbadge.modules.ConvNet`.
    device : str, default="cpu"
        Where torch computes.
    lr : float or None, default=None
        Learning rate. None for the paper's: 1e-3 on images, 1e-4 on tables.
    max_epochs : int, default=20000
        Cap of a training that does not get beyond ``threshold``. The callback "stop"
        records where it was hit. Tables need many epochs at the paper's learning rate:
        kropt took 2,910, 6,171 and 8,402 of them for 200, 400 and 1,000 labels.
    max_updates : int or None, default=None
        Cap in updates of the weights, looked at after each epoch.
    stop : {"exceeds", "reaches"}, default="exceeds"
        Whether training ends once the accuracy is above ``threshold``, as the paper
        says, or equals it, as its public code has it.
    batch_size : int or None, default=None
        Mini-batch. None for that of the data set.
    n_hidden : int or None, default=None
        Hidden units of "mlp". None for the public code's: 256 on images, 1024 on
        tables.
    width : int, default=64
        Channels of the first stage of "resnet", where 16 is the public code's, and of
        "vgg", and of the first convolution of "convnet".
    clamp_gradients : bool, default=False
        Whether every element of a gradient is limited to [-0.1, 0.1], as in the public
        code, of which the paper says nothing.
    threshold : float in (0, 1], default=0.99
        Training accuracy at which training stops.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the products in training, see `~skbadge.modules.LeanClassifier`.

    Returns
    -------
    skbadge.modules.LeanClassifier
        Its callbacks are named "stop", "lean_history" and, if asked for, "clamp".

    Raises
    ------
    InvalidInputError
        If a value cannot be used, or a net for pictures is asked for other rows.

    Notes
    -----
    Where the paper's text and its authors' public code differ, the text is followed,
    and the code is one argument away (``clamp_gradients=True``, ``width=16``,
    ``lr=1e-4``, ``stop="reaches"``). One thing of the code cannot be had: there the
    statistics of batch normalization carry over from round to round, while a learner
    that trains from scratch starts them anew, as the text says. The caps are ours. Adam
    is PyTorch's fused one, the same rule computed in one pass, where the device has it.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal. *Deep Batch Active Learning by
    Diverse, Uncertain Gradient Lower Bounds.* arXiv:1906.03671.

    Examples
    --------
    >>> from skbadge.benchmarks import make_paper_net
    >>> net = make_paper_net("kropt")
    >>> net.module__n_hidden, net.lr, net.batch_size
    (1024, 0.0001, 128)
    """
    info = get_dataset_info(dataset) if isinstance(dataset, str) else dataset
    check_option(model, "model", MODELS)
    check_option(info.kind, "kind", tuple(PAPER_RATES))
    check_integer(max_epochs, "max_epochs", low=1)
    check_option(stop, "stop", ("exceeds", "reaches"))
    lr = PAPER_RATES[info.kind] if lr is None else lr
    check_real(lr, "lr", low=0, high=1, include_low=False)
    batch_size = info.batch_size if batch_size is None else batch_size
    check_integer(batch_size, "batch_size", low=1)
    if not isinstance(clamp_gradients, bool):
        raise InvalidInputError(
            f"clamp_gradients must be True or False. Got {clamp_gradients!r} instead."
        )
    check_option(precision, "precision", PRECISIONS)
    rule = StopAtTrainAccuracy(
        threshold, strict=stop == "exceeds", max_updates=max_updates
    )
    callbacks: list[tuple[str, Any]] = [("stop", rule)]
    if clamp_gradients:
        callbacks.append(("clamp", ClampGradients(0.1)))
    settings = lean_settings(callbacks=callbacks)
    if torch.device(device).type != "cpu":
        # The labelled rows are few: they stay there, and no batch is copied to it.
        settings["iterator_train__device"] = device
    return LeanClassifier(
        **_module_settings(info, model, n_hidden, width),
        classes=list(range(info.n_classes)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=torch.device(device).type in ("cpu", "cuda"),
        lr=lr,
        batch_size=batch_size,
        max_epochs=max_epochs,
        device=device,
        precision=precision,
        **settings,
    )


def make_cell_net(cell, data):
    """Make the net of a cell for its data; arguments as for `make_paper_net`."""
    return make_paper_net(
        data,
        cell.model,
        device=cell.device,
        lr=cell.learning_rate,
        max_epochs=cell.max_epochs,
        max_updates=cell.max_updates,
        stop=cell.stop,
        n_hidden=cell.n_hidden,
        width=cell.width,
        clamp_gradients=cell.clamp_gradients,
        precision=cell.precision,
    )


def _module_settings(info, model, n_hidden, width):
    """Return the module and its arguments as skorch takes them."""
    if model == "linear":
        return {
            "module": LinearHead,
            "module__n_features": math.prod(info.shape),
            "module__n_classes": info.n_classes,
        }
    if model == "mlp":
        n_hidden = PAPER_HIDDEN[info.kind] if n_hidden is None else n_hidden
        return {
            "module": MLP,
            "module__n_features": math.prod(info.shape),
            "module__n_classes": info.n_classes,
            "module__n_hidden": check_integer(n_hidden, "n_hidden", low=1),
        }
    if len(info.shape) != 3:
        raise InvalidInputError(
            f'model="{model}" must have rows of shape (channels, height, width). Got '
            f'rows of shape {tuple(info.shape)} instead: use model="mlp".'
        )
    return {
        "module": {"resnet": ResNet18, "vgg": VGG16, "convnet": ConvNet}[model],
        "module__n_classes": info.n_classes,
        "module__n_channels": info.shape[0],
        "module__width": check_integer(width, "width", low=1),
    }

"""Settings of a skorch net that trains without needless work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skorch.callbacks import Callback

from skbadge.modules._batches import InMemoryBatches
from skbadge.modules._callbacks import LeanHistory

__all__ = ["lean_settings"]


def lean_settings(
    *, callbacks: Sequence[Callback | tuple[str, Callback]] = ()
) -> dict[str, Any]:
    """Return keyword arguments for a ``NeuralNetClassifier`` with little overhead.

    skorch by default holds out a fifth of the rows, collates every mini-batch row by
    row, scores, times and prints each epoch. For small networks that takes several
    times as long as the training itself. These settings train on all rows, in a new
    random order each epoch, from tensors held in memory, and record the training loss
    alone.

    Parameters
    ----------
    callbacks : sequence of Callback or (str, Callback), default=()
        Callbacks of your own; a `LeanHistory` is put before them.

    Returns
    -------
    dict
        To be passed on with ``**``. Each entry can be changed afterwards with
        ``net.set_params``.

    Examples
    --------
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from skbadge.modules import MLP, StopAtTrainAccuracy, lean_settings
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_classes=10, max_epochs=100,
    ...     criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam,
    ...     **lean_settings(callbacks=[("stop", StopAtTrainAccuracy(0.99))]),
    ... )
    """
    return {
        "train_split": None,
        "verbose": 0,
        "iterator_train": InMemoryBatches,
        "iterator_train__shuffle": True,
        "iterator_valid": InMemoryBatches,
        # First: others may end the training, or look at the loss.
        "callbacks": [("lean_history", LeanHistory()), *callbacks],
        "callbacks__epoch_timer": None,
        "callbacks__train_loss": None,
        "callbacks__valid_loss": None,
        "callbacks__valid_acc": None,
        "callbacks__print_log": None,
    }

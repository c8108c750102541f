"""Words for what a device has no room for, or does not reach."""

from __future__ import annotations

import traceback
from typing import Any

from skorch import NeuralNet

from skbadge.exceptions import InvalidInputError, PoolPassError
from skbadge.nets._batches import batch_size_of

__all__ = ["of_devices", "of_memory"]

_NET = NeuralNet.fit.__code__.co_filename


def of_memory(
    error: Exception, net: Any, doing: str, n_training: int | None
) -> Exception:
    """Say where memory ran out, and what takes less of it; see `explained`."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if any(code.co_name == "initialize_module" for code in codes):
        return PoolPassError(
            f"Memory ran out while the net's module was made ({error}). Make it "
            "smaller, by its settings module__..., or set another device on the net."
        )
    kind, size = "iterator_valid", batch_size_of(net)
    if n_training is not None:
        if not any(code.co_filename == _NET for code in codes):
            return PoolPassError(
                f"Memory ran out in a step before the net ({error}), which was fitted "
                f"on the {n_training} labelled rows at once. Give it less to hold, or "
                "fit it beforehand and wrap it in FrozenEstimator or FeatureCache."
            )
        kind = "iterator_train"
        size = net.get_params_for(kind).get("batch_size", net.batch_size)
    if size == 1:
        batches = "single rows. Free some on the net's device, or use another one"
    else:
        batches = (
            f"{'all' if size == -1 else size} rows. Lower "
            f"{kind}__batch_size of the net (or its batch_size)"
        )
    return PoolPassError(f"Memory ran out in {doing} with batches of {batches}.")


def of_devices(text: str, net: Any) -> Exception | None:
    """Explain tensors that are not where the net is."""
    if "tensors to be on the same device" not in text:
        return None
    return InvalidInputError(
        f"Tensors of two devices meet ({text}). skorch moves to {net.device} the "
        "module and what its forward is given, but get_loss gets rows and labels as "
        "they were read. Move there what a get_loss takes, y_true.to(y_pred.device), "
        "and what a forward makes: device=X.device, or a buffer of the module."
    )

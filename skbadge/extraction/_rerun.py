"""Run a batch a second time, as the first time was."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from skbadge.utils._torch import noted_generators, preserved_generators

__all__ = ["Rerun"]


class Rerun:
    """A batch before a module saw it, and the generators before it drew from them.

    A module may write to its input, and draw numbers in evaluation mode too; a second
    run of the batch is the same as the first only from the same beginning.

    Parameters
    ----------
    X : what the net's iterator yields
        The batch. Its tensors are copied.
    """

    def __init__(self, X):
        self.X = _copied(X)
        self._put_back = noted_generators()

    def from_logits(self, net, layer):
        """Run the batch, from what a layer gives on with gradients.

        Returns
        -------
        logits : tensor of shape (n_rows, n_outputs)
            What the layer gave, in float32 or float64, as a leaf.
        answer : what the module answered from it
        """
        leaves = []

        def cut(_, args, output):
            exact = torch.promote_types(output.dtype, torch.float32)
            leaf = output.detach().to(exact, copy=True).requires_grad_(True)
            leaves.append(leaf)
            # A copy: an operation in place after the layer must not reach the leaf.
            return leaf.to(output.dtype, copy=True)

        handle = layer.register_forward_hook(cut)
        try:
            with preserved_generators(), torch.enable_grad():
                self._put_back()
                answer = net.infer(self.X)
        finally:
            handle.remove()
        return leaves[0], answer


def _copied(X):
    if isinstance(X, torch.Tensor):
        return X.clone()
    if isinstance(X, Mapping):
        return {key: _copied(part) for key, part in X.items()}
    # By type: a packed sequence is a named tuple, which is made in another way.
    return [_copied(part) for part in X] if type(X) in (list, tuple) else X

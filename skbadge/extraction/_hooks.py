"""Forward hooks that are always taken away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from skbadge.utils._interrupt import put_back
from skbadge.utils._tree import tensors_of

__all__ = [
    "CallRecord",
    "LayerCall",
    "captured_calls",
    "checked_inputs",
    "kept_state",
    "removed_hooks",
]


class removed_hooks(put_back):
    """Remove hooks at the end, those whose handles were put on the list it gives.

    A context manager that gives that list and, to be entered too, what `put_back`
    gives::

        with removed_hooks() as (handles, again), again:
            handles.append(module.register_forward_hook(hook))
    """

    def __init__(self) -> None:
        handles: list[Any] = []

        def remove() -> None:
            for handle in handles:
                handle.remove()

        super().__init__(remove)
        self._gives = handles, put_back(remove)

    def __enter__(self) -> tuple[list[Any], put_back]:  # type: ignore[override]
        return self._gives


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Parameters
    ----------
    name : str
        Dotted name of the layer.
    features : tensor
        What went in, copied.
    logits : tensor
        What came out, of a tuple the first. Where calls are cut it is a leaf in float32
        or float64, from which autograd has recorded all that followed in the same run.
    """

    name: str
    features: torch.Tensor
    logits: torch.Tensor


_NOTHING = torch.empty(0)


class CallRecord:
    """The calls of the watched layers since the last `take`, in order of execution.

    Parameters
    ----------
    cut : bool
        Whether to hand on a leaf in the place of what a layer gave, and to switch
        gradients on for what follows: autograd then knows how the scores, and any
        loss of them, follow from the layer.
    instead : callable or None
        Makes of what a layer gave what is handed on in its place, where calls are cut.
    """

    def __init__(
        self, cut: bool, instead: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        self.cut = cut
        self._instead = instead
        self._calls: list[LayerCall] = []
        self._handles: dict[str, Any] = {}
        self._copy_features: Callable[[torch.Tensor], torch.Tensor] = torch.clone
        self._paused = False

    def watch(self, name: str, layer: Any) -> None:
        """Record the calls of a layer from now on."""

        def hook(_: Any, args: Any, kwargs: Any, output: Any) -> Any:
            given = next(tensors_of([*args, *kwargs.values()]), None)
            if self._paused or given is None:
                return None
            # Copies: an operation in place after the layer would overwrite them.
            features = self._copy_features(given.detach())
            is_scores = isinstance(output, torch.Tensor) and output.is_floating_point()
            if not self.cut or not is_scores:
                came_out = next(tensors_of(output), _NOTHING).detach().clone()
                self._calls.append(LayerCall(name, features, came_out))
                return None
            torch.set_grad_enabled(True)
            with torch.inference_mode(False), torch.enable_grad():
                # Half precision is storage: a gradient needs more digits.
                exact = torch.promote_types(output.dtype, torch.float32)
                leaf = output.detach().to(exact, copy=True)
                if self._instead is not None:
                    leaf = self._instead(leaf)
                leaf.requires_grad_(True)
                handed_on = leaf.to(output.dtype, copy=True)
            self._calls.append(LayerCall(name, features, leaf))
            return handed_on

        self._handles[name] = layer.register_forward_hook(hook, with_kwargs=True)

    def take(self) -> list[LayerCall]:
        """Return the calls so far, and forget them."""
        calls, self._calls = self._calls, []
        return calls

    def keep_only(
        self,
        name: str,
        copy_features: Callable[[torch.Tensor], torch.Tensor] = torch.clone,
    ) -> None:
        """Stop watching all layers but one, whose features a function copies."""
        self._copy_features = copy_features
        for other in [other for other in self._handles if other != name]:
            # In this order, so that no Ctrl-C leaves a hook that nobody knows.
            self._handles[other].remove()
            del self._handles[other]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let calls pass unseen for a while: those that are not the pass itself."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def close(self) -> None:
        """Stop watching."""
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()


@contextmanager
def captured_calls(
    layers: Mapping[str, nn.Module],
    *,
    cut: bool = False,
    instead: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Iterator[CallRecord]:
    """Record every call of some layers while the context lasts.

    Parameters
    ----------
    layers : dict of str to nn.Module
        The layers to watch, by dotted name.
    cut, instead : bool, callable
        As in `CallRecord`.

    Yields
    ------
    CallRecord
    """
    record = CallRecord(cut, instead)
    with put_back(record.close) as again, again:
        for name, layer in layers.items():
            record.watch(name, layer)
        yield record


@contextmanager
def checked_inputs(
    module: nn.Module, check: Callable[[torch.Tensor], None]
) -> Iterator[None]:
    """Call ``check(tensor)`` on every floating tensor that reaches a module.

    Parameters
    ----------
    module : nn.Module
        The whole module of a net. A TorchScript module takes no hooks and is let pass:
        what its training diverges to shows in its answers.
    check : callable
        Takes one tensor; raises where it is bad.
    """

    def hook(_: Any, args: Any, kwargs: Any) -> Any:
        for tensor in tensors_of([*args, *kwargs.values()]):
            if tensor.is_floating_point() and tensor.layout is torch.strided:
                check(tensor)

    if isinstance(module, torch.jit.ScriptModule):
        yield
        return
    with removed_hooks() as (handles, again), again:
        handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        yield


@contextmanager
def kept_state(net: Any) -> Iterator[None]:
    """Give all modules of a net their modes and buffers back at the end.

    A module may update a buffer in evaluation mode too (a running mean, a counter of
    calls); a pass over a pool is not to be seen in it.
    """
    parts = [
        part
        for module in vars(net).values()
        if isinstance(module, nn.Module)
        for part in module.modules()
    ]
    modes = [(part, part.training) for part in parts]
    buffers = [
        (part, name, buffer, buffer.detach().clone())
        for part in parts
        for name, buffer in part.named_buffers(recurse=False)
    ]

    def reset() -> None:
        for part, training in modes:
            part.training = training
        for part, name, buffer, before in buffers:
            setattr(part, name, buffer)
            # What is not dense is seldom written to, and cannot be compared.
            if buffer.layout is torch.strided and not _same(buffer, before):
                with torch.inference_mode(buffer.is_inference()), torch.no_grad():
                    buffer.resize_(before.shape).copy_(before)

    with put_back(reset) as again, again:
        yield


def _same(buffer: torch.Tensor, before: torch.Tensor) -> bool:
    return buffer.shape == before.shape and torch.equal(buffer, before)

"""Learners of nets of any kind, and what a pass must leave as it was."""

import random

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

from skbadge import ActiveLearner
from tests._any_nets import build


def fitted_learner(case, **settings):
    net, X, y = build(case), case.X, case.y
    if case.frozen:
        torch.manual_seed(1)
        net = FrozenEstimator(net.fit(X, y))
    return ActiveLearner(net, layer=case.layer, random_state=0, **settings).fit(X, y)


def user_module(net):
    """Return the module as its author wrote it."""
    module = net.module_
    while not isinstance(module, nn.DataParallel) and hasattr(module, "_orig_mod"):
        module = module._orig_mod
    return module.module if isinstance(module, nn.DataParallel) else module


def state_of(net):
    """Note all of a net that a pass must leave as it was."""
    modules = {**vars(net)}
    parts = [
        (name, path, part)
        for name, module in modules.items()
        if isinstance(module, nn.Module)
        for path, part in module.named_modules()
    ]
    tensors = [
        (name, tensor, tensor.clone(), tensor.device, tensor.requires_grad)
        for _, _, part in parts
        for name, tensor in (
            *part.named_parameters(recurse=False),
            *part.named_buffers(recurse=False),
        )
        if not nn.parameter.is_lazy(tensor)
    ]
    criterion = getattr(net.criterion_, "_orig_mod", net.criterion_)
    return {
        "modes": [(name, path, part.training) for name, path, part in parts],
        "hooks": [
            (len(part._forward_hooks), len(part._forward_pre_hooks))
            for _, _, part in parts
        ],
        "tensors": tensors,
        "gradients": [
            None if tensor.grad is None else tensor.grad.clone()
            for _, tensor, *_ in tensors
            if tensor.is_leaf
        ],
        "reduction": criterion.reduction if hasattr(criterion, "reduction") else None,
        "generators": (
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        ),
        "grad mode": torch.is_grad_enabled(),
    }


def assert_same_state(before, after):
    for name in ("modes", "hooks", "reduction", "generators", "grad mode"):
        assert before[name] == after[name], name
    for old, new in zip(before["tensors"], after["tensors"], strict=True):
        assert old[1] is new[1], old[0]
        assert torch.equal(old[2], new[1]), old[0]
        assert old[3:] == new[3:], old[0]
    for old, new in zip(before["gradients"], after["gradients"], strict=True):
        assert (old is None) == (new is None)
        assert old is None or torch.equal(old, new)

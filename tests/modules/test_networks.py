"""The networks have the paper's layers, widths and outputs."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from skbadge._contracts import Needs
from skbadge.exceptions import InvalidInputError
from skbadge.extraction._pass import collect_outputs
from skbadge.modules import (
    MLP,
    VGG16,
    ConvNet,
    LeanClassifier,
    LinearHead,
    ResNet18,
    lean_settings,
)


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_mlp_computes_linear_relu_linear():
    module = MLP(6, 3, n_hidden=5)
    X = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    hidden = (X.reshape(4, 6) @ module.hidden.weight.T + module.hidden.bias).clamp(0)
    expected = hidden @ module.output.weight.T + module.output.bias
    torch.testing.assert_close(module(X), expected)


@pytest.mark.parametrize("n_features", [1, 6, 15, 16, 64])
def test_mlp_starts_from_the_default_weights_of_linear_layers(n_features):
    """The layout in memory of a small weight changes nothing else."""
    torch.manual_seed(0)
    hidden, output = nn.Linear(n_features, 5), nn.Linear(5, 3)
    torch.manual_seed(0)
    module = MLP(n_features, 3, n_hidden=5)
    expected = {
        "hidden.weight": hidden.weight,
        "hidden.bias": hidden.bias,
        "output.weight": output.weight,
        "output.bias": output.bias,
    }
    found = dict(module.named_parameters())
    assert found.keys() == expected.keys()
    for name, parameter in found.items():
        assert torch.equal(parameter, expected[name])


def test_layout_of_a_small_weight_survives_copying_training_and_loading():
    module = MLP(6, 3, n_hidden=5)
    assert module.hidden.weight.stride() == (1, 5)
    optimizer = torch.optim.Adam(module.parameters(), fused=True)
    module(torch.ones(4, 6)).sum().backward()
    optimizer.step()
    copied = copy.deepcopy(module)
    loaded = MLP(6, 3, n_hidden=5)
    loaded.load_state_dict(module.state_dict())
    for other in (copied, loaded):
        assert other.hidden.weight.stride() == (1, 5)
        assert torch.equal(other.hidden.weight, module.hidden.weight)


def test_mlp_has_the_paper_sizes():
    assert n_parameters(MLP(16, 26, n_hidden=1024)) == 17 * 1024 + 1025 * 26
    assert MLP(784, 10).hidden.out_features == 256


@pytest.mark.parametrize("width, n_features", [(16, 128), (64, 512)])
def test_resnet_widths(width, n_features):
    module = ResNet18(width=width)
    assert module.output.in_features == n_features
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    # 1 in the stem, 2 in each of 8 blocks, 3 projections.
    assert len(convolutions) == 20
    assert [part.out_channels for part in convolutions if part.stride == (2, 2)] == [
        width * factor for factor in (2, 2, 4, 4, 8, 8)
    ]
    assert all(part.bias is None for part in convolutions)


def test_resnet_of_he_et_al_has_its_known_number_of_parameters():
    assert n_parameters(ResNet18()) == 11_173_962


def test_resnet_keeps_the_resolution_in_the_stem_and_first_stage():
    module = ResNet18(7, n_channels=1, width=2)
    shapes = []
    for block in module.blocks:
        block.register_forward_hook(
            lambda _, inputs, output: shapes.append(tuple(output.shape[1:]))
        )
    assert module(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    assert shapes == [
        (2, 32, 32), (2, 32, 32), (4, 16, 16), (4, 16, 16),
        (8, 8, 8), (8, 8, 8), (16, 4, 4), (16, 4, 4),
    ]  # fmt: skip


def test_a_block_adds_its_input():
    module = ResNet18(width=2)
    block = module.blocks[1].eval()
    for part in block.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.zeros_(part.weight)
    X = torch.rand(1, 2, 8, 8)
    torch.testing.assert_close(block(X), X)


@pytest.mark.parametrize("n_features", [6, 64])
def test_the_width_may_come_with_the_rows(n_features):
    X = torch.randn(4, n_features, generator=torch.Generator().manual_seed(0))
    module = MLP(n_classes=3, n_hidden=5)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    torch.manual_seed(0)
    first = module(X)
    torch.manual_seed(0)
    hidden = nn.Linear(n_features, 5)
    assert type(module.hidden) is nn.Linear
    assert torch.equal(module.hidden.weight, hidden.weight)
    assert torch.equal(module.hidden.bias, hidden.bias)
    known = MLP(n_features, 3, n_hidden=5)
    assert module.hidden.weight.stride() == known.hidden.weight.stride()
    known.load_state_dict(module.state_dict())
    torch.testing.assert_close(known(X), first)
    # An optimizer made before has the weights that are there now.
    first.sum().backward()
    optimizer.step()
    assert not torch.allclose(module.hidden.weight, known.hidden.weight)
    # And weights of a known width can be loaded before any row.
    late = MLP(n_classes=3, n_hidden=5)
    late.load_state_dict(known.state_dict())
    torch.testing.assert_close(late(X), first)


def test_vgg_has_its_known_number_of_parameters():
    # 9 n_in n_out for each convolution and 2 n_out for each normalization.
    channels = [3, 64, 64, 128, 128, *[256] * 3, *[512] * 6]
    expected = sum(9 * a * b + 2 * b for a, b in pairwise(channels))
    assert n_parameters(VGG16()) == expected + 513 * 10 == 14_724_042


@pytest.mark.parametrize(
    "side, sides", [(32, [16, 8, 4, 2, 1]), (28, [14, 7, 4, 2, 1])]
)
def test_vgg_halves_the_picture_five_times(side, sides):
    module, shapes = VGG16(7, n_channels=1, width=2), []
    for part in module.stages:
        if isinstance(part, nn.MaxPool2d):
            part.register_forward_hook(
                lambda _, inputs, output: shapes.append(tuple(output.shape[1:]))
            )
    assert module(torch.zeros(2, 1, side, side)).shape == (2, 7)
    assert shapes == [
        (2 * k, s, s) for k, s in zip((1, 2, 4, 8, 8), sides, strict=True)
    ]


def test_vgg_computes_its_layers():
    torch.manual_seed(0)
    module = VGG16(3, width=2)
    X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps, parts = X, iter(list(module.stages))
    for depth in (2, 2, 3, 3, 3):
        for _ in range(depth):
            convolution, norm = next(parts)
            next(parts)
            maps = nn.functional.conv2d(maps, convolution.weight, padding=1)
            mean, var = maps.mean((0, 2, 3)), maps.var((0, 2, 3), correction=0)
            scaled = (maps - mean[:, None, None]) / (var + norm.eps)[
                :, None, None
            ].sqrt()
            maps = scaled.clamp(0)
        next(parts)
        maps = maps.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
    expected = maps[:, :, 0, 0] @ module.output.weight.T + module.output.bias
    torch.testing.assert_close(module(X), expected, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_a_row_is_that_of_the_last_layer_of_the_vgg():
    torch.manual_seed(0)
    X = np.random.default_rng(0).normal(size=(12, 3, 8, 8)).astype(np.float32)
    net = LeanClassifier(
        VGG16, module__n_classes=3, module__width=2, criterion=nn.CrossEntropyLoss,
        max_epochs=1, **lean_settings(),
    ).fit(X, np.arange(12) % 3)  # fmt: skip
    needs = Needs(residual=True, features=True)
    outputs = collect_outputs(net, X, needs, n_classes=3)
    module = net.module_.eval()
    for i, row in enumerate(torch.from_numpy(X)):
        module.zero_grad()
        logits = module(row[None])
        nn.functional.cross_entropy(logits, logits.argmax(1)).backward()
        found = outputs.residual[i][:, None] * outputs.features[i]
        torch.testing.assert_close(
            torch.as_tensor(found), module.output.weight.grad, rtol=1e-4, atol=1e-6
        )


def test_sizes_are_checked():
    with pytest.raises(InvalidInputError, match=r"^n_classes must be an int"):
        MLP(4)

    with pytest.raises(InvalidInputError) as caught:
        MLP(0, 2)
    assert str(caught.value) == (
        "n_features must be an int of at least 1. Got 0 instead."
    )
    with pytest.raises(InvalidInputError, match=r"^width must be an int"):
        ResNet18(width=1.5)


def test_linear_head_is_one_product():
    module = LinearHead(6, 3)
    X = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = X.reshape(4, 6) @ module.output.weight.T + module.output.bias
    torch.testing.assert_close(module(X), expected)
    assert n_parameters(module) == 7 * 3


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8)])
def test_convnet_computes_its_layers(shape):
    torch.manual_seed(0)
    module = ConvNet(5, n_channels=shape[0], width=4)
    X = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    maps = X
    for layer in (module.first, module.second):
        maps = nn.functional.conv2d(
            maps, layer.weight, layer.bias, stride=2, padding=1
        ).clamp(0)
    parts = nn.functional.adaptive_avg_pool2d(maps, 4).reshape(2, 8 * 16)
    hidden = (parts @ module.hidden.weight.T + module.hidden.bias).clamp(0)
    expected = hidden @ module.output.weight.T + module.output.bias
    torch.testing.assert_close(module(X), expected)
    assert module.output.in_features == 32


@pytest.mark.parametrize("make", [LinearHead, ConvNet])
def test_small_networks_check_their_sizes(make):
    with pytest.raises(InvalidInputError, match="n_classes must be an int of at least"):
        make(n_classes=0, **({"n_features": 3} if make is LinearHead else {}))

"""The networks have the paper's layers, widths and outputs."""

import copy

import pytest
import torch
from torch import nn

from skbadge.exceptions import InvalidInputError
from skbadge.modules import MLP, ConvNet, LinearHead, ResNet18


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


def test_sizes_are_checked():
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

"""The networks of the paper's experiments."""

from __future__ import annotations

import torch
from torch import nn

from skbadge.utils._validation import check_integer

__all__ = ["MLP", "VGG16", "ResNet18"]

# Below this many inputs the products with a row-major weight run far below the speed of
# the machine: a row of six numbers does not fill one vector register. The same numbers
# stored column by column make the training of such a net about a third cheaper.
_FEW_FEATURES = 16


def checked_sizes(**sizes: int | None) -> list[int]:
    """Return sizes of a network that are ints of at least 1, in their order."""
    return [check_integer(value, name, low=1) for name, value in sizes.items()]


class MLP(nn.Module):
    """Classify flattened rows with one hidden layer of rectified units.

    The paper's "two-layer perceptron with ReLU": flatten, linear, ReLU, linear. Weights
    start from PyTorch's default initialization.

    Parameters
    ----------
    n_features : int or None, default=None
        Numbers in one row after flattening: 784 for an image of 28 x 28. None takes the
        width of the first rows that come, as behind a pipeline whose columns are known
        only after its fit; weights are drawn then.
    n_classes : int
        Outputs, one a class.
    n_hidden : int, default=256
        Hidden units. The authors' public code has 256 for images and 1024 for tables.

    Notes
    -----
    With fewer than 16 features the first weight is stored column by column, which makes
    training about a third cheaper and changes no number. :class:`torch.optim.LBFGS`,
    which wants gradients in one piece, does not take such a weight.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal. *Deep Batch Active Learning by
    Diverse, Uncertain Gradient Lower Bounds.* arXiv:1906.03671.

    Examples
    --------
    >>> import torch
    >>> from skbadge.modules import MLP
    >>> MLP(64, 10)(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 10])
    >>> MLP(n_classes=10)(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        n_features: int | None = None,
        n_classes: int | None = None,
        *,
        n_hidden: int = 256,
    ) -> None:
        super().__init__()
        n_classes, n_hidden = checked_sizes(n_classes=n_classes, n_hidden=n_hidden)
        self.hidden: nn.Linear
        if n_features is None:
            self.hidden = _LazyLinear(n_hidden)
        else:
            (n_features,) = checked_sizes(n_features=n_features)
            self.hidden = nn.Linear(n_features, n_hidden)
            _lay_out(self.hidden)
        self.output = nn.Linear(n_hidden, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n_rows, n_classes), of rows of any shape."""
        return self.output(torch.relu(self.hidden(X.flatten(1))))


class _LazyLinear(nn.LazyLinear):
    """A layer that learns its width from its first rows, and is a plain one then."""

    def initialize_parameters(self, X: torch.Tensor) -> None:
        super().initialize_parameters(X)
        _lay_out(self)


def _lay_out(layer: nn.Linear) -> None:
    """Store the weight of a layer with few inputs column by column."""
    if layer.weight.shape[1] < _FEW_FEATURES:
        # In place: an optimizer may hold the parameter already.
        layer.weight.data = layer.weight.detach().t().contiguous().t()


class ResNet18(nn.Module):
    """Classify 32 x 32 images with an 18-layer residual network.

    A 3 x 3 stem, four stages of two basic blocks each with strides 1, 2, 2, 2 and
    ``width`` times 1, 2, 4, 8 channels, the average over the picture, one linear layer.
    Weights start from PyTorch's default initialization.

    Parameters
    ----------
    n_classes : int, default=10
        Outputs, one a class.
    n_channels : int, default=3
        Channels of an image: 3 for color, 1 for gray.
    width : int, default=64
        Channels of the first stage. 64 is the network of He et al.; 16 gives the
        16, 32, 64, 128 of the BADGE authors' public code. The classification layer
        reads ``8 * width`` features.

    Notes
    -----
    Differs from the network for 224 x 224 pictures in the stem alone: 3 x 3 with stride
    1 and no pooling, so that a 32 x 32 picture keeps its resolution. Where a block
    changes shape its shortcut is a 1 x 1 convolution with batch normalization.

    References
    ----------
    He, Zhang, Ren, Sun. *Deep Residual Learning for Image Recognition.*
    arXiv:1512.03385.

    Examples
    --------
    >>> import torch
    >>> from skbadge.modules import ResNet18
    >>> ResNet18(width=4)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, n_classes: int = 10, *, n_channels: int = 3, width: int = 64
    ) -> None:
        super().__init__()
        n_classes, n_channels, width = checked_sizes(
            n_classes=n_classes, n_channels=n_channels, width=width
        )
        self.stem = _normalized_convolution(n_channels, width, kernel_size=3)
        self.activation = nn.ReLU()
        blocks = []
        n_in = width
        for stage, stride in enumerate((1, 2, 2, 2)):
            n_out = width * 2**stage
            blocks += [_BasicBlock(n_in, n_out, stride), _BasicBlock(n_out, n_out, 1)]
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.output = nn.Linear(n_in, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n_rows, n_classes).

        ``X`` has the shape (n_rows, n_channels, height, width).
        """
        X = self.blocks(self.activation(self.stem(X)))
        return self.output(self.flatten(self.pool(X)))


class VGG16(nn.Module):
    """Classify 32 x 32 images with 13 convolutions in five stages.

    Two, two, three, three and three 3 x 3 convolutions with ``width`` times 1, 2, 4, 8
    and 8 channels, each followed by batch normalization and a rectifier, each stage by
    a pooling that halves the picture; the average of what is left, one linear layer.
    Weights start from PyTorch's default initialization.

    Parameters
    ----------
    n_classes : int, default=10
        Outputs, one a class.
    n_channels : int, default=3
        Channels of an image: 3 for color, 1 for gray.
    width : int, default=64
        Channels of the first stage: 64 in the network of Simonyan and Zisserman. The
        classification layer reads ``8 * width`` features.

    Notes
    -----
    The form that is usual for CIFAR-10. It differs from the network for 224 x 224
    pictures in batch normalization, which takes the place of the biases, and in one
    linear layer where that has three: of a 32 x 32 picture a single pixel is left.
    Other sizes work as well: stages round up where a side is odd.

    References
    ----------
    Simonyan, Zisserman. *Very Deep Convolutional Networks for Large-Scale Image
    Recognition.* arXiv:1409.1556.

    Examples
    --------
    >>> import torch
    >>> from skbadge.modules import VGG16
    >>> VGG16(width=4)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, n_classes: int = 10, *, n_channels: int = 3, width: int = 64
    ) -> None:
        super().__init__()
        n_classes, n_channels, width = checked_sizes(
            n_classes=n_classes, n_channels=n_channels, width=width
        )
        layers: list[nn.Module] = []
        n_in = n_channels
        for factor, depth in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3)):
            for _ in range(depth):
                n_out = factor * width
                layers += [_normalized_convolution(n_in, n_out, kernel_size=3)]
                layers += [nn.ReLU()]
                n_in = n_out
            layers += [nn.MaxPool2d(2, ceil_mode=True)]
        self.stages = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.output = nn.Linear(n_in, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n_rows, n_classes).

        ``X`` has the shape (n_rows, n_channels, height, width).
        """
        return self.output(self.flatten(self.pool(self.stages(X))))


class _BasicBlock(nn.Module):
    """Add two 3 x 3 convolutions to what came in."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = _normalized_convolution(n_in, n_out, kernel_size=3, stride=stride)
        self.second = _normalized_convolution(n_out, n_out, kernel_size=3)
        self.activation = nn.ReLU()
        self.shortcut: nn.Module
        if stride == 1 and n_in == n_out:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = _normalized_convolution(
                n_in, n_out, kernel_size=1, stride=stride
            )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        residual = self.second(self.activation(self.first(X)))
        return self.activation(residual + self.shortcut(X))


def _normalized_convolution(
    n_in: int, n_out: int, *, kernel_size: int, stride: int = 1
) -> nn.Sequential:
    # The normalization has a shift of its own, so the convolution needs no bias.
    return nn.Sequential(
        nn.Conv2d(
            n_in,
            n_out,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        ),
        nn.BatchNorm2d(n_out),
    )

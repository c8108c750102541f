"""Small networks for studies of many trainings: one linear layer, two convolutions."""

from __future__ import annotations

import torch
from torch import nn

from skbadge.modules._networks import checked_sizes

__all__ = ["ConvNet", "LinearHead"]

_CELLS = 4


class LinearHead(nn.Module):
    """Classify flattened rows with one linear layer.

    For features that another net has made, such as those of a pretrained encoder: what
    is learned is the last layer alone. The features that strategies compare are the
    rows themselves.

    Parameters
    ----------
    n_features : int
        Numbers in one row after flattening.
    n_classes : int
        Outputs, one a class.

    See Also
    --------
    MLP : With a hidden layer.

    Examples
    --------
    >>> import torch
    >>> from skbadge.modules import LinearHead
    >>> LinearHead(128, 10)(torch.zeros(5, 128)).shape
    torch.Size([5, 10])
    """

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        n_features, n_classes = checked_sizes(
            n_features=n_features, n_classes=n_classes
        )
        self.output = nn.Linear(n_features, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n_rows, n_classes), of rows of any shape."""
        return self.output(X.flatten(1))


class ConvNet(nn.Module):
    """Classify small images with two convolutions and a hidden layer.

    Two 3 x 3 convolutions of stride 2 with rectified units, the averages over 4 x 4
    parts of the picture, a hidden layer of ``8 * width`` rectified units, one linear
    layer. It reads 60,000 pictures of 28 x 28 pixels in a second or two of one core.

    Parameters
    ----------
    n_classes : int, default=10
        Outputs, one a class.
    n_channels : int, default=1
        Channels of an image: 3 for color, 1 for gray.
    width : int, default=16
        Channels of the first convolution; the second has twice as many. The
        classification layer reads ``8 * width`` features.

    See Also
    --------
    ResNet18 : The residual network of the paper's experiments.

    Examples
    --------
    >>> import torch
    >>> from skbadge.modules import ConvNet
    >>> ConvNet(width=4)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, n_classes: int = 10, *, n_channels: int = 1, width: int = 16
    ) -> None:
        super().__init__()
        n_classes, n_channels, width = checked_sizes(
            n_classes=n_classes, n_channels=n_channels, width=width
        )
        self.first = nn.Conv2d(n_channels, width, 3, stride=2, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(_CELLS)
        self.hidden = nn.Linear(2 * width * _CELLS**2, 8 * width)
        self.output = nn.Linear(8 * width, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n_rows, n_classes).

        ``X`` has the shape (n_rows, n_channels, height, width).
        """
        X = torch.relu(self.second(torch.relu(self.first(X))))
        return self.output(torch.relu(self.hidden(self.pool(X).flatten(1))))

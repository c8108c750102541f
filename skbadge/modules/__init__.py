"""Networks of the paper, and parts that make skorch train them fast."""

from skbadge.modules._batches import InMemoryBatches
from skbadge.modules._callbacks import ClampGradients, LeanHistory, StopAtTrainAccuracy
from skbadge.modules._networks import MLP, ResNet18
from skbadge.modules._settings import lean_settings

__all__ = [
    "MLP",
    "ClampGradients",
    "InMemoryBatches",
    "LeanHistory",
    "ResNet18",
    "StopAtTrainAccuracy",
    "lean_settings",
]

"""Networks of the experiments, and parts that make skorch train them fast."""

from skbadge.modules._batches import InMemoryBatches
from skbadge.modules._callbacks import ClampGradients, LeanHistory, StopAtTrainAccuracy
from skbadge.modules._classifier import LeanClassifier
from skbadge.modules._networks import MLP, ResNet18
from skbadge.modules._settings import lean_settings
from skbadge.modules._small import ConvNet, LinearHead

__all__ = [
    "MLP",
    "ClampGradients",
    "ConvNet",
    "InMemoryBatches",
    "LeanClassifier",
    "LeanHistory",
    "LinearHead",
    "ResNet18",
    "StopAtTrainAccuracy",
    "lean_settings",
]

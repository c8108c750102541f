"""Networks of the experiments, and parts that make skorch train them fast."""

from skbadge.modules._batches import InMemoryBatches
from skbadge.modules._callbacks import ClampGradients, LeanHistory, StopAtTrainAccuracy
from skbadge.modules._classifier import LeanClassifier
from skbadge.modules._networks import MLP, VGG16, ResNet18
from skbadge.modules._settings import lean_settings
from skbadge.modules._small import ConvNet, LinearHead
from skbadge.modules._tables import make_table_classifier

__all__ = [
    "MLP",
    "VGG16",
    "ClampGradients",
    "ConvNet",
    "InMemoryBatches",
    "LeanClassifier",
    "LeanHistory",
    "LinearHead",
    "ResNet18",
    "StopAtTrainAccuracy",
    "lean_settings",
    "make_table_classifier",
]

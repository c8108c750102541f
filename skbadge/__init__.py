"""Deep active learning with scikit-learn manners, for any skorch net."""

from skbadge._features import PenultimateFeatures
from skbadge._simulate import simulate
from skbadge.learner._learner import ActiveLearner
from skbadge.strategies import (
    ALBL,
    BADGE,
    CoreSet,
    EntropySampling,
    LeastConfidence,
    MarginSampling,
    RandomSampling,
)
from skbadge.utils._rows import take

__version__ = "0.1.0"
__all__ = [
    "ALBL",
    "BADGE",
    "ActiveLearner",
    "CoreSet",
    "EntropySampling",
    "LeastConfidence",
    "MarginSampling",
    "PenultimateFeatures",
    "RandomSampling",
    "simulate",
    "take",
]

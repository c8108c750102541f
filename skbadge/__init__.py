"""Deep active learning with scikit-learn manners, for any skorch net."""

from skbadge._learner import ActiveLearner
from skbadge.strategies import (
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
    "ActiveLearner",
    "BADGE",
    "CoreSet",
    "EntropySampling",
    "LeastConfidence",
    "MarginSampling",
    "RandomSampling",
    "take",
]

"""Query strategies, and what is needed to write one."""

from skbadge._contracts import Feedback, Needs, PoolOutputs, Selection
from skbadge.strategies._albl import ALBL
from skbadge.strategies._badge import BADGE
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._core_set import CoreSet
from skbadge.strategies._random import RandomSampling
from skbadge.strategies._uncertainty import (
    EntropySampling,
    LeastConfidence,
    MarginSampling,
)

__all__ = [
    "ALBL",
    "BADGE",
    "CoreSet",
    "EntropySampling",
    "Feedback",
    "LeastConfidence",
    "MarginSampling",
    "Needs",
    "PoolOutputs",
    "QueryStrategy",
    "RandomSampling",
    "Selection",
]

"""Deep active learning with scikit-learn manners, for any skorch net."""

from skbadge.utils._started import answer_interrupts

answer_interrupts()

# ruff: noqa: E402
# What follows takes seconds to load.
from skbadge import strategies
from skbadge._feature_cache import FeatureCache
from skbadge._features import PenultimateFeatures
from skbadge._simulate import simulate
from skbadge._version import __version__ as __version__
from skbadge.campaign import Campaign
from skbadge.cluster._take import take
from skbadge.learner._learner import ActiveLearner
from skbadge.strategies import *  # noqa: F403

__all__ = [
    "ActiveLearner",
    "Campaign",
    "FeatureCache",
    "PenultimateFeatures",
    "simulate",
    "take",
    *strategies.__all__,
]

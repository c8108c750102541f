"""The learner, and the values it is made of."""

from skbadge.learner._learner import ActiveLearner

__all__ = ["ActiveLearner"]

"""When to stop labelling: criteria that watch a learner from training to training.

A criterion is shown an :class:`Observation` after each training and says whether to go
on. All but :class:`LabelBudget` and :class:`TestPlateau` read the probabilities for one
fixed random *stop set*, which needs no label. ``a | b`` stops when either does,
``a & b`` when both do. What a criterion remembers is plain JSON.
"""

from skbadge.stopping._base import (
    Observation,
    SeedFloor,
    StoppingCriterion,
    seed_floor,
)
from skbadge.stopping._estimates import ExpectedError, PredictedF
from skbadge.stopping._labels import LabelBudget, TestPlateau
from skbadge.stopping._predictions import PredictionChange, StablePredictions

__all__ = [
    "ExpectedError",
    "LabelBudget",
    "Observation",
    "PredictedF",
    "PredictionChange",
    "SeedFloor",
    "StablePredictions",
    "StoppingCriterion",
    "TestPlateau",
    "seed_floor",
]

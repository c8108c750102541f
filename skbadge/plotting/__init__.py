"""Displays of learning curves, comparisons and running times, over plain arrays."""

from skbadge.plotting._learning_curve import LearningCurveDisplay
from skbadge.plotting._normalized_error import NormalizedErrorDisplay
from skbadge.plotting._penalty_matrix import PenaltyMatrixDisplay
from skbadge.plotting._running_time import RunningTimeDisplay
from skbadge.plotting._style import StrategyStyle, strategy_styles

__all__ = [
    "LearningCurveDisplay",
    "NormalizedErrorDisplay",
    "PenaltyMatrixDisplay",
    "RunningTimeDisplay",
    "StrategyStyle",
    "strategy_styles",
]

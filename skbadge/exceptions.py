"""Errors of skbadge: each is also the built-in or scikit-learn error a user catches."""

from sklearn.exceptions import NotFittedError

__all__ = [
    "CampaignError",
    "DataUnavailableError",
    "DivergedTrainingError",
    "InvalidInputError",
    "LayerError",
    "LearnerFileError",
    "LearnerNotFittedError",
    "ModuleOutputError",
    "PoolPassError",
    "RankError",
    "RefitError",
    "SkbadgeError",
    "SparseInputError",
    "StrategyCheckError",
    "UndeclaredNeedError",
]


class SkbadgeError(Exception):
    """Base of every error that skbadge raises on purpose."""


class InvalidInputError(SkbadgeError, ValueError):
    """An argument has a value that cannot be used."""


class SparseInputError(InvalidInputError, TypeError):
    """Rows are sparse, and nothing before the net makes them dense."""


class LearnerFileError(SkbadgeError, OSError):
    """A saved learner cannot be read as one, or not be written."""


class LearnerNotFittedError(SkbadgeError, NotFittedError):
    """A call needs a fitted learner and there is none."""


class LayerError(SkbadgeError, ValueError):
    """The classification layer cannot be found, named or observed."""


class ModuleOutputError(SkbadgeError, ValueError):
    """The module's output is not what its layer and criterion say it should be."""


class DivergedTrainingError(SkbadgeError, ValueError):
    """The net answers NaN or infinity, as it does after a training that diverged."""


class RankError(SkbadgeError, ValueError):
    """A k-DPP was asked for more rows than the rank of its Gram matrix."""


class UndeclaredNeedError(SkbadgeError, AttributeError):
    """A strategy read an output of the pool pass that it had not declared."""


class StrategyCheckError(SkbadgeError, AssertionError):
    """A query strategy does not do what every strategy must."""


class RefitError(SkbadgeError, RuntimeError):
    """Training failed after labels came in; the labels are kept."""


class PoolPassError(SkbadgeError, RuntimeError):
    """The pass over the pool could not be finished for want of memory or disk."""


class DataUnavailableError(SkbadgeError, OSError):
    """A data set cannot be had: no network, a damaged file, an unknown number."""


class CampaignError(SkbadgeError, RuntimeError):
    """A campaign's folder cannot be used as it is, or not for what was asked."""

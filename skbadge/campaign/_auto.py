"""A ready learner for tables, texts and images: a start, not a recommendation."""

from __future__ import annotations

from typing import Any

from skbadge.campaign._pool import ImageFiles, Pool
from skbadge.exceptions import InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.modules import ResNet18, make_table_classifier
from skbadge.modules._tables import lean_net
from skbadge.strategies import KMeansSampling

__all__ = ["auto_cold_start", "auto_learner"]

# Rows that k-means takes some seconds for, at the width of hashed words.
_MOST_ROWS = 20_000


def auto_learner(
    pool: Pool, classes: list[Any], *, random_state: int | None = None
) -> ActiveLearner:
    """Return a learner that fits the rows of a pool.

    Tables and texts get the pipeline of `make_table_classifier`, images a small ResNet.
    Nothing is tuned: for results that matter, name a learner of your own.

    Parameters
    ----------
    pool : Pool
    classes : list of str or int
    random_state : int or None, default=None

    Returns
    -------
    ActiveLearner
        Unfitted.

    Raises
    ------
    InvalidInputError
        If the rows are none of these.
    """
    X = pool.X
    estimator: Any
    if isinstance(X, ImageFiles):
        estimator = lean_net(
            ResNet18,
            module__n_classes=len(classes),
            module__n_channels=1 if X.gray else 3,
            module__width=16,
        )
    else:
        try:
            estimator = make_table_classifier(X, len(classes))
        except InvalidInputError as error:
            raise InvalidInputError(
                f"The learner auto cannot be made. {error} --inputs names the columns "
                "to read; or name a function that returns an ActiveLearner."
            ) from error
    return ActiveLearner(estimator, classes=classes, random_state=random_state)


def auto_cold_start(pool: Pool) -> KMeansSampling | None:
    """Return what chooses the first batch, None for what a campaign has by default.

    Clusters of what the pipeline makes of the rows, whose steps need no labels; not of
    pictures, which no encoder has seen, and not of many rows.
    """
    if isinstance(pool.X, ImageFiles) or len(pool) > _MOST_ROWS:
        return None
    return KMeansSampling(features="input")

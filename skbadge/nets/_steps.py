"""Rows through the fitted steps before a net, one by one, as pipelines send them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skbadge.exceptions import InvalidInputError, PoolPassError
from skbadge.utils._kinds import kind_of
from skbadge.utils._memory import ran_out_of_memory
from skbadge.utils._rows import n_rows, several_inputs

__all__ = ["Steps"]


class Steps:
    """The fitted steps before the net of a pipeline.

    A slice of a pipeline would ask its last step whether it is fitted, and so refuse
    steps without state, which scikit-learn asks nothing in the middle of a pipeline.

    Parameters
    ----------
    steps : list of (str, estimator)
        Transformers, and samplers of imbalanced-learn, which only a training heeds.
    """

    def __init__(self, steps: Iterable[tuple[str, Any]]) -> None:
        self.steps = list(steps)

    def transform(self, X: Any) -> Any:
        """Return what reaches the net of rows that are to be answered."""
        for made in self.stages(X):
            X = made
        return X

    def stages(self, X: Any) -> Iterator[Any]:
        """Yield what each step makes of rows, in their order."""
        for name, step in self.steps:
            if is_sampler(step):
                continue
            with _explained(name, X):
                made = step.transform(X)
            _check_count(name, X, made)
            X = made
            yield X

    def fit(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Fit the steps in place; return rows and labels as they reach the net."""
        for name, step in self.steps:
            with _explained(name, X):
                if is_sampler(step):
                    X, y = step.fit_resample(X, y)
                    continue
                if isinstance(step, FrozenEstimator):
                    X = step.transform(X)
                elif hasattr(step, "fit_transform"):
                    # Not the same for all: TargetEncoder leaves a row's label out.
                    X = step.fit_transform(X, y)
                else:
                    X = step.fit(X, y).transform(X)
        return X, y

    def training_data(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return rows and labels as they reach a net that goes on with its training.

        Transformers stay as fitted; samplers draw from the rows anew.
        """
        for name, step in self.steps:
            with _explained(name, X):
                if is_sampler(step):
                    X, y = clone(step).fit_resample(X, y)
                else:
                    X = step.transform(X)
        return X, y


def is_sampler(step: Any) -> bool:
    """Say whether a step changes the number of rows in a training, and only there."""
    return hasattr(step, "fit_resample")


def _check_count(name: str, X: Any, made: Any) -> None:
    """Refuse a step that leaves rows out or adds some: each is to be answered."""
    before, after = _counts(X), _counts(made)
    if before and after and not before & after:
        raise InvalidInputError(
            f"The step {name!r} of the pipeline must answer one row for each row it is "
            f"given. Got {max(after)} rows for {max(before)}: leave rows out before "
            "the pipeline, or in a sampler of imbalanced-learn, which only trainings "
            "heed."
        )


def _counts(rows: Any) -> set[int]:
    """Return the numbers of rows there may be: a list of arrays is read two ways."""
    found = {len(rows)} if isinstance(rows, (list, tuple)) else set()
    if several_inputs(rows) or kind_of(rows) is not None:
        found.add(n_rows(rows))
    return found


@contextmanager
def _explained(name: str, X: Any) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        count = f"{len(X)} rows" if hasattr(X, "__len__") else "some rows"
        raise PoolPassError(
            f"Memory ran out in the step {name!r} of the pipeline, which was given "
            f"{count} at once. Lower batch_size of the net: the first rows are handed "
            "on in a batch of that size, and later ones in pieces that what comes out "
            "of the steps allows."
        ) from error

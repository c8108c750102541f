"""Distribution of errors relative to random sampling, as step curves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skbadge.exceptions import InvalidInputError
from skbadge.plotting._curves import (
    check_curves,
    check_rows,
    draw_curves,
    new_axes,
    tidy_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NormalizedErrorDisplay"]


class NormalizedErrorDisplay:
    """Cumulative distribution of normalized errors.

    At x, a curve shows in which fraction of the settings the strategy's error was at
    most x times that of random sampling: the higher and the further left a curve, the
    better. Random sampling steps from 0 to 1 at x = 1. These are the paper's Figures 5,
    15 and 16.

    Parameters
    ----------
    strategies : list of str
        Names, one for each curve; they decide color, marker and label.
    normalized_error : list of array-like of shape (n_steps,)
        Where each curve steps up, rising.
    fraction : list of array-like of shape (n_steps,)
        Height after each step, in [0, 1].

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    lines_ : list of matplotlib Line2D
        One for each strategy.

    See Also
    --------
    skbadge.benchmarks.normalized_error_cdf : The steps of a results table.

    Examples
    --------
    >>> from skbadge.plotting import NormalizedErrorDisplay
    >>> display = NormalizedErrorDisplay.from_normalized_errors(
    ...     strategy=["badge", "badge"], normalized_error=[0.9, 0.8], weight=[1, 3])
    >>> display.normalized_error[0].tolist(), display.fraction[0].tolist()
    ([0.8, 0.9], [0.75, 1.0])
    """

    def __init__(
        self,
        *,
        strategies: Iterable[str],
        normalized_error: Iterable[ArrayLike],
        fraction: Iterable[ArrayLike],
    ) -> None:
        self.strategies, (self.normalized_error, self.fraction) = check_curves(
            strategies, normalized_error=normalized_error, fraction=fraction
        )

    @classmethod
    def from_normalized_errors(
        cls,
        strategy: ArrayLike,
        normalized_error: ArrayLike,
        weight: ArrayLike | None = None,
    ) -> Self:
        """Accumulate the errors of single settings.

        Parameters
        ----------
        strategy : array-like of str, shape (n_rows,)
            Strategy of each value.
        normalized_error : array-like of float, shape (n_rows,)
            Error divided by that of random sampling. NaN is passed over.
        weight : array-like of float, shape (n_rows,) or None, default=None
            Positive weight of each value; None gives all the same.

        Returns
        -------
        NormalizedErrorDisplay
            Strategies in the order in which they come.

        Raises
        ------
        InvalidInputError
            If the lengths differ, or a weight is not positive.
        """
        if weight is None:
            weight = np.ones(np.shape(normalized_error))
        strategy, values, weight = check_rows(
            strategy=strategy, normalized_error=normalized_error, weight=weight
        )
        if not (weight > 0).all():
            raise InvalidInputError(
                f"weight must be positive. Got {weight[~(weight > 0)][0]} instead."
            )
        names = list(dict.fromkeys(str(name) for name in strategy))
        steps, heights = [], []
        for name in names:
            mine = (strategy == name) & ~np.isnan(values)
            x, group = np.unique(values[mine], return_inverse=True)
            y = np.cumsum(np.bincount(group, weight[mine], minlength=len(x)))
            steps.append(x)
            heights.append(y / weight[mine].sum())
        return cls(strategies=names, normalized_error=steps, fraction=heights)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        legend: bool | Literal["below"] = True,
        **options: Any,
    ) -> Self:
        """Draw the step curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        legend : bool or "below", default=True
            Add a legend; "below" puts it below the axes, where it hides no line.
        **options : dict
            Further keyword arguments of ``Axes.plot``, for all lines.

        Returns
        -------
        NormalizedErrorDisplay
            The display itself.
        """
        ax = new_axes(ax)
        # Every curve comes from zero at the left edge and goes on to the right one.
        values = [x for x in self.normalized_error if len(x)]
        low = min((x[0] for x in values), default=1.0)
        high = max((x[-1] for x in values), default=1.0)
        margin = 0.06 * (high - low) or 0.1
        left, right = low - margin, high + margin
        steps = [np.r_[left, x, right] for x in self.normalized_error]
        heights = [np.r_[0.0, y, y[-1] if len(y) else 0.0] for y in self.fraction]
        self.lines_, _ = draw_curves(
            ax, self.strategies, steps, heights, None, step=True, **options
        )
        ax.set(xlim=(left, right), ylim=(0, 1.02))
        ax.set(
            xlabel="Error relative to random sampling", ylabel="Fraction of settings"
        )
        tidy_axes(ax, legend=legend, location="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

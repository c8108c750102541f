"""Seconds against labels, one line for each strategy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skbadge.plotting._curves import (
    average_rows,
    check_curves,
    check_rows,
    draw_curves,
    label_axis,
    new_axes,
    tidy_axes,
)
from skbadge.utils._validation import check_option

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RunningTimeDisplay"]


class RunningTimeDisplay:
    """Running times: seconds for a batch against the number of labels.

    Each strategy has one line, its mean over repeats, and a band of one standard error.
    These are the running times of the paper's Figures 1 and 17 to 23. Make one with
    :meth:`from_seconds`, or from means that you have.

    Parameters
    ----------
    strategies : list of str
        Names, one for each curve; they decide color, marker and label.
    n_labeled : list of array-like of shape (n_counts,)
        Label counts of each curve.
    mean : list of array-like of shape (n_counts,)
        Mean seconds at each count.
    standard_error : list of array-like of shape (n_counts,) or None, default=None
        Half-width of the bands; NaN where there is none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    lines_ : list of matplotlib Line2D
        One for each strategy.
    bands_ : list of matplotlib PolyCollection
        Bands, for the curves that have one.

    See Also
    --------
    skbadge.benchmarks.running_times : Means and standard errors of a costs table.

    Examples
    --------
    >>> from skbadge.plotting import RunningTimeDisplay
    >>> display = RunningTimeDisplay.from_seconds(
    ...     strategy=["badge", "badge-kdpp"], n_labeled=[100, 100], seconds=[1.0, 9.0])
    >>> display.strategies
    ['badge', 'badge-kdpp']
    """

    def __init__(
        self,
        *,
        strategies: Iterable[str],
        n_labeled: Iterable[ArrayLike],
        mean: Iterable[ArrayLike],
        standard_error: Iterable[ArrayLike] | None = None,
    ) -> None:
        columns = {"n_labeled": n_labeled, "mean": mean}
        if standard_error is not None:
            columns["standard_error"] = standard_error
        self.strategies, checked = check_curves(strategies, **columns)
        self.n_labeled, self.mean, *rest = checked
        self.standard_error = rest[0] if rest else None

    @classmethod
    def from_seconds(
        cls, strategy: ArrayLike, n_labeled: ArrayLike, seconds: ArrayLike
    ) -> Self:
        """Average the seconds of single runs.

        Parameters
        ----------
        strategy : array-like of str, shape (n_rows,)
            Strategy of each measurement.
        n_labeled : array-like of int, shape (n_rows,)
            Number of labels at the time.
        seconds : array-like of float, shape (n_rows,)
            Seconds taken. NaN is passed over.

        Returns
        -------
        RunningTimeDisplay
            Strategies in the order in which they come.

        Raises
        ------
        InvalidInputError
            If the lengths differ.
        """
        names, counts, means, errors = average_rows(
            *check_rows(strategy=strategy, n_labeled=n_labeled, seconds=seconds)
        )
        return cls(
            strategies=names, n_labeled=counts, mean=means, standard_error=errors
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        scale: Literal["linear", "log2"] = "linear",
        seconds_scale: Literal["log", "linear"] = "log",
        band: bool = True,
        legend: bool | Literal["below"] = True,
        **options: Any,
    ) -> Self:
        """Draw the running times.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        scale : {"linear", "log2"}, default="linear"
            Scale of the labels.
        seconds_scale : {"log", "linear"}, default="log"
            Scale of the seconds. On "log" times of zero are not drawn.
        band : bool, default=True
            Draw the bands of one standard error.
        legend : bool or "below", default=True
            Add a legend; "below" puts it below the axes, where it hides no line.
        **options : dict
            Further keyword arguments of ``Axes.plot``, for all lines.

        Returns
        -------
        RunningTimeDisplay
            The display itself.
        """
        check_option(scale, "scale", ("linear", "log2"))
        check_option(seconds_scale, "seconds_scale", ("log", "linear"))
        ax = new_axes(ax)
        mean, error = self.mean, self.standard_error if band else None
        if seconds_scale == "log":
            mean = [np.where(values > 0, values, np.nan) for values in mean]
            # A band that would reach zero has no lower end on this scale.
            error = error and [
                np.minimum(half, 0.9 * values)
                for half, values in zip(error, mean, strict=True)
            ]
            ax.set_yscale("log")
        self.lines_, self.bands_ = draw_curves(
            ax, self.strategies, self.n_labeled, mean, error, **options
        )
        label_axis(ax, scale)
        ax.set(ylabel="Seconds")
        tidy_axes(ax, legend=legend, location="best")
        self.ax_, self.figure_ = ax, ax.figure
        return self

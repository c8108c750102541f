"""Accuracy against labels, one line for each strategy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

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

__all__ = ["LearningCurveDisplay"]


class LearningCurveDisplay:
    """Learning curves: accuracy against the number of labels.

    Each strategy has one line, its mean over repeats, and a band of one standard error.
    These are the paper's Figures 2, 3 and 6 to 12, and the accuracies of Figures 1 and
    17 to 23. Make one with :meth:`from_accuracies`, or from means that you have.

    Parameters
    ----------
    strategies : list of str
        Names, one for each curve; they decide color, marker and label.
    n_labeled : list of array-like of shape (n_counts,)
        Label counts of each curve.
    mean : list of array-like of shape (n_counts,)
        Mean accuracy at each count, in [0, 1].
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
    skbadge.benchmarks.learning_curves : Means and standard errors of a results table.

    Examples
    --------
    >>> from skbadge.plotting import LearningCurveDisplay
    >>> display = LearningCurveDisplay.from_accuracies(
    ...     strategy=["badge", "badge", "badge", "badge"],
    ...     n_labeled=[100, 200, 100, 200],
    ...     accuracy=[0.5, 0.7, 0.6, 0.7])
    >>> [float(round(m, 3)) for m in display.mean[0]]
    [0.55, 0.7]
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
    def from_accuracies(
        cls, strategy: ArrayLike, n_labeled: ArrayLike, accuracy: ArrayLike
    ) -> Self:
        """Average the accuracies of single runs.

        Parameters
        ----------
        strategy : array-like of str, shape (n_rows,)
            Strategy of each measurement; a column of a results table will do.
        n_labeled : array-like of int, shape (n_rows,)
            Number of labels it was made with.
        accuracy : array-like of float, shape (n_rows,)
            Accuracy in [0, 1]. NaN is passed over.

        Returns
        -------
        LearningCurveDisplay
            Strategies in the order in which they come. A count with a single
            measurement has no band.

        Raises
        ------
        InvalidInputError
            If the lengths differ.
        """
        names, counts, means, errors = average_rows(
            *check_rows(strategy=strategy, n_labeled=n_labeled, accuracy=accuracy)
        )
        return cls(
            strategies=names, n_labeled=counts, mean=means, standard_error=errors
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        scale: Literal["linear", "log2"] = "linear",
        band: bool = True,
        legend: bool | Literal["below"] = True,
        score: str = "accuracy",
        **options: Any,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        scale : {"linear", "log2"}, default="linear"
            Scale of the labels. On "log2" each doubling takes the same room.
        band : bool, default=True
            Draw the bands of one standard error.
        legend : bool or "below", default=True
            Add a legend; "below" puts it below the axes, where it hides no line.
        score : str, default="accuracy"
            What the curves show: the label of the axis, with a capital.
        **options : dict
            Further keyword arguments of ``Axes.plot``, for all lines.

        Returns
        -------
        LearningCurveDisplay
            The display itself.
        """
        check_option(scale, "scale", ("linear", "log2"))
        ax = new_axes(ax)
        error = self.standard_error if band else None
        self.lines_, self.bands_ = draw_curves(
            ax, self.strategies, self.n_labeled, self.mean, error, **options
        )
        label_axis(ax, scale)
        # The score of a class has the class in its name, whatever that is.
        name = score[:1].upper() + score[1:].replace("_", " ")
        ax.set_ylabel(name, parse_math=False)
        tidy_axes(ax, legend=legend, location="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

"""Who beats whom how often, as an annotated matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skbadge.exceptions import InvalidInputError
from skbadge.plotting._curves import check_rows, new_axes
from skbadge.plotting._style import strategy_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.text import Text

__all__ = ["PenaltyMatrixDisplay"]

# Room between the matrix and the row of column means, in cells.
_GAP = 0.3


class PenaltyMatrixDisplay:
    """Pairwise penalty matrix with the mean of each column at the bottom.

    Entry [i, j] counts the settings in which the strategy of row i beats that of column
    j. A dark row wins often; a light column is seldom beaten, and the strategy with the
    lowest column mean is the most reliable one. These are the paper's Figures 4, 13 and
    14.

    Parameters
    ----------
    matrix : array-like of shape (n_strategies, n_strategies)
        Penalties; NaN where two strategies were not compared.
    strategies : list of str
        Names of rows and columns.
    highest : float or None, default=None
        Highest possible entry, the number of settings; it goes into the title and sets
        the scale of the colors. None: unknown.
    column_mean : array-like of shape (n_strategies,) or None, default=None
        Bottom row; None takes the mean of each column over the entries that are no NaN,
        the diagonal included.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    text_ : ndarray of shape (n_strategies + 1, n_strategies) of matplotlib Text
        The values written, the column means last.

    See Also
    --------
    skbadge.benchmarks.penalty_matrix : Compute the matrix of a results table.

    Examples
    --------
    >>> from skbadge.plotting import PenaltyMatrixDisplay
    >>> display = PenaltyMatrixDisplay.from_wins(
    ...     winner=["badge", "badge"], loser=["rand", "rand"], weight=[0.5, 1.0])
    >>> display.matrix.tolist()
    [[0.0, 1.5], [0.0, 0.0]]
    """

    def __init__(
        self,
        matrix: ArrayLike,
        *,
        strategies: Iterable[str],
        highest: float | None = None,
        column_mean: ArrayLike | None = None,
    ) -> None:
        self.matrix = np.asarray(matrix, dtype=float)
        self.strategies = [str(name) for name in strategies]
        n = len(self.strategies)
        if self.matrix.shape != (n, n):
            raise InvalidInputError(
                f"matrix must have one row and one column for each of the {n} "
                f"strategies. Got shape {self.matrix.shape} instead."
            )
        if column_mean is None:
            there = ~np.isnan(self.matrix)
            total = np.where(there, self.matrix, 0.0).sum(axis=0)
            counts = there.sum(axis=0)
            column_mean = np.where(counts, total / np.maximum(counts, 1), np.nan)
        self.column_mean = np.asarray(column_mean, dtype=float)
        if self.column_mean.shape != (n,):
            raise InvalidInputError(
                f"column_mean must have one value for each of the {n} strategies. Got "
                f"shape {self.column_mean.shape} instead."
            )
        self.highest = None if highest is None else float(highest)

    @classmethod
    def from_wins(
        cls,
        winner: ArrayLike,
        loser: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        strategies: Iterable[str] | None = None,
        highest: float | None = None,
    ) -> Self:
        """Add up single wins.

        Parameters
        ----------
        winner, loser : array-like of str, shape (n_wins,)
            Names of the two strategies of each win.
        weight : array-like of float, shape (n_wins,) or None, default=None
            What each win adds; None for 1.
        strategies : list of str or None, default=None
            Names of rows and columns; None for those that occur, in alphabetical order.
        highest : float or None, default=None
            Highest possible entry.

        Returns
        -------
        PenaltyMatrixDisplay

        Raises
        ------
        InvalidInputError
            If the lengths differ, or a name is not among ``strategies``.
        """
        if weight is None:
            weight = np.ones(np.shape(winner))
        winner, loser, weight = check_rows(winner=winner, loser=loser, weight=weight)
        found = sorted({str(name) for name in (*winner, *loser)})
        names = found if strategies is None else [str(name) for name in strategies]
        unknown = [name for name in found if name not in names]
        if unknown:
            raise InvalidInputError(
                f"strategies must name all winners and losers. Missing: "
                f"{', '.join(unknown)}."
            )
        matrix = np.zeros((len(names), len(names)))
        for first, second, share in zip(winner, loser, weight, strict=True):
            matrix[names.index(first), names.index(second)] += share
        return cls(matrix, strategies=names, highest=highest)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        title: str | None = None,
        values_format: str = ".2f",
        cmap: str | Colormap = "Blues",
    ) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        title : str or None, default=None
            First line of the title; the highest possible entry follows where known.
        values_format : str, default=".2f"
            Format of the numbers.
        cmap : str or Colormap, default="Blues"
            Colors from zero to the highest entry.

        Returns
        -------
        PenaltyMatrixDisplay
            The display itself.
        """
        from matplotlib import colormaps
        from matplotlib.colors import Normalize

        ax = new_axes(ax)
        n = len(self.strategies)
        top = self.highest or np.nan_to_num(self.matrix).max(initial=0.0) or 1.0
        colors = Normalize(0.0, top), colormaps[cmap] if isinstance(cmap, str) else cmap
        self.text_ = np.empty((n + 1, n), dtype=object)
        rows = [*self.matrix, self.column_mean]
        for i, row in enumerate(rows):
            y = i + (_GAP if i == n else 0.0)
            for j, value in enumerate(row):
                text = "–" if np.isnan(value) else format(value, values_format)
                self.text_[i, j] = _cell(ax, j, y, value, text, colors, bold=i == n)
        self._label(ax, n, title)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, ax: Axes, n: int, title: str | None) -> None:
        styles = strategy_styles(self.strategies)
        labels = [styles[name].label for name in self.strategies]
        ax.set(xlim=(-0.5, n - 0.5), ylim=(n + _GAP + 0.5, -0.5), aspect="equal")
        # A name of one's own may hold what matplotlib would take for mathematics.
        plain: dict[str, Any] = {"parse_math": False}
        turned: dict[str, Any] = {
            "rotation": 40,
            "ha": "left",
            "rotation_mode": "anchor",
        }
        ax.set_xticks(range(n), labels, **turned, **plain)
        ax.set_yticks([*range(n), n + _GAP], [*labels, "column mean"], **plain)
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_ylabel("row beats column")
        lines = [] if title is None else [title]
        if self.highest is not None:
            lines.append(f"highest possible entry: {self.highest:g}")
        ax.set_title("\n".join(lines))


def _cell(
    ax: Axes,
    x: float,
    y: float,
    value: float,
    text: str,
    colors: tuple[Callable[[float], Any], Callable[[Any], Any]],
    *,
    bold: bool,
) -> Text:
    """Draw one colored square with its number in it; return the Text."""
    from matplotlib.patches import Rectangle

    normalize, cmap = colors
    face, ink = "none", "#808080"
    if not np.isnan(value):
        face = cmap(normalize(value))
        # Relative luminance, roughly: white on dark cells, black on light ones.
        dark = np.dot(face[:3], (0.299, 0.587, 0.114)) < 0.5
        ink = "#FFFFFF" if dark else "#000000"
    box: dict[str, Any] = {
        "facecolor": face,
        "edgecolor": "#808080",
        "linewidth": 0.4,
        "clip_on": False,
    }
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **box))
    weight = "bold" if bold else "normal"
    place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": "small"}
    return ax.text(x, y, text, color=ink, fontweight=weight, **place)

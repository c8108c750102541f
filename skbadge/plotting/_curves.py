"""What the displays share: checks of their arrays, averages, lines with bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from skbadge.exceptions import InvalidInputError
from skbadge.plotting._style import strategy_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

# About as many markers a line: enough to tell lines apart, too few to hide them.
_N_MARKERS = 9


def check_curves(
    strategies: Iterable[str], **columns: Iterable[ArrayLike]
) -> tuple[list[str], list[list[np.ndarray]]]:
    """Return names and lists of float arrays, one array for each strategy.

    Raises
    ------
    InvalidInputError
        If the number of curves or the lengths of their columns differ.
    """
    strategies = [str(name) for name in strategies]
    checked = {
        name: [np.asarray(values, dtype=float) for values in column]
        for name, column in columns.items()
    }
    first = next(iter(checked))
    for name, column in checked.items():
        if len(column) != len(strategies):
            raise InvalidInputError(
                f"{name} must hold one array for each of the {len(strategies)} "
                f"strategies. Got {len(column)} instead."
            )
        for strategy, values, other in zip(
            strategies, column, checked[first], strict=True
        ):
            if values.ndim != 1 or values.shape != other.shape:
                raise InvalidInputError(
                    f"{name} must be one-dimensional and as long as {first}. Got shape "
                    f"{values.shape} and {other.shape} for '{strategy}' instead."
                )
    return strategies, list(checked.values())


def check_rows(**columns: ArrayLike) -> list[np.ndarray]:
    """Return arrays of equal length, one entry a row.

    Raises
    ------
    InvalidInputError
        If their lengths differ.
    """
    arrays = [np.asarray(column) for column in columns.values()]
    if len({array.shape for array in arrays}) > 1 or arrays[0].ndim != 1:
        shapes = ", ".join(
            f"{name} {array.shape}" for name, array in zip(columns, arrays, strict=True)
        )
        raise InvalidInputError(
            f"{', '.join(columns)} must be one-dimensional and of the same length. Got "
            f"the shapes {shapes} instead."
        )
    return arrays


def average_rows(
    strategy: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[list[str], list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Average ``y`` over the rows with the same strategy and ``x``.

    Parameters
    ----------
    strategy, x, y : ndarray of shape (n_rows,)
        One measurement a row. NaN in ``y`` is passed over.

    Returns
    -------
    tuple of four lists
        Strategies in order of appearance, and for each of them the distinct ``x``, the
        means, and the standard errors (NaN for a single row).
    """
    y = np.asarray(y, dtype=float)
    names = list(dict.fromkeys(str(name) for name in strategy))
    xs, means, errors = [], [], []
    for name in names:
        mine = (strategy == name) & ~np.isnan(y)
        values, group = np.unique(x[mine], return_inverse=True)
        parts = [y[mine][group == i] for i in range(len(values))]
        xs.append(values)
        means.append(np.array([part.mean() for part in parts]))
        errors.append(np.array([_standard_error(part) for part in parts]))
    return names, xs, means, errors


def _standard_error(part: np.ndarray) -> float:
    return part.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.nan


def draw_curves(
    ax: Axes,
    strategies: list[str],
    x: Sequence[np.ndarray],
    y: Sequence[np.ndarray],
    error: Sequence[np.ndarray] | None,
    *,
    step: bool = False,
    **options: Any,
) -> tuple[list[Line2D], list[PolyCollection]]:
    """Draw one line for each strategy, with a band of one standard error.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    strategies : list of str
        Names, which decide the style.
    x, y : list of ndarray
        One array for each strategy.
    error : list of ndarray or None
        Half-widths of the bands; NaN where there is none.
    step : bool, default=False
        Draw steps that hold a value until the next ``x``.
    **options : dict
        Go to ``Axes.plot`` for every line, before the style of the strategy.

    Returns
    -------
    tuple of (list of Line2D, list of PolyCollection)
    """
    lines: list[Line2D] = []
    bands: list[PolyCollection] = []
    styles = strategy_styles(strategies)
    drawstyle = "steps-post" if step else "default"
    for i, name in enumerate(strategies):
        style = styles[name]
        spots = _marked(len(x[i]), i, step)
        drawn = style.line_options() | {"drawstyle": drawstyle, "markevery": spots}
        lines += ax.plot(x[i], y[i], **(drawn | options))
        if error is not None and np.isfinite(error[i]).any():
            half = np.nan_to_num(error[i])
            bands.append(
                ax.fill_between(
                    x[i],
                    y[i] - half,
                    y[i] + half,
                    facecolor=(lines[-1].get_color(), 0.1),
                    # A thin edge tells bands apart where they lie upon each other.
                    edgecolor=(lines[-1].get_color(), 0.4),
                    linewidth=0.5,
                    zorder=2,
                )
            )
    return lines, bands


def _marked(n_points: int, position: int, step: bool) -> list[int]:
    """Return the points of a line that get a marker."""
    # Step curves are drawn from edge to edge: their ends are no data.
    first, last = (1, n_points - 1) if step else (0, n_points)
    stride = max(1, (last - first) // _N_MARKERS)
    # Markers of different lines start at different points, not to hide each other.
    return list(range(first + position % stride, last, stride))


def tidy_axes(
    ax: Axes,
    *,
    legend: bool | Literal["below"],
    location: Literal["best", "lower right", "upper left"],
) -> None:
    """Take away the frame, add a light grid, and a legend if asked for.

    ``legend="below"`` puts it below the axes, where it hides no line.
    """
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#808080", alpha=0.25, linewidth=0.8)
    ax.set_axisbelow(True)
    handles = ax.get_legend_handles_labels()[0]
    if not (legend and handles):
        return
    if legend == "below":
        drawn = ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            ncols=4,
            frameon=False,
            fontsize="small",
            handlelength=2.6,
            columnspacing=1.2,
        )
    else:
        drawn = ax.legend(
            loc=location,
            ncols=2 if len(handles) > 4 and location != "upper left" else 1,
            frameon=False,
            fontsize="small",
            handlelength=3,
            columnspacing=1.2,
        )
    for text in drawn.get_texts():
        # A name of one's own may hold what matplotlib would take for mathematics.
        text.set_parse_math(False)


def label_axis(ax: Axes, scale: Literal["linear", "log2"]) -> None:
    """Set up the axis of label counts, on a "linear" or "log2" scale."""
    from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

    ax.set_xlabel("Labels")
    if scale == "log2":
        ax.set_xscale("log", base=2)
    else:
        # Few ticks, since large counts are wide.
        ax.xaxis.set_major_locator(
            MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], integer=True)
        )
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def new_axes(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]

"""Small charts as SVG that follow the colors of the page they stand in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

__all__ = ["Chart", "ticks"]

_WIDTH, _HEIGHT = 560, 240
# Right of the last tick is room for half of its text.
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 28, 12, 40


@dataclass
class Chart:
    """A chart, filled piece by piece, with places in pixels for a template to draw.

    Parameters
    ----------
    title, x_label, y_label : str
        The title is read out by screen readers.
    x, y : tuple of two floats
        Ranges shown.
    percent : bool, default=False
        Whether the y axis is written in percent.
    """

    title: str
    x_label: str
    y_label: str
    x: tuple[float, float]
    y: tuple[float, float]
    percent: bool = False
    lines: list[str] = field(default_factory=list)
    bars: list[tuple[float, float, float]] = field(default_factory=list)
    points: list[tuple[float, float, str]] = field(default_factory=list)
    levels: list[tuple[float, str]] = field(default_factory=list)

    width, height = _WIDTH, _HEIGHT
    left, right = _LEFT, _WIDTH - _RIGHT
    top, bottom = _TOP, _HEIGHT - _BOTTOM

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a value; values outside go to the edge."""
        return self._scaled(x, self.x, self.left, self.right), self._scaled(
            y, self.y, self.bottom, self.top
        )

    def line(
        self, xs: Iterable[float], ys: Iterable[float], *, steps: bool = False
    ) -> Self:
        """Draw a line through points."""
        pixels = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        if steps:
            pixels = [
                pixel
                for before, after in pairwise(pixels)
                for pixel in (before, (after[0], before[1]))
            ] + pixels[-1:]
        self.lines.append(" ".join(f"{x:.1f},{y:.1f}" for x, y in pixels))
        return self

    def interval(self, x: float, low: float, high: float) -> Self:
        """Draw an upright bar from one value to another."""
        self.bars.append((*self.at(x, low), self.at(x, high)[1]))
        return self

    def point(self, x: float, y: float, text: str) -> Self:
        """Draw a point with a text that appears over it."""
        self.points.append((*self.at(x, y), text))
        return self

    def level(self, y: float, text: str) -> Self:
        """Draw a line across with a name."""
        self.levels.append((self.at(self.x[0], y)[1], text))
        return self

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Places and texts of the x axis."""
        return [(self.at(v, self.y[0])[0], f"{v:,.6g}") for v in ticks(*self.x)]

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Places and texts of the y axis."""
        form = ".0%" if self.percent else ",.4g"
        return [(self.at(self.x[0], v)[1], f"{v:{form}}") for v in ticks(*self.y)]

    @staticmethod
    def _scaled(
        value: float, span: tuple[float, float], start: float, end: float
    ) -> float:
        share = (value - span[0]) / ((span[1] - span[0]) or 1)
        return round(start + min(max(share, 0), 1) * (end - start), 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers in an interval, not more than asked for by much.

    Parameters
    ----------
    low, high : float
    most : int, default=5

    Returns
    -------
    list of float
    """
    span = high - low
    if not span > 0:
        return [low]
    step = 10 ** math.floor(math.log10(span / most))
    step *= next(f for f in (1, 2, 5, 10) if span / (step * f) <= most)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]

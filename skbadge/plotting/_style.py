"""One color, marker and line for each strategy, the same in every picture.

The colors of the paper's strategies are those of Okabe and Ito, which people with the
common color vision deficiencies tell apart; its yellow and black are left out, as one
cannot be seen on white and the other on black. Markers and line styles differ as well,
for print in black and white. Further strategies share six more colors: color, marker
and line together tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from skbadge.utils._marks import visible

__all__ = ["StrategyStyle", "strategy_styles"]


@dataclass(frozen=True)
class StrategyStyle:
    """How one strategy is drawn.

    Parameters
    ----------
    label : str
        Its name in legends.
    color : str
        Hexadecimal RGB.
    marker : str
        Matplotlib marker.
    linestyle : str or tuple
        Matplotlib line style.
    emphasis : bool, default=False
        Draw it wider and on top of the others.
    """

    label: str
    color: str
    marker: str
    linestyle: str | tuple = "-"
    emphasis: bool = False

    def line_options(self) -> dict[str, Any]:
        """Return the keyword arguments of ``Axes.plot`` that draw this style (dict)."""
        return {
            "label": self.label,
            "color": self.color,
            "marker": self.marker,
            "linestyle": self.linestyle,
            "linewidth": 2.6 if self.emphasis else 1.6,
            "markersize": 6.5 if self.emphasis else 5,
            "zorder": 4 if self.emphasis else 3,
        }


_DASHED, _DOTTED = (0, (5, 2)), (0, (1, 1.2))
_DASH_DOTTED, _LONG = (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2))

_PAPERS = {
    "badge": StrategyStyle("BADGE", "#D55E00", "o", "-", emphasis=True),
    "badge-kdpp": StrategyStyle("k-DPP", "#A05A2C", "X", _DASHED),
    "albl": StrategyStyle("ALBL", "#E69F00", "D", _DASH_DOTTED),
    "coreset": StrategyStyle("CORESET", "#009E73", "s", "-"),
    "conf": StrategyStyle("CONF", "#56B4E9", "v", _DOTTED),
    "marg": StrategyStyle("MARG", "#0072B2", "^", _LONG),
    "entropy": StrategyStyle("ENTROPY", "#CC79A7", "p", _DASH_DOTTED),
    "rand": StrategyStyle("RAND", "#7F7F7F", "x", _DASHED),
}
# The classes of skbadge.strategies look like the strategies of the experiments.
_ALIASES = {
    "randomsampling": "rand",
    "leastconfidence": "conf",
    "marginsampling": "marg",
    "entropysampling": "entropy",
}
_OTHERS = (
    ("#8C6D9E", "P"),
    ("#5F8A00", "*"),
    ("#C44E52", "<"),
    ("#4F9DA6", ">"),
    ("#A88F5B", "h"),
    ("#6B7FD7", "d"),
)
_LINES = ("-", _DASHED, _DOTTED, _DASH_DOTTED)
# Further strategies of the experiments: colors and markers of others, line by line.
_FURTHER = {
    "bait": "BAIT",
    "uherding": "UHerding",
    "maxherding": "MaxHerding",
    "typiclust": "TypiClust",
    "kmeans": "k-means",
    "dropquery": "DropQuery",
    "power-marg": "PowerMargin",
    "bald": "BALD",
    "power-bald": "PowerBALD",
    "contrastive": "ContrastiveAL",
    "probcover": "ProbCover",
    "alphamix": "AlphaMix",
    "clue": "CLUE",
    "falcun": "FALCUN",
    "cluster-marg": "ClusterMargin",
    "direct": "DIRECT",
    "badge-balanced": "balanced BADGE",
    "refine": "Refine",
    "batch-bald": "BatchBALD",
}
_STYLES = _PAPERS | {
    name: StrategyStyle(
        label,
        *_OTHERS[i % len(_OTHERS)],
        _LINES[i // len(_OTHERS) % len(_LINES)],
    )
    for i, (name, label) in enumerate(_FURTHER.items())
}


def strategy_styles(names: Iterable[str]) -> dict[str, StrategyStyle]:
    """Return the style of each strategy.

    Parameters
    ----------
    names : iterable of str
        Names of the experiments (``badge``, ``badge-kdpp``, ``albl``, ``coreset``,
        ``conf``, ``marg``, ``entropy``, ``rand``, ``bait``, ``uherding`` and so on), of
        the strategy classes, or any others: these share a second list of styles, in the
        order in which they come.

    Returns
    -------
    dict of str to StrategyStyle
        In the order of ``names``.

    Examples
    --------
    >>> from skbadge.plotting import strategy_styles
    >>> styles = strategy_styles(["badge", "rand", "mine"])
    >>> [style.label for style in styles.values()]
    ['BADGE', 'RAND', 'mine']
    """
    styles: dict[str, StrategyStyle] = {}
    n_others = 0
    for name in map(str, names):
        key = name.lower()
        if name in _STYLES:
            styles[name] = _STYLES[name]
        elif _ALIASES.get(key, key) in _STYLES:
            styles[name] = replace(_STYLES[_ALIASES.get(key, key)], label=name)
        elif name not in styles:
            # The next marker, which no strategy above has in this color.
            color, _ = _OTHERS[n_others % len(_OTHERS)]
            marker = _OTHERS[(n_others + 1) % len(_OTHERS)][1]
            linestyle = _LINES[n_others // len(_OTHERS) % len(_LINES)]
            # Of a reference such as mymodule:MyStrategy the module says little.
            label = name.rpartition(":")[2] if name.count(":") == 1 else name
            label = visible(label or name)
            styles[name] = StrategyStyle(label, color, marker, linestyle)
            n_others += 1
    return styles

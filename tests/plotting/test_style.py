"""Styles are fixed, distinct, and visible on white and on black."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from skbadge.benchmarks import STRATEGIES
from skbadge.plotting import strategy_styles

NAMES = ["badge", "badge-kdpp", "albl", "coreset", "conf", "marg", "entropy", "rand"]

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as it is seen.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return linear(color) @ [0.2126, 0.7152, 0.0722]


def lab(rgb):
    """CIE L*a*b* of a linear RGB color, D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722]]
    to_xyz.append([0.0193, 0.1192, 0.9505])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_styles_are_the_same_whatever_else_is_drawn():
    together = strategy_styles(NAMES)
    for name in NAMES:
        assert strategy_styles([name])[name] == together[name]
    assert list(together) == NAMES
    assert [s.label for s in together.values()] == [
        "BADGE",
        "k-DPP",
        "ALBL",
        "CORESET",
        "CONF",
        "MARG",
        "ENTROPY",
        "RAND",
    ]


def test_markers_and_colors_differ():
    styles = strategy_styles([*NAMES, *"abcdef"]).values()
    assert len({style.marker for style in styles}) == len(NAMES) + 6
    assert len({style.color for style in styles}) == len(NAMES) + 6


@pytest.mark.parametrize("vision", sorted(VISION))
def test_colors_are_told_apart(vision):
    seen = {
        name: lab(np.asarray(VISION[vision]) @ linear(style.color))
        for name, style in strategy_styles(NAMES).items()
    }
    for first, second in combinations(NAMES, 2):
        # A just noticeable difference is about 2.3.
        assert np.linalg.norm(seen[first] - seen[second]) > 9, (first, second)


def test_colors_stand_out_on_white_and_on_dark():
    for style in strategy_styles(NAMES).values():
        on_white = 1.05 / (luminance(style.color) + 0.05)
        on_dark = (luminance(style.color) + 0.05) / (luminance("#15181D") + 0.05)
        assert on_white > 2.2
        assert on_dark > 3


def test_only_badge_is_emphasized():
    emphasized = [n for n, s in strategy_styles(NAMES).items() if s.emphasis]
    assert emphasized == ["badge"]
    wide, narrow = (
        s.line_options() for s in strategy_styles(["badge", "albl"]).values()
    )
    assert wide["linewidth"] > narrow["linewidth"]
    assert wide["zorder"] > narrow["zorder"]


def test_class_names_look_like_their_strategies():
    styles = strategy_styles(["BADGE", "MarginSampling", "RandomSampling"])
    plain = strategy_styles(["badge", "marg", "rand"])
    assert [s.color for s in styles.values()] == [s.color for s in plain.values()]
    assert styles["MarginSampling"].label == "MarginSampling"


def test_many_strategies_still_differ():
    names = [*STRATEGIES, *(f"mine {i}" for i in range(18))]
    styles = strategy_styles(names).values()
    assert len({(s.color, s.marker, str(s.linestyle)) for s in styles}) == len(names)
    assert len({s.label for s in styles}) == len(names)


def test_every_strategy_of_the_experiments_has_a_look_of_its_own():
    together = strategy_styles(STRATEGIES)
    for name in STRATEGIES:
        assert strategy_styles([name])[name] == together[name]
    assert strategy_styles(["UHerding"])["UHerding"] == together["uherding"]

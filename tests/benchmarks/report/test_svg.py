"""Compact pictures show what matplotlib drew, element by element, in both themes."""

import re
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import style
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from skbadge.benchmarks.report._page import _PICTURE_STYLE
from skbadge.benchmarks.report._svg import INK, compact
from skbadge.plotting import LearningCurveDisplay, PenaltyMatrixDisplay

SHOWN = ("path", "use", "text", "clipPath", "rect")
FONTS = re.compile("font-family: [^;]*;?")


def matrix(ax):
    names = ["badge", "rand", "a<b&c"]
    PenaltyMatrixDisplay(np.arange(9).reshape(3, 3) / 8, strategies=names).plot(ax)


def curve(ax):
    x = [np.arange(12) * 10] * 2
    y = [np.linspace(0.1, 0.9, 12) ** k for k in (1, 2)]
    display = LearningCurveDisplay(
        strategies=["badge", "rand"],
        n_labeled=x,
        mean=y,
        standard_error=[np.full(12, 0.02)] * 2,
    )
    display.plot(ax, scale="log2", legend="below")


def drawn(draw):
    with style.context(["default", _PICTURE_STYLE]):
        figure = Figure(figsize=(5, 4), layout="constrained")
        draw(figure.subplots())
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def plain(name):
    return name.rpartition("}")[2]


def shown(svg, styles=None):
    """Return what a picture shows: (tag, text, style, points, what it refers to)."""
    root = ElementTree.fromstring(svg)
    by_id = {e.get("id"): e for e in root.iter() if e.get("id")}
    found = []
    for element in root.iter():
        if plain(element.tag) not in SHOWN:
            continue
        attributes = {plain(name): v for name, v in element.attrib.items()}
        said = attributes.get("style", "")
        if styles is not None:
            said = styles.get(attributes.get("class"), "")
        clip = attributes.get("clip-path", "").removeprefix("url(").removesuffix(")")
        refers = [
            plain(by_id[name.removeprefix("#")].tag)
            for name in (attributes.get("href", ""), clip)
            if name
        ]
        texts = "".join(element.itertext()) if plain(element.tag) == "text" else ""
        found.append((plain(element.tag), texts, FONTS.sub("", said).strip(), refers))
    return found


def points(svg):
    """Return the corners and places of all elements, with level lines written out."""
    root, found = ElementTree.fromstring(svg), []
    for element in root.iter():
        d = element.get("d")
        if d is None:
            found += [float(element.get(n)) for n in ("x", "y") if element.get(n)]
            continue
        x = y = None
        for letter, rest in re.findall("([A-Za-z])([^A-Za-z]*)", d):
            numbers = [float(n) for n in rest.split()]
            if letter in "HV":
                x, y = (numbers[0], y) if letter == "H" else (x, numbers[0])
                found += [x, y]
                continue
            found += numbers
            x, y = numbers[-2:] or (x, y)
    return found


def sheet(svg):
    """Return {class: style} of the light and of the dark theme."""
    text = ElementTree.fromstring(svg).findall(".//{*}style")[-1].text
    light, _, dark = text.partition("@media (prefers-color-scheme: dark){")
    return [dict(re.findall(r"\.(\w+)\{([^}]*)\}", part)) for part in (light, dark)]


@pytest.mark.parametrize("draw", [matrix, curve])
def test_shows_the_same_in_fewer_characters(draw):
    before = drawn(draw)
    after = compact(before)
    light, _ = sheet(after)
    assert shown(after, light) == shown(before)
    assert_allclose(points(after), points(before), atol=0.051)
    assert len(after) < 0.6 * len(before)
    assert compact(before) == after


def test_ink_and_nothing_else_is_light_on_dark_pages():
    light, dark = sheet(compact(drawn(curve)))
    assert dark and set(dark) == {name for name in light if INK in light[name]}
    for name, rule in dark.items():
        assert rule == light[name].replace(INK, "#d8dce2")


def test_texts_stay_texts():
    """What looks like markup is a name, and is found by a search in the picture."""
    texts = [text for _, text, _, _ in shown(compact(drawn(matrix)), {})]
    assert {"a<b&c", "row beats column", "0.50"} <= set(texts)

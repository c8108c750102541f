"""Building blocks of the report, and the page that is made of them.

A block is a dict with its kind; the template ``page.html.jinja`` writes it, and escapes
everything in it.
"""

from __future__ import annotations

import base64
import re
from io import StringIO

from skbadge.benchmarks.report._svg import INK, SVG_STYLE, compact
from skbadge.utils._marks import shown

__all__ = [
    "details",
    "grid",
    "heading",
    "listing",
    "notice",
    "page",
    "paragraph",
    "picture",
    "preformatted",
    "table",
]

# Widest picture, in pixels, that may share a line with another.
_COLUMN = 544
_PICTURE_STYLE = SVG_STYLE | {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": "medium",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def page(title, lead, sections):
    """Return a whole HTML page with no reference to anything outside it.

    Parameters
    ----------
    title : str
        Its heading.
    lead : list of blocks
        What stands first.
    sections : dict of str to list of blocks
        Parts by their titles; one without blocks is left out.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("skbadge.benchmarks.report", "."),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
    )
    parts = [
        {"title": name, "anchor": _anchor(name), "blocks": blocks}
        for name, blocks in sections.items()
        if blocks
    ]
    template = environment.get_template("page.html.jinja")
    return template.render(title=title, lead=lead, sections=parts) + "\n"


def _anchor(title):
    return "-".join(re.findall("[a-z0-9]+", title.lower()))


def heading(text):
    """Return a heading within a section."""
    return {"kind": "heading", "text": text}


def grid(parts):
    """Return parts side by side, as many as there is room for."""
    return {"kind": "grid", "parts": list(parts)}


def paragraph(text, *, style=""):
    """Return a paragraph of plain text."""
    return {"kind": "paragraph", "text": text, "style": style}


def notice(text):
    """Return a paragraph that cannot be overlooked."""
    return {"kind": "notice", "text": text}


def listing(texts):
    """Return texts as the points of a list."""
    return {"kind": "list", "items_": list(texts)}


def preformatted(text):
    """Return text with its line breaks and spaces kept."""
    return {"kind": "preformatted", "text": text}


def details(summary, *parts):
    """Return a part that is folded away at first."""
    return {"kind": "details", "text": summary, "parts": parts}


def table(header, rows, *, bold=()):
    """Return a table that scrolls by itself where it is too large.

    Parameters
    ----------
    header : list of str
        Names of the columns; the first one holds the heads of the rows.
    rows : list of lists
        Strings and numbers; numbers, and strings that start like one, go to the right.
    bold : container of (row, column), default=()
        Cells to emphasize.

    Returns
    -------
    dict
        The block.
    """
    right = [
        bool(rows) and all(_is_number(row[j]) for row in rows)
        for j in range(len(header))
    ]

    def cells(values, i):
        return [
            {"text": str(value), "right": right[j], "bold": (i, j) in bold}
            for j, value in enumerate(values)
        ]

    return {
        "kind": "table",
        "header": cells(header, -1),
        "rows": [cells(row, i) for i, row in enumerate(rows)],
    }


def _is_number(value):
    text = str(value)
    return text == "" or text[0] in "0123456789-–" or text == "nan"


def picture(draw, alt, *, size=(5.2, 3.9), title="", caption="", below=()):
    """Return a figure with a picture embedded in it.

    Parameters
    ----------
    draw : callable
        Called with matplotlib axes to draw on.
    alt : str
        What is to be seen, for those who cannot see it.
    size : (float, float), default=(5.2, 3.9)
        Width and height in inches.
    title, caption : str, default=""
        Lines above and below the picture.
    below : sequence of blocks, default=()
        What stands below the caption.

    Returns
    -------
    dict
        The block. The picture is SVG, follows the reader's light or dark theme by
        itself, and is the same byte for byte when drawn again.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _PICTURE_STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(compact(buffer.getvalue()).encode()).decode()
    width, height = (round(96 * side) for side in size)
    return {
        "kind": "picture",
        "is_wide": width > _COLUMN,
        "src": f"data:image/svg+xml;base64,{data}",
        "alt": alt,
        "title": title,
        "caption": caption,
        "below": list(below),
        "width": width,
        "height": height,
    }

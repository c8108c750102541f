"""Building blocks of the report: page, sections, tables and pictures.

Everything that goes into the page as text is escaped here.
"""

from __future__ import annotations

import base64
import re
from html import escape
from io import StringIO
from string import Template

__all__ = [
    "contents",
    "details",
    "grid",
    "heading",
    "notice",
    "page",
    "paragraph",
    "picture",
    "preformatted",
    "section",
    "table",
]

# Text and axes are drawn in this color, which the pictures replace by themselves
# where the reader's theme is dark.
_INK, _INK_ON_DARK = "#24292f", "#d8dce2"
_PICTURE_STYLE = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlesize": "medium",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "svg.hashsalt": "skbadge",
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_DARK_RULES = f"""<style>@media (prefers-color-scheme: dark) {{
[style*="fill: {_INK}"] {{ fill: {_INK_ON_DARK} !important; }}
[style*="stroke: {_INK}"] {{ stroke: {_INK_ON_DARK} !important; }}
}}</style>"""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root {
  color-scheme: light dark;
  --ink: #24292f; --soft: #57606a; --line: #d5dae0; --paper: #ffffff;
  --tint: #f4f6f8; --link: #0a5cad; --warn: #fff4e5; --warn-line: #d98a1f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #d8dce2; --soft: #9aa4b0; --line: #363d47; --paper: #14171c;
    --tint: #1d2229; --link: #7db8f5; --warn: #33270f; --warn-line: #c98a2b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; max-width: 76rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.8rem; line-height: 1.25; margin: .5rem 0; }
h2 {
  font-size: 1.35rem; margin: 3rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line);
}
h3 { font-size: 1.08rem; margin: 2rem 0 .5rem; }
h4 { font-size: 1rem; margin: 0 0 .25rem; }
p, ul { max-width: 46rem; margin: .6rem 0; }
a { color: var(--link); }
nav ul {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0;
  list-style: none; max-width: none;
}
.lead, figcaption, .soft { color: var(--soft); }
.notice {
  background: var(--warn); border-left: 4px solid var(--warn-line);
  padding: .5rem 1rem; margin: 1rem 0; border-radius: 0 .3rem .3rem 0;
  max-width: 46rem;
}
.grid {
  display: grid; gap: 1.75rem 2rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr));
}
/* A cell must be able to shrink, or a wide table would widen the page. */
.grid > * { min-width: 0; }
figure { margin: 0; }
figure img { display: block; width: 100%; max-width: 34rem; height: auto; }
figcaption { font-size: .9rem; margin: .25rem 0; }
.scroll { overflow: auto; max-height: 36rem; margin: .6rem 0; max-width: 100%; }
table { border-collapse: collapse; font-size: .88rem; line-height: 1.4; }
th, td {
  padding: .28rem .7rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top;
}
thead th {
  position: sticky; top: 0; background: var(--tint); font-weight: 600;
  white-space: nowrap; z-index: 1;
}
tbody th { font-weight: 400; white-space: nowrap; }
/* Remarks stand last and need room to be read. */
td:last-child:not(.number):not(:only-child) { min-width: 14rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--link); }
pre {
  background: var(--tint); padding: .75rem; overflow: auto; font-size: .8rem;
  line-height: 1.45; border-radius: .3rem; max-height: 24rem;
}
@media print { .scroll, pre { max-height: none; } h2 { break-after: avoid; } }
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")


def page(title, parts):
    """Return a whole HTML page with no reference to anything outside it."""
    title = escape(title)
    return _PAGE.substitute(title=title, body="\n".join(parts))


def contents(titles):
    """Return links to the sections with these titles."""
    links = (f'<li><a href="#{_anchor(t)}">{escape(t)}</a></li>' for t in titles)
    return f"<nav><ul>{''.join(links)}</ul></nav>"


def section(title, parts):
    """Return a part of the page under a heading that the contents link to."""
    body = "\n".join(part for part in parts if part)
    return (
        f'<section id="{_anchor(title)}">\n<h2>{escape(title)}</h2>\n{body}\n</section>'
    )


def _anchor(title):
    return "-".join(re.findall("[a-z0-9]+", title.lower()))


def heading(text):
    """Return a heading within a section."""
    return f"<h3>{escape(text)}</h3>"


def grid(parts):
    """Return parts side by side, as many as there is room for."""
    return "\n".join(['<div class="grid">', *parts, "</div>"])


def paragraph(text, *, kind=""):
    """Return a paragraph of plain text."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def notice(text):
    """Return a paragraph that cannot be overlooked."""
    return f'<div class="notice">{escape(text)}</div>'


def preformatted(text):
    """Return text with its line breaks and spaces kept."""
    return f"<pre>{escape(text)}</pre>"


def details(summary, *parts):
    """Return a part that is folded away at first."""
    body = "\n".join(parts)
    return f"<details><summary>{escape(summary)}</summary>\n{body}\n</details>"


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
    str
        HTML.
    """
    numeric = [
        bool(rows) and all(_is_number(row[j]) for row in rows)
        for j in range(len(header))
    ]
    head = "".join(
        f'<th scope="col"{_align(right)}>{escape(str(name))}</th>'
        for name, right in zip(header, numeric, strict=True)
    )
    lines = []
    for i, row in enumerate(rows):
        cells = []
        for j, value in enumerate(row):
            text = escape(str(value))
            text = f"<strong>{text}</strong>" if (i, j) in bold else text
            tag = 'th scope="row"' if j == 0 else "td"
            cells.append(f"<{tag}{_align(numeric[j])}>{text}</{tag[:2]}>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="scroll" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{chr(10).join(lines)}</tbody>"
        "</table></div>"
    )


def _is_number(value):
    text = str(value)
    return text == "" or text[0] in "0123456789-–" or text == "nan"


def _align(right):
    return ' class="number"' if right else ""


def picture(draw, alt, *, size=(5.2, 3.9), title="", caption="", below=""):
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
    below : str, default=""
        HTML below the caption.

    Returns
    -------
    str
        HTML. The picture is SVG, follows the reader's light or dark theme by itself,
        and is the same byte for byte when drawn again.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _PICTURE_STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("<defs>", _DARK_RULES + "<defs>", 1)
    data = base64.b64encode(svg.encode()).decode()
    bottom = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    top = f"<h4>{escape(title)}</h4>" if title else ""
    width, height = (round(96 * side) for side in size)
    return (
        f'<figure>{top}<img width="{width}" height="{height}" alt="{escape(alt)}" '
        f'src="data:image/svg+xml;base64,{data}">'
        f"{bottom}{below}</figure>"
    )

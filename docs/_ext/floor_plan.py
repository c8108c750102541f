"""The parts of the package and who imports whom, as a picture.

Everything in it is read from the sources. A part hangs one row below the lowest of
those that import it; an arrow that follows from others is left out; what more than half
of the parts import is the ground. It is drawn as SVG in the page itself, narrow enough
for a phone and in the colors of the theme. A line for each part is that of its
docstring.
"""

import ast
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "skbadge"
WIDTH, ROW, BOX = 380, 52, 26
LETTER, PADDING, GAP = 7.1, 14, 10


def read(package):
    """Return {part: the parts it imports} and {part: first line of its docstring}."""
    sources = {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    }
    graph, about = {}, {}
    for path, tree in sources.items():
        name = part(path, package)
        graph.setdefault(name, set())
        if path.parent == package or path.name == "__init__.py":
            about.setdefault(name, (ast.get_docstring(tree) or "").partition("\n")[0])
    for path, tree in sources.items():
        name = part(path, package)
        graph[name] |= targets(tree, package.name, graph) - {name}
    return graph, about


def part(path, package):
    return path.relative_to(package).with_suffix("").parts[0]


def targets(tree, package, parts):
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules, names = [alias.name for alias in node.names], set()
        elif isinstance(node, ast.ImportFrom):
            modules, names = [node.module or ""], {alias.name for alias in node.names}
        else:
            continue
        for module in modules:
            first, *rest = module.split(".")
            if first == package:
                found |= {rest[0]} if rest else names & set(parts) or {"__init__"}
    return found


def below(graph, name):
    """Return all that a part imports, itself or by others."""
    return graph[name].union(*(below(graph, other) for other in graph[name]))


def essential(graph):
    """Leave out each import that follows from others."""
    return {
        name: {
            one
            for one in found
            if not any(one in below(graph, other) for other in found)
        }
        for name, found in graph.items()
    }


def ground_of(graph):
    """Return what more than half of the parts import: all stand on it."""
    users = {name: sum(name in found for found in graph.values()) for name in graph}
    return sorted(name for name in graph if 2 * users[name] > len(graph) - 1)


def depth(graph, name):
    """Count the rows above a part, which hangs right below the lowest user of it."""
    users = [other for other in graph if name in graph[other]]
    return max((1 + depth(graph, user) for user in users), default=0)


def rows_of(graph):
    """Return the rows of parts from the top, and {part: the middle of its box}."""
    by_depth = {}
    for name in sorted(graph):
        by_depth.setdefault(depth(graph, name), []).append(name)
    rows, place = [], {}
    for level in sorted(by_depth):
        above = {
            name: [place[other] for other in place if name in graph[other]]
            for name in by_depth[level]
        }
        row = sorted(
            by_depth[level],
            key=lambda name: sum(above[name]) / len(above[name]) if above[name] else 0,
        )
        place.update(zip(row, centers(row), strict=True))
        rows.append(row)
    return rows, place


def width(name):
    return LETTER * len(name) + PADDING


def centers(row):
    """Return the middle of each box of a row that is centered as a whole."""
    left = (WIDTH - sum(map(width, row)) - GAP * (len(row) - 1)) / 2
    found = []
    for name in row:
        found.append(left + width(name) / 2)
        left += width(name) + GAP
    return found


def plan(graph):
    """Return the imports to draw, the rows, the middle of each box, and the ground."""
    ground = ground_of(graph)
    graph = essential(
        {
            name: found - set(ground)
            for name, found in graph.items()
            if name not in ground
        }
    )
    return graph, *rows_of(graph), ground


def listed(graph, about):
    """Return a bullet for each part, from the top."""
    _, rows, _, ground = plan(graph)
    return [f"- ``{name}``: {about[name]}" for row in [*rows, ground] for name in row]


def draw(graph, about):
    """Return the picture (str, SVG)."""
    graph, rows, x, ground = plan(graph)
    y = {name: ROW * i + BOX / 2 + 1 for i, row in enumerate(rows) for name in row}
    lines = [
        arrow(x[name], y[name] + BOX / 2, x[other], y[other] - BOX / 2 - 2)
        for name, found in graph.items()
        for other in sorted(found)
    ]
    boxes = [box(n, x[n], y[n], width(n), about[n]) for n in graph]
    bottom = ROW * len(rows) + BOX / 2
    view = f"0 0 {WIDTH} {bottom + BOX / 2 + 1}"
    text = "; ".join(f"{name}: {about[name]}" for name in ground)
    boxes.append(box(" \u00b7 ".join(ground), WIDTH / 2, bottom, WIDTH - 2, text))
    return "\n".join(
        [
            f'<svg class="house" viewBox="{view}" role="img" '
            'aria-label="The parts of the package; each imports only from below">',
            '<marker id="house-arrow" viewBox="0 0 6 6" refX="5" refY="3" '
            'markerWidth="6" markerHeight="6" orient="auto">'
            '<path d="M0 0L6 3L0 6z"/></marker>',
            *lines,
            *boxes,
            "</svg>",
        ]
    )


def arrow(x, y, x_end, y_end):
    bend = min(ROW, (y_end - y) / 2)
    return (
        f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {x_end:.0f} '
        f'{y_end - bend:.0f} {x_end:.0f} {y_end:.0f}" marker-end="url(#house-arrow)"/>'
    )


def box(name, x, y, width, about):
    return (
        f"<g><title>{escape(about.replace('``', ''))}</title>"
        f'<rect x="{x - width / 2:.1f}" y="{y - BOX / 2:.1f}" '
        f'width="{width:.1f}" height="{BOX}" rx="4"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}">{escape(name)}</text></g>'
    )

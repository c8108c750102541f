"""Pictures for a light and a dark page, and the scraper that gives examples theirs.

A figure is drawn on nothing, once in dark ink and once in light ink; the page shows
the one that goes with its theme. The gallery's cards cannot change with the theme:
they show one panel in a gray that both bear.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.collections import PathCollection
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

INK = "black"
LIGHT = "#d8dce2"  # ink on a dark page
BETWEEN = "#7c848e"  # ink that can be read on both
# A card is 4 by 2.8; a panel may be a little wider.
WIDEST = 1.6

IMAGE = """
.. image:: /{path}
   :alt: {alt}
   :class: sphx-glr-single-img {theme}
"""


def draw_in(figure, ink, before=INK):
    """Give all that is drawn in one ink another one: texts, frames, ticks, lines."""
    for text in figure.findobj(Text):
        # Numbers on colored cells are "#000000": they stay as they are.
        if text.get_color() == before:
            text.set_color(ink)
    for line in figure.findobj(Line2D):
        if is_ink(line.get_color(), before):
            line.set_color(ink)
    for ax in figure.axes:
        ax.tick_params(which="both", colors=ink)
        for spine in ax.spines.values():
            spine.set_edgecolor(ink)


def is_ink(color, ink):
    return is_color_like(color) and to_rgb(color) == to_rgb(ink)


def scrape(block, block_vars, gallery_conf):
    """Save every open figure for both themes, and a panel of the last as the card.

    Returns
    -------
    rst : str
    """
    paths, lines = block_vars["image_path_iterator"], []
    source = Path(gallery_conf["src_dir"])
    for number in plt.get_fignums():
        figure = plt.figure(number)
        # Image 1 is what the gallery shows of an example; it is on no page.
        card = Path(paths.paths[0] if len(paths) else paths.next())
        light = Path(paths.next())
        dark = light.with_stem(f"{light.stem}_dark")
        figure.savefig(light, transparent=True, dpi=160)
        draw_in(figure, LIGHT)
        figure.savefig(dark, transparent=True, dpi=160)
        for path, theme in ((light, "only-light"), (dark, "only-dark")):
            name = path.relative_to(source).as_posix()
            lines.append(IMAGE.format(path=name, alt=described(figure), theme=theme))
        draw_in(figure, BETWEEN, LIGHT)
        simplify(figure)
        figure.savefig(card, transparent=True, dpi=160, bbox_inches=panel(figure))
    plt.close("all")
    return "".join(lines)


def described(figure):
    """Say what the axes show, for those who do not see them."""
    parts = []
    for ax in figure.axes:
        y, x = ax.get_ylabel(), ax.get_xlabel()
        text = f"{y} against {x}" if x and y else y or x or ax.get_title()
        if text and text not in parts:
            parts.append(text)
    return " ".join("; ".join(parts).split()) or "Figure of this example"


def simplify(figure):
    """Leave what can be seen on a card: no words, thicker lines, larger dots."""
    for text in [*figure.findobj(Text), *figure.findobj(Legend)]:
        text.set_visible(False)
    for line in figure.findobj(Line2D):
        line.set_linewidth(2 * line.get_linewidth())
        line.set_markersize(1.5 * line.get_markersize())
    for dots in figure.findobj(PathCollection):
        dots.set_sizes(3 * dots.get_sizes())
    # The layout takes the room that the words had.
    figure.draw_without_rendering()


def panel(figure):
    """Return the axes from the left that fit into a card, as a box in inches.

    Of two panels side by side that is the first one, of rows of small pictures the
    first few of each row.
    """
    renderer = figure.canvas.get_renderer()
    boxes = [
        ax.get_tightbbox(renderer)
        for ax in figure.axes
        if ax.get_label() != "<colorbar>"
    ]
    left = min(box.x0 for box in boxes)
    height = max(box.y1 for box in boxes) - min(box.y0 for box in boxes)
    first = min(boxes, key=lambda box: box.x1)
    kept = [box for box in boxes if box.x1 - left <= WIDEST * height]
    return (
        Bbox.union([first, *kept])
        .padded(2)
        .transformed(figure.dpi_scale_trans.inverted())
    )

"""The directive ``measured``: tables and pictures made at build time from result files.

``.. measured:: NAME`` runs the function registered under that name on files that the
benchmark scripts wrote into ``benchmarks/results``, and shows what it returns: a table
for a DataFrame, a picture for a matplotlib figure, text for a string. Where a file is
not there, the page says so and names the command that writes it; no number is typed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cold
import dry_run
import field
import geometry
import gpu
import hostile
import images
import pandas as pd
import published
import speed
import strategy_costs
import study
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from pictures import LIGHT, draw_in
from sphinx.util.docutils import SphinxDirective

# In inches: pictures of more panels side by side than a phone has room for.
WIDE = 6.5
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
QUICK = "python -m skbadge benchmark --preset quick --out benchmarks/results/quick"
FIELD = (
    "python -m skbadge benchmark --preset field --data-dir features "
    "--out benchmarks/results/field"
)
COLD = (
    "python -m skbadge benchmark --preset field-cold --data-dir features "
    "--out benchmarks/results/field-cold"
)
IMAGES = "python -m skbadge benchmark --preset images --out benchmarks/results/images"


@dataclass(frozen=True)
class Item:
    """A function, the file or folder it reads (none for a drawing), and its maker."""

    make: Callable
    source: str | None = None
    command: str | None = None


def script(name):
    return f"python benchmarks/bench_{name}.py"


ITEMS = {
    "speed": Item(speed.selection, "selection.json", script("selection")),
    "speed-memory": Item(speed.memory, "selection.json", script("selection")),
    "speed-hostile": Item(hostile.table, "selection.json", script("selection")),
    "speed-hostile-summary": Item(
        hostile.summary, "selection.json", script("selection")
    ),
    "speed-machine": Item(speed.machine, "selection.json", script("selection")),
    "cluster": Item(speed.cluster, "cluster.json", script("cluster")),
    "cluster-machine": Item(speed.cluster_machine, "cluster.json", script("cluster")),
    "cluster-seeding": Item(speed.seeding, "cluster.json", script("cluster")),
    "strategies": Item(strategy_costs.table, "strategies.json", script("strategies")),
    "strategies-own-sizes": Item(
        strategy_costs.own_sizes, "strategies.json", script("strategies")
    ),
    "strategies-summary": Item(
        strategy_costs.summary, "strategies.json", script("strategies")
    ),
    "strategies-machine": Item(speed.machine, "strategies.json", script("strategies")),
    "speed-query": Item(speed.records, "query.json", script("query")),
    "dry-run-plans": Item(dry_run.plans, "dry_run.json", script("dry_run")),
    "dry-run-cells": Item(dry_run.cells, "dry_run.json", script("dry_run")),
    "gpu-card": Item(gpu.card, "gpu.json", script("gpu")),
    "gpu-plans": Item(gpu.plans, "gpu.json", script("gpu")),
    "gpu-rounds": Item(gpu.rounds, "gpu.json", script("gpu")),
    "gpu-selection": Item(gpu.selection, "gpu.json", script("gpu")),
    "training-loop": Item(speed.training("loop"), "training.json", script("training")),
    "training-range": Item(speed.training_range, "training.json", script("training")),
    "training-stacked": Item(
        speed.training("stacked"), "training.json", script("training")
    ),
    "training-compiled": Item(
        speed.training("compiled"), "training.json", script("training")
    ),
    "warm-start": Item(speed.warm_start, "warm_start.json", script("warm_start")),
    "speed-grid": Item(speed.grid, "grid.json", script("grid")),
    "geometry-embedding": Item(geometry.draw_embedding),
    "geometry-picks": Item(geometry.draw_picks),
    "geometry-strategies": Item(geometry.draw_strategies),
    "study-scope": Item(study.scope, "quick", QUICK),
    "study-curves": Item(study.curves, "quick", QUICK),
    "study-areas": Item(study.areas, "quick", QUICK),
    "study-budgets": Item(study.budgets, "quick", QUICK),
    "study-penalty": Item(study.penalty, "quick", QUICK),
    "study-chance": Item(study.chance, "quick", QUICK),
    "study-capped": Item(study.capped, "quick", QUICK),
    "study-published": Item(study.published, "quick", QUICK),
    "study-penalty-t": Item(study.penalty_means, "quick", QUICK),
    "study-cdf": Item(study.cdf, "quick", QUICK),
    "study-kdpp": Item(study.kdpp, "quick", QUICK),
    "study-kdpp-times": Item(study.kdpp_times, "quick", QUICK),
    "study-times": Item(study.times, "quick", QUICK),
    "study-claims": Item(study.claims, "quick", QUICK),
    "study-deviations": Item(study.deviations),
    "images-scope": Item(images.scope, "images", IMAGES),
    "images-deviations": Item(images.deviations),
    "images-capped": Item(images.capped, "images", IMAGES),
    "images-start": Item(images.start, "images", IMAGES),
    "images-claims": Item(images.claims, "images", IMAGES),
    "images-curves": Item(images.curves, "images", IMAGES),
    "images-areas": Item(images.areas, "images", IMAGES),
    "images-gains": Item(images.gains, "images", IMAGES),
    "images-penalty": Item(images.penalty, "images", IMAGES),
    "images-chance": Item(images.chance, "images", IMAGES),
    "images-noise": Item(images.noise, "images", IMAGES),
    "images-budgets": Item(images.budgets, "images", IMAGES),
    "images-published": Item(images.published, "images", IMAGES),
    "images-times": Item(images.times, "images", IMAGES),
    "field-advice": Item(field.advice, "field", FIELD),
    "field-front": Item(field.front, "field", FIELD),
    "field-best": Item(field.best, "field", FIELD),
    "field-claims": Item(published.claims, "field", FIELD),
    "field-scope": Item(field.scope, "field", FIELD),
    "field-missing": Item(field.missing, "field", FIELD),
    "field-capped": Item(field.capped, "field", FIELD),
    "field-total-time": Item(field.total_time, "field", FIELD),
    "field-ranks-low": Item(field.ranks_low, "field", FIELD),
    "field-ranks-high": Item(field.ranks_high, "field", FIELD),
    "field-ranks-convnet": Item(field.ranks_convnet, "field", FIELD),
    "field-gains": Item(field.gains, "field", FIELD),
    "field-curves": Item(field.curves, "field", FIELD),
    "field-arms": Item(field.arms, "field", FIELD),
    "field-boss": Item(published.boss, "field", FIELD),
    "field-refine": Item(published.refine, "field", FIELD),
    "field-penalty": Item(field.penalty, "field", FIELD),
    "field-chance": Item(field.chance, "field", FIELD),
    "field-outliers": Item(field.outliers, "field", FIELD),
    "field-times": Item(field.times, "field", FIELD),
    "field-deviations": Item(field.deviations),
    "cold-deviations": Item(cold.deviations),
    "cold-summary": Item(cold.summary, "field-cold", COLD),
    "cold-first": Item(cold.first_batches, "field-cold", COLD),
    "cold-gains": Item(cold.gains, "field-cold", COLD),
    "cold-total-time": Item(field.total_time, "field-cold", COLD),
}


class Measured(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged}

    def run(self):
        name = self.arguments[0]
        if name not in ITEMS:
            raise self.error(f"Nothing measured has the name {name!r}.")
        item = ITEMS[name]
        made = self._make(item)
        if made is None:
            lines = [
                ".. note::",
                "",
                f"   ``benchmarks/results/{item.source}`` is not there yet, so there "
                "is nothing to show here. This command writes it::",
                "",
                f"      {item.command}",
            ]
        elif isinstance(made, pd.DataFrame):
            lines = table_lines(made)
        elif isinstance(made, str):
            lines = made.splitlines()
        else:
            lines = self._picture_lines(name, made)
        box = nodes.container(classes=["measured"])
        self.state.nested_parse(StringList(lines, f"measured {name}"), 0, box)
        if self.content and made is not None and not hasattr(made, "savefig"):
            note = nodes.container(classes=["measured-note"])
            self.state.nested_parse(self.content, self.content_offset, note)
            box += note
        return [box]

    def _make(self, item):
        if item.source is None:
            return item.make()
        source = RESULTS / item.source
        files = sorted(source.glob("*.*")) if source.is_dir() else [source]
        for file in files:
            self.env.note_dependency(str(file))
        if not source.exists():
            return None
        return item.make(source)

    def _picture_lines(self, name, figure):
        folder = Path(self.env.srcdir) / "generated" / "measured"
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        # On phones such a picture keeps a width at which it can be read, and scrolls.
        wide = " wide" if figure.get_figwidth() > WIDE else ""
        for theme in ("light", "dark"):
            if theme == "dark":
                draw_in(figure, LIGHT)
            file = f"{name}-{theme}.png"
            figure.savefig(folder / file, dpi=160, transparent=True)
            # A tap on a phone shows the picture by itself, as large as one likes.
            up = "../" * self.env.docname.count("/")
            lines += [
                f".. figure:: /generated/measured/{file}",
                f"   :alt: {self.options.get('alt', name)}",
                f"   :class: only-{theme}",
                f"   :figclass: only-{theme}{wide}",
                f"   :target: {up}_images/{file}",
                "",
                *(f"   {line}" for line in self.content),
                "",
            ]
        return lines


def table_lines(frame):
    """Write a DataFrame as a list-table, its columns as headings."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [list(frame.columns), *frame.astype(object).to_numpy().tolist()]:
        for position, cell in enumerate(row):
            text = "" if cell is None or cell != cell else str(cell)
            # Where a line has to break, it does so before the sign.
            text = text.replace(" ± ", " ±\N{NO-BREAK SPACE}")
            lines.append(f"   {'*' if position == 0 else ' '} - {text}".rstrip())
    return lines


def setup(app):
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True}

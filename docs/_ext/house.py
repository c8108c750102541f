"""The directive ``house``: the floor plan of the package, and a line for each part."""

import floor_plan
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class House(SphinxDirective):
    def run(self):
        for path in floor_plan.PACKAGE.rglob("*.py"):
            self.env.note_dependency(str(path))
        found = floor_plan.read(floor_plan.PACKAGE)
        parts = nodes.container(classes=["house"])
        parts += nodes.raw("", floor_plan.draw(*found), format="html")
        lines = StringList(floor_plan.listed(*found), "house")
        self.state.nested_parse(lines, 0, parts)
        return [parts]


def setup(app):
    app.add_directive("house", House)
    return {"parallel_read_safe": True}

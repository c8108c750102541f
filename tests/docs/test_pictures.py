"""Pictures that scripts draw: the house, and figures for light and dark pages."""

import importlib
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


class TestHouse:
    """The picture of the package, from a package of four parts made up here."""

    @pytest.fixture
    def plan(self, monkeypatch):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("floor_plan")
        sys.modules.pop("floor_plan")

    @pytest.fixture
    def found(self, plan, tmp_path):
        package = tmp_path / "made"
        (package / "roof").mkdir(parents=True)
        for name, text in {
            "ground": '"""All stand on it."""',
            "walls": '"""Walls.\n\nOf stone."""\nimport os\nimport made.ground',
            "floor": '"""Floor."""\nfrom made.ground import x\nfrom made import walls',
            "roof/__init__": '"""Roof."""',
            "roof/_tile": "from made.walls import x\nfrom made import ground, floor",
        }.items():
            (package / f"{name}.py").write_text(text, encoding="utf-8")
        return plan.read(package)

    def test_imports_are_read_from_the_sources(self, found):
        graph, about = found
        assert graph == {
            "ground": set(),
            "walls": {"ground"},
            "floor": {"ground", "walls"},
            "roof": {"floor", "ground", "walls"},
        }
        assert about["roof"] == "Roof." and about["walls"] == "Walls."

    def test_what_follows_from_others_is_left_out(self, plan, found):
        assert plan.essential(found[0]) == {
            "ground": set(),
            "walls": {"ground"},
            "floor": {"walls"},
            "roof": {"floor"},
        }

    def test_rows_hang_below_their_users(self, plan, found):
        arrows, rows, middle, ground = plan.plan(found[0])
        assert ground == ["ground", "walls"]
        assert arrows == {"floor": set(), "roof": {"floor"}}
        assert rows == [["roof"], ["floor"]]
        assert set(middle.values()) == {plan.WIDTH / 2}

    def test_every_part_is_in_the_picture_and_in_the_list(self, plan):
        graph, about = plan.read(plan.PACKAGE)
        picture, lines = plan.draw(graph, about), plan.listed(graph, about)
        assert all(about.values())
        assert len(lines) == len(graph)
        for name in graph:
            assert re.search(rf">[^<]*\b{name}\b[^<]*</text>", picture)
            assert f"- ``{name}``: {about[name]}" in lines
        _, rows, middle, _ = plan.plan(graph)
        for row in rows:
            half = plan.width(row[-1]) / 2
            assert middle[row[-1]] + half <= plan.WIDTH, "too wide for a phone"


class TestPictures:
    """Figures of the gallery: one for each theme, and a card for both."""

    @pytest.fixture
    def pictures(self, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("pictures")
        sys.modules.pop("pictures")
        plt.close("all")

    @staticmethod
    def two_panels(n=2):
        figure, axes = plt.subplots(1, n, figsize=(8, 3), layout="constrained")
        axes[0].plot([0, 1], [0, 1], color="black")
        axes[0].plot([0, 1], [1, 0], color="#0072B2")
        axes[0].set(xlabel="Labels", ylabel="Accuracy")
        return figure

    def test_ink_changes_and_colors_stay(self, pictures):
        ax = self.two_panels().axes[0]
        note = ax.text(0, 0, "0.5", color="#000000")  # a number on a colored cell
        pictures.draw_in(ax.figure, pictures.LIGHT)
        assert [line.get_color() for line in ax.lines] == [pictures.LIGHT, "#0072B2"]
        assert ax.xaxis.label.get_color() == pictures.LIGHT
        assert note.get_color() == "#000000"

    @pytest.mark.parametrize(("n", "width"), [(2, 4), (1, 8)])
    def test_a_card_shows_the_first_panel(self, pictures, n, width):
        figure, _ = plt.subplots(1, n, figsize=(8, 3), layout="constrained")
        pictures.simplify(figure)
        assert pictures.panel(figure).width == pytest.approx(width, rel=0.05)

    def test_every_figure_is_saved_for_both_themes(self, pictures, tmp_path):
        class Paths:
            def __init__(self):
                self.paths = []

            def __len__(self):
                return len(self.paths)

            def next(self):
                self.paths.append(str(tmp_path / f"image_{len(self.paths) + 1}.png"))
                return self.paths[-1]

        self.two_panels()
        self.two_panels()
        lines = pictures.scrape(
            None, {"image_path_iterator": Paths()}, {"src_dir": str(tmp_path)}
        )
        shown = re.findall(r"image:: /(\S+)", lines)
        assert shown == [
            "image_2.png",
            "image_2_dark.png",
            "image_3.png",
            "image_3_dark.png",
        ]
        assert all((tmp_path / name).exists() for name in [*shown, "image_1.png"])
        assert ":alt: Accuracy against Labels\n" in lines
        assert not plt.get_fignums()

"""The report and the files for spreadsheets, with whatever people call their rows."""

import csv
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skbadge import Campaign, MarginSampling, RandomSampling, StochasticTopK
from skbadge.campaign._charts import Chart, ticks
from skbadge.campaign._journal import Journal
from skbadge.campaign._spreadsheet import (
    _guarded,
    _unguarded,
    read_labels,
    write_csv,
)
from skbadge.exceptions import InvalidInputError
from skbadge.stopping import LabelBudget, StablePredictions
from tests._learning import make_learner
from tests.campaign._campaigns import IDS, LABELS, NAMES, X, answer, open_campaign

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'`;{{ 7654321*7 }}{% raw %}",
    "=HYPERLINK(\"http://x\",'y')",
    "+1",
    "-1",
    "@SUM(A1)",
    "'=1",
    "\tx",
    "\rx",
    "a\nb,c\r\nd",
    "x" * 10_000,
    "'); DROP TABLE events; --",
    "äöü \u202e \U0001f600 ]]> <!-- &amp;",
    "../../etc/passwd",
    "\x1b]0;title\x07\x9b31m",
    "\u2066gnp.\u2069exe\x00",
    "\uff1d1+1",
    "C:\\u202e \\u005cu202e \\u00e9",
]
# Obeyed by a terminal, or turning around what follows.
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Page(HTMLParser):
    """Collects tags and visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "img", "line", "polyline"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read_page(path):
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "link", "base"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image")
        assert "href" not in attributes
    return page


@pytest.fixture
def hostile(tmp_path):
    """A campaign whose ids, classes, columns and people are all hostile."""
    ids = [*HOSTILE, *(f"row {i}" for i in range(20))]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(len(ids), 3)))
    frame.columns = ["<b>", "=x", "{{ x }}"]
    classes = [HOSTILE[0], HOSTILE[2], HOSTILE[9]]
    campaign = Campaign(
        tmp_path / "c<i>&",
        make_learner(RandomSampling(), classes=classes),
        frame,
        ids=ids,
        stop=LabelBudget(10) | StablePredictions(floor=False),
        random_share=0.5,
    )
    campaign.ask(len(ids))
    campaign.tell({id: classes[i % 3] for i, id in enumerate(HOSTILE)}, annotator="<u>")
    campaign.tell({HOSTILE[0]: classes[2]}, annotator=HOSTILE[10])
    campaign.tell({HOSTILE[1]: classes[2]}, annotator="a\u202eb\x1b[2J")
    campaign.skip("row 3", reason="<x>", annotator=HOSTILE[11])
    campaign.close()
    campaign.ask(12)
    return campaign


class TestHostileNames:
    def test_the_report_shows_them_and_runs_none(self, hostile):
        page = read_page(hostile.report())
        assert "<script>alert(1)</script>" in page.text and "53580247" not in page.text
        assert "x" * 200 not in page.text and "x" * 50 in page.text
        assert "{{ 7654321*7 }}" in page.text
        assert not OBEYED.search(page.text) and "a\\u202eb\\u001b[2J" in page.text

    def test_status_has_one_line_for_each_thing(self, hostile):
        text = str(hostile.status())
        assert len(text.splitlines()) < 12 and max(map(len, text.splitlines())) < 300

    def test_the_journal_keeps_them(self, hostile):
        again = Campaign(hostile.folder)
        assert set(again.labels()["id"]) == set(HOSTILE)
        assert again.answers().equals(hostile.answers())
        assert len(Journal(hostile.folder).read()) > 5

    def test_a_spreadsheet_computes_none_and_gives_them_back(self, hostile, tmp_path):
        path = tmp_path / "batch.csv"
        n = hostile.to_csv(path)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == n == 12
        cells = [cell for row in rows for cell in row.values()]
        assert not any(
            cell.startswith(("=", "@", "\t", "\r", "\uff1d")) for cell in cells
        )
        assert not any(OBEYED.search(cell) for cell in cells)
        open_ids = hostile.ask()["id"].tolist()
        filled = pd.DataFrame(
            {"id": open_ids, "label": HOSTILE[2], "annotator": "=a", "seconds": 1.5}
        )
        write_csv(path, filled)
        assert hostile.from_csv(path).stored == 12
        assert set(hostile.answers()["annotator"]) >= {"=a"}

    @pytest.mark.parametrize("text", HOSTILE)
    def test_every_cell_comes_back(self, tmp_path, text):
        write_csv(tmp_path / "x.csv", pd.DataFrame({"id": [text], "label": [text]}))
        (given,) = read_labels(tmp_path / "x.csv")
        assert (given.id, given.label) == (text, text)

    @given(st.text("\\u0259cde\x1b\u202e'=\uff1d\u200f,\n\"") | st.text())
    @settings(deadline=None)
    def test_cells_of_any_text_come_back(self, text):
        cell = _guarded(text)
        assert _unguarded(cell) == text and not OBEYED.search(cell)

    def test_label_studio_gets_and_gives_them(self, hostile, tmp_path):
        ids = hostile.ask()["id"].tolist()
        assert hostile.to_label_studio(tmp_path / "t.json") == len(ids) > 0
        tasks = json.loads((tmp_path / "t.json").read_text("utf-8"))
        assert [task["data"]["skbadge_id"] for task in tasks] == ids
        config = ElementTree.parse(tmp_path / "t.xml")
        found = [choice.get("value") for choice in config.iter("Choice")]
        assert found == hostile.classes
        for i, task in enumerate(tasks):
            choice = {"choices": [found[i % len(found)]]}
            result = {"type": "choices", "value": choice}
            task["annotations"] = [{"completed_by": HOSTILE[0], "result": [result]}]
        (tmp_path / "export.json").write_text(json.dumps(tasks), "utf-8")
        assert hostile.from_file(tmp_path / "export.json").stored == len(ids)
        labels = hostile.labels().set_index("id")
        wanted = [found[i % len(found)] for i in range(len(ids))]
        assert labels.loc[ids, "label"].tolist() == wanted
        assert set(labels.loc[ids, "annotator"]) == {HOSTILE[0].strip()}


def test_labels_in_a_file_of_ones_own(tmp_path):
    campaign = open_campaign(tmp_path)
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffid,label,seconds\nT-1,spam,2.5\nT-2,,\nT-3,ham,\n", "utf-8")
    assert campaign.from_file(path, annotator="mk").stored == 2
    answers = campaign.answers()
    assert answers["annotator"].tolist() == ["mk", "mk"]
    assert answers["seconds"].tolist()[0] == 2.5
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="must have the columns id and label"):
        campaign.from_csv(path)
    path.write_text("")
    assert campaign.from_csv(path).stored == 0
    with pytest.raises(InvalidInputError, match="readable UTF-8 file"):
        campaign.from_csv(tmp_path / "missing.csv")


def test_an_empty_campaign_has_a_report(tmp_path):
    page = read_page(open_campaign(tmp_path).report())
    assert "No label yet." in page.text and "ask for a batch" in page.text


def test_the_report_of_a_whole_campaign(tmp_path):
    stop = StablePredictions(window=2, floor=False)
    campaign = open_campaign(tmp_path / "c", stop=stop, random_share=0.5)
    for _ in range(4):
        answer(campaign, 20, annotator="a")
    first = campaign.labels()["id"].iloc[0]
    other = next(name for name in NAMES if name != LABELS[first])
    campaign.tell({first: other}, annotator="b", seconds={first: 4.0})
    campaign.skip(campaign.ask(10)["id"].iloc[0])
    path = campaign.report(tmp_path / "r.html")
    page = read_page(path)
    charts = [a for tag, a in page.tags if tag == "svg"]
    assert len(charts) == 3
    text = page.text
    assert "different labels by different people: 1." in text and f"b: {other}" in text
    assert "StablePredictions" in text and "4.0 s" in text
    assert "Batch 5" in text and "1 skipped" in text
    row = campaign.accuracy().to_dict("records")[0]
    assert f"{row['n_correct']} of {row['n_scored']}" in text
    # Without a pool, rows go by their ids.
    assert read_page(Campaign(tmp_path / "c").report()).text.count("T-") > 30


def test_images_are_shown_small(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        Image.new("RGB", (300, 200), (40 * i, 0, 0)).save(folder / f"<{i}> & =.png")
    learner = make_learner(RandomSampling(), classes=NAMES)
    campaign = Campaign(tmp_path / "c", learner, folder)
    campaign.ask(4)
    page = read_page(campaign.report())
    pictures = [a for tag, a in page.tags if tag == "img"]
    assert len(pictures) == 4 and "<0> & =.png" not in pictures[0]["src"]
    assert campaign.to_label_studio(tmp_path / "t.json") == 4
    assert "%3C" in (tmp_path / "t.json").read_text()


def test_a_picture_that_cannot_be_read_is_said_to_be(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(8):
        pixels = np.random.default_rng(i).integers(256, size=(40, 60, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    learner = make_learner(RandomSampling(), classes=NAMES)
    campaign = Campaign(tmp_path / "c", learner, folder)
    torn, empty, foreign, gone, _ = (folder / id for id in campaign.ask(5)["id"])
    torn.write_bytes(torn.read_bytes()[:2000])
    empty.write_bytes(b"")
    foreign.write_text("a,b\n")
    gone.unlink()
    page = read_page(campaign.report())
    # The first of them is one of these: still they are pictures.
    assert page.text.count("This picture cannot be read.") == 4
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    assert all(path.name in page.text for path in (torn, empty, foreign, gone))


def test_columns_of_the_report_that_would_be_empty_are_left_out(tmp_path):
    campaign = open_campaign(tmp_path / "plain", random_share=0.5)
    for _ in range(2):
        answer(campaign, 20)
    columns = ("median time", "from the strategy's draws", "shown")
    text = read_page(Campaign(campaign.folder).report()).text
    assert [name in text for name in columns] == [False] * 3

    strategy = StochasticTopK(MarginSampling())
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    learner = make_learner(strategy, classes=NAMES)
    campaign = Campaign(tmp_path / "full", learner, frame, ids=IDS)
    for _ in range(2):
        ids = campaign.ask(10)["id"].tolist()
        campaign.tell({id: LABELS[id] for id in ids}, seconds={ids[0]: 2.0})
    text = read_page(campaign.report()).text
    assert [name in text for name in columns] == [True] * 3


def test_rows_of_a_batch_that_was_given_up_are_not_called_open(tmp_path):
    campaign = open_campaign(tmp_path)
    ids = campaign.ask(6)["id"].tolist()
    campaign.tell({id: LABELS[id] for id in ids[:2]})
    cells = read_page(campaign.report()).words
    assert (cells.count("open"), cells.count("given up")) == (1 + 4, 0)
    campaign.close()
    cells = read_page(campaign.report()).words
    # One tells the number of open rows.
    assert (cells.count("open"), cells.count("given up")) == (1, 4)


def test_labels_that_came_at_once_are_within_a_minute(tmp_path):
    campaign = open_campaign(tmp_path)
    answer(campaign, 10)
    assert (
        "0.2 0.4 0.6 0.8 1 minutes since the first label"
        in read_page(campaign.report()).text
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0, 93, [0, 20, 40, 60, 80]), (3, 3, [3])],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_a_chart_keeps_to_its_edges():
    chart = Chart("t", "x", "y", (0, 10), (0, 1)).point(20, -3, "far")
    assert chart.points == [(chart.right, chart.bottom, "far")]
    chart.line([0, 10], [0, 1], steps=True)
    assert len(chart.lines[0].split()) == 3

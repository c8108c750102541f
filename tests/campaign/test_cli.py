"""The command line of a campaign, and the learner that is ready for it."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skbadge import take
from skbadge._cli import main
from skbadge.campaign import Campaign
from skbadge.campaign._auto import auto_learner
from skbadge.campaign._ledger import Ledger
from skbadge.campaign._pool import as_pool
from skbadge.exceptions import InvalidInputError
from tests.campaign._campaigns import open_campaign
from tests.campaign._label_studio_files import Server

MODULE = """
from tests._learning import make_learner

def make():
    return make_learner(classes=["ham", "spam", "other"])
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A folder with a pool and a module, in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    frame = pd.DataFrame(
        rng.normal(size=(60, 3)) + 2 * np.eye(3)[y], columns=list("abc")
    )
    frame.insert(0, "key", [f"T-{i}" for i in range(60)])
    frame.to_csv("pool.csv", index=False)
    (tmp_path / "mynet_of_a_test.py").write_text(MODULE)
    names = np.array(["ham", "spam", "other"])[y]
    return dict(zip(frame["key"], names, strict=True))


def say(capsys, *arguments, status=0):
    assert main(["campaign", *map(str, arguments)]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def init(capsys, learner="mynet_of_a_test:make", **options):
    more = [part for name, value in options.items() for part in (f"--{name}", value)]
    return say(
        capsys, "init", "c", "--pool", "pool.csv", "--ids", "key", "--learner", learner,
        *more,
    )  # fmt: skip


def test_a_whole_campaign(table, capsys):
    assert "ask for a batch" in init(capsys)
    ids = say(capsys, "ask", "c", "-n", 12).split()
    assert len(ids) == 12
    assert say(capsys, "ask", "c", "--more", 3).split()[:12] == ids
    assert "15 rows in batch.csv" in say(capsys, "ask", "c", "--csv", "batch.csv")
    batch = pd.read_csv("batch.csv")
    assert batch.columns.tolist() == ["id", "label", "a", "b", "c"]
    batch["label"] = [table[id] for id in batch["id"]]
    batch.iloc[:14].to_csv("batch.csv", index=False)
    told = say(capsys, "tell", "c", "batch.csv", "--annotator", "mk")
    assert told == "14 labels stored\n"
    assert "14 answers" not in say(capsys, "undo", "c")
    say(capsys, "tell", "c", "batch.csv", "--annotator", "mk")
    assert "1 rows skipped" in say(
        capsys, "skip", "c", batch["id"].iloc[14], "--reason", "blurred"
    )
    assert "trained on 14 labels" in say(capsys, "train", "c")
    assert "5 tasks" in say(capsys, "ask", "c", "-n", 5, "--label-studio", "t.json")
    assert len(json.loads(Path("t.json").read_text())) == 5
    both = say(capsys, "ask", "c", "--label-studio", "t.json", "--csv", "t.csv")
    assert "5 tasks in t.json" in both and "5 rows in t.csv" in both
    assert "asked for again" in say(capsys, "close", "c")
    assert "14 labelled, 1 skipped" in say(capsys, "status", "c")
    assert say(capsys, "report", "c").strip().endswith("report.html")
    assert "14 labels" in say(capsys, "export", "c", "labels.csv")
    assert set(pd.read_csv("labels.csv")["annotator"]) == {"mk"}


@pytest.mark.parametrize("name", ["p.npy", "p.npz", "P.NPY"])
@pytest.mark.usefixtures("table")
def test_ids_in_a_file_of_their_own_are_found_from_anywhere(
    capsys, name, tmp_path, monkeypatch
):
    frame = pd.read_csv("pool.csv")
    with Path(name).open("wb") as file:
        rows = frame[list("abc")].to_numpy(np.float32)
        np.savez(file, X=rows) if name.endswith("z") else np.save(file, rows)
    Path("ids.txt").write_text("\n".join(frame["key"]))
    say(
        capsys, "init", "c", "--pool", name, "--ids", "ids.txt", "--learner", "auto",
        "--classes", "ham,spam,other",
    )  # fmt: skip
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert len(say(capsys, "ask", "../c", "-n", 4).split()) == 4


def test_the_ready_learner_spreads_the_first_batch(table, capsys):
    """A row of each of three groups; three at random miss one 77 in 100 times."""
    frame = pd.read_csv("pool.csv")
    frame[list("abc")] = 100.0 * np.eye(3)[np.arange(60) % 3]
    frame.to_csv("pool.csv", index=False)
    for folder in ("c", "d", "e"):
        say(
            capsys, "init", folder, "--pool", "pool.csv", "--ids", "key", "--learner",
            "auto", "--classes", "ham,spam,other",
        )  # fmt: skip
        ids = say(capsys, "ask", folder, "-n", 3).split()
        assert {table[id] for id in ids} == {"ham", "spam", "other"}


def test_the_pool_may_move_and_the_learner_be_ready(table, capsys, tmp_path):
    assert "not a recommendation" in init(capsys, "auto", classes="ham,spam,other")
    ids = say(capsys, "ask", "c", "-n", 6).split()
    Campaign("c").tell({id: table[id] for id in ids})
    (tmp_path / "pool.csv").rename(tmp_path / "moved.csv")
    assert "is not there" in say(capsys, "ask", "c", "-n", 5, status=2)
    say(
        capsys, "init", "c", "--pool", "moved.csv", "--ids", "key", "--learner", "auto",
        "--classes", "ham,spam,other",
    )  # fmt: skip
    assert len(say(capsys, "ask", "c", "-n", 5).split()) == 5
    assert Campaign("c").status().trainings == 1


def test_what_cannot_be_done_is_said(table, capsys, tmp_path, monkeypatch):
    assert "must hold a campaign" in say(capsys, "status", "c", status=2)
    assert "needs --classes" in init_error(capsys, "auto")
    assert "must be auto or module:function" in init_error(capsys, "make")
    assert "a function without arguments" in init_error(capsys, "json:loads")
    assert "must be an ActiveLearner" in init_error(capsys, "os:getcwd")
    assert "cannot be found" in init_error(capsys, "no_such_module:make")
    open_campaign(tmp_path / "python")
    assert "begun in Python" in say(capsys, "ask", "python", "-n", 1, status=2)
    monkeypatch.delenv("LABEL_STUDIO_TOKEN", raising=False)
    text = say(capsys, "pull", "python", "--url", "http://localhost", status=2)
    assert "LABEL_STUDIO_TOKEN" in text


def test_who_said_what_and_corrections(table, capsys):
    init(capsys)
    Path("x.csv").write_text("id,label\nT-1,ham\nT-2,spam\n")
    say(capsys, "tell", "c", "x.csv", "--annotator", "a")
    say(capsys, "skip", "c", "T-3", "--annotator", "b")
    assert "no label without an annotator" in refused(
        capsys, "relabel", "c", "T-1", "other"
    )
    say(capsys, "relabel", "c", "T-1", "other", "--annotator", "a")
    assert Ledger("c").labels()["label"].tolist() == ["other", "spam"]
    assert "1 rows" in say(capsys, "undo", "c", "--annotator", "b")
    assert "by 'b' alone" in say(capsys, "undo", "c", "--annotator", "b", status=2)
    Path("x.csv").write_text("id,label\nT-1,ham\nT-2,ham\n")
    assert "use relabel" in refused(capsys, "tell", "c", "x.csv", "--annotator", "a")
    say(capsys, "tell", "c", "x.csv", "--annotator", "a", "--correct")
    assert Ledger("c").labels()["label"].tolist() == ["ham", "ham"]
    say(capsys, "train", "c")
    assert "trained on 2 labels" in say(capsys, "refit", "c")
    assert Ledger("c").status().trainings == 2


def refused(capsys, *arguments):
    """Return all that is said where answers were refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["campaign", *map(str, arguments)]) == 1
    return "".join(capsys.readouterr())


def test_every_refusal_is_told(table, capsys):
    init(capsys)
    Path("x.csv").write_text("id,label\n" + "".join(f"U-{i},ham\n" for i in range(9)))
    text = refused(capsys, "tell", "c", "x.csv")
    assert "0 labels stored, 9 refused" in text
    assert all(text.count(f"'U-{i}': no row") == 1 for i in range(9))


def test_when_to_stop_and_how_to_begin(table, capsys):
    init(
        capsys, **{"stop": "StablePredictions(floor=False) | LabelBudget(6)"},
        **{"cold-start": "KMeansSampling(features='input')"},
    )  # fmt: skip
    for _ in range(2):
        ids = say(capsys, "ask", "c", "-n", 6).split()
        Ledger("c").tell({id: table[id] for id in ids})
    say(capsys, "train", "c")
    status = Ledger("c").status()
    assert status.should_stop and len(status.signs) == 2
    batches = Campaign("c")._record.state.batches
    assert "KMeansSampling" in batches[0].strategy
    # What was begun before there were such options goes on without.
    opening = {**Ledger("c").opening}
    del opening["stop"], opening["cold_start"]
    Ledger("c").note_opening(opening)
    assert len(say(capsys, "ask", "c", "-n", 2).split()) == 2


@pytest.mark.parametrize(
    "text",
    ["Stable", "LabelBudget", "LabelBudget(n=__import__('os'))", "LabelBudget(5", "5",
     "StablePredictions - 1", "Observation(1)", "StoppingCriterion", "no_module:make",
     "mynet_of_a_test:make", "json:__name__", ":", ""],
)  # fmt: skip
def test_a_criterion_that_is_none(table, capsys, text):
    said = say(
        capsys, "init", "d", "--pool", "pool.csv", "--ids", "key", "--learner",
        "mynet_of_a_test:make", "--stop", text, status=2,
    )  # fmt: skip
    assert "--stop" in said and not Path("d").exists()


def test_ids_that_do_not_fit_on_a_line(table, capsys):
    frame = pd.read_csv("pool.csv")
    frame["key"] = [f"a\n{i}" for i in range(60)]
    frame.to_csv("pool.csv", index=False)
    init(capsys)
    assert "repeat with --csv" in say(capsys, "ask", "c", "-n", 4, status=2)
    assert "4 rows" in say(capsys, "ask", "c", "--csv", "x.csv")
    batch = pd.read_csv("x.csv", lineterminator="\n").assign(label="ham")
    batch.to_csv("x.csv", index=False)
    assert "4 labels stored" in say(capsys, "tell", "c", "x.csv")


def test_classes_of_a_file_and_with_blanks(table, capsys):
    Path("classes.txt").write_bytes("ham\r\n\r\n spam\r\nother".encode("utf-16"))
    init(capsys, "auto", classes="@classes.txt")
    assert Ledger("c").classes == ["ham", "spam", "other"]
    init(capsys, "auto", classes="ham, spam, other")
    assert "was begun with classes" in say(
        capsys, "init", "c", "--pool", "pool.csv", "--ids", "key", "--learner", "auto",
        "--classes", "ham,spam", status=2,
    )  # fmt: skip
    Path("classes.txt").write_bytes(b"\xe9")
    for name in ("classes.txt", "none.txt"):
        said = say(
            capsys, "init", "d", "--pool", "pool.csv", "--ids", "key", "--learner",
            "auto", "--classes", f"@{name}", status=2,
        )  # fmt: skip
        assert "--classes must be a readable UTF-8 file" in said


def init_error(capsys, learner):
    return say(
        capsys, "init", "d", "--pool", "pool.csv", "--ids", "key", "--learner", learner,
        status=2,
    )  # fmt: skip


def test_a_server(table, capsys, monkeypatch):
    server = Server()
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "token")
    monkeypatch.setattr("skbadge.campaign._server._client", lambda *_: server)
    init(capsys)
    ids = say(capsys, "ask", "c", "-n", 4).split()
    url = ("--url", "http://localhost")
    assert "4 new tasks" in say(capsys, "push", "c", *url)
    server.answer(ids[0], table[ids[0]])
    assert say(capsys, "pull", "c", *url) == "1 labels stored\n"
    assert "no project 7" in say(
        capsys, "pull", "c", *url, "--project-number", 7, status=2
    )
    assert "1 known already" in say(capsys, "pull", "c", *url, "--project-number", 1)


def trained(pool, y):
    learner = auto_learner(pool, sorted(set(y)), random_state=0)
    if not hasattr(learner.estimator, "steps"):
        learner.estimator.set_params(max_epochs=2)
    return learner.fit(take(pool.X, np.arange(20)), np.array(y[:20]))


class TestTheReadyLearner:
    y = ["spam", "ham"] * 20

    def test_tables_of_all_kinds_of_columns(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(
            {
                "x": np.where(np.arange(40) % 2, 1.0, np.nan),
                "kind": ["red", "green"] * 20,
                "flag": rng.random(40) < 0.5,
            }
        )
        # More different texts than there are categories.
        frame["text"] = [
            f"word{i} {'cheap' if i % 2 == 0 else 'hello'}" for i in range(40)
        ]
        long = pd.concat([frame] * 2, ignore_index=True)
        long["text"] += [f" {i}" for i in range(80)]
        learner = trained(as_pool(long), self.y * 2)
        assert learner.score(long.iloc[20:], (self.y * 2)[20:]) > 0.8
        assert len(learner.query(long, 5)) == 5

    def test_texts(self):
        texts = [
            f"{'cheap pills' if i % 2 == 0 else 'dear sir'} {i}" for i in range(40)
        ]
        frame = pd.DataFrame({"text": texts})
        pool = as_pool(frame, inputs="text")
        learner = trained(pool, self.y)
        assert learner.score(frame["text"][20:], self.y[20:]) > 0.9
        assert len(learner.query(frame["text"], 5)) == 5

    def test_arrays(self):
        X = np.random.default_rng(0).normal(size=(40, 4))
        X[::2] += 3
        learner = trained(as_pool(X, range(40)), self.y)
        assert learner.score(X[20:], self.y[20:]) > 0.9

    def test_images(self, tmp_path):
        for i in range(24):
            shade = 255 * (i % 2)
            Image.new("RGB", (8, 8), (shade, 0, 0)).save(tmp_path / f"{i:02}.png")
        pool = as_pool(tmp_path, image_size=(8, 8))
        learner = trained(pool, self.y)
        assert len(learner.query(pool.X, 3)) == 3

    def test_what_it_does_not_know(self):
        rows = as_pool({"a": np.eye(2), "b": np.eye(2)}, range(2))
        with pytest.raises(
            InvalidInputError, match="auto cannot be made. X must be a table"
        ):
            auto_learner(rows, ["a", "b"])
        with pytest.raises(InvalidInputError, match="a column with a value"):
            auto_learner(as_pool(pd.DataFrame(index=[1, 2])), ["a", "b"])

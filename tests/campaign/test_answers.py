"""Answers as people and files give them: the bad ones are refused, one by one."""

import codecs
import csv
import io
import json
import re
from time import process_time

import numpy as np
import pandas as pd
import pytest

from skbadge import Campaign
from skbadge._cli import main
from skbadge.campaign._spreadsheet import parsed
from skbadge.exceptions import CampaignError, InvalidInputError
from tests._learning import make_learner
from tests.campaign._campaigns import IDS, NAMES, X, open_campaign

GOOD = {"T-1": "spam", "T-2": "ham"}


@pytest.fixture
def campaign(tmp_path):
    return open_campaign(tmp_path / "c")


def refused(call, *ids):
    """Return what was told, where exactly these ids were refused."""
    with pytest.warns(UserWarning, match=f"{len(ids)} of .* answers were refused"):
        told = call()
    assert list(told.refused) == list(ids)
    return told


def task(id, label="spam", **annotation):
    """Return a task of a JSON export with one answer."""
    result = {"type": "choices", "value": {"choices": [label]}}
    found = {"completed_by": 1, "updated_at": "2026-12-01", "result": [result]}
    return {"data": {"skbadge_id": id}, "annotations": [{**found, **annotation}]}


class TestTold:
    @pytest.mark.parametrize("wrong", [np.nan, np.inf, "abc", -1, True, [2], 10**400])
    def test_seconds_that_are_no_time(self, campaign, wrong):
        seconds = {"T-1": 2.5, "T-2": wrong}
        told = refused(lambda: campaign.tell(GOOD, seconds=seconds), "T-2")
        assert "seconds must be a finite number" in told.refused["T-2"]
        assert campaign.answers()["seconds"].tolist() == [2.5]

    def test_seconds_without_a_label(self, campaign):
        seconds = {"T-1": 2.5, "T-9": 1.0, 1.5: 2.0}
        told = refused(lambda: campaign.tell(GOOD, seconds=seconds), "T-9", "1.5")
        assert told.stored == 2 and "seconds here, and no label" in told.refused["T-9"]

    @pytest.mark.parametrize("wrong", [None, 1.5, [None]])
    def test_what_is_no_id_is_not_skipped(self, campaign, wrong):
        with pytest.warns(UserWarning, match="int. Got .*convert the ids first\\.$"):
            assert campaign.skip(wrong).skipped == 0
        assert campaign.skip(pd.Series(["T-1", "T-2"])).skipped == 2

    def test_seconds_are_by_id(self, campaign):
        with pytest.raises(InvalidInputError, match="must be a mapping of id"):
            campaign.tell(GOOD, seconds=3.0)
        assert campaign.labels().empty

    @pytest.mark.parametrize("wrong", [object(), "", "  ", 3, "\ud800"])
    def test_an_annotator_has_a_name(self, campaign, wrong, tmp_path):
        (tmp_path / "x.csv").write_text("id,label\nT-1,spam\n")
        for call in (
            lambda: campaign.tell(GOOD, annotator=wrong),
            lambda: campaign.relabel(GOOD, annotator=wrong),
            lambda: campaign.skip("T-1", annotator=wrong),
            lambda: campaign.undo(annotator=wrong),
            lambda: campaign.from_csv(tmp_path / "x.csv", annotator=wrong),
        ):
            with pytest.raises(InvalidInputError, match="annotator must be"):
                call()
        assert campaign.labels().empty

    @pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT])
    def test_no_label_is_no_skip(self, campaign, gap):
        given = pd.Series({"T-1": "spam", "T-4": gap}, dtype=object)
        for labels in (given, given.to_dict(), list(given.items())):
            told = refused(lambda labels=labels: campaign.tell(labels), "T-4")
            assert told.refused["T-4"] == "there is no label: skip(ids) skips"
        assert campaign.skipped().empty and len(campaign.labels()) == 1

    def test_the_text_of_a_skip_can_be_written(self, campaign):
        with pytest.raises(InvalidInputError, match="reason must be text that UTF-8"):
            campaign.skip("T-1", reason="\ud800")
        campaign.tell({"T-1": "spam"}, annotator=" mk ")
        assert campaign.labels()["annotator"].tolist() == ["mk"]

    def test_ints_with_gaps_come_as_floats(self, tmp_path):
        campaign = Campaign(
            tmp_path / "d", make_learner(), X, ids=range(len(X)), classes=range(3)
        )
        labels = pd.Series([2, np.nan, 1], dtype=float)
        told = refused(lambda: campaign.tell(labels), 1)
        assert told.stored == 2 and campaign.labels()["label"].tolist() == [2, 1]
        (tmp_path / "x.csv").write_text("id,label\n3,1.0\n4,0.5\n")
        refused(lambda: campaign.from_csv(tmp_path / "x.csv"), "4")
        assert campaign.labels()["label"].tolist() == [2, 1, 1]

    def test_texts_that_look_like_numbers(self, tmp_path):
        classes = ["0", "1", "1.0", "-2", "x"]
        campaign = Campaign(tmp_path / "d", make_learner(), X, ids=IDS, classes=classes)
        labels = ["0.0", "1.0", "1", "-2.0", "x.0", "00.0", ".0"]
        given = dict(zip(IDS, labels, strict=False))
        refused(lambda: campaign.tell(given), "T-4", "T-5", "T-6")
        assert campaign.labels()["label"].tolist() == ["0", "1.0", "1", "-2"]

    def test_every_reason_is_told(self, campaign):
        told = refused(lambda: campaign.tell([("T-1", "x"), ("T-1", "y")]), "T-1")
        assert "'x' is none" in told.refused["T-1"]
        assert "'y' is none" in told.refused["T-1"]

    def test_many_skips_take_no_long_time(self, tmp_path):
        ids = range(40_000)
        learner = make_learner(classes=NAMES)
        campaign = Campaign(tmp_path / "d", learner, np.zeros((len(ids), 3)), ids=ids)
        started = process_time()
        assert campaign.skip(ids).skipped == len(ids)
        # It takes a second, and minutes where each looks through those before.
        assert process_time() - started < 20

    def test_ids_that_cannot_be_keys(self, campaign):
        pairs = [(["T-1"], "spam"), (("T", [1]), "spam"), ("T-2", "ham")]
        told = refused(lambda: campaign.tell(pairs), "['T-1']", "('T', [1])")
        assert told.stored == 1

    def test_a_table_is_no_mapping_of_ids(self, campaign):
        frame = pd.DataFrame({"id": ["T-1"], "label": ["spam"]})
        with pytest.raises(InvalidInputError, match=r'set_index\("id"\)\["label"\]'):
            campaign.tell(frame)


class TestCorrections:
    def test_they_are_of_the_same_annotator(self, campaign):
        campaign.tell(GOOD, annotator="a")
        told = refused(lambda: campaign.relabel({"T-1": "ham"}), "T-1")
        assert "no label without an annotator, but one by 'a'" in told.refused["T-1"]
        call = lambda: campaign.relabel({"T-1": "ham", "T-9": "ham"}, annotator="b")
        told = refused(call, "T-1", "T-9")
        assert "no label by 'b', but one by 'a'" in told.refused["T-1"]
        assert "nobody has labelled it" in told.refused["T-9"]
        assert campaign.disagreements().empty
        assert campaign.relabel({"T-1": "ham"}, annotator="a").stored == 1

    def test_undo_takes_the_annotators_own_call(self, campaign):
        campaign.tell({"T-1": "spam"}, annotator="a")
        campaign.tell({"T-2": "spam"}, annotator="b")
        campaign.tell({"T-3": "spam"})
        assert campaign.undo(annotator="a") == ["T-1"]
        with pytest.raises(CampaignError, match="There are none by 'a' alone"):
            campaign.undo(annotator="a")
        assert campaign.labels()["id"].tolist() == ["T-2", "T-3"]
        assert campaign.undo() == ["T-3"]

    def test_answers_of_several_people_in_one_call(self, campaign):
        later = {"updated_at": "2026-12-02", "was_cancelled": True}
        first = [task("T-1"), task("T-1", "ham", completed_by=2)]
        assert campaign.from_label_studio(first).stored == 2
        # Both take their answer back.
        both = [task("T-1", **later), task("T-1", completed_by=2, **later)]
        assert campaign.from_label_studio(both).skipped == 2
        assert campaign.labels().empty
        assert campaign.skipped()["id"].tolist() == ["T-1"]

    def test_an_old_export_does_not_undo_a_skip(self, campaign):
        skipped = task("T-1", updated_at="2026-12-02", was_cancelled=True)
        campaign.from_label_studio([task("T-1")])
        assert campaign.from_label_studio([skipped]).skipped == 1
        assert campaign.from_label_studio([task("T-1")]).unchanged == 1
        assert campaign.labels().empty
        later = task("T-1", "ham", updated_at="2026-12-03")
        assert campaign.from_label_studio([later]).stored == 1
        assert campaign.from_label_studio([skipped]).unchanged == 1
        campaign.undo()
        assert campaign.from_label_studio([task("T-1")]).unchanged == 1
        campaign.undo()
        assert campaign.labels()["label"].tolist() == ["spam"]

    def test_the_last_person_counts_whatever_the_order_before(self, campaign):
        for who in (1, 2):
            campaign.from_label_studio([task("T-1", completed_by=who)])
        changed = {"completed_by": 1, "updated_at": "2026-12-03"}
        also = {"completed_by": 2, "updated_at": "2026-12-02"}
        campaign.from_label_studio(
            [task("T-1", "ham", **changed), task("T-1", "other", **also)]
        )
        assert campaign.labels()["label"].tolist() == ["ham"]

    def test_a_skip_counts_only_where_nobody_could_say(self, campaign):
        skip = {"was_cancelled": True, "completed_by": 2, "updated_at": "2026-11-30"}
        tasks = [task("T-1", **skip), task("T-1")]
        told = campaign.from_label_studio(tasks)
        assert (told.stored, told.skipped, told.unchanged) == (1, 0, 1)
        told = campaign.from_label_studio(tasks)
        assert (told.stored, told.skipped, told.unchanged) == (0, 0, 2)

    def test_the_last_of_several_answers_of_one_person_stands(self, campaign):
        campaign.from_label_studio([task("T-1"), task("T-2")])
        skipped = {"updated_at": "2026-12-03", "was_cancelled": True}
        told = campaign.from_label_studio(
            [
                task("T-1", "ham", updated_at="2026-12-02"),
                task("T-1", **skipped),
                task("T-2", **skipped),
                task("T-2", "ham", updated_at="2026-12-04"),
            ]
        )
        assert (told.stored, told.skipped) == (1, 1)
        assert campaign.labels()[["id", "label"]].values.tolist() == [["T-2", "ham"]]
        assert campaign.skipped()["id"].tolist() == ["T-1"]


class TestTables:
    def test_seconds_that_are_no_time(self, campaign, tmp_path):
        text = "id,label,seconds\nT-1,spam,abc\nT-2,ham,2\nT-3,ham,\n"
        (tmp_path / "x.csv").write_text(text)
        refused(lambda: campaign.from_file(tmp_path / "x.csv"), "T-1")
        assert campaign.labels()["id"].tolist() == ["T-2", "T-3"]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_as_spreadsheets_write_them(self, campaign, tmp_path, separator, encoding):
        rows = [["note", "id", "label"], ["a b", "T-1", "spam"], ["é", "T-2", "ham"]]
        text = "\r\n".join(separator.join(row) for row in rows)
        (tmp_path / "x.csv").write_bytes(text.encode(encoding))
        assert campaign.from_file(tmp_path / "x.csv").stored == 2

    def test_long_cells(self, campaign, tmp_path):
        text = f'id,text,label\nT-1,"{"long, " * 30_000}",spam\n'
        (tmp_path / "x.csv").write_text(text)
        assert campaign.from_file(tmp_path / "x.csv").stored == 1

    def test_lines_of_another_length(self, campaign, tmp_path):
        text = (
            "id,label\n\nT-1,spam,,\nT-2\nT-3,ham,spam\n"
            'T-4,"ham"\rT-5,sp"am\r\n"T-6",ham'
        )
        (tmp_path / "x.csv").write_text(text, newline="")
        told = refused(lambda: campaign.from_csv(tmp_path / "x.csv"), "T-3", "T-5")
        assert "the cell 'spam', for which there is no column" in told.refused["T-3"]
        assert campaign.labels()["id"].tolist() == ["T-1", "T-4", "T-6"]

    def test_cells_are_those_of_the_standard_library(self):
        rng = np.random.default_rng(0)
        letters = ["a", '"', ",", ";", "\n", "\r\n", " ", "'", "é"]
        for _ in range(300):
            rows = [["".join(rng.choice(letters, rng.integers(4))) for _ in range(3)]]
            rows += [[f"x{cell}" for cell in rows[0]]]
            buffer = io.StringIO(newline="")
            csv.writer(buffer).writerows([["a", "b", "c"], *rows])
            _, found = parsed(buffer.getvalue(), {"a"})
            wanted = list(csv.reader(io.StringIO(buffer.getvalue(), newline="")))[1:]
            wanted = [row for row in wanted if any(row)]
            assert [list(row.values()) for row in found] == wanted

    def test_corrections(self, campaign, tmp_path):
        campaign.tell(GOOD, annotator="a")
        (tmp_path / "x.csv").write_text("id,label,annotator\nT-1,ham,a\nT-2,spam,b\n")
        call = lambda: campaign.from_file(tmp_path / "x.csv", correct=True)
        assert "no label by 'b'" in refused(call, "T-2").refused["T-2"]
        assert campaign.labels()["label"].tolist() == ["ham", "ham"]

    def test_columns_of_the_pool_are_not_taken_for_answers(self, tmp_path):
        frame = pd.DataFrame({"label": "?", "annotator": "x", "seconds": range(5)})
        learner = make_learner(classes=NAMES)
        pool = frame.assign(a=1.0)
        campaign = Campaign(tmp_path / "d", learner, pool, inputs=["a", "seconds"])
        campaign.ask(5)
        assert campaign.to_csv(tmp_path / "x.csv") == 5
        batch = pd.read_csv(tmp_path / "x.csv", keep_default_na=False)
        wanted = ["id", "label", "label_", "annotator_", "seconds_", "a"]
        assert batch.columns.tolist() == wanted
        batch.assign(label="ham").to_csv(tmp_path / "x.csv", index=False)
        assert campaign.from_csv(tmp_path / "x.csv", annotator="mk").stored == 5
        answers = campaign.answers()
        assert set(answers["annotator"]) == {"mk"} and answers["seconds"].isna().all()

    def test_files_are_written_where_there_is_a_folder(self, campaign, tmp_path):
        campaign.ask(3)
        for write in (campaign.to_csv, campaign.to_label_studio, campaign.report):
            with pytest.raises(InvalidInputError, match="no/x.*make the folder"):
                write(tmp_path / "no" / "x.json")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"ticket_id,label\nT-1,spam\n", "name the column of the ids id and that"),
            (b"id,label\nT-1,\xe9\n", "Save it as UTF-8"),
            (b'id,label\nT-1,"spam\n', "has no closing quote, or one too many"),
            (b'id,label\nT-1,"spam"x\n', "has no closing quote, or one too many"),
            (b"id,label,label\nT-1,spam,ham\n", "the column label is there twice"),
            # Label Studio's own number of the task is no id of a row.
            (b"annotation_id,id,label\n1,1,spam\n", "of tasks that bear skbadge_id"),
            (codecs.BOM_UTF16_LE + b"i\0d", "Save it as UTF-8"),
            (None, "No such file or directory. Check the name"),
        ],
    )
    def test_what_cannot_be_read(self, campaign, tmp_path, capsys, content, words):
        path = tmp_path / "x.csv"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=re.escape(words)):
            campaign.from_file(path)
        assert main(["campaign", "tell", str(campaign.folder), str(path)]) == 2
        assert words in capsys.readouterr().err


class TestExports:
    COLUMNS = "annotation_id,annotator,skbadge_id,skbadge_label,lead_time,updated_at\n"

    def test_bad_cells_of_a_table(self, campaign, tmp_path):
        broken = '"{""choices"": [""sp"'
        text = f"1,1,T-1,spam,abc,\n2,1,T-2,{broken},1,\n3,1,T-3,ham,1,2026-12-01\n"
        (tmp_path / "x.csv").write_text(self.COLUMNS + text)
        call = lambda: campaign.from_file(tmp_path / "x.csv")
        told = refused(call, "T-1", "T-2")
        assert "seconds must be" in told.refused["T-1"]
        assert '{"choices": ["sp' in told.refused["T-2"]
        assert campaign.labels()["id"].tolist() == ["T-3"]

    def test_long_cells_and_semicolons(self, campaign, tmp_path):
        columns = self.COLUMNS.replace("updated_at", "text")
        text = (columns + f"1,1,T-1,spam,1,{'x' * 140_000}\n").replace(",", ";")
        (tmp_path / "x.csv").write_text(text)
        assert campaign.from_label_studio(tmp_path / "x.csv").stored == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            task("T-2", lead_time=float("nan")),
            task("T-2", result=[5]),
            task("T-2", result="ham"),
            task("T-2", updated_at=3),
            task("T-2", updated_at="26.11.2026 04:03"),
            task("T-2", completed_by=[5]),
            task("T-2", completed_by=True),
            task("T-2", completed_by={"id": {"a": 1}}),
            task("T-2", completed_by="\ud800"),
            task("T-2", result=[{"type": "choices", "from_name": f} for f in "ab"]),
            task("T-2", result=[{"type": "choices", "value": "nothing"}]),
            {**task("T-2"), "annotations": [5]},
            {**task("T-2"), "annotations": {"result": 3}},
        ],
    )
    def test_bad_answers(self, campaign, tmp_path, wrong):
        tasks = [task("T-1"), wrong]
        (tmp_path / "x.json").write_text(json.dumps(tasks))
        for source in (tasks, tmp_path / "x.json"):
            refused(lambda source=source: campaign.from_label_studio(source), "T-2")
        assert campaign.labels()["id"].tolist() == ["T-1"]

    def test_a_flat_export_with_a_bad_time(self, campaign, tmp_path):
        row = {"annotation_id": 1, "skbadge_id": "T-1", "label": "spam"}
        rows = [{**row, "updated_at": 3}, {**row, "skbadge_id": "T-2"}]
        (tmp_path / "x.json").write_text(json.dumps(rows))
        refused(lambda: campaign.from_file(tmp_path / "x.json"), "T-1")

    def test_times_are_compared_as_times(self, campaign):
        times = ["2026-12-01T10:00:00Z", "2026-12-01T10:00:00.5Z"]
        times += ["2026-12-01T09:30:00-01:00", "2026-12-01T11:30:00+00:00"]
        for time, label in zip(times, ["spam", "ham", "other", "spam"], strict=True):
            told = campaign.from_label_studio([task("T-1", label, updated_at=time)])
            assert told.stored == 1
        for time in times:
            again = campaign.from_label_studio([task("T-1", "ham", updated_at=time)])
            assert again.unchanged == 1

    def test_names_of_annotators(self, campaign):
        with pytest.raises(InvalidInputError, match="annotators must be a mapping"):
            campaign.from_label_studio([task("T-1")], annotators=["mk"])
        with pytest.raises(InvalidInputError, match="annotator must be"):
            campaign.from_label_studio([task("T-1")], annotators={1: 5})

    def test_an_export_says_itself_who_answered(self, campaign, tmp_path):
        (tmp_path / "x.json").write_text(json.dumps([task("T-1")]))
        for wrong in ({"annotator": "mk"}, {"correct": True}):
            with pytest.raises(InvalidInputError, match="are for tables of labels"):
                campaign.from_file(tmp_path / "x.json", **wrong)

    @pytest.mark.parametrize("source", [5, [5], {"data": {}}])
    def test_no_list_of_tasks(self, campaign, source):
        with pytest.raises(InvalidInputError, match="Got no list of tasks instead"):
            campaign.from_label_studio(source)

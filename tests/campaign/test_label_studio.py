"""Label Studio's files, as a real server wrote them, and a server that can vanish."""

import json
from xml.etree import ElementTree

import pandas as pd
import pytest

from skbadge import Campaign
from skbadge.campaign import LabelStudio
from skbadge.campaign._exports import read_export
from skbadge.campaign._label_studio import labeling_config
from skbadge.exceptions import CampaignError, InvalidInputError
from tests._learning import make_learner
from tests.campaign._campaigns import LABELS, NAMES, X, answer, open_campaign
from tests.campaign._label_studio_files import EXPORT, EXPORT_CSV, EXPORT_MIN, Server

HOSTILE = "<b>\"spam\"</b> & 'eggs'\n=1+1"


@pytest.fixture
def three(tmp_path):
    """A campaign of the three rows in the recorded files."""
    campaign = Campaign(
        tmp_path / "three",
        make_learner(classes=["spam", "ham"]),
        X[:3],
        ids=["0", "1", "2"],
    )
    campaign.ask(3)
    return campaign


@pytest.fixture
def files(tmp_path):
    for name, text in (
        ("export.json", EXPORT),
        ("export_min.json", EXPORT_MIN),
        ("export.csv", EXPORT_CSV),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


class TestExports:
    def test_the_full_one_has_answers_and_skips(self, three, files):
        told = three.from_label_studio(files / "export.json", annotators={1: "mk"})
        assert (told.stored, told.skipped) == (1, 1)
        (record,) = three.answers().to_dict("records")
        assert (record["label"], record["annotator"]) == ("ham", "mk")
        assert record["seconds"] == 3.2
        assert three.skipped()["id"].tolist() == ["1"]
        again = three.from_label_studio(files / "export.json", annotators={1: "mk"})
        assert (again.stored, again.skipped, again.unchanged) == (0, 0, 2)

    @pytest.mark.parametrize("name", ["export_min.json", "export.csv"])
    def test_the_others_leave_skips_out_which_is_told(self, three, files, name):
        with pytest.warns(UserWarning, match="1 open rows are not in the export"):
            told = three.from_label_studio(files / name)
        assert (told.stored, told.skipped) == (1, 0)
        (record,) = three.answers().to_dict("records")
        assert record["label"] == "ham" and record["annotator"] == "1"
        assert record["seconds"] == 3.2
        # A file of the other kind with the same answer adds nothing.
        assert three.from_label_studio(files / "export.json").unchanged == 1

    def test_a_changed_answer_takes_the_place_of_the_earlier(self, three, files):
        three.from_label_studio(files / "export.json")
        later = json.loads(EXPORT)
        annotation = later[0]["annotations"][0]
        annotation["updated_at"] = "2026-11-27T04:03:53.892730Z"
        annotation["result"][0]["value"]["choices"] = ["spam"]
        assert three.from_label_studio(later).stored == 1
        assert three.labels()["label"].tolist() == ["spam"]
        # The old export, read once more, does not bring the old answer back.
        assert three.from_label_studio(files / "export.json").stored == 0
        assert three.labels()["label"].tolist() == ["spam"]
        annotation["updated_at"] = "2026-11-28T04:03:53.892730Z"
        annotation["was_cancelled"] = True
        assert three.from_label_studio(later).skipped == 1
        assert three.labels().empty and len(three.skipped()) == 2
        three.undo()
        assert three.labels()["label"].tolist() == ["spam"]

    def test_a_correction_is_not_undone_by_an_old_export(self, three, files):
        three.from_label_studio(files / "export.json")
        three.relabel({"0": "spam"}, annotator="1")
        assert three.from_label_studio(files / "export.json").unchanged == 2
        assert three.labels()["label"].tolist() == ["spam"]

    def test_a_skip_that_became_an_answer(self, three, files):
        three.from_label_studio(files / "export.json")
        later = json.loads(EXPORT)
        answered = json.loads(EXPORT)[0]["annotations"][0]
        answered["updated_at"] = "2026-11-27T00:00:00Z"
        later[1]["annotations"].append(answered)
        assert three.from_label_studio(later).stored == 1
        assert three.skipped().empty

    def test_several_annotators_and_several_choices(self, three):
        tasks = json.loads(EXPORT)
        other = json.loads(EXPORT)[0]["annotations"][0]
        other["completed_by"] = {"id": 2, "email": "b@example.org"}
        other["result"][0]["value"]["choices"] = ["spam"]
        tasks[0]["annotations"].append(other)
        both = json.loads(EXPORT)[0]["annotations"][0]
        both["result"][0]["value"]["choices"] = ["spam", "ham"]
        tasks[2]["annotations"].append(both)
        with pytest.warns(UserWarning, match=r"'2'.*\['spam', 'ham'\] is none of the"):
            three.from_label_studio(tasks)
        assert set(three.disagreements()["annotator"]) == {"1", "b@example.org"}

    def test_predictions_are_never_read(self, three):
        tasks = json.loads(EXPORT)
        for task in tasks:
            task["annotations"] = []
        assert three.from_label_studio(tasks).stored == 0

    def test_answers_of_another_campaign_are_refused(self, three, tmp_path):
        learner = make_learner(classes=["spam", "ham"])
        other = Campaign(tmp_path / "other", learner, X[:3], ids=["0", "1", "2"])
        other.ask(3)
        tasks, _ = other.tasks()
        own, _ = three.tasks()
        answered = json.loads(EXPORT)[0]["annotations"]
        for task in (*tasks, own[2]):
            task["annotations"] = answered
        flat = [{**t["data"], "annotation_id": 1, "label": "ham"} for t in tasks]
        (tmp_path / "min.json").write_text(json.dumps(flat))
        with pytest.warns(UserWarning, match="another campaign asked for it"):
            told = three.from_label_studio([*tasks[:2], own[2]])
        assert list(told.refused) == [t["data"]["skbadge_id"] for t in tasks[:2]]
        assert three.labels()["id"].tolist() == [own[2]["data"]["skbadge_id"]]
        three.close()
        with pytest.warns(UserWarning, match="3 of 3 answers were refused"):
            assert three.from_file(tmp_path / "min.json").stored == 0
        assert other.from_label_studio(tasks).stored == 3

    def test_tasks_that_are_not_ours_are_told(self, three):
        tasks = json.loads(EXPORT)
        del tasks[0]["data"]["skbadge_id"]
        with pytest.warns(UserWarning, match="1 tasks bear no skbadge_id"):
            three.from_label_studio(tasks)

    @pytest.mark.parametrize(
        "text",
        ["[1, 2", "{}", '[{"data": {}}]', "a,b\n1,2\n", '[{"data": {"text": "x"}}]'],
    )
    def test_what_is_no_export(self, tmp_path, text):
        (tmp_path / "x").write_text(text)
        with pytest.raises(InvalidInputError, match="must be an export of Label"):
            read_export(tmp_path / "x")
        with pytest.raises(InvalidInputError, match="readable UTF-8 file"):
            read_export(tmp_path / "missing")


class TestTasks:
    def test_they_stand_in_the_order_asked_and_tell_nothing(self, tmp_path):
        campaign = open_campaign(tmp_path, random_share=0.5)
        answer(campaign, 20)
        ids = campaign.ask(10)["id"].tolist()
        assert campaign.to_label_studio(tmp_path / "t.json") == 10
        tasks = json.loads((tmp_path / "t.json").read_text())
        assert [task["data"]["skbadge_id"] for task in tasks] == ids
        assert {frozenset(task) for task in tasks} == {frozenset({"data"})}
        assert {frozenset(task["data"]) for task in tasks} == {
            frozenset({"skbadge_id", "skbadge_campaign", "skbadge_rank", "text"})
        }

    def test_suggestions_on_wish(self, tmp_path):
        campaign = open_campaign(tmp_path)
        answer(campaign, 20)
        batch = campaign.ask(5, suggestions=True)
        campaign.to_label_studio(tmp_path / "t.json", suggestions=True)
        tasks = json.loads((tmp_path / "t.json").read_text())
        found = [task["predictions"][0] for task in tasks]
        assert [p["result"][0]["value"]["choices"][0] for p in found] == (
            batch["suggestion"].tolist()
        )
        assert all(0 <= p["score"] <= 1 for p in found)

    @pytest.mark.parametrize("kind", ["text", "image", "table"])
    def test_the_configuration_holds_every_class(self, kind):
        names = ["ham", HOSTILE, 7]
        root = ElementTree.fromstring(labeling_config(kind, names))
        assert [c.get("value") for c in root.iter("Choice")] == ["ham", HOSTILE, "7"]
        (choices,) = root.iter("Choices")
        assert choices.get("name") == "skbadge_label"
        assert root[0].get("name") == choices.get("toName")
        assert root[0].get("value") == f"${kind}"

    def test_rows_of_a_table(self, tmp_path):
        frame = pd.DataFrame(
            {"a": [1.5, float("nan")], "b": [HOSTILE, None], "c": pd.Timestamp(0)}
        )
        campaign = Campaign(
            tmp_path / "c", make_learner(classes=NAMES), frame, show=["a", "b", "c"]
        )
        campaign.ask(2)
        campaign.to_label_studio(tmp_path / "t.json")
        tasks = {
            task["data"]["skbadge_id"]: task["data"]["table"]
            for task in json.loads((tmp_path / "t.json").read_text())
        }
        assert tasks["0"] == {"a": 1.5, "b": HOSTILE, "c": "1970-01-01 00:00:00"}
        assert tasks["1"]["a"] is None and tasks["1"]["b"] is None
        with pytest.raises(InvalidInputError, match="where the configuration goes"):
            campaign.to_label_studio(tmp_path / "t.xml")
        with pytest.raises(InvalidInputError, match="kind must be"):
            campaign.to_label_studio(tmp_path / "t.json", kind="sound")
        with pytest.raises(InvalidInputError, match="needs a folder of images"):
            campaign.to_label_studio(tmp_path / "t.json", kind="image")

    def test_nothing_open_is_nothing_to_write(self, tmp_path):
        campaign = open_campaign(tmp_path)
        with pytest.raises(CampaignError, match="No row is open"):
            campaign.to_label_studio(tmp_path / "t.json")
        campaign.ask(3)
        with pytest.raises(CampaignError, match="open with a pool"):
            Campaign(tmp_path).to_label_studio(tmp_path / "t.json")


class TestServer:
    """A server in memory that does what was seen of a real one."""

    @pytest.fixture
    def server(self):
        return Server()

    def connected(self, server, url="http://localhost", **options):
        return LabelStudio(url, "token", client=server, **options)

    def twins(self, tmp_path):
        """Two campaigns whose folders have the same name, with the same ids."""
        found = [open_campaign(tmp_path / name / "tickets") for name in "ab"]
        for campaign in found:
            campaign.ask(10)
        return found

    def test_a_name_is_no_reason_to_share_a_project(self, tmp_path, server):
        first, second = self.twins(tmp_path)
        tool = self.connected(server)
        assert tool.push(first) == 10
        for call in (tool.push, tool.pull):
            with pytest.raises(CampaignError, match="--project-number 1"):
                call(second)
        assert self.connected(server, project="others").push(second) == 10
        ids = second.ask()["id"].tolist()
        server.answer(ids[0], "ham", project=2)
        # The project of the last push is the one to pull from.
        assert tool.pull(second).stored == 1 and tool.pull(first).stored == 0
        assert tool.push(second) == 0

    def test_who_shares_a_project_reads_their_own_tasks(self, tmp_path, server):
        first, second = self.twins(tmp_path)
        tool = self.connected(server)
        tool.push(first)
        shared = self.connected(server, project=1)
        with pytest.raises(CampaignError, match="none of this campaign's"):
            shared.pull(second)
        assert shared.push(second) == 10 and shared.push(second) == 0
        assert len(server.made) == 1
        marks = [task.data["skbadge_campaign"] for task in server.all_tasks]
        assert marks == [first.mark] * 10 + [second.mark] * 10
        for task in server.all_tasks[:12]:
            server.answer_task(task, "ham")
        assert tool.pull(first).stored == 10 and tool.pull(second).stored == 2

    def test_a_folder_may_be_renamed_and_an_address_written_otherwise(
        self, tmp_path, server
    ):
        campaign = open_campaign(tmp_path / "a")
        campaign.ask(5)
        self.connected(server).push(campaign)
        (tmp_path / "a").rename(tmp_path / "b")
        campaign = open_campaign(tmp_path / "b")
        assert self.connected(server, url="http://localhost/").push(campaign) == 0
        assert [project.title for project in server.made] == ["skbadge: a"]
        # Another name of the server: its tasks say whose they are.
        named = self.connected(server, "http://127.0.0.1", project="skbadge: a")
        assert named.push(campaign) == 0 and len(server.made) == 1

    def test_a_server_set_up_anew_gives_numbers_again(self, tmp_path, server):
        first, second = self.twins(tmp_path)
        self.connected(server).push(first)
        anew = Server()
        self.connected(anew, project="others").push(second)
        assert self.connected(anew).push(first) == 10
        assert [project.title for project in anew.made] == [
            "others",
            "skbadge: tickets",
        ]

    def test_a_push_that_was_killed_before_its_tasks_goes_on(self, tmp_path, server):
        campaign = open_campaign(tmp_path / "a")
        campaign.ask(5)
        server.projects.create(title="skbadge: a", label_config="")
        assert self.connected(server).push(campaign) == 5 and len(server.made) == 1

    def test_a_whole_round(self, tmp_path, server):
        campaign = open_campaign(tmp_path)
        tool = self.connected(server)
        ids = campaign.ask(250)["id"].tolist()
        assert tool.push(campaign) == 120 and tool.push(campaign) == 0
        assert [task.data["skbadge_id"] for task in server.all_tasks] == ids
        for id in ids[:5]:
            server.answer(id, LABELS[id])
        server.answer(ids[5], None)
        told = tool.pull(campaign)
        assert (told.stored, told.skipped) == (5, 1)
        assert tool.pull(campaign).unchanged == 6
        server.answer(ids[0], "other", time="2027-01-01T00:00:00Z")
        assert tool.pull(campaign).stored == (LABELS[ids[0]] != "other")
        assert campaign.projects == [
            {
                "url": "http://localhost",
                "project": 1,
                "title": f"skbadge: {tmp_path.name}",
            }
        ]

    def test_a_push_that_was_cut_off_goes_on(self, tmp_path, server):
        campaign = open_campaign(tmp_path)
        campaign.ask(120)
        tool = self.connected(server)
        server.calls_left = 4
        with pytest.raises(CampaignError, match="did not do what was asked"):
            tool.push(campaign)
        assert 0 < len(server.all_tasks) < 120
        server.calls_left = 100
        tool.push(campaign)
        found = [task.data["skbadge_id"] for task in server.all_tasks]
        assert len(found) == len(set(found)) == 120 and len(server.made) == 1

    def test_a_pull_that_was_cut_off_stores_nothing(self, tmp_path, server):
        campaign = open_campaign(tmp_path)
        ids = campaign.ask(10)["id"].tolist()
        tool = self.connected(server)
        tool.push(campaign)
        for id in ids:
            server.answer(id, LABELS[id])
        server.tasks_left = 4
        with pytest.raises(CampaignError, match="Nothing was stored here"):
            tool.pull(campaign)
        assert campaign.labels().empty
        server.tasks_left = None
        assert tool.pull(campaign).stored == 10

    def test_a_project_that_is_not_there(self, tmp_path, server):
        campaign = open_campaign(tmp_path)
        with pytest.raises(CampaignError, match="There is no project"):
            self.connected(server).pull(campaign)
        for wrong in ("ab", "  a ", True, 1.0, ["a", "b", "c"]):
            with pytest.raises(InvalidInputError, match="at least three characters"):
                LabelStudio("http://localhost", "token", project=wrong, client=server)
        with pytest.raises(CampaignError, match="There is no project 7 on"):
            self.connected(server, project=7).pull(campaign)

    def test_without_the_client_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "label_studio_sdk", None)
        with pytest.raises(CampaignError, match=r"pip install skbadge\[label-studio\]"):
            LabelStudio("http://localhost", "token")

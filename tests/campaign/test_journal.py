"""The journal: append-only, whole transactions, clear words for what is none."""

import json
import multiprocessing
import os
import random
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from skbadge import Campaign
from skbadge.campaign._journal import FILE, FORMAT, Journal
from skbadge.campaign._ledger import Ledger
from skbadge.campaign._state import _KINDS
from skbadge.exceptions import CampaignError
from skbadge.stopping import LabelBudget
from tests.campaign._campaigns import (
    IDS,
    LABELS,
    answer,
    asked,
    exported,
    long,
    open_campaign,
    run,
)

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.campaign._campaigns"])


def write(journal, *payloads, kind="note"):
    with journal.writing("mk") as (_, append):
        for payload in payloads:
            append(kind, payload)


def test_events_come_back_as_they_were_written(tmp_path):
    journal = Journal(tmp_path)
    assert not journal.exists
    write(journal, {"a": 1}, {"text": "ä\n\ud800'; DROP TABLE events; --"})
    write(journal, {"a": [None, 1.5]})
    events = Journal(tmp_path).read()
    assert [event.seq for event in events] == [1, 2, 3]
    assert events[1].payload["text"] == "ä\n\ud800'; DROP TABLE events; --"
    assert {event.who for event in events} == {"mk"} and journal.exists
    assert all(event.time.endswith("+00:00") for event in events)


def test_reading_goes_on_where_it_stopped(tmp_path):
    first, second = Journal(tmp_path), Journal(tmp_path)
    write(first, {"a": 1})
    assert len(first.read()) == 1 and first.read() == []
    write(second, {"a": 2})
    assert [event.payload for event in first.read()] == [{"a": 2}]


def test_a_writer_sees_what_others_wrote(tmp_path):
    first, second = Journal(tmp_path), Journal(tmp_path)
    write(first, {"a": 1})
    with second.writing() as (news, append):
        assert [event.payload for event in news] == [{"a": 1}]
        append("note", {"a": 2})
    assert [event.seq for event in second.read()] == [2]


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    journal = Journal(tmp_path)
    write(journal, {"a": 1})
    with pytest.raises(ZeroDivisionError), journal.writing() as (_, append):
        append("note", {"a": 2})
        1 / 0  # noqa: B018
    with pytest.raises(ValueError, match="JSON"):
        write(journal, {"a": float("nan")})
    assert len(Journal(tmp_path).read()) == 1


def test_nothing_is_changed_or_removed(tmp_path):
    journal = Journal(tmp_path)
    write(journal, {"a": 1})
    with sqlite3.connect(journal.path) as connection:
        for wrong in ("DELETE FROM events", "UPDATE events SET who = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(wrong)
    connection.close()


def test_a_changed_event_is_noticed(tmp_path):
    journal = Journal(tmp_path)
    write(journal, {"a": 1}, {"a": 2})
    with sqlite3.connect(journal.path) as connection:
        connection.execute("DROP TRIGGER no_update")
        connection.execute("UPDATE events SET payload = '{\"a\":3}' WHERE seq = 1")
    connection.close()
    with pytest.raises(CampaignError, match="damaged: event 1 is not what was written"):
        Journal(tmp_path).read()


class TestFilesThatAreNoJournal:
    def test_another_file(self, tmp_path):
        (tmp_path / FILE).write_text("id,label\n" * 200)
        with pytest.raises(CampaignError, match="another file, or was damaged"):
            Campaign(tmp_path)

    def test_the_database_of_another_program(self, tmp_path):
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute("CREATE TABLE events (a)")
        connection.close()
        with pytest.raises(CampaignError, match="database of another program"):
            Campaign(tmp_path)

    def test_a_newer_version(self, tmp_path):
        open_campaign(tmp_path)
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
        connection.close()
        with pytest.raises(CampaignError, match="format 2, which a newer skbadge"):
            Campaign(tmp_path)

    def test_a_kind_of_event_that_is_not_known(self, tmp_path):
        for number, kind in enumerate(("unheard", "told", "take", "")):
            open_campaign(tmp_path / str(number))
            write(Journal(tmp_path / str(number)), {}, kind=kind)
            with pytest.raises(CampaignError, match=f"Got '{kind}' instead.*upgrade"):
                Campaign(tmp_path / str(number))

    def test_it_is_refused_again_by_an_open_campaign(self, tmp_path):
        """And the answers behind it are not passed over."""
        campaign = open_campaign(tmp_path)
        write(Journal(tmp_path), {}, kind="unheard")
        for _ in range(2):
            with pytest.raises(CampaignError, match="Got 'unheard' instead.*upgrade"):
                campaign.tell({IDS[0]: LABELS[IDS[0]]})
            with pytest.raises(CampaignError, match="Got 'unheard' instead.*upgrade"):
                campaign.status()

    def test_a_torn_file(self, tmp_path):
        open_campaign(tmp_path)
        path = tmp_path / FILE
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(CampaignError, match="was damaged"):
            Campaign(tmp_path)

    def test_a_file_in_the_place_of_the_folder(self, tmp_path):
        (tmp_path / "x").write_text("x")
        with pytest.raises(CampaignError, match="lives in a folder"):
            Campaign(tmp_path / "x")

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(CampaignError, match="holds no campaign"):
            Campaign(tmp_path)

    def test_a_mistyped_name_makes_no_folder(self, tmp_path):
        for call in (
            lambda ledger: ledger.tell({"T-1": "spam"}),
            lambda ledger: ledger.skip("T-1"),
            lambda ledger: ledger.undo(),
            lambda ledger: ledger.labels(),
            lambda ledger: ledger.note_opening({}),
        ):
            with pytest.raises(CampaignError, match="must hold a campaign"):
                call(Ledger(tmp_path / "tikets"))
        assert not (tmp_path / "tikets").exists()
        # Nor is a journal without a campaign one.
        with Journal(tmp_path / "c").writing():
            pass
        with pytest.raises(CampaignError, match="must hold a campaign"):
            Ledger(tmp_path / "c").undo()
        assert len(open_campaign(tmp_path / "c").ask(5)) == 5

    def test_a_file_that_a_killed_process_had_only_made(self, tmp_path):
        (tmp_path / FILE).touch()
        assert len(open_campaign(tmp_path).ask(5)) == 5


def test_a_torn_tail_of_the_log_costs_the_torn_call_alone(tmp_path):
    campaign = open_campaign(tmp_path)
    campaign.tell({"T-1": "spam"})
    # A reader that stays keeps the log from being merged at the end of a call.
    reader = sqlite3.connect(tmp_path / FILE)
    reader.execute("SELECT COUNT(*) FROM events").fetchone()
    campaign.tell({"T-2": "ham"})
    whole = (tmp_path / f"{FILE}-wal").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / FILE).write_bytes((tmp_path / FILE).read_bytes())
    (copy / f"{FILE}-wal").write_bytes(whole[:-10])
    reader.close()
    found = Campaign(copy)
    assert found.labels()["id"].tolist() == ["T-1"]
    found.tell({"T-3": "ham"})
    assert Campaign(copy).labels()["id"].tolist() == ["T-1", "T-3"]


def test_a_full_disk_stores_nothing_and_loses_nothing(tmp_path, monkeypatch):
    campaign = open_campaign(tmp_path)
    campaign.tell({"T-1": "spam"})
    connect = sqlite3.connect

    def on_a_full_disk(*args, **kwargs):
        connection = connect(*args, **kwargs)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", on_a_full_disk)
        with pytest.raises(CampaignError, match="Nothing of this call.*full"):
            campaign.tell({id: LABELS[id] for id in IDS[2:]}, annotator="m" * 9000)
    assert campaign.labels()["id"].tolist() == ["T-1"]
    assert campaign.tell({"T-2": "ham"}).stored == 1
    assert Campaign(tmp_path).labels()["id"].tolist() == ["T-1", "T-2"]


def tell_each(folder, ids, annotator):
    for id in ids:
        Campaign(folder).tell({id: LABELS[id]}, annotator=annotator)


def test_two_processes_that_tell_at_once(tmp_path):
    open_campaign(tmp_path)
    parts = [IDS[:30], IDS[20:50]]
    started = [
        PROCESSES.Process(target=tell_each, args=(tmp_path, part, f"a{i}"))
        for i, part in enumerate(parts)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0
    answers = Campaign(tmp_path).answers()
    for i, part in enumerate(parts):
        assert set(answers[answers["annotator"] == f"a{i}"]["id"]) == set(part)
    assert len(Journal(tmp_path).read()) == 2 + 60


def test_a_second_process_gets_the_batch_that_is_open(tmp_path):
    first = open_campaign(tmp_path)
    answer(first)
    second = open_campaign(tmp_path)
    batch = first.ask(10)
    assert second.ask(7).equals(batch)


def run_and_say(folder, path, n_rounds):
    # Flushed to the kernel, so that it outlives the process.
    with open(path, "a", buffering=1) as file:
        run(folder, n_rounds, lambda ids: file.write(f"{json.dumps(ids)}\n"))


def killed_at(folder, path, seconds, n_rounds):
    """Run a campaign in a process of its own and kill it; say whether it was alive."""
    process = PROCESSES.Process(target=run_and_say, args=(folder, path, n_rounds))
    process.start()
    process.join(seconds)
    alive = process.is_alive()
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return alive


def check_kills(tmp_path, n_kills, n_rounds=5):
    """Kill so many runs at random moments, and compare with one that was not."""
    whole = tmp_path / "whole"
    killed_at(tmp_path / "warm", tmp_path / "warm.txt", 600, 1)
    started = time.perf_counter()
    killed_at(whole, tmp_path / "whole.txt", 600, n_rounds)
    seconds = time.perf_counter() - started
    reference = asked(whole)
    labels = Campaign(whole).labels().drop(columns="time")
    generator = random.Random(0)
    n_killed = n_runs = 0
    while n_killed < n_kills:
        n_runs += 1
        folder, path = tmp_path / f"{n_runs}", tmp_path / f"{n_runs}.txt"
        moment = generator.uniform(0, seconds)
        n_killed += killed_at(folder, path, moment, n_rounds)
        said = path.read_text().splitlines() if path.exists() else []
        acknowledged = [id for line in said for id in json.loads(line)]
        if acknowledged:
            found = Campaign(folder).labels()["id"].tolist()
            # One call may have been stored and not yet acknowledged.
            assert found[: len(acknowledged)] == acknowledged
            assert len(found) <= len(acknowledged) + 4
        run(folder, n_rounds)
        assert asked(folder) == reference
        assert Campaign(folder).labels().drop(columns="time").equals(labels)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_as_if_it_had_not_been(tmp_path):
    check_kills(tmp_path, 3)


@long
def test_killed_at_forty_moments(tmp_path):
    check_kills(tmp_path, 40)


def keys_of(payload):
    """Return the names in a payload, of its items too; not what is by id or inside."""
    found = set(payload)
    for name in ("items", "skipped"):
        for item in payload.get(name, ()):
            found |= set(item)
    return found


def test_the_guide_names_all_that_a_journal_holds(tmp_path):
    """A user's program reads the file by what the guide says."""
    stop = LabelBudget(5)
    campaign = open_campaign(tmp_path, random_share=0.5, stop=stop)
    answer(campaign, 10, annotator="a")
    ids = campaign.ask(10)["id"].tolist()
    campaign.ask(more=2)
    campaign.tell({ids[0]: LABELS[ids[0]]}, seconds={ids[0]: 1.0})
    skipped = exported(ids[1:2])
    campaign.from_label_studio(skipped)
    skipped[0]["annotations"][0].update(was_cancelled=True, updated_at="2027-01-01")
    campaign.from_label_studio(skipped)
    campaign.undo()
    campaign.close()
    campaign.note_opening({"pool": "pool.csv"})
    campaign.note_project({"url": "http://x", "project": 1, "title": "x"})
    keys = {}
    for event in Journal(tmp_path).read():
        keys.setdefault(event.kind, set()).update(keys_of(event.payload))
    assert set(keys) == set(_KINDS)
    keys["opened"] = set()
    text = (GUIDE / "campaign.rst").read_text(encoding="utf-8")
    text = text.partition("The kinds of events:")[2].partition("A kind that is not")[0]
    said = dict(re.findall(r"^``(\w+)``\n((?:    .*\n)+)", text, flags=re.MULTILINE))
    assert set(said) == set(keys)
    for kind, names in keys.items():
        assert names <= set(re.findall(r"``(\w+)``", said[kind])), kind

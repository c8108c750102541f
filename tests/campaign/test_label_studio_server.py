"""A round with a real Label Studio, where one is installed.

Run it with ``SKBADGE_LONG_TESTS=1``, ``label-studio-sdk`` beside skbadge, and the
command ``label-studio`` on the path or named by ``SKBADGE_LABEL_STUDIO``: it is best
installed in an environment of its own. The server gets a free port and a temporary
folder, and needs a minute or two to start, on a busy machine more.
"""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skbadge import Campaign, RandomSampling
from skbadge.campaign import LabelStudio
from skbadge.exceptions import CampaignError
from tests._learning import make_learner
from tests.campaign._campaigns import LABELS, NAMES, long, open_campaign

COMMAND = os.environ.get("SKBADGE_LABEL_STUDIO") or shutil.which("label-studio")
TOKEN = "abcdef0123456789abcdef0123456789abcdef01"

pytestmark = [
    long,
    pytest.mark.slow,
    pytest.mark.skipif(not COMMAND, reason="label-studio is not installed"),
    # What the client and what it imports warn of is not ours to mend.
    pytest.mark.filterwarnings("default"),
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Start a server, and stop it after the last test."""
    folder, port = tmp_path_factory.mktemp("label-studio"), free_port()
    command = [
        COMMAND, "start", "--no-browser", "--port", str(port), "--username",
        "a@example.org", "--password", "a-password", "--user-token", TOKEN,
        "--enable-legacy-api-token",
    ]  # fmt: skip
    settings = {**os.environ, "LABEL_STUDIO_BASE_DATA_DIR": str(folder)}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        settings.pop(name, None)
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=settings)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process, folder / "log.txt")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url, process, log, seconds=900):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail(f"Label Studio did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def client(address):
    sdk = pytest.importorskip("label_studio_sdk")
    httpx = pytest.importorskip("httpx")
    with httpx.Client(timeout=60) as http:
        yield sdk.LabelStudio(base_url=address, api_key=TOKEN, httpx_client=http)


def play(client, title, labels, *, n):
    """Answer the first tasks of a project; None skips."""
    (project,) = [p.id for p in client.projects.list() if p.title == title]
    done = []
    for task in client.tasks.list(project=project, fields="all"):
        if len(done) == n:
            break
        id = task.data["skbadge_id"]
        if task.annotations or id not in labels:
            continue
        done.append(id)
        if labels[id] is None:
            client.annotations.create(id=task.id, result=[], was_cancelled=True)
            continue
        result = {
            "from_name": "skbadge_label",
            "to_name": "skbadge_row",
            "type": "choices",
            "value": {"choices": [str(labels[id])]},
        }
        client.annotations.create(id=task.id, result=[result], lead_time=1.5)
    return done


def test_a_whole_round(tmp_path, address, client):
    campaign = open_campaign(tmp_path / "tickets")
    tool = LabelStudio(address, TOKEN)
    ids = campaign.ask(12)["id"].tolist()
    assert tool.push(campaign) == 12 and tool.push(campaign) == 0
    labels = {**LABELS, ids[1]: None}
    assert play(client, "skbadge: tickets", labels, n=5) == ids[:5]
    told = tool.pull(campaign)
    assert (told.stored, told.skipped) == (4, 1)
    assert tool.pull(campaign).unchanged == 5
    assert campaign.answers()["seconds"].tolist() == [1.5] * 4
    play(client, "skbadge: tickets", labels, n=100)
    assert tool.pull(campaign).stored == 7
    # The next batch joins the same project.
    more = campaign.ask(5)["id"].tolist()
    assert tool.push(campaign, suggestions=True) == 5
    assert play(client, "skbadge: tickets", LABELS, n=100) == more
    assert tool.pull(campaign).stored == 5
    assert campaign.status().n_labeled == 16


def test_two_campaigns_of_one_name(tmp_path, address, client):
    first, second = (open_campaign(tmp_path / name / "twins") for name in "ab")
    tool = LabelStudio(address, TOKEN)
    for campaign in (first, second):
        campaign.ask(3)
    assert tool.push(first) == 3
    with pytest.raises(CampaignError, match="--project-number") as refusal:
        tool.push(second)
    number = int(str(refusal.value).split("--project-number ")[1].split()[0])
    shared = LabelStudio(address, TOKEN, project=number)
    assert shared.push(second) == 3 and shared.push(second) == 0
    # The first tasks are the first campaign's: only it has their answers.
    assert len(play(client, "skbadge: twins", LABELS, n=3)) == 3
    assert tool.pull(first).stored == 3 and tool.pull(second).stored == 0
    with pytest.raises(CampaignError, match=f"There is no project {number + 999}"):
        LabelStudio(address, TOKEN, project=number + 999).pull(first)


def test_a_changed_answer_and_every_export(tmp_path, address, client):
    campaign = open_campaign(tmp_path / "changed")
    tool = LabelStudio(address, TOKEN, project="changed answers")
    ids = campaign.ask(3)["id"].tolist()
    tool.push(campaign)
    play(client, "changed answers", {**LABELS, ids[1]: None}, n=2)
    tool.pull(campaign)
    (project,) = [p.id for p in client.projects.list() if p.title == "changed answers"]
    first = next(iter(client.tasks.list(project=project, fields="all")))
    annotation = first.annotations[0]
    other = next(name for name in NAMES if name != LABELS[ids[0]])
    result = annotation["result"]
    result[0]["value"]["choices"] = [str(other)]
    client.annotations.update(id=annotation["id"], result=result)
    assert tool.pull(campaign).stored == 1
    assert campaign.labels()["label"].tolist() == [other]
    for kind in ("JSON", "JSON_MIN", "CSV"):
        path = tmp_path / f"export.{kind.lower()}"
        address_of = f"{address}/api/projects/{project}/export?exportType={kind}"
        request = urllib.request.Request(
            address_of, headers={"Authorization": f"Token {TOKEN}"}
        )
        with urllib.request.urlopen(request) as answer:
            path.write_bytes(answer.read())
        again = Campaign(tmp_path / "changed")
        if kind == "JSON":
            assert again.from_file(path).unchanged == 2
        else:
            with pytest.warns(UserWarning, match="leaves skipped tasks out"):
                assert again.from_file(path).unchanged == 1


HOSTILE = ['<b>&"', "=1+1", "two\nlines"]


def test_every_kind_of_row_is_taken(tmp_path, address, client):
    images = tmp_path / "images"
    images.mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8), (80 * i, 0, 0)).save(images / f"<{i}> & =.png")
    frame = pd.DataFrame({"a": [1.5, np.nan, 2], "b": HOSTILE})
    for kind, pool in (("image", images), ("table", frame), ("text", frame[["b"]])):
        learner = make_learner(RandomSampling(), classes=HOSTILE)
        campaign = Campaign(tmp_path / kind, learner, pool)
        campaign.ask(3)
        tool = LabelStudio(address, TOKEN, project=f"kind {kind}")
        assert tool.push(campaign) == 3
        wanted = dict(zip(campaign.ask()["id"].astype(str), HOSTILE, strict=True))
        play(client, f"kind {kind}", wanted, n=3)
        assert tool.pull(campaign).stored == 3
        found = campaign.labels().astype({"id": str}).set_index("id")["label"]
        assert found.to_dict() == wanted


def test_a_wrong_token_and_no_server(tmp_path, address):
    pytest.importorskip("label_studio_sdk")
    campaign = open_campaign(tmp_path / "c")
    campaign.ask(3)
    with pytest.raises(CampaignError, match="did not do what was asked"):
        LabelStudio(address, "no such token").push(campaign)
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CampaignError, match="did not do what was asked"):
        LabelStudio(nobody, TOKEN).pull(campaign)

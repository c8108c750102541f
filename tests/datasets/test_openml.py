"""The genuine openml client against a server on this machine."""

import hashlib
import http.server
import importlib.util
import json
import threading
import time

import numpy as np
import pytest

from skbadge.datasets import fetch_openml_task
from skbadge.datasets._home import read_copy
from skbadge.datasets._openml import _check_known, copy_path
from skbadge.datasets._registry import DATASETS
from skbadge.exceptions import DataUnavailableError, InvalidInputError

# Not imported here: that makes folders in the real home.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openml") is None, reason="openml is not installed"
)

OFFLINE = "'digits', 'poker_hands', 'random_rbf', 'kropt'"
TOY = """@relation toy
@attribute size numeric
@attribute color {red, green, blue}
@attribute weight real
@attribute class {zebra, ant, mole}
@data
1,blue,0.5,ant
2,red,300,zebra
3,green,-1,mole
4,blue,2,zebra
"""
# Whole numbers only, and a class that no row has.
WHOLE = """@relation whole
@attribute a integer
@attribute b integer
@attribute class {yes, no, maybe}
@data
0,255,no
7,1,yes
"""
MISSING = TOY.replace("1,blue,0.5", "?,blue,0.5")
NO_CLASSES = TOY.replace("class {zebra, ant, mole}", "class string")
WORDS = TOY.replace("color {red, green, blue}", "color string")


class Server:
    """Answers as openml.org does, and remembers what it was asked."""

    def __init__(self):
        self.requests = []
        self.files = {}
        self.checksums = {}
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                status, body = outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def put(self, number, text):
        """Offer a data set."""
        self.files[number] = text.encode()
        self.checksums[number] = hashlib.md5(text.encode()).hexdigest()

    def answer(self, path):
        if self.status != 200:
            return self.status, b"out of order"
        number = int(path.split("?")[0].rstrip("/").split("/")[-1].split(".")[0])
        if path.startswith("/files/"):
            return 200, self.files[number]
        if number not in self.files:
            return 412, (
                b'<oml:error xmlns:oml="http://openml.org/openml">'
                b"<oml:code>111</oml:code><oml:message>Unknown dataset</oml:message>"
                b"</oml:error>"
            )
        return (
            200,
            f"""<oml:data_set_description
            xmlns:oml="http://openml.org/openml">
            <oml:id>{number}</oml:id><oml:name>toy</oml:name>
            <oml:version>3</oml:version><oml:description>made up</oml:description>
            <oml:format>ARFF</oml:format>
            <oml:url>{self.url}/files/{number}.arff</oml:url>
            <oml:default_target_attribute>class</oml:default_target_attribute>
            <oml:md5_checksum>{self.checksums[number]}</oml:md5_checksum>
            </oml:data_set_description>""".encode(),
        )

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def openml(monkeypatch, tmp_path):
    """Return the client, with its folders out of the way."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "OPENML_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    import openml

    before = openml.config.get_config_as_dict()
    openml.config.set_root_cache_directory(tmp_path / "cache")
    yield openml
    openml.config.set_root_cache_directory(before["cachedir"])
    openml.config.server = before["server"]


@pytest.fixture
def server(openml):
    server = Server()
    openml.config.server = f"{server.url}/api/v1/xml"
    yield server
    server.close()


def fetch(number, tmp_path, **settings):
    return fetch_openml_task(number, data_home=tmp_path / "data", **settings)


def test_success_and_a_second_call_without_requests(server, tmp_path):
    server.put(61, TOY)
    first = fetch(61, tmp_path)
    # Codes in the declared order, which is not that of the alphabet.
    np.testing.assert_array_equal(
        first.data,
        np.array([[1, 2, 0.5], [2, 0, 300], [3, 1, -1], [4, 2, 2]], dtype=np.float32),
    )
    assert first.data.dtype == np.float32
    assert first.target.tolist() == [1, 0, 2, 0]
    assert first.target.dtype == np.int64
    assert first.target_names == ["zebra", "ant", "mole"]
    assert first.feature_names == ["size", "color", "weight"]
    assert first.DESCR == "toy, version 3 (OpenML 61)"
    assert first.url == f"{server.url}/files/61.arff"
    assert len(server.requests) == 2, "the description and the file"

    server.requests.clear()
    second = fetch(61, tmp_path, download_if_missing=False)
    assert server.requests == []
    assert second.keys() == first.keys()
    np.testing.assert_array_equal(second.data, first.data)
    X, y = fetch(61, tmp_path, return_X_y=True)
    np.testing.assert_array_equal(X, first.data)
    np.testing.assert_array_equal(y, first.target)


def test_whole_numbers_are_bytes_and_absent_classes_keep_their_names(server, tmp_path):
    server.put(7, WHOLE)
    data = fetch(7, tmp_path)
    assert data.data.dtype == np.uint8
    assert data.data.tolist() == [[0, 255], [7, 1]]
    assert data.target.tolist() == [1, 0]
    assert data.target_names == ["yes", "no", "maybe"]


def test_the_copy_is_recorded_and_holds_no_objects(server, tmp_path):
    server.put(61, TOY)
    fetch(61, tmp_path)
    path = copy_path(61, tmp_path / "data")
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(file.name for file in path.parent.iterdir()) == ["61.json", "61.npz"]
    with np.load(path, allow_pickle=False) as archive:
        assert archive["target"].tolist() == [1, 0, 2, 0]


def test_client_settings_are_left_as_they_were(server, openml, tmp_path):
    server.put(61, TOY)
    openml.config.set_retry_policy("robot", 7)
    try:
        fetch(61, tmp_path)
        with pytest.raises(DataUnavailableError):
            fetch(1234, tmp_path)
        assert openml.config.retry_policy == "robot"
        assert openml.config.connection_n_retries == 7
    finally:
        openml.config.set_retry_policy("human", 5)


def test_truncated_file_is_refused(server, tmp_path):
    server.put(61, TOY)
    server.files[61] = server.files[61][:-20]
    with pytest.raises(DataUnavailableError, match="OpenMLHashException") as caught:
        fetch(61, tmp_path)
    assert OFFLINE in str(caught.value)
    assert not copy_path(61, tmp_path / "data").exists()


def test_unknown_number(server, tmp_path):
    with pytest.raises(DataUnavailableError) as caught:
        fetch(4321, tmp_path)
    assert str(caught.value).startswith(
        f"OpenML 4321 cannot be downloaded from {server.url}/api/v1/xml: "
        "OpenMLServerNoResult: "
    )
    assert str(caught.value).endswith(
        "Nothing was kept. Check the number and the network, or use what needs none: "
        f"{OFFLINE}."
    )


def test_server_out_of_order(server, tmp_path):
    server.status = 500
    with pytest.raises(DataUnavailableError, match="OpenMLServerError") as caught:
        fetch(61, tmp_path)
    assert OFFLINE in str(caught.value)


def test_no_server_fails_within_seconds(server, tmp_path):
    server.close()
    start = time.monotonic()
    with pytest.raises(DataUnavailableError, match="ConnectionRefused") as caught:
        fetch(61, tmp_path)
    assert time.monotonic() - start < 8
    assert OFFLINE in str(caught.value)


def test_without_permission_to_download(server, tmp_path):
    server.put(61, TOY)
    with pytest.raises(DataUnavailableError) as caught:
        fetch(61, tmp_path, download_if_missing=False)
    assert str(caught.value) == (
        "OpenML 61 must have been downloaded before, as download_if_missing=False. Got "
        f"no copy in {tmp_path / 'data' / 'openml'}."
    )
    assert server.requests == []


@pytest.mark.parametrize("damage", ["altered", "truncated", "record", "no record"])
def test_damaged_copy_is_noticed_and_replaced(server, tmp_path, damage):
    server.put(61, TOY)
    good = fetch(61, tmp_path)
    path = copy_path(61, tmp_path / "data")
    content = bytearray(path.read_bytes())
    if damage == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "truncated":
        path.write_bytes(content[:-10])
    elif damage == "record":
        path.with_suffix(".json").write_text("{")
    else:
        path.with_suffix(".json").unlink()
    with pytest.raises(DataUnavailableError):
        fetch(61, tmp_path, download_if_missing=False)
    again = fetch(61, tmp_path)
    np.testing.assert_array_equal(again.data, good.data)
    read_copy(path)


def test_damaged_copy_that_cannot_be_replaced(server, openml, tmp_path):
    server.put(61, TOY)
    fetch(61, tmp_path)
    path = copy_path(61, tmp_path / "data")
    path.write_bytes(b"nothing of the kind")
    server.close()
    openml.config.set_root_cache_directory(tmp_path / "empty")
    with pytest.raises(DataUnavailableError, match="the file is damaged"):
        fetch(61, tmp_path)


def test_failed_download_leaves_a_good_copy_alone(server, openml, tmp_path):
    server.put(61, TOY)
    fetch(61, tmp_path)
    path = copy_path(61, tmp_path / "data")
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    openml.config.set_root_cache_directory(tmp_path / "empty")
    server.files[61] = b"garbage"
    fetch(61, tmp_path)
    with pytest.raises(DataUnavailableError):
        fetch_openml_task(61, data_home=tmp_path / "other")
    assert before == (path.read_bytes(), path.with_suffix(".json").read_bytes())


def test_a_set_of_the_registry_must_have_its_size(server, tmp_path):
    server.put(6, TOY)
    with pytest.raises(DataUnavailableError) as caught:
        fetch(6, tmp_path)
    assert str(caught.value) == (
        "OpenML 6 (letter) must have 20000 rows, 16 features and 26 classes. Got 4 "
        "rows, 3 features and 3 classes instead: the download is incomplete or "
        "altered. Nothing was kept; delete openml's own copy before another try."
    )
    assert not copy_path(6, tmp_path / "data").exists()


def test_a_set_of_the_registry_in_full(server, tmp_path):
    rng = np.random.default_rng(0)
    letters = [chr(ord("A") + number) for number in range(26)]
    lines = ["@relation letter", *(f"@attribute x{i} integer" for i in range(16))]
    lines += [f"@attribute class {{{','.join(letters)}}}", "@data"]
    X = rng.integers(0, 16, size=(20_000, 16))
    y = np.arange(20_000) % 26
    for row, label in zip(X.tolist(), y, strict=True):
        lines.append(",".join(map(str, row)) + f",{letters[label]}")
    server.put(6, "\n".join(lines) + "\n")
    data = fetch(6, tmp_path)
    np.testing.assert_array_equal(data.data, X)
    np.testing.assert_array_equal(data.target, y)
    assert data.target_names == letters
    assert "OpenML number: 6" in data.DESCR


@pytest.mark.parametrize(
    "name, first", [("svhn", 1), ("svhn", 0), ("mnist", 0), ("mnist", 1)]
)
def test_a_test_part_is_proved_class_by_class(name, first):
    """Classes are the digits of their names: the makers of SVHN call 0 ten."""
    info = DATASETS[name]
    names = [str(number) for number in range(first, first + 10)]
    digits = np.repeat(np.arange(10), info.test_counts)
    y = np.concatenate(
        [np.resize(np.arange(10), info.n_rows - info.n_test), (digits - first) % 10]
    )
    X = np.broadcast_to(np.zeros(info.n_features, np.uint8), (len(y), info.n_features))
    arrays = {"data": X, "target": y, "target_names": np.array(names)}
    _check_known(info.openml_id, arrays)
    # As many rows of one digit as there should be of another.
    arrays["target"] = np.where(y == 1, 2, np.where(y == 2, 1, y))
    with pytest.raises(DataUnavailableError) as caught:
        _check_known(info.openml_id, arrays)
    assert f"with {list(info.test_counts)} rows of its classes" in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        (MISSING, "OpenML 61 must have no missing values."),
        (WORDS, "OpenML 61 must have numeric or nominal columns. Got column 'color'"),
    ],
)
def test_sets_that_cannot_be_used(server, tmp_path, text, message):
    server.put(61, text)
    with pytest.raises(InvalidInputError) as caught:
        fetch(61, tmp_path)
    assert str(caught.value).startswith(message)


def test_undeclared_classes_are_sorted(server, tmp_path):
    server.put(61, NO_CLASSES)
    data = fetch(61, tmp_path)
    assert data.target_names == ["ant", "mole", "zebra"]
    assert data.target.tolist() == [0, 2, 1, 2]


@pytest.mark.parametrize("number", [0, -3, "6", 6.0, True])
def test_number_is_checked(number, tmp_path):
    with pytest.raises(InvalidInputError, match="^data_id must be an int"):
        fetch(number, tmp_path)

"""Files are there whole or not at all, and errors name them."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skbadge.utils import _files as files_module
from skbadge.utils._files import write_atomically, write_file

_WRITER = """
import sys, types
from pathlib import Path

# The two modules alone, without the time to import torch.
root, path = map(Path, sys.argv[1:])
for name, place in (("skbadge", root), ("skbadge.utils", root / "utils")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(place)]
from skbadge.utils._files import write_file

print("go", flush=True)
while True:
    for letter in "ab":
        write_file(path, letter * 3_000_000, durable=False)
"""


def test_a_file_is_whole_or_not_there(tmp_path):
    """A process that writes again and again is killed; the file is always whole."""
    path = tmp_path / "x.txt"
    root = Path(files_module.__file__).parents[1]
    for wait in (0.003, 0.011, 0.017, 0.1):
        command = [sys.executable, "-c", _WRITER, str(root), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"go\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=wait)
            process.kill()
        if path.exists():
            text = path.read_text()
            assert len(text) == 3_000_000 and len(set(text)) == 1


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.txt"
    write_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_file(path, "new \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_two_that_write_at_once_share_no_file(tmp_path):
    path = tmp_path / "x.txt"
    texts = [letter * 200_000 for letter in "abcd"]

    def write(text):
        for _ in range(20):
            write_file(path, text, durable=False)
            assert path.read_text() in texts

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, texts))
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.txt'"):
        write_file(tmp_path / "x.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_every_error_names_the_file(tmp_path):
    """Also one without a number, as libraries for pictures raise."""

    def breaks(partial):
        partial.write_text("half")
        raise OSError("encoder error")

    with pytest.raises(OSError, match=r"encoder error: '.*x\.png'"):
        write_atomically(tmp_path / "x.png", breaks)
    with pytest.raises(FileNotFoundError, match=r"No such file .*nowhere/x\.txt'"):
        write_file(tmp_path / "nowhere" / "x.txt", "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX")
@pytest.mark.parametrize(
    ("number", "passes"),
    [(errno.EINVAL, True), (errno.EACCES, True), (errno.EIO, False)],
)
def test_file_systems_that_sync_no_folders(tmp_path, monkeypatch, number, passes):
    real, synced = os.fsync, []

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) > 1:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if passes:
        write_file(tmp_path / "x.txt", "text")
    else:
        with pytest.raises(OSError, match=r"x\.txt"):
            write_file(tmp_path / "x.txt", "text")
    assert len(synced) == 2
    assert (tmp_path / "x.txt").read_text() == "text"


def test_an_interrupt_leaves_nothing_half_written(tmp_path, monkeypatch):
    """Nor one that comes while things are put back."""
    real, calls = Path.unlink, []

    def unlink(path, missing_ok=False):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(path, missing_ok=missing_ok)

    def interrupted(partial):
        partial.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x.txt", interrupted)
    assert list(tmp_path.iterdir()) == []

"""Copies of downloads: whole, or not there."""

import numpy as np
import pytest

from skbadge.datasets._home import read_copy, write_copy
from skbadge.exceptions import DataUnavailableError
from tests._disks import no_room

ARRAYS = {"data": np.arange(999), "target": np.zeros(999)}


def test_a_full_disk_keeps_nothing_and_says_where(tmp_path):
    path = tmp_path / "home" / "7.npz"
    with no_room(500), pytest.warns(UserWarning) as caught:
        write_copy(path, ARRAYS, {})
    assert len(caught) == 1
    assert str(caught[0].message) == (
        f"What was downloaded cannot be kept at {path} (File too large): it is "
        "downloaded again next time. Make room there, or name another folder with "
        "data_home or the environment variable SKBADGE_DATA."
    )
    assert list(path.parent.iterdir()) == []
    assert read_copy(path) is None


def test_a_copy_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "7.npz"
    write_copy(path, {"data": np.arange(3)}, {"name": "old"})
    with no_room(500), pytest.warns(UserWarning, match="cannot be kept"):
        write_copy(path, ARRAYS, {"name": "new"})
    arrays, facts = read_copy(path)
    assert arrays["data"].tolist() == [0, 1, 2]
    assert facts["name"] == "old"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "home").write_text("a file")
    for path in (tmp_path / "home" / "7.npz", tmp_path / "home" / "deeper" / "7.npz"):
        with pytest.warns(UserWarning, match="cannot be kept at .*home"):
            write_copy(path, ARRAYS, {})
    assert (tmp_path / "home").read_text() == "a file"


def test_a_damaged_copy_says_so(tmp_path):
    path = tmp_path / "7.npz"
    write_copy(path, ARRAYS, {})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataUnavailableError, match="the file is damaged"):
        read_copy(path)

import errno
import gc
import os
import shutil
import tempfile
from types import SimpleNamespace

import pytest
import sklearn
import torch

from skbadge import exceptions
from skbadge.extraction._storage import empty_tables


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def batch(width=3, dtype=torch.float32):
    return torch.ones(2, width, dtype=dtype)


def test_in_memory_below_the_limit(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    tables = empty_tables(7, {"a": batch(), "b": batch(5, torch.float64)})
    assert [(t.shape, t.dtype) for t in tables.values()] == [
        ((7, 3), torch.float32),
        ((7, 5), torch.float64),
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype):
    assert empty_tables(3, {"a": batch(dtype=dtype)})["a"].dtype == torch.float32


def test_on_disk_above_the_limit_and_no_file_is_left(folder, monkeypatch):
    make, made = tempfile.TemporaryFile, []

    def spy():
        made.append(tempfile.gettempdir())
        return make()

    monkeypatch.setattr(tempfile, "TemporaryFile", spy)
    with sklearn.config_context(working_memory=0.01):
        tables = empty_tables(1000, {"a": batch(1), "big": batch(40)})
    big = tables["big"]
    big[:] = torch.arange(40.0)
    big[999] = -1
    assert torch.equal(big[500], torch.arange(40.0))
    assert float(big[999].sum()) == -40
    assert made == [str(folder)]
    assert os.listdir(folder) == []
    del tables, big
    gc.collect()
    assert os.listdir(folder) == []


def test_too_little_memory_is_said_with_the_amount(folder):
    # More than any machine can address, and below the limit.
    with (
        sklearn.config_context(working_memory=2**40),
        pytest.raises(exceptions.PoolPassError) as caught,
    ):
        empty_tables(2**50, {"features": batch(256)})
    assert str(caught.value) == (
        "Memory ran out for 1073741824.00 GiB of what the net answers for the pool. "
        "Lower scikit-learn's limit with sklearn.config_context(working_memory=...) "
        "(in MiB), so that they go to a temporary file, or query fewer candidates, for "
        "example with subsample=..."
    )
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_other_errors_of_a_table_stay_what_they_are():
    with pytest.raises(RuntimeError, match="negative dimension"):
        empty_tables(-1, {"a": batch()})


def test_too_little_disk_is_said_with_the_amount(folder, monkeypatch):
    free = SimpleNamespace(total=0, used=0, free=2**28)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(exceptions.PoolPassError) as caught:
        empty_tables(2**20, {"features": batch(512), "residual": batch(2)})
    assert str(caught.value) == (
        "2.00 GiB of what the net answers for the pool are above scikit-learn's "
        f"working_memory (1.00 GiB), so they go to a temporary file in {folder}, which "
        "has 0.25 GiB free. Free some disk, point the environment variable TMPDIR to a "
        "larger one, query fewer candidates, or raise the limit with "
        "sklearn.config_context(working_memory=...) (in MiB)."
    )
    assert os.listdir(folder) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call here")
def test_a_disk_that_fills_meanwhile(folder, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (
        sklearn.config_context(working_memory=0),
        pytest.raises(exceptions.PoolPassError, match="GiB of what the net answers"),
    ):
        empty_tables(10, {"a": batch()})
    assert os.listdir(folder) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call here")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_file_systems_that_cannot_reserve_room(folder, monkeypatch, number):
    def unknown(*args):
        raise OSError(number, "not here")

    monkeypatch.setattr(os, "posix_fallocate", unknown)
    with sklearn.config_context(working_memory=0):
        table = empty_tables(10, {"a": batch()})["a"]
    table[:] = 3.0
    assert float(table.sum()) == 90.0


def test_where_room_is_never_reserved(folder, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with sklearn.config_context(working_memory=0):
        table = empty_tables(10, {"a": batch()})["a"]
    table[:] = 3.0
    assert float(table.sum()) == 90.0

"""What an experiment would take."""

import time

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from skbadge.benchmarks import preset_cells
from skbadge.benchmarks.run import _estimate as module
from skbadge.benchmarks.run._estimate import estimate
from skbadge.benchmarks.run._files import describe_file
from skbadge.benchmarks.run._settings import PUBLISHED_CODE
from tests.benchmarks._cells import tiny_cells


def test_clamped_gradients_are_timed():
    plan = estimate(preset_cells("smoke", **PUBLISHED_CODE))
    assert (plan.table["hours"] > 0).all()


def test_a_file_is_counted_and_timed(tmp_path):
    X, y = make_blobs(120, centers=3, random_state=0)
    np.savez(tmp_path / "trees.npz", X=X, y=y)
    source = describe_file(tmp_path / "trees.npz")
    name = source.pop("dataset")
    plan = estimate(tiny_cells(datasets=[name], **source))
    (row,) = plan.table.to_dict("records")
    # Two strategies, two repeats; the initial set and two rounds.
    assert (row["cells"], row["trainings"], row["data"]) == (4, 12, "file")
    assert 0 < row["hours"] <= row["hours at the cap"]
    assert plan.disk_mb > 0


def test_waiting_for_others_is_no_time_of_the_cpu(monkeypatch):
    # The clock of the wall would say at least 20 ms a step.
    monkeypatch.setattr(module, "_SECONDS_TO_CALIBRATE", 0.01)

    def step():
        time.sleep(0.02)
        sum(range(200_000))

    assert module._seconds(step, "cpu") < 0.02


def test_hours_of_a_gpu_are_said_to_be_unknown():
    notes = estimate(tiny_cells()).notes
    assert any("Hours on a GPU are not known: --device cuda" in note for note in notes)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_on_a_gpu_nothing_is_said_of_it(device):
    rows = [{"dataset": "digits", "model": "mlp", "data": "offline"}]
    notes = module._notes({("image", 30)}, rows, {"rand"}, device)
    assert not any("GPU" in note for note in notes)

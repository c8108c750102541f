"""What several tests of campaigns count."""

import pytest
from skorch import NeuralNet


@pytest.fixture
def fits(monkeypatch):
    """Count the steps of trainings, whatever the optimizer."""
    counted, step = [], NeuralNet.train_step

    def counting(*args, **kwargs):
        counted.append(1)
        return step(*args, **kwargs)

    monkeypatch.setattr(NeuralNet, "train_step", counting)
    return counted

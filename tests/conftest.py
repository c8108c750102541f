"""Fixtures of all tests."""

import os

import pytest


@pytest.fixture
def global_random_seed():
    """Give the seed of the run: 0, or SKBADGE_TESTS_SEED; any of 0 to 99 must pass."""
    return int(os.environ.get("SKBADGE_TESTS_SEED", "0"))

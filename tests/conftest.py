"""Fixtures of all tests."""

import gc
import os
import signal

import pytest
from hypothesis import settings

# A run finds the same examples each time, so that what passes once passes again.
# ``--hypothesis-profile=search`` looks for others.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("same")

# Test processes side by side share the cores; with more threads than cores, each
# waits for the others at every step. Set before torch and NumPy are imported, and
# inherited by the processes that tests start.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    threads = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(max(1, threads)))

# Thousands of tests are collected that all stay: what looks for garbage meanwhile takes
# a third of the time.
gc.disable()


def pytest_collection_finish():
    gc.enable()


@pytest.fixture
def global_random_seed():
    """Give the seed of the run: 0, or SKBADGE_TESTS_SEED; any of 0 to 99 must pass."""
    return int(os.environ.get("SKBADGE_TESTS_SEED", "0"))


@pytest.fixture
def default_sigint():
    """Let Ctrl-C raise KeyboardInterrupt, whatever this process inherited.

    Under ``nohup``, behind ``&`` and in some CI systems SIGINT is ignored, and so it is
    in every process that is started from there. A handler of this process's own is
    reset in them, so they too take SIGINT as in a terminal.
    """
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)

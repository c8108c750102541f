"""A client whose one worker lives in this process."""

import dask
import pytest
from dask.distributed import Client


@pytest.fixture(scope="module")
def client():
    settings = {"logging.distributed": "error"}
    with (
        dask.config.set(settings),
        Client(
            processes=False,
            n_workers=1,
            threads_per_worker=2,
            dashboard_address=":0",
            silence_logs=50,
        ) as client,
    ):
        yield client

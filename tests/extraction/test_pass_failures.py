"""What fails in a pass leaves no trace, and says what to do."""

import gc
import os
import tempfile

import pytest
import sklearn
import torch
from sklearn.preprocessing import FunctionTransformer

from skbadge import exceptions
from skbadge.extraction import _collector
from skbadge.extraction._storage import empty_tables
from tests._any_modules import Net
from tests._any_nets import make_net
from tests._net_states import assert_same_state, state_of
from tests._passes import X, Y, collect


@pytest.fixture
def net():
    torch.manual_seed(0)
    return make_net(Net).fit(X, Y)


class Explodes(Net):
    """Fails in its second prediction batch."""

    error = None

    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, X):
        if not self.training and Explodes.error is not None:
            self.count += 1
            if self.count == 2:
                raise Explodes.error
        return super().forward(X)


@pytest.fixture
def explodes(monkeypatch):
    net = make_net(Explodes).initialize()

    def arm(error):
        monkeypatch.setattr(Explodes, "error", error)
        return net

    return arm


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ValueError("mine"), SystemExit()]
)
def test_failures_leave_no_trace(explodes, error, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    net = explodes(error)
    before = state_of(net)
    with (
        sklearn.config_context(working_memory=0),
        pytest.raises(type(error)) as caught,
    ):
        collect(net)
    assert caught.value is error  # with the user's own traceback
    gc.collect()
    assert os.listdir(tmp_path) == []
    assert_same_state(before, state_of(net))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCrea"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB"),
    ],
    ids=lambda error: str(error)[:23],
)
def test_out_of_memory_says_what_to_lower(explodes, error):
    with pytest.raises(exceptions.PoolPassError) as caught:
        collect(explodes(error))
    assert str(caught.value) == (
        "Memory ran out in the pass over the pool with batches of 5 rows. Lower "
        "iterator_valid__batch_size of the net (or its batch_size)."
    )
    assert caught.value.__cause__ is error


def test_out_of_memory_with_all_rows_at_once(explodes):
    net = explodes(MemoryError())
    net.set_params(batch_size=-1)
    net.module_.count = 1
    with pytest.raises(exceptions.PoolPassError, match="with batches of all rows"):
        collect(net)


def test_out_of_memory_with_single_rows(explodes):
    net = explodes(MemoryError())
    net.set_params(batch_size=1)
    with pytest.raises(exceptions.PoolPassError) as caught:
        collect(net)
    assert str(caught.value) == (
        "Memory ran out in the pass over the pool with batches of single rows. Free "
        "some on the net's device, or use another one."
    )


def test_a_table_too_large_is_not_blamed_on_the_batch(net, monkeypatch):
    # More than any machine can address.
    monkeypatch.setattr(
        _collector, "empty_tables", lambda _, found: empty_tables(2**50, found)
    )
    with (
        sklearn.config_context(working_memory=2**40),
        pytest.raises(exceptions.PoolPassError, match="GiB of what the net answers"),
    ):
        collect(net)


def test_other_runtime_errors_stay_what_they_are(explodes):
    with pytest.raises(RuntimeError, match="^shapes cannot be multiplied$"):
        collect(explodes(RuntimeError("shapes cannot be multiplied")))


def test_memory_of_a_transformer_is_not_blamed_on_the_batch(net):
    def greedy(rows):
        raise MemoryError

    with pytest.raises(exceptions.PoolPassError) as caught:
        collect(net, transformers=FunctionTransformer(greedy))
    assert str(caught.value).startswith(
        "Memory ran out in the step 'step' of the pipeline, which was given 5 rows at "
        "once. Lower batch_size of the net"
    )
    assert isinstance(caught.value.__cause__, MemoryError)

"""Tables of any kind, their units, and how much of them is read at a time."""

import numpy as np
import pytest
import torch

from skbadge.embeddings import DenseEmbedding, GradientEmbedding, _tensors, as_embedding
from skbadge.exceptions import InvalidInputError


@pytest.mark.parametrize(
    "dtype",
    ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", np.longdouble, ">f8", ">i4"],
)
def test_numbers_of_any_type_become_float64(dtype):
    table = np.array([[0, 1], [1, 0]], dtype=dtype)
    found = _tensors.as_tensor(table, "X")
    assert found.dtype == torch.float64
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_tensors_of_any_type_become_float64(dtype):
    found = _tensors.as_tensor(torch.ones(2, 2, dtype=dtype), "X")
    assert found.dtype == torch.float64


def test_read_only_memory_is_taken_without_a_warning_or_a_copy():
    table = np.ones((3, 2))
    table.setflags(write=False)
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        found = _tensors.as_tensor(table, "X")
    finally:
        torch.set_warn_always(always)
    assert found.data_ptr() == table.ctypes.data


def test_a_repeated_row_stays_one_row_in_memory():
    table = np.broadcast_to(np.ones((1, 2)), (1000, 2))
    found = _tensors.as_tensor(table, "X")
    assert found.data_ptr() == table.ctypes.data and found.stride(0) == 0


@pytest.mark.parametrize(
    ("width", "length"), [(1, 1 << 16), (16, 1 << 15), (512, 1024), (1 << 20, 64)]
)
def test_chunks_are_of_two_mebibytes_within_limits(width, length):
    assert _tensors.chunk_length(width) == length


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("size", "passes"), [(1.0, 1), (0.0, 3), (1e-30, 1)])
def test_a_table_is_read_once_unless_its_numbers_are_extreme(
    size, passes, dtype, monkeypatch
):
    monkeypatch.setattr(_tensors, "chunk_length", lambda width: 2)
    reads, in_chunks = [], _tensors.in_chunks

    def counted(table, function):
        def read(chunk):
            reads.append(len(chunk))
            return function(chunk)

        return in_chunks(table, read)

    monkeypatch.setattr(_tensors, "in_chunks", counted)
    table = torch.full((5, 3), size, dtype=dtype)
    unit, norm_sq = _tensors.measure_rows(table, "X", dtype)
    torch.testing.assert_close(
        norm_sq * unit**2, torch.full((5,), 3.0 * size**2).double()
    )
    assert reads == [2, 2, 1] * (passes if dtype == torch.float64 else 1)


@pytest.mark.parametrize(
    ("largest", "unit"),
    [
        (1.0, 1.0),
        (2.0**16, 1.0),
        (2.0**-16, 1.0),
        (70000.0, 2.0**16),
        (2.0**-16 - 2.0**-60, 2.0**-17),
        (np.finfo(float).max, 2.0**1023),
        (5e-324, 2.0**-1021),
        (0.0, 2.0**-1021),
    ],
)
def test_units_are_powers_of_two_and_one_where_numbers_are_safe(largest, unit):
    assert _tensors.unit_for(largest) == unit


def test_nothing_is_copied_in_a_unit_of_one():
    table = torch.ones(3, 2)
    assert _tensors.in_unit(table, 1.0, torch.float32).data_ptr() == table.data_ptr()
    halved = _tensors.in_unit(table, 2.0, torch.float64)
    assert halved.dtype == torch.float64 and (halved == 0.5).all()


def test_an_empty_table():
    empty = as_embedding(np.empty((0, 3)))
    assert len(empty) == 0 and empty.norms().shape == (0,)
    assert empty.scale == DenseEmbedding(np.zeros((1, 3))).scale


@pytest.mark.parametrize(
    ("residual", "features", "name"),
    [([[np.inf]], [[1.0]], "residual"), ([[1.0]], [[np.nan]], "features")],
)
def test_the_factor_that_is_not_finite_is_named(residual, features, name):
    message = (
        f"^{name} must be finite. Got NaN or infinity in 1 of 1 rows instead, the "
        "first at position 0.$"
    )
    with pytest.raises(InvalidInputError, match=message):
        GradientEmbedding(residual, features).norms()


def test_factors_on_two_devices():
    message = "^residual and features must be on one device. Got cpu and meta instead.$"
    with pytest.raises(InvalidInputError, match=message):
        GradientEmbedding(torch.ones(1, 1), torch.ones(1, 1, device="meta"))

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch.utils.data import TensorDataset

from skbadge import exceptions
from skbadge.nets._dataset import ModuleDataset, RelabeledDataset

VALUES = np.arange(12).reshape(4, 3) % 5
DTYPES = "?bBhHiIlLqQefdg"


def both_ways(X, **settings):
    """Read rows one by one and by slices: the same, whatever the path."""
    dataset = ModuleDataset(X, **settings)
    rows = torch.stack([dataset[i][0] for i in range(len(dataset))])
    assert torch.equal(rows, dataset.batch(slice(None)))
    assert torch.equal(rows[1:3], dataset.batch(slice(1, 3)))
    assert torch.equal(rows, dataset.as_tensors()[0])
    return rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("code", DTYPES)
@pytest.mark.parametrize("order", ["=", ">"])
def test_any_number_becomes_a_float_of_the_module(code, order, dtype):
    X = VALUES.astype(np.dtype(code).newbyteorder(order))
    rows = both_ways(X, dtype=dtype)
    assert rows.dtype == dtype
    assert torch.equal(rows.double(), torch.as_tensor(X.astype(np.float64)))


@pytest.mark.parametrize("code", "bBhHiIlLqQ")
def test_integers_stay_for_modules_that_look_up(code):
    X = VALUES.astype(code)
    tensor = torch.from_numpy(X) if code in "bBhil" else X
    for form in (X, tensor, pd.DataFrame(X), pd.DataFrame(X).convert_dtypes()):
        rows = both_ways(form, takes_integers=True)
        # What an embedding layer takes, whatever the width was.
        assert rows.dtype == torch.int64
        assert rows.tolist() == VALUES.tolist()


def test_masks_and_floats_beside_ids_stay_what_they_are():
    assert both_ways(VALUES.astype("d"), takes_integers=True).dtype == torch.float32
    assert both_ways(VALUES > 1, takes_integers=True).dtype == torch.bool
    missing = pd.DataFrame({"id": pd.array([1, None], dtype="Int64")})
    with pytest.raises(exceptions.InvalidInputError, match="NaN or infinity reached"):
        ModuleDataset(missing, np.arange(2), takes_integers=True)


@pytest.mark.parametrize(
    "columns",
    [
        {"a": [0.5, 1.5], "b": [True, False]},
        {"a": [2, 3], "b": [True, False]},
        {"a": [True, False], "b": pd.array([1, 2], dtype="Int64")},
        {"a": [0.5, 1.5], "b": pd.array([True, False], dtype="boolean")},
        {"a": [0.5, 1.5], "b": pd.arrays.SparseArray([True, False])},
        {"a": np.array([1, 2.5], dtype=object), "b": np.array([1, 0], dtype=object)},
    ],
    ids=["float", "int", "nullable", "boolean", "sparse", "objects"],
)
def test_columns_of_numbers_and_booleans(columns):
    frame = pd.DataFrame(columns)
    rows = zip(*columns.values(), strict=True)
    expected = [[float(value) for value in row] for row in rows]
    assert both_ways(frame).tolist() == expected


def test_objects_that_are_all_numbers():
    for values in ([[1, 2.5], [True, 0]], [[1, 2], [3, 4]], [[True, False]] * 2):
        rows = both_ways(np.array(values, dtype=object))
        assert rows.dtype == torch.float32 and rows.tolist() == values
    assert len(ModuleDataset(np.zeros((0, 3), dtype=object)).batch(slice(0, 2))) == 0


LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "tensor": torch.as_tensor,
    "gradient": lambda X: torch.tensor(X, requires_grad=True),
    "csr-matrix": sparse.csr_matrix,
    "csr-array": sparse.csr_array,
    "frame": pd.DataFrame,
    "nullable": lambda X: pd.DataFrame(X).convert_dtypes(),
    "mixed": lambda X: pd.DataFrame(X).astype({0: "int8", 1: "Float32", 2: "float16"}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_layout(name):
    X = VALUES.astype(np.float64)
    rows = both_ways(LAYOUTS[name](X))
    assert rows.dtype == torch.float32 and not rows.requires_grad
    assert rows.tolist() == X.tolist()


def test_read_only_memory_is_copied_without_a_warning(tmp_path):
    X = VALUES.astype(np.float32)
    X.tofile(tmp_path / "X")
    memmap = np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=X.shape)
    assert both_ways(memmap).tolist() == X.tolist()


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_a_batch_is_never_the_pool_itself(make):
    X = make(VALUES.astype(np.float32))
    batch = ModuleDataset(X).batch(slice(0, 4))
    batch.zero_()
    assert X.tolist() == VALUES.tolist()


def test_labelled_rows_in_memory_are_not_copied():
    X = VALUES.astype(np.float32)
    rows, y = ModuleDataset(X, np.arange(4)).as_tensors()
    assert np.shares_memory(rows.numpy(), X)
    assert y.tolist() == [0, 1, 2, 3]


def test_parts_of_any_kind():
    X = {
        "frame": pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}),
        "series": pd.Series([1, 2], dtype="Int64"),
        "sparse": sparse.csr_array(np.eye(2)),
    }
    dataset = ModuleDataset(X)
    assert len(dataset) == 2
    batch = dataset.batch(slice(0, 2))
    assert batch["frame"].tolist() == [[1, 0.5], [2, 1.5]]
    assert batch["series"].tolist() == [1, 2]
    assert batch["sparse"].tolist() == [[1, 0], [0, 1]]
    row, _ = dataset[1]
    assert row["frame"].tolist() == [2, 1.5]
    assert float(row["series"]) == 2
    assert row["sparse"].tolist() == [0, 1]


def test_lists_of_parts():
    dataset = ModuleDataset([np.ones((2, 1)), pd.Series([3, 4])])
    assert [part.tolist() for part in dataset.batch(slice(0, 2))] == [
        [[1], [1]],
        [3, 4],
    ]
    assert [part.tolist() for part in dataset[1][0]] == [[1], 4]


@pytest.mark.parametrize(
    "column",
    [["a", "b"], [1j, 2j], pd.to_datetime(["2020", "2021"]), pd.Categorical([1, 2])],
    ids=["text", "complex", "times", "category"],
)
def test_columns_that_are_no_numbers(column):
    frame = pd.DataFrame({"x": [1.0, 2.0], "odd": column})
    with pytest.raises(exceptions.InvalidInputError) as caught:
        ModuleDataset(frame)
    assert str(caught.value) == (
        "The net takes numbers. Got a DataFrame with the non-numeric columns ['odd'] "
        "instead: encode them in a pipeline step before the net."
    )


@pytest.mark.parametrize(
    "values", [["a", "b"], [1j, 2j], [None, 1], [1, "2"], [[1], [1, 2]], [[1], 2]]
)
def test_arrays_that_are_no_numbers(values):
    kind = object if isinstance(values[0], (int, list)) else None
    dataset = ModuleDataset(np.array(values, dtype=kind))
    with pytest.raises(exceptions.InvalidInputError, match="Got an array of dtype"):
        dataset.batch(slice(0, 2))


BAD = np.array([[0.0, 1.0], [np.nan, 0.0]])


@pytest.mark.parametrize(
    "X",
    [
        BAD,
        BAD.astype(np.float16),
        torch.as_tensor(BAD),
        {"a": np.ones(2), "b": {"c": BAD}},
        [np.ones((2, 1)), BAD],
        pd.DataFrame({"x": pd.array([0.5, None], dtype="Float64")}),
        np.where(np.isnan(BAD), -np.inf, BAD),
    ],
    ids=["float64", "float16", "tensor", "dict", "list", "missing", "infinite"],
)
def test_nan_in_labelled_rows(X):
    with pytest.raises(exceptions.InvalidInputError) as caught:
        ModuleDataset(X, np.arange(2))
    assert str(caught.value) == (
        "NaN or infinity reached the net in labelled row 1 during training. Impute or "
        "remove such values before the net, for example in a pipeline step."
    )
    ModuleDataset(X)  # without labels: named where it reaches the net


def test_nan_in_sparse_labelled_rows():
    for make in (sparse.csr_array, sparse.csc_matrix):
        with pytest.raises(exceptions.InvalidInputError, match="net in labelled row 1"):
            ModuleDataset(make(BAD), np.arange(2))


def test_finite_labelled_rows_of_every_kind_pass():
    # Finite, though their sum is none in half precision.
    large = np.full((4, 3), 6e4, dtype=np.float16)
    forms = [VALUES, torch.as_tensor(VALUES), sparse.csr_array(VALUES), [VALUES]]
    for X in [*forms, large, torch.as_tensor(large)]:
        assert len(ModuleDataset(X, np.arange(4))) == 4


def test_relabeled_rows():
    own = TensorDataset(torch.arange(3.0), torch.tensor([7, 8, 9]))
    dataset = RelabeledDataset(own, np.array([0, 1, 0]))
    assert len(dataset) == 3
    assert [(float(x), int(y)) for x, y in dataset] == [(0, 0), (1, 1), (2, 0)]

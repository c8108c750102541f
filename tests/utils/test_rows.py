import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from skorch.helper import SliceDataset
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset

from skbadge import take
from skbadge.exceptions import InvalidInputError
from skbadge.utils._rows import (
    as_rows,
    is_dataset,
    is_lazy,
    join,
    n_rows,
    several_inputs,
)

TABLE = np.arange(15.0).reshape(5, 3)


def plain(X):
    """Write rows of any kind as nested lists, to compare them."""
    if isinstance(X, dict):
        return {key: plain(part) for key, part in X.items()}
    if isinstance(X, (list, tuple)):
        return [plain(part) for part in X]
    if is_dataset(X):
        return [plain(X[i]) for i in range(len(X))]
    if sparse.issparse(X):
        return X.toarray().tolist()
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.to_numpy().tolist()
    return X.tolist() if hasattr(X, "tolist") else X


KINDS = {
    "array": TABLE,
    "images": TABLE.reshape(5, 3, 1, 1),
    "column": TABLE[:, 0],
    "objects": np.array([["a", 1.0]] * 5, dtype=object),
    "texts": np.array(list("abcde")),
    "reversed": TABLE[::-1],
    "big-endian": TABLE.astype(">f8"),
    "tensor": torch.as_tensor(TABLE),
    "frame": pd.DataFrame(TABLE, columns=list("xyz"), index=list("vwabc")),
    "nullable": pd.DataFrame(TABLE, columns=list("xyz")).convert_dtypes(),
    "series": pd.Series(TABLE[:, 0], index=list("vwabc")),
    "csr": sparse.csr_matrix(TABLE),
    "csc": sparse.csc_array(TABLE),
    "coo": sparse.coo_array(TABLE),
    "dict": {"a": TABLE, "b": torch.as_tensor(TABLE), "c": {"d": TABLE[:, 0]}},
    "list": [TABLE, torch.as_tensor(TABLE)],
    "tuple": (TABLE, {"a": TABLE}),
    "dataset": TensorDataset(torch.as_tensor(TABLE), torch.arange(5)),
}


def rows_of(X, positions):
    """Take rows of nested lists, part by part: the oracle."""
    if isinstance(X, dict):
        return {key: rows_of(part, positions) for key, part in X.items()}
    return [X[i] for i in positions]


def expected(name, positions):
    X = plain(KINDS[name])
    if name in ("list", "tuple"):
        return [rows_of(part, positions) for part in X]
    return rows_of(X, positions)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "positions", [[3, 0], [4], [], [1, 1], [-1, -5], np.array([2], dtype=np.uint8)]
)
def test_take(name, positions):
    taken = take(KINDS[name], positions)
    assert plain(taken) == expected(name, positions)
    assert n_rows(taken) == len(positions)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("rows", [slice(1, 3), slice(None), slice(4, 9), slice(3, 3)])
def test_take_slices(name, rows):
    assert plain(take(KINDS[name], rows)) == expected(name, range(5)[rows])


@pytest.mark.parametrize("name", KINDS)
def test_kinds_stay(name):
    X = KINDS[name]
    taken = take(X, [1, 2])
    if name == "dataset":
        assert isinstance(taken, Subset)
    elif name in ("csc", "coo"):
        assert taken.format == "csr"
    else:
        assert type(taken) is type(X)
    if name in ("frame", "series"):
        assert list(taken.index) == ["w", "a"]
    if name == "nullable":
        assert taken.dtypes.tolist() == X.dtypes.tolist()


@pytest.mark.parametrize("name", KINDS)
def test_join(name):
    X = KINDS[name]
    joined = join(take(X, [0, 1]), take(X, [4]))
    assert plain(joined) == expected(name, [0, 1, 4])
    again = join(joined, take(X, [2]))
    assert plain(again) == expected(name, [0, 1, 4, 2])


def test_data_sets_join_flat():
    data = KINDS["dataset"]
    joined = data
    for _ in range(50):
        joined = join(joined, data)
    assert isinstance(joined, ConcatDataset)
    assert len(joined.datasets) == 51
    assert not any(isinstance(part, ConcatDataset) for part in joined.datasets)


def test_take_of_a_list_of_rows():
    assert take([[1, 2], [3, 4]], [1]).tolist() == [[3, 4]]
    assert take([np.array([1, 2]), np.array([3, 4])], [1]).tolist() == [[3, 4]]


def test_memory_maps_stay_on_disk(tmp_path):
    TABLE.tofile(tmp_path / "X")
    X = np.memmap(tmp_path / "X", mode="r", dtype=float, shape=TABLE.shape)
    assert as_rows(X) is X
    assert np.shares_memory(take(X, slice(1, 3)), X)
    assert join(take(X, [1]), take(X, [2])).tolist() == TABLE[1:3].tolist()


def test_gradients_do_not_pile_up():
    X = torch.ones(2, 2, requires_grad=True)
    assert not join(X, X).requires_grad


def test_a_list_becomes_an_array():
    assert as_rows([[1, 2], [3, 4]]).shape == (2, 2)
    parts = [TABLE, TABLE]
    assert as_rows(parts) is parts


@pytest.mark.parametrize(
    "X, message",
    [
        ({}, "X must hold at least one array. Got an empty dict."),
        (
            {"a": np.ones(3), "b": np.ones(2)},
            "All parts of X must have the same number of rows. Got [2, 3] instead.",
        ),
        (
            (torch.ones(3), torch.ones(2)),
            "All parts of X must have the same number of rows. Got [2, 3] instead. A "
            "tuple of arrays is read as several inputs: stack rows with numpy.stack.",
        ),
        (
            type("Stream", (IterableDataset,), {"__iter__": lambda self: iter(())})(),
            "A torch Dataset must have a length and rows to index. Got Stream, an "
            "IterableDataset, instead: make a map-style one.",
        ),
        *(
            (
                value,
                "X must be a NumPy array, torch tensor, pandas or polars DataFrame or "
                "Series, pyarrow Table, SciPy sparse matrix, what can be indexed like "
                "an array, a list of rows, a dict, list or tuple of these, or a data "
                f"set with a length and rows to index. Got {kind} instead.",
            )
            for value, kind in [
                (None, "NoneType"),
                ("text", "str"),
                (np.array(3.0), "ndarray"),
                (torch.tensor(3.0), "Tensor"),
                (SimpleNamespace(shape=(3, 2)), "SimpleNamespace"),
            ]
        ),
    ],
)
def test_what_has_no_rows(X, message):
    with pytest.raises(InvalidInputError) as caught:
        take(X, [0])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "indices, message",
    [
        (
            [5],
            "indices must be positions in [0, 5). Got values between 5 and 5 instead.",
        ),
        (
            [-6, 1],
            "indices must be positions in [0, 5). Got values between -6 and 1 instead.",
        ),
        (
            [0.5],
            "indices must be a 1-D array of int positions. Got dtype float64 with "
            "shape (1,) instead.",
        ),
        (
            [[1]],
            "indices must be a 1-D array of int positions. Got dtype int64 with shape "
            "(1, 1) instead.",
        ),
        (
            [True] * 5,
            "indices must be a 1-D array of int positions. Got dtype bool with shape "
            "(5,) instead.",
        ),
        (
            2,
            "indices must be a 1-D array of int positions. Got dtype int64 with "
            "shape () instead.",
        ),
    ],
)
@pytest.mark.parametrize("name", ["array", "dataset", "dict"])
def test_positions_out_of_range(name, indices, message):
    with pytest.raises(InvalidInputError) as caught:
        take(KINDS[name], indices)
    assert str(caught.value) == message


MIXED = [(a, b) for a in KINDS for b in KINDS if a < b]
ALIKE = {
    frozenset(pair)
    for pair in [("array", "reversed"), ("array", "big-endian"), ("csr", "csc"),
                 ("big-endian", "reversed"), ("csr", "coo"), ("coo", "csc"),
                 ("frame", "nullable")]
}  # fmt: skip


@pytest.mark.parametrize("first, second", MIXED)
def test_mixed_kinds_are_an_error(first, second):
    if {first, second} in ALIKE:
        assert n_rows(join(KINDS[first], KINDS[second])) == 10
        return
    with pytest.raises(InvalidInputError, match="^X must"):
        join(KINDS[first], KINDS[second])


@pytest.mark.parametrize(
    "first, second, message",
    [
        (
            TABLE,
            pd.DataFrame(TABLE),
            "X must be of the same kind as the labelled rows, a NumPy array. Got a "
            "DataFrame instead: convert it first.",
        ),
        (
            TABLE,
            TABLE[:, :2],
            "X must have the shape (n, 3), as in fit. Got (5, 2) instead.",
        ),
        (
            np.zeros((5, 7, 2)),
            np.zeros((5, 9, 2)),
            "X must have the shape (n, 7, 2), as in fit. Got (5, 9, 2) instead. They "
            "are kept together, in one array: bring them to one size, or give rows of "
            "several sizes as a list to a data set of your own (dataset=... of the "
            "net), with a collate_fn that pads them.",
        ),
        (
            KINDS["frame"],
            KINDS["frame"][["x", "z", "y"]],
            "X must have the columns ['x', 'y', 'z'], as in fit. Got ['x', 'z', 'y'] "
            "instead.",
        ),
        (
            {"a": TABLE},
            {"b": TABLE},
            "X must have the keys ['a'], as in fit. Got ['b'] instead.",
        ),
        (
            [TABLE, TABLE],
            [TABLE] * 3,
            "X must have 2 parts, as in fit. Got 3 instead. A list of arrays is read "
            "as several inputs: stack rows with numpy.stack.",
        ),
        (
            {"a": [TABLE, {"b": TABLE[:, 0]}]},
            {"a": [TABLE, {"b": TABLE}]},
            "X['a'][1]['b'] must have the shape (n,), as in fit. Got (5, 3) instead.",
        ),
        (
            {"a": TABLE},
            {"a": torch.as_tensor(TABLE)},
            "X['a'] must be of the same kind as the labelled rows, a NumPy array. Got "
            "a torch tensor instead: convert it first.",
        ),
        (
            TABLE,
            TABLE.astype(str),
            "X must hold numbers, as the labelled rows do. Got text or objects "
            "instead: convert them first.",
        ),
        (
            pd.DataFrame({"a": [1], "b": [2]}),
            pd.DataFrame({"a": [1], "b": ["2"]}),
            "X must hold numbers in 'a', numbers in 'b', as the labelled rows do. Got "
            "numbers in 'a', text or objects in 'b' instead: convert them first.",
        ),
        (
            pd.Series([1]),
            pd.Series(pd.to_datetime(["2020"])),
            "X must hold numbers, as the labelled rows do. Got times instead: "
            "convert them first.",
        ),
        (
            pd.Series(["a", "b"], dtype="category"),
            pd.Series(["a", "c"]),
            "X must hold categories, as the labelled rows do. Got text or objects "
            "instead: convert them first.",
        ),
        (
            pd.DataFrame({"size": pd.Categorical(["S"], ["S", "L"], ordered=True)}),
            pd.DataFrame({"size": pd.Categorical(["S"], ["S", "M", "L"], True)}),
            "X['size'] must hold the ordered categories ['S', 'L'], as the labelled "
            "rows do. Got ordered categories ['S', 'M', 'L'] instead: only you know "
            "the order of all of them, so give every row the same categories "
            "(Series.cat.set_categories).",
        ),
        (
            pd.Series(pd.Categorical(["S"], ["S", "L"], ordered=True)),
            pd.Series(pd.Categorical(["S"], ["S", "L"])),
            "X must hold the ordered categories ['S', 'L'], as the labelled rows do. "
            "Got unordered categories ['S', 'L'] instead: only you know the order of "
            "all of them, so give every row the same categories "
            "(Series.cat.set_categories).",
        ),
    ],
)
def test_rows_that_do_not_join(first, second, message):
    with pytest.raises(InvalidInputError) as caught:
        join(first, second)
    assert str(caught.value) == message


def test_categories_of_both_are_kept():
    first = pd.Categorical(["y", "x", None])
    second = pd.Categorical(["z", "x"], ["z", "x", "a"])
    frames = [pd.DataFrame({"k": kind, "v": 1.5}) for kind in (first, second)]
    joined = join(*frames)
    assert joined["k"].dtype == pd.CategoricalDtype(["x", "y", "z", "a"])
    assert joined["k"].cat.categories.tolist() == ["x", "y", "z", "a"]
    assert joined["k"].tolist()[:2] == ["y", "x"] and pd.isna(joined["k"].iloc[2])
    assert joined["k"].tolist()[3:] == ["z", "x"]
    assert joined["v"].tolist() == [1.5] * 5
    series = join(frames[0]["k"], frames[1]["k"])
    assert series.dtype == joined["k"].dtype and series.name == "k"
    # The same categories, ordered alike or in another order without meaning.
    again = join(joined, joined.astype({"k": pd.CategoricalDtype(list("azyx"))}))
    assert again["k"].cat.categories.tolist() == ["x", "y", "z", "a"]
    sizes = pd.Series(pd.Categorical(["S"], ["S", "L"], ordered=True))
    assert join(sizes, sizes).dtype == sizes.dtype


def test_numbers_of_any_type_join():
    joined = join(TABLE.astype(np.int8), TABLE.astype(np.float16))
    assert joined.tolist() == TABLE.tolist() * 2
    assert join(torch.ones(1, dtype=torch.int32), torch.ones(1)).dtype == torch.float32


def hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    return h5py.File(tmp_path / "X.h5", "w").create_dataset("X", data=TABLE)


class Reads:
    """Indexed like an array, and counts the rows that are read."""

    dtype, shape, ndim = TABLE.dtype, TABLE.shape, 2

    def __init__(self):
        self.read = 0

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, rows):
        found = TABLE[rows]
        self.read += len(found)
        assert isinstance(rows, slice) or (np.diff(rows) > 0).all()
        return found


@pytest.mark.parametrize("positions", [[3, 0], [1, 1, 0], [], [-1, -5], slice(1, 3)])
def test_what_is_indexed_like_an_array(positions, tmp_path):
    for X in (Reads(), hdf5(tmp_path)):
        taken = take(X, positions)
        assert isinstance(taken, np.ndarray)
        assert taken.tolist() == TABLE[positions].tolist()
    X = Reads()
    assert as_rows(X) is X and n_rows(X) == 5 and X.read == 0
    take(X, [4, 1])
    assert X.read == 2
    assert join(TABLE, X).tolist() == TABLE.tolist() * 2


class Only:
    """Indexed like an array, but in one way alone."""

    dtype, shape, ndim = TABLE.dtype, TABLE.shape, 2

    def __init__(self, *kinds):
        self.kinds = kinds

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, rows):
        if not isinstance(rows, self.kinds):
            raise TypeError(f"not read by {type(rows).__name__}")
        return TABLE[rows]


@pytest.mark.parametrize(
    "positions", [[3, 0], [4, 1, 0, 1], [], slice(1, 3), slice(None, None, -2)]
)
@pytest.mark.parametrize(
    "kinds", [(slice,), (int,), (int, slice), (np.ndarray,), (slice, np.ndarray)]
)
def test_what_is_indexed_in_one_way_alone(positions, kinds):
    X = Only(*kinds)
    found = take(X, positions)
    assert found.tolist() == TABLE[positions].tolist() and found.dtype == TABLE.dtype
    assert join(TABLE, X).tolist() == TABLE.tolist() * 2


def test_what_cannot_be_indexed_says_so_itself():
    with pytest.raises(TypeError, match="not read by int"):
        take(Only(str), [1])


LISTS = {
    "texts": ["good", "bad", None, "fine", float("nan")],
    "mixed": [["red", 3], ["blue", 2], ["red", 5], ["red", 1], ["green", 1]],
    "records": [{"word": "a", "n": i} for i in range(5)],
    "tokens": [[1, 2], [3], [4, 5, 6], [7], [8]],
    "images": [np.ones((2 + i, 3)) for i in range(5)],
    "tensors": [torch.ones(2 + i) for i in range(5)],
    "objects": [object() for _ in range(5)],
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_stay_lists(name):
    X = LISTS[name]
    taken = take(X, [3, 0, -1])
    assert isinstance(taken, list) and [id(row) for row in taken] == [
        id(X[i]) for i in (3, 0, -1)
    ]
    assert take(X, slice(1, 3))[0] is X[1]
    assert n_rows(X) == 5
    joined = join(as_rows(X), take(X, [2]))
    assert isinstance(joined, list) and joined[5] is X[2] and len(joined) == 6
    assert take(taken, [1])[0] is X[0]


def test_one_long_text_costs_its_own_length():
    texts = ["short"] * 2000 + ["x" * 300_000]
    tracemalloc.start()
    take(texts, range(2001))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    "rows, dtype",
    [
        ([[1, 2], [3, 4]], "int64"),
        ([(1, 2.5), (3, 4)], "float64"),
        ([1, True], "int64"),
        ([[[1, 2]], [[3, 4]]], "int64"),
        ([np.float32(1), np.float32(2)], "float32"),
        ([np.array([1, 2]), np.array([3, 4])], "int64"),
        ([torch.tensor(1), torch.tensor(2)], "int64"),
    ],
)
def test_rows_of_numbers_become_arrays(rows, dtype):
    found = as_rows(rows)
    assert isinstance(found, np.ndarray) and found.dtype == dtype and len(found) == 2


def test_rows_or_inputs():
    same = [np.ones((4, 2)), np.ones((4, 2))]
    assert several_inputs(same) and n_rows(same) == 4
    assert several_inputs(tuple(same))
    rows = as_rows(same, lists_hold_rows=True)
    assert not several_inputs(rows) and n_rows(rows) == 2
    assert take(rows, [1])[0] is same[1]
    assert not several_inputs([np.ones((4, 2)), np.ones((3, 2))])
    assert not several_inputs([{"a": 1}, {"a": 2}])
    assert several_inputs({"a": same[0]})
    tokens = {"ids": [[1, 2], [3, 4]], "text": ["a", "b"]}
    assert n_rows(as_rows(tokens)) == 2
    assert take(tokens, [1])["ids"].tolist() == [[3, 4]]
    assert take(tokens, [1])["text"] == ["b"]


def test_lists_and_arrays_of_rows_join():
    tokens = join(as_rows([[1, 2], [3, 4]]), as_rows([[5], [6, 7]]))
    assert tokens == [[1, 2], [3, 4], [5], [6, 7]]
    # What is known as a list of rows stays one, also where the rest is alike.
    assert take(tokens, [2]) == [[5]] and join(tokens, take(tokens, [2]))[4] == [5]
    assert join(as_rows([[5], [1, 2]]), as_rows([[3, 4]])) == [[5], [1, 2], [3, 4]]
    texts = join(np.array(["a", "b"]), as_rows(["long text"]))
    assert isinstance(texts, np.ndarray) and texts.tolist() == ["a", "b", "long text"]
    rows = join(np.array([["a", 1]], dtype=object), as_rows([["b", 2]]))
    assert rows.tolist() == [["a", 1], ["b", 2]]
    with pytest.raises(InvalidInputError, match="^X must hold rows of numbers or obje"):
        join(as_rows([[1, 2], [3, 4]]), as_rows(["a text"]))
    with pytest.raises(
        InvalidInputError, match="^X must hold texts, as .* Got records"
    ):
        join(as_rows(["a"]), as_rows([{"a": 1}]))


def tables():
    columns = {"a": [1, 2, 3], "b": [0.5, 1.5, None], "c": ["x", "y", "z"]}
    for package, make in [("polars", "DataFrame"), ("pyarrow", "table")]:
        yield getattr(pytest.importorskip(package), make)(columns)


def rows_of_table(X):
    names = getattr(X, "column_names", None) or X.columns
    columns = [list(X[name].to_numpy()) for name in names]
    return list(zip(*columns, strict=True))


def test_tables_of_other_packages():
    for X in tables():
        known = rows_of_table(X)
        assert n_rows(X) == 3
        taken = take(X, [2, 0])
        assert type(taken) is type(X)
        assert rows_of_table(taken)[1] == known[0]
        assert rows_of_table(take(X, slice(1, 2))) == known[1:2]
        assert n_rows(take(X, [])) == 0
        joined = join(X, take(X, [1]))
        assert rows_of_table(joined)[3] == known[1] and type(joined) is type(X)
        other = X[["a", "b"]] if hasattr(X, "vstack") else X.select(["a", "b"])
        with pytest.raises(
            InvalidInputError, match="must have the columns ..a., .b., "
        ):
            join(X, other)


def test_columns_of_other_packages():
    polars, pyarrow = map(pytest.importorskip, ("polars", "pyarrow"))
    for X in (polars.Series([3, 1, 2]), pyarrow.array([3, 1, 2])):
        assert take(X, [2, 0]).tolist() == [2, 3]
    assert take(pyarrow.chunked_array([["a"], ["b"]]), [1]).tolist() == ["b"]


def test_hugging_face_data_sets():
    datasets = pytest.importorskip("datasets")
    X = datasets.Dataset.from_dict({"text": list("abcde"), "label": range(5)})
    assert n_rows(X) == 5 and is_lazy(X)
    taken = take(X, [3, 0])
    assert isinstance(taken, datasets.Dataset) and taken["text"][:] == ["d", "a"]
    assert take(X, slice(1, 3))["text"][:] == ["b", "c"]
    joined = join(taken, take(X, [4]))
    assert joined["text"][:] == ["d", "a", "e"]
    column = X["text"]
    assert take(column, [3, -5]) == ["d", "a"] and n_rows(column) == 5
    assert take(X["label"], [3]).tolist() == [3]
    assert join(take(column, [1]), take(column, [2])) == ["b", "c"]


def test_slice_datasets_stay_lazy():
    X = SliceDataset(KINDS["dataset"])
    taken = take(X, [3, 0])
    assert isinstance(taken, SliceDataset) and is_lazy(taken)
    joined = join(taken, take(X, slice(1, 2)))
    assert isinstance(joined, SliceDataset) and joined.dataset is KINDS["dataset"]
    assert [row.tolist() for row in joined] == TABLE[[3, 0, 1]].tolist()
    other = join(joined, SliceDataset(KINDS["dataset"], idx=1))
    assert is_lazy(other) and len(other) == 8 and int(other[7]) == 4

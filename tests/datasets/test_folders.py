"""Original files of their makers, in small: read as published, refused otherwise."""

import dataclasses
import gzip
import hashlib
import pickle

import numpy as np
import pytest
from scipy.io import savemat

from skbadge.datasets import DATASETS, _folders, datasets_table, load_dataset
from skbadge.datasets._arrays_only import read_plain_pickle
from skbadge.datasets._fashion import DEBIAN_FOLDER
from skbadge.datasets._folders import find_original, read_original
from skbadge.datasets._openml import check_test_part
from skbadge.exceptions import DataUnavailableError, InvalidInputError

N = 10


def small(name, n_rows):
    return dataclasses.replace(DATASETS[name], n_rows=n_rows)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def batches(rng, n):
    return [
        (rng.integers(0, 256, (N, 3_072), dtype=np.uint8), rng.integers(10, size=N))
        for _ in range(n)
    ]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_cifar_as_python_batches(tmp_path, rng, protocol):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    parts = batches(rng, 6)
    for name, (X, y) in zip(_folders._BATCHES, parts, strict=True):
        content = {"data": X, "labels": y.tolist(), "batch_label": name}
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    files = find_original("cifar10", tmp_path)
    if protocol in (4, 5):
        # Not those of CIFAR's files, whose instructions are other ones.
        with pytest.raises(DataUnavailableError, match="it was not read"):
            read_original(small("cifar10", 6 * N), files)
        return
    X, y = read_original(small("cifar10", 6 * N), files)
    np.testing.assert_array_equal(X, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(y, np.concatenate([part[1] for part in parts]))


def python_2(X, y):
    """Return a pickle as Python 2 wrote CIFAR's: byte strings, no memo."""

    def text(value):
        return b"U" + bytes([len(value)]) + value.encode()

    def integer(value):
        return b"J" + int(value).to_bytes(4, "little", signed=True)

    dtype = b"cnumpy\ndtype\n" + text("u1") + integer(0) + integer(1) + b"\x87R("
    dtype += integer(3) + text("|") + b"NNN" + integer(-1) * 2 + integer(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    array += integer(0) + b"\x85" + text("b") + b"\x87R(" + integer(1)
    array += integer(X.shape[0]) + integer(X.shape[1]) + b"\x86" + dtype + b"\x89T"
    array += X.nbytes.to_bytes(4, "little") + X.tobytes() + b"tb"
    labels = b"](" + b"".join(map(integer, y)) + b"e"
    return b"\x80\x02}(" + text("data") + array + text("labels") + labels + b"u."


def test_a_batch_as_python_2_wrote_it(tmp_path, rng):
    ((X, y),) = batches(rng, 1)
    (tmp_path / "x").write_bytes(python_2(X, y))
    # What Python itself makes of these bytes.
    expected = pickle.loads(python_2(X, y), encoding="latin-1")
    found = read_plain_pickle(tmp_path / "x")
    np.testing.assert_array_equal(found["data"], expected["data"])
    assert found["labels"] == expected["labels"] == y.tolist()


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "content", [Evil(), {"data": Evil()}, np.array([{}], dtype=object), {"a": Evil}]
)
def test_a_pickle_that_would_run_something(tmp_path, capsys, content):
    path = tmp_path / "x"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataUnavailableError, match="must hold arrays of numbers"):
        read_plain_pickle(path)
    assert capsys.readouterr().out == ""


def test_a_pickle_cut_anywhere(tmp_path, rng):
    path = tmp_path / "x"
    content = pickle.dumps({"data": rng.random(3), "labels": [1, 2, 3]}, protocol=2)
    for stop in range(len(content) - 1):
        path.write_bytes(content[:stop])
        with pytest.raises(DataUnavailableError):
            read_plain_pickle(path)


DEEP = {
    "a list that holds itself": b"]q\x00h\x00a.",
    "a dict that holds itself": b"}q\x00U\x01ah\x00s.",
    "lists, nested": b"]" * 5_000 + b"a" * 4_999 + b".",
    "tuples, nested": b")" + b"\x85" * 5_000 + b".",
    "a tuple as a key, nested": b"})" + b"\x85" * 100_000 + b"Ns.",
    "a call of a tuple, nested": b")" + b"\x85" * 10_000 + b")R.",
    "a type of a list, nested": (
        b"cnumpy\ndtype\n" + b"]" * 5_000 + b"a" * 4_999 + b"\x85R."
    ),
    "an array of its own type": (
        b"cnumpy.core.multiarray\n_reconstruct\n)Rq\x00(K\x01)h\x00\x89U\x00tb."
    ),
    "a shape, nested": (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01"
        + (b")" + b"\x85" * 5_000)
        + b"cnumpy\ndtype\nU\x02u1\x85R\x89U\x00tb."
    ),
}


@pytest.mark.parametrize("content", DEEP.values(), ids=DEEP.keys())
def test_a_pickle_that_has_no_end(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataUnavailableError, match="it was not read"):
        read_plain_pickle(tmp_path / "x")


@pytest.mark.parametrize("depth", [8, 9])
def test_the_depth_that_is_read(tmp_path, depth):
    value = "end"
    for _ in range(depth):
        value = [value]
    (tmp_path / "x").write_bytes(pickle.dumps(value, protocol=2))
    if depth == 8:
        assert read_plain_pickle(tmp_path / "x") == value
        return
    with pytest.raises(DataUnavailableError, match="more than 8 containers in each"):
        read_plain_pickle(tmp_path / "x")


def test_a_pickle_that_shares_its_parts_without_end(tmp_path):
    part = [0] * 1_000
    for _ in range(6):
        part = [part] * 1_000
    for content in ({"data": part}, {"data": np.zeros((1, 3), "u1"), "labels": part}):
        (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, protocol=2))
        with pytest.raises(DataUnavailableError, match="Got another file"):
            _folders._read_batch(tmp_path / "data_batch_1")


@pytest.mark.parametrize("what", ["a list that holds itself", "lists, nested"])
def test_a_set_of_such_pickles_cannot_be_had(tmp_path, what):
    for name in _folders._BATCHES:
        (tmp_path / name).write_bytes(DEEP[what])
    with pytest.raises(DataUnavailableError, match="data_batch_1 must hold"):
        load_dataset("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize("dtype", ["O", "V3", "U3", "i4,f8", "(2,", "M8[s]"])
def test_an_array_of_something_else(tmp_path, dtype):
    content = b"cnumpy\ndtype\nU" + bytes([len(dtype)]) + dtype.encode() + b"\x85R."
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataUnavailableError, match="something else than numbers"):
        read_plain_pickle(tmp_path / "x")


def test_cifar_in_the_binary_version(tmp_path, rng):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    parts = batches(rng, 6)
    for name, (X, y) in zip(_folders._BATCHES, parts, strict=True):
        rows = np.concatenate([y[:, None].astype(np.uint8), X], axis=1)
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    files = find_original("cifar10", tmp_path)
    X, y = read_original(small("cifar10", 6 * N), files)
    np.testing.assert_array_equal(X[-N:], parts[-1][0])
    np.testing.assert_array_equal(y[:N], parts[0][1])
    (folder / "test_batch.bin").write_bytes(b"x" * 99)
    with pytest.raises(DataUnavailableError, match="rows of 3,073 bytes. Got 99"):
        read_original(small("cifar10", 6 * N), files)


def test_svhn(tmp_path, rng):
    pictures = rng.integers(0, 256, (2 * N, 3, 32, 32), dtype=np.uint8)
    y = rng.integers(1, 11, size=2 * N)
    for name, rows in (("train", slice(0, N)), ("test", slice(N, None))):
        # As published: height, width, channel, row; the digit 0 is number 10.
        X = pictures[rows].transpose(2, 3, 1, 0)
        savemat(tmp_path / f"{name}_32x32.mat", {"X": X, "y": y[rows, None]})
    X, found = read_original(small("svhn", 2 * N), find_original("svhn", tmp_path))
    np.testing.assert_array_equal(X.reshape(pictures.shape), pictures)
    np.testing.assert_array_equal(found, y % 10)
    (tmp_path / "test_32x32.mat").write_bytes(b"no")
    with pytest.raises(DataUnavailableError, match="must be a .mat file"):
        read_original(small("svhn", 2 * N), find_original("svhn", tmp_path))


def write_idx(folder, rows=N):
    """Write four small idx files of zeros, and return the labels of the test part."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _folders._IDX:
        shape = (rows, 28, 28) if "images" in name else (rows,)
        content = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
        (folder / name).write_bytes(content + bytes(int(np.prod(shape))))
    return (folder / name).read_bytes()


def test_files_of_one_name_belong_to_whom_their_labels_say(tmp_path, monkeypatch):
    flat, labels = tmp_path / "flat", write_idx(tmp_path / "flat")
    # MNIST's, or some other set's: not Fashion-MNIST's, which Debian's copy or a
    # download has.
    assert find_original("fashion_mnist", flat) is None
    assert find_original("mnist", flat)[0].parent == flat
    table = datasets_table(data_dir=flat)["availability"]
    assert table["fashion_mnist"] != "files" and table["mnist"] == "files"
    monkeypatch.setattr(_folders, "TEST_LABELS", hashlib.sha256(labels).hexdigest())
    assert find_original("mnist", flat) is None
    assert find_original("fashion_mnist", flat)[0].parent == flat
    # Where the folder has the name of a set, it is believed.
    write_idx(tmp_path / "MNIST" / "raw")
    assert find_original("mnist", tmp_path)[0].parent == tmp_path / "MNIST" / "raw"


def test_the_labels_of_fashion_mnist_are_known(tmp_path):
    path = DEBIAN_FOLDER / "t10k-labels-idx1-ubyte.gz"
    if not path.exists():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    assert find_original("fashion_mnist", DEBIAN_FOLDER)[-1] == path
    assert find_original("mnist", DEBIAN_FOLDER) is None


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files(tmp_path, rng, packed):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    X = rng.integers(0, 256, (2 * N, 28, 28), dtype=np.uint8)
    y = rng.integers(10, size=2 * N).astype(np.uint8)
    for part, rows in (("train", slice(0, N)), ("t10k", slice(N, None))):
        for name, values in (("images-idx3", X[rows]), ("labels-idx1", y[rows])):
            content = bytes([0, 0, 8, values.ndim])
            content += np.array(values.shape, dtype=">u4").tobytes() + values.tobytes()
            path = folder / f"{part}-{name}-ubyte"
            if packed:
                path, content = (
                    path.with_name(f"{path.name}.gz"),
                    gzip.compress(content),
                )
            path.write_bytes(content)
    files = find_original("mnist", tmp_path)
    found, labels = read_original(small("mnist", 2 * N), files)
    np.testing.assert_array_equal(found, X.reshape(2 * N, -1))
    np.testing.assert_array_equal(labels, y)
    with pytest.raises(DataUnavailableError, match="must hold 70000 rows of 784"):
        read_original(DATASETS["mnist"], files)
    files[0].write_bytes(files[0].read_bytes()[:30])
    with pytest.raises(DataUnavailableError, match="must be an idx file of bytes"):
        read_original(small("mnist", 2 * N), files)


def test_idx_files_of_other_shapes(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    write_idx(folder)
    files = find_original("mnist", tmp_path)
    for content, said in (
        (bytes([0, 0, 8, 0, 1]), "it has 0 axes, not 3"),
        (bytes([0, 0, 8, 3]) + bytes(12), r"Got parts of shapes \(0, 0, 0\)"),
        (bytes([0, 0, 8, 3, *[0, 0, 0, 2] * 3]) + bytes(8), r"shapes \(2, 2, 2\)"),
    ):
        files[0].write_bytes(content)
        with pytest.raises(DataUnavailableError, match=said):
            read_original(small("mnist", 2 * N), files)


def test_svhn_of_other_shapes(tmp_path):
    for name in ("train", "test"):
        savemat(tmp_path / f"{name}_32x32.mat", {"X": np.zeros((2, 2)), "y": [[1]]})
    with pytest.raises(DataUnavailableError, match="must be a .mat file with X and y"):
        read_original(small("svhn", 2 * N), find_original("svhn", tmp_path))


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (np.full((32, 32, 3, 2), 0.5), [[1], [10]], "X has float64, not bytes"),
        (np.zeros((32, 32, 3, 2), "i2"), [[1], [10]], "X has int16, not bytes"),
        (np.zeros((32, 32, 3, 2), "u1"), [[1.5], [10]], "numbers from 1 to 10"),
        (np.zeros((32, 32, 3, 2), "u1"), [[np.nan], [10]], "numbers from 1 to 10"),
        (np.zeros((32, 32, 3, 2), "u1"), [[1], [-3]], "numbers from 1 to 10"),
        (np.zeros((32, 32, 3, 2), "u1"), ["ab"], "numbers from 1 to 10"),
    ],
)
def test_svhn_of_other_values(tmp_path, X, y, said):
    for name in ("train", "test"):
        savemat(tmp_path / f"{name}_32x32.mat", {"X": X, "y": y})
    with pytest.raises(DataUnavailableError, match=said):
        read_original(small("svhn", 4), find_original("svhn", tmp_path))


def test_idx_files_of_other_values(tmp_path):
    write_idx(tmp_path)
    files = find_original("mnist", tmp_path)
    good = files[1].read_bytes()
    files[1].write_bytes(good[:-1] + b"\xc8")
    with pytest.raises(DataUnavailableError, match="from 0 to 9 as labels. Got 0 to 2"):
        read_original(small("mnist", 2 * N), files)
    # The third byte is the type: 13 are numbers of four bytes.
    files[1].write_bytes(good[:2] + b"\x0d" + good[3:])
    with pytest.raises(DataUnavailableError, match="unlike files of bytes"):
        read_original(small("mnist", 2 * N), files)


def test_an_archive_that_unpacks_to_more_than_any_set_has(tmp_path, monkeypatch):
    write_idx(tmp_path)
    for path in find_original("mnist", tmp_path):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    files = find_original("mnist", tmp_path)
    assert len(read_original(small("mnist", 2 * N), files)[0]) == 2 * N
    monkeypatch.setattr(_folders, "_MOST_BYTES", 1_000)
    with pytest.raises(DataUnavailableError, match="unpacks to more than 1,000 bytes"):
        read_original(small("mnist", 2 * N), files)


def test_what_is_not_there(tmp_path):
    assert find_original("cifar10", tmp_path) is None
    assert find_original("letter", tmp_path) is None
    with pytest.raises(InvalidInputError, match="data_dir must be a folder"):
        find_original("cifar10", tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["mnist", "svhn", "cifar10", "fashion_mnist"])
def test_the_test_part_is_proved_by_its_class_counts(name):
    info = DATASETS[name]
    assert sum(info.test_counts) == info.n_test
    pool = np.zeros(info.n_rows - info.n_test, dtype=np.int64)
    test = np.repeat(np.arange(10), info.test_counts)
    check_test_part(info, np.concatenate([pool, test]), "here")
    if len(set(info.test_counts)) > 1:
        with pytest.raises(DataUnavailableError, match="must be its test part"):
            check_test_part(info, np.concatenate([pool, (test + 1) % 10]), "here")
    with pytest.raises(DataUnavailableError, match="must be its test part"):
        check_test_part(info, np.concatenate([test, pool]), "here")


def test_features_that_a_script_wrote(tmp_path, rng):
    name = "fashion_mnist_features"
    with pytest.raises(DataUnavailableError, match="Got no data_dir: make it once"):
        load_dataset(name)
    with pytest.raises(DataUnavailableError, match="There is none in"):
        load_dataset(name, data_dir=tmp_path)
    assert find_original(name, tmp_path) is None
    X, y = rng.normal(size=(2 * N, 128)).astype("f2"), np.arange(2 * N) % 10
    path = tmp_path / DATASETS[name].file
    np.savez(path, X=X[:N], y=y[:N], X_test=X[N:], y_test=y[N:])
    table = datasets_table(data_dir=tmp_path)
    assert table.loc[name, "availability"] == "files"
    found, labels = read_original(small(name, 2 * N), find_original(name, tmp_path))
    np.testing.assert_array_equal(found, X.astype("f4"))
    np.testing.assert_array_equal(labels, y)
    with pytest.raises(DataUnavailableError, match="must hold 70000 rows of 128"):
        load_dataset(name, data_dir=tmp_path)
    np.savez(path, X=X)
    with pytest.raises(DataUnavailableError, match="must hold the arrays X, y, X_test"):
        load_dataset(name, data_dir=tmp_path)
    files = find_original(name, tmp_path)
    words = y.astype(str)
    np.savez(path, X=X[:N], y=words[:N], X_test=X[N:], y_test=words[N:])
    with pytest.raises(DataUnavailableError, match="Got 0 to 9, of type <U"):
        read_original(small(name, 2 * N), files)
    X[3, 5] = np.nan
    np.savez(path, X=X[:N], y=y[:N], X_test=X[N:], y_test=y[N:])
    with pytest.raises(DataUnavailableError, match="X has NaN or infinity"):
        read_original(small(name, 2 * N), files)

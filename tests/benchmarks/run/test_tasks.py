import zipfile

import numpy as np
import pandas as pd
import pytest

from skbadge.benchmarks import describe_file, load_task
from skbadge.benchmarks.run._files import plain_name
from skbadge.exceptions import InvalidInputError
from tests.benchmarks._cells import tiny_cell


def file_cell(path, **settings):
    return tiny_cell(**describe_file(path), **settings)


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(loc=[5, -3, 0], scale=[2, 0.5, 1], size=(100, 3))
    X[:, 2] = 7
    y = np.where(X[:, 0] > 5, "yes", "no")
    np.savez(tmp_path / "data.npz", X=X, y=y)
    return tmp_path / "data.npz"


def test_a_tenth_is_for_testing(path):
    task = load_task(file_cell(path, standardize=False))
    X, y = (np.load(path)[name] for name in ("X", "y"))
    assert (len(task.X), len(task.X_test)) == (90, 10)
    together = np.concatenate([task.X, task.X_test])
    np.testing.assert_array_equal(
        together[np.lexsort(together.T)],
        X.astype("float32")[np.lexsort(X.astype("float32").T)],
    )
    # Rows keep their labels, as the file has them.
    np.testing.assert_array_equal(task.y == "yes", task.X[:, 0] > 5)
    np.testing.assert_array_equal(task.y_test == "yes", task.X_test[:, 0] > 5)
    assert task.classes.tolist() == ["no", "yes"] and set(y) == {"no", "yes"}
    other = load_task(file_cell(path, standardize=False, repeat=1))
    assert not np.array_equal(task.X_test, other.X_test)


def test_standardized_on_the_pool(path):
    task = load_task(file_cell(path))
    np.testing.assert_allclose(task.X.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(task.X.std(axis=0), [1, 1, 0], rtol=1e-6)
    raw = load_task(file_cell(path, standardize=False))
    mean, deviation = raw.X.mean(axis=0), np.where(raw.X.std(axis=0), 1, 1)
    deviation = np.array([raw.X[:, 0].std(), raw.X[:, 1].std(), 1]) * deviation
    np.testing.assert_allclose(
        task.X_test, (raw.X_test - mean) / deviation, rtol=1e-4, atol=1e-5
    )


def test_images_are_standardized_by_channel_for_a_resnet(tmp_path):
    X = np.random.default_rng(0).integers(0, 255, (60, 2, 4, 4)).astype("uint8")
    np.savez(tmp_path / "i.npz", X=X, y=np.arange(60) % 2)
    task = load_task(file_cell(tmp_path / "i.npz", model="resnet"))
    np.testing.assert_allclose(task.X.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    assert np.abs(task.X.mean(axis=0)).max() > 0.01
    assert (task.shape, task.kind, task.batch_size) == ((2, 4, 4), "image", 64)
    task = load_task(file_cell(tmp_path / "i.npz", model="mlp"))
    np.testing.assert_allclose(task.X.mean(axis=0), 0, atol=1e-6)


def test_a_large_pool_is_cut_down(path):
    task = load_task(file_cell(path, max_pool=40))
    assert (len(task.X), len(task.y), len(task.X_test)) == (40, 40, 10)


def test_a_file_changed_since_is_refused(path):
    cell = file_cell(path)
    load_task(cell)
    np.savez(path, X=np.zeros((50, 3)), y=np.arange(50) % 2)
    file_cell(path)  # takes the place of the old content in the cache
    with pytest.raises(InvalidInputError) as caught:
        load_task(cell)
    assert str(caught.value) == (
        f"{path} must be the file that the benchmark was started with. Got other "
        "content: leave it alone until the benchmark has ended."
    )


def test_the_registry(monkeypatch):
    task = load_task(tiny_cell(dataset="digits"))
    assert task.X.shape == (1438, 1, 8, 8) and task.X_test.shape == (359, 1, 8, 8)
    np.testing.assert_allclose(task.X.mean(axis=0), 0, atol=1e-5)
    raw = load_task(tiny_cell(dataset="digits", standardize=False))
    np.testing.assert_array_equal(raw.y, task.y)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 32, 3), (3, 32, 32)),
        ((3, 32, 32), (3, 32, 32)),
        ((24, 32, 3), (3, 24, 32)),
        ((3, 24, 32), (3, 24, 32)),
        ((8, 8, 1), (1, 8, 8)),
        ((1, 8, 8), (1, 8, 8)),
        ((8, 8, 2), (2, 8, 8)),
        ((2, 4, 4), (2, 4, 4)),
        ((10, 24, 32), (10, 24, 32)),
        ((32, 32, 40), (40, 32, 32)),
        ((40, 32, 32), (40, 32, 32)),
        ((48, 64, 2), (2, 48, 64)),
        ((20, 30, 5), (5, 20, 30)),
        ((7, 7, 64), (64, 7, 7)),
    ],
)
def test_pictures_come_out_with_channels_first(tmp_path, shape, expected):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, *shape)).astype("uint8")
    np.savez(tmp_path / "p.npz", X=X, y=np.arange(40) % 2)
    task = load_task(file_cell(tmp_path / "p.npz", standardize=False))
    assert task.shape == expected
    # Bytes become fractions; every picture is still there.
    turned = X if shape == expected else X.transpose(0, 3, 1, 2)
    found = np.concatenate([task.X, task.X_test]).reshape(40, -1) * 255
    wanted = turned.reshape(40, -1)
    np.testing.assert_allclose(
        found[np.lexsort(np.round(found).T)], wanted[np.lexsort(wanted.T)], atol=1e-3
    )


@pytest.mark.parametrize("shape", [(3, 32, 3), (3, 3, 64), (16, 20, 30), (8, 8, 8)])
def test_pictures_that_may_be_either(tmp_path, shape):
    np.savez(tmp_path / "p.npz", X=np.zeros((4, *shape)), y=[0, 1, 0, 1])
    with pytest.raises(InvalidInputError, match="Got .*, which may be that or have"):
        describe_file(tmp_path / "p.npz")


SHAPES = [(28, 28), (1, 8, 8), (3, 8, 8), (8, 8, 3), (2, 3, 8, 8)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["u1", "i8", "f4"])
def test_bytes_of_every_shape_become_fractions(tmp_path, shape, dtype):
    X = np.random.default_rng(0).integers(0, 256, (40, *shape)).astype(dtype)
    np.savez(
        tmp_path / "p.npz",
        X=X[:30],
        y=np.arange(30) % 2,
        X_test=X[30:],
        y_test=np.arange(10) % 2,
    )
    task = load_task(file_cell(tmp_path / "p.npz", standardize=False))
    for found, given in ((task.X, X[:30]), (task.X_test, X[30:])):
        given = given.transpose(0, 3, 1, 2) if shape == (8, 8, 3) else given
        np.testing.assert_allclose(found, given / 255, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("low", "top"), [(0, 255.5), (0, 65_535), (-128, 127), (0, 254.5)]
)
def test_pictures_on_no_known_scale(tmp_path, shape, low, top):
    X = np.linspace(low, top, 40 * np.prod(shape)).reshape(40, *shape)
    X = np.round(X) if top % 1 == 0 else X
    np.savez(tmp_path / "p.npz", X=X, y=np.arange(40) % 2)
    with pytest.raises(InvalidInputError, match=f"Got numbers from {low} to .*divide"):
        describe_file(tmp_path / "p.npz")


def test_fractions_beside_bytes(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype("u1")
    y = np.arange(40) % 2
    np.savez(tmp_path / "p.npz", X=X, y=y, X_test=X / 255, y_test=y)
    with pytest.raises(InvalidInputError, match="and X_test too"):
        describe_file(tmp_path / "p.npz")


@pytest.mark.parametrize(
    "X",
    [
        np.arange(640).reshape(40, 4, 4) % 17.0,
        np.arange(640).reshape(40, 4, 4) % 2,
        np.eye(640)[0].reshape(40, 1, 4, 4) * 200 - 0.1,
    ],
    ids=["small numbers", "masks", "standardized, with one far out"],
)
def test_pictures_on_the_scale_of_a_net_stay(tmp_path, X):
    np.savez(tmp_path / "p.npz", X=X, y=np.arange(40) % 2)
    task = load_task(file_cell(tmp_path / "p.npz", standardize=False))
    assert max(task.X.max(), task.X_test.max()) == pytest.approx(X.max())


def test_a_table_of_bytes_stays(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (40, 8)).astype("u1")
    np.savez(tmp_path / "p.npz", X=X, y=np.arange(40) % 2)
    task = load_task(file_cell(tmp_path / "p.npz", standardize=False))
    assert task.X.max() > 200


def test_numbers_that_are_no_bytes_stay(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 1, 4, 4))
    np.savez(tmp_path / "p.npz", X=X, y=np.arange(40) % 2)
    task = load_task(file_cell(tmp_path / "p.npz", standardize=False))
    assert task.X.max() == pytest.approx(X.max(), abs=1)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables(tmp_path, suffix):
    frame = pd.DataFrame(
        {"a": range(60), "b": [0.5, 1.5] * 30, "c": [True, False] * 30}
    )
    frame["kind"] = np.where(frame["b"] > 1, "x", "y")
    path = tmp_path / f"t.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    cell = tiny_cell(**describe_file(path, "kind"), standardize=False)
    task = load_task(cell)
    assert task.X.dtype == np.float32 and task.X.shape == (54, 3)
    np.testing.assert_array_equal(task.y == "y", task.X[:, 1] < 1)
    # A learner of one's own gets the table as it is, and the labels.
    own = tiny_cell(**describe_file(path, "kind"), model="some:thing")
    task = load_task(own)
    assert list(task.X.columns) == ["a", "b", "c"] and set(task.y) == {"x", "y"}
    with pytest.raises(InvalidInputError, match="there are a, b, c, kind"):
        describe_file(path, "d")


def test_headers_that_promise_more_than_there_is(tmp_path):
    path = tmp_path / "huge.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 9), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", member)
        archive.writestr("y.npy", member)
    with pytest.raises(InvalidInputError, match="huge.npz must be a .npz file"):
        describe_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X", "hello")
        archive.writestr("y", "hello")
    with pytest.raises(InvalidInputError, match="a member is no array"):
        describe_file(path)


def test_advice_never_is_to_allow_pickles(tmp_path):
    path = tmp_path / "pool.npz"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(InvalidInputError) as caught:
        describe_file(path)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.npz", "plain.npz"),
        ("two words.npz", "two words.npz"),
        ("a\u202eb.npz", "a\\u202eb.npz"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ],
)
def test_plain_names(name, expected):
    assert plain_name(name) == expected


def test_long_names_are_cut_and_kept_apart():
    first, second = (plain_name("x" * 300 + end) for end in "ab")
    assert len(first) <= 80 and first != second

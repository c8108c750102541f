"""Registry, splits and preprocessing."""

import dataclasses

import numpy as np
import pytest

from skbadge.datasets import (
    DATASETS,
    datasets_table,
    get_data_home,
    get_dataset_info,
    load_dataset,
    load_fashion_mnist,
)
from skbadge.datasets._fashion import DEBIAN_FOLDER
from skbadge.datasets._home import write_copy
from skbadge.datasets._load import _draw_pool, _to_shape
from skbadge.datasets._openml import copy_path
from skbadge.exceptions import DataUnavailableError, InvalidInputError


def keep_copy(home, name, X, y):
    """Put arrays where the copy of a download would be."""
    names = {"target_names": np.array(["?"]), "feature_names": np.array(["?"])}
    path = copy_path(DATASETS[name].openml_id, home)
    facts = {"name": name, "version": 1, "url": ""}
    write_copy(path, {"data": X, "target": y, **names}, facts)


def make_pictures(n_rows, n_values):
    """Return pictures as flat bytes whose first value is the row's number."""
    X = np.zeros((n_rows, n_values), dtype=np.uint8)
    X[:, 0] = np.arange(n_rows) % 251
    X[:, -1] = 255
    return X, np.arange(n_rows, dtype=np.int64) % 10


@pytest.mark.parametrize(
    "name, openml_id, n_rows, shape, n_classes, batch_size",
    [
        ("letter", 6, 20_000, (16,), 26, 128),
        ("pokerhand", 155, 829_201, (10,), 10, 128),
        ("random_rbf", 156, 1_000_000, (10,), 5, 128),
        ("kropt", 184, 28_056, (6,), 18, 128),
        ("mnist", 554, 70_000, (1, 28, 28), 10, 64),
        ("svhn", 41081, 99_289, (3, 32, 32), 10, 64),
        ("cifar10", 40927, 60_000, (3, 32, 32), 10, 128),
    ],
)
def test_registry_has_the_paper_sets(
    name, openml_id, n_rows, shape, n_classes, batch_size
):
    info = DATASETS[name]
    assert (info.openml_id, info.n_rows, info.shape) == (openml_id, n_rows, shape)
    assert (info.n_classes, info.batch_size) == (n_classes, batch_size)
    if info.kind == "tabular":
        assert info.n_test == round(n_rows / 10)
        assert info.mean == info.sd == ()
    else:
        assert len(info.mean) == len(info.sd) == shape[0]
        assert info.scale == 255


def test_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        DATASETS["letter"] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        DATASETS["letter"].n_classes = 3


def test_unknown_names_are_refused():
    with pytest.raises(InvalidInputError) as caught:
        get_dataset_info("iris")
    assert str(caught.value) == (
        "name must be one of 'digits', 'letter', 'pokerhand', 'poker_hands', "
        "'random_rbf', 'kropt', 'mnist', 'fashion_mnist', "
        "'fashion_mnist_features', 'svhn', 'cifar10'. Got "
        "'iris' instead."
    )


def test_random_split_is_a_partition_and_seeded():
    one, two, other = (load_dataset("kropt", random_state=seed) for seed in (0, 0, 1))
    for part in ("X_pool", "y_pool", "X_test", "y_test"):
        np.testing.assert_array_equal(one[part], two[part])
    assert not np.array_equal(one.X_test, other.X_test)
    rows = np.concatenate([one.X_pool, one.X_test])
    assert len(np.unique(rows, axis=0)) == 28_056, "no row twice, none missing"
    assert one.X_pool.shape == (25_250, 6)
    assert (one.X_pool.dtype, one.y_pool.dtype) == (np.float32, np.int64)
    assert set(np.unique(one.X_pool)) == set(range(1, 9)), "raw values"


def test_labels_stay_with_their_rows():
    whole = {}
    for seed in (0, 1):
        data = load_dataset("kropt", random_state=seed)
        X = np.concatenate([data.X_pool, data.X_test])
        y = np.concatenate([data.y_pool, data.y_test])
        pairs = dict(zip(map(tuple, X.tolist()), y.tolist(), strict=True))
        assert whole in ({}, pairs)
        whole = pairs


def test_pool_is_cut_and_holds_every_class():
    for seed in range(3):
        data = load_dataset("kropt", random_state=seed, max_pool=1_000)
        assert data.X_pool.shape == (1_000, 6)
        assert len(np.unique(data.y_pool)) == 18
        assert len(data.y_test) == 2_806
        assert data.missing_classes.size == 0


def test_a_class_that_fell_into_the_test_part_is_reported():
    data = load_dataset("poker_hands", random_state=1)
    assert data.X_pool.shape == (50_000, 10)
    assert data.n_classes == 10
    present = np.unique(data.y_pool)
    assert set(present) | set(data.missing_classes) == set(range(10))
    in_rest = 10 - len(data.missing_classes)
    assert len(present) == in_rest


def test_redrawn_pool_has_the_law_of_rejection():
    """Drawing counts until complete is drawing subsets until complete."""
    y = np.array([0, 0, 0, 0, 1, 2])
    rng = np.random.default_rng(0)
    n = 3_000
    subsets = {}
    for _ in range(n):
        key = tuple(sorted(_draw_pool(y, 4, 4, rng).tolist()))
        subsets[key] = subsets.get(key, 0) + 1
    # Rows 4 and 5, and any two of the first four: 6 subsets, equally likely.
    assert len(subsets) == 6
    assert all({4, 5} <= set(key) for key in subsets)
    chi_square = sum((count - n / 6) ** 2 / (n / 6) for count in subsets.values())
    assert chi_square < 30.9
    # The same test rejects a law that takes the first row every other time more.
    wrong = np.array([750, 750, 750, 250, 250, 250])
    assert ((wrong - n / 6) ** 2 / (n / 6)).sum() > 30.9


def test_a_pool_too_small_for_every_class():
    with pytest.raises(InvalidInputError) as caught:
        load_dataset("kropt", random_state=0, max_pool=17)
    assert str(caught.value) == (
        "max_pool must be large enough for a random subset with every class. Got 17, "
        "and none of 100,000 subsets had all 18 classes: give a larger max_pool."
    )


def test_digits_are_prepared_pictures():
    data = load_dataset("digits", random_state=0)
    assert data.X_pool.shape == (1_438, 1, 8, 8)
    assert abs(data.X_pool.mean()) < 0.05
    assert abs(data.X_pool.std() - 1) < 0.05


@pytest.mark.parametrize("by, axes", [("feature", 0), ("channel", (0, 2, 3))])
def test_standardized_on_the_pool(by, axes):
    data = load_dataset("digits", random_state=0, standardize=by)
    np.testing.assert_allclose(data.X_pool.mean(axis=axes), 0, atol=1e-5)
    sd = data.X_pool.std(axis=axes)
    np.testing.assert_allclose(sd[sd > 0], 1, atol=1e-4)
    assert np.isfinite(data.X_test).all()
    assert data.X_test.dtype == np.float32
    if by == "feature":
        # Some corners of the pictures are never inked.
        assert (sd == 0).any()


def test_standardize_is_checked():
    with pytest.raises(InvalidInputError, match="^standardize must be one of 'feature"):
        load_dataset("digits", standardize=True)


def test_standard_split_of_a_download(tmp_path):
    X, y = make_pictures(70_000, 784)
    keep_copy(tmp_path, "mnist", X, y)
    data = load_dataset("mnist", data_home=tmp_path)
    assert data.X_pool.shape == (60_000, 1, 28, 28)
    assert data.X_test.shape == (10_000, 1, 28, 28)
    np.testing.assert_array_equal(data.y_test, y[60_000:])
    expected = (X[60_001, 0] / 255 - 0.1307) / 0.3081
    assert data.X_test[1, 0, 0, 0] == pytest.approx(expected, rel=1e-5)
    assert data.X_test[1, 0, 27, 27] == pytest.approx((1 - 0.1307) / 0.3081, rel=1e-5)


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
@pytest.mark.parametrize("flattened", ["by channel", "by pixel"])
def test_color_pictures_come_out_channels_first(name, flattened):
    info = DATASETS[name]
    rng = np.random.default_rng(0)
    # Smooth pictures whose channels differ: a ramp, another level for each channel.
    ramp = np.linspace(0, 60, 32)[:, None] + np.linspace(0, 40, 32)
    levels = rng.integers(0, 150, size=(20, 3, 1, 1))
    pictures = (ramp + levels).astype(np.uint8)
    order = pictures if flattened == "by channel" else pictures.transpose(0, 2, 3, 1)
    flat = np.ascontiguousarray(order).reshape(20, -1)
    if (name, flattened) == ("cifar10", "by pixel"):
        # Its makers document the order: anything else is not what they published.
        with pytest.raises(DataUnavailableError, match="cifar10 must hold one channel"):
            _to_shape(flat, info)
        return
    np.testing.assert_array_equal(_to_shape(flat, info), pictures)


def test_table_lists_every_set_and_what_is_there(tmp_path):
    table = datasets_table(data_home=tmp_path)
    assert list(table.index) == list(DATASETS)
    offline = table.index[table["availability"] == "offline"].tolist()
    assert offline == ["digits", "poker_hands", "random_rbf", "kropt"]
    assert table.loc["letter", "availability"] == "network"
    assert table.loc["fashion_mnist_features", "availability"] == "script"
    X, y = np.zeros((3, 2)), np.zeros(3, dtype=np.int64)
    keep_copy(tmp_path, "letter", X, y)
    table = datasets_table(data_home=tmp_path)
    assert table.loc["letter", "availability"] == "downloaded"
    assert table.loc["random_rbf", "pool"] == 50_000
    assert table.loc["svhn", "pool"] == 73_257
    assert table.loc["kropt", "preprocessing"] == "raw values"
    assert not table.isna().any(axis=None)


def test_data_home(monkeypatch, tmp_path):
    monkeypatch.setenv("SKBADGE_DATA", str(tmp_path / "here"))
    assert get_data_home() == tmp_path / "here"
    assert not (tmp_path / "here").exists()
    monkeypatch.delenv("SKBADGE_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get_data_home() == tmp_path / "skbadge_data"
    assert get_data_home("~/x") == tmp_path / "x"


def test_fashion_mnist_without_its_files(tmp_path):
    with pytest.raises(DataUnavailableError) as caught:
        load_fashion_mnist(folder=tmp_path)
    message = str(caught.value)
    assert "dataset-fashion-mnist" in message
    assert "'digits', 'poker_hands', 'random_rbf', 'kropt'" in message


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00cut off"])
def test_fashion_mnist_with_a_broken_file(tmp_path, content):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataUnavailableError, match="^(Fashion-MNIST must|.* sha256)"):
        load_fashion_mnist(folder=tmp_path)


def test_fashion_mnist_with_another_file(tmp_path):
    import gzip

    content = gzip.compress(bytes(100))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataUnavailableError, match="must hold data with the sha256"):
        load_fashion_mnist(folder=tmp_path)


@pytest.mark.skipif(not DEBIAN_FOLDER.exists(), reason="Debian's files are not there")
def test_fashion_mnist_of_debian():
    data = load_fashion_mnist()
    assert data.data.shape == (70_000, 784)
    assert np.bincount(data.target).tolist() == [7_000] * 10
    assert np.bincount(data.target[:60_000]).tolist() == [6_000] * 10
    assert data.data[:60_000].mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert data.data[:60_000].std() / 255 == pytest.approx(0.3530, abs=1e-4)

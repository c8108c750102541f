import numpy as np
import pytest

from skbadge.benchmarks import describe_file, load_task
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
    # "no" is class 0, and rows keep their labels.
    np.testing.assert_array_equal(task.y, task.X[:, 0] > 5)
    np.testing.assert_array_equal(task.y_test, task.X_test[:, 0] > 5)
    assert task.n_classes == 2 and set(y) == {"no", "yes"}
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

"""k-means: what it must have reached at the end, and the rows for the clusters."""

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge.exceptions import InvalidInputError
from skbadge.selection import weighted_kmeans
from skbadge.selection._kmeans import _assigned, _nearest_members, _Table
from tests._oracles import squared_distances


def clouds(n=120, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return 10.0 * np.eye(k)[np.arange(n) % k] + rng.normal(size=(n, k)), np.arange(
        n
    ) % k


def nearest_of(X, centers):
    table = np.concatenate([X, centers])
    return squared_distances(table)[: len(X), len(X) :]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clouds_are_found(dtype):
    X, cloud = clouds()
    clusters = weighted_kmeans(X.astype(dtype), 4, random_state=0)
    for k in range(4):
        assert len(set(clusters.labels[cloud == k])) == 1
        center = clusters.centers[clusters.labels[k]]
        assert_allclose(center, X[cloud == k].mean(axis=0), rtol=1e-4, atol=1e-4)
    distance_sq = nearest_of(X, clusters.centers.astype(np.float64))
    assert_array_equal(clusters.labels, distance_sq.argmin(axis=1))
    assert_allclose(clusters.distances_sq, distance_sq.min(axis=1), rtol=1e-3)
    assert clusters.scale == 1.0


@pytest.mark.parametrize("n_clusters", [7, 60])
def test_at_the_end_centers_are_weighted_means(n_clusters):
    rng = np.random.default_rng(1)
    X, weight = rng.normal(size=(300, 3)), rng.random(300)
    clusters = weighted_kmeans(X, n_clusters, sample_weight=weight, random_state=0)
    assert_array_equal(clusters.labels, nearest_of(X, clusters.centers).argmin(axis=1))
    assert len(set(clusters.labels.tolist())) == n_clusters
    means = np.array(
        [
            np.average(
                X[clusters.labels == c], axis=0, weights=weight[clusters.labels == c]
            )
            for c in range(n_clusters)
        ]
    )
    plain = np.array([X[clusters.labels == c].mean(axis=0) for c in range(n_clusters)])
    gap = np.abs(clusters.centers - means)
    from_plain = np.abs(clusters.centers - plain)
    if n_clusters <= 50:
        assert gap.max() < 0.02
        assert from_plain.max() > 3 * gap.max()
    else:
        # Small batches move single centers to the last.
        assert gap.mean() < 0.05
        assert from_plain.mean() > 1.3 * gap.mean()


def test_rows_without_weight_pull_no_center():
    X = np.array([[0.0], [1.0], [100.0], [101.0], [5000.0]])
    weight = [1.0, 1.0, 1.0, 1.0, 0.0]
    clusters = weighted_kmeans(X, 2, sample_weight=weight, random_state=3)
    assert clusters.centers.max() < 5000.0


@pytest.mark.parametrize("least", [1e-30, 1e-39, 1e-44, 1e-46, 1e-200, 5e-324])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_below_the_range_of_a_type(dtype, least):
    """Of a model that is nearly sure of half of the rows: centers stay finite."""
    X = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(dtype)
    weight = np.where(np.arange(20) < 10, least, 1.0)
    clusters = weighted_kmeans(X, 12, sample_weight=weight, random_state=0)
    assert np.isfinite(clusters.centers).all()
    # Rows that share a cluster with none of weight 1 still have it in their middle.
    for c in np.unique(clusters.labels):
        members = clusters.labels == c
        if weight[members].max() < 1:
            assert_allclose(clusters.centers[c], X[members].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("random_state", [0, 7])
def test_identical_for_a_seed(random_state):
    X = np.random.default_rng(0).normal(size=(500, 5))
    first, again = (weighted_kmeans(X, 60, random_state=random_state) for _ in range(2))
    assert_array_equal(first.labels, again.labels)
    assert_array_equal(first.centers, again.centers)


def test_normalized_rows_are_compared_by_direction():
    X = np.array([[1.0, 0.0], [50.0, 1.0], [0.0, 2.0], [0.0, 90.0], [0.0, 0.0]])
    labels = weighted_kmeans(X, 3, normalize=True, random_state=0).labels
    assert labels[0] == labels[1] != labels[2]
    assert labels[2] == labels[3] != labels[4]


def test_rows_all_alike_and_more_clusters_than_distinct_rows():
    for n_clusters in (1, 3, 12):
        clusters = weighted_kmeans(np.ones((12, 2)), n_clusters, random_state=0)
        assert_allclose(clusters.distances_sq, 0.0)
    clusters = weighted_kmeans([[0.0], [1.0], [0.0], [1.0]], 3, random_state=0)
    assert_allclose(clusters.distances_sq, 0.0)


@pytest.mark.parametrize("size", [1e-300, 1e300, 1e-30])
def test_numbers_of_any_size(size):
    X, cloud = clouds(40)
    clusters = weighted_kmeans(X * size, 4, random_state=0)
    for k in range(4):
        assert len(set(clusters.labels[cloud == k])) == 1
    assert np.isfinite(clusters.distances_sq).all()
    other = torch.from_numpy(X[:8])
    labels = _assigned(clusters, other * size)
    assert_array_equal(labels, clusters.labels[:8])


def test_a_table_larger_than_the_working_memory_is_read_in_part():
    X, cloud = clouds(40_000)
    with sklearn.config_context(working_memory=1):
        clusters = weighted_kmeans(X, 4, random_state=0)
    for k in range(4):
        assert len(set(clusters.labels[cloud == k])) == 1


@pytest.mark.parametrize("n_clusters", [4, 60])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_table_stays_as_it_was(n_clusters, normalize):
    X = torch.from_numpy(clouds(200)[0]).float()
    before = X.clone()
    weighted_kmeans(X, n_clusters, normalize=normalize, random_state=0)
    assert torch.equal(X, before)


def test_no_copy_of_the_table_where_none_is_needed():
    X = torch.from_numpy(clouds(200)[0]).float()
    table = _Table(X, False)
    rows = table.read(table.sample(np.random.default_rng(0), 1))
    assert np.shares_memory(rows, X.numpy())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_clusters": 0}, r"n_clusters must be an int in \[1, 5\]. Got 0"),
        ({"n_clusters": 6}, r"n_clusters must be an int in \[1, 5\]. Got 6"),
        ({"sample_weight": [1.0]}, "sample_weight must be 5 non-negative numbers"),
        ({"sample_weight": [1.0, np.nan, 1, 1, 1]}, "must be 5 non-negative numbers"),
        ({"sample_weight": ["a"]}, r"5 non-negative numbers, .* Got \['a'\] instead"),
        ({"sample_weight": [[1], [1, 2]]}, "must be 5 non-negative numbers"),
        ({"sample_weight": [1, 1, -2.0, 1, 1]}, "not be negative. Got -2 for row 2"),
        ({"features": np.full((5, 2), np.nan)}, "must be finite"),
        ({"features": np.zeros((5, 0))}, "width of at least 1"),
    ],
)
def test_wrong_input(changes, message):
    arguments = {"features": np.eye(5), "n_clusters": 2, **changes}
    with pytest.raises(InvalidInputError, match=message):
        weighted_kmeans(**arguments)


def test_members_nearest_to_their_centers():
    X, cloud = clouds(41)
    table = torch.from_numpy(X)
    generator = np.random.default_rng(0)
    indices, sizes = _nearest_members(table, 4, generator=generator)
    assert sorted(cloud[indices]) == [0, 1, 2, 3]
    for row in indices:
        members = np.flatnonzero(cloud == cloud[row])
        gap = np.square(X[members] - X[members].mean(axis=0)).sum(axis=1)
        assert row == members[gap.argmin()]
    assert_array_equal(sizes, [11, 10, 10, 10])
    assert cloud[indices[0]] == 0


def test_where_clusters_stay_empty_the_rest_is_random():
    X = torch.tensor([[0.0]] * 10 + [[1.0]] * 3)
    seen = set()
    for seed in range(30):
        generator = np.random.default_rng(seed)
        indices, sizes = _nearest_members(X, 6, generator=generator)
        assert len(set(indices.tolist())) == 6
        assert_array_equal(sizes, [10, 3, 0, 0, 0, 0])
        seen |= set(indices.tolist())
    assert seen == set(range(13))

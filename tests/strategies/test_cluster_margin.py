"""Small margins from all clusters in turn."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import ClusterMargin, MarginSampling
from skbadge.exceptions import InvalidInputError
from skbadge.selection import weighted_kmeans
from skbadge.strategies import Needs, Outputs
from tests._oracles import chi_square_p_value, round_robin


def random_proba(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator, dtype=torch.float64).softmax(dim=1)


def test_by_hand():
    proba = [[0.5, 0.5], [0.52, 0.48], [0.54, 0.46], [0.7, 0.3], [0.9, 0.1]]
    strategy = ClusterMargin(clusters=[7, 7, 7, 3, 3], oversample=2.0)
    selection = strategy.select(Outputs.of(proba=proba), 2, random_state=0)
    # The four smallest margins; cluster 3 has fewest of them.
    assert selection.indices[0] == 3
    assert selection.indices[1] in (0, 1, 2)
    assert_allclose(selection.scores[0], -0.4)


@pytest.mark.parametrize("n", [1, 7, 20, 40])
@pytest.mark.parametrize("oversample", [1.0, 1.25, 100.0, 1e308])
def test_clusters_in_turn_against_the_loop(n, oversample):
    proba, rng = random_proba(40), np.random.default_rng(1)
    clusters = rng.choice(5, 40, p=[0.05, 0.1, 0.15, 0.3, 0.4])
    outputs = Outputs.of(proba=proba)
    strategy = ClusterMargin(clusters=clusters, oversample=oversample)
    chosen = strategy.select(outputs, n, random_state=0).indices
    looked_at = int(np.ceil(min(40, oversample * n)))
    small = MarginSampling().select(outputs, looked_at, 0).indices
    assert set(chosen) <= set(small)
    # Clusters of one size take turns in any order.
    sizes = np.bincount(clusters[small], minlength=5)
    expected = [sizes[c] for c in round_robin(clusters[small].tolist(), n)]
    assert_array_equal(sizes[clusters[chosen]], expected)


def test_within_a_cluster_any_row_is_as_likely():
    outputs = Outputs.of(proba=random_proba(5))
    strategy = ClusterMargin(clusters=[0, 0, 0, 0, 1], oversample=2.5)
    draws = [int(strategy.select(outputs, 2, seed).indices[1]) for seed in range(1500)]
    assert chi_square_p_value(draws, dict.fromkeys(range(4), 0.25)) > 1e-4
    assert (
        chi_square_p_value([min(d, 2) for d in draws], dict.fromkeys(range(4), 0.25))
        < 1e-4
    )


def test_clusters_are_made_of_features():
    features = torch.tensor([[0.0], [0.1], [0.2], [50.0]])
    outputs = Outputs.of(proba=random_proba(4), features=features)
    strategy = ClusterMargin(n_clusters=2, oversample=4.0)
    assert strategy.select(outputs, 1, random_state=0).indices[0] == 3
    assert strategy.needs == Needs(proba=True, features=True)
    assert ClusterMargin(clusters=[0]).needs == Needs(proba=True)


def test_clusters_belong_to_positions_in_the_pool():
    clusters = weighted_kmeans([[0.0], [0.1], [9.0], [9.1], [0.2]], 2, random_state=0)
    strategy = ClusterMargin(clusters=clusters.labels, oversample=4.0)
    # Candidates are rows 1, 3 and 4: row 3 is alone in its cluster.
    outputs = Outputs.of(proba=random_proba(3), positions=[1, 3, 4])
    assert strategy.select(outputs, 1, random_state=0).indices[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": [0.5, 1.0]}, "clusters must be one int for each row of X_pool"),
        ({"clusters": [[0]]}, "clusters must be one int for each row of X_pool"),
        ({"clusters": [0, 1, 1]}, "each row of X_pool, 4. Got 3 instead"),
        ({"clusters": [0] * 5}, "each row of X_pool, 4. Got 5 instead"),
        ({"n_clusters": 0}, "n_clusters must be an int of at least 1"),
        ({"n_clusters": 9}, "n_clusters must be an int of at most 4. Got 9"),
        ({"oversample": 0.5}, r"oversample must be a number in \[1, inf\)"),
    ],
)
def test_wrong_input(options, message):
    outputs = Outputs.of(proba=random_proba(4), features=torch.eye(4))
    with pytest.raises(InvalidInputError, match=message):
        ClusterMargin(**options).select(outputs, 1)

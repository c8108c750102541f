"""BAIT: the picks of the direct form, in its order."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge.exceptions import InvalidInputError
from skbadge.selection import _bait as module
from skbadge.selection import bait_greedy
from skbadge.selection._information import (
    Information,
    Metric,
    fisher_columns,
    fisher_mean,
)
from tests._oracles import bait_direct, information_vectors

FORMS = [("binary", None), ("top", 2), ("top", 3), ("full", None)]


def pool(n, n_classes, width, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.7), size=n)
    return proba, rng.normal(size=(n, width)) * rng.lognormal(size=(n, 1))


@pytest.mark.parametrize(("fisher", "n_top"), FORMS)
@pytest.mark.parametrize(
    ("n_labeled", "oversample", "regularization"),
    [(0, 1.0, 1.0), (7, 2.0, 1.0), (5, 1.5, 1e-2), (3, 50.0, 10.0)],
)
def test_picks_are_those_of_the_direct_form(
    fisher, n_top, n_labeled, oversample, regularization, monkeypatch
):
    monkeypatch.setattr(module, "FRESH", 4)
    proba, features = pool(45 + n_labeled, 4, 5, seed=n_labeled)
    vectors = information_vectors(proba, features, fisher, n_top)
    numbers = {"oversample": oversample, "regularization": regularization}
    expected = bait_direct(vectors[n_labeled:], vectors[:n_labeled], 9, **numbers)
    found = bait_greedy(
        proba[n_labeled:],
        features[n_labeled:],
        9,
        labeled_proba=proba[:n_labeled],
        labeled_features=features[:n_labeled],
        fisher=fisher,
        n_top=n_top,
        **numbers,
    )
    assert_array_equal(found, expected)


def test_the_forms_differ():
    """One answer for all would pass no matter what is computed."""
    proba, features = pool(40, 4, 5)
    found = {
        (fisher, n_top): tuple(
            bait_greedy(proba, features, 8, fisher=fisher, n_top=n_top)
        )
        for fisher, n_top in FORMS
    }
    assert len(set(found.values())) == 4
    everything = bait_greedy(proba, features, 8, fisher="top", n_top=4)
    assert tuple(everything) == found["full", None]


@pytest.mark.parametrize(("fisher", "n_top"), FORMS)
def test_columns_and_means_are_those_of_the_information(fisher, n_top):
    proba, features = pool(30, 4, 3)
    columns = fisher_columns(torch.from_numpy(proba), fisher, n_top)
    found = fisher_mean(columns, torch.from_numpy(features))
    vectors = information_vectors(proba, features, fisher, n_top)
    expected = np.mean([v.T @ v for v in vectors], axis=0)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("fisher", "n_top"), FORMS)
def test_updates_keep_to_what_is_computed_anew(fisher, n_top):
    proba, features = pool(30, 4, 3)
    columns = fisher_columns(torch.from_numpy(proba), fisher, n_top)
    table = torch.from_numpy(features)
    mean = fisher_mean(columns, table)
    states = [
        Information(columns, table, Metric(torch.eye(len(mean)).double(), mean))
        for _ in range(2)
    ]
    for index, sign in [(3, 1.0), (7, 1.0), (7, -1.0), (20, 1.0), (3, -1.0)]:
        states[0].update(index, sign, fresh=False)
        states[1].update(index, sign, fresh=True)
        for of in (1.0, -1.0):
            assert_allclose(
                states[0].changes(of)[20:], states[1].changes(of)[20:], rtol=1e-9
            )


def test_float32_features_choose_alike():
    proba, features = pool(300, 5, 16)
    single = bait_greedy(proba, features.astype("f4"), 20)
    assert_array_equal(single, bait_greedy(proba, features, 20))


def test_a_sure_net_has_information_in_float32():
    proba = torch.tensor([[1.0, 1e-12], [1.0, 1e-9], [1.0, 1e-15]])
    found = bait_greedy(proba, torch.ones(3, 2), 1, oversample=1.0)
    assert found.tolist() == [1]


def test_ties_fall_to_the_seed():
    proba, features = np.full((12, 3), 1 / 3), np.ones((12, 4), np.float32)
    firsts = {bait_greedy(proba, features, 1, random_state=s)[0] for s in range(40)}
    assert len(firsts) > 6
    one_class = bait_greedy(np.ones((6, 1)), features[:6], 6, fisher="full")
    assert sorted(one_class) == list(range(6))


@pytest.mark.parametrize("fisher", ["top", "full"])
def test_information_beside_which_regularization_vanishes_is_refused(fisher):
    features = torch.tensor(
        [[-3.2903, 2.1320, 2.8091], [0.72573, 1.5619, 0.2969], [2.9609, 2.1496, -3.38]],
        dtype=torch.float64,
    )
    logits = torch.tensor([[4.0, 0, 1, 2], [0, 3, 1, 0], [1, 1, 0, 2]])
    proba = logits.softmax(dim=1)
    refused = 0
    for power in range(6, 150, 2):
        size = 10.0**power
        try:
            assert len(bait_greedy(proba, features * size, 3, fisher=fisher)) == 3
        except InvalidInputError as error:
            assert str(error).startswith("features must be of sizes whose squares can")
            refused += 1
    assert refused > 20


def test_memory_is_refused_by_its_size():
    proba, features = torch.rand(50, 100).softmax(dim=1), torch.rand(50, 200)
    message = r'^fisher="full" would take \d+.\d GiB for 50 rows, 100 classes and'
    with pytest.raises(InvalidInputError, match=message):
        bait_greedy(proba, features, 2, fisher="full")
    assert len(bait_greedy(proba, features, 2)) == 2


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n": 9}, "n must be at most"),
        ({"fisher": "diag"}, "fisher must be one of"),
        ({"n_top": 0}, "n_top must be"),
        ({"regularization": 0.0}, "regularization must be"),
        ({"oversample": 0.5}, "oversample must be"),
        ({"features": np.ones((5, 2))}, "proba and features must have as many rows"),
        ({"features": np.full((4, 2), np.inf)}, "features must be finite"),
        ({"features": np.eye(4)[:, :2] * 1e200}, "features must be of sizes whose"),
        (
            {
                "labeled_proba": np.full((1, 2), 0.5),
                "labeled_features": np.ones((1, 3)),
            },
            "labelled rows must have as many classes and features",
        ),
        (
            {"labeled_proba": np.full((1, 2), 0.5)},
            "labeled_proba and labeled_features must be given together, or neither. "
            "Got labeled_proba alone",
        ),
        ({"labeled_features": np.ones((1, 2))}, ".* Got labeled_features alone"),
        (
            {"proba": np.full((4, 2), 3.0)},
            "proba must hold class probabilities: .* sums of 6 to 6, and 3 as",
        ),
        ({"proba": np.array([[1.5, -0.5]] * 4)}, "proba must hold class .* and -0.5"),
        (
            {"labeled_proba": np.ones((1, 2)), "labeled_features": np.ones((1, 2))},
            "labeled_proba must hold class probabilities",
        ),
    ],
)
def test_wrong_arguments(kwargs, message):
    good = {"proba": np.full((4, 2), 0.5), "features": np.ones((4, 2)), "n": 1}
    with pytest.raises(InvalidInputError, match="^" + message):
        bait_greedy(**good | kwargs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_of_few_bits_sum_to_about_one(dtype):
    proba = torch.rand(20, 30).softmax(dim=1).to(dtype)
    assert len(bait_greedy(proba, torch.randn(20, 3), 2)) == 2


def test_an_oversample_that_overflows_looks_at_all_rows():
    proba, features = pool(6, 3, 2)
    found = [bait_greedy(proba, features, 2, oversample=x) for x in (3.0, 1.5e308)]
    assert_array_equal(found[0], found[1])

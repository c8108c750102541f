"""Mutual information against enumeration, and draws from the Laplace approximation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skbadge import BALD, BatchBALD, StochasticTopK
from skbadge.exceptions import InvalidInputError
from skbadge.selection import _batch_bald
from skbadge.selection._batch_bald import Configurations, batch_bald_greedy
from skbadge.strategies import Head, Outputs
from skbadge.strategies._posterior import drawn_heads, iterate_samples, laplace_draws
from tests._oracles import (
    batch_bald_loop,
    joint_mutual_information,
    laplace_covariance,
    mutual_information,
)


def random_samples(n=12, n_samples=4, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    # Some draws certain, so that 0 ln 0 is met.
    logits = 3 * rng.normal(size=(n, n_samples, n_classes))
    logits[0] = np.where(logits[0] > 0, 0.0, -np.inf)
    logits[0, :, 0] = 0.0
    return torch.from_numpy(logits).softmax(dim=2)


def test_scores_against_enumeration():
    samples = random_samples()
    selection = BALD(n_samples=4).select(Outputs.of(samples=samples), 12, 0)
    expected = [mutual_information(samples[i].numpy()) for i in selection.indices]
    assert_allclose(selection.scores, expected, atol=1e-12)
    assert (np.diff(selection.scores) <= 0).all()


def test_draws_that_agree_tell_nothing():
    samples = torch.full((3, 5, 4), 0.1, dtype=torch.float32)
    samples[..., 0] = 0.7
    scores = BALD(n_samples=5).scores(Outputs.of(samples=samples))
    assert_allclose(scores, 0.0, atol=1e-15)
    assert (scores >= 0).all()
    power = StochasticTopK(BALD(n_samples=5)).select(Outputs.of(samples=samples), 3, 0)
    assert sorted(power.indices) == [0, 1, 2]


def test_only_the_draws_asked_for_are_read():
    outputs = Outputs.of(samples=random_samples(n_samples=6))
    fewer = Outputs.of(samples=outputs.samples[:, :3])
    strategy = BALD(n_samples=3)
    assert_array_equal(
        strategy.select(outputs, 5, 0).indices, strategy.select(fewer, 5, 0).indices
    )


def net_outputs(n=30, n_labeled=15, d=3, n_outputs=3, bias=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n_outputs, d, generator=generator, dtype=torch.float64)
    offset = torch.randn(n_outputs, generator=generator, dtype=torch.float64)
    head = Head(weight, offset if bias else None)

    def rows(m):
        features = torch.randn(m, d, generator=generator, dtype=torch.float64)
        logits = features @ weight.T + (offset if bias else 0.0)
        if n_outputs == 1:
            second = logits.sigmoid()
            return {"features": features, "proba": torch.cat([1 - second, second], 1)}
        return {"features": features, "proba": logits.softmax(dim=1)}

    labeled = Outputs.of(**rows(n_labeled), y=torch.zeros(n_labeled))
    return Outputs.of(**rows(n), head=head, labeled=labeled)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_outputs", [3, 1])
def test_laplace_draws_have_the_covariance_of_the_whole_matrix(bias, n_outputs):
    outputs = net_outputs(bias=bias, n_outputs=n_outputs)
    labeled, head = outputs.labeled, outputs.head
    n = 40_000
    weight, offset = laplace_draws(labeled, head, n, 0.7, np.random.default_rng(0))
    drawn = weight if not bias else torch.cat([weight, offset[..., None]], dim=2)
    features = labeled.features.numpy()
    if bias:
        features = np.column_stack([features, np.ones(len(features))])
    proba = labeled.proba.numpy()
    if n_outputs == 1:
        # p (1 - p) is the curvature of one logit.
        curvature = (proba[:, 0] * proba[:, 1]).mean()
        precision = curvature * features.T @ features + 0.7 * np.eye(features.shape[1])
        expected = np.linalg.inv(precision)
    else:
        expected = laplace_covariance(features, proba, 0.7)
    flat = drawn.flatten(1).numpy()
    found, scale = np.cov(flat.T), np.sqrt(np.diag(expected))
    # The standard error of a correlation over n draws is at most 1 / sqrt(n).
    assert_allclose(
        found / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.035
    )
    mean = torch.cat([head.weight, head.bias[:, None]], 1) if bias else head.weight
    assert_allclose(flat.mean(axis=0), mean.flatten(), atol=5 * scale.max() / n**0.5)
    if not bias:
        assert not offset.any()


def test_laplace_scores_follow_from_the_draws():
    outputs = net_outputs(n=40)
    strategy = BALD(source="laplace", n_samples=6)
    selection = strategy.select(outputs, 40, random_state=3)
    generator = np.random.default_rng(3)
    weight, offset = laplace_draws(outputs.labeled, outputs.head, 6, 1.0, generator)
    logits = torch.einsum("nd,skd->nsk", outputs.features, weight) + offset
    samples = logits.softmax(dim=2).numpy()
    expected = [mutual_information(samples[i]) for i in selection.indices]
    assert_allclose(selection.scores, expected, atol=1e-12)


def test_more_labels_leave_less_to_learn():
    few, many = (net_outputs(n_labeled=m) for m in (3, 3000))
    strategy = BALD(source="laplace", n_samples=50)
    few, many = (strategy.scores(o, random_state=0).mean() for o in (few, many))
    assert many < 0.1 * few


def test_one_logit_is_two_classes():
    outputs = net_outputs(n_outputs=1)
    heads = drawn_heads(outputs, "laplace", 4, 1.0, np.random.default_rng(0))
    samples = torch.cat(list(iterate_samples(outputs, heads)))
    assert samples.shape == (30, 4, 2)
    assert_allclose(samples.sum(dim=2), 1.0)
    BALD(source="laplace").select(outputs, 3, 0)


def test_laplace_needs_the_softmax_of_the_head():
    outputs = net_outputs()
    tempered = (outputs.labeled.proba.log() / 3).softmax(dim=1)
    labeled = Outputs.of(
        proba=tempered, features=outputs.labeled.features, y=outputs.labeled.y
    )
    wrong = Outputs.of(features=outputs.features, head=outputs.head, labeled=labeled)
    message = "probabilities are the softmax of the head. They differ by up to 0"
    with pytest.raises(InvalidInputError, match=message):
        BALD(source="laplace").select(wrong, 1)
    labeled = Outputs.of(
        proba=tempered[:, :2], features=labeled.features, y=outputs.labeled.y
    )
    wrong = Outputs.of(features=outputs.features, head=outputs.head, labeled=labeled)
    with pytest.raises(InvalidInputError, match="Got 2 classes of a head with 3 out"):
        BALD(source="laplace").select(wrong, 1)


@pytest.mark.parametrize("part", ["labeled", "pool"])
def test_products_that_overflow(part):
    outputs = net_outputs(bias=False)
    table = outputs.labeled.features if part == "labeled" else outputs.features
    # One direction that the head ignores, so that the probabilities are right.
    outputs.head.weight[:, 0] = 0.0
    logits = outputs.labeled.features @ outputs.head.weight.T
    outputs.labeled.proba.copy_(logits.softmax(dim=1))
    table[0, 0] = 1.7e308
    with pytest.raises(InvalidInputError, match="products of them to be finite"):
        BALD(source="laplace", n_samples=400, prior_precision=1e-20).select(outputs, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "ensemble"}, "source must be one of 'dropout', 'laplace'"),
        ({"n_samples": 1}, r"n_samples must be an int in \[2, 10000\]"),
        ({"n_samples": 10**30}, r"n_samples must be an int in \[2, 10000\]"),
        ({"prior_precision": 0}, r"prior_precision must be a number in \(0, inf\)"),
    ],
)
@pytest.mark.parametrize("kind", [BALD, BatchBALD])
def test_options_out_of_range(kind, options, message):
    with pytest.raises(InvalidInputError, match=message):
        kind(**options).check_parameters()


def test_batch_bald_against_enumeration():
    samples = random_samples()
    outputs = Outputs.of(samples=samples)
    strategy = BatchBALD(n_samples=4, most_configurations=3**4)
    selection = strategy.select(outputs, 4, random_state=0)
    indices, gains = batch_bald_loop(samples.numpy(), 4)
    assert_array_equal(selection.indices, indices)
    assert_allclose(selection.scores, gains, atol=1e-12)


def test_rows_that_are_not_looked_at_again_could_not_have_been_chosen(monkeypatch):
    samples = random_samples(n=60, seed=5)
    found = []
    for block in (1, 60):
        monkeypatch.setattr(_batch_bald, "_BLOCK", block)
        found.append(
            batch_bald_greedy(
                samples, 4, most_configurations=81, generator=np.random.default_rng(0)
            )
        )
    assert_array_equal(found[0][0], found[1][0])
    assert_allclose(found[0][1], found[1][1])
    assert_array_equal(found[0][0], batch_bald_loop(samples.numpy(), 4)[0])


def test_a_copy_adds_nothing_in_batch_bald_and_all_in_bald():
    samples = random_samples(seed=1)
    samples[5] = samples[3] = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0]]
    outputs = Outputs.of(samples=samples)
    assert set(BALD(n_samples=4).select(outputs, 2, 0).indices) == {3, 5}
    chosen = BatchBALD(n_samples=4).select(outputs, 3, 0).indices
    assert len({3, 5} & set(chosen.tolist())) == 1


def test_drawn_outcomes_estimate_the_joint_entropy():
    samples = random_samples(n=6, n_samples=4, seed=2)
    rows = [4, 1, 5, 2]
    exact = Configurations(4, 3**4, np.random.default_rng(0))
    for row in rows:
        exact.add(samples[row])
    estimates = []
    for seed in range(200):
        drawn = Configurations(4, 40, np.random.default_rng(seed))
        for row in rows:
            drawn.add(samples[row])
        assert len(drawn.given) == 40
        estimates.append(drawn.entropies(samples[:1])[0].item())
    expected = exact.entropies(samples[:1])[0].item()
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert error < 0.05 * expected
    assert abs(np.mean(estimates) - expected) < 4.5 * error
    assert_allclose(exact.entropy(), exact.entropies(torch.ones(1, 4, 1).double()))
    conditional = torch.special.entr(samples[[*rows, 0]]).sum(dim=2).mean(dim=1).sum()
    assert_allclose(
        expected - conditional,
        joint_mutual_information(samples.numpy(), [*rows, 0]),
        atol=1e-12,
    )


def test_hundreds_of_rows_do_not_vanish():
    samples = random_samples(n=400, n_samples=3, n_classes=5)
    indices, gains = batch_bald_greedy(
        samples, 400, most_configurations=30, generator=np.random.default_rng(0)
    )
    assert sorted(indices) == list(range(400))
    assert np.isfinite(gains).all()

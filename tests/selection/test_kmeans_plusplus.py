"""k-means++: the exact law on the fast path, and wrong laws the same test rejects."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbadge.embeddings import (
    DenseEmbedding,
    GradientEmbedding,
    _factored,
)
from skbadge.embeddings._distances import distances_sq, pairwise_sq
from skbadge.exceptions import InvalidInputError
from skbadge.selection import _kmeans_plusplus as module
from skbadge.selection import kmeans_plusplus
from skbadge.selection._kmeans_plusplus import LazySampler, _kmeans_plusplus
from tests._oracles import (
    CoarseGenerator,
    chi_square_p_value,
    greedy_kmeans_plusplus,
    kmeans_plusplus_law,
    rejection_loop,
    squared_distances,
)
from tests.embeddings._courses import force_course
from tests.selection._pools import hostile_embeddings

N_DRAWS = 1200


def factors(dtype=np.float64):
    """Seven rows, two of them near each other, of very different lengths."""
    rng = np.random.default_rng(3)
    residual = rng.normal(size=(7, 3))
    features = rng.uniform(0.2, 1.5, size=(7, 2))
    residual[1] = residual[0] * 1.05
    features[1] = features[0]
    residual[2:4] *= 2.5
    return residual.astype(dtype), features.astype(dtype)


def dense():
    residual, features = factors()
    return (residual[:, :, None] * features[:, None, :]).reshape(7, -1)


def draw_triples(embedding, n_draws=N_DRAWS, seed=0, first="uniform", **knobs):
    generator = np.random.default_rng(seed)
    return [
        tuple(
            _kmeans_plusplus(embedding, 3, first=first, generator=generator, **knobs)[
                0
            ].tolist()
        )
        for _ in range(n_draws)
    ]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# --- the law -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block_size", "flush", "dtype"),
    [
        (1, "always", np.float32),
        (2, "never", np.float32),
        (64, "never", np.float64),
        (None, "auto", np.float64),
    ],
)
def test_ordered_triples_follow_the_exact_law(block_size, flush, dtype):
    embedding = GradientEmbedding(*factors(dtype))
    triples = draw_triples(embedding, block_size=block_size, flush=flush)
    assert chi_square_p_value(triples, kmeans_plusplus_law(dense(), 3)) > 1e-3


@pytest.mark.parametrize("first", ["norm", "max-norm"])
def test_first_row(first):
    norm_sq = (dense() ** 2).sum(axis=1)
    law = norm_sq / norm_sq.sum()
    if first == "max-norm":
        law = (norm_sq == norm_sq.max()).astype(float)
    triples = draw_triples(GradientEmbedding(*factors()), 800, first=first)
    expected = kmeans_plusplus_law(dense(), 3, first=law)
    assert chi_square_p_value(triples, expected) > 1e-3


class LowersBoundsInsideBlock(LazySampler):
    """Wrong: bounds fall as soon as the block's distances are known."""

    def walk(self, rows, bound, distance_sq, which, uniform):
        return super().walk(rows, distance_sq, distance_sq, which, uniform)


class JudgesLeftoversByNewBounds(LazySampler):
    """Wrong: a flush after the first acceptance, the rest of the block kept."""

    def walk(self, rows, bound, distance_sq, which, uniform):
        accepted, scores = super().walk(rows, bound, distance_sq, which, uniform)
        if not len(accepted):
            return accepted, scores
        first, rest = accepted[:1], slice(int(accepted[0]) + 1, None)
        to_first = distances_sq(rows, rows[torch.from_numpy(which[first])])
        renewed = np.minimum(distance_sq, to_first[:, 0].numpy())
        later, later_sq = super().walk(
            rows, renewed, renewed, which[rest], uniform[rest]
        )
        return np.concatenate([first, later + rest.start]), scores[:1] + later_sq


class DiscardsBlocksThatLookBad(LazySampler):
    """Wrong: a block is thrown away, its distances having been computed ahead."""

    def walk(self, rows, bound, distance_sq, which, uniform):
        if np.mean((distance_sq / np.maximum(bound, 1e-300))[which]) < 0.7:
            return np.empty(0, dtype=np.intp), []
        return super().walk(rows, bound, distance_sq, which, uniform)


@pytest.mark.parametrize(
    ("variant", "block_size"),
    [
        (LowersBoundsInsideBlock, 6),
        (JudgesLeftoversByNewBounds, 6),
        (DiscardsBlocksThatLookBad, 2),
    ],
)
def test_natural_slips_in_the_fast_path_are_rejected(variant, block_size, monkeypatch):
    monkeypatch.setattr(module, "LazySampler", variant)
    embedding = GradientEmbedding(*factors())
    triples = draw_triples(embedding, block_size=block_size, flush="never", sweep=False)
    assert chi_square_p_value(triples, kmeans_plusplus_law(dense(), 3)) < 1e-6


def draws_of(law, n_draws=N_DRAWS):
    rng = np.random.default_rng(0)
    keys = list(law)
    return [keys[i] for i in rng.choice(len(keys), size=n_draws, p=list(law.values()))]


@pytest.mark.parametrize("slip", [{"power": 1}, {"origin": True}])
def test_wrong_laws_are_rejected(slip):
    wrong = kmeans_plusplus_law(dense(), 3, **slip)
    assert chi_square_p_value(draws_of(wrong), kmeans_plusplus_law(dense(), 3)) < 1e-6


def test_greedy_local_trials_are_rejected():
    rng = np.random.default_rng(0)
    triples = [greedy_kmeans_plusplus(dense(), 3, rng) for _ in range(N_DRAWS)]
    assert chi_square_p_value(triples, kmeans_plusplus_law(dense(), 3)) < 1e-6


# --- course and scores ---------------------------------------------------------------


def check_against_the_loop(embedding, n, seed, chunk=1 << 16, **knobs):
    costs = module._PAIRS_PER_PROPOSAL, module._PAIRS_PER_ROW
    X = embedding.to_dense().double().numpy()
    knobs = {"first": "uniform", **knobs}
    oracle = {"block_size": None, "flush": "auto", **knobs}
    expected = rejection_loop(
        X, embedding.norms().numpy(), n, CoarseGenerator(seed), costs=costs, **oracle
    )
    # How distances are found is no part of the law: each way gives the same picks.
    for sweep, course in [
        (False, "plain"),
        (True, "kept"),
        (True, "in groups"),
        (True, "in chunks"),
        (None, "plain"),
    ]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_factored, "chunk_length", lambda width: chunk)
            force_course(patch, course)
            found = _kmeans_plusplus(
                embedding, n, generator=CoarseGenerator(seed), sweep=sweep, **knobs
            )
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-14)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([1, 2**4, 2**10]),
    st.fixed_dictionaries(
        {"first": st.sampled_from(module._FIRST)},
        optional={
            "block_size": st.integers(1, 9),
            "flush": st.sampled_from(["always", "never", "auto"]),
        },
    ),
    st.sampled_from([3, 1 << 16]),
    st.integers(0, 999),
)
def test_picks_of_a_seed_are_those_of_the_plain_loop(
    n_pool, width, factored, spread, knobs, chunk, seed
):
    """On whole numbers, where distances are exact in both."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, size=(n_pool, width)).astype(np.float64)
    X[rng.random(n_pool) < 0.2] *= spread
    embedding = DenseEmbedding(X)
    if factored:
        residual = rng.integers(-2, 3, size=(n_pool, 2)).astype(np.float64)
        embedding = GradientEmbedding(residual, X, bias=bool(seed % 2))
    n = int(rng.integers(1, n_pool + 1))
    check_against_the_loop(embedding, n, seed, chunk, **knobs)


@pytest.mark.parametrize("spread", [1, 40])
def test_long_runs_keep_to_the_plain_loop(spread):
    """Hundreds of centers: blocks grow, bounds are refreshed more than once."""
    rng = np.random.default_rng(0)
    X = rng.integers(-9, 10, size=(300, 3)) * rng.integers(1, spread + 1, size=(300, 1))
    check_against_the_loop(DenseEmbedding(X), 250, 0, 64)


def test_rows_without_weight_are_never_drawn():
    law = np.cumsum([0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0])
    last = np.nextafter(1.0, 0.0)
    uniform = np.array([0.0, 0.2, 0.25, 0.49, 0.5, 0.99, last, 1.0])
    found = module._inverse(law, uniform)
    np.testing.assert_array_equal(found, [2, 2, 4, 4, 5, 5, 5, 5])


def test_a_refresh_reads_each_row_once_in_pieces(monkeypatch):
    monkeypatch.setattr(_factored, "chunk_length", lambda width: 3)
    embedding = DenseEmbedding(np.random.default_rng(0).normal(size=(8, 2)))
    sampler = LazySampler(embedding, 5, block_size=None, flush="auto", sweep=False)
    sampler.choose_first("uniform", np.random.default_rng(0))
    read, rows = [], embedding.rows
    monkeypatch.setattr(embedding, "rows", lambda key: read.append(key) or rows(key))
    sampler.refresh()
    assert read == [slice(0, 3), slice(3, 6), slice(6, 8)]
    exact = embedding.distances_sq(range(8), sampler.chosen)[:, 0]
    np.testing.assert_allclose(sampler.bound, exact, rtol=1e-12)
    assert (sampler.seen == 1).all() and sampler.seen.dtype == np.int32


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
def test_scores_are_in_the_units_of_the_embedding(unit):
    X = np.random.default_rng(0).normal(size=(20, 3))
    plain, scaled = (
        _kmeans_plusplus(
            DenseEmbedding(X * factor),
            20,
            first="norm",
            generator=np.random.default_rng(0),
        )
        for factor in (1.0, unit)
    )
    np.testing.assert_array_equal(scaled[0], plain[0])
    np.testing.assert_array_equal(scaled[1], plain[1] * unit**2)


def random_embedding(n=400, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    residual = rng.normal(size=(n, 4)) * rng.lognormal(sigma=1.5, size=(n, 1))
    features = np.maximum(rng.normal(size=(n, 12)), 0)
    return GradientEmbedding(residual.astype(dtype), features.astype(dtype))


@pytest.mark.parametrize("knobs", [{}, {"block_size": 7}, {"flush": "always"}])
def test_prefixes(knobs):
    embedding = random_embedding()
    long = _kmeans_plusplus(
        embedding, 400, first="uniform", generator=np.random.default_rng(5), **knobs
    )
    for m in (1, 2, 3, 50, 199, 399):
        generator = np.random.default_rng(5)
        short = _kmeans_plusplus(
            embedding, m, first="uniform", generator=generator, **knobs
        )
        np.testing.assert_array_equal(short[0], long[0][:m])
        np.testing.assert_array_equal(short[1], long[1][:m])


@pytest.mark.parametrize("flush", ["always", "auto"])
def test_scores_are_squared_distances_at_the_choice(flush):
    embedding = random_embedding(dtype=np.float64)
    distance_sq = squared_distances(embedding.to_dense().numpy())
    indices, scores = _kmeans_plusplus(
        embedding, 100, first="norm", generator=np.random.default_rng(0), flush=flush
    )
    expected = [distance_sq[i, indices[:t]].min() for t, i in enumerate(indices) if t]
    np.testing.assert_allclose(scores[1:], expected, rtol=1e-8)
    assert scores[0] == pytest.approx(embedding.squared_norms()[indices[0]].item())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_are_chosen_last(dtype):
    rng = np.random.default_rng(0)
    residual = np.repeat(rng.normal(size=(40, 5)), 50, axis=0).astype(dtype)
    features = np.repeat(rng.normal(size=(40, 30)), 50, axis=0).astype(dtype)
    order = rng.permutation(2000)
    embedding = GradientEmbedding(residual[order], features[order])
    generator = np.random.default_rng(1)
    indices, scores = _kmeans_plusplus(
        embedding, 60, first="uniform", generator=generator
    )
    assert len(set((order // 50)[indices[:40]])) == 40
    assert (scores[:40] > 0).all()
    assert (scores[40:] == 0).all()


def test_all_distances_zero_draws_uniformly_from_the_rest():
    embedding = DenseEmbedding(np.ones((5, 3)))
    triples = draw_triples(embedding, 700)
    law = dict.fromkeys(kmeans_plusplus_law(np.eye(5), 3), 1 / 60)
    assert chi_square_p_value(triples, law) > 1e-3


def test_one_long_row_is_measured_once_a_block(monkeypatch):
    """Where lengths differ hugely the law sits on one row: a block is copies of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) * 10.0 ** rng.uniform(-12, 12, size=(60, 1))
    compared = []

    def counted(rows):
        compared.append(len(rows))
        return pairwise_sq(rows)

    monkeypatch.setattr(module, "pairwise_sq", counted)
    found = kmeans_plusplus(X.astype(np.float32), 60, random_state=0)
    assert sorted(found) == list(range(60))
    assert max(compared) <= 60 and sum(compared) < 600 and len(compared) < 120


def test_tiny_rows_keep_their_law_once_the_long_ones_are_chosen():
    X = np.zeros((6, 2), dtype=np.float32)
    X[:3] = [[1e3, 0], [0, 1e3], [-1e3, -1e3]]
    X[3:] = [[1e-17, 0], [0, 3e-17], [-2e-17, 0]]
    law = kmeans_plusplus_law(X[3:].astype(float) * 1e17, 3)
    generator = np.random.default_rng(0)
    last = []
    for _ in range(500):
        indices, _ = _kmeans_plusplus(
            DenseEmbedding(X), 6, first="max-norm", generator=generator
        )
        last.append(tuple(i - 3 for i in indices.tolist() if i >= 3))
    assert chi_square_p_value(last, law) > 1e-3


@settings(max_examples=60, deadline=None)
@given(
    hostile_embeddings(), st.integers(0, 99), st.sampled_from(module._FIRST), st.data()
)
def test_any_pool_gives_distinct_rows(embedding, seed, first, data):
    n = data.draw(st.integers(1, len(embedding)))
    indices, scores = _kmeans_plusplus(
        embedding, n, first=first, generator=np.random.default_rng(seed)
    )
    assert indices.dtype == np.intp
    assert len(set(indices.tolist())) == n == len(scores)
    assert indices.min() >= 0 and indices.max() < len(embedding)
    assert np.isfinite(scores).all() and (scores >= 0).all()
    norm_sq = embedding.squared_norms()
    assert norm_sq.isfinite().all() and (norm_sq >= 0).all()
    between = embedding.distances_sq(indices, indices)
    assert between.isfinite().all() and (between >= 0).all()
    assert (between.diagonal() == 0).all()
    assert embedding.inner(indices, indices).isfinite().all()


def test_half_precision_is_storage_only():
    embedding = random_embedding()
    residual, features = embedding._left.half(), embedding._right.half()
    half = GradientEmbedding(residual, features)
    single = GradientEmbedding(residual.float(), features.float())
    np.testing.assert_array_equal(
        kmeans_plusplus(half, 50, random_state=0),
        kmeans_plusplus(single, 50, random_state=0),
    )


# --- the public edge -----------------------------------------------------------------


def test_plain_arrays_and_lists():
    X = np.random.default_rng(0).normal(size=(30, 3))
    expected = kmeans_plusplus(X, 9, random_state=1)
    np.testing.assert_array_equal(
        kmeans_plusplus(X.tolist(), 9, random_state=1), expected
    )
    np.testing.assert_array_equal(
        kmeans_plusplus(torch.from_numpy(X), 9, random_state=1), expected
    )


def test_global_generators_stay_as_they_were():
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    kmeans_plusplus(random_embedding(), 50)
    assert before == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n": 0}, "n must be an int of at least 1. Got 0 instead."),
        (
            {"n": 8},
            "n must be at most the number of candidates, 7. Got 8 instead: ask ",
        ),
        ({"n": 2, "first": "origin"}, "first must be one of 'uniform', 'max-norm', "),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(InvalidInputError, match="^" + message):
        kmeans_plusplus(dense(), **kwargs)

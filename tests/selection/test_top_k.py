"""top_k: order, ties by the seed, prefixes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbadge.exceptions import InvalidInputError
from skbadge.selection import top_k
from tests._oracles import chi_square_p_value, ordered_subsets_law


def test_largest_first():
    scores = [0.1, -np.inf, 3.0, np.inf, 2.0]
    np.testing.assert_array_equal(top_k(scores, 3), [3, 2, 4])
    assert top_k(scores, 3).dtype == np.intp


def test_ties_are_broken_uniformly():
    pairs = [
        tuple(top_k([1.0, 2.0, 1.0, 2.0, 2.0], 2, random_state=seed))
        for seed in range(1200)
    ]
    law = ordered_subsets_law([1, 3, 4], 2)
    assert chi_square_p_value(pairs, law) > 1e-3


def test_lower_position_first_is_rejected():
    law = ordered_subsets_law([1, 3, 4], 2)
    assert chi_square_p_value([(1, 3)] * 1200, law) < 1e-6


@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=60),
    st.integers(0, 99),
    st.data(),
)
def test_prefixes(scores, seed, data):
    m = data.draw(st.integers(1, len(scores)))
    everything = top_k(scores, len(scores), random_state=seed)
    assert sorted(everything) == list(range(len(scores)))
    assert (np.diff(np.array(scores)[everything]) <= 0).all()
    np.testing.assert_array_equal(top_k(scores, m, random_state=seed), everything[:m])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, width=16), min_size=1, max_size=40),
    st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
    st.booleans(),
    st.data(),
)
def test_any_floats(scores, dtype, as_array, data):
    scores = torch.tensor(scores, dtype=dtype)
    values = scores.double().numpy()
    if as_array and dtype != torch.bfloat16:
        scores = scores.numpy()
    n = data.draw(st.integers(1, len(scores)))
    found = top_k(scores, n, random_state=0)
    assert len(set(found.tolist())) == n
    np.testing.assert_array_equal(values[found], np.sort(values)[::-1][:n])
    everything = top_k(scores, len(scores), random_state=0)
    np.testing.assert_array_equal(found, everything[:n])


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64],
)
def test_tensors(dtype):
    scores = torch.tensor([0, 2, 1], dtype=dtype)
    scores = scores.requires_grad_(dtype.is_floating_point)
    assert top_k(scores, 2).tolist() == [1, 2]


def test_booleans():
    assert set(top_k([False, True, False, True], 2)) == {1, 3}


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u4", "i8", "u8"])
def test_neighboring_integers_are_no_tie(dtype):
    """Neither rounded to floats nor negated, which the ends of a range forbid."""
    limits = np.iinfo(dtype)
    scores = [limits.max - 1, limits.min, limits.max, limits.min + 1, limits.max // 2]
    for seed in range(5):
        found = top_k(np.array(scores, dtype=dtype), 5, random_state=seed)
        assert found.tolist() == [2, 0, 4, 3, 1]
    scores = [2**62, 2**62 + 1]
    assert top_k(scores, 1).tolist() == top_k(torch.tensor(scores), 1).tolist() == [1]


def test_nan_is_refused():
    message = (
        "^scores must not be NaN. Got NaN for 2 of 3 rows instead, the first at "
        "position 1.$"
    )
    with pytest.raises(InvalidInputError, match=message):
        top_k([0.0, np.nan, np.nan], 1)


@pytest.mark.parametrize("scores", [[[1.0, 2.0]], ["a", "b"], 3.0])
def test_scores_must_be_one_dimensional_numbers(scores):
    with pytest.raises(InvalidInputError) as caught:
        top_k(scores, 1)
    shape, dtype = np.shape(scores), np.asarray(scores).dtype
    assert str(caught.value) == (
        f"scores must be a 1-D array of real numbers. Got shape {shape} of dtype "
        f"{dtype} instead."
    )


def test_n_above_the_pool():
    with pytest.raises(InvalidInputError, match="n must be at most the number of"):
        top_k([1.0], 2)

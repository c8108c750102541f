"""What holds for every strategy; each exported class is found by itself."""

import inspect
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone

import skbadge
import skbadge.strategies
from skbadge._contracts import Needs, Outputs, Selection
from skbadge.exceptions import (
    InvalidInputError,
    RankError,
    SkbadgeError,
    UndeclaredNeedError,
)
from skbadge.extraction._residual import closed_form
from skbadge.strategies import BADGE, QueryStrategy
from tests.selection._pools import hostile_tables

FLAGS = ("proba", "residual", "features", "inputs", "head")
OPTIONS = {
    "BADGE": [
        {"first": "max-norm"},
        {"first": "norm"},
        {"sampler": "k-dpp"},
    ],
    "ALBL": [{"update": "chosen"}, {"uniform_arm": True}, {"arms": [BADGE()]}],
}


def exported():
    for name in skbadge.strategies.__all__:
        found = getattr(skbadge.strategies, name)
        concrete = inspect.isclass(found) and issubclass(found, QueryStrategy)
        if concrete and not inspect.isabstract(found):
            yield found


EXPORTED = list(exported())
ALL = [
    pytest.param(kind(**options), id=f"{kind.__name__}-{options}")
    for kind in EXPORTED
    for options in [{}, *OPTIONS.get(kind.__name__, [])]
]
PREFIX = [p for p in ALL if p.values[0].traits.nested]


@pytest.fixture(params=ALL)
def strategy(request):
    return clone(request.param)


def make_outputs(needs, n=25, seed=0, copies=False):
    """Make outputs of a softmax net on rows at random."""
    generator = torch.Generator().manual_seed(seed)
    proba = torch.softmax(2 * torch.randn(n, 4, generator=generator), dim=1)
    if copies:
        proba[:] = proba[0]
    residual = proba - torch.nn.functional.one_hot(proba.argmax(1), 4)
    features = torch.randn(n, 6, generator=generator)
    if copies:
        features[:] = features[0]
    labeled = Outputs.of(
        proba=torch.full((5, 4), 0.25),
        features=torch.randn(5, 6, generator=generator),
        y=[0, 1, 2, 3, 0],
    )
    outputs = Outputs.of(
        proba=proba, residual=residual, features=features, labeled=labeled
    )
    return outputs.declared(needs)


def frozen(strategy):
    return pickle.dumps(vars(strategy))


def test_the_package_exports_all_of_them():
    names = {kind.__name__ for kind in EXPORTED}
    assert len(names) == 7
    assert names <= set(skbadge.__all__)


def test_selections_are_distinct_positions(strategy, global_random_seed):
    outputs = make_outputs(strategy.needs, seed=global_random_seed)
    for n in (1, 2, 9):
        selection = strategy.select(outputs, n, random_state=global_random_seed)
        assert isinstance(selection, Selection)
        assert selection.indices.shape == (n,)
        assert selection.indices.dtype == np.intp
        assert len(set(selection.indices.tolist())) == n
        assert selection.indices.min() >= 0
        assert selection.indices.max() < 25
        if selection.scores is not None:
            assert selection.scores.shape == (n,)
            assert selection.scores.dtype == np.float64
            assert np.isfinite(selection.scores).all()
        if selection.inclusion_probability is not None:
            assert selection.inclusion_probability.shape == (n,)
            assert (selection.inclusion_probability > 0).all()
            assert (selection.inclusion_probability <= 1 + 1e-12).all()


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    hostile_tables(width=3),
    hostile_tables(width=3),
    st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
    st.sampled_from([0.0, 1.0, 40.0, 1e4]),
    st.data(),
)
def test_any_outputs_give_distinct_rows(strategy, features, labeled, dtype, size, data):
    n_pool = len(features)
    generator = torch.Generator().manual_seed(n_pool)
    logits = torch.randn(n_pool, 4, generator=generator, dtype=torch.float64) * size
    outputs = Outputs.of(
        proba=logits.softmax(dim=1).to(dtype),
        residual=closed_form(logits).to(dtype),
        features=features,
        labeled=Outputs.of(features=labeled, y=torch.zeros(len(labeled))),
    ).declared(strategy.needs)
    n = data.draw(st.integers(1, n_pool))
    try:
        selection = strategy.select(outputs, n, random_state=0)
    except RankError:
        assert getattr(strategy, "sampler", None) == "k-dpp"
        return
    assert len(set(selection.indices.tolist())) == n
    if selection.scores is not None:
        assert np.isfinite(selection.scores).all()


@pytest.mark.parametrize("strategy", PREFIX)
def test_the_whole_pool_and_rows_that_are_all_alike(strategy):
    for copies in (False, True):
        outputs = make_outputs(strategy.needs, n=11, copies=copies)
        selection = strategy.select(outputs, 11, random_state=0)
        assert sorted(selection.indices.tolist()) == list(range(11))


def test_select_changes_neither_strategy_nor_outputs(strategy):
    before = frozen(strategy)
    outputs = make_outputs(strategy.needs)
    values = {k: v.clone() for k, v in outputs.values.items()}
    strategy.select(outputs, 7, random_state=0)
    assert frozen(strategy) == before
    assert all(torch.equal(values[k], v) for k, v in outputs.values.items())


def test_one_seed_one_answer(strategy):
    outputs = make_outputs(strategy.needs)
    first = strategy.select(outputs, 6, random_state=3)
    again = clone(strategy).select(outputs, 6, random_state=3)
    assert_array_equal(first.indices, again.indices)
    np.random.seed(0)
    torch.manual_seed(0)
    assert_array_equal(
        strategy.select(outputs, 6, random_state=3).indices, first.indices
    )
    states = np.random.RandomState(1), np.random.RandomState(1)
    first, again = (strategy.select(outputs, 6, random_state=s) for s in states)
    assert_array_equal(first.indices, again.indices)


def test_no_seed_reads_no_global_generator(strategy):
    before = np.random.get_state()[1].tobytes(), torch.get_rng_state()
    strategy.select(make_outputs(strategy.needs), 3)
    assert np.random.get_state()[1].tobytes() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("strategy", PREFIX)
def test_prefixes(strategy, copies):
    outputs = make_outputs(strategy.needs, copies=copies)
    many = strategy.select(outputs, 20, random_state=5)
    for n in (1, 4, 11):
        few = strategy.select(outputs, n, random_state=5)
        assert_array_equal(few.indices, many.indices[:n])
        if few.scores is not None:
            np.testing.assert_allclose(few.scores, many.scores[:n])


@pytest.mark.parametrize("strategy", PREFIX)
def test_ties_are_broken_by_the_seed(strategy):
    outputs = make_outputs(strategy.needs, n=12, copies=True)
    firsts = {int(strategy.select(outputs, 1, s).indices[0]) for s in range(40)}
    assert len(firsts) > 6


def test_clone_parameters_and_pickle(strategy):
    twin = clone(strategy)
    assert repr(twin) == repr(strategy)
    assert type(strategy)().get_params().keys() >= strategy.get_params(False).keys()
    again = pickle.loads(pickle.dumps(strategy))
    outputs = make_outputs(strategy.needs)
    assert_array_equal(
        again.select(outputs, 4, random_state=0).indices,
        strategy.select(outputs, 4, random_state=0).indices,
    )


def test_what_is_declared_suffices_and_is_needed(strategy):
    needs = strategy.needs
    assert isinstance(needs, Needs)
    strategy.select(make_outputs(needs), 3, random_state=0)
    for flag in FLAGS:
        if not getattr(needs, flag):
            continue
        fewer = replace(needs, **{flag: False})
        with pytest.raises(InvalidInputError, match="outputs must hold what"):
            strategy.select(make_outputs(fewer), 3)


@pytest.mark.parametrize("flag", FLAGS)
def test_reading_what_was_not_declared_names_the_flag(flag):
    class Reader(QueryStrategy):
        def _select(self, outputs, n, generator):
            getattr(outputs, flag)
            return Selection(np.arange(n))

    message = f"did not declare. Set needs = Needs\\({flag}=True\\) on its class"
    for found in (Needs(), Needs(**dict.fromkeys(FLAGS, True))):
        with pytest.raises(UndeclaredNeedError, match=message):
            Reader().select(make_outputs(found), 2)


@pytest.mark.parametrize("n", [0, -1, 26, 1.0, "3", None, True])
def test_wrong_n(strategy, n):
    with pytest.raises(InvalidInputError, match="^n must be"):
        strategy.select(make_outputs(strategy.needs), n)


def test_wrong_outputs(strategy):
    with pytest.raises(InvalidInputError, match="outputs must be Outputs. Got nd"):
        strategy.select(np.zeros((3, 2)), 1)
    with pytest.raises(InvalidInputError, match="no candidates"):
        strategy.select(make_outputs(strategy.needs, n=0), 1)


@pytest.mark.parametrize(
    "answer", [[0, 0], [0], [0, 1, 2], [-1, 0], [0, 25], [0.0, 1.0], [[0, 1]]]
)
def test_a_strategy_that_chooses_wrongly_is_caught(answer):
    class Wrong(QueryStrategy):
        def _select(self, outputs, n, generator):
            return Selection(np.array(answer))

    with pytest.raises(SkbadgeError, match="Wrong._select must choose 2 distinct pos"):
        Wrong().select(make_outputs(Needs()), 2)


def test_only_strategies_that_learn_observe():
    learning = {kind.__name__ for kind in EXPORTED if hasattr(kind, "observe")}
    assert learning == {"ALBL"}

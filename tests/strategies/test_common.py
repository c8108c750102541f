"""What holds for every strategy; each exported class is found by itself."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import skbadge
from skbadge._contracts import Needs, Outputs, Selection
from skbadge.exceptions import (
    InvalidInputError,
    RankError,
    SkbadgeError,
    UndeclaredNeedError,
)
from skbadge.extraction._residual import closed_form
from skbadge.strategies import QueryStrategy
from skbadge.strategies.checks import make_outputs, parametrize_strategies
from tests._strategies import all_strategies, exported_strategies
from tests.selection._pools import hostile_tables

FLAGS = ("proba", "residual", "features", "inputs", "head")
ALL = all_strategies()


@parametrize_strategies(ALL)
def test_common_checks(strategy, check):
    check(strategy)


def test_the_package_exports_all_of_them():
    names = {kind.__name__ for kind in exported_strategies()}
    assert names <= set(skbadge.__all__)
    assert {type(strategy).__name__ for strategy in ALL} == names


def test_only_strategies_that_learn_observe():
    learning = {s.__name__ for s in exported_strategies() if hasattr(s, "observe")}
    assert learning == {"ALBL"}


@pytest.fixture(params=ALL, ids=lambda strategy: " ".join(repr(strategy).split()))
def strategy(request):
    return clone(request.param)


@settings(
    max_examples=12,
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
@pytest.mark.filterwarnings("ignore:.*of all rows are 0")
def test_any_outputs_give_distinct_rows(strategy, features, labeled, dtype, size, data):
    n_pool = len(features)
    generator = torch.Generator().manual_seed(n_pool)

    def proba(*shape):
        logits = torch.randn(*shape, generator=generator, dtype=torch.float64) * size
        return logits.softmax(dim=-1).to(dtype), logits

    rows, logits = proba(n_pool, 4)
    outputs = Outputs.of(
        proba=rows,
        residual=closed_form(logits).to(dtype),
        features=features,
        inputs=features,
        head=(torch.randn(4, 3, generator=generator).to(dtype), None),
        samples=proba(n_pool, max(strategy.needs.samples, 1), 4)[0],
        labeled=Outputs.of(
            proba=proba(len(labeled), 4)[0],
            features=labeled,
            inputs=labeled,
            y=torch.arange(len(labeled)) % 4,
        ),
    )
    n = data.draw(st.integers(1, n_pool))
    try:
        selection = strategy.select(outputs, n, random_state=0)
    except (InvalidInputError, RankError) as error:
        # Sets of a size that is not there; a head that is not that of these rows.
        is_laplace = getattr(strategy, "source", None) == "laplace"
        assert not strategy.traits.nested or is_laplace, error
        return
    assert len(set(selection.indices.tolist())) == n
    if selection.scores is not None:
        assert not np.isnan(selection.scores).any()


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


def test_wrong_outputs():
    with pytest.raises(InvalidInputError, match="outputs must be Outputs. Got nd"):
        skbadge.RandomSampling().select(np.zeros((3, 2)), 1)
    with pytest.raises(InvalidInputError, match="no candidates"):
        skbadge.RandomSampling().select(make_outputs(Needs(), 0), 1)


@pytest.mark.parametrize("n", [0, -1, 26, 1.0, "3", None, True])
def test_wrong_n(n):
    with pytest.raises(InvalidInputError, match="^n must be"):
        skbadge.RandomSampling().select(make_outputs(Needs()), n)


def test_labels_that_must_be_there():
    outputs = Outputs.of(features=[[0.0], [1.0]])
    none = Outputs.of(features=torch.zeros(0, 1), y=[])
    outputs = Outputs.of(features=outputs.features, labeled=none)
    message = "CoreSet needs labelled rows, and there is none. Label some rows first"
    with pytest.raises(InvalidInputError, match=message):
        skbadge.CoreSet().select(outputs, 1)


@pytest.mark.parametrize(
    "answer", [[0, 0], [0], [0, 1, 2], [-1, 0], [0, 25], [0.0, 1.0], [[0, 1]]]
)
def test_a_strategy_that_chooses_wrongly_is_caught(answer):
    class Wrong(QueryStrategy):
        def _select(self, outputs, n, generator):
            return Selection(np.array(answer))

    with pytest.raises(SkbadgeError, match="Wrong._select must choose 2 distinct pos"):
        Wrong().select(make_outputs(Needs()), 2)


@pytest.mark.filterwarnings("ignore:.*of all rows are 0")
def test_one_class_only(strategy):
    if isinstance(getattr(strategy, "quota", None), dict):
        strategy.set_params(quota={0: 0.5})
    features = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    ones = torch.ones(12, 1)
    labeled = Outputs.of(
        proba=ones[:4], features=features[:4], inputs=features[:4], y=[0] * 4
    )
    outputs = Outputs.of(
        proba=ones,
        residual=torch.zeros(12, 1),
        features=features,
        inputs=features,
        head=(torch.zeros(1, 3), None),
        samples=torch.ones(12, max(strategy.needs.samples, 1), 1),
        labeled=labeled,
    ).declared(strategy.needs)
    assert_distinct_or_refused(strategy, outputs)


@pytest.mark.filterwarnings("ignore:.*of all rows are 0")
def test_features_of_length_zero(strategy):
    outputs = make_outputs(strategy.needs, 12)
    for known in (outputs, outputs.labeled_rows):
        for name in ("features", "inputs"):
            if known is not None and name in known.values:
                known.values[name].zero_()
    assert_distinct_or_refused(strategy, outputs)


def assert_distinct_or_refused(strategy, outputs):
    try:
        selection = strategy.select(outputs, 5, random_state=0)
    except (InvalidInputError, RankError):
        needs_more = getattr(strategy, "sampler", getattr(strategy, "source", None))
        assert needs_more in ("k-dpp", "laplace") or (
            getattr(strategy, "clusters", None) is not None
        )
        return
    assert len(set(selection.indices.tolist())) == 5


NOT_A_THING = object()


# The names hold no address: workers of pytest-xdist must collect the same tests.
@pytest.mark.parametrize(
    "value",
    [NOT_A_THING, b"x", float("nan"), [NOT_A_THING], {"a": "b"}],
    ids=["object", "bytes", "nan", "list", "dict"],
)
def test_no_parameter_takes_nonsense(strategy, value):
    """Each says what it expects, in an error of the library."""
    for name in strategy.get_params(deep=False):
        wrong = clone(strategy).set_params(**{name: value})
        with pytest.raises(InvalidInputError):
            wrong.check_parameters()

"""The table of methods, and references to what is a user's own."""

import pytest

from skbadge import BADGE, MarginSampling
from skbadge.benchmarks import STRATEGIES, make_cells, make_strategy
from skbadge.benchmarks._methods import METHODS, SEVEN, reference_to, strategy_order
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import QueryStrategy


def test_every_method_makes_a_strategy_and_has_a_style():
    for name, method in METHODS.items():
        assert isinstance(make_strategy(name, n_rounds=3), QueryStrategy)
        assert method.name == name and method.style.label
    assert SEVEN == STRATEGIES[:7] and SEVEN[-1] == "rand"
    looks = {
        (m.style.color, m.style.marker, m.style.linestyle) for m in METHODS.values()
    }
    assert len(looks) == len(METHODS)


def test_settings_of_the_published_code_reach_the_strategies():
    options = {"n_rounds": 7, "first": "max-norm", "albl_update": "chosen"}
    assert make_strategy("badge", **options).first == "max-norm"
    albl = make_strategy("albl", **options)
    assert (albl.update, albl.n_rounds) == ("chosen", 7)


def test_strategies_of_ones_own_by_class_object_or_name():
    cells = make_cells(
        ["digits"],
        batch_sizes=[5],
        repeats=1,
        strategies=[
            "rand",
            MarginSampling,
            BADGE(first="norm"),
            "mine:Own(a=[1, 'b'])",
        ],
    )
    names = [cell.strategy for cell in cells]
    assert names[0] == "rand"
    assert names[1].endswith(":MarginSampling")
    assert names[2].endswith(":BADGE(first='norm')")
    assert isinstance(make_strategy(names[1], n_rounds=1), MarginSampling)
    assert make_strategy(names[2], n_rounds=1).first == "norm"
    assert strategy_order(reversed(names))[0] == "rand"


def test_a_class_that_no_process_could_import():
    class Local(MarginSampling):
        pass

    with pytest.raises(InvalidInputError, match="at the top of a module that worker"):
        reference_to(Local)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("best", "strategy must be one of 'badge'"),
        ("nowhere:X", "No module named 'nowhere'"),
        ("skbadge:Nothing", "has no attribute 'Nothing'"),
        ("skbadge:BADGE(1)", "arguments are given by name"),
        ("skbadge:BADGE(first=print())", "malformed node"),
        ("skbadge:BADGE(first=", "strategy must be one of 'badge'"),
        ("skbadge:BADGE(first=))", "unmatched"),
        (
            "builtins:dict",
            "must lead to a QueryStrategy. Got 'builtins:dict', which is",
        ),
    ],
)
def test_references_that_lead_nowhere(name, message):
    with pytest.raises(InvalidInputError, match=message):
        make_strategy(name, n_rounds=1)

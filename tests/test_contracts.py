"""The records that the parts exchange."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from skbadge._contracts import Feedback, Needs, Outputs, Selection, Traits
from skbadge.exceptions import (
    InvalidInputError,
    SkbadgeError,
    UndeclaredNeedError,
)

FLAGS = ("proba", "residual", "features", "inputs", "head")


def test_union_of_needs():
    for bits in product([False, True], repeat=2 * len(FLAGS)):
        first = dict(zip(FLAGS, bits[: len(FLAGS)], strict=True))
        second = dict(zip(FLAGS, bits[len(FLAGS) :], strict=True))
        union = Needs(**first) | Needs(**second)
        assert union == Needs(**{f: first[f] or second[f] for f in FLAGS})
        assert bool(union) is any(bits)


def test_union_with_something_else():
    with pytest.raises(TypeError):
        Needs() | {"proba"}


@pytest.mark.parametrize(
    "record",
    [
        Needs(),
        Outputs(1),
        Selection(np.zeros(1)),
        Feedback(Selection(np.zeros(1)), *[np.zeros(1)] * 3, 1, 1),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_are_frozen(record):
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, 3)


def test_numbers_and_inner_needs_take_the_larger():
    first = Needs(samples=5, labeled=Needs(proba=True))
    second = Needs(samples=10, labeled=Needs(features=True, samples=3))
    inner = Needs(proba=True, features=True, samples=3)
    assert first | second == second | first == Needs(samples=10, labeled=inner)
    assert first | Needs() == Needs() | first == first


def test_labels_alone_are_a_need():
    assert Needs(labeled=Needs())
    assert Needs(labeled=Needs()) != Needs()
    assert repr(Needs(labeled=Needs())) == "Needs(labeled=Needs())"


@pytest.mark.parametrize("field", ["residual", "head", "samples"])
def test_only_inputs_and_labels_need_no_training(field):
    assert not Needs(inputs=True).trained
    assert not Needs(inputs=True, labeled=Needs(inputs=True)).trained
    assert Needs(inputs=True, **{field: 2}).trained
    assert Needs(inputs=True, labeled=Needs(**{field: 2})).trained


def test_traits_of_two_are_the_weaker_of_each():
    weak = Traits(nested=False, breaks_ties=False, needs_labels=True)
    assert Traits() & weak == weak & Traits() == weak
    assert Traits() & Traits() == Traits()


def test_every_need_has_its_output():
    for flag in FLAGS:
        tensor = torch.ones(2, 3)
        outputs = Outputs(2, Needs(**{flag: True}), {flag: tensor})
        assert getattr(outputs, flag) is tensor
        for other in set(FLAGS) - {flag}:
            with pytest.raises(UndeclaredNeedError) as caught:
                getattr(outputs, other)
            assert str(caught.value) == (
                f"The strategy reads outputs.{other}, which it did not declare. Set "
                f"needs = Needs({other}=True) on its class, beside what is there."
            )
            assert isinstance(caught.value, (SkbadgeError, AttributeError))


def test_samples_and_labels_are_read_by_declaration():
    labeled = Outputs.of(proba=[[0.5, 0.5]], features=[[1.0]], y=[1])
    samples = torch.rand(3, 6, 2)
    outputs = Outputs.of(samples=samples, labeled=labeled)
    assert outputs.needs.samples == 6
    seen = outputs.declared(Needs(samples=4, labeled=Needs(proba=True)))
    assert torch.equal(seen.samples, samples[:, :4])
    assert seen.labeled.y.tolist() == [1]
    with pytest.raises(UndeclaredNeedError, match="outputs.features"):
        _ = seen.labeled.features
    with pytest.raises(UndeclaredNeedError, match=r"Needs\(samples=10\)"):
        _ = outputs.declared(Needs(proba=True)).samples
    with pytest.raises(UndeclaredNeedError, match="outputs.labeled"):
        _ = outputs.declared(Needs(samples=4)).labeled
    with pytest.raises(UndeclaredNeedError, match="only labelled rows have"):
        _ = seen.y


def test_outputs_by_hand():
    outputs = Outputs.of(head=([[1.0, 2.0]], None), n_pool=3, positions=[4, 5, 6])
    assert outputs.needs == Needs(head=True)
    assert outputs.head.weight.shape == (1, 2) and outputs.head.bias is None
    assert outputs.positions.tolist() == [4, 5, 6]
    with pytest.raises(InvalidInputError, match="as many rows in each field"):
        Outputs.of(proba=[[1.0]], features=[[1.0], [2.0]])
    with pytest.raises(InvalidInputError, match="Got nothing"):
        Outputs.of()
    with pytest.raises(InvalidInputError, match="fields of Outputs are"):
        Outputs.of(probabilities=[[1.0]])


ROWS = {"proba": np.full((3, 2), 0.5), "features": np.ones((3, 4))}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": [[1.0], ["a"], [2.0]]}, "features must be numbers, in rows of"),
        ({"features": [[1.0], [1.0, 2.0], [2.0]]}, "features must be numbers, in"),
        ({"y": ["cat", "dog", "cat"]}, "y must be numbers"),
        (
            {"proba": [[0.5, 0.5], [np.nan, 1.0], [np.inf, 0.0]]},
            "proba must be finite. Got NaN or infinity in 2 of 3 rows instead, the "
            "first at position 1.",
        ),
        (
            {"labeled": Outputs.of(features=np.ones((2, 3)))},
            "labeled.features must be as wide as the rows that it goes with, 4. Got 3 "
            "columns instead.",
        ),
        ({"head": (np.ones((2, 3)), None)}, "head must be as wide as the rows .* 4"),
        ({"head": (np.full((2, 4), np.inf), None)}, "weight must be finite"),
        ({"classes": ["a"]}, "one of classes for each column of proba. Got 1 for a"),
        ({"probs": 1}, "The fields of Outputs are"),
        ({"n_pool": 5}, "as many rows in each field"),
    ],
)
def test_wrong_outputs_by_hand(fields, message):
    with pytest.raises(InvalidInputError, match=message):
        Outputs.of(**{**ROWS, **fields})


@pytest.mark.parametrize("as_array", [np.asarray, torch.as_tensor])
def test_one_value_a_row(as_array):
    outputs = Outputs.of(proba=[[0.25, 0.75], [0.5, 0.5]])
    found = outputs.by_rows(lambda seen: as_array(seen.proba.amax(dim=1)))
    assert isinstance(found, np.ndarray) and found.dtype == np.float64
    assert found.tolist() == [0.75, 0.5]


def test_of_some_rows_only_declared_tables_are_copied():
    outputs = Outputs.of(proba=[[0.25, 0.75], [0.5, 0.5]], features=[[1.0], [2.0]])
    part = outputs.declared(Needs(proba=True)).take(np.array([1]))
    assert part.proba.tolist() == [[0.5, 0.5]]
    assert set(part.values) == {"proba"}
    assert set(outputs.take(np.array([1])).values) == {"proba", "features"}

"""The records that the parts exchange."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from skbadge._contracts import Feedback, Needs, PoolOutputs, Selection
from skbadge.exceptions import SkbadgeError, UndeclaredNeedError

FLAGS = [flag.name for flag in dataclasses.fields(Needs)]


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
        PoolOutputs(1),
        Selection(np.zeros(1)),
        Feedback(Selection(np.zeros(1)), *[np.zeros(1)] * 3, 1, 1),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_are_frozen(record):
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, 3)


def test_every_need_has_its_output():
    for flag in FLAGS:
        tensor = torch.ones(2, 3)
        outputs = PoolOutputs(2, Needs(**{flag: True}), {flag: tensor})
        assert getattr(outputs, flag) is tensor
        for other in set(FLAGS) - {flag}:
            with pytest.raises(UndeclaredNeedError) as caught:
                getattr(outputs, other)
            assert str(caught.value) == (
                f"The strategy reads outputs.{other}, which it did not declare. Set "
                f"needs = Needs({other}=True) on its class, beside the flags that are "
                "there."
            )
            assert isinstance(caught.value, (SkbadgeError, AttributeError))

"""The suite for strategies rejects each kind of wrong one, and lets good ones pass."""

import numpy as np
import pytest
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.exceptions import InvalidInputError, StrategyCheckError
from skbadge.strategies import (
    ALBL,
    BALD,
    CoreSet,
    MarginSampling,
    QueryStrategy,
    RandomSampling,
    ScoreSampling,
    StochasticTopK,
    checks,
)
from skbadge.strategies.checks import (
    check_strategy,
    make_outputs,
    parametrize_strategies,
)

EVERYTHING = Needs(
    proba=True,
    residual=True,
    features=True,
    inputs=True,
    head=True,
    samples=3,
    labeled=Needs(proba=True, features=True),
)


class Mutant(QueryStrategy):
    """Right by itself: rows at random, and prefixes."""

    def _select(self, outputs, n, generator):
        return Selection(generator.permutation(outputs.n_pool)[:n].astype(np.intp))


class ListOfIndices(Mutant):
    def _select(self, outputs, n, generator):
        return Selection(super()._select(outputs, n, generator).indices.tolist())


class PositionsInThePool(Mutant):
    def _check(self, selection, n, n_pool):
        pass

    def _select(self, outputs, n, generator):
        chosen = super()._select(outputs, n, generator).indices
        return Selection(outputs.positions[chosen])


class Repeats(PositionsInThePool):
    def _select(self, outputs, n, generator):
        return Selection(np.zeros(n, dtype=np.intp))


class NoSelection(PositionsInThePool):
    def _select(self, outputs, n, generator):
        return Mutant._select(self, outputs, n, generator).indices


class ScoresOfAll(Mutant):
    def _select(self, outputs, n, generator):
        chosen = super()._select(outputs, n, generator)
        return Selection(chosen.indices, scores=np.zeros(outputs.n_pool))


class ScoresAreNaN(Mutant):
    def _select(self, outputs, n, generator):
        chosen = super()._select(outputs, n, generator)
        return Selection(chosen.indices, scores=np.full(n, np.nan))


class ProbabilityOfZero(Mutant):
    def _select(self, outputs, n, generator):
        chosen = super()._select(outputs, n, generator)
        return Selection(chosen.indices, draw_probability=np.zeros(n))


class NotTheWholePool(Mutant):
    def _select(self, outputs, n, generator):
        if n == outputs.n_pool:
            raise InvalidInputError("too many")
        return super()._select(outputs, n, generator)


class NaNAsIndex(Mutant):
    needs = Needs(features=True)

    def _select(self, outputs, n, generator):
        size = float(outputs.features.abs().max())
        if size > 1e3:
            raise OverflowError("too large")
        return super()._select(outputs, n, generator)


class OwnSeed(Mutant):
    def _select(self, outputs, n, generator):
        return super()._select(outputs, n, np.random.default_rng())


class GlobalSeed(Mutant):
    def _select(self, outputs, n, generator):
        return Selection(np.random.permutation(outputs.n_pool)[:n].astype(np.intp))


class GlobalTorchSeed(Mutant):
    def _select(self, outputs, n, generator):
        return Selection(torch.randperm(outputs.n_pool)[:n].numpy())


class GlobalSeedMoved(Mutant):
    def _select(self, outputs, n, generator):
        np.random.random()
        return super()._select(outputs, n, generator)


class Counts(Mutant):
    def _select(self, outputs, n, generator):
        self.count_ = getattr(self, "count_", 0) + 1
        return super()._select(outputs, n, generator)


class Writes(Mutant):
    needs = Needs(features=True)

    def _select(self, outputs, n, generator):
        outputs.features[0] = 0.0
        return super()._select(outputs, n, generator)


class WritesToLabeled(Mutant):
    needs = Needs(labeled=Needs(features=True))

    def _select(self, outputs, n, generator):
        outputs.labeled.features.mul_(2.0)
        return super()._select(outputs, n, generator)


class NoPrefix(Mutant):
    def _select(self, outputs, n, generator):
        chosen = super()._select(outputs, n, generator)
        return Selection(np.sort(chosen.indices))


class OtherScoresInAPrefix(Mutant):
    def _select(self, outputs, n, generator):
        chosen = super()._select(outputs, n, generator)
        return Selection(chosen.indices, scores=np.arange(n)[::-1].astype(float))


class FirstRows(Mutant):
    def _select(self, outputs, n, generator):
        return Selection(np.arange(n))


class Works(Mutant):
    def __init__(self, *, share=0.1):
        self.share = share
        self.rest = 1 - share


class Unpicklable(Mutant):
    def __init__(self, *, function=lambda row: row):
        self.function = function


class SaysNothing(Mutant):
    needs = Needs()

    def _select(self, outputs, n, generator):
        outputs.proba.sum()
        return super()._select(outputs, n, generator)


class NeedsAreATuple(Mutant):
    needs = ("proba",)


class AnythingGoes(Mutant):
    needs = Needs(proba=True)

    def select(self, outputs, n, random_state=None):
        generator = np.random.default_rng(random_state)
        return self._select(outputs, n, generator)


class ClampsN(Mutant):
    def select(self, outputs, n, random_state=None):
        if isinstance(outputs, Outputs) and isinstance(n, int) and outputs.n_pool:
            n = min(max(int(n), 1), outputs.n_pool)
        return super().select(outputs, n, random_state)


class NeedsLabelsInSilence(Mutant):
    needs = Needs(labeled=Needs(features=True))

    def _select(self, outputs, n, generator):
        outputs.labeled.features.max(dim=0)
        return super()._select(outputs, n, generator)


class FarFromTheMean(ScoreSampling):
    """Right on one machine: a score that rests on all rows."""

    needs = Needs(proba=True)

    def _score(self, outputs):
        first = outputs.proba[:, 0]
        return (first - first.mean()).abs()


class FarFromTheMeanOfAPart(FarFromTheMean):
    traits = Traits(on_cluster=True)


class NearTheMeanOfMargins(MarginSampling):
    """Inherits from a class that declares, and scores in another way."""

    def _score(self, outputs):
        score = super()._score(outputs)
        return -(score - score.mean()).abs()


class FewSamples(BALD):
    """Inherits what a property declares, and its scores."""


class PlaceInAPart(FarFromTheMeanOfAPart):
    traits = Traits(on_cluster=True)

    def _score(self, outputs):
        return -np.arange(outputs.n_pool)


class RefusesOneRow(FarFromTheMeanOfAPart):
    traits = Traits(on_cluster=True)

    def _score(self, outputs):
        return outputs.proba[:, 0] / float(outputs.n_pool > 1)


class ForgetsItsParameters(Mutant):
    def __init__(self, *, share=0.1):
        self.share = share

    def observe(self, feedback):
        self.share /= 2


class ReadsTooMuchFeedback(Mutant):
    def observe(self, feedback):
        np.zeros(3)[feedback.n_labeled]


# The check that must object, the mutant, and a word of what it must say.
MUTANTS = [
    ("check_selections", ListOfIndices(), "dtype intp"),
    ("check_selections", PositionsInThePool(), "among the 25 candidates"),
    ("check_selections", Repeats(), "distinct positions"),
    ("check_selections", NoSelection(), "return a Selection"),
    ("check_selections", ScoresOfAll(), "one a chosen row"),
    ("check_selections", ScoresAreNaN(), "none of them NaN"),
    ("check_selections", ProbabilityOfZero(), r"draw_probability in \(0, 1\]"),
    ("check_whole_pool", NotTheWholePool(), "all rows"),
    ("check_extreme_numbers", NaNAsIndex(), "numbers of size 10000"),
    ("check_one_seed_one_answer", OwnSeed(), "alike for the same seed"),
    ("check_no_global_generator", GlobalSeed(), "generator it is given"),
    ("check_no_global_generator", GlobalTorchSeed(), "generator it is given"),
    ("check_no_global_generator", GlobalSeedMoved(), "generator it is given"),
    ("check_nothing_changes", Counts(), "change in select"),
    ("check_nothing_changes", Writes(), "must not write"),
    ("check_nothing_changes", WritesToLabeled(), "must not write"),
    ("check_prefixes", NoPrefix(), r"Traits\(nested=False\)"),
    ("check_prefixes", OtherScoresInAPrefix(), r"Traits\(nested=False\)"),
    ("check_ties", FirstRows(), r"Traits\(breaks_ties=False\)"),
    ("check_copies", Works(), "in __init__"),
    ("check_copies", Unpicklable(), "pickled"),
    ("check_needs", SaysNothing(), "declare all that it reads"),
    ("check_needs", AnythingGoes(), "without proba"),
    ("check_wrong_input", ClampsN(), "must refuse n=0"),
    ("check_no_labels", NeedsLabelsInSilence(), "needs_labels=True"),
    ("check_rows_in_parts", FarFromTheMeanOfAPart(), r"Traits\(on_cluster=False\)"),
    ("check_rows_in_parts", PlaceInAPart(), "on its own row alone"),
    ("check_rows_in_parts", RefusesOneRow(), "where other rows come with it"),
    (
        "check_rows_in_parts",
        StochasticTopK(FarFromTheMeanOfAPart()),
        r"Traits\(on_cluster=False\)",
    ),
    ("check_feedback", ForgetsItsParameters(), "parameters in observe"),
    ("check_feedback", ReadsTooMuchFeedback(), "Feedback in observe"),
]


@pytest.mark.parametrize(("name", "mutant", "words"), MUTANTS)
def test_a_wrong_strategy_is_rejected(name, mutant, words):
    check = getattr(checks, name)
    with pytest.raises(StrategyCheckError, match=words) as caught:
        check(mutant)
    assert str(caught.value).startswith(repr(mutant))
    with pytest.raises((StrategyCheckError, InvalidInputError)):
        check_strategy(mutant)


def test_needs_of_another_kind_are_rejected():
    with pytest.raises((StrategyCheckError, AttributeError)):
        check_strategy(NeedsAreATuple())


def test_each_check_has_a_mutant():
    names = {name for name in vars(checks) if name.startswith("check_")}
    assert names - {"check_strategy", "check_n"} == {name for name, _, _ in MUTANTS}


class Reader(Mutant):
    """Reads all there is, of the pool and of the labelled rows."""

    needs = EVERYTHING

    def _select(self, outputs, n, generator):
        n_pool = outputs.n_pool
        assert outputs.samples.shape == (n_pool, 3, 4)
        assert outputs.head.weight.shape == (4, outputs.features.shape[1])
        assert outputs.inputs.shape[0] == outputs.residual.shape[0] == n_pool
        assert outputs.labeled.y.shape == outputs.labeled.proba.shape[:1]
        return super()._select(outputs, n, generator)


class FewPromises(NoPrefix):
    traits = Traits(nested=False, breaks_ties=False)


@pytest.mark.parametrize(
    "strategy",
    [
        Mutant(),
        Reader(),
        FewPromises(),
        FarFromTheMean(),
        MarginSampling(),
        CoreSet(),
        ALBL(),
    ],
)
def test_right_strategies_pass(strategy):
    check_strategy(strategy)


@parametrize_strategies([Reader(), RandomSampling()])
def test_parametrized(strategy, check):
    check(strategy)


def test_cases_are_clones_with_ids():
    strategy = RandomSampling()
    cases = parametrize_strategies([strategy]).args[1]
    assert "RandomSampling()-check_ties" in [case.id for case in cases]
    assert all(case.values[0] is not strategy for case in cases)


def test_checks_depend_on_what_is_declared():
    def names(strategy):
        return {
            case.values[1].__name__
            for case in parametrize_strategies([strategy]).args[1]
        }

    assert "check_feedback" in names(ALBL()) - names(RandomSampling())
    assert names(Mutant()) - names(FewPromises()) == {"check_prefixes", "check_ties"}
    # What a class declares is about its own score.
    assert not NearTheMeanOfMargins().traits.on_cluster
    assert NearTheMeanOfMargins().traits.nested and FewSamples().traits.on_cluster
    # A base that others inherit from declares nothing for them.
    only = names(MarginSampling()) - names(FarFromTheMean())
    assert only == {"check_rows_in_parts"}
    assert "check_no_labels" in names(CoreSet()) - names(RandomSampling())


@pytest.mark.parametrize("wrong", [MarginSampling, "badge", None])
def test_only_strategies_are_checked(wrong):
    with pytest.raises(InvalidInputError, match="a subclass of QueryStrategy"):
        check_strategy(wrong)


def test_outputs_are_those_of_a_net():
    outputs = make_outputs(EVERYTHING, 30, n_classes=3, random_state=7)
    logits = outputs.features @ outputs.head.weight.T + outputs.head.bias
    torch.testing.assert_close(outputs.proba, logits.softmax(dim=1))
    torch.testing.assert_close(outputs.samples.sum(dim=2), torch.ones(30, 3))
    assert outputs.needs == EVERYTHING
    assert not torch.equal(
        outputs.proba, make_outputs(EVERYTHING, 30, n_classes=3).proba
    )
    copies = make_outputs(EVERYTHING, copies=True)
    for name in ("proba", "residual", "features", "inputs", "samples"):
        table = getattr(copies, name)
        assert torch.equal(table, table[:1].expand_as(table))

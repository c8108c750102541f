"""The suite that any query strategy must pass: the library's, or one of your own.

A check reads what the strategy declares, its `needs` and `traits`, and nothing else. It
hands the strategy small made-up :class:`~skbadge.strategies.Outputs`, so no net and no
training is involved, and raises :class:`~skbadge.exceptions.StrategyCheckError` where
the answer is not what the contract says.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import clone

from skbadge._contracts import Feedback, Needs, Selection
from skbadge.exceptions import (
    InvalidInputError,
    SkbadgeError,
    StrategyCheckError,
    UndeclaredNeedError,
)
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._made_up import in_parts, make_outputs, scaled, tables
from skbadge.utils._torch import noted_generators

__all__ = ["check_strategy", "make_outputs", "parametrize_strategies"]


def check_strategy(strategy: Any) -> None:
    """Check that a query strategy keeps the contract.

    Parameters
    ----------
    strategy : QueryStrategy
        The object to check; it stays as it is.

    Raises
    ------
    StrategyCheckError
        At the first thing that is not as it must be, saying which.

    See Also
    --------
    parametrize_strategies : The same as single tests of pytest.

    Notes
    -----
    Checked are: distinct positions, scores and probabilities of the right shape and
    range; the whole pool; extreme numbers and rows all alike; the same answer for the
    same seed, whatever the global generators do, and nothing drawn from those; nothing
    changed in the strategy or in what it reads; ``clone``, parameters, copies and
    pickles; that what is declared suffices; wrong input; and, where `traits` promise
    them, prefixes, ties that the seed breaks, and the same scores where rows come in
    parts; where there is ``observe``, that feedback is taken. Takes well below a second
    for most strategies.

    Examples
    --------
    >>> from skbadge.strategies import MarginSampling, QueryStrategy, Selection
    >>> from skbadge.strategies.checks import check_strategy
    >>> check_strategy(MarginSampling())
    >>> class FirstRows(QueryStrategy):
    ...     def _select(self, outputs, n, generator):
    ...         return Selection(list(range(n)))
    >>> check_strategy(FirstRows())
    Traceback (most recent call last):
        ...
    skbadge.exceptions.StrategyCheckError: FirstRows() must return ...
    """
    for check in _checks_for(strategy):
        check(strategy)


def parametrize_strategies(strategies: Iterable[QueryStrategy]) -> Any:
    """Make one pytest test of each check of each strategy.

    Parameters
    ----------
    strategies : list of QueryStrategy
        Objects to check.

    Returns
    -------
    pytest.MarkDecorator
        For a test function with the arguments ``strategy`` and ``check``; needs pytest.

    Examples
    --------
    In a test module of your own::

        from skbadge.strategies.checks import parametrize_strategies

        @parametrize_strategies([MyStrategy(), MyStrategy(share=0.3)])
        def test_strategy(strategy, check):
            check(strategy)
    """
    import pytest

    cases = [
        pytest.param(clone(strategy), check, id=f"{_name(strategy)}-{check.__name__}")
        for strategy in strategies
        for check in _checks_for(strategy)
    ]
    return pytest.mark.parametrize(("strategy", "check"), cases)


# --------------------------------------------------------------------------- the checks


def check_selections(strategy: Any) -> None:
    """Expect distinct positions among the candidates, and scores fit to be used."""
    for seed in (0, 1):
        outputs = make_outputs(strategy.needs, random_state=seed)
        for n in (1, 2, 9):
            selection = strategy.select(outputs, n, random_state=seed)
            _check_selection(strategy, selection, n, outputs.n_pool)


def check_whole_pool(strategy: Any) -> None:
    """Let a batch be as large as the pool, and rows be alike."""
    for copies in (False, True):
        outputs = make_outputs(strategy.needs, 11, copies=copies)
        what = "must choose all rows where all are asked for"
        refused = _check_answer(strategy, outputs, 11, what)
        # What draws a set for its size may find that there is none of that size.
        _require(not refused or not strategy.traits.nested, strategy, what)


def check_extreme_numbers(strategy: Any) -> None:
    """Take numbers large, small and few bits long, or expect an error that says why."""
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for size in (0.0, 1e-30, 1.0, 1e4):
            outputs = scaled(make_outputs(strategy.needs, 12), size, dtype)
            what = f"must choose from numbers of size {size:g} in {dtype}"
            with warnings.catch_warnings():
                # Where numbers tell nothing apart, a strategy may say so.
                warnings.simplefilter("ignore", UserWarning)
                _check_answer(strategy, outputs, 5, what)


def check_one_seed_one_answer(strategy: Any) -> None:
    """Let the seed decide, not the object and not the global generators."""
    outputs = make_outputs(strategy.needs)
    first = strategy.select(outputs, 6, random_state=3).indices
    put_back = noted_generators()
    try:
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        again = clone(strategy).select(outputs, 6, random_state=3).indices
    finally:
        put_back()
    _require(
        np.array_equal(first, again), strategy, "must answer alike for the same seed"
    )


def check_no_global_generator(strategy: Any) -> None:
    """Expect that no global generator is read or moved."""
    outputs = make_outputs(strategy.needs)
    before = _global_states()
    strategy.select(outputs, 3)
    _require(
        _global_states() == before,
        strategy,
        "must draw from the generator it is given, not from NumPy's or torch's global "
        "one",
    )


def check_nothing_changes(strategy: Any) -> None:
    """Expect that `select` changes neither the strategy nor what it reads."""
    outputs = make_outputs(strategy.needs)
    # Parameters may hold strategies, which are compared with all that is in them.
    before, read_before = (
        joblib.hash(vars(strategy)),
        [table.clone() for table in tables(outputs)],
    )
    strategy.select(outputs, 7, random_state=0)
    _require(
        joblib.hash(vars(strategy)) == before,
        strategy,
        "must not change in select; what it learns belongs in observe",
    )
    _require(
        all(
            torch.equal(old, new)
            for old, new in zip(
                read_before, [table.clone() for table in tables(outputs)], strict=True
            )
        ),
        strategy,
        "must not write to the outputs it reads",
    )


def check_prefixes(strategy: Any) -> None:
    """Expect that, for one seed, the first of a larger batch are the smaller one."""
    for copies in (False, True):
        outputs = make_outputs(strategy.needs, copies=copies)
        many = strategy.select(outputs, 20, random_state=5)
        for n in (1, 4, 11):
            few = strategy.select(outputs, n, random_state=5)
            same = np.array_equal(few.indices, many.indices[:n])
            if few.scores is not None:
                same = same and np.allclose(few.scores, many.scores[:n])
            _require(
                same,
                strategy,
                "promises prefixes (traits.nested), but the batch of "
                f"{n} is not the beginning of the batch of 20. Correct it, or set "
                "traits = Traits(nested=False)",
            )


def check_ties(strategy: Any) -> None:
    """Expect that the seed decides among rows that are all alike."""
    outputs = make_outputs(strategy.needs, 12, copies=True)
    firsts = {
        int(strategy.select(outputs, 1, random_state=seed).indices[0])
        for seed in range(24)
    }
    _require(
        len(firsts) > 3,
        strategy,
        "promises that the seed breaks ties (traits.breaks_ties), but chooses "
        f"{sorted(firsts)} among 12 equal rows over 24 seeds. Draw from the generator, "
        "or set traits = Traits(breaks_ties=False)",
    )


def check_rows_in_parts(strategy: Any) -> None:
    """Expect the scores of the whole pool where rows are scored part by part."""
    outputs = make_outputs(strategy.needs)
    what = (
        "promises to run on a cluster (traits.on_cluster), but scores a row otherwise "
        "where other rows come with it. Let a score depend on its own row alone, or "
        "set traits = Traits(on_cluster=False)"
    )
    whole = strategy.select(outputs, outputs.n_pool, random_state=2)
    try:
        parts = strategy.select(in_parts(outputs), outputs.n_pool, random_state=2)
    except Exception as error:
        raise _failure(strategy, what) from error
    if whole.scores is None:
        same = np.array_equal(whole.indices, parts.indices)
    else:
        # By row: those that tie but for rounding may change places.
        of_whole = whole.scores[np.argsort(whole.indices)]
        of_parts = parts.scores[np.argsort(parts.indices)]
        size = np.abs(of_whole[np.isfinite(of_whole)]).max(initial=0.0)
        same = np.allclose(of_whole, of_parts, rtol=1e-4, atol=1e-6 * size)
    _require(same, strategy, what)


def check_copies(strategy: Any) -> None:
    """Expect that clones, copies and pickles are the same strategy."""
    twin = clone(strategy)
    _require(
        repr(twin) == repr(strategy), strategy, "must have a clone of the same repr"
    )
    _require(
        set(vars(twin)) == set(twin.get_params(deep=False)),
        strategy,
        "must store its parameters in __init__, each under its name, and nothing else",
    )
    try:
        # What is in it: a class that was typed in somewhere has no module to be found.
        joblib.hash(vars(strategy))
    except Exception as error:
        raise _failure(strategy, "must hold what can be pickled") from error
    outputs = make_outputs(strategy.needs)
    first = strategy.select(outputs, 4, random_state=0)
    again = copy.deepcopy(strategy).select(outputs, 4, random_state=0)
    _require(
        np.array_equal(first.indices, again.indices),
        strategy,
        "must choose the same after a copy.deepcopy",
    )


def check_needs(strategy: Any) -> None:
    """Expect that what is declared suffices and that less of it is refused."""
    needs = strategy.needs
    _require(
        isinstance(needs, Needs), strategy, "must declare needs, a Needs of strategies"
    )
    try:
        strategy.select(make_outputs(needs), 3, random_state=0)
    except UndeclaredNeedError as error:
        raise _failure(strategy, "must declare all that it reads") from error
    for name in ("proba", "residual", "features", "inputs", "head", "samples"):
        if getattr(needs, name):
            fewer = replace(needs, **{name: type(getattr(needs, name))(0)})
            _require_error(
                strategy, make_outputs(fewer), 3, f"must refuse outputs without {name}"
            )


def check_wrong_input(strategy: Any) -> None:
    """Expect InvalidInputError for a wrong ``n`` and for outputs that are none."""
    outputs = make_outputs(strategy.needs)
    for n in (0, -1, outputs.n_pool + 1, 1.0, "3", None, True):
        _require_error(strategy, outputs, n, f"must refuse n={n!r}")
    _require_error(strategy, np.zeros((3, 2)), 1, "must refuse an array for outputs")
    empty = make_outputs(strategy.needs, 0)
    _require_error(strategy, empty, 1, "must refuse a pool without rows")


def check_no_labels(strategy: Any) -> None:
    """Expect a choice without labelled rows, or that some are asked for."""
    outputs = make_outputs(strategy.needs)
    none = outputs.labeled.take(np.arange(0))
    none = replace(outputs, labeled_rows=none)
    if strategy.traits.needs_labels:
        _require_error(strategy, none, 3, "must refuse a labelled set without rows")
    else:
        try:
            selection = strategy.select(none, 3, random_state=0)
        except Exception as error:
            raise _failure(
                strategy,
                "must choose where no row is labelled yet; if it cannot, set traits = "
                "Traits(needs_labels=True), and the user is told",
            ) from error
        _check_selection(strategy, selection, 3, outputs.n_pool)


def check_feedback(strategy: Any) -> None:
    """Expect that `observe` takes how a batch turned out, and goes on well."""
    outputs = make_outputs(strategy.needs)
    learning = copy.deepcopy(strategy)
    for seed in range(3):
        feedback = Feedback(
            selection=learning.select(outputs, 4, random_state=seed),
            taught=np.arange(3),
            correct=np.array([True, False, True]),
            inclusion_probability=np.array([1.0, 0.5, 0.25]),
            n_labeled=8,
            n_unlabeled=22,
            others_correct=np.array([True, True, False, True, True]),
        )
        try:
            learning.observe(feedback)
        except Exception as error:
            raise _failure(strategy, "must take Feedback in observe") from error
    _check_selection(strategy, learning.select(outputs, 5, random_state=9), 5, 25)
    _require(
        repr(clone(learning)) == repr(strategy),
        strategy,
        "must not change its parameters in observe",
    )


_ALWAYS = (
    check_needs,
    check_selections,
    check_whole_pool,
    check_extreme_numbers,
    check_one_seed_one_answer,
    check_no_global_generator,
    check_copies,
    check_nothing_changes,
    check_wrong_input,
)


def _checks_for(strategy: Any) -> list[Callable[[Any], None]]:
    """Return the checks for a strategy, by what it declares."""
    if not isinstance(strategy, QueryStrategy):
        raise InvalidInputError(
            "strategy must be an object of a subclass of QueryStrategy. Got "
            f"{strategy!r} instead."
        )
    promised = (
        (check_prefixes, strategy.traits.nested),
        (check_ties, strategy.traits.breaks_ties),
        (check_rows_in_parts, strategy.traits.on_cluster),
        (check_no_labels, strategy.needs.labeled is not None),
        (check_feedback, hasattr(strategy, "observe")),
    )
    return [*_ALWAYS, *(check for check, holds in promised if holds)]


# ---------------------------------------------------------------------------- the tools


def _check_selection(strategy: Any, selection: Any, n: Any, n_pool: int) -> None:
    _require(
        isinstance(selection, Selection), strategy, "must return a Selection of select"
    )
    indices = selection.indices
    _require(
        isinstance(indices, np.ndarray) and indices.dtype == np.intp,
        strategy,
        "must return indices as an array of dtype intp",
    )
    distinct = len(set(indices.tolist())) == n == len(indices)
    _require(
        distinct and indices.min() >= 0 and indices.max() < n_pool,
        strategy,
        f"must choose {n} distinct positions among the {n_pool} candidates",
    )
    scores = selection.scores
    _require(
        scores is None
        or (
            (scores.shape == (n,) and scores.dtype == np.float64)
            and not np.isnan(scores).any()
        ),
        strategy,
        "must give scores of dtype float64, one a chosen row and none of them NaN",
    )
    for name in ("draw_probability", "inclusion_probability"):
        found = getattr(selection, name)
        _require(
            found is None
            or (found.shape == (n,) and (found > 0).all() and (found < 1 + 1e-9).all()),
            strategy,
            f"must give {name} in (0, 1], one a chosen row",
        )


def _check_answer(strategy: Any, outputs: Any, n: Any, what: str) -> bool:
    """Return whether the strategy refused, with an error that a user can read."""
    try:
        selection = strategy.select(outputs, n, random_state=0)
    except SkbadgeError:
        return True
    except Exception as error:
        what = f"{what}, or raise an error of skbadge.exceptions"
        raise _failure(strategy, what) from error
    _check_selection(strategy, selection, n, outputs.n_pool)
    return False


def _require(holds: Any, strategy: Any, what: str) -> None:
    if not holds:
        raise _failure(strategy, what)


def _require_error(strategy: Any, outputs: Any, n: Any, what: str) -> None:
    try:
        strategy.select(outputs, n, random_state=0)
    except InvalidInputError:
        return
    except Exception as error:
        raise _failure(strategy, f"{what} with an InvalidInputError") from error
    raise _failure(strategy, f"{what} with an InvalidInputError")


def _failure(strategy: Any, what: str) -> StrategyCheckError:
    return StrategyCheckError(f"{_name(strategy)} {what}.")


def _name(strategy: Any) -> str:
    return " ".join(repr(strategy).split())


def _global_states() -> str:
    numpy_state = np.random.get_state()  # noqa: NPY002
    return str(joblib.hash([numpy_state, torch.get_rng_state().numpy()]))

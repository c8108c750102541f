"""The methods of the experiments in one table, and references to a user's own."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from skbadge import (
    ALBL,
    BADGE,
    CoreSet,
    EntropySampling,
    LeastConfidence,
    MarginSampling,
    RandomSampling,
)
from skbadge.exceptions import InvalidInputError, SkbadgeError
from skbadge.plotting import StrategyStyle, strategy_styles
from skbadge.strategies import (
    BAIT,
    BALD,
    CLUE,
    DIRECT,
    FALCUN,
    AlphaMix,
    BatchBALD,
    ClassQuota,
    ClusterMargin,
    ContrastiveAL,
    DropQuery,
    KMeansSampling,
    MaxHerding,
    ProbCover,
    QueryStrategy,
    Refine,
    StochasticTopK,
    TypiClust,
    UHerding,
)
from skbadge.utils._sources import sources_checksum

__all__ = [
    "COLD_STARTS",
    "KDPP",
    "METHODS",
    "REFERENCE",
    "SEVEN",
    "STRATEGIES",
    "Method",
    "check_name",
    "check_strategy_name",
    "code_checksum",
    "cold_start",
    "is_reference",
    "labels_of",
    "load_object",
    "make_strategy",
    "reference_to",
    "strategy_order",
]


@dataclass(frozen=True)
class Method:
    """One method of the experiments.

    Attributes
    ----------
    name : str
        Short name, as on the command line.
    make : callable
        Called with ``n_rounds`` and the keyword arguments of `make_strategy`; returns
        the strategy.
    style : StrategyStyle
        Its label, color and marker.
    """

    name: str
    make: Callable[..., QueryStrategy]
    style: StrategyStyle


# Rows of the pool that are to be covered: the time of a query is in proportion.
_TARGETS = 2_000
# How often Refine narrows the pool down, and by how many batches: likewise.
_REFINED, _BATCHES = 3, 20
# A method more is a line more; its style comes from skbadge.plotting, which has one
# for any name.
_FACTORIES: dict[str, Callable[..., QueryStrategy]] = {
    "badge": lambda first, **_: BADGE(first=first),
    "albl": lambda n_rounds, albl_update, **_: ALBL(
        n_rounds=max(1, n_rounds), update=albl_update
    ),
    "coreset": lambda **_: CoreSet(),
    "conf": lambda **_: LeastConfidence(),
    "marg": lambda **_: MarginSampling(),
    "entropy": lambda **_: EntropySampling(),
    "rand": lambda **_: RandomSampling(),
    "badge-kdpp": lambda **_: BADGE(sampler="k-dpp"),
    "bait": lambda **_: BAIT(),
    "uherding": lambda **_: UHerding(n_targets=_TARGETS),
    "maxherding": lambda **_: MaxHerding(n_targets=_TARGETS),
    "typiclust": lambda **_: TypiClust(),
    "kmeans": lambda **_: KMeansSampling(),
    "power-marg": lambda **_: StochasticTopK(MarginSampling()),
    "bald": lambda **_: BALD(source="laplace"),
    "power-bald": lambda **_: StochasticTopK(BALD(source="laplace")),
    "contrastive": lambda **_: ContrastiveAL(),
    "dropquery": lambda **_: DropQuery(),
    "probcover": lambda **_: ProbCover(),
    "alphamix": lambda **_: AlphaMix(),
    "clue": lambda **_: CLUE(),
    "falcun": lambda **_: FALCUN(),
    "cluster-marg": lambda **_: ClusterMargin(),
    "direct": lambda **_: DIRECT(),
    "badge-balanced": lambda **_: ClassQuota(BADGE()),
    "refine": lambda **_: Refine(
        [MarginSampling(), TypiClust(), CoreSet(), BADGE()],
        final=UHerding(n_targets=_TARGETS),
        n_rounds=_REFINED,
        n_batches=_BATCHES,
    ),
    "batch-bald": lambda **_: BatchBALD(source="laplace"),
}
METHODS = {
    name: Method(name, make, strategy_styles(_FACTORIES)[name])
    for name, make in _FACTORIES.items()
}
#: Short names of all methods.
STRATEGIES = tuple(METHODS)
#: The paper's seven methods, in the order of its figures.
SEVEN = STRATEGIES[:7]
#: What can choose the first rows without labels, ``typiclust+badge``; at random if not.
COLD_STARTS = {
    "kmeans": lambda: KMeansSampling(features="input"),
    "typiclust": lambda: TypiClust(features="input"),
}
#: Random sampling, to which the others are compared.
REFERENCE = "rand"
#: The k-DPP of the paper's appendix, which is no part of the comparisons.
KDPP = "badge-kdpp"

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(.*\))?", re.S)
_FORM = "mymodule:MyStrategy or mymodule:MyStrategy(option=1)"


def make_strategy(
    name: str, *, n_rounds: int, first: str = "uniform", albl_update: str = "all"
) -> QueryStrategy:
    """Return a strategy by its short name, or one of your own by reference.

    Parameters
    ----------
    name : str
        One of `STRATEGIES`; or ``"mymodule:MyStrategy"``, a class, or a function that
        returns a strategy, in a module that can be imported, with literal keyword
        arguments if need be: ``"mymodule:MyStrategy(share=0.2)"``. Either may follow a
        cold start, ``"typiclust+badge"``, which is left out here.
    n_rounds : int
        Number of queries of the run, which ALBL plans for.
    first : str, default="uniform"
        First center of BADGE's k-means++.
    albl_update : str, default="all"
        Which arms of ALBL learn.

    Returns
    -------
    QueryStrategy

    Raises
    ------
    InvalidInputError
        For an unknown name, or a reference that leads to no strategy.

    Examples
    --------
    >>> from skbadge.benchmarks import make_strategy
    >>> make_strategy("badge", n_rounds=10)
    BADGE()
    >>> make_strategy("skbadge.strategies:BADGE(first='norm')", n_rounds=10)
    BADGE(first='norm')
    """
    name = _parts(check_strategy_name(name))[1]
    if name in METHODS:
        return METHODS[name].make(
            n_rounds=n_rounds, first=first, albl_update=albl_update
        )
    strategy = load_object(name)
    if not isinstance(strategy, QueryStrategy):
        raise InvalidInputError(
            f"strategy must lead to a QueryStrategy. Got {name!r}, which is a "
            f"{type(strategy).__name__}: see skbadge.strategies.QueryStrategy."
        )
    return strategy


def cold_start(name):
    """Return the strategy that chooses the first rows, or None: rows at random."""
    first = _parts(name)[0]
    return COLD_STARTS[first]() if first else None


def check_strategy_name(name):
    """Return the name of a strategy, after a cold start or not; nothing is imported."""
    check_name(_parts(name)[1], "strategy", STRATEGIES)
    return name


def _parts(name):
    """Divide ``"typiclust+badge"`` into cold start and strategy, ("", name) if none."""
    first, plus, then = str(name).partition("+")
    return (first, then) if plus and first in COLD_STARTS else ("", name)


def strategy_order(names):
    """Sort strategy names: badge, the k-DPP, the others of the paper, then by name."""
    order = (SEVEN[0], KDPP, *SEVEN[1:], *STRATEGIES)
    return sorted(
        dict.fromkeys(names),
        key=lambda name: (order.index(name) if name in METHODS else 99, name),
    )


def labels_of(names):
    """Return the labels of strategies (list of str)."""
    return [style.label for style in strategy_styles(names).values()]


def is_reference(name):
    """Say whether a name has the form of a reference to an object of one's own.

    One that follows a cold start too.
    """
    return isinstance(name, str) and _REFERENCE.fullmatch(_parts(name)[1]) is not None


def check_name(name, what, known, form=_FORM):
    """Return a known name, or one with the form of a reference; nothing is imported."""
    if name in known or is_reference(name):
        return name
    listed = ", ".join(map(repr, known))
    several = isinstance(name, str) and "," in name
    hint = " Several names are separated by spaces." if several else ""
    raise InvalidInputError(
        f"{what} must be one of {listed}, or one of your own as {form}. Got "
        f"{name!r} instead.{hint}"
    )


def reference_to(thing):
    """Return the reference to a class, function or parametrized object of one's own.

    Strings are returned as they are. What stands in a file being run or in a function
    has no name by which another process could import it.
    """
    if isinstance(thing, str):
        return thing
    arguments = ""
    target = thing
    if not isinstance(thing, type) and hasattr(thing, "get_params"):
        target = type(thing)
        default = target().get_params(deep=False)
        own = thing.get_params(deep=False)
        changed = {k: v for k, v in own.items() if repr(v) != repr(default.get(k))}
        arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    module = getattr(target, "__module__", None)
    name = getattr(target, "__qualname__", None)
    if module in (None, "__main__") or name is None or not name.isidentifier():
        raise InvalidInputError(
            "An object of your own must stand at the top of a module that worker "
            f"processes can import. Got {thing!r} of {module}: move it to a file such "
            "as mymodule.py."
        )
    return f"{module}:{name}" + (f"({arguments})" if arguments else "")


def load_object(reference, *, call=True):
    """Import what a reference names, and call it unless told otherwise.

    Parameters
    ----------
    reference : str
        ``module:name`` or ``module:name(option=literal)``.
    call : bool, default=True
        Return what the object returns; False returns the object itself where no
        arguments are given.

    Raises
    ------
    InvalidInputError
        If it cannot be imported or called, or its arguments are not literals.
    """
    path, _, arguments = reference.partition("(")
    module, _, name = path.partition(":")
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        options = _literals(f"f({arguments}") if arguments else {}
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise InvalidInputError(
            f"A reference must name an object that can be imported, as {_FORM}, with "
            f"literal arguments. Got {reference!r} instead: {error}"
        ) from error
    except Exception as error:
        # Whatever a module of a user's own raises while it is read.
        raise _in_own_code(f"Importing {module}", module, error) from error
    if not (call or arguments):
        return found
    if not callable(found):
        raise InvalidInputError(
            f"{reference!r} must be a class or a function without arguments that "
            f"returns the object. Got an object of type {type(found).__name__}: put it "
            "into a function, def make_it(): return ..."
        )
    try:
        return found(**options)
    except SkbadgeError:
        raise
    except Exception as error:
        raise _in_own_code(f"Calling {reference}", module, error) from error


def _in_own_code(what, module, error):
    """Return an error that says where a user's own code has failed."""
    frames = traceback.extract_tb(error.__traceback__)
    path = getattr(importlib.util.find_spec(module), "origin", None)
    inside = [frame for frame in frames if frame.filename == path] or frames[-1:]
    return InvalidInputError(
        f"{what} must not fail. Got {type(error).__name__}: {error} "
        f"({inside[-1].filename}, line {inside[-1].lineno})."
    )


def _literals(text):
    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.Call) or tree.args:
        raise ValueError("arguments are given by name")
    return {word.arg: ast.literal_eval(word.value) for word in tree.keywords}


def code_checksum(references):
    """Return a checksum of the code of one's own that objects named stand in, or "".

    Code that changed gives other results, so it belongs to what a cell was made of.
    """
    plain = [_parts(name)[1] for name in references]
    modules = sorted({name.partition(":")[0] for name in plain if ":" in name})
    return sources_checksum(modules) if modules else ""

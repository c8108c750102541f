"""Every strategy there is, with options, and ready-made outputs for them."""

import inspect

import skbadge.strategies
from skbadge.strategies import (
    ALBL,
    BADGE,
    BAIT,
    BALD,
    BatchBALD,
    ClassQuota,
    ClusterMargin,
    CoreSet,
    EntropySampling,
    KMeansSampling,
    MarginSampling,
    MaxHerding,
    ProbCover,
    QueryStrategy,
    RandomSampling,
    Refine,
    StochasticTopK,
    TypiClust,
)

# Options that lead to other code. An exported class that needs an argument must stand
# here; all others are found by themselves.
VARIANTS = [
    ALBL(arms=[BADGE()]),
    ALBL(uniform_arm=True),
    ALBL(update="chosen"),
    ALBL(update="hsu-lin"),
    BADGE(first="max-norm"),
    BADGE(first="norm"),
    BADGE(sampler="k-dpp"),
    BADGE(sampler="log-det"),
    BADGE(embedding="uncertainty"),
    BADGE(per_class="balanced"),
    BAIT("full", regularization=0.1),
    BAIT("top", oversample=1.0),
    BALD(source="laplace"),
    BatchBALD(source="laplace", n_samples=3, most_configurations=30),
    ClassQuota(BADGE()),
    ClassQuota(RandomSampling(), quota={1: 0.5, 2: 0.2}),
    CoreSet(space="proba"),
    ClusterMargin(clusters=[0, 1, 2, 3] * 25),
    KMeansSampling(features="input"),
    KMeansSampling(normalize=True),
    ProbCover(delta=0.5),
    Refine([MarginSampling(), CoreSet()], n_rounds=2, n_batches=4, first_subset=8),
    MaxHerding(n_targets=5),
    StochasticTopK(MarginSampling()),
    StochasticTopK(EntropySampling(), law="softmax", random_share=0.3),
    StochasticTopK(BALD(), law="softrank", beta=2.0),
    TypiClust(features="input"),
]


def exported_strategies():
    """Return the exported classes that choose, walking through the package."""
    found = [getattr(skbadge.strategies, name) for name in skbadge.strategies.__all__]
    return [
        kind
        for kind in found
        if inspect.isclass(kind)
        and issubclass(kind, QueryStrategy)
        and not inspect.isabstract(kind)
    ]


def all_strategies():
    """Make one of each exported class, and each of the variants."""
    plain = [kind() for kind in exported_strategies() if not needed(kind)]
    return sorted([*plain, *VARIANTS], key=lambda strategy: repr(strategy))


def needed(kind):
    """Say whether a class cannot be made without an argument."""
    parameters = inspect.signature(kind).parameters.values()
    return any(p.default is p.empty for p in parameters)

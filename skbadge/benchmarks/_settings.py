"""A cell of the grid: one run, and every setting that its results depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from itertools import product
from numbers import Integral

import numpy as np

from skbadge import (
    ALBL,
    BADGE,
    CoreSet,
    EntropySampling,
    LeastConfidence,
    MarginSampling,
    RandomSampling,
)
from skbadge.benchmarks._store import KEY, SCHEMA, canonical, digest
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_integer, check_option, check_real

__all__ = ["MODELS", "STRATEGIES", "Cell", "make_cells", "make_strategy"]

MODELS = ("mlp", "resnet")
#: The paper's seven methods, in the order of its figures.
SEVEN = ("badge", "albl", "coreset", "conf", "marg", "entropy", "rand")
#: All methods: those, and the k-DPP of the paper's appendix.
STRATEGIES = (*SEVEN, "badge-kdpp")


def make_strategy(name, *, n_rounds):
    """Return a strategy of the paper by its short name.

    Parameters
    ----------
    name : str
        One of `STRATEGIES`.
    n_rounds : int
        Number of queries of the run, which ALBL plans for.

    Returns
    -------
    QueryStrategy
    """
    return {
        "badge": lambda: BADGE(),
        "badge-kdpp": lambda: BADGE(sampler="k-dpp"),
        "albl": lambda: ALBL(n_rounds=max(1, n_rounds)),
        "coreset": lambda: CoreSet(),
        "conf": lambda: LeastConfidence(),
        "marg": lambda: MarginSampling(),
        "entropy": lambda: EntropySampling(),
        "rand": lambda: RandomSampling(),
    }[check_option(name, "strategy", STRATEGIES)]()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of active learning: data, net, strategy, repeat, and how they are used.

    All strategies of one repeat share the split, the initial set and the initial
    weights, since seeds come from ``seed``, ``dataset`` and ``repeat`` alone.

    Attributes
    ----------
    dataset : str
        Name in ``skbadge.datasets.DATASETS``, or what a file of one's own is called.
    model : {"mlp", "resnet"}
        The network.
    batch_size : int
        Labels bought in each round (B).
    strategy : str
        One of badge, badge-kdpp, albl, coreset, conf, marg, entropy, rand.
    repeat : int
        Number of the repeat, from 0.
    seed : int, default=0
        Seed of the experiment.
    n_initial : int, default=100
        Random labels at the start (M).
    n_rounds : int or None, default=None
        At most so many queries.
    max_labels : int or None, default=None
        At most so many labels. With both None, rounds go on until less than a batch is
        left in the pool.
    max_pool : int, default=50000
        A pool from a random split with more rows is cut down to a random subset.
    standardize : bool, default=False
        Bring inputs to mean 0 and deviation 1 on the pool (each feature for "mlp", each
        channel for "resnet"), in place of what the paper does with the data.
    learning_rate : float or None, default=None
        Of Adam; None for the paper's: 1e-3 on images, 1e-4 on tables.
    n_hidden : int or None, default=None
        Hidden units of "mlp"; None for the paper's: 256 on images, 1024 on tables.
    width : int, default=64
        Channels of the first stage of "resnet"; 16 in the public code.
    clamp_gradients : bool, default=False
        Limit each element of a gradient to [-0.1, 0.1], as only the public code does.
    max_epochs : int, default=2000
        Cap of each training that does not reach 99% training accuracy before.
    device : str, default="cpu"
        Where torch computes.
    path : str, default=""
        The ``.npz`` file of a data set of one's own.
    sha256 : str, default=""
        Its checksum: another file is another setting, wherever it lies.
    """

    dataset: str
    model: str = "mlp"
    batch_size: int
    strategy: str
    repeat: int
    seed: int = 0
    n_initial: int = 100
    n_rounds: int | None = None
    max_labels: int | None = None
    max_pool: int = 50_000
    standardize: bool = False
    learning_rate: float | None = None
    n_hidden: int | None = None
    width: int = 64
    clamp_gradients: bool = False
    max_epochs: int = 2_000
    device: str = "cpu"
    path: str = ""
    sha256: str = ""

    def __post_init__(self):
        check_option(self.model, "model", MODELS)
        check_option(self.strategy, "strategy", STRATEGIES)
        for name, low in (("repeat", 0), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        for name in ("batch_size", "n_initial", "max_pool", "max_epochs", "width"):
            check_integer(getattr(self, name), name, low=1)
        for name, low in (("n_rounds", 0), ("max_labels", 1), ("n_hidden", 1)):
            if getattr(self, name) is not None:
                check_integer(getattr(self, name), name, low=low)
        if self.learning_rate is not None:
            check_real(
                self.learning_rate, "learning_rate", low=0, high=1, include_low=False
            )
        for field in fields(self):
            # NumPy's integers equal Python's, but are not written to JSON.
            value = getattr(self, field.name)
            if isinstance(value, Integral) and not isinstance(value, bool):
                object.__setattr__(self, field.name, int(value))

    @property
    def key(self):
        """What names the cell within an experiment (dict)."""
        return {name: getattr(self, name) for name in KEY}

    def settings(self):
        """Return all that its results depend on: not where a file lies (dict)."""
        settings = asdict(self)
        del settings["path"]
        return settings

    def fingerprint(self):
        """Return a checksum of the settings, in hexadecimal."""
        return digest(canonical({"schema": SCHEMA, **self.settings()}))

    def seeds(self):
        """Return the seeds of the split and of the learner, shared by all strategies.

        Returns
        -------
        split, learner : int
        """
        name = int(digest(self.dataset)[:16], 16)
        sequence = np.random.SeedSequence([self.seed, name, self.repeat])
        split, learner = sequence.generate_state(2, np.uint64)
        # 31 bits for the split, since scikit-learn takes no more.
        return int(split >> 33), int(learner >> 1)

    def count_rounds(self, n_pool):
        """Return how many queries the run makes on a pool of ``n_pool`` rows."""
        most = min(n_pool, self.max_labels or n_pool)
        count = max(0, most - self.n_initial) // self.batch_size
        return count if self.n_rounds is None else min(count, self.n_rounds)


def make_cells(
    datasets, *, models=("mlp",), batch_sizes, strategies=SEVEN, repeats, **settings
):
    """Combine everything with everything.

    Parameters
    ----------
    datasets, models, batch_sizes, strategies : sequence
        Values of the attributes of `Cell`.
    repeats : int
        Number of repeats, at least 1.
    **settings : dict
        Further attributes, the same for all cells.

    Returns
    -------
    list of Cell

    Raises
    ------
    InvalidInputError
        If a value cannot be used, or one is given twice.
    """
    check_integer(repeats, "repeats", low=1)
    axes = {
        "dataset": datasets,
        "model": models,
        "batch_size": batch_sizes,
        "strategy": strategies,
        "repeat": range(repeats),
    }
    for name, values in axes.items():
        if len(set(values)) < len(values):
            raise InvalidInputError(
                f"Each {name} must be given once. Got {list(values)} instead."
            )
    return [
        Cell(**dict(zip(axes, values, strict=True)), **settings)
        for values in product(*axes.values())
    ]

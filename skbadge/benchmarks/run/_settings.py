"""A cell of the grid: one run, and every setting that its results depend on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np

from skbadge.benchmarks._methods import (
    SEVEN,
    check_name,
    check_strategy_name,
    is_reference,
    reference_to,
)
from skbadge.benchmarks.run._json import SCHEMA, canonical, digest
from skbadge.benchmarks.run._nets import MODELS
from skbadge.benchmarks.run._store import KEY
from skbadge.exceptions import InvalidInputError
from skbadge.modules._classifier import PRECISIONS
from skbadge.strategies import QueryStrategy
from skbadge.utils._validation import check_integer, check_option, check_real

__all__ = ["MODELS", "PUBLISHED_CODE", "Cell", "from_settings", "make_cells"]

#: Attributes of a cell that follow the paper's public code where its text differs.
PUBLISHED_CODE = {
    "first": "max-norm",
    "albl_update": "chosen",
    "learning_rate": 1e-4,
    "clamp_gradients": True,
    "width": 16,
    "stop": "reaches",
}
# Where things lie or are computed does not decide what comes out.
_NO_IDENTITY = ("path", "data_dir", "device")
# Attributes that came later, with the values of the cells written before: these keep
# their fingerprints.
_BEFORE: dict[str, Any] = {
    "max_updates": None,
    "stop": "reaches",
    "first": "uniform",
    "albl_update": "all",
    "metrics": (),
    "precision": "float32",
    "target": "",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of active learning: data, net, strategy, repeat, and how they are used.

    All strategies of one repeat share the split, the initial set and the initial
    weights, since seeds come from ``seed``, ``dataset`` and ``repeat`` alone.

    Attributes
    ----------
    dataset : str
        Name in ``skbadge.datasets.DATASETS``, or what a file of one's own is called.
    model : str
        The network, "mlp", "resnet", "vgg", "linear" or "convnet" (see
        `make_paper_net`); or
        ``"mymodule:make_learner"``, a function without arguments that returns a
        classifier (a skorch net, or a pipeline that ends in one) or an `ActiveLearner`,
        whose strategy is replaced.
    batch_size : int
        Labels bought in each round (B).
    strategy : str
        A name or a reference, as `make_strategy` takes them.
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
        Channels of the first stage of "resnet" (16 in the public code) or "vgg", or of
        the first convolution of "convnet".
    clamp_gradients : bool, default=False
        Limit each element of a gradient to [-0.1, 0.1], as only the public code does.
    max_epochs : int, default=20000
        Cap of each training that does not get to 99% training accuracy before.
    max_updates : int or None, default=None
        Cap of each training in updates of the weights, at the end of an epoch.
    stop : {"exceeds", "reaches"}, default="exceeds"
        Whether the training accuracy has to exceed 99%, as the paper says, or to
        reach it, as its public code has it.
    first : str, default="uniform"
        First center of BADGE's k-means++: "max-norm" in the public code.
    albl_update : str, default="all"
        Which arms of ALBL learn: "chosen" in the public code.
    metrics : tuple of str, default=()
        Scores on the test set beside the accuracy: names of scikit-learn's scorers;
        ``"recall=fraud"`` for the score of one class (also ``f1``, ``precision``,
        ``jaccard``, ``average_precision``, ``roc_auc``); or ``"mymodule:scorer"``, a
        callable of estimator, X and y.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the products in training; "bfloat16" is mixed precision.
    device : str, default="cpu"
        Where torch computes. No part of the identity.
    path : str, default=""
        The file of a data set of one's own. No part of the identity.
    target : str, default=""
        The column of labels where that file is a table.
    sha256 : str, default=""
        Its checksum: another file is another setting, wherever it lies.
    data_dir : str, default=""
        Folder with original files of registered sets. No part of the identity.
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
    max_epochs: int = 20_000
    max_updates: int | None = None
    stop: str = "exceeds"
    first: str = "uniform"
    albl_update: str = "all"
    metrics: tuple = ()
    precision: str = "float32"
    device: str = "cpu"
    path: str = ""
    target: str = ""
    sha256: str = ""
    data_dir: str = ""

    def __post_init__(self) -> None:
        for name in ("strategy", "model"):
            object.__setattr__(self, name, reference_to(getattr(self, name)))
        check_name(self.model, "model", MODELS, form="mymodule:make_learner")
        check_strategy_name(self.strategy)
        check_option(self.stop, "stop", ("exceeds", "reaches"))
        check_option(self.precision, "precision", PRECISIONS)
        for name, low in (("repeat", 0), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        for name in ("batch_size", "n_initial", "max_pool", "max_epochs", "width"):
            check_integer(getattr(self, name), name, low=1)
        limits = {"n_rounds": 0, "max_labels": 1, "n_hidden": 1, "max_updates": 1}
        for name, low in limits.items():
            if getattr(self, name) is not None:
                check_integer(getattr(self, name), name, low=low)
        if self.learning_rate is not None:
            check_real(
                self.learning_rate, "learning_rate", low=0, high=1, include_low=False
            )
        metrics = tuple(reference_to(name) for name in self.metrics)
        if len({"accuracy", *metrics}) <= len(metrics):
            raise InvalidInputError(
                "metrics must be different names, without 'accuracy', which is always "
                f"there. Got {list(metrics)} instead."
            )
        object.__setattr__(self, "metrics", metrics)
        for field in fields(self):
            # NumPy's integers equal Python's, but are not written to JSON.
            value = getattr(self, field.name)
            if isinstance(value, Integral) and not isinstance(value, bool):
                object.__setattr__(self, field.name, int(value))

    @property
    def key(self) -> dict[str, Any]:
        """What names the cell within an experiment (dict)."""
        return {name: getattr(self, name) for name in KEY}

    @property
    def has_own_learner(self) -> bool:
        """Whether the net is a user's own."""
        return is_reference(self.model)

    def settings(self) -> dict[str, Any]:
        """Return all that its results depend on: not where a file lies (dict)."""
        settings = asdict(self) | {"metrics": list(self.metrics)}
        before = _BEFORE | {"metrics": []}
        return {
            name: value
            for name, value in settings.items()
            if name not in _NO_IDENTITY and before.get(name, ...) != value
        }

    def fingerprint(self, **further: Any) -> str:
        """Return a checksum of the settings, in hexadecimal."""
        return digest(canonical({"schema": SCHEMA, **self.settings(), **further}))

    def seeds(self) -> tuple[int, int]:
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

    def count_rounds(self, n_pool: int) -> int:
        """Return how many queries the run makes on a pool of ``n_pool`` rows."""
        most = min(n_pool, self.max_labels or n_pool)
        count = max(0, most - self.n_initial) // self.batch_size
        return count if self.n_rounds is None else min(count, self.n_rounds)


def from_settings(settings: dict[str, Any]) -> Cell:
    """Return the cell that a folder of results speaks of, be it an old one.

    Raises
    ------
    TypeError, InvalidInputError
        If the settings are none of a cell.
    """
    return Cell(**(_BEFORE | settings))


def make_cells(
    datasets: Sequence[str],
    *,
    models: Sequence[str | Callable[[], Any]] = ("mlp",),
    batch_sizes: Sequence[int],
    strategies: Sequence[str | QueryStrategy | Callable[..., QueryStrategy]] = SEVEN,
    repeats: int,
    **settings: Any,
) -> list[Cell]:
    """Combine everything with everything.

    Parameters
    ----------
    datasets, models, batch_sizes, strategies : sequence
        Values of the attributes of `Cell`. A strategy, a function that makes a learner
        or a scorer of your own may stand for its reference: the class or the function
        itself, or a strategy object, whose changed parameters become part of the name.
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
    axes: dict[str, Sequence[Any]] = {
        "dataset": datasets,
        "model": [reference_to(model) for model in models],
        "batch_size": batch_sizes,
        "strategy": [reference_to(strategy) for strategy in strategies],
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

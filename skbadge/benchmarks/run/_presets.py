"""Experiments that are named, from one of seconds to the paper's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skbadge.benchmarks._methods import COLD_STARTS, KDPP, SEVEN, STRATEGIES
from skbadge.benchmarks.run._deviations import deviations_of
from skbadge.benchmarks.run._settings import Cell, make_cells
from skbadge.strategies import QueryStrategy
from skbadge.utils._validation import check_integer, check_option

__all__ = ["PAPER_SETTINGS", "PRESETS", "Preset", "preset_cells", "preset_deviations"]


@dataclass(frozen=True)
class Preset:
    """An experiment: what it is for, how it deviates from the paper, and its parts.

    Attributes
    ----------
    title : str
        In one sentence.
    deviations : tuple of str
        From the paper, as far as the settings of the cells do not say it; see
        `preset_deviations` for all.
    repeats : int
        Repeats of each setting.
    parts : tuple of dict
        Arguments of `make_cells`, without repeats; ``max_repeats`` where a part has
        fewer.
    """

    title: str
    deviations: tuple
    repeats: int
    parts: tuple


_SHORTER = {
    "standardize": True,
    "learning_rate": 1e-3,
    "max_epochs": 300,
    "stop": "reaches",
}
_PAPER = {"max_labels": 50_000}
_PAPER_SETTINGS = (
    ("letter", "mlp"),
    ("pokerhand", "mlp"),
    ("random_rbf", "mlp"),
    ("kropt", "mlp"),
    ("mnist", "mlp"),
    ("svhn", "mlp"),
    ("svhn", "resnet"),
    ("cifar10", "mlp"),
    ("cifar10", "resnet"),
)
_PAPER_BATCHES = (100, 1_000, 10_000)
#: Data set, model and batch size of the paper's experiments.
PAPER_SETTINGS = frozenset(
    (dataset, model, size)
    for dataset, model in _PAPER_SETTINGS
    for size in _PAPER_BATCHES
)


def _settings(dataset, model, batch_size, **options):
    """Return the parts of one setting: seven methods, and the k-DPP where it is run."""
    shared = {
        "datasets": (dataset,),
        "models": (model,),
        "batch_sizes": (batch_size,),
        **options,
    }
    kdpp_repeats = shared.pop("kdpp_repeats", None)
    parts = [{**shared, "strategies": SEVEN}]
    if batch_size <= 1_000 and kdpp_repeats != 0:
        part = {**shared, "strategies": (KDPP,)}
        parts.append(part | ({"max_repeats": kdpp_repeats} if kdpp_repeats else {}))
    return parts


_SMOKE = Preset(
    title="A few seconds, to see that everything works.",
    deviations=("Tiny in every respect: its numbers mean nothing.",),
    repeats=2,
    parts=(
        {
            "datasets": ("digits",),
            "batch_sizes": (40,),
            "strategies": (*SEVEN, KDPP),
            "n_rounds": 2,
            "n_initial": 40,
            "n_hidden": 32,
            **_SHORTER,
            "max_epochs": 60,
        },
    ),
)
_QUICK = Preset(
    title="The paper's comparison on three data sets that need no network.",
    deviations=("digits is run at B = 100 alone, having 1,438 rows in its pool.",),
    repeats=5,
    parts=tuple(
        part
        for dataset, batch_size, max_labels in (
            ("digits", 100, 1_100),
            ("kropt", 100, 1_100),
            ("random_rbf", 100, 1_100),
            ("kropt", 1_000, 4_100),
            ("random_rbf", 1_000, 4_100),
        )
        for part in _settings(
            dataset,
            "mlp",
            batch_size,
            max_labels=max_labels,
            kdpp_repeats=1 if batch_size == 1_000 else None,
            **_SHORTER,
        )
    ),
)
_PAPER_PRESET = Preset(
    title="The paper's 27 settings, five times each; read --dry-run first.",
    deviations=(),
    repeats=5,
    parts=tuple(
        part
        for dataset, model in _PAPER_SETTINGS
        for batch_size in _PAPER_BATCHES
        for part in _settings(dataset, model, batch_size, **_PAPER)
    ),
)
_PAPER_SMALL = Preset(
    title="The paper's 27 settings to some 5,000 labels: one GPU, 16 cores, a night.",
    deviations=(),
    repeats=3,
    parts=tuple(
        part
        for dataset, model in _PAPER_SETTINGS
        for batch_size in _PAPER_BATCHES
        for part in _settings(
            dataset,
            model,
            batch_size,
            kdpp_repeats=0,
            max_labels=10_100 if batch_size == 10_000 else 5_100,
            max_updates=100_000,
            width=16,
        )
    ),
)
_IMAGES = Preset(
    title="Fashion-MNIST with an MLP and a narrow ResNet-18, batches up to 10,000.",
    deviations=("Fashion-MNIST stands for the paper's image data.",),
    repeats=3,
    parts=tuple(
        part
        for model, batch_size, max_labels, max_epochs in (
            ("mlp", 100, 1_100, 100),
            ("mlp", 1_000, 5_100, 100),
            ("mlp", 10_000, 20_100, 100),
            ("resnet", 100, 300, 100),
            ("resnet", 1_000, 2_100, 100),
            ("resnet", 10_000, 10_100, 10),
        )
        for part in _settings(
            "fashion_mnist",
            model,
            batch_size,
            kdpp_repeats=0,
            max_labels=max_labels,
            max_epochs=max_epochs,
            width=8,
        )
    ),
)
# Its time grows with the square of the pool: run on digits alone.
_SMALL_POOLS = ("probcover",)
# Made for small batches: run on those of five and ten, of pools that are not large.
_SMALL_BATCHES = ("batch-bald",)
_MOST = tuple(
    name for name in STRATEGIES if name not in (KDPP, *_SMALL_POOLS, *_SMALL_BATCHES)
)
# Those that a small convolutional net is trained for as well.
_SOME = (*SEVEN, "bait", "uherding", "power-marg")
_FIELD = Preset(
    title="The strategies that are here, in low and high budgets, in five tasks.",
    deviations=(
        "No experiment of the paper: ten labels a class at the start, then twenty "
        "batches of one label a class (low) or of ten (high); nine of ten on digits, "
        "whose pool has 1,438 rows, and for the convolutional net.",
        "Frozen features of Fashion-MNIST (of EfficientNet-Lite0, on pictures enlarged "
        "to 112 pixels, their 128 leading principal components) with a linear head; "
        "small nets of 128 hidden units on tables and digits; a small convolutional "
        "net on Fashion-MNIST, with large batches, fewer repeats and "
        f"{len(_SOME)} of the strategies alone.",
        "ProbCover was run on digits alone, as its time grows with the square of the "
        "pool, and BatchBALD, which is made for small batches, on those of digits and "
        "RandomRBF, as more rows or classes take it far longer than all others. "
        "Refine narrows the pool down three times by 20 batches; its paper, five times "
        "by 100.",
        "UHerding and MaxHerding cover 2,000 random rows of the pool, not all; they "
        "choose from all.",
        "First batches are random; field-cold is the variant without a label.",
    ),
    repeats=5,
    parts=tuple(
        {
            "datasets": (dataset,),
            "models": (model,),
            **({"max_repeats": 3} if model == "convnet" else {}),
            "batch_sizes": (size * n_classes,),
            "strategies": strategies,
            "n_initial": 10 * n_classes,
            "n_rounds": n_rounds,
            "n_hidden": 128,
            "width": 16,
            "standardize": model != "linear",
            "learning_rate": 1e-2 if model == "linear" else 3e-3,
            "max_epochs": 100,
            "stop": "reaches",
        }
        for dataset, model, n_classes, size, n_rounds, strategies in (
            ("fashion_mnist_features", "linear", 10, 1, 20, _MOST),
            ("fashion_mnist_features", "linear", 10, 10, 20, _MOST),
            ("digits", "mlp", 10, 1, 20, (*_MOST, *_SMALL_BATCHES, *_SMALL_POOLS)),
            # Its pool has 1,438 rows: before the twentieth, all have chosen the same.
            ("digits", "mlp", 10, 10, 9, (*_MOST, *_SMALL_POOLS)),
            ("random_rbf", "mlp", 5, 1, 20, (*_MOST, *_SMALL_BATCHES)),
            ("random_rbf", "mlp", 5, 10, 20, _MOST),
            ("kropt", "mlp", 18, 1, 20, _MOST),
            ("kropt", "mlp", 18, 10, 20, _MOST),
            ("fashion_mnist", "convnet", 10, 10, 9, _SOME),
        )
    ),
)
# The first batch, and what goes on from it.
_COLD = tuple(
    first + name
    for first in ("", *(f"{cold}+" for cold in COLD_STARTS))
    for name in ("rand", "marg", "badge", "typiclust", "uherding")
)
_FIELD_COLD = Preset(
    title="Some of the field, without a label at the start.",
    deviations=(
        "No experiment of the paper: the first batch is as large as the twenty that "
        "follow, one label a class (low) or ten (high; of these, nine follow on "
        "digits), and is chosen at random, by k-means or by TypiClust on what the net "
        "is given.",
        "Frozen features of Fashion-MNIST with a linear head, and digits with an MLP "
        "of 128 hidden units; five strategies.",
        _FIELD.deviations[3],
    ),
    repeats=5,
    parts=tuple(
        {
            **part,
            "batch_sizes": (size,),
            "strategies": _COLD,
            "n_initial": size,
        }
        for part in _FIELD.parts[:4]
        for size in part["batch_sizes"]
    ),
)
PRESETS = {
    "smoke": _SMOKE,
    "quick": _QUICK,
    "field": _FIELD,
    "field-cold": _FIELD_COLD,
    "images": _IMAGES,
    "paper-small": _PAPER_SMALL,
    "paper": _PAPER_PRESET,
}


def preset_cells(
    name: str,
    *,
    repeats: int | None = None,
    own_strategies: Sequence[str | QueryStrategy | Callable[..., QueryStrategy]] = (),
    own_models: Sequence[str | Callable[[], Any]] = (),
    **settings: Any,
) -> list[Cell]:
    """Return the cells of a named experiment.

    Parameters
    ----------
    name : str
        A key of `PRESETS`; ``PRESETS[name]`` says what it is.
    repeats : int or None, default=None
        In place of the experiment's own number.
    own_strategies, own_models : sequence, default=()
        Strategies and nets of your own, as `make_cells` takes them, that join the
        others in every setting.
    **settings : dict
        Attributes of `Cell` in place of the experiment's own, such as ``seed`` or
        ``device``.

    Returns
    -------
    list of Cell

    Examples
    --------
    >>> from skbadge.benchmarks import preset_cells
    >>> cells = preset_cells("paper")
    >>> len({(cell.dataset, cell.model, cell.batch_size) for cell in cells})
    27
    """
    preset = PRESETS[check_option(name, "preset", tuple(PRESETS))]
    repeats = preset.repeats if repeats is None else repeats
    check_integer(repeats, "repeats", low=1)
    cells: dict[tuple[Any, ...], Cell] = {}
    for part in preset.parts:
        part = dict(part)
        count = min(repeats, part.pop("max_repeats", repeats))
        part["models"] = (*part.get("models", ("mlp",)), *own_models)
        if KDPP not in part["strategies"] or len(part["strategies"]) > 1:
            part["strategies"] = (*part["strategies"], *own_strategies)
        for cell in make_cells(repeats=count, **(part | settings)):
            # Nets of one's own come with each of the preset's; once is enough.
            cells.setdefault(tuple(cell.key.values()), cell)
    return list(cells.values())


def preset_deviations(name):
    """Return how a named experiment deviates from the paper (list of str)."""
    return [*PRESETS[name].deviations, *deviations_of(preset_cells(name))]

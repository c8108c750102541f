"""Experiments that are named: the paper's, a quick one, and one of seconds."""

from __future__ import annotations

from dataclasses import dataclass

from skbadge.benchmarks._settings import SEVEN, make_cells
from skbadge.utils._validation import check_integer, check_option

__all__ = ["PRESETS", "Preset", "preset_cells"]

KDPP = "badge-kdpp"


@dataclass(frozen=True)
class Preset:
    """An experiment: what it is for, how it deviates from the paper, and its parts.

    Attributes
    ----------
    title : str
        In one sentence.
    deviations : tuple of str
        From the paper's text.
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
}
_PAPER = {"max_labels": 50_000}


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
    if batch_size <= 1_000:
        part = {**shared, "strategies": (KDPP,)}
        parts.append(part | ({"max_repeats": kdpp_repeats} if kdpp_repeats else {}))
    return parts


PRESETS = {
    "smoke": Preset(
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
    ),
    "quick": Preset(
        title="The paper's comparison on three data sets that need no network.",
        deviations=(
            "Inputs are standardized on the pool; the paper leaves tables as they are.",
            "The learning rate is 1e-3 everywhere; the paper has 1e-4 on tables.",
            "A training ends after 300 epochs at the latest; the paper has no limit.",
            "At most 1,100 labels at B = 100 and 4,100 at B = 1000, of 50,000.",
            "No batches of 10,000.",
            "digits, which is not in the paper, at B = 100 alone, having 1,438 rows.",
            "The k-DPP runs once at B = 1000.",
        ),
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
    ),
    "paper": Preset(
        title="The paper's 27 settings, five times each.",
        deviations=(
            "A training ends after 2,000 epochs at the latest; the paper has no limit.",
            "Split, initial set and initial weights are shared by all methods of a "
            "repeat.",
        ),
        repeats=5,
        parts=tuple(
            part
            for dataset, model in (
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
            for batch_size in (100, 1_000, 10_000)
            for part in _settings(dataset, model, batch_size, **_PAPER)
        ),
    ),
}


def preset_cells(name, *, repeats=None, **settings):
    """Return the cells of a named experiment.

    Parameters
    ----------
    name : {"smoke", "quick", "paper"}
        ``PRESETS[name]`` says what it is and how it deviates from the paper.
    repeats : int or None, default=None
        In place of the experiment's own number.
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
    cells = []
    for part in preset.parts:
        part = dict(part)
        count = min(repeats, part.pop("max_repeats", repeats))
        cells += make_cells(repeats=count, **(part | settings))
    return cells

"""The command ``benchmark``: what is run, and how."""

from __future__ import annotations

import os
import sys
import textwrap
from argparse import RawDescriptionHelpFormatter
from dataclasses import replace
from pathlib import Path

import torch

from skbadge.benchmarks._cli._text import curves_picture, plan_text, results_text, say
from skbadge.benchmarks._methods import SEVEN, STRATEGIES, is_reference
from skbadge.benchmarks.run._backends import BACKENDS, parallel_backend
from skbadge.benchmarks.run._estimate import estimate
from skbadge.benchmarks.run._files import describe_file
from skbadge.benchmarks.run._gpus import count_gpus
from skbadge.benchmarks.run._grid import run_grid
from skbadge.benchmarks.run._presets import PRESETS, preset_cells
from skbadge.benchmarks.run._settings import MODELS, PUBLISHED_CODE, make_cells
from skbadge.benchmarks.run._store import PICTURE, SETTINGS, TABLES, told_of_the_disk
from skbadge.datasets import DATASETS
from skbadge.exceptions import InvalidInputError
from skbadge.modules._classifier import PRECISIONS

__all__ = ["add_parser"]

_DESCRIPTION = """\
Run active learning on data with known labels, and compare strategies.

By default: the paper's seven methods on scikit-learn's digits with a two-layer
perceptron, trained anew beyond 99% training accuracy each round; 100 random labels at
the start, 8 rounds of 50 more, 3 repeats; inputs standardized on the pool, Adam
with learning rate 1e-3, 256 hidden units, at most 300 epochs. Split, initial labels
and initial weights of a repeat are the same for all methods.
"""
_NAMES = textwrap.fill(
    " ".join(STRATEGIES),
    width=78,
    initial_indent="  ",
    subsequent_indent="  ",
    break_on_hyphens=False,
)
_EPILOG = f"""\
strategies:
{_NAMES}
  or one of your own, mymodule:MyStrategy or "mymodule:MyStrategy(option=1)"; after a
  cold start, typiclust+badge, the first rows are chosen without labels, not at random

presets:
{chr(10).join(f"  {name:11} {preset.title}" for name, preset in PRESETS.items())}
  With a preset, --dataset, --model, --batch-size and --strategies select among its
  settings (one of your own, or after a cold start, joins them), and the other options
  replace its own. A data set that is none of its own, or a file, takes their place.

data and nets of your own:
  FILE.npz holds the arrays X, of shape (rows, features), or (rows, channels, height,
  width) for --model resnet, and y, labels of any type; also X_test and y_test, or
  else a tenth of the rows is drawn for testing. Write it with numpy.savez.
  FILE.csv and FILE.parquet are tables; --target names their column of labels.
  --learner mymodule:make_learner names a function that returns a classifier (a skorch
  net, or a pipeline that ends in one); tables reach it as they are.

written to --out:
  results.csv (scores and chosen rows of each round: always the same for the same
  seed), costs.csv (times and memory), learning_curves.png, settings.json, and the
  folder cells. The same command again goes on from there; another one adds to it.

examples:
  python -m skbadge benchmark --dataset my.npz --batch-size 20 --rounds 10
  python -m skbadge benchmark --dataset my.csv --target kind --metric balanced_accuracy
  python -m skbadge benchmark --dataset my.csv --target kind --learner mine:make_learner
  python -m skbadge benchmark --strategies badge marg rand --repeats 10 --seed 1
  python -m skbadge benchmark --preset quick --out quick
  python -m skbadge benchmark --preset paper --dry-run
  python -m skbadge benchmark --preset paper --dataset kropt --batch-size 1000
  python -m skbadge benchmark --preset paper --model resnet --device cuda
  python -m skbadge benchmark --backend dask --scheduler tcp://192.0.2.1:8786
"""
# What is run where no preset is asked for; also what --dataset FILE is run with.
_DEFAULTS = {
    "dataset": ["digits"],
    "model": ["mlp"],
    "batch_size": [50],
    "strategies": list(SEVEN),
    "repeats": 3,
    "n_rounds": 8,
    "n_initial": 100,
}
_FIXED = {
    "standardize": True,
    "learning_rate": 1e-3,
    "n_hidden": 256,
    "max_epochs": 300,
}
# Presets that nobody starts without knowing how long they take.
_LONG = ("paper", "paper-small")
# Options that replace a setting of every cell, where they are given.
_REPLACING = ("n_rounds", "n_initial", "max_epochs", "max_updates", "data_dir")


def add_parser(commands):
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "benchmark",
        help="compare strategies on data with known labels",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_experiment(parser.add_argument_group("the experiment"))
    _add_training(parser.add_argument_group("how nets are trained"))
    _add_execution(parser.add_argument_group("how it is run"))
    parser.set_defaults(
        run=_run,
        on_interrupt="Finished cells are kept: the same command goes on.",
    )


def _add_experiment(group):
    several = {"nargs": "+", "action": "extend"}
    group.add_argument(
        "--preset", choices=tuple(PRESETS), help="a named experiment, see below"
    )
    group.add_argument(
        "--dataset",
        metavar="NAME|FILE",
        help="one or more ('python -m skbadge datasets' lists names)",
        **several,
    )
    group.add_argument(
        "--target", default="", metavar="COLUMN", help="the labels of a CSV or parquet"
    )
    group.add_argument(
        "--model", choices=MODELS, help="one or more (default: mlp)", **several
    )
    group.add_argument(
        "--learner",
        metavar="MODULE:FUNCTION",
        help="a net or pipeline of your own in place of --model, one or more",
        **several,
    )
    group.add_argument(
        "--strategies",
        metavar="NAME",
        help="one or more (default: the paper's seven, badge to rand)",
        **several,
    )
    group.add_argument(
        "--batch-size",
        type=int,
        metavar="B",
        help="labels bought in a round, one or more (default: 50)",
        **several,
    )
    for name, target, text in (
        ("--rounds", "n_rounds", "rounds at most (default: 8)"),
        ("--n-initial", "n_initial", "random labels at the start (default: 100)"),
        ("--repeats", "repeats", "repeats (default: 3)"),
    ):
        group.add_argument(name, dest=target, type=int, metavar="N", help=text)
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="fixes everything (default: 0)"
    )
    group.add_argument(
        "--metric",
        default=[],
        metavar="NAME",
        help="scores on the test set beside the accuracy: names of scikit-learn's "
        "scorers, such as balanced_accuracy; recall=CLASS, also f1, precision, "
        "average_precision, for one class; or mymodule:scorer",
        **several,
    )
    group.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder with the original files of CIFAR-10, SVHN, MNIST or "
        "Fashion-MNIST, for example torchvision's root",
    )
    group.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out data sets that cannot be had, and say so in the report",
    )


def _add_training(group):
    group.add_argument(
        "--max-epochs", type=int, metavar="N", help="cap of each training in epochs"
    )
    group.add_argument(
        "--max-updates", type=int, metavar="N", help="the same in updates of weights"
    )
    group.add_argument(
        "--as-published-code",
        "--public-code",
        action="store_true",
        help="follow the paper's public code where it differs from the text: longest "
        "gradient first, ALBL's chosen arm, learning rate 1e-4, gradients clamped to "
        "[-0.1, 0.1], a resnet of width 16, training to 99%% and not beyond; the "
        "report takes its budgets and t test",
    )
    group.add_argument(
        "--device", default="cpu", help="where torch computes (default: cpu)"
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of products in training: bfloat16 is mixed precision, faster where the "
        "device has it (default: float32)",
    )


def _add_execution(group):
    group.add_argument(
        "--out",
        default="results",
        metavar="DIR",
        help="folder for what is found (default: results); finished cells in it that "
        "have the same settings are kept, interrupted ones go on",
    )
    group.add_argument(
        "--resume", action="store_true", help="nothing: it is what is done anyway"
    )
    group.add_argument(
        "--fresh",
        action="store_true",
        help="run every cell anew; the old ones are kept under another name",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be run, with which data, and how long it may take here",
    )
    group.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="cells at a time, one core each, or with --device cuda one GPU each "
        "(default: -1, all cores; with --device cuda all GPUs)",
    )
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default="loky",
        help="what runs them: processes here, or a Dask cluster (default: loky)",
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a running Dask cluster with one thread a worker; without it, "
        "--backend dask starts one here",
    )


def _run(options):
    if options.scheduler and options.backend != "dask":
        raise InvalidInputError("--scheduler needs --backend dask.")
    if options.resume and options.fresh:
        raise InvalidInputError("--resume and --fresh are opposites: give one of them.")
    if options.fresh:
        options.on_interrupt = (
            "Finished cells are kept: the same command without --fresh goes on."
        )
    named = [options.strategies, options.learner, options.metric]
    if any(is_reference(name) for names in named for name in names or []):
        # As 'python -m' does: modules of one's own are in the current folder.
        sys.path.insert(0, os.getcwd())
    cells, about = _experiment(options)
    if options.dry_run:
        print(plan_text(estimate(cells, data_dir=options.data_dir)))  # noqa: T201
        return 0
    if options.preset in _LONG:
        say(
            f"note: --preset {options.preset} can take very long: read first what "
            "the same command says with --dry-run."
        )
    n_jobs = options.jobs
    if n_jobs is None:
        n_jobs = max(1, count_gpus()) if options.device == "cuda" else -1
    with parallel_backend(
        options.backend, n_jobs, scheduler=options.scheduler
    ) as n_jobs:
        grid = run_grid(
            cells,
            options.out,
            n_jobs=n_jobs,
            resume=not options.fresh,
            progress=True,
            about=about,
            skip_missing=options.skip_missing,
        )
    return _tell(grid, Path(options.out))


def _tell(grid, out):
    """Print what came out, and return the exit status."""
    written = [*TABLES[:2], SETTINGS]
    if len(grid.results):
        print(results_text(grid.results))  # noqa: T201
        with told_of_the_disk():
            curves_picture(grid.results, out / PICTURE)
        written.append(PICTURE)
    for hit in grid.settings["summary"]["trainings_stopped_by_max_epochs"]:
        if hit["hits"]:
            say(
                "note: {hits} of {trainings} trainings on {dataset} ({model}, B = "
                "{batch_size}) ended at the cap, not above 99% training "
                "accuracy: --max-epochs and --max-updates raise it.".format(**hit)
            )
    print(f"Written to {out}: {', '.join(written)}.")  # noqa: T201
    if len(grid.failures):
        first, n_cells = grid.failures.iloc[0], grid.settings["summary"]["cells"]
        say(
            f"error: {len(grid.failures)} of {n_cells} cells failed, the first "
            f"({first['dataset']}, {first['strategy']}, repeat {first['repeat']}) "
            f"with {first['error'].rstrip('. ')}. All are in {out / 'failures.csv'}."
        )
        return 1
    return 0


def _experiment(options):
    """Return the cells that were asked for, and what is to be said of them."""
    given = vars(options)
    settings = {
        "seed": options.seed,
        "device": _check_device(options.device),
        "precision": options.precision,
        "metrics": tuple(options.metric),
    }
    if options.data_dir is not None and not Path(options.data_dir).is_dir():
        raise InvalidInputError(
            f"--data-dir must name a folder. Got {options.data_dir!r} instead."
        )
    settings |= PUBLISHED_CODE if options.as_published_code else {}
    settings |= {name: given[name] for name in _REPLACING if given[name] is not None}
    about = {"preset": options.preset or "none"}
    if not options.preset:
        return _of_options(options, settings), about
    preset = PRESETS[options.preset]
    about["title"] = preset.title
    if preset.deviations:
        about["of_the_preset"] = list(preset.deviations)
    return _of_preset(options, settings), about


def _of_options(options, settings):
    given = vars(options)
    values = {
        name: default if given[name] is None else given[name]
        for name, default in _DEFAULTS.items()
    }
    models = values["model"] if options.model or not options.learner else []
    settings = {
        **_FIXED,
        **{name: values[name] for name in ("n_rounds", "n_initial")},
        **settings,
    }
    if options.target and all(name in DATASETS for name in values["dataset"]):
        raise InvalidInputError(
            "--target names the column of labels in a table, --dataset FILE.csv or "
            f"FILE.parquet. Got {options.target!r} without one."
        )
    cells = []
    for source in [_source(name, options.target) for name in values["dataset"]]:
        cells += make_cells(
            [source.pop("dataset")],
            models=[*models, *(options.learner or [])],
            batch_sizes=values["batch_size"],
            strategies=values["strategies"],
            repeats=values["repeats"],
            **(settings | source),
        )
    return cells


def _source(name, target):
    """Return what a cell says of a data set: its name, and the file where it is one."""
    return {"dataset": name} if name in DATASETS else describe_file(name, target)


def _of_preset(options, settings):
    """Return the cells of a preset that the options leave, or add to."""
    cells = preset_cells(
        options.preset,
        repeats=options.repeats,
        own_strategies=[n for n in options.strategies or [] if n not in STRATEGIES],
        own_models=options.learner or [],
        **settings,
    )
    if options.dataset:
        sources = [_source(name, options.target) for name in options.dataset]
        there = {cell.dataset for cell in cells}
        cells = [cell for source in sources for cell in _on(cells, source, there)]
    wanted = {
        "model": options.model and [*options.model, *(options.learner or [])],
        "batch_size": options.batch_size,
        "strategy": options.strategies,
    }
    for name, values in wanted.items():
        if values is None:
            continue
        there = list(dict.fromkeys(getattr(cell, name) for cell in cells))
        foreign = [value for value in values if value not in there]
        if foreign:
            raise InvalidInputError(
                f"With --preset {options.preset}, {name} must be among "
                f"{', '.join(map(str, there))}. Got {foreign[0]} instead: leave "
                "--preset away for other settings."
            )
        cells = [cell for cell in cells if getattr(cell, name) in values]
    return cells


def _on(cells, source, there):
    """Return a preset's cells on a data set: its own, or those that it stands in for.

    Another registered set takes the place of those of its kind, a file that of all;
    where their settings differ, it has those of the first.
    """
    name = source["dataset"]
    if name in there:
        return [cell for cell in cells if cell.dataset == name]
    if name in DATASETS:
        kind = DATASETS[name].kind
        same = [cell for cell in cells if DATASETS[cell.dataset].kind == kind]
        cells = same or cells
    found = {}
    for cell in cells:
        other = replace(cell, **source)
        found.setdefault(tuple(other.key.values()), other)
    return list(found.values())


def _check_device(device):
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InvalidInputError(
            f"--device must be one that torch has here, such as cpu or cuda. Got "
            f"{device!r} instead: {first}"
        ) from error
    return device

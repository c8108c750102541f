"""Command line: ``python -m skbadge benchmark``, ``datasets`` and ``report``."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import torch
from tqdm import tqdm

from skbadge import __version__
from skbadge._cli_output import curves_picture, datasets_text, results_text
from skbadge.benchmarks import (
    MODELS,
    PRESETS,
    STRATEGIES,
    describe_file,
    load_grid,
    make_cells,
    preset_cells,
    run_grid,
    write_report,
)
from skbadge.benchmarks._backends import BACKENDS, parallel_backend
from skbadge.benchmarks._settings import SEVEN
from skbadge.datasets import DATASETS, datasets_table
from skbadge.exceptions import InvalidInputError, SkbadgeError

__all__ = ["main"]

_DESCRIPTION = "Deep active learning: benchmarks, their data sets and reports."
_EPILOG = """\
examples:
  python -m skbadge benchmark                     seven methods on digits, a minute
  python -m skbadge benchmark --dataset my.npz    the same on data of your own
  python -m skbadge report results                an HTML page of what came out
  python -m skbadge datasets                      what data there are

'python -m skbadge benchmark --help' says more.
"""
_BENCHMARK = """\
Run active learning on data with known labels, and compare strategies.

By default: the paper's seven methods on scikit-learn's digits with a two-layer
perceptron, trained anew to 99% training accuracy each round; 100 random labels at
the start, 8 rounds of 50 more, 3 repeats; inputs standardized on the pool, Adam
with learning rate 1e-3, 256 hidden units, at most 300 epochs. Split, initial labels
and initial weights of a repeat are the same for all methods.
"""
_BENCHMARK_EPILOG = f"""\
strategies:
  badge badge-kdpp albl coreset conf marg entropy rand

presets:
{chr(10).join(f"  {name:6} {preset.title}" for name, preset in PRESETS.items())}
  With a preset, --dataset, --model, --batch-size and --strategies select among its
  settings, and the other options replace its own.

data of your own:
  FILE.npz holds the arrays X, of shape (rows, features), or (rows, channels, height,
  width) for --model resnet, and y, labels of any type; also X_test and y_test, or
  else a tenth of the rows is drawn for testing. Write it with numpy.savez.

written to --out:
  results.csv (accuracy and chosen rows of each round: always the same for the same
  seed), costs.csv (times and memory), learning_curves.png, settings.json, and the
  folder cells, from which --resume goes on.

examples:
  python -m skbadge benchmark --dataset my.npz --batch-size 20 --rounds 10
  python -m skbadge benchmark --strategies badge marg rand --repeats 10 --seed 1
  python -m skbadge benchmark --preset quick --out quick
  python -m skbadge benchmark --preset quick --out quick --resume
  python -m skbadge benchmark --preset paper --dataset kropt --batch-size 1000
  python -m skbadge benchmark --preset paper --model resnet --device cuda --jobs 1
  python -m skbadge benchmark --backend dask --scheduler tcp://192.0.2.1:8786
"""
# What is run where no preset is asked for; also what --dataset FILE.npz is run with.
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
_DEVIATIONS = [
    "Inputs are standardized on the pool.",
    "The learning rate is 1e-3 and there are 256 hidden units on all data.",
    "A training ends after 300 epochs at the latest.",
    "Fewer labels and repeats than the paper has.",
]


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 where cells failed, 2 for wrong input, 130 for Ctrl-C.
    """
    options = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return options.run(options)
        except (SkbadgeError, OSError) as error:
            _say(f"error: {error}")
            return 2
        except KeyboardInterrupt:
            _say(
                "interrupted. Finished cells are kept: the same command with --resume "
                "goes on."
                if options.run is _benchmark
                else "interrupted."
            )
            return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m skbadge",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    benchmark = commands.add_parser(
        "benchmark",
        help="compare strategies on data with known labels",
        description=_BENCHMARK,
        epilog=_BENCHMARK_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_experiment(benchmark.add_argument_group("the experiment"))
    _add_execution(benchmark.add_argument_group("how it is run"))
    benchmark.set_defaults(run=_benchmark)
    datasets = commands.add_parser(
        "datasets", help="list the data sets", description="List the data sets."
    )
    datasets.set_defaults(run=_datasets)
    report = commands.add_parser(
        "report",
        help="write an HTML page of a benchmark",
        description="Write one HTML page, with its tables as CSV files, of what a "
        "benchmark has found so far.",
    )
    report.add_argument("directory", metavar="DIR", help="the benchmark's --out")
    report.add_argument("--out", metavar="DIR", help="where to (default: the same DIR)")
    report.set_defaults(run=_report)
    return parser


def _add_experiment(group):
    several = {"nargs": "+", "action": "extend"}
    group.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="a named experiment, see below",
    )
    group.add_argument(
        "--dataset",
        metavar="NAME|FILE.npz",
        help="one or more ('python -m skbadge datasets' lists names)",
        **several,
    )
    group.add_argument(
        "--model", choices=MODELS, help="one or more (default: mlp)", **several
    )
    group.add_argument(
        "--strategies",
        choices=STRATEGIES,
        metavar="NAME",
        help="one or more (default: all but badge-kdpp)",
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
        "--public-code",
        action="store_true",
        help="follow the paper's public code where it differs from the text: gradients "
        "clamped to [-0.1, 0.1], a resnet of width 16",
    )


def _add_execution(group):
    group.add_argument(
        "--out",
        default="results",
        metavar="DIR",
        help="folder for what is found (default: results)",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="keep finished cells of DIR that have the same settings, go on with "
        "interrupted ones",
    )
    group.add_argument(
        "--jobs",
        type=int,
        default=-1,
        metavar="N",
        help="cells at a time, one core each (default: -1, all cores)",
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
    group.add_argument(
        "--device", default="cpu", help="where torch computes (default: cpu)"
    )


def _benchmark(options):
    if options.scheduler and options.backend != "dask":
        raise InvalidInputError("--scheduler needs --backend dask.")
    cells, about = _experiment(options)
    with parallel_backend(
        options.backend, options.jobs, scheduler=options.scheduler
    ) as n_jobs:
        grid = run_grid(
            cells,
            options.out,
            n_jobs=n_jobs,
            resume=options.resume,
            progress=True,
            about=about,
        )
    out = Path(options.out)
    written = ["results.csv", "costs.csv", "settings.json"]
    if len(grid.results):
        print(results_text(grid.results))  # noqa: T201
        curves_picture(grid.results, out / "learning_curves.png")
        written.append("learning_curves.png")
    for hit in grid.settings["summary"]["trainings_stopped_by_max_epochs"]:
        if hit["hits"]:
            _say(
                "note: {hits} of {trainings} trainings on {dataset} ({model}, B = "
                "{batch_size}) ended at the cap on epochs, below 99% training "
                "accuracy.".format(**hit)
            )
    print(f"Written to {out}: {', '.join(written)}.")  # noqa: T201
    if len(grid.failures):
        first = grid.failures.iloc[0]
        _say(
            f"error: {len(grid.failures)} of {len(cells)} cells failed, the first "
            f"({first['dataset']}, {first['strategy']}, repeat {first['repeat']}) "
            f"with {first['error'].rstrip('. ')}. All are in {out / 'failures.csv'}."
        )
        return 1
    return 0


def _experiment(options):
    """Return the cells that were asked for, and what is to be said of them."""
    settings = {"seed": options.seed, "device": _check_device(options.device)}
    if options.public_code:
        settings |= {"clamp_gradients": True, "width": 16}
    given = vars(options)
    for name in ("n_rounds", "n_initial"):
        if given[name] is not None:
            settings[name] = given[name]
    if options.preset:
        cells = preset_cells(options.preset, repeats=options.repeats, **settings)
        preset = PRESETS[options.preset]
        about = {
            "preset": options.preset,
            "title": preset.title,
            "deviations_from_the_paper": list(preset.deviations),
        }
        return _selected(cells, options), about
    values = {
        name: default if given[name] is None else given[name]
        for name, default in _DEFAULTS.items()
    }
    settings |= {name: values[name] for name in ("n_rounds", "n_initial")}
    cells = []
    sources = [_source(name) for name in values["dataset"]]
    for source in sources:
        cells += make_cells(
            [source.pop("dataset")],
            models=values["model"],
            batch_sizes=values["batch_size"],
            strategies=values["strategies"],
            repeats=values["repeats"],
            **(_FIXED | settings | source),
        )
    return cells, {"preset": "none", "deviations_from_the_paper": _DEVIATIONS}


def _source(name):
    """Return what a cell says of a data set: its name, and the file where it is one."""
    return {"dataset": name} if name in DATASETS else describe_file(name)


def _selected(cells, options):
    """Return the cells of a preset that the options leave."""
    wanted = {
        "dataset": options.dataset,
        "model": options.model,
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


def _datasets(options):
    print(datasets_text(datasets_table()))  # noqa: T201
    return 0


def _report(options):
    grid = load_grid(options.directory)
    if grid.results.empty:
        raise InvalidInputError(
            f"{options.directory} must hold at least one finished cell. Got none yet: "
            "python -m skbadge benchmark --resume goes on with it."
        )
    settings = {
        name: value
        for part in ("about", "shared", "summary")
        for name, value in grid.settings[part].items()
    }
    page = write_report(
        grid.results,
        grid.costs,
        options.directory if options.out is None else options.out,
        settings=settings,
        missing=grid.missing,
        failures=grid.failures,
    )
    print(f"Written: {page}")  # noqa: T201
    return 0


def _say(text):
    """Print one line to the standard error."""
    print("skbadge: " + " ".join(text.split()), file=sys.stderr)  # noqa: T201


def _show_warning(message, category, filename, lineno, file=None, line=None):
    # Through tqdm, which moves its bar out of the way.
    tqdm.write("skbadge: warning: " + " ".join(str(message).split()), file=sys.stderr)

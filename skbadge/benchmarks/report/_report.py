"""The report of an experiment: one HTML page and the tables behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from skbadge.benchmarks._methods import strategy_order
from skbadge.benchmarks.analysis._arms import arm_shares
from skbadge.benchmarks.analysis._chance import chance_matrix
from skbadge.benchmarks.analysis._comparison import (
    GROUPS,
    TESTS,
    normalized_error_cdf,
    penalty_matrix,
)
from skbadge.benchmarks.analysis._curves import (
    SETTING,
    Rule,
    area_under_budget_curve,
    check_costs,
    check_results,
    label_budgets,
    learning_curves,
    running_times,
)
from skbadge.benchmarks.analysis._ranks import ranks_by_part, win_shares
from skbadge.benchmarks.report import _figures as figures
from skbadge.benchmarks.report import _tables as lists
from skbadge.benchmarks.report._page import page
from skbadge.benchmarks.report._verdict import verdict
from skbadge.benchmarks.run._csv import as_csv
from skbadge.benchmarks.run._presets import PAPER_SETTINGS
from skbadge.exceptions import InvalidInputError
from skbadge.utils._files import write_file
from skbadge.utils._validation import check_option

__all__ = ["write_report"]

_TITLE = "Deep batch active learning: results"


def write_report(
    results: pd.DataFrame,
    costs: pd.DataFrame | None,
    out_dir: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    missing: pd.DataFrame | Sequence[Mapping[str, Any]] | None = None,
    failures: pd.DataFrame | Sequence[Mapping[str, Any]] | None = None,
    rule: Rule = "paper",
    scale: Literal["linear", "log2"] = "linear",
    metric: str = "accuracy",
) -> Path:
    """Write one HTML page that shows an experiment, and CSV tables beside it.

    It begins with a verdict: which strategy to take, how sure that is, and what else
    would be needed to know.
    The page holds everything in itself, pictures too, and can be mailed or put on a
    server as it is. It has the paper's comparisons: learning curves (Figures 2, 3 and 6
    to 12), penalty matrices (4, 13 and 14), normalized errors (5, 15 and 16), and
    k-means++ against the k-DPP (1 and 17 to 23). An unfinished grid gives a report that
    says what is missing.

    Parameters
    ----------
    results : DataFrame
        Tidy results, as for :func:`learning_curves`.
    costs : DataFrame or None
        Tidy costs, as for :func:`running_times`; None leaves the times out.
    out_dir : str or Path
        Folder for the files, made where there is none. Files of an earlier report are
        replaced, each in one step.
    settings : mapping or None, default=None
        How the experiment was run: shown as it is, seeds and versions included.
    missing : DataFrame, list of mappings or None, default=None
        Cells that have not been run, one a row.
    failures : DataFrame, list of mappings or None, default=None
        Cells that failed, one a row; a field ``traceback`` is shown folded.
    rule : {"paper", "code"}, default="paper"
        Rule of the label budgets, see :func:`label_budgets`.
    scale : {"linear", "log2"}, default="linear"
        Scale of the labels in the learning curves.
    metric : str, default="accuracy"
        The score to compare by: a column of the results.

    Returns
    -------
    Path
        The page, ``report.html``. Beside it are ``learning_curves.csv``,
        ``label_budgets.csv``, ``penalty_matrix.csv``, ``chance_matrix.csv``,
        ``penalty_comparisons.csv``, ``normalized_error_cdf.csv``,
        ``normalized_errors.csv``, ``area_under_budget_curve.csv``,
        ``ranks_by_part.csv``, ``win_shares.csv``, with costs ``running_times.csv`` and
        ``running_times_total.csv``, and ``arm_shares.csv`` where arms were recorded.

    Raises
    ------
    InvalidInputError
        If a table is not as described, or an option is unknown.

    Notes
    -----
    The page carries no date: the same tables give the same files.
    """
    check_option(scale, "scale", ("linear", "log2"))
    missing = _records(missing, "missing")
    failures = _records(failures, "failures")
    tables = ReportTables(results, costs, rule, metric, settings)
    lead = [*verdict(tables), *lists.capped(tables)]
    lead += lists.summary(tables, missing, failures)
    text = page(_TITLE, lead, _sections(tables, settings, missing, failures, scale))
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.files().items():
        write_file(out_dir / name, as_csv(frame))
    path = out_dir / "report.html"
    write_file(path, text)
    return path


def _sections(tables, settings, missing, failures, scale):
    """Return the parts of each section by its title, in the order of the page."""
    return {
        "Who beats whom": figures.comparisons(tables),
        "Errors relative to random sampling": figures.errors(tables),
        "Learning curves": figures.curves(tables, scale),
        "Area under the budget curve": lists.areas(tables),
        "Ranks by part of the campaign": lists.ranks(tables),
        "Arms of strategies that learn": lists.arms(tables),
        "k-means++ against the k-DPP": figures.kdpp(tables, scale),
        "Running times": lists.times(tables),
        "Label budgets": lists.budgets(tables),
        "Missing and failed cells": lists.cells(tables, missing, failures),
        "Settings and versions": lists.settings_and_versions(settings),
    }


class ReportTables:
    """All that the report shows, computed once.

    Parameters
    ----------
    results, costs, rule
        As for :func:`write_report`.
    """

    def __init__(self, results, costs, rule, metric="accuracy", settings=None):
        about = settings or {}
        check_results(results, metric)
        there = set(results["dataset"])
        # What one folder lacks may be in another.
        skipped = about.get("data_that_could_not_be_had", [])
        self.skipped = [name for name in skipped if name not in there]
        settings_there = set(results[SETTING].itertuples(index=False, name=None))
        self.is_papers = (
            about.get("preset") == "paper" and settings_there == PAPER_SETTINGS
        )
        # The published code tests by Student's t; the paper's text by 1.96.
        self.tests = TESTS[::-1] if about.get("as_published_code") is True else TESTS
        self.results, self.rule, self.metric = results, rule, metric
        self.names = strategy_order(results["strategy"])
        self.curves = learning_curves(results, metric=metric)
        self.budgets = label_budgets(results, rule=rule, metric=metric)
        self.incomplete = lists.incomplete(results)
        self.areas = area_under_budget_curve(results, metric=metric)
        self.ranks = ranks_by_part(results, metric=metric)
        self.wins = win_shares(results, metric=metric)
        recorded = "arm" in results and results["arm"].notna().any()
        self.arms = arm_shares(results) if recorded else None
        self.times = self.totals = None
        if costs is not None:
            costs = _with_labels(check_costs(costs), results)
            self.times = running_times(costs)
            self.totals = running_times(costs, total=True)
        options = {"rule": rule, "metric": metric}
        self.penalties = {
            (test, by): penalty_matrix(results, test=test, by=by, **options)
            for test in TESTS
            for by in (None, *GROUPS)
        }
        self.chances = {
            (test, by): chance_matrix(results, test=test, by=by, **options)
            for test, by in self.penalties
        }
        self.errors = {
            by: normalized_error_cdf(results, by=by, **options)
            for by in (None, *GROUPS)
        }

    def capped(self, **of):
        """Say how many trainings ended at the cap, of those with these values."""
        if "hit_max_epochs" not in self.results:
            return ""
        here = self.results
        for name, value in of.items():
            here = here[here[name] == value]
        hits = int(here["hit_max_epochs"].sum())
        return f"{hits:,} of {len(here):,} trainings ended at the cap"

    def files(self):
        """Return the CSV tables by file name (dict of str to DataFrame)."""
        spelled = [" ".join(map(str, counts)) for counts in self.budgets["budgets"]]
        matrices, chances, comparisons, cdfs = [], [], [], []
        for (test, by), outcome in self.penalties.items():
            for value, part in _parts(outcome, by):
                frame = part.to_frame().rename_axis("strategy").reset_index()
                keys = {"test": test, "by": by or "", "value": value}
                keys["n_settings"] = part.n_settings
                matrices.append(_with_keys(frame, keys))
            if by is None:
                comparisons.append(_with_keys(outcome.comparisons, {"test": test}))
        for (test, by), outcome in self.chances.items():
            for value, part in _parts(outcome, by):
                frame = part.matrix.rename_axis("strategy").reset_index()
                keys = {"test": test, "by": by or "", "value": value}
                chances.append(_with_keys(frame, keys))
        for by, outcome in self.errors.items():
            for value, part in _parts(outcome, by):
                cdfs.append(_with_keys(part.curves, {"by": by or "", "value": value}))
        files = {
            "learning_curves.csv": self.curves,
            "label_budgets.csv": self.budgets.assign(budgets=spelled),
            "penalty_matrix.csv": _stacked(matrices),
            "chance_matrix.csv": _stacked(chances),
            "penalty_comparisons.csv": _stacked(comparisons),
            "normalized_error_cdf.csv": _stacked(cdfs),
            "normalized_errors.csv": self.errors[None].points,
            "area_under_budget_curve.csv": self.areas,
            "ranks_by_part.csv": self.ranks,
            "win_shares.csv": self.wins.rename_axis("strategy").reset_index(),
        }
        if self.times is not None:
            files["running_times.csv"] = self.times
            files["running_times_total.csv"] = self.totals
        if self.arms is not None:
            files["arm_shares.csv"] = self.arms
        return files


def _parts(outcome, by):
    return [("", outcome)] if by is None else outcome.items()


def _with_keys(frame, keys):
    frame = frame.copy()
    for i, (name, value) in enumerate(keys.items()):
        frame.insert(i, name, value)
    return frame


def _stacked(frames):
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _with_labels(costs, results):
    """Add the label counts of the results to the costs, where they have none."""
    if "n_labeled" in costs.columns or "round" not in results.columns:
        return costs
    key = [*SETTING, "strategy", "repeat", "round"]
    return costs.merge(results[[*key, "n_labeled"]], on=key, how="inner")


def _records(cells, name):
    if cells is None:
        return []
    if isinstance(cells, pd.DataFrame):
        return cells.to_dict("records")
    cells = list(cells)
    for cell in cells:
        if not isinstance(cell, Mapping):
            raise InvalidInputError(
                f"{name} must be a DataFrame or a list of mappings, one for each cell. "
                f"Got a list with {cell!r} instead."
            )
    return [dict(cell) for cell in cells]

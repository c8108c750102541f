"""The sections of the report that show pictures: each returns a list of blocks."""

from __future__ import annotations

from scipy import stats

from skbadge.benchmarks._methods import KDPP, strategy_order
from skbadge.benchmarks.analysis._comparison import GROUPS
from skbadge.benchmarks.analysis._curves import SETTING
from skbadge.benchmarks.report._page import (
    details,
    grid,
    heading,
    paragraph,
    picture,
    table,
)
from skbadge.benchmarks.report._tables import accuracy_table
from skbadge.benchmarks.report._words import count, name_of
from skbadge.plotting import (
    LearningCurveDisplay,
    NormalizedErrorDisplay,
    PenaltyMatrixDisplay,
    RunningTimeDisplay,
)

# What a cell needs for its number, and the names at the sides of all cells, in inches.
_CELL, _NAMES = 0.34, (2.8, 2.2)
_MATRIX_SIZE = (5.4, 5.0)
_CURVE_SIZE = (5.2, 4.5)
_BY = {"batch_size": "batch size", "model": "model"}
_NO_BUDGET = "No setting has a label budget: nothing can be compared."


_TESTS = {
    "z": "A win is |z| > 1.96",
    "t": "A win is Student's t beyond the 5% level",
}


def comparisons(tables):
    """Show the penalty matrices (Figures 4, 13 and 14), each with that of chance."""
    first, second = tables.tests
    overall = tables.penalties[first, None]
    if overall.n_settings == 0:
        return [paragraph(_NO_BUDGET)]
    if overall.column_mean.isna().all():
        return [paragraph(f"Nothing can be compared: {_why_empty(overall)}")]
    parts = [
        paragraph(
            "How to read such a matrix: pick a row and a column. The number says in "
            "how many settings the strategy of the row beat the strategy of the "
            "column, that is, made fewer test errors, by more than the repeats differ "
            "among themselves. A dark row wins often; a light column is seldom beaten. "
            "The bottom row is the mean of each column: the lowest belongs to the "
            "strategy that is the safest choice. Two small numbers opposite each other "
            "mean that neither of the two is reliably better."
        ),
        paragraph(
            "Beside each matrix stands that of chance: the mean over "
            f"{tables.chances[first, None].n_permutations} deals in which the names of "
            "the strategies were dealt out anew among the curves of each repeat. What "
            f"does not exceed it means nothing. {_level(overall)}"
        ),
        paragraph(
            "A setting with several label budgets splits its one point among them. "
            "Where there are few settings, differences of one or two points mean "
            "little."
        ),
        _pair(tables, first, None, _figure(tables, "Overall", 4)),
        heading("By the other test"),
        _pair(tables, second, None, "Overall"),
    ]
    for by, figure in zip(GROUPS, (13, 14), strict=True):
        groups = tables.penalties[first, by]
        if len(groups) > 1:
            parts.append(heading(_figure(tables, f"By {_BY[by]}", figure)))
            parts += [_pair(tables, first, by, _group(by, v), v) for v in groups]
    return parts + _left_out(overall, ["strategy", "versus"], "comparisons")


def _level(outcome):
    """Say what 1.96 is worth with as many repeats as were compared."""
    compared = outcome.comparisons.query("reason == ''")["n_repeats"]
    levels = [
        f"{2 * stats.t.sf(1.96, n - 1):.0%} with {n} repeats"
        for n in sorted(set(compared))
    ]
    return f"By Student's t, 1.96 is a level of {', '.join(levels)}, not of 5%."


def _pair(tables, test, by, title, value=None):
    """Show a matrix, and beside it what chance alone would give."""
    outcome, chance = (
        tables.penalties[test, by],
        tables.chances[test, by],
    )
    of = {}
    if by is not None:
        outcome, chance, of = outcome[value], chance[value], {by: value}
    caption = _with_capped(tables, _TESTS[test], **of)
    spread = f"Column means in 95 of 100 deals: {chance.low.min():.2f} to "
    return grid(
        [
            _matrix(outcome, title, test, caption),
            _matrix(
                chance,
                f"{title}, by chance",
                test,
                f"{spread}{chance.high.max():.2f}",
            ),
        ]
    )


def _with_capped(tables, caption, **of):
    """Add how many of the trainings behind a picture ended at the cap."""
    capped = tables.capped(**of)
    return f"{caption}. {capped}." if capped else caption


def _figure(tables, title, number):
    """Add the number of the paper's figure where the settings are the paper's."""
    return f"{title} (paper's Figure {number})" if tables.is_papers else title


def errors(tables):
    """Show the distributions of normalized errors (Figures 5, 15 and 16)."""
    overall = tables.errors[None]
    if overall.n_settings == 0:
        return [paragraph(_NO_BUDGET)]
    parts = [
        paragraph(
            "At x, a curve shows in which share of the settings the strategy's error "
            "was at most x times that of random sampling with as many labels. Left of "
            "1 is better than random; the higher a curve, the better."
        ),
        grid([_cdf(tables, overall, _figure(tables, "Overall", 5))]),
    ]
    for by, figure in zip(GROUPS, (15, 16), strict=True):
        groups = tables.errors[by].items()
        if len(groups) > 1:
            parts.append(heading(_figure(tables, f"By {_BY[by]}", figure)))
            parts.append(
                grid(
                    _cdf(tables, part, _group(by, value), **{by: value})
                    for value, part in groups
                )
            )
    return parts + _left_out(overall, ["strategy"], "values")


def curves(tables, scale):
    """Show all learning curves with their tables (Figures 2, 3 and 6 to 12)."""
    compared = tables.curves[tables.curves["strategy"] != KDPP]
    if compared.empty:
        return []
    text = f"Mean test {tables.metric}; the band is one standard error."
    if tables.is_papers:
        text += " These are the paper's Figures 2, 3 and 6 to 12."
    parts = [paragraph(text)]
    for (dataset, model), group in compared.groupby(["dataset", "model"]):
        parts.append(heading(f"{dataset}, {model}"))
        parts.append(
            grid(
                _curve_picture(
                    frame,
                    scale,
                    f"Learning curves of {dataset}, {model}, B = {batch_size}",
                    tables.metric,
                    title=f"{count(batch_size, 'label')} a batch",
                    caption=tables.capped(
                        dataset=dataset, model=model, batch_size=batch_size
                    ),
                )
                for batch_size, frame in group.groupby("batch_size")
            )
        )
    return parts


def kdpp(tables, scale):
    """Show k-means++ beside the k-DPP (Figures 1 and 17 to 23)."""
    frame = tables.curves[tables.curves["strategy"].isin(["badge", KDPP])]
    both = frame.groupby(SETTING)["strategy"].nunique()
    settings = list(both.index[both == 2])
    if not settings:
        return []
    parts = [
        paragraph(
            "BADGE chooses its batch by k-means++ seeding; a k-determinantal point "
            "process is the costly alternative. The paper finds that both reach the "
            "same accuracy, and that the k-DPP takes much longer for large batches. It "
            "is no part of the comparisons above."
        ),
    ]
    for setting in settings:
        parts.append(heading(name_of(setting)))
        accuracy = _curve_picture(
            _of_setting(frame, setting),
            scale,
            f"Learning curves of k-means++ and k-DPP, {name_of(setting)}",
            tables.metric,
            caption=_with_capped(
                tables,
                f"Test {tables.metric}",
                **dict(zip(SETTING, setting, strict=True)),
            ),
        )
        parts.append(grid([accuracy, _kdpp_times(tables, setting, scale)]))
    return parts


def _matrix(outcome, title, test, caption):
    if outcome.column_mean.isna().all():
        return paragraph(f"{title}: {_why_empty(outcome)}")
    display = PenaltyMatrixDisplay(
        outcome.matrix,
        strategies=outcome.matrix.columns,
        highest=outcome.n_settings,
        column_mean=outcome.column_mean,
    )
    alt = f"Penalty matrix by the {test} test. {title}"
    cells = _CELL * len(outcome.matrix)
    size = tuple(
        max(side, cells + names)
        for side, names in zip(_MATRIX_SIZE, _NAMES, strict=True)
    )
    return picture(display.plot, alt, size=size, title=title, caption=caption)


def _why_empty(outcome):
    if outcome.n_settings == 0:
        return "no setting has a label budget."
    return "no two strategies have two repeats in common."


def _cdf(tables, outcome, title, **of):
    if outcome.curves.empty:
        return paragraph(f"{title}: {_why_empty(outcome)}")
    names, columns = _columns(outcome.curves, ["normalized_error", "fraction"])
    display = NormalizedErrorDisplay(strategies=names, **columns)
    caption = f"{count(outcome.n_settings, 'setting')}, each with the same weight"
    caption = _with_capped(tables, caption, **of)
    alt = f"Distribution of normalized errors. {title}"
    return picture(
        lambda ax: display.plot(ax, legend="below"),
        alt,
        size=_CURVE_SIZE,
        title=title,
        caption=caption,
    )


def _curve_picture(frame, scale, alt, metric, **lines):
    names, columns = _columns(frame, ["n_labeled", "mean", "standard_error"])
    display = LearningCurveDisplay(strategies=names, **columns)
    return picture(
        lambda ax: display.plot(ax, scale=scale, legend="below", score=metric),
        alt,
        size=_CURVE_SIZE,
        below=[
            details(
                f"The numbers at each label count{_in_percent(metric)}",
                accuracy_table(frame, metric),
            )
        ],
        **lines,
    )


def _in_percent(metric):
    return ", in percent" if metric == "accuracy" else ""


def _kdpp_times(tables, setting, scale):
    frame = tables.times
    if frame is not None and "n_labeled" in frame:
        chosen = frame["strategy"].isin(["badge", KDPP]) & (frame["select_seconds"] > 0)
        frame = _of_setting(frame[chosen], setting)
    if frame is None or frame.empty or "n_labeled" not in frame:
        return paragraph("No times were recorded.")
    names, columns = _columns(
        frame, ["n_labeled", "select_seconds", "select_seconds_se"]
    )
    display = RunningTimeDisplay(
        strategies=names,
        n_labeled=columns["n_labeled"],
        mean=columns["select_seconds"],
        standard_error=columns["select_seconds_se"],
    )
    return picture(
        lambda ax: display.plot(ax, scale=scale, legend="below"),
        f"Running times of k-means++ and k-DPP, {name_of(setting)}",
        size=_CURVE_SIZE,
        caption="Seconds to select one batch, without the pass over the pool",
    )


def _left_out(outcome, names, what):
    frame = outcome.left_out
    if frame.empty:
        return []
    columns = [*SETTING, "n_labeled", *names, "reason"]
    rows = frame[columns].to_numpy(dtype=object).tolist()
    return [details(f"{len(rows)} {what} left out", table(columns, rows))]


def _of_setting(frame, setting):
    here = [frame[name] == value for name, value in zip(SETTING, setting, strict=True)]
    return frame[here[0] & here[1] & here[2]]


def _columns(frame, columns):
    """Return strategies and, for each column, the list of their values."""
    names = strategy_order(frame["strategy"])
    parts = {name: frame[frame["strategy"] == name] for name in names}
    return names, {
        column: [parts[name][column].to_numpy() for name in names] for column in columns
    }


def _group(by, value):
    shown = f"{value:,}" if by == "batch_size" else value
    return f"{_BY[by].capitalize()} {shown}"

"""The sections of the report that show pictures: each returns a list of HTML parts."""

from __future__ import annotations

from skbadge.benchmarks._analysis import KDPP, SETTING
from skbadge.benchmarks._comparison import GROUPS, strategy_order
from skbadge.benchmarks._report_page import (
    details,
    grid,
    heading,
    paragraph,
    picture,
    table,
)
from skbadge.benchmarks._report_tables import accuracy_table, count, name_of
from skbadge.plotting import (
    LearningCurveDisplay,
    NormalizedErrorDisplay,
    PenaltyMatrixDisplay,
    RunningTimeDisplay,
)

_MATRIX_SIZE = (5.4, 5.0)
_BY = {"batch_size": "batch size", "model": "model"}
_NO_BUDGET = "No setting has a label budget: nothing can be compared."


def comparisons(tables):
    """Show the penalty matrices (Figures 4, 13 and 14)."""
    overall = tables.penalties["z", None]
    if overall.n_settings == 0:
        return [paragraph(_NO_BUDGET)]
    strict = "Student's t at the 5% level (with five repeats, 1.96 is a 12% level)"
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
            "A setting with several label budgets splits its one point among them. "
            "Where there are few settings, differences of one or two points mean "
            "little."
        ),
        grid(
            [
                _matrix(overall, "Overall (paper's Figure 4)", "A win is |z| > 1.96"),
                _matrix(tables.penalties["t", None], "Overall, stricter test", strict),
            ]
        ),
    ]
    for by, figure in zip(GROUPS, (13, 14), strict=True):
        parts.append(heading(f"By {_BY[by]} (paper's Figure {figure})"))
        groups = tables.penalties["z", by].items()
        parts.append(
            grid(
                _matrix(part, _group(by, value), "A win is |z| > 1.96")
                for value, part in groups
            )
        )
    return [*parts, _left_out(overall, ["strategy", "versus"], "comparisons")]


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
        grid([_cdf(overall, "Overall (paper's Figure 5)")]),
    ]
    for by, figure in zip(GROUPS, (15, 16), strict=True):
        parts.append(heading(f"By {_BY[by]} (paper's Figure {figure})"))
        groups = tables.errors[by].items()
        parts.append(grid(_cdf(part, _group(by, value)) for value, part in groups))
    return [*parts, _left_out(overall, ["strategy"], "values")]


def curves(tables, scale):
    """Show all learning curves with their tables (Figures 2, 3 and 6 to 12)."""
    parts = [
        paragraph(
            "Mean test accuracy over the repeats; the band is one standard error. "
            "These are the paper's Figures 2, 3 and 6 to 12."
        )
    ]
    compared = tables.curves[tables.curves["strategy"] != KDPP]
    for (dataset, model), group in compared.groupby(["dataset", "model"]):
        parts.append(heading(f"{dataset}, {model}"))
        parts.append(
            grid(
                _curve_picture(
                    frame,
                    scale,
                    f"Learning curves of {dataset}, {model}, B = {batch_size}",
                    title=f"{count(batch_size, 'label')} a batch",
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
        return [paragraph("No setting has results of both 'badge' and 'badge-kdpp'.")]
    parts = [
        paragraph(
            "BADGE chooses its batch by k-means++ seeding; a k-determinantal point "
            "process is the costly alternative. The paper finds that both reach the "
            "same accuracy, and that the k-DPP takes much longer for large batches "
            "(Figures 1 and 17 to 23). It is no part of the comparisons above."
        ),
    ]
    for setting in settings:
        parts.append(heading(name_of(setting)))
        accuracy = _curve_picture(
            _of_setting(frame, setting),
            scale,
            f"Learning curves of k-means++ and k-DPP, {name_of(setting)}",
            caption="Test accuracy",
        )
        parts.append(grid([accuracy, _kdpp_times(tables, setting, scale)]))
    return parts


def _matrix(outcome, title, caption):
    if outcome.column_mean.isna().all():
        return paragraph(f"{title}: {_why_empty(outcome)}")
    display = PenaltyMatrixDisplay(
        outcome.matrix,
        strategies=outcome.matrix.columns,
        highest=outcome.n_settings,
        column_mean=outcome.column_mean,
    )
    alt = f"Penalty matrix. {title}"
    return picture(display.plot, alt, size=_MATRIX_SIZE, title=title, caption=caption)


def _why_empty(outcome):
    if outcome.n_settings == 0:
        return "no setting has a label budget."
    return "no two strategies have two repeats in common."


def _cdf(outcome, title):
    if outcome.curves.empty:
        return paragraph(f"{title}: {_why_empty(outcome)}")
    names, columns = _columns(outcome.curves, ["normalized_error", "fraction"])
    display = NormalizedErrorDisplay(strategies=names, **columns)
    caption = f"{count(outcome.n_settings, 'setting')}, each with the same weight"
    alt = f"Distribution of normalized errors. {title}"
    return picture(display.plot, alt, title=title, caption=caption)


def _curve_picture(frame, scale, alt, **lines):
    names, columns = _columns(frame, ["n_labeled", "mean", "standard_error"])
    display = LearningCurveDisplay(strategies=names, **columns)
    return picture(
        lambda ax: display.plot(ax, scale=scale),
        alt,
        below=details("Accuracy in percent at each label count", accuracy_table(frame)),
        **lines,
    )


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
        lambda ax: display.plot(ax, scale=scale),
        f"Running times of k-means++ and k-DPP, {name_of(setting)}",
        caption="Seconds to select one batch, without the pass over the pool",
    )


def _left_out(outcome, names, what):
    frame = outcome.left_out
    if frame.empty:
        return ""
    columns = [*SETTING, "n_labeled", *names, "reason"]
    rows = frame[columns].to_numpy(dtype=object).tolist()
    return details(f"{len(rows)} {what} left out", table(columns, rows))


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
    return f"{_BY[by].capitalize()}: {shown}"

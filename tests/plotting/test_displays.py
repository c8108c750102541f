"""Displays: what they store and which artists they draw."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from skbadge.exceptions import InvalidInputError
from skbadge.plotting import (
    LearningCurveDisplay,
    NormalizedErrorDisplay,
    PenaltyMatrixDisplay,
    RunningTimeDisplay,
    strategy_styles,
)


def curve_display(kind=LearningCurveDisplay):
    return kind(
        strategies=["badge", "rand"],
        n_labeled=[[100, 200, 300], [100, 200]],
        mean=[[0.2, 0.4, 0.6], [0.1, 0.3]],
        standard_error=[[0.01, 0.02, 0.03], [np.nan, np.nan]],
    )


def matrix_display(**options):
    matrix = [[0, 2, np.nan], [1, 0, np.nan], [np.nan, np.nan, 0]]
    return PenaltyMatrixDisplay(
        matrix, strategies=["badge", "rand", "mine"], highest=3, **options
    )


def cdf_display():
    return NormalizedErrorDisplay(
        strategies=["badge", "rand"],
        normalized_error=[[0.8, 0.9], [1.0]],
        fraction=[[0.25, 1.0], [1.0]],
    )


DISPLAYS = {
    "learning": curve_display,
    "seconds": lambda: curve_display(RunningTimeDisplay),
    "matrix": matrix_display,
    "cdf": cdf_display,
}


@pytest.mark.parametrize("kind", sorted(DISPLAYS))
def test_plot_returns_itself_and_keeps_axes_and_figure(kind):
    display = DISPLAYS[kind]()
    assert not hasattr(display, "ax_")
    assert display.plot() is display
    assert display.figure_ is display.ax_.figure
    figure, ax = plt.subplots()
    display.plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    figure.canvas.draw()


@pytest.mark.parametrize("kind", ["learning", "seconds"])
def test_curves_hold_the_data_in_the_style_of_the_strategy(kind):
    display = DISPLAYS[kind]().plot()
    styles = strategy_styles(["badge", "rand"])
    for line, x, y, style in zip(
        display.lines_,
        display.n_labeled,
        display.mean,
        styles.values(),
        strict=True,
    ):
        np.testing.assert_array_equal(line.get_xdata(), x)
        np.testing.assert_array_equal(line.get_ydata(), y)
        assert to_hex(line.get_color()).upper() == style.color
        assert line.get_marker() == style.marker
        assert line.get_label() == style.label
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["BADGE", "RAND"]


def test_band_is_one_standard_error():
    display = curve_display().plot()
    assert len(display.bands_) == 1  # a curve without errors has none
    y = display.bands_[0].get_paths()[0].vertices[:, 1]
    assert {round(v, 6) for v in y} == {0.19, 0.21, 0.38, 0.42, 0.57, 0.63}


def test_switches_of_curves():
    display = curve_display().plot(scale="log2", band=False, legend=False, alpha=0.5)
    assert display.ax_.get_xscale() == "log"
    assert display.bands_ == []
    assert display.ax_.get_legend() is None
    assert display.lines_[0].get_alpha() == 0.5
    assert curve_display().plot().ax_.get_xscale() == "linear"


def test_axes_are_named():
    ax = curve_display().plot().ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Labels", "Accuracy")
    ax = curve_display(RunningTimeDisplay).plot().ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Labels", "Seconds")
    ax = cdf_display().plot().ax_
    assert ax.get_xlabel() == "Error relative to random sampling"
    assert ax.get_ylabel() == "Fraction of settings"


def test_accuracies_are_averaged():
    display = LearningCurveDisplay.from_accuracies(
        ["rand", "badge", "badge", "badge", "badge"],
        [100, 200, 100, 100, 200],
        [0.3, 0.5, 0.1, 0.3, np.nan],
    )
    assert display.strategies == ["rand", "badge"]
    np.testing.assert_array_equal(display.n_labeled[1], [100, 200])
    np.testing.assert_allclose(display.mean[1], [0.2, 0.5])
    # sd of (.1, .3) is .1414, over the root of 2: .1. One value has none.
    np.testing.assert_allclose(display.standard_error[1], [0.1, np.nan])
    display.plot()


def test_seconds_are_averaged_and_zero_is_not_on_the_log_scale():
    display = RunningTimeDisplay.from_seconds(
        ["badge"] * 3, [100, 200, 200], [0.0, 2.0, 4.0]
    )
    np.testing.assert_allclose(display.mean[0], [0, 3])
    drawn = display.plot().lines_[0].get_ydata()
    np.testing.assert_allclose(drawn, [np.nan, 3])
    assert display.ax_.get_yscale() == "log"
    linear = display.plot(seconds_scale="linear")
    np.testing.assert_allclose(linear.lines_[0].get_ydata(), [0, 3])
    assert linear.ax_.get_yscale() == "linear"


def test_cdf_steps_between_the_edges():
    display = cdf_display().plot()
    badge, rand = display.lines_
    left, right = display.ax_.get_xlim()
    assert left < 0.8
    assert right > 1
    np.testing.assert_allclose(badge.get_xdata(), [left, 0.8, 0.9, right])
    np.testing.assert_allclose(badge.get_ydata(), [0, 0.25, 1, 1])
    np.testing.assert_allclose(rand.get_ydata(), [0, 1, 1])
    assert badge.get_drawstyle() == "steps-post"


def test_cdf_from_single_values():
    display = NormalizedErrorDisplay.from_normalized_errors(
        ["a", "a", "a", "b", "a"], [0.9, 0.5, 0.9, 1.0, np.nan], [1, 2, 1, 5, 7]
    )
    assert display.strategies == ["a", "b"]
    np.testing.assert_allclose(display.normalized_error[0], [0.5, 0.9])
    np.testing.assert_allclose(display.fraction[0], [0.5, 1.0])
    equal = NormalizedErrorDisplay.from_normalized_errors(["a"] * 4, [1, 2, 3, 3])
    np.testing.assert_allclose(equal.fraction[0], [0.25, 0.5, 1])


def test_cdf_without_values():
    none = NormalizedErrorDisplay(strategies=[], normalized_error=[], fraction=[])
    assert none.plot().lines_ == []
    empty = NormalizedErrorDisplay(
        strategies=["a"], normalized_error=[[]], fraction=[[]]
    )
    assert empty.plot().lines_[0].get_ydata().tolist() == [0, 0]


def test_matrix_writes_its_values_and_column_means():
    display = matrix_display().plot(title="All")
    written = [[text.get_text() for text in row] for row in display.text_]
    assert written == [
        ["0.00", "2.00", "–"],
        ["1.00", "0.00", "–"],
        ["–", "–", "0.00"],
        ["0.50", "1.00", "0.00"],
    ]
    ax = display.ax_
    assert ax.get_title() == "All\nhighest possible entry: 3"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["BADGE", "RAND", "mine"]
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "BADGE",
        "RAND",
        "mine",
        "column mean",
    ]
    # Row i is drawn above row i + 1, and the means come last.
    assert display.text_[0, 0].get_position()[1] < display.text_[3, 0].get_position()[1]
    assert ax.yaxis_inverted()


def test_matrix_colors_grow_with_the_entries():
    display = PenaltyMatrixDisplay([[0, 3], [1, 0]], strategies="ab", highest=3).plot()
    faces = [sum(patch.get_facecolor()[:3]) for patch in display.ax_.patches]
    zero, three, one = faces[0], faces[1], faces[2]
    assert three < one < zero
    assert display.text_[0, 1].get_color() == "#FFFFFF"
    assert display.text_[0, 0].get_color() == "#000000"


def test_matrix_takes_column_means_and_formats():
    display = matrix_display(column_mean=[9, 8, np.nan])
    written = display.plot(values_format=".0f").text_[3]
    assert [text.get_text() for text in written] == ["9", "8", "–"]


def test_matrix_without_a_number():
    empty = np.full((2, 2), np.nan)
    np.fill_diagonal(empty, 0)
    display = PenaltyMatrixDisplay(empty, strategies=["a", "b"], highest=0)
    assert display.plot().ax_.get_title() == "highest possible entry: 0"
    nothing = PenaltyMatrixDisplay(np.full((1, 1), np.nan), strategies=["a"])
    assert np.isnan(nothing.column_mean[0])
    nothing.plot()


def test_wins_add_up():
    display = PenaltyMatrixDisplay.from_wins(
        ["b", "a", "b"], ["a", "c", "a"], [0.5, 1, 0.25], highest=2
    )
    assert display.strategies == ["a", "b", "c"]
    assert display.matrix.tolist() == [[0, 0, 1], [0.75, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(display.column_mean, [0.25, 0, 1 / 3])
    order = PenaltyMatrixDisplay.from_wins(["b"], ["a"], strategies=["b", "a"])
    assert order.matrix.tolist() == [[0, 1], [0, 0]]


def wrong_inputs():
    curve = {"strategies": ["a", "b"], "n_labeled": [[1, 2], [1]]}
    yield (
        lambda: LearningCurveDisplay(**curve, mean=[[0.1, 0.2]]),
        "mean must hold one array for each of the 2 strategies. Got 1 instead.",
    )
    yield (
        lambda: RunningTimeDisplay(**curve, mean=[[0.1, 0.2], [0.1, 0.2]]),
        "mean must be one-dimensional and as long as n_labeled. Got shape (2,) and "
        "(1,) for 'b' instead.",
    )
    yield (
        lambda: LearningCurveDisplay.from_accuracies(["a"], [1, 2], [0.1, 0.2]),
        "strategy, n_labeled, accuracy must be one-dimensional and of the same "
        "length. Got the shapes strategy (1,), n_labeled (2,), accuracy (2,) instead.",
    )
    yield (
        lambda: NormalizedErrorDisplay.from_normalized_errors(["a"], [1.0], [0.0]),
        "weight must be positive. Got 0.0 instead.",
    )
    yield (
        lambda: PenaltyMatrixDisplay([[0, 1]], strategies=["a", "b"]),
        "matrix must have one row and one column for each of the 2 strategies. Got "
        "shape (1, 2) instead.",
    )
    yield (
        lambda: PenaltyMatrixDisplay([[0]], strategies=["a"], column_mean=[1, 2]),
        "column_mean must have one value for each of the 1 strategies. Got shape (2,) "
        "instead.",
    )
    yield (
        lambda: PenaltyMatrixDisplay.from_wins(["a"], ["b"], strategies=["a"]),
        "strategies must name all winners and losers. Missing: b.",
    )
    yield (
        lambda: curve_display().plot(scale="log10"),
        "scale must be one of 'linear', 'log2'. Got 'log10' instead.",
    )


@pytest.mark.parametrize(("call", "message"), list(wrong_inputs()))
def test_wrong_input_is_refused_in_words(call, message):
    with pytest.raises(InvalidInputError) as error:
        call()
    assert str(error.value) == message

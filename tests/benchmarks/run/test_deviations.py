"""Deviations from the paper follow from the settings."""

from skbadge.benchmarks import preset_cells
from skbadge.benchmarks.run._deviations import deviations_of, follows_published_code
from skbadge.benchmarks.run._settings import PUBLISHED_CODE


def said(name, **settings):
    return " ".join(deviations_of(preset_cells(name, **settings)))


def test_of_the_papers_text():
    text = said("paper")
    assert "Gradients are not clamped" in text
    assert "The learning rate on images is the text's 1e-3" in text
    assert "64 to 512 channels, the public code has 16 to 128" in text
    assert "divided by the sum of the inverse probabilities" in text
    assert "in the public code it carries over" in text
    assert "20,000 epochs at the latest" in text
    wrong = (
        *("As published", "standardized", "Repeats", "No k-DPP", "reaches"),
        *("on tables", "Hidden units", "not in the paper", "Labels"),
    )
    assert [words for words in wrong if words in text] == []
    assert not follows_published_code(preset_cells("paper"))


def test_of_the_papers_public_code():
    assert follows_published_code(preset_cells("paper", **PUBLISHED_CODE))
    text = said("paper", **PUBLISHED_CODE)
    for wrong in ("not clamped", "text's 1e-3", "64 to 512", "sum of the inverse"):
        assert wrong not in text
    assert "Gradients are clamped to [-0.1, 0.1], as in the public code" in text
    assert "The learning rate on images is 0.0001; the text has 0.001." in text
    assert "16 to 128 channels, as in the public code" in text
    assert "that arm alone learns" in text
    assert "BADGE begins with the longest gradient" in text
    assert "A training ends once its accuracy reaches 99%" in text
    assert "batch normalization starts anew each round all the same" in text


def test_data_that_are_regenerated():
    both = "Regenerated, never downloaded: random_rbf (OpenML 156), kropt (OpenML 184)."
    assert both in said("paper") and both in said("paper-small")
    assert "never downloaded: kropt (OpenML 184), random_rbf" in said("quick")
    assert "Regenerated" not in said("images") + said("smoke")


def test_the_short_study_has_what_the_paper_leaves_open():
    text = said("quick")
    assert "divided by the sum of the inverse probabilities" in text
    assert "Gradients are not clamped" in text


def test_what_options_replace_is_said_as_it_is():
    text = said("paper-small", repeats=5, n_rounds=2, max_epochs=7, n_initial=50)
    assert "Repeats" not in text
    assert "ends after 7 epochs or 100,000 updates at the latest" in text
    assert "Labels at the start: 50;" in text
    assert "250 (mlp, B = 100; resnet, B = 100)" in text
    assert "10,100 (mlp, B = 10,000; " in text and "5,100" not in text
    assert "No k-DPP." in text
    text = said("images")
    assert "; 10 epochs (resnet, B = 10,000) at the latest" in text
    text = said("quick")
    assert "Repeats" not in text and "The k-DPP runs once at B = 1,000." in text
    assert "Data that are not in the paper: digits." in text
    assert "The learning rate on tables is 0.001; the text has 0.0001." in text
    assert "No batches of 10,000." in text


def test_of_other_nets_and_strategies():
    text = said("field")
    assert "Nets that are not in the paper: linear, convnet." in text
    assert "Strategies that are not in the paper" in text
    text = said("smoke", own_models=["mine:make"], precision="bfloat16")
    assert "Nets of your own are trained as they say themselves." in text
    assert "computed in bfloat16" in text
    assert "Hidden units of the MLP: 32;" in text
    assert "channels" not in text
    # As many as the paper has on pictures, but not on tables.
    assert "Hidden units" not in said("smoke", n_hidden=256)
    assert "Hidden units of the MLP: 256;" in said("quick", n_hidden=256)

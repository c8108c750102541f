"""Experiments that are named."""

import pytest

from skbadge.benchmarks import STRATEGIES, preset_cells
from skbadge.datasets import get_dataset_info
from skbadge.exceptions import InvalidInputError


def test_preset_paper_is_the_papers_grid():
    cells = preset_cells("paper", seed=3)
    settings = {(c.dataset, c.model, c.batch_size) for c in cells}
    assert len(settings) == 27
    assert {c.batch_size for c in cells} == {100, 1000, 10000}
    assert {(c.n_initial, c.max_labels, c.max_pool) for c in cells} == {
        (100, 50_000, 50_000)
    }
    assert {c.seed for c in cells} == {3}
    assert not any(c.standardize or c.clamp_gradients for c in cells)
    assert {(c.learning_rate, c.n_hidden) for c in cells} == {(None, None)}
    kdpp = [c for c in cells if c.strategy == "badge-kdpp"]
    assert len(cells) - len(kdpp) == 27 * 7 * 5
    assert len(kdpp) == 18 * 5 and {c.batch_size for c in kdpp} == {100, 1000}


def test_preset_quick():
    cells = preset_cells("quick")
    assert {c.dataset for c in cells} == {"digits", "kropt", "random_rbf"}
    assert {(c.batch_size, c.max_labels) for c in cells} == {(100, 1100), (1000, 4100)}
    assert {(c.standardize, c.learning_rate, c.max_epochs) for c in cells} == {
        (True, 1e-3, 300)
    }
    large = [c for c in cells if c.strategy == "badge-kdpp" and c.batch_size == 1000]
    assert {c.repeat for c in large} == {0}
    assert {c.repeat for c in cells} == set(range(5))
    assert len({c.key.values() for c in cells}) == len(cells)


def test_preset_field():
    cells = preset_cells("field")
    names = {cell.strategy for cell in cells}
    assert names == set(STRATEGIES) - {"badge-kdpp"}
    # The one is slow on large pools, the other made for small batches.
    assert {c.dataset for c in cells if c.strategy == "probcover"} == {"digits"}
    large = {cell.strategy for cell in cells if cell.batch_size == cell.n_initial}
    assert names - large == {"batch-bald"}
    for cell in cells:
        n_classes = get_dataset_info(cell.dataset).n_classes
        assert cell.n_initial == 10 * n_classes
        assert cell.batch_size in (n_classes, 10 * n_classes)
        assert cell.standardize == (cell.model != "linear")
    assert {cell.model for cell in cells} == {"linear", "mlp", "convnet"}
    small = [cell for cell in cells if cell.model == "convnet"]
    assert {cell.batch_size for cell in small} == {100}
    assert {cell.width for cell in small} == {16}


def test_preset_field_without_labels():
    cells = preset_cells("field-cold")
    starts = {cell.strategy.rpartition("+")[0] for cell in cells}
    assert starts == {"", "kmeans", "typiclust"}
    assert {cell.n_initial - cell.batch_size for cell in cells} == {0}
    assert len(cells) == 2 * 2 * 3 * 5 * 5
    rounds = {(cell.dataset, cell.batch_size): cell.n_rounds for cell in cells}
    assert sorted(rounds.values()) == [9, 20, 20, 20] and rounds["digits", 100] == 9


def test_preset_images():
    cells = preset_cells("images")
    assert {cell.dataset for cell in cells} == {"fashion_mnist"}
    assert {cell.strategy for cell in cells} == set(STRATEGIES[:7])
    assert [cell.model for cell in cells] == ["mlp"] * 63 + ["resnet"] * 63
    assert {cell.batch_size for cell in cells} == {100, 1_000, 10_000}


def test_unknown_preset():
    with pytest.raises(InvalidInputError, match="preset must be one of 'smoke', 'qu"):
        preset_cells("fast")

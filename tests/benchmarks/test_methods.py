"""Methods by name, after a cold start or not."""

import pytest

from skbadge import ActiveLearner
from skbadge.benchmarks import load_grid, load_task, make_cells, run_grid
from skbadge.benchmarks.run._nets import make_cell_net
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import KMeansSampling, TypiClust


def test_the_first_rows_may_be_chosen_by_a_cold_start(tmp_path):
    names = ("badge", "typiclust+badge", "kmeans+skbadge.strategies:BADGE")
    few = {"n_initial": 10, "n_rounds": 1, "n_hidden": 8, "max_epochs": 5}
    cells = make_cells(
        datasets=("digits",), strategies=names, batch_sizes=(10,), repeats=1, **few
    )
    run_grid(cells, tmp_path)
    results = load_grid(tmp_path).results
    results = results[results["round"] == 0].set_index("strategy")
    task, (_, seed) = load_task(cells[0]), cells[0].seeds()
    net = make_cell_net(cells[0], task)
    for name, strategy in zip(
        names[1:],
        (TypiClust(features="input"), KMeansSampling(features="input")),
        strict=True,
    ):
        learner = ActiveLearner(net, strategy=strategy, random_state=seed)
        wanted = sorted(learner.query(task.X, n=10))
        assert list(map(int, results["positions"][name].split())) == wanted


@pytest.mark.parametrize(
    "name", ["marg+badge", "typiclust+", "typiclust+typiclust+rand"]
)
def test_what_is_no_cold_start_is_no_strategy(name):
    with pytest.raises(InvalidInputError, match="strategy must be one of"):
        make_cells(
            datasets=("digits",), strategies=(name,), batch_sizes=(9,), repeats=1
        )

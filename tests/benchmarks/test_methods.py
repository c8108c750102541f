"""Methods by name, after a cold start or not."""

import importlib
import sys

import pytest

from skbadge import ActiveLearner
from skbadge.benchmarks import load_grid, load_task, make_cells, run_grid
from skbadge.benchmarks.run._nets import make_cell_net
from skbadge.exceptions import InvalidInputError
from skbadge.strategies import KMeansSampling, TypiClust
from skbadge.utils._sources import sources_checksum


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


class OwnCode:
    """Modules of one's own in a folder, which are never imported."""

    def __init__(self, folder):
        self.folder = folder
        self.write("mine.py", "from parts.nets import WIDTH\n\ndef make(): ...\n")
        self.write("parts/__init__.py", "")
        self.write("parts/nets.py", "from . import losses\nfrom .data import *\n")
        self.write("parts/losses.py", "def later():\n    import deep.inner.most\n")
        self.write("parts/data.py", "import mine, parts.nets, numpy, nowhere.at.all\n")
        self.write("deep/inner/most.py", "BROKEN = '\\d'")
        self.write("other.py", "")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)

    def checksum(self):
        importlib.invalidate_caches()
        return sources_checksum(["mine"])


@pytest.mark.parametrize(
    "name",
    [
        "mine.py",
        "parts/__init__.py",
        "parts/nets.py",
        "parts/losses.py",
        "parts/data.py",
        "deep/inner/most.py",
        "deep/__init__.py",
    ],
)
def test_code_that_is_imported_counts_too(tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(tmp_path)
    code = OwnCode(tmp_path)
    before = code.checksum()
    code.write("other.py", "changed = 1")
    assert code.checksum() == before
    path = tmp_path / name
    code.write(name, (path.read_text() if path.exists() else "") + "\nWIDTH = 8\n")
    assert code.checksum() != before
    assert not {"mine", "parts", "deep"} & set(sys.modules)


def test_installed_code_has_versions_and_is_not_read(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("numpy", "json", "skbadge.strategies", "__main__", "no_such_module"):
        assert sources_checksum([name]) == sources_checksum([])
    # Compiled, and so not followed further, but read.
    (tmp_path / "machine.py").write_bytes(b"\x00\xff")
    assert sources_checksum(["machine"]) != sources_checksum([])

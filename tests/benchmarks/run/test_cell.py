import json
import pickle
from dataclasses import fields
from threading import Thread

import numpy as np
import pytest
import torch

from skbadge import ALBL
from skbadge.benchmarks import STRATEGIES, Cell, load_task, make_paper_net, run_cell
from skbadge.benchmarks.run import _cell as cell_module
from skbadge.benchmarks.run._cell import attempt_cell
from skbadge.benchmarks.run._store import read_json
from skbadge.exceptions import InvalidInputError
from skbadge.modules import MLP
from tests.benchmarks._cells import tiny_cell

COSTS = {"fit_seconds", "embed_seconds", "select_seconds", "peak_memory_mb"}


def results_of(content):
    """Return the part of a cell's content that must be reproducible."""
    return [
        {name: value for name, value in record.items() if name not in COSTS}
        for record in content["records"]
    ]


def run(**settings):
    return run_cell(tiny_cell(**settings))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_records_of_every_strategy(strategy):
    content = run(strategy=strategy)
    records = content["records"]
    assert [record["round"] for record in records] == [0, 1, 2]
    assert [record["n_labeled"] for record in records] == [20, 30, 40]
    assert [len(record["positions"]) for record in records] == [20, 10, 10]
    chosen = np.concatenate([record["positions"] for record in records])
    assert len(np.unique(chosen)) == 40
    assert chosen.min() >= 0 and chosen.max() < 1438
    for record in records:
        assert 0 <= record["accuracy"] <= 1
        assert 0 <= record["train_accuracy"] <= 1
        assert record["epochs"] == 3 and record["hit_max_epochs"] is True
        assert record["fit_seconds"] > 0
        assert record["peak_memory_mb"] > 10
    assert records[0]["select_seconds"] is None
    assert records[1]["select_seconds"] >= 0
    assert content["seconds"] > 0
    json.dumps(content, allow_nan=False)


def test_the_accuracy_is_that_of_the_net_on_the_test_set():
    """One training, done by hand with the net's own fit and no library between."""
    cell = tiny_cell(n_rounds=0, n_initial=60, max_epochs=40)
    (record,) = run_cell(cell)["records"]
    task = load_task(cell)
    X, y = task.X[record["positions"]], task.y[record["positions"]]
    torch.manual_seed(0)
    net = make_paper_net("digits", n_hidden=8, lr=1e-2, max_epochs=40).fit(X, y)
    by_hand = np.mean(net.predict(task.X_test) == task.y_test)
    # Other initial weights, so about the same; chance is 0.1.
    assert record["accuracy"] > 0.4
    assert abs(record["accuracy"] - by_hand) < 0.2


def test_stops_at_the_training_accuracy():
    record = run(n_rounds=0, max_epochs=300, n_hidden=32)["records"][0]
    assert record["train_accuracy"] >= 0.99
    assert record["epochs"] < 300
    assert record["hit_max_epochs"] is False


def test_strategies_of_a_repeat_share_split_initial_set_and_weights():
    first = {s: run(strategy=s)["records"][0] for s in ("badge", "rand", "albl")}
    assert len({json.dumps(r["positions"]) for r in first.values()}) == 1
    assert len({r["accuracy"] for r in first.values()}) == 1
    cells = [
        tiny_cell(strategy=s, batch_size=b) for s, b in [("badge", 5), ("conf", 9)]
    ]
    tasks = [load_task(cell) for cell in cells]
    np.testing.assert_array_equal(tasks[0].X, tasks[1].X)


def test_repeats_and_seeds_differ():
    contents = [run(), run(repeat=1), run(seed=1)]
    starts = {json.dumps(c["records"][0]["positions"]) for c in contents}
    assert len(starts) == 3
    splits = {load_task(tiny_cell(repeat=i)).y_test.tobytes() for i in range(3)}
    assert len(splits) == 3


def test_the_same_cell_gives_the_same_results():
    assert results_of(run(strategy="badge")) == results_of(run(strategy="badge"))
    assert results_of(run(strategy="badge")) != results_of(run(strategy="marg"))


def test_results_do_not_depend_on_the_number_of_threads():
    expected = results_of(run())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = run()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert results_of(found) == expected


def test_threads_are_restored_after_a_failure():
    before = torch.get_num_threads()
    with pytest.raises(InvalidInputError):
        run(n_initial=5000)
    assert torch.get_num_threads() == before


def test_cells_in_threads_of_one_process_wait_for_each_other():
    expected = [results_of(run(repeat=i)) for i in range(2)]
    found = {}
    threads = [
        Thread(target=lambda i=i: found.update({i: results_of(run(repeat=i))}))
        for i in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0], found[1]] == expected


@pytest.mark.parametrize("strategy", ["badge", "albl", "rand"])
@pytest.mark.parametrize("n_done", [1, 2, 3])
def test_going_on_from_a_checkpoint(tmp_path, monkeypatch, strategy, n_done):
    cell = tiny_cell(strategy=strategy, n_rounds=4)
    expected = results_of(run_cell(cell))
    path = tmp_path / "cell.json"
    real = cell_module._write_checkpoint

    class Killed(BaseException):
        pass

    def kill(path, content):
        real(path, content)
        if len(content["records"]) == n_done:
            raise Killed

    monkeypatch.setattr(cell_module, "_write_checkpoint", kill)
    with pytest.raises(Killed):
        run_cell(cell, checkpoint=path)
    monkeypatch.undo()
    state = read_json(path)
    assert len(state["records"]) == n_done
    assert results_of(run_cell(cell, checkpoint=path, state=state)) == expected


def test_the_arm_of_each_round_is_recorded():
    cell = tiny_cell(strategy="albl", n_rounds=12)
    records = run_cell(cell)["records"]
    first, *arms = [record["arm"] for record in records]
    assert first is None
    # Nothing is learned so early: two arms, drawn by a coin, are both seen in 12.
    assert set(arms) == {"LeastConfidence", "CoreSet"}
    # The arm that is named is the one that chose: the last state asked again.
    taken = run(strategy="albl", n_rounds=1)["records"]
    alone = {"LeastConfidence": "conf", "CoreSet": "coreset"}[taken[1]["arm"]]
    other = run(strategy=alone, n_rounds=1)["records"]
    assert taken[1]["positions"] == other[1]["positions"]
    assert {record["arm"] for record in other} == {None}


def test_arms_of_a_strategy_of_ones_own_have_numbers(monkeypatch):
    monkeypatch.delattr(ALBL, "arm_names")
    records = run(strategy="albl")["records"]
    assert {record["arm"] for record in records[1:]} <= {"arm 0", "arm 1"}


def test_a_checkpoint_of_a_version_without_arms_goes_on(tmp_path):
    cell, path = tiny_cell(strategy="albl", n_rounds=3), tmp_path / "cell.json"
    expected = run_cell(cell, checkpoint=path)["records"]
    state = read_json(path)
    for record in state["records"]:
        del record["arm"]
    records = run_cell(cell, state=state)["records"]
    assert "arm" not in records[2] and records[3]["arm"] == expected[3]["arm"]
    assert [r["positions"] for r in records] == [r["positions"] for r in expected]


def test_a_checkpoint_of_all_rounds_needs_no_training(monkeypatch):
    cell = tiny_cell()
    done = run_cell(cell)
    state = {"records": done["records"], "seconds": 2.0, "simulation": None}
    monkeypatch.setattr(MLP, "forward", None)
    content = run_cell(cell, state=state)
    assert content["records"] == done["records"]
    assert content["seconds"] > 2.0


def test_attempt_says_what_stopped_a_cell():
    cell = tiny_cell(strategy="badge-kdpp", batch_size=500)
    same, content = attempt_cell(cell)
    assert same == cell
    assert content["error"].startswith("RankError: ")
    assert "Traceback (most recent call last)" in content["traceback"]
    assert content["settings"] == cell.settings()


def test_a_cell_can_be_pickled():
    cell = tiny_cell()
    assert pickle.loads(pickle.dumps(cell)) == cell


@pytest.mark.parametrize(
    ("settings", "n_pool", "expected"),
    [
        ({"n_rounds": None}, 100, 8),
        ({"n_rounds": None, "n_initial": 95}, 100, 0),
        ({"n_rounds": None, "max_labels": 50}, 100, 3),
        ({"n_rounds": None, "max_labels": 59}, 100, 3),
        ({"n_rounds": 5, "max_labels": 50}, 100, 3),
        ({"n_rounds": 2}, 100, 2),
        ({"n_rounds": 0}, 100, 0),
    ],
)
def test_number_of_rounds(settings, n_pool, expected):
    assert tiny_cell(**settings).count_rounds(n_pool) == expected


def test_less_than_a_batch_is_left_alone():
    content = run(n_rounds=None, batch_size=700, strategy="rand")
    assert [record["n_labeled"] for record in content["records"]] == [20, 720, 1420]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "best"}, "strategy must be one of 'badge', 'albl'"),
        (
            {"model": "cnn"},
            "model must be one of 'mlp', 'resnet', 'vgg', 'linear', 'convnet', or",
        ),
        ({"batch_size": 0}, "batch_size must be an int of at least 1. Got 0 instead."),
        ({"n_rounds": -1}, "n_rounds must be an int of at least 0. Got -1 instead."),
        ({"seed": 1.5}, "seed must be an int of at least 0. Got 1.5 of type float"),
        ({"learning_rate": 0}, "learning_rate must be a number in (0, 1]. Got 0"),
        ({"precision": "float16"}, "precision must be one of 'float32', 'bfloat16'"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(InvalidInputError) as caught:
        tiny_cell(**settings)
    assert message in str(caught.value)


def test_fingerprint_depends_on_every_setting_but_the_place_of_a_file():
    cell = tiny_cell()
    others = [
        {"dataset": "kropt"},
        {"model": "resnet"},
        {"batch_size": 11},
        {"strategy": "rand"},
        {"repeat": 1},
        {"seed": 1},
        {"n_initial": 21},
        {"n_rounds": 3},
        {"max_labels": 10},
        {"max_pool": 10},
        {"standardize": False},
        {"learning_rate": 0.02},
        {"n_hidden": 9},
        {"width": 16},
        {"clamp_gradients": True},
        {"max_epochs": 4},
        {"max_updates": 5},
        {"stop": "reaches"},
        {"first": "max-norm"},
        {"albl_update": "chosen"},
        {"metrics": ("balanced_accuracy",)},
        {"precision": "bfloat16"},
        {"target": "kind"},
        {"sha256": "0"},
    ]
    prints = {tiny_cell(**other).fingerprint() for other in others}
    assert len(prints | {cell.fingerprint()}) == len(others) + 1
    told = {name for other in others for name in other}
    assert told == {field.name for field in fields(Cell)} - {
        "path",
        "device",
        "data_dir",
    }
    for place in ({"path": "x.npz"}, {"device": "cuda"}, {"data_dir": "x"}):
        assert tiny_cell(**place).fingerprint() == cell.fingerprint()
    assert tiny_cell(batch_size=np.int64(10)).fingerprint() == cell.fingerprint()

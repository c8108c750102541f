"""What was run on a GPU: the tables, from a file as the script writes it."""

import json
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_tables(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import gpu

    row = {"n_labeled": 1_100, "epochs": 30, "fit_seconds": 2.5, "accuracy": 0.5}
    row |= {"embed_seconds": None, "select_seconds": 0.25}
    plan = {"preset": "p", "net": "mlp", "device_hours": 12.0}
    chosen = {"n_pool": 50_000, "K": 10, "d": 512, "B": 1_000}
    chosen |= {"seconds_on_the_device": 0.125, "seconds_on_the_processor": 2.0}
    document = {
        "card": "X1",
        "torch": "2",
        "cores": 16,
        "threads": 8,
        "plans": [plan | {"device_hours_at_the_cap": 2_000.0}],
        "cell": [{"precision": "float32", "rounds": [row]}],
        "selection": [chosen | {"share_of_same_picks": 0.9}],
    }
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert "one X1, with torch 2 and 16 cores" in gpu.card(path)
    assert gpu.plans(path).iloc[0].tolist() == ["p", "mlp", "12", "2,000"]
    assert gpu.rounds(path).iloc[0].tolist() == [
        "float32", "1,100", "30", "2.5", "", "0.25", "50.0%",
    ]  # fmt: skip
    assert gpu.selection(path).iloc[0].tolist() == [
        "50,000", "10", "512", "1,000", "0.125", "2", "90%",
    ]  # fmt: skip

"""Dry runs beside what was run: the tables, and what the committed file says."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMITTED = DOCS.parent / "benchmarks" / "results" / "dry_run.json"


@pytest.fixture
def dry_run(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import dry_run

    return dry_run


def test_tables(dry_run, tmp_path):
    plan = {"preset": "p", "net": "mlp", "cells": 2, "trainings": 1_200}
    plan |= {"core_hours": 123.4, "core_hours_at_the_cap": 2_000.0}
    cell = {"data": "d", "net": "mlp", "batch": 1_000, "labels": [100, 1_100, 2_100]}
    cell |= {"estimated_seconds": 10.0, "measured_seconds": 12.5}
    cell |= {"epochs": [30, 1_200, 7], "ended_at_the_cap": [False, True, True]}
    path = tmp_path / "dry_run.json"
    path.write_text(json.dumps({"plans": [plan], "cells": [cell]}), encoding="utf-8")
    assert dry_run.plans(path).iloc[0].tolist() == [
        "p", "mlp", "2", "1,200", "123", "2,000",
    ]  # fmt: skip
    assert dry_run.cells(path).iloc[0].tolist() == [
        "d", "mlp", "1,000", "100 to 2,100", "10", "12.5", "7 to 1,200", "2 of 3",
    ]  # fmt: skip


def test_what_was_run_took_about_what_was_estimated():
    cells = json.loads(COMMITTED.read_text(encoding="utf-8"))["cells"]
    assert {cell["net"] for cell in cells} == {"mlp", "resnet"}
    for cell in cells:
        assert 0.4 < cell["measured_seconds"] / cell["estimated_seconds"] < 2.5


def test_the_small_preset_is_a_night_of_16_cores():
    plans = json.loads(COMMITTED.read_text(encoding="utf-8"))["plans"]
    hours = {(row["preset"], row["net"]): row["core_hours"] for row in plans}
    assert hours["paper-small", "mlp"] < 16 * 10
    # Without a GPU, years.
    assert sum(h for (name, _), h in hours.items() if name == "paper") > 16 * 8_766

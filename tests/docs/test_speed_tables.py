"""Tables of times are made from what was measured."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


class TestSpeedTables:
    """The readers of timing files take what the scripts write, and slight changes."""

    @pytest.fixture
    def speed(self, monkeypatch):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("speed")
        sys.modules.pop("speed")

    def test_records_anywhere_in_the_document_become_rows(self, speed, tmp_path):
        path = tmp_path / "some.json"
        path.write_text(
            '{"benchmark": "x", "results": [{"n_pool": 50000, "ratio": 123.456, '
            '"runs": [1, 2], "lazy": {"peak_mb": 0.01234}}]}',
            encoding="utf-8",
        )
        frame = speed.records(path)
        assert frame.to_dict("records") == [
            {"pool": "50,000", "ratio": "123", "lazy peak mb": "0.0123"}
        ]

    def test_a_mapping_of_cases_becomes_rows(self, speed):
        document = {"small": {"seconds": 1.5}, "large": {"seconds": 2.5}}
        assert [row["case"] for row in speed.find_records(document)] == [
            "small",
            "large",
        ]

    @pytest.mark.parametrize(
        ("value", "text"),
        [(1.0, "1"), (0.098765, "0.0988"), (1234.5, "1,234"), (None, ""), ("a", "a")],
    )
    def test_numbers_have_three_digits_that_count(self, speed, value, text):
        assert speed.written(value) == text

    def test_a_comparison_has_a_row_for_every_other_way(self, speed, tmp_path):
        path = tmp_path / "selection.json"
        path.write_text(
            '{"machine": {"threads": 2}, "records": [{"case": "small", "sizes": '
            '{"n_pool": 1000, "K": 3, "d": 5, "labelled": 20, "B": 10}, '
            '"seconds": {"lazy": [2, 2], "sequential": '
            '[50, 50]}, "median_seconds": {"lazy": 2.0, "sequential": 50.0, '
            '"other 1.0": 60.0}, "sequential_centers_timed": 4}, '
            '{"case": "memory", "sizes": {"n_pool": 1000}, "peak_mib": 12.5}]}',
            encoding="utf-8",
        )
        case = {
            "case": "small",
            "pool": "1,000 and 20 labelled",
            "vectors": "3 × 5",
            "batch": "10",
            "this library (s)": "2",
        }
        assert speed.selection(path).to_dict("records") == [
            {
                **case,
                "compared with": "sequential, timed for 4 centers",
                "the other (s)": "50",
                "times as fast": "25",
            },
            {
                **case,
                "compared with": "other 1.0",
                "the other (s)": "60",
                "times as fast": "30",
            },
        ]
        assert speed.memory(path).to_dict("records") == [
            {
                "case": "memory",
                "pool": "1,000",
                "peak above the factors (MiB)": "12.5",
            }
        ]

    def test_pools_that_save_nothing_are_judged_by_the_worst(
        self, monkeypatch, tmp_path
    ):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        hostile = importlib.import_module("hostile")
        sizes = {"n_pool": 2**20, "K": 1, "d": 1, "B": 9}
        larger = {**sizes, "d": 15}

        def record(pool, algorithm, lazy, exact, single=None, peak=0.0, sizes=sizes):
            seconds = {"lazy": lazy, "plain loop in float64": exact}
            peaks = {"lazy": peak, "plain loop in float64": 0.0}
            if single is not None:
                seconds["plain loop"], peaks["plain loop"] = single, 2.0
            return {
                "pool": pool,
                "algorithm": algorithm,
                "sizes": sizes,
                "median_seconds": seconds,
                "peak_mib": peaks,
            }

        records = [
            record("alike", "k-center", 0.3, 0.2, 0.1),
            record("alike", "k-center", 0.1, 0.2, 0.1, peak=2.0),
            record("alike", "k-center", 0.003, 0.001, 0.001),
            record("alike", "log-det", 0.1, 0.4),
            record("copies", "k-center", 0.1, 0.2, 0.1, peak=32.0, sizes=larger),
            {"case": "small", "median_seconds": {"lazy": 9.0}},
        ]
        path = tmp_path / "selection.json"
        path.write_text(json.dumps({"records": records}), encoding="utf-8")
        assert hostile.table(path).to_dict("records") == [
            {
                "rows of the pool": "alike",
                "k-center": "1.50 (3.00)",
                "log-det": "0.25",
            },
            {
                "rows of the pool": "copies",
                "k-center": "0.50 (1.00)",
                "log-det": "beyond the rank",
            },
        ]
        assert hostile.summary(path) == (
            "In 4 cases choosing takes at most 1.50 times as long as the loop in "
            "float64, in 3 of them no longer, and at most 3.00 times as long as the "
            "loop in float32. In 1 cases more, in which the loop takes less than "
            "20 ms, choosing takes at most 2.0 ms more. On pools of 64 MiB and more, "
            "pool and choice together take at most 50% more memory than with the "
            "leanest loop; on smaller ones at most 2 MiB more."
        )

    def test_a_grid_has_a_row_for_each_number_of_jobs(self, speed, tmp_path):
        path = tmp_path / "grid.json"
        path.write_text(
            '{"cells": 4, "one_job": {"seconds": 10, "inside_cells": 9}, '
            '"two_jobs": {"seconds": 5, "inside_cells": 9.5}}',
            encoding="utf-8",
        )
        frame = speed.grid(path)
        assert frame["jobs"].tolist() == [1, 2]
        assert frame["all else, idle time included"].tolist() == ["10.0%", "5.0%"]
        assert frame["times as fast as one job"].tolist() == ["1", "2"]

    def test_a_cluster_beside_one_process_and_a_model(self, speed, tmp_path):
        sent = {"bytes_down": 2**20, "bytes_up": 2**21, "rounds": 14, "messages": 99}
        held = {"coordinator_bytes": 2**20, "worker_bytes": 3 * 2**20}
        times = {"embed_seconds": 2.0, "select_seconds": 1.5}
        law = {
            "pool": [0.0, 1.0, 3.0],
            "draws": 200,
            "total_variation_of_kmeans_plusplus": 0.05,
            "total_variation_of_nearest_rows": 0.7,
            "centers_that_are_no_rows": 0.875,
        }
        document = {
            "pool": {"rows": 1000},
            "workers": 2,
            "parts": 8,
            "cluster": sent | held | times,
            "one_process": {**times, "bytes": 5 * 2**20},
            "same_picks": 30,
            "model": {
                **{"rows": 10**8, "workers": 100, **sent, **held, **times},
                **{"latency_seconds": 0.004, "bandwidth_bytes_per_second": 2e9},
            },
            "k_means_parallel": {
                "rows": 500,
                "centers": 30,
                "seconds": 9.0,
                "kmeans_plusplus_seconds": 0.1,
                "law": law,
            },
            "machine": {
                "cpus": 2,
                "load_before": 0.04,
                "processor": "x",
                "torch": "2",
                "dask": "3",
            },
        }
        path = tmp_path / "cluster.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        frame = speed.cluster(path).set_index("")
        assert frame.columns[-1].endswith("(a model)")
        assert frame.loc["sent to the coordinator"].tolist() == ["2 MiB", "", "2 MiB"]
        assert frame.loc["memory of a worker"].tolist() == ["3 MiB", "", "3 MiB"]
        laws = speed.seeding(path)
        assert laws["centers that are no rows"].tolist() == [
            "none: they are rows",
            "88%",
        ]
        by_row = frame.loc["the same, bytes a row"].tolist()
        assert by_row == [1049, 5243, 0]
        # Of two rows of three that are drawn 200 times: pairs 01, 02 and 12.
        exact = speed.distance_by_chance(np.array([0.0, 1.0, 3.0]), 200)
        law = np.array([1 / 10 + 1 / 5, 9 / 10 + 9 / 13, 4 / 5 + 4 / 13]) / 3
        draws = np.random.default_rng(1).choice(3, size=(2_000, 200), p=law)
        counts = np.stack([(draws == pair).sum(axis=1) for pair in range(3)], axis=1)
        below = np.abs(counts / 200 - law).sum(axis=1) / 2 <= exact
        assert 0.97 < below.mean() < 1.0
        assert "4 ms for a round trip of the network and 2 GB/s" in (
            speed.cluster_machine(path)
        )
        assert "0.0 processes of others" in speed.cluster_machine(path)
        path.write_text('{"k_means_parallel": null}', encoding="utf-8")
        assert "not installed" in speed.seeding(path)

    def test_trainings_beside_a_loop_in_a_sentence(self, speed, tmp_path):
        path = tmp_path / "training.json"
        loop = [
            {
                "setting": name,
                "skbadge": {"of_medians": ratio},
                "bare_milliseconds_per_epoch": 10.0,
            }
            for name, ratio in (("a, MLP", 1.239), ("b, MLP", 1.011), ("ResNet", 3.0))
        ]
        document = {"target_ratio": 1.05, "loop": loop}
        path.write_text(json.dumps(document), encoding="utf-8")
        said = speed.training_range(path)
        assert said.startswith("In 2 settings with a perceptron")
        assert "is 1.01 to 1.24 times that of the loop: 0.11 to 2.39 ms more" in said
        assert said.endswith("In 1 of them it is at most 1.05, which was the aim.")
        path.write_text(json.dumps({"loop": loop[2:]}), encoding="utf-8")
        assert "were not measured" in speed.training_range(path)

    def test_parts_of_a_document_are_records_where_it_has_no_list(self, speed):
        document = {"threads": 2, "BADGE": {"ratio": 1.1}}
        assert speed.find_records(document) == [{"case": "BADGE", "ratio": 1.1}]

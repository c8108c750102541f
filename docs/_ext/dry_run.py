"""What a dry run estimates beside what was run, from the JSON of its script."""

import json

import pandas as pd
from speed import written


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def plans(path):
    """Show the core hours that whole presets are estimated to take, by net."""
    return pd.DataFrame(
        [
            {
                "preset": row["preset"],
                "net": row["net"],
                "cells": f"{row['cells']:,}",
                "trainings": f"{row['trainings']:,}",
                "core hours": written(row["core_hours"]),
                "if all trainings end at the cap": written(
                    row["core_hours_at_the_cap"]
                ),
            }
            for row in _read(path)["plans"]
        ]
    )


def cells(path):
    """Show what cells of the small preset took, beside what was estimated."""
    return pd.DataFrame(
        [
            {
                "data": row["data"],
                "net": row["net"],
                "batch": f"{row['batch']:,}",
                "labels": f"{row['labels'][0]:,} to {row['labels'][-1]:,}",
                "estimated (s)": written(row["estimated_seconds"]),
                "measured (s)": written(row["measured_seconds"]),
                "epochs": f"{min(row['epochs']):,} to {max(row['epochs']):,}",
                "ended at the cap": f"{sum(row['ended_at_the_cap'])} of "
                f"{len(row['ended_at_the_cap'])}",
            }
            for row in _read(path)["cells"]
        ]
    )

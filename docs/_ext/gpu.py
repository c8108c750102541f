"""What was run on a GPU, from the JSON of its script."""

import json

import pandas as pd
from speed import written


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def card(path):
    """Name the card and what else these figures hold for."""
    found = read(path)
    return (
        f"Measured on one {found['card']}, with torch {found['torch']} and "
        f"{found['cores']} cores beside it, of which selections on the processor had "
        f"{found['threads']}."
    )


def plans(path):
    """Show the hours that whole presets are estimated to take on the card, by net."""
    return pd.DataFrame(
        [
            {
                "preset": row["preset"],
                "net": row["net"],
                "hours": written(row["device_hours"]),
                "if all trainings end at the cap": written(
                    row["device_hours_at_the_cap"]
                ),
            }
            for row in read(path)["plans"]
        ]
    )


def rounds(path):
    """Show what each round of the cell took, in either precision."""
    return pd.DataFrame(
        [
            {
                "precision": run["precision"],
                "labels": f"{row['n_labeled']:,}",
                "epochs": f"{row['epochs']:,}",
                "training (s)": written(row["fit_seconds"]),
                "pass (s)": _known(row["embed_seconds"]),
                "selection (s)": _known(row["select_seconds"]),
                "test accuracy": f"{row['accuracy']:.1%}",
            }
            for run in read(path)["cell"]
            for row in run["rounds"]
        ]
    )


def _known(seconds):
    return "" if seconds is None else written(seconds)


def selection(path):
    """Show what k-means++ takes there and on the processor."""
    return pd.DataFrame(
        [
            {
                "pool": f"{row['n_pool']:,}",
                "classes": f"{row['K']:,}",
                "features": f"{row['d']:,}",
                "batch": f"{row['B']:,}",
                "GPU (s)": written(row["seconds_on_the_device"]),
                "processor (s)": written(row["seconds_on_the_processor"]),
                "same picks": f"{row['share_of_same_picks']:.0%}",
            }
            for row in read(path)["selection"]
        ]
    )

"""Tables of the field study without a label at the start."""

import pandas as pd
from field import SHORTER
from study import labels, read

from skbadge.benchmarks.run._presets import preset_deviations

SETTING = ["dataset", "model", "batch_size"]
STARTS = {"": "at random", "kmeans": "k-means", "typiclust": "TypiClust"}


def deviations():
    """Say what the variant is."""
    return "\n".join(f"- {text}" for text in preset_deviations("field-cold"))


def results_of(folder):
    """Return the results with the cold start and the strategy after it."""
    results = read(folder)
    parts = results["strategy"].str.rpartition("+")
    return results.assign(start=parts[0], then=parts[2])


def first_batches(folder):
    """Show the accuracy after the first batch alone, in percent."""
    results = results_of(folder)
    # Whatever goes on from it, the first batch of a repeat is the same.
    first = results[(results["round"] == 0) & (results["then"] == "rand")]
    found = first.groupby([*SETTING, "start"])["accuracy"].agg(["mean", "sem", "size"])
    rows = []
    for (dataset, _, size), part in found.groupby(SETTING):
        part = part.droplevel(SETTING)
        row = {"dataset": SHORTER.get(dataset, dataset), "labels": size}
        for start, name in STARTS.items():
            mean, error, count = part.loc[start]
            row[name] = f"{100 * mean:.1f}" + (
                f" ± {100 * error:.1f}" if count > 1 else ""
            )
        rows.append(row)
    return pd.DataFrame(rows)


def gains(folder):
    """Show what a cold start adds to each strategy, over all rounds after the first."""
    gained = _gained(results_of(folder))
    rows = []
    for (dataset, _, size), of_setting in gained.groupby(SETTING):
        for start in list(STARTS)[1:]:
            part = of_setting.loc[(dataset, slice(None), size, start)]
            found = part.groupby("then").agg(["mean", "sem"])
            row = {
                "dataset": SHORTER.get(dataset, dataset),
                "batch": size,
                "first batch": STARTS[start],
            }
            for name, label in zip(found.index, labels(found.index), strict=True):
                row[label] = (
                    f"{100 * found.loc[name, 'mean']:+.1f} ± "
                    f"{100 * found.loc[name, 'sem']:.1f}"
                )
            rows.append(row)
    return pd.DataFrame(rows)


def _gained(results):
    """Return the mean accuracy after round 0 above that from a start at random.

    Pairs of the same repeat, which share data and weights.
    """
    later = results[results["round"] > 0]
    keys = [*SETTING, "then", "repeat", "start"]
    wide = later.groupby(keys)["accuracy"].mean().unstack("start")
    gained = wide[list(STARTS)[1:]].sub(wide[""], axis=0).stack()
    return gained.reorder_levels([*SETTING, "start", "then", "repeat"]).sort_index()


def summary(folder):
    """Say what a cold start is worth, and which first batch goes with which size."""
    results = results_of(folder)
    first = results[(results["round"] == 0) & (results["then"] == "rand")]
    first = first.groupby([*SETTING, "start"])["accuracy"].mean().unstack("start")
    gained = _gained(results).groupby([*SETTING, "start"]).mean().unstack("start")
    sentences = []
    for start, name in list(STARTS.items())[1:]:
        at_once = 100 * (first[start] - first[""])
        later = 100 * gained[start]
        sentences.append(
            f"A first batch by {name} is better than one at random in "
            f"{_count(at_once)} settings, by {at_once.mean():+.1f} points on average "
            f"({at_once.min():+.1f} to {at_once.max():+.1f}). Over the rounds after "
            f"it, the mean of the five strategies, it is ahead in {_count(later)}, by "
            f"{later.mean():+.1f} points ({later.min():+.1f} to {later.max():+.1f})."
        )
    return " ".join(sentences)


def _count(points):
    return f"{(points > 0).sum()} of {len(points)}"

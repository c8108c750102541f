"""Made-up result and cost tables for the tests of analysis and report."""

import numpy as np
import pandas as pd

STRATEGIES = ("badge", "albl", "coreset", "conf", "marg", "entropy", "rand")


def curves(accuracies, *, dataset="digits", model="mlp", batch_size=100, initial=100):
    """Return results from {strategy: array (n_repeats, n_rounds) of accuracies}."""
    rows = []
    for strategy, repeats in accuracies.items():
        for repeat, curve in enumerate(repeats):
            for number, accuracy in enumerate(curve):
                rows.append(
                    {
                        "dataset": dataset,
                        "model": model,
                        "batch_size": batch_size,
                        "strategy": strategy,
                        "repeat": repeat,
                        "round": number,
                        "n_labeled": initial + number * batch_size,
                        "accuracy": float(accuracy),
                        "train_accuracy": 0.995,
                        "epochs": 20 + number,
                        "hit_max_epochs": False,
                        "positions": "" if number == 0 else "3 1 2",
                    }
                )
    return pd.DataFrame(rows)


def random_results(seed, *, n_repeats=5, missing=0.1):
    """Return a table with ties, equal differences, missing cells and cut-off curves."""
    generator = np.random.default_rng(seed)
    parts = []
    settings = [
        ("digits", "mlp", 100),
        ("digits", "mlp", 1000),
        ("svhn", "mlp", 100),
        ("svhn", "resnet", 100),
        ("svhn", "resnet", 10000),
    ]
    for dataset, model, batch_size in settings:
        n_rounds = 12
        level = 60 - 50 * 0.75 ** np.arange(n_rounds)
        table = {}
        for strategy in (*STRATEGIES, "badge-kdpp"):
            kind = generator.integers(4)
            if kind == 0 and "rand" in table:  # identical to another strategy
                table[strategy] = table["rand"].copy()
            elif kind == 1 and "badge" in table:  # off by the same in all repeats
                table[strategy] = table["badge"] + generator.integers(-2, 3)
            else:
                noise = generator.integers(-3, 4, size=(n_repeats, n_rounds))
                table[strategy] = np.round(level) + noise
        table = {name: np.clip(a, 0, 100) / 100 for name, a in table.items()}
        parts.append(curves(table, dataset=dataset, model=model, batch_size=batch_size))
    results = pd.concat(parts, ignore_index=True)
    cell = results.groupby(["dataset", "model", "batch_size", "strategy", "repeat"])
    absent = generator.random(cell.ngroups) < missing
    last = generator.integers(6, 40, size=cell.ngroups)
    number = cell.ngroup().to_numpy()
    # Most curves are whole; some stop early, as in a grid that is still running.
    keep = ~absent[number] & (results["round"].to_numpy() <= last[number])
    return results[keep].sample(frac=1, random_state=seed).reset_index(drop=True)


def costs_of(results, *, seconds=None):
    """Return a cost table for every row of the results."""
    costs = results[
        ["dataset", "model", "batch_size", "strategy", "repeat", "round"]
    ].copy()
    first = costs["round"] == 0
    factor = costs["strategy"].map(seconds or {}).fillna(1.0).astype(float)
    costs["fit_seconds"] = 2.0 + costs["round"] + 0.1 * costs["repeat"]
    costs["embed_seconds"] = np.where(first, np.nan, 0.25)
    costs["select_seconds"] = np.where(first, np.nan, 0.5 * factor)
    costs["peak_memory_mb"] = 300.0 + costs["repeat"]
    return costs

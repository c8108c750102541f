"""Numbers and names in words."""

from __future__ import annotations

import numpy as np

__all__ = ["count", "in_words", "name_of", "number", "score"]


def name_of(setting):
    """Return a setting in words."""
    dataset, model, batch_size = setting
    return f"{dataset}, {model}, B = {batch_size:,}"


def count(n, noun):
    """Return a number with its noun, in the plural where it takes one."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"


def number(value):
    """Return three digits; large numbers in full rather than as 1.23e+03."""
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def score(cell, most, metric):
    """Return mean and standard error: accuracies in percent, others as they are."""
    scale, digits = (100, 2) if metric == "accuracy" else (1, 4)
    if np.isnan(cell["mean"]):
        return "–"
    text = f"{scale * cell['mean']:.{digits}f}"
    if np.isfinite(cell["standard_error"]):
        text += f" ± {scale * cell['standard_error']:.{digits}f}"
    return text if cell["n_repeats"] == most else f"{text} (n={cell['n_repeats']})"


def in_words(value):
    """Return a setting's value as words: no braces, no quotes."""
    if isinstance(value, dict):
        return ", ".join(
            f"{str(name).replace('_', ' ')} {in_words(part)}"
            for name, part in value.items()
        )
    if isinstance(value, (list, tuple)):
        simple = all(not isinstance(part, (dict, list, tuple)) for part in value)
        texts = [in_words(part) for part in value]
        ends = any(text.endswith(".") for text in texts)
        return (" " if ends else ", " if simple else "; ").join(texts) or "none"
    if value is None or value == "":
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)

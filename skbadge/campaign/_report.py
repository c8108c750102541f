"""The report of a campaign: one HTML page that holds everything in itself."""

from __future__ import annotations

import base64
import io
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from skbadge.campaign._charts import Chart
from skbadge.campaign._ledger import Ledger
from skbadge.campaign._page import TEMPLATE
from skbadge.campaign._pool import Pool
from skbadge.campaign._state import Batch, State
from skbadge.campaign._status import accuracy_text, sign_text
from skbadge.utils._marks import shown

__all__ = ["report_page"]

# Of a batch as many rows are shown, of the newest batches.
_ROWS, _BATCHES, _PIXELS = 12, 10, 96
_LONGEST = 160


def report_page(ledger: Ledger, state: State, pool: Pool | None) -> str:
    """Return the page as text.

    Parameters
    ----------
    ledger : Ledger
        Answers its own tables.
    state : State
    pool : Pool or None
        Without it, rows are shown by their ids.

    Returns
    -------
    str
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cut"] = _cut
    status, answers = ledger.status(), ledger.answers()
    accuracy = ledger.accuracy()
    return environment.from_string(TEMPLATE).render(
        name=ledger.folder.resolve().name,
        status=status,
        accuracy=accuracy_text(status.accuracy),
        settings=state.settings,
        notes=_pool_notes(state),
        progress=_progress(answers),
        classes=_shares(status.classes),
        accuracy_chart=_accuracy_chart(accuracy, ledger.accuracy(3)),
        accuracy_rows=accuracy.to_dict("records"),
        any_lure=bool((accuracy["n_lure"] > 0).any()),
        annotators=_annotators(answers),
        timed=bool(answers["seconds"].notna().any()),
        disputed=_disputed(ledger.disagreements()),
        signs=[
            (sign_text(sign, status.seen), _sign_chart(sign)) for sign in status.signs
        ],
        batches=_batches(state, pool),
    )


def _cut(text: Any, most: int = _LONGEST) -> str:
    text = str(text)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _pool_notes(state: State) -> list[dict[str, Any]]:
    return [
        {
            "time": time[:10],
            "added": len(note["added"]),
            "removed": len(note["removed"]),
            "changed": len(note["changed"]),
        }
        for time, note in state.pool_notes
    ]


def _progress(answers: pd.DataFrame) -> Chart | None:
    """Return a chart of the labels given over time, in days from the first."""
    if answers.empty:
        return None
    times = sorted(datetime.fromisoformat(time) for time in answers["time"])
    days = [(time - times[0]).total_seconds() / 86400 for time in times]
    unit, scale = ("days", 1.0) if days[-1] > 2 else ("minutes", 1440.0)
    xs = [day * scale for day in days]
    chart = Chart(
        "Labels over time",
        f"{unit} since the first label",
        "labels",
        # Labels that came all at once are a minute's.
        (0, max(xs[-1], 1)),
        (0, len(xs)),
    )
    return chart.line([0, *xs], [0, *range(1, len(xs) + 1)], steps=True)


def _shares(counts: dict[Any, int]) -> list[dict[str, Any]]:
    most = max([1, *counts.values()])
    return [
        {"name": name, "n": n, "width": round(100 * n / most, 1)}
        for name, n in counts.items()
    ]


def _accuracy_chart(single: pd.DataFrame, pooled: pd.DataFrame) -> Chart | None:
    known = single[single["n_scored"] > 0]
    if known.empty:
        return None
    end = int(single["n_labeled"].max())
    chart = Chart(
        "Estimated accuracy over labels",
        "labels the model had learned from",
        "accuracy",
        (0, end * 1.05),
        (0, 1),
        percent=True,
    )
    for row in known.to_dict("records"):
        chart.interval(row["n_labeled"], row["low"], row["high"])
        text = f"{row['n_correct']} of {row['n_scored']} right"
        chart.point(row["n_labeled"], row["accuracy"], text)
    pooled = pooled[pooled["n_scored"] > 0]
    return chart.line(pooled["n_labeled"], pooled["accuracy"])


def _sign_chart(sign: dict[str, Any]) -> Chart | None:
    values = sign["values"]
    if len(values) < 2:
        return None
    levels = []
    if sign["threshold"] is not None:
        at_floor = sign["threshold"] == sign["floor"]
        levels.append((sign["threshold"], f"stops here{', the floor' * at_floor}"))
    shown = [*values, *(value for value, _ in levels)]
    spread = (max(shown) - min(shown)) or 1
    chart = Chart(
        sign["criterion"],
        "one value after another",
        "value",
        (0, len(values) + 1),
        (min(shown) - 0.05 * spread, max(shown) + 0.05 * spread),
    )
    chart.line(range(1, len(values) + 1), values)
    for i, value in enumerate(values):
        chart.point(i + 1, value, f"{value:.4g}")
    for value, text in levels:
        chart.level(value, text)
    return chart


def _annotators(answers: pd.DataFrame) -> list[dict[str, Any]]:
    records = []
    for name, part in answers.groupby("annotator", sort=True):
        seconds = part["seconds"].dropna()
        records.append(
            {
                "name": name or "(none)",
                "n": len(part),
                "median": f"{seconds.median():.1f} s" if len(seconds) else "",
                "slow": f"{seconds.quantile(0.9):.1f} s" if len(seconds) else "",
            }
        )
    return records


def _disputed(answers: pd.DataFrame, most: int = 50) -> dict[str, Any]:
    rows: dict[Any, list[str]] = {}
    for record in answers.to_dict("records"):
        rows.setdefault(record["id"], []).append(
            f"{record['annotator'] or '(none)'}: {record['label']}"
        )
    return {"n": len(rows), "rows": list(rows.items())[:most]}


def _batches(state: State, pool: Pool | None) -> list[dict[str, Any]]:
    """Return what there is to say of each batch, the newest first."""
    labels = state.labels
    found: list[dict[str, Any]] = []
    answers = {
        **dict.fromkeys(state.open_rows(), "open"),
        **dict.fromkeys(state.skipped, "skipped"),
        **labels,
    }
    for batch in reversed(state.batches):
        ids = list(batch.items)
        counts = Counter(labels[id] for id in ids if id in labels)
        shown = []
        if len(found) < _BATCHES:
            shown = [_row(id, batch, answers, pool) for id in ids[:_ROWS]]
        found.append(
            {
                "number": batch.number,
                "date": batch.time[:10],
                "strategy": " ".join([batch.strategy, *batch.notes]),
                "n": len(ids),
                "n_labeled": sum(counts.values()),
                "n_skipped": sum(id in state.skipped for id in ids),
                "n_random": len(batch.random),
                "classes": counts.most_common(),
                "rows": shown,
                "pictures": pool is not None and pool.images is not None,
                "texts": any(row["text"] for row in shown),
            }
        )
    return found


def _row(
    id: str, batch: Batch, answers: dict[str, Any], pool: Pool | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": id,
        "answer": answers.get(id, "given up"),
        "picture": None,
        "text": "",
        "predicted": batch.items[id]["predicted"],
    }
    if pool is None:
        return row
    if id not in pool.at:
        row["text"] = "no longer in the pool"
    elif pool.images is not None:
        row["picture"] = _thumbnail(pool.images / id)
        if row["picture"] is None:
            row["text"] = "This picture cannot be read."
    elif pool.shown is not None:
        values = pool.shown.iloc[pool.at[id]].tolist()
        row["text"] = " | ".join(_cut(value, 80) for value in values[:6])
    return row


def _thumbnail(path: Path) -> str | None:
    """Return a small picture for use inside the page; None where there is none."""
    from PIL import Image

    # What Pillow raises at files that are gone, torn, foreign, or too large to be true.
    broken = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except broken:
        return None
    small.thumbnail((_PIXELS, _PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/jpeg;base64,{encoded}"

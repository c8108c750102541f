"""Characters that are obeyed and not seen, written as escapes."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["MARKS", "shown", "visible"]

#: Control characters but for tabulators and line ends; what turns the text that
#: follows around (a mark that only stands between letters does not); and halves of
#: characters, which no file holds.
MARKS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return a text with escapes, backslash u and four digits, for such characters."""
    return MARKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown(value: Any) -> Any:
    """Return what a page shows of a value: texts with escapes, others as they are."""
    is_text = isinstance(value, str) and MARKS.search(value) is not None
    return visible(value) if is_text else value
